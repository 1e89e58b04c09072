"""Faces and a stereo pair, against scikit-image's own functions."""

import torch
from skimage import data as skimage_data

from lecture_utils.data import faces, stereo


def test_faces():
    ours, others = faces()
    theirs = torch.from_numpy(skimage_data.lfw_subset()).unsqueeze(1)
    pictures = torch.cat([ours, others])
    assert pictures.shape == (200, 1, 25, 25) and pictures.dtype == torch.float32
    assert torch.allclose(pictures * theirs.max(), theirs.float())
    assert pictures.min() >= 0 and pictures.max() == 1


def test_stereo():
    left, right, disparity = stereo()
    assert left.shape == right.shape == (3, 500, 741) and left.dtype == torch.uint8
    theirs = torch.from_numpy(skimage_data.stereo_motorcycle()[2])
    known = disparity.isfinite()
    assert torch.equal(known, theirs.isfinite())
    assert torch.equal(disparity[known], theirs[known].to(disparity.dtype))


def test_the_disparity_points_from_left_to_right():
    """A pixel of the left photo looks like the one that the right photo has for it."""
    left, right, disparity = stereo()
    rows, columns = disparity.isfinite().nonzero().T
    there = (columns - disparity[rows, columns].round().long()).clamp(min=0)
    error = (left[:, rows, columns].int() - right[:, rows, there].int()).abs()
    wrong = (left[:, rows, columns].int() - right[:, rows, columns].int()).abs()
    assert error.float().mean() < 0.5 * wrong.float().mean()
