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


@wrong("07.2")
def cam_with_bias(A, head, classes):
    return cam_by_einsum(A, head, classes) + head.bias[classes, None, None]


@wrong("07.2")
def cam_of_first_class(A, head, classes):
    return torch.einsum("k,bkij->bij", head.weight[classes[0]], A)


@wrong("07.2")
def cam_averaged_over_channels(A, head, classes):
    return (head.weight[classes][:, :, None, None] * A).mean(1)


@wrong("07.2")
def cam_divided_by_cells(A, head, classes):
    return cam_by_einsum(A, head, classes) / A[0, 0].numel()


wrong(
    "07.2",
    after_relu=lambda A, head, classes: F.relu(cam_by_einsum(A, head, classes)),
    of_all_classes=lambda A, head, classes: F.conv2d(A, head.weight[:, :, None, None]),
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
def hits_swapping_x_and_y(heat, boxes):
    row, column = _peak(heat)
    return _inside(row + 0.5, column + 0.5, boxes)


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


@wrong("07.3")
def hits_as_boxes_of_size(heat, boxes):
    return hits_by_division(heat, box_convert(boxes, "xywh", "xyxy"))


wrong(
    "07.3",
    of_the_darkest_pixel=lambda heat, boxes: hits_by_division(-heat, boxes),
    averaged=lambda heat, boxes: hits_by_division(heat, boxes).double().mean(),
)


# --- 07.4 -----------------------------------------------------------------------------


@right("07.4")
def energy_with_clamp(heat, mask):
    total = heat.sum((1, 2)).clamp(min=torch.finfo(heat.dtype).tiny)
    return (heat * mask).sum((1, 2)) / total


@right("07.4")
def energy_with_where(heat, mask):
    inside = heat.masked_fill(~mask, 0).flatten(1).sum(1)
    return torch.nan_to_num(inside / heat.flatten(1).sum(1))


@wrong("07.4")
def energy_per_pixel(heat, mask):
    return (heat * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


@wrong("07.4")
def energy_of_the_batch(heat, mask):
    return ((heat * mask).sum() / heat.sum()).expand(len(heat))


@wrong("07.4")
def energy_to_outside(heat, mask):
    outside = (heat * ~mask).sum((1, 2)).clamp(min=1e-30)
    return (heat * mask).sum((1, 2)) / outside


@wrong("07.4")
def energy_with_a_large_guard(heat, mask):
    return (heat * mask).sum((1, 2)) / (heat.sum((1, 2)) + 0.1)


wrong(
    "07.4",
    without_zero_guard=lambda heat, mask: (heat * mask).sum((1, 2)) / heat.sum((1, 2)),
    as_area=lambda heat, mask: mask.to(heat.dtype).mean((1, 2)),
)


# --- 07.5 -----------------------------------------------------------------------------


@right("07.5")
def grid_by_permute(tokens, h, w):
    cells = tokens[:, tokens.shape[1] - h * w :]
    return cells.reshape(len(tokens), h, w, -1).permute(0, 3, 1, 2)


@wrong("07.5")
def grid_always_dropping_one(tokens, h, w):
    cells = tokens[:, 1 : 1 + h * w]
    return cells.transpose(1, 2).reshape(len(tokens), -1, h, w)


@wrong("07.5")
def grid_keeping_the_class_token(tokens, h, w):
    return tokens[:, : h * w].transpose(1, 2).reshape(len(tokens), -1, h, w)


@wrong("07.5")
def grid_without_transposing(tokens, h, w):
    return tokens[:, -h * w :].reshape(len(tokens), -1, h, w)


@wrong("07.5")
def grid_of_squares(tokens, h, w):
    side = int((h * w) ** 0.5)
    return grid_by_permute(tokens, side, side)


right(
    "07.5",
    by_fold=lambda tokens, h, w: F.fold(tokens[:, -h * w :].mT, (h, w), 1),
)


wrong(
    "07.5",
    by_columns=lambda tokens, h, w: grid_by_permute(tokens, w, h).transpose(2, 3),
    with_channels_last=lambda tokens, h, w: tokens[:, -h * w :].unflatten(1, (h, w)),
)
