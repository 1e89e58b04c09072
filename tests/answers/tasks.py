"""Answers to the exercises of notebook 01: right ones, and mistakes students make."""

import math
from functools import partial

import numpy as np
import torch
from torchvision import ops, tv_tensors
from torchvision.transforms.v2.functional import horizontal_flip

from tests.answers import right, wrong

# --- 01.1 -----------------------------------------------------------------------------


@right("01.1")
def psnr_by_formula(x, y):
    error = (x.double() - y.double()).pow(2).mean().item()
    return 10 * math.log10(255**2 / error) if error else math.inf


@right("01.1")
def psnr_by_library(x, y):
    from skimage.metrics import peak_signal_noise_ratio  # slow to import

    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=255))


@right("01.1")
def psnr(x, y, *, peak=255, log=torch.log10, power=torch.square, total=torch.mean):
    """The right value, or one with a single named mistake."""
    return (10 * log(peak**2 / total(power(x.double() - y.double())))).item()


wrong(
    "01.1",
    overflowing=lambda x, y: psnr(x - y, torch.zeros_like(x)),
    for_unit_range=partial(psnr, peak=1),
    natural_logarithm=partial(psnr, log=torch.log),
    of_sum=partial(psnr, total=torch.sum),
    of_absolute_error=partial(psnr, power=torch.abs),
    as_tensor=lambda x, y: torch.tensor(psnr(x, y)),
)


# --- 01.2 -----------------------------------------------------------------------------


@right("01.2")
def flip_by_index(boxes, width):
    x = width - boxes[:, [2, 0]]
    return torch.stack([x[:, 0], boxes[:, 1], x[:, 1], boxes[:, 3]], 1)


@right("01.2")
def flip_by_torchvision(boxes, width):
    wrapped = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(100, width))
    return horizontal_flip(wrapped).as_subclass(torch.Tensor)


@wrong("01.2")
def flip_upside_down(boxes, width):
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([x0, width - y1, x1, width - y0], -1)


@wrong("01.2")
def flip_in_place(boxes, width):
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes


wrong(
    "01.2",
    without_swap=lambda boxes, width: flip_by_index(boxes, width)[:, [2, 1, 0, 3]],
    by_pixel_numbers=lambda boxes, width: flip_by_index(boxes, width - 1),
    one_box=lambda boxes, width: flip_by_index(boxes, width)[0],
)


# --- 01.3 -----------------------------------------------------------------------------


@right("01.3")
def boxes_by_loop(masks):
    result = []
    for mask in masks:
        y, x = mask.nonzero().T
        result.append(
            [int(v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1)]
            if len(x)
            else [0] * 4
        )
    return torch.tensor(result, dtype=torch.int64).reshape(-1, 4)


@right("01.3")
def boxes_by_projection(masks):
    boxes = []
    for axis in (1, 2):
        line = masks.any(axis).int()  # columns, then rows
        size = line.shape[1]
        low = line.argmax(1) if len(line) else torch.zeros(0, dtype=torch.int64)
        high = size - line.flip(1).argmax(1) if len(line) else low
        boxes += [low, high]
    x0, x1, y0, y1 = boxes
    return torch.stack([x0, y0, x1, y1], 1) * masks.flatten(1).any(1)[:, None]


@wrong("01.3")
def boxes_of_last_pixels(masks):
    full = boxes_by_loop(masks)
    return full - torch.tensor([0, 0, 1, 1]) * (full[:, 2:3] > 0)


@wrong("01.3")
def boxes_failing_on_empty(masks):
    return torch.stack(
        [
            torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1])
            for y, x in (mask.nonzero(as_tuple=True) for mask in masks)
        ]
    )


@wrong("01.3")
def boxes_xywh(masks):
    boxes = boxes_by_loop(masks)
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


wrong(
    "01.3",
    rows_first=lambda masks: boxes_by_loop(masks)[:, [1, 0, 3, 2]],
    in_float=lambda masks: boxes_by_loop(masks).float(),
    masks_to_boxes=ops.masks_to_boxes,
)


# --- 01.4 -----------------------------------------------------------------------------


@right("01.4")
def mask_iou_by_loop(a, b):
    result = torch.zeros(len(a), len(b))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            if either := (p | q).sum():
                result[i, j] = (p & q).sum() / either
    return result


def _overlap(a, b, dtype=None):
    """Pixels common to both (N, M), of the first (N, 1) and of the second (M,)."""
    a, b = (x.flatten(1).to(dtype or torch.get_default_dtype()) for x in (a, b))
    return a @ b.T, a.sum(1, keepdim=True), b.sum(1)


@right("01.4")
def mask_iou_by_product(a, b, dtype=None):
    both, first, second = _overlap(a, b, dtype)
    return both / (first + second - both).clamp(min=1)


@wrong("01.4")
def mask_iou_nan(a, b):
    both, first, second = _overlap(a, b)
    return both / (first + second - both)


@wrong("01.4")
def mask_dice(a, b):
    both, first, second = _overlap(a, b)
    return 2 * both / (first + second).clamp(min=1)


@wrong("01.4")
def mask_iou_over_first(a, b):
    both, first, _ = _overlap(a, b)
    return both / first.clamp(min=1)


@wrong("01.4")
def mask_iou_of_boxes(a, b):
    dtype = torch.get_default_dtype()
    first, second = (boxes_by_loop(x).to(dtype) for x in (a, b))
    return ops.box_iou(first, second).nan_to_num()


wrong(
    "01.4",
    pairwise=lambda a, b: (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp(min=1),
    in_bytes=partial(mask_iou_by_product, dtype=torch.uint8),  # sums overflow
)


# --- 01.5 -----------------------------------------------------------------------------


@right("01.5")
def unproject_by_formula(depth, K, centre=0.5):
    H, W = depth.shape
    u = torch.arange(W)[None, :] + centre
    v = torch.arange(H)[:, None] + centre
    x = (u - K[0, 2]) * depth / K[0, 0]
    y = (v - K[1, 2]) * depth / K[1, 1]
    return torch.stack([x, y, depth], -1)


@right("01.5")
def unproject_by_inverse(depth, K):
    H, W = depth.shape
    v, u = torch.meshgrid(torch.arange(H) + 0.5, torch.arange(W) + 0.5, indexing="ij")
    rays = torch.stack([u, v, torch.ones_like(u)], -1) @ torch.linalg.inv(K).T
    return rays * depth[..., None]


@wrong("01.5")
def unproject_without_depth(depth, K):
    good = unproject_by_formula(depth, K)
    return torch.cat([good[..., :2] / good[..., 2:], good[..., 2:]], -1)


wrong(
    "01.5",
    corners_of_pixels=partial(unproject_by_formula, centre=0),
    without_centre=lambda depth, K: unproject_by_formula(depth, K * torch.eye(3)),
    one_focal_length=lambda depth, K: unproject_by_formula(depth, K[[0, 0, 2]]),
    swapped=lambda depth, K: unproject_by_formula(depth, K)[..., [1, 0, 2]],
    channels_first=lambda depth, K: unproject_by_formula(depth, K).movedim(-1, 0),
)


# --- 01.6 -----------------------------------------------------------------------------


@right("01.6")
def panoptic_by_free_pixels(semantic, masks, labels, scores):
    result, free = 1000 * semantic, torch.ones_like(semantic, dtype=torch.bool)
    for number, k in enumerate(scores.argsort(descending=True).tolist(), 1):
        mine = masks[k] & free
        result[mine] = 1000 * labels[k] + number
        free &= ~mine
    return result


@right("01.6")
def panoptic(semantic, masks, labels, scores, *, first=1, last_wins=False, given=False):
    """The right map, or one with a single named mistake."""
    result = semantic * 1000
    numbered = list(enumerate(scores.argsort(descending=True).tolist(), first))
    for number, k in numbered if last_wins else reversed(numbered):
        result[masks[k]] = labels[k] * 1000 + (k + 1 if given else number)
    return result


@wrong("01.6")
def panoptic_numbers_per_class(semantic, masks, labels, scores):
    result = semantic * 1000
    order = scores.argsort(descending=True).tolist()
    for place in reversed(range(len(order))):
        k = order[place]
        number = sum(bool(labels[j] == labels[k]) for j in order[: place + 1])
        result[masks[k]] = labels[k] * 1000 + number
    return result


wrong(
    "01.6",
    last_wins=partial(panoptic, last_wins=True),
    given_numbers=partial(panoptic, given=True),
    from_zero=partial(panoptic, first=0),
    without_stuff=lambda semantic, *things: panoptic(0 * semantic, *things),
    sorted_upwards=lambda s, m, labels, scores: panoptic(s, m, labels, -scores),
)
