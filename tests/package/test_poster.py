"""A poster says of a network what is true, and can be read."""

import re
from collections.abc import Callable
from functools import cache
from itertools import combinations, pairwise
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from lecture_utils import count
from lecture_utils.diagrams import poster
from lecture_utils.diagrams.poster import short
from lecture_utils.diagrams.stages import Stage, measure
from lecture_utils.figures import WIDEST


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3) for i, o in ((1, 8), (8, 16)))
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.merge = nn.Sequential(nn.Conv2d(16, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        top = self.down[0](x)
        y = self.up(self.down[1](F.max_pool2d(top, 2)))
        edge = (top.shape[-1] - y.shape[-1]) // 2
        return self.merge(torch.cat([F.pad(top, [-edge] * 4), y], 1)) * self.scale


class Network(NamedTuple):
    """A network, how to show it, and what is known about it."""

    build: Callable[[], nn.Module]
    stages: dict[str, str]
    kinds: list[str]
    repeats: list[int]
    multiply_adds: float  # published, billions
    x: tuple[int, ...] = (1, 3, 224, 224)
    skips: tuple[tuple[str, str], ...] = ()


CONV, POOL, ATTENTION, DENSE = "свёртка", "пулинг", "внимание", "полносвязный"
NETWORKS = {
    "VGG-16": Network(
        models.vgg16,
        {f"стадия {n}": f"features.{end}" for n, end in enumerate((3, 8, 15, 22, 29))}
        | {"пулинг": "features.30"}
        | {f"слой {14 + n}": f"classifier.{3 * n}" for n in range(3)},
        5 * [CONV] + [POOL] + 3 * [DENSE],
        [2, 2, 3, 3, 3, 1, 1, 1, 1],
        15.5,
    ),
    "GoogLeNet": Network(
        lambda: models.googlenet(aux_logits=False, init_weights=False),
        {"начало": "conv3"}
        | {f"Inception {n[0]}": f"inception{n}" for n in ("3b", "4e", "5b")}
        | {"среднее": "avgpool", "голова": "fc"},
        4 * [CONV] + [POOL, DENSE],
        [3, 2, 5, 2, 1, 1],
        1.5,
    ),
    "ResNet-50": Network(
        models.resnet50,
        {"7×7": "bn1", "3×3": "maxpool"}
        | {f"стадия {n}": f"layer{n}" for n in range(1, 5)}
        | {"голова": "fc"},
        [CONV, POOL] + 4 * [CONV] + [DENSE],
        [1, 1, 3, 4, 6, 3, 1],
        4.09,
    ),
    "U-Net": Network(
        UNet,
        {"E0": "down.0", "E1": "down.1", "D0": ""},
        3 * [CONV],
        [1, 1, 2],
        (9 * 8 * 62**2 + 9 * 8 * 16 * 29**2 + 4 * 16 * 8 * 29**2) / 1e9
        + 9 * (16 * 8 * 56**2 + 8 * 8 * 54**2) / 1e9,
        (1, 1, 64, 64),
        (("E0", "D0"),),
    ),
    "ViT-B/16": Network(
        models.vit_b_16,
        {"патчи": "encoder.dropout", "блоки": "encoder.layers", "голова": "heads"},
        [CONV, ATTENTION, DENSE],
        [1, 12, 1],
        17.56,
    ),
    "Swin-T": Network(
        models.swin_t,
        {"патчи": "features.0"}
        | {f"стадия {n}": f"features.{2 * n - 1}" for n in range(1, 5)}
        | {"голова": "head"},
        [CONV] + 4 * [ATTENTION] + [DENSE],
        [1, 2, 2, 6, 2, 1],
        4.49,
    ),
}


class Shown(NamedTuple):
    """A network, measured and drawn."""

    net: nn.Module
    x: Tensor
    stages: list[Stage]
    figure: Figure


@cache
def _show(title: str) -> Shown:
    build, names, _, _, _, shape, skips = NETWORKS[title]
    with torch.device("meta"):
        net, x = build().eval(), torch.zeros(shape)
    figure = poster(net, x, names, title=title, skips=skips)
    plt.close(figure)
    return Shown(net, x, measure(net, x, names), figure)


def _lines(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("title", NETWORKS)
def test_stages_sum_up_to_the_whole_and_the_poster_says_so(title):
    _, names, kinds, repeats, published, _, _ = NETWORKS[title]
    net, x, stages, figure = _show(title)
    parameters, multiply_adds = count.parameters(net), count.multiply_adds(net, x)
    assert sum(stage.parameters for stage in stages) == parameters
    assert sum(stage.multiply_adds for stage in stages) == multiply_adds
    assert multiply_adds / 1e9 == pytest.approx(published, rel=0.005)
    assert [stage.repeats for stage in stages] == repeats
    assert [stage.kind for stage in stages] == kinds

    lines = _lines(figure)
    spaced = f"{parameters:_}".replace("_", "\u202f")
    total = f"параметров {spaced}, умножений со сложением {short(multiply_adds)}"
    assert {title, total, *names} <= set(lines)
    for stage in stages:
        assert {stage.kind, str(stage.channels)} <= set(lines)
        assert {short(stage.parameters), short(stage.multiply_adds)} <= set(lines)


def test_a_stage_has_the_numbers_of_its_modules():
    net, x, (first, _, *stages), _ = _show("ResNet-50")
    costs = count.multiply_adds_by_module(net, x)
    assert first.parameters == count.parameters(net.conv1) + count.parameters(net.bn1)
    assert first.multiply_adds == costs["conv1"]
    names = "layer1", "layer2", "layer3", "layer4", "fc"
    for stage, name in zip(stages, names, strict=True):
        assert stage.parameters == count.parameters(net.get_submodule(name))
        assert stage.multiply_adds == costs[name]


def test_a_parameter_outside_of_layers_belongs_to_the_stage_that_uses_it():
    net, _, (first, second, last), _ = _show("U-Net")
    assert (first.parameters, second.parameters) == (9 * 8 + 8, 9 * 8 * 16 + 16)
    parts = count.parameters(net.up) + count.parameters(net.merge)
    assert last.parameters == parts + 1


@pytest.mark.parametrize(
    ("shape", "channels", "extent"),
    [
        ((1, 8, 5, 5), 8, (5, 5)),
        ((1, 5, 5, 8), 8, (5, 5)),
        ((1, 8, 5, 7), 8, (5, 7)),
        ((1, 5, 5, 5), 5, (5, 5)),
        ((2, 9, 8), 8, (9,)),
        ((2, 8), 8, ()),
    ],
)
def test_what_comes_out(shape, channels, extent):
    (stage,) = measure(nn.Sequential(nn.Identity()), torch.zeros(shape), {"всё": "0"})
    assert (stage.channels, stage.extent) == (channels, extent)
    assert (stage.kind, stage.repeats, stage.parameters) == ("", 1, 0)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 тыс."),
        (38_720, "38,7 тыс."),
        (221_440, "221 тыс."),
        (999_700, "1 млн"),
        (25_557_032, "25,6 млн"),
        (15_470_264_320, "15,5 млрд"),
    ],
)
def test_short_numbers(number, text):
    assert short(number) == text


def test_the_network_stays_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    net[2].eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    poster(net, torch.ones(2, 3, 8, 8), {"всё": "2"}, title="Сеть")
    assert [part.training for part in net.modules()] == [True, True, True, False]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize("title", NETWORKS)
def test_the_picture_can_be_read(title):
    _, names, _, repeats, _, _, skips = NETWORKS[title]
    figure = _show(title).figure
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert figure.get_figwidth() <= WIDEST
    extents = [t.get_window_extent() for t in ax.texts if t.get_text()]
    assert all(text.get_size() >= 11 for text in ax.texts)
    for box in extents:
        assert (box.min >= 0).all() and (box.max <= figure.bbox.max).all()
    blocks = {}
    for patch in ax.patches:
        if patch.get_gid() in names:
            blocks.setdefault(patch.get_gid(), []).append(patch)
    whole = [
        Bbox.union([p.get_window_extent() for p in faces]) for faces in blocks.values()
    ]
    for a, b in combinations([*extents, *whole], 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 1 or height <= 1, (a, b)
    shown = re.findall(r"^×\d+$", "\n".join(_lines(figure)), re.MULTILINE)
    assert shown == [f"×{n}" for n in repeats if n > 1]
    wires = {patch.get_gid() for patch in ax.patches}
    assert {f"{u}->{v}" for u, v in (*skips, *pairwise(["вход", *names]))} <= wires


def test_sizes_of_blocks_are_to_scale():
    names, figure = NETWORKS["ResNet-50"].stages, _show("ResNet-50").figure
    sizes = {}
    for patch in figure.axes[0].patches:
        if patch.get_gid() in names and patch.get_gid() not in sizes:  # the front
            sizes[patch.get_gid()] = np.ptp(patch.get_xy(), axis=0)
    first, last = sizes["стадия 1"], sizes["стадия 4"]
    assert last / first == pytest.approx([(2048 / 256) ** 0.5, (7 / 56) ** 0.5])


NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))


@pytest.mark.parametrize(
    ("stages", "skips", "message"),
    [
        ({"начало": "0", "конец": "3"}, (), "конца стадии «конец» не было.*'3'"),
        ({"конец": "2", "начало": "0"}, (), "конца стадии «начало» не было"),
        ({"начало": "1"}, (), r"2304.*\['2.bias', '2.weight'\]"),
        ({"всё": "2"}, [("всё", "ничто")], "«ничто».*«всё»"),
        ({"о" * 199: "2"}, (), "шире слайда"),
    ],
)
def test_errors_say_what_to_do(stages, skips, message):
    with pytest.raises(ValueError, match=message):
        poster(NET, torch.zeros(1, 3, 8, 8), stages, title="Сеть", skips=skips)


def test_heads_that_only_training_needs_are_no_part_of_the_stages():
    with torch.device("meta"):
        net = models.googlenet(aux_logits=True, init_weights=False)
        x = torch.zeros(1, 3, 224, 224)
    with pytest.raises(ValueError, match=r"aux1\.conv.*головы.*уберите"):
        measure(net, x, NETWORKS["GoogLeNet"].stages)
