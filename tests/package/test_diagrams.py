"""The drawing shows exactly what the module calls, and nothing overlaps."""

from itertools import combinations, pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text
from torch import fx, nn
from torch.nn import functional as F
from torchvision.models import resnet18
from torchvision.models.googlenet import Inception
from torchvision.models.resnet import BasicBlock, Bottleneck

from lecture_utils.diagrams import diagram
from lecture_utils.diagrams.draw import INK
from lecture_utils.figures import WIDEST
from tests.colours import contrast


class Residual(nn.Module):
    def __init__(self, skip: bool = True):
        super().__init__()
        self.skip = skip
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        y = self.conv2(torch.relu(self.bn1(self.conv1(x))))
        return torch.relu(y + x) if self.skip else torch.relu(y)


class UNet(nn.Module):
    def __init__(self, levels: int = 4):
        super().__init__()
        sizes = [8 * 2**n for n in range(levels)]
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        pairs = list(pairwise(sizes))
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(o, i, 2, 2) for i, o in pairs)
        self.merge = nn.ModuleList(nn.Conv2d(o, i, 3, padding=1) for i, o in pairs)

    def forward(self, x):
        maps = [self.stem(x)]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        y = maps.pop()
        for n in reversed(range(len(maps))):
            y = self.merge[n](torch.cat([maps[n], self.up[n](y)], 1))
        return y


class SqueezeExcitation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 2), nn.Linear(2, 8)

    def forward(self, x):
        gate = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x):
        B, N, D = x.shape

        def heads(y):
            return y.view(B, N, 4, D // 4).transpose(1, 2)

        q, k, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
        weights = (q @ k.transpose(-2, -1) * (D // 4) ** -0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, N, D))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(8 * n, 8, 1) for n in range(1, 5))

    def forward(self, x):
        maps = [x]
        for conv in self.convs:
            maps.append(conv(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class Crowded(nn.Module):
    """A short branch ends between two long ones: its wire must go around boxes."""

    def __init__(self):
        super().__init__()
        self.main, self.above, self.below = (
            nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(n)) for n in (5, 4, 4)
        )
        self.short = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        y, a, b = x, x, x
        for n in range(4):
            y, a, b = self.main[n](y), self.above[n](a), self.below[n](b)
            if n == 1:
                y = y * self.short(x)
        return self.main[4](y) + a + b


class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(8, 8, 3, 2, 1)
        self.lateral = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(3))

    def forward(self, c3):
        c4 = self.down(c3)
        c5 = self.down(c4)
        p5 = self.lateral[2](c5)
        p4 = self.lateral[1](c4) + F.interpolate(p5, scale_factor=2)
        p3 = self.lateral[0](c3) + F.interpolate(p4, scale_factor=2)
        return {"p3": p3, "p4": p4, "p5": p5}


def _bottleneck():
    shortcut = nn.Sequential(nn.Conv2d(8, 32, 1, bias=False), nn.BatchNorm2d(32))
    return Bottleneck(8, 8, downsample=shortcut)


def _on_meta(build, shape, **options):
    with torch.device("meta"):
        return diagram(build(), torch.zeros(shape), **options)


IMAGE = torch.zeros(1, 8, 16, 16)
CASES = {
    "residual": lambda: diagram(Residual(), IMAGE),
    "bottleneck": lambda: diagram(_bottleneck(), IMAGE),
    "resnet18": lambda: _on_meta(resnet18, (1, 3, 64, 64), leaves=(BasicBlock,)),
    "rows with skips": lambda: diagram(
        nn.Sequential(*(Residual() for _ in range(4))), IMAGE
    ),
    "inception": lambda: _on_meta(
        lambda: Inception(192, 64, 96, 128, 16, 32, 32), (1, 192, 14, 14)
    ),
    "unet": lambda: diagram(UNet(3), torch.zeros(1, 3, 32, 32)),
    "se": lambda: diagram(SqueezeExcitation(), IMAGE),
    "attention": lambda: diagram(SelfAttention(), torch.zeros(1, 9, 16)),
    "dense": lambda: diagram(Dense(), IMAGE),
    "crowded": lambda: diagram(Crowded(), IMAGE),
    "pyramid": lambda: diagram(Pyramid(), IMAGE),
}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def _artists(figure):
    """Boxes, wires and texts of a drawing by the names of the calls."""
    (ax,) = figure.axes
    boxes = {p.get_gid(): p for p in ax.patches if not isinstance(p, FancyArrowPatch)}
    wires = {p.get_gid(): p for p in ax.patches if isinstance(p, FancyArrowPatch)}
    texts: dict[str, list[Text]] = {}
    for text in ax.texts:
        texts.setdefault(text.get_gid(), []).append(text)
    return boxes, wires, texts


def _labels(figure) -> dict[str, str]:
    texts = _artists(figure)[2]
    return {n: "|".join(t.get_text() for t in ts) for n, ts in texts.items() if n}


def _edges(figure) -> set[tuple[str, ...]]:
    wires = _artists(figure)[1]
    return {tuple(name.split("->")) for name in wires if not name.endswith("->")}


@pytest.mark.parametrize("module", [Residual(), _bottleneck(), SqueezeExcitation()])
def test_drawing_equals_the_traced_graph(module):
    graph = fx.symbolic_trace(module).graph
    figure = diagram(module, IMAGE)
    assert set(_artists(figure)[0]) == {n.name for n in graph.nodes}
    assert _edges(figure) == {
        (u.name, v.name) for v in graph.nodes for u in v.all_input_nodes
    }


def test_sizes_are_not_drawn_but_every_module_call_is():
    figure = diagram(SelfAttention(), torch.zeros(1, 9, 16))
    labels = _labels(figure)
    assert {"q", "k", "v", "out"} < set(labels)
    assert [n for n in labels if "getattr" in n or "floordiv" in n] == []
    assert labels["matmul"] == "matmul|4×9×9"
    assert labels["mul"] == "× 0,5"
    assert labels["transpose_3"] == "оси −2 ↔ −1|4×4×9"


def test_a_module_called_twice_appears_twice():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 2), relu)
    labels = list(_labels(diagram(net, torch.zeros(1, 4))).values())
    assert labels.count("ReLU") == 2


def test_removing_the_skip_removes_its_wire():
    with_skip = _edges(diagram(Residual(), IMAGE))
    without = _edges(diagram(Residual(skip=False), IMAGE))
    assert ("x", "add") in with_skip
    assert not any(u == "x" and v != "conv1" for u, v in without)
    assert not any("add" in edge for edge in without)


@pytest.mark.parametrize(
    ("layer", "label"),
    [
        (nn.Conv2d(8, 64, 3, padding=1), "conv 3×3, 64|64×16×16"),
        (nn.Conv2d(8, 8, 3, 2, 1), "conv 3×3, 8, /2|8×8×8"),
        (nn.Conv2d(8, 8, 3, padding=2, dilation=2), "conv 3×3, 8, d=2"),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), "conv 3×3, 8, g=8"),
        (nn.Conv2d(8, 8, (1, 7), padding=(0, 3)), "conv 1×7, 8"),
        (nn.ConvTranspose2d(8, 4, 2, 2), "up-conv 2×2, 4, ×2|4×32×32"),
        (nn.BatchNorm2d(8), "BN"),
        (nn.GroupNorm(2, 8), "GN"),
        (nn.ReLU(), "ReLU"),
        (nn.Sigmoid(), "сигмоида"),
        (nn.MaxPool2d(3, 2, 1), "max-pool 3×3 /2|8×8×8"),
        (nn.AdaptiveAvgPool2d(1), "GAP|8×1×1"),
        (nn.AdaptiveAvgPool2d((4, 4)), "avg-pool|8×4×4"),
        (nn.Identity(), "id"),
        (nn.Flatten(), "flatten|2048"),
        (nn.Dropout(0.5), "dropout 0,5"),
        (nn.Upsample(scale_factor=2), "интерполяция|8×32×32"),
        (nn.Linear(16, 10), "линейный, 10|8×16×10"),
    ],
)
def test_labels_of_layers(layer, label):
    assert _labels(diagram(layer, IMAGE))["_0"] == label


def test_leaves_and_own_labels():
    net = nn.Sequential(Residual(), nn.ReLU())
    labels = {"0": "блок", "output": "ответ"}
    assert _labels(diagram(net, IMAGE, leaves=(Residual,)))["_0"] == "Residual|0"
    own = _labels(diagram(net, IMAGE, leaves=(Residual,), labels=labels))
    assert (own["_0"], own["output"], own["_1"]) == ("блок", "ответ", "ReLU")
    assert own["input_1"] == "вход|8×16×16"


def test_optional_inputs_parameters_and_several_outputs():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1, 1, 16))
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

        def forward(self, x, mask=None):
            x = torch.cat([self.token, x], 1)
            if mask is not None:
                x = x * mask
            y, weights = self.attention(x, x, x)
            return y[:, 0], weights

    figure = diagram(Tokens(), torch.zeros(1, 9, 16))
    labels = _labels(figure)
    assert labels["token"] == "token|1×1×16"
    assert labels["attention"] == "внимание, h=4"
    assert ("token", "cat") in _edges(figure)
    assert ("attention", "output_1") in _edges(figure)
    assert "mask" not in labels and "mul" not in labels


def test_a_parameter_stands_beside_its_user():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
            self.gamma = nn.Parameter(torch.ones(8, 1, 1))

        def forward(self, x):
            return self.conv2(self.conv1(x)) * self.gamma

    boxes = _artists(diagram(Scaled(), IMAGE))[0]
    assert boxes["gamma"].get_x() > boxes["conv1"].get_x() + boxes["conv1"].get_width()


def test_the_module_stays_as_it_was():
    net = Residual().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    diagram(net, torch.ones(2, 8, 4, 4))
    assert all(part.training for part in net.modules())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def _overlap(a, b, slack: float = 1.0) -> bool:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    return width > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps(name):
    figure = CASES[name]()
    figure.draw_without_rendering()
    boxes, wires, texts = _artists(figure)
    extents = {n: box.get_window_extent() for n, box in boxes.items()}
    for (m, a), (n, b) in combinations(extents.items(), 2):
        assert not _overlap(a, b), f"boxes {m} and {n} overlap"
    for n, lines in texts.items():
        inside = extents.get(n, figure.bbox)
        for line in lines:
            box = line.get_window_extent()
            assert line.get_size() >= 9
            assert inside.x0 - 1 <= box.x0 and box.x1 <= inside.x1 + 1, line
            assert inside.y0 - 2 <= box.y0 and box.y1 <= inside.y1 + 2, line
        for a, b in combinations([t.get_window_extent() for t in lines], 2):
            assert not _overlap(a, b, slack=3), f"the lines of {n} overlap"
    for wire_name, wire in wires.items():
        (path,) = (
            wire.get_transform()
            .transform_path(wire.get_path())
            .to_polygons(closed_only=False)[:1]
        )
        steps = np.linspace(0, 1, 50)[:, None]
        dense = np.concatenate([a + steps * (b - a) for a, b in pairwise(path)])
        for n, box in extents.items():
            inner = box.shrunk_to_aspect(box.height / box.width).padded(-2)
            hits = (dense > inner.min).all(1) & (dense < inner.max).all(1)
            assert not hits.any(), f"wire {wire_name} crosses box {n}"
        assert (dense > -1).all() and (dense < figure.bbox.max + 1).all()
    assert figure.get_figwidth() <= WIDEST


def test_text_is_readable_on_every_colour():
    figure = diagram(_bottleneck(), IMAGE)
    for box in _artists(figure)[0].values():
        assert contrast(box.get_facecolor()[:3], to_rgb(INK)) >= 4.5


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Residual, IMAGE), TypeError, "нужен экземпляр nn.Module"),
        ((Residual(), (1, 8, 16, 16)), TypeError, "x — это tuple"),
        (
            (Residual(), torch.zeros(1, 3, 9, 9)),
            ValueError,
            r"\(1, 3, 9, 9\).*channels",
        ),
        (
            (nn.Sequential(Branching()), IMAGE),
            ValueError,
            r"вызовы Branching \(0\) не проследить.*leaves=",
        ),
    ],
)
def test_errors_say_what_to_do(arguments, error, message):
    with pytest.raises(error, match=message):
        diagram(*arguments)


def test_untraceable_parts_can_be_leaves():
    labels = _labels(diagram(nn.Sequential(Branching()), IMAGE, leaves=(Branching,)))
    assert labels["_0"] == "Branching|0"


def test_large_networks_can_be_drawn_without_memory():
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(10**6, 10**6))
    assert _labels(diagram(net, torch.zeros(1, 10**6)))["_0"] == "линейный, 1000000"


def test_errors_of_options():
    with pytest.raises(ValueError, match=r"'conv9'.*'conv1'"):
        diagram(Residual(), IMAGE, labels={"conv9": "?"})
    with pytest.raises(ValueError, match=r"не помещается на слайд .*leaves="):
        diagram(UNet(6), torch.zeros(1, 3, 64, 64))
