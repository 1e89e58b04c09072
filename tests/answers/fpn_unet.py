"""Answers to the exercises of notebook 05: right ones, and mistakes students make."""

import math
from functools import partial
from itertools import accumulate

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- §5.1 -----------------------------------------------------------------------------

right(
    "§5.1",
    counted=lambda start, stop, step: len({i // step for i in range(start, stop)}),
    by_ceiling=lambda start, stop, step: -(-stop // step) - start // step,
)
wrong(
    "§5.1",
    by_length_alone=lambda start, stop, step: math.ceil((stop - start) / step),
    whole_ones_only=lambda start, stop, step: stop // step - -(-start // step),
    rounded_length=lambda start, stop, step: round((stop - start) / step),
    stop_included=lambda start, stop, step: stop // step - start // step + 1,
    without_the_first=lambda start, stop, step: (stop - 1) // step - start // step,
    always_one_more=lambda start, stop, step: (stop - start) // step + 1,
    touching_one_past_the_end=lambda start, stop, step: (
        -(-(stop + 1) // step) - start // step
    ),
    first_rounded_up=lambda start, stop, step: (
        (stop - 1) // step + (-start // step) + 1
    ),
    pixels_of_the_thing=lambda start, stop, step: stop - start,
)

# --- §5.2 -----------------------------------------------------------------------------

right(
    "§5.2",
    cumulated=lambda laterals: torch.tensor(laterals).flip(0).cumsum(0).flip(0),
    by_numpy=lambda laterals: np.cumsum(laterals[::-1])[::-1],
    from_above=lambda laterals: tuple(accumulate(laterals[::-1]))[::-1],
)
wrong(
    "§5.2",
    from_below=lambda laterals: [sum(laterals[: i + 1]) for i in range(len(laterals))],
    turned=lambda laterals: [sum(laterals[i:]) for i in range(len(laterals))][::-1],
    next_only=lambda laterals: [
        a + b for a, b in zip(laterals, [*laterals[1:], 0], strict=True)
    ],
    without_own=lambda laterals: [sum(laterals[i + 1 :]) for i in range(len(laterals))],
    averaged=lambda laterals: [
        sum(laterals[i:]) / (len(laterals) - i) for i in range(len(laterals))
    ],
    all_together=lambda laterals: [sum(laterals)] * len(laterals),
    finest_only=lambda laterals: [sum(laterals)],
    deepest_everywhere=lambda laterals: [a + laterals[-1] for a in laterals],
    larger_of_two=lambda laterals: [max(laterals[i:]) for i in range(len(laterals))],
    four_times=lambda laterals: [
        sum(4**k * a for k, a in enumerate(laterals[i:])) for i in range(len(laterals))
    ],
)

# --- §5.3 -----------------------------------------------------------------------------


def _sides(side, levels=(2, 3, 4)):
    return [math.ceil(side / 2**level) for level in levels]


right(
    "§5.3",
    odd_ones=lambda side: sum(n % 2 for n in _sides(side)),
    step_by_step=lambda side: sum(
        2 * -(-n // 2) > n for n in (-(-side // 4), -(-side // 8), -(-side // 16))
    ),
)
wrong(
    "§5.3",
    rounded_down=lambda side: sum((side // 2**level) % 2 for level in (2, 3, 4)),
    rounded=lambda side: sum(round(side / 2**level) % 2 for level in (2, 3, 4)),
    levels_above=lambda side: sum(n % 2 for n in _sides(side, (3, 4, 5))),
    from_the_picture=lambda side: sum(n % 2 for n in _sides(side, (1, 2, 3))),
    four_levels=lambda side: sum(n % 2 for n in _sides(side, (2, 3, 4, 5))),
    those_that_fit=lambda side: 3 - sum(n % 2 for n in _sides(side)),
    any_at_all=lambda side: int(any(n % 2 for n in _sides(side))),
    of_the_picture=lambda side: sum(side % 2**level != 0 for level in (3, 4, 5)),
    not_of_32=lambda side: 3 * (side % 32 != 0),
    how_much_too_large=lambda side: sum(
        2 * math.ceil(side / 2 ** (level + 1)) - side / 2**level for level in (2, 3, 4)
    ),
)

# --- §5.4 -----------------------------------------------------------------------------


@right("§5.4")
def alarms_counted(score, thing, threshold):
    pairs = zip(score.flatten().tolist(), thing.flatten().tolist(), strict=True)
    background = [value for value, there in pairs if not there]
    return len([value for value in background if value > threshold]) / len(background)


right(
    "§5.4",
    masked=lambda score, thing, threshold: (
        ((score > threshold) & ~thing).sum() / (~thing).sum()
    ),
)
wrong(
    "§5.4",
    of_all_cells=lambda score, thing, threshold: (
        ((score > threshold) & ~thing).double().mean()
    ),
    of_all_alarms=lambda score, thing, threshold: (
        ((score > threshold) & ~thing).sum() / (score > threshold).sum().clamp(min=1)
    ),
    of_things=lambda score, thing, threshold: (
        (score[thing] > threshold).double().mean()
    ),
    alarms_of_all_kinds=lambda score, thing, threshold: (
        (score > threshold).double().mean()
    ),
    at_the_threshold_too=lambda score, thing, threshold: (
        (score[~thing] >= threshold).double().mean()
    ),
    misses=lambda score, thing, threshold: (score[thing] <= threshold).double().mean(),
    right_silence=lambda score, thing, threshold: (
        (score[~thing] <= threshold).double().mean()
    ),
    number=lambda score, thing, threshold: (score[~thing] > threshold).sum(),
    mean_score=lambda score, thing, threshold: score[~thing].mean(),
    in_percent=lambda score, thing, threshold: (
        100 * (score[~thing] > threshold).double().mean()
    ),
)

# --- §5.5 -----------------------------------------------------------------------------


@right("§5.5")
def padded_side_by_loop(size, depth):
    for _ in range(depth):
        size = size // 2
    for _ in range(depth):
        size = 2 * size
    return size


right("§5.5", by_remainder=lambda size, depth: size - size % 2**depth)
wrong(
    "§5.5",
    as_input=lambda size, depth: size,
    rounded_up=lambda size, depth: math.ceil(size / 2**depth) * 2**depth,
    rounded=lambda size, depth: round(size / 2**depth) * 2**depth,
    odd_only_once=lambda size, depth: size - size % 2,
    times_depth=lambda size, depth: size // (2 * depth) * 2 * depth,
    without_padding=lambda size, depth: side(size, depth),
    one_level_less=lambda size, depth: size // 2 ** (depth - 1) * 2 ** (depth - 1),
    one_level_more=lambda size, depth: size // 2 ** (depth + 1) * 2 ** (depth + 1),
    at_the_bottom=lambda size, depth: size // 2**depth,
    one_lost_a_level=lambda size, depth: size - depth * (size % 2),
    zero_when_odd=lambda size, depth: 0 if size % 2**depth else size,
)

# --- §5.6 -----------------------------------------------------------------------------

right(
    "§5.6",
    by_errors=lambda whole, far, share: (
        1 - ((1 - whole) - (1 - share) * (1 - far)) / share
    ),
    by_difference=lambda whole, far, share: far + (whole - far) / share,
    as_tensor=lambda whole, far, share: (
        (torch.tensor(whole) - (1 - share) * far) / share
    ),
)
wrong(
    "§5.6",
    as_if_half=lambda whole, far, share: 2 * whole - far,
    not_divided=lambda whole, far, share: whole - (1 - share) * far,
    shares_swapped=lambda whole, far, share: (whole - share * far) / (1 - share),
    difference=lambda whole, far, share: whole - far,
    difference_by_share=lambda whole, far, share: (whole - far) / share,
    times_share=lambda whole, far, share: (whole - (1 - share) * far) * share,
    far_not_weighted=lambda whole, far, share: (whole - far) / share + 1,
    forward=lambda whole, far, share: share * whole + (1 - share) * far,
    error=lambda whole, far, share: 1 - (far + (whole - far) / share),
    in_percent=lambda whole, far, share: 100 * (far + (whole - far) / share),
)

# --- §5.7 -----------------------------------------------------------------------------

right(
    "§5.7",
    searched=lambda k, s: next(
        (p for p in range(k + 1) if (7 - 1) * s - 2 * p + k == 7 * s), -1
    ),
    by_divmod=lambda k, s: (k - s) // 2 if (k - s) in range(0, k, 2) else -1,
)
wrong(
    "§5.7",
    same_padding=lambda k, s: (k - 1) // 2,
    half_kernel=lambda k, s: k // 2,
    rounded_down=lambda k, s: max((k - s) // 2, -1),
    rounded_down_not_negative=lambda k, s: (k - s) // 2 if k >= s else -1,
    negative_too=lambda k, s: -1 if (k - s) % 2 else (k - s) // 2,
    zero_for_none=lambda k, s: (k - s) // 2 if k >= s and (k - s) % 2 == 0 else 0,
    not_halved=lambda k, s: k - s if k >= s else -1,
    of_multiples_only=lambda k, s: (k - s) // 2 if k % s == 0 else -1,
    for_any_side=lambda k, s: abs(k - s) // 2 if (k - s) % 2 == 0 else -1,
    fraction=lambda k, s: (k - s) / 2 if k >= s else -1,
    even_kernels_only=lambda k, s: (k - s) // 2 if k % 2 == 0 and k >= s else -1,
)

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


def _root(box):
    """The side of the square of the same area."""
    return float((box[2] - box[0]) * (box[3] - box[1])) ** 0.5


def _level_of(side):
    """The level of a square of another side."""

    def answer(box):
        x0, y0, x1, y1 = (float(v) for v in box)
        length = side(x1 - x0, y1 - y0)
        return level((0, 0, length, length))

    return answer


wrong(
    "05.1",
    natural_logarithm=lambda box: min(
        max(math.floor(4 + math.log(_root(box) / 224)), 2), 5
    ),
    decimal_logarithm=lambda box: min(
        max(math.floor(4 + math.log10(_root(box) / 224)), 2), 5
    ),
    mean_of_sides=_level_of(lambda w, h: (w + h) / 2),
    shorter_side=_level_of(min),
    diagonal=_level_of(lambda w, h: math.hypot(w, h) / 2**0.5),
    half_perimeter=_level_of(lambda w, h: w + h),
    width_only=_level_of(lambda w, h: w),
    height_only=_level_of(lambda w, h: h),
    rounded_up=partial(level, rounding=math.ceil),
    of_256=_level_of(lambda w, h: (w * h) ** 0.5 * 224 / 256),
    of_200=_level_of(lambda w, h: (w * h) ** 0.5 * 224 / 200),
    from_three=partial(level, low=3),
    up_to_six=partial(level, high=6),
    not_rounded=partial(level, rounding=float),
    always_four=lambda box: 4,
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


def _step(rows):
    """The step with another choice of the nearest row."""

    def answer(M, lateral):
        (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
        i, j = (
            torch.as_tensor(rows(small, large)).long().clamp(0, small - 1)
            for small, large in ((h, H), (w, W))
        )
        return lateral + M[:, :, i[:, None], j]

    return answer


wrong(
    "05.2",
    repeated_and_cropped=_step(lambda h, H: torch.arange(H) // -(-H // h)),
    repeated_and_padded=_step(lambda h, H: torch.arange(H) // max(H // h, 1)),
    rounded=_step(lambda h, H: (torch.arange(H) * h / H).round()),
    rounded_up=_step(lambda h, H: (torch.arange(H) * h / H).ceil()),
    of_centres=_step(lambda h, H: ((torch.arange(H) + 0.5) * h / H - 0.5).round()),
    corners_to_corners=_step(lambda h, H: torch.linspace(0, h - 1, H).round()),
    corners_rounded_down=_step(lambda h, H: torch.linspace(0, h - 1, H) + 1e-9),
    turned_round=_step(lambda h, H: (torch.arange(H) * h // H).flip(0)),
    of_the_end=_step(lambda h, H: h - 1 - (H - 1 - torch.arange(H)) * h // H),
    subtracted=lambda M, lateral: 2 * lateral - step_by_index(M, lateral),
    averaged=lambda M, lateral: step_by_index(M, lateral) / 2,
    by_interpolate=lambda M, to: to + F.interpolate(M, to.shape[2:]),
    by_upsample=lambda M, to: to + nn.Upsample(to.shape[2:])(M),
    of_first_picture=lambda M, lateral: step_by_index(M[:1], lateral),
    only_rows=lambda M, lateral: (
        lateral
        + F.pad(
            M.index_select(2, _rows(M.shape[2], lateral.shape[2])),
            [0, lateral.shape[3] - M.shape[3]],
        )
    ),
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


def _bottom(size, depth):
    """The side before the two convolutions at the bottom."""
    for _ in range(depth):
        size = (size - 4) // 2
    return size


@wrong("05.3")
def side_by_building(size, depth):
    conv = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    lost = 9 - conv(torch.zeros(1, 1, 9, 9)).shape[-1]
    return side(size, depth, lost=lost)


wrong(
    "05.3",
    even_at_the_bottom_too=lambda size, depth: (
        0 if _bottom(size, depth) % 2 else side(size, depth)
    ),
    rounded_up=lambda size, depth: side(size + size % 2, depth),
    parity_before_convs_of_first=lambda size, depth: (
        0 if depth and size % 4 else side(size, depth, parity=False)
    ),
    divisible_at_once=lambda size, depth: (
        0 if size % 2**depth else side(size, depth, parity=False)
    ),
    three_convs=partial(side, lost=6),
    no_convs_going_up=lambda size, depth: max(_bottom(size, depth) - 4, 0) * 2**depth,
    one_level_more=lambda size, depth: side(size, depth + 1),
    one_level_less=lambda size, depth: side(size, max(depth - 1, 0)),
    minus_one=lambda size, depth: side(size, depth) or -1,
    with_padding=lambda size, depth: size,
    not_below_four=lambda size, depth: max(side(size, depth), 4),
    vanished_only_at_the_end=lambda size, depth: abs(side(size, depth, positive=False)),
    of_the_bottom=lambda size, depth: max(_bottom(size, depth) - 4, 0),
    lost_share=lambda size, depth: size - side(size, depth),
    minus_constant=lambda size, depth: max(size - 184, 0),
    none_for_zero=lambda size, depth: side(size, depth) or False,
)


# --- 05.4 -----------------------------------------------------------------------------


def _folded(conv, mean):
    c = len(mean)
    return conv.weight[:, c:], conv.bias + conv.weight[:, :c].sum((2, 3)) @ mean


@right("05.4")
def fold(conv, mean, *, change=_folded, **options):
    """The right convolution, or one with a single named mistake."""
    weight, bias = change(conv, mean)
    layer = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], **options)
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.bias = nn.Parameter(bias.detach().clone())
    return layer


@right("05.4")
def fold_by_asking(conv, mean):
    """The bias is the answer to the constant map and zeros."""
    c = len(mean)
    x = torch.zeros(1, conv.in_channels, *conv.kernel_size)
    x[0, :c] = mean[:, None, None]
    bias = conv(x).flatten()
    return fold(conv, mean, change=lambda conv, mean: (conv.weight[:, c:], bias))


@wrong("05.4")
def fold_in_place(conv, mean):
    conv.weight.data[:, : len(mean)] = 0
    return fold(conv, mean)


@wrong("05.4")
def fold_without_any_bias(conv, mean):
    layer = fold(conv, mean)
    layer.bias = None
    return layer


def _with(bias):
    """The right weights and another bias."""
    return partial(
        fold,
        change=lambda conv, mean: (
            conv.weight[:, len(mean) :],
            bias(conv.weight[:, : len(mean)], conv.bias, mean),
        ),
    )


wrong(
    "05.4",
    bias_left=_with(lambda w, b, m: b),
    without_old_bias=_with(lambda w, b, m: w.sum((2, 3)) @ m),
    mean_of_kernel=_with(lambda w, b, m: b + w.mean((2, 3)) @ m),
    centre_only=_with(lambda w, b, m: b + w[:, :, 1, 1] @ m),
    corner_only=_with(lambda w, b, m: b + w[:, :, 0, 0] @ m),
    subtracted=_with(lambda w, b, m: b - w.sum((2, 3)) @ m),
    mean_of_means=_with(lambda w, b, m: b + w.sum((1, 2, 3)) * m.mean()),
    averaged_over_channels=_with(lambda w, b, m: b + w.sum((2, 3)) @ m / len(m)),
    mean_added=_with(lambda w, b, m: b + m.sum()),
    weights_added=_with(lambda w, b, m: b + w.sum((1, 2, 3))),
    bias_scaled=_with(lambda w, b, m: b * m.mean() + w.sum((2, 3)) @ m),
    nine_biases=_with(lambda w, b, m: 9 * b + w.sum((2, 3)) @ m),
    zeros=_with(lambda w, b, m: 0 * b),
    first_for_x=partial(
        fold,
        change=lambda conv, mean: (
            conv.weight[:, : conv.in_channels - len(mean)],
            conv.bias
            + conv.weight[:, conv.in_channels - len(mean) :].sum((2, 3)) @ mean,
        ),
    ),
    by_outputs=partial(
        fold,
        change=lambda conv, mean: (conv.weight[len(mean) :], conv.bias[len(mean) :]),
    ),
    all_channels=partial(
        fold, change=lambda conv, mean: (conv.weight, _folded(conv, mean)[1])
    ),
    padded=partial(fold, padding=1),
    as_pair=lambda conv, mean: _folded(conv, mean),
    as_function=lambda conv, mean: lambda x: F.conv2d(x, *_folded(conv, mean)),
    mirrored=partial(
        fold,
        change=lambda conv, mean: (
            conv.weight[:, len(mean) :].flip(2, 3),
            _folded(conv, mean)[1],
        ),
    ),
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


def _band_accuracy(border, spread, empty=1.0):
    """Accuracy in the band that grows from a border by a rule."""

    def answer(given, true, r):
        band = spread(border(true), r)
        right = (given == true)[band].double()
        return right.mean().item() if band.any() else empty

    return answer


def _cross(true):
    """The right border."""
    border = torch.zeros_like(true, dtype=torch.bool)
    for axis in (0, 1):
        n = true.shape[axis]
        change = true.narrow(axis, 1, n - 1) != true.narrow(axis, 0, n - 1)
        border.narrow(axis, 0, n - 1).logical_or_(change)
        border.narrow(axis, 1, n - 1).logical_or_(change)
    return border


def _square(border, r):
    """The right band."""
    band = F.max_pool2d(border[None, None].double(), 2 * r + 1, stride=1, padding=r)
    return band[0, 0] > 0


def _diamond(border, r):
    for _ in range(r):
        grown = F.max_pool2d(border[None, None].double(), (3, 1), 1, (1, 0))
        border = (grown + F.max_pool2d(border[None, None].double(), (1, 3), 1, (0, 1)))[
            0, 0
        ] > 0
    return border


def _central(true):
    """A pixel whose two opposite neighbours differ."""
    t = F.pad(true[None, None].double(), [1] * 4, mode="replicate")[0, 0]
    return (t[2:, 1:-1] != t[:-2, 1:-1]) | (t[1:-1, 2:] != t[1:-1, :-2])


def _wrapped(true):
    return sum(
        (true != true.roll(step, axis)).int() for step in (1, -1) for axis in (0, 1)
    ).bool()


def _framed(true):
    """The edge of the map is taken for a border."""
    return _cross(F.pad(true, [1] * 4, value=-1))[1:-1, 1:-1]


def _rounded_square(border, r):
    places = border.nonzero()
    all_places = torch.cartesian_prod(*map(torch.arange, border.shape))
    far = torch.cdist(all_places.double(), places.double()) if len(places) else None
    if far is None:
        return border
    return (far.min(1).values <= r).view(border.shape)


wrong(
    "05.5",
    flat_is_whole=lambda given, true, r: (
        accuracy(given, true, r)
        if (true != true[0, 0]).any()
        else (given == true).double().mean().item()
    ),
    flat_is_zero=_band_accuracy(_cross, _square, 0.0),
    of_any_class=lambda given, true, r: _band_accuracy(
        lambda t: _cross((t > 0).long()), _square
    )(given, true, r),
    central=_band_accuracy(_central, _square),
    diamond=_band_accuracy(_cross, _diamond),
    disc=_band_accuracy(_cross, _rounded_square),
    wrapped=_band_accuracy(_wrapped, _square),
    framed=_band_accuracy(_framed, _square),
    diameter=_band_accuracy(_cross, lambda border, r: _square(border, r // 2)),
    without_the_border=_band_accuracy(
        _cross, lambda border, r: _square(border, r) & ~(border if r else ~border)
    ),
    errors=lambda *given: 1 - accuracy(*given),
    in_percent=lambda *given: 100 * accuracy(*given),
    of_map=lambda given, true, r: (
        ((given == true) & _square(_cross(true), r)).double().mean().item()
        if _cross(true).any()
        else 1.0
    ),
    counted=lambda given, true, r: float(
        ((given == true) & _square(_cross(true), r)).sum()
    ),
    by_class=lambda given, true, r: (
        sum(
            (given == true)[_square(_cross(true), r) & (true == c)].double().mean()
            for c in true[_square(_cross(true), r)].unique()
        ).item()
        / len(true[_square(_cross(true), r)].unique())
        if _cross(true).any()
        else 1.0
    ),
    rows_only=_band_accuracy(
        lambda t: (
            _cross(t) & (_wrapped(t) & (t != t.roll(1, 0)) | (t != t.roll(-1, 0)))
        ),
        _square,
    ),
    first_class_only=lambda given, true, r: _band_accuracy(
        lambda t: _cross(t) & (t == 0), _square
    )(given, true, r),
)


# --- 05.6 -----------------------------------------------------------------------------


@right("05.6")
def transposed_by_copies(x, w, s, p, *, step=None, cut=(1, 1), add=True):
    """The right output, or one with a single named mistake."""
    n, k, step = len(x), len(w), step or s
    out = x.new_zeros((n - 1) * step + k)
    for i, value in enumerate(x):
        place = slice(i * step, i * step + k)
        out[place] = value * w + (out[place] if add else 0)
    return out[p * cut[0] : len(out) - p * cut[1]]


@right("05.6")
def transposed_by_matrix(x, w, s, p):
    """Output place j gets w[j - i * s] of input i."""
    shift = torch.arange((len(x) - 1) * s + len(w))[:, None] - torch.arange(len(x)) * s
    inside = (shift >= 0) & (shift < len(w))
    out = (w[shift.clamp(0, len(w) - 1)] * inside) @ x
    return out[p : len(out) - p]


@right("05.6")
def transposed_by_outer_product(x, w, s, p):
    out = F.fold(
        torch.outer(w, x)[None], (1, (len(x) - 1) * s + len(w)), (1, len(w)), stride=s
    ).flatten()
    return out[p : len(out) - p]


def _stuffed(x, s):
    """Zeros between the inputs."""
    out = x.new_zeros((len(x) - 1) * s + 1)
    out[::s] = x
    return out


@wrong("05.6")
def transposed_by_torch(x, w, s, p):
    return F.conv_transpose1d(x[None, None], w[None, None], stride=s, padding=p)[0, 0]


@wrong("05.6")
def transposed_by_module(x, w, s, p):
    layer = nn.ConvTranspose1d(1, 1, len(w), stride=s, padding=p, bias=False)
    layer.weight = nn.Parameter(w[None, None])
    return layer(x[None, None])[0, 0].detach()


@wrong("05.6")
def transposed_by_convolution(x, w, s, p):
    padded = F.pad(_stuffed(x, s), [len(w) - 1] * 2)
    out = F.conv1d(padded[None, None], w.flip(0)[None, None])[0, 0]
    return out[p : len(out) - p]


@wrong("05.6")
def transposed_by_numpy(x, w, s, p):
    out = torch.from_numpy(np.convolve(_stuffed(x, s).numpy(), w.numpy()))
    return out[p : len(out) - p]


@wrong("05.6")
def transposed_by_overlaps(x, w, s, p):
    """How many kernels cover each place."""
    return transposed_by_copies(torch.ones_like(x), torch.ones_like(w), s, p)


@wrong("05.6")
def transposed_forgetting_zeros(x, w, s, p):
    """A place of the output for every number of every copy: no overlaps."""
    return torch.outer(x, w).flatten()[: (len(x) - 1) * s + len(w) - 2 * p]


wrong(
    "05.6",
    kernel_flipped=lambda x, w, s, p: transposed_by_copies(x, w.flip(0), s, p),
    input_flipped=lambda x, w, s, p: transposed_by_copies(x.flip(0), w, s, p),
    without_stride=partial(transposed_by_copies, step=1),
    stride_of_kernel=lambda x, w, s, p: transposed_by_copies(x, w, len(w), p),
    overwritten=partial(transposed_by_copies, add=False),
    not_cut=partial(transposed_by_copies, cut=(0, 0)),
    cut_before=partial(transposed_by_copies, cut=(2, 0)),
    cut_after=partial(transposed_by_copies, cut=(0, 2)),
    cut_once=partial(transposed_by_copies, cut=(1, 0)),
    cut_twice=lambda x, w, s, p: transposed_by_copies(x, w, s, 2 * p),
    short=lambda x, w, s, p: transposed_by_copies(x, w, s, p)[: len(x) * s],
    swapped=lambda x, w, s, p: transposed_by_copies(w, x, s, p),
    divided_by_overlaps=lambda x, w, s, p: (
        transposed_by_copies(x, w, s, p)
        / transposed_by_overlaps(x, w, s, p).clamp(min=1)
    ),
    kernel_added=lambda x, w, s, p: transposed_by_copies(torch.ones_like(x), w, s, p),
    one_kernel_less=lambda x, w, s, p: transposed_by_copies(x[:-1], w, s, p),
    as_list=lambda *given: transposed_by_copies(*given).tolist(),
)
