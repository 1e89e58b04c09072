"""Exercises judged by code: «решения пока нет», what is wrong and why, or «верно»."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from lecture_utils.exercises.cases import CHECKS
from lecture_utils.exercises.expect import Unsolved, Wrong

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


def exercise(number: str, answer: Any) -> None:
    """Print the verdict on the student's answer; number and errors as in `judge`."""
    print(judge(number, answer))


def judge(number: str, answer: Any) -> str:
    """Verdict on the student's answer, in Russian; «✔ …» only for a right one.

    The notebook's own random numbers stay as they are.

    Args:
        number: notebook and exercise, as in ``"04.2"``.

    Raises:
        KeyError: there is no such exercise.
    """
    check = _check(number)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            check(answer)
    except Unsolved:
        return f"… упражнение {number}: решения пока нет"
    except Wrong as wrong:
        return f"✘ упражнение {number}: {wrong}"
    except Exception as error:  # nothing that a student returns stops the notebook
        return (
            f"✘ упражнение {number}: ответ не того вида — на нём проверка упала: "
            f"{type(error).__name__}. Верните то, о чём просит условие."
        )
    return f"✔ упражнение {number}: верно"


def _check(number: str) -> Callable[[Any], None]:
    """The check of an exercise; only the module of its notebook is imported."""
    if module := _MODULES.get(number[:2]):
        import_module(f"{__name__}.{module}")
    if number in CHECKS:
        return CHECKS[number]
    for module in _MODULES.values():
        import_module(f"{__name__}.{module}")
    raise KeyError(f"упражнения {number!r} нет; есть {', '.join(sorted(CHECKS))}")
