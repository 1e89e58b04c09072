"""A student's answer: how it is called and compared; whatever fails is `Wrong`."""

import ctypes
import dis
import math
import random
import time
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from numbers import Real
from threading import Event, Thread, get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TIME_LIMIT = 30.0  # seconds of processor time for one call of the student's function


class Unsolved(Exception):
    """The student has not written anything yet."""


class Wrong(Exception):
    """The answer is wrong; the message says how, `case` adds the input and a hint."""


@contextmanager
def case(given: str, hint: str = "") -> Generator[None]:
    """Say of what is wrong inside on which input it is so, and add a hint."""
    try:
        yield
    except Wrong as wrong:
        text = str(wrong).rstrip(".")
        raise Wrong(f"{given} — {text}. {hint}".rstrip()) from wrong


def call(answer: Any, *args: Any, copy: bool = True) -> Any:
    """Call the student's function on copies of ``args``; errors become `Wrong`.

    Args:
        copy: False where the check watches what becomes of the arguments themselves.

    Raises:
        Unsolved: nothing is written yet: `...` or None for the function, `...` for its
            result, an empty body.
        Wrong: not a function, an error in it, an endless loop, no ``return``.
    """
    if answer is None or answer is ...:
        raise Unsolved
    if not callable(answer):
        raise Wrong(f"нужна функция, а получено {type(answer).__name__}")
    try:
        with _time_limit(), _settings_kept():
            result = answer(*(deepcopy(args) if copy else args))
    except Wrong:
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise Unsolved from None  # the student's own, not one of torch's
        raise Wrong(f"функция упала: {type(error).__name__}: {error}") from error
    if result is ... or (result is None and _is_empty(answer)):
        raise Unsolved
    if result is None:
        raise Wrong("функция ничего не вернула: ответ отдаёт return, а не print")
    return result


def _is_empty(function: Any) -> bool:
    """Is the body only ``...`` or ``pass``, perhaps after a docstring?"""
    code = getattr(function, "__code__", None)
    steps = {step.opname for step in dis.get_instructions(code)} if code else {"CALL"}
    return steps <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


@contextmanager
def _settings_kept() -> Generator[None]:
    """Whatever the student's function switches is as before for the next cell."""
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    threads = torch.get_num_threads()
    drawn = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])


def convolve(layer: Any, x: Tensor) -> Tensor:
    """What the convolution that the student returned makes of ``x``, without graph."""
    if not isinstance(layer, nn.Conv2d):
        raise Wrong(f"нужен nn.Conv2d, получено {type(layer).__name__}")
    with torch.no_grad():
        return call(layer, x)


def parts(got: Any, names: str) -> list[Any]:
    """The values of a tuple or list that the exercise asks for."""
    if not isinstance(got, tuple | list) or len(got) != len(names.split(", ")):
        raise Wrong(f"нужно вернуть несколько значений: return {names}")
    return list(got)


class _TooLate(BaseException):
    """Not an Exception: a student's `except Exception` does not swallow it."""


@contextmanager
def _time_limit() -> Generator[None]:
    """Stop an endless loop; unlike a signal, on Windows and in a background job too.

    Processor time is counted, so that a busy machine makes no honest answer late.
    It is the time of the whole process: no thread can read another one's everywhere.
    """
    student, done = get_ident(), Event()

    def watch() -> None:
        late = time.process_time() + TIME_LIMIT
        very_late = time.monotonic() + 20 * TIME_LIMIT  # a loop that only sleeps
        while not done.wait(TIME_LIMIT / 20):
            if time.process_time() > late or time.monotonic() > very_late:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(student), ctypes.py_object(_TooLate)
                )
                return

    Thread(target=watch, daemon=True).start()
    try:
        yield
    except _TooLate:
        raise Wrong(
            f"функция считает уже {TIME_LIMIT:g} с. Похоже на бесконечный цикл: "
            "проверьте, что условие его конца когда-нибудь выполнится"
        ) from None
    finally:
        done.set()


def expect(
    got: Any, want: Any, *, kind: type | None = None, atol: float = 1e-6
) -> None:
    """Compare the student's result with the right one.

    A number may come as a tensor or array of one element, a list of numbers as a
    tuple, array or tensor. Whole and Boolean values are compared exactly, float
    tensors up to the square root of the precision of their dtype, relative to the
    largest right value.

    Args:
        want: tensor, whole number, float, or list or tuple of whole numbers.
        kind: the type that the exercise asks for where a tensor will not do.
        atol: by how much a float number may differ.

    Raises:
        Wrong: and nothing else, whatever ``got`` is.
    """
    try:
        if kind and not isinstance(got, kind):
            raise Wrong(f"нужен {kind.__name__}, а получено {type(got).__name__}")
        if isinstance(want, Tensor):
            _expect_tensor(got, want)
        elif isinstance(want, list | tuple):
            _expect_numbers(got, want)
        else:
            _expect_number(got, want, atol)
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"ответ не того вида: {type(got).__name__}") from error


def expect_form(got: Any, want: Tensor) -> None:
    """Check that ``got`` is a finite tensor of the shape and dtype of ``want``."""
    if not isinstance(got, Tensor):
        raise Wrong(f"нужен тензор, а получено {type(got).__name__}")
    if got.shape != want.shape:
        raise Wrong(f"форма {tuple(got.shape)}, ожидалась {tuple(want.shape)}")
    if got.dtype != want.dtype:
        raise Wrong(f"тип {got.dtype}, ожидался {want.dtype}")
    for aspect in ("device", "layout"):
        if getattr(got, aspect) != getattr(want, aspect):
            raise Wrong(
                f"{aspect} тензора — {getattr(got, aspect)}, "
                f"ожидалось {getattr(want, aspect)}"
            )
    if not torch.isfinite(got).all():
        raise Wrong("в ответе есть NaN или бесконечность")


def _expect_tensor(got: Any, want: Tensor) -> None:
    if want.dim() == 0 and _is_number(got):
        got = torch.tensor(got, dtype=want.dtype)
    expect_form(got, want)
    got, want = got.detach().as_subclass(Tensor), want.detach()
    if want.numel() == 0:
        return
    if want.is_floating_point():
        difference = (got - want).abs().max().item()
        precision = torch.finfo(want.dtype).eps ** 0.5
        if difference > precision * max(1, want.abs().max().item()):
            raise Wrong(f"ответ отличается от верного на {difference:.2g}")
    elif len(places := (got != want).nonzero()):
        first = tuple(places[0].tolist())
        raise Wrong(
            f"неверных значений {len(places)} из {want.numel()}, первое на месте "
            f"{first}: получено {got[first]}, ожидалось {want[first]}"
        )


def _expect_numbers(got: Any, want: list[int] | tuple[int, ...]) -> None:
    if isinstance(got, Tensor | np.ndarray):
        got = got.tolist()
    if not isinstance(got, list | tuple) or len(got) != len(want):
        raise Wrong(f"нужно чисел: {len(want)}, а получено {_shown(got)}")
    numbers = [_number(value) for value in got]
    if not all(map(_is_number, numbers)) or numbers != list(want):
        raise Wrong(f"получено {_shown(got)}, ожидалось {want}")


def _expect_number(got: Any, want: float, atol: float) -> None:
    number = _number(got)
    if not _is_number(number):
        raise Wrong(f"нужно число, а получено {_shown(got)}")
    exact = isinstance(want, int) or math.isinf(want)
    if not (number == want if exact else abs(number - want) <= atol):
        form = _shown if exact else "{:.6g}".format
        raise Wrong(f"получено {form(number)}, ожидалось {form(want)}")


def _number(value: Any) -> Any:
    """The number in a tensor or array of one element; all else as it is."""
    if isinstance(value, Tensor | np.ndarray | np.generic) and not any(
        side != 1 for side in value.shape
    ):
        return value.item()
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """What Python prints, shortened; the type where even that fails."""
    try:
        text = repr(value)
    except Exception:
        return type(value).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
