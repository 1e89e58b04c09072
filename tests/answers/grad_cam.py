"""Answers to the exercises of notebook 07: right ones, and mistakes students make."""

import torch
import torch.nn.functional as F
from torchvision.ops import box_convert

from tests.answers import right, wrong

# --- 07.1 -----------------------------------------------------------------------------


right(
    "07.1",
    by_mean=lambda G: G.mean((2, 3)),
    by_pooling=lambda G: F.adaptive_avg_pool2d(G, 1).flatten(1),
)


wrong(
    "07.1",
    by_sum=lambda G: G.sum((2, 3)),
    by_max=lambda G: G.amax((2, 3)),
    over_channels=lambda G: G.mean(1).mean(1),
    of_absolute_gradient=lambda G: G.abs().mean((2, 3)),
    of_positive_gradient=lambda G: F.relu(G).mean((2, 3)),
    kept_as_map=lambda G: G.mean((2, 3), keepdim=True),
    over_batch=lambda G: G.mean((0, 2, 3)).expand(len(G), -1),
)


# --- 07.2 -----------------------------------------------------------------------------


@right("07.2")
def cam_by_einsum(A, head, classes):
    return torch.einsum("bk,bkij->bij", head.weight[classes], A)


@right("07.2")
def cam_by_loop(A, head, classes):
    maps = [
        sum(weight * channel for weight, channel in zip(head.weight[c], a, strict=True))
        for a, c in zip(A, classes, strict=True)
    ]
    return torch.stack(maps)


@right("07.2")
def cam_by_convolution(A, head, classes):
    every = F.conv2d(A, head.weight[:, :, None, None])
    return every[torch.arange(len(A)), classes]


wrong(
    "07.2",
    with_bias=lambda A, head, c: cam_by_einsum(A, head, c) + head.bias[c, None, None],
    of_first_class=lambda A, head, c: cam_by_einsum(A, head, c[:1].expand_as(c)),
    after_relu=lambda *given: cam_by_einsum(*given).relu(),
    averaged_over_channels=lambda A, *given: cam_by_einsum(A, *given) / A.shape[1],
    of_all_classes=lambda A, head, classes: F.conv2d(A, head.weight[:, :, None, None]),
    divided_by_cells=lambda A, *given: cam_by_einsum(A, *given) / A[0, 0].numel(),
)


# --- 07.3 -----------------------------------------------------------------------------


def _inside(x, y, boxes):
    x1, y1, x2, y2 = boxes.unbind(1)
    return (x1 < x) & (x < x2) & (y1 < y) & (y < y2)


def _peak(heat):
    """Row and column of the brightest pixel."""
    place = heat.flatten(1).argmax(1)
    return place // heat.shape[2], place % heat.shape[2]


@right("07.3")
def hits_by_division(heat, boxes):
    row, column = _peak(heat)
    return _inside(column + 0.5, row + 0.5, boxes)


@right("07.3")
def hits_by_distance_to_centre(heat, boxes):
    row = heat.amax(2).argmax(1) + 0.5
    column = heat.amax(1).argmax(1) + 0.5
    cx, cy, w, h = box_convert(boxes, "xyxy", "cxcywh").unbind(1)
    return ((column - cx).abs() < w / 2) & ((row - cy).abs() < h / 2)


@wrong("07.3")
def hits_dividing_by_height(heat, boxes):
    place = heat.flatten(1).argmax(1)
    return _inside(place % heat.shape[1] + 0.5, place // heat.shape[1] + 0.5, boxes)


@wrong("07.3")
def hits_with_the_far_edge(heat, boxes):
    row, column = _peak(heat)
    x1, y1, x2, y2 = boxes.unbind(1)
    return (x1 <= column) & (column <= x2) & (y1 <= row) & (row <= y2)


@wrong("07.3")
def hits_of_the_brightest_map(heat, boxes):
    row, column = _peak(heat[heat.amax((1, 2)).argmax()][None])
    return _inside(column + 0.5, row + 0.5, boxes)


wrong(
    "07.3",
    as_boxes_of_size=lambda heat, boxes: hits_by_division(
        heat, box_convert(boxes, "xywh", "xyxy")
    ),
    of_the_darkest_pixel=lambda heat, boxes: hits_by_division(-heat, boxes),
    swapping_x_and_y=lambda heat, boxes: hits_by_division(heat.mT, boxes),
    averaged=lambda heat, boxes: hits_by_division(heat, boxes).double().mean(),
)


# --- 07.4 -----------------------------------------------------------------------------


@right("07.4")
def energy(heat, mask):
    total = heat.sum((1, 2)).clamp(min=torch.finfo(heat.dtype).tiny)
    return (heat * mask).sum((1, 2)) / total


@right("07.4")
def energy_with_where(heat, mask):
    inside = heat.masked_fill(~mask, 0).flatten(1).sum(1)
    return torch.nan_to_num(inside / heat.flatten(1).sum(1))


def _sum(heat):
    return heat.sum((1, 2))


wrong(
    "07.4",
    without_zero_guard=lambda heat, mask: _sum(heat * mask) / _sum(heat),
    per_pixel=lambda heat, mask: _sum(heat * mask) / _sum(mask).clamp(min=1),
    of_the_batch=lambda heat, mask: energy(
        heat.flatten(0, 1)[None], mask.flatten(0, 1)[None]
    ).expand(len(heat)),
    to_outside=lambda heat, mask: _sum(heat * mask) / _sum(heat * ~mask).clamp(1e-30),
    with_a_large_guard=lambda heat, mask: _sum(heat * mask) / (_sum(heat) + 0.1),
    as_area=lambda heat, mask: mask.to(heat.dtype).mean((1, 2)),
)


# --- 07.5 -----------------------------------------------------------------------------


@right("07.5")
def grid(tokens, h, w):
    cells = tokens[:, tokens.shape[1] - h * w :]
    return cells.reshape(len(tokens), h, w, -1).permute(0, 3, 1, 2)


right("07.5", by_fold=lambda tokens, h, w: F.fold(tokens[:, -h * w :].mT, (h, w), 1))
wrong(
    "07.5",
    always_dropping_one=lambda tokens, h, w: grid(tokens[:, 1 : 1 + h * w], h, w),
    keeping_the_class_token=lambda tokens, h, w: grid(tokens[:, : h * w], h, w),
    without_transposing=lambda tokens, h, w: tokens[:, -h * w :].reshape(
        len(tokens), -1, h, w
    ),
    by_columns=lambda tokens, h, w: grid(tokens, w, h).transpose(2, 3),
    with_channels_last=lambda tokens, h, w: tokens[:, -h * w :].unflatten(1, (h, w)),
    of_squares=lambda tokens, h, w: grid(tokens, *[int((h * w) ** 0.5)] * 2),
)
