"""Are two pictures the same to a reader? For stored and re-drawn figures."""

import base64
import io
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version

import numpy as np
from PIL import Image

from tools.paths import ROOT

LOCK = ROOT / "requirements.txt"
TILE = 32  # pixels, about the size of a marker or two letters
SAME = 0.9  # structural similarity, 1 for equal pictures
ENOUGH = 0.95  # of a picture with few colours, so that some is left for rounding
ROUNDING = 6  # levels of 255 that processors may differ by, with some to spare
FARTHEST = 64  # levels from a colour to that which stands for it: a change beyond


def similarity(a: bytes, b: bytes) -> float:
    """Structural similarity of two PNG files in the tile where they differ most.

    A mean over the whole would hide a changed word or a lost curve in equal empty
    background. 0 when the sizes differ. Where `a` has few colours and `b` all, `b` is
    taken in those of `a`.
    """
    images = [Image.open(io.BytesIO(png)) for png in (a, b)]
    first, second = (np.asarray(image.convert("RGB")) for image in images)
    if first.shape != second.shape:
        return 0.0
    if [image.mode for image in images] == ["P", "RGB"]:
        second = _in_colours_of(*images)
    if np.array_equal(first, second):
        return 1.0
    from skimage.metrics import structural_similarity  # slow, and seldom needed
    from skimage.util import view_as_blocks

    _, local = structural_similarity(first, second, channel_axis=2, full=True)
    worst = local.min(2)  # a change of one colour is a change
    height, width = (-(-side // TILE) * TILE for side in worst.shape)
    padding = [(0, height - worst.shape[0]), (0, width - worst.shape[1])]
    tiles = view_as_blocks(np.pad(worst, padding, mode="edge"), (TILE, TILE))
    return float(tiles.mean((2, 3)).min())


def few_colours(png: bytes, colours: int) -> bytes:
    """The PNG with at most `colours` colours, 2 to 256, a fraction of its size.

    Raises ValueError when they are too few to tell a change of the picture by.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    chosen = image.quantize(colours, kmeans=2, dither=Image.Dither.NONE)
    palette = np.array(chosen.getpalette()).reshape(-1, 3)
    # A mean with what borders on it is not the background: it keeps its colour.
    size = image.width * image.height
    for count, colour in sorted(image.getcolors(size) or []):
        if count > size / 100:
            palette[np.abs(palette - colour).sum(1).argmin()] = colour
    few = Image.fromarray(_nearest(np.asarray(image), palette).astype(np.uint8))
    few.putpalette(palette.flatten().tolist())
    packed = io.BytesIO()
    few.save(packed, "PNG", optimize=True)
    if (value := similarity(packed.getvalue(), png)) < ENOUGH:
        raise ValueError(
            f"{colours} colours are too few for a picture: similarity {value:.2f} "
            f"with all of them, at least {ENOUGH}"
        )
    return packed.getvalue()


def _in_colours_of(few: Image.Image, drawn: Image.Image) -> np.ndarray:
    """`drawn` with the colour of `few` where it rounds to it, and its own elsewhere.

    The colours of a photograph chosen anew are others after one level of difference:
    as the borders between colours move, the pictures could not be compared.
    """
    exact, kept = (np.asarray(image.convert("RGB"), float) for image in (drawn, few))
    palette = np.array(few.getpalette()).reshape(-1, 3)
    nearest = palette[_nearest(np.asarray(drawn), palette)]
    off, least = (np.linalg.norm(exact - other, axis=2) for other in (kept, nearest))
    rounds = (off <= least + ROUNDING) & (off <= FARTHEST)
    return np.where(rounds[..., None], kept, exact).astype(np.uint8)


def _nearest(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The number of the nearest colour; Pillow's own is near but not nearest."""
    from scipy.spatial import KDTree  # slow to import, as above

    packed = pixels @ np.array([1 << 16, 1 << 8, 1])
    colours, place = np.unique(packed, return_inverse=True)
    apart = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    return KDTree(palette).query(apart)[1][place].reshape(pixels.shape[:2])


def pngs(outputs: list[dict]) -> Iterator[bytes]:
    for output in outputs:
        if "image/png" in output.get("data", {}):
            yield base64.b64decode(output["data"]["image/png"])


def changed_pictures(stored: list[dict], drawn: list[dict]) -> list[str]:
    """A line for every stored picture that is drawn differently now."""
    before, after = list(pngs(stored)), list(pngs(drawn))
    if len(before) != len(after):
        return [f"{len(before)} pictures are stored, {len(after)} were drawn"]
    return [
        f"picture {number}: similarity {value:.2f} with the stored one, at least {SAME}"
        for number, pair in enumerate(zip(before, after, strict=True), 1)
        if (value := similarity(*pair)) < SAME
    ]


@cache
def same_painter() -> bool:
    """Is matplotlib the version that drew the stored pictures?

    Others set text and margins a little differently, so that every tile changes.
    """
    locked = LOCK.read_text("utf-8") if LOCK.exists() else ""
    return f"matplotlib=={version('matplotlib')} " in locked
