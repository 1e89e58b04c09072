"""A talk: what of a notebook a hall sees, and how long the lecturer speaks about it.

Cells say it in their metadata; `lecture_utils.presenting` reads titles and notes.
``slideshow.build`` has a list ``x`` (or ``y``) of places, as shares of the width
(height) of the cell's picture, at which it is cut to appear in steps; what lies above
``below``, a title, is seen at once.
"""

import re
from copy import deepcopy
from itertools import pairwise
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from lecture_utils.presenting import asked, by_slides, heading_of, seconds
from tools import live
from tools.cells import WIDGET_VIEW, excerpt, slide_type, tags

READER_ONLY = {"exercise", "solution"}  # cell tags
TOGETHER = "together"  # an exercise that is solved with the hall
# A reader opens an answer, a talk shows it with the next click.
FOLDED = re.compile(
    r'<details class="callout a">\n<summary>([^<]+)</summary>\n\n(.+?)\n\n</details>',
    re.DOTALL,
)
OPEN = """<div class="callout a">

**{}.**{}{}

</div>"""


def talk(nb: NotebookNode, name: str = "") -> NotebookNode:
    """A copy of the notebook ``name`` without what only its reader needs.

    A widget view becomes a picture that moves without a kernel, if `tools.live` has
    drawn it; the static picture that follows is then only printed. Left out: skipped
    cells, exercises and solutions (but not those tagged ``together``), other widget
    views, the source of cells tagged ``hide-input``, and all but the telling lines of
    cells tagged ``slide:NAME``. A slide of which nothing but notes is left disappears;
    one that has neither a title nor a heading repeats the last heading.
    """
    nb = deepcopy(nb)
    for before, cell in zip(nb.cells, nb.cells[1:], strict=False):
        if moving := live.fragment(name, before.id):
            before.outputs = [new_output("display_data", {"text/html": moving})]
            if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
                cell.metadata["tags"] = [*tags(cell), "still"]
    heading = None
    spent = 0
    slides = by_slides(nb.cells)
    nb.cells = []
    for slide in slides:
        title = next(filter(None, (asked(cell, "title") for cell in slide)), None)
        if cells := shown_cells(slide):
            for note in (cell for cell in cells if slide_type(cell) == "notes"):
                spent += seconds(note.source)
                note.source = f"{_time(seconds(note.source), spent)}\n\n{note.source}"
            own = heading_of(cells[0])
            if own:
                heading = own if own.startswith("##") else None
            nb.cells += under_headings(cells, own, title, heading)
    return nb


def shown_cells(slide: list[NotebookNode]) -> list[NotebookNode]:
    """The cells of one slide that a talk shows, notes right after the first."""
    shown = [cell for cell in map(for_talk, slide) if cell]
    notes = [cell for cell in shown if slide_type(cell) == "notes"]
    content = [cell for cell in shown if slide_type(cell) != "notes"]
    # Inside a fragment, notes would stay hidden until it opens.
    return [content[0], *notes, *content[1:]] if content else []


def for_talk(cell: NotebookNode) -> NotebookNode | None:
    """The cell as a talk shows it, or None."""
    for_reader = READER_ONLY & {*tags(cell)} and TOGETHER not in tags(cell)
    if slide_type(cell) == "skip" or for_reader:
        return None
    if cell.cell_type == "markdown":
        cell.source = re.sub(r"\]\(([\w-]+)\.ipynb\b", r"](\1.html", cell.source)
        cell.source = FOLDED.sub(_opened, cell.source)
        return cell
    cell.outputs = [o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})]
    if TOGETHER in tags(cell):
        cell.outputs = []  # the verdict on an empty answer
    cell.source = excerpt(cell)
    hidden = "hide-input" in tags(cell)
    cell.metadata["transient"] = {"remove_source": hidden}
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            picture = output.metadata.setdefault("image/png", {})
            picture["covers"] = covers(asked(cell, "build") or {})
    return cell if cell.outputs or not hidden else None


def _opened(answer: re.Match) -> str:
    gap = "\n\n" if answer[2].startswith("```") else " "  # a fence starts a line
    return OPEN.format(answer[1], gap, answer[2])


def covers(build: dict[str, Any]) -> list[str]:
    """CSS of what hides the parts of a picture until their step: all but the first."""
    sides = {"x": ("left", "width"), "y": ("top", "height")}
    below = build.get("below", 0)
    rest = f"; top: {below:.2%}; height: {1 - below:.2%}" if below else ""
    return [
        f"{sides[axis][0]}: {start:.2%}; {sides[axis][1]}: {stop - start:.2%}{rest}"
        for axis in sides
        for start, stop in pairwise([*build.get(axis, [1]), 1])
        if start < 1
    ]


def under_headings(
    cells: list[NotebookNode], own: str | None, title: str | None, last: str | None
) -> list[NotebookNode]:
    """The cells of a slide below its title; a section's heading stands above that."""
    # The cell that started the slide may be gone. A talk is a line, not a grid, so
    # a subslide is a slide.
    cells[0].metadata["slideshow"] = {"slide_type": ""}
    above = []
    if own and title:
        above = [_heading(own, "section")]
        cells[0].source = cells[0].source.replace(own, "", 1).strip()
        cells = cells if cells[0].source else cells[1:]
    if title:
        above.append(_heading(f"## {title}", "message"))
    elif last and not own:
        above = [_heading(last, "continued")]
    cells = [*above, *cells]
    cells[0].metadata["slideshow"] = {"slide_type": "slide"}
    return cells


def _heading(text: str, tag: str) -> NotebookNode:
    return new_markdown_cell(text, metadata={"tags": [tag], "slideshow": {}})


def _time(takes: int, by_then: int) -> str:
    clock = f"{by_then // 60}:{by_then % 60:02}"
    return f'<span data-seconds="{takes}">{takes} с; к концу слайда — {clock}</span>'
