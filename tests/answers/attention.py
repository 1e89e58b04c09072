"""Answers to the exercises of notebook 06: right ones, and mistakes students make."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import SqueezeExcitation

from tests.answers import right, wrong

# --- 06.1 -----------------------------------------------------------------------------


@right("06.1")
def gate_by_formula(C, r, bias):
    return 2 * C * (C // r) + bias * (C + C // r)


@right("06.1")
def gate_by_building(C, r, bias):
    module = SqueezeExcitation(C, C // r)
    return sum(p.numel() for p in module.parameters() if bias or p.dim() > 1)


wrong(
    "06.1",
    of_two_mlps=lambda C, r, bias: 2 * gate_by_formula(C, r, bias),
    without_biases=lambda C, r, bias: 2 * C * (C // r),
    with_one_bias=lambda C, r, bias: 2 * C * (C // r) + (C if bias else 0),
    divided_last=lambda C, r, bias: 2 * C * C // r + bias * (C + C // r),
    with_the_spatial_one=lambda C, r, bias: gate_by_formula(C, r, bias) + 98,
    of_one_matrix=lambda C, r, bias: C * (C // r) + bias * (C + C // r),
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
