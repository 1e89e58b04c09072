"""Photos that lie inside the wheels of scikit-image and scikit-learn."""

from importlib.resources import files

import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from lecture_utils.arguments import whole_number

PHOTOS = {
    "cat": ("skimage.data", "chelsea.png"),
    "astronaut": ("skimage.data", "astronaut.png"),
    "coffee": ("skimage.data", "coffee.png"),
    "rocket": ("skimage.data", "rocket.jpg"),
    "china": ("sklearn.datasets.images", "china.jpg"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
}


def photo(name: str, size: int) -> torch.Tensor:
    """(3, size, size) uint8 RGB: the square middle of a photo, resized.

    Raises ValueError for a name that is not in ``PHOTOS`` and for a ``size`` that is
    not a positive int.
    """
    if name not in PHOTOS:
        raise ValueError(f"снимка {name!r} нет, есть {', '.join(PHOTOS)}.")
    size = whole_number("size", size, 1)
    package, file = PHOTOS[name]
    with (files(package) / file).open("rb") as stream:
        image = transforms.pil_to_tensor(Image.open(stream).convert("RGB"))
    square = transforms.center_crop(image, [min(image.shape[1:])] * 2)
    # Processors differ in torchvision's uint8 code and in the last bits of float64.
    # Those must not decide between two bytes: many means end in exactly .5.
    small = transforms.resize(square.double(), [size, size], antialias=True)
    small = (small * 2**20).round() / 2**20
    return small.round().clamp(0, 255).to(torch.uint8)
