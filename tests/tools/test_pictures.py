"""A re-drawn figure is told from a changed one, by itself and in `pytest --nbval`."""

import base64
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
import numpy as np
import pytest
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.notebooks import WIDGET_VIEW
from tools.pictures import SAME, changed_pictures, same_painter, similarity

ROOT = Path(__file__).parent.parent.parent
X = np.linspace(0, 6, 200)


def draw(change: Callable[[Axes], object] = lambda ax: None) -> bytes:
    """Two curves and a small heat map, with one change."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    ax, image = figure.subplots(1, 2)
    ax.plot(X, np.sin(X), label="обычная")
    ax.plot(X, np.cos(X), label="остаточная")
    ax.set(title="Ошибки", xlabel="шаг", ylabel="доля")
    ax.legend()
    image.imshow(np.arange(144).reshape(12, 12) % 7)
    change(ax)
    png = io.BytesIO()
    figure.savefig(png, dpi=150)
    return png.getvalue()


def other_cell(ax: Axes) -> None:
    values = ax.figure.axes[1].images[0].get_array().copy()
    values[5, 7] = 6 - values[5, 7]
    ax.figure.axes[1].images[0].set_data(values)


@pytest.mark.parametrize(
    "change",
    [
        lambda ax: ax.lines[0].set_ydata(np.sin(X) + 0.05),
        lambda ax: ax.lines[0].remove(),
        lambda ax: ax.lines[0].set_color("C3"),
        lambda ax: ax.set_title("Ошибка"),
        lambda ax: ax.set_ylim(-1.2, 1.3),
        other_cell,
    ],
    ids=["moved", "lost", "recoloured", "renamed", "rescaled", "one cell"],
)
def test_a_change_is_seen(change):
    assert similarity(draw(), draw(change)) < SAME


def test_rounding_is_not_a_change():
    def rounding(ax: Axes) -> None:
        ax.lines[0].set_ydata(np.sin(X) + 1e-3)

    assert similarity(draw(), draw()) == 1
    assert similarity(draw(), draw(rounding)) > SAME


def test_a_picture_that_may_vary_is_still_compared():
    def moved(ax: Axes) -> None:
        ax.lines[0].set_ydata(np.sin(X) + 0.05)

    assert similarity(draw(), draw(moved), whole=True) > SAME
    assert similarity(draw(), draw(lambda ax: ax.clear()), whole=True) < SAME


def test_another_size_or_number_of_pictures_is_a_change():
    figure = Figure(figsize=(8, 3))
    png = io.BytesIO()
    figure.savefig(png, dpi=150)
    assert similarity(draw(), png.getvalue()) == 0
    output = {"data": {"image/png": base64.b64encode(draw()).decode()}}
    assert changed_pictures([output], [output]) == []
    assert changed_pictures([output], []) == ["1 pictures are stored, 0 were drawn"]


def run_nbval(source: str, output: NotebookNode, folder: Path) -> CompletedProcess:
    """Run a notebook of one cell with the settings of this repository."""
    cell = new_code_cell(source, execution_count=1, outputs=[output])
    nbformat.write(new_notebook(cells=[cell]), folder / "one_cell.ipynb")
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text("utf-8"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", folder],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.skipif(not same_painter(), reason="another matplotlib than the locked one")
@pytest.mark.parametrize("y", [2, 3])
def test_nbval_run_fails_on_another_picture(tmp_path: Path, y: int):
    """The stored picture shows a line to 2; the cell draws one to 2 or 3."""
    png = io.BytesIO()
    with style.context("default"):  # other tests may have set the lecture's
        figure = Figure()
        figure.subplots().plot([0, 2])
        figure.savefig(png)
    source = f"""import io
from IPython.display import Image, display
from matplotlib.figure import Figure
figure = Figure()
ax = figure.subplots()
ax.plot([0, {y}])
ax.set_ylim(-0.1, 2.1)
png = io.BytesIO()
figure.savefig(png)
display({{"image/png": png.getvalue()}}, raw=True)"""
    output = new_output(
        "display_data", {"image/png": base64.b64encode(png.getvalue()).decode()}
    )
    result = run_nbval(source, output, tmp_path)
    assert ("similarity" in result.stdout) == (y != 2), result.stdout
    assert result.returncode == (y != 2)


@pytest.mark.parametrize(
    "shown, fault",
    [
        ("a + b", None),
        ("a", "«b» = 9: the picture stays"),
        ("next(number)", "«a» is back at 1, the picture is not"),
        ("1 / a", "division by zero"),
    ],
)
def test_nbval_run_fails_on_a_control_without_effect(
    tmp_path: Path, shown: str, fault: str | None
):
    source = f"""from itertools import count
import ipywidgets as widgets
from matplotlib.figure import Figure
from lecture_utils import live
number = count()
def draw(a, b):
    figure = Figure(figsize=(2, 1))
    figure.text(0, 0.5, str({shown}))
    return figure
live(draw, "число", a=widgets.IntSlider(1, 0, 9, description="a"),
     b=widgets.Dropdown(options=[1, 9], description="b"))"""
    view = {"model_id": "", "version_major": 2, "version_minor": 0}
    output = new_output(
        "display_data", {"text/plain": "Виджет: число", WIDGET_VIEW: view}
    )
    result = run_nbval(source, output, tmp_path)
    assert result.returncode == bool(fault), result.stdout
    assert (fault or "1 passed") in result.stdout
