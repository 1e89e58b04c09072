"""A photo of the reader's own and a digit drawn by hand, without a browser."""

import pytest
import torch

from lecture_utils.controls import DigitPad, PhotoPicker, picture_of
from lecture_utils.data import PHOTOS_RU, mnist, photo
from lecture_utils.trained import trained
from tests.package.test_photos import STRANGERS


def send(picker: PhotoPicker, name: str, content: bytes) -> None:
    """What the browser does with a file that was chosen or dropped."""
    picker.children[1]._handle_custom_msg({"name": name}, [memoryview(content)])


def test_the_menu_names_photos():
    picker = PhotoPicker("rocket")
    assert picker.value == "rocket"
    assert picker.options == tuple(PHOTOS_RU.items())
    picker.value = "coffee"
    assert picker.menu.label == "кофе"


def test_a_picture_of_the_readers_own_joins_the_menu():
    picker, seen = PhotoPicker(), []
    picker.observe(lambda change: seen.append(change["new"]), "value")
    for name, content in [
        ("а.png", b"first"),
        ("б.png", b"second"),
        ("а.png", b"first"),
    ]:
        send(picker, name, content)
        assert picker.value == content and picker.menu.label == name
    picker.menu.value = "cat"
    assert seen == [b"first", b"second", b"first", "cat"]
    assert [o[0] for o in picker.options[len(PHOTOS_RU) :]] == ["б.png", "а.png"]
    with pytest.raises(ValueError, match="не картинка"):
        photo(picker.options[-1][1], 8)


def test_the_pad_begins_with_a_digit():
    digit = mnist().x_test[0]
    pad = DigitPad(digit)
    drawn = picture_of(pad.value)
    assert drawn.shape == (1, pad.side, pad.side) and drawn.dtype == digit.dtype
    small = torch.nn.functional.avg_pool2d(drawn, 4)
    assert torch.allclose(small, digit, atol=1e-6)
    with pytest.raises(ValueError, match=r"нужна цифра \(1, S, S\)"):
        DigitPad(digit[0])


def test_the_network_answers_about_every_picture_that_is_uploaded():
    """Pictures of other packages, and the text that stands for a broken one."""
    real, picker, answered = trained(dtype=torch.float32), PhotoPicker(), 0
    for file in STRANGERS:
        send(picker, file.name, file.read_bytes())
        try:
            answers = real.answers(photo(picker.value, 224))
        except ValueError as error:
            assert "не картинка в знакомом формате" in str(error)
            continue
        assert len(answers) == 5 and 0 < sum(answers.values()) <= 1 + 1e-5
        answered += 1
    assert answered >= 20
