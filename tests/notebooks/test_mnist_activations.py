"""Notebook 11: equality at more sizes, its claims for more seeds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lecture_utils.controls import DigitPad
from lecture_utils.data import mnist
from lecture_utils.reference import same_as
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0

# --- equality -------------------------------------------------------------------------


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def lecture() -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("11_mnist_activations")


class AsTorch(nn.Module):
    """A channels-last function with the parameters and the layout of a torch layer."""

    def __init__(self, layer: nn.Module, function):
        super().__init__()
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, nn.Parameter(parameter.detach().clone()))
        self.function = function

    def forward(self, x):
        return self.function(x.movedim(1, -1), self).movedim(-1, 1)


@pytest.mark.parametrize(
    ("k", "c_in", "c_out", "size"),
    [
        (5, 1, 32, (28, 28)),
        (5, 3, 2, (4, 9)),
        (3, 2, 5, (1, 7)),
        (1, 4, 4, (5, 3)),
        (4, 2, 3, (9, 6)),  # even: one more zero at the end
        (2, 3, 1, (5, 5)),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_convolution_by_windows(lecture, float64, k, c_in, c_out, size):
    torch.manual_seed(0)
    conv = nn.Conv2d(c_in, c_out, k, padding="same")
    ours = AsTorch(conv, lambda x, m: lecture.conv_same(x, *lecture.keras_conv(m)))
    same_as("nn.Conv2d", ours, conv, torch.randn(2, c_in, *size))


@pytest.mark.parametrize("size", [(28, 28), (14, 14), (27, 30), (7, 5), (1, 2), (1, 1)])
def test_pooling_by_windows(lecture, float64, size):
    torch.manual_seed(0)
    ours = AsTorch(nn.Identity(), lambda x, m: lecture.pool_same(x))
    x = torch.randn(3, 4, *size) - 5  # all negative: a zero in the padding would win
    same_as("MaxPool2d", ours, nn.MaxPool2d(2, ceil_mode=True), x)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("side", [1, 6, 7, 28])
def test_same_padding_keeps_its_promise(lecture, side, k, stride):
    x = torch.zeros(1, side, side + 1, 1)
    parts = lecture.all_patches(lecture.pad_same(x, k, stride, 0.0), k, stride)
    assert parts.shape[1:3] == (-(-side // stride), -(-(side + 1) // stride))


def _random_net(lecture, seed: int) -> nn.Sequential:
    """With biases, which are zero at the start, so that a forgotten one shows."""
    net = lecture.digit_net(seed).eval()
    for parameter in net.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, -0.1, 0.1)
    return net


@pytest.mark.parametrize(("seed", "batch"), [(0, 1), (1, 2), (2, 7)])
def test_whole_network_in_the_layout_of_keras(lecture, float64, seed, batch):
    net = _random_net(lecture, seed)
    x = torch.rand(batch, 1, 28, 28)
    same_as("torch", lecture.ChannelsLast(net).eval(), net, x)


def _flip(net):
    net.conv2d_2.weight.data = net.conv2d_2.weight.data.flip(-1, -2)


def _swap(net):
    net.conv2d_2.weight.data = net.conv2d_2.weight.data.transpose(-1, -2)


def _lose_bias(net):
    net.dense_1.bias.data.zero_()


def _forget_order(net):
    net.side = None


@pytest.mark.parametrize("fault", [_flip, _swap, _lose_bias, _forget_order])
def test_a_fault_in_the_layout_is_found(lecture, float64, fault):
    net = _random_net(lecture, 0)
    ours = lecture.ChannelsLast(net).eval()
    fault(ours)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torch", ours, net, torch.rand(2, 1, 28, 28))


def test_output_pixel_equals_the_layer(lecture, float64):
    conv = _random_net(lecture, 0).conv2d_2
    x = torch.rand(32, 6, 9)
    maps = conv(x[None])[0]
    for f, i, j in [(0, 0, 0), (63, 5, 8), (17, 3, 0), (40, 0, 8), (5, 2, 4)]:
        torch.testing.assert_close(
            lecture.output_pixel(x, conv, f, i, j)[2], maps[f, i, j]
        )


def test_both_counts_agree(lecture):
    for layer in (nn.Conv2d(3, 7, 5), nn.Conv2d(4, 1, 1), nn.Linear(9, 4), nn.ReLU()):
        assert lecture.formula_parameters(layer) == lecture.parameters(layer)
    assert lecture.parameters(lecture.digit_net()) == 3_274_634


def test_hooks_are_removed_even_after_an_error(lecture):
    net = lecture.digit_net().eval()
    x = torch.rand(1, 1, 28, 28)
    found = lecture.record(net, x, ["dense_2", "conv2d_1"])
    torch.testing.assert_close(found["dense_2"], net(x).detach())
    lecture.summary(net, x)
    with pytest.raises(RuntimeError):
        lecture.record(net, x[..., 1:], ["conv2d_1", "dense_1"])
    assert not any(layer._forward_hooks for layer in net.modules())


# --- the live pictures ----------------------------------------------------------------


@pytest.mark.parametrize("ink", [0, 255])
def test_an_empty_and_a_full_pad_are_drawn(lecture, ink):
    lecture.names["net"] = lecture.digit_net().eval()
    pad = DigitPad(start=torch.full((1, 28, 28), ink / 255))
    figure = lecture.draw_own(pad.value)
    title = figure.axes[0].get_title()
    assert title == ("рисунок" if ink else "лист пуст")
    assert figure.axes[2].get_title().startswith("ответ: ")


def test_occlusion_walks_over_a_picture_that_is_not_square(lecture):
    net, x = nn.Sequential(nn.Flatten(), nn.Linear(9 * 13, 10)), torch.rand(1, 9, 13)
    drops = lecture.occlusion(net, x, 3, fill=0.5)
    assert drops.shape == (2, 4)
    covered = x.clone()
    covered[:, 2:9, 6:13] = 0.5
    before, after = net(torch.stack([x, covered])).softmax(1)[:, 3]
    torch.testing.assert_close(drops[1, 3], before - after)


def test_shapes_have_equal_areas(lecture):
    for size in lecture.SIZES:
        areas = [(lecture.shape(kind, size) > 60).sum() for kind in lecture.KINDS[:3]]
        assert max(areas) < 1.1 * min(areas)
    assert (lecture.shape("пусто", 14) == 60).all()


# --- the claims of the lecture --------------------------------------------------------


@pytest.fixture(scope="module", params=SEEDS)
def trained(request, lecture) -> SimpleNamespace:
    """Other weights, batches and split, in float32: no claim may hang on rounding."""
    seed, data = request.param, mnist()
    x = torch.cat([data.x_train, data.x_test])
    y = torch.cat([data.y_train, data.y_test])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    learn, check, rest = order[:4000], order[4000:4500], order[4500:]
    train, val = (x[learn], y[learn]), (x[check], y[check])
    net, spoilt = lecture.digit_net(seed), lecture.digit_net(seed)
    history = lecture.train_digit_net(net, train, val, lecture.STEPS, seed=seed)
    twice = lecture.train_digit_net(spoilt, train, val, 21, lecture.softmax_twice, seed)
    return SimpleNamespace(
        net=net, x=val[0], y=val[1], others=x[rest],
        history=history, twice=twice, seed=seed,
    )  # fmt: skip


@pytest.mark.seeds
def test_network_reads_digits_and_one_softmax_is_enough(lecture, trained):
    assert trained.history.val_error[-1] < 0.08
    assert trained.twice.val_error[1] - trained.history.val_error[1] > 0.03
    p = lecture.predict(trained.net, trained.x).softmax(1)
    confidence, answers = p.max(1)
    wrong = answers != trained.y
    assert 0.5 < confidence[wrong].mean() < confidence[~wrong].mean() - 0.15
    pairs = torch.stack([trained.y, answers])[:, wrong].sort(0).values
    _, counts = pairs.unique(dim=1, return_counts=True)
    assert len(counts) > 8 and counts.max() < wrong.sum() / 2
    assert confidence.mean() > 0.85


@pytest.mark.seeds
def test_relu_and_the_empty_background(lecture, trained):
    bias = trained.net.conv2d_1.bias.detach()
    for image in trained.x[:5]:
        maps = lecture.record(trained.net, image[None], ["conv2d_1"])["conv2d_1"][0]
        inked = F.max_pool2d(image, 5, 1, 2)[0] > 0
        assert (maps[:, ~inked] - bias[:, None]).abs().max() < 1e-5
        assert 1 / 3 < (maps[:, inked] < 0).double().mean() < 0.6


@pytest.mark.seeds
def test_second_division_by_255(lecture, trained):
    net, x = trained.net, trained.x
    pale = lecture.predict(net, x / 255).softmax(1)
    empty = lecture.predict(net, 0 * x[:1]).softmax(1)
    assert (pale.argmax(1) == trained.y).double().mean() < 0.2 and pale.max() < 0.15
    assert (pale - empty).abs().max() < 0.01
    layers = ["conv2d_1", "conv2d_2"]
    blank = lecture.record(net, 0 * x[:1], layers)["conv2d_2"]
    for image in x[:5]:
        right = lecture.record(net, image[None], layers)
        wrong = lecture.record(net, image[None] / 255, layers)
        drawn = [lecture.own_scale(maps["conv2d_1"]) for maps in (right, wrong)]
        torch.testing.assert_close(*drawn, atol=1e-3, rtol=0)
        assert lecture.correlation(wrong["conv2d_2"], right["conv2d_2"]) < 0.5
        assert lecture.correlation(wrong["conv2d_2"], blank) > 0.8


@pytest.mark.seeds
def test_forgotten_permutation_stops_the_reading(lecture, trained):
    careless = lecture.ChannelsLast(trained.net, side=None)
    answers = lecture.predict(careless.eval(), trained.x).argmax(1)
    assert (answers == trained.y).double().mean() < 0.2


@pytest.mark.seeds
def test_first_kernels_stay_close_to_chance(lecture, trained):
    start = lecture.digit_net(trained.seed).conv2d_1.weight
    change = trained.net.conv2d_1.weight - start
    assert change.norm() < 0.5 * start.norm()
    cosines = F.cosine_similarity((start + change).flatten(1), start.flatten(1))
    assert cosines.min() > 0.8


@pytest.mark.seeds
def test_strongest_patches_are_alike(lecture, trained):
    peaks = lecture.predict(trained.net[:4], trained.x)
    fresh = lecture.predict(lecture.digit_net(trained.seed)[:4], trained.x)
    fields = F.pad(trained.x, (6, 6, 6, 6)).unfold(2, 14, 2).unfold(3, 14, 2)[:, 0]
    generator = torch.Generator().manual_seed(trained.seed)
    chosen, control, without = [], [], []
    for channel in range(64):
        images, i, j = lecture.strongest(peaks, channel)
        others = torch.randperm(len(fields), generator=generator)[:9]
        chosen.append(lecture.mean_correlation(fields[images, i, j]))
        control.append(lecture.mean_correlation(fields[others, i, j]))
        without.append(
            lecture.mean_correlation(fields[lecture.strongest(fresh, channel)])
        )
    assert min(np.mean(chosen), np.mean(without)) > 3 * np.mean(control)
    assert np.sum(np.greater(chosen, control)) >= 60
    assert np.mean(np.greater(chosen, without)) > 2 / 3


@pytest.mark.seeds
def test_dead_neurons_can_be_cut_out(lecture, trained):
    peaks = lecture.largest(trained.net, trained.x)
    dead = [(peaks[name] == 0).double().mean() for name in lecture.LAYERS]
    fresh = lecture.largest(lecture.digit_net(trained.seed).eval(), trained.x)
    before = (fresh["activation_3"] == 0).double().mean()
    assert dead[0] < 0.05 and dead[1] < 0.05
    assert dead[2] > 0.3 and dead[2] > 2 * before
    was, now = fresh["activation_3"] == 0, peaks["activation_3"] == 0
    assert (was & ~now).sum() > 0.2 * was.sum()
    small = lecture.prune(trained.net, peaks["activation_3"] > 0).eval()
    expected = lecture.predict(trained.net, trained.x)
    torch.testing.assert_close(
        lecture.predict(small, trained.x), expected, atol=1e-3, rtol=1e-3
    )
    same = [lecture.predict(n, trained.others).argmax(1) for n in (small, trained.net)]
    assert (same[0] == same[1]).double().mean() >= 0.99
    counts = [lecture.parameters(net) for net in (small, trained.net)]
    assert counts[0] < 3 / 4 * counts[1]


@pytest.mark.seeds
def test_occlusion_depends_on_what_covers(lecture, trained):
    x, y = trained.x[:64], trained.y[:64]
    erased = lecture.drops_by_ink(trained.net, x, y, fill=0.0)
    painted = lecture.drops_by_ink(trained.net, x, y, fill=1.0)
    assert erased[0] > 10 * erased[1]
    assert painted[1] > painted[0]  # so for 19 seeds of 20
