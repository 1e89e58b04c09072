"""Proof that a hand-written model equals a trusted implementation."""

import re
from collections.abc import Callable, Mapping
from functools import partial

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
            f"правила превратили {len(state)} имён в {len(renamed)}: два параметра "
            "получили одно имя"
        )
    return renamed


def _rename(key: str, rules: Rules) -> str:
    for pattern, replacement in rules.items():
        key = re.sub(pattern, replacement, key)
    return key


def twin(
    ours: nn.Module, reference: nn.Module, rules: Rules | None = None
) -> nn.Module:
    """Give our model the weights, the buffers and the mode of the reference.

    The tensors are shared, not copied: a large model is in memory once, and ours may
    be built on the device ``meta``. ``rules`` rename the reference's names into ours.
    A buffer that ours does without (an index that it computes anew) is left out.

    Returns:
        ``ours``.

    Raises:
        RuntimeError: names or shapes do not fit; PyTorch lists them.
    """
    state = rename(reference.state_dict(), rules or {})
    buffers = rename(dict(reference.named_buffers()), rules or {})
    for name in buffers.keys() - ours.state_dict().keys():
        state.pop(name, None)
    ours.load_state_dict(state, assign=True)
    return ours.train(reference.training)


def same_as(
    reference_name: str,
    ours: nn.Module,
    reference: nn.Module,
    x: Tensor,
    *,
    rules: Rules | None = None,
    copy: bool = False,
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
        copy: give our model the reference's weights first, see `twin`.
        atol: largest absolute difference allowed, in units of the largest
            absolute value of the tensor compared when that exceeds one.

    Raises:
        AssertionError: shapes, parameter names or values differ; says which.
    """
    if copy:
        twin(ours, reference, rules)
    given, expected = _forward(reference, x)
    _backward(expected)
    gradients = {
        name: tensor.grad
        for name, tensor in [("x", given), *reference.named_parameters()]
        if tensor.grad is not None
    }
    gradients = rename(gradients, rules or {})
    count = len(gradients)
    reference.zero_grad()

    def compare(name: str, tensor: Tensor) -> None:
        if name not in gradients:
            raise AssertionError(f"у {name} есть градиент, а у его пары в эталоне нет")
        assert tensor.grad is not None, "a hook comes after its gradient"
        _close(f"градиент по {name}", tensor.grad, gradients.pop(name), atol)
        tensor.grad = None

    given, out = _forward(ours, x)
    _close("выход", out, expected, atol)
    # A gradient is compared as soon as it is ready, and freed: a large network
    # needs the memory for one set of gradients, not for two.
    hooks = [
        tensor.register_post_accumulate_grad_hook(partial(compare, name))
        for name, tensor in [("x", given), *ours.named_parameters()]
        if tensor.requires_grad
    ]
    try:
        _backward(out)
    finally:
        for hook in hooks:
            hook.remove()
    if gradients:
        raise AssertionError(f"нет градиента по {sorted(gradients)[:6]}")
    print(
        f"✔ совпадает с {reference_name}: выход {tuple(out.shape)} "
        f"и градиенты (тензоров: {count}), допуск {atol:.0e}"
    )


def _forward(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """A copy of ``x`` that takes a gradient, and the model's output for it."""
    model.zero_grad()
    x = x.detach().clone().requires_grad_()
    out = model(x)
    return x, getattr(out, "logits", out)  # transformers wrap their outputs


def _backward(out: Tensor) -> None:
    """Gradients of the outputs weighted by fixed random numbers."""
    weights = torch.rand(
        out.shape, generator=torch.Generator().manual_seed(0), dtype=out.dtype
    )
    (out * weights.to(out.device)).sum().backward()


def _close(what: str, ours: Tensor, reference: Tensor, atol: float) -> None:
    if ours.shape != reference.shape:
        raise AssertionError(
            f"{what}: форма {tuple(ours.shape)}, у эталона {tuple(reference.shape)}"
        )
    difference = _largest(ours - reference)
    scale = max(1.0, _largest(reference))
    if not difference <= atol * scale:  # also catches NaN
        raise AssertionError(
            f"{what} отличается на {difference:.2e}, допуск {atol * scale:.0e}"
        )


def _largest(tensor: Tensor) -> float:
    """Largest absolute value, found without a second tensor of that size."""
    low, high = tensor.detach().aminmax()
    return max(high.item(), -low.item())
