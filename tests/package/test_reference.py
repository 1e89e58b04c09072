"""Comparison with a reference implementation finds every kind of difference."""

import pytest
import torch
from torch import nn

from lecture_utils.reference import rename, same_as, twin


def _pair():
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten())
    reference = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten())
    reference.load_state_dict(ours.state_dict())
    return ours.double(), reference.double()


X = torch.randn(2, 2, 5, 7, dtype=torch.float64)


def test_equal_models_are_equal(capsys):
    same_as("эталоном", *_pair(), X)
    assert "выход (2, 45) и градиенты (тензоров: 5)" in capsys.readouterr().out


def test_a_twin_has_weights_buffers_and_mode_of_the_reference(capsys):
    _, reference = _pair()
    reference[1].running_mean += 1
    reference.eval()
    rules = {r"^(\d)": r"part\1"}
    with torch.device("meta"):
        fresh = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten())
    ours = nn.Sequential()
    for number, part in enumerate(fresh):
        ours.add_module(f"part{number}", part)
    assert twin(ours, reference, rules) is ours and not ours.training
    same_as("эталоном", ours, reference, X, rules=rules)


def test_weights_are_copied_when_asked():
    ours, reference = _pair()
    ours[0].weight.data.zero_()
    same_as("эталоном", ours, reference, X, copy=True)


def test_a_changed_weight_is_found():
    ours, reference = _pair()
    ours[0].weight.data[0, 0, 0, 0] += 1e-6
    with pytest.raises(AssertionError, match="выход отличается на"):
        same_as("эталоном", ours, reference, X)


def test_a_detached_branch_is_found_by_its_gradient():
    class Half(nn.Module):
        def __init__(self, detach):
            super().__init__()
            self.w = nn.Parameter(torch.ones(5, dtype=torch.float64))
            self.detach = detach

        def forward(self, x):
            skip = x.detach() if self.detach else x
            return self.w * x + skip

    x = torch.randn(3, 5, dtype=torch.float64)
    with pytest.raises(AssertionError, match="градиент по x"):
        same_as("эталоном", Half(True), Half(False), x)


def test_a_parameter_without_gradient_is_found():
    ours, reference = _pair()
    ours[0].bias.requires_grad_(False)
    with pytest.raises(AssertionError, match=r"0\.bias"):
        same_as("эталоном", ours, reference, X)


def test_wrong_shape_and_nan_are_found():
    ours, reference = _pair()
    with pytest.raises(AssertionError, match=r"форма \(2, 3, 3, 5\)"):
        same_as("эталоном", ours[:2], reference, X)
    ours[0].weight.data.fill_(float("nan"))
    reference[0].weight.data.fill_(float("nan"))
    with pytest.raises(AssertionError, match="выход отличается на nan"):
        same_as("эталоном", ours, reference, X)


def test_rename_applies_rules_in_order_and_refuses_collisions():
    state = {"a.0.weight": 1, "a.1.weight": 2}
    rules = {r"a\.(\d)": lambda match: f"b{int(match[1]) + 1}", "weight": "w"}
    assert rename(state, rules) == {"b1.w": 1, "b2.w": 2}
    with pytest.raises(ValueError, match="2 имён в 1"):
        rename(state, {r"\d": "0"})
