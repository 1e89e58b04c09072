"""What the command lines of the tools have in common."""

import argparse
from collections.abc import Callable, Collection


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that prints the docstring of its module as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """The ``type`` of an argument that is one of the known names.

    ``choices`` with ``nargs="*"`` refuses an empty list in some versions of Python.
    """

    def check(name: str) -> str:
        if name in known:
            return name
        raise argparse.ArgumentTypeError(f"no {name}; there are: {', '.join(known)}")

    return check


def add_notebooks(parser: argparse.ArgumentParser, known: Collection[str]) -> None:
    """Add ``names``: any of the known notebooks, or none."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", type=one_of(known), help="as in 04_resnet"
    )
