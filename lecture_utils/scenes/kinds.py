"""What a street is made of: the classes of its pixels and the scales of its things."""

from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """Class of a pixel: three kinds of stuff, then four kinds of things."""

    SKY = 0
    GROUND = 1
    ROAD = 2
    CAR = 3
    HOUSE = 4
    TREE = 5
    PERSON = 6


class Scale(IntEnum):
    """How large a thing looks; its least and greatest share are ``SCALE_RANGES``."""

    SMALL = 0
    MEDIUM = 1
    LARGE = 2


THINGS = (Kind.CAR, Kind.HOUSE, Kind.TREE, Kind.PERSON)
CLASSES_RU = ("небо", "земля", "дорога", "машина", "дом", "дерево", "человек")
# A panoptic map holds LABEL_DIVISOR * class + instance, as in the COCO panoptic API.
LABEL_DIVISOR = 1000
# Apparent height of a thing (front of its 3D box) as a share of the image height.
SCALE_RANGES = ((0.09, 0.13), (0.15, 0.25), (0.3, 0.46))  # by Scale


def rgb(hexes: str) -> np.ndarray:
    """(N, 3) float32 from 0 to 255: colours written as ``"rrggbb rrggbb"``."""
    return np.array([tuple(bytes.fromhex(h)) for h in hexes.split()], np.float32)


# Colours of label maps, after Okabe and Ito: safe for colour-blind readers.
PALETTE = rgb("56b4e9 009e73 6e6e6e d55e00 f0e442 00473a cc79a7").astype(np.uint8)
