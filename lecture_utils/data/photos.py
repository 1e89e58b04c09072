"""Photos that lie inside the wheels of scikit-image and scikit-learn, and the reader's.

Licences, as the two packages state them. Public domain: astronaut (NASA), rocket
(SpaceX). CC0: cat (S. van der Walt), camera (L. Varshney), coffee (R. Michetti), brick,
grass. No known restrictions: coins (Brooklyn Museum). CC BY 2.0: china (flickr
danielbuechele), flower (flickr vultilion). Data sets for research: motorcycle
(Middlebury 2014). moon comes without a note.
"""

import io
from collections.abc import Sequence
from importlib.resources import files
from os.path import expanduser
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torchvision.transforms.v2 import functional as transforms

from lecture_utils.arguments import whole_number

PHOTOS = {
    "cat": ("skimage.data", "chelsea.png"),
    "astronaut": ("skimage.data", "astronaut.png"),
    "coffee": ("skimage.data", "coffee.png"),
    "rocket": ("skimage.data", "rocket.jpg"),
    "china": ("sklearn.datasets.images", "china.jpg"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
    "camera": ("skimage.data", "camera.png"),
    "motorcycle": ("skimage.data", "motorcycle_left.png"),
    "coins": ("skimage.data", "coins.png"),
    "moon": ("skimage.data", "moon.png"),
    "brick": ("skimage.data", "brick.png"),
    "grass": ("skimage.data", "grass.png"),
}
PHOTOS_RU = {
    "кошка": "cat",
    "астронавт": "astronaut",
    "кофе": "coffee",
    "ракета": "rocket",
    "пагода": "china",
    "цветок": "flower",
    "фотограф": "camera",
    "мотоцикл": "motorcycle",
    "монеты": "coins",
    "луна": "moon",
    "кирпич": "brick",
    "трава": "grass",
}
# Where the things with a class of ImageNet lie: photo, class -> x1, y1, x2, y2 in
# thousandths of the side of the square middle. Drawn by hand on it, around all that is
# seen of the thing.
BOXES = {
    ("astronaut", "football helmet"): (540, 670, 1000, 1000),
    ("astronaut", "space shuttle"): (690, 0, 923, 553),
    ("astronaut", "flagpole"): (0, 0, 205, 1000),
    ("camera", "tripod"): (448, 365, 795, 1000),
    ("camera", "reflex camera"): (494, 268, 637, 362),
    ("china", "palace"): (0, 67, 622, 957),
    ("china", "lakeside"): (500, 475, 1000, 762),
    ("coffee", "espresso"): (248, 235, 682, 490),
    ("coffee", "cup"): (180, 43, 773, 775),
    ("coffee", "plate"): (0, 168, 950, 975),
    ("rocket", "missile"): (474, 297, 540, 957),
    ("motorcycle", "moped"): (0, 155, 1000, 900),
    ("motorcycle", "disk brake"): (862, 652, 997, 817),
}
MOST_PIXELS = 10**8  # a picture of 100 megapixels takes 300 MB as bytes


def photo(source: str | Path | bytes, size: int) -> torch.Tensor:
    """(3, size, size) uint8 RGB: the square middle of a photo, resized.

    The photo is turned as its EXIF data say, what is transparent becomes white, of
    several frames the first is taken.

    Args:
        source: a name in ``PHOTOS``, the path of a picture of the reader's own, or the
            content of such a file.
        size: of a side, pixels.

    Raises:
        ValueError: no such name or file, not a picture, a broken or a huge one; or a
            ``size`` that is not a positive int.
    """
    size = whole_number("size", size, 1)
    image = transforms.pil_to_tensor(_read(source))
    square = transforms.center_crop(image, [min(image.shape[1:])] * 2)
    # Processors differ in torchvision's uint8 code and in the last bits of float64.
    # Those must not decide between two bytes: many means end in exactly .5.
    small = transforms.resize(square.double(), [size, size], antialias=True)
    small = (small * 2**20).round() / 2**20
    return small.round().clamp(0, 255).to(torch.uint8)


def box_mask(box: Sequence[float], side: int) -> torch.Tensor:
    """(side, side) bool: the pixels of a photo whose middles lie in a box of BOXES."""
    x1, y1, x2, y2 = (side * v / 1000 for v in box)
    middle = torch.arange(side) + 0.5
    rows, columns = (middle > y1) & (middle < y2), (middle > x1) & (middle < x2)
    return rows[:, None] & columns


def _read(source: str | Path | bytes) -> Image.Image:
    """The whole picture, upright, in RGB."""
    if isinstance(source, str) and source in PHOTOS:
        package, file = PHOTOS[source]
        content, name = (files(package) / file).read_bytes(), source
    elif isinstance(source, bytes):
        content, name = source, "файл"
    else:
        name = str(source)
        try:
            content = Path(expanduser(source)).read_bytes()
        except OSError as error:
            raise ValueError(
                f"снимка {name!r} нет: это не файл, который можно прочесть, и не одно "
                f"из имён {', '.join(PHOTOS)}."
            ) from error
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > MOST_PIXELS:
            raise Image.DecompressionBombError
        image = ImageOps.exif_transpose(image)
        return _rgb(image)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name}: картинка слишком велика, уменьшите её: больше "
            f"{MOST_PIXELS // 10**6} мегапикселей не берём."
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name}: это не картинка в знакомом формате; подойдут JPEG, PNG, WebP, "
            "GIF, BMP или TIFF."
        ) from error
    except Exception as error:  # decoders raise all kinds on a broken file
        raise ValueError(
            f"{name}: картинка не читается, файл повреждён или сохранён не до конца "
            f"({type(error).__name__}: {error})."
        ) from error


def _rgb(image: Image.Image) -> Image.Image:
    """RGB of a picture of any mode; what is transparent becomes white."""
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits: its own range of grey
        grey = np.asarray(image, dtype=np.float64)
        grey = 255 * (grey - grey.min()) / max(np.ptp(grey), 1e-12)
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
