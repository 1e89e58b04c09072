"""What the tools and the tests read from a cell: its tags, its slide, what that shows.

A code cell with a tag ``slide:NAME``, or several, holds classes that are too long for a
slide. A slide shows of each class the head and the docstring, and the methods and
functions called NAME.
"""

import ast
from collections.abc import Iterator
from itertools import groupby

import nbformat
from nbformat import NotebookNode

from tools.paths import NOTEBOOKS

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # an output that is a control
TELLING = "slide:"


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(name: str) -> list[NotebookNode]:
    """The code of a stored notebook without exercises and solutions."""
    return [
        cell
        for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
        if cell.cell_type == "code" and not {"exercise", "solution"} & {*tags(cell)}
    ]


def slide_type(cell: NotebookNode) -> str | None:
    return cell.metadata.get("slideshow", {}).get("slide_type")


def telling_names(cell: NotebookNode) -> set[str]:
    """The functions that a slide shows; none when it shows the cell whole."""
    return {tag.removeprefix(TELLING) for tag in tags(cell) if tag.startswith(TELLING)}


def excerpt(cell: NotebookNode) -> str:
    """The source of a code cell as a slide shows it, with ``...`` for what it omits.

    Raises:
        ValueError: a tag names no function and no method of the cell.
    """
    names = telling_names(cell)
    if not names:
        return cell.source
    tree = ast.parse(cell.source)
    defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    if unknown := names - defined:
        raise ValueError(f"tag slide:{min(unknown)}, but the cell defines no such name")
    kept = set(_kept_lines(tree, names))
    numbered = enumerate(cell.source.splitlines(), 1)
    shown: list[str] = []
    for is_kept, run in groupby(numbered, lambda line: line[0] in kept):
        lines = [text for _, text in run]
        omitted = [text for text in lines if text.strip() and not is_kept]
        if omitted:
            indent = omitted[0].removesuffix(omitted[0].lstrip())
            lines = [f"{indent}..."]
        shown += lines
    return "\n".join(shown)


def _kept_lines(parent: ast.Module | ast.ClassDef, names: set[str]) -> Iterator[int]:
    """Numbers of the lines to show, from 1."""
    for node in parent.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield from _lines(node)
        elif isinstance(node, ast.ClassDef):
            opening = _lines(node.body[0])
            below = opening.stop if ast.get_docstring(node) else opening.start
            yield from range(_lines(node).start, below)
            yield from _kept_lines(node, names)


def _lines(node: ast.stmt) -> range:
    """Numbers of the lines of a statement and of the decorators above it."""
    first = min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))
    return range(first, (node.end_lineno or first) + 1)
