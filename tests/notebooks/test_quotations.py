"""What the notebooks say that the source lecture says, it says word for word.

The lecture is its authors' to publish: `source_lecture.npy` holds hashes of its runs of
one, two and three words, `np.save(HASHES, np.array(sorted(runs(text)), np.uint32))`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import nbformat
import numpy as np
import pytest

from tools.paths import notebooks

HASHES = Path(__file__).with_name("source_lecture.npy")
TABLE = "| Утверждение исходной лекции |"


def runs(text: str, lengths: tuple[int, ...] = (1, 2, 3)) -> set[int]:
    words = re.findall(r"\w+", text.casefold())
    return {
        crc32(" ".join(words[i : i + n]).encode())
        for n in lengths
        for i in range(len(words) - n + 1)
    }


def is_quoted(row: str, source: set[int]) -> bool:
    """The first cell quotes, and each part between dots stands in the source."""
    quotations = re.findall("«(.+?)»", row.removeprefix("| ").split(" | ")[0])
    parts = [part for quotation in quotations for part in quotation.split("…")]
    lengths = [min(3, len(re.findall(r"\w+", part))) for part in parts]
    return bool(parts) and all(
        runs(part, (n,)) <= source for part, n in zip(parts, lengths, strict=True)
    )


def rows(path: Path) -> Iterator[str]:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and TABLE in cell.source:
            below = cell.source.partition(TABLE)[2].split("\n")[2:]
            yield from (line for line in below if line.startswith("| "))


@pytest.fixture(scope="module")
def source() -> set[int]:
    return set(np.load(HASHES).tolist())


# 12 speaks of a network that the lecture does not have.
@pytest.mark.parametrize("path", notebooks()[:-1], ids=lambda path: path.stem)
def test_lecture_is_quoted(path: Path, source: set[int]):
    lines = [*rows(path)]
    assert lines
    assert [line for line in lines if not is_quoted(line, source)] == []


@pytest.mark.parametrize(
    "row",
    [
        "| VGG16 весит более 533 МБ | ✔ |",  # nothing is quoted
        "| «VGG16 весит более 553 МБ» | ✔ |",  # not what it says
        "| «весит VGG16 более» | ✔ |",
        "| «VGG16 весит … 534 МБ» | ✔ |",
    ],
)
def test_other_words_are_found(row: str, source: set[int]):
    assert is_quoted("| «VGG16 весит … 533 МБ» | ✔ |", source)
    assert not is_quoted(row, source)
