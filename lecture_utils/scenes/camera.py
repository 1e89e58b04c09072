"""The camera: which point of which plane a ray meets."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lecture_utils.scenes.things import Plane, Thing

RAYS = 3  # rays per pixel side; odd, so that the middle one meets the pixel's centre
CENTRES = slice(RAYS // 2, None, RAYS)


class Hits(NamedTuple):
    """Where the rays meet a face: its own coordinates (rows, columns) and depths."""

    a: np.ndarray
    b: np.ndarray
    depth: np.ndarray


class Silhouette(NamedTuple):
    """What the camera would see of one thing if nothing stood before it."""

    window: tuple[slice, slice]  # its rays among all, rows and columns
    parts: np.ndarray  # (rows, columns) uint8, index into paints
    depth: np.ndarray  # (rows, columns) float32, metres; inf beside the thing
    paints: list[tuple[str, float]]  # colour and shade of each part; 0 = beside


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole above a flat ground that looks along Z at the horizon."""

    size: int  # pixels
    f: float  # focal length, pixels
    horizon: int  # row
    height: float  # metres

    @cached_property
    def rx(self) -> np.ndarray:
        """(1, rays) float32: X / Z of the rays from left to right."""
        return (self._tangents(self.size / 2))[None]

    @cached_property
    def ry(self) -> np.ndarray:
        """(rays, 1) float32: Y / Z of the rays from top to bottom."""
        return self._tangents(self.horizon)[:, None]

    def _tangents(self, origin: float) -> np.ndarray:
        pixels = (np.arange(RAYS * self.size) + 0.5) / RAYS
        return ((pixels - origin) / self.f).astype(np.float32)

    def window(self, thing: Thing) -> tuple[slice, slice]:
        """Rows and columns of the rays, in whole pixels, that can meet a thing."""
        w, h, length = thing.model.size
        ends = thing.z, thing.z + length
        u = [(thing.x + s * w / 2) / z for s in (-1, 1) for z in ends]
        v = [(self.height - y) / z for y in (0, h) for z in ends]
        return self._rays(v, self.horizon), self._rays(u, self.size / 2)

    def _rays(self, tangents: list[float], origin: float) -> slice:
        first = int(self.f * min(tangents) + (origin - 1))
        last = int(self.f * max(tangents) + (origin + 2))
        return slice(*(RAYS * min(max(p, 0), self.size) for p in (first, last)))

    def silhouette(self, thing: Thing) -> Silhouette:
        """Look at one thing alone."""
        rows, columns = window = self.window(thing)
        ry, rx = self.ry[rows], self.rx[:, columns]
        parts = np.zeros((len(ry), rx.size), np.uint8)
        depth = np.full(parts.shape, np.inf, np.float32)
        paints = [("none", 0.0)]
        # A ray parallel to a side wall meets it at infinity, which is inside no part.
        with np.errstate(divide="ignore", invalid="ignore"):
            for plane, shade, painted in thing.model.faces:
                for a, b, z in _meet(plane, thing, self.height, rx, ry):
                    for colour, shape, *numbers in painted:
                        met = _inside(shape, numbers, a, b)
                        np.copyto(parts, len(paints), where=met)
                        np.copyto(depth, z, where=met)
                        paints.append((colour, shade))
        return Silhouette(window, parts, depth, paints)


def _meet(
    plane: Plane, thing: Thing, up: float, rx: np.ndarray, ry: np.ndarray
) -> Iterator[Hits]:
    """Where the rays meet a face; twice for two walls, never when turned away.

    ``up``: height of the camera, metres; ``rx`` (1, columns), ``ry`` (rows, 1).
    """
    (kind, b0, *rest), (w, h, length) = plane, thing.model.size
    drop = up - b0 * h  # from the camera down to the face's lower edge
    if kind == "top":
        if drop > 0:
            z = drop / ry
            yield Hits((rx * z - thing.x) / w, (z - thing.z) / length, z)
        return
    p0, b1, p1 = rest
    lean = (p1 - p0) / ((b1 - b0) * h)
    if kind == "front":
        lean *= length
        z = thing.z + p0 * length + lean * drop
        z = z / (1 + lean * (ry if lean else ry[:1]))
        yield Hits((rx * z - thing.x) / w, (up - ry * z) / h, z)
        return
    for side in (-w, w):
        x = thing.x + side * (p0 + lean * drop)
        if x * side < 0:
            z = x / (rx + side * lean * ry if lean else rx)
            yield Hits((z - thing.z) / length, (up - ry * z) / h, z)


def _inside(shape: str, n: list[float], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which points (a, b) lie inside a part with the numbers ``n``."""
    if shape == "e":
        a, b = (a - n[0]) / n[2], (b - n[1]) / n[3]
        return a * a + b * b <= 1
    if shape == "r":
        return (a >= n[0]) & (a <= n[2]) & ((b >= n[1]) & (b <= n[3]))
    t = (b - n[0]) / (n[3] - n[0])
    left, right = n[1] + (n[4] - n[1]) * t, n[2] + (n[5] - n[2]) * t
    return (a >= left) & (a <= right) & ((t >= 0) & (t <= 1))
