"""Small street scenes with exact ground truth: pure numpy, one seed, one street.

A pinhole camera stands above a flat ground and looks along +Z (X right, Y down).
Everything is a plane in space: the ray through a point of the image meets it in one
exact point, so image, label maps, depth and 3D boxes agree by construction.
Pixel (row i, column j) covers [j, j + 1) x [i, i + 1); maps hold the value at its
centre, the image holds the mean colour of 3 x 3 points of it.

Only + - * / sqrt, comparisons and integers decide a pixel. These are exact in IEEE
arithmetic, so a seed gives the same bytes on every machine.
"""

import operator
from dataclasses import dataclass
from math import sqrt

import numpy as np

CLASSES = ("sky", "ground", "road", "car", "house", "tree", "person")
CLASSES_RU = ("небо", "земля", "дорога", "машина", "дом", "дерево", "человек")
STUFF, THINGS = (0, 1, 2), (3, 4, 5, 6)
SCALES = ("small", "medium", "large")
# Apparent height of a thing (front of its 3D box) as a share of the image height.
SCALE_RANGES = ((0.09, 0.13), (0.15, 0.25), (0.3, 0.46))
MIN_PIXELS = 6  # every thing keeps at least so many visible pixels
HILLS_DEPTH = 1000.0  # metres; the hills on the horizon are one far upright plane
# Corner numbers of a 3D box joined by its 12 edges, for drawing.
BOX_EDGES = tuple((i, i | b) for b in (1, 2, 4) for i in range(8) if not i & b)

RAYS = 3  # rays per pixel side; odd, so that the middle one meets the pixel's centre
CENTRES = slice(RAYS // 2, None, RAYS)
ROAD, SIDEWALK = 2.4, 3.7  # half-widths from the middle of the road, metres


def _rgb(hexes: str) -> np.ndarray:
    return np.array([tuple(bytes.fromhex(h)) for h in hexes.split()], np.float32)


# Colours of label maps, after Okabe and Ito: safe for colour-blind readers.
PALETTE = _rgb("56b4e9 009e73 6e6e6e d55e00 f0e442 00473a cc79a7").astype(np.uint8)
# Colours: sky above, sky at the horizon, sun or moon, clouds, light that falls on
# everything (80 = as it is); then the shares of lit windows and of light in shadows.
TIMES = {
    "morning": ("86b6dd fbe3c8 fff3cf fff6ec 807b74", 0.1, 0.45),
    "day": ("4a95dc d3ebf7 fffbe0 ffffff 848380", 0.0, 0.45),
    "evening": ("5a5c9c fdb27a ffd98a f6a48c 7e685c", 0.5, 0.45),
    "night": ("14204a 4a5a8c f4f1da 3c4a78 454c66", 0.85, 0.25),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """One street with its ground truth; N things, numbered 1..N from near to far."""

    image: np.ndarray  # (H, W, 3) uint8
    semantic: np.ndarray  # (H, W) uint8, index into CLASSES
    instance: np.ndarray  # (H, W) uint8, 0 = stuff, k = k-th thing
    depth: np.ndarray  # (H, W) float32, metres along Z; inf for the sky
    boxes: np.ndarray  # (N, 4) float32 xyxy, half-open, tight around visible pixels
    labels: np.ndarray  # (N,) int64, index into CLASSES
    scales: np.ndarray  # (N,) int64, index into SCALES
    visible: np.ndarray  # (N,) float32, visible share of the silhouette in the frame
    boxes3d: np.ndarray  # (N, 7) float32: centre x, y, z, width, height, length, yaw
    K: np.ndarray  # (3, 3) float32 camera matrix
    camera_height: float  # metres; the ground is the plane Y = camera_height
    time: str  # a key of TIMES

    @property
    def panoptic(self) -> np.ndarray:
        """(H, W) int32: ``1000 * semantic + instance``."""
        return self.semantic.astype(np.int32) * 1000 + self.instance

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
            f"points have shape {points.shape}, expected (..., 3): "
            "pass x, y, z in camera coordinates"
        )
    if not (points[..., 2] > 0).all():
        raise ValueError(
            f"a point has Z = {points[..., 2].min()}, expected Z > 0: "
            "leave out the points behind the camera"
        )
    return points[..., :2] / points[..., 2:] * (K[0, 0], K[1, 1]) + (K[0, 2], K[1, 2])


# --- models: what a thing looks like --------------------------------------------------
# A model is a list of faces, far to near: (plane, shade, parts). Heights are in shares
# of the thing's height, widths of its width (0 = middle), lengths of its length.
#   ("front", b0, p0, b1, p1)  p = depth of the plane at heights b0, b1
#   ("side", b0, p0, b1, p1)   p = distance from the middle at heights b0, b1, each side
#   ("top", b)                 level plane at height b
# A part is (colour, shape, numbers) in the face's own coordinates: a = width (front,
# top) or length (side), b = height (front, side) or length (top).
#   "r" a0 b0 a1 b1           rectangle
#   "e" a b ra rb             ellipse
#   "t" b0 a0 a1 b1 a2 a3     trapezoid from [a0, a1] at b0 to [a2, a3] at b1

# A thing's own colours come with its model, the others are here; lit windows and lamps
# shine by themselves.
GLOWING = ("lit", "lamp")
COLOURS = {
    "none": "000000", "glass": "547086", "shine": "8eacbe", "frame": "f4f0e6",
    "stone": "8c867e", "brick": "965440", "dark": "2e3038", "tyre": "222328",
    "hub": "b0b2b8", "plate": "f0f0e8", "bark": "624834", "eye": "2a2622",
    "lit": "ffd678", "lamp": "fff0be",
}  # fmt: skip
COLOURS = {name: _rgb(value)[0] for name, value in COLOURS.items()}


@dataclass(frozen=True, eq=False)
class _Thing:
    label: int
    scale: int
    size: tuple[float, float, float]  # width, height, length, metres
    faces: list
    colours: dict
    x: float  # middle of the front, metres
    z: float  # front, metres


def _pick(rng, options):
    return options[int(rng.integers(len(options)))]


def _uniform(rng, low, high):
    return low + (high - low) * float(rng.random())


# fmt: off
def _car(rng, lit):
    """We follow the cars of the right lane and meet those of the left one."""
    away = bool(rng.random() < 0.5)
    colours = {
        "paint": _pick(rng, _rgb("c8443c 3272b4 e3a92c 3f9270 ece9e0 7d4f92 4fb4c2")),
        "brake": _rgb("d42a26")[0],
    }
    lights = [("brake", "r", s - 0.07, 0.36, s + 0.07, 0.5) if away
              else ("lamp", "e", s * 0.9, 0.42, 0.1, 0.08) for s in (-0.4, 0.4)]
    rings = ("dark", 0.24, 0.36), ("tyre", 0.2, 0.3), ("hub", 0.2, 0.15)
    wheels = [(c, "e", a, b, r / 3.9, r / 1.5) for a in (0.2, 0.8) for c, b, r in rings]
    faces = [
        (("top", 0.56), 1.08, [("paint", "r", -0.5, 0, 0.5, 1)]),
        (("side", 0.56, 0.46, 1, 0.38), 0.82, [
            ("paint", "t", 0.56, 0.18, 0.98, 1, 0.34, 0.9),
            ("glass", "t", 0.6, 0.26, 0.56, 0.94, 0.37, 0.56),
            ("glass", "t", 0.6, 0.6, 0.92, 0.94, 0.6, 0.86)]),
        (("top", 1), 1.12, [("paint", "r", -0.38, 0.34, 0.38, 0.9)]),
        (("front", 0.56, 0.06 if away else 0.18, 1, 0.34), 1, [
            ("paint", "t", 0.56, -0.46, 0.46, 1, -0.38, 0.38),
            ("glass", "t", 0.6, -0.41, 0.41, 0.95, -0.345, 0.345),
            ("shine", "t", 0.6, -0.3, -0.12, 0.95, -0.16, -0.04)]),
        (("side", 0, 0.5, 1, 0.5), 0.8, [
            ("paint", "r", 0, 0.14, 1, 0.56), ("dark", "r", 0, 0.14, 1, 0.2), *wheels,
            ("dark", "r", 0.57, 0.22, 0.58, 0.56),
            ("hub", "r", 0.5, 0.46, 0.55, 0.49)]),
        (("front", 0, 0, 1, 0), 1, [
            ("tyre", "r", -0.48, 0, -0.33, 0.3), ("tyre", "r", 0.33, 0, 0.48, 0.3),
            ("paint", "r", -0.5, 0.14, 0.5, 0.56), ("dark", "r", -0.5, 0.14, 0.5, 0.25),
            ("shine" if away else "dark", "r", -0.2, 0.38, 0.2, 0.48),
            ("plate", "r", -0.14, 0.27, 0.14, 0.34), *lights]),
    ]
    return (1.75, 1.5, 3.9), faces, colours, 1 if away else -1


def _house(rng, lit):
    def window(a, b, ra=0.1, rb=0.09):
        pane = "lit" if rng.random() < lit else "glass"
        return [("frame", "r", a - ra, b - rb, a + ra, b + rb),
                *((pane, "r", c - ra * 0.38, b - rb * 0.84, c + ra * 0.38,
                   b + rb * 0.84) for c in (a - ra * 0.46, a + ra * 0.46))]

    two, gabled, side = (bool(v < 0.5) for v in rng.random(3))
    height = _uniform(rng, 5.8, 6.8) if two else _uniform(rng, 4.4, 5.2)
    eave, ridge = 0.66 if two else 0.58, 0.0 if gabled else 0.2
    s = 0.2 if side else -0.2
    floors = (0.19, 0.5) if two else (0.29,)
    roof = _pick(rng, _rgb("9c4a3c 6b4a44 4f5d6e 7d5a3c b5603f"))
    colours = {
        "wall": _pick(rng, _rgb("f1dcb6 e9b489 c9d8d0 d98d76 f3efe4 a9c3d9 e7cf7e")),
        "roof": roof, "tile": roof * np.float32(0.84),
        "door": _pick(rng, _rgb("7a3b2e 2f6e62 395b8c 8a6a2f")),
    }
    door, pane = (0.28 if two else 0.36), ("lit" if rng.random() < lit else "glass")
    front = [
        ("wall", "r", -0.44, 0, 0.44, eave), ("stone", "r", -0.44, 0, 0.44, 0.05),
        ("stone", "r", -0.12, 0, 0.12, 0.025),
        ("frame", "r", -0.09, 0.025, 0.09, door),
        ("door", "r", -0.07, 0.025, 0.07, door - 0.02),
        (pane, "r", -0.04, door - 0.1, 0.04, door - 0.05),
        *(part for b in floors for a in (-0.27, 0.27) for part in window(a, b)),
        *(window(0, 0.5, 0.08) if two else ()),
    ]
    walls = [("wall", "r", 0.04, 0, 0.97, eave), ("stone", "r", 0.04, 0, 0.97, 0.05),
             *(part for b in floors for a in (0.28, 0.72) for part in window(a, b))]
    inset = 0 if gabled else 0.3
    slope = [("roof", "t", eave, 0, 1, 1, inset, 1 - inset),
             *(("tile", "r", inset * t, eave + (1 - eave) * t, 1 - inset * t,
                eave + (1 - eave) * t + 0.015) for t in (0, 0.25, 0.5, 0.75))]
    over = [("roof", "t", eave, -0.5, 0.5, 1, -ridge, ridge)]
    if gabled:
        over += [("wall", "t", eave, -0.4, 0.4, 0.94, 0, 0),
                 ("frame", "e", 0, 0.72, 0.075, 0.06),
                 (pane, "e", 0, 0.72, 0.055, 0.044)]
    else:
        over += [("tile", "r", -0.5, eave, 0.5, eave + 0.02)]
    faces = [
        (("front", 0, 0.55, 1, 0.55), 0.95, [
            ("brick", "r", s - 0.05, 0.6, s + 0.05, 0.95),
            ("stone", "r", s - 0.06, 0.95, s + 0.06, 0.99)]),
        (("side", eave, 0.5, 1, ridge), 0.84, slope),
        (("side", 0, 0.44, 1, 0.44), 0.82, walls),
        (("front", 0, 0.04, 1, 0.04), 1, front),
        (("front", eave, 0, 1, inset), 1, over),
    ]
    return (_uniform(rng, 4.2, 5.4), height, _uniform(rng, 4, 6)), faces, colours, 0


def _tree(rng, lit):
    kind = _pick(rng, ("fir", "slim", "wide", "wide"))
    if kind == "fir":  # three tiers, their left halves in the light
        width, tones = 2.6, _rgb("24563f 34744f 569a63")
        parts = [("bark", "r", -0.06, 0, 0.06, 0.2)]
        tiers = (0.14, 0.5, 0.5), (0.36, 0.4, 0.76), (0.6, 0.29, 1)
        for i, (b, a, top) in enumerate(tiers):
            parts += [(f"leaf{i // 2}", "t", b, -a, a, top, 0, 0),
                      (f"leaf{i // 2 + 1}", "t", b, -a * 0.85, -a * 0.1, top, 0, 0)]
    else:  # puffs in three tones, the bright ones towards the light
        width = 2.0 if kind == "slim" else _uniform(rng, 2.6, 3.4)
        tones = _pick(rng, (_rgb("2f6b3a 47904a 76b558"), _rgb("3f7c30 649f3e 98c556"),
                            _rgb("2b5f4e 3f8767 69b087"), _rgb("a2572a cb7f30 e9ad4a")))
        parts = [("bark", "t", 0, -0.07, 0.07, 0.6, -0.035, 0.035),
                 ("leaf0", "e", 0, 0.63, 0.4, 0.27)]
        puffs = (10, 0.14, 0), (8, 0.15, 0.04), (9, 0.085, 0.1)
        for tone, (n, r, shift) in enumerate(puffs):  # the first one is the outline
            for i in range(n):
                a = (i + _uniform(rng, 0.2, 0.8)) / n * 2 - 1
                b = sqrt(1 - a * a) * (i % 2 * 2 - 1) * _uniform(rng, tone == 0, 1)
                reach = 1 - 0.22 * tone
                parts.append((f"leaf{tone}", "e", a * reach * 0.36 - shift,
                              0.63 + b * reach * 0.25 + shift * 0.8, r, r * 0.8))
    colours = {f"leaf{i}": tone for i, tone in enumerate(tones)}
    faces = [(("front", 0, 0.4, 1, 0.4), 1, parts)]
    return (width, _uniform(rng, 3.8, 5.4), width), faces, colours, 0


def _person(rng, lit):
    height = _pick(rng, (1.3, 1.66, 1.74, 1.82))
    skirt, hat, long_hair = (bool(v < 0.4) for v in rng.random(3))
    top = _pick(rng, _rgb("d9503f 3e7fb8 e6b23c 5a9e6f 9660a0 f0ebe0 e07fa0"))
    colours = {
        "top": top, "sleeve": top * np.float32(0.86),
        "trousers": _pick(rng, _rgb("33405c 5b4636 2d2f36 6f7f96")),
        "skin": _pick(rng, _rgb("f2c9a5 d9a07a 9a6a4c 6f4a36")),
        "hair": _pick(rng, _rgb("2a2320 5d3f2a b98b4e 8a8680")),
        "hat": _pick(rng, _rgb("c84b45 2f5f88 e8d9a8")),
    }
    leg, arms = "skin" if skirt else "trousers", (-0.42, 0.42)
    parts = [
        ("hair", "e", 0, 0.87, 0.3, 0.11),
        ("hair", "r", -0.28, 0.74 if long_hair else 0.85, 0.28, 0.88),
        *((leg, "t", 0.03, s - 0.09, s + 0.09, 0.48, s - 0.13, s + 0.13)
          for s in (-0.15, 0.15)),
        *(("tyre", "r", s - 0.12, 0, s + 0.12, 0.045) for s in (-0.16, 0.16)),
        *(("skin", "e", s, 0.41, 0.07, 0.03) for s in arms),
        *(("sleeve", "t", 0.42, s - 0.07, s + 0.07, 0.76, s * 0.7 - 0.1, s * 0.7 + 0.1)
          for s in arms),
        ("top", "t", 0.43, -0.27, 0.27, 0.77, -0.31, 0.31),
        ("skin", "r", -0.08, 0.75, 0.08, 0.8), ("skin", "e", 0, 0.87, 0.25, 0.095),
        ("hair", "t", 0.9, -0.25, 0.25, 0.965, -0.17, 0.17),
        *(("eye", "e", s, 0.872, 0.03, 0.012) for s in (-0.1, 0.1)),
    ]
    if skirt:
        parts.append(("top", "t", 0.27, -0.4, 0.4, 0.5, -0.26, 0.26))
    if hat:
        parts += [("hat", "r", -0.34, 0.91, 0.34, 0.935),
                  ("hat", "t", 0.93, -0.22, 0.22, 1, -0.18, 0.18)]
    faces = [(("front", 0, 0.5, 1, 0.5), 1, parts)]
    return (0.36 * height, height, 0.4), faces, colours, 0
# fmt: on


MODELS = {3: _car, 4: _house, 5: _tree, 6: _person}
# Distance of a thing's near side from the middle of the road, metres.
ZONES = {
    3: (0.2, 0.5),
    4: (SIDEWALK + 0.4, SIDEWALK + 6),
    5: (SIDEWALK - 0.3, SIDEWALK + 6),
    6: (ROAD + 0.2, SIDEWALK - 0.7),
}


# --- camera: which point of which plane a ray meets -----------------------------------


@dataclass(frozen=True, eq=False)
class _Camera:
    size: int  # pixels
    f: float  # focal length, pixels
    horizon: int  # row
    height: float  # metres

    def __post_init__(self):
        p = (np.arange(RAYS * self.size) + 0.5) / RAYS
        rx, ry = (p - self.size / 2) / self.f, (p - self.horizon) / self.f
        vars(self)["rx"] = rx.astype(np.float32)[None]  # (1, rays) X / Z
        vars(self)["ry"] = ry.astype(np.float32)[:, None]  # (rays, 1) Y / Z

    def window(self, thing):
        """Slices of rays, in whole pixels, that can meet a thing's 3D box."""
        w, h, length = thing.size
        ends = thing.z, thing.z + length
        u = [(thing.x + s * w / 2) / z for s in (-1, 1) for z in ends]
        v = [(self.height - y) / z for y in (0, h) for z in ends]
        return tuple(
            slice(*(RAYS * min(max(int(self.f * t + c), 0), self.size)
                    for t, c in ((min(r), origin - 1), (max(r), origin + 2))))
            for r, origin in ((v, self.horizon), (u, self.size / 2))
        )  # fmt: skip


def _plane(plane, thing, up, rx, ry):
    """Yield (a, b, depth) where the rays meet a face; nothing if it is turned away."""
    (kind, b0, *rest), (w, h, length) = plane, thing.size
    drop = up - b0 * h  # from the camera down to the face's lower edge
    if kind == "top":
        if drop > 0:
            z = drop / ry
            yield (rx * z - thing.x) / w, (z - thing.z) / length, z
        return
    p0, b1, p1 = rest
    lean = (p1 - p0) / ((b1 - b0) * h)
    if kind == "front":
        lean *= length
        z = thing.z + p0 * length + lean * drop
        z = z / (1 + lean * (ry if lean else ry[:1]))
        yield (rx * z - thing.x) / w, (up - ry * z) / h, z
        return
    for side in (-w, w):
        x = thing.x + side * (p0 + lean * drop)
        if x * side < 0:
            z = x / (rx + side * lean * ry if lean else rx)
            yield (z - thing.z) / length, (up - ry * z) / h, z


def _inside(shape, n, a, b):
    """Which points (a, b) lie inside a part with the numbers ``n``."""
    if shape == "e":
        a, b = (a - n[0]) / n[2], (b - n[1]) / n[3]
        return a * a + b * b <= 1
    if shape == "r":
        return (a >= n[0]) & (a <= n[2]) & ((b >= n[1]) & (b <= n[3]))
    t = (b - n[0]) / (n[3] - n[0])
    left, right = n[1] + (n[4] - n[1]) * t, n[2] + (n[5] - n[2]) * t
    return (a >= left) & (a <= right) & ((t >= 0) & (t <= 1))


def _rasterise(thing, camera):
    """Window, part numbers (0 = none), depths, and each part's (colour, shade)."""
    window = camera.window(thing)
    ry, rx = camera.ry[window[0]], camera.rx[:, window[1]]
    parts = np.zeros((len(ry), rx.size), np.uint8)
    depth = np.full(parts.shape, np.inf, np.float32)
    paints = [("none", 0)]
    # A ray parallel to a side wall meets it at infinity, which is inside no part.
    with np.errstate(divide="ignore", invalid="ignore"):
        for plane, shade, drawn in thing.faces:
            for a, b, z in _plane(plane, thing, camera.height, rx, ry):
                for colour, shape, *numbers in drawn:
                    met = _inside(shape, numbers, a, b)
                    np.copyto(parts, len(paints), where=met)
                    np.copyto(depth, z, where=met)
                    paints.append((colour, shade))
    return window, parts, depth, paints


# --- layout: who stands where ---------------------------------------------------------


def _candidate(rng, camera, scale, road, lit):
    """A thing in its zone of the street, with the apparent height of its scale."""
    label = _pick(rng, THINGS)
    size, faces, colours, lane = MODELS[label](rng, lit)
    for _ in range(12):
        height = _uniform(rng, *SCALE_RANGES[scale]) * camera.size
        z = camera.f * size[1] / height
        crossing = label == 6 and rng.random() < 0.2
        offset = _uniform(rng, *((0, ROAD) if crossing else ZONES[label])) + size[0] / 2
        x = road[0] + road[1] * z + (lane or _pick(rng, (-1, 1))) * offset
        foot = camera.horizon + camera.f * camera.height / z
        if abs(camera.f * x / z) < 0.44 * camera.size and foot < 0.97 * camera.size:
            return _Thing(label, scale, size, faces, colours, x, z)
    return None


def _apart(p, q):
    """True when the 3D boxes of two things on the ground do not touch."""
    (pw, _, pl), (qw, _, ql) = p.size, q.size
    return abs(p.x - q.x) > (pw + qw) / 2 or p.z > q.z + ql or q.z > p.z + pl


def _place(rng, camera, n, min_visible, road, lit):
    """Place things one by one into a z-buffer; who would hide too much is sent away."""
    shape = (RAYS * camera.size,) * 2
    nearest, owner = np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint8)
    placed, whole, seen = [], np.zeros(1, int), np.zeros(1, int)
    for scale in (rng.permutation(3).tolist() * n)[:n]:
        for _ in range(60):
            thing = _candidate(rng, camera, scale, road, lit)
            if thing is None or not all(_apart(thing, other) for other, *_ in placed):
                continue
            window, parts, depth, paints = _rasterise(thing, camera)
            closer = depth < nearest[window]
            won = closer[CENTRES, CENTRES]
            lost = np.bincount(owner[window][CENTRES, CENTRES][won], None, len(whole))
            left = np.append(seen - lost, np.count_nonzero(won))
            full = np.append(whole, np.count_nonzero(parts[CENTRES, CENTRES]))
            if (left < np.maximum(MIN_PIXELS, min_visible * full))[1:].any():
                continue
            placed.append((thing, window, parts, paints))
            whole, seen = full, left
            np.copyto(nearest[window], depth, where=closer)
            np.copyto(owner[window], len(placed), where=closer)
            break
    return placed, owner, nearest, seen[1:] / whole[1:]


# --- picture: sky, ground, shadows, things --------------------------------------------


def _bytes(rgb):
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)


def _sky(rng, camera, time):
    """Colours (3, rays above the horizon, rays) and the mask of the hills."""
    top, low, sun, cloud, light = _rgb(TIMES[time][0])[..., None, None]
    # The sky is smooth: one ray per pixel will do. x, y: tangents right and up.
    x, y = camera.rx[:, CENTRES], -camera.ry[CENTRES][: camera.horizon]
    high = float(y[0, 0])
    rgb = low + (top - low) * np.minimum(y * (1.15 / high) + 0 * x, 1)
    if time == "night":
        for i, j in rng.random((40, 2)).tolist():
            star = rgb[:, int(i * len(y)), int(j * x.size)]
            star += (sun[:, 0, 0] - star) * (1 - i)
    dx, dy = x - _uniform(rng, -0.5, 0.5), y - high * _uniform(rng, 0.5, 0.85)
    far = (dx * dx + dy * dy) * 400
    rgb += (sun - rgb) * (0.35 / (1 + far / 8) + np.clip(6.6 - far * 6, 0, 0.65))
    cover = np.zeros(rgb.shape[1:], np.float32)
    for _ in range(int(rng.integers(2, 5))):  # clouds: four puffs with a flat base
        cx, cy = _uniform(rng, -0.6, 0.6), high * _uniform(rng, 0.35, 0.9)
        for i in range(4):
            r = _uniform(rng, 0.03, 0.06)
            dx = (x - (cx + (i - 1.5) * 0.055)) / (r * 1.7)
            dy = (y - (cy + (r / 2 if 0 < i < 3 else 0))) / r
            dy *= np.where(dy < 0, np.float32(2.5), 1)
            np.maximum(cover, 1 - dx * dx - dy * dy, out=cover)
    rgb += (cloud - rgb) * np.minimum(cover * 2, 0.85)
    rgb = _bytes(rgb).repeat(RAYS, 1).repeat(RAYS, 2)

    x, y = camera.rx, -camera.ry[: rgb.shape[1]]
    hills = np.zeros(rgb.shape[1:], bool)
    for mist, height, width, n in ((0.6, 0.13, 0.5, 6), (0.3, 0.045, 0.1, 16)):
        middle, half, top = rng.random((3, n, 1), np.float32)
        bumps = (x - (middle * 1.6 - 0.8)) / (width * (0.5 + half / 2))
        ridge = ((1 - bumps * bumps) * (height * (0.4 + top * 0.6))).max(0)
        green = np.array([[[88]], [[128]], [[88]]], np.float32) * light / 128
        np.copyto(rgb, _bytes(low * mist + green * (1 - mist)), where=y < ridge)
        hills |= y < ridge
    return rgb, hills


GROUND = _rgb("6fa552 7bb25b fff2a8 cbbfae b3a796 e2dacc 6d6f78 ece8dc")
LAWN, FLOWER, PATH, SEAM, CURB, ASPHALT, PAINT = range(1, 8)


def _ground(rng, camera, time, road, placed):
    """Colours (3, rays below the horizon, rays), mask of the road, depth (rays, 1)."""
    z = camera.height / camera.ry[camera.horizon * RAYS :]
    x = camera.rx * z
    aside = x - (z * road[1] + road[0])  # from the middle of the road
    side, along = np.abs(aside), z + _uniform(rng, 0, 4)
    table = rng.random((64, 64), np.float32) - np.float32(0.5)

    def noise(per_metre):
        i, j = z * per_metre, x * per_metre + 2**16
        return table[i.astype(np.int32) & 63, j.astype(np.int32) & 63]

    on_road, fine = side < ROAD, noise(10)
    zebra = np.abs(z - _uniform(rng, 6, 12)) < (1.2 if rng.random() < 0.5 else 0)
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
    dim, lean = TIMES[time][2], _uniform(rng, -0.3, 0.3)
    for thing, *_ in placed:
        w, h, length = thing.size  # its shadow is soft and falls to one side
        b = (z - (thing.z + length * 0.45)) / (length * 0.5 + 0.45)
        rows = np.flatnonzero(np.abs(b) < 1)
        rows = slice(rows[0], rows[-1] + 1) if rows.size else slice(0)
        a = (x[rows] - (thing.x + lean * h)) / (w * 0.55 + abs(lean) * h)
        b = b[rows]
        shade[rows] *= 1 - np.clip(2 - 2 * (a * a + b * b), 0, 1) * dim
    _, low, _, _, light = _rgb(TIMES[time][0])[..., None, None]
    mist = z / (z + 90)
    rgb = (GROUND.T * light[:, 0] / 128)[:, kind] * (shade * (1 - mist))
    return _bytes(rgb + low * (mist * 0.9)), on_road, z


def _shoot(rng, camera, time, road, placed, owner):
    """Image (H, W, 3), mask of the hills above the horizon, road and depth below."""
    _, low, _, _, light = _rgb(TIMES[time][0])
    sky, hills = _sky(rng, camera, time)
    ground, on_road, z = _ground(rng, camera, time, road, placed)
    rgb = np.concatenate([sky, ground], 1)
    for k, (thing, window, parts, paints) in enumerate(placed, 1):
        known = COLOURS | thing.colours
        colours = np.array([known[c] for c, _ in paints])
        shades = np.array([[s * (c not in GLOWING)] for c, s in paints])
        shades = np.where(shades, shades * light / 128, 1)
        mist = thing.z / (thing.z + 160)
        colours = _bytes(colours * shades * (1 - mist) + low * (mist * 0.9))
        np.copyto(rgb[:, *window], colours.T[:, parts], where=owner[window] == k)
    total = sum(rgb[:, i::RAYS].astype(np.uint16) for i in range(RAYS))
    total = sum(total[:, :, i::RAYS] for i in range(RAYS))
    image = ((total + RAYS * RAYS // 2) // RAYS**2).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0)), hills, on_road, z


def _whole(name, value, low, high):
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ValueError(
            f"{name} is {value!r}, expected a whole number from {low} to {high}: "
            f"pass an int in this range, for example {name}={min(max(7, low), high)}"
        )
    return number


def scene(
    seed: int,
    size: int = 64,
    *,
    n_things: tuple[int, int] = (3, 6),
    min_visible: float = 0.35,
) -> Scene:
    """Make the street number ``seed``, ``size`` x ``size`` pixels (32 to 256).

    ``n_things``: least and greatest number of things. ``min_visible``: share of its
    silhouette in the frame that every thing keeps in view, from 0 to 1.
    Raises ValueError for arguments out of range and when too few things find room.
    """
    seed = _whole("seed", seed, 0, 2**32 - 1)
    size = _whole("size", size, 32, 256)
    low, high = (_whole("n_things", n, 0, 99) for n in n_things)
    if low > high:
        raise ValueError(
            f"n_things is {n_things}, expected (least, greatest): swap the two numbers"
        )
    if not 0 <= min_visible <= 1:
        raise ValueError(
            f"min_visible is {min_visible}, expected a share from 0 to 1: "
            "0.35 keeps a third of every thing in view"
        )
    rng = np.random.default_rng(seed)
    time = _pick(rng, ("morning", "day", "evening", "night", "day"))
    f = size * _uniform(rng, 0.78, 0.9)
    horizon = int(size * _uniform(rng, 0.36, 0.43) + 0.5)
    camera = _Camera(size, f, horizon, _uniform(rng, 2.0, 2.4))
    road = _uniform(rng, -2.8, 2.8), _uniform(rng, -0.12, 0.12)  # X at Z = 0, slope
    n = int(rng.integers(low, high + 1))
    placed, owner, nearest, visible = _place(
        rng, camera, n, min_visible, road, TIMES[time][1]
    )
    if len(placed) < low:
        raise ValueError(
            f"only {len(placed)} things found room in scene {seed}, expected at least "
            f"{low}: ask for fewer n_things or a smaller min_visible"
        )
    image, hills, on_road, z = _shoot(rng, camera, time, road, placed, owner)

    order = np.argsort([thing.z for thing, *_ in placed], kind="stable")
    things = [placed[i][0] for i in order]
    number = np.zeros(len(placed) + 1, np.uint8)
    number[order + 1] = np.arange(1, len(placed) + 1)
    instance = number[owner[CENTRES, CENTRES]]
    labels = np.array([thing.label for thing in things], np.int64)

    semantic = np.concatenate([hills, np.uint8(1) + on_road])[CENTRES, CENTRES]
    semantic = np.where(instance, np.append(0, labels)[instance], semantic)
    far = np.where(hills, HILLS_DEPTH, np.inf)
    far = np.concatenate([far, z + np.zeros(on_road.shape)])
    depth = np.minimum(nearest, far)[CENTRES, CENTRES]

    seen = [np.nonzero(instance == k) for k in range(1, len(things) + 1)]
    boxes = [(x.min(), y.min(), x.max() + 1, y.max() + 1) for y, x in seen]
    boxes3d = [
        (t.x, camera.height - t.size[1] / 2, t.z + t.size[2] / 2, *t.size, 0)
        for t in things
    ]
    return Scene(
        image=image,
        semantic=semantic.astype(np.uint8),
        instance=instance,
        depth=depth.astype(np.float32),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=labels,
        scales=np.array([t.scale for t in things], np.int64),
        visible=visible[order].astype(np.float32),
        boxes3d=np.array(boxes3d, np.float32).reshape(-1, 7),
        K=np.array([[f, 0, size / 2], [0, f, horizon], [0, 0, 1]], np.float32),
        camera_height=camera.height,
        time=time,
    )
