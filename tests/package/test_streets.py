"""Streets as tensors and as a dataset hold what their scenes hold."""

import numpy as np
import pytest
import torch

from lecture_utils.data import scenes_dataset, streets
from lecture_utils.scenes import scene


def test_streets_hold_the_scenes():
    seeds = 3, 10_000, 4
    x, semantic, instance, scenes = streets(seeds, 48)
    assert x.shape == (3, 3, 48, 48) and x.dtype == torch.float32
    assert semantic.dtype == instance.dtype == torch.int64
    for i, seed in enumerate(seeds):
        street = scene(seed, 48)
        image = (x[i].permute(1, 2, 0) * 255).round().byte()
        np.testing.assert_array_equal(image, street.image)
        np.testing.assert_array_equal(semantic[i], street.semantic)
        np.testing.assert_array_equal(instance[i], street.instance)
        np.testing.assert_array_equal(scenes[i].boxes, street.boxes)


def test_number_of_things_device_and_dtype_can_be_asked_for():
    made = streets(range(4), 32, n_things=(1, 1), device="meta", dtype=torch.float64)
    assert made.x.is_meta and made.semantic.is_meta and made.instance.is_meta
    assert made.x.dtype == torch.float64
    assert [len(street.labels) for street in made.scenes] == [1] * 4


def test_streets_follow_the_default_dtype(float64):
    assert streets([0], 32).x.dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: streets([], 32), "номеров улиц нет"),
        (lambda: streets([0, -1], 32), "seed — -1"),
        (lambda: streets([0], 300), "size — 300"),
        (lambda: scenes_dataset(0, 64), "n — 0, а нужно целое число от 1"),
        (lambda: scenes_dataset(2, 300), "size — 300"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scenes_dataset_holds_the_scenes():
    from datasets import Array2D, ClassLabel, Image

    rows = scenes_dataset(3, 48)
    assert rows.num_rows == 3 and not rows.cache_files
    assert rows.features["image"] == Image(mode="RGB")
    assert rows.features["depth"] == Array2D((48, 48), "float32")
    kinds = ["sky", "ground", "road", "car", "house", "tree", "person"]
    assert rows.features["labels"].feature == ClassLabel(names=kinds)
    names = rows.features["time"].names
    for i, row in enumerate(rows.with_format("numpy")):
        street = scene(i, 48)
        assert names[row.pop("time")] == street.time
        for name, value in row.items():
            np.testing.assert_array_equal(
                value, np.float32(getattr(street, name)), err_msg=name
            )
