"""Data for the lectures, nothing downloaded: digits, photos, streets.

The pictures come from inside the wheels of scikit-learn and scikit-image, the streets
from :mod:`lecture_utils.scenes`; MNIST is read from files of the reader's own.
``datasets`` is imported only when asked for.
"""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image as Pillow
from sklearn.datasets import load_digits
from torchvision.transforms import v2

from lecture_utils import scenes

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

TEST_DIGITS = 450
PHOTOS = {
    "cat": ("skimage.data", "chelsea.png"),
    "astronaut": ("skimage.data", "astronaut.png"),
    "coffee": ("skimage.data", "coffee.png"),
    "rocket": ("skimage.data", "rocket.jpg"),
    "china": ("sklearn.datasets.images", "china.jpg"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
}


class Digits(NamedTuple):
    """Handwritten digits, split once and for all; values in [0, 1]."""

    x_train: torch.Tensor  # (1347, 1, S, S)
    y_train: torch.Tensor  # (1347,) int64
    x_test: torch.Tensor  # (450, 1, S, S)
    y_test: torch.Tensor  # (450,) int64


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
    train, test = order[:-TEST_DIGITS], order[-TEST_DIGITS:]
    return Digits(x[train], y[train], x[test], y[test])


def _positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"{name} is {value!r}, expected a positive whole number: pass an int, 32"
        )


def digits(
    size: int = 8,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Digits:
    """Load the 1797 handwritten digits of scikit-learn as ``size`` x ``size`` images.

    Source: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI
    Machine Learning Repository, 1998. ``dtype`` defaults to torch's default dtype.
    Raises ValueError when ``size`` is not a positive int.
    """
    _positive("size", size)
    dtype = dtype or torch.get_default_dtype()
    x_train, y_train, x_test, y_test = _digits(size)
    # copy=True: the caller may change its tensors, the cached ones stay as they are.
    return Digits(
        x_train.to(device, dtype, copy=True),
        y_train.to(device, copy=True),
        x_test.to(device, dtype, copy=True),
        y_test.to(device, copy=True),
    )


MNIST_HUB = "ylecun/mnist"
_MNIST_IDX = {"train": "train", "test": "t10k"}  # names in the original files
_MNIST_HELP = (
    f"take the parquet files of https://huggingface.co/datasets/{MNIST_HUB} or the "
    "four original *-ubyte(.gz) files, put them into one folder and name this folder"
)


def mnist(
    source: str | Path,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Digits:
    """Load MNIST: 60 000 and 10 000 digits of 28 x 28 pixels, values in [0, 1].

    Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten
    digits*, 1998. ``dtype`` defaults to torch's default dtype.

    Args:
        source: a folder with the Hub's parquet files (``train-*.parquet``,
            ``test-*.parquet``, also in subfolders) or with the four original IDX
            files, plain or gzipped; or ``"hub"``: the cache of ``datasets``, and the
            network when ``HF_HUB_OFFLINE=0`` was set before Python started.

    Raises:
        FileNotFoundError: no such folder, files missing, or nothing in the cache and
            the Hub is not reachable; says what to do.
        ValueError: a file is broken or holds something else than MNIST.
    """
    dtype = dtype or torch.get_default_dtype()
    folder = Path(source).expanduser()
    if str(source) != "hub" and not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {source}: {_MNIST_HELP}")
    parts = []
    for part in ("train", "test"):
        if str(source) == "hub" or list(folder.rglob(f"{part}-*.parquet")):
            images, labels = _mnist_parquet(source, part)
        else:
            images, labels = _mnist_idx(folder, part)
        if (
            images.shape != (len(labels), 28, 28)
            or not np.isin(labels, range(10)).all()
        ):
            raise ValueError(
                f"{source}, {part}: images {images.shape} and {len(labels)} labels, "
                f"expected (N, 28, 28) and N labels 0…9: {_MNIST_HELP}"
            )
        x = torch.from_numpy(images).unsqueeze(1).to(device, dtype) / 255
        parts += [x, torch.from_numpy(labels.astype(np.int64)).to(device)]
    return Digits(*parts)


def _mnist_parquet(source: str | Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) in the form that the Hub keeps."""
    from datasets import Image, load_dataset

    with TemporaryDirectory() as cache_dir:  # nothing is left in the reader's cache
        try:
            if str(source) == "hub":
                rows = load_dataset(MNIST_HUB, split=part)
            else:
                paths = sorted(Path(source).expanduser().rglob(f"{part}-*.parquet"))
                rows = load_dataset(
                    "parquet",
                    data_files=[str(path) for path in paths],
                    split="train",  # the builder's own name for a single split
                    cache_dir=cache_dir,
                    keep_in_memory=True,
                )
            rows = rows.cast_column("image", Image(mode="L"))
            images = np.stack([np.asarray(image) for image in rows["image"]])
            return images, np.asarray(rows["label"][:])
        except ConnectionError as error:
            raise FileNotFoundError(
                f"MNIST is not in the cache, and the Hub cannot be reached ({error}). "
                "Start Python with HF_HUB_OFFLINE=0 and HF_DATASETS_OFFLINE=0, or "
                f"{_MNIST_HELP}"
            ) from error
        except Exception as error:  # datasets wraps what pyarrow and Pillow raise
            raise ValueError(
                f"{source}, {part}: not the parquet files of MNIST "
                f"({type(error).__name__}: {error}): {_MNIST_HELP}"
            ) from error


def _mnist_idx(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels in the form of 1998: big-endian sizes, then bytes."""
    arrays = []
    for kind, dims in (("images", 3), ("labels", 1)):
        pattern = f"{_MNIST_IDX[part]}-{kind}*-ubyte*"
        found = sorted(path for path in folder.rglob(pattern) if path.is_file())
        if not found:
            raise FileNotFoundError(
                f"{folder} holds neither {part}-*.parquet nor {pattern}: {_MNIST_HELP}"
            )
        try:
            data = found[0].read_bytes()
            data = gzip.decompress(data) if found[0].suffix == ".gz" else data
            magic, *shape = np.frombuffer(data, ">i4", 1 + dims).tolist()
            if magic != 0x800 + dims:
                raise ValueError(f"magic number {magic:#x}")
            pixels = np.frombuffer(data, np.uint8, offset=4 * (1 + dims))
            arrays.append(pixels.reshape(shape).copy())  # writable, for torch
        except (ValueError, EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{found[0]} is damaged or not an IDX file ({error}): {_MNIST_HELP}"
            ) from error
    return arrays[0], arrays[1]


def photo(name: str, size: int | None = None) -> torch.Tensor:
    """Read a photo as (3, H, W) uint8 RGB; with ``size``, its square middle resized.

    Raises ValueError for a name that is not in ``PHOTOS`` and for a ``size`` that is
    not a positive int.
    """
    if name not in PHOTOS:
        raise ValueError(
            f"photo name is {name!r}, expected one of {', '.join(PHOTOS)}: choose one"
        )
    package, file = PHOTOS[name]
    with (files(package) / file).open("rb") as stream:
        image = v2.functional.pil_to_tensor(Pillow.open(stream).convert("RGB"))
    if size is None:
        return image
    _positive("size", size)
    square = v2.functional.center_crop(image, [min(image.shape[1:])] * 2)
    # In float64, because the uint8 code of torchvision depends on the processor.
    small = v2.functional.resize(square.double(), [size, size], antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8)


def digits_dataset(size: int = 8) -> DatasetDict:
    """The digits as ``DatasetDict`` (train, test): ``image`` (grey), ``label``.

    Grey images hold ``round(255 * value)`` of :func:`digits`.
    """
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image

    _positive("size", size)
    features = Features(
        {"image": Image(mode="L"), "label": ClassLabel(names=list("0123456789"))}
    )
    x_train, y_train, x_test, y_test = _digits(size)
    return DatasetDict(
        {
            split: Dataset.from_dict(
                {
                    "image": list((x[:, 0] * 255).round().to(torch.uint8).numpy()),
                    "label": y.tolist(),
                },
                features=features,
            )
            for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test))
        }
    )


def scenes_dataset(n: int, size: int = 64, seed: int = 0) -> Dataset:
    """``n`` streets as a ``Dataset``: row i is ``scene(seed + i, size)``.

    Columns are the fields of :class:`lecture_utils.scenes.Scene` and ``panoptic``;
    ``semantic``, ``instance`` and ``labels`` use the ids of ``scenes.CLASSES``.
    Raises ValueError when ``n`` is not a positive int, or by ``scene``.
    """
    from datasets import Array2D, ClassLabel, Dataset, Features, Image, List, Value

    _positive("n", n)
    shape = (size, size)
    features = Features(
        {
            "image": Image(mode="RGB"),
            "semantic": Array2D(shape, "uint8"),
            "instance": Array2D(shape, "uint8"),
            "panoptic": Array2D(shape, "int32"),
            "depth": Array2D(shape, "float32"),
            "boxes": List(List(Value("float32"), length=4)),
            "labels": List(ClassLabel(names=list(scenes.CLASSES))),
            "scales": List(ClassLabel(names=list(scenes.SCALES))),
            "visible": List(Value("float32")),
            "boxes3d": List(List(Value("float32"), length=7)),
            "K": Array2D((3, 3), "float32"),
            "camera_height": Value("float32"),
            "time": ClassLabel(names=list(scenes.TIMES)),
        }
    )
    streets = [scenes.scene(seed + i, size) for i in range(n)]
    return Dataset.from_dict(
        {name: [getattr(street, name) for street in streets] for name in features},
        features=features,
    )
