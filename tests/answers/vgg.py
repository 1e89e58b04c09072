"""Answers to the exercises of notebook 02: right ones, and mistakes students make."""

import operator
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

CHANNELS = (64, 128, 256, 512, 512)

# --- 02.1 -----------------------------------------------------------------------------


@right("02.1")
def count_vgg(
    config, size, classes, *, bias=1, colours=3, kernel=None, side=None, outputs=None
):
    """The right count, or one with a single named mistake."""
    total, c_in = 0, colours
    for c_out, stage in zip(CHANNELS, config.split(), strict=True):
        for k in stage:
            total += ((kernel or int(k)) ** 2 * c_in + bias) * c_out
            c_in = c_out
    widths = [c_in * (side or size // 32) ** 2, 4096, 4096, outputs or classes]
    return total + sum((a + bias) * b for a, b in pairwise(widths))


@right("02.1")
def count_by_building(config, size, classes):
    with torch.device("meta"):
        layers, c_in = [], 3
        for c_out, stage in zip(CHANNELS, config.split(), strict=True):
            for k in stage:
                layers.append(nn.Conv2d(c_in, c_out, int(k)))
                c_in = c_out
        widths = 512 * (size // 32) ** 2, 4096, 4096, classes
        layers += [nn.Linear(a, b) for a, b in pairwise(widths)]
    return sum(p.numel() for p in nn.Sequential(*layers).parameters())


@wrong("02.1")
def count_only_convs(config, size, classes):
    return count_vgg(config, size, classes) - sum(
        (a + 1) * b for a, b in pairwise([512 * (size // 32) ** 2, 4096, 4096, classes])
    )


wrong(
    "02.1",
    without_biases=partial(count_vgg, bias=0),
    grey_input=partial(count_vgg, colours=1),
    all_kernels_three=partial(count_vgg, kernel=3),
    always_seven=partial(count_vgg, side=7),
    always_imagenet=partial(count_vgg, outputs=1000),
)


# --- 02.2 -----------------------------------------------------------------------------


@right("02.2")
def field_forwards(layers, *, overlap=1, combined=operator.mul):
    """The right field, or one with a single named mistake."""
    field, step = 1, 1
    for kernel, stride in layers:
        field, step = field + (kernel - overlap) * step, combined(step, stride)
    return field, step


@right("02.2")
def field_backwards(layers):
    field, step = 1, 1
    for kernel, stride in reversed(layers):
        field, step = (field - 1) * stride + kernel, step * stride
    return [field, step]


@wrong("02.2")
def field_with_own_stride(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        field += (kernel - 1) * step
    return field, step


@wrong("02.2")
def field_without_strides(layers):
    return 1 + sum(k - 1 for k, _ in layers), field_forwards(layers)[1]


wrong(
    "02.2",
    of_whole_kernels=partial(field_forwards, overlap=0),
    steps_added=partial(field_forwards, combined=lambda step, s: step + s - 1),
    only=lambda layers: field_forwards(layers)[0],
)


# --- 02.3 -----------------------------------------------------------------------------


@right("02.3")
def error_by_topk(logits, labels, k):
    found = (logits.topk(k).indices == labels[:, None]).any(1)
    return 1 - found.double().mean().item()


@right("02.3")
def error_by_place(logits, labels, k):
    right = logits.gather(1, labels[:, None])
    return ((logits > right).sum(1) >= k).to(logits.dtype).mean()


@wrong("02.3")
def error_divided_by_k(logits, labels, k):
    hits = (logits.topk(k).indices == labels[:, None]).double()
    return 1 - hits.mean().item()


wrong(
    "02.3",
    as_accuracy=lambda logits, labels, k: 1 - error_by_topk(logits, labels, k),
    of_smallest=lambda logits, labels, k: error_by_topk(-logits, labels, k),
    top_one=lambda logits, labels, k: error_by_topk(logits, labels, 1),
    counted=lambda logits, labels, k: error_by_topk(logits, labels, k) * len(labels),
    off_by_one=lambda logits, labels, k: error_by_place(logits, labels, k + 1),
)


# --- 02.4 -----------------------------------------------------------------------------


@right("02.4", "03.3")
def conv_from(linear, C, H, W, *, weight=None, bias=True, **geometry):
    """The right convolution, or one with a single named mistake."""
    conv = nn.Conv2d(C, linear.out_features, (H, W), bias=bias, **geometry)
    view = linear.weight.view(-1, C, H, W) if weight is None else weight
    conv.weight = nn.Parameter(view.detach().clone())
    if bias:
        conv.bias = nn.Parameter(linear.bias.detach().clone())
    return conv


@right("02.4", "03.3")
def conv_by_unflatten(linear, C, H, W):
    conv = nn.Conv2d(C, linear.out_features, (H, W))
    weight = linear.weight.unflatten(1, (C, H, W))
    conv.load_state_dict({"weight": weight, "bias": linear.bias})
    return conv


@right("02.4", "03.3")
def conv_by_probing(linear, C, H, W):
    with torch.no_grad():
        columns = linear(torch.eye(C * H * W)) - linear.bias
    return conv_from(linear, C, H, W, weight=columns.T.view(-1, C, H, W))


@wrong("02.4", "03.3")
def conv_random_bias(linear, C, H, W):
    conv = nn.Conv2d(C, linear.out_features, (H, W))
    conv.weight.data = linear.weight.data.view(-1, C, H, W)
    return conv


@wrong("02.4", "03.3")
def conv_channels_last(linear, C, H, W):
    weight = linear.weight.view(-1, H, W, C).permute(0, 3, 1, 2)
    return conv_from(linear, C, H, W, weight=weight)


@wrong("02.4", "03.3")
def conv_columns_first(linear, C, H, W):
    weight = linear.weight.view(-1, C, W, H).transpose(2, 3)
    return conv_from(linear, C, H, W, weight=weight)


wrong(
    "02.4",
    "03.3",
    one_by_one=lambda linear, C, H, W: conv_from(linear, C * H * W, 1, 1),
    with_stride=lambda linear, C, H, W: conv_from(linear, C, H, W, stride=(H, W)),
    as_sequence=lambda linear, C, H, W: nn.Sequential(nn.Flatten(), linear),
    without_bias=partial(conv_from, bias=False),
    padded=partial(conv_from, padding=1),
)


# --- 02.5 -----------------------------------------------------------------------------


@right("02.5")
def merge_by_shifts(w1, w2):
    merged = w1.new_zeros(len(w2), w1.shape[1], 5, 5)
    for a in range(3):
        for b in range(3):
            part = torch.einsum("om,mcij->ocij", w2[:, :, a, b], w1)
            merged[:, :, a : a + 3, b : b + 3] += part
    return merged


@right("02.5")
def merge_by_convolution(w1, w2):
    """Full convolution of the kernels: the second one mirrored, padding 2."""
    flipped = w2.flip(2, 3)
    return F.conv2d(w1.transpose(0, 1), flipped, padding=2).transpose(0, 1)


@wrong("02.5")
def merge_only_centres(w1, w2):
    return F.pad(torch.einsum("omij,mcij->ocij", w2, w1), [1] * 4)


wrong(
    "02.5",
    by_sum=lambda w1, w2: merge_only_centres(torch.ones_like(w1), w2),
    without_mirror=lambda w1, w2: merge_by_convolution(w1, w2.flip(2, 3)),
    wrong_axes=lambda w1, w2: merge_by_convolution(w1, w2).transpose(0, 1),
    mirrored=lambda w1, w2: merge_by_convolution(w1, w2).flip(2, 3),
    one_channel=lambda w1, w2: merge_by_shifts(w1[:1], w2[:, :1]),
)
