"""What notebook 02 defines, tried on more inputs than the lecture shows."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lecture_utils.trained import trained
from tools.definitions import definitions


@pytest.fixture(scope="module")
def lecture() -> SimpleNamespace:
    return definitions("02_vgg")


layers = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), max_size=4)


@settings(deadline=None, max_examples=40)
@given(layers)
def test_measured_field_obeys_the_formula(lecture, layers):
    field = lecture.receptive_field(layers)
    net = lecture.averages(layers) if layers else nn.Identity()
    x = torch.rand(1, 1, field, field, dtype=torch.float64)
    gradient = lecture.influence(net, x)
    # A layer with a step above its kernel skips pixels inside the field.
    if all(stride <= kernel for kernel, stride in layers):
        assert (gradient > 0).all()
    assert lecture.side(gradient) == field


@pytest.mark.parametrize("config", ["A", "A-LRN", "B", "C", "D", "E"])
def test_operations_by_formula_are_those_that_torch_counts(lecture, config):
    rows = lecture.layer_table(lecture.meta_vgg(config))
    assert len(rows) >= 8 + 5 + 3
    for row in rows:
        assert lecture.layer_operations(row.layer, row.shape) == row.operations


def test_special_layers_stand_where_the_paper_has_them(lecture):
    kinds = {
        config: [type(m).__name__ for m in lecture.make_features(config)]
        for config in ("A", "A-LRN", "B", "C")
    }
    assert kinds["A-LRN"][:3] == ["Conv2d", "ReLU", "LocalResponseNorm"]
    assert [k for k in kinds["A-LRN"] if k != "LocalResponseNorm"] == kinds["A"]
    kernels = [
        m.kernel_size[0] for m in lecture.make_features("C") if isinstance(m, nn.Conv2d)
    ]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


@pytest.mark.parametrize("channels", [1, 2, 5, 9])
@pytest.mark.parametrize("n", [1, 3, 5])
def test_lrn_equals_torch(lecture, channels, n):
    a = 50 * torch.randn(2, channels, 3, 4, dtype=torch.float64)
    expected = F.local_response_norm(a, n, alpha=1e-4 * n, beta=0.75, k=2)
    torch.testing.assert_close(lecture.lrn(a, n), expected)


def test_lonely_dots_are_found_one_by_one(lecture):
    x, y = lecture.lonely_dots(3, seed=5, size=9)
    assert y.shape == (3, 1, 5, 5)
    for n, i, j in product(range(3), range(5), range(5)):
        window = x[n, 0, i : i + 5, j : j + 5]
        lonely = any(
            window[a, b] == 1 and window[a - 1 : a + 2, b - 1 : b + 2].sum() == 1
            for a, b in product(range(1, 4), repeat=2)
        )
        assert y[n, 0, i, j] == lonely


@pytest.mark.seeds
def test_nonlinearity_pays_for_other_seeds_too(lecture):
    dots = lecture.lonely_dots(64, seed=0), lecture.lonely_dots(64, seed=1)
    errors = {
        name: sum(lecture.dot_error(layers, seed, *dots) for seed in (3, 4, 5))
        for name, layers in lecture.VARIANTS.items()
    }
    single, linear, nonlinear = errors.values()
    assert nonlinear < 0.7 * single, errors
    assert linear > 2 * nonlinear, errors


@pytest.mark.seeds
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_features_win_on_other_pieces_and_draws(lecture, seed):
    backbone = trained(dtype=torch.float32).net
    known, unknown = (lecture.all_pieces(right, seed) for right in (False, True))
    seen, new = (
        lecture.features_of(backbone, part[0], 96) for part in (known, unknown)
    )
    ready, fresh, mixed = [], [], []
    for count in lecture.COUNTS:
        draws = [
            lecture.score_all(known, unknown, seen, new, count, 10 * seed + k)
            for k in range(5)
        ]
        for name, into in (
            ("признаки готовой сети", ready),
            ("сеть с нуля", fresh),
            ("признаки, метки перемешаны", mixed),
        ):
            into.append(sum(draw[name] for draw in draws) / len(draws))
    assert all(a > b + 0.1 for a, b in zip(ready, fresh, strict=True)), (ready, fresh)
    assert fresh[-1] < ready[0] < 0.85, (ready, fresh)
    assert all(abs(m - 1 / 6) < 0.05 for m in mixed), mixed


@pytest.mark.seeds
@pytest.mark.parametrize("steps", [180, 600])
def test_features_win_when_the_fresh_network_trains_longer(lecture, steps):
    backbone = trained(dtype=torch.float32).net
    known, unknown = lecture.all_pieces(right=False), lecture.all_pieces(right=True)
    seen, new = (
        lecture.features_of(backbone, part[0], 96) for part in (known, unknown)
    )
    ready, fresh = [], []
    for seed in range(3):
        few = lecture.few(known[1], 20, seed)
        x, y = known[0][few], known[1][few]
        guess = lecture.nearest_mean(seen[few], y, new)
        ready.append((guess == unknown[1]).double().mean().item())
        fresh.append(1 - lecture.fresh_error((x, y), unknown, seed, steps=steps))
    assert sum(ready) > sum(fresh) + 0.3, (ready, fresh)


def test_pieces_come_from_their_own_half(lecture, monkeypatch):
    """The left half of this photo is plain, the right one striped."""
    photo = torch.zeros(3, 256, 256)
    photo[:, :, 128::2] = 200
    monkeypatch.setitem(lecture.names, "photo", lambda name, size: photo)
    left, right = (lecture.pieces("cat", right) for right in (False, True))
    assert left.shape == right.shape == (25, 1, 32, 32)
    assert (left == 0.5).all()
    assert (right.std((1, 2, 3)) > 0.15).all()


def test_few_examples_are_of_every_class_and_differ(lecture):
    labels = torch.arange(6).repeat_interleave(25)
    for count in (1, 5, 25):
        chosen = lecture.few(labels, count, seed=3)
        assert labels[chosen].bincount().tolist() == [count] * 6
        assert len(set(chosen.tolist())) == 6 * count


def test_nearest_mean_is_nearest_class_mean(lecture):
    x = torch.tensor([[0.0, 0], [2, 0], [10, 0], [10, 4]])
    new = torch.tensor([[3.0, 1], [9, 2]])
    guess = lecture.nearest_mean(x, torch.tensor([0, 0, 1, 1]), new)
    assert guess.tolist() == [0, 1]
