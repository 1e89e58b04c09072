"""The digits of scikit-learn as tensors."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lecture_utils.data import digits


def test_digits_are_all_there_and_split_once():
    x_train, y_train, x_test, y_test = digits()
    assert x_train.shape == (1347, 1, 8, 8) and x_test.shape == (450, 1, 8, 8)
    assert y_train.shape == (1347,) and y_test.dtype == torch.int64
    # The same images with the same labels as scikit-learn's, each one once.
    original = load_digits()
    ours = torch.cat([x_train, x_test]).flatten(1) * 16
    rows = np.column_stack([ours.numpy(), torch.cat([y_train, y_test]).numpy()])
    theirs = np.column_stack([original.data, original.target])
    np.testing.assert_array_equal(
        rows[np.lexsort(rows.T)], theirs[np.lexsort(theirs.T)]
    )
    assert y_test[:12].tolist() == [0, 7, 7, 4, 7, 2, 0, 1, 2, 4, 8, 1]
    assert torch.bincount(y_test).min() > 30


@pytest.mark.parametrize("size", [7, 16, 28, 32])
def test_resized_digits(size):
    exact = digits(size, dtype=torch.float64)
    assert exact.x_test.shape == (450, 1, size, size)
    assert exact.x_train.min() >= 0 and exact.x_train.max() <= 1
    plain = torch.nn.functional.interpolate(
        digits(dtype=torch.float64).x_test, size=(size, size), mode="bilinear"
    )
    torch.testing.assert_close(exact.x_test, plain, rtol=0, atol=1e-6)
    # float32 holds the same numbers, so both give the same results.
    single = digits(size, dtype=torch.float32).x_test
    assert (single.double() == exact.x_test).all()


def test_digits_are_not_shared():
    changed = digits(dtype=torch.float64)
    changed.x_train.zero_()
    changed.y_train.zero_()
    assert digits(dtype=torch.float64).x_train.any()
    assert digits().y_train.any()


def test_digits_follow_the_default_dtype(float64):
    assert digits().x_train.dtype == torch.float64
    assert digits(dtype=torch.float16, device="cpu").x_test.dtype == torch.float16


@pytest.mark.parametrize("size", [0, 8.0])
def test_bad_input_is_named(size):
    with pytest.raises(ValueError, match=f"size — {size}, а нужно целое число от 1"):
        digits(size)
