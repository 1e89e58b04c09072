"""Small pictures of faces and of what is no face, inside the wheel of scikit-image."""

from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch


class Faces(NamedTuple):
    """Grey pictures of 25 x 25 pixels in [0, 1]."""

    faces: torch.Tensor  # (100, 1, 25, 25)
    others: torch.Tensor  # (100, 1, 25, 25), cut from the background of the same photos


def faces(*, device: torch.device | str | None = None) -> Faces:
    """Load 100 faces and 100 other pictures, in torch's default dtype.

    Source: G. Huang, M. Mattar, H. Lee, E. Learned-Miller, *Learning to Align from
    Scratch*, 2012; the choice is scikit-image's ``lfw_subset``.
    """
    with (files("skimage.data") / "lfw_subset.npy").open("rb") as stream:
        pictures = torch.from_numpy(np.load(stream)).unsqueeze(1)
    pictures = pictures.to(device, torch.get_default_dtype())
    return Faces(*(pictures / pictures.max()).split(100))
