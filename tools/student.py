"""Copies of the notebooks for a class, and the instructor's list of exercises.

A copy has no solutions and no speaker's notes.

    python -m tools.student [ADDRESS]

With ADDRESS (``git+https://…``) the copies install the package from there when they
are opened alone, on Colab.

build/student/NAME.ipynb      the copies
build/student/exercises.md    all exercises with their minutes, in Russian
"""

import re
import sys
from collections.abc import Iterator
from copy import deepcopy

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tools.cells import slide_type, tags
from tools.notebooks import START
from tools.paths import BUILD, notebooks

OUT = BUILD / "student"
# What stands before START in copies that are opened alone. IPython would take $ and {}
# of an address for names, a shell the rest.
# A name or a password before the host would go to every student, and letters of another
# alphabet in it name another host.
ADDRESS = re.compile(r"(git\+)?https://[\w.:-]+/[\w.~:/@%+#=&?-]+", re.ASCII)
INSTALL = """\
try:
    import lecture_utils
except ModuleNotFoundError:
    %pip install -q "{}\""""
# A sentence that tells where the solution is.
POINTER = re.compile(
    r" ?[^.»\n]*\bсв[её]рнут[^.\n]*решени[^.\n]*\.| ?Решение св[её]рнуто[^.\n]*\."
)
ROW = re.compile(r"^\| (\d\d\.\d) \| (.+?) \| (\d+) \|$", re.MULTILINE)
LIST = """# Упражнения лекции 6

Балл — за минуту, без округлений: длинное упражнение весит больше ровно во столько раз,
во сколько оно длиннее. Всего {points} баллов.
Решения — в тетрадях папки `notebooks`, у студентов их нет (`make student`).

| № | Задание | Тетрадь | Минуты и баллы |
|---|---|---|---|
"""


def without_solutions(nb: NotebookNode, address: str | None = None) -> NotebookNode:
    """A copy of the notebook as a student gets it."""
    nb = deepcopy(nb)
    nb.cells = [
        cell
        for cell in nb.cells
        if "solution" not in tags(cell) and slide_type(cell) != "notes"
    ]
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = POINTER.sub("", cell.source)
    if address:
        first = next(i for i, c in enumerate(nb.cells) if c.source.startswith(START))
        install = new_code_cell(INSTALL.format(address), id="install")
        install.metadata = nb.cells[first].metadata
        nb.cells.insert(first, install)
    code = (cell for cell in nb.cells if cell.cell_type == "code")
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
    return nb


def exercises(nb: NotebookNode) -> Iterator[tuple[str, str, int]]:
    """Number, title and minutes of each exercise, from the table that lists them."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for number, title, minutes in ROW.findall(cell.source):
                yield number, title, int(minutes)


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else None
    if address and not ADDRESS.fullmatch(address):
        sys.exit(f"address {address!r}: expected git+https://… or https://…")
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in notebooks():
        nb = nbformat.read(path, as_version=4)
        nbformat.write(without_solutions(nb, address), OUT / path.name)
        rows += [(*row, path.stem) for row in exercises(nb)]
    text = LIST.format(points=sum(minutes for _, _, minutes, _ in rows))
    for number, title, minutes, name in rows:
        text += f"| {number} | {title} | {name} | {minutes} |\n"
    (OUT / "exercises.md").write_text(text, encoding="utf-8")
    print(f"{len(rows)} exercises, copies without their solutions: {OUT.as_uri()}")


if __name__ == "__main__":
    main()
