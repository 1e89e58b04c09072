"""A pair of photos with the true shift of every pixel, inside scikit-image's wheel."""

from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms


class Stereo(NamedTuple):
    """A motorcycle from two places beside each other."""

    left: torch.Tensor  # (3, 500, 741) uint8
    right: torch.Tensor  # (3, 500, 741) uint8
    disparity: torch.Tensor  # (500, 741) pixels; NaN where nobody knows


def stereo() -> Stereo:
    """Load the pair; pixel (i, j) of ``left`` is (i, j - disparity) of ``right``.

    Source: D. Scharstein et al., *High-Resolution Stereo Datasets with
    Subpixel-Accurate Ground Truth*, 2014, reduced four times by scikit-image.
    """
    folder = files("skimage.data")
    with (folder / "motorcycle_disp.npz").open("rb") as stream:
        disparity = torch.from_numpy(np.load(stream)["arr_0"])
    photos = []
    for side in ("left", "right"):
        with (folder / f"motorcycle_{side}.png").open("rb") as stream:
            photos.append(transforms.pil_to_tensor(Image.open(stream).convert("RGB")))
    disparity = disparity.to(torch.get_default_dtype())
    return Stereo(*photos, disparity.where(disparity.isfinite(), torch.nan))
