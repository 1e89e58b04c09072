"""The rounding of another processor, for `make stability`."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tools.noise import INEXACT, Noise


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 9, 9, generator=generator, dtype=dtype)
    return x, torch.randn(9, 9, generator=generator, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: x @ w,
        lambda x, w: F.linear(x[0], w, w[0]),
        lambda x, w: F.conv2d(x[:, None], w[None, None, :3, :3]),
        lambda x, w: x.sum(0),
        lambda x, w: x.std(0),
        lambda x, w: x.softmax(0),
        lambda x, w: x.logsumexp(0),
        lambda x, w: F.layer_norm(x, (9,)),
        lambda x, w: F.scaled_dot_product_attention(x, x, x),
        lambda x, w: x.cumsum_(0),
        lambda x, w: torch.linalg.inv(w),
    ],
)
def test_results_move_by_an_ulp(
    function: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype
):
    quiet = function(*inputs(dtype))
    for mode in torch.no_grad(), torch.inference_mode(), torch.enable_grad():
        with Noise(1), mode:
            noisy, again = function(*inputs(dtype)), function(*inputs(dtype))
        with Noise(2), mode:
            other = function(*inputs(dtype))
        assert torch.equal(noisy, again)
        for a, b in (noisy, quiet), (noisy, other):
            assert (a != b).double().mean() > 0.3
            # a result passes several operations, each on values of about this size
            ulps = (a - b).abs() / quiet.abs().max() / torch.finfo(dtype).eps
            assert ulps.max() <= 8


def test_gradients_move():
    x, w = (a.requires_grad_() for a in inputs())
    loss = F.conv2d(x[:, None], w[None, None, :3, :3]).exp().sum()
    quiet = torch.autograd.grad(loss, (x, w), retain_graph=True)
    with Noise(1):
        noisy = torch.autograd.grad(loss, (x, w))
    for a, b in zip(noisy, quiet, strict=True):
        assert not torch.equal(a, b)
        torch.testing.assert_close(a, b)


def test_exact_values_and_random_numbers_stay():
    x, w = inputs()
    identity = nn.init.dirac_(torch.empty(2, 2, 1, 1, dtype=x.dtype))
    before = torch.get_rng_state()
    with Noise(1):
        assert (x > 0).double().sum() == (x > 0).sum()
        assert torch.tensor([0.0, 1.0]).mean() == 0.5
        assert not (torch.zeros_like(x) @ w).any()
        assert torch.equal(torch.eye(9, dtype=w.dtype) @ w, w)
        assert torch.equal(F.conv2d(x[None], identity), x[None])
        assert (x / 0).sum(0).isinf().any()
        assert (x.to("meta") @ w.to("meta")).is_meta
        assert x.argmax().equal(x.flatten().argmax())
    assert torch.equal(before, torch.get_rng_state())


def test_every_operation_is_one_of_torch():
    forms = ("{}", "_{}", "{}_backward", "_{}_backward")
    for name in INEXACT:
        assert any(hasattr(torch.ops.aten, form.format(name)) for form in forms), name
