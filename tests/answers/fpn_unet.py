"""Answers to the exercises of notebook 05: right ones, and mistakes students make."""

import math
from collections import Counter
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- 05.1 -----------------------------------------------------------------------------


@right("05.1")
def level(box, *, k0=4, side=math.sqrt, rounding=math.floor, low=2, high=5):
    """The right level, or one with a single named mistake."""
    x0, y0, x1, y1 = (float(v) for v in box)
    k = rounding(k0 + math.log2(side((x1 - x0) * (y1 - y0)) / 224))
    return min(max(k, low), high)


@right("05.1")
def level_by_torch(box):
    side = (box[2:] - box[:2]).prod().sqrt()
    return (4 + (side / 224).log2()).floor().clamp(2, 5)


@wrong("05.1")
def level_of_longer_side(box):
    longer = max(float(box[2] - box[0]), float(box[3] - box[1]))
    return level((0, 0, longer, longer))


wrong(
    "05.1",
    rounded=partial(level, rounding=round),
    of_area=partial(level, side=lambda area: area),
    without_lower_bound=partial(level, low=-10),
    without_upper_bound=partial(level, high=10),
    from_five=partial(level, k0=5),
    of_corner=lambda box: level((0, 0, box[2], box[3])),  # for width and height
)


# --- 05.2 -----------------------------------------------------------------------------


def _rows(small, large):
    return torch.arange(large) * small // large


@right("05.2")
def step_by_index(M, lateral):
    H, W = lateral.shape[2:]
    M = M.index_select(2, _rows(M.shape[2], H)).index_select(3, _rows(M.shape[3], W))
    return lateral + M


@right("05.2")
def step_by_matrices(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    up = F.one_hot(_rows(h, H), h).to(M)  # (H, h)
    left = F.one_hot(_rows(w, W), w).to(M)  # (W, w)
    return up @ M @ left.T + lateral


@right("05.2")
def step_by_loop(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    result = lateral.clone()
    for i in range(H):
        for j in range(W):
            result[:, :, i, j] += M[:, :, i * h // H, j * w // W]
    return result


@wrong("05.2")
def step_doubled_and_cropped(M, lateral):
    H, W = lateral.shape[2:]
    M = M.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return lateral + M[:, :, :H, :W]


@wrong("05.2")
def step_tiled(M, lateral):
    """Repeats the map, not its pixels."""
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return lateral + M.repeat(1, 1, -(-H // h), -(-W // w))[:, :, :H, :W]


@wrong("05.2")
def step_swapped_axes(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return lateral + M[:, :, _rows(w, H)[:, None] % h, _rows(h, W) % w]


@wrong("05.2")
def step_shrinks_lateral(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return M + lateral[:, :, _rows(H, h)[:, None], _rows(W, w)]


wrong(
    "05.2",
    bilinear=lambda M, to: to + F.interpolate(M, to.shape[2:], mode="bilinear"),
    without_sum=lambda M, lateral: step_by_index(M, torch.zeros_like(lateral)),
)


# --- 05.3 -----------------------------------------------------------------------------


@right("05.3")
def side(size, depth, *, lost=4, parity=True, bottom=True, positive=True):
    """The right side, or one with a single named mistake."""
    for _ in range(depth):
        size -= lost
        if parity and (size % 2 or (positive and size < 1)):
            return 0
        size //= 2
    size -= lost * bottom
    for _ in range(depth):
        size = 2 * size - lost
    return max(size, 0) if positive else size


@right("05.3")
def side_by_recursion(size, depth):
    size -= 4
    if size < 1:
        return 0
    if depth == 0:
        return size
    inner = 0 if size % 2 else side_by_recursion(size // 2, depth - 1)
    return max(2 * inner - 4, 0)


wrong(
    "05.3",
    without_parity=partial(side, parity=False),
    without_bottom=partial(side, bottom=False),
    one_conv=partial(side, lost=2),
    negative=partial(side, positive=False),
    as_input=lambda size, depth: size if size % 2**depth == 0 else 0,
    for_depth_four=lambda size, depth: side(size, 4),
    checks_only_the_input=lambda size, depth: (
        0 if size % 2 else side(size, depth, parity=False)
    ),
)


# --- 05.4 -----------------------------------------------------------------------------


@right("05.4")
def split(conv, c, *, axis=1, biases=(True, False), swap=False, padding=1):
    """The right pair of convolutions, or one with a single named mistake."""
    weights = conv.weight.tensor_split([c], dim=axis)
    if swap:
        weights = conv.weight.tensor_split([conv.in_channels - c], dim=1)[::-1]
    pair = []
    for weight, bias in zip(weights, biases, strict=True):
        c_out, c_in = weight.shape[:2]
        layer = nn.Conv2d(c_in, c_out, 3, padding=padding, bias=bias)
        layer.weight = nn.Parameter(weight.detach().clone())
        if bias:
            layer.bias = nn.Parameter(conv.bias.detach().clone())
        pair.append(layer)
    return tuple(pair)


@right("05.4")
def split_half_of_bias_each(conv, c):
    pair = split(conv, c, biases=(True, True))
    for layer in pair:
        layer.bias.data /= 2
    return pair


@wrong("05.4")
def split_random_bias(conv, c):
    pair = split(conv, c)
    return pair[0], nn.Conv2d(conv.in_channels - c, conv.out_channels, 3, padding=1)


right(
    "05.4",
    bias_to_x=lambda conv, c: list(split(conv, c, biases=(False, True))),
)


wrong(
    "05.4",
    by_outputs=lambda conv, c: split(conv, min(c, conv.out_channels - 1), axis=0),
    weights_only=lambda conv, c: (conv.weight[:, :c], conv.weight[:, c:]),
    bias_twice=partial(split, biases=(True, True)),
    without_bias=partial(split, biases=(False, False)),
    other_order=partial(split, swap=True),
    without_padding=partial(split, padding=0),
)


# --- 05.5 -----------------------------------------------------------------------------


@right("05.5")
def accuracy(
    answer, true, r, *, diagonal=False, one_side=False, of="true", inside=True
):
    """The right accuracy, or one with a single named mistake; a slow, plain form."""
    answer_map, labels = answer.tolist(), {"true": true, "answer": answer}[of].tolist()
    H, W = len(labels), len(labels[0])
    steps = [(1, 0), (0, 1)] if one_side else [(1, 0), (0, 1), (-1, 0), (0, -1)]
    if diagonal:
        steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    border = {
        (i, j)
        for i in range(H)
        for j in range(W)
        for a, b in steps
        if 0 <= i + a < H and 0 <= j + b < W and labels[i][j] != labels[i + a][j + b]
    }
    band = [
        (i, j)
        for i in range(H)
        for j in range(W)
        if any(max(abs(i - a), abs(j - b)) <= r for a, b in border) == inside
    ]
    right = [answer_map[i][j] == true[i, j] for i, j in band]
    return float(np.mean(right)) if right else 1.0


@right("05.5")
def accuracy_by_pooling(answer, true, r):
    """Dilation by maximum; classes differ where the local extremes differ."""
    t = F.pad(true[None, None].double(), (1, 1, 1, 1), mode="replicate")
    cross = torch.stack(
        [t[..., 1:-1, :-2], t[..., 1:-1, 2:], t[..., :-2, 1:-1], t[..., 2:, 1:-1]]
    )
    border = (cross != t[..., 1:-1, 1:-1]).any(0).double()
    band = F.max_pool2d(border, 2 * r + 1, stride=1, padding=r)[0, 0].bool()
    return (answer == true)[band].double().mean() if band.any() else 1.0


@wrong("05.5")
def accuracy_without_a_border(answer, true, r):
    """NaN, the mean of nothing, when there is no border."""
    if (true == true[0, 0]).all():
        return float("nan")
    return accuracy(answer, true, r)


wrong(
    "05.5",
    everywhere=lambda answer, true, r: (answer == true).double().mean().item(),
    wider_band=lambda answer, true, r: accuracy(answer, true, r + 1),
    diagonal=partial(accuracy, diagonal=True),
    one_side=partial(accuracy, one_side=True),
    of_answer_border=partial(accuracy, of="answer"),
    inside=partial(accuracy, inside=False),
)


# --- 05.6 -----------------------------------------------------------------------------


@right("05.6")
def overlaps_by_counter(n, k, s):
    count = Counter(i * s + j for i in range(n) for j in range(k))
    return [count[position] for position in range((n - 1) * s + k)]


@right("05.6")
def overlaps_by_numpy(n, k, s):
    counts = np.zeros((n - 1) * s + k, dtype=int)
    for i in range(n):
        counts[i * s : i * s + k] += 1
    return counts


@right("05.6")
def overlaps_by_inequality(n, k, s):
    """Kernel i covers p when i * s <= p < i * s + k."""
    return tuple(
        min(p // s, n - 1) - max(0, -((k - 1 - p) // s)) + 1
        if min(p // s, n - 1) >= max(0, -((k - 1 - p) // s))
        else 0
        for p in range((n - 1) * s + k)
    )


wrong(
    "05.6",
    marked=lambda n, k, s: [min(count, 1) for count in overlaps_by_counter(n, k, s)],
    ceil=lambda n, k, s: [-(-k // s)] * ((n - 1) * s + k),
    short=lambda n, k, s: overlaps_by_counter(n, k, s)[: n * s],
    without_stride=lambda n, k, s: overlaps_by_counter(n, k, 1),
    swapped=lambda n, k, s: overlaps_by_counter(n, s, k),
    one_kernel_less=lambda n, k, s: overlaps_by_counter(max(n - 1, 0), k, s),
)
