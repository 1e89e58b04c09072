"""Pictures with alt text and live controls."""

import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from lecture_utils import figures, live, show

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
    assert metadata["image/png"] == {"width": 400, "height": 200, "alt": ALT}
    assert Image.open(io.BytesIO(data["image/png"])).size == (600, 300)
    assert not plt.fignum_exists(figure.number), "an open figure would be shown twice"


def test_the_same_figure_gives_the_same_bytes(displayed):
    show(_line(), ALT)
    show(_line(), ALT)
    assert displayed[0] == displayed[1]


def test_show_refuses_what_a_reader_or_a_slide_cannot_use():
    with pytest.raises(ValueError, match="too short"):
        show(_line(), "график")
    with pytest.raises(TypeError, match="return figure"):
        show(None, ALT)
    with pytest.raises(ValueError, match="slide holds"):
        show(plt.figure(figsize=(13, 2)), ALT)


def test_moving_a_control_redraws_the_picture(displayed):
    slider = widgets.FloatSlider(1, min=0, max=2)
    live(_line, "наклон прямой", slope=slider)
    [(data, _)] = displayed
    assert data["text/plain"] == "Виджет: наклон прямой"
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = _picture()
    before = picture.value
    slider.value = 2
    assert picture.value != before
    slider.value = 1
    assert picture.value == before, "the picture depends on the value alone"


def _picture():
    """The picture widget made last."""
    instances = widgets.widget._instances.values()
    return [widget for widget in instances if isinstance(widget, widgets.Image)][-1]
