"""MNIST from files of all kinds, whole, broken and missing."""

import gzip
import io
import struct
from pathlib import Path

import httpx
import numpy as np
import pytest
import requests
import torch
from PIL import Image as Pillow

from lecture_utils.data import like_mnist, mnist


def _pixels(n: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (n, 28, 28)).astype(np.uint8)


PARTS = {"train": (_pixels(12, 0), np.arange(12) % 10)}
PARTS["test"] = (_pixels(5, 1), np.array([7, 0, 9, 3, 3]))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def write_parquet(folder: Path, *, typed: bool = True) -> Path:
    """The layout of the Hub: mnist/train-00000-of-00001.parquet, PNG bytes inside."""
    from datasets import ClassLabel, Dataset, Features, Image, Value

    kinds = {"image": Image(), "label": ClassLabel(names=list("0123456789"))}
    if not typed:  # written by another library, without the notes of `datasets`
        image = {"bytes": Value("binary"), "path": Value("string")}
        kinds = {"image": image, "label": Value("int64")}
    (folder / "mnist").mkdir(parents=True)
    for part, (images, labels) in PARTS.items():
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


def _expect_the_parts(loaded) -> None:
    for part, x, y in (("train", *loaded[:2]), ("test", *loaded[2:])):
        images, labels = PARTS[part]
        assert x.shape == (len(images), 1, 28, 28) and x.dtype == torch.float32
        torch.testing.assert_close(x[:, 0] * 255, torch.tensor(images).float())
        assert y.dtype == torch.int64 and y.tolist() == labels.tolist()


@pytest.mark.parametrize("typed", [True, False])
def test_the_form_of_the_hub(tmp_path, typed):
    _expect_the_parts(mnist(str(write_parquet(tmp_path, typed=typed))))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("error")  # torch warns of arrays that it may not change
def test_the_original_form(tmp_path, zipped):
    write_idx(tmp_path / "somewhere" / "inside", zipped=zipped)
    _expect_the_parts(mnist(tmp_path))


def test_the_default_dtype(tmp_path, float64):
    assert mnist(write_idx(tmp_path)).x_test.dtype == torch.float64


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Папки .*nowhere нет.*Возьмите"):
        mnist(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="ни parquet, ни train-images"):
        mnist(tmp_path)
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"ни t10k-labels.*Возьмите"):
        mnist(tmp_path)


def test_broken_files_are_named(tmp_path):
    """Cut short, of the other kind, no parquet at all."""
    broken = "файлы испорчены, или это не MNIST"
    for zipped in (True, False):
        folder = write_idx(tmp_path / f"cut {zipped}", zipped=zipped)
        [path] = folder.glob("train-images*")
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ValueError, match=f"cut {zipped}: {broken}"):
            mnist(folder)
    folder = write_idx(tmp_path / "swapped")
    images, labels = (
        folder / f"train-{n}-ubyte" for n in ("images-idx3", "labels-idx1")
    )
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    with pytest.raises(ValueError, match=broken):
        mnist(folder)
    folder = write_parquet(tmp_path / "parquet")
    path = folder / "mnist" / "test-00000-of-00001.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=broken):
        mnist(folder)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."),
        httpx.ProxyError("407 Proxy Authentication Required"),
        requests.exceptions.ProxyError("Unable to connect to proxy"),
        FileNotFoundError("Dataset 'ylecun/mnist' doesn't exist on the Hub"),
        ConnectionError("Couldn't reach 'ylecun/mnist' (LocalEntryNotFound)"),
    ],
    ids=repr,
)
def test_the_hub_out_of_reach(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("datasets.load_dataset", fail)
    with pytest.raises(FileNotFoundError, match=r"ни с Hub.*HF_HUB_OFFLINE=0") as said:
        mnist("hub")
    assert str(error) in str(said.value) and "испорчены" not in str(said.value)


@pytest.mark.parametrize(
    ("part", "images", "labels", "message"),
    [
        ("train", _pixels(12, 0)[:, :20], PARTS["train"][1], r"\(12, 20, 28\)"),
        ("test", PARTS["test"][0], np.array([7, 0, 25, 3, 3]), "меток от 0 до 9"),
        ("test", PARTS["test"][0], np.array([7, 0, 3]), r"\(5, 28, 28\).*\(3,\)"),
    ],
)
def test_something_else_than_mnist_is_named(tmp_path, part, images, labels, message):
    with pytest.raises(ValueError, match=message):
        mnist(write_idx(tmp_path, PARTS | {part: (images, labels)}))


# --- the digits of the package --------------------------------------------------------


def test_own_digits():
    x_train, y_train, x_test, y_test = mnist()
    assert x_train.shape == (4000, 1, 28, 28) and x_test.shape == (1000, 1, 28, 28)
    assert (y_train.bincount() + y_test.bincount()).tolist() == [500] * 10
    assert y_test.bincount().min() > 80, "shuffled"
    assert x_train.min() == 0 and x_train.max() == 1
    assert torch.cat([x_train, x_test]).flatten(1).unique(dim=0).shape[0] == 5000
    x_train.zero_(), y_train.zero_()
    again = mnist()
    assert again.x_train.any() and again.y_train.any(), "nobody else's copy changes"


def test_a_drawing_becomes_like_mnist():
    digits = mnist().x_test[:50]
    for digit in digits:  # already in that form
        assert torch.allclose(like_mnist(digit), digit, atol=1e-6)
        moved = torch.zeros(1, 90, 140)
        moved[:, 3:59, 80:136] = digit.repeat_interleave(2, 1).repeat_interleave(2, 2)
        assert torch.allclose(like_mnist(moved), digit, atol=1e-6), "place and size"
    assert not like_mnist(torch.zeros(1, 50, 50)).any()
    dot = torch.zeros(1, 50, 50)
    dot[:, 7, 9] = 1
    assert like_mnist(dot)[0, 4:24, 4:24].all()


@pytest.mark.parametrize("size", [(3, 112), (112, 2), (112, 112)])
def test_every_drawing_fits(size):
    generator = torch.Generator().manual_seed(0)
    for density in (0.001, 0.05, 1):
        ink = (torch.rand(1, *size, generator=generator) < density).double()
        shown = like_mnist(ink)
        assert shown.shape == (1, 28, 28) and 0 <= shown.min() <= shown.max() <= 1
