"""Notebook 10: equality at more sizes, planted faults, its claims for more seeds."""

import math
from functools import partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lecture_utils.reference import same_as
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("10_positional_encoding")


# --- attention without positions ------------------------------------------------------


class OneHead(nn.MultiheadAttention):
    """torch's attention as a function of one input."""

    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


RULES = {"in_proj_": "qkv.", "out_proj": "out"}


def as_torch(attention: nn.Module, d: int) -> nn.Module:
    reference = OneHead(d, 1, batch_first=True)
    reference.in_proj_weight.data = attention.qkv.weight.data
    reference.in_proj_bias.data = attention.qkv.bias.data
    reference.out_proj.load_state_dict(attention.out.state_dict())
    return reference


@pytest.mark.parametrize(("N", "d"), [(1, 2), (5, 6), (17, 32)])
def test_attention_is_that_of_torch(lecture, N, d):
    torch.manual_seed(0)
    ours = lecture.Attention(d)
    same_as("torch", ours, as_torch(ours, d), torch.randn(2, N, d), rules=RULES)


@pytest.mark.parametrize("name", ["RelativeAttention", "RotaryAttention"])
def test_attention_with_positions_is_another_one(lecture, name):
    torch.manual_seed(0)
    ours = getattr(lecture, name)(8)
    if name == "RelativeAttention":  # starts at zero
        nn.init.normal_(ours.b)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torch", ours, as_torch(ours, 8), torch.randn(2, 5, 8), rules=RULES)


@pytest.mark.parametrize("d", [2, 6, 32])
def test_order_matters_only_with_positions(lecture, d):
    torch.manual_seed(0)
    x, order = torch.randn(2, 9, d), torch.randperm(9)
    for name in ("Attention", "RelativeAttention", "RotaryAttention"):
        attention = getattr(lecture, name)(d)
        if name == "RelativeAttention":
            nn.init.normal_(attention.b)
        same = torch.allclose(attention(x[:, order]), attention(x)[:, order])
        assert same == (name == "Attention")


def test_patches_go_there_and_back(lecture):
    image = torch.rand(3, 12, 18)
    tokens = lecture.to_patches(image, 6)
    assert tokens.shape == (1, 6, 108)
    back = lecture.from_patches(tokens, (12, 18), 6)
    assert torch.equal(back, image)


# --- the encoding ---------------------------------------------------------------------


@pytest.mark.parametrize(("N", "d"), [(1, 2), (7, 6), (100, 512), (5000, 10)])
def test_encoding_is_that_of_an_independent_program(lecture, N, d):
    positions, dims = np.arange(N)[:, None], np.arange(d)[None]
    angles = positions / np.power(10_000, 2 * (dims // 2) / d)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    module = lecture.PositionalEncoding(d, N)
    assert np.allclose(module.pe, angles, rtol=0, atol=1e-10)
    x = torch.randn(3, N, d)
    assert torch.equal(module(x), x + module.pe)


@pytest.mark.parametrize(("N", "d"), [(1, 2), (33, 6), (100, 64), (64, 512)])
def test_encoding_is_that_of_marian(lecture, N, d):
    # The library keeps its table in single precision.
    reference = lecture.MarianEncoding(d, 100)
    same_as(
        "M", lecture.PositionalEncoding(d), reference, torch.randn(2, N, d), atol=1e-6
    )


def without_minus(d, base=10_000.0):
    return torch.exp(torch.arange(0, d, 2) * (math.log(base) / d))


def without_division(d, base=10_000.0):
    return torch.exp(torch.arange(0, d, 2) * -math.log(base))


def tensor2tensor(d, base=10_000.0):
    return base ** (-torch.arange(d // 2) / (d // 2 - 1))


@pytest.mark.parametrize("wrong", [without_minus, without_division, tensor2tensor])
def test_wrong_frequencies_are_found(lecture, wrong, monkeypatch):
    monkeypatch.setitem(lecture.names, "frequencies", wrong)
    ours = lecture.PositionalEncoding(16)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("M", ours, lecture.MarianEncoding(16, 50), torch.rand(1, 50, 16))


def test_bad_sizes_are_named(lecture):
    for d in (7, 0, -2):
        with pytest.raises(ValueError, match=f"d = {d}"):
            lecture.PositionalEncoding(d)
    module = lecture.PositionalEncoding(8, max_len=10)
    with pytest.raises(ValueError, match=r"11×8.*10×8.*max_len"):
        module(torch.zeros(2, 11, 8))
    with pytest.raises(ValueError, match=r"5×1.*10×8"):
        module(torch.zeros(2, 5, 1))  # would be broadcast silently
    with pytest.raises(ValueError, match="d = 6"):
        lecture.encoding_2d(2, 2, 6)


def test_heat_map_shows_every_value_at_its_place(lecture):
    pe = lecture.encoding(torch.arange(5), 8)
    ax = lecture.draw_heatmap(pe.numpy()).axes[0]
    drawn = ax.images[0]
    left, right, bottom, top = drawn.get_extent()
    assert (left, right, bottom, top) == (-0.5, 7.5, 4.5, -0.5)
    assert drawn.origin == "upper" and ax.get_ylim() == (4.5, -0.5)
    assert np.array_equal(drawn.get_array(), pe)


@pytest.mark.parametrize(("d", "base"), [(2, 1e4), (6, 10.0), (64, 1e4), (512, 1e4)])
def test_shift_is_a_rotation(lecture, d, base):
    positions = torch.tensor([0.0, 1.0, 2.5, 77.0, 4000.0])
    pe = lecture.encoding(positions, d, base)
    for k in (1, 5, 37, -3, 0.5):
        R = lecture.shift_matrix(k, d, base)
        moved = lecture.encoding(positions + k, d, base)
        assert torch.allclose(pe @ R.T, moved, rtol=0, atol=1e-10)
        assert torch.allclose(R @ R.T, torch.eye(d))
        assert not torch.allclose(pe @ R, moved, atol=1e-3), "the transpose goes back"


# --- relative positions ---------------------------------------------------------------


@pytest.mark.parametrize(("N", "far"), [(1, 1), (3, 4), (9, 4), (40, 9)])
def test_relative_bias_is_read_by_distance(lecture, N, far):
    b = torch.randn(2 * far + 1)
    table = lecture.relative_bias(b, N)
    for m, n in product(range(N), repeat=2):
        assert table[m, n] == b[max(-far, min(far, n - m)) + far]


@pytest.mark.parametrize("shape", [(1, 2), (7, 6), (2, 5, 8), (2, 3, 50, 32)])
def test_rotation_is_that_of_the_libraries(lecture, shape):
    """Outputs and gradients; angles in double precision, so a tight tolerance."""
    from timm.layers.pos_embed_sincos import apply_rot_embed_cat  # slow to import
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    N, d = shape[-2:]
    angles = torch.arange(N)[:, None] * lecture.frequencies(d)
    sin, cos = (f(angles) for f in (torch.sin, torch.cos))

    class Timm(nn.Module):
        def forward(self, x):
            both = [part.repeat_interleave(2, dim=-1) for part in (sin, cos)]
            return apply_rot_embed_cat(x, torch.cat(both, dim=-1))

    class Llama(nn.Module):
        def forward(self, x):
            both = (part.repeat(1, 2)[None] for part in (cos, sin))
            halves = lecture.to_halves(x).view(1, -1, N, d)
            turned = apply_rotary_pos_emb(halves, halves, *both)[0].view(x.shape)
            return lecture.to_pairs(turned)

    class Ours(nn.Module):
        def forward(self, x):
            return lecture.rotate(x)

    x = torch.randn(shape)
    same_as("timm", Ours(), Timm(), x)
    same_as("LLaMA", Ours(), Llama(), x)


def test_halves_and_pairs_undo_each_other(lecture):
    x = torch.randn(2, 3, 10)
    assert torch.equal(lecture.to_pairs(lecture.to_halves(x)), x)
    assert not torch.equal(lecture.to_halves(x), x)


@pytest.mark.parametrize("size", [(14, 14, 768), (3, 7, 8), (1, 5, 4), (6, 1, 12)])
def test_grid_encoding_is_that_of_timm(lecture, size):
    assert lecture.compare_with_timm(*size)
    H, W, d = size
    swapped = lecture.build_sincos2d_pos_embed([H, W], d, reverse_coord=True)
    ours = lecture.encoding_2d(H, W, d).view(H * W, d)
    assert not torch.allclose(ours, swapped.double(), atol=1e-5)


# --- the claims, for more seeds -------------------------------------------------------


@pytest.fixture(scope="module", params=SEEDS, ids="seed {}".format)
def trained(request, lecture) -> SimpleNamespace:
    """Networks of all schemes for both tasks, and their accuracy by length."""
    schemes = lecture.SCHEMES | {
        "сдвиг": (lambda: lecture.ShiftedEncoding(32, 64), lecture.Attention)
    }
    nets, accuracy = {}, {}
    for task, (make, data, N, steps) in lecture.TASKS.items():
        for scheme, parts in schemes.items():
            if (task, scheme) in (("копия", "без позиций"), ("кто раньше", "сдвиг")):
                continue
            net = make(*parts, seed=request.param)
            lecture.train_on_task(net, data, N, steps, every=steps)
            nets[task, scheme] = net.eval()
            accuracy[task, scheme] = lecture.by_length(net, task)
    return SimpleNamespace(nets=nets, accuracy=accuracy)


def at(lecture, trained, factor, scheme, task):
    lengths = lecture.LENGTHS[task]
    return trained.accuracy[task, scheme][lengths.index(factor * lengths[0])]


POSITIONAL = ("обучаемая", "синусы", "смещение", "RoPE")


@pytest.mark.seeds
@torch.no_grad()
def test_order_needs_positions(lecture, trained):
    tokens, answers = lecture.order_task(1000, 10, seed=3)
    blind, seeing = (
        trained.nets["кто раньше", scheme] for scheme in ("без позиций", "синусы")
    )
    assert 0.4 < lecture.accuracy(blind(tokens), answers) < 0.6
    assert torch.allclose(blind(tokens), blind(tokens.flip(1)), atol=1e-10)
    assert lecture.accuracy(seeing(tokens), answers) == 1
    assert lecture.accuracy(seeing(tokens.flip(1)), answers) == 0


@pytest.mark.seeds
def test_relative_schemes_keep_twice_the_length(lecture, trained):
    for task in lecture.TASKS:
        reach = partial(at, lecture, trained, task=task)
        assert min(reach(1, scheme) for scheme in POSITIONAL) > 0.99
        assert max(reach(2, "синусы"), reach(2, "обучаемая")) < 0.75
        assert min(reach(2, "смещение"), reach(2, "RoPE")) > 0.8
    for scheme in POSITIONAL:
        four = [at(lecture, trained, 4, scheme, task) for task in lecture.TASKS]
        assert min(four) < 0.95


@pytest.mark.seeds
def test_places_alone_point_three_back(lecture, trained):
    """Where the net has learnt to: relative schemes everywhere."""
    for scheme in ("синусы", "смещение", "RoPE", "сдвиг"):
        right = lecture.by_place(trained.nets["копия", scheme]) == -3
        old, new = right[3:16].sum(), right[16:].double().mean()
        assert old >= 11 and (new < 0.5 if scheme == "синусы" else new > 0.5)
        if scheme in ("смещение", "RoPE"):
            assert right[3:].all()


@pytest.mark.parametrize("size", [(14, 14, 64), (3, 7, 16), (1, 5, 8), (6, 1, 12)])
def test_axial_rotation_is_that_of_timm(lecture, size):
    H, W, d = size
    x = torch.randn(2, 3, H * W, d)
    ours = lecture.rotate_2d(x, W)
    # timm has its angles in single precision
    torch.testing.assert_close(ours, lecture.timm_rotary(x, H, W), atol=1e-5, rtol=0)
    if H != W and min(H, W) > 1:
        assert not torch.allclose(ours, lecture.timm_rotary(x, W, H), atol=0.1)


@pytest.mark.seeds
@torch.no_grad()
def test_attention_at_three_times_the_length(lecture, trained):
    tokens, answers = lecture.copy_task(300, 48, seed=4)
    inside, outside = {}, {}
    for scheme in POSITIONAL:
        net = trained.nets["копия", scheme]
        logits = net(tokens)
        share = net.attend.weights.mean(0).diagonal(-3)
        inside[scheme], outside[scheme] = share[:13].mean(), share[13:].mean()
        if scheme == "обучаемая":
            assert lecture.accuracy(logits[..., 13:], answers[:, 13:]) < 0.15
    assert inside["обучаемая"] > 0.9 and outside["обучаемая"] < 0.1
    assert inside["синусы"] > 0.5 and outside["синусы"] < 0.25
    assert abs(inside["смещение"] - outside["смещение"]) < 0.01
    assert outside["смещение"] < 0.25
    assert min(inside["RoPE"], outside["RoPE"]) > 0.7
    first = trained.nets["копия", "смещение"].attend.weights.argmax(-1)
    assert (first[:, 3:] == torch.arange(45)).double().mean() > 0.99


@pytest.mark.seeds
def test_random_start_teaches_sinusoids_new_places(lecture, trained):
    gain = partial(at, lecture, trained, 4, task="копия")
    assert gain("сдвиг") > gain("синусы") + 0.25
