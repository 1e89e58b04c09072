"""A re-drawn figure is told from a changed one, by itself and in `pytest --nbval`."""

import base64
import io
from collections.abc import Callable
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from tools.cells import WIDGET_VIEW
from tools.pictures import (
    FARTHEST,
    SAME,
    changed_pictures,
    few_colours,
    same_painter,
    similarity,
)

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


def test_another_size_or_number_of_pictures_is_a_change():
    figure = Figure(figsize=(8, 3))
    png = io.BytesIO()
    figure.savefig(png, dpi=150)
    assert similarity(draw(), png.getvalue()) == 0
    output = {"data": {"image/png": base64.b64encode(draw()).decode()}}
    assert changed_pictures([output], [output]) == []
    assert changed_pictures([output], []) == ["1 pictures are stored, 0 were drawn"]


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """Smooth, with some grain and more colours than a palette has: (H, W, 3) uint8."""
    down, right = np.mgrid[:240, :320]
    waves = [np.sin(right / 40), np.cos(down / 50), np.sin((down + right) / 90)]
    grain = np.random.default_rng(1).integers(0, 4, (240, 320, 1))
    return (110 + 60 * np.stack(waves, -1) + grain).astype(np.uint8)


def as_png(pixels: np.ndarray) -> bytes:
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()


def test_few_colours_take_less_room(photograph: np.ndarray):
    png = as_png(photograph)
    few = few_colours(png, 128)
    assert len(few) < len(png) / 2
    image = Image.open(io.BytesIO(few))
    assert image.mode == "P" and len(image.getcolors()) <= 128
    apart = np.abs(np.asarray(image.convert("RGB"), int) - photograph)
    assert apart.mean() < 5, "of 255"


def test_a_background_keeps_its_colour(photograph: np.ndarray):
    framed = np.pad(photograph, [(40, 40), (40, 40), (0, 0)], constant_values=255)
    framed[38:42] = framed[-42:-38] = 244  # what would be averaged with it
    stored = Image.open(io.BytesIO(few_colours(as_png(framed), 64))).convert("RGB")
    assert (np.asarray(stored)[:30] == 255).all()


def test_too_few_colours_are_named(photograph: np.ndarray):
    coarse = (photograph * 1.6).astype(np.uint8)
    with pytest.raises(ValueError, match="4 colours are too few"):
        few_colours(as_png(coarse), 4)


@pytest.mark.parametrize("colours", [64, 128])
def test_rounding_of_a_photograph_is_not_a_change(photograph: np.ndarray, colours: int):
    """Colours chosen anew would be others: the stored ones are taken."""
    stored = few_colours(as_png(photograph), colours)
    rounding = np.random.default_rng(0).integers(-1, 2, photograph.shape)
    drawn = (photograph + rounding).astype(np.uint8)
    assert similarity(stored, as_png(drawn)) > SAME
    anew = few_colours(as_png(drawn), colours)
    assert similarity(stored, anew) < similarity(stored, as_png(drawn))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.roll(x, 6, 1),
        lambda x: (x * 0.85).astype(np.uint8),
        lambda x: x[..., [0, 2, 1]],
        lambda x: np.where(np.mgrid[:240, :320][0][..., None] < 60, x[::-1], x),
    ],
    ids=["moved", "darker", "other channels", "one strip"],
)
def test_a_changed_photograph_is_seen(photograph: np.ndarray, change: Callable):
    stored = few_colours(as_png(photograph), 128)
    assert similarity(stored, as_png(change(photograph))) < SAME


def test_a_colour_of_its_own_is_a_change(photograph: np.ndarray):
    """Though it has no other colour to round to."""
    few = np.array([[255, 255, 255], [0, 60, 200]], np.uint8)
    strips = np.repeat(few[np.arange(320) // 8 % 2][None], 240, 0)
    stored = few_colours(as_png(strips), 2)
    other = np.where(strips == [0, 60, 200], [0 + FARTHEST + 1, 60, 200], strips)
    assert similarity(stored, as_png(other.astype(np.uint8))) < SAME


# What the cells of the notebook below call.
FIRST_CELL = """
import io
from itertools import count
import ipywidgets as widgets
import torch
from IPython.display import display
from matplotlib.figure import Figure
from lecture_utils import live

def line(y):
    figure = Figure()
    ax = figure.subplots()
    ax.plot([0, y])
    ax.set_ylim(-0.1, 2.1)
    png = io.BytesIO()
    figure.savefig(png)
    display({"image/png": png.getvalue()}, raw=True)

def control(text):
    def draw(a, b):
        figure = Figure(figsize=(2, 1))
        figure.text(0, 0.5, str(text(a, b)))
        return figure
    live(draw, "число", a=widgets.IntSlider(1, 0, 9, description="a"),
         b=widgets.Dropdown(options=[1, 9], description="b"))

def noise():  # a product is rounded once, alike on every processor
    x = torch.rand(99, 1, 1)
    print((x @ x != x * x).any().item())

number = count()
"""
# A cell and the fault that a run names, if there is one. Stored are a line to 2, a live
# picture and a processor that rounds a product.
CELLS = {
    "line(2)": None,
    "line(3)": "similarity",
    "control(lambda a, b: a + b)": None,
    "control(lambda a, b: a)": "«b» = 9: the picture stays",
    "control(lambda a, b: next(number))": "«a» is back at 1, the picture is not",
    "control(lambda a, b: 1 / a)": "division by zero",
    "noise()": "True",
}


def stored(cell: str) -> NotebookNode:
    """The output that the notebook holds for a cell."""
    if cell == "noise()":
        return new_output("stream", name="stdout", text="False\n")
    if cell.startswith("control"):
        view = {"model_id": "", "version_major": 2, "version_minor": 0}
        data = {"text/plain": "Виджет: число", WIDGET_VIEW: view}
        return new_output("display_data", data)
    png = io.BytesIO()
    with style.context("default"):  # other tests may have set the lecture's
        figure = Figure()
        figure.subplots().plot([0, 2])
        figure.savefig(png)
    data = {"image/png": base64.b64encode(png.getvalue()).decode()}
    return new_output("display_data", data)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one run with the settings of this repository says about every cell.

    The run is noisy, which no cell but the last may notice.
    """
    folder = tmp_path_factory.mktemp("nbval")
    cells = [new_code_cell(FIRST_CELL, execution_count=1)]
    for cell in CELLS:
        cells.append(new_code_cell(cell, execution_count=1, outputs=[stored(cell)]))
    nbformat.write(new_notebook(cells=cells), folder / "cells.ipynb")
    report = folder / "report.xml"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LECTURE_NOISE", "1")
        environment.delenv("PYTEST_XDIST_WORKER", raising=False)
        options = ["--nbval", "-p", "tools.pytest_plugin", "-p", "no:cacheprovider"]
        pytest.main([*options, f"--junit-xml={report}", str(folder)])
    tests = ElementTree.parse(report).findall(".//testcase")
    assert len(tests) == len(cells)
    first, *texts = ("".join(test.itertext()) for test in tests)
    assert not first
    return dict(zip(CELLS, texts, strict=True))


@pytest.mark.parametrize("cell, fault", CELLS.items())
def test_a_run_names_the_fault_of_a_cell(
    said: dict[str, str], cell: str, fault: str | None
):
    if cell == "line(3)" and not same_painter():
        pytest.skip("another matplotlib than the locked one")
    if fault is None:
        assert not said[cell]
    else:
        assert fault in said[cell]
