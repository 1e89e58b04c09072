"""`tools.mutants`: small mistakes, and who notices them."""

import sys
from pathlib import Path

import nbformat
import pytest

from tools import cells, mutants

forks = pytest.mark.skipif(sys.platform != "linux", reason="a mutant runs in a fork")
CELLS = [
    ["from lecture_utils import claim\nfrom lecture_utils.count import parameters"],
    ["x = 3 + 4", "y = [1, 2]", "unused = 5"],
    ["claim('seven', x == 7)"],
    ["print(y[0])"],
]


@pytest.mark.parametrize(
    ("source", "others"),
    [
        ("a + b", {"(a - b)"}),
        ("a < b", {"(a >= b)"}),
        ("a and not b", {"(a or not b)", "(b)"}),
        ("x += 1", {"pass", "x -= 1", "2"}),
        ("net.train()", {"pass", "net.eval", "net"}),
        ("f(x, seed=3)", {"pass"}),
        ("optimizer.zero_grad()", {"pass", "optimizer"}),
        ("F.relu(x)", {"pass", "F.tanh"}),
        ("y = f(a, k=-0.5)", {"(f(a))", "(0.5)", "1.0"}),
        ("y = True", {"False"}),
        ("y = torch.randperm(n)", {"torch.arange"}),
    ],
)
def test_one_mistake_at_a_time(source: str, others: set[str]):
    assert {mutant.now for mutant in mutants.mutants(source)} == others


@pytest.mark.parametrize(
    "source",
    [
        "claim('less', a < 2)",
        "x = y.to(device).cpu()",
        "torch.manual_seed(0)",
        'print(f"{x:.3f}")',
        'def f(x: Tensor["2, 3"]) -> int:\n    "Text."\n    return x',
    ],
)
def test_judges_seeds_and_texts_stay(source: str):
    assert not mutants.mutants(source)


def test_mutant_changes_its_own_place():
    source = "# длина\nx = 1\ny = f(1)  # единица"
    changed = [mutant.of(source) for mutant in mutants.mutants(source)]
    assert source.replace("f(1)", "f(2)") in changed
    assert source.replace("x = 1", "x = 2") in changed
    assert len(changed) == 2


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mutants.Notebook:
    monkeypatch.setattr(cells, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(mutants, "NOTEBOOKS", tmp_path)
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("\n".join(lines)) for lines in CELLS]
    )
    for cell, printed in ((nb.cells[2], "✔ seven\n"), (nb.cells[3], "1\n")):
        cell.outputs = [nbformat.v4.new_output("stream", text=printed)]
    nbformat.write(nb, tmp_path / "small.ipynb")
    return mutants.Notebook("small")


def who_notices(book: mutants.Notebook, line: int, now: str) -> tuple[str, int]:
    """The mutant ``now`` of a line of the second cell."""

    def work() -> tuple[str, int]:
        book.start()
        book.outputs(book.cells[0].source)
        return book.trial(planted, same=[True] * len(CELLS))

    [mutant] = [
        mutant
        for mutant in mutants.mutants(book.cells[1].source)
        if (mutant.line, mutant.now) == (line, now)
    ]
    planted = mutants.Planted(1, "", "", "shown code", mutant)
    return mutants.in_fork(work, seconds=60)


@forks
def test_who_notices(book: mutants.Notebook):
    assert who_notices(book, 1, "(3 - 4)") == ("claim", 2)
    assert who_notices(book, 2, "2") == ("text", 3)
    assert who_notices(book, 3, "6") == ("nobody", 3)


@forks
def test_function_of_the_package_changes_wherever_it_is_known():
    file = "lecture_utils/count.py"
    source = (mutants.ROOT / file).read_text("utf-8")
    mutant = next(
        m
        for m in mutants.mutants(source)
        if m.was == "parameter.numel()" and m.now == "parameter"
    )
    planted = mutants.Planted(0, file, "parameters", "lecture_utils", mutant)

    def work() -> object:
        from torch import nn

        from lecture_utils.count import parameters

        mutants.change_function(planted)
        return parameters(nn.Linear(2, 1))

    assert mutants.in_fork(work, seconds=60) == ("error", -1)


@forks
def test_a_mutant_that_does_not_end_is_late():
    def work() -> None:
        while True:
            pass

    assert mutants.in_fork(work, seconds=0.2) == ("time", -1)


def test_table_names_who_noticed_and_what_nobody_did():
    def row(how: str, kind: str, now: str) -> dict:
        key = ["03", 1, 0, 5, "", "", kind, 2, 10, "a + b", now]
        return {"key": key, "place": "03 5, line 2", "how": how, "at": 5}

    lines = mutants.table(
        [row("claim", "shown code", "a - b"), row("nobody", "lecture_utils", "b")]
    )
    assert lines[2] == "| 03 | 1/1 | 0/0 | 0/1 | 0 | 1 | 0 | 0 | 0 | 1 |"
    assert lines[-1] == "- 03 5, line 2: `a + b` → `b`"
