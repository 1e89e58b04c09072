"""Answers to the exercises of notebook 06: right ones, and mistakes students make."""

import math

import torch
import torch.nn.functional as F
from timm.layers import EcaModule
from torch import nn
from torchvision.ops import SqueezeExcitation

# --- 06.1 -----------------------------------------------------------------------------


def gate_by_formula(C, r, bias):
    return 2 * C * (C // r) + bias * (C + C // r)


def gate_by_building(C, r, bias):
    module = SqueezeExcitation(C, C // r)
    return sum(p.numel() for p in module.parameters() if bias or p.dim() > 1)


def gate_of_two_mlps(C, r, bias):
    return 2 * gate_by_formula(C, r, bias)


def gate_without_biases(C, r, bias):
    return 2 * C * (C // r)


def gate_with_one_bias(C, r, bias):
    return 2 * C * (C // r) + (C if bias else 0)


def gate_divided_last(C, r, bias):
    return 2 * C * C // r + bias * (C + C // r)


def gate_with_the_spatial_one(C, r, bias):
    return gate_by_formula(C, r, bias) + 98


def gate_of_one_matrix(C, r, bias):
    return C * (C // r) + bias * (C + C // r)


# --- 06.2 -----------------------------------------------------------------------------


def _mlp(s, W0, W1):
    return torch.relu(s @ W0.T) @ W1.T


def channel_by_matrices(x, W0, W1):
    s = _mlp(x.mean((2, 3)), W0, W1) + _mlp(x.amax((2, 3)), W0, W1)
    return torch.sigmoid(s)[..., None, None]


def channel_by_convolutions(x, W0, W1):
    W0, W1 = W0[..., None, None], W1[..., None, None]
    pooled = (F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1))
    return sum(F.conv2d(F.relu(F.conv2d(p, W0)), W1) for p in pooled).sigmoid()


def channel_without_max(x, W0, W1):
    return torch.sigmoid(_mlp(x.mean((2, 3)), W0, W1))[..., None, None]


def channel_of_two_means(x, W0, W1):
    return torch.sigmoid(2 * _mlp(x.mean((2, 3)), W0, W1))[..., None, None]


def channel_sum_before_mlp(x, W0, W1):
    s = x.mean((2, 3)) + x.amax((2, 3))
    return torch.sigmoid(_mlp(s, W0, W1))[..., None, None]


def channel_without_relu(x, W0, W1):
    s = (x.mean((2, 3)) + x.amax((2, 3))) @ W0.T @ W1.T
    return torch.sigmoid(s)[..., None, None]


def channel_relu_before_w0(x, W0, W1):
    s = (x.mean((2, 3)).relu() + x.amax((2, 3)).relu()) @ W0.T @ W1.T
    return torch.sigmoid(s)[..., None, None]


def channel_two_sigmoids(x, W0, W1):
    s = _mlp(x.mean((2, 3)), W0, W1).sigmoid() + _mlp(x.amax((2, 3)), W0, W1).sigmoid()
    return s[..., None, None]


def channel_without_sigmoid(x, W0, W1):
    s = _mlp(x.mean((2, 3)), W0, W1) + _mlp(x.amax((2, 3)), W0, W1)
    return s[..., None, None]


def channel_of_wrong_shape(x, W0, W1):
    return channel_by_matrices(x, W0, W1)[..., 0, 0]


# --- 06.3 -----------------------------------------------------------------------------


def spatial_by_cat(x, weight):
    s = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
    return F.conv2d(s, weight, padding=weight.shape[-1] // 2).sigmoid()


def spatial_by_two_convolutions(x, weight):
    s = F.conv2d(x.mean(1, True), weight[:, :1], padding="same")
    return torch.sigmoid(s + F.conv2d(x.amax(1, True), weight[:, 1:], padding="same"))


def spatial_in_other_order(x, weight):
    return spatial_by_cat(x, weight.flip(1))


def spatial_without_padding(x, weight):
    s = torch.cat([x.mean(1, True), x.amax(1, True)], 1)
    return F.conv2d(s, weight).sigmoid()


def spatial_padding_of_7(x, weight):
    s = torch.cat([x.mean(1, True), x.amax(1, True)], 1)
    return F.conv2d(s, weight, padding=3).sigmoid()


def spatial_without_sigmoid(x, weight):
    s = torch.cat([x.mean(1, True), x.amax(1, True)], 1)
    return F.conv2d(s, weight, padding="same")


def spatial_of_two_means(x, weight):
    s = torch.cat([x.mean(1, True), x.mean(1, True)], 1)
    return F.conv2d(s, weight, padding="same").sigmoid()


def spatial_multiplied(x, weight):
    return spatial_by_cat(x, weight) * x


# --- 06.4 -----------------------------------------------------------------------------


def span_by_formula(K, d):
    return (math.ceil(K / d) - 1) * d + 2 * d - 1


def span_by_response(K, d):
    near, far = 2 * d - 1, -(-K // d)
    x = torch.zeros(1, 1, 4 * K + 4 * d)
    x[..., 2 * K] = 1
    x = F.conv1d(x, torch.ones(1, 1, near), padding=near)
    x = F.conv1d(x, torch.ones(1, 1, far), padding=far * d, dilation=d)
    touched = x.nonzero()[:, 2]
    return int(touched.max() - touched.min()) + 1


def span_as_named(K, d):
    return K


def span_for_divisible_kernels(K, d):
    return K + d - 1


def span_rounded_down(K, d):
    return (K // d - 1) * d + 2 * d - 1


def span_of_the_far_part(K, d):
    return (math.ceil(K / d) - 1) * d + 1


def span_without_common_pixel(K, d):
    return span_by_formula(K, d) + 1


def span_without_dilation(K, d):
    return math.ceil(K / d) + 2 * d - 2


# --- 06.5 -----------------------------------------------------------------------------


def eca_by_convolution(x, w):
    s = F.conv1d(x.mean((2, 3))[:, None], w[None, None], padding=len(w) // 2)
    return x * s.sigmoid()[:, 0, :, None, None]


def eca_by_timm(x, w):
    module = EcaModule(kernel_size=len(w))
    module.conv.weight = nn.Parameter(w[None, None])
    return module(x)


def eca_gate_only(x, w):
    s = F.conv1d(x.mean((2, 3))[:, None], w[None, None], padding=len(w) // 2)
    return s.sigmoid()[:, 0, :, None, None]


def eca_without_sigmoid(x, w):
    s = F.conv1d(x.mean((2, 3))[:, None], w[None, None], padding=len(w) // 2)
    return x * s[:, 0, :, None, None]


def eca_flipped(x, w):
    return eca_by_convolution(x, w.flip(0))


def eca_circular(x, w):
    half = len(w) // 2
    s = F.pad(x.mean((2, 3))[:, None], (half, half), mode="circular")
    return x * F.conv1d(s, w[None, None]).sigmoid()[:, 0, :, None, None]


def eca_of_maximum(x, w):
    s = F.conv1d(x.amax((2, 3))[:, None], w[None, None], padding=len(w) // 2)
    return x * s.sigmoid()[:, 0, :, None, None]


def eca_without_padding(x, w):
    s = F.conv1d(x.mean((2, 3))[:, None], w[None, None])
    return x * s.sigmoid()[:, 0, :, None, None]


# --- 06.6 -----------------------------------------------------------------------------


def compose_by_transposed(k1, k2, d):
    full = F.conv_transpose2d(k1.transpose(0, 1), k2, dilation=d, groups=len(k1))
    return full.transpose(0, 1)


def compose_by_response(k1, k2, d):
    C, side = len(k1), k1.shape[-1] + d * (k2.shape[-1] - 1)
    point = k1.new_zeros(1, C, 2 * side - 1, 2 * side - 1)
    point[..., side - 1, side - 1] = 1
    y = F.conv2d(point, k1, groups=C)
    return F.conv2d(y, k2, dilation=d, groups=C).flip(2, 3).transpose(0, 1)


def compose_unflipped_response(k1, k2, d):
    return compose_by_response(k1, k2, d).flip(2, 3)


def compose_without_dilation(k1, k2, d):
    return compose_by_transposed(k1, k2, 1)


def compose_dilating_the_first(k1, k2, d):
    full = F.conv_transpose2d(k2.transpose(0, 1), k1, dilation=d, groups=len(k1))
    return full.transpose(0, 1)


def compose_flipping_the_second(k1, k2, d):
    return compose_by_transposed(k1, k2.flip(2, 3), d)


def compose_mixing_channels(k1, k2, d):
    kernel = compose_by_transposed(k1, k2, d)
    return kernel.sum(0, keepdim=True).expand_as(kernel)


def compose_transposed_shape(k1, k2, d):
    return compose_by_transposed(k1, k2, d).transpose(0, 1)


RIGHT = {
    "06.1": (gate_by_formula, gate_by_building),
    "06.2": (channel_by_matrices, channel_by_convolutions),
    "06.3": (spatial_by_cat, spatial_by_two_convolutions),
    "06.4": (span_by_formula, span_by_response),
    "06.5": (eca_by_convolution, eca_by_timm),
    "06.6": (compose_by_transposed, compose_by_response),
}
WRONG = {
    "06.1": (
        gate_of_two_mlps,
        gate_without_biases,
        gate_with_one_bias,
        gate_divided_last,
        gate_with_the_spatial_one,
        gate_of_one_matrix,
    ),
    "06.2": (
        channel_without_max,
        channel_of_two_means,
        channel_sum_before_mlp,
        channel_without_relu,
        channel_relu_before_w0,
        channel_two_sigmoids,
        channel_without_sigmoid,
        channel_of_wrong_shape,
    ),
    "06.3": (
        spatial_in_other_order,
        spatial_without_padding,
        spatial_padding_of_7,
        spatial_without_sigmoid,
        spatial_of_two_means,
        spatial_multiplied,
    ),
    "06.4": (
        span_as_named,
        span_for_divisible_kernels,
        span_rounded_down,
        span_of_the_far_part,
        span_without_common_pixel,
        span_without_dilation,
    ),
    "06.5": (
        eca_gate_only,
        eca_without_sigmoid,
        eca_flipped,
        eca_circular,
        eca_of_maximum,
        eca_without_padding,
    ),
    "06.6": (
        compose_unflipped_response,
        compose_without_dilation,
        compose_dilating_the_first,
        compose_flipping_the_second,
        compose_mixing_channels,
        compose_transposed_shape,
    ),
}
