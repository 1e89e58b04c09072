"""An end for what does not end: an exception that comes again until it is obeyed."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

AGAIN = 0.1  # seconds from one exception to the next
DEAF = 1.0  # seconds that signals have before the other thread begins
HOPELESS = 10.0  # seconds after which the reader is told what helps
STUCK = (
    "Вычисление давно вышло за предел времени, и прервать его Python пока не может. "
    "Ждать не обязательно: меню «Ядро» → «Перезапустить ядро…» (Restart Kernel)."
)


class TooLate(BaseException):
    """Not an Exception: a student's `except Exception` does not swallow it."""


def limited(seconds: float, act: Callable[[], Any]) -> Any:
    """What ``act()`` returns; when the time is up, `TooLate` is raised in it.

    An alarm wakes what sleeps or waits; on Windows, outside the main thread, and where
    the alarm has been disabled, another thread raises the exception. C code is stopped
    when it returns to Python. While it does not, the reader is told that the kernel's
    restart helps, unless it keeps even other threads from running.

    Raises:
        TooLate: it has not ended in time.
    """
    inside = _Inside(sys._getframe())
    thread, stdout = threading.get_ident(), sys.stdout

    def ring(_: int, frame: FrameType | None) -> None:
        if inside.frames(frame):
            raise inside.error()

    def watch() -> None:
        if inside.over.wait(seconds + (DEAF if alarm else 0)):
            return
        times = 0
        while inside.frames(sys._current_frames().get(thread)):
            error = ctypes.py_object(inside.error())
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)
            if inside.over.wait(AGAIN):
                return
            times += 1
            if times == round(HOPELESS / AGAIN):
                print(STUCK, file=stdout, flush=True)

    trace = sys.gettrace()
    alarm = threading.current_thread() is threading.main_thread()
    alarm = alarm and hasattr(signal, "setitimer")  # Windows has none
    if alarm:
        handler = signal.signal(signal.SIGALRM, ring)
        rest = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    watching = threading.Thread(target=watch, daemon=True)
    with suppress(RuntimeError):  # no more threads, as in a sandbox
        watching.start()
    try:
        return act()
    finally:
        while True:
            try:
                inside.over.set()
                if watching.ident:
                    watching.join()
                sys.settrace(trace)
                if alarm:
                    signal.setitimer(signal.ITIMER_REAL, *rest)
                    signal.signal(signal.SIGALRM, handler)
                break
            except TooLate:  # one more was on its way
                continue


class _Inside:
    """What runs above a frame.

    Attributes:
        over: it has ended.
    """

    def __init__(self, below: FrameType) -> None:
        self.over = threading.Event()
        self._below = below
        self._swallowed: type[TooLate] | None = None
        self._first = True

    def frames(self, frame: FrameType | None) -> list[FrameType]:
        """Those from ``frame`` down to the one below; none if that is not there."""
        frames = []
        while frame and frame is not self._below:
            frames.append(frame)
            frame = frame.f_back
        return frames if frame and not self.over.is_set() else []

    def error(self) -> type[TooLate]:
        """At first an exception that lets everything be tidied up on its way out.

        Code that is still there a moment later swallows it, with a bare `except:`. The
        next exceptions see to it that another one is raised at the next line: when they
        are caught, and when they are forgotten.
        """
        if self._first:
            self._first = False
            return TooLate
        if not self._swallowed:
            again = {"__init__": self._raise_at_next_line}
            again["__del__"] = self._raise_at_next_line
            self._swallowed = type("TooLate", (TooLate,), again)
        return self._swallowed

    def _raise_at_next_line(self, *_: object) -> None:
        for frame in self.frames(sys._getframe(1)):
            frame.f_trace = self._trace
            sys.settrace(lambda *_: None)  # without any, lines are not watched

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and self.frames(frame):
            raise self.error()
        return self._trace
