"""Checks of arguments that students pass."""

import operator

from torch import Tensor


def whole_number(name: str, value: int, low: int, high: int | None = None) -> int:
    """The value as an int; integers of NumPy are welcome, bool and float are not.

    Raises ValueError when it is no whole number from ``low`` to ``high``.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        upper = "" if high is None else f" до {high}"
        raise ValueError(f"{name} — {value!r}, а нужно целое число от {low}{upper}.")
    return number


def of_size(x: Tensor, low: int, high: int, need: str) -> Tensor:
    """The pictures or maps (..., H, W) themselves, if both sides are in the range.

    Raises ValueError, which ends with ``need``, when one is not.
    """
    sides = x.shape[-2:]
    if len(sides) < 2 or not all(low <= side <= high for side in sides):
        raise ValueError(f"стороны {'×'.join(map(str, sides))}, а {need}")
    return x
