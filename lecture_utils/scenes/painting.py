"""The picture: sky, ground, shadows, things."""

from typing import NamedTuple

import numpy as np

from lecture_utils.scenes.camera import CENTRES, RAYS, Camera
from lecture_utils.scenes.kinds import rgb
from lecture_utils.scenes.street import ROAD, SIDEWALK, Layout, Placed, Road
from lecture_utils.scenes.things import COLOURS, GLOWING, uniform


class Light(NamedTuple):
    """A time of day; colours are (3, 1, 1) float32 from 0 to 255."""

    top: np.ndarray  # the sky above
    low: np.ndarray  # the sky at the horizon, and mist
    sun: np.ndarray  # or moon
    cloud: np.ndarray
    falling: np.ndarray  # what falls on everything; 128 shows colours as they are
    lit: float  # share of lit windows
    shadow: float  # share of the light that a shadow takes


def _light(colours: str, lit: float, shadow: float) -> Light:
    return Light(*rgb(colours)[..., None, None], lit, shadow)


TIMES = {
    "morning": _light("86b6dd fbe3c8 fff3cf fff6ec 807b74", 0.1, 0.45),
    "day": _light("4a95dc d3ebf7 fffbe0 ffffff 848380", 0.0, 0.45),
    "evening": _light("5a5c9c fdb27a ffd98a f6a48c 7e685c", 0.5, 0.45),
    "night": _light("14204a 4a5a8c f4f1da 3c4a78 454c66", 0.85, 0.25),
}


class Picture(NamedTuple):
    """The image and what is painted on it beside the things."""

    image: np.ndarray  # (H, W, 3) uint8
    hills: np.ndarray  # (rays above the horizon, rays) bool
    road: np.ndarray  # (rays below the horizon, rays) bool
    depth: np.ndarray  # (rays below the horizon, 1) float32: of the ground, metres


def paint(
    rng: np.random.Generator, camera: Camera, time: str, road: Road, layout: Layout
) -> Picture:
    """Paint sky, ground with shadows, and the things; ``time``: a key of TIMES."""
    light = TIMES[time]
    sky, hills = _sky(rng, camera, time)
    ground, on_road, z = _ground(rng, camera, light, road, layout.placed)
    rays = np.concatenate([sky, ground], 1)
    for k, (thing, silhouette) in enumerate(layout.placed, 1):
        known = COLOURS | thing.model.colours
        colours = np.array([known[c] for c, _ in silhouette.paints])
        shades = np.array([[s * (c not in GLOWING)] for c, s in silhouette.paints])
        shades = np.where(shades, shades * light.falling[:, 0, 0] / 128, 1)
        mist = thing.z / (thing.z + 160)
        haze = light.low[:, 0, 0] * (mist * 0.9)
        colours = _bytes(colours * shades * (1 - mist) + haze)
        window, parts, *_ = silhouette
        mine = layout.owner[window] == k
        np.copyto(rays[:, *window], colours.T[:, parts], where=mine)
    size = camera.size
    total = rays.reshape(3, size, RAYS, size, RAYS).sum((2, 4), np.uint16)
    image = ((total + RAYS * RAYS // 2) // RAYS**2).astype(np.uint8)
    image = np.ascontiguousarray(image.transpose(1, 2, 0))
    return Picture(image, hills, on_road, z)


def _bytes(colours: np.ndarray) -> np.ndarray:
    return np.clip(colours + 0.5, 0, 255).astype(np.uint8)


def _sky(
    rng: np.random.Generator, camera: Camera, time: str
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (3, rays above the horizon, rays) and the mask of the hills."""
    top, low, sun, cloud, falling, *_ = TIMES[time]
    # The sky is smooth: one ray per pixel will do. x, y: tangents right and up.
    x, y = camera.rx[:, CENTRES], -camera.ry[CENTRES][: camera.horizon]
    high = float(y[0, 0])
    sky = low + (top - low) * np.minimum(y * (1.15 / high) + 0 * x, 1)
    if time == "night":
        for i, j in rng.random((40, 2)).tolist():
            star = sky[:, int(i * len(y)), int(j * x.size)]
            star += (sun[:, 0, 0] - star) * (1 - i)
    dx, dy = x - uniform(rng, -0.5, 0.5), y - high * uniform(rng, 0.5, 0.85)
    far = (dx * dx + dy * dy) * 400
    sky += (sun - sky) * (0.35 / (1 + far / 8) + np.clip(6.6 - far * 6, 0, 0.65))
    cover = np.zeros(sky.shape[1:], np.float32)
    for _ in range(int(rng.integers(2, 5))):  # clouds: four puffs with a flat base
        cx, cy = uniform(rng, -0.6, 0.6), high * uniform(rng, 0.35, 0.9)
        for i in range(4):
            r = uniform(rng, 0.03, 0.06)
            dx = (x - (cx + (i - 1.5) * 0.055)) / (r * 1.7)
            dy = (y - (cy + (r / 2 if 0 < i < 3 else 0))) / r
            dy *= np.where(dy < 0, np.float32(2.5), 1)
            np.maximum(cover, 1 - dx * dx - dy * dy, out=cover)
    sky += (cloud - sky) * np.minimum(cover * 2, 0.85)
    sky = _bytes(sky).repeat(RAYS, 1).repeat(RAYS, 2)

    x, y = camera.rx, -camera.ry[: sky.shape[1]]
    hills = np.zeros(sky.shape[1:], bool)
    for mist, height, width, n in ((0.6, 0.13, 0.5, 6), (0.3, 0.045, 0.1, 16)):
        middle, half, top = rng.random((3, n, 1), np.float32)
        bumps = (x - (middle * 1.6 - 0.8)) / (width * (0.5 + half / 2))
        ridge = ((1 - bumps * bumps) * (height * (0.4 + top * 0.6))).max(0)
        green = np.array([[[88]], [[128]], [[88]]], np.float32) * falling / 128
        np.copyto(sky, _bytes(low * mist + green * (1 - mist)), where=y < ridge)
        hills |= y < ridge
    return sky, hills


GROUND = rgb("6fa552 7bb25b fff2a8 cbbfae b3a796 e2dacc 6d6f78 ece8dc")
LAWN, FLOWER, PATH, SEAM, CURB, ASPHALT, PAINT = range(1, 8)


def _ground(
    rng: np.random.Generator,
    camera: Camera,
    light: Light,
    road: Road,
    placed: list[Placed],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours (3, rays below the horizon, rays), mask of the road, depth (rays, 1)."""
    z = camera.height / camera.ry[camera.horizon * RAYS :]
    x = camera.rx * z
    aside = x - (z * road.slope + road.x)  # from the middle of the road
    side, along = np.abs(aside), z + uniform(rng, 0, 4)
    table = rng.random((64, 64), np.float32) - np.float32(0.5)

    def noise(per_metre: float) -> np.ndarray:
        i, j = z * per_metre, x * per_metre + 2**16
        return table[i.astype(np.int32) & 63, j.astype(np.int32) & 63]

    on_road, fine = side < ROAD, noise(10)
    zebra = np.abs(z - uniform(rng, 6, 12)) < (1.2 if rng.random() < 0.5 else 0)
    kind = np.zeros(x.shape, np.uint8)
    for material, where in (
        (LAWN, along % 6 < 3),
        (FLOWER, (fine > 0.488) & (z < 14)),
        (PATH, side < SIDEWALK),
        (SEAM, (side < SIDEWALK) & (along % 1.2 < 0.06)),
        (CURB, side < ROAD + 0.2),
        (ASPHALT, on_road),
        (PAINT, (side < 0.08) & (along % 3 < 1.6) & ~zebra),
        (PAINT, on_road & (side > ROAD - 0.15)),
        (PAINT, on_road & zebra & ((aside * 2 + 2**16).astype(np.int32) & 1 > 0)),
    ):
        np.copyto(kind, material, where=where)

    rough = np.array([1] * 3 + [0.35] * 5, np.float32)[kind]
    shade = 1 + rough * (fine * (0.3 / (1 + z / 5)) + noise(2.5) * (0.2 / (1 + z / 14)))
    lean = uniform(rng, -0.3, 0.3)
    for thing, _ in placed:
        w, h, length = thing.model.size  # its shadow is soft and falls to one side
        b = (z - (thing.z + length * 0.45)) / (length * 0.5 + 0.45)
        near = np.flatnonzero(np.abs(b) < 1)
        rows = slice(near[0], near[-1] + 1) if near.size else slice(0)
        a = (x[rows] - (thing.x + lean * h)) / (w * 0.55 + abs(lean) * h)
        b = b[rows]
        shade[rows] *= 1 - np.clip(2 - 2 * (a * a + b * b), 0, 1) * light.shadow
    mist = z / (z + 90)
    colours = (GROUND.T * light.falling[:, 0] / 128)[:, kind] * (shade * (1 - mist))
    return _bytes(colours + light.low * (mist * 0.9)), on_road, z
