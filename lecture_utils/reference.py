"""Proof that a hand-written model equals a trusted implementation."""

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

# Regular expression -> replacement, as `re.sub` takes them.
Rules = Mapping[str, str | Callable[[re.Match], str]]


def rename(state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Rename the keys of a state dict by regular expressions, applied in order.

    Raises:
        ValueError: two keys would get the same name.
    """
    renamed = {_rename(key, rules): value for key, value in state.items()}
    if len(renamed) != len(state):
        raise ValueError(
            f"the rules turn {len(state)} keys into {len(renamed)}: two keys collide"
        )
    return renamed


def _rename(key: str, rules: Rules) -> str:
    for pattern, replacement in rules.items():
        key = re.sub(pattern, replacement, key)
    return key


def same_as(
    reference_name: str,
    ours: nn.Module,
    reference: nn.Module,
    x: Tensor,
    *,
    rules: Rules | None = None,
    atol: float = 1e-10,
) -> None:
    """Check that two models with the same weights give the same outputs and gradients.

    The gradient is that of the sum of the outputs multiplied by fixed random
    numbers, so an error in any output shows. It is compared for the input and for
    every parameter; ``rules`` rename the reference's parameters into ours. Both
    models are compared in the mode (train or eval) in which they come.

    Args:
        reference_name: how the reference is called in the printed line.
        x: input of both models, (B, ...).
        atol: largest absolute difference allowed, in units of the largest
            absolute value of the tensor compared when that exceeds one.

    Raises:
        AssertionError: shapes, parameter names or values differ; says which.
    """
    out_ours, grads_ours = _run(ours, x)
    out_reference, grads_reference = _run(reference, x)
    grads_reference = rename(grads_reference, rules or {})
    if missing := grads_ours.keys() ^ grads_reference.keys():
        raise AssertionError(f"parameters without a counterpart: {sorted(missing)[:6]}")
    _close("output", out_ours, out_reference, atol)
    for name, gradient in grads_ours.items():
        _close(f"gradient of {name}", gradient, grads_reference[name], atol)
    print(
        f"✔ совпадает с {reference_name}: выход {tuple(out_ours.shape)} "
        f"и градиенты ({len(grads_ours)} тензоров), допуск {atol:.0e}"
    )


def _run(model: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Output of a model, and the gradients of its input and parameters."""
    x = x.detach().clone().requires_grad_(x.is_floating_point())
    model.zero_grad()
    out = model(x)
    out = getattr(out, "logits", out)  # transformers wrap their outputs
    direction = torch.rand(
        out.shape, generator=torch.Generator().manual_seed(0), dtype=out.dtype
    )
    (out * direction.to(out.device)).sum().backward()
    gradients = {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    model.zero_grad()
    return out.detach(), {"x": x.grad, **gradients}


def _close(what: str, ours: Tensor, reference: Tensor, atol: float) -> None:
    if ours.shape != reference.shape:
        raise AssertionError(
            f"{what}: shape {tuple(ours.shape)}, "
            f"the reference has {tuple(reference.shape)}"
        )
    difference = (ours - reference).abs().max().item()
    scale = max(1.0, reference.abs().max().item())
    if not difference <= atol * scale:  # also catches NaN
        raise AssertionError(
            f"{what} differs by {difference:.2e}, allowed {atol * scale:.0e}"
        )
