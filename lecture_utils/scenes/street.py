"""The layout of a street: which things stand on it, and where."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lecture_utils.scenes.camera import CENTRES, RAYS, Camera, Silhouette
from lecture_utils.scenes.kinds import SCALE_RANGES, THINGS, Kind, Scale
from lecture_utils.scenes.things import MODELS, Thing, pick, uniform

MIN_PIXELS = 6  # every thing keeps at least so many visible pixels …
MIN_VISIBLE = 0.35  # … and such a share of its silhouette in the frame
ROAD, SIDEWALK = 2.4, 3.7  # half-widths from the middle of the road, metres
# Distance of a thing's near side from the middle of the road, metres.
ZONES = {
    Kind.CAR: (0.2, 0.5),
    Kind.HOUSE: (SIDEWALK + 0.4, SIDEWALK + 6),
    Kind.TREE: (SIDEWALK - 0.3, SIDEWALK + 6),
    Kind.PERSON: (ROAD + 0.2, SIDEWALK - 0.7),
}


class Road(NamedTuple):
    """The middle of the road is the line X = x + slope * Z on the ground."""

    x: float  # metres
    slope: float


class Placed(NamedTuple):
    """A thing on the street."""

    thing: Thing
    silhouette: Silhouette


@dataclass(frozen=True, eq=False)
class Layout:
    """The things of a street in the order of their coming, seen from the camera."""

    placed: list[Placed]
    owner: np.ndarray  # (rays, rays) uint8: whose point is nearest; 0 = nobody's
    nearest: np.ndarray  # (rays, rays) float32: its depth, metres; inf = nobody's
    visible: np.ndarray  # (N,) float64: visible share of each silhouette in the frame


def place(
    rng: np.random.Generator, camera: Camera, n: int, road: Road, lit: float
) -> Layout:
    """Place up to ``n`` things one by one; who would hide too much is sent away.

    ``lit``: share of lit windows.
    """
    shape = (RAYS * camera.size,) * 2
    nearest, owner = np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint8)
    placed: list[Placed] = []
    whole, seen = np.zeros(1, int), np.zeros(1, int)  # pixels of nobody, of each thing
    for scale in (rng.permutation(len(Scale)).tolist() * n)[:n]:
        for _ in range(60):
            thing = _candidate(rng, camera, Scale(scale), road, lit)
            if thing is None or not all(_apart(thing, other) for other, _ in placed):
                continue
            silhouette = camera.silhouette(thing)
            window, parts, depth, _ = silhouette
            closer = depth < nearest[window]
            won = closer[CENTRES, CENTRES]
            lost = np.bincount(owner[window][CENTRES, CENTRES][won], None, len(whole))
            left = np.append(seen - lost, np.count_nonzero(won))
            full = np.append(whole, np.count_nonzero(parts[CENTRES, CENTRES]))
            if (left < np.maximum(MIN_PIXELS, MIN_VISIBLE * full))[1:].any():
                continue
            placed.append(Placed(thing, silhouette))
            whole, seen = full, left
            np.copyto(nearest[window], depth, where=closer)
            np.copyto(owner[window], len(placed), where=closer)
            break
    return Layout(placed, owner, nearest, seen[1:] / whole[1:])


def _candidate(
    rng: np.random.Generator, camera: Camera, scale: Scale, road: Road, lit: float
) -> Thing | None:
    """A thing in its zone of the street, with the apparent height of its scale."""
    kind = pick(rng, THINGS)
    model = MODELS[kind](rng, lit)
    width, height, _ = model.size
    for _ in range(12):
        z = camera.f * height / (uniform(rng, *SCALE_RANGES[scale]) * camera.size)
        crossing = kind == Kind.PERSON and rng.random() < 0.2
        zone = (0, ROAD) if crossing else ZONES[kind]
        offset = uniform(rng, *zone) + width / 2
        x = road.x + road.slope * z + (model.lane or pick(rng, (-1, 1))) * offset
        foot = camera.horizon + camera.f * camera.height / z
        if abs(camera.f * x / z) < 0.44 * camera.size and foot < 0.97 * camera.size:
            return Thing(kind, scale, model, x, z)
    return None


def _apart(p: Thing, q: Thing) -> bool:
    """True when the 3D boxes of two things on the ground do not touch."""
    (pw, _, pl), (qw, _, ql) = p.model.size, q.model.size
    return abs(p.x - q.x) > (pw + qw) / 2 or p.z > q.z + ql or q.z > p.z + pl
