"""What a module calls, with the value of every call, by torch.fx."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn


@contextmanager
def evaluating(module: nn.Module) -> Generator[None]:
    """Eval mode, so that a run changes no statistics; then every part as before."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def trace(
    module: nn.Module, x: Tensor, leaves: tuple[type[nn.Module], ...]
) -> fx.GraphModule:
    """The calls of ``module(x)``; ``node.meta["value"]`` is what a call returned.

    Tensors among the values are on ``meta``: shapes without numbers.

    Raises:
        ValueError: the calls depend on the numbers, or ``x`` does not fit.
    """
    tracer = _Tracer()
    tracer.leaves = leaves
    root = nn.Sequential(module) if tracer.is_leaf_module(module, "") else module
    parameters = inspect.signature(root.forward).parameters.values()
    optional = {p.name: p.default for p in parameters if p.default is not p.empty}
    device = next(module.parameters(), x).device
    with evaluating(module), torch.no_grad():
        try:
            graph = tracer.trace(root, concrete_args=optional or None)
        except Exception as error:
            path, kind = next(reversed(tracer.module_stack.values()), ("", type(root)))
            raise ValueError(
                f"вызовы {kind.__name__} ({path or 'сам модуль'}) не проследить: "
                f"{error}. У forward, в котором ветвление или цикл зависит от чисел "
                "тензора, нет одной схемы; нарисуйте эту часть одним блоком: "
                "leaves=(КлассЭтойЧасти,)"
            ) from error
        traced = fx.GraphModule(root, graph)
        try:
            _Recorder(traced).run(x.to(device), *optional.values())
        except Exception as error:
            raise ValueError(
                f"{type(module).__name__} не принимает x формы {tuple(x.shape)} и "
                f"типа {x.dtype}: {str(error).splitlines()[0]}"
            ) from error
    return traced


def tensors(value: object) -> list[Tensor]:
    """The tensors of a value: itself, or the items of a tuple, a list or a dict."""
    if isinstance(value, dict):
        value = list(value.values())
    values = value if isinstance(value, list | tuple) else [value]
    return [v for v in values if isinstance(v, Tensor)]


class _Tracer(fx.Tracer):
    leaves: tuple[type[nn.Module], ...] = ()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = isinstance(m, self.leaves)
        return known or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """Runs the graph and keeps what every node returned, without the numbers."""

    def run_node(self, n: fx.Node):
        value = super().run_node(n)
        n.meta["value"] = fx.node.map_aggregate(
            value, lambda v: v.to("meta") if isinstance(v, Tensor) else v
        )
        return value
