"""Photos: the middle of the whole one."""

from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
from skimage.io import imread

from lecture_utils.data import PHOTOS, photo


@pytest.mark.parametrize("name", PHOTOS)
def test_photos(name):
    small = photo(name, 40)
    assert small.dtype == torch.uint8 and small.shape == (3, 40, 40)
    # The middle of the photo, averaged: a brightness that differs little.
    package, file = PHOTOS[name]
    whole = torch.tensor(imread(files(package) / file)).movedim(-1, 0)
    height, width = whole.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = whole[:, top : top + side, left : left + side].double()
    assert abs(middle.mean() - small.double().mean()) < 1
    blocks = F.adaptive_avg_pool2d(middle, 8)
    assert (blocks - F.adaptive_avg_pool2d(small.double(), 8)).abs().max() < 25


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="снимка 'dog' нет, есть cat, astronaut"):
        photo("dog", 48)
    with pytest.raises(ValueError, match="size — 0, а нужно целое число от 1"):
        photo("cat", 0)
