"""Controls for live pictures: a photo, also the reader's own; a digit drawn by hand.

And the picture itself, where pointing at it chooses what it shows.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets as widgets
import torch
import traitlets
from torch import Tensor

_STATIC = files("lecture_utils") / "static"


class _FileDrop(anywidget.AnyWidget):
    """A field to click on or to drop a picture on; hands over ``name, content``."""

    _esm = (_STATIC / "file_drop.js").read_text("utf-8")
    description = traitlets.Unicode("Своя картинка: нажмите или бросьте её сюда")
    description.tag(sync=True)


class PhotoPicker(widgets.VBox):
    """A menu of photos and a field that adds a picture of the reader's own to it.

    ``value`` is what `lecture_utils.data.photo` takes: a name or the content of a file.
    """

    value = traitlets.Any()

    def __init__(self, value: str = "cat", description: str = "снимок") -> None:
        # A notebook without a photo does not wait for what reads them.
        from lecture_utils.data.photos import PHOTOS_RU

        self.description = description
        self.menu = widgets.Dropdown(
            options=list(PHOTOS_RU.items()),
            value=value,
            description=description,
            style={"description_width": "initial"},
        )
        drop = _FileDrop()
        drop.on_msg(lambda _, content, buffers: self.add(content["name"], buffers[0]))
        super().__init__([self.menu, drop])
        self.value = value
        self.menu.observe(self._chosen, "value")
        self.observe(self._set, "value")

    @property
    def options(self) -> tuple:
        return self.menu.options

    def add(self, name: str, file: bytes | memoryview) -> None:
        """Put the picture in a file into the menu, under its name, and choose it."""
        content = bytes(file)
        # New options choose the first one for a moment: nobody shall draw that.
        self.menu.unobserve(self._chosen, "value")
        known = [option for option in self.menu.options if option[1] != content]
        self.menu.options = [*known, (name, content)]
        self.menu.value = content
        self.menu.observe(self._chosen, "value")
        self.value = content

    def _chosen(self, change: dict) -> None:
        self.value = change["new"]

    def _set(self, change: dict) -> None:
        self.menu.value = change["new"]


class DigitPad(anywidget.AnyWidget):
    """A square to draw a digit on with the mouse, a finger or a pen.

    ``value`` holds side x side bytes, row by row: 0 is paper, 255 is ink.
    """

    _esm = (_STATIC / "digit_pad.js").read_text("utf-8")
    side = traitlets.Int(112).tag(sync=True)
    description = traitlets.Unicode("нарисуйте цифру").tag(sync=True)
    value = traitlets.CBytes().tag(sync=True)  # the browser sends a memoryview

    def __init__(self, start: Tensor, **options: object) -> None:
        """``start``, (1, S, S) with values in [0, 1], is there before the reader draws.

        Raises ValueError for another shape.
        """
        if start.dim() != 3 or start.shape[0] != 1 or start.shape[1] != start.shape[2]:
            raise ValueError(f"нужна цифра (1, S, S), а получено {tuple(start.shape)}")
        side = self.side
        large = torch.nn.functional.interpolate(start[None].cpu().float(), (side, side))
        ink = (255 * large).round().to(torch.uint8)
        super().__init__(value=ink.numpy().tobytes(), **options)


def picture_of(value: bytes) -> Tensor:
    """(1, S, S) in [0, 1], torch's default dtype, of the ``value`` of a `DigitPad`."""
    ink = torch.frombuffer(bytearray(value), dtype=torch.uint8)
    side = round(len(value) ** 0.5)
    return ink.reshape(1, side, side).to(torch.get_default_dtype()) / 255


class PointedPicture(anywidget.AnyWidget):
    """A PNG to point at; the controls that this replaces are left to the keyboard."""

    _esm = (_STATIC / "pointed.js").read_text("utf-8")
    # Out of sight until the keyboard reaches them.
    _css = """
        .live-pointed:not(:focus-within) {
            position: absolute; clip-path: inset(50%); height: 1px; width: 1px;
        }
    """
    hint = traitlets.Unicode(
        "Укажите место на рисунке; с клавиатуры — Tab и стрелки."
    ).tag(sync=True)
    value = traitlets.CBytes().tag(sync=True)

    def on_point(self, pointed: Callable[[float, float], None]) -> None:
        """``pointed(x, y)`` is told shares of width and height from the upper left."""
        self.on_msg(lambda _, content, __: pointed(content["x"], content["y"]))


def nearest(control: Any, value: Any) -> Any:
    """The value of a control that is nearest to ``value``: a number or an option."""
    if not hasattr(control, "step"):
        return value
    steps = round((value - control.min) / control.step)
    last = round((control.max - control.min) / control.step)
    return control.min + control.step * min(max(steps, 0), last)
