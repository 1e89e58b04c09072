"""Kernels that start in a moment, for test runs with many notebooks.

Half of a kernel's first ten seconds goes into importing torch, and every notebook does
it again. Here kernels are forked from a process that has done it once.
"""

import multiprocessing
import os
import signal
import sys
from importlib.metadata import EntryPoint

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from tools.paths import ROOT

PRELOADED = ["ipykernel.kernelapp", "lecture_utils", "torchvision"]
LAUNCH = [sys.executable, "-m", "ipykernel_launcher"]
# A kernel sets it before it imports anything.
BACKEND = "module://matplotlib_inline.backend_inline"


def serve() -> None:
    """From here on, kernels of this process start warm; on Linux only."""
    if sys.platform == "linux":
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
        name, value = "local-provisioner", f"{__name__}:{WarmProvisioner.__name__}"
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[name] = EntryPoint(name, value, factory.GROUP_NAME)


class WarmProvisioner(LocalProvisioner):
    """Starts kernels of this very Python by forking."""

    async def launch_kernel(self, cmd, **kwargs):
        # A daemon may have no children of its own.
        if cmd[:3] != LAUNCH or multiprocessing.current_process().daemon:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = Fork(cmd, kwargs["env"], kwargs.get("cwd"))
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info


class Fork:
    """What `LocalProvisioner` uses of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, cmd: list[str], env: dict[str, str], cwd: str | None) -> None:
        context = multiprocessing.get_context("forkserver")
        self.process = context.Process(target=_run, args=(cmd, env, cwd))
        # The process that imports and forks starts at the first call.
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("MPLBACKEND", BACKEND)
            self.process.start()
        self.pid = self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, signum: int) -> None:
        if self.pid and self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def _run(cmd: list[str], env: dict[str, str], cwd: str | None) -> None:
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()  # signals for the kernel reach its children, too
    os.environ.update(env)
    if cwd:
        os.chdir(cwd)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    # Not what pytest has added.
    added = {"", str(ROOT)}.difference(env.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = ["", *(folder for folder in sys.path if folder not in added)]
    sys.argv = [*cmd[2:], f"--IPKernelApp.parent_handle={os.getppid()}"]
    launch_new_instance()
