"""Notebook 09: equality at more sizes, planted faults, its claims for more seeds."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.swin_transformer import (
    ShiftedWindowAttention,
    SwinTransformer,
    SwinTransformerBlock,
)

from lecture_utils.count import parameters
from lecture_utils.data import mnist
from lecture_utils.reference import same_as, twin
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0
INNER = {r"inner\.": ""}


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    return definitions("09_swin")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randomised(module: nn.Module) -> nn.Module:
    """The bias table starts near zero; a mistake in its index could hide there."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias_table"):
            nn.init.normal_(parameter)
    return module


# --- cost -----------------------------------------------------------------------------


@pytest.mark.parametrize("C", [12, 96, 192])
@pytest.mark.parametrize(("h", "w"), [(7, 7), (21, 14), (56, 56), (7, 70)])
def test_formulas_count_every_multiplication(lecture, h, w, C):
    count = lecture.multiplications
    assert count(lecture.GlobalAttention(C, 3), h, w, C) == lecture.omega_msa(h, w, C)
    windows = lecture.omega_windows(h, w, C, 7)
    assert count(lecture.PlainWindows(C, 3, 7), h, w, C) == windows
    assert count(lecture.WindowAttention(C, 3, 7, 3), h, w, C) == windows
    assert count(lecture.NeighborhoodAttention(C, 3, 7), h, w, C) == windows


def test_padding_is_paid_for(lecture):
    counted = lecture.multiplications(lecture.SwinAttention(12, 3, 4, 2), 5, 9, 12)
    assert counted == lecture.omega_windows(8, 12, 12, 4)


def test_number_of_heads_costs_nothing(lecture):
    counts = {
        lecture.multiplications(lecture.GlobalAttention(24, h), 9, 9, 24)
        for h in (1, 2, 3, 8)
    }
    assert len(counts) == 1


# --- windows --------------------------------------------------------------------------


@pytest.mark.parametrize(("H", "W", "M"), [(4, 4, 2), (6, 9, 3), (5, 5, 1), (8, 4, 4)])
def test_reverse_undoes_partition(lecture, H, W, M):
    x = torch.randn(3, H, W, 2)
    windows = lecture.window_partition(x, M)
    assert windows.shape == (3 * H * W // M**2, M * M, 2)
    assert torch.equal(windows[0], x[0, :M, :M].reshape(-1, 2))
    assert torch.equal(lecture.window_reverse(windows, M, H, W), x)


SHIFTED = [  # M, shift, size
    (2, 1, (2, 2)),
    (2, 1, (3, 5)),
    (3, 1, (9, 6)),
    (3, 2, (7, 8)),
    (4, 2, (5, 5)),
    (4, 3, (13, 4)),
    (5, 2, (1, 11)),
    (7, 3, (14, 28)),
    (7, 0, (10, 10)),
]


@pytest.mark.parametrize(("M", "shift", "size"), SHIFTED)
def test_shift_with_mask_equals_regions(lecture, M, shift, size):
    layer = randomised(lecture.SwinAttention(6, 3, M, shift))
    x = torch.randn(2, *size, 6)
    same_as("regions", layer, lecture.RegionByRegion(layer), x, rules=INNER)


@pytest.mark.parametrize(("M", "shift", "size"), SHIFTED)
def test_attention_equals_torchvision(lecture, M, shift, size):
    reference = randomised(ShiftedWindowAttention(6, [M, M], [shift, shift], 3))
    rules = {"relative_position_bias_table": "bias_table"}
    ours = lecture.SwinAttention(6, 3, M, shift)
    x = torch.randn(2, *size, 6)
    same_as("torchvision", ours, reference, x, rules=rules, copy=True)


def test_padding_after_the_roll_is_found(lecture):
    for side, equal in ((5, False), (7, False), (6, True), (8, True)):
        right = lecture.WindowAttention(6, 3, 4, 2)
        wrong = lecture.PadAfterRoll(6, 3, 4, 2)
        wrong.load_state_dict(right.state_dict())
        x = torch.randn(2, side, side, 6)
        assert torch.allclose(right(x), wrong(x)) is equal, side


def test_a_lost_mask_is_found(lecture, monkeypatch):
    layer = lecture.WindowAttention(6, 3, 4, 2)
    reference = lecture.RegionByRegion(layer)
    mask = lecture.shift_mask
    monkeypatch.setitem(
        lecture.names, "shift_mask", lambda *args: torch.ones_like(mask(*args))
    )
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("regions", layer, reference, torch.randn(1, 8, 8, 6), rules=INNER)


def test_a_transposed_index_is_found(lecture, monkeypatch):
    reference = randomised(ShiftedWindowAttention(6, [3, 3], [1, 1], 3))
    rules = {"relative_position_bias_table": "bias_table"}
    ours = twin(lecture.SwinAttention(6, 3, 3, 1), reference, rules)
    index = lecture.relative_index
    monkeypatch.setitem(lecture.names, "relative_index", lambda M: index(M).T)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours, reference, torch.randn(1, 6, 6, 6))


def test_minus_hundred_is_minus_infinity_for_usual_scores_only(lecture):
    allowed = torch.rand(64, 49) < 0.5
    allowed[:, 0] = True
    usual, huge = torch.randn(64, 49), 80 * torch.randn(64, 49)
    for scores, equal in ((usual, True), (huge, False)):
        hundred = (scores + torch.where(allowed, 0.0, -100.0)).softmax(-1)
        infinity = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
        assert torch.allclose(hundred, infinity, rtol=0, atol=1e-15) is equal
        assert (infinity[~allowed] == 0).all() and (hundred[~allowed] > 0).any()


# --- Swin -----------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("size", [(14, 14), (9, 16)])
def test_block_equals_torchvision(lecture, shift, size):
    reference = randomised(SwinTransformerBlock(12, 3, [7, 7], [shift, shift]))
    ours = lecture.SwinBlock(12, 3, 7, shift)
    rules = lecture.TORCHVISION
    x = torch.randn(2, *size, 12)
    same_as("torchvision", ours, reference.eval(), x, rules=rules, copy=True)


@pytest.mark.parametrize("size", [(64, 64), (60, 100), (224, 32)])
def test_small_swin_equals_torchvision(lecture, size):
    depths = (1, 2, 3, 1)
    reference = SwinTransformer(
        [4, 4], 12, [*depths], [3, 6, 12, 24], [4, 4], stochastic_depth_prob=0.0
    )
    randomised(reference)
    ours = lecture.Swin(C=12, depths=depths, h=3, M=4)
    rules = lecture.TORCHVISION
    x = torch.randn(2, 3, *size)
    reference.eval()
    same_as("torchvision", ours, reference, x, rules=rules, copy=True, atol=1e-9)


def test_small_swin_equals_transformers(lecture):
    from transformers import SwinConfig, SwinForImageClassification

    # Three stages: transformers shrink the window where the map is smaller than it,
    # torchvision and the lecture pad the map.
    config = SwinConfig(
        image_size=112,
        embed_dim=12,
        depths=[2, 2, 2],
        num_heads=[3, 6, 12],
        window_size=7,
        num_labels=1000,
    )
    reference = SwinForImageClassification(config).to(torch.float64).eval()
    randomised(reference)
    ours = lecture.Swin(C=12, depths=(2, 2, 2), h=3, M=7)
    for module in ours.modules():
        if isinstance(module, lecture.SwinAttention):
            module.qkv = lecture.SplitQKV(module.proj.in_features)
    rules = lecture.HUGGING_FACE
    x = torch.randn(2, 3, 112, 112)
    same_as("transformers", ours, reference, x, rules=rules, copy=True, atol=1e-9)


def test_swin_t_has_the_published_size(lecture):
    with torch.device("meta"):
        swin = lecture.Swin()
    assert lecture.parameters(swin) == 28_288_354
    assert round(lecture.multiplications(swin, 3, 224, 224) / 1e9, 1) == 4.5


# --- neighbourhood attention ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["QueryByQuery", "DenseWithMask"])
@pytest.mark.parametrize(
    ("k", "dilation", "size"),
    [
        (1, 1, (2, 3)),
        (3, 1, (3, 3)),
        (3, 1, (4, 9)),
        (5, 1, (7, 6)),
        (3, 2, (7, 6)),
        (3, 3, (9, 11)),
        (5, 2, (10, 11)),
    ],
)
def test_neighbourhood_equals_brute_force(lecture, k, dilation, size, kind):
    layer = randomised(lecture.NeighborhoodAttention(6, 3, k, dilation))
    reference = getattr(lecture, kind)(layer)
    same_as(kind, layer, reference, torch.randn(2, *size, 6), rules=INNER)


def test_zero_padding_instead_of_clamping_is_found(lecture, monkeypatch):
    def unclamped(L, k, dilation=1):
        around = torch.arange(L)[:, None] + torch.arange(k) - k // 2
        return around.clamp(0, L - 1)

    layer = randomised(lecture.NeighborhoodAttention(6, 3, 3))
    reference = lecture.QueryByQuery(layer)
    monkeypatch.setitem(lecture.names, "neighbours", unclamped)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("loops", layer, reference, torch.randn(1, 6, 6, 6), rules=INNER)


@pytest.mark.parametrize(("k", "dilation", "size"), [(7, 1, 5), (3, 3, 8), (5, 2, 9)])
def test_a_map_smaller_than_the_neighbourhood_is_refused(lecture, k, dilation, size):
    layer = lecture.NeighborhoodAttention(6, 3, k, dilation)
    with pytest.raises(ValueError, match="меньше"):
        layer(torch.randn(1, size, 12, 6))


def test_an_even_neighbourhood_is_refused(lecture):
    with pytest.raises(ValueError, match="нечётное"):
        lecture.NeighborhoodAttention(6, 3, 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_neighbourhoods_follow_a_shift(lecture, seed):
    torch.manual_seed(seed)
    follows = lecture.follows_shift
    assert follows(randomised(lecture.NeighborhoodAttention(8, 2, 5)))
    assert not follows(lecture.SwinAttention(8, 2, 5))
    assert not follows(lecture.SwinAttention(8, 2, 5, shift=2))


# --- who sees whom --------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_who_sees_whom(lecture, seed):
    torch.manual_seed(seed)
    layers = lecture.make_layers(5, 2, 5)
    for depth, expected in ((1, [225, 25, 25, 25]), (2, [225, 25, 100, 81])):
        seen = [
            lecture.seen_by(nn.Sequential(*pair[-depth:]), 15, (4, 6)).sum().item()
            for pair in layers.values()
        ]
        assert seen == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_walls_stand_without_a_diagonal_shift(lecture, seed):
    torch.manual_seed(seed)
    windows = [lecture.PlainWindows(8, 2, M=4) for _ in range(8)]
    assert lecture.seen_by(nn.Sequential(*windows), 8, (3, 3)).sum() == 16
    assert lecture.seen_by(
        lecture.six_layers(lecture.WindowAttention), 16, (5, 6)
    ).all()
    band = lecture.seen_by(lecture.six_layers(lecture.AxisShift), 16, (5, 6))
    assert band.sum() == 64 and band[4:8].all()


def test_layers_until_everybody_sees_everybody(lecture):
    windows = lecture.who_sees_whom(lecture.WindowAttention(8, 2, 5))
    shifted = lecture.who_sees_whom(lecture.WindowAttention(8, 2, 5, 2))
    near = lecture.who_sees_whom(lecture.NeighborhoodAttention(8, 2, 5))
    share = lecture.visible_share
    assert share([windows], 8) == pytest.approx([1 / 9] * 8)
    assert share([windows, shifted], 8).index(1) + 1 == 5
    assert share([near], 8).index(1) + 1 == 6


# --- relative positions ---------------------------------------------------------------


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_relative_positions_solve_and_transfer(lecture, seed):
    everywhere, top, bottom = slice(None), slice(0, 2), slice(2, 4)
    accuracy, moved = {}, {}
    for kind in lecture.KINDS:
        net = lecture.train_copier(kind, everywhere, seed)
        accuracy[kind] = lecture.copier_accuracy(net, everywhere, seed)
        if kind == "relative":
            table = net.attention.bias_table.view(7, 7).flip(0, 1)
            assert divmod(table.argmax().item(), 7) == (3, 4)
            weights = lecture.attention_map(net)
            asked = [4 * i + j for i in range(4) for j in range(3)]
            assert all(weights[n].argmax() == n + 1 for n in asked)
        net = lecture.train_copier(kind, top, seed)
        moved[kind] = lecture.copier_accuracy(net, bottom, seed)
    ceiling = lecture.ceiling(lecture.colour_windows(512, seed=2000 + seed)[0])
    assert accuracy["none"] < ceiling + 0.03
    assert accuracy["relative"] > 0.99 and accuracy["absolute"] > 0.99
    assert moved["relative"] > 0.8
    assert moved["absolute"] < 0.35


def test_without_positions_a_window_is_a_set(lecture):
    layer = lecture.WindowAttention(6, 3, 4)
    x, order = torch.randn(1, 16, 6), torch.randperm(16)
    shuffled = layer(x[:, order].view(1, 4, 4, 6)).view(1, 16, 6)
    assert torch.allclose(shuffled, layer(x.view(1, 4, 4, 6)).view(1, 16, 6)[:, order])
    layer = randomised(lecture.SwinAttention(6, 3, 4))
    shuffled = layer(x[:, order].view(1, 4, 4, 6)).view(1, 16, 6)
    assert not torch.allclose(
        shuffled, layer(x.view(1, 4, 4, 6)).view(1, 16, 6)[:, order]
    )


# --- from ResNet-50 to ConvNeXt-T -----------------------------------------------------

LAST = "слои уменьшения"


def small_convnext(lecture) -> tuple[nn.Module, nn.Module]:
    """Ours with the 1x1 convolutions of torchvision, and theirs."""
    design = replace(lecture.DESIGNS[LAST], width=12, depths=(1, 2, 1, 2))
    ours = lecture.Road(design, classes=10)
    for name, layer in [*ours.named_modules()]:
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            ours.set_submodule(
                name, lecture.Pointwise(layer.in_channels, layer.out_channels)
            )
    sides = ((12, 24, 1), (24, 48, 2), (48, 96, 1), (96, None, 2))
    stages = [CNBlockConfig(*side) for side in sides]
    return ours, lecture.shaken(ConvNeXt(stages, num_classes=10)).eval()


@pytest.mark.parametrize("size", [(64, 64), (96, 33)])
def test_the_last_step_equals_torchvision(lecture, size):
    ours, reference = small_convnext(lecture)
    x, rules = torch.randn(2, 3, *size), lecture.CONVNEXT
    same_as("torchvision", ours, reference, x, rules=rules, copy=True, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(64, 64), (96, 33)])
def test_the_first_step_equals_torchvision(lecture, size, training):
    ours = lecture.Road(replace(lecture.Design(), depths=(1, 2, 1, 2)), classes=10)
    reference = lecture.shaken(ResNet(Bottleneck, [1, 2, 1, 2], num_classes=10))
    x, rules = torch.randn(2, 3, *size), lecture.RESNET
    reference.train(training)
    same_as("torchvision", ours, reference, x, rules=rules, copy=True, atol=1e-9)


def test_another_epsilon_is_found(lecture):
    ours, reference = small_convnext(lecture)
    twin(ours, reference, lecture.CONVNEXT)
    for module in ours.modules():
        if isinstance(module, lecture.ChannelNorm):
            module.eps = 1e-5
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours, reference, torch.randn(2, 3, 64, 64))


def test_each_step_changes_the_network(lecture):
    """Parameters, work or the kinds of layers; nothing of an earlier step is lost."""
    seen = []
    for name, design in lecture.DESIGNS.items():
        with torch.device("meta"):
            net = lecture.Road(design).eval()
        kinds = [type(module).__name__ for module in net.modules()]
        seen.append((parameters(net), lecture.multiplications(net, 3, 64, 64), kinds))
        assert all(before != seen[-1] for before in seen[:-1]), name


@pytest.mark.parametrize("name", ["ResNet-50", "96 каналов", LAST])
def test_a_narrow_step_keeps_its_shape(lecture, name):
    whole, narrow = lecture.DESIGNS[name], lecture.narrow(lecture.DESIGNS[name])
    assert 16 * narrow.width == whole.width
    assert narrow.depths in ((1, 1, 2, 1), (1, 1, 3, 1))
    net = lecture.Road(narrow, c_in=1, classes=10).eval()
    assert net(torch.rand(2, 1, 32, 32)).shape == (2, 10)


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_on_digits_large_kernels_are_the_worst(lecture, seed, monkeypatch):
    digits = mnist()
    for part in ("train", "test"):
        x, y = getattr(digits, f"x_{part}"), getattr(digits, f"y_{part}")
        monkeypatch.setitem(lecture.names, f"x_{part}", F.pad(x, (2, 2, 2, 2)))
        monkeypatch.setitem(lecture.names, f"y_{part}", y)
    large, first, last = (
        sum(lecture.road_error(lecture.DESIGNS[name], 3 * seed + n) for n in range(3))
        for name in ("ядра 7×7", "ResNet-50", LAST)
    )
    assert max(first, last) < large < 3 * 0.58
