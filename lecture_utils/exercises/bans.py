"""What a task forbids: calls that an answer must do without, and how they are seen."""

import re
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Ban:
    """Calls that the task forbids, whoever makes them on the answer's behalf.

    Args:
        text: the ban, as the verdict says it.
        library: regular expression for the beginning of the names of functions of torch
            and other libraries; a method is ``Class.method``, case does not matter.
        notebook: names of the notebook's own functions.
    """

    text: str
    library: str = "(?!)"
    notebook: tuple[str, ...] = ()

    @contextmanager
    def watched(self, answer: Any) -> Generator[list[str]]:
        """List the forbidden calls that are made inside.

        Operators of torch (``@``, ``*``) and loops are no calls of functions. C code of
        other libraries than torch is seen only through its Python side.
        """
        if hasattr(answer, "watched"):  # it runs in another process
            with answer.watched(self) as seen:
                yield seen
            return
        seen = []
        own = _globals(answer)
        named = re.compile(self.library, re.IGNORECASE).match

        def profile(frame: FrameType, event: str, _: Any) -> None:
            if event == "call":
                code = frame.f_code
                if frame.f_globals is own:  # the student may well name a helper softmax
                    forbidden: Any = code.co_name in self.notebook
                else:
                    forbidden = named(code.co_qualname)
                if forbidden:
                    seen.append(code.co_qualname)

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            with _Torch(lambda name: seen.append(name) if named(name) else None):
                yield seen
        finally:
            sys.setprofile(before)


BUILDING = Ban("строить сеть нельзя: выведите формулу", r"Module\.__init__")


class _Torch(TorchFunctionMode):
    """Tells the names of torch's functions and methods, also of those written in C."""

    def __init__(self, tell: Callable[[str], None]):
        super().__init__()
        self._tell = tell

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self._tell(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def _globals(answer: Any) -> Mapping[str, Any] | None:
    """The globals of a function, also of a partial or of an object that is called."""
    answer = getattr(answer, "func", answer)
    answer = getattr(answer, "__wrapped__", answer)
    call = type(answer).__call__ if callable(answer) else None
    return getattr(answer, "__globals__", getattr(call, "__globals__", None))
