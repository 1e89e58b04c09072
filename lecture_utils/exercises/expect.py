"""A student's answer: how it is called and compared; whatever fails is `Wrong`."""

import builtins
import dis
import math
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from numbers import Integral, Real
from sys import setrecursionlimit
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.kept import computing_kept
from lecture_utils.exercises.limit import TooLate, limited

TIME_LIMIT: float = 30.0  # seconds for one call of the student's function
_BUILTINS = vars(builtins)
SILENT = ""  # the name of a case whose values are not told: copying them is no answer

# What a task has to say to a mistake: all at once, or where it is and then how to mend
# it, for those who tried once more.
Hint = str | tuple[str, str]


class Unsolved(Exception):
    """The student has not written anything yet."""


class Wrong(Exception):
    """The answer is wrong; the message says how, `case` adds the input and a hint."""

    how = ""  # the second half of the hint


class Failed(Wrong):
    """There is no answer to compare: an error, no end, no value, a broken ban."""


@contextmanager
def case(given: str, hint: Hint = "") -> Generator[None]:
    """Say of what is wrong inside on which input it is so, and add a hint.

    Args:
        given: the input; `SILENT` where the message is to say no more than that.
    """
    where, how = hint if isinstance(hint, tuple) else (hint, "")
    try:
        yield
    except Wrong as wrong:
        text = str(wrong).rstrip(".")
        if given == SILENT:
            given = "на случайном входе"
            if not isinstance(wrong, Failed):
                text = "ответ неверен"
        told = type(wrong)(f"{given} — {text}. {where}".rstrip())
        told.how = how
        raise told from wrong


def call(
    answer: Any,
    *args: Any,
    copy: bool = True,
    forbid: Ban | None = None,
    kept: str = "",
    failed: str = "функция упала",
) -> Any:
    """Call the student's function on copies of ``args``; errors become `Failed`.

    Args:
        copy: False where the check watches what becomes of the arguments themselves.
        forbid: what the answer has to do without.
        kept: the arguments themselves are handed over and have to stay as they are;
            this is said where they do not.
        failed: how an error is introduced.

    Raises:
        Unsolved: nothing is written yet: `...` or None for the function, `...` for its
            result, an empty body.
        Failed: not a function, an error in it, no end, no ``return``, a broken ban.
    """
    if answer is None or answer is ...:
        raise Unsolved
    if not callable(answer):
        raise Failed(f"нужна функция, а получено {type(answer).__name__}")
    given = deepcopy(args) if copy and not kept else args
    before = deepcopy(args) if kept else args
    depth, names = sys.getrecursionlimit(), {**_BUILTINS}

    def run() -> Any:
        try:
            return answer(*given)
        finally:  # at once: what tidies up goes deeper and calls these
            setrecursionlimit(depth)
            _BUILTINS.update(names)

    try:
        with (
            computing_kept(),
            forbid.watched(answer) if forbid else nullcontext([]) as forbidden,
        ):
            result = limited(TIME_LIMIT, run)
    except (Wrong, KeyboardInterrupt):
        raise
    except TooLate:
        raise Failed(
            f"вычисление не закончилось за {TIME_LIMIT:g} с. Проверьте, что каждый "
            "цикл когда-нибудь кончится и что лишней работы нет"
        ) from None
    except BaseException as error:  # exit(), too
        if isinstance(error, NotImplementedError) and not error.args:
            raise Unsolved from None  # the student's own, not one of torch's
        said = _shown(error, str)
        raise Failed(f"{failed}: {type(error).__name__}: {said}") from error
    if result is ... or (result is None and _is_empty(answer)):
        raise Unsolved
    if forbid and forbidden:
        raise Failed(f"{forbid.text} (вызвано: {forbidden[0]})")
    if kept and not all(map(_same, args, before)):
        raise Failed(kept)
    if result is None:
        raise Failed("функция ничего не вернула: ответ отдаёт return, а не print")
    return result


def _same(new: Any, old: Any) -> bool:
    """Is an argument as it was: a tensor, a module, a plain value?"""
    if isinstance(new, nn.Module):
        states = new.state_dict(), old.state_dict()
        return (
            str(new) == str(old)
            and states[0].keys() == states[1].keys()
            and all(map(_same, states[0].values(), states[1].values()))
        )
    if isinstance(new, Tensor):
        return new.dtype == old.dtype and torch.equal(new, old)
    return new == old


def _is_empty(function: Any) -> bool:
    """Is the body only ``...`` or ``pass``, perhaps after a docstring?"""
    code = getattr(function, "__code__", None)
    steps = {step.opname for step in dis.get_instructions(code)} if code else {"CALL"}
    return steps <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


def convolve(layer: Any, x: Tensor) -> Tensor:
    """What the convolution that the student returned makes of ``x``, without graph.

    Nothing but its own numbers: no hook, no other ``forward``.
    """
    if type(layer) is not nn.Conv2d:
        raise Wrong(f"нужен nn.Conv2d, получено {type(layer).__name__}")
    failed = f"свёртка, которую вернула функция, упала на входе {tuple(x.shape)}"
    with torch.no_grad():
        return call(nn.Conv2d.forward, layer, x, failed=failed)


def parts(got: Any, names: str) -> list[Any]:
    """The values of a tuple or list that the exercise asks for."""
    if not isinstance(got, tuple | list) or len(got) != len(names.split(", ")):
        raise Wrong(f"нужно вернуть несколько значений: return {names}")
    return list(got)


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
        # A list of the student's own may have no end.
        limited(TIME_LIMIT, lambda: _expect(got, want, kind, atol))
    except (Wrong, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Wrong(f"ответ не того вида: {type(got).__name__}") from error


def _expect(got: Any, want: Any, kind: type | None, atol: float) -> None:
    if kind and not isinstance(got, kind):
        raise Wrong(f"нужен {kind.__name__}, а получено {type(got).__name__}")
    if isinstance(got, Tensor) and type(got) is not Tensor:
        with torch._C.DisableTorchFunctionSubclass():  # its class may lie
            got = got.detach().as_subclass(Tensor)
    if isinstance(want, Tensor):
        _expect_tensor(got, want)
    elif isinstance(want, list | tuple):
        _expect_numbers(got, want)
    else:
        _expect_number(got, want, atol)


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
    want = want.detach()
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
        many = f"{len(want)} целых чисел (список)"
        form = "пара целых чисел (кортеж)" if len(want) == 2 else many
        raise Wrong(f"нужно: {form}, а получено {_shown(got)}")
    numbers = [_number(value) for value in got]
    if not all(map(_is_number, numbers)) or numbers != list(want):
        raise Wrong(f"получено {_shown(got)}, ожидалось {want}")


def _expect_number(got: Any, want: float, atol: float) -> None:
    number = _number(got)
    if not _is_number(number):
        raise Wrong(f"нужно число, а получено {_shown(got)}")
    exact = isinstance(want, int) or math.isinf(want)
    if not (number == want if exact else abs(number - want) <= atol):
        texts = (f"{number}", f"{want}") if exact else _told_apart(number, want)
        raise Wrong("получено {}, ожидалось {}".format(*texts))


def _told_apart(got: float, want: float) -> list[str]:
    """Both numbers, with as many digits as show that they differ."""
    for digits in range(4, 18):
        texts = [f"{number:.{digits}g}" for number in (got, want)]
        if len(set(texts)) == 2:
            break
    return texts


def _number(value: Any) -> Any:
    """The number in a tensor or array of one element; all else as it is."""
    if isinstance(value, Tensor | np.ndarray | np.generic) and not any(
        side != 1 for side in value.shape
    ):
        value = value.item()
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)  # a subclass may call itself equal to everything
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(value: Any, how: Callable[[Any], str] = repr) -> str:
    """What Python prints, shortened; the type where even that fails."""
    try:
        text = how(value)
    except Exception:
        return type(value).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
