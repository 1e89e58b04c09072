"""Answers to the exercises of notebook 03: right ones, and mistakes students make."""

import copy
import math
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- §3.1 -----------------------------------------------------------------------------


@right("§3.1")
def order_one_by_one(order, channels):
    weight = torch.zeros(len(order), channels, 1, 1)
    for f, c in enumerate(order):
        weight[f, c] = 1
    return weight


right(
    "§3.1",
    by_one_hot=lambda order, channels: (
        F.one_hot(torch.tensor(order), channels)
        .to(torch.get_default_dtype())
        .view(len(order), channels, 1, 1)
    ),
)


def _scattered(order, channels):
    """Input channel ``f`` goes to output ``order[f]``: the inverse order."""
    weight = torch.zeros(max(len(order), channels), max(len(order), channels), 1, 1)
    for f, c in enumerate(order):
        weight[c, f] = 1
    return weight[: len(order), :channels]


wrong(
    "§3.1",
    inverse=_scattered,
    transposed=lambda order, channels: torch.eye(channels)[:, order][..., None, None],
    without_sides=lambda order, channels: torch.eye(channels)[order],
    whole_numbers=lambda order, channels: F.one_hot(torch.tensor(order), channels)[
        ..., None, None
    ],
    sides_first=lambda order, channels: torch.eye(channels)[order][None, None],
    numbers_themselves=lambda order, channels: (
        torch.tensor(order, dtype=torch.get_default_dtype())
        .view(-1, 1, 1, 1)
        .expand(-1, channels, 1, 1)
    ),
    square=lambda order, channels: torch.eye(channels)[
        [*order, *range(channels)][:channels]
    ][..., None, None],
    each_once=lambda order, channels: torch.eye(channels)[list(dict.fromkeys(order))][
        ..., None, None
    ],
    in_place=lambda order, channels: torch.eye(len(order), channels)[..., None, None],
    kernel_of_three=lambda order, channels: F.pad(
        torch.eye(channels)[order][..., None, None], [1] * 4
    ),
)

# --- §3.2 -----------------------------------------------------------------------------


@right("§3.2")
def rank_of_random(c_in, r, c_out, k):
    """Random matrices have the largest rank."""
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(k * k * c_out, r, generator=generator, dtype=torch.float64)
    narrow = torch.randn(r, c_in, generator=generator, dtype=torch.float64)
    return torch.linalg.matrix_rank(wide @ narrow)


right("§3.2", sorted=lambda c_in, r, c_out, k: sorted([k**2 * c_out, c_in, r])[0])
wrong(
    "§3.2",
    of_reduction=lambda c_in, r, c_out, k: r,
    without_rows=lambda c_in, r, c_out, k: min(r, c_in),
    without_columns=lambda c_in, r, c_out, k: min(r, k * k * c_out),
    without_reduction=lambda c_in, r, c_out, k: min(c_in, k * k * c_out),
    of_channels=lambda c_in, r, c_out, k: min(r, c_in, c_out),
    rows_of_one_side=lambda c_in, r, c_out, k: min(r, c_in, k * c_out),
    columns_with_area=lambda c_in, r, c_out, k: min(r, k * k * c_in, c_out),
    largest=lambda c_in, r, c_out, k: max(r, min(c_in, k * k * c_out)),
    one_less=lambda c_in, r, c_out, k: min(r, c_in, k * k * c_out) - 1,
    product=lambda c_in, r, c_out, k: r * c_in * k * k * c_out,
)

# --- §3.3 -----------------------------------------------------------------------------


@right("§3.3")
def branch_by_subtracting(channel, widths):
    for branch, width in enumerate(widths):
        if channel < width:
            return branch
        channel -= width


right(
    "§3.3",
    by_list=lambda channel, widths: [
        branch for branch, width in enumerate(widths) for _ in range(width)
    ][channel],
    by_search=lambda channel, widths: torch.searchsorted(
        torch.tensor(widths).cumsum(0), channel, right=True
    ),
)


wrong(
    "§3.3",
    last_of_the_former=lambda channel, widths: sum(
        channel > stop for stop in accumulate(widths)
    ),
    from_one=lambda channel, widths: (
        1 + sum(channel >= stop for stop in accumulate(widths))
    ),
    by_widths=lambda channel, widths: sum(channel >= width for width in widths),
    equal_branches=lambda channel, widths: channel * len(widths) // sum(widths),
    by_first_width=lambda channel, widths: channel // widths[0],
    in_turn=lambda channel, widths: channel % len(widths),
    channels_from_one=lambda channel, widths: sum(
        channel >= stop - 1 for stop in accumulate(widths)
    ),
    within_the_branch=lambda channel, widths: (
        channel - max(start for start in (0, *accumulate(widths)) if start <= channel)
    ),
    from_the_end=lambda channel, widths: (
        len(widths) - 1 - sum(channel >= stop for stop in accumulate(widths))
    ),
    four_branches=lambda channel, widths: min(
        3, sum(channel >= stop for stop in accumulate(widths))
    ),
)

# --- §3.4 -----------------------------------------------------------------------------

right(
    "§3.4",
    by_root=lambda K, M: round(math.sqrt(M * 10**6 / K / 2**10)),
    by_search=lambda K, M: next(
        n for n in range(1000) if (n + 0.5) ** 2 > M / K / 1.024e-3
    ),
)
wrong(
    "§3.4",
    points=lambda K, M: round(M * 1e6 / (1024 * K)),
    decimal_thousands=lambda K, M: round((M * 1e6 / (1000 * K)) ** 0.5),
    rounded_down=lambda K, M: int((M * 1e6 / (1024 * K)) ** 0.5),
    rounded_up=lambda K, M: math.ceil((M * 1e6 / (1024 * K)) ** 0.5),
    not_rounded=lambda K, M: (M * 1e6 / (1024 * K)) ** 0.5,
    halved=lambda K, M: round(M * 1e6 / (1024 * K) / 2),
    without_units=lambda K, M: round((M / K) ** 0.5),
    upside_down=lambda K, M: round((1024 * K / (M * 1e6)) ** 0.5),
    with_kernel=lambda K, M: round((M * 1e6 / (9 * 1024 * K)) ** 0.5),
    binary_millions=lambda K, M: round((M * 2**20 / (1024 * K)) ** 0.5),
    by_halving_of_224=lambda K, M: min(
        (224, 112, 56, 28, 14, 7, 1),
        key=lambda n: abs(n - (M * 1e6 / (1024 * K)) ** 0.5),
    ),
)

# --- §3.5 -----------------------------------------------------------------------------

right(
    "§3.5",
    by_cross_entropy=lambda classes, heads, weight: (
        F.cross_entropy(torch.zeros(1, classes), torch.tensor([0]))
        * (1 + weight * heads)
    ),
    head_by_head=lambda classes, heads, weight: sum(
        share * -math.log(1 / classes) for share in [1, *[weight] * heads]
    ),
)
wrong(
    "§3.5",
    of_main_head=lambda classes, heads, weight: math.log(classes),
    one_head=lambda classes, heads, weight: (1 + weight) * math.log(classes),
    two_heads=lambda classes, heads, weight: (1 + 2 * weight) * math.log(classes),
    as_in_the_paper=lambda classes, heads, weight: 1.6 * math.log(classes),
    ten_classes=lambda classes, heads, weight: (1 + heads * weight) * math.log(10),
    decimal=lambda classes, heads, weight: (1 + heads * weight) * math.log10(classes),
    binary=lambda classes, heads, weight: (1 + heads * weight) * math.log2(classes),
    without_main_head=lambda classes, heads, weight: heads * weight * math.log(classes),
    without_weight=lambda classes, heads, weight: (1 + heads) * math.log(classes),
    errors=lambda classes, heads, weight: (1 + heads * weight) * (1 - 1 / classes),
    negative=lambda classes, heads, weight: (
        (1 + heads * weight) * math.log(1 / classes)
    ),
    averaged=lambda classes, heads, weight: (
        (1 + heads * weight) * math.log(classes) / (1 + heads)
    ),
)

# --- §3.6 -----------------------------------------------------------------------------

right(
    "§3.6",
    by_share=lambda box, width, height: (
        1 / ((box[2] - box[0]) / width * ((box[3] - box[1]) / height))
    ),
    by_tensors=lambda box, width, height: (
        torch.tensor([width, height]).prod()
        / (torch.tensor(box[2:]) - torch.tensor(box[:2])).prod()
    ),
)
wrong(
    "§3.6",
    share=lambda box, width, height: (
        (box[2] - box[0]) * (box[3] - box[1]) / (width * height)
    ),
    whole_map=lambda box, width, height: 1.0,
    no_limit=lambda box, width, height: math.inf,
    as_xywh=lambda box, width, height: width * height / (box[2] * box[3]),
    by_width=lambda box, width, height: width / (box[2] - box[0]),
    square_picture=lambda box, width, height: (
        width**2 / ((box[2] - box[0]) * (box[3] - box[1]))
    ),
    pixels_inclusive=lambda box, width, height: (
        width * height / ((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
    ),
    of_224=lambda box, width, height: 224**2 / ((box[2] - box[0]) * (box[3] - box[1])),
    whole_division=lambda box, width, height: (
        width * height // ((box[2] - box[0]) * (box[3] - box[1]))
    ),
    outside=lambda box, width, height: (
        width * height / ((box[2] - box[0]) * (box[3] - box[1])) - 1
    ),
    axes_swapped=lambda box, width, height: (
        width * height / ((box[1] - box[0]) * (box[3] - box[2]) or 1)
    ),
)

# --- §3.7 -----------------------------------------------------------------------------

right(
    "§3.7",
    by_layers=lambda c_in, c_out, k: (
        nn.Conv2d(c_in, c_out, 1).weight.numel()
        / sum(
            layer.weight.numel()
            for layer in (
                nn.Conv2d(c_in, c_in, k, groups=c_in),
                nn.Conv2d(c_in, c_out, 1),
            )
        )
    ),
    by_counts=lambda c_in, c_out, k: c_in * c_out / (c_in * c_out + c_in * k**2),
    by_tensors=lambda c_in, c_out, k: 1 / (1 + torch.tensor(k).square() / c_out),
)
wrong(
    "§3.7",
    of_depthwise=lambda c_in, c_out, k: k**2 / (k**2 + c_out),
    of_full=lambda c_in, c_out, k: 1 / k**2,
    ratio=lambda c_in, c_out, k: c_out / k**2,
    side_for_area=lambda c_in, c_out, k: c_out / (c_out + k),
    one_kernel=lambda c_in, c_out, k: c_in * c_out / (c_in * c_out + k**2),
    kernels_of_outputs=lambda c_in, c_out, k: (
        c_in * c_out / (c_in * c_out + c_out * k**2)
    ),
    full_kernels=lambda c_in, c_out, k: (
        c_in * c_out / (c_in * c_out + c_in * c_in * k**2)
    ),
    with_biases=lambda c_in, c_out, k: (
        (c_in + 1) * c_out / ((c_in + 1) * c_out + c_in * (k**2 + 1))
    ),
    square_pair=lambda c_in, c_out, k: c_in / (c_in + k**2),
    pair_to_full=lambda c_in, c_out, k: 1 / c_out + 1 / k**2,
    whole_division=lambda c_in, c_out, k: c_out // (c_out + k**2),
    in_percent=lambda c_in, c_out, k: 100 * c_out / (c_out + k**2),
)

# --- 03.1 -----------------------------------------------------------------------------


@right("03.1")
def module_by_formula(
    c_in, c1, r3, c3, r5, c5, proj, H, W, *, areas=(9, 25), bias=0, unit=1, pool=0
):
    """The right count, or one with a single named mistake."""
    weights = c_in * (c1 + r3 + r5 + proj) + areas[0] * r3 * c3 + areas[1] * r5 * c5
    outputs = c1 + r3 + c3 + r5 + c5 + proj
    return unit * H * W * (weights + bias * outputs + pool * c_in)


@right("03.1")
def module_by_branches(c_in, c1, r3, c3, r5, c5, proj, H, W):
    sizes = [(c_in, c1, 1), (c_in, r3, 1), (r3, c3, 3), (c_in, r5, 1), (r5, c5, 5)]
    return sum(H * W * k * k * a * b for a, b, k in [*sizes, (c_in, proj, 1)])


@wrong("03.1")
def module_by_building(c_in, c1, r3, c3, r5, c5, proj, H, W):
    sizes = [(c_in, c1, 1), (c_in, r3, 1), (r3, c3, 3), (c_in, r5, 1), (r5, c5, 5)]
    convs = [nn.Conv2d(*size) for size in [*sizes, (c_in, proj, 1)]]
    return sum(H * W * conv.weight.numel() for conv in convs)


@wrong("03.1")
def module_without_reductions(c_in, c1, r3, c3, r5, c5, proj, H, W):
    return H * W * c_in * (c1 + proj + 9 * c3 + 25 * c5)


@wrong("03.1")
def module_of_parameters(*given):
    return module_by_formula(*given[:-2], 1, 1, bias=1)


def _instead(place, value):
    """The count of a module with another width or side."""
    return lambda *given: module_by_formula(
        *given[:place], value(given), *given[place + 1 :]
    )


wrong(
    "03.1",
    with_biases=partial(module_by_formula, bias=1),
    as_in_torchvision=partial(module_by_formula, areas=(9, 9)),
    with_sides_for_areas=partial(module_by_formula, areas=(3, 5)),
    of_parameters_without_biases=lambda *given: module_by_formula(*given[:-2], 1, 1),
    of_square_map=_instead(8, lambda given: given[7]),
    of_one_row=_instead(8, lambda given: 1),
    without_projection=_instead(6, lambda given: 0),
    without_pointwise_branch=_instead(1, lambda given: 0),
    with_pooling=partial(module_by_formula, pool=9),
    multiplications_and_additions=partial(module_by_formula, unit=2),
    reductions_swapped=lambda c, c1, r3, c3, r5, *rest: module_by_formula(
        c, c1, r5, c3, r3, *rest
    ),
    large_kernels_only=_instead(0, lambda given: 0),
    projection_of_outputs=lambda *given: (
        module_by_formula(*given)
        + given[7] * given[8] * given[6] * (given[1] + given[3] + given[5] - given[0])
    ),
    chained_kernels=lambda c, c1, r3, c3, r5, c5, *rest: module_by_formula(
        c, c1, r3, c3, r5 + c3, c5, *rest
    ),
)


# --- 03.2 -----------------------------------------------------------------------------


@right("03.2")
def reduction_by_formula(c_in, c_out, k):
    return (k * k * c_in * c_out - 1) // (c_in + k * k * c_out)


@right("03.2")
def reduction_by_search(c_in, c_out, k):
    r = 0
    while (r + 1) * (c_in + k * k * c_out) < k * k * c_in * c_out:
        r += 1
    return r


wrong(
    "03.2",
    not_strict=lambda c_in, c_out, k: k * k * c_in * c_out // (c_in + k * k * c_out),
    of_area_forgotten=lambda c_in, c_out, k: (
        (k * c_in * c_out - 1) // (c_in + k * c_out)
    ),
    without_its_own_cost=lambda c_in, c_out, k: c_in - 1,
    as_fraction=lambda c_in, c_out, k: k * k * c_in * c_out / (c_in + k * k * c_out),
    first_that_is_dearer=lambda *sizes: reduction_by_formula(*sizes) + 1,
)


wrong(
    "03.2",
    of_parameters_with_biases=lambda c_in, c_out, k: (
        (k * k * c_in * c_out - 1) // (c_in + 1 + k * k * c_out)
    ),
    rounded=lambda c_in, c_out, k: round(k * k * c_in * c_out / (c_in + k * k * c_out)),
    searched_to_256=lambda *sizes: min(reduction_by_formula(*sizes), 256),
    at_least_one=lambda *sizes: max(reduction_by_formula(*sizes), 1),
    not_above_outputs=lambda c_in, c_out, k: min(
        reduction_by_formula(c_in, c_out, k), c_out
    ),
    not_above_half=lambda c_in, c_out, k: min(
        reduction_by_formula(c_in, c_out, k), c_in // 2
    ),
    channels_swapped=lambda c_in, c_out, k: reduction_by_formula(c_out, c_in, k),
    kernel_after_forgotten=lambda c_in, c_out, k: (
        (k * k * c_in * c_out - 1) // (c_in + c_out)
    ),
    kernel_before_too=lambda c_in, c_out, k: (
        (k * k * c_in * c_out - 1) // (k * k * (c_in + c_out))
    ),
    reduction_for_free=lambda c_in, c_out, k: (
        (c_in * c_out * k * k - 1) // (c_out * k * k)
    ),
    one_less=lambda *sizes: max(reduction_by_formula(*sizes) - 1, 0),
    for_three=lambda c_in, c_out, k: reduction_by_formula(c_in, c_out, 3),
    multiple_of_eight=lambda *sizes: reduction_by_formula(*sizes) // 8 * 8,
    half_the_price=lambda *sizes: reduction_by_formula(*sizes) // 2,
)


# --- 03.3 -----------------------------------------------------------------------------


def _dense(matrix, bias=None):
    layer = nn.Linear(matrix.shape[1], len(matrix), bias=bias is not None)
    layer.weight = nn.Parameter(matrix)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


@right("03.3")
def dense_by_probing(
    conv, H, W, *, view=lambda eye, C, H, W: eye.view(-1, C, H, W), change=None, **other
):
    """The right layer, or one with a single named mistake."""
    conv = copy.deepcopy(conv)
    for name, value in other.items():
        setattr(conv, name, value)
    C = conv.in_channels
    with torch.no_grad():
        zero = conv(torch.zeros(1, C, H, W)).flatten(1)
        columns = conv(view(torch.eye(C * H * W), C, H, W)).flatten(1) - zero
    weight, bias = columns.T.contiguous(), zero[0]
    return _dense(*(change(weight, bias, conv) if change else (weight, bias)))


@right("03.3")
def dense_by_loop(conv, H, W):
    (k, m), (s, t), (p, q) = conv.kernel_size, conv.stride, conv.padding
    C, h, w = conv.in_channels, (H + 2 * p - k) // s + 1, (W + 2 * q - m) // t + 1
    matrix = torch.zeros(conv.out_channels, h, w, C, H + 2 * p, W + 2 * q)
    for i in range(h):
        for j in range(w):
            rows, columns = slice(i * s, i * s + k), slice(j * t, j * t + m)
            matrix[:, i, j, :, rows, columns] = conv.weight
    matrix = matrix[..., p : p + H, q : q + W].flatten(3).flatten(0, 2)
    bias = None if conv.bias is None else conv.bias.repeat_interleave(h * w)
    return _dense(matrix, bias)


@wrong("03.3")
def dense_changing_the_conv(conv, H, W):
    layer = dense_by_probing(conv, H, W)
    if conv.bias is not None:
        conv.bias.data.zero_()
    return layer


def _bias_in_turn(weight, bias, conv):
    if conv.bias is None:
        return weight, bias
    return weight, conv.bias.repeat(len(bias) // conv.out_channels)


wrong(
    "03.3",
    as_sequence=lambda conv, H, W: nn.Sequential(conv, nn.Flatten()),
    as_matrix=lambda conv, H, W: dense_by_probing(conv, H, W).weight,
    as_function=lambda conv, H, W: lambda x: conv(x.view(len(x), -1, H, W)).flatten(1),
    of_kernel=lambda conv, H, W: _dense(conv.weight.flatten(1), conv.bias),
    without_bias=partial(dense_by_probing, change=lambda weight, bias, _: (weight,)),
    bias_in_turn=partial(dense_by_probing, change=_bias_in_turn),
    bias_in_columns=partial(
        dense_by_probing,
        change=lambda weight, bias, _: (weight + bias[:, None], torch.zeros_like(bias)),
    ),
    bias_twice=partial(
        dense_by_probing, change=lambda weight, bias, _: (weight, 2 * bias)
    ),
    transposed=partial(
        dense_by_probing, change=lambda weight, bias, _: (weight.T, bias)
    ),
    channels_last=partial(
        dense_by_probing,
        view=lambda eye, C, H, W: eye.view(-1, H, W, C).movedim(-1, 1),
    ),
    columns_first=partial(
        dense_by_probing,
        view=lambda eye, C, H, W: eye.view(-1, C, W, H).transpose(2, 3),
    ),
    pixels_last=partial(
        dense_by_probing,
        change=lambda weight, bias, conv: (
            weight.view(conv.out_channels, -1, weight.shape[1])
            .transpose(0, 1)
            .flatten(0, 1),
            bias,
        ),
    ),
    without_stride=partial(dense_by_probing, stride=(1, 1)),
    without_padding=partial(dense_by_probing, padding=(0, 0)),
    turned_kernel=lambda conv, H, W: dense_by_probing(
        conv, H, W, weight=nn.Parameter(conv.weight.detach().flip(2, 3))
    ),
    random=partial(
        dense_by_probing,
        change=lambda weight, bias, _: (torch.rand_like(weight), bias),
    ),
    for_square_maps=lambda conv, H, W: dense_by_probing(conv, H, H),
)


# --- 03.4 -----------------------------------------------------------------------------


def _maps(x, fc):
    return F.conv2d(x, fc.weight[:, :, None, None], fc.bias)


@right("03.4")
def windows_by_convolution(x, fc, h, w):
    weight = fc.weight[:, :, None, None].expand(-1, -1, h, w) / (h * w)
    return F.conv2d(x, weight, fc.bias)


@right("03.4")
def windows_one_by_one(x, fc, h, w):
    rows, columns = x.shape[2] - h + 1, x.shape[3] - w + 1
    answers = [
        fc(x[:, :, i : i + h, j : j + w].mean((2, 3)))
        for i in range(rows)
        for j in range(columns)
    ]
    return torch.stack(answers, -1).view(len(x), -1, rows, columns)


right("03.4", by_unfold=lambda x, fc, h, w: _of_windows(x, fc, h, w, torch.mean))


def _of_windows(x, fc, h, w, how):
    windows = x.unfold(2, h, 1).unfold(3, w, 1)
    return fc(how(windows, dim=(4, 5)).movedim(1, -1)).movedim(-1, 1)


wrong(
    "03.4",
    without_bias=lambda x, fc, h, w: F.avg_pool2d(
        F.conv2d(x, fc.weight[..., None, None]), (h, w), 1
    ),
    next_to_each_other=lambda x, fc, h, w: F.avg_pool2d(_maps(x, fc), (h, w)),
    class_maps=lambda x, fc, h, w: _maps(x, fc),
    whole_map=lambda x, fc, h, w: fc(x.mean((2, 3))),
    of_maximum=lambda x, fc, h, w: F.max_pool2d(_maps(x, fc), (h, w), 1),
    maximum_of_features=lambda x, fc, h, w: _of_windows(x, fc, h, w, torch.amax),
    sums=lambda x, fc, h, w: _of_windows(x, fc, h, w, torch.sum),
    sides_swapped=lambda x, fc, h, w: F.avg_pool2d(_maps(x, fc), (w, h), 1),
    square=lambda x, fc, h, w: F.avg_pool2d(_maps(x, fc), h, 1),
    padded=lambda x, fc, h, w: F.avg_pool2d(
        _maps(x, fc), (h, w), 1, padding=(h // 2, w // 2)
    ),
    bias_of_every_place=lambda x, fc, h, w: (
        F.conv2d(x, fc.weight[..., None, None].expand(-1, -1, h, w) / (h * w))
        + h * w * fc.bias[:, None, None]
    ),
    divided_by_the_map=lambda x, fc, h, w: (
        _of_windows(x, fc, h, w, torch.sum) / x[0, 0].numel()
    ),
    softmaxed=lambda x, fc, h, w: windows_by_convolution(x, fc, h, w).softmax(1),
    channels_last=lambda x, fc, h, w: fc(
        F.avg_pool2d(x, (h, w), 1).permute(0, 2, 3, 1)
    ),
    viewed_not_moved=lambda x, fc, h, w: fc(
        F.avg_pool2d(x, (h, w), 1).flatten(2).mT
    ).reshape(len(x), -1, x.shape[2] - h + 1, x.shape[3] - w + 1),
    one_window_less=lambda x, fc, h, w: windows_by_convolution(x, fc, h, w)[
        ..., :-1, :-1
    ],
    in_a_row=lambda x, fc, h, w: windows_by_convolution(x, fc, h, w).flatten(2),
    of_first_picture=lambda x, fc, h, w: windows_by_convolution(x, fc, h, w)[:1],
    with_relu=lambda x, fc, h, w: F.avg_pool2d(_maps(x, fc).relu(), (h, w), 1),
    corner_of_the_window=lambda x, fc, h, w: _maps(x, fc)[
        ..., : x.shape[2] - h + 1, : x.shape[3] - w + 1
    ],
)


# --- 03.5 -----------------------------------------------------------------------------


def _conv(weight, bias, padding):
    conv = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], padding=padding)
    conv.weight = nn.Parameter(weight.detach().clone())
    conv.bias = nn.Parameter(bias.detach().clone())
    return conv


def _pair(narrow, wide):
    return torch.einsum("omij,mc->ocij", wide.weight, narrow.weight.flatten(1))


def _framed(kernel, side):
    return F.pad(kernel, [(side - kernel.shape[-1]) // 2] * 4)


@right("03.5")
def module_by_kernels(branches, *, pair=_pair, frame=_framed, padding=None, bias=None):
    """The right convolution, or one with a single named mistake."""
    side = max(wide.kernel_size[0] for _, wide in branches)
    kernels = [frame(pair(*branch), side) for branch in branches]
    biases = [bias(wide) if bias else wide.bias for _, wide in branches]
    padding = side // 2 if padding is None else padding
    return _conv(torch.cat(kernels), torch.cat(biases), padding)


@right("03.5")
def module_by_response(branches):
    """The answer to a point in every channel, mirrored, is the kernel."""
    side = max(wide.kernel_size[0] for _, wide in branches)
    channels = branches[0][0].in_channels
    points = torch.zeros(channels, channels, 2 * side - 1, 2 * side - 1)
    points[range(channels), range(channels), side - 1, side - 1] = 1
    half = side // 2
    with torch.no_grad():
        zero = torch.cat([branch(torch.zeros_like(points)) for branch in branches], 1)
        y = torch.cat([branch(points) for branch in branches], 1) - zero
    y = y[..., half : half + side, half : half + side]
    return _conv(y.flip(2, 3).transpose(0, 1), zero[0, :, 0, 0], half)


@wrong("03.5")
def module_in_place(branches):
    conv = module_by_kernels(branches)
    for _, wide in branches:
        wide.bias.data.zero_()
    return conv


class _Module(nn.Conv2d):
    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


@wrong("03.5")
def module_that_calls_the_branches(branches):
    conv = _Module(5, 1, 1)
    conv.branches = branches
    return conv


@wrong("03.5")
def module_without_bias(branches):
    conv = module_by_kernels(branches)
    conv.bias = None
    return conv


def _corner(kernel, side):
    return F.pad(kernel, [0, side - kernel.shape[-1]] * 2)


wrong(
    "03.5",
    to_the_corner=partial(module_by_kernels, frame=_corner),
    to_the_other_corner=partial(
        module_by_kernels,
        frame=lambda kernel, side: F.pad(kernel, [side - kernel.shape[-1], 0] * 2),
    ),
    not_framed=partial(module_by_kernels, frame=lambda kernel, side: kernel),
    resized=partial(
        module_by_kernels,
        frame=lambda kernel, side: F.interpolate(kernel, (side, side)),
    ),
    repeated=partial(
        module_by_kernels,
        frame=lambda kernel, side: F.pad(
            kernel, [(side - kernel.shape[-1]) // 2] * 4, mode="replicate"
        ),
    ),
    of_three=partial(module_by_kernels, frame=lambda kernel, side: _framed(kernel, 3)),
    without_padding=partial(module_by_kernels, padding=0),
    padding_of_two=partial(module_by_kernels, padding=2),
    padding_of_one=partial(module_by_kernels, padding=1),
    wide_alone=partial(module_by_kernels, pair=lambda narrow, wide: wide.weight),
    narrow_alone=partial(module_by_kernels, pair=lambda narrow, wide: narrow.weight),
    averaged=partial(
        module_by_kernels,
        pair=lambda narrow, wide: _pair(narrow, wide) / narrow.out_channels,
    ),
    mirrored=partial(
        module_by_kernels, pair=lambda narrow, wide: _pair(narrow, wide).flip(2, 3)
    ),
    biases_added=partial(
        module_by_kernels, bias=lambda wide: wide.bias.sum().expand_as(wide.bias)
    ),
    bias_through_the_kernel=partial(
        module_by_kernels, bias=lambda wide: wide.bias * wide.kernel_size[0] ** 2
    ),
    zero_bias=partial(module_by_kernels, bias=lambda wide: 0 * wide.bias),
    in_other_order=lambda branches: module_by_kernels(branches[::-1]),
    by_size=lambda branches: module_by_kernels(
        sorted(branches, key=lambda branch: branch[1].kernel_size)
    ),
    first_branch=lambda branches: module_by_kernels(branches[:1]),
    sum_of_branches=lambda branches: _conv(
        sum(_framed(_pair(*branch), 7).sum(0, True) for branch in branches),
        sum(wide.bias.sum()[None] for _, wide in branches),
        3,
    ),
    as_module=lambda branches: branches,
    kernel_only=lambda branches: module_by_kernels(branches).weight,
)
