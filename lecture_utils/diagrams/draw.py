"""The diagram of a block, drawn."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from lecture_utils.diagrams.layout import (
    LABEL,
    LINE,
    SHAPE,
    TRACK,
    Blocks,
    Box,
    Layout,
    Point,
)
from lecture_utils.diagrams.names import Block

INK, _WIRE = "#1a1a1a", "#444444"
_SIGN = 13  # font size of a sign in a circle
COLOURS = dict(
    zip(
        ("conv", "norm", "activation", "linear", "arithmetic", "leaf", "reshape"),
        sns.color_palette("colorblind"),
        strict=False,
    )
)
COLOURS["pool"] = sns.color_palette("colorblind")[8]
COLOURS["io"] = (1.0, 1.0, 1.0)


def draw(blocks: Blocks, layout: Layout) -> Figure:
    """Draw blocks and wires; ``gid`` of an artist names its call, or "from->to"."""
    figure = plt.figure(figsize=(layout.width, layout.top - layout.bottom))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, layout.width), ylim=(layout.bottom, layout.top))
    ax.axis("off")
    for (u, v), points in layout.wires.items():
        draw_wire(ax, points, f"{u}->{v}")
    for name, points in layout.turns.items():
        draw_wire(ax, points, f"{name}->", "-")
    for name, box in layout.boxes.items():
        _draw_block(ax, name, blocks[name], box)
    return figure


def draw_wire(
    ax: plt.Axes,
    points: Iterable[Point],
    gid: str,
    style: str = "-|>,head_length=0.45,head_width=0.2",
) -> None:
    """A line with rounded corners, ended by an arrow."""
    start, *corners, stop = (np.array(point) for point in points)
    vertices, codes = [start], [Path.MOVETO]
    befores, afters = [start, *corners], [*corners[1:], stop]
    for before, corner, after in zip(befores, corners, afters, strict=False):
        for end in (before, after):
            way = end - corner
            vertices += [corner + way * min(0.5, TRACK / np.linalg.norm(way))]
        vertices.insert(-1, corner)
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    patch = FancyArrowPatch(
        path=Path([*vertices, stop], [*codes, Path.LINETO]),
        arrowstyle=style,
        gid=gid,
        color=_WIRE,
        linewidth=1.2,
        mutation_scale=11,
        shrinkA=0,
        shrinkB=0,
    )
    ax.add_patch(patch)


def _draw_block(ax: plt.Axes, name: str, block: Block, box: Box) -> None:
    x, y, width, height = box
    colour = np.array(COLOURS[block.kind])
    look = {"facecolor": 0.35 * colour + 0.65, "edgecolor": 0.6 * colour}
    look |= {"linewidth": 2.2 if block.kind == "leaf" else 1.1, "zorder": 3}
    if block.round:
        patch = Ellipse((x, y), width, height, gid=name, **look)
    else:
        corner, style = (
            (x - width / 2, y - height / 2),
            "round,pad=0,rounding_size=0.05",
        )
        patch = FancyBboxPatch(corner, width, height, boxstyle=style, gid=name, **look)
    ax.add_patch(patch)
    lines = [(t, _SIGN if block.round else LABEL) for t in block.label.split("\n")]
    lines += [(block.shape, SHAPE)] if block.shape else []
    for number, (text, points) in enumerate(lines):
        offset = LINE * ((len(lines) - 1) / 2 - number)
        line = ax.text(x, y + offset, text, size=points, gid=name, zorder=4)
        line.set(ha="center", va="center_baseline", color=INK)
