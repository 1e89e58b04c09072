"""What a network costs: numbers to learn and multiply–adds of a forward pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """Number of parameters, frozen ones included; buffers are none."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(model: Callable[..., object], *inputs: Tensor) -> int:
    """Multiply–adds of ``model(*inputs)``: products of matrices and convolutions.

    The unit of the whole collection: one multiplication with the addition after it.
    Counted while the model runs, so a meta tensor is enough when the model is on
    ``meta``, too. Activations, normalisation and pooling count nothing, as in the
    papers. On the CPU the products inside F.scaled_dot_product_attention are not seen.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops() // 2  # PyTorch counts the two parts separately


def multiply_adds_by_module(model: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """Multiply–adds of every submodule, its own submodules included.

    Keys are the names of ``model.named_modules()``; ``""`` is the whole model. A module
    that only moves numbers has none. See `multiply_adds`.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    whole = type(model).__name__
    counts = {
        name.removeprefix(whole).removeprefix("."): sum(operations.values()) // 2
        for name, operations in counter.get_flop_counts().items()
        if name != "Global"
    }
    return {name: counts.get(name, 0) for name, _ in model.named_modules()}
