"""What an output sees, and what layers give out."""

import pytest
import torch
from torch import nn

from lecture_utils.probe import correlation, influence, recorded


def test_a_convolution_sees_its_kernel():
    conv = nn.Conv2d(2, 3, (3, 5), padding=(1, 2), bias=False)
    x = torch.randn(1, 2, 9, 11)
    seen = influence(conv, x)
    rows, columns = (seen > 0).nonzero().unbind(1)
    assert (rows.unique().tolist(), columns.unique().tolist()) == (
        [3, 4, 5],
        [3, 4, 5, 6, 7],
    )
    # a correlation: the kernel itself lies around the place
    torch.testing.assert_close(seen[3:6, 3:8], conv.weight.detach().sum(0).abs().sum(0))


def test_a_place_is_row_and_column():
    seen = influence(nn.AvgPool2d(2), torch.ones(1, 1, 4, 6), place=(0, 2))
    assert seen.nonzero().tolist() == [[0, 4], [0, 5], [1, 4], [1, 5]]


def test_outputs_are_copies_and_hooks_go():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten())
    x = torch.randn(1, 1, 3, 3)
    with recorded(net, ["0", "1"]) as outputs:
        net(x)
    assert list(outputs) == ["0", "1"]
    torch.testing.assert_close(outputs["0"], net[0](x))
    torch.testing.assert_close(outputs["1"], net[0](x).relu())
    assert not outputs["0"].requires_grad
    assert not any(module._forward_hooks for module in net.modules())


def test_hooks_go_when_something_fails():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(RuntimeError), recorded(net, ["0"]):
        net(torch.zeros(1, 5))
    with pytest.raises(AttributeError), recorded(net, ["1", "нет такого"]):
        pass
    assert not any(module._forward_hooks for module in net.modules())


def test_correlation_is_the_mean_of_those_of_the_maps():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3, 4, 5, 6, generator=generator, dtype=torch.float64)
    pairs = zip(a.flatten(0, 1).flatten(1), b.flatten(0, 1).flatten(1), strict=True)
    expected = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
    assert correlation(a, b) == pytest.approx(expected.mean().item())
    assert correlation(a, 7 - 3 * a) == pytest.approx(-1)
    assert correlation(a, torch.ones_like(a)) == 0
