"""The live show: slides of a notebook, how long each takes, and a lecturer's window.

Cells say it in their metadata: ``slideshow.title`` of a cell is the title of its slide.
A note is what the lecturer says, word for word; «пауза 20 с» in it is silence.
"""

import os
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from nbformat import NotebookNode

WORDS_A_MINUTE = 108  # of Russian: espeak-ng set to 130 speaks so many
PAUSE = re.compile(r"\b[Пп]ауза (\d+)\s+с\b")
WORD = re.compile(r"[^\W\d]+(?:-[^\W\d]+)*|\d")  # a number takes a word a digit
LINK = re.compile(r"!?\[([^]]*)]\([^)]*\)")
MARKS = re.compile(r"^#+ |\*\*|[`$]")

_STATIC = files("lecture_utils") / "static"


class _Presenter(anywidget.AnyWidget):
    """A button for the lecturer's window; both follow the show of JupyterLab."""

    _esm = (_STATIC / "presenter.js").read_text("utf-8")
    slides = traitlets.List().tag(sync=True)  # in order, as `slide_list` makes them


def presenter(file: str | os.PathLike[str] | None = None) -> _Presenter:
    """Titles, numbers and the lecturer's text for the live show of this notebook.

    Run it in a new cell before pressing *Toggle Deck*, in JupyterLab, and press the
    button: a window opens for the lecturer's own screen, with number, title, note and
    next title, and a clock that compares with the pace of the script. While the show
    is on, a strip above it has title and number. The cell becomes one that the show
    skips; it need not be saved.

    ``file`` is the notebook as it is stored, by default that of this kernel.

    Raises:
        RuntimeError: the kernel does not know its notebook, and ``file`` is not given.
        FileNotFoundError: the notebook is not there, or may not be read.
        ValueError: the file is no notebook, or a notebook without slides.
    """
    path = file or os.environ.get("JPY_SESSION_NAME")
    if not path:
        raise RuntimeError(
            "Неизвестно, какую тетрадь показывать: нет переменной JPY_SESSION_NAME, "
            'её задаёт JupyterLab. Назовите файл: presenter("04_resnet.ipynb")'
        )
    slides = slide_list(_read(Path(path)).cells)
    if not slides:
        raise ValueError(f"В тетради {path} нет слайдов: ни у одной ячейки нет их типа")
    return _Presenter(slides=slides)


def _read(path: Path) -> "NotebookNode":
    import nbformat  # for this function only: students need not wait for it

    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise FileNotFoundError(
            f"Тетрадь {path} не читается: {error.strerror}. Если её переименовали или "
            "перенесли, перезапустите ядро или назовите файл: presenter(файл)"
        ) from error
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ValueError(f"Файл {path} — не тетрадь или повреждён") from error


def slide_list(cells: Iterable["NotebookNode"]) -> list[dict[str, Any]]:
    """``title``, ``note`` (paragraphs), ``seconds``, ``cells`` (ids) of each slide.

    A slide that has neither a title nor a heading repeats the last heading. What stands
    before the first slide is none: the cell of `presenter`, when JupyterLab saved it.
    """
    found = []
    heading = ""
    for slide in by_slides(cells)[1:]:
        shown = [c for c in slide if asked(c, "slide_type") not in ("skip", "notes")]
        if not shown:
            continue
        heading = heading_of(shown[0]) or heading
        title = next(filter(None, (asked(cell, "title") for cell in slide)), heading)
        notes = [c.source for c in slide if asked(c, "slide_type") == "notes"]
        found.append(
            {
                "title": _plain(title),
                "note": [part for note in notes for part in _paragraphs(note)],
                "seconds": sum(map(seconds, notes)),
                # Numbers change when a cell is added above; ids do not.
                "cells": [cell.id for cell in slide],
            }
        )
    return found


def by_slides(cells: Iterable["NotebookNode"]) -> list[list["NotebookNode"]]:
    """The cells of each slide, of whatever type; first those before the first slide."""
    slides: list[list[NotebookNode]] = [[]]
    for cell in cells:
        if asked(cell, "slide_type") in ("slide", "subslide"):
            slides.append([])
        slides[-1].append(cell)
    return slides


def asked(cell: "NotebookNode", what: str) -> Any:
    """What the metadata of the cell say about its slide."""
    return cell.metadata.get("slideshow", {}).get(what)


def heading_of(cell: "NotebookNode") -> str | None:
    """The first heading of a Markdown cell, with its marks."""
    found = re.search(r"^#{1,3} .+", cell.source, re.MULTILINE)
    return found[0] if found and cell.cell_type == "markdown" else None


def seconds(note: str) -> int:
    """How long a note takes: its words, then its pauses."""
    pauses = sum(map(int, PAUSE.findall(note)))
    words = len(WORD.findall(PAUSE.sub("", note)))
    return round(words * 60 / WORDS_A_MINUTE) + pauses


def _paragraphs(note: str) -> list[str]:
    said = note.strip().removeprefix("**Лектору.**")
    return [_plain(" ".join(part.split())) for part in said.split("\n\n")]


def _plain(markdown: str) -> str:
    return MARKS.sub("", LINK.sub(r"\1", markdown)).strip()
