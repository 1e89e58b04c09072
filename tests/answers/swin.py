"""Answers to the exercises of notebook 09: right ones, and mistakes students make."""

from math import ceil

import torch
import torch.nn.functional as F

from tests.answers import right, wrong

# --- 09.1 -----------------------------------------------------------------------------


@right("09.1")
def cost_by_formula(h, w, C, M=None):
    if M is not None:
        h, w = ceil(h / M) * M, ceil(w / M) * M
    return 4 * h * w * C**2 + 2 * h * w * (M**2 if M else h * w) * C


@right("09.1")
def cost_by_windows(h, w, C, M=None):
    windows = 1 if M is None else ceil(h / M) * ceil(w / M)
    N = h * w if M is None else M * M
    return windows * (3 * N * C * C + N * N * C + N * N * C + N * C * C)


@wrong("09.1")
def cost_without_padding(h, w, C, M=None):
    return 4 * h * w * C**2 + 2 * h * w * (M**2 if M else h * w) * C


@wrong("09.1")
def cost_in_flops(h, w, C, M=None):
    return 2 * cost_by_formula(h, w, C, M)


@wrong("09.1")
def cost_of_side(h, w, C, M=None):
    return 4 * h * h * C**2 + 2 * h * h * (M**2 if M else h * h) * C


@wrong("09.1")
def cost_without_output(h, w, C, M=None):
    return cost_by_formula(h, w, C, M) - h * w * C**2


@wrong("09.1")
def cost_window_side(h, w, C, M=None):
    if M is None:
        return cost_by_formula(h, w, C)
    h, w = ceil(h / M) * M, ceil(w / M) * M
    return 4 * h * w * C**2 + 2 * M * h * w * C


@wrong("09.1")
def cost_cropped(h, w, C, M=None):
    if M is not None:
        h, w = h // M * M, w // M * M
    return cost_by_formula(h, w, C, M)


# --- 09.2 -----------------------------------------------------------------------------


@right("09.2")
def split_by_permute(x, Mh, Mw):
    B, C, H, W = x.shape
    x = x.view(B, C, H // Mh, Mh, W // Mw, Mw).permute(0, 2, 4, 3, 5, 1)
    return x.reshape(-1, Mh * Mw, C)


@right("09.2")
def split_by_unfold(x, Mh, Mw):
    x = x.unfold(2, Mh, Mh).unfold(3, Mw, Mw)  # (B, C, h, w, Mh, Mw)
    return x.flatten(4).movedim(1, -1).flatten(0, 2)


@wrong("09.2")
def split_channels_left(x, Mh, Mw):
    B, C, H, W = x.shape
    x = x.view(B, C, H // Mh, Mh, W // Mw, Mw).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, Mh * Mw, C)


@wrong("09.2")
def split_without_permute(x, Mh, Mw):
    return x.permute(0, 2, 3, 1).reshape(-1, Mh * Mw, x.shape[1])


@wrong("09.2")
def split_columns_first(x, Mh, Mw):
    B, C, H, W = x.shape
    x = x.view(B, C, H // Mh, Mh, W // Mw, Mw).permute(0, 4, 2, 3, 5, 1)
    return x.reshape(-1, Mh * Mw, C)


@wrong("09.2")
def split_transposed_inside(x, Mh, Mw):
    B, C, H, W = x.shape
    x = x.view(B, C, H // Mh, Mh, W // Mw, Mw).permute(0, 2, 4, 5, 3, 1)
    return x.reshape(-1, Mh * Mw, C)


@wrong("09.2")
def split_swapped_sides(x, Mh, Mw):
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // Mw, Mw, W // Mh, Mh).permute(0, 2, 4, 3, 5, 1)
    return x.reshape(-1, Mh * Mw, C)


@wrong("09.2")
def split_grid(x, Mh, Mw):
    """Every (H / Mh)-th pixel: the dilated grid instead of the window."""
    B, C, H, W = x.shape
    x = x.view(B, C, Mh, H // Mh, Mw, W // Mw).permute(0, 3, 5, 2, 4, 1)
    return x.reshape(-1, Mh * Mw, C)


# --- 09.3 -----------------------------------------------------------------------------


@right("09.3")
def join_by_permute(windows, Mh, Mw, H, W):
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
def join_without_permute(windows, Mh, Mw, H, W):
    return windows.reshape(-1, H, W, windows.shape[-1]).permute(0, 3, 1, 2)


@wrong("09.3")
def join_channels_last(windows, Mh, Mw, H, W):
    return join_by_permute(windows, Mh, Mw, H, W).permute(0, 2, 3, 1)


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


@wrong("09.3")
def join_transposed_inside(windows, Mh, Mw, H, W):
    C = windows.shape[-1]
    x = windows.reshape(-1, H // Mh, W // Mw, Mw, Mh, C)
    return x.permute(0, 5, 1, 4, 2, 3).reshape(-1, C, H, W)


# --- 09.4 -----------------------------------------------------------------------------


@right("09.4")
def index_by_product(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).unbind(-1)
    return (dy + Mh - 1) * (2 * Mw - 1) + dx + Mw - 1


@right("09.4")
def index_by_axes(Mh, Mw):
    y, x = (torch.arange(M)[:, None] - torch.arange(M) + M - 1 for M in (Mh, Mw))
    both = y[:, None, :, None] * (2 * Mw - 1) + x[None, :, None, :]
    return both.reshape(Mh * Mw, Mh * Mw)


@wrong("09.4")
def index_times_height(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).unbind(-1)
    return (dy + Mh - 1) * (2 * Mh - 1) + dx + Mw - 1


@wrong("09.4")
def index_not_moved(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).unbind(-1)
    return dy * (2 * Mw - 1) + dx


@wrong("09.4")
def index_sum_only(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).unbind(-1)
    return dy + Mh - 1 + dx + Mw - 1


@wrong("09.4")
def index_absolute_difference(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).abs().unbind(-1)
    return dy * (2 * Mw - 1) + dx


@wrong("09.4")
def index_columns_first(Mh, Mw):
    p = torch.cartesian_prod(torch.arange(Mh), torch.arange(Mw))
    dy, dx = (p[:, None] - p).unbind(-1)
    return (dx + Mw - 1) * (2 * Mh - 1) + dy + Mh - 1


wrong(
    "09.4",
    key_minus_query=lambda Mh, Mw: index_by_product(Mh, Mw).T.contiguous(),
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


def _parts(H, W, M, s):
    real = F.pad(torch.ones(H, W), (0, -W % M, 0, -H % M)).roll((-s, -s), (0, 1)) > 0
    high, wide = real.shape
    region = 3 * _labels(high, M, s)[:, None] + _labels(wide, M, s)
    return _cut(region, M), _cut(real, M)


@right("09.5")
def mask_by_labels(H, W, M, s):
    region, real = _parts(H, W, M, s)
    same = region[:, :, None] == region[:, None]
    return (same & real[:, None]) | torch.eye(M * M, dtype=torch.bool)


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


@wrong("09.5")
def mask_ignoring_padding(H, W, M, s):
    region, _ = _parts(H, W, M, s)
    return region[:, :, None] == region[:, None]


@wrong("09.5")
def mask_with_blind_tokens(H, W, M, s):
    region, real = _parts(H, W, M, s)
    return (region[:, :, None] == region[:, None]) & real[:, None]


@wrong("09.5")
def mask_padding_not_rolled(H, W, M, s):
    region, _ = _parts(H, W, M, s)
    real = _cut(F.pad(torch.ones(H, W), (0, -W % M, 0, -H % M)) > 0, M)
    same = region[:, :, None] == region[:, None]
    return (same & real[:, None]) | torch.eye(M * M, dtype=torch.bool)


@wrong("09.5")
def mask_four_regions(H, W, M, s):
    region, real = _parts(H, W, M, s)
    region = (region == 8).long()
    same = region[:, :, None] == region[:, None]
    return (same & real[:, None]) | torch.eye(M * M, dtype=torch.bool)


wrong(
    "09.5",
    of_queries=lambda H, W, M, s: mask_by_labels(H, W, M, s).mT,
    shift_as_half=lambda H, W, M, s: mask_by_labels(H, W, M, M // 2),
    forbidden=lambda H, W, M, s: ~mask_by_labels(H, W, M, s),
)


# --- 09.6 -----------------------------------------------------------------------------


@right("09.6")
def near_clamped(i, j, H, W, k):
    top = min(max(i - k // 2, 0), H - k)
    left = min(max(j - k // 2, 0), W - k)
    return [(top + a) * W + left + b for a in range(k) for b in range(k)]


@right("09.6")
def near_sorted_by_distance(i, j, H, W, k):
    rows = sorted(range(H), key=lambda a: abs(a - i))[:k]
    cols = sorted(range(W), key=lambda b: abs(b - j))[:k]
    return tuple(sorted(a * W + b for a in rows for b in cols))


@wrong("09.6")
def near_cropped(i, j, H, W, k):
    r = k // 2
    return [
        a * W + b
        for a in range(i - r, i + r + 1)
        for b in range(j - r, j + r + 1)
        if 0 <= a < H and 0 <= b < W
    ]


@wrong("09.6")
def near_repeated(i, j, H, W, k):
    r = range(-(k // 2), k // 2 + 1)
    clip = lambda a, size: min(max(a, 0), size - 1)  # noqa: E731
    return sorted(clip(i + a, H) * W + clip(j + b, W) for a in r for b in r)


@wrong("09.6")
def near_wrapped(i, j, H, W, k):
    r = range(-(k // 2), k // 2 + 1)
    return sorted((i + a) % H * W + (j + b) % W for a in r for b in r)


@wrong("09.6")
def near_by_height(i, j, H, W, k):
    top = min(max(i - k // 2, 0), H - k)
    left = min(max(j - k // 2, 0), W - k)
    return [(top + a) * H + left + b for a in range(k) for b in range(k)]


@wrong("09.6")
def near_only_left_border(i, j, H, W, k):
    top, left = max(i - k // 2, 0), max(j - k // 2, 0)
    return [(top + a) * W + left + b for a in range(k) for b in range(k)]


@wrong("09.6")
def near_late_border(i, j, H, W, k):
    top = min(max(i - k // 2, 0), H - k - 1)
    left = min(max(j - k // 2, 0), W - k - 1)
    return [(top + a) * W + left + b for a in range(k) for b in range(k)]


right(
    "09.6",
    as_tensor=lambda i, j, H, W, k: torch.tensor(near_clamped(i, j, H, W, k)),
)
