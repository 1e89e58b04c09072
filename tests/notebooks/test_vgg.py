"""What notebook 02 defines, tried on more inputs than the lecture shows."""

from itertools import product
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.models._api import Weights

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


# --- weights that are there, and weights that are not ---------------------------------


class TinyWeights(WeightsEnum):
    DEFAULT = Weights(
        url="https://download.example.org/tiny-01234567.pth", transforms=None, meta={}
    )


def tiny(*, weights: WeightsEnum | None) -> nn.Module:
    """Load weights as the builders of torchvision do."""
    net = nn.Linear(2, 3)
    if weights is not None:
        net.load_state_dict(weights.get_state_dict(progress=False, check_hash=True))
    return net


def test_weights_in_the_cache_are_used(lecture, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    stored = nn.Linear(2, 3).state_dict()
    file = lecture.weights_file(TinyWeights.DEFAULT)
    assert tmp_path in file.parents
    file.parent.mkdir(parents=True)
    torch.save(stored, file)

    net, ready = lecture.load_model(tiny, TinyWeights.DEFAULT)
    assert ready and not net.training
    assert torch.equal(net.weight, stored["weight"])


def test_without_weights_nothing_is_fetched(lecture, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(
        TinyWeights, "get_state_dict", lambda self, **_: asked.append(self) or {}
    )
    _, ready = lecture.load_model(tiny, TinyWeights.DEFAULT)
    assert not ready and asked == []


def test_weights_are_fetched_when_the_reader_asks(lecture, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fetched = nn.Linear(2, 3).state_dict()
    monkeypatch.setattr(TinyWeights, "get_state_dict", lambda self, **_: fetched)
    net, ready = lecture.load_model(tiny, TinyWeights.DEFAULT, download=True)
    assert ready and torch.equal(net.bias, fetched["bias"])


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "half", "other"])
def test_broken_weights_leave_a_random_network(
    lecture, tmp_path, monkeypatch, capsys, content
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = lecture.weights_file(TinyWeights.DEFAULT)
    file.parent.mkdir(parents=True)
    torch.save(nn.Linear(3, 2).state_dict(), file)  # weights of another network
    if content != "other":
        file.write_bytes(file.read_bytes()[:500] if content == "half" else content)
    net, ready = lecture.load_model(tiny, TinyWeights.DEFAULT)
    assert not ready and net(torch.ones(1, 2)).shape == (1, 3)
    shown = capsys.readouterr().out
    assert "Веса не загрузились" in shown and str(file) in shown


def test_no_network_leaves_a_random_network(lecture, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(self, **_):
        raise URLError("Name or service not known")

    monkeypatch.setattr(TinyWeights, "get_state_dict", no_network)
    _, ready = lecture.load_model(tiny, TinyWeights.DEFAULT, download=True)
    assert not ready and "Name or service not known" in capsys.readouterr().out
