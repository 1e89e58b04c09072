"""Contrast of two colours, for tests of pictures and slides."""

import numpy as np
from numpy.typing import ArrayLike


def luminance(rgb: ArrayLike) -> float:
    """Relative luminance of sRGB values 0…1 (WCAG 2.2)."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: ArrayLike, b: ArrayLike) -> float:
    """1 for equal colours, 21 for black on white (WCAG 2.2)."""
    dark, light = sorted(map(luminance, (a, b)))
    return (light + 0.05) / (dark + 0.05)
