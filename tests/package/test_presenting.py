"""Slides of a notebook as the live show numbers them; the lecturer's button."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lecture_utils import presenter
from lecture_utils.presenting import slide_list
from tools.cells import slide_type
from tools.paths import notebooks
from tools.talk import talk


def cell(source: str, kind: str | None, make=new_markdown_cell, **more: str):
    said = {"slide_type": kind, **more} if kind is not None else more
    return make(source, metadata={"slideshow": said} if said else {})


CELLS = [
    cell("presenter()", None, new_code_cell),
    cell("# Первый `слайд`\n\nТекст.", "slide"),
    cell("импорт", "skip", new_code_cell),
    cell("**Лектору.** Раз, два,\nтри.\n\nПауза 20 с.", "notes"),
    cell("рисунок", "subslide", new_code_cell),
    cell("Ещё.", "fragment"),
    cell("## Раздел", "slide"),
    cell("x = 1", "", new_code_cell, title="Верны 95 % у $P_2$"),
    cell("И [ссылка](04_resnet.ipynb).", "notes"),
    cell("## Упражнения", "skip"),
]


def test_slides_have_titles_notes_and_the_pace_of_the_script():
    first, second, third = slide_list(CELLS)
    assert [s["title"] for s in (first, second, third)] == [
        "Первый слайд",
        "Первый слайд",
        "Верны 95 % у P_2",
    ]
    assert first["note"] == ["Раз, два, три.", "Пауза 20 с."]
    assert first["seconds"] == 22  # «Лектору» is a word, as in the talk
    assert (second["note"], second["seconds"]) == ([], 0)
    assert third["note"] == ["И ссылка."]
    ids = [c.id for c in CELLS]
    assert [s["cells"] for s in (first, second, third)] == [ids[1:4], ids[4:6], ids[6:]]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_the_live_show_has_the_slides_of_the_talk(path: Path):
    stored = nbformat.read(path, as_version=4)
    slides = slide_list(stored.cells)
    told = [c for c in talk(stored, path.stem).cells if slide_type(c) == "slide"]
    assert len(slides) == len(told)
    assert all(slide["title"] for slide in slides)


def test_the_kernel_knows_its_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    with pytest.raises(RuntimeError, match="Неизвестно, какую тетрадь показывать"):
        presenter()
    file = tmp_path / "лекция.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(file))
    with pytest.raises(FileNotFoundError, match=r"лекция.ipynb не читается.+ядро"):
        presenter()
    file.write_text("# не тетрадь", "utf-8")
    with pytest.raises(ValueError, match="не тетрадь или повреждён"):
        presenter()
    file.write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="не тетрадь или повреждён"):
        presenter()
    nbformat.write(new_notebook(), file)
    with pytest.raises(ValueError, match="нет слайдов"):
        presenter()
    nbformat.write(new_notebook(cells=CELLS), file)
    assert len(presenter().slides) == 3
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert presenter(file).slides == slide_list(CELLS)
