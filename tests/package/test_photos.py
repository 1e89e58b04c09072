"""Photos: the middle of the whole one; pictures of the reader's own, of all kinds."""

import io
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.io import imread

from lecture_utils.data import BOXES, PHOTOS, PHOTOS_RU, box_mask, photo, photos

# Whatever pictures lie in two packages: nobody chose them for this collection.
STRANGERS = [
    file
    for package in ("skimage", "matplotlib")
    for file in sorted(Path(str(files(package))).rglob("*data/*"))
    if file.suffix in (".png", ".jpg", ".tif", ".gif")
]


@pytest.mark.parametrize("name", PHOTOS)
def test_photos(name):
    small = photo(name, 40)
    assert small.dtype == torch.uint8 and small.shape == (3, 40, 40)
    # The middle of the photo, averaged: a brightness that differs little.
    package, file = PHOTOS[name]
    whole = torch.tensor(np.atleast_3d(imread(files(package) / file))).movedim(-1, 0)
    height, width = whole.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = whole[:, top : top + side, left : left + side].double()
    assert abs(middle.mean() - small.double().mean()) < 1
    blocks = F.adaptive_avg_pool2d(middle, 8)
    assert (blocks - F.adaptive_avg_pool2d(small.double(), 8)).abs().max() < 25


def test_names_and_boxes_fit_the_photos():
    assert list(PHOTOS_RU.values()) == list(PHOTOS)
    for (name, _), (left, top, right, bottom) in BOXES.items():
        assert name in PHOTOS
        assert 0 <= left < right <= 1000 and 0 <= top < bottom <= 1000


def test_a_mask_holds_the_pixels_of_its_box():
    mask = box_mask((250, 0, 1000, 500), 4)
    assert mask.int().tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0] * 4, [0] * 4]
    assert not box_mask((260, 0, 370, 1000), 4).any(), "no middle of a pixel lies there"
    for x1, y1, x2, y2 in BOXES.values():
        share = box_mask((x1, y1, x2, y2), 224).double().mean()
        assert abs(share - (x2 - x1) * (y2 - y1) / 1000**2) < 0.01


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"снимка 'dog' нет.*cat, astronaut"):
        photo("dog", 48)
    with pytest.raises(ValueError, match="size — 0, а нужно целое число от 1"):
        photo("cat", 0)


# --- the reader's own -----------------------------------------------------------------


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file", STRANGERS, ids=lambda file: file.name)
def test_a_picture_that_nobody_chose(file):
    if file.name == "multipage_rgb.tif":  # colours in planes of their own: not Pillow's
        with pytest.raises(ValueError, match="не картинка в знакомом формате"):
            photo(file, 32)
        return
    small = photo(file, 32)
    assert small.shape == (3, 32, 32) and small.dtype == torch.uint8
    assert torch.equal(small, photo(file.read_bytes(), 32))


def test_enough_strangers():
    assert len(STRANGERS) >= 20


QUARTERS = np.uint8([[0, 80], [160, 240]]).repeat(8, 0).repeat(8, 1)  # (16, 16)


def corners(content: bytes) -> list[list[int]]:
    return photo(content, 16)[0, ::15, ::15].tolist()


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(QUARTERS),
        Image.fromarray(QUARTERS).convert("RGB"),
        Image.fromarray(QUARTERS).convert("P"),
        Image.fromarray(QUARTERS).convert("CMYK"),
        Image.fromarray(QUARTERS).convert("RGBA"),
        Image.fromarray(QUARTERS).convert("LA"),
    ],
    ids=lambda image: image.mode,
)
def test_every_mode_shows_the_same_picture(image):
    kind = "tiff" if image.mode == "CMYK" else "png"
    shown = photo(encoded(image, kind), 16).int()
    assert (shown - torch.from_numpy(QUARTERS)).abs().max() <= 2


@pytest.mark.parametrize("numbers", [np.uint16, np.int32, np.float32])
def test_other_numbers_are_shown_in_their_own_range(numbers):
    values = QUARTERS.astype(numbers) * 200
    shown = corners(encoded(Image.fromarray(values), "tiff"))
    assert shown == [[0, 85], [170, 255]]
    flat = Image.fromarray(np.full((4, 4), 7, numbers))
    assert photo(encoded(flat, "tiff"), 2).max() == 0


def test_a_photo_is_turned_as_the_camera_says():
    turned = Image.Exif()
    turned[0x0112] = 6  # the top of the scene is the right side of the file
    upright = corners(encoded(Image.fromarray(QUARTERS), exif=turned))
    assert upright == [[160, 0], [240, 80]]


def test_what_is_transparent_is_white():
    assert photo(encoded(Image.new("RGBA", (5, 5), (9, 9, 9, 0))), 4).min() == 255


def test_one_pixel_and_a_strip():
    assert photo(encoded(Image.new("RGB", (1, 1), (1, 2, 3))), 3).unique().numel() == 3
    assert photo(encoded(Image.new("L", (4000, 1), 7)), 3).unique().tolist() == [7]


def test_several_frames():
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    gif = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert photo(gif, 4).unique().tolist() == [10]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "не картинка"),
        (b"%PDF-1.7", "не картинка"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "не картинка"),
        (encoded(Image.fromarray(QUARTERS))[:60], "не читается|не картинка"),
        (encoded(Image.fromarray(QUARTERS.repeat(20, 0)), "jpeg")[:400], "не читается"),
    ],
)
def test_what_is_no_picture_is_said(content, message):
    with pytest.raises(ValueError, match=message):
        photo(content, 8)


def test_a_huge_picture_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(photos, "MOST_PIXELS", 255)
    with pytest.raises(ValueError, match="слишком велика, уменьшите"):
        photo(encoded(Image.fromarray(QUARTERS)), 8)


def test_paths(tmp_path):
    file = tmp_path / "мой снимок.png"
    file.write_bytes(encoded(Image.fromarray(QUARTERS)))
    assert torch.equal(photo(file, 4), photo(str(file), 4))
    for missing in (tmp_path / "нет.png", tmp_path, "~ничей/снимок.png"):
        with pytest.raises(ValueError, match="это не файл, который можно прочесть"):
            photo(missing, 4)
