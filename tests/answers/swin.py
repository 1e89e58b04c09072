"""Answers to the exercises of notebook 09: right ones, and mistakes students make."""

import operator
from functools import partial
from math import ceil

import torch
import torch.nn.functional as F

from tests.answers import right, wrong

# --- 09.1 -----------------------------------------------------------------------------


@right("09.1")
def cost(h, w, C, M=None, *, padded=lambda side, M: ceil(side / M) * M, area=pow):
    """The right cost, or one with a single named mistake."""
    if M is not None:
        h, w = padded(h, M), padded(w, M)
    return 4 * h * w * C**2 + 2 * h * w * (area(M, 2) if M else h * w) * C


@right("09.1")
def cost_by_windows(h, w, C, M=None):
    windows = 1 if M is None else ceil(h / M) * ceil(w / M)
    N = h * w if M is None else M * M
    return windows * (3 * N * C * C + N * N * C + N * N * C + N * C * C)


wrong(
    "09.1",
    without_padding=partial(cost, padded=lambda side, M: side),
    cropped=partial(cost, padded=lambda side, M: side // M * M),
    window_side=partial(cost, area=lambda M, _: M),
    in_flops=lambda *given: 2 * cost(*given),
    of_side=lambda h, w, C, M: cost(h, h, C, M),
    without_output=lambda h, w, C, M: cost(h, w, C, M) - h * w * C**2,
)


# --- 09.2 -----------------------------------------------------------------------------


@right("09.2")
def split(x, Mh, Mw, order=(0, 2, 4, 3, 5, 1)):
    """The right windows, or ones whose axes B, C, row, y, column, x are mixed up."""
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // Mh, Mh, W // Mw, Mw).permute(order)
    return x.reshape(-1, Mh * Mw, C)


@right("09.2")
def split_by_unfold(x, Mh, Mw):
    x = x.unfold(2, Mh, Mh).unfold(3, Mw, Mw)  # (B, C, h, w, Mh, Mw)
    return x.flatten(4).movedim(1, -1).flatten(0, 2)


@wrong("09.2")
def split_grid(x, Mh, Mw):
    """Every (H / Mh)-th pixel: the dilated grid instead of the window."""
    B, C, H, W = x.shape
    x = x.view(B, C, Mh, H // Mh, Mw, W // Mw).permute(0, 3, 5, 2, 4, 1)
    return x.reshape(-1, Mh * Mw, C)


wrong(
    "09.2",
    channels_left=partial(split, order=(0, 2, 4, 1, 3, 5)),
    columns_first=partial(split, order=(0, 4, 2, 3, 5, 1)),
    transposed_inside=partial(split, order=(0, 2, 4, 5, 3, 1)),
    without_permute=lambda x, Mh, Mw: x.movedim(1, 3).reshape(-1, Mh * Mw, x.shape[1]),
    swapped_sides=lambda x, Mh, Mw: split(x, Mw, Mh),
)


# --- 09.3 -----------------------------------------------------------------------------


@right("09.3")
def join(windows, Mh, Mw, H, W):
    C = windows.shape[-1]
    x = windows.view(-1, H // Mh, W // Mw, Mh, Mw, C)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, C, H, W)


@right("09.3")
def join_by_slices(windows, Mh, Mw, H, W):
    per_map = (H // Mh) * (W // Mw)
    x = windows.new_zeros(len(windows) // per_map, windows.shape[-1], H, W)
    for n, window in enumerate(windows):
        b, n = divmod(n, per_map)
        i, j = divmod(n, W // Mw)
        piece = window.T.reshape(-1, Mh, Mw)
        x[b, :, i * Mh : (i + 1) * Mh, j * Mw : (j + 1) * Mw] = piece
    return x


@wrong("09.3")
def join_columns_first(windows, Mh, Mw, H, W):
    C = windows.shape[-1]
    x = windows.view(-1, W // Mw, H // Mh, Mh, Mw, C)
    return x.permute(0, 5, 2, 3, 1, 4).reshape(-1, C, H, W)


@wrong("09.3")
def join_as_channels(windows, Mh, Mw, H, W):
    C = windows.shape[-1]
    x = windows.reshape(-1, H // Mh, W // Mw, C, Mh, Mw)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(-1, C, H, W)


wrong(
    "09.3",
    without_permute=lambda x, Mh, Mw, H, W: x.reshape(-1, H, W, x.shape[-1]).movedim(
        -1, 1
    ),
    channels_last=lambda *given: join(*given).movedim(1, -1),
    transposed_inside=lambda x, Mh, Mw, H, W: join(
        x.unflatten(1, (Mw, Mh)).transpose(1, 2).flatten(1, 2), Mh, Mw, H, W
    ),
)


# --- 09.4 -----------------------------------------------------------------------------


def _differences(Mh, Mw):
    """Query minus key, (N, N) for each axis."""
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    return (p[:, None] - p).unbind(-1)


@right("09.4")
def index(Mh, Mw):
    dy, dx = _differences(Mh, Mw)
    return (dy + Mh - 1) * (2 * Mw - 1) + dx + Mw - 1


@right("09.4")
def index_by_axes(Mh, Mw):
    y, x = (torch.arange(M)[:, None] - torch.arange(M) + M - 1 for M in (Mh, Mw))
    both = y[:, None, :, None] * (2 * Mw - 1) + x[None, :, None, :]
    return both.reshape(Mh * Mw, Mh * Mw)


@wrong("09.4")
def index_times_height(Mh, Mw):
    dy, dx = _differences(Mh, Mw)
    return (dy + Mh - 1) * (2 * Mh - 1) + dx + Mw - 1


@wrong("09.4")
def index_absolute_difference(Mh, Mw):
    dy, dx = _differences(Mh, Mw)
    return dy.abs() * (2 * Mw - 1) + dx.abs()


@wrong("09.4")
def index_columns_first(Mh, Mw):
    dy, dx = _differences(Mh, Mw)
    return (dx + Mw - 1) * (2 * Mh - 1) + dy + Mh - 1


wrong(
    "09.4",
    key_minus_query=lambda Mh, Mw: index(Mh, Mw).T.contiguous(),
    not_moved=lambda Mh, Mw: index(Mh, Mw) - index(Mh, Mw)[0, 0],
    sum_only=lambda Mh, Mw: sum(_differences(Mh, Mw)) + Mh + Mw - 2,
)


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


# --- 09.6 -----------------------------------------------------------------------------


def _inside(start, k, size):
    return min(max(start, 0), size - k)


def _square(i, j, W, k):
    """Numbers of the k x k tokens whose first one is (i, j)."""
    return [(i + a) * W + j + b for a in range(k) for b in range(k)]


@right("09.6")
def near(i, j, H, W, k, inside=_inside):
    """The right neighbours, or ones with a single named mistake."""
    return _square(inside(i - k // 2, k, H), inside(j - k // 2, k, W), W, k)


@right("09.6")
def near_sorted_by_distance(i, j, H, W, k):
    rows = sorted(range(H), key=lambda a: abs(a - i))[:k]
    cols = sorted(range(W), key=lambda b: abs(b - j))[:k]
    return tuple(sorted(a * W + b for a in rows for b in cols))


right("09.6", as_tensor=lambda *given: torch.tensor(near(*given)))


def _around(i, j, H, W, k, place):
    """Neighbours of (i, j) on an endless map, each axis put on the map by ``place``."""
    r = range(-(k // 2), k // 2 + 1)
    return sorted(place(i + a, H) * W + place(j + b, W) for a in r for b in r)


@wrong("09.6")
def near_cropped(i, j, H, W, k):
    r = k // 2
    rows, cols = (
        range(H)[max(i - r, 0) : i + r + 1],
        range(W)[max(j - r, 0) : j + r + 1],
    )
    return [a * W + b for a in rows for b in cols]


wrong(
    "09.6",
    repeated=partial(_around, place=lambda a, size: min(max(a, 0), size - 1)),
    wrapped=partial(_around, place=operator.mod),
    by_height=lambda i, j, H, W, k: _square(
        _inside(i - k // 2, k, H), _inside(j - k // 2, k, W), H, k
    ),
    only_left_border=partial(near, inside=lambda start, k, size: max(start, 0)),
    late_border=partial(
        near, inside=lambda start, k, size: _inside(start, k + 1, size)
    ),
)
