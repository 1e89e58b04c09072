"""Looking into a network: what an output sees, what a layer gives out, like what."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity


def influence(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    place: tuple[int, int] | None = None,
) -> Tensor:
    """How strongly each pixel of the input acts on one pixel of the output.

    Args:
        model: (1, C, H, W) -> (1, C', H', W').
        x: the input at which the derivative is taken, (1, C, H, W).
        place: row and column of the output; its middle by default.

    Returns:
        (H, W): absolute derivative of the sum over the output's channels by the
        pixel, summed over the input's channels. Zero: the pixel is not seen.
    """
    x = x.detach().clone().requires_grad_()
    y = model(x)
    i, j = place or (y.shape[2] // 2, y.shape[3] // 2)
    (gradient,) = torch.autograd.grad(y[0, :, i, j].sum(), x)
    return gradient.abs().sum((0, 1))


@contextmanager
def recorded(net: nn.Module, names: Iterable[str]) -> Generator[dict[str, Tensor]]:
    """Within ``with`` the outputs of the named submodules are kept.

    Yields a dict from name to a detached copy of the output of the last forward pass.
    The hooks are removed whatever happens inside.

    Raises:
        AttributeError: there is no such submodule.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, args: tuple, output: Tensor) -> None:
        outputs[name] = output.detach().clone()  # a ReLU in place would overwrite it

    handles = []
    try:
        for name in names:
            layer = net.get_submodule(name)
            handles.append(layer.register_forward_hook(partial(keep, name)))
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def correlation(a: Tensor, b: Tensor) -> float:
    """How alike two sets of maps are: Pearson's correlation, its mean over the maps.

    Args:
        a, b: maps of the same shape (..., H, W). A constant map is like no other: 0.
    """
    a, b = (maps.flatten(-2) - maps.mean((-2, -1))[..., None] for maps in (a, b))
    return cosine_similarity(a, b, dim=-1).double().mean().item()
