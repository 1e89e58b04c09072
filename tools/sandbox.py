"""A sandbox of Linux: processes that can neither see, change nor outlive anything.

A warm process, the `Nursery`, has imported and defined once what all of them need. Each
of its children starts as a copy of it, in a namespace of processes of its own, without
rights and within limits. It sees Python, its libraries and `lecture_utils` without the
exercises' right answers, all read-only, an empty folder, and no network.
"""

import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import lecture_utils

LIMITS = {
    "RLIMIT_CPU": 60,  # seconds
    "RLIMIT_FSIZE": 16 << 20,  # bytes of one file
    "RLIMIT_NPROC": 16,  # processes and threads
    "RLIMIT_NOFILE": 64,
    "RLIMIT_CORE": 0,
}
MEMORY = 1 << 30  # bytes, beside what the nursery has
SCRATCH = "/scratch"  # the one folder to write to; /tmp may hold the repository
DISK = "size=64m,nr_inodes=1000,mode=1777"
SHOWN = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/fonts")
SHOWN += ("/dev/null", "/dev/zero", "/dev/urandom")

# From <sched.h>, <sys/mount.h>, <linux/mount.h>, <sys/prctl.h>, <linux/capability.h>.
NEW_MOUNTS, NEW_NAMES, NEW_MEMORY = 0x20000, 0x4000000, 0x8000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = (1 << n for n in (1, 12, 13, 14, 18))
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY_NOSUID = 442, -100, 0x8000, 3
NO_NEW_PRIVILEGES, CAPABILITIES = 38, 0x20080522


class Nursery:
    """The warm process; `birth` gives a new child."""

    def __init__(self, prepare: Callable, live: Callable) -> None:
        """Start it: ``prepare()`` runs once, ``live(socket, prepared)`` in each child.

        Raises:
            OSError: the system has no such walls, or does not let this user build them.
        """
        self._line, other = socket.socketpair()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_keep, args=(other, prepare, live))
        self._process.start()
        other.close()
        if (said := self._line.recv(1000)) != b"ready":
            raise OSError(said.decode() or "the sandbox did not start")

    def birth(self) -> tuple[socket.socket, socket.socket]:
        """A socket to talk with a new child, and one that kills it when closed.

        There is one child at a time: the next one starts when the last one is dead.
        """
        talk, theirs = socket.socketpair()
        life, watched = socket.socketpair()
        socket.send_fds(self._line, [b"x"], [theirs.fileno(), watched.fileno()])
        theirs.close()
        watched.close()
        return talk, life

    def close(self) -> None:
        self._line.close()
        self._process.join()


def _keep(line: socket.socket, prepare: Callable, live: Callable) -> None:
    """The process that is forked from; it ends when the other end of ``line`` does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the judge says when it is over
    user, stranger = os.getuid(), (1 << 30) + os.getpid()
    try:
        prepared = prepare()
        memory = address_space() + MEMORY
        _unshare_all(user)
        if nursery := os.fork():  # the first process of its namespace
            line.close()
            os.waitpid(nursery, 0)
            return
        ours = os.open("/proc/self/ns/pid", os.O_RDONLY)
        _shut_in()
        line.send(b"ready")
    except OSError as error:
        line.send(str(error).encode()[:1000])
        return
    gc.freeze()  # the pages stay shared
    while True:
        _, fds, _, _ = socket.recv_fds(line, 1, 2)
        if not fds:
            os._exit(0)
        talk, watched = (socket.socket(fileno=fd) for fd in fds)
        _system("unshare", NEW_PROCESSES)
        if not (child := os.fork()):
            _close_all_but(talk.fileno())
            _give_up_rights(stranger if user == 0 else user, memory)
            live(talk, prepared)
            os._exit(0)
        _system("setns", ours, NEW_PROCESSES)
        talk.close()
        watched.recv(1)  # until the judge closes it, or dies
        watched.close()
        os.kill(child, signal.SIGKILL)  # and so all processes of its namespace
        os.waitpid(child, 0)


def address_space() -> int:
    """Bytes that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _system(name: str, *args: object) -> None:
    """A call of the C library that raises OSError."""
    c = ctypes.CDLL(None, use_errno=True)
    raw = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    if getattr(c, name)(*raw) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _unshare_all(user: int) -> None:
    group = os.getgid()
    new = NEW_MOUNTS | NEW_NAMES | NEW_MEMORY | NEW_PROCESSES | NEW_NETWORK
    _system("unshare", new if user == 0 else new | NEW_USERS)
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _shut_in() -> None:
    """Make a root that holds nothing but what Python needs; there is no way back."""
    package = Path(lecture_utils.__file__).parent
    shown = [*map(Path, SHOWN), Path(sys.base_prefix), Path(sys.prefix), package]
    # The new root hides what lies under its place.
    opened = {path: os.open(path, os.O_PATH) for path in shown if path.exists()}
    _system("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    _system("mount", "tmpfs", "/tmp", "tmpfs", MS_NOSUID, "mode=755")
    for path, source in opened.items():
        target = Path(f"/tmp{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        is_folder = stat.S_ISDIR(os.fstat(source).st_mode)
        target.mkdir(exist_ok=True) if is_folder else target.touch()
        _system(
            "mount",
            f"/proc/self/fd/{source}",
            str(target),
            None,
            MS_BIND | MS_REC,
            None,
        )
        os.close(source)
    _system("mount", "tmpfs", f"/tmp{package}/exercises", "tmpfs", MS_NOSUID, None)
    Path(f"/tmp{SCRATCH}").mkdir()
    read_only = (ctypes.c_uint64 * 4)(READ_ONLY_NOSUID)
    os.chdir("/tmp")
    _system("mount", ".", "/", None, MS_MOVE, None)
    os.chroot(".")
    _system("syscall", MOUNT_SETATTR, AT_FDCWD, "/", AT_RECURSIVE, read_only, 32)


def _close_all_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)


def _give_up_rights(user: int, memory: int) -> None:
    """From here on nothing can be changed but a folder of one's own."""
    _system("unshare", NEW_MOUNTS)
    _system("mount", "tmpfs", SCRATCH, "tmpfs", MS_NOSUID, DISK)
    os.chdir(SCRATCH)
    os.environ.clear()
    os.environ["HOME"] = os.environ["TMPDIR"] = SCRATCH
    os.setsid()
    if os.getuid() != user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    for name, most in LIMITS.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    nothing = (ctypes.c_uint32 * 6)()
    _system("capset", (ctypes.c_uint32 * 2)(CAPABILITIES), nothing)
    _system("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
