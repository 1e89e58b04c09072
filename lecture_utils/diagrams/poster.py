"""A whole network on one picture."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor, nn

from lecture_utils.diagrams.draw import COLOURS, INK, draw_wire
from lecture_utils.diagrams.layout import text_width
from lecture_utils.diagrams.stages import Stage, channels_and_extent, measure
from lecture_utils.figures import WIDEST

# One unit of the axes is one inch.
_WIDTH = 0.0125  # of a block, per root of a channel
_HIGHEST = 1.6  # block
_DEPTH = 0.3  # of a map seen obliquely, in units of its height
_MARGIN, _LINE = 0.12, 0.22
_GAP, _WIDEST_GAP = 0.12, 0.5  # between columns
_TITLE, _TOTAL, _TEXT = 15, 12, 11.6  # font sizes in points
_COLOURS = {
    "внимание": COLOURS["arithmetic"],
    "свёртка": COLOURS["conv"],
    "полносвязный": COLOURS["linear"],
    "пулинг": COLOURS["pool"],
    "": COLOURS["io"],
}
_ROWS = ("стадия", "вид", "каналы", "карта", "параметры", "умножения", "со сложением")
_NOTE = (
    "Ширина ∝ √(числа каналов), высота ∝ √(стороны карты); "
    "×n — n блоков одного вида подряд"
)
_NOTE_ON_TOKENS = "Каналы токена — его размерность; сторона N токенов — √N"


class _Box(NamedTuple):
    """A block around the point (middle, 0)."""

    middle: float
    width: float  # of its front
    height: float

    @property
    def depth(self) -> float:
        return _DEPTH * self.height

    @property
    def left(self) -> float:
        return self.middle - (self.width + self.depth) / 2

    @property
    def right(self) -> float:
        return self.middle + (self.width + self.depth) / 2

    @property
    def top(self) -> float:
        return (self.height + self.depth) / 2


def poster(
    model: nn.Module,
    x: Tensor,
    stages: Mapping[str, str],
    *,
    title: str,
    skips: Iterable[tuple[str, str]] = (),
) -> Figure:
    """Draw a whole network: a row of blocks, one per stage, and a table under it.

    A stage is all that runs after the stage before it until a named submodule has
    finished. Everything on the poster is measured in one run on meta tensors and in
    eval mode: the kind of a stage, the repeats of its block, its output, the
    parameters that it is the first to use, its multiply–adds (the products of
    attention are among them). The model may live on any device and stays as it is;
    nothing of the size of its weights is allocated.

    The width of a block grows as the root of the number of its channels, or of the
    dimension of tokens, its height as the root of the side of its map; posters of
    networks with equal inputs have one scale. A map (B, H, W, C) is told from
    (B, C, H, W) by H = W ≠ C.

    Args:
        model: the network.
        x: its input, such as ``torch.zeros(1, 3, 224, 224)``; its values are not used.
        stages: title -> name of the submodule that ends the stage, as
            ``named_modules()`` gives it, in the order of the run.
        title: name of the network.
        skips: pairs of titles of stages, an arrow each.

    Raises:
        ValueError: a submodule does not finish in this order; parameters or
            multiply–adds are left over, so that the stages are not the whole; the
            poster would be wider than a slide.

    Examples:
        The six of the lecture; ``x`` is (1, 3, 224, 224), of U-Net (1, 1, 572, 572).
        The names are those of torchvision and of the notebooks::

            poster(vgg, x, {
                "стадия 1": "features.3", "стадия 2": "features.8",
                "стадия 3": "features.15", "стадия 4": "features.22",
                "стадия 5": "features.29", "пулинг": "features.30",
                "слой 14": "classifier.0", "слой 15": "classifier.3",
                "слой 16": "classifier.6"}, title="VGG-16")

            poster(googlenet, x, {
                "7×7": "conv1", "1×1, 3×3": "conv3", "Inception 3": "inception3b",
                "Inception 4": "inception4e", "Inception 5": "inception5b",
                "голова": "fc"}, title="GoogLeNet")

            poster(resnet, x, {
                "7×7": "bn1", "3×3": "maxpool", "стадия 1": "layer1",
                "стадия 2": "layer2", "стадия 3": "layer3", "стадия 4": "layer4",
                "голова": "fc"}, title="ResNet-50")

            levels = range(4)
            stages = {f"спуск {l}": f"encoder.blocks.{l}" for l in levels}
            stages["дно"] = "encoder.blocks.4"
            stages |= {f"подъём {l}": f"decoder.blocks.{l}" for l in levels[::-1]}
            stages["ответ"] = "head"
            poster(unet, x, stages, title="U-Net",
                   skips=[(f"спуск {l}", f"подъём {l}") for l in levels])

            poster(vit, x, {  # torchvision: encoder.dropout, encoder.layers, heads
                "патчи 16×16": "embed", "блоки": "blocks", "голова": "head"},
                title="ViT-B/16")

            poster(swin, x, {
                "патчи 4×4": "features.0", "стадия 1": "features.1",
                "стадия 2": "features.3", "стадия 3": "features.5",
                "стадия 4": "features.7", "голова": "head"}, title="Swin-T")
    """
    skips = list(skips)
    if unknown := {title for pair in skips for title in pair} - {"вход", *stages}:
        raise ValueError(
            f"обходная связь ведёт к стадиям «{'», «'.join(sorted(unknown))}», а есть "
            f"«{'», «'.join(stages)}»"
        )
    measured = measure(model, x, stages)
    start = Stage("вход", "", 1, *channels_and_extent(x), 0, 0)
    return _draw(title, [start, *measured], skips)


def short(number: int) -> str:
    """Three digits and a unit: 25_557_032 -> 25,6 млн."""
    rounded = float(f"{number:.3g}")
    units = {1e9: " млрд", 1e6: " млн", 1e3: " тыс.", 1: ""}
    unit = next((unit for unit in units if rounded >= unit), 1)
    return f"{rounded / unit:.3g}".replace(".", ",") + units[unit]


def _column(stage: Stage) -> list[str]:
    """The texts under a block, one per row of the table."""
    forms = ("вектор", "{} токенов", "{}×{}")
    extent = forms[len(stage.extent)].format(*stage.extent)
    numbers = [short(n) for n in (stage.parameters, stage.multiply_adds)]
    numbers = numbers if stage.kind else ["", ""]  # nothing to say of the input
    return [stage.title, stage.kind, str(stage.channels), extent, *numbers]


def _arrange(stages: list[Stage]) -> tuple[dict[str, _Box], float]:
    """Blocks in a row, and how far it goes; a column is as wide as what is in it."""
    unit = _HIGHEST / sqrt(max(stage.side for stage in stages))
    boxes = [_Box(0, _WIDTH * sqrt(s.channels), unit * sqrt(s.side)) for s in stages]
    columns = [
        max(box.right - box.left, *(text_width(text, _TEXT) for text in _column(stage)))
        for box, stage in zip(boxes, stages, strict=True)
    ]
    start = _MARGIN + max(text_width(heading, _TEXT) for heading in _ROWS)
    gap = (WIDEST - _MARGIN - start - sum(columns)) / len(columns)
    if gap < _GAP:
        raise ValueError(
            f"плакат из {len(stages)} столбцов шире слайда ({WIDEST} дюйма): "
            "объедините стадии или сократите их названия"
        )
    ends = start + np.cumsum(np.add(columns, min(gap, _WIDEST_GAP)))
    middles = ends - np.divide(columns, 2)
    placed = {
        stage.title: box._replace(middle=middle)
        for stage, box, middle in zip(stages, boxes, middles, strict=True)
    }
    return placed, ends[-1]


def _draw(title: str, stages: list[Stage], skips: list[tuple[str, str]]) -> Figure:
    boxes, end = _arrange(stages)
    half = max(box.top for box in boxes.values())
    table = -half - 1.4 * _LINE
    tokens = any(len(stage.extent) == 1 for stage in stages)
    notes = [_NOTE_ON_TOKENS, _NOTE] if tokens else [_NOTE]  # from below
    width = max(end, _MARGIN + text_width(_NOTE, _TEXT)) + _MARGIN
    top = half + _LINE * (3 if skips else 2.2)
    bottom = table - _LINE * (len(_ROWS) + len(notes) + 0.2)
    figure = plt.figure(figsize=(min(width, WIDEST), top - bottom))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(bottom, top))
    ax.axis("off")

    write = partial(ax.text, size=_TEXT, color=INK, va="center_baseline")
    write(_MARGIN, top - _LINE, title, size=_TITLE, weight="bold")
    after = 2 * _MARGIN + text_width(title, _TITLE, weight="bold")
    write(after, top - _LINE, _total(stages), size=_TOTAL)
    for number, heading in enumerate(_ROWS):
        write(_MARGIN, table - _LINE * number, heading)
    for stage in stages:
        for number, text in enumerate(_column(stage)):
            x = boxes[stage.title].middle
            write(x, table - _LINE * number, text, ha="center")
    for number, text in enumerate(notes):
        write(_MARGIN, bottom + _LINE * (number + 0.6), text)

    for stage in stages:
        _draw_block(ax, stage, boxes[stage.title])
    for u, v in pairwise(boxes):
        draw_wire(ax, [(boxes[u].right, 0), (boxes[v].left, 0)], f"{u}->{v}")
    for u, v in skips:
        a, b = boxes[u], boxes[v]
        start, stop = a.middle + a.depth / 2, b.middle + b.depth / 2
        high = max(a.top, b.top) + _LINE
        corners = [(start, a.top), (start, high), (stop, high), (stop, b.top)]
        draw_wire(ax, corners, f"{u}->{v}")
    return figure


def _total(stages: list[Stage]) -> str:
    parameters = f"{sum(s.parameters for s in stages):_}".replace("_", "\u202f")
    multiply_adds = short(sum(s.multiply_adds for s in stages))
    return f"параметров {parameters}, умножений со сложением {multiply_adds}"


def _draw_block(ax: plt.Axes, stage: Stage, box: _Box) -> None:
    """A box seen obliquely, cut into its repeated blocks."""
    x, y, d = box.left, -box.top, box.depth
    right, upper = x + box.width, y + box.height  # of its front
    front = [(x, y), (right, y), (right, upper), (x, upper)]
    above = [(x, upper), (right, upper), (right + d, upper + d), (x + d, upper + d)]
    side = [(right, y), (right + d, y + d), (right + d, upper + d), (right, upper)]
    colour = np.array(_COLOURS[stage.kind])
    edge = 0.6 * colour
    for light, corners in ((0.65, front), (0.85, above), (0.4, side)):
        face = Polygon(corners, linewidth=1.1, joinstyle="round", zorder=3)
        face.set(
            facecolor=(1 - light) * colour + light, edgecolor=edge, gid=stage.title
        )
        ax.add_patch(face)
    for cut in np.linspace(x, right, stage.repeats + 1)[1:-1]:
        line = [cut, cut, cut + d], [y, upper, upper + d]
        ax.plot(*line, color=edge, linewidth=0.7, zorder=4)
    if stage.repeats > 1:
        write = partial(ax.text, size=_TEXT, color=INK, weight="bold", ha="center")
        write((x + right) / 2, y - 0.6 * _LINE, f"×{stage.repeats}", va="center")
