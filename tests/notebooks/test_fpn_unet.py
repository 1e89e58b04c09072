"""Notebook 05: equality at more sizes, planted faults, its claims for more seeds."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.functional import center_crop

from lecture_utils.data import Streets, streets
from lecture_utils.reference import same_as, twin
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    return definitions("05_fpn_unet")


# --- FPN against torchvision ----------------------------------------------------------

RULES = {
    r"fpn\.inner_blocks\.(\d)\.0": r"lateral.\1",
    r"fpn\.layer_blocks\.(\d)\.0": r"smooth.\1",
}


class Shrink(nn.Module):
    """A backbone of three convolutions with stride 2: maps of any odd size."""

    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Conv2d(c, d, 3, 2, 1) for c, d in ((3, 4), (4, 6), (6, 5))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x := step(x) for step in self.steps]


def pair(lecture, d=8):
    """Our FPN and torchvision's on one backbone, with the same weights."""
    torch.manual_seed(0)
    backbone = Shrink()
    reference = lecture.TorchvisionFPN([4, 6, 5], d)
    ours = lecture.Joined(backbone, lecture.FPN([4, 6, 5], d))
    reference = lecture.Joined(backbone, reference)
    return twin(ours, reference, RULES), reference


@pytest.mark.parametrize(
    "size", [(1, 3, 8, 8), (2, 3, 17, 9), (1, 3, 1, 31), (3, 3, 30, 21), (1, 3, 5, 64)]
)
def test_fpn_equals_torchvision(lecture, size):
    ours, reference = pair(lecture)
    same_as("torchvision", ours, reference, torch.randn(size), rules=RULES)


@pytest.mark.parametrize(
    "fault",
    [
        lambda fpn, maps: fpn.merge(maps),
        lambda fpn, maps: [
            smooth(lateral(m))
            for smooth, lateral, m in zip(fpn.smooth, fpn.lateral, maps, strict=True)
        ],
    ],
    ids=["no smoothing", "no top-down pathway"],
)
def test_a_faulty_fpn_is_found(lecture, fault, monkeypatch):
    ours, reference = pair(lecture)
    monkeypatch.setattr(lecture.FPN, "forward", fault)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours, reference, torch.randn(1, 3, 17, 9), rules=RULES)


def test_bilinear_instead_of_nearest_is_found(lecture, monkeypatch):
    ours, reference = pair(lecture)

    def bilinear(x, like):
        return F.interpolate(x, size=like.shape[-2:], mode="bilinear")

    monkeypatch.setitem(lecture.names, "upsample", bilinear)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours, reference, torch.randn(1, 3, 17, 9), rules=RULES)


def test_pyramids_have_the_maps_that_their_kind_promises(lecture):
    backbone, fpn = Shrink(), lecture.FPN([4, 6, 5], 8)
    x = torch.randn(1, 3, 32, 48)
    maps = {k: lecture.pyramid(k, x, backbone, fpn, zooms=(4, 2, 1)) for k in "abcde"}
    sizes = {k: [tuple(m.shape[2:]) for m in v] for k, v in maps.items()}
    assert sizes["a"] == sizes["c"] == sizes["d"] == [(16, 24), (8, 12), (4, 6)]
    assert sizes["b"] == [(4, 6)] and sizes["e"] == [(16, 24)]
    torch.testing.assert_close(maps["e"][0], maps["d"][0])


def test_costs_of_the_pyramids(lecture):
    """Multiplications of convolutions, counted by hand for one size."""
    side, channels = 512, (64, 128, 256, 512)
    cells = [(side // s) ** 2 for s in (4, 8, 16, 32)]
    heads = [n * (9 * c * 256 + 256 * 15) for n, c in zip(cells, channels, strict=True)]
    lateral = sum(n * c * 256 for n, c in zip(cells, channels, strict=True))
    smooth = [n * 9 * 256 * 256 for n in cells]
    shared = [n * (9 * 256 * 256 + 256 * 15) for n in cells]
    assert lecture.pyramid_cost("b", side)[1:] == [0, heads[3]]
    assert lecture.pyramid_cost("c", side)[1:] == [0, sum(heads)]
    assert lecture.pyramid_cost("d", side)[1:] == [lateral + sum(smooth), sum(shared)]
    assert lecture.pyramid_cost("e", side)[1:] == [lateral + smooth[0], shared[0]]


# --- U-Net ----------------------------------------------------------------------------


def unrolled(x: Tensor, state: dict[str, Tensor], depth: int, padding: int) -> Tensor:
    """U-Net written with `torch.nn.functional` alone, from the figure of the paper."""

    def twice(x, place):
        for i in (0, 2):
            weight, bias = state[f"{place}.{i}.weight"], state[f"{place}.{i}.bias"]
            x = F.relu(F.conv2d(x, weight, bias, padding=padding))
        return x

    left = []
    for level in range(depth):
        x = twice(x, f"encoder.blocks.{level}")
        left.append(x)
        x = F.max_pool2d(x, 2, 2)
    x = twice(x, f"encoder.blocks.{depth}")
    for level in range(depth - 1, -1, -1):
        place = f"decoder.ups.{level}"
        x = F.conv_transpose2d(x, state[f"{place}.weight"], state[f"{place}.bias"], 2)
        skip = center_crop(left[level], list(x.shape[2:]))
        x = twice(torch.cat((skip, x), 1), f"decoder.blocks.{level}")
    return F.conv2d(x, state["head.weight"], state["head.bias"])


@pytest.mark.parametrize(
    ("size", "depth", "padding"),
    [
        ((1, 1, 188, 188), 4, 0),
        ((2, 3, 92, 108), 3, 0),
        ((1, 2, 21, 30), 1, 0),
        ((2, 3, 48, 16), 4, 1),
        ((1, 3, 19, 29), 2, 1),
        ((1, 1, 7, 5), 0, 1),
    ],
)
def test_unet_equals_the_unrolled_one(lecture, size, depth, padding):
    torch.manual_seed(0)
    net = lecture.UNet(size[1], 3, C=3, depth=depth, padding=padding)
    x = torch.randn(size, requires_grad=True)
    given = [x, *net.parameters()]
    expected = unrolled(x, dict(net.named_parameters()), depth, padding)
    out = net(x)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    weights = torch.rand(out.shape)
    ours, reference = (
        torch.autograd.grad((y * weights).sum(), given) for y in (out, expected)
    )
    for gradient, want in zip(ours, reference, strict=True):
        torch.testing.assert_close(gradient, want, rtol=0, atol=1e-10)


def test_a_lost_or_misplaced_skip_is_found(lecture, monkeypatch):
    net = lecture.UNet(1, 2, C=3, depth=2)
    x = torch.randn(1, 1, 60, 60)
    expected = unrolled(x, net.state_dict(), 2, 0)
    net.g = [1, 0]
    assert not torch.allclose(net(x), expected)
    net.g = [1, 1]

    def corner(skip, like):
        return skip[..., : like.shape[-2], : like.shape[-1]]

    monkeypatch.setitem(lecture.names, "crop", corner)
    assert not torch.allclose(net(x), expected)


@pytest.mark.parametrize(("side", "out"), [(572, 388), (188, 4), (204, 20)])
def test_sides_of_the_paper(lecture, side, out):
    with torch.device("meta"):
        y = lecture.UNet(1, 2)(torch.empty(1, 1, side, side))
    assert y.shape == (1, 2, out, out)


def test_parameters_of_the_known_forms(lecture):
    def count(*args, **kwargs):
        with torch.device("meta"):
            return lecture.parameters(lecture.UNet(*args, **kwargs))

    assert count(1, 2) == count(1, 2, padding=1) == 31_030_658
    assert count(3, 1, padding=1, norm=True) == 31_037_633  # milesial/Pytorch-UNet


# --- measured claims ------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(float64) -> tuple[Streets, Streets]:
    """Streets to learn and to check on."""
    seeds = range(256), range(10_000, 10_128)
    train, test = (streets(part, 64, n_things=(4, 8)) for part in seeds)
    return train, test


def recalls(lecture, parts, task, kinds, seed):
    train, test = ((part.x - 0.5, task(part.scenes)) for part in parts)
    return [
        lecture.recall(lecture.train_detector(kind, train, test, seed), test)
        for kind in kinds
    ]


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_small_things_need_the_pyramid_and_the_top_down_pathway(lecture, parts, seed):
    b, c, d = recalls(lecture, parts, lecture.which_side, "bcd", seed)
    assert c[0] > b[0] + 0.1
    assert d[0] > c[0] + 0.05
    assert d[2] - c[2] < d[0] - c[0]


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_without_need_for_context_fpn_is_worse(lecture, parts, seed):
    c, d = recalls(lecture, parts, lecture.kinds, "cd", seed)
    assert sum(d) / 3 < sum(c) / 3 - 0.03


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_skips_sharpen_borders_and_the_early_ones_most(lecture, seed):
    train = lecture.segmentation(range(256))
    test = lecture.segmentation(range(10_000, 10_064))
    full, none, first, second, deep = (
        lecture.edge_quality(lecture.train_unet(g, train, test, seed), test)
        for g in lecture.VARIANTS.values()
    )
    assert full.mean_iou > none.mean_iou + 0.1 and full.border > none.border + 0.1
    assert full.far - none.far < full.border - none.border
    for early in (first, second):
        assert early.mean_iou > deep.mean_iou + 0.05
        assert early.border > deep.border + 0.05
    assert first.border - none.border > (full.border - none.border) / 2
