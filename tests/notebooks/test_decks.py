"""A talk, not a listing: as many slides as minutes, and code with room around it."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.cells import tags
from tools.paths import notebooks

WORDS = 90  # letters of a text that is more than a title
MINUTES = re.compile(r"^\| (\d+) \| \[.*?\]\(.*?\) \| (\d+) \|", re.MULTILINE)


def slides(nb: NotebookNode) -> list[list[NotebookNode]]:
    """Cells of each slide; notes and what is skipped are left out."""
    found: list[list[NotebookNode]] = []
    for cell in nb.cells:
        kind = cell.metadata.slideshow.slide_type
        if kind in ("slide", "subslide"):
            found.append([])
        if kind not in ("skip", "notes"):
            found[-1].append(cell)
    return found


def only_code(slide: list[NotebookNode]) -> bool:
    outputs = [output for cell in slide for output in cell.get("outputs", [])]
    drawn = any("image/png" in output.get("data", {}) for output in outputs)
    text = sum(len(cell.source) for cell in slide if cell.cell_type == "markdown")
    code = any(c.cell_type == "code" and "hide-input" not in tags(c) for c in slide)
    return code and not drawn and text < WORDS


def minutes() -> dict[int, int]:
    """Announced minutes by the number of the lecture, from the table of contents."""
    start = nbformat.read(notebooks()[0], as_version=4)
    text = "\n".join(cell.source for cell in start.cells)
    return {int(part): int(count) for part, count in MINUTES.findall(text)}


@pytest.mark.parametrize("path", notebooks()[1:], ids=lambda path: path.stem)
def test_a_slide_has_a_minute(path: Path):
    deck = slides(nbformat.read(path, as_version=4))
    assert len(deck) <= minutes()[int(path.stem[:2])]


def test_the_start_has_five_slides():
    assert len(slides(nbformat.read(notebooks()[0], as_version=4))) == 5


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_no_two_slides_of_code_alone_follow_each_other(path: Path):
    deck = slides(nbformat.read(path, as_version=4))
    together = [
        second[0].source.split("\n")[0]
        for first, second in pairwise(deck)
        if only_code(first) and only_code(second)
    ]
    assert together == []
