"""Pictures with alt text and live controls."""

import io
from contextlib import suppress
from itertools import pairwise

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn as sns
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from lecture_utils import figures, live, show
from lecture_utils.figures import (
    answer_bars,
    draw_box,
    gallery,
    grouped_bars,
    heat_over,
    make_legible,
    panel,
    with_answers,
    without_noise,
)

ALT = "Прямая линия, проходящая через начало координат"


def _line(slope=1.0):
    figure, ax = plt.subplots(figsize=(4, 2))
    ax.plot([0, 1], [0, slope])
    ax.set_ylim(0, 2)
    return figure


@pytest.fixture
def displayed(monkeypatch):
    """What was displayed: a list of (bundle, metadata)."""
    seen = []
    monkeypatch.setattr(
        figures,
        "display",
        lambda data, metadata=None, raw=False: seen.append((data, metadata)),
    )
    return seen


def test_show_stores_the_picture_with_its_alt_text(displayed):
    figure = _line()
    show(figure, ALT)
    [(data, metadata)] = displayed
    assert data["text/plain"] == ALT
    tick = figure.axes[0].get_xticklabels()[0].get_fontsize()
    letters = round(tick * 100 / 72, 1)
    size = {"width": 400, "height": 200, "letters": letters}
    assert metadata["image/png"] == {**size, "alt": ALT}
    assert Image.open(io.BytesIO(data["image/png"])).size == (600, 300)
    assert not plt.fignum_exists(figure.number), "an open figure would be shown twice"


def test_only_letters_that_are_seen_are_measured(displayed):
    figure = _line()
    figure.axes[0].set_axis_off()
    show(figure, ALT)
    figure, ax = plt.subplots()
    ax.set_axis_off()
    ax.text(0, 0, "мелко", fontsize=3.6)
    ax.text(0, 1, "не видно", fontsize=1).set_visible(False)
    show(figure, ALT)
    [bare, small] = [metadata["image/png"] for _, metadata in displayed]
    assert "letters" not in bare
    assert small["letters"] == 5


def test_the_same_figure_gives_the_same_bytes(displayed):
    show(_line(), ALT)
    show(_line(), ALT)
    assert displayed[0] == displayed[1]


def test_who_runs_a_cell_sees_all_colours_and_the_file_says_how_many_to_store(
    displayed,
):
    noise = np.random.default_rng(0).uniform(size=(60, 120, 3))
    for colours in (None, 64):
        figure, ax = plt.subplots(figsize=(4, 2))
        ax.imshow(noise)
        show(figure, ALT, colours=colours)
    pictures = [Image.open(io.BytesIO(data["image/png"])) for data, _ in displayed]
    assert np.array_equal(*map(np.asarray, pictures))
    [whole, few] = [metadata["image/png"] for _, metadata in displayed]
    assert "colours" not in whole and few["colours"] == 64


@pytest.mark.parametrize(("colours", "mode"), [(200, "P"), (9000, "RGB")])
def test_no_pixel_changes(displayed, colours, mode):
    values = np.random.RandomState(0).rand(colours, 3).round(2)
    figure = plt.figure(figsize=(4, 2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(values.reshape(-1, 20, 3), interpolation="nearest", aspect="auto")
    ax.set_axis_off()
    show(figure, ALT)
    image = Image.open(io.BytesIO(displayed[0][0]["image/png"]))
    assert image.mode == mode
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(150)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3]
    assert np.array_equal(np.asarray(image.convert("RGB")), drawn)


def test_show_refuses_what_a_reader_or_a_slide_cannot_use():
    with pytest.raises(ValueError, match="слишком коротка"):
        show(_line(), "график")
    with pytest.raises(TypeError, match="return figure"):
        show(None, ALT)
    with pytest.raises(ValueError, match="на слайд"):
        show(plt.figure(figsize=(13, 2)), ALT)


def test_moving_a_control_redraws_the_picture(displayed):
    slider = widgets.FloatSlider(1, min=0, max=2)
    live(_line, "наклон прямой", slope=slider)
    [(data, _)] = displayed
    assert data["text/plain"] == "Виджет: наклон прямой"
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = _picture()
    assert not slider.continuous_update
    before = picture.value
    slider.value = 2
    assert picture.value != before
    slider.value = 1
    assert picture.value == before, "the picture depends on the value alone"


def test_pointing_at_the_picture_moves_its_controls_together(displayed):
    drawn = []

    def draw(row, column, word):
        drawn.append((row, column, word))
        figure, (left, _) = plt.subplots(1, 2, figsize=(8, 4))
        left.set(xlim=(0, 10), ylim=(10, 0))
        return figure

    controls = {
        "row": widgets.IntSlider(3, min=0, max=9),
        "column": widgets.FloatSlider(4, min=0, max=8, step=0.5),
        "word": widgets.Dropdown(options=["a", "b"]),
    }
    live(
        draw,
        "клетка",
        point=lambda ax, x, y: {} if ax else {"row": y, "column": x, "word": "b"},
        **controls,
    )
    picture = slider_box(controls["row"]).children[-1]

    def at(x: float, y: float) -> None:
        """In the browser the left axes take these shares of the picture."""
        left = (0.125 + x * 0.352, 0.12 + y * 0.77)
        picture._handle_custom_msg({"x": left[0], "y": left[1]}, [])

    at(0.62, 0.24)
    assert drawn == [(3, 4.0, "a"), (2, 6.0, "b")], "both controls, one picture"
    at(0.99, 0.99)  # the nearest value that there is
    assert drawn[2:] == [(9, 8.0, "b")]
    at(0.99, 0.99)
    at(1.8, 0.5)  # other axes
    at(-0.3, 0.5)  # beside the axes
    assert len(drawn) == 3, "nothing has changed, nothing is drawn"
    assert all("live-pointed" in c._dom_classes for c in controls.values())


def test_what_cannot_be_drawn_is_said_at_its_place(displayed):
    def inverse(k):
        figure, ax = plt.subplots()
        ax.plot([0, 1 / k])
        return figure

    slider = widgets.IntSlider(1, min=0, max=2)
    live(inverse, "обратное число", k=slider)
    box = slider_box(slider)
    _, message, picture = box.children
    before, opened = picture.value, plt.get_fignums()
    slider.value = 0
    assert "Не нарисовать при k = 0: ZeroDivisionError" in message.value
    assert (picture.value, plt.get_fignums()) == (before, opened)
    slider.value = 2
    assert message.value == "" and picture.value != before


def _nothing(figure):
    return None


def _too_wide(figure):
    figure.set_size_inches(40, 2)
    return figure


def _interrupted(figure):
    raise KeyboardInterrupt  # «Остановить ядро» while it draws


def _long(figure):
    raise ValueError("слово " * 10**5)


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (_nothing, "return figure"),
        (_too_wide, "на слайд помещается"),
        (_interrupted, "KeyboardInterrupt"),
        (_long, "ValueError: слово"),
    ],
)
def test_whatever_a_control_meets_is_said_and_leaves_no_figure(displayed, fails, said):
    def draw(broken):
        figure, _ = plt.subplots()
        return fails(figure) if broken else figure

    control, opened = widgets.Checkbox(False), plt.get_fignums()
    live(draw, "рисунок", broken=control)
    control.value = True
    message = slider_box(control).children[1].value
    assert "Не нарисовать при broken = True" in message and said in message
    assert len(message) < 1000 and plt.get_fignums() == opened
    with suppress(Exception, KeyboardInterrupt):
        live(draw, "рисунок", broken=widgets.Checkbox(True))
    assert plt.get_fignums() == opened, "a first picture that fails"


def slider_box(slider: widgets.Widget) -> widgets.VBox:
    """The box that holds the control."""
    found = widgets.widget._instances.values()
    [box] = [w for w in found if slider in getattr(w, "children", ())]
    return box


def _picture():
    """The picture widget made last."""
    instances = widgets.widget._instances.values()
    return [widget for widget in instances if isinstance(widget, widgets.Image)][-1]


def test_a_gallery_takes_pictures_in_every_form():
    generator = np.random.default_rng(0)
    colour, grey = generator.random((3, 4, 6)), generator.random((4, 6))
    forms = {
        "тензор сети": torch.tensor(colour),
        "массив": colour.transpose(1, 2, 0),
        "серая": grey,
        "серый тензор": torch.tensor(grey)[None],
    }
    figure = gallery(forms, columns=2, cmap="gray")
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert [ax.get_title() for ax in figure.axes] == list(forms)
    assert np.array_equal(shown[0], shown[1]) and np.array_equal(shown[2], shown[3])
    plt.close(figure)
    with pytest.raises(ValueError, match=r"форма картинки \(2, 4, 6\)"):
        gallery({"два канала": torch.zeros(2, 4, 6)})
    with pytest.raises(ValueError, match="хотя бы одна"):
        gallery({})


def test_pictures_without_titles_and_with_equal_ones():
    figure = gallery(torch.rand(3, 1, 4, 6), columns=2)
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 0]
    plt.close(figure)
    figure = gallery(torch.rand(2, 3, 4, 6), ["восьмёрка", "восьмёрка"])
    assert [ax.get_title() for ax in figure.axes] == ["восьмёрка", "восьмёрка"]
    plt.close(figure)
    with pytest.raises(ValueError, match="картинок 2, а подписей 1"):
        gallery(torch.rand(2, 3, 4, 6), ["восьмёрка"])


def test_a_panel_is_a_picture_under_its_title_without_axes():
    figure, ax = plt.subplots()
    colour = torch.rand(3, 4, 6)
    image = panel(ax, colour, "улица", fontsize=9, vmin=0)
    assert np.array_equal(image.get_array(), colour.movedim(0, -1))
    assert (ax.get_title(), ax.title.get_fontsize(), ax.axison) == ("улица", 9, False)
    with pytest.raises(ValueError, match="форма картинки"):
        panel(ax, torch.zeros(2, 4, 6))
    plt.close(figure)


def test_a_box_stands_at_its_corners():
    figure, ax = plt.subplots()
    draw_box(ax, torch.tensor([2, 1, 7, 3]), ec="C3")
    [patch] = ax.patches
    assert patch.get_bbox().extents.tolist() == [2, 1, 7, 3]
    assert not patch.get_fill()
    plt.close(figure)


@pytest.mark.parametrize("horizontal", [False, True])
def test_grouped_bars_stand_side_by_side(horizontal):
    figure, ax = plt.subplots()
    groups = {"до": torch.tensor([0.25, 1.0]), "после": [0.5, 0.75]}
    grouped_bars(ax, groups, ("слой 1", "слой 2"), horizontal=horizontal, number="{} %")
    spans = []  # of a bar along the axis of names, and its value
    for bar in ax.patches:
        low, high = ("y0", "y1") if horizontal else ("x0", "x1")
        box = bar.get_bbox()
        value = box.x1 if horizontal else box.y1
        spans.append((getattr(box, low), getattr(box, high), value))
    assert [value for *_, value in spans] == [0.25, 1, 0.5, 0.75]
    spans.sort()
    assert all(a[1] < b[0] for a, b in pairwise(spans))
    for place, (left, right) in enumerate(zip(spans[::2], spans[1::2], strict=True)):
        assert (left[0] + right[1]) / 2 == pytest.approx(place)
    said = [text.get_text() for text in ax.texts]
    assert said == ["0,25 %", "1,0 %", "0,5 %", "0,75 %"]
    axis = ax.yaxis if horizontal else ax.xaxis
    assert [text.get_text() for text in axis.get_ticklabels()] == ["слой 1", "слой 2"]
    assert len({bar.get_hatch() for bar in ax.patches}) == 2
    assert ax.yaxis_inverted() == horizontal, "the first name on top"
    plt.close(figure)


def test_a_picture_with_its_answers():
    figure = with_answers(torch.zeros(3, 8, 8, dtype=torch.uint8), {"кошка": 0.5})
    left, right = figure.axes
    assert left.images[0].get_array().shape == (8, 8, 3)
    assert [text.get_text() for text in right.texts] == ["кошка, 50 %"]
    plt.close(figure)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_is_set_to_zero_and_nothing_else(dtype):
    size = torch.tensor([100.0, 1.0], dtype=dtype)
    eps = torch.finfo(dtype).eps
    difference = torch.tensor([3 * eps, 100 * eps, 1.0, -1.0], dtype=dtype)
    assert without_noise(difference, size).tolist() == [0, 0, *difference[2:].tolist()]
    assert torch.equal(without_noise(size), size)


def test_numbers_of_a_heat_map_stand_out():
    _, ax = plt.subplots()
    table = np.array([[0.0, np.nan], [0.7, 1.0]])
    sns.heatmap(table, annot=True, cmap="gray", vmin=0, vmax=1, ax=ax)
    make_legible(ax)
    assert [text.get_color() for text in ax.texts] == ["w", "0.1", "0.1"]
    plt.close()


def test_answers_stand_in_order_with_their_percents():
    _, ax = plt.subplots()
    answer_bars(ax, {"кошка": 0.62, "рысь": 0.048})
    assert [text.get_text() for text in ax.texts] == ["кошка, 62 %", "рысь, 4,8 %"]
    assert [bar.get_width() for bar in ax.patches] == [0.62, 0.048]
    assert ax.get_ylim() == (1.5, -0.5), "the first on top"
    plt.close()


@pytest.mark.parametrize("peak", [(0, 0), (0, 3), (2, 1)])
def test_heat_lies_where_the_map_is_positive(peak):
    heat = -torch.ones(4, 4)
    heat[peak] = 5
    _, ax = plt.subplots()
    heat_over(ax, torch.zeros(3, 64, 64, dtype=torch.uint8), heat)
    [image] = ax.images
    assert image.get_extent() == [0, 64, 64, 0]
    light = image.get_array().sum(-1)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert (row // 32, column // 32) == peak
    plt.close()


def test_under_an_empty_map_the_picture_is_grey_and_dark():
    picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
    picture[0, :, 4:] = 240
    _, ax = plt.subplots()
    heat_over(ax, picture, -torch.ones(2, 2))
    drawn = ax.images[0].get_array()
    assert np.allclose(drawn[:, :64], drawn[0, 0])
    assert np.allclose(drawn[:, 64:] - drawn[:, :64], 0.35 * 5 / 16)
    plt.close()
