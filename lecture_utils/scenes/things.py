"""The artwork: what a thing of each kind looks like.

A model is a list of faces, far to near. Numbers on a face are shares: heights of the
thing's height, widths of its width (0 = middle), lengths of its length. A face lies in

    ("front", b0, p0, b1, p1)  a plane at the depth p0 at height b0 and p1 at height b1
    ("side", b0, p0, b1, p1)   two planes, left and right, so far from the middle
    ("top", b)                 the level plane at height b

and is painted with parts, one over another: (colour, shape, numbers…) in the face's
coordinates a = width (front, top) or length (side), b = height (front, side) or length
(top). Shapes are

    "r" a0 b0 a1 b1            rectangle
    "e" a b ra rb              ellipse
    "t" b0 a0 a1 b1 a2 a3      trapezoid from [a0, a1] at b0 to [a2, a3] at b1
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple, TypeVar

import numpy as np

from lecture_utils.scenes.kinds import Kind, Scale, rgb

T = TypeVar("T")
Plane = tuple[Any, ...]  # a plane and a part, written as above
Part = tuple[Any, ...]

# A thing's own colours come with its model, the others are here.
COLOURS = {
    name: rgb(value)[0]
    for name, value in {
        "none": "000000", "glass": "547086", "shine": "8eacbe", "frame": "f4f0e6",
        "stone": "8c867e", "brick": "965440", "dark": "2e3038", "tyre": "222328",
        "hub": "b0b2b8", "plate": "f0f0e8", "bark": "624834", "eye": "2a2622",
        "lit": "ffd678", "lamp": "fff0be",
    }.items()
}  # fmt: skip
GLOWING = ("lit", "lamp")  # lit windows and lamps shine by themselves


class Size(NamedTuple):
    """Metres."""

    width: float
    height: float
    length: float


class Face(NamedTuple):
    """Parts in one plane, all in the same light."""

    plane: Plane
    shade: float  # 1 = the colours as they are
    parts: list[Part]


class Model(NamedTuple):
    """What one thing looks like."""

    size: Size
    faces: list[Face]  # far to near
    colours: dict[str, np.ndarray]  # (3,) each; what COLOURS does not hold
    lane: int = 0  # 1: only right of the road's middle, -1: only left, 0: either side


@dataclass(frozen=True, eq=False)
class Thing:
    """A model that stands on the ground, turned towards the camera."""

    kind: Kind
    scale: Scale
    model: Model
    x: float  # middle of the front, metres
    z: float  # front, metres


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between the two."""
    return low + (high - low) * float(rng.random())


def _colour(rng: np.random.Generator, hexes: str) -> np.ndarray:
    return pick(rng, [*rgb(hexes)])


# Each model takes the generator and the share of lit windows.
# fmt: off
def _car(rng: np.random.Generator, lit: float) -> Model:
    """We follow the cars of the right lane and meet those of the left one."""
    away = bool(rng.random() < 0.5)
    colours = {
        "paint": _colour(rng, "c8443c 3272b4 e3a92c 3f9270 ece9e0 7d4f92 4fb4c2"),
        "brake": rgb("d42a26")[0],
    }
    lights = [("brake", "r", s - 0.07, 0.36, s + 0.07, 0.5) if away
              else ("lamp", "e", s * 0.9, 0.42, 0.1, 0.08) for s in (-0.4, 0.4)]
    rings = ("dark", 0.24, 0.36), ("tyre", 0.2, 0.3), ("hub", 0.2, 0.15)
    wheels = [(c, "e", a, b, r / 3.9, r / 1.5) for a in (0.2, 0.8) for c, b, r in rings]
    faces = [
        Face(("top", 0.56), 1.08, [("paint", "r", -0.5, 0, 0.5, 1)]),
        Face(("side", 0.56, 0.46, 1, 0.38), 0.82, [
            ("paint", "t", 0.56, 0.18, 0.98, 1, 0.34, 0.9),
            ("glass", "t", 0.6, 0.26, 0.56, 0.94, 0.37, 0.56),
            ("glass", "t", 0.6, 0.6, 0.92, 0.94, 0.6, 0.86)]),
        Face(("top", 1), 1.12, [("paint", "r", -0.38, 0.34, 0.38, 0.9)]),
        Face(("front", 0.56, 0.06 if away else 0.18, 1, 0.34), 1, [
            ("paint", "t", 0.56, -0.46, 0.46, 1, -0.38, 0.38),
            ("glass", "t", 0.6, -0.41, 0.41, 0.95, -0.345, 0.345),
            ("shine", "t", 0.6, -0.3, -0.12, 0.95, -0.16, -0.04)]),
        Face(("side", 0, 0.5, 1, 0.5), 0.8, [
            ("paint", "r", 0, 0.14, 1, 0.56), ("dark", "r", 0, 0.14, 1, 0.2), *wheels,
            ("dark", "r", 0.57, 0.22, 0.58, 0.56),
            ("hub", "r", 0.5, 0.46, 0.55, 0.49)]),
        Face(("front", 0, 0, 1, 0), 1, [
            ("tyre", "r", -0.48, 0, -0.33, 0.3), ("tyre", "r", 0.33, 0, 0.48, 0.3),
            ("paint", "r", -0.5, 0.14, 0.5, 0.56), ("dark", "r", -0.5, 0.14, 0.5, 0.25),
            ("shine" if away else "dark", "r", -0.2, 0.38, 0.2, 0.48),
            ("plate", "r", -0.14, 0.27, 0.14, 0.34), *lights]),
    ]
    return Model(Size(1.75, 1.5, 3.9), faces, colours, lane=1 if away else -1)


def _house(rng: np.random.Generator, lit: float) -> Model:
    def window(a, b, ra=0.1, rb=0.09):
        pane = "lit" if rng.random() < lit else "glass"
        return [("frame", "r", a - ra, b - rb, a + ra, b + rb),
                *((pane, "r", c - ra * 0.38, b - rb * 0.84, c + ra * 0.38,
                   b + rb * 0.84) for c in (a - ra * 0.46, a + ra * 0.46))]

    two, gabled, side = (bool(v < 0.5) for v in rng.random(3))
    height = uniform(rng, 5.8, 6.8) if two else uniform(rng, 4.4, 5.2)
    eave, ridge = 0.66 if two else 0.58, 0.0 if gabled else 0.2
    s = 0.2 if side else -0.2
    floors = (0.19, 0.5) if two else (0.29,)
    roof = _colour(rng, "9c4a3c 6b4a44 4f5d6e 7d5a3c b5603f")
    colours = {
        "wall": _colour(rng, "f1dcb6 e9b489 c9d8d0 d98d76 f3efe4 a9c3d9 e7cf7e"),
        "roof": roof, "tile": roof * np.float32(0.84),
        "door": _colour(rng, "7a3b2e 2f6e62 395b8c 8a6a2f"),
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
    over: list[Part] = [("roof", "t", eave, -0.5, 0.5, 1, -ridge, ridge)]
    if gabled:
        over += [("wall", "t", eave, -0.4, 0.4, 0.94, 0, 0),
                 ("frame", "e", 0, 0.72, 0.075, 0.06),
                 (pane, "e", 0, 0.72, 0.055, 0.044)]
    else:
        over += [("tile", "r", -0.5, eave, 0.5, eave + 0.02)]
    faces = [
        Face(("front", 0, 0.55, 1, 0.55), 0.95, [
            ("brick", "r", s - 0.05, 0.6, s + 0.05, 0.95),
            ("stone", "r", s - 0.06, 0.95, s + 0.06, 0.99)]),
        Face(("side", eave, 0.5, 1, ridge), 0.84, slope),
        Face(("side", 0, 0.44, 1, 0.44), 0.82, walls),
        Face(("front", 0, 0.04, 1, 0.04), 1, front),
        Face(("front", eave, 0, 1, inset), 1, over),
    ]
    size = Size(uniform(rng, 4.2, 5.4), height, uniform(rng, 4, 6))
    return Model(size, faces, colours)


def _tree(rng: np.random.Generator, lit: float) -> Model:
    kind = pick(rng, ("fir", "slim", "wide", "wide"))
    if kind == "fir":  # three tiers, their left halves in the light
        width, tones = 2.6, rgb("24563f 34744f 569a63")
        parts: list[Part] = [("bark", "r", -0.06, 0, 0.06, 0.2)]
        tiers = (0.14, 0.5, 0.5), (0.36, 0.4, 0.76), (0.6, 0.29, 1)
        for i, (b, a, top) in enumerate(tiers):
            parts += [(f"leaf{i // 2}", "t", b, -a, a, top, 0, 0),
                      (f"leaf{i // 2 + 1}", "t", b, -a * 0.85, -a * 0.1, top, 0, 0)]
    else:  # puffs in three tones, the bright ones towards the light
        width = 2.0 if kind == "slim" else uniform(rng, 2.6, 3.4)
        tones = pick(rng, (rgb("2f6b3a 47904a 76b558"), rgb("3f7c30 649f3e 98c556"),
                            rgb("2b5f4e 3f8767 69b087"), rgb("a2572a cb7f30 e9ad4a")))
        parts = [("bark", "t", 0, -0.07, 0.07, 0.6, -0.035, 0.035),
                 ("leaf0", "e", 0, 0.63, 0.4, 0.27)]
        puffs = (10, 0.14, 0), (8, 0.15, 0.04), (9, 0.085, 0.1)
        for tone, (n, r, shift) in enumerate(puffs):  # the first one is the outline
            for i in range(n):
                a = (i + uniform(rng, 0.2, 0.8)) / n * 2 - 1
                b = sqrt(1 - a * a) * (i % 2 * 2 - 1) * uniform(rng, tone == 0, 1)
                reach = 1 - 0.22 * tone
                parts.append((f"leaf{tone}", "e", a * reach * 0.36 - shift,
                              0.63 + b * reach * 0.25 + shift * 0.8, r, r * 0.8))
    colours = {f"leaf{i}": tone for i, tone in enumerate(tones)}
    faces = [Face(("front", 0, 0.4, 1, 0.4), 1, parts)]
    return Model(Size(width, uniform(rng, 3.8, 5.4), width), faces, colours)


def _person(rng: np.random.Generator, lit: float) -> Model:
    height = pick(rng, (1.3, 1.66, 1.74, 1.82))
    skirt, hat, long_hair = (bool(v < 0.4) for v in rng.random(3))
    top = _colour(rng, "d9503f 3e7fb8 e6b23c 5a9e6f 9660a0 f0ebe0 e07fa0")
    colours = {
        "top": top, "sleeve": top * np.float32(0.86),
        "trousers": _colour(rng, "33405c 5b4636 2d2f36 6f7f96"),
        "skin": _colour(rng, "f2c9a5 d9a07a 9a6a4c 6f4a36"),
        "hair": _colour(rng, "2a2320 5d3f2a b98b4e 8a8680"),
        "hat": _colour(rng, "c84b45 2f5f88 e8d9a8"),
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
    faces = [Face(("front", 0, 0.5, 1, 0.5), 1, parts)]
    return Model(Size(0.36 * height, height, 0.4), faces, colours)
# fmt: on


MODELS: dict[Kind, Callable[[np.random.Generator, float], Model]] = {
    Kind.CAR: _car,
    Kind.HOUSE: _house,
    Kind.TREE: _tree,
    Kind.PERSON: _person,
}
