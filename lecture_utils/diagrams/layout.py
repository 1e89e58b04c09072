"""Where blocks and wires stand, in inches.

Blocks stand in columns along the flow and in lanes across it; rows end where a slide
ends. Wires turn in the gaps between columns, or enter a block from the side through an
empty part of its column: no wire crosses a block.
"""

from collections.abc import Iterable, Mapping
from itertools import count, pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from lecture_utils.diagrams.names import Block
from lecture_utils.figures import WIDEST

LABEL, SHAPE = 11.6, 11.6  # font sizes in points
LINE, TRACK = 0.17, 0.09  # between lines of a label, between turning wires
_MARGIN, _PAD = 0.08, 0.07  # around the picture, in a block
_GAP, _LANE = 0.22, 0.2  # between columns, between lanes
_ROW, _TURN = 0.36, 0.16  # between rows, at the end of a row

Point = tuple[float, float]
Blocks = Mapping[str, Block]
Sizes = Mapping[str, Point]  # width and height of blocks
Wire = tuple[str, str]  # from a block to a block
Place = tuple[str, str]  # "start", "middle", "end", "in" or "out" of a block
Routes = Mapping[Wire, list[tuple[Place, int]]]  # corners: along the flow, and a lane


class Box(NamedTuple):
    """A block on the picture: its middle and its size."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """All that is drawn on a picture of (0, width) × (bottom, top)."""

    width: float
    bottom: float
    top: float
    boxes: dict[str, Box]
    wires: dict[Wire, list[Point]]
    turns: dict[str, list[Point]]  # from the last block of a row to the next row


class _Grid(NamedTuple):
    """Columns and lanes; lane 0 is the longest path."""

    column: dict[str, int]
    lane: dict[str, int]
    via: dict[Wire, int]  # lane of a wire


class _Columns(NamedTuple):
    """Lengths along the flow."""

    extent: list[float]  # of the columns
    turns: list[list[Place]]  # where wires turn in the gap after a column
    gap: list[float]  # after a column

    def length(self, row: range) -> float:
        ends = _TURN * ((row.start > 0) + (row.stop < len(self.extent)))
        gaps = sum(self.gap[max(0, row.start - 1) : row.stop - 1])
        return 2 * _MARGIN + ends + gaps + sum(self.extent[c] for c in row)


class _Row(NamedTuple):
    """The lanes of one row: where they are and how high the blocks in them."""

    y: dict[int, float]
    height: dict[int, float]

    @property
    def top(self) -> float:
        return max(y + self.height[lane] / 2 for lane, y in self.y.items())

    @property
    def bottom(self) -> float:
        return min(y - self.height[lane] / 2 for lane, y in self.y.items())


def lay_out(blocks: Blocks) -> Layout:
    """Places for all blocks and wires.

    Raises:
        ValueError: the diagram is wider than a slide.
    """
    sizes = {name: _size(block) for name, block in blocks.items()}
    grid = _choose_lanes(blocks, _choose_columns(blocks))
    routes = {wire: _route(wire, grid) for wire in grid.via}
    columns = _measure_columns(sizes, grid, routes)
    rows = _choose_rows(grid, columns)
    return _place(sizes, grid, routes, columns, rows)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches; ``size`` in points."""
    if not text:
        return 0.0
    path = TextPath((0, 0), text, prop=FontProperties(size=size, weight=weight))
    return path.get_extents().width / 72


def _size(block: Block) -> tuple[float, float]:
    """Width and height."""
    lines = [text_width(line, LABEL) for line in block.label.split("\n")]
    lines += [text_width(block.shape, SHAPE)] if block.shape else []
    height = len(lines) * LINE + _PAD
    return (height if block.round else max(lines) + 2 * _PAD), height


def _users(blocks: Blocks) -> dict[str, list[str]]:
    return {u: [v for v in blocks if u in blocks[v].inputs] for u in blocks}


def _choose_columns(blocks: Blocks) -> dict[str, int]:
    """Each block stands after its inputs."""
    column: dict[str, int] = {}
    for name, block in blocks.items():  # in the order of the calls
        column[name] = 1 + max((column[u] for u in block.inputs), default=-1)
    for name, users in _users(blocks).items():  # a parameter stands beside its user
        block = blocks[name]
        if not block.inputs and block.target.isidentifier() and users:
            column[name] = max(column[name], min(column[v] for v in users) - 1)
    return column


def _choose_lanes(blocks: Blocks, column: dict[str, int]) -> _Grid:
    """Give the longest path lane 0, and every branch and skip a free lane.

    A lane is reserved in halves: 2c is column c, 2c + 1 the gap after it.
    """
    users = _users(blocks)
    lane: dict[str, int] = {}
    via: dict[Wire, int] = {}
    taken: list[tuple[int, int, int, str]] = []  # lane, first and last half, owner

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
    for name in reversed(list(blocks)):
        depth[name] = 1 + max((depth[v] for v in users[name]), default=0)
    for name in [max(blocks, key=depth.__getitem__), *blocks]:
        chain: list[str] = []
        rest = {name} - lane.keys()
        while rest:
            chain.append(max(rest, key=depth.__getitem__))
            rest = [v for v in users[chain[-1]] if v not in lane]
        if not chain:
            continue
        before = [u for u in blocks[name].inputs if u in lane][:1]
        after = sorted(users[chain[-1]], key=column.__getitem__)[:1]
        start = 2 * column[before[0]] + 1 if before else 2 * column[name]
        stop = 2 * column[[*chain, *after][-1]]
        outwards = ((n + 1) // 2 * (1 if n % 2 else -1) for n in count())
        chosen = reserve(outwards, start, stop, chain[-1])
        lane |= dict.fromkeys(chain, chosen)
        via |= dict.fromkeys(pairwise([*before, *chain, *after]), chosen)

    wires = [(u, v) for v, block in blocks.items() for u in block.inputs]
    for u, v in sorted(wires, key=lambda wire: column[wire[1]] - column[wire[0]]):
        if (u, v) in via:
            continue
        if column[v] == column[u] + 1:
            via[u, v] = lane[v]
        else:
            above = (lane[u], lane[v], *range(1, len(blocks) + 2))
            via[u, v] = reserve(above, 2 * column[u] + 1, 2 * column[v], u)
    return _Grid(column, lane, {wire: via[wire] for wire in wires})


def _route(wire: Wire, grid: _Grid) -> list[tuple[Place, int]]:
    """Corners of a wire: a place along the flow, and a lane."""
    u, v = wire
    start, end, lane = grid.lane[u], grid.lane[v], grid.via[wire]
    route: list[tuple[Place, int]] = [(("end", u), start)]
    if lane != start:
        route += [(("out", u), start), (("out", u), lane)]
    if lane != end:
        between = range(min(lane, end), max(lane, end) + 1)
        column = [n for n, c in grid.column.items() if c == grid.column[v]]
        if sum(grid.lane[n] in between for n in column) == 1:
            return [*route, (("middle", v), lane), (("middle", v), end)]
        route += [(("in", v), lane), (("in", v), end)]
    return [*route, (("start", v), end)]


def _measure_columns(sizes: Sizes, grid: _Grid, routes: Routes) -> _Columns:
    number = 1 + max(grid.column.values())
    extent = [0.0] * number
    for name, c in grid.column.items():
        extent[c] = max(extent[c], sizes[name][0])
    turns: list[list[Place]] = [[] for _ in range(number)]
    for place in sorted({p for route in routes.values() for p, _ in route}):
        if place[0] == "out":
            turns[grid.column[place[1]]].insert(0, place)
        elif place[0] == "in":
            turns[grid.column[place[1]] - 1].append(place)
    gap = [_GAP + TRACK * max(0, len(places) - 1) for places in turns]
    return _Columns(extent, turns, gap)


def _choose_rows(grid: _Grid, columns: _Columns) -> list[range]:
    """Wrap into rows of about equal length where only one wire goes on."""
    number = len(columns.extent)
    stops = [number]
    for c in reversed(range(number - 1)):
        crossing = {u for u, v in grid.via if grid.column[u] <= c < grid.column[v]}
        if [(grid.column[u], grid.lane[u]) for u in crossing] == [(c, 0)]:
            stops.append(c + 1)

    def wrap(limit: float) -> list[range]:
        rows: list[range] = []
        start = 0
        while start < number:
            options = [range(start, stop) for stop in stops if stop > start]
            fitting = (row for row in options if columns.length(row) <= limit)
            rows.append(next(fitting, options[-1]))
            start = rows[-1].stop
        return rows

    rows = wrap(WIDEST)
    length = max(map(columns.length, rows))
    if length > WIDEST:
        raise ValueError(
            f"схема шириной {length:.1f} дюйма не помещается на слайд ({WIDEST} "
            "дюйма), а обходные связи не дают перенести её на новую строку; нарисуйте "
            "крупные части одним блоком: leaves=(КлассЧасти, …)"
        )
    if len(rows) > 1:
        tries = map(wrap, np.linspace(WIDEST / 2, WIDEST, 40))
        rows = next(balanced for balanced in tries if len(balanced) <= len(rows))
    return rows


def _place(
    sizes: Sizes, grid: _Grid, routes: Routes, columns: _Columns, rows: list[range]
) -> Layout:
    """Turn columns and lanes into coordinates."""
    x = _along(sizes, grid, columns, rows)
    lanes = _across(sizes, grid, rows)
    row = {
        name: next(r for r, line in zip(lanes, rows, strict=True) if c in line)
        for name, c in grid.column.items()
    }
    boxes: dict[str, Box] = {}
    for name, lane in grid.lane.items():
        width, height = sizes[name]
        height = height if width == height else row[name].height[lane]
        boxes[name] = Box(x["middle", name], row[name].y[lane], width, height)

    wires: dict[Wire, list[Point]] = {}
    for (u, v), route in routes.items():
        points = [(x[place], row[v].y[lane]) for place, lane in route]
        if row[u] is not row[v]:  # the row begins with the output of u
            points[0] = (_MARGIN + _TURN, points[0][1])
        if route[-1][0][0] == "middle":  # stop at the side of the block
            half = boxes[v].height / 2
            side = half if points[-2][1] > points[-1][1] else -half
            points[-1] = (points[-1][0], points[-1][1] + side)
        wires[u, v] = points

    turns: dict[str, list[Point]] = {}
    for above, below, line in zip(lanes, lanes[1:], rows[1:], strict=False):
        last = (line.start - 1, 0)  # its column and lane
        name = next(n for n in boxes if (grid.column[n], grid.lane[n]) == last)
        end, right, between = (
            x["end", name],
            x["end", name] + _TURN,
            below.top + _ROW / 2,
        )
        turns[name] = [
            (end, above.y[0]),
            (right, above.y[0]),
            (right, between),
            (_MARGIN, between),
            (_MARGIN, below.y[0]),
            (_MARGIN + _TURN, below.y[0]),
        ]

    length = max(map(columns.length, rows))
    bottom, top = lanes[-1].bottom - _MARGIN, lanes[0].top + _MARGIN
    return Layout(length, bottom, top, boxes, wires, turns)


def _along(
    sizes: Sizes, grid: _Grid, columns: _Columns, rows: list[range]
) -> dict[Place, float]:
    x: dict[Place, float] = {}
    for row in rows:
        at = _MARGIN + (_TURN if row.start else 0)
        for c in row:
            if c:
                for number, place in enumerate(columns.turns[c - 1], 1):
                    x[place] = at + TRACK * number
                at += columns.gap[c - 1]
            middle = at + columns.extent[c] / 2
            for name in grid.column:
                if grid.column[name] == c:
                    half = sizes[name][0] / 2
                    x["start", name], x["end", name] = middle - half, middle + half
                    x["middle", name] = middle
            at += columns.extent[c]
    return x


def _across(sizes: Sizes, grid: _Grid, rows: list[range]) -> list[_Row]:
    placed: list[_Row] = []
    for columns in rows:
        height = {0: 0.0}
        for (_, v), lane in grid.via.items():
            if grid.column[v] in columns:
                height.setdefault(lane, 0.0)
        for name, lane in grid.lane.items():
            if grid.column[name] in columns:
                height[lane] = max(height.get(lane, 0.0), sizes[name][1])
        y = {0: 0.0}
        for side in (1, -1):
            lanes = sorted((n for n in height if n * side >= 0), key=abs)
            for near, lane in pairwise(lanes):
                step = (height[near] + height[lane]) / 2 + _LANE
                y[lane] = y[near] + side * step
        top = _Row(y, height).top
        move = placed[-1].bottom - _ROW - top if placed else 0.0
        placed.append(_Row({lane: at + move for lane, at in y.items()}, height))
    return placed
