"""Answers to the exercises, a module for each notebook: right ones, written in
different ways, and mistakes that students make."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import pytest

RIGHT: list = []  # pytest's parameters: number of the exercise, answer
WRONG: list = []


def right(*numbers: str, **short: Callable) -> Callable:
    """Declare a right answer, the decorated function, and short ones by name."""
    return _declare(RIGHT, numbers, short)


def wrong(*numbers: str, **short: Callable) -> Callable:
    """Declare an answer that has to be rejected, and short ones by name."""
    return _declare(WRONG, numbers, short)


def spoiled(right: Callable, change: Callable) -> Callable:
    """The right answer with ``change(result, *arguments)`` made to its result."""

    def answer(*arguments):
        result = right(*arguments)
        change(result, *arguments)
        return result

    return answer


def _declare(
    answers: list, numbers: tuple[str, ...], short: dict[str, Callable]
) -> Callable:
    def declare(answer: Callable, name: str = "") -> Callable:
        name = name or answer.__name__
        for number in numbers:
            answers.append(pytest.param(number, answer, id=f"{number}-{name}"))
        return answer

    for name, answer in short.items():
        declare(answer, name)
    return declare


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
