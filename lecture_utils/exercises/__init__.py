"""Exercises judged by code: «решения пока нет», what is wrong and why, or «верно»."""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from random import Random
from typing import Any

import numpy as np
import torch

from lecture_utils.exercises import expect
from lecture_utils.exercises.cases import CHECKS
from lecture_utils.exercises.expect import Unsolved, Wrong
from lecture_utils.exercises.kept import session_kept
from lecture_utils.exercises.limit import limited

MORE = "Выполните ячейку ещё раз — подсказка станет подробнее."
_MODULES = {  # of the notebook's number
    "01": "tasks",
    "02": "vgg",
    "03": "googlenet",
    "04": "resnet",
    "05": "fpn_unet",
    "06": "attention",
    "07": "grad_cam",
    "08": "self_attention",
    "09": "swin",
    "10": "positional_encoding",
    "11": "mnist_activations",
    "12": "real_transformer",
}


_TRIED: set[str] = set()  # exercises that have had a wrong answer in this session


def exercise(number: str, answer: Any) -> None:
    """Print the verdict on the student's answer; number and errors as in `judge`.

    The first wrong answer is told where it is wrong, the next one also how to mend it.
    """
    print(judge(number, answer, full=number in _TRIED))


def judge(number: str, answer: Any, seed: int = 0, *, full: bool = True) -> str:
    """Verdict on the student's answer, in Russian; «✔ …» only for a right one.

    The notebook's own random numbers stay as they are.

    Args:
        number: notebook and exercise, as in ``"04.2"``, or the section that a
            warm-up stands in, as in ``"§4.2"``.
        seed: of the random cases, which the verdict does not tell.
        full: tell the second half of a hint, too.

    Raises:
        KeyError: there is no such exercise.
    """
    check = _check(number)
    name = f"{'разминка' if number.startswith('§') else 'упражнение'} {number}"
    try:
        # A check, too, may meet code of the student's: in a value that came back.
        with _random_numbers_kept(), session_kept():
            limited(20 * expect.TIME_LIMIT, lambda: check(answer, Random(seed)))
    except Unsolved:
        return f"… {name}: решения пока нет"
    except Wrong as wrong:
        _TRIED.add(number)
        how = wrong.how if full else wrong.how and MORE
        return f"✘ {name}: {wrong} {how}".rstrip()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # nothing that a student returns stops the notebook
        return (
            f"✘ {name}: ответ не того вида — на нём проверка упала: "
            f"{type(error).__name__}. Верните то, о чём просит условие."
        )
    return f"✔ {name}: верно"


@contextmanager
def _random_numbers_kept() -> Generator[None]:
    """Random numbers of torch, NumPy and Python are the same in every verdict."""
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


def _check(number: str) -> Callable[[Any, Random], None]:
    """The check of an exercise; only the module of its notebook is imported."""
    notebook = number.removeprefix("§").split(".")[0].zfill(2)
    if module := _MODULES.get(notebook):
        import_module(f"{__name__}.{module}")
    if number in CHECKS:
        return CHECKS[number]
    for module in _MODULES.values():
        import_module(f"{__name__}.{module}")
    raise KeyError(f"упражнения {number!r} нет; есть {', '.join(sorted(CHECKS))}")
