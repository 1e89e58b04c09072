"""Each folded solution answers the stub above it, and the judge accepts it."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.cells import tags
from tools.definitions import definitions
from tools.pages import CODE
from tools.paths import notebooks

CALL = r'^exercise\("(§?)([\d.]+)", \w+\)$'


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("path", notebooks()[1:], ids=lambda path: path.stem)
def test_solutions_are_accepted(path: Path, capsys: pytest.CaptureFixture[str]):
    cells = nbformat.read(path, as_version=4).cells
    stubs = "\n".join(cell.source for cell in cells if "exercise" in tags(cell))
    solutions = [cell.source for cell in cells if "solution" in tags(cell)]
    names = definitions(path.stem).names
    for solution in solutions:
        # Calls `exercise`, as the stub does, and stands alone, as when it is copied.
        exec(CODE.search(solution)[1], dict(names))
    kinds = {"§": "разминка §", "": "упражнение "}
    asked = re.findall(CALL, stubs, re.MULTILINE)
    assert asked and capsys.readouterr().out.splitlines() == [
        f"✔ {kinds[mark]}{number}: верно" for mark, number in asked
    ]
