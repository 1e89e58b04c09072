"""Exercises judged by code: «решения пока нет», what is wrong and why, or «верно»."""

import copy
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from threading import Timer, get_ident
from typing import Any

import torch
from torch import Tensor

TIME_LIMIT = 30.0  # seconds for one call of the student's function

_checks: dict[str, Callable[[Any], None]] = {}


class Unsolved(Exception):
    """The student has not written anything yet."""


class Wrong(Exception):
    """The answer is wrong; the message says on which input and gives a hint."""


def check(number: str):
    """Register a function that judges the answer to exercise ``number``.

    It takes the student's answer (usually a function), raises `Unsolved` or `Wrong`,
    and returns when the answer is right.
    """

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        _checks[number] = function
        return function

    return register


def exercise(number: str, answer: Any) -> None:
    """Print the verdict on the student's answer; number and errors as in `judge`."""
    print(judge(number, answer))


def judge(number: str, answer: Any) -> str:
    """Verdict on the student's answer, in Russian; «✔ …» only for a right one.

    Args:
        number: notebook and exercise, as in ``"04.2"``.

    Raises:
        KeyError: there is no such exercise.
    """
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    if number not in _checks:
        raise KeyError(
            f"no exercise {number!r}; there are {', '.join(sorted(_checks))}"
        )
    try:
        _checks[number](answer)
    except Unsolved:
        return f"… упражнение {number}: решения пока нет"
    except Wrong as wrong:
        return f"✘ упражнение {number}: {wrong}"
    return f"✔ упражнение {number}: верно"


def call(answer: Callable, *args: Any, given: str) -> Any:
    """Call the student's function on copies of ``args``; errors become `Wrong`."""
    if not callable(answer):
        if answer is None or answer is ...:
            raise Unsolved
        raise Wrong(f"нужна функция, а получено {type(answer).__name__}")
    try:
        with _time_limit(given):
            result = answer(*copy.deepcopy(args))
    except NotImplementedError:
        raise Unsolved from None
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(
            f"{given} — функция упала: {type(error).__name__}: {error}"
        ) from error
    if result is None or result is ...:
        raise Unsolved
    return result


class _TooLate(BaseException):
    """Not an Exception: a student's `except Exception` does not swallow it."""


@contextmanager
def _time_limit(given: str) -> Iterator[None]:
    """Stop an endless loop; unlike a signal, on Windows and in a background job too."""
    thread, too_late = ctypes.c_ulong(get_ident()), ctypes.py_object(_TooLate)
    stop = ctypes.pythonapi.PyThreadState_SetAsyncExc
    timer = Timer(TIME_LIMIT, stop, (thread, too_late))
    timer.start()
    try:
        yield
    except _TooLate:
        raise Wrong(
            f"{given} — за {TIME_LIMIT:g} с ответа нет. Похоже на бесконечный цикл: "
            "проверьте, что условие его конца когда-нибудь выполнится."
        ) from None
    finally:
        timer.cancel()


def expect(got: Any, want: Any, *, given: str, hint: str) -> None:
    """Compare the student's result with the right one: type, shape, dtype, values.

    Tensors may differ by rounding: by the square root of the precision of their
    dtype, relative to the largest right value.
    """
    if isinstance(want, Tensor):
        expect_form(got, want, given=given, hint=hint)
        if want.numel() == 0:
            return
        difference = (got.detach() - want).abs().max().item()
        if difference > _rounding(want):
            raise Wrong(
                f"{given} — ответ отличается от верного на {difference:.2g}. {hint}"
            )
    elif isinstance(got, bool) != isinstance(want, bool) or got != want:
        raise Wrong(f"{given} — получено {got!r}, ожидалось {want!r}. {hint}")


def expect_form(got: Any, want: Tensor, *, given: str, hint: str = "") -> None:
    """Check that ``got`` is a finite tensor of the shape and dtype of ``want``."""
    if not isinstance(got, Tensor):
        raise Wrong(f"{given} — нужен тензор, а получено {type(got).__name__}. {hint}")
    if got.shape != want.shape:
        raise Wrong(
            f"{given} — форма {tuple(got.shape)}, ожидалась {tuple(want.shape)}. {hint}"
        )
    if got.dtype != want.dtype:
        raise Wrong(f"{given} — тип {got.dtype}, ожидался {want.dtype}. {hint}")
    if not torch.isfinite(got).all():
        raise Wrong(f"{given} — в ответе есть NaN или бесконечность. {hint}")


def _rounding(want: Tensor) -> float:
    if not want.is_floating_point():
        return 0
    return torch.finfo(want.dtype).eps ** 0.5 * max(1, want.abs().max().item())
