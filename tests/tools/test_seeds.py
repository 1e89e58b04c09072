"""`tools.seeds`: other seeds; claims noted, also failed ones and those below them."""

from pathlib import Path

import nbformat
import pytest

from tools import seeds

CELLS = [
    "import random\nimport numpy as np, torch\n"
    "from lecture_utils import claim, setup\nsetup()\n"
    "draws = [torch.rand(1), random.random(), np.random.rand(),\n"
    "         np.random.default_rng(5).random(), np.random.RandomState(5).rand()]\n"
    "torch.manual_seed(7)\na = torch.rand(1)\ntorch.manual_seed(7)\n"
    "b = torch.rand(1, generator=torch.Generator().manual_seed(7))",
    "for x in draws:\n    claim('drawn', x >= 0)",
    "claim('as one', a == b)\nclaim('never', a > 2)",
    "1 / 0",
    "claim('below', a < 2)",
]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(seeds.ROOT))
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    path = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_claims_are_noted(notebook: Path):
    first, again, other = (seeds.claims_of(notebook, run) for run in (1, 1, 2))
    assert first == again
    sentences = [(sentence, holds) for _, sentence, holds, _ in first]
    assert sentences[:-1] == [("drawn", True)] * 5 + [
        ("as one", True),
        ("never", False),
        ("below", True),
    ]
    assert sentences[-1] == (
        f"{seeds.STOPPED}; ZeroDivisionError: division by zero",
        False,
    )
    numbers = [[claim[3] for claim in claims[:5]] for claims in (first, other)]
    assert all(a["x"] != b["x"] for a, b in zip(*numbers, strict=True))


def test_row_tells_how_many_hold():
    seen = [["a", True, {"x": 1.0}]] * 18 + [["b", False, {"x": 3.0}]] * 2
    assert seeds.row("03", 7, seen) == "| 03 | 7 | b | **18 of 20** | `x` 1 (1 … 3) |"
    assert "| 19 of 20 |" in seeds.row("03", 7, seen[:19] + seen[:1])


def test_trainings_become_longer():
    source = "def train(net, steps=100, lr=0.1): ...\nSTEPS = 40\ntrain(net, steps=n)"
    assert seeds.longer(source, 3) == source.replace("100", "300").replace("40", "120")
