"""Counts of parameters and operations agree with formulas and with each other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lecture_utils.count import multiply_adds, multiply_adds_by_module, parameters


def test_a_convolution_by_formula():
    conv = nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2))
    assert parameters(conv) == 8 * 3 * 3 * 5 + 8
    # 6 x 4 output pixels; the bias is no multiplication
    assert multiply_adds(conv, torch.zeros(2, 3, 12, 8)) == 2 * 6 * 4 * 8 * 3 * 3 * 5


def test_frozen_parameters_count_and_buffers_do_not():
    norm = nn.BatchNorm2d(7).requires_grad_(False)
    assert parameters(norm) == 14
    assert multiply_adds(norm, torch.zeros(1, 7, 2, 2)) == 0


def test_a_function_and_a_meta_tensor_will_do():
    x = torch.empty(5, 10, device="meta")
    assert multiply_adds(lambda a, b: F.relu(a @ b.T), x, x) == 5 * 5 * 10


def test_nothing_is_kept_for_a_gradient():
    layer = nn.Linear(2, 2)
    seen = []
    layer.register_forward_hook(lambda module, args, out: seen.append(out))
    multiply_adds(layer, torch.zeros(1, 2))
    assert not seen[0].requires_grad


@pytest.mark.parametrize("k", [1, 3])
def test_parameters_and_operations_of_a_convolution_belong_together(k):
    conv = nn.Conv2d(4, 6, k, padding=k // 2, bias=False)
    assert multiply_adds(conv, torch.zeros(1, 4, 9, 9)) == 81 * parameters(conv)


def test_parts_add_up_to_the_whole():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Sequential(nn.Flatten(), nn.Linear(8, 5))
    )
    counts = multiply_adds_by_module(net, torch.zeros(1, 1, 4, 4))
    assert counts == {"": 112, "0": 72, "1": 40, "1.0": 0, "1.1": 40}
    assert counts[""] == multiply_adds(net, torch.zeros(1, 1, 4, 4))
