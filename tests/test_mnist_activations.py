"""Notebook 11: MNIST from files, equality at more sizes, its claims for more seeds."""

import gzip
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from lecture_utils import data

# --- MNIST from files -----------------------------------------------------------------


def _pixels(n: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (n, 28, 28)).astype(np.uint8)


PARTS = {"train": (_pixels(12, 0), np.arange(12) % 10)}
PARTS["test"] = (_pixels(5, 1), np.array([7, 0, 9, 3, 3]))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def write_parquet(folder: Path, parts=PARTS, *, typed: bool = True) -> Path:
    """The layout of the Hub: mnist/train-00000-of-00001.parquet, PNG bytes inside."""
    from datasets import ClassLabel, Dataset, Features, Image, Value

    kinds = {"image": Image(), "label": ClassLabel(names=list("0123456789"))}
    if not typed:  # written by another library, without the notes of `datasets`
        image = {"bytes": Value("binary"), "path": Value("string")}
        kinds = {"image": image, "label": Value("int64")}
    (folder / "mnist").mkdir(parents=True)
    for part, (images, labels) in parts.items():
        rows = [{"bytes": _png(image), "path": None} for image in images]
        columns = {"image": rows, "label": labels.tolist()}
        rows = Dataset.from_dict(columns, features=Features(kinds))
        rows.to_parquet(folder / "mnist" / f"{part}-00000-of-00001.parquet")
    return folder


def write_idx(folder: Path, parts=PARTS, *, zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for kind, array in zip(("images", "labels"), parts[part], strict=True):
            head = struct.pack(f">{1 + array.ndim}i", 0x800 + array.ndim, *array.shape)
            content = head + array.astype(np.uint8).tobytes()
            name = f"{prefix}-{kind}-idx{array.ndim}-ubyte"
            if zipped:
                name, content = name + ".gz", gzip.compress(content)
            (folder / name).write_bytes(content)
    return folder


def _expect_the_parts(loaded: data.Digits, dtype: torch.dtype) -> None:
    for part, x, y in (("train", *loaded[:2]), ("test", *loaded[2:])):
        images, labels = PARTS[part]
        assert x.shape == (len(images), 1, 28, 28) and x.dtype == dtype
        torch.testing.assert_close(x[:, 0] * 255, torch.tensor(images).to(dtype))
        assert y.dtype == torch.int64 and y.tolist() == labels.tolist()


@pytest.mark.parametrize("typed", [True, False])
def test_mnist_in_the_form_of_the_hub(tmp_path, typed):
    folder = write_parquet(tmp_path, typed=typed)
    _expect_the_parts(data.mnist(folder), torch.float32)
    _expect_the_parts(data.mnist(str(folder), dtype=torch.float64), torch.float64)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("error")  # torch warns of arrays that it may not change
def test_mnist_in_its_original_form(tmp_path, zipped):
    _expect_the_parts(data.mnist(write_idx(tmp_path, zipped=zipped)), torch.float32)


def test_mnist_in_a_process_of_its_own(tmp_path):
    """Files leave nothing in the cache; a Hub out of reach says what to do."""
    folder = write_parquet(tmp_path / "files")
    code = f"""
from lecture_utils.data import mnist
mnist({str(folder)!r})
try:
    mnist("hub")
except FileNotFoundError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("MNIST is not in the cache, and the Hub cannot be")
    assert "Start Python with HF_HUB_OFFLINE=0" in run.stdout
    assert not [path for path in tmp_path.glob("home/**/*.arrow")]


def test_missing_mnist_says_what_to_do(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no folder .*nowhere: take the parquet"
    ):
        data.mnist(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"train-\*.parquet nor train-images"):
        data.mnist(tmp_path)
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"nor t10k-labels.*take the parquet"):
        data.mnist(tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
def test_broken_idx_is_named(tmp_path, zipped):
    write_idx(tmp_path, zipped=zipped)
    [path] = tmp_path.glob("train-images*")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"train-images.* is damaged or not an IDX"):
        data.mnist(tmp_path)


def test_swapped_idx_is_named(tmp_path):
    write_idx(tmp_path)
    images, labels = tmp_path.glob("train-*")
    text, other = images.read_bytes(), labels.read_bytes()
    images.write_bytes(other)
    labels.write_bytes(text)
    with pytest.raises(ValueError, match="damaged or not an IDX"):
        data.mnist(tmp_path)


def test_broken_parquet_is_named(tmp_path):
    write_parquet(tmp_path)
    (tmp_path / "mnist" / "test-00000-of-00001.parquet").write_bytes(
        b"PAR1 and no more"
    )
    with pytest.raises(ValueError, match="test: not the parquet files of MNIST"):
        data.mnist(tmp_path)


def test_something_else_than_mnist_is_named(tmp_path):
    small = PARTS | {"train": (PARTS["train"][0][:, :20], PARTS["train"][1])}
    with pytest.raises(ValueError, match=r"images \(12, 20, 28\) and 12 labels"):
        data.mnist(write_idx(tmp_path / "a", small))
    letters = PARTS | {"test": (PARTS["test"][0], np.array([7, 0, 25, 3, 3]))}
    with pytest.raises(ValueError, match=r"test: images .* expected .* labels 0…9"):
        data.mnist(write_idx(tmp_path / "b", letters))
    uneven = PARTS | {"test": (PARTS["test"][0], np.array([7, 0, 3]))}
    with pytest.raises(ValueError, match=r"\(5, 28, 28\) and 3 labels"):
        data.mnist(write_idx(tmp_path / "c", uneven))
