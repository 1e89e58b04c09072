"""Digits, photos and streets as tensors and as datasets; nothing is downloaded."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lecture_utils import data, scenes


def test_light_import_and_nothing_is_written(tmp_path):
    """Heavy libraries wait for their call; the cache of ``datasets`` stays empty."""
    code = (
        "import sys; from lecture_utils import data;"
        "print({'transformers', 'datasets', 'evaluate'} & set(sys.modules));"
        "data.digits_dataset(); data.scenes_dataset(2); data.photo('cat')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("set()\n", "")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_digits_are_all_there_and_split_once():
    x_train, y_train, x_test, y_test = data.digits()
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
    exact = data.digits(size, dtype=torch.float64)
    assert exact.x_test.shape == (450, 1, size, size)
    assert exact.x_train.min() >= 0 and exact.x_train.max() <= 1
    plain = torch.nn.functional.interpolate(
        data.digits(dtype=torch.float64).x_test, size=(size, size), mode="bilinear"
    )
    torch.testing.assert_close(exact.x_test, plain, rtol=0, atol=1e-6)
    # float32 holds the same numbers, so both give the same results.
    assert (
        data.digits(size, dtype=torch.float32).x_test.double() == exact.x_test
    ).all()


def test_digits_follow_the_default_dtype_and_are_not_shared():
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        assert data.digits().x_train.dtype == torch.float64
    finally:
        torch.set_default_dtype(before)
    assert data.digits(dtype=torch.float16, device="cpu").x_test.dtype == torch.float16
    changed = data.digits(dtype=torch.float64)
    changed.x_train.zero_()
    changed.y_train.zero_()
    assert data.digits(dtype=torch.float64).x_train.any()
    assert data.digits().y_train.any()


@pytest.mark.parametrize("name", data.PHOTOS)
def test_photos(name):
    whole, small = data.photo(name), data.photo(name, 40)
    assert whole.dtype == small.dtype == torch.uint8
    assert whole.shape[0] == 3 and min(whole.shape[1:]) >= 300
    assert small.shape == (3, 40, 40)
    # The middle of the photo, averaged: a brightness that differs little.
    height, width = whole.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = whole[:, top : top + side, left : left + side].double()
    assert abs(middle.mean() - small.double().mean()) < 1
    blocks = torch.nn.functional.adaptive_avg_pool2d(middle, 8)
    ours = torch.nn.functional.adaptive_avg_pool2d(small.double(), 8)
    assert (blocks - ours).abs().max() < 25


def test_photos_need_no_download():
    """Every photo lies in an installed package, next to its code."""
    from importlib.resources import files

    for package, file in data.PHOTOS.values():
        assert (files(package) / file).is_file()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.photo("dog"), "'dog', expected one of cat, astronaut, coffee"),
        (lambda: data.photo("cat", 0), "size is 0, expected a positive whole number"),
        (lambda: data.digits(0), "size is 0"),
        (lambda: data.digits(8.0), "size is 8.0"),
        (lambda: data.digits_dataset(-1), "size is -1"),
        (lambda: data.scenes_dataset(0), "n is 0"),
        (lambda: data.scenes_dataset(2, size=300), "size is 300"),
        (lambda: data.scenes_dataset(2, seed=2**32 - 1), "seed is 4294967296"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_digits_dataset_holds_the_digits():
    from datasets import ClassLabel, Image

    splits = data.digits_dataset(12)
    digits = data.digits(12, dtype=torch.float64)
    assert splits["train"].features["label"] == ClassLabel(names=list("0123456789"))
    assert splits["train"].features["image"] == Image(mode="L")
    assert splits.num_rows == {"train": 1347, "test": 450}
    assert splits["train"]["label"][:] == digits.y_train.tolist()
    test = splits["test"].with_format("numpy")
    images = np.stack(test["image"][:20])
    assert images.dtype == np.uint8
    expected = digits.x_test[:20, 0].numpy() * 255
    np.testing.assert_allclose(images, expected, atol=0.5)


def test_scenes_dataset_holds_the_scenes():
    from datasets import Array2D, ClassLabel, Image

    rows = data.scenes_dataset(3, size=48, seed=5)
    assert rows.num_rows == 3 and not rows.cache_files
    assert rows.features["image"] == Image(mode="RGB")
    assert rows.features["depth"] == Array2D((48, 48), "float32")
    assert rows.features["labels"].feature == ClassLabel(names=list(scenes.CLASSES))
    names = rows.features["time"].names
    for i, row in enumerate(rows.with_format("numpy")):
        street = scenes.scene(5 + i, 48)
        assert names[row.pop("time")] == street.time
        for name, value in row.items():
            np.testing.assert_array_equal(
                value, np.float32(getattr(street, name)), err_msg=name
            )
