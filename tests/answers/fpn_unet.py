"""Answers to the exercises of notebook 05: right ones, and mistakes students make."""

import math
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# --- 05.1 -----------------------------------------------------------------------------


def level(box, *, k0=4, side=math.sqrt, rounding=math.floor, low=2, high=5):
    """The right level, or one with a single named mistake."""
    x0, y0, x1, y1 = (float(v) for v in box)
    k = rounding(k0 + math.log2(side((x1 - x0) * (y1 - y0)) / 224))
    return min(max(k, low), high)


def level_by_torch(box):
    side = (box[2:] - box[:2]).prod().sqrt()
    return (4 + (side / 224).log2()).floor().clamp(2, 5)


def level_rounded(box):
    return level(box, rounding=round)


def level_of_area(box):
    return level(box, side=lambda area: area)


def level_without_lower_bound(box):
    return level(box, low=-10)


def level_without_upper_bound(box):
    return level(box, high=10)


def level_of_longer_side(box):
    longer = max(float(box[2] - box[0]), float(box[3] - box[1]))
    return level((0, 0, longer, longer))


def level_from_five(box):
    return level(box, k0=5)


def level_of_corner(box):
    """Takes x1, y1 for the width and height."""
    return level((0, 0, box[2], box[3]))


# --- 05.2 -----------------------------------------------------------------------------


def _rows(small, large):
    return torch.arange(large) * small // large


def step_by_index(M, lateral):
    H, W = lateral.shape[2:]
    M = M.index_select(2, _rows(M.shape[2], H)).index_select(3, _rows(M.shape[3], W))
    return lateral + M


def step_by_matrices(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    up = F.one_hot(_rows(h, H), h).to(M)  # (H, h)
    left = F.one_hot(_rows(w, W), w).to(M)  # (W, w)
    return up @ M @ left.T + lateral


def step_by_loop(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    result = lateral.clone()
    for i in range(H):
        for j in range(W):
            result[:, :, i, j] += M[:, :, i * h // H, j * w // W]
    return result


def step_doubled_and_cropped(M, lateral):
    H, W = lateral.shape[2:]
    M = M.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return lateral + M[:, :, :H, :W]


def step_tiled(M, lateral):
    """Repeats the map, not its pixels."""
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return lateral + M.repeat(1, 1, -(-H // h), -(-W // w))[:, :, :H, :W]


def step_bilinear(M, lateral):
    return lateral + F.interpolate(M, lateral.shape[2:], mode="bilinear")


def step_without_sum(M, lateral):
    return step_by_index(M, torch.zeros_like(lateral))


def step_swapped_axes(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return lateral + M[:, :, _rows(w, H)[:, None] % h, _rows(h, W) % w]


def step_shrinks_lateral(M, lateral):
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    return M + lateral[:, :, _rows(H, h)[:, None], _rows(W, w)]


# --- 05.3 -----------------------------------------------------------------------------


def side_step_by_step(size, depth):
    down = size - 4
    for _ in range(depth):
        if down < 1 or down % 2 == 1:
            return 0
        down = down // 2 - 4
    for _ in range(depth):
        down = down * 2 - 4
    return max(down, 0)


def side_by_recursion(size, depth):
    size -= 4
    if size < 1:
        return 0
    if depth == 0:
        return size
    inner = 0 if size % 2 else side_by_recursion(size // 2, depth - 1)
    return max(2 * inner - 4, 0)


def side_by_formula(size, depth):
    """12 * 2**depth - 8 pixels go, when the size fits."""
    lost = 12 * 2**depth - 8
    fits = (size + 4) % 2**depth == 0 and (size + 4) % 2 ** (depth + 1) in (
        0,
        2**depth,
    )
    return size - lost if size > lost and fits else 0


def side_without_parity(size, depth):
    for _ in range(depth):
        size = (size - 4) // 2
    size -= 4
    for _ in range(depth):
        size = 2 * size - 4
    return max(size, 0)


def side_without_bottom(size, depth):
    for _ in range(depth):
        size -= 4
        if size < 1 or size % 2:
            return 0
        size //= 2
    for _ in range(depth):
        size = 2 * size - 4
    return max(size, 0)


def side_one_conv(size, depth):
    for _ in range(depth):
        size -= 2
        if size < 1 or size % 2:
            return 0
        size //= 2
    size -= 2
    for _ in range(depth):
        size = 2 * size - 2
    return max(size, 0)


def side_as_input(size, depth):
    return size if size % 2**depth == 0 else 0


def side_negative(size, depth):
    for _ in range(depth):
        size -= 4
        if size % 2:
            return 0
        size //= 2
    size -= 4
    for _ in range(depth):
        size = 2 * size - 4
    return size


def side_for_depth_four(size, depth):
    return side_step_by_step(size, 4)


def side_checks_only_the_input(size, depth):
    return side_without_parity(size, depth) if size % 2 == 0 else 0


# --- 05.4 -----------------------------------------------------------------------------


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


def split_bias_to_x(conv, c):
    return list(split(conv, c, biases=(False, True)))


def split_half_of_bias_each(conv, c):
    pair = split(conv, c, biases=(True, True))
    for layer in pair:
        layer.bias.data /= 2
    return pair


def split_bias_twice(conv, c):
    return split(conv, c, biases=(True, True))


def split_without_bias(conv, c):
    return split(conv, c, biases=(False, False))


def split_other_order(conv, c):
    return split(conv, c, swap=True)


def split_without_padding(conv, c):
    return split(conv, c, padding=0)


def split_by_outputs(conv, c):
    return split(conv, min(c, conv.out_channels - 1), axis=0)


def split_random_bias(conv, c):
    pair = split(conv, c)
    return pair[0], nn.Conv2d(conv.in_channels - c, conv.out_channels, 3, padding=1)


def split_weights_only(conv, c):
    return conv.weight[:, :c], conv.weight[:, c:]


# --- 05.5 -----------------------------------------------------------------------------


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


def accuracy_by_pooling(answer, true, r):
    """Dilation by maximum; classes differ where the local extremes differ."""
    t = F.pad(true[None, None].double(), (1, 1, 1, 1), mode="replicate")
    cross = torch.stack(
        [t[..., 1:-1, :-2], t[..., 1:-1, 2:], t[..., :-2, 1:-1], t[..., 2:, 1:-1]]
    )
    border = (cross != t[..., 1:-1, 1:-1]).any(0).double()
    band = F.max_pool2d(border, 2 * r + 1, stride=1, padding=r)[0, 0].bool()
    return (answer == true)[band].double().mean() if band.any() else 1.0


def accuracy_diagonal(answer, true, r):
    return accuracy(answer, true, r, diagonal=True)


def accuracy_one_side(answer, true, r):
    return accuracy(answer, true, r, one_side=True)


def accuracy_of_answer_border(answer, true, r):
    return accuracy(answer, true, r, of="answer")


def accuracy_inside(answer, true, r):
    return accuracy(answer, true, r, inside=False)


def accuracy_everywhere(answer, true, r):
    return (answer == true).double().mean().item()


def accuracy_wider_band(answer, true, r):
    return accuracy(answer, true, r + 1)


def accuracy_without_a_border(answer, true, r):
    """NaN, the mean of nothing, when there is no border."""
    if (true == true[0, 0]).all():
        return float("nan")
    return accuracy(answer, true, r)


# --- 05.6 -----------------------------------------------------------------------------


def overlaps_by_counter(n, k, s):
    count = Counter(i * s + j for i in range(n) for j in range(k))
    return [count[position] for position in range((n - 1) * s + k)]


def overlaps_by_numpy(n, k, s):
    counts = np.zeros((n - 1) * s + k, dtype=int)
    for i in range(n):
        counts[i * s : i * s + k] += 1
    return counts


def overlaps_by_inequality(n, k, s):
    """Kernel i covers p when i * s <= p < i * s + k."""
    return tuple(
        min(p // s, n - 1) - max(0, -((k - 1 - p) // s)) + 1
        if min(p // s, n - 1) >= max(0, -((k - 1 - p) // s))
        else 0
        for p in range((n - 1) * s + k)
    )


def overlaps_ceil(n, k, s):
    return [-(-k // s)] * ((n - 1) * s + k)


def overlaps_short(n, k, s):
    return overlaps_by_counter(n, k, s)[: n * s]


def overlaps_without_stride(n, k, s):
    return overlaps_by_counter(n, k, 1)


def overlaps_swapped(n, k, s):
    return overlaps_by_counter(n, s, k)


def overlaps_marked(n, k, s):
    """Covered or not, instead of how many times."""
    return [min(count, 1) for count in overlaps_by_counter(n, k, s)]


def overlaps_one_kernel_less(n, k, s):
    return overlaps_by_counter(max(n - 1, 0), k, s)


RIGHT = {
    "05.1": (level, level_by_torch),
    "05.2": (step_by_index, step_by_matrices, step_by_loop),
    "05.3": (side_step_by_step, side_by_recursion),
    "05.4": (split, split_bias_to_x, split_half_of_bias_each),
    "05.5": (accuracy, accuracy_by_pooling),
    "05.6": (overlaps_by_counter, overlaps_by_numpy, overlaps_by_inequality),
}
WRONG = {
    "05.1": (
        level_rounded,
        level_of_area,
        level_without_lower_bound,
        level_without_upper_bound,
        level_of_longer_side,
        level_from_five,
        level_of_corner,
    ),
    "05.2": (
        step_doubled_and_cropped,
        step_tiled,
        step_bilinear,
        step_without_sum,
        step_swapped_axes,
        step_shrinks_lateral,
    ),
    "05.3": (
        side_without_parity,
        side_without_bottom,
        side_one_conv,
        side_as_input,
        side_negative,
        side_for_depth_four,
        side_checks_only_the_input,
    ),
    "05.4": (
        split_bias_twice,
        split_without_bias,
        split_other_order,
        split_without_padding,
        split_by_outputs,
        split_random_bias,
        split_weights_only,
    ),
    "05.5": (
        accuracy_diagonal,
        accuracy_one_side,
        accuracy_of_answer_border,
        accuracy_inside,
        accuracy_everywhere,
        accuracy_wider_band,
        accuracy_without_a_border,
    ),
    "05.6": (
        overlaps_ceil,
        overlaps_short,
        overlaps_without_stride,
        overlaps_swapped,
        overlaps_marked,
        overlaps_one_kernel_less,
    ),
}
