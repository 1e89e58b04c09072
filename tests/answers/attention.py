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

right(
    "§6.2",
    by_sum=lambda W0, W1: (W1[:, :, None] * W0[None]).sum(1),
    by_unit_vectors=lambda W0, W1: torch.stack(
        [W1 @ (W0 @ unit) for unit in torch.eye(W0.shape[1])], 1
    ),
)
wrong(
    "§6.2",
    other_order=lambda W0, W1: W0 @ W1,
    turned=lambda W0, W1: (W1 @ W0).T,
    turned_one_by_one=lambda W0, W1: W0.T @ W1.T,
    number_by_number=lambda W0, W1: W1 * W0.T,
    both_terms=lambda W0, W1: 2 * W1 @ W0,
    with_relu=lambda W0, W1: F.relu(W1 @ W0),
    relu_of_the_first=lambda W0, W1: W1 @ F.relu(W0),
    sum_of_both=lambda W0, W1: W1 + W0.T,
    with_skip=lambda W0, W1: W1 @ W0 + torch.eye(len(W1)),
    with_sigmoid=lambda W0, W1: torch.sigmoid(W1 @ W0),
    own_channels_only=lambda W0, W1: (W1 * W0.T).sum(1).diag(),
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


def _mlp(s, W0, W1):
    return torch.relu(s @ W0.T) @ W1.T


def _pooled(x):
    return x.mean((2, 3)), x.amax((2, 3))


@right("06.2")
def channel_by_matrices(x, W0, W1, mlp=_mlp, pool=_pooled, gate=torch.sigmoid):
    """The right gate, or one with a single named mistake."""
    return gate(sum(mlp(s, W0, W1) for s in pool(x)))[..., None, None]


@right("06.2")
def channel_by_convolutions(x, W0, W1):
    W0, W1 = W0[..., None, None], W1[..., None, None]
    pooled = (F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1))
    return sum(F.conv2d(F.relu(F.conv2d(p, W0)), W1) for p in pooled).sigmoid()


wrong(
    "06.2",
    without_max=partial(channel_by_matrices, pool=lambda x: [x.mean((2, 3))]),
    of_two_means=partial(channel_by_matrices, pool=lambda x: [x.mean((2, 3))] * 2),
    sum_before_mlp=partial(channel_by_matrices, pool=lambda x: [sum(_pooled(x))]),
    without_relu=partial(channel_by_matrices, mlp=lambda s, W0, W1: s @ W0.T @ W1.T),
    relu_before_w0=partial(
        channel_by_matrices, mlp=lambda s, W0, W1: s.relu() @ W0.T @ W1.T
    ),
    two_sigmoids=partial(
        channel_by_matrices, mlp=lambda *given: _mlp(*given).sigmoid(), gate=torch.clone
    ),
    without_sigmoid=partial(channel_by_matrices, gate=torch.clone),
    of_wrong_shape=lambda *given: channel_by_matrices(*given)[..., 0, 0],
)


def _changed(**change):
    return partial(channel_by_matrices, **change)


wrong(
    "06.2",
    averaged=_changed(gate=lambda s: torch.sigmoid(s / 2)),
    of_maximum_only=_changed(pool=lambda x: [x.amax((2, 3))]),
    of_two_maxima=_changed(pool=lambda x: [x.amax((2, 3))] * 2),
    of_minimum=_changed(pool=lambda x: (x.mean((2, 3)), x.amin((2, 3)))),
    of_sums=_changed(pool=lambda x: (x.sum((2, 3)), x.amax((2, 3)))),
    of_absolute_maximum=_changed(pool=lambda x: (x.mean((2, 3)), x.abs().amax((2, 3)))),
    of_row_maxima=_changed(pool=lambda x: (x.mean((2, 3)), x.amax(2).mean(2))),
    over_the_batch=_changed(
        pool=lambda x: [s.mean(0, True).expand(len(x), -1) for s in _pooled(x)]
    ),
    of_spread=_changed(pool=lambda x: (x.mean((2, 3)), x.std((2, 3)))),
    softmax=_changed(gate=lambda s: s.softmax(1)),
    tanh=_changed(gate=torch.tanh),
    hard=_changed(gate=F.hardsigmoid),
    relu_at_the_end=_changed(mlp=lambda *given: _mlp(*given).relu()),
    relu_after_the_sum=_changed(gate=lambda s: s.relu().sigmoid()),
    gelu=_changed(mlp=lambda s, W0, W1: F.gelu(s @ W0.T) @ W1.T),
    product_of_gates=lambda x, W0, W1: torch.stack(
        [_mlp(s, W0, W1).sigmoid() for s in _pooled(x)]
    ).prod(0)[..., None, None],
    larger_of_both=lambda x, W0, W1: torch.maximum(
        *(_mlp(s, W0, W1) for s in _pooled(x))
    ).sigmoid()[..., None, None],
    multiplied=lambda x, *given: x * channel_by_matrices(x, *given),
)


# --- 06.3 -----------------------------------------------------------------------------


@right("06.3")
def spatial_by_cat(x, weight, second=torch.amax, padding="same", gate=torch.sigmoid):
    """The right gate, or one with a single named mistake."""
    s = torch.cat([x.mean(1, keepdim=True), second(x, 1, keepdim=True)], 1)
    return gate(F.conv2d(s, weight, padding=padding))


@right("06.3")
def spatial_by_two_convolutions(x, weight):
    s = F.conv2d(x.mean(1, True), weight[:, :1], padding="same")
    return torch.sigmoid(s + F.conv2d(x.amax(1, True), weight[:, 1:], padding="same"))


wrong(
    "06.3",
    without_padding=partial(spatial_by_cat, padding=0),
    padding_of_7=partial(spatial_by_cat, padding=3),
    without_sigmoid=partial(spatial_by_cat, gate=torch.clone),
    of_two_means=partial(spatial_by_cat, second=torch.mean),
    in_other_order=lambda x, weight: spatial_by_cat(x, weight.flip(1)),
    multiplied=lambda x, weight: spatial_by_cat(x, weight) * x,
)


def _spatial(change, gate=torch.sigmoid):
    """The gate of another pair of maps."""

    def answer(x, weight):
        return gate(F.conv2d(torch.cat(change(x), 1), weight, padding="same"))

    return answer


wrong(
    "06.3",
    of_sums=_spatial(lambda x: [x.sum(1, True), x.amax(1, True)]),
    of_minimum=partial(spatial_by_cat, second=torch.amin),
    of_absolute_maximum=_spatial(lambda x: [x.mean(1, True), x.abs().amax(1, True)]),
    of_two_maxima=_spatial(lambda x: [x.amax(1, True)] * 2),
    of_median=_spatial(lambda x: [x.median(1, True).values, x.amax(1, True)]),
    over_the_batch=_spatial(
        lambda x: [
            s.mean(0, True).expand(len(x), -1, -1, -1)
            for s in (x.mean(1, True), x.amax(1, True))
        ]
    ),
    true_convolution=lambda x, weight: spatial_by_cat(x, weight.flip(2, 3)),
    turned=lambda x, weight: spatial_by_cat(x, weight.transpose(2, 3)),
    one_kernel=lambda x, weight: spatial_by_cat(x, weight[:, :1].expand(-1, 2, -1, -1)),
    padded_by_edge=lambda x, weight: torch.sigmoid(
        F.conv2d(
            F.pad(
                torch.cat([x.mean(1, True), x.amax(1, True)], 1),
                [weight.shape[-1] // 2] * 4,
                mode="replicate",
            ),
            weight,
        )
    ),
    padded_too_much=lambda x, weight: spatial_by_cat(
        x, weight, padding=weight.shape[-1] // 2 + 1
    )[..., 1:-1, 1:-1].roll(1, 3),
    without_channel=lambda *given: spatial_by_cat(*given)[:, 0],
    softmax=partial(spatial_by_cat, gate=lambda s: s.flatten(2).softmax(2).view_as(s)),
    relu_before=partial(spatial_by_cat, gate=lambda s: s.relu().sigmoid()),
    tanh=partial(spatial_by_cat, gate=torch.tanh),
    averaged_gates=lambda x, weight: (
        (
            F.conv2d(x.mean(1, True), weight[:, :1], padding="same").sigmoid()
            + F.conv2d(x.amax(1, True), weight[:, 1:], padding="same").sigmoid()
        )
        / 2
    ),
    of_positive=lambda x, weight: spatial_by_cat(x.relu(), weight),
)


# --- 06.4 -----------------------------------------------------------------------------


@right("06.4")
def span_by_formula(K, d):
    return (math.ceil(K / d) - 1) * d + 2 * d - 1


@right("06.4")
def span_by_response(K, d):
    near, far = 2 * d - 1, -(-K // d)
    x = torch.zeros(1, 1, 4 * K + 4 * d)
    x[..., 2 * K] = 1
    x = F.conv1d(x, torch.ones(1, 1, near), padding=near)
    x = F.conv1d(x, torch.ones(1, 1, far), padding=far * d, dilation=d)
    touched = x.nonzero()[:, 2]
    return int(touched.max() - touched.min()) + 1


wrong(
    "06.4",
    as_named=lambda K, d: K,
    for_divisible_kernels=lambda K, d: K + d - 1,
    rounded_down=lambda K, d: (K // d - 1) * d + 2 * d - 1,
    of_the_far_part=lambda K, d: (math.ceil(K / d) - 1) * d + 1,
    without_common_pixel=lambda K, d: span_by_formula(K, d) + 1,
    without_dilation=lambda K, d: math.ceil(K / d) + 2 * d - 2,
)


wrong(
    "06.4",
    rounded_to_multiple=lambda K, d: math.ceil(K / d) * d,
    rounded=lambda K, d: (round(K / d) - 1) * d + 2 * d - 1,
    as_fraction=lambda K, d: K - d + 2 * d - 1,
    sides_added=lambda K, d: 2 * d - 1 + math.ceil(K / d),
    sides_multiplied=lambda K, d: (2 * d - 1) * math.ceil(K / d),
    near_part_of_d=lambda K, d: (math.ceil(K / d) - 1) * d + d,
    near_part_longer=lambda K, d: (math.ceil(K / d) - 1) * d + 2 * d + 1,
    dilated_by_side=lambda K, d: math.ceil(K / d) * d + 2 * d - 1,
    dilated_less=lambda K, d: (math.ceil(K / d) - 1) * (d - 1) + 2 * d - 1,
    of_larger_part=lambda K, d: max((math.ceil(K / d) - 1) * d + 1, 2 * d - 1),
    not_below=lambda K, d: max(K, span_by_formula(K, d) - 2),
    rounded_up_for_odd=lambda K, d: span_by_formula(K | 1, d),
    one_more_than_divided=lambda K, d: (K // d) * d + 2 * d - 1,
    near_twice=lambda K, d: span_by_formula(K, d) + 2 * d - 2,
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


@right("06.6")
def compose(k1, k2, d):
    full = F.conv_transpose2d(k1.transpose(0, 1), k2, dilation=d, groups=len(k1))
    return full.transpose(0, 1)


@right("06.6")
def compose_by_response(k1, k2, d):
    C, side = len(k1), k1.shape[-1] + d * (k2.shape[-1] - 1)
    point = k1.new_zeros(1, C, 2 * side - 1, 2 * side - 1)
    point[..., side - 1, side - 1] = 1
    y = F.conv2d(point, k1, groups=C)
    return F.conv2d(y, k2, dilation=d, groups=C).flip(2, 3).transpose(0, 1)


wrong(
    "06.6",
    unflipped_response=lambda k1, k2, d: compose(k1, k2, d).flip(2, 3),
    without_dilation=lambda k1, k2, d: compose(k1, k2, 1),
    dilating_the_first=lambda k1, k2, d: compose(k2, k1, d),
    flipping_the_second=lambda k1, k2, d: compose(k1, k2.flip(2, 3), d),
    mixing_channels=lambda k1, k2, d: compose(k1.sum(0, True).expand_as(k1), k2, d),
    transposed_shape=lambda k1, k2, d: compose(k1, k2, d).transpose(0, 1),
)


def _overwriting(k1, k2, d):
    """Copies replace each other where they overlap."""
    a, b = k1.shape[-1], k2.shape[-1]
    kernel = k1.new_zeros(len(k1), 1, a + d * (b - 1), a + d * (b - 1))
    for i in range(b):
        for j in range(b):
            copy = k1 * k2[:, :, i : i + 1, j : j + 1]
            kernel[..., d * i : d * i + a, d * j : d * j + a] = copy
    return kernel


wrong(
    "06.6",
    turned=lambda k1, k2, d: compose(k1, k2, d).transpose(2, 3),
    first_flipped=lambda k1, k2, d: compose(k1.flip(2, 3), k2, d),
    upside_down=lambda k1, k2, d: compose(k1, k2, d).flip(2),
    dilated_less=lambda k1, k2, d: compose(k1, k2, max(d - 1, 1)),
    dilated_more=lambda k1, k2, d: compose(k1, k2, d + 1),
    cropped=lambda k1, k2, d: compose(k1, k2, d)[..., : len(k1[0, 0]), : len(k1[0, 0])],
    padded=lambda k1, k2, d: F.pad(compose(k1, k2, d), [0, 1, 0, 1]),
    padded_and_cropped=lambda k1, k2, d: compose(k1, k2, d).roll(1, 2),
    first_channel=lambda k1, k2, d: compose(k1, k2[:1].expand_as(k2), d),
    channels_reversed=lambda k1, k2, d: compose(k1.flip(0), k2, d),
    channels_averaged=lambda k1, k2, d: compose(k1, k2, d) / len(k1),
    overwritten=_overwriting,
    rows_dilated=lambda k1, k2, d: F.pad(
        compose(k1, k2, 1), [0, (d - 1) * (k2.shape[-1] - 1)] * 2
    ),
    of_sums=lambda k1, k2, d: compose(k1, k2.sum((2, 3), True).expand_as(k2), d),
    added=lambda k1, k2, d: (
        compose(k1, torch.ones_like(k2), d) + compose(torch.ones_like(k1), k2, d)
    ),
    one_kernel=lambda k1, k2, d: compose(k1, k2, d)[:1],
)
