"""Streets of :mod:`lecture_utils.scenes` as tensors and as a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from lecture_utils.arguments import whole_number
from lecture_utils.scenes import N_THINGS, TIMES, Kind, Scale, Scene, scene

if TYPE_CHECKING:
    from datasets import Dataset


class Streets(NamedTuple):
    """Streets as tensors."""

    x: torch.Tensor  # (N, 3, S, S), values in [0, 1]
    semantic: torch.Tensor  # (N, S, S) int64, a Kind each
    instance: torch.Tensor  # (N, S, S) int64, 0 = stuff, k = k-th thing
    scenes: list[Scene]  # everything else that is known of them


def streets(
    seeds: Iterable[int],
    size: int,
    *,
    n_things: tuple[int, int] = N_THINGS,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Streets:
    """Make the streets with these numbers, S = ``size``, as :func:`scene` does.

    ``dtype`` of ``x`` defaults to torch's default dtype.
    Raises ValueError when there are no seeds, or by ``scene``.
    """
    scenes = [scene(seed, size, n_things=n_things) for seed in seeds]
    if not scenes:
        raise ValueError("номеров улиц нет, а нужен хотя бы один: range(100).")

    def stacked(field: str) -> torch.Tensor:
        maps = np.stack([getattr(street, field) for street in scenes])
        return torch.from_numpy(maps).to(device)

    x = stacked("image").permute(0, 3, 1, 2)
    x = x.to(dtype or torch.get_default_dtype()).contiguous() / 255
    return Streets(x, stacked("semantic").long(), stacked("instance").long(), scenes)


def scenes_dataset(n: int, size: int) -> Dataset:
    """``n`` streets as a ``Dataset``: row i is ``scene(i, size)``.

    Columns are the fields of :class:`lecture_utils.scenes.Scene` and ``panoptic``.
    Raises ValueError when ``n`` is not a positive int, or by ``scene``.
    """
    from datasets import Array2D, ClassLabel, Dataset, Features, Image, List, Value

    scenes = [scene(i, size) for i in range(whole_number("n", n, 1))]
    shape = (size, size)
    features = Features(
        {
            "image": Image(mode="RGB"),
            "semantic": Array2D(shape, "uint8"),
            "instance": Array2D(shape, "uint8"),
            "panoptic": Array2D(shape, "int32"),
            "depth": Array2D(shape, "float32"),
            "boxes": List(List(Value("float32"), length=4)),
            "labels": List(ClassLabel(names=[kind.name.lower() for kind in Kind])),
            "scales": List(ClassLabel(names=[scale.name.lower() for scale in Scale])),
            "visible": List(Value("float32")),
            "boxes3d": List(List(Value("float32"), length=7)),
            "K": Array2D((3, 3), "float32"),
            "camera_height": Value("float32"),
            "time": ClassLabel(names=list(TIMES)),
        }
    )
    return Dataset.from_dict(
        {name: [getattr(street, name) for street in scenes] for name in features},
        features=features,
    )
