"""Checks of arguments that students pass."""

import operator


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
