"""A talk, not a listing: a script in time, pictures at hand, results as titles."""

import base64
import io
import re
from functools import cache
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

from lecture_utils.presenting import seconds
from tools.cells import slide_type, tags
from tools.paths import NOTEBOOKS, notebooks
from tools.talk import talk

NAMES = [path.stem for path in notebooks()]
LECTURES = NAMES[1:]
WORDS = 90  # letters of a text that is more than a title
WITHOUT_PICTURE = 4  # slides in a row
CHANGE = 8  # levels of grey that are seen
FAINT = 60  # levels of grey: the blurred edge of a panel
MINUTES = re.compile(r"^\| (\d+) \| \[.*?\]\(.*?\) \| (\d+) \|", re.MULTILINE)
HEADING = re.compile(r"^#{1,3} (.+)", re.MULTILINE)
SECTION = re.compile(r"^## \d+\.\d+\. ")
VOTE = re.compile(r"\*\*А\.\*\*.+\*\*Б\.\*\*.+\*\*В\.\*\*", re.DOTALL)
NUMBER = re.compile(r"\d+(?:[\s  ]\d{3})*(?:,\d+)?")
UNSPOKEN = re.compile(r"[$`*\\]")

Slide = list[NotebookNode]


@cache
def slides(name: str) -> list[Slide]:
    """Cells of each slide of the talk; the notes are among them."""
    found: list[Slide] = []
    nb = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in talk(nb, name).cells:
        if slide_type(cell) == "slide":
            found.append([])
        found[-1].append(cell)
    return found


def notes(slide: Slide) -> list[str]:
    """What is said, without the time that the talk writes above it."""
    said = [cell.source for cell in slide if slide_type(cell) == "notes"]
    return [text.partition("\n\n**Лектору.** ")[2] for text in said]


def shown(slide: Slide) -> str:
    """All words of a slide: text, printed results, alt texts."""
    cells = [cell for cell in slide if slide_type(cell) != "notes"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [cell.source for cell in cells if "message" not in tags(cell)]
    texts += [str(output.get("text", "")) for output in outputs]
    texts += [str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    texts += [str(output.get("data", {}).get("text/html", "")) for output in outputs]
    return "\n".join(texts)


def title(slide: Slide) -> str:
    [message] = [c.source for c in slide if "message" in tags(c)] or [""]
    return HEADING.findall(message or slide[0].source)[0]


def pictures(slide: Slide) -> list[NotebookNode]:
    outputs = [output for cell in slide for output in cell.get("outputs", [])]
    return [output for output in outputs if "image/png" in output.get("data", {})]


def only_code(slide: Slide) -> bool:
    said = [c.source for c in slide if c.cell_type == "markdown"]
    said = [HEADING.sub("", text) for text in said if "data-seconds" not in text]
    code = [
        c
        for c in slide
        if c.cell_type == "code" and not c.metadata.transient.remove_source
    ]
    return bool(code) and not pictures(slide) and sum(map(len, said)) < WORDS


def minutes() -> dict[int, int]:
    """Announced minutes by the number of the lecture, from the table of contents."""
    start = nbformat.read(notebooks()[0], as_version=4)
    text = "\n".join(cell.source for cell in start.cells)
    return {int(part): int(count) for part, count in MINUTES.findall(text)}


# --- time -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LECTURES)
def test_a_slide_has_a_minute(name: str):
    assert len(slides(name)) <= minutes()[int(name[:2])]


def test_the_start_has_five_slides():
    assert len(slides(NAMES[0])) == 5


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_has_words_that_can_be_spoken(name: str):
    wrong = [
        title(slide)
        for slide in slides(name)
        if len(notes(slide)) != 1 or UNSPOKEN.search(notes(slide)[0])
    ]
    assert wrong == []


@pytest.mark.parametrize("name", LECTURES)
def test_the_script_takes_the_announced_time(name: str):
    said = sum(seconds(note) for slide in slides(name) for note in notes(slide))
    assert said / 60 == pytest.approx(minutes()[int(name[:2])], rel=0.05)


def test_pauses_count_and_a_number_takes_a_word_a_digit():
    assert seconds("слово " * 108) == 60
    assert seconds("Ждём. Пауза 20 с.") == 21
    assert seconds("то-то 224 " * 27) == 60


# --- titles ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_has_a_title_of_its_own(name: str):
    deck = slides(name)
    grey = [title(slide) for slide in deck if "continued" in tags(slide[0])]
    titles = [title(slide) for slide in deck]
    twice = {text for text in titles if titles.count(text) > 1}
    assert (grey, twice) == ([], set())


@pytest.mark.parametrize("name", NAMES)
def test_a_number_in_a_title_stands_on_its_slide(name: str):
    unseen = [
        f"{text}: {number}"
        for slide in slides(name)
        if any("message" in tags(cell) for cell in slide)
        for text in [title(slide)]
        for number in NUMBER.findall(text)
        if number not in NUMBER.findall(shown(slide).replace(".", ","))
    ]
    assert unseen == []


# --- what is seen ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_two_slides_of_code_alone_follow_each_other(name: str):
    together = [
        title(second)
        for first, second in pairwise(slides(name))
        if only_code(first) and only_code(second)
    ]
    assert together == []


@pytest.mark.parametrize("name", LECTURES)
def test_a_picture_is_never_far(name: str):
    run: list[str] = []
    runs = []
    for slide in slides(name):
        run = [] if pictures(slide) else [*run, title(slide)]
        if len(run) > WITHOUT_PICTURE:
            runs.append(run)
    assert runs == []


@pytest.mark.parametrize("name", LECTURES)
def test_lecture_and_sections_open_with_a_picture(name: str):
    first, *others = slides(name)
    opening = [first, *(slide for slide in others if SECTION.match(slide[0].source))]
    assert [title(slide) for slide in opening if not pictures(slide)] == []


@pytest.mark.parametrize("name", LECTURES)
def test_the_hall_votes_before_it_sees(name: str):
    votes = [slide for slide in slides(name) if VOTE.search(shown(slide))]
    assert len(votes) >= 2
    assert not [title(slide) for slide in votes if pictures(slide)]


@pytest.mark.parametrize("name", LECTURES)
def test_one_exercise_is_solved_together(name: str):
    deck = slides(name)
    cells = [cell for slide in deck for cell in slide if "together" in tags(cell)]
    kinds = [next(iter({"exercise", "solution"} & {*tags(c)}), "") for c in cells]
    assert kinds == ["exercise", "solution"]
    assert slide_type(cells[1]) == "fragment"


def build(output: NotebookNode) -> list[str]:
    return output.metadata["image/png"].get("covers", [])


def grey(picture: NotebookNode) -> np.ndarray:
    png = base64.b64decode(picture.data["image/png"])
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_runs_out_of_its_edges(name: str):
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    cut = [
        picture.data["text/plain"]
        for picture in pictures(cells)
        for pixels in [grey(picture)]
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        if np.ptp(edge) > FAINT
    ]
    assert cut == []


@pytest.mark.parametrize("name", LECTURES)
def test_a_picture_is_cut_where_nothing_is_drawn(name: str):
    built = [p for slide in slides(name) for p in pictures(slide) if build(p)]
    assert built
    for picture in built:
        pixels = grey(picture)
        for cover in build(picture):
            side, share = re.match(r"(left|top): ([\d.]+)%", cover).groups()
            below = re.search(r"; top: ([\d.]+)%", cover)
            seen = round(float(below[1]) / 100 * len(pixels)) if below else 0
            lines = pixels[seen:].T if side == "left" else pixels
            at = round(float(share) / 100 * len(lines))
            # Lines that run across the cut may go on, letters and edges may not.
            step = lines[at + 1].astype(int) - lines[at - 1]
            changed = np.mean(np.abs(step) > CHANGE)
            assert changed <= 0.01, f"{picture.data['text/plain']}: {cover}"
