"""Notebook 07: equality on five architectures, its claims for more seeds, misuse."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision import models

from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("07_grad_cam")


@pytest.fixture(scope="module")
def data(lecture) -> SimpleNamespace:
    """The pictures of the notebook."""
    train, val = lecture.quilts(512, seed=0), lecture.quilts(256, seed=1)
    pairs = lecture.quilts(128, seed=2, patches=2)
    y, mask = val.kinds[:, 0], val.masks[:, 0]
    area = lecture.share(mask)
    return SimpleNamespace(train=train, val=val, pairs=pairs, y=y, mask=mask, area=area)


@pytest.fixture(scope="module")
def trained(lecture, data) -> dict:
    """The four networks of the notebook from other initial weights, and accuracy."""
    nets = {}
    for seed in SEEDS:
        for kind in lecture.KINDS:
            net = lecture.quilt_net(kind, seed)
            accuracy = lecture.train_on_quilts(net, data.train, data.val, seed=seed)
            nets[kind, seed] = net.eval(), accuracy
    return nets


@pytest.fixture
def small() -> nn.Sequential:
    """A network that makes a map, in train mode, with nothing learned."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 5, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    )


X, CLASSES = torch.rand(3, 3, 10, 14, dtype=torch.float64), torch.tensor([0, 3, 1])


# --- equality -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["VGG-11", "ResNet-18", "GoogLeNet", "Swin", "ViT"])
def test_equal_to_the_package(lecture, name):
    size = 64 if name == "ViT" else 96  # the grid of positions of a ViT is fixed
    assert lecture.same_as_package(name, size, seed=1) < 1e-10


def test_equal_to_the_package_at_an_awkward_size(lecture, small):
    small.eval()
    raw, ready = lecture.package_cam(small, small[4], X, CLASSES)
    A, G = lecture.activations_and_gradients(small, small[4], X, CLASSES)
    torch.testing.assert_close(lecture.weighted_sum(A, G), raw, atol=1e-12, rtol=0)
    L = lecture.grad_cam(small, small[4], X, CLASSES)
    assert L.shape == (3, 5, 7) and L.max() > 0
    heat = lecture.project(L, (10, 14))
    low = heat.amin((1, 2), keepdim=True)
    alive = heat.amax((1, 2)) > 0
    ours = ((heat - low) / (1 - low))[alive].float()
    torch.testing.assert_close(ours, ready[alive], atol=1e-4, rtol=0)


def test_gradients_are_those_of_a_finite_difference(lecture, small):
    small.eval()
    _, G = lecture.activations_and_gradients(small, small[4], X, CLASSES)
    with torch.no_grad():
        A = small[:5](X)
        for b, k, i, j in [(0, 0, 0, 0), (1, 4, 4, 6), (2, 2, 3, 1)]:
            moved = A.clone()
            moved[b, k, i, j] += 1e-6
            change = small[5:](moved)[b, CLASSES[b]] - small[5:](A)[b, CLASSES[b]]
            assert change / 1e-6 == pytest.approx(G[b, k, i, j].item(), abs=1e-8)


def test_a_convolution_before_an_inplace_relu(lecture):
    """We see what the layer gave; grad-cam 1.5.7 sees what the ReLU made of it."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )
    same = copy.deepcopy(net)
    same[1].inplace = False
    x, classes = torch.rand(2, 3, 16, 16), torch.tensor([1, 3])
    conv, its_twin = net[0], same[0]
    seen = [
        lecture.activations_and_gradients(model, layer, x, classes)
        for model, layer in ((net, conv), (same, its_twin))
    ]
    for ours, right in zip(*seen, strict=True):
        torch.testing.assert_close(ours, right, atol=0, rtol=0)
    assert (seen[0][0] < 0).any(), "a convolution gives negative numbers, too"
    ours = lecture.weighted_sum(*seen[0])
    right, _ = lecture.package_cam(same, its_twin, x, classes)
    torch.testing.assert_close(ours, right, atol=1e-15, rtol=1e-10)
    package, _ = lecture.package_cam(net, conv, x, classes)
    assert not torch.allclose(package, right, rtol=1e-3)


@pytest.mark.parametrize("shape", [(2, 3, 48, 48), (1, 3, 40, 52)])
def test_grad_cam_is_cam_for_average_and_linear_head(lecture, shape):
    net = lecture.quilt_net("остаточная", seed=3).eval()
    x, classes = torch.rand(shape), torch.arange(shape[0]) + 1
    A, _ = lecture.activations_and_gradients(net, net.block2, x, classes)
    HW = A.shape[2] * A.shape[3]
    expected = lecture.cam(A, net.head, classes).relu() / HW
    got = lecture.grad_cam(net, net.block2, x, classes)
    torch.testing.assert_close(got, expected, atol=1e-14, rtol=1e-12)
    earlier = lecture.activations_and_gradients(net, net.block1, x, classes)[1]
    assert not torch.allclose(earlier, earlier[:, :, :1, :1].expand_as(earlier))


def test_the_gradient_of_the_probability_is_bounded(lecture):
    """Formulas (4) and (5) against autograd."""
    torch.manual_seed(0)
    A, w = torch.randn(6, requires_grad=True), 3 * torch.randn(4, 6)
    S = w @ A
    p = S.softmax(0)
    (g,) = torch.autograd.grad(p[1], A)
    differences = w[1] - w
    torch.testing.assert_close(g, p[1] * (p[:, None] * differences).sum(0).detach())
    assert g.norm() <= (1 - p[1]) * differences.norm(dim=1).max()


# --- misuse ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_switched_off(lecture, small, mode):
    with mode(), pytest.raises(RuntimeError, match=r"вне torch\.no_grad"):
        lecture.grad_cam(small, small[4], X, CLASSES)
    untouched(small)


def test_a_picture_made_in_inference_mode(lecture, small):
    with torch.inference_mode():
        x = X.clone()
    expected = lecture.grad_cam(small, small[4], X, CLASSES)
    assert torch.equal(lecture.grad_cam(small, small[4], x, CLASSES), expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (7, r"\(B, C, H, W\)"),
        (nn.Conv2d(3, 6, 3), "слой этой же сети"),
    ],
)
def test_wrong_layer(lecture, small, layer, message):
    layer = small[layer] if isinstance(layer, int) else layer
    with pytest.raises(ValueError, match=message):
        lecture.grad_cam(small, layer, X, CLASSES)
    untouched(small)


def test_a_layer_used_twice_or_for_nothing(lecture):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice, self.idle = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.cut = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            self.idle(x)
            with torch.no_grad():
                self.cut(x)
            return self.twice(self.twice(x)).mean((2, 3))

    net = Odd()
    classes = torch.tensor([0, 1, 2])
    for layer, message in (
        (net.twice, "2 раза"),
        (net.idle, "не зависит"),
        (net.cut, "не тензор с градиентом"),
    ):
        with pytest.raises(ValueError, match=message):
            lecture.grad_cam(net, layer, X, classes)
        untouched(net)


@pytest.mark.parametrize(
    "classes", [0, [0, 3, 1], CLASSES[:2], CLASSES.double(), CLASSES[:, None]]
)
def test_wrong_classes(lecture, small, classes):
    with pytest.raises(ValueError, match="3 номеров классов"):
        lecture.grad_cam(small, small[4], X, classes)


def test_an_unknown_class_leaves_no_trace(lecture, small):
    with pytest.raises((RuntimeError, IndexError)):
        lecture.grad_cam(small, small[4], X, CLASSES + 9)
    untouched(small)


def untouched(net: nn.Module) -> None:
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks for module in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_modes_weights_and_hooks_are_as_before(lecture, small):
    small[1].eval()  # one part frozen by hand, the rest trains
    before = copy.deepcopy(small.state_dict())
    lecture.grad_cam(small, small[4], X, CLASSES)
    assert small.training and small[0].training and not small[1].training
    small[1].train()
    untouched(small)
    for name, value in small.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_an_error_inside_the_network_leaves_no_trace(lecture, small):
    small.append(nn.Linear(99, 1))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        lecture.grad_cam(small, small[4], X, CLASSES)
    untouched(small)


def test_frozen_weights_and_foreign_gradients(lecture, small):
    expected = lecture.grad_cam(small, small[4], X, CLASSES)
    small[0].weight.grad = torch.ones_like(small[0].weight)
    x = X.clone().requires_grad_()
    assert torch.equal(lecture.grad_cam(small, small[4], x, CLASSES), expected)
    assert (small[0].weight.grad == 1).all() and x.grad is None
    small.requires_grad_(False)
    assert torch.equal(lecture.grad_cam(small, small[4], X, CLASSES), expected)


def test_pictures_of_a_batch_do_not_meet(lecture, small):
    together = lecture.grad_cam(small, small[4], X, CLASSES)
    for i in range(3):
        alone = lecture.grad_cam(small, small[4], X[i : i + 1], CLASSES[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)


def test_a_blank_map_stays_blank(lecture):
    heat = lecture.project(torch.zeros(2, 3, 3), (12, 12))
    mask = torch.ones(2, 12, 12, dtype=torch.bool)
    assert (heat == 0).all()
    assert not lecture.pointing_hits(heat, mask).any()
    assert (lecture.energy_share(heat, mask) == 0).all()


# --- planted faults must be seen ------------------------------------------------------


def test_weights_without_the_mean_are_noticed(lecture, monkeypatch):
    def by_sum(A, G):
        return torch.einsum("bk,bkij->bij", G.sum((2, 3)), A)

    monkeypatch.setitem(lecture.names, "weighted_sum", by_sum)
    assert lecture.same_as_package("ResNet-18") > 0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_an_empty_map_stays_empty_in_every_precision(lecture, dtype):
    empty = lecture.project(torch.zeros(1, 4, 4, dtype=dtype), (8, 8))
    assert (empty == 0).all()
    assert lecture.energy_share(empty, torch.ones(1, 8, 8, dtype=torch.bool)) == 0


def test_package_tokens_lie_in_rows(lecture):
    A = torch.arange(7.0).view(1, 7, 1)  # the first is the class token
    assert lecture.tokens_to_map(A, (2, 3))[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(ValueError, match="клеток 6, а в карте"):
        lecture.tokens_to_map(A)


def test_a_map_with_swapped_axes_is_noticed(lecture, monkeypatch):
    build, choose, _ = lecture.ARCHITECTURES["ViT"]
    raw = {}
    for turned in (False, True):
        torch.manual_seed(0)
        net = build().eval()
        x, classes = torch.rand(1, 3, 64, 64), torch.tensor([1])
        A, G = lecture.activations_and_gradients(net, choose(net), x, classes)
        A, G = lecture.tokens_to_map(A), lecture.tokens_to_map(G)
        raw[turned] = lecture.weighted_sum(A.mT if turned else A, G)
    assert not torch.allclose(raw[True], raw[False])


# --- claims for other initial weights -------------------------------------------------


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_measures_beat_chance(lecture, data, trained, seed):
    net, accuracy = trained["остаточная", seed]
    assert accuracy > 0.98
    heat = lecture.heat_of(net, net.block2, data.val.x, data.y)
    strange = heat.roll(1, 0)
    half = lecture.SIZE // 2
    assert data.mask[:, half, half].double().mean() < 0.35
    assert lecture.share(lecture.pointing_hits(strange, data.mask)) < 0.35
    assert lecture.share(lecture.pointing_hits(heat, data.mask)) > 0.95
    energy = lecture.share(lecture.energy_share(heat, data.mask))
    chance = lecture.share(lecture.energy_share(strange, data.mask))
    assert 1.8 * chance < energy < 0.6
    x, y = data.val.x[:64], data.y[:64]
    L = lecture.grad_cam(net, net.block2, x, y)
    noise = torch.rand(L.shape, generator=torch.Generator().manual_seed(0))
    counts = range(0, 145, 12)
    bright, chance, dark = (
        sum(lecture.deletion_curve(net, x, y, order, counts))
        for order in (L, noise, -L)
    )
    assert bright < chance / 2 and dark > 1.2 * chance


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_maps_depend_on_the_weights(lecture, data, trained, seed):
    net, _ = trained["остаточная", seed]
    heat = lecture.heat_of(net, net.block2, data.val.x[:64], data.y[:64])
    for parts in (1, 4, 5, 10):
        maps = lecture.after_randomising(net, parts, data.val.x[:64], data.y[:64])
        hits, same = lecture.rates(maps, heat, data.mask[:64])
        assert same < 0.7
    assert same < 0.15 and hits < data.area, "nothing is left of the training"
    hits, same = lecture.rates([heat], heat, data.mask[:64])
    assert hits > 0.95 and same == pytest.approx(1)
    edges = lecture.edges(data.val.x)
    assert lecture.share(lecture.pointing_hits(edges, data.mask)) > 0.8


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_another_class_is_another_place(lecture, data, trained, seed):
    net, _ = trained["остаточная", seed]
    point, inside = {}, {}
    for name in ("conv1", "conv3", "block2"):
        maps = lecture.two_maps(net, net.get_submodule(name), data.pairs)
        masks = data.pairs.masks
        own = [lecture.pointing_hits(h, masks[:, k]) for k, h in enumerate(maps)]
        point[name] = [lecture.share(hits) for hits in own]
        inside[name] = sum(
            lecture.share(lecture.energy_share(h, masks[:, k]))
            for k, h in enumerate(maps)
        )
    foreign = [lecture.pointing_hits(h, masks[:, 1 - k]) for k, h in enumerate(maps)]
    assert min(point["block2"]) > 0.95
    assert max(lecture.share(hits) for hits in foreign) < 0.02
    assert sum(point["conv1"]) / 2 < 0.8
    assert inside["conv3"] / 2 > inside["block2"] / 2 + 0.05


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_plain_residual_and_attention(lecture, data, trained, seed):
    point, inside = {}, {}
    for kind in lecture.KINDS:
        net, accuracy = trained[kind, seed]
        assert accuracy > 0.98
        heat = lecture.heat_of(net, net.block2, data.val.x, data.y)
        point[kind] = lecture.share(lecture.pointing_hits(heat, data.mask))
        inside[kind] = lecture.share(lecture.energy_share(heat, data.mask))
    assert point["обычная"] < point["остаточная"] - 0.3
    assert inside["обычная"] < inside["остаточная"] - 0.05
    assert inside["остаточная"] < inside["с CBAM"] - 0.02
    assert inside["с SE"] < inside["остаточная"]
    opened = copy.deepcopy(trained["с CBAM", seed][0])
    for block in (opened.block1, opened.block2):
        block.residual[2].spatial = nn.Identity()
    heat = lecture.heat_of(opened, opened.block2, data.val.x, data.y)
    share = lecture.share(lecture.energy_share(heat, data.mask))
    assert inside["остаточная"] + 0.01 < share < inside["с CBAM"] - 0.02


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_probability_of_a_sure_network(lecture, data, trained, seed):
    net, _ = trained["остаточная", seed]
    x, y = data.val.x, data.y
    sure = lecture.sharpened(net, 4)
    assert torch.equal(sure(x).argmax(1), net(x).argmax(1))
    by_score = lecture.grad_cam(sure, sure.block2, x, y).amax((1, 2))
    probable = lecture.grad_cam(sure, sure.block2, x, y, score=lecture.probability)
    assert (probable.amax((1, 2)) / by_score).median() < 1e-6


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_strided_convolutions_shift_the_map(lecture, data, trained, seed):
    strided = lecture.make_strided(seed)
    assert (
        lecture.train_on_quilts(
            strided, data.train, data.val, steps=80, batch=16, seed=seed
        )
        > 0.98
    )
    pooled, _ = trained["остаточная", seed]
    heats = [
        lecture.heat_of(net, net.block2, data.val.x, data.y)
        for net in (strided, pooled)
    ]
    shift = (lecture.centre(heats[0]) - lecture.centre(heats[1])).mean(0)
    assert shift.min() > 0 and shift.max() < 1.5


def test_the_cell_of_a_resnet_stands_half_a_cell_aside(lecture):
    """Formula (6) for the first three strides of ResNet-18, s = 8."""
    net = models.resnet18()
    body = nn.Sequential(
        nn.Sequential(net.conv1), nn.AvgPool2d(3, 2, 1), net.layer1, net.layer2
    )
    s, i = 8, 12
    centre = lecture.cell_centre(body, i, size=200)
    assert s * i + (s - 1) / 2 - centre.item() == pytest.approx(3.5, abs=1e-9)


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_transformer(lecture, data, seed):
    net = lecture.quilt_vit(seed)
    assert (
        lecture.train_on_quilts(
            net, data.train, data.val, steps=120, lr=5e-3, seed=seed
        )
        > 0.9
    )
    x, y = data.val.x, data.y
    first, last = net.encoder.layers
    _, G = lecture.activations_and_gradients(net, last, x, y)
    assert (G[:, 1:] == 0).all() and (G[:, 0] != 0).any()
    heat = lecture.heat_of(net, first, x, y, to_map=lecture.tokens_to_map)
    point = lecture.share(lecture.pointing_hits(heat, data.mask))
    assert point < 0.8, "far below the convolutional networks, which have above 0.95"


# --- the network trained on photographs -----------------------------------------------


@pytest.fixture(scope="module")
def photos(lecture) -> SimpleNamespace:
    """The pairs of the notebook: photos, classes, boxes; maps of the network."""
    lite = lecture.trained(dtype=torch.float32)
    net = lite.net
    names = list(dict.fromkeys(name for name, _ in lecture.PAIRS))
    x = torch.cat([lite.inputs(lecture.photo(name, 224)) for name in names])
    which = [names.index(name) for name, _ in lecture.PAIRS]
    about = lecture.asked(*[name for _, name in lecture.PAIRS])
    boxes = lecture.masks_of(lecture.PAIRS)
    task = x, which, about
    heat = lecture.last_cams(net, *task)
    return SimpleNamespace(net=net, task=task, boxes=boxes, heat=heat)


def test_maps_without_a_gradient_are_those_of_grad_cam(lecture, photos):
    x, which, about = photos.task
    expected = lecture.heat_of(photos.net, photos.net.bn2, x[which[2:4]], about[2:4])
    torch.testing.assert_close(photos.heat[2:4], expected, atol=1e-5, rtol=0)


def test_a_flat_map_has_the_energy_of_its_area(lecture, photos):
    flat = torch.ones(len(photos.boxes), 224, 224)
    energy = lecture.relative_energy(flat, photos.boxes)
    torch.testing.assert_close(energy, torch.ones_like(energy))


def test_integrated_gradients_of_a_linear_score(lecture):
    """The sum over the picture is the change of the score; for a line in one step."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    x = torch.rand(1, 3, 2, 2)
    weight = net[1].weight[1].view(3, 2, 2)
    expected = ((x + 1) * weight).abs().sum(1)
    torch.testing.assert_close(lecture.integrated_gradients(net, x, 1, n=3), expected)
    gradient = lecture.pixel_gradient(net, x, 1)
    torch.testing.assert_close(gradient, weight[None])
    smooth = lecture.smooth_grad(net, x, 1, n=5)
    torch.testing.assert_close(smooth, gradient.abs().sum(1))


def test_erasing_and_keeping(lecture):
    """The score is the brightness of one corner; the map points at it or beside."""

    class Corner(nn.Module):
        def forward(self, x):
            bright = x[:, :, :32, :32].mean((1, 2, 3))
            return torch.stack([10 * bright - 9, torch.zeros_like(bright)], 1)

    x = torch.zeros(1, 3, 224, 224)
    x[..., :32, :32] = 1
    corner = torch.zeros(224, 224)
    corner[:32, :32] = 1
    heats = torch.stack([corner, 1 - corner])  # the corner first, the corner last
    bare, kept = lecture.curves(Corner(), x, 0, heats)  # (6 steps, 2 maps) each
    first = torch.arange(len(bare)) > 0
    assert torch.equal(bare == 1, torch.stack([~first, first.flip(0)], 1))
    assert torch.equal(kept == 1, torch.stack([first, ~first.flip(0)], 1))


def test_a_cascade_ends_at_the_random_network(lecture, photos):
    blank = lecture.random_lite(7)
    before = copy.deepcopy(photos.net.state_dict())
    *_, last = lecture.cascade(photos.net, blank, *photos.task)
    expected = lecture.last_cams(blank, *photos.task)
    torch.testing.assert_close(last, expected, atol=1e-4, rtol=0)
    for name, value in photos.net.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.seeds
def test_other_random_orders_and_photos_do_worse(lecture, photos):
    """Of 20 random orders and all other photos; the notebook shows one of each."""
    generator = torch.Generator().manual_seed(1)
    dice = torch.rand(20, 10, 1, 7, 7, generator=generator).float()
    dice = [nn.functional.interpolate(one, scale_factor=32)[:, 0] for one in dice]
    others = [photos.heat.roll(k, 0) for k in range(3, 8)]
    every = torch.stack([photos.heat, *others, *dice], 1)  # (10, 26, 224, 224)
    x, which, about = photos.task
    effect = torch.stack(
        [
            lecture.curves(photos.net, x[i : i + 1], c, heats)
            for i, c, heats in zip(which, about.tolist(), every, strict=True)
        ]
    )
    share = torch.tensor(lecture.COUNTS) / 49
    areas = torch.trapezoid(effect, share, dim=2).quantile(0.5, dim=0)  # (2, 26)
    erased, inserted = areas.double()
    assert erased[0] < 0.22 and inserted[0] > 0.75
    assert erased[1:].min() > 0.22, erased
    assert inserted[1:].max() < 0.7, inserted


@pytest.mark.seeds
def test_smooth_grad_with_other_noise_is_not_ahead(lecture, photos):
    """Of 20 draws of its noise; the notebook shows one."""
    x, which, about = photos.task
    maps = []
    for seed in range(20):
        torch.manual_seed(seed)
        pairs = zip(which, about.tolist(), strict=True)
        one = torch.cat(
            [lecture.smooth_grad(photos.net, x[i : i + 1], c) for i, c in pairs]
        )
        maps.append(nn.functional.avg_pool2d(one, 33, 1, 16, count_include_pad=False))
    every = torch.stack([photos.heat, *maps], 1)
    effect = torch.stack(
        [
            lecture.curves(photos.net, x[i : i + 1], c, heats)
            for i, c, heats in zip(which, about.tolist(), every, strict=True)
        ]
    )
    share = torch.tensor(lecture.COUNTS) / 49
    areas = torch.trapezoid(effect, share, dim=2).quantile(0.5, dim=0)
    hits = [lecture.pointing_hits(one, photos.boxes).sum() for one in maps]
    assert sum(area > areas[0, 0] for area in areas[0, 1:]) >= 19
    assert sum(area < areas[1, 0] for area in areas[1, 1:]) >= 19
    assert sum(hit <= 7 for hit in hits) >= 19


@pytest.mark.seeds
def test_other_random_networks_find_nothing(lecture, photos):
    """Of 20 with other weights; the notebook shows three."""
    helmet = [lecture.PAIRS.index(("astronaut", name)) for name in lecture.ENGLISH[:3]]
    likeness, by_luck = {name: [] for name in lecture.CASCADE}, 0
    for seed in range(10, 30):
        blank = lecture.random_lite(seed)
        heat = lecture.last_cams(blank, *photos.task)
        assert lecture.pointing_hits(heat, photos.boxes).sum() <= 4
        assert not lecture.pointing_hits(heat, photos.boxes)[helmet].all()
        energy = lecture.relative_energy(heat, photos.boxes)
        by_luck += (energy[helmet] > 2.4).sum()  # as much as the trained network
        assert energy.median() < 1.6
        maps = lecture.cascade(photos.net, blank, *photos.task)
        for values, part in zip(likeness.values(), maps, strict=True):
            values += lecture.alike(part, photos.heat)
    assert by_luck <= 5, "of 60 maps"
    for name, values in likeness.items():
        assert abs(sum(values) / len(values)) < 0.15, name
