"""What the command lines of the tools have in common."""

import argparse
from collections.abc import Callable, Collection


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that prints the docstring of its module as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """A ``type`` for arguments: a known name; the error for another one lists all.

    Some versions of Python refuse an empty list when ``choices`` and ``nargs="*"`` meet.
    """

    def check(name: str) -> str:
        if name in known:
            return name
        raise argparse.ArgumentTypeError(f"no {name}; there are: {', '.join(known)}")

    return check
