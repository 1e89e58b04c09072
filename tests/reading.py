"""What a reader of a stored lecture gets, to compare programs that show it."""

import re
from collections.abc import Iterable, Iterator

from bs4 import BeautifulSoup, Tag
from nbconvert.filters import markdown2html
from nbformat import NotebookNode


def bare(text: str) -> str:
    """Without spaces and what only marks where a formula begins and ends."""
    return re.sub(r"\\[()\[\]]|\$|\s", "", text)


def read(element: Tag) -> str:
    """The letters of an element, an alt text in the place of each picture."""
    for image in element.select("img"):
        image.replace_with(image.get("alt", ""))
    return bare(element.get_text())


def pieces(cells: Iterable[NotebookNode]) -> Iterator[str]:
    """Texts, code, printed lines and alt texts of the cells, as `read` gives them."""
    for cell in cells:
        if cell.cell_type == "markdown":
            text = BeautifulSoup(markdown2html(cell.source), "html.parser")
            for added in text.select(".anchor-link"):
                added.decompose()
            yield read(text)
            continue
        yield bare(cell.source)
        for output in cell.outputs:
            if output.output_type == "stream":
                yield bare(output.text)
            elif "image/png" in output.data:
                yield bare(output.data["text/plain"])


def lost(wanted: Iterable[str], text: str) -> list[str]:
    """Pieces that the text does not have, or not after those before them."""
    at, faults = 0, []
    for piece in wanted:
        found = text.find(piece, at)
        if found < 0:
            faults.append(piece)
        else:
            at = found + len(piece)
    return faults


def folds(element: Tag) -> list[str]:
    """What is closed at first: answers and solutions."""
    closed = [fold.summary.get_text() for fold in element.select("details:not([open])")]
    return [word for word in closed if word in ("Ответ", "Решение")]
