"""The handwritten digits of scikit-learn."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits

from lecture_utils.arguments import whole_number

N_TEST = 450


class Digits(NamedTuple):
    """Images of digits, split once and for all; values in [0, 1]."""

    x_train: torch.Tensor  # (N, 1, S, S)
    y_train: torch.Tensor  # (N,) int64
    x_test: torch.Tensor  # (M, 1, S, S)
    y_test: torch.Tensor  # (M,) int64


@cache
def _digits(size: int) -> Digits:
    """The digits, resized in float64 and kept to 20 binary places.

    So every machine has the same bits, and float32 holds the same values as float64.
    """
    bunch = load_digits()
    x = torch.from_numpy(bunch.images / 16).unsqueeze(1)
    if size != 8:
        x = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear")
        x = (x * 2**20).round() / 2**20
    y = torch.from_numpy(bunch.target.astype(np.int64))
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(x)))
    train, test = order[:-N_TEST], order[-N_TEST:]
    return Digits(x[train], y[train], x[test], y[test])


def digits(
    size: int = 8,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Digits:
    """Load scikit-learn's 1347 + 450 digits as ``size`` x ``size`` images.

    Source: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI
    Machine Learning Repository, 1998. ``dtype`` defaults to torch's default dtype.
    Raises ValueError when ``size`` is not a positive int.
    """
    dtype = dtype or torch.get_default_dtype()
    x_train, y_train, x_test, y_test = _digits(whole_number("size", size, 1))
    # copy=True: the caller may change its tensors, the cached ones stay as they are.
    return Digits(
        x_train.to(device, dtype, copy=True),
        y_train.to(device, copy=True),
        x_test.to(device, dtype, copy=True),
        y_test.to(device, copy=True),
    )
