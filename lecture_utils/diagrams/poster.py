"""A whole network on one picture, measured on the module itself."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain, pairwise
from math import prod, sqrt
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor, nn, no_grad
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lecture_utils.diagrams.draw import COLOURS, INK, draw_wire
from lecture_utils.diagrams.layout import text_width
from lecture_utils.diagrams.trace import evaluating
from lecture_utils.figures import WIDEST

# One unit of the axes is one inch.
_WIDTH = 0.0125  # of a block, per root of a channel
_HIGHEST = 1.6  # block
_DEPTH = 0.3  # of a map seen obliquely, in units of its height
_MARGIN, _LINE, _GAP = 0.12, 0.22, (0.12, 0.5)
_TITLE, _TOTAL, _TEXT = 15, 12, 11  # font sizes in points
# Kind of a stage: its colour, and what the name of one of its operations contains.
# A stage is of the first kind that fits.
_KINDS = {
    "внимание": ("arithmetic", "softmax"),
    "свёртка": ("conv", "convolution"),
    "полносвязный": ("linear", "mm"),
    "пулинг": ("pool", "pool|mean"),
    "": ("io", ""),
}
_ROWS = ("стадия", "вид", "каналы", "карта", "параметры", "умножения", "со сложением")
_NOTE = (
    "Ширина ∝ √(числа каналов), высота ∝ √(стороны карты); "
    "×n — n блоков одного вида подряд"
)
_NOTE_ON_TOKENS = "Каналы токена — его размерность; сторона N токенов — √N"


class Stage(NamedTuple):
    """What a network does between two places, and what comes out."""

    title: str
    kind: str
    repeats: int  # of its block
    channels: int  # or the dimension of tokens
    extent: tuple[int, ...]  # (H, W) of the map, (N,) tokens, () of a vector
    parameters: int
    multiply_adds: int

    @property
    def side(self) -> float:
        """Of the map; of a square of as many tokens; 1 of a vector."""
        return sqrt(prod(self.extent))


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
    start = Stage("вход", "", 1, *_channels_and_extent(x), 0, 0)
    return _draw(title, [start, *measured], skips)


def measure(model: nn.Module, x: Tensor, stages: Mapping[str, str]) -> list[Stage]:
    """The stages of ``model(x)`` in numbers; see `poster`, which draws them."""
    tensors = {
        name: tensor.to("meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    unused = {id(tensors[name]): name for name, _ in model.named_parameters()}
    waiting = list(stages.items())
    found: list[Stage] = []
    done: list[str] = []  # submodules, since the last stage
    counter, ledger = FlopCounterMode(display=False), _Ledger()

    def uncounted() -> int:
        counted = sum(stage.multiply_adds for stage in found)
        return counter.get_total_flops() // 2 - counted

    def finished(name: str, module: nn.Module, _, output) -> None:
        if type(module) is not nn.Sequential:  # only a way to write several in a row
            done.append(name)
        if not waiting or name != waiting[0][1]:
            return
        used = [unused.pop(key) for key in ledger.tensors & unused.keys()]
        stage = Stage(
            waiting.pop(0)[0],
            ledger.kind(),
            _repeats(model, done),
            *_channels_and_extent(output),
            sum(tensors[name].numel() for name in used),
            uncounted(),
        )
        found.append(stage)
        ledger.clear()
        done.clear()

    with ExitStack() as stack:
        for name, module in model.named_modules():
            hook = module.register_forward_hook(partial(finished, name))
            stack.callback(hook.remove)
        for context in (evaluating(model), no_grad(), counter, ledger):
            stack.enter_context(context)
        functional_call(model, tensors, x.to("meta"))
    if waiting:
        stage, name = waiting[0]
        raise ValueError(
            f"конца стадии «{stage}» не было: модуль {name!r} не закончил работу после "
            "стадии перед ней; дайте имена из named_modules() в порядке прохода"
        )
    if unused or uncounted():
        raise ValueError(
            f"ни в одну стадию не вошли умножения со сложением ({uncounted()}) или "
            f"параметры {sorted(unused.values())}: последней назовите стадию, которой "
            "сеть кончается, а головы, нужные только для обучения, уберите"
        )
    return found


class _Ledger(TorchDispatchMode):
    """Notes which operations run, and on which tensors."""

    def __init__(self):
        super().__init__()
        self.operations: set[str] = set()
        self.tensors: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operations.add(str(func))
        self.tensors.update(map(id, tree_leaves((args, kwargs))))
        return func(*args, **(kwargs or {}))

    def clear(self) -> None:
        self.operations.clear()
        self.tensors.clear()

    def kind(self) -> str:
        names = " ".join(self.operations)
        return next(
            kind for kind, (_, part) in _KINDS.items() if re.search(part, names)
        )


def _repeats(model: nn.Module, done: list[str]) -> int:
    """How many of the outermost modules with parameters are of the commonest class."""
    inner = {n for n in done for outer in done if n.startswith(f"{outer}.")}
    modules = [model.get_submodule(name) for name in done if name not in inner]
    classes = Counter(
        type(m) for m in modules if next(m.parameters(), None) is not None
    )
    return max(classes.values(), default=1)


def _channels_and_extent(output: Tensor) -> tuple[int, tuple[int, ...]]:
    match tuple(output.shape[1:]):
        case (height, width, channels) if height == width != channels:
            return channels, (height, width)
        case (channels, height, width):
            return channels, (height, width)
        case (*extent, channels):
            return channels, tuple(extent)


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


def _draw(title: str, stages: list[Stage], skips: list[tuple[str, str]]) -> Figure:
    unit = _HIGHEST / sqrt(max(stage.side for stage in stages))
    sizes = {s.title: (_WIDTH * sqrt(s.channels), unit * sqrt(s.side)) for s in stages}
    texts = [_column(stage) for stage in stages]
    columns = [
        max(w + _DEPTH * h, *(text_width(text, _TEXT) for text in lines if text))
        for (w, h), lines in zip(sizes.values(), texts, strict=True)
    ]
    left = _MARGIN + max(text_width(row, _TEXT) for row in _ROWS)
    gap = min((WIDEST - left - sum(columns) - _MARGIN) / len(columns), _GAP[1])
    if gap < _GAP[0]:
        raise ValueError(
            f"плакат из {len(stages)} столбцов шире слайда ({WIDEST} дюйма): "
            "объедините стадии или сократите их названия"
        )
    right = left + np.cumsum(np.add(columns, gap))
    notes = [_NOTE_ON_TOKENS] if any(len(s.extent) == 1 for s in stages) else []
    notes.append(_NOTE)
    places = dict(zip(sizes, right - np.divide(columns, 2), strict=True))
    tops = {name: h * (1 + _DEPTH) / 2 for name, (_, h) in sizes.items()}

    top = max(tops.values()) + _LINE * (3 if skips else 2.2)
    table = -max(tops.values()) - 1.4 * _LINE
    bottom = table - _LINE * (len(_ROWS) + len(notes) + 0.2)
    width = max(right[-1], _MARGIN + text_width(_NOTE, _TEXT)) + _MARGIN
    ax = plt.figure(figsize=(width, top - bottom)).add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(bottom, top))
    ax.axis("off")
    write = partial(ax.text, size=_TEXT, color=INK, va="center_baseline")

    parameters = f"{sum(s.parameters for s in stages):_}".replace("_", "\u202f")
    multiply_adds = short(sum(s.multiply_adds for s in stages))
    total = f"параметров {parameters}, умножений со сложением {multiply_adds}"
    write(_MARGIN, top - _LINE, title, size=_TITLE, weight="bold")
    after = 2 * _MARGIN + text_width(title, _TITLE, weight="bold")
    write(after, top - _LINE, total, size=_TOTAL)
    for x, lines in zip((_MARGIN, *places.values()), (_ROWS, *texts), strict=True):
        for number, text in enumerate(lines):
            align = "left" if lines is _ROWS else "center"
            write(x, table - _LINE * number, text, ha=align)
    for number, text in enumerate(notes):
        write(_MARGIN, bottom + _LINE * (number + 0.6), text)

    for stage in stages:
        _draw_block(ax, stage, places[stage.title], *sizes[stage.title])
    for before, after in pairwise(sizes):
        (w, h), (next_w, next_h) = sizes[before], sizes[after]
        start = places[before] + (w + _DEPTH * h) / 2
        end = places[after] - (next_w + _DEPTH * next_h) / 2
        draw_wire(ax, [(start, 0), (end, 0)], f"{before}->{after}")
    for pair in skips:
        y = max(tops[name] for name in pair) + _LINE
        a, b = (places[name] + _DEPTH * sizes[name][1] / 2 for name in pair)
        corners = [(a, tops[pair[0]]), (a, y), (b, y), (b, tops[pair[1]])]
        draw_wire(ax, corners, "->".join(pair))
    return ax.figure


def _draw_block(ax: plt.Axes, stage: Stage, middle: float, w: float, h: float) -> None:
    """A box seen obliquely around (middle, 0), cut into its repeated blocks."""
    d = _DEPTH * h
    x, y = middle - (w + d) / 2, -(h + d) / 2
    front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    upper = [(x, y + h), (x + w, y + h), (x + w + d, y + h + d), (x + d, y + h + d)]
    side = [(x + w, y), (x + w + d, y + d), (x + w + d, y + h + d), (x + w, y + h)]
    colour = np.array(COLOURS[_KINDS[stage.kind][0]])
    look = {"edgecolor": 0.6 * colour, "linewidth": 1.1, "joinstyle": "round"}
    for light, corners in ((0.65, front), (0.85, upper), (0.4, side)):
        face = (1 - light) * colour + light
        ax.add_patch(
            Polygon(corners, facecolor=face, gid=stage.title, zorder=3, **look)
        )
    for cut in x + w * np.arange(1, stage.repeats) / stage.repeats:
        line = [cut, cut, cut + d], [y, y + h, y + h + d]
        ax.plot(*line, color=look["edgecolor"], linewidth=0.7, zorder=4)
    if stage.repeats > 1:
        style = {"size": _TEXT, "weight": "bold", "color": INK, "ha": "center"}
        ax.text(x + w / 2, y - 0.6 * _LINE, f"×{stage.repeats}", va="center", **style)
