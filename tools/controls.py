"""Moves the controls of a live picture; a test run does it in the notebook's kernel."""

import itertools
from typing import Any

import ipywidgets as widgets
import torch

from lecture_utils.controls import DigitPad, PointedPicture


def other_values(control: Any) -> list[object]:
    """Values to try: both ends of a slider, all options or a few of many."""
    if isinstance(control, widgets.Checkbox):
        values = [True, False]
    elif isinstance(control, widgets.FloatLogSlider):
        values = [control.base**control.min, control.base**control.max]
    elif isinstance(control, (widgets.IntSlider, widgets.FloatSlider)):
        values = [control.min, control.max]
    elif isinstance(control, DigitPad):
        values = [control.value[::-1]]  # upside down
    else:  # options are values or (label, value)
        values = [o[1] if isinstance(o, tuple) else o for o in control.options]
        values = values[:: max(1, len(values) // 4)]
    return [value for value in values if value != control.value]


def move_all(model_id: str) -> None:
    """Move every control below the displayed box ``model_id`` and back.

    Raises:
        AssertionError: the picture cannot be drawn, a control leaves it as it was, or
            moved back does not bring the first picture back.
    """
    box = widgets.widget_serialization["from_json"](f"IPY_MODEL_{model_id}", None)
    *controls, message, picture = box.children
    assert controls, "a live picture with nothing to change it"
    first = picture.value
    with torch.random.fork_rng():  # the cells after this one draw the same numbers
        for control in controls:
            start = control.value
            for value in other_values(control):
                before = picture.value
                control.value = value
                assert not message.value, message.value
                assert picture.value != before, (
                    f"«{control.description}» = {value!r}: the picture stays"
                )
            control.value = start
            assert picture.value == first, (
                f"«{control.description}» is back at {start!r}, the picture is not"
            )
        if isinstance(picture, PointedPicture):
            point_at(picture, controls, message)


def point_at(picture: PointedPicture, controls: list[Any], message: Any) -> None:
    """Point at a picture here and there, and move the controls back."""
    start = [control.value for control in controls]
    drawn = set()
    for x, y in itertools.product((0.1, 0.3, 0.5, 0.7, 0.9), (0.3, 0.5, 0.7)):
        picture._handle_custom_msg({"x": x, "y": y}, [])
        assert not message.value, message.value
        drawn.add(bytes(picture.value))
    assert len(drawn) > 2, "the picture stays wherever it is pointed at"
    for control, value in zip(controls, start, strict=True):
        control.value = value
