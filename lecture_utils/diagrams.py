"""Block-and-arrow diagrams of architectures, drawn from the real torch modules."""

import inspect
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from torch import Tensor, fx, nn

# One unit of the axes is one inch, so all lengths are in inches.
_WIDEST = 11.8  # a slide of 1180 px
_MARGIN, _PAD, _LINE = 0.12, 0.09, 0.17  # around the picture, in a box, between lines
_GAP, _TRACK, _LANE = 0.27, 0.09, 0.2  # between columns, turning wires, lanes
_ROW, _TURN = 0.36, 0.16  # between rows, at the end of a row
_LABEL, _SHAPE, _TITLE = 10, 9, 12  # font sizes in points
_INK, _WIRE = "#1a1a1a", "#444444"
_COLOURS = dict(
    zip(
        ("conv", "norm", "activation", "linear", "arithmetic", "leaf", "reshape"),
        sns.color_palette("colorblind"),
        strict=False,
    )
)
_COLOURS["pool"] = sns.color_palette("colorblind")[8]
_COLOURS["io"] = (1.0, 1.0, 1.0)
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


@dataclass
class _Block:
    """One call: what is written on it, what feeds it, where it stands."""

    label: str
    kind: str
    shape: str
    inputs: list[str]
    target: str = ""
    column: int = 0  # along the flow
    lane: int = 0  # across it; lane 0 is the longest path
    length: float = 0.0  # along the flow
    breadth: float = 0.0

    @property
    def round(self) -> bool:
        return len(self.label) == 1 and not self.shape


def diagram(
    module: nn.Module,
    x: Tensor,
    *,
    leaves: tuple[type[nn.Module], ...] = (),
    labels: Mapping[str, str] | None = None,
    direction: Literal["right", "down"] = "right",
    title: str | None = None,
    ax: plt.Axes | None = None,
) -> Figure:
    """Draw the modules and functions that ``module(x)`` calls, and what feeds what.

    The module runs once in eval mode; its weights, statistics and mode stay as they
    are. A network on ``torch.device("meta")`` takes neither time nor memory.
    Each call is one block; a shape (without the batch) is written where it changes.
    The artists carry the names of the calls as ``gid``.

    Args:
        module: the network or block.
        x: an input of the right shape, such as ``torch.zeros(1, 3, 224, 224)``.
        leaves: classes of modules drawn as one block each; layers of ``torch.nn``
            always are.
        labels: other labels, by the name of a module (``"layer1.0.conv1"``) or of a
            call (``"add"``, ``"output"``).
        direction: ``"right"`` in rows as wide as a slide, ``"down"`` in one column.
        title: written above.
        ax: axes to draw into, for diagrams side by side; a figure is made otherwise.

    Raises:
        TypeError: not a module, or not a tensor.
        ValueError: the module cannot be traced or does not accept ``x``, a key of
            ``labels`` names nothing, unknown direction, the diagram does not fit.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module is {module!r}, expected an instance of nn.Module")
    if not isinstance(x, Tensor):
        raise TypeError(f"x is a {type(x).__name__}, expected a torch.Tensor")
    if direction not in ("right", "down"):
        raise ValueError(f'direction is {direction!r}, expected "right" or "down"')
    traced = _trace(module, x, leaves)
    blocks = _blocks(traced, x.shape[:1], labels or {})
    return _Layout(blocks, direction == "down").draw(title, ax)


class _Tracer(fx.Tracer):
    leaves: tuple[type[nn.Module], ...] = ()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = isinstance(m, self.leaves)
        return known or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """Runs the graph and keeps the shapes of what every node returned."""

    def run_node(self, n: fx.Node):
        value = super().run_node(n)
        n.meta["value"] = fx.node.map_aggregate(
            value, lambda v: v.to("meta") if isinstance(v, Tensor) else v
        )
        return value


def _trace(module: nn.Module, x: Tensor, leaves) -> fx.GraphModule:
    tracer = _Tracer()
    tracer.leaves = leaves
    root = nn.Sequential(module) if tracer.is_leaf_module(module, "") else module
    parameters = inspect.signature(root.forward).parameters.values()
    optional = {p.name: p.default for p in parameters if p.default is not p.empty}
    try:
        graph = tracer.trace(root, concrete_args=optional or None)
    except Exception as error:
        path, kind = next(reversed(tracer.module_stack.values()), ("", type(root)))
        raise ValueError(
            f"cannot trace {kind.__name__} ({path or 'the module itself'}): {error}. "
            "A forward that branches or loops on tensors has no fixed diagram; draw "
            "that part as one block with leaves=(ItsClass,)"
        ) from error
    traced = fx.GraphModule(root, graph)
    training = [m for m in module.modules() if m.training]
    device = next(module.parameters(), x).device
    try:
        with torch.no_grad():  # in eval mode, so that running changes no statistics
            _Recorder(traced.eval()).run(x.to(device), *optional.values())
    except Exception as error:
        raise ValueError(
            f"{type(module).__name__} does not accept x of shape {tuple(x.shape)} and "
            f"{x.dtype}: {str(error).splitlines()[0]}"
        ) from error
    finally:
        for part in training:
            part.training = True
    return traced


def _blocks(traced: fx.GraphModule, batch: tuple, labels) -> dict[str, _Block]:
    """One block per call that returns tensors, and per tensor that comes out."""
    blocks: dict[str, _Block] = {}
    sources: dict[fx.Node, list[str]] = {}  # blocks that the value of a node is from
    for node in traced.graph.nodes:
        before = node.all_input_nodes
        inputs = list(dict.fromkeys(name for n in before for name in sources[n]))
        tensors = _tensors(node.meta["value"])
        if node.op == "output":
            (result,) = node.args
            items = {"": result} if isinstance(result, fx.Node) else result
            items = items if isinstance(items, dict) else dict(enumerate(items))
            for key, source in items.items():
                if isinstance(source, fx.Node):
                    name = f"output_{key}".rstrip("_")
                    label = f"выход {key}".rstrip()
                    blocks[name] = _Block(label, "io", "", sources[source])
        elif not tensors:  # sizes and other numbers are no flow
            sources[node] = []
        elif node.target is operator.getitem and not _is_tensor(before[0]):
            sources[node] = inputs  # one of several results of a call
        else:
            shape = tensors[0].shape
            batched = shape[:1] == batch and node.op != "get_attr"
            text = "×".join(map(str, shape[1:] if batched else shape))
            label, kind = _label(node, traced)
            known = [
                shape == t.shape for n in before for t in _tensors(n.meta["value"])
            ]
            # A sum or a product is as large as its larger operand.
            same = any(known) if kind == "arithmetic" else known and all(known)
            hidden = same or label.endswith(f", {text}")
            block = _Block(
                label, kind, "" if hidden else text, inputs, str(node.target)
            )
            blocks[node.name] = block
            sources[node] = [node.name]
    names = {n for name, b in blocks.items() for n in (name, b.target) if n}
    if unknown := set(labels) - names:
        raise ValueError(
            f"labels for {sorted(unknown)}, expected some of {sorted(names)}"
        )
    for name, block in blocks.items():
        block.label = labels.get(name, labels.get(block.target, block.label))
    return blocks


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta["value"], Tensor)


def _tensors(value) -> list[Tensor]:
    values = value.values() if isinstance(value, dict) else value
    values = values if isinstance(value, dict | list | tuple) else [value]
    return [v for v in values if isinstance(v, Tensor)]


def _label(node: fx.Node, traced: nn.Module) -> tuple[str, str]:
    """Short label of a call and its kind, which gives the colour."""
    if node.op == "placeholder":
        return "вход", "io"
    if node.op == "get_attr":
        return node.target, "linear"
    if node.op == "call_module":
        return _layer_label(traced.get_submodule(node.target), node.target)
    name = node.target if node.op == "call_method" else node.target.__name__
    name = name.strip("_")
    name = name[1:] if name[1:] in _SIGNS else name  # x += y calls iadd
    args = [a.meta["value"] if isinstance(a, fx.Node) else a for a in node.args]
    if name in _SIGNS:
        left, right = ("" if isinstance(a, Tensor) else f"{a:.3g}" for a in args[:2])
        return f"{left} {_SIGNS[name]} {right}".strip(), "arithmetic"
    if name == "transpose":
        return f"оси {args[1]} ↔ {args[2]}".replace("-", "−"), "reshape"
    return _NAMES.get(name, (name, "pool" if "pool" in name else "reshape"))


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
            return f"dropout {layer.p:g}", kind
        case nn.Upsample():
            return "интерполяция", kind
    if kind == "norm":
        return "".join(filter(str.isupper, name)), kind
    other = (
        (name, "activation") if home.endswith("activation") else (name.lower(), kind)
    )
    return _NAMES.get(name.lower(), other)


def _size(value: int | tuple[int, ...], dims: int = 2) -> str:
    """3 and (3, 3) as 3×3, or as 3 with ``dims=1``; (1, 7) as 1×7."""
    values = value if isinstance(value, tuple) else (value,) * dims
    values = values[:1] if dims == 1 and len(set(values)) == 1 else values
    return "×".join(map(str, values))


class _Layout:
    """Columns along the flow, lanes across it, rows where a slide ends.

    Boxes stand in columns. Wires turn in the gaps between columns, or enter a block
    from the side through an empty part of its column: no wire crosses a box.
    """

    def __init__(self, blocks: dict[str, _Block], down: bool):
        self.blocks, self.down = blocks, down
        self.edges = [(u, v) for v, block in blocks.items() for u in block.inputs]
        self.users = {u: [v for a, v in self.edges if a == u] for u in blocks}
        for block in blocks.values():
            columns = [blocks[u].column for u in block.inputs]  # already known
            block.column = 1 + max(columns, default=-1)
            lines = [_text_width(t, _LABEL) for t in block.label.split("\n")]
            lines += [_text_width(block.shape, _SHAPE)] if block.shape else []
            size = [max(lines) + 2 * _PAD, len(lines) * _LINE + _PAD]
            size = [size[1]] * 2 if block.round else size
            block.length, block.breadth = reversed(size) if down else size
        for name, block in blocks.items():  # a parameter stands beside its user
            if not block.inputs and block.target.isidentifier() and self.users[name]:
                nearest = min(blocks[v].column for v in self.users[name])
                block.column = max(block.column, nearest - 1)
        self.columns = 1 + max(b.column for b in blocks.values())
        self.via: dict[tuple[str, str], int] = {}  # lane of each wire
        self._choose_lanes()
        self.routes = {edge: self._route(*edge) for edge in self.edges}
        self._choose_rows()
        self._place()

    def _choose_lanes(self) -> None:
        """Give the longest path lane 0, and every branch and skip a free lane.

        A lane is reserved in halves: 2c is column c, 2c + 1 the gap after it.
        """
        blocks, taken = self.blocks, []

        def reserve(lanes: Iterable[int], start: int, stop: int, owner: str) -> int:
            def free(lane: int) -> bool:
                return all(
                    lane != other or stop < a or b < start or owner == name
                    for other, a, b, name in taken
                )

            lane = next(filter(free, lanes))
            taken.append((lane, start, stop, owner))
            return lane

        depth: dict[str, int] = {}  # blocks on the longest path from here to an end
        for name in reversed(blocks):
            depth[name] = 1 + max((depth[v] for v in self.users[name]), default=0)
        placed: set[str] = set()
        for name in [max(blocks, key=depth.get), *blocks]:
            chain: list[str] = []
            rest = {name} - placed
            while rest:
                chain.append(max(rest, key=depth.get))
                placed.add(chain[-1])
                rest = [v for v in self.users[chain[-1]] if v not in placed]
            if not chain:
                continue
            before = [u for u in blocks[name].inputs if u in placed][:1]
            after = sorted(self.users[chain[-1]], key=lambda v: blocks[v].column)[:1]
            start = (
                2 * blocks[before[0]].column + 1 if before else 2 * blocks[name].column
            )
            stop = 2 * blocks[[*chain, *after][-1]].column
            lanes = ((n + 1) // 2 * (1 if n % 2 else -1) for n in count())
            lane = reserve(lanes, start, stop, chain[-1])
            for member in chain:
                blocks[member].lane = lane
            self.via |= dict.fromkeys(pairwise([*before, *chain, *after]), lane)

        skips = [(blocks[u], blocks[v], u, v) for u, v in self.edges]
        for a, b, u, v in sorted(skips, key=lambda s: s[1].column - s[0].column):
            if (u, v) not in self.via and b.column == a.column + 1:
                self.via[u, v] = b.lane
            elif (u, v) not in self.via:
                lanes = (lane for lane in (a.lane, b.lane, *range(1, len(blocks) + 2)))
                self.via[u, v] = reserve(lanes, 2 * a.column + 1, 2 * b.column, u)

    def _route(self, u: str, v: str) -> list[tuple[tuple[str, str], int]]:
        """Corners of a wire: a named place along the flow, and a lane."""
        a, b, lane = self.blocks[u], self.blocks[v], self.via[u, v]
        between = range(min(lane, b.lane), max(lane, b.lane) + 1)
        column = [n.lane for n in self.blocks.values() if n.column == b.column]
        route = [(("end", u), a.lane)]
        if lane != a.lane:
            route += [(("out", u), a.lane), (("out", u), lane)]
        if lane != b.lane and sum(n in between for n in column) == 1:
            return [*route, (("middle", v), lane), (("middle", v), b.lane)]
        if lane != b.lane:
            route += [(("in", v), lane), (("in", v), b.lane)]
        return [*route, (("start", v), b.lane)]

    def _choose_rows(self) -> None:
        """Wrap into rows of about equal length where only one wire goes on."""
        blocks = self.blocks
        self.turns: list[list] = [[] for _ in range(self.columns)]  # in each gap
        for place in sorted({p for route in self.routes.values() for p, _ in route}):
            if place[0] in ("out", "in"):
                gap = blocks[place[1]].column - (place[0] == "in")
                self.turns[gap].insert(0 if place[0] == "out" else 99, place)
        self.gap = [_GAP + _TRACK * max(0, len(turns) - 1) for turns in self.turns]
        self.extent = [
            max(b.length for b in blocks.values() if b.column == c)
            for c in range(self.columns)
        ]
        stops = [self.columns]
        for c in reversed(range(self.columns - 1)):
            crossing = {
                u for u, v in self.edges if blocks[u].column <= c < blocks[v].column
            }
            ends = [blocks[u] for u in crossing]
            if len(ends) == 1 and ends[0].column == c and ends[0].lane == 0:
                stops.append(c + 1)

        def wrap(limit: float) -> list[range]:
            rows, start = [], 0
            while start < self.columns:
                options = [range(start, stop) for stop in stops if stop > start]
                fitting = (r for r in options if self._length(r) <= limit)
                rows.append(next(fitting, options[-1]))
                start = rows[-1].stop
            return rows

        widest = np.inf if self.down else _WIDEST
        self.rows = wrap(widest)
        if len(self.rows) > 1:
            tries = map(wrap, np.linspace(widest / 2, widest, 40))
            self.rows = next(rows for rows in tries if len(rows) <= len(self.rows))
        self.length = max(map(self._length, self.rows))
        if self.length > widest:
            raise ValueError(
                f"the diagram is {self.length:.1f} in wide, a slide holds {_WIDEST} in,"
                " and its skip connections leave no place for a new row; "
                'use direction="down" or draw larger parts as blocks with leaves=(…)'
            )

    def _length(self, row: range) -> float:
        ends = _TURN * ((row.start > 0) + (row.stop < self.columns))
        gaps = sum(self.gap[max(0, row.start - 1) : row.stop - 1])
        return 2 * _MARGIN + ends + gaps + sum(self.extent[c] for c in row)

    def _place(self) -> None:
        """Turn columns and lanes into coordinates along and across the flow."""
        self.along: dict[tuple[str, str | int], float] = {}
        self.across: list[dict[int, float]] = []  # of the lanes of each row
        self.row: dict[str, int] = {}
        self.thick: list[dict[int, float]] = []  # height of the boxes there
        self.low = self.high = None
        for number, row in enumerate(self.rows):
            at = _MARGIN + (_TURN if number else 0)
            thick = {0: 0.0}
            for c in row:
                if c:
                    self.along["gap", c - 1] = at
                    for place in self.turns[c - 1]:
                        at_turn = at + _TRACK * (1 + self.turns[c - 1].index(place))
                        self.along[place] = at_turn
                    at += self.gap[c - 1]
                for name, block in self.blocks.items():
                    if block.column == c:
                        middle = at + self.extent[c] / 2
                        self.along["start", name] = middle - block.length / 2
                        self.along["middle", name] = middle
                        self.along["end", name] = middle + block.length / 2
                        self.row[name] = number
                        for lane in (self.via[u, name] for u in block.inputs):
                            thick.setdefault(lane, 0.0)
                        largest = max(thick.get(block.lane, 0.0), block.breadth)
                        thick[block.lane] = largest
                at += self.extent[c]
            across = {0: 0.0}
            for side in (1, -1):
                lanes = sorted((n for n in thick if n * side >= 0), key=abs)
                for near, lane in pairwise(lanes):
                    step = (thick[near] + thick[lane]) / 2 + _LANE
                    across[lane] = across[near] + side * step
            high = max(y + thick[lane] / 2 for lane, y in across.items())
            self.thick.append(thick)
            if self.high is None:
                self.high, move = high + _MARGIN, 0.0
            else:
                move = self.low - _ROW - high
            self.across.append({lane: y + move for lane, y in across.items()})
            self.low = min(y - thick[n] / 2 for n, y in self.across[-1].items())
        self.low -= _MARGIN

    def draw(self, title: str | None, ax: plt.Axes | None) -> Figure:
        size = self.length, self.high - self.low
        width, height = reversed(size) if self.down else size
        if title:
            width = max(width, _text_width(title, _TITLE) + 2 * _MARGIN)
            height += 2 * _LINE
        if ax is None:
            ax = plt.figure(figsize=(width, height)).add_axes((0, 0, 1, 1))
        box = ax.get_window_extent()
        room_x, room_y = box.width / ax.figure.dpi, box.height / ax.figure.dpi
        if room_x < width - 0.01 or room_y < height - 0.01:
            raise ValueError(
                f"ax measures {room_x:.1f}×{room_y:.1f} in, the diagram needs "
                f"{width:.1f}×{height:.1f} in; enlarge figsize or name more leaves"
            )
        middle = (self.low + self.high if self.down else self.length) / 2
        top = (0 if self.down else self.high) + (2 * _LINE if title else 0)
        ax.set(
            xlim=(middle - room_x / 2, middle + room_x / 2), ylim=(top - room_y, top)
        )
        ax.axis("off")
        style = {"ha": "center", "color": _INK}
        ax.text(middle, top - _LINE, title or "", size=_TITLE, va="center", **style)
        for edge in self.edges:
            self._draw_wire(ax, *edge)
        for number, row in enumerate(self.rows[1:], 1):
            self._draw_turn(ax, number, ("gap", row.start - 1))
        for name, block in self.blocks.items():
            self._draw_block(ax, name, block)
        return ax.figure

    def _draw_wire(self, ax: plt.Axes, u: str, v: str) -> None:
        route = [(self.along[at], lane) for at, lane in self.routes[u, v]]
        if self.row[u] != self.row[v]:  # the row begins with the output of u
            route[0] = (self.along["gap", self.blocks[u].column], route[0][1])
        across, block = self.across[self.row[v]], self.blocks[v]
        points = [(at, across[lane]) for at, lane in route]
        if self.routes[u, v][-1][0][0] == "middle":  # stop at the side of the block
            half = (
                block.breadth if block.round else self.thick[self.row[v]][block.lane]
            ) / 2
            side = 1 if points[-2][1] > points[-1][1] else -1
            points[-1] = (points[-1][0], points[-1][1] + side * half)
        self._draw_line(ax, points, f"{u}->{v}", "-|>,head_length=0.45,head_width=0.2")

    def _draw_turn(self, ax: plt.Axes, number: int, gap: tuple[str, int]) -> None:
        """Lead the wire from the end of a row to the start of the next one."""
        last = next(
            name
            for name, block in self.blocks.items()
            if (block.column, block.lane) == (gap[1], 0)
        )
        across = self.across[number]
        thick = self.thick[number]
        high = max(y + thick[lane] / 2 for lane, y in across.items()) + _ROW / 2
        begin, end = self.along["end", last], self.along[gap]
        right, left = begin + _TURN, end - _TURN
        corners = [(right, high), (left, high), (left, across[0]), (end, across[0])]
        y = self.across[number - 1][0]
        self._draw_line(ax, [(begin, y), (right, y), *corners], f"{last}->", "-")

    def _draw_line(self, ax: plt.Axes, points, gid: str, style: str) -> None:
        """A line along and across the flow with rounded corners."""
        points = [np.array(self._xy(*point)) for point in points]
        vertices, codes = [points[0]], [Path.MOVETO]
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            for end in (before, after):
                way = end - corner
                vertices += [corner + way * min(0.5, _TRACK / np.linalg.norm(way))]
            vertices.insert(-1, corner)
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        path = Path([*vertices, points[-1]], [*codes, Path.LINETO])
        look = {"color": _WIRE, "linewidth": 1.2, "mutation_scale": 11}
        patch = FancyArrowPatch(
            path=path, arrowstyle=style, gid=gid, shrinkA=0, shrinkB=0, **look
        )
        ax.add_patch(patch)

    def _draw_block(self, ax: plt.Axes, name: str, block: _Block) -> None:
        across = self.across[self.row[name]][block.lane]
        x, y = self._xy(self.along["middle", name], across)
        size = block.length, self.thick[self.row[name]][block.lane]
        w, h = reversed(size) if self.down else size
        colour = np.array(_COLOURS[block.kind])
        look = {"facecolor": 0.35 * colour + 0.65, "edgecolor": 0.6 * colour}
        look |= {"linewidth": 2.2 if block.kind == "leaf" else 1.1, "zorder": 3}
        if block.round:
            patch = Ellipse((x, y), block.length, block.length, gid=name, **look)
        else:
            corner, style = (x - w / 2, y - h / 2), "round,pad=0,rounding_size=0.05"
            patch = FancyBboxPatch(corner, w, h, boxstyle=style, gid=name, **look)
        ax.add_patch(patch)
        lines = [(t, 13 if block.round else _LABEL) for t in block.label.split("\n")]
        lines += [(block.shape, _SHAPE)] if block.shape else []
        style = {"ha": "center", "va": "center_baseline", "color": _INK, "zorder": 4}
        for number, (text, points) in enumerate(lines):
            offset = _LINE * ((len(lines) - 1) / 2 - number)
            ax.text(x, y + offset, text, size=points, gid=name, **style)

    def _xy(self, along: float, across: float) -> tuple[float, float]:
        return (across, -along) if self.down else (along, across)


def _text_width(text: str, size: float) -> float:
    path = TextPath((0, 0), text, prop=FontProperties(size=size))
    return path.get_extents().width / 72
