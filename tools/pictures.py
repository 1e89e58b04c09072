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


def similarity(a: bytes, b: bytes) -> float:
    """Structural similarity of two PNG files in the tile where they differ most.

    A mean over the whole would hide a changed word or a lost curve in equal empty
    background. 0 when the sizes differ.
    """
    first, second = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in (a, b)
    )
    if first.shape != second.shape:
        return 0.0
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
