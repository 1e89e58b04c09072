"""Answers to the exercises of notebook 09: right ones, and mistakes students make."""

import operator
from functools import partial
from itertools import pairwise
from math import ceil

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- §9.1 -----------------------------------------------------------------------------


right(
    "§9.1",
    of_squares=lambda B, heads, h, w: B * heads * (h * w) ** 2,
    of_a_tensor=lambda B, heads, h, w: torch.empty(
        B, heads, h * w, h * w, device="meta"
    ).numel(),
)
wrong(
    "§9.1",
    heads_share=lambda B, heads, h, w: B * (h * w) ** 2,
    heads_divide=lambda B, heads, h, w: B * (h * w) ** 2 / heads,
    of_one_picture=lambda B, heads, h, w: heads * (h * w) ** 2,
    of_the_batch=lambda B, heads, h, w: heads * (B * h * w) ** 2,
    of_tokens=lambda B, heads, h, w: B * heads * h * w,
    of_a_side=lambda B, heads, h, w: B * heads * h**4,
    of_sides=lambda B, heads, h, w: B * heads * (h**2 + w**2),
    heads_squared=lambda B, heads, h, w: B * (heads * h * w) ** 2,
    each_pair_once=lambda B, heads, h, w: B * heads * h * w * (h * w + 1) // 2,
    two_products=lambda B, heads, h, w: 2 * B * heads * (h * w) ** 2,
    without_itself=lambda B, heads, h, w: B * heads * h * w * (h * w - 1),
)

# --- §9.2 -----------------------------------------------------------------------------


@right("§9.2")
def cut(h, w, M):
    return (w // M - 1) * h + (h // M - 1) * w


@right("§9.2")
def cut_by_numbers(h, w, M):
    y, x = torch.arange(h)[:, None] // M, torch.arange(w) // M
    window = y * w + x
    return (window.diff(dim=0) != 0).sum() + (window.diff(dim=1) != 0).sum()


wrong(
    "§9.2",
    with_the_borders=lambda h, w, M: w // M * h + h // M * w,
    both_borders=lambda h, w, M: (w // M + 1) * h + (h // M + 1) * w,
    of_rows_only=lambda h, w, M: (w // M - 1) * h,
    sides_swapped=lambda h, w, M: (h // M - 1) * h + (w // M - 1) * w,
    both_ways=lambda h, w, M: 2 * cut(h, w, M),
    walls_alone=lambda h, w, M: w // M + h // M - 2,
    around_each_window=lambda h, w, M: (h // M) * (w // M) * 4 * M,
    not_cut=lambda h, w, M: h * (w - 1) + w * (h - 1) - cut(h, w, M),
    with_the_diagonal=lambda h, w, M: cut(h, w, M) + (h // M - 1) * (w // M - 1),
    in_windows=lambda h, w, M: (w // M - 1) * (h // M) + (h // M - 1) * (w // M),
)

# --- §9.3 -----------------------------------------------------------------------------


right(
    "§9.3",
    by_axes=lambda n, H, W, s: (n + s * W) % (H * W) // W * W + (n % W + s) % W,
    by_rolling=lambda n, H, W, s: (
        torch.arange(H * W).view(H, W).roll((-s, -s), (0, 1)).flatten()[n]
    ),
)
wrong(
    "§9.3",
    where_it_went=lambda n, H, W, s: (n // W - s) % H * W + (n % W - s) % W,
    without_going_round=lambda n, H, W, s: (n // W + s) * W + n % W + s,
    rows_only=lambda n, H, W, s: (n // W + s) % H * W + n % W,
    columns_only=lambda n, H, W, s: n // W * W + (n % W + s) % W,
    along_the_row=lambda n, H, W, s: (n + s) % (H * W),
    as_one_number=lambda n, H, W, s: (n + s * W + s) % (H * W),
    rows_of_height=lambda n, H, W, s: (n // H + s) % H * W + (n % H + s) % W,
    sides_swapped=lambda n, H, W, s: (n // W + s) % W * W + (n % W + s) % H,
    numbered_by_height=lambda n, H, W, s: (n // W + s) % H * H + (n % W + s) % W,
    stays=lambda n, H, W, s: n,
    by_columns=lambda n, H, W, s: (n % W + s) % W * H + (n // W + s) % H,
)

# --- §9.4 -----------------------------------------------------------------------------


right(
    "§9.4",
    by_division=lambda cell, M: (
        cell // (2 * M - 1) - M + 1,
        cell % (2 * M - 1) - M + 1,
    ),
    by_search=lambda cell, M: (
        (torch.arange((2 * M - 1) ** 2).view(2 * M - 1, -1) == cell).nonzero()[0]
        - (M - 1)
    ),
)
wrong(
    "§9.4",
    swapped=lambda cell, M: (
        cell % (2 * M - 1) - M + 1,
        cell // (2 * M - 1) - M + 1,
    ),
    not_shifted=lambda cell, M: divmod(cell, 2 * M - 1),
    shifted_by_M=lambda cell, M: (
        cell // (2 * M - 1) - M,
        cell % (2 * M - 1) - M,
    ),
    rows_of_M=lambda cell, M: (cell // M - M + 1, cell % M - M + 1),
    rows_of_2M=lambda cell, M: (cell // (2 * M) - M + 1, cell % (2 * M) - M + 1),
    key_minus_query=lambda cell, M: (
        M - 1 - cell // (2 * M - 1),
        M - 1 - cell % (2 * M - 1),
    ),
    absolute=lambda cell, M: (
        abs(cell // (2 * M - 1) - M + 1),
        abs(cell % (2 * M - 1) - M + 1),
    ),
    only_y_shifted=lambda cell, M: (
        cell // (2 * M - 1) - M + 1,
        cell % (2 * M - 1),
    ),
    shifted_the_other_way=lambda cell, M: (
        cell // (2 * M - 1) + M - 1,
        cell % (2 * M - 1) + M - 1,
    ),
    true_division=lambda cell, M: (
        cell / (2 * M - 1) - M + 1,
        cell % (2 * M - 1) - M + 1,
    ),
)

# --- §9.5 -----------------------------------------------------------------------------


right(
    "§9.5",
    by_ceiling=lambda side, stage: ceil(side / (4 * 2 ** (stage - 1))),
    by_strides=lambda side, stage: (
        torch.zeros(side)[::4].clone()[:: 2 ** (stage - 1)].numel()
    ),
)
wrong(
    "§9.5",
    cropped=lambda side, stage: side // (4 * 2 ** (stage - 1)),
    merged_before_the_first=lambda side, stage: ceil(side / (4 * 2**stage)),
    patch_of_two=lambda side, stage: ceil(side / (2 * 2 ** (stage - 1))),
    without_patches=lambda side, stage: ceil(side / 2 ** (stage - 1)),
    merged_by_four=lambda side, stage: ceil(side / 4**stage),
    not_rounded=lambda side, stage: side / (4 * 2 ** (stage - 1)),
    nearest=lambda side, stage: round(side / (4 * 2 ** (stage - 1))),
    numbered_from_zero=lambda side, stage: ceil(side / (4 * 2 ** max(stage - 2, 0))),
    divided_by_stage=lambda side, stage: ceil(side / (4 * stage)),
    area=lambda side, stage: ceil(side / (4 * 2 ** (stage - 1))) ** 2,
    of_windows=lambda side, stage: ceil(side / (4 * 2 ** (stage - 1)) / 7) * 7,
)

# --- §9.6 -----------------------------------------------------------------------------


@right("§9.6")
def pressed(H, W, k):
    return H * W - (H - k + 1) * (W - k + 1)


@right("§9.6")
def pressed_one_by_one(H, W, k):
    r = k // 2
    return sum(
        not (r <= i < H - r and r <= j < W - r) for i in range(H) for j in range(W)
    )


wrong(
    "§9.6",
    not_pressed=lambda H, W, k: (H - k + 1) * (W - k + 1),
    corners_twice=lambda H, W, k: 2 * (k // 2) * (H + W),
    one_off=lambda H, W, k: H * W - (H - k) * (W - k),
    half_a_window=lambda H, W, k: H * W - (H - k // 2) * (W - k // 2),
    one_border_only=lambda H, W, k: k // 2 * (H + W - k // 2),
    corners_only=lambda H, W, k: 4 * (k // 2) ** 2,
    along_both_axes=lambda H, W, k: (k - 1) ** 2,
    whole_window=lambda H, W, k: H * W - max(H - 2 * k, 0) * max(W - 2 * k, 0),
    rim_of_one=lambda H, W, k: H * W - max(H - 2, 0) * max(W - 2, 0),
    middle_of_odd=lambda H, W, k: H * W - (H - k - 1) * (W - k - 1),
    of_side=lambda H, W, k: H * H - (H - k + 1) ** 2,
)

# --- §9.7 -----------------------------------------------------------------------------


right(
    "§9.7",
    by_ceiling=lambda L, k: 1 + ceil((L - k) / (k // 2)),
    by_neighbours=lambda L, k: _layers(
        [sorted(sorted(range(L), key=lambda j: abs(j - i))[:k]) for i in range(L)]
    ),
)


def _layers(near):
    """By definition: who is seen in one layer more."""
    seen, layers = {0}, 0
    while len(seen) < len(near):
        seen, layers = {j for i in seen for j in near[i]}, layers + 1
    return layers


wrong(
    "§9.7",
    as_in_the_middle=lambda L, k: ceil((L - 1) / (k - 1)),
    first_forgotten=lambda L, k: ceil((L - k) / (k // 2)),
    rounded_down=lambda L, k: 1 + (L - k) // (k // 2),
    windows_side_by_side=lambda L, k: ceil(L / k),
    first_not_pressed=lambda L, k: ceil((L - 1) / (k // 2)),
    as_convolutions=lambda L, k: 1 + ceil((L - k) / (k - 1)),
    always_one_more=lambda L, k: 2 + (L - k) // (k // 2),
    by_k=lambda L, k: 1 + ceil((L - k) / k),
    doubling=lambda L, k: 1 + ceil((L - k) / k / 2),
    of_half=lambda L, k: ceil(L / (k // 2)),
    not_rounded=lambda L, k: 1 + (L - k) / (k // 2),
)


# --- §9.8 -----------------------------------------------------------------------------


right("§9.8", in_one_line=lambda C, k: C * (k * k + 8 * C))


@right("§9.8")
def counted_by_pytorch(C, k):
    layers = [
        nn.Conv2d(C, C, k, groups=C, bias=False),
        nn.Conv2d(C, 4 * C, 1, bias=False),
        nn.Conv2d(4 * C, C, 1, bias=False),
    ]
    return sum(layer.weight.numel() for layer in layers)


wrong(
    "§9.8",
    dense=lambda C, k: k**2 * C**2 + 8 * C**2,
    one_pointwise=lambda C, k: k**2 * C + 4 * C**2,
    no_widening=lambda C, k: k**2 * C + 2 * C**2,
    one_kernel_for_all=lambda C, k: k**2 + 8 * C**2,
    side_not_square=lambda C, k: k * C + 8 * C**2,
    depthwise_inside=lambda C, k: 4 * k**2 * C + 8 * C**2,
    with_biases=lambda C, k: k**2 * C + 8 * C**2 + 6 * C,
    pointwise_alone=lambda C, k: 8 * C**2,
    product=lambda C, k: k**2 * C * 8 * C**2,
    linear=lambda C, k: k**2 * C + 8 * C,
)


# --- 09.1 -----------------------------------------------------------------------------


def _windows(side, M, s):
    return len(range(s - M if s else 0, side, M))


@right("09.1")
def cost(h, w, C, M, s, *, count=_windows, tokens=pow, keys=pow, projections=4):
    """The right cost, or one with a single named mistake."""
    one = projections * tokens(M, 2) * C**2 + 2 * tokens(M, 2) * keys(M, 2) * C
    return count(h, M, s) * count(w, M, s) * one


@right("09.1")
def cost_of_the_enlarged_map(h, w, C, M, s):
    """Zeros before and after complete the first and the last window of each axis."""
    h, w = (ceil((side + (M - s) % M) / M) * M for side in (h, w))
    return 4 * h * w * C**2 + 2 * M**2 * h * w * C


@wrong("09.1")
def cost_without_completing(h, w, C, M, s):
    """Windows at the borders as small as they are."""
    edges = ([0, *range(s or M, side, M), side] for side in (h, w))
    axes = [[b - a for a, b in pairwise(axis)] for axis in edges]
    sizes = [a * b for a in axes[0] for b in axes[1]]
    return sum(4 * n * C**2 + 2 * n**2 * C for n in sizes)


wrong(
    "09.1",
    with_rolling=lambda h, w, C, M, s: cost(h, w, C, M, 0),
    cropped=partial(cost, count=lambda side, M, s: side // M),
    one_window_more=partial(cost, count=lambda side, M, s: ceil(side / M) + 1),
    one_more_if_shifted=partial(
        cost, count=lambda side, M, s: ceil(side / M) + (s > 0)
    ),
    rest_cropped=partial(cost, count=lambda side, M, s: (s > 0) + (side - s) // M),
    shifted_before=partial(cost, count=lambda side, M, s: ceil((side + s) / M)),
    shift_ignored=partial(cost, count=lambda side, M, s: ceil((side - s) / M)),
    always_nine=lambda h, w, C, M, s: 9 * cost(M, M, C, M, 0),
    keys_of_one_side=partial(cost, keys=lambda M, _: M),
    tokens_of_one_side=partial(cost, tokens=lambda M, _: M),
    in_flops=lambda *given: 2 * cost(*given),
    without_output=partial(cost, projections=3),
    of_side=lambda h, w, *rest: cost(h, h, *rest),
    without_values=lambda h, w, C, M, s: (
        (cost(h, w, C, M, s) + cost(h, w, C, M, s, keys=lambda *_: 0)) // 2
    ),
    as_msa=lambda h, w, C, M, s: 4 * h * w * C**2 + 2 * (h * w) ** 2 * C,
    not_completed=lambda h, w, C, M, s: 4 * h * w * C**2 + 2 * M**2 * h * w * C,
)


# --- 09.2 -----------------------------------------------------------------------------


@right("09.2")
def grid(x, Mh, Mw, order=(0, 2, 4, 1, 3, 5)):
    """The right groups, or ones whose axes B, y, row, x, column, C are mixed up."""
    B, H, W, C = x.shape
    x = x.reshape(B, Mh, H // Mh, Mw, W // Mw, C).permute(order)
    return x.reshape(-1, Mh * Mw, C)


@right("09.2")
def grid_by_steps(x, Mh, Mw):
    steps = x.shape[1] // Mh, x.shape[2] // Mw
    return torch.cat(
        [
            picture[i :: steps[0], j :: steps[1]].reshape(1, Mh * Mw, -1)
            for picture in x
            for i in range(steps[0])
            for j in range(steps[1])
        ]
    )


@wrong("09.2")
def grid_as_windows(x, Mh, Mw):
    B, H, W, C = x.shape
    x = x.reshape(B, H // Mh, Mh, W // Mw, Mw, C).transpose(2, 3)
    return x.reshape(-1, Mh * Mw, C)


@wrong("09.2")
def grid_with_steps_for_sides(x, Mh, Mw):
    """Every Mh-th row and Mw-th column: as if the sides were the steps."""
    groups = [x[:, i::Mh, j::Mw].flatten(1, 2) for i in range(Mh) for j in range(Mw)]
    return torch.stack(groups, 1).flatten(0, 1)


wrong(
    "09.2",
    columns_first=partial(grid, order=(0, 4, 2, 1, 3, 5)),
    transposed_inside=partial(grid, order=(0, 2, 4, 3, 1, 5)),
    rows_sparse_only=lambda x, Mh, Mw: (
        x.unflatten(1, (Mh, -1))
        .unflatten(3, (-1, Mw))
        .permute(0, 2, 3, 1, 4, 5)
        .reshape(-1, Mh * Mw, x.shape[-1])
    ),
    columns_sparse_only=lambda x, Mh, Mw: (
        x.unflatten(1, (-1, Mh))
        .unflatten(3, (Mw, -1))
        .permute(0, 1, 4, 2, 3, 5)
        .reshape(-1, Mh * Mw, x.shape[-1])
    ),
    swapped_sides=lambda x, Mh, Mw: grid(x, Mw, Mh),
    squares_by_height=lambda x, Mh, Mw: grid(x, Mh, Mh),
    batch_inside=partial(grid, order=(2, 4, 0, 1, 3, 5)),
    channels_before=partial(grid, order=(0, 2, 4, 5, 1, 3)),
    without_permute=lambda x, Mh, Mw: x.reshape(-1, Mh * Mw, x.shape[-1]),
    of_the_first_map=lambda x, Mh, Mw: grid(x[:1], Mh, Mw).repeat(len(x), 1, 1),
    with_the_batch_apart=lambda x, Mh, Mw: grid(x, Mh, Mw).unflatten(0, (len(x), -1)),
    with_the_group_apart=lambda x, Mh, Mw: grid(x, Mh, Mw).unflatten(1, (Mh, Mw)),
    tokens_last=lambda x, Mh, Mw: grid(x, Mh, Mw).mT,
    averaged=lambda x, Mh, Mw: grid(x, Mh, Mw).mean(1, keepdim=True),
    from_below=lambda x, Mh, Mw: grid(x.flip(1), Mh, Mw),
)


# --- 09.3 -----------------------------------------------------------------------------


def _corners(M, s, H, W):
    return [(i, j) for i in range(0, H - M + 1, s) for j in range(0, W - M + 1, s)]


@right("09.3")
def join(
    windows,
    M,
    s,
    H,
    W,
    *,
    corners=_corners,
    put=torch.add,
    divided=True,
    inside=lambda window: window,
    apart=lambda windows, nW: windows.unflatten(0, (-1, nW)),
):
    """The right map, or one with a single named mistake."""
    places = corners(M, s, H, W)
    x = apart(windows, len(places)).unflatten(2, (M, M))
    total = x.new_zeros(len(x), H, W, x.shape[-1])
    times = x.new_zeros(H, W, 1)
    for n, (i, j) in enumerate(places):
        place = (slice(None), slice(i, i + M), slice(j, j + M))
        total[place] = put(total[place], inside(x[:, n]))
        times[place[1:]] += 1
    return total / times if divided else total


@right("09.3")
def join_by_fold(windows, M, s, H, W):
    nW = len(_corners(M, s, H, W))
    x = windows.reshape(-1, nW, M * M, windows.shape[-1])
    x = x.permute(0, 3, 2, 1).flatten(1, 2)
    total = F.fold(x, (H, W), M, stride=s)
    return (total / F.fold(torch.ones_like(x), (H, W), M, stride=s)).movedim(1, -1)


wrong(
    "09.3",
    summed=partial(join, divided=False),
    last_wins=partial(join, put=lambda old, new: new, divided=False),
    first_wins=partial(
        join, put=lambda old, new: torch.where(old == 0, new, old), divided=False
    ),
    largest=partial(join, put=torch.maximum, divided=False),
    running_mean=partial(join, put=lambda old, new: (old + new) / 2, divided=False),
    divided_by_the_usual_number=lambda x, M, s, H, W: (
        join(x, M, s, H, W, divided=False) / (M / s) ** 2
    ),
    divided_by_all_windows=lambda x, M, s, H, W: (
        join(x, M, s, H, W, divided=False) / len(_corners(M, s, H, W))
    ),
    columns_first=partial(
        join,
        corners=lambda M, s, H, W: sorted(_corners(M, s, H, W), key=lambda c: c[1]),
    ),
    transposed_inside=partial(join, inside=lambda window: window.transpose(1, 2)),
    pictures_in_turn=partial(
        join, apart=lambda x, nW: x.unflatten(0, (nW, -1)).transpose(0, 1)
    ),
    of_the_first_picture=lambda x, M, s, H, W: join(x, M, s, H, W)[:1].expand(
        len(x) // len(_corners(M, s, H, W)), -1, -1, -1
    ),
    without_overlap=lambda x, M, s, H, W: join(x, M, M, H, W),
    sides_swapped=lambda x, M, s, H, W: join(x, M, s, W, H),
    of_a_transposed_map=lambda x, M, s, H, W: join(x, M, s, W, H).transpose(1, 2),
    channels_first=lambda *given: join(*given).movedim(-1, 1),
    channels_inside=lambda x, M, s, H, W: join(
        x.mT.reshape(len(x), M * M, -1), M, s, H, W
    ),
    from_below=lambda *given: join(*given).flip(1),
    without_the_batch=lambda *given: join(*given)[0],
)


# --- 09.4 -----------------------------------------------------------------------------


def _differences(Mh, Mw):
    """Query minus key, (N, N) for each axis."""
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    return (p[:, None] - p).unbind(-1)


@right("09.4")
def table(
    bias,
    Mh,
    Mw,
    *,
    cell=lambda dy, dx, Mh, Mw: (dy + Mh - 1) * (2 * Mw - 1) + dx + Mw - 1,
    reduce="mean",
):
    """The right table, or one with a single named mistake."""
    cells = cell(*_differences(Mh, Mw), Mh, Mw).flatten()
    empty = bias.new_zeros((2 * Mh - 1) * (2 * Mw - 1))
    return empty.scatter_reduce(0, cells, bias.flatten(), reduce, include_self=False)


@right("09.4")
def table_by_masks(bias, Mh, Mw):
    dy, dx = _differences(Mh, Mw)
    return torch.stack(
        [
            bias[(dy == y) & (dx == x)].mean()
            for y in range(1 - Mh, Mh)
            for x in range(1 - Mw, Mw)
        ]
    )


def _pairs_of(Mh, Mw):
    return table(torch.ones(Mh * Mw, Mh * Mw), Mh, Mw, reduce="sum")


wrong(
    "09.4",
    summed=partial(table, reduce="sum"),
    largest=partial(table, reduce="amax"),
    key_minus_query=lambda bias, Mh, Mw: table(bias.T, Mh, Mw),
    divided_by_tokens=lambda bias, Mh, Mw: (
        table(bias, Mh, Mw, reduce="sum") / len(bias)
    ),
    with_zeros_counted=lambda bias, Mh, Mw: (
        table(bias, Mh, Mw, reduce="sum") / (_pairs_of(Mh, Mw) + 1)
    ),
    divided_by_all=lambda bias, Mh, Mw: (
        table(bias, Mh, Mw, reduce="sum") / bias.numel()
    ),
    columns_first=partial(
        table, cell=lambda dy, dx, Mh, Mw: (dx + Mw - 1) * (2 * Mh - 1) + dy + Mh - 1
    ),
    row_of_another_length=partial(
        table,
        cell=lambda dy, dx, Mh, Mw: (
            ((dy + Mh - 1) * (2 * Mh - 1) + dx + Mw - 1) % ((2 * Mh - 1) * (2 * Mw - 1))
        ),
    ),
    absolute=partial(
        table, cell=lambda dy, dx, Mh, Mw: dy.abs() * (2 * Mw - 1) + dx.abs()
    ),
    one_axis_reversed=partial(
        table,
        cell=lambda dy, dx, Mh, Mw: (dy + Mh - 1) * (2 * Mw - 1) - dx + Mw - 1,
    ),
    without_doubling=partial(
        table, cell=lambda dy, dx, Mh, Mw: (dy + Mh - 1) * Mw + dx + Mw - 1
    ),
    not_moved=partial(
        table,
        cell=lambda dy, dx, Mh, Mw: (
            (dy * (2 * Mw - 1) + dx) % ((2 * Mh - 1) * (2 * Mw - 1))
        ),
    ),
    symmetric=lambda bias, Mh, Mw: table((bias + bias.T) / 2, Mh, Mw),
    of_the_first_query=lambda bias, Mh, Mw: table(bias[:1].expand_as(bias), Mh, Mw),
    of_the_other_window=lambda bias, Mh, Mw: table(bias, Mw, Mh),
    as_a_grid=lambda bias, Mh, Mw: table(bias, Mh, Mw).view(2 * Mh - 1, -1),
    back_as_a_matrix=lambda bias, Mh, Mw: table(bias, Mh, Mw)[
        (_differences(Mh, Mw)[0] + Mh - 1) * (2 * Mw - 1)
        + _differences(Mh, Mw)[1]
        + Mw
        - 1
    ],
)


@wrong("09.4")
def table_of_the_last_pairs(bias, Mh, Mw):
    """Assigned instead of gathered: the last pair of a cell stays."""
    dy, dx = _differences(Mh, Mw)
    cells = dict(
        zip(
            ((dy + Mh - 1) * (2 * Mw - 1) + dx + Mw - 1).flatten().tolist(),
            bias.flatten(),
            strict=True,
        )
    )
    return torch.stack([cells[cell] for cell in sorted(cells)])


# --- 09.5 -----------------------------------------------------------------------------


def _cut(x, M):
    """(H, W) -> (nW, M²)."""
    H, W = x.shape
    return x.view(H // M, M, W // M, M).transpose(1, 2).reshape(-1, M * M)


def _labels(L, M, s):
    label = torch.zeros(L, dtype=torch.long)
    label[-M:-s], label[-s:] = 1, 2
    return label


@right("09.5")
def mask_by_labels(
    H, W, M, s, *, padding=True, rolled=True, itself=True, regions=torch.clone
):
    """The right mask, or one with a single named mistake."""
    real = F.pad(torch.ones(H, W), (0, -W % M, 0, -H % M)) > 0
    high, wide = real.shape
    real = _cut(real.roll((-s, -s), (0, 1)) if rolled else real, M)
    region = _cut(3 * _labels(high, M, s)[:, None] + _labels(wide, M, s), M)
    region = regions(region)
    same = region[:, :, None] == region[:, None]
    if padding:
        same = same & real[:, None]
    return same | torch.eye(M * M, dtype=torch.bool) if itself else same


@right("09.5")
def mask_by_places(H, W, M, s):
    high, wide = -(-H // M) * M, -(-W // M) * M
    y = torch.arange(high).roll(-s)
    x = torch.arange(wide).roll(-s)
    band = lambda t: (t + M - s) // M  # noqa: E731
    region = _cut(band(y)[:, None] * 1000 + band(x), M)
    real = _cut((y < H)[:, None] & (x < W), M)
    mask = (region[:, :, None] == region[:, None, :]) & real[:, None, :]
    mask[:, range(M * M), range(M * M)] = True
    return mask


wrong(
    "09.5",
    ignoring_padding=partial(mask_by_labels, padding=False),
    padding_not_rolled=partial(mask_by_labels, rolled=False),
    with_blind_tokens=partial(mask_by_labels, itself=False),
    four_regions=partial(mask_by_labels, regions=lambda region: region == 8),
    of_queries=lambda H, W, M, s: mask_by_labels(H, W, M, s).mT,
    shift_as_half=lambda H, W, M, s: mask_by_labels(H, W, M, M // 2),
    forbidden=lambda H, W, M, s: ~mask_by_labels(H, W, M, s),
)

wrong(
    "09.5",
    padding_as_query=lambda H, W, M, s: (
        mask_by_labels(H, W, M, s, padding=False) & mask_by_labels(H, W, M, s).mT
    ),
    padding_hidden_both_ways=lambda H, W, M, s: (
        mask_by_labels(H, W, M, s) & mask_by_labels(H, W, M, s).mT
    ),
    padding_sees_padding=lambda H, W, M, s: (
        (seen := mask_by_labels(H, W, M, s))
        | (hidden := mask_by_labels(H, W, M, s, padding=False) & ~seen) & hidden.mT
    ),
    no_regions=partial(mask_by_labels, regions=torch.zeros_like),
    regions_of_rows=partial(mask_by_labels, regions=lambda region: region // 3),
    regions_of_columns=partial(mask_by_labels, regions=lambda region: region % 3),
    regions_by_sum=partial(
        mask_by_labels, regions=lambda region: region // 3 + region % 3
    ),
    rolled_the_other_way=lambda H, W, M, s: mask_by_labels(H, W, M, M - s),
    not_shifted=lambda H, W, M, s: mask_by_labels(
        H, W, M, s, regions=torch.zeros_like, rolled=False
    ),
    of_the_cropped_map=lambda H, W, M, s: mask_by_labels(H // M * M, W // M * M, M, s),
    columns_first=lambda H, W, M, s: mask_by_labels(W, H, M, s),
    windows_backwards=lambda H, W, M, s: mask_by_labels(H, W, M, s).flip(0),
    in_numbers=lambda H, W, M, s: mask_by_labels(H, W, M, s).int(),
    to_add=lambda H, W, M, s: torch.zeros(()).masked_fill(
        ~mask_by_labels(H, W, M, s), -100.0
    ),
    with_heads=lambda H, W, M, s: mask_by_labels(H, W, M, s)[:, None],
    seen_together=lambda H, W, M, s: mask_by_labels(H, W, M, s).any(0, True),
)


# --- 09.6 -----------------------------------------------------------------------------


def _start(i, k, size):
    """Where the window of a query begins."""
    return min(max(i - k // 2, 0), size - k)


@right("09.6")
def watchers(i, j, H, W, k, *, start=_start, width=None):
    """The right tokens, or ones with a single named mistake."""
    rows, columns = (
        [a for a in range(size) if start(a, k, size) <= own < start(a, k, size) + k]
        for own, size in ((i, H), (j, W))
    )
    return [a * (width or W) + b for a in rows for b in columns]


def _ends(own, k, size):
    """The first and the last query of the axis that see the token ``own``."""
    first = 0 if own < k else own - k // 2
    return first, size - 1 if own >= size - k else own + k // 2


@right("09.6")
def watchers_by_ends(i, j, H, W, k, ends=_ends):
    (top, bottom), (left, right) = ends(i, k, H), ends(j, k, W)
    rows, columns = torch.arange(top, bottom + 1), torch.arange(left, right + 1)
    return (rows[:, None] * W + columns).flatten()


@right("09.6")
def watchers_of_all_tokens(i, j, H, W, k):
    """By the definition: a query is counted if the token is among its neighbours."""
    return tuple(q for q in range(H * W) if i * W + j in near(*divmod(q, W), H, W, k))


@wrong("09.6")
def near(i, j, H, W, k):
    """Whom the token sees, not who sees it."""
    top, left = _start(i, k, H), _start(j, k, W)
    return [a * W + b for a in range(top, top + k) for b in range(left, left + k)]


def _around(i, j, H, W, k, place):
    """Tokens around (i, j) on an endless map, each axis put on the map by ``place``."""
    r = range(-(k // 2), k // 2 + 1)
    return sorted({place(i + a, H) * W + place(j + b, W) for a in r for b in r})


@wrong("09.6")
def watchers_of_either_axis(i, j, H, W, k):
    rows, columns = watchers(i, 0, H, k, k), watchers(0, j, k, W, k)
    rows, columns = {n // k for n in rows}, {n % W for n in columns}
    return [q for q in range(H * W) if q // W in rows or q % W in columns]


wrong(
    "09.6",
    clamped=partial(_around, place=lambda a, size: min(max(a, 0), size - 1)),
    wrapped=partial(_around, place=operator.mod),
    cropped=partial(
        watchers_by_ends,
        ends=lambda a, k, n: (max(a - k // 2, 0), min(a + k // 2, n - 1)),
    ),
    half_a_window_wide=partial(
        watchers_by_ends,
        ends=lambda a, k, n: (
            0 if a <= k // 2 else a - k // 2,
            n - 1 if a >= n - 1 - k // 2 else a + k // 2,
        ),
    ),
    border_late=partial(
        watchers_by_ends,
        ends=lambda a, k, n: (
            0 if a <= k else a - k // 2,
            n - 1 if a >= n - k - 1 else a + k // 2,
        ),
    ),
    only_first_border=partial(watchers, start=lambda i, k, n: max(i - k // 2, 0)),
    only_last_border=partial(watchers, start=lambda i, k, n: min(i - k // 2, n - k)),
    without_borders=partial(watchers, start=lambda i, k, n: i - k // 2),
    by_height=lambda i, j, H, W, k: watchers(i, j, H, W, k, width=H),
    swapped_axes=lambda i, j, H, W, k: watchers(j, i, H, W, k),
    of_a_square_map=lambda i, j, H, W, k: watchers(i, j, H, H, k, width=W),
    without_itself=lambda i, j, H, W, k: [
        q for q in watchers(i, j, H, W, k) if q != i * W + j
    ],
    of_columns=lambda i, j, H, W, k: sorted(
        watchers(i, j, H, W, k), key=lambda q: (q % W, q)
    ),
    as_a_number=lambda *given: len(watchers(*given)),
    as_pairs=lambda i, j, H, W, k: [divmod(q, W) for q in watchers(i, j, H, W, k)],
    one_column_short=partial(
        watchers_by_ends,
        ends=lambda a, k, n: (_ends(a, k, n)[0], _ends(a, k, n)[1] - 1),
    ),
)
