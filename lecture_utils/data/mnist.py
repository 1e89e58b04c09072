"""MNIST from files of the reader's own."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torchvision.datasets import MNIST

from lecture_utils.data.digits import Digits

HUB = "ylecun/mnist"
HELP = (
    f"Возьмите файлы parquet из https://huggingface.co/datasets/{HUB} или четыре "
    "исходных файла …-ubyte(.gz), сложите в одну папку и назовите эту папку."
)
Part = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) uint8 and labels (N,)


def mnist(source: str | Path, *, device: torch.device | str | None = None) -> Digits:
    """Load MNIST: 60 000 and 10 000 digits of 28 x 28 pixels, in torch's default dtype.

    Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten
    digits*, 1998.

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
    folder = Path(source).expanduser()
    if str(source) != "hub" and not folder.is_dir():
        raise FileNotFoundError(f"Папки {source} нет. {HELP}")
    try:
        if str(source) == "hub":
            parts = _from_parquet(HUB)
        elif any(folder.rglob("*.parquet")):
            with TemporaryDirectory() as cache:  # nothing is left in the reader's one
                parts = _from_parquet(str(folder), cache)
        else:
            parts = _from_idx(folder)
    except FileNotFoundError:
        raise
    except ConnectionError as error:
        raise FileNotFoundError(
            f"MNIST нет в кэше, и Hub недоступен ({error}). Запустите Python с "
            f"HF_HUB_OFFLINE=0 и HF_DATASETS_OFFLINE=0. Или так. {HELP}"
        ) from error
    except Exception as error:  # of any kind: three libraries read the files
        raise ValueError(
            f"{source}: файлы испорчены, или это не MNIST "
            f"({type(error).__name__}: {error}). {HELP}"
        ) from error
    tensors = []
    for images, labels in parts:
        if images.shape != (len(labels), 28, 28) or set(labels) - set(range(10)):
            raise ValueError(
                f"{source}: картинки {images.shape} и метки ({len(labels)},), а нужны "
                f"(N, 28, 28) и N меток от 0 до 9. {HELP}"
            )
        x = torch.from_numpy(images).unsqueeze(1).to(device, torch.get_default_dtype())
        tensors += [x / 255, torch.from_numpy(labels).to(device, torch.int64)]
    return Digits(*tensors)


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
