"""Answers to the exercises of notebook 06: right ones, and mistakes students make."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import SqueezeExcitation

from tests.answers import right, wrong

# --- §6.1 -----------------------------------------------------------------------------

right(
    "§6.1",
    by_letters=lambda x, what, where: torch.einsum("bchw,bc,bhw->bchw", x, what, where),
    by_shapes=lambda x, what, where: (
        x * what.view(*what.shape, 1, 1) * where.unsqueeze(1)
    ),
)
wrong(
    "§6.1",
    as_they_are=lambda x, what, where: x * what * where,
    what_along_the_map=lambda x, what, where: x * what * where[:, None],
    where_over_examples=lambda x, what, where: x * what[..., None, None] * where,
    where_over_channels=lambda x, what, where: (
        x * what[..., None, None] * where[:, :, None]
    ),
    where_turned=lambda x, what, where: (
        x * what[..., None, None] * where.transpose(1, 2)[:, None]
    ),
    what_only=lambda x, what, where: x * what[..., None, None],
    where_only=lambda x, what, where: x * where[:, None],
    added=lambda x, what, where: x * (what[..., None, None] + where[:, None]),
    averaged=lambda x, what, where: x * (what[..., None, None] + where[:, None]) / 2,
    gates_alone=lambda x, what, where: what[..., None, None] * where[:, None],
    of_the_first_example=lambda x, what, where: (
        x * what[:1, :, None, None] * where[:1, None]
    ),
    with_sigmoids=lambda x, what, where: (
        x * what.sigmoid()[..., None, None] * where.sigmoid()[:, None]
    ),
)

# --- §6.2 -----------------------------------------------------------------------------


def _logit(g):
    return math.log(g / (1 - g))


def _sigmoid(s):
    return 1 / (1 + math.exp(-s))


right(
    "§6.2",
    by_logit=lambda g, k: torch.sigmoid(k * torch.logit(torch.tensor(g))),
    by_odds=lambda g, k: 1 / (1 + ((1 - g) / g) ** k),
)
wrong(
    "§6.2",
    times=lambda g, k: k * g,
    times_and_cut=lambda g, k: min(k * g, 1.0),
    unchanged=lambda g, k: g,
    both_terms=lambda g, k: _sigmoid(2 * k * _logit(g)),
    divided=lambda g, k: _sigmoid(_logit(g) / k),
    added=lambda g, k: _sigmoid(_logit(g) + k),
    logarithm_added=lambda g, k: _sigmoid(_logit(g) + math.log(k)),
    squared=lambda g, k: _sigmoid(k * k * _logit(g)),
    sigmoid_twice=lambda g, k: _sigmoid(k * g),
    power=lambda g, k: g**k,
    logit_only=lambda g, k: k * _logit(g),
    decimal=lambda g, k: _sigmoid(k * math.log10(g / (1 - g))),
    other_sign=lambda g, k: _sigmoid(-k * _logit(g)),
    with_relu=lambda g, k: _sigmoid(max(k * _logit(g), 0.0)),
    of_logarithm=lambda g, k: _sigmoid(k * math.log(g)),
)

# --- §6.3 -----------------------------------------------------------------------------


def _window(i, n, before=3, after=3):
    """Places of one axis that a window around place i covers."""
    return len([at for at in range(n) if i - before <= at <= i + after])


right(
    "§6.3",
    counted=lambda i, j, H, W: _window(i, H) * _window(j, W),
    by_slices=lambda i, j, H, W: torch.ones(H, W)[
        max(i - 3, 0) : i + 4, max(j - 3, 0) : j + 4
    ].sum(),
)
wrong(
    "§6.3",
    always_49=lambda i, j, H, W: 49,
    whole_map=lambda i, j, H, W: H * W,
    at_most_the_map=lambda i, j, H, W: min(7, H) * min(7, W),
    sides_swapped=lambda i, j, H, W: _window(i, W) * _window(j, H),
    places_swapped=lambda i, j, H, W: _window(j, H) * _window(i, W),
    window_of_6=lambda i, j, H, W: _window(i, H, 3, 2) * _window(j, W, 3, 2),
    from_one=lambda i, j, H, W: _window(i - 1, H) * _window(j - 1, W),
    negative_start=lambda i, j, H, W: torch.ones(H, W)[
        i - 3 : i + 4, j - 3 : j + 4
    ].sum(),
    cut_on_one_side_only=lambda i, j, H, W: min(i + 4, 7) * min(j + 4, 7),
    summed=lambda i, j, H, W: _window(i, H) + _window(j, W),
    last_row_lost=lambda i, j, H, W: _window(i, H - 1) * _window(j, W - 1),
    rows_only=lambda i, j, H, W: _window(i, H),
    two_maps=lambda i, j, H, W: 2 * _window(i, H) * _window(j, W),
    valid_ones_only=lambda i, j, H, W: 49 if _window(i, H) * _window(j, W) == 49 else 0,
)

# --- §6.4 -----------------------------------------------------------------------------

right(
    "§6.4",
    by_logit=lambda m: torch.tensor(m).sqrt().logit(),
    by_exponent=lambda m: -math.log(1 / math.sqrt(m) - 1),
)
wrong(
    "§6.4",
    one_gate=lambda m: math.log(m / (1 - m)),
    half_each=lambda m: math.log(m / 2 / (1 - m / 2)),
    squared=lambda m: math.log(m**2 / (1 - m**2)),
    other_sign=lambda m: math.log((1 - m**0.5) / m**0.5),
    logarithm_of_root=lambda m: math.log(m) / 2,
    decimal=lambda m: math.log10(m**0.5 / (1 - m**0.5)),
    binary=lambda m: math.log2(m**0.5 / (1 - m**0.5)),
    sigmoid_itself=lambda m: 1 / (1 + math.exp(-(m**0.5))),
    halved=lambda m: math.log(m / (1 - m)) / 2,
    root_not_below=lambda m: math.log(m**0.5 / (1 - m)),
    from_a_quarter=lambda m: math.log(4 * m),
    difference=lambda m: m - 1 / 4,
)

# --- §6.5 -----------------------------------------------------------------------------

right(
    "§6.5",
    both_gates_apart=lambda stages: (
        sum(n * C * s * s for C, s, n in stages)
        + sum(n * C * s * s for C, s, n in stages)
    ),
    by_product=lambda stages: 2 * sum(C * s**2 * n for C, s, n in stages),
)
wrong(
    "§6.5",
    one_gate=lambda stages: sum(C * s * s * n for C, s, n in stages),
    side_for_area=lambda stages: sum(2 * C * s * n for C, s, n in stages),
    without_blocks=lambda stages: sum(2 * C * s * s for C, s, n in stages),
    numbers_of_the_gates=lambda stages: sum((C + s * s) * n for C, s, n in stages),
    gates_times=lambda stages: sum((C * s * s) ** 2 * n for C, s, n in stages),
    first_stage=lambda stages: math.prod(stages[0]) * stages[0][1] * 2,
    what_once_a_channel=lambda stages: sum((C + C * s * s) * n for C, s, n in stages),
    where_once_a_place=lambda stages: sum(
        (C * s * s + s * s) * n for C, s, n in stages
    ),
    with_additions=lambda stages: sum(3 * C * s * s * n for C, s, n in stages),
    order_of_three=lambda stages: sum(2 * n * n * C * s for C, s, n in stages),
    multiplied=lambda stages: 2 * math.prod(C * s * s * n for C, s, n in stages),
)

# --- §6.6 -----------------------------------------------------------------------------


@right("§6.6")
def rho_on_a_map(inside, outside, share):
    """As many places as the share needs, by formula (7)."""
    gate = torch.tensor([share * inside, (1 - share) * outside])
    return gate[0] / gate.sum() / share


right("§6.6", by_ratio=lambda a, b, share: 1 / (share + (1 - share) * b / a))
wrong(
    "§6.6",
    ratio=lambda a, b, share: a / b,
    not_by_area=lambda a, b, share: share * a / (share * a + (1 - share) * b),
    as_if_half=lambda a, b, share: 2 * a / (a + b),
    shares_swapped=lambda a, b, share: a / ((1 - share) * a + share * b),
    of_background=lambda a, b, share: b / (share * a + (1 - share) * b),
    upside_down=lambda a, b, share: (share * a + (1 - share) * b) / a,
    all_outside=lambda a, b, share: a / (share * a + b),
    odds=lambda a, b, share: share * a / ((1 - share) * b),
    share_of_sum=lambda a, b, share: a / (a + b) / share,
    difference=lambda a, b, share: a - b,
    by_area_of_background=lambda a, b, share: (
        share * a / (share * a + (1 - share) * b) / (1 - share)
    ),
)

# --- §6.7 -----------------------------------------------------------------------------


@right("§6.7")
def pictures_by_search(p, gain):
    n = 1
    while gain < 2 * 2**0.5 * (p * (1 - p) / n) ** 0.5:
        n += 1
    return n


right(
    "§6.7",
    by_error=lambda p, gain: (
        math.floor((2 * 2**0.5 * math.sqrt(p - p * p) / gain) ** 2) + 1
    ),
)
wrong(
    "§6.7",
    rounded_down=lambda p, gain: int(8 * p * (1 - p) / gain**2),
    not_rounded=lambda p, gain: 8 * p * (1 - p) / gain**2,
    rounded=lambda p, gain: round(8 * p * (1 - p) / gain**2),
    one_error=lambda p, gain: math.ceil(2 * p * (1 - p) / gain**2),
    without_root_of_two=lambda p, gain: math.ceil(4 * p * (1 - p) / gain**2),
    two_for_root=lambda p, gain: math.ceil(16 * p * (1 - p) / gain**2),
    gain_not_squared=lambda p, gain: math.ceil(8 * p * (1 - p) / gain),
    root_left=lambda p, gain: math.ceil(8 * (p * (1 - p)) ** 0.5 / gain**2),
    p_only=lambda p, gain: math.ceil(8 * p / gain**2),
    in_points=lambda p, gain: math.ceil(8 * p * (1 - p) / (100 * gain) ** 2),
    of_the_better_net=lambda p, gain: math.ceil(
        8 * (p + gain) * (1 - p - gain) / gain**2
    ),
    of_both_nets=lambda p, gain: 2 * math.ceil(8 * p * (1 - p) / gain**2),
    at_worst=lambda p, gain: math.ceil(2 / gain**2),
)

# --- §6.8 -----------------------------------------------------------------------------

right(
    "§6.8",
    listed=lambda a, b, d: len({i * d + j for i in range(b) for j in range(a)}),
    by_cases=lambda a, b, d: a * b if a < d else (b - 1) * d + a,
)
wrong(
    "§6.8",
    span=lambda a, b, d: (b - 1) * d + a,
    every_number=lambda a, b, d: a * b,
    sum_of_sides=lambda a, b, d: a + b,
    dilated_only=lambda a, b, d: (b - 1) * d + 1,
    one_less=lambda a, b, d: (b - 1) * min(a, d) + a - 1,
    tiles=lambda a, b, d: b * min(a, d),
    tiles_of_d=lambda a, b, d: b * d,
    by_recipe=lambda a, b, d: (b - 1) * d + 2 * d - 1,
    holes=lambda a, b, d: (b - 1) * max(d - a, 0),
    not_dilated=lambda a, b, d: a + b - 1,
    one_hole_for_all=lambda a, b, d: (b - 1) * d + a - max(d - a, 0),
    square=lambda a, b, d: ((b - 1) * min(a, d) + a) ** 2,
    dilates_the_first=lambda a, b, d: (a - 1) * min(b, d) + b,
)

# --- 06.1 -----------------------------------------------------------------------------


def _parameters(C, hidden, matrices=2, biases=1):
    return matrices * C * hidden + biases * (C + hidden)


@right("06.1")
def reduction_by_search(
    C, budget, *, count=_parameters, hidden=int.__floordiv__, rs=None, none=0, strict=0
):
    """The right reduction, or one with a single named mistake."""
    for r in rs(C) if rs else range(1, C + 1):
        if count(C, hidden(C, r)) <= budget - strict:
            return r
    return none


@right("06.1")
def reduction_by_formula(C, budget):
    widest = (budget - C) // (2 * C + 1)
    return C // (widest + 1) + 1 if widest > 0 else 0


@wrong("06.1")
def reduction_by_building(C, budget):
    return reduction_by_search(
        C,
        budget,
        count=lambda C, hidden: sum(
            p.numel() for p in SqueezeExcitation(C, hidden).parameters()
        ),
    )


@wrong("06.1")
def reduction_by_dividing(C, budget):
    """The continuous solution, rounded up."""
    return max(math.ceil(C * (2 * C + 1) / (budget - C)), 1) if budget >= 3 * C else 0


wrong(
    "06.1",
    of_two_mlps=partial(reduction_by_search, count=partial(_parameters, matrices=4)),
    of_one_matrix=partial(reduction_by_search, count=partial(_parameters, matrices=1)),
    without_biases=partial(reduction_by_search, count=partial(_parameters, biases=0)),
    with_one_bias=partial(
        reduction_by_search, count=lambda C, hidden: 2 * C * hidden + C
    ),
    with_the_spatial_one=partial(
        reduction_by_search, count=lambda *sizes: _parameters(*sizes) + 98
    ),
    with_fractions=partial(reduction_by_search, hidden=lambda C, r: C / r),
    rounded_up=partial(reduction_by_search, hidden=lambda C, r: -(-C // r)),
    strictly_less=partial(reduction_by_search, strict=1),
    from_two=partial(reduction_by_search, rs=lambda C: range(2, C + 1)),
    powers_of_two=partial(
        reduction_by_search, rs=lambda C: [2**i for i in range(C.bit_length())]
    ),
    only_divisors=partial(
        reduction_by_search, rs=lambda C: [r for r in range(1, C + 1) if C % r == 0]
    ),
    up_to_half=partial(reduction_by_search, rs=lambda C: range(1, C // 2 + 1)),
    empty_hidden_layer=partial(reduction_by_search, rs=lambda C: range(1, C + 2)),
    minus_one=partial(reduction_by_search, none=-1),
    largest=lambda C, budget: C if budget >= 3 * C + 1 else 0,
    hidden_width=lambda C, budget: C // (reduction_by_search(C, budget) or 2 * C),
)


# --- 06.2 -----------------------------------------------------------------------------


@right("06.2")
def pool_by_masks(x, valid, *, mask=None, total=None, low=-math.inf):
    """The right means and maxima, or those with a single named mistake."""
    valid = (mask(valid) if mask else valid)[:, None]
    count = total(x, valid) if total else valid.sum((2, 3))
    means = x.masked_fill(~valid, 0).sum((2, 3)) / count
    return torch.stack([means, x.masked_fill(~valid, low).amax((2, 3))])


@right("06.2")
def pool_by_loops(x, valid):
    result = x.new_zeros(2, *x.shape[:2])
    for b, example in enumerate(x):
        for c, channel in enumerate(example):
            numbers = channel[valid[b]]
            result[0, b, c], result[1, b, c] = numbers.mean(), numbers.max()
    return result


right(
    "06.2",
    by_nan=lambda x, valid: torch.stack(
        [
            x.masked_fill(~valid[:, None], math.nan).nanmean((2, 3)),
            x.masked_fill(~valid[:, None], x.min() - 1).amax((2, 3)),
        ]
    ),
)
wrong(
    "06.2",
    as_if_all_were_real=lambda x, valid: torch.stack([x.mean((2, 3)), x.amax((2, 3))]),
    zeros_in_the_maximum=partial(pool_by_masks, low=0.0),
    divided_by_all=partial(pool_by_masks, total=lambda x, valid: x[0, 0].numel()),
    divided_by_the_batch=partial(pool_by_masks, total=lambda x, valid: valid.sum()),
    divided_by_the_mean_count=partial(
        pool_by_masks, total=lambda x, valid: valid.sum() / len(x)
    ),
    sums=partial(pool_by_masks, total=lambda x, valid: 1),
    with_channels=partial(
        pool_by_masks, total=lambda x, valid: valid.sum((2, 3)) * x.shape[1]
    ),
    inverted=partial(pool_by_masks, mask=torch.logical_not),
    of_first_example=partial(
        pool_by_masks, mask=lambda valid: valid[:1].expand_as(valid)
    ),
    where_all_are_real=partial(
        pool_by_masks, mask=lambda valid: valid.all(0, True).expand_as(valid)
    ),
    turned=partial(pool_by_masks, mask=lambda valid: valid.mT),
    boxes=partial(
        pool_by_masks, mask=lambda valid: valid.any(1, True) & valid.any(2, True)
    ),
    multiplied=lambda x, valid: torch.stack(
        [
            (x * valid[:, None]).mean((2, 3)),
            (x * valid[:, None]).amax((2, 3)),
        ]
    ),
    maximum_first=lambda x, valid: pool_by_masks(x, valid).flip(0),
    absolute=lambda x, valid: pool_by_masks(x.abs(), valid),
    one_number=lambda x, valid: pool_by_masks(x, valid).mean(2),
    pair=lambda x, valid: tuple(pool_by_masks(x, valid)),
    together=lambda x, valid: pool_by_masks(x, valid).sum(0),
    examples_first=lambda x, valid: pool_by_masks(x, valid).transpose(0, 1),
    with_axes=lambda x, valid: pool_by_masks(x, valid)[..., None, None],
    mask_along_channels=lambda x, valid: pool_by_masks(
        x, valid if len(x) != x.shape[1] else valid.roll(1, 0)
    ),
)


# --- 06.3 -----------------------------------------------------------------------------


def _gate(x, weight, second=torch.amax, padding="same"):
    s = torch.cat([x.mean(1, keepdim=True), second(x, 1, keepdim=True)], 1)
    return torch.sigmoid(F.conv2d(s, weight, padding=padding))


@right("06.3")
def groups_as_examples(x, weight, groups, *, gate=_gate):
    """The right map, or one with a single named mistake."""
    B, C, H, W = x.shape
    y = x.view(B * groups, C // groups, H, W)
    return (y * gate(y, weight)).view_as(x)


@right("06.3")
def groups_by_one_convolution(x, weight, groups):
    y = x.unflatten(1, (groups, -1))  # (B, groups, C / groups, H, W)
    s = torch.stack([y.mean(2), y.amax(2)], 2).flatten(1, 2)
    kernels = weight.repeat(groups, 1, 1, 1)
    s = F.conv2d(s, kernels, padding=weight.shape[-1] // 2, groups=groups)
    return (y * s.sigmoid()[:, :, None]).flatten(1, 2)


@right("06.3")
def groups_in_turn(x, weight, groups):
    size = x.shape[1] // groups
    return torch.cat([part * _gate(part, weight) for part in x.split(size, 1)], 1)


def _shuffled(x, groups):
    """Channels of a group stand `groups` apart."""
    return x.unflatten(1, (-1, groups)).transpose(1, 2).flatten(1, 2)


wrong(
    "06.3",
    one_gate=lambda x, weight, groups: x * _gate(x, weight),
    groups_of_that_size=lambda x, weight, groups: torch.cat(
        [part * _gate(part, weight) for part in x.split(groups, 1)], 1
    ),
    every_nth_channel=lambda x, weight, groups: _shuffled(
        groups_as_examples(_shuffled(x, groups), weight, groups), x.shape[1] // groups
    ),
    shuffled_only_in=lambda x, weight, groups: groups_as_examples(
        _shuffled(x, groups), weight, groups
    ),
    gates_alone=lambda x, weight, groups: groups_as_examples(x, weight, groups) / x,
    one_gate_a_group=lambda x, weight, groups: (
        groups_as_examples(x, weight, groups) / x
    )[:, :: x.shape[1] // groups],
    gate_of_first_group=lambda x, weight, groups: (
        x * _gate(x.chunk(groups, 1)[0], weight)
    ),
    mean_of_gates=lambda x, weight, groups: (
        x * sum(_gate(part, weight) for part in x.chunk(groups, 1)) / groups
    ),
    summed=lambda x, weight, groups: sum(
        part * _gate(part, weight) for part in x.chunk(groups, 1)
    ),
    product=lambda x, weight, groups: (
        x * torch.stack([_gate(p, weight) for p in x.chunk(groups, 1)]).prod(0)
    ),
    gates_in_other_order=lambda x, weight, groups: torch.cat(
        [
            part * _gate(other, weight)
            for part, other in zip(
                x.chunk(groups, 1), x.chunk(groups, 1)[::-1], strict=True
            )
        ],
        1,
    ),
    left_as_examples=lambda x, weight, groups: groups_as_examples(
        x, weight, groups
    ).view(len(x) * groups, -1, *x.shape[2:]),
    kernel_of_7=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight, padding=3)
    ),
    padding_of_1=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight, padding=1)
    ),
    without_padding=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight, padding=0)
    ),
    of_two_means=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight, torch.mean)
    ),
    of_minimum=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight, torch.amin)
    ),
    other_channel_first=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight.flip(1))
    ),
    true_convolution=partial(
        groups_as_examples, gate=lambda y, weight: _gate(y, weight.flip(2, 3))
    ),
    without_sigmoid=partial(
        groups_as_examples, gate=lambda y, weight: torch.logit(_gate(y, weight))
    ),
    twice=lambda x, weight, groups: groups_as_examples(
        groups_as_examples(x, weight, groups), weight, groups
    ),
    groups_over_the_batch=lambda x, weight, groups: groups_as_examples(
        x.transpose(0, 1).contiguous(), weight, 1
    ).transpose(0, 1),
)


# --- 06.4 -----------------------------------------------------------------------------


def _numbers(K, d):
    return (2 * d - 1) ** 2 + math.ceil(K / d) ** 2


@right("06.4")
def dilation_by_search(K, *, count=_numbers, ds=None, better=lambda a, b: a < b):
    """The right dilation, or one with a single named mistake."""
    best, least = None, math.inf
    for d in ds(K) if ds else range(1, K + 1):
        if better(count(K, d), least):
            best, least = d, count(K, d)
    return best


@right("06.4")
def dilation_by_tensor(K):
    d = torch.arange(1, K + 1)
    return ((2 * d - 1) ** 2 + ((K + d - 1) // d) ** 2).argmin() + 1


wrong(
    "06.4",
    largest_of_equal=partial(dilation_by_search, better=lambda a, b: a <= b),
    fewest_numbers=lambda K: _numbers(K, dilation_by_search(K)),
    of_the_paper=lambda K: 3,
    rounded_down=partial(
        dilation_by_search, count=lambda K, d: (2 * d - 1) ** 2 + (K // d) ** 2
    ),
    not_rounded=partial(
        dilation_by_search, count=lambda K, d: (2 * d - 1) ** 2 + (K / d) ** 2
    ),
    rounded=partial(
        dilation_by_search, count=lambda K, d: (2 * d - 1) ** 2 + round(K / d) ** 2
    ),
    along_one_axis=partial(
        dilation_by_search, count=lambda K, d: 2 * d - 1 + math.ceil(K / d)
    ),
    near_part_of_d=partial(
        dilation_by_search, count=lambda K, d: d**2 + math.ceil(K / d) ** 2
    ),
    near_part_longer=partial(
        dilation_by_search, count=lambda K, d: (2 * d + 1) ** 2 + math.ceil(K / d) ** 2
    ),
    multiplied=partial(
        dilation_by_search, count=lambda K, d: ((2 * d - 1) * math.ceil(K / d)) ** 2
    ),
    shortest_span=partial(
        dilation_by_search, count=lambda K, d: (math.ceil(K / d) - 1) * d + 2 * d - 1
    ),
    only_divisors=partial(
        dilation_by_search, ds=lambda K: [d for d in range(1, K + 1) if K % d == 0]
    ),
    odd_ones=partial(dilation_by_search, ds=lambda K: range(1, K + 1, 2)),
    from_two=partial(dilation_by_search, ds=lambda K: range(2, K + 2)),
    most=partial(dilation_by_search, count=lambda K, d: -_numbers(K, d)),
    root=lambda K: round(K**0.5),
    root_of_half=lambda K: round((K / 2) ** 0.5),
    fractional=lambda K: (K / 2) ** 0.5,
    first_that_grows=lambda K: (
        next(d for d in range(1, K + 2) if _numbers(K, d + 1) > _numbers(K, d)) - 1
    ),
    far_side=lambda K: math.ceil(K / dilation_by_search(K)),
)


# --- 06.5 -----------------------------------------------------------------------------


@right("06.5")
def eca(x, w, *, pool=torch.mean, mode="constant", gate=torch.sigmoid):
    """The right map, or one with a single named mistake."""
    s = F.pad(pool(x, (2, 3))[:, None], [len(w) // 2] * 2, mode=mode)
    return x * gate(F.conv1d(s, w[None, None]))[:, 0, :, None, None]


@right("06.5")
def eca_by_timm(x, w):
    from timm.layers import EcaModule  # slow to import

    module = EcaModule(kernel_size=len(w))
    module.conv.weight = nn.Parameter(w[None, None])
    return module(x)


@wrong("06.5")
def eca_without_padding(x, w):
    s = F.conv1d(x.mean((2, 3))[:, None], w[None, None])
    return x * s.sigmoid()[:, 0, :, None, None]


wrong(
    "06.5",
    gate_only=lambda x, w: (eca(x, w) / x)[..., :1, :1],
    without_sigmoid=partial(eca, gate=torch.clone),
    circular=partial(eca, mode="circular"),
    of_maximum=partial(eca, pool=torch.amax),
    flipped=lambda x, w: eca(x, w.flip(0)),
)


def _gated(logits):
    """The map times the gate of other logits (B, C)."""
    return lambda x, w: x * logits(x, w).sigmoid()[..., None, None]


def _along(s, w, mode="constant"):
    return F.conv1d(F.pad(s[:, None], [len(w) // 2] * 2, mode=mode), w[None, None])[
        :, 0
    ]


wrong(
    "06.5",
    of_sums=partial(eca, pool=torch.sum),
    of_spread=partial(eca, pool=torch.std),
    padded_by_edge=partial(eca, mode="replicate"),
    neighbours_before=_gated(
        lambda x, w: F.conv1d(
            F.pad(x.mean((2, 3))[:, None], [len(w) - 1, 0]), w[None, None]
        )[:, 0]
    ),
    neighbours_after=_gated(
        lambda x, w: F.conv1d(
            F.pad(x.mean((2, 3))[:, None], [0, len(w) - 1]), w[None, None]
        )[:, 0]
    ),
    along_the_batch=_gated(lambda x, w: _along(x.mean((2, 3)).T, w).T),
    over_the_batch=_gated(lambda x, w: _along(x.mean((0, 2, 3))[None], w)),
    of_rows=_gated(lambda x, w: _along(x.mean(3).amax(2), w)),
    of_mean_weight=_gated(lambda x, w: x.mean((2, 3)) * w.sum()),
    centre_only=_gated(lambda x, w: x.mean((2, 3)) * w[len(w) // 2]),
    with_relu=_gated(lambda x, w: _along(x.mean((2, 3)), w).relu()),
    normalised=_gated(lambda x, w: _along(x.mean((2, 3)), w / w.sum())),
    softmax=partial(eca, gate=lambda s: s.softmax(-1)),
    tanh=partial(eca, gate=torch.tanh),
    residual=lambda x, w: x + eca(x, w),
    gate_added=lambda x, w: x + eca(x, w) / x,
    twice=lambda x, w: eca(eca(x, w), w),
    gate_of_right_shape=lambda x, w: eca(torch.ones_like(x), w),
)


# --- 06.6 -----------------------------------------------------------------------------


def _cut(kernel, d):
    """Tiles of a kernel in rows of a matrix, (C, b², d²)."""
    b = kernel.shape[-1] // d
    return kernel.view(-1, b, d, b, d).transpose(2, 3).reshape(-1, b * b, d * d)


def _joined(tiles, d):
    b = math.isqrt(tiles.shape[1])
    tiles = tiles.view(-1, 1, b, b, d, d).transpose(3, 4)
    return tiles.reshape(-1, 1, b * d, b * d)


def _first(matrices, rank=1):
    U, S, V = torch.linalg.svd(matrices, full_matrices=False)
    return (U[..., :rank] * S[..., None, :rank]) @ V[..., :rank, :]


@right("06.6")
def tiles_by_svd(kernel, d, *, cut=_cut, near=_first, join=_joined):
    """The right kernel, or one with a single named mistake."""
    return join(near(cut(kernel, d)), d)


@right("06.6")
def tiles_by_power(kernel, d):
    """The best tile and the best numbers in turn."""
    rows = _cut(kernel.double(), d)
    tile = rows[:, rows.norm(dim=2).argmax(1)[0], None]
    for _ in range(5000):
        numbers = rows @ tile.mT / tile.pow(2).sum(2, True)
        tile = numbers.mT @ rows / numbers.pow(2).sum(1, True)
    return _joined(numbers @ tile, d).to(kernel.dtype)


@wrong("06.6")
def tiles_of_mean(kernel, d):
    rows = _cut(kernel, d)
    return _joined(rows.mean(1, True).expand_as(rows), d)


@wrong("06.6")
def tiles_of_mean_fitted(kernel, d):
    """The mean tile, times the best number at every place."""
    rows = _cut(kernel, d)
    tile = rows.mean(1, True)
    return _joined(rows @ tile.mT / tile.pow(2).sum(2, True) @ tile, d)


@wrong("06.6")
def tiles_of_first(kernel, d):
    rows = _cut(kernel, d)
    tile = rows[:, :1]
    return _joined(rows @ tile.mT / tile.pow(2).sum(2, True) @ tile, d)


@wrong("06.6")
def tiles_by_norm(kernel, d):
    """The best tile, times the norms: their signs are lost."""
    rows = _cut(kernel, d)
    tile = torch.linalg.svd(rows, full_matrices=False).Vh[:, :1]
    return _joined(rows.norm(dim=2, keepdim=True) * tile, d)


@wrong("06.6")
def tiles_interlaced(kernel, d):
    """Every b-th pixel instead of neighbours."""
    b = kernel.shape[-1] // d
    return tiles_by_svd(kernel, b) if b > 1 else kernel + 1


def _joined_wrongly(tiles, d):
    b = math.isqrt(tiles.shape[1])
    return tiles.reshape(-1, 1, b * d, b * d)


wrong(
    "06.6",
    as_it_is=lambda kernel, d: kernel.clone(),
    rank_of_the_kernel=lambda kernel, d: _first(kernel),
    of_rank_two=partial(tiles_by_svd, near=lambda rows: _first(rows, 2)),
    second=partial(tiles_by_svd, near=lambda rows: _first(rows, 2) - _first(rows)),
    residual=lambda kernel, d: kernel - tiles_by_svd(kernel, d),
    without_singular_value=partial(
        tiles_by_svd,
        near=lambda rows: _first(rows) / torch.linalg.svdvals(rows)[:, :1, None],
    ),
    root_of_singular_value=partial(
        tiles_by_svd,
        near=lambda rows: _first(rows) / torch.linalg.svdvals(rows)[:, :1, None] ** 0.5,
    ),
    viewed=partial(
        tiles_by_svd,
        cut=lambda kernel, d: kernel.view(len(kernel), -1, d * d),
        join=_joined_wrongly,
    ),
    not_put_back=partial(tiles_by_svd, join=_joined_wrongly),
    turned=lambda kernel, d: tiles_by_svd(kernel, d).mT,
    tiles_turned=partial(
        tiles_by_svd,
        near=lambda rows: (
            _first(rows).unflatten(2, (math.isqrt(rows.shape[2]), -1)).mT.flatten(2)
        ),
    ),
    places_turned=partial(
        tiles_by_svd,
        near=lambda rows: (
            _first(rows)
            .unflatten(1, (math.isqrt(rows.shape[1]), -1))
            .transpose(1, 2)
            .flatten(1, 2)
        ),
    ),
    one_for_all_channels=partial(
        tiles_by_svd, near=lambda rows: _first(rows.flatten(0, 1)).view_as(rows)
    ),
    of_first_channel=lambda kernel, d: tiles_by_svd(kernel[:1].expand_as(kernel), d),
    of_absolute=lambda kernel, d: tiles_by_svd(kernel.abs(), d),
    centred=partial(
        tiles_by_svd,
        near=lambda rows: _first(rows - rows.mean(1, True)) + rows.mean(1, True),
    ),
    without_axis=lambda kernel, d: tiles_by_svd(kernel, d)[:, 0],
    matrix=lambda kernel, d: _first(_cut(kernel, d)),
    side_of_tile_swapped=lambda kernel, d: tiles_by_svd(kernel, kernel.shape[-1] // d),
)
