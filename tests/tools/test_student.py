"""Copies for students hold no solution and need none."""

import ast
import builtins
import re
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode

from tests.package.test_exercises import GRADED
from tools.cells import slide_type, tags
from tools.paths import notebooks
from tools.student import exercises, main, without_solutions

PATHS = notebooks()


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def names(nb: NotebookNode) -> tuple[set[str], set[str]]:
    """Names that the code of a notebook binds anywhere, and those that it looks up."""
    bound, used = set(), set()
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    used.add(name)
                case ast.Name(id=name) | ast.arg(arg=name):
                    bound.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    bound.add(name)
                case ast.alias(name=name, asname=other):
                    bound.add((other or name).split(".")[0])
                case ast.ExceptHandler(name=str(name)):
                    bound.add(name)
    return bound, used


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_copy_holds_no_solution_and_misses_nothing(path: Path):
    nb = read(path)
    copy = without_solutions(nb)
    solutions = [cell for cell in nb.cells if "solution" in tags(cell)]
    notes = [cell for cell in nb.cells if slide_type(cell) == "notes"]
    removed = solutions + notes
    sources = {cell.source for cell in copy.cells}
    assert len(copy.cells) == len(nb.cells) - len(removed)
    assert not [cell.source for cell in removed if cell.source in sources]
    assert not [text for text in sources if re.search("св[её]рнут[оы]", text)]
    assert "**Лектору.**" not in "\n".join(sources)
    bound, used = names(copy)
    assert used <= bound | {*dir(builtins)}, "a cell needs what a solution defines"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_exercise_of_a_copy_waits_for_an_answer(path: Path):
    copy = without_solutions(read(path))
    printed = [
        output.get("text", "")
        for cell in copy.cells
        for output in cell.get("outputs", [])
    ]
    verdicts = [text for text in printed if re.search(r"упражнение \d\d\.\d", text)]
    numbers = [number for number, _, _ in exercises(copy)]
    assert verdicts == [f"… упражнение {n}: решения пока нет\n" for n in numbers]


def test_a_copy_installs_its_package_where_it_is_missing(monkeypatch):
    copy = without_solutions(read(PATHS[0]), "git+https://example.org/lecture@v1")
    install, start, *_ = (c.source for c in copy.cells if c.cell_type == "code")
    assert start.startswith("# Пакет lecture_utils")
    calls = []
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "run_line_magic", lambda *call, **_: calls.append(call))
    shell.run_cell(install).raise_error()
    assert calls == [], "the package is here"
    monkeypatch.setitem(sys.modules, "lecture_utils", None)
    shell.run_cell(install).raise_error()
    assert calls == [("pip", 'install -q "git+https://example.org/lecture@v1"')]


@pytest.mark.parametrize(
    "address",
    [
        "lecture-utils",
        "git+https://a.org/$HOME",
        'https://a.org/"; rm x',
        "git+https://teacher:secret@a.org/lecture",  # for every student to read
        "git+https://github.com@b.org/lecture",
        "git+https://g\u0456thub.com/lecture",  # a Cyrillic letter
        "git+https://a.org/lecture\n!rm x",
        "-r https://a.org/list",
    ],
)
def test_an_odd_address_is_refused(monkeypatch, address):
    monkeypatch.setattr(sys, "argv", ["student", address])
    with pytest.raises(SystemExit, match="expected git"):
        main()


def test_the_list_knows_every_exercise():
    listed = [number for path in PATHS for number, _, _ in exercises(read(path))]
    assert listed == GRADED


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_minutes_of_the_title_are_those_of_the_list(path: Path):
    nb = read(path)
    first, second = nb.cells[:2]  # the title, and what the talk leaves out below it
    title = re.search(r"(\d+) минут[аы]? упражнений", first.source + second.source)
    listed = sum(minutes for _, _, minutes in exercises(nb))
    assert listed == (int(title[1]) if title else 0)
