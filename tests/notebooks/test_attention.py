"""Notebook 06: equality at more sizes, mistakes caught, claims for more seeds."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision import models, ops

from lecture_utils.reference import rename
from tools.definitions import definitions

SEEDS = (3, 4)  # the notebook itself has seeds 0, 1 and 2


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("06_attention")


@pytest.fixture(scope="module")
def data(lecture) -> SimpleNamespace:
    """The data of the notebook."""
    train, val = (lecture.large_things(n, seed) for n, seed in ((400, 0), (200, 10**4)))
    return SimpleNamespace(train=train[:2], val=val[:2], mask=val[2])


@pytest.fixture(scope="module")
def timm():
    """Seconds to import, and most of the other modules need none of it."""
    import timm

    return timm


# --- equality -------------------------------------------------------------------------

SIZES = [(2, 32, 14, 14), (3, 32, 5, 9), (2, 32, 1, 1), (1, 32, 2, 17)]
GATE = {r"^fc": "gate.fc", "fc1": "W0", "fc2": "W1"}
SPATIAL = {r"^conv\.conv": "gate.conv", r"^conv\.bn": "gate.norm"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("r", [2, 4, 32])
def test_channel_gate_equals_timm(lecture, timm, size, r):
    reference = lecture.randomise(timm.layers.cbam.ChannelAttn(32, rd_ratio=1 / r))
    lecture.compare(
        "timm", lecture.Gated(lecture.ChannelGate(32, r)), reference, size, GATE
    )


@pytest.mark.parametrize("size", SIZES)
def test_se_equals_torchvision_and_timm(lecture, timm, size):
    for name, reference in (
        ("torchvision", ops.SqueezeExcitation(32, 8)),
        ("timm", timm.layers.SEModule(32, rd_channels=8)),
    ):
        ours = lecture.Gated(lecture.SEGate(32, 4, bias=True))
        lecture.compare(name, ours, lecture.randomise(reference), size, GATE)


@pytest.mark.parametrize("k", [3, 5, 7])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_spatial_gate_equals_timm(lecture, timm, k, mode):
    reference = lecture.randomise(timm.layers.cbam.SpatialAttn(k))
    reference.train(mode == "train")
    gate = lecture.SpatialGate(k, norm=nn.BatchNorm2d)
    ours = lecture.Gated(gate).train(mode == "train")
    lecture.compare("timm", ours, reference, (2, 16, 9, 12), SPATIAL)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.Identity])
def test_cbam_equals_timm(lecture, timm, size, mode, norm):
    reference = lecture.randomise(timm.layers.cbam.CbamModule(32, rd_ratio=1 / 4))
    if norm is nn.Identity:
        reference.spatial.conv.bn = nn.Identity()
    ours = lecture.CBAM(32, 4, norm=norm)
    for model in (ours, reference):
        model.train(mode == "train")
    lecture.compare("timm", ours, reference, size, lecture.CBAM_RULES)


@pytest.mark.parametrize("size", [(1, 3, 65, 40), (2, 3, 33, 47)])
def test_resnet_with_cbam_equals_timm(lecture, size):
    lecture.compare_resnet(size)


def test_bottleneck_resnet_with_cbam_equals_timm(lecture, timm):
    resnet = timm.models.resnet
    reference = resnet.ResNet(
        resnet.Bottleneck,
        [1, 1, 1, 1],
        num_classes=5,
        block_args={"attn_layer": "cbam"},
    )
    net = models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=5)
    ours = lecture.insert_attention(net, norm=nn.BatchNorm2d)
    rules = {
        pattern.replace("bn2", "bn3"): name.replace("bn2", "bn3")
        for pattern, name in lecture.RESNET_RULES.items()
    }
    lecture.compare("timm", ours.eval(), reference.eval(), (1, 3, 48, 33), rules)


@pytest.mark.parametrize("size", [(2, 8, 40, 33), (1, 8, 23, 61), (3, 8, 19, 19)])
def test_lka_equals_one_large_kernel(lecture, size):
    lka = lecture.randomise(lecture.LKA(8))
    one, x = lecture.OneKernel(lka), lecture.noise(*size)
    difference = (one(x) - lka(x)).abs()[..., 9:-9, 9:-9]
    assert difference.max() < 1e-9
    gradients = []
    for output in (one, lambda x: lecture.without_border(lka, x)):
        given = x.clone().requires_grad_()
        (output(given) * lecture.noise(*size, seed=1)).sum().backward()
        gradients.append(given.grad)
    assert torch.allclose(*gradients)


# --- exact numbers --------------------------------------------------------------------


@pytest.mark.parametrize("channels", [16, 64, 100, 512])
@pytest.mark.parametrize("r", [2, 4, 16])
def test_number_of_parameters(lecture, channels, r):
    count = lecture.parameters(lecture.CBAM(channels, r))
    assert count == 2 * channels * (channels // r) + 98


def test_published_number_of_parameters(lecture, timm):
    with torch.device("meta"):
        plain = timm.create_model("resnet50")
        reference = timm.create_model("resnet50", block_args={"attn_layer": "cbam"})
        ours = lecture.insert_attention(models.resnet50(), norm=nn.BatchNorm2d)
    assert lecture.parameters(plain) == lecture.RESNET50
    assert lecture.parameters(ours) == lecture.parameters(reference)
    added = sum(n * lecture.cbam_parameters(c, 16) for c, n in lecture.STAGES.items())
    assert lecture.parameters(ours) == lecture.RESNET50 + added + 2 * 16


def test_gates_of_an_open_module_change_nothing(lecture):
    x = lecture.noise(2, 8, 7, 7)
    cbam = lecture.CBAM(8, 2)
    cbam.channel = cbam.spatial = lecture.Open()
    assert torch.equal(cbam(x), x)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gate_only_weakens(lecture, seed):
    torch.manual_seed(seed)
    x, cbam = 10 * lecture.noise(2, 32, 9, 9, seed=seed), lecture.CBAM(32, 4)
    assert (cbam(x).abs() <= x.abs()).all()


# --- planted faults -------------------------------------------------------------------


def test_mistakes_are_caught_each_by_its_check(lecture):
    found = {
        name: lecture.failed(lecture.with_fault(getattr(lecture, name)))
        for name in ("TwoMLPs", "TwoMeans", "FixedPool", "NoSigmoid", "Softmax")
    }
    assert found["TwoMLPs"] == ["shares_the_mlp"]
    assert found["TwoMeans"] == ["needs_the_max"]
    assert found["FixedPool"] == ["fits_any_size"]
    assert "keeps_the_range" in found["NoSigmoid"]
    assert found["Softmax"] == ["starts_at_a_quarter"]


@pytest.mark.parametrize("seed", range(5))
def test_the_right_module_passes_with_any_weights(lecture, seed):
    torch.manual_seed(seed)
    assert lecture.failed(lecture.with_fault(lecture.ChannelGate)) == []


@pytest.mark.parametrize("fault", ["TwoMeans", "TwoMLPs", "Softmax"])
def test_comparison_with_timm_finds_a_faulty_gate(lecture, timm, fault):
    reference = lecture.randomise(timm.layers.cbam.ChannelAttn(32, rd_ratio=1 / 4))
    ours = lecture.Gated(getattr(lecture, fault)(32, 4))
    ours.load_state_dict(rename(reference.state_dict(), GATE), strict=False)
    with pytest.raises(AssertionError, match="выход отличается"):
        lecture.same_as("timm", ours, reference, lecture.noise(2, 32, 9, 9), rules=GATE)


def test_concentration_knows_the_extremes(lecture):
    mask = torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[:, 2:4, 2:4] = True
    one = torch.ones(2)
    for gate, expected in ((torch.full((2, 8, 8), 0.3), 1), (mask, 16), (~mask, 0)):
        measured = lecture.concentration(gate.double(), mask)
        torch.testing.assert_close(measured, expected * one)


def test_explained_variance_knows_the_extremes(lecture):
    y = torch.arange(4).repeat(25)
    assert lecture.eta_squared(y[:, None].double(), y) == pytest.approx(1)
    unrelated = torch.arange(100)[:, None] // 4 % 5  # the same in every class
    assert lecture.eta_squared(unrelated.double(), y) == pytest.approx(0)


# --- measured claims ------------------------------------------------------------------


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_where_and_what_of_the_last_block(lecture, data, seed):
    net, accuracy = lecture.train_street_net(True, seed, data.train, data.val)
    what, where = lecture.gates(net, data.val[0])
    eta = [lecture.eta_squared(gate, data.val[1]) for gate in what]
    assert accuracy > 0.7
    own = lecture.concentration(where[2], data.mask)
    better = own - lecture.by_chance(where[2], data.mask)
    assert better.mean() > 3 * better.std() / len(better) ** 0.5
    assert eta[2] > 0.6 and eta[2] > eta[0] + 0.1
    assert 0.35 < lecture.with_strange_gates(net, *data.val) < accuracy


def test_untrained_gates_know_nothing(lecture):
    net = lecture.street_net(True, 0).eval()
    x, _, mask = lecture.large_things(40, 10**4)
    _, where = lecture.gates(net, x)
    assert abs(lecture.concentration(where[2], mask).mean() - 1) < 0.1


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_without_bn_the_last_gate_stays_open(lecture, data, seed):
    net, _ = lecture.train_street_net(
        True, seed, data.train, data.val, norm=nn.Identity
    )
    _, where = lecture.gates(net, data.val[0])
    assert where[2].mean() > 0.95
