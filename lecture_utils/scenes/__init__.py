"""Small street scenes with exact ground truth: pure numpy, one seed, one street.

A pinhole camera stands above a flat ground and looks along +Z (X right, Y down).
Everything is a plane in space: the ray through a point of the image meets it in one
exact point, so image, label maps, depth and 3D boxes agree by construction.
Pixel (row i, column j) covers [j, j + 1) x [i, i + 1); maps hold the value at its
centre, the image holds the mean colour of 3 x 3 points of it.

Only + - * / sqrt, comparisons and integers decide a pixel. These are exact in IEEE
arithmetic, so a seed gives the same bytes on every machine.
"""

from dataclasses import dataclass

import numpy as np

from lecture_utils.arguments import whole_number
from lecture_utils.scenes.camera import CENTRES, Camera
from lecture_utils.scenes.kinds import (
    CLASSES_RU,
    LABEL_DIVISOR,
    PALETTE,
    SCALE_RANGES,
    THINGS,
    Kind,
    Scale,
)
from lecture_utils.scenes.painting import TIMES, paint
from lecture_utils.scenes.street import MIN_PIXELS, MIN_VISIBLE, Road, place
from lecture_utils.scenes.things import pick, uniform

__all__ = [
    "BOX_EDGES",
    "CLASSES_RU",
    "HILLS_DEPTH",
    "LABEL_DIVISOR",
    "MIN_PIXELS",
    "MIN_VISIBLE",
    "N_THINGS",
    "PALETTE",
    "SCALE_RANGES",
    "THINGS",
    "TIMES",
    "Kind",
    "Scale",
    "Scene",
    "project",
    "scene",
]

N_THINGS = (3, 6)  # least and greatest number of things on a street
HILLS_DEPTH = 1000.0  # metres; the hills on the horizon are one far upright plane
# Corner numbers of a 3D box joined by its 12 edges, for drawing.
BOX_EDGES = tuple((i, i | b) for b in (1, 2, 4) for i in range(8) if not i & b)


@dataclass(frozen=True, eq=False)
class Scene:
    """One street with its ground truth; N things, numbered 1..N from near to far."""

    image: np.ndarray  # (H, W, 3) uint8
    semantic: np.ndarray  # (H, W) uint8, a Kind each
    instance: np.ndarray  # (H, W) uint8, 0 = stuff, k = k-th thing
    depth: np.ndarray  # (H, W) float32, metres along Z; inf for the sky
    boxes: np.ndarray  # (N, 4) float32 xyxy, half-open, tight around visible pixels
    labels: np.ndarray  # (N,) int64, a Kind each
    scales: np.ndarray  # (N,) int64, a Scale each
    visible: np.ndarray  # (N,) float32, visible share of the silhouette in the frame
    boxes3d: np.ndarray  # (N, 7) float32: centre x, y, z, width, height, length, yaw
    K: np.ndarray  # (3, 3) float32 camera matrix
    camera_height: float  # metres; the ground is the plane Y = camera_height
    time: str  # a key of TIMES

    @property
    def panoptic(self) -> np.ndarray:
        """(H, W) int32: ``LABEL_DIVISOR * semantic + instance``."""
        return self.semantic.astype(np.int32) * LABEL_DIVISOR + self.instance

    @property
    def corners(self) -> np.ndarray:
        """(N, 8, 3) float32: corners of the 3D boxes; ``BOX_EDGES`` joins them."""
        signs = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(np.float32) - 0.5
        return self.boxes3d[:, None, :3] + self.boxes3d[:, None, 3:6] * signs


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Project camera points (..., 3) in metres to pixels (..., 2): the pinhole camera.

    Raises ValueError when a point does not lie in front of the camera (Z <= 0).
    """
    points, K = np.asarray(points), np.asarray(K)
    if points.shape[-1:] != (3,):
        raise ValueError(
            f"project: форма точек — {points.shape}, а нужна (..., 3). "
            "Передайте x, y, z в координатах камеры."
        )
    if not (points[..., 2] > 0).all():
        raise ValueError(
            f"project: у одной из точек Z = {points[..., 2].min()}, а нужно Z > 0. "
            "Уберите точки позади камеры."
        )
    return points[..., :2] / points[..., 2:] * (K[0, 0], K[1, 1]) + (K[0, 2], K[1, 2])


def scene(seed: int, size: int = 64, *, n_things: tuple[int, int] = N_THINGS) -> Scene:
    """Make the street number ``seed``, ``size`` x ``size`` pixels (32 to 256).

    ``n_things``: least and greatest number of things. Every thing keeps at least
    ``MIN_PIXELS`` pixels and the share ``MIN_VISIBLE`` of its silhouette in view.
    Raises ValueError for arguments out of range and when too few things find room.
    """
    seed = whole_number("seed", seed, 0, 2**32 - 1)
    size = whole_number("size", size, 32, 256)
    low, high = (whole_number("n_things", n, 0, 99) for n in n_things)
    if low > high:
        raise ValueError(
            f"scene: n_things — {n_things}, а нужно (наименьшее, наибольшее). "
            "Поменяйте числа местами."
        )
    rng = np.random.default_rng(seed)
    time = pick(rng, ("morning", "day", "evening", "night", "day"))
    f = size * uniform(rng, 0.78, 0.9)
    horizon = int(size * uniform(rng, 0.36, 0.43) + 0.5)
    camera = Camera(size, f, horizon, height=uniform(rng, 2.0, 2.4))
    road = Road(x=uniform(rng, -2.8, 2.8), slope=uniform(rng, -0.12, 0.12))
    n = int(rng.integers(low, high + 1))
    layout = place(rng, camera, n, road, TIMES[time].lit)
    if len(layout.placed) < low:
        raise ValueError(
            f"scene: на улице № {seed} нашлось место только для "
            f"{len(layout.placed)} предметов, а нужно не меньше {low}. "
            "Попросите меньше: n_things=(3, 6)."
        )
    picture = paint(rng, camera, time, road, layout)

    order = np.argsort([thing.z for thing, _ in layout.placed], kind="stable")
    things = [layout.placed[i].thing for i in order]
    number = np.zeros(len(things) + 1, np.uint8)
    number[order + 1] = np.arange(1, len(things) + 1)
    instance = number[layout.owner[CENTRES, CENTRES]]
    labels = np.array([thing.kind for thing in things], np.int64)

    ground = np.where(picture.road, Kind.ROAD, Kind.GROUND)
    hills = np.where(picture.hills, Kind.GROUND, Kind.SKY)
    stuff = np.concatenate([hills, ground])[CENTRES, CENTRES]
    semantic = np.where(instance, np.append(0, labels)[instance], stuff)
    far = np.where(picture.hills, HILLS_DEPTH, np.inf)
    far = np.concatenate([far, picture.depth + np.zeros(picture.road.shape)])
    depth = np.minimum(layout.nearest, far)[CENTRES, CENTRES]

    seen = [np.nonzero(instance == k) for k in range(1, len(things) + 1)]
    boxes = [(x.min(), y.min(), x.max() + 1, y.max() + 1) for y, x in seen]
    boxes3d = []
    for thing in things:
        w, h, length = thing.model.size
        centre = thing.x, camera.height - h / 2, thing.z + length / 2
        boxes3d.append((*centre, w, h, length, 0))
    return Scene(
        image=picture.image,
        semantic=semantic.astype(np.uint8),
        instance=instance,
        depth=depth.astype(np.float32),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=labels,
        scales=np.array([thing.scale for thing in things], np.int64),
        visible=layout.visible[order].astype(np.float32),
        boxes3d=np.array(boxes3d, np.float32).reshape(-1, 7),
        K=np.array([[f, 0, size / 2], [0, f, horizon], [0, 0, 1]], np.float32),
        camera_height=camera.height,
        time=time,
    )
