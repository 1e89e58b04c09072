"""The blocks of a diagram: one per call, its label in Russian, kind and shape."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, fx, nn

from lecture_utils.diagrams.trace import tensors

# Part of the name of a layer of torch.nn -> its kind.
_LAYERS = {"Conv": "conv", "Norm": "norm", "Pool": "pool", "Linear": "linear"}
_SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "truediv": "÷"}
# Label and kind of calls that are not called after themselves.
_NAMES = {
    "relu": ("ReLU", "activation"),
    "gelu": ("GELU", "activation"),
    "silu": ("SiLU", "activation"),
    "tanh": ("tanh", "activation"),
    "sigmoid": ("сигмоида", "activation"),
    "softmax": ("softmax", "activation"),
    "mean": ("среднее", "pool"),
    "max": ("максимум", "pool"),
    "amax": ("максимум", "pool"),
    "max_pool2d": ("max-pool", "pool"),
    "avg_pool2d": ("avg-pool", "pool"),
    "adaptive_avg_pool2d": ("avg-pool", "pool"),
    "cat": ("concat", "arithmetic"),
    "matmul": ("matmul", "arithmetic"),
    "getitem": ("срез", "reshape"),
    "identity": ("id", "reshape"),
    "interpolate": ("интерполяция", "reshape"),
    "scaled_dot_product_attention": ("внимание", "leaf"),
}


@dataclass(frozen=True)
class Block:
    """One call: what is written on it and what feeds it."""

    label: str
    kind: str  # gives the colour
    shape: str
    inputs: list[str]
    target: str = ""  # name of the module or the function that is called

    @property
    def round(self) -> bool:
        return len(self.label) == 1 and not self.shape


def name_blocks(
    traced: fx.GraphModule, batch: int, labels: Mapping[str, str]
) -> dict[str, Block]:
    """One block per call that returns tensors, and per tensor that comes out.

    The first side of a shape is not written where it is the batch.

    Raises:
        ValueError: a key of ``labels`` names nothing.
    """
    blocks: dict[str, Block] = {}
    sources: dict[fx.Node, list[str]] = {}  # blocks that the value of a node is from
    for node in traced.graph.nodes:
        before = node.all_input_nodes
        inputs = list(dict.fromkeys(name for n in before for name in sources[n]))
        values = tensors(node.meta["value"])
        if node.op == "output":
            (result,) = node.args
            items = {"": result} if isinstance(result, fx.Node) else result
            items = items if isinstance(items, dict) else dict(enumerate(items))
            for key, source in items.items():
                if isinstance(source, fx.Node):
                    name = f"output_{key}".rstrip("_")
                    label = f"выход {key}".rstrip()
                    blocks[name] = Block(label, "io", "", sources[source])
        elif not values:  # sizes and other numbers are no flow
            sources[node] = []
        elif node.target is operator.getitem and not _is_tensor(before[0]):
            sources[node] = inputs  # one of several results of a call
        else:
            shape = values[0].shape
            batched = shape[:1] == (batch,) and node.op != "get_attr"
            text = "×".join(map(str, shape[1:] if batched else shape))
            label, kind = _label(node, traced)
            known = [shape == t.shape for n in before for t in tensors(n.meta["value"])]
            # A sum or a product is as large as its larger operand.
            same = any(known) if kind == "arithmetic" else known and all(known)
            hidden = same or label.endswith(f", {text}")
            block = Block(label, kind, "" if hidden else text, inputs, str(node.target))
            blocks[node.name] = block
            sources[node] = [node.name]
    names = {n for name, b in blocks.items() for n in (name, b.target) if n}
    if unknown := set(labels) - names:
        raise ValueError(
            f"подписи даны для {sorted(unknown)}, а в схеме есть {sorted(names)}"
        )
    return {
        name: replace(b, label=labels.get(name, labels.get(b.target, b.label)))
        for name, b in blocks.items()
    }


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta["value"], Tensor)


def _label(node: fx.Node, traced: nn.Module) -> tuple[str, str]:
    """Short label of a call and its kind, which gives the colour."""
    if node.op == "placeholder":
        return "вход", "io"
    if node.op == "get_attr":
        return str(node.target), "linear"
    if node.op == "call_module":
        path = str(node.target)
        return _layer_label(traced.get_submodule(path), path)
    name = getattr(node.target, "__name__", str(node.target)).strip("_")
    name = name[1:] if name[1:] in _SIGNS else name  # x += y calls iadd
    args = [a.meta["value"] if isinstance(a, fx.Node) else a for a in node.args]
    if name in _SIGNS:
        left, right = ("" if isinstance(a, Tensor) else _number(a) for a in args[:2])
        return f"{left} {_SIGNS[name]} {right}".strip(), "arithmetic"
    if name == "transpose":
        return f"оси {args[1]} ↔ {args[2]}".replace("-", "−"), "reshape"
    return _NAMES.get(name, (name, "pool" if "pool" in name else "reshape"))


def _number(value: object) -> str:
    return str(value).replace(".", ",")


def _layer_label(layer: nn.Module, path: str) -> tuple[str, str]:
    name = type(layer).__name__
    home = type(layer).__module__
    if not home.startswith("torch.nn"):
        return f"{name}\n{path}", "leaf"
    kind = next((k for part, k in _LAYERS.items() if part in name), "reshape")
    stride = _size(getattr(layer, "stride", 1), 1)
    step = f"/{stride}" if stride != "1" else ""
    match layer:
        case nn.modules.conv._ConvNd():
            start = "up-conv" if layer.transposed else "conv"
            dilation = _size(layer.dilation, 1)
            parts = [
                f"{start} {_size(layer.kernel_size)}",
                f"{layer.out_channels}",
                step.replace("/", "×") if layer.transposed else step,
                f"d={dilation}" if dilation != "1" else "",
                f"g={layer.groups}" if layer.groups > 1 else "",
            ]
            return ", ".join(filter(None, parts)), kind
        case nn.MaxPool2d() | nn.AvgPool2d():
            start = name[:3].lower()
            return f"{start}-pool {_size(layer.kernel_size)} {step}".strip(), kind
        case nn.AdaptiveAvgPool2d() | nn.AdaptiveMaxPool2d():
            size, start = _size(layer.output_size), name[8:11]
            return f"G{start[0]}P" if size == "1×1" else f"{start.lower()}-pool", kind
        case nn.Linear():
            return f"линейный, {layer.out_features}", kind
        case nn.MultiheadAttention():
            return f"внимание, h={layer.num_heads}", "leaf"
        case nn.Dropout():
            return f"dropout {_number(layer.p)}", kind
        case nn.Upsample():
            return "интерполяция", kind
    if kind == "norm":
        return "".join(filter(str.isupper, name)), kind
    other = (
        (name, "activation") if home.endswith("activation") else (name.lower(), kind)
    )
    return _NAMES.get(name.lower(), other)


def _size(value: int | tuple[int | None, ...] | None, dims: int = 2) -> str:
    """3 and (3, 3) as 3×3, or as 3 with ``dims=1``; (1, 7) as 1×7."""
    values = value if isinstance(value, tuple) else (value,) * dims
    values = values[:1] if dims == 1 and len(set(values)) == 1 else values
    return "×".join(map(str, values))
