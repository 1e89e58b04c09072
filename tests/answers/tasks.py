"""Answers to the exercises of notebook 01: right ones, and mistakes students make."""

import math
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torchvision import ops, tv_tensors
from torchvision.transforms.v2.functional import horizontal_flip

from tests.answers import right, wrong

# --- §1.1 -----------------------------------------------------------------------------

right(
    "§1.1",
    by_shapes=lambda K, N, H, W: (
        math.prod((1, K, H, W)) - sum(map(math.prod, [(N, 4), (N,), (N,)]))
    ),
    by_tensors=lambda K, N, H, W: (
        torch.zeros(1, K, H, W).numel() - torch.zeros(N, 6).numel()
    ),
)
wrong(
    "§1.1",
    of_boxes_alone=lambda K, N, H, W: K * H * W - 4 * N,
    without_scores=lambda K, N, H, W: K * H * W - 5 * N,
    class_as_logits=lambda K, N, H, W: K * H * W - (5 + K) * N,
    of_one_class=lambda K, N, H, W: H * W - 6 * N,
    other_way=lambda K, N, H, W: 6 * N - K * H * W,
    never_negative=lambda K, N, H, W: max(K * H * W - 6 * N, 0),
    distance=lambda K, N, H, W: abs(K * H * W - 6 * N),
    square_picture=lambda K, N, H, W: K * H * H - 6 * N,
    one_thing=lambda K, N, H, W: K * H * W - 6,
)

# --- §1.2 -----------------------------------------------------------------------------

right(
    "§1.2",
    through_union=lambda a, b, t: a + b - (a + b) / (1 + t),
    by_tensors=lambda a, b, t: torch.tensor(a + b) * t / (1 + t),
)
wrong(
    "§1.2",
    sum_for_union=lambda a, b, t: t * (a + b),
    half_of_sum=lambda a, b, t: t * (a + b) / 2,
    of_the_smaller=lambda a, b, t: t * min(a, b),
    of_the_larger=lambda a, b, t: t * max(a, b),
    other_sign=lambda a, b, t: t * (a + b) / (2 - t),
    union=lambda a, b, t: (a + b) / (1 + t),
    product=lambda a, b, t: t * a * b / (a + b),
    whole_numbers=lambda a, b, t: t * (a + b) // (1 + t),
)

# --- §1.3 -----------------------------------------------------------------------------

right(
    "§1.3",
    by_angle=lambda f, height, top, bottom: height / ((bottom - top) / f),
    by_tensors=lambda f, height, top, bottom: (
        torch.tensor(f) * height / (torch.tensor(bottom) - top)
    ),
)
wrong(
    "§1.3",
    top_minus_bottom=lambda f, height, top, bottom: f * height / (top - bottom),
    of_bottom=lambda f, height, top, bottom: f * height / bottom,
    of_middle=lambda f, height, top, bottom: 2 * f * height / (top + bottom),
    inverse=lambda f, height, top, bottom: (bottom - top) / f / height,
    height_below=lambda f, height, top, bottom: f * (bottom - top) / height,
    focus_below=lambda f, height, top, bottom: height * (bottom - top) / f,
    pixels_inclusive=lambda f, height, top, bottom: f * height / (bottom - top + 1),
    whole_metres=lambda f, height, top, bottom: f * height // (bottom - top),
    without_height=lambda f, height, top, bottom: f / (bottom - top),
)

# --- §1.4 -----------------------------------------------------------------------------

right(
    "§1.4",
    by_set=lambda panoptic, label: len(
        {code for code in panoptic.flatten().tolist() if code // 1000 == label}
    ),
    by_segments=lambda panoptic, label: (panoptic.unique() // 1000 == label).sum(),
)
wrong(
    "§1.4",
    pixels=lambda panoptic, label: (panoptic // 1000 == label).sum(),
    largest_number=lambda panoptic, label: (
        (panoptic % 1000)[panoptic // 1000 == label].amax(0, keepdim=True)[0]
        if (panoptic // 1000 == label).any()
        else 0
    ),
    all_things=lambda panoptic, label: len((panoptic % 1000).unique()) - 1,
    all_segments=lambda panoptic, label: len(panoptic.unique()),
    presence=lambda panoptic, label: int((panoptic // 1000 == label).any()),
    one_less=lambda panoptic, label: max(
        0, (panoptic.unique() // 1000 == label).sum().item() - 1
    ),
    runs=lambda panoptic, label: (
        panoptic.flatten().unique_consecutive() // 1000 == label
    ).sum(),
    by_number=lambda panoptic, label: (panoptic.unique() % 1000 == label).sum(),
)

# --- §1.5 -----------------------------------------------------------------------------

right(
    "§1.5",
    class_by_class=lambda pixels: np.mean(
        [n / sum(pixels) * (i == np.argmax(pixels)) for i, n in enumerate(pixels)]
    ),
    by_tensors=lambda pixels: (
        torch.tensor(pixels).double().max() / sum(pixels) / len(pixels)
    ),
)
wrong(
    "§1.5",
    accuracy=lambda pixels: max(pixels) / sum(pixels),
    first_class=lambda pixels: pixels[0] / sum(pixels) / len(pixels),
    one_for_the_class=lambda pixels: 1 / len(pixels),
    mean_share=lambda pixels: sum(n / sum(pixels) for n in pixels) / len(pixels),
    over_other_classes=lambda pixels: (
        max(pixels) / sum(pixels) / max(len(pixels) - 1, 1)
    ),
    against_the_rest=lambda pixels: (
        max(pixels) / max(sum(pixels) - max(pixels), 1) / len(pixels)
    ),
    union_twice=lambda pixels: max(pixels) / (sum(pixels) + max(pixels)) / len(pixels),
    in_percent=lambda pixels: 100 * max(pixels) / sum(pixels) / len(pixels),
    zero=lambda pixels: 0.0,
)

# --- §1.6 -----------------------------------------------------------------------------

right(
    "§1.6",
    root=lambda gain: math.sqrt(10 ** (gain / 10)),
    by_tensors=lambda gain: torch.tensor(10.0) ** (gain / 20),
    by_exponent=lambda gain: math.exp(gain * math.log(10) / 20),
)
wrong(
    "§1.6",
    of_squares=lambda gain: 10 ** (gain / 10),
    upside_down=lambda gain: 10 ** (-gain / 20),
    natural=lambda gain: math.exp(gain / 20),
    binary=lambda gain: 2 ** (gain / 20),
    linear=lambda gain: 1 + gain / 20,
    proportional=lambda gain: gain / 20,
    three_decibels_are_two=lambda gain: 2 ** (gain / 3),
    six_decibels_are_two=lambda gain: 2 ** (gain / 6),
    of_size=lambda gain: 10 ** (abs(gain) / 20),
    whole_decades=lambda gain: 10 ** (gain // 20),
)

# --- §1.7 -----------------------------------------------------------------------------


@right("§1.7")
def copies_counted(pictures, known, limit):
    count = 0
    for picture in pictures:
        count += any((picture - other).norm() < limit for other in known)
    return count / len(pictures)


right(
    "§1.7",
    by_squares=lambda pictures, known, limit: (
        ((pictures[:, None] - known).square().sum(2) < limit**2)
        .any(1)
        .to(pictures)
        .mean()
    ),
)
wrong(
    "§1.7",
    of_known=lambda pictures, known, limit: (
        (torch.cdist(pictures, known).amin(0) < limit).double().mean().item()
    ),
    of_pairs=lambda pictures, known, limit: (
        (torch.cdist(pictures, known) < limit).double().mean().item()
    ),
    on_average=lambda pictures, known, limit: (
        (torch.cdist(pictures, known).mean(1) < limit).double().mean().item()
    ),
    of_the_farthest=lambda pictures, known, limit: (
        (torch.cdist(pictures, known).amax(1) < limit).double().mean().item()
    ),
    originals=lambda pictures, known, limit: (
        (torch.cdist(pictures, known).amin(1) >= limit).double().mean().item()
    ),
    counted=lambda pictures, known, limit: (
        (torch.cdist(pictures, known).amin(1) < limit).sum().item()
    ),
    squares=lambda pictures, known, limit: (
        ((pictures[:, None] - known).square().sum(2).amin(1) < limit)
        .double()
        .mean()
        .item()
    ),
    by_city_blocks=lambda pictures, known, limit: (
        (torch.cdist(pictures, known, p=1).amin(1) < limit).double().mean().item()
    ),
    flags=lambda pictures, known, limit: torch.cdist(pictures, known).amin(1) < limit,
)

# --- §1.8 -----------------------------------------------------------------------------

right(
    "§1.8",
    by_bincount=lambda predicted, true: (
        ((predicted == true).sum() - true.bincount().max()) / len(true)
    ),
    by_mode=lambda predicted, true: (
        (predicted == true).double().mean()
        - (true == true.mode().values).double().mean()
    ),
)
wrong(
    "§1.8",
    over_chance=lambda predicted, true: (
        (predicted == true).double().mean().item() - 1 / len(true.unique())
    ),
    common_of_predicted=lambda predicted, true: (
        (predicted == true).double().mean().item()
        - predicted.bincount().max().item() / len(true)
    ),
    common_of_predicted_in_truth=lambda predicted, true: (
        (predicted == true).double().mean().item()
        - (true == predicted.mode().values).double().mean().item()
    ),
    accuracy=lambda predicted, true: (predicted == true).double().mean().item(),
    ratio=lambda predicted, true: (
        (predicted == true).sum().item() / true.bincount().max().item()
    ),
    never_negative=lambda predicted, true: max(
        0, ((predicted == true).sum() - true.bincount().max()).item() / len(true)
    ),
    counted=lambda predicted, true: (
        (predicted == true).sum() - true.bincount().max()
    ).item(),
    other_way=lambda predicted, true: (
        (true.bincount().max() - (predicted == true).sum()).item() / len(true)
    ),
    of_class_zero=lambda predicted, true: (
        ((predicted == true).sum() - (true == 0).sum()).item() / len(true)
    ),
    in_percent=lambda predicted, true: (
        100 * ((predicted == true).sum() - true.bincount().max()).item() / len(true)
    ),
)

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


def _error(x, y):
    return (x.double() - y.double()).square()


def _decibels(error, peak=255):
    return (10 * torch.log10(peak**2 / error)).mean().item()


wrong(
    "01.1",
    mean_of_rows=lambda x, y: _decibels(_error(x, y).mean(-1)),
    mean_of_channels=lambda x, y: _decibels(_error(x, y).mean((-2, -1))),
    of_first_channel=lambda x, y: psnr(x[0], y[0]),
    of_first_row=lambda x, y: psnr(x[..., 0, :], y[..., 0, :]),
    with_256_levels=partial(psnr, peak=256),
    with_own_peak=lambda x, y: psnr(x, y, peak=x.max().double()),
    of_largest_error=partial(psnr, total=torch.amax),
    of_median=partial(psnr, total=torch.median),
    in_int8=lambda x, y: psnr(x.to(torch.int8), y.to(torch.int8)),
    capped=lambda x, y: min(psnr(x, y), 100.0),
    with_epsilon=lambda x, y: _decibels(_error(x, y).mean() + 1),
    of_spread=lambda x, y: _decibels((x.double() - y.double()).var(correction=0)),
    rounded=lambda x, y: float(round(psnr(x, y))) if (x != y).any() else math.inf,
    of_root=lambda x, y: _decibels(_error(x, y).mean().sqrt(), 255**0.5),
    identical_is_zero=lambda x, y: psnr(x, y) if (x != y).any() else 0.0,
    of_unequal_pixels=lambda x, y: _decibels(_error(x, y)[x != y].mean()),
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


@wrong("01.2")
def flip_only_left_edge(boxes, width):
    _, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([width - x1, y0, x1, y1], -1)


@wrong("01.2")
def flip_as_xywh(boxes, width):
    x, y, w, h = boxes.unbind(-1)
    return torch.stack([width - x - w, y, w, h], -1)


@wrong("01.2")
def flip_in_place_and_copy(boxes, width):
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes.clone()


@wrong("01.2")
def flip_within_the_picture(boxes, width):
    return flip_by_index(boxes, width).clamp(min=0)


wrong(
    "01.2",
    both_ways=lambda boxes, width: width - boxes[:, [2, 3, 0, 1]],
    to_whole_pixels=lambda boxes, width: flip_by_index(boxes, width).round(),
    about_middle_pixel=lambda boxes, width: flip_by_index(boxes, width // 2 * 2),
    about_last_box=lambda boxes, width: flip_by_index(boxes, boxes[:, 2].max()),
    in_other_order=lambda boxes, width: flip_by_index(boxes, width).flip(0),
    columns_for_rows=lambda boxes, width: flip_by_index(boxes, width)[:, [1, 0, 3, 2]],
    of_absolute=lambda boxes, width: flip_by_index(boxes, width).abs(),
    in_integers=lambda boxes, width: flip_by_index(boxes, width).long(),
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


@wrong("01.3")
def boxes_of_counts(masks):
    """Width and height are numbers of used columns and rows: no gaps expected."""
    boxes = boxes_by_loop(masks)
    boxes[:, 2] = boxes[:, 0] + masks.any(1).sum(1)
    boxes[:, 3] = boxes[:, 1] + masks.any(2).sum(1)
    return boxes


@wrong("01.3")
def boxes_of_first_and_last(masks):
    """The first and the last pixel in reading order are taken for the corners."""
    boxes = boxes_by_loop(masks)
    for box, mask in zip(boxes, masks, strict=True):
        if mask.any():
            box[0], box[2] = mask.nonzero()[0, 1], mask.nonzero()[-1, 1] + 1
    return boxes


@wrong("01.3")
def boxes_failing_on_none(masks):
    return torch.stack([boxes_by_loop(mask[None])[0] for mask in masks])


@wrong("01.3")
def boxes_of_largest_masks(masks):
    full = masks.flatten(1).sum(1) > 1
    return boxes_by_loop(masks) * full[:, None]


@wrong("01.3")
def boxes_square(masks):
    boxes = boxes_by_loop(masks)
    side = (boxes[:, 2:] - boxes[:, :2]).amax(1, True)
    return torch.cat([boxes[:, :2], boxes[:, :2] + side], 1)


wrong(
    "01.3",
    of_all_together=lambda masks: boxes_by_loop(masks.any(0)[None]).expand(-1, 4),
    without_empty=lambda masks: boxes_by_loop(masks[masks.flatten(1).any(1)]),
    from_one=lambda masks: boxes_by_loop(masks) + boxes_by_loop(masks).sign(),
    from_below=lambda masks: boxes_by_loop(masks.flip(1)),
    in_int32=lambda masks: boxes_by_loop(masks).int(),
    squeezed=lambda masks: boxes_by_loop(masks).squeeze(0),
    with_a_margin=lambda masks: boxes_by_loop(masks) + torch.tensor([-1, -1, 1, 1]),
    of_inverse=lambda masks: boxes_by_loop(~masks),
    full_for_empty=lambda masks: (
        boxes_by_loop(masks)
        + torch.tensor([0, 0, masks.shape[2], masks.shape[1]])
        * ~masks.flatten(1).any(1)[:, None]
    ),
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


wrong(
    "01.4",
    transposed=lambda a, b: mask_iou_by_product(b, a),
    over_second=lambda a, b: mask_iou_over_first(b, a).T,
    whole_division=lambda a, b: mask_iou_by_product(a, b).floor(),
    over_both_areas=lambda a, b: mask_dice(a, b) / 2,
    over_smaller=lambda a, b: (
        _overlap(a, b)[0] / torch.minimum(*_overlap(a, b)[1:]).clamp(min=1)
    ),
    over_difference=lambda a, b: (
        _overlap(a, b)[0]
        / (_overlap(a, b)[1] + _overlap(a, b)[2] - 2 * _overlap(a, b)[0]).clamp(min=1)
    ),
    two_empty_are_equal=lambda a, b: (
        mask_iou_by_product(a, b) + ~(a.any((1, 2))[:, None] | b.any((1, 2)))
    ),
    smoothed=lambda a, b: (
        (_overlap(a, b)[0] + 1)
        / (_overlap(a, b)[1] + _overlap(a, b)[2] - _overlap(a, b)[0] + 1)
    ),
    with_epsilon=lambda a, b: mask_iou_by_product(a, b) + 1e-6,
    in_float32=partial(mask_iou_by_product, dtype=torch.float32),
    in_half=lambda a, b: mask_iou_by_product(a, b, torch.half).to(mask_dice(a, b)),
    rounded=lambda a, b: mask_iou_by_product(a, b).round(decimals=2),
    by_rows=lambda a, b: (
        (a[:, None] & b).sum(3) / (a[:, None] | b).sum(3).clamp(min=1)
    ).mean(2, dtype=torch.get_default_dtype()),
    of_flat_pixels=lambda a, b: (
        (a[:, None] & b).any(3).sum(2) / (a[:, None] | b).any(3).sum(2).clamp(min=1)
    ).to(torch.get_default_dtype()),
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


def _spoilt(change):
    """The right coordinates of a changed depth and camera."""
    return lambda depth, K: unproject_by_formula(*change(depth, K))


@wrong("01.5")
def unproject_along_rays(depth, K):
    """Depth taken for the distance to the camera."""
    points = unproject_by_formula(depth, K)
    return points * (depth / points.norm(dim=-1))[..., None]


@wrong("01.5")
def unproject_with_middle_of_map(depth, K):
    K = K.clone()
    K[:2, 2] = torch.tensor(depth.shape[::-1]) / 2
    return unproject_by_formula(depth, K)


@wrong("01.5")
def unproject_rows_for_columns(depth, K):
    return unproject_by_formula(depth.T, K).transpose(0, 1)


wrong(
    "01.5",
    transposed_camera=_spoilt(lambda depth, K: (depth, K.T)),
    inverse_depth=_spoilt(lambda depth, K: (1 / depth, K)),
    swapped_focal_lengths=_spoilt(
        lambda depth, K: (depth, K * K[[1, 0, 2]].sum(1, True) / K.sum(1, True))
    ),
    with_flipped_y=lambda depth, K: (
        unproject_by_formula(depth, K) * torch.tensor([1, -1, 1])
    ),
    with_unit_z=lambda depth, K: unproject_by_formula(depth, K) / depth[..., None],
    centre_added=_spoilt(lambda depth, K: (depth, K * torch.tensor([1, 1, -1]))),
    whole_steps=partial(unproject_by_formula, centre=1),
    without_focal_length=_spoilt(
        lambda depth, K: (depth, K - K.diag().diag() + torch.eye(3))
    ),
    multiplied=_spoilt(
        lambda depth, K: (depth, K - K.diag().diag() + (1 / K).diag().diag())
    ),
    mean_focal_length=_spoilt(
        lambda depth, K: (
            depth,
            K
            - K.diag().diag()
            + torch.stack([K[:2, :2].diag().mean()] * 2 + [K[2, 2]]).diag(),
        )
    ),
    flattened=lambda depth, K: unproject_by_formula(depth, K).flatten(0, 1),
    homogeneous=lambda depth, K: F.pad(unproject_by_formula(depth, K), [0, 1], value=1),
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


def _painted(order):
    """The map when the masks are painted in this order: the last one wins."""

    def answer(semantic, masks, labels, scores):
        result = semantic * 1000
        ranks = scores.argsort(descending=True).argsort() + 1
        for k in order(masks, labels, scores).tolist():
            result[masks[k]] = labels[k] * 1000 + ranks[k]
        return result

    return answer


@wrong("01.6")
def panoptic_of_visible(semantic, masks, labels, scores):
    """Things that are wholly hidden get no number."""
    result, seen, number = semantic * 1000, torch.zeros_like(semantic).bool(), 0
    for k in scores.argsort(descending=True).tolist():
        mine = masks[k] & ~seen
        number += bool(mine.any())
        result[mine] = labels[k] * 1000 + number
        seen |= mine
    return result


@wrong("01.6")
def panoptic_disputed_is_stuff(semantic, masks, labels, scores):
    result = panoptic(semantic, masks, labels, scores)
    disputed = masks.sum(0) > 1
    result[disputed] = semantic[disputed] * 1000
    return result


@wrong("01.6")
def panoptic_of_sure(semantic, masks, labels, scores):
    sure = scores >= 0.5
    return panoptic(semantic, masks[sure], labels[sure], scores[sure])


@wrong("01.6")
def panoptic_of_best_only(semantic, masks, labels, scores):
    return panoptic(semantic, masks[:1], labels[:1], scores[:1])


wrong(
    "01.6",
    larger_mask_wins=_painted(lambda masks, *_: masks.sum((1, 2)).argsort()),
    smaller_mask_wins=_painted(
        lambda masks, *_: masks.sum((1, 2)).argsort(descending=True)
    ),
    larger_label_wins=_painted(lambda masks, labels, scores: labels.argsort()),
    last_mask_wins=_painted(lambda masks, *_: torch.arange(len(masks))),
    by_hundreds=lambda *given: panoptic(*given) // 1000 * 100 + panoptic(*given) % 1000,
    number_first=lambda *given: (
        panoptic(*given) % 1000 * 1000 + panoptic(*given) // 1000
    ),
    stuff_is_numbered=lambda *given: panoptic(*given) + (panoptic(*given) % 1000 == 0),
    in_float=lambda *given: panoptic(*given).double(),
    in_int32=lambda *given: panoptic(*given).int(),
    added_to_stuff=lambda semantic, *rest: (
        panoptic(semantic, *rest)
        + 1000 * semantic * (panoptic(semantic, *rest) % 1000 > 0)
    ),
    without_numbers=lambda *given: panoptic(*given) // 1000 * 1000,
    always_one=lambda *given: (
        panoptic(*given) // 1000 * 1000 + (panoptic(*given) % 1000 > 0)
    ),
)
