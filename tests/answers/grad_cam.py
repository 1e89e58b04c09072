"""Answers to the exercises of notebook 07: right ones, and mistakes students make."""

from functools import partial

import torch
import torch.nn.functional as F
from torchvision.ops import box_convert

from tests.answers import right, wrong

# --- 07.1 -----------------------------------------------------------------------------


@right("07.1")
def weights(G, A, *, weight=lambda A: A, of=lambda G: G, over=(2, 3), least=1e-300):
    """The right weights, or ones with a single named mistake."""
    A = weight(A)
    least = max(least, torch.finfo(A.dtype).tiny)
    return (of(G) * A).sum(over) / A.sum(over).clamp(min=least)


@right("07.1")
def weights_by_einsum(G, A):
    total = torch.einsum("bkij->bk", A)
    return torch.where(total > 0, torch.einsum("bkij,bkij->bk", G, A) / total, 0)


wrong(
    "07.1",
    by_mean=lambda G, A: G.mean((2, 3)),
    by_sum=lambda G, A: (G * A).sum((2, 3)),
    by_mean_of_products=lambda G, A: (G * A).mean((2, 3)),
    swapped=lambda G, A: weights(A, G),
    of_absolute_gradient=partial(weights, of=torch.abs),
    of_positive_gradient=partial(weights, of=F.relu),
    where_active=partial(weights, weight=lambda A: (A > 0).to(A)),
    by_softmax=partial(weights, weight=lambda A: A.flatten(2).softmax(2).view_as(A)),
    of_the_brightest=partial(weights, weight=lambda A: A * (A.amax((2, 3), True) == A)),
    by_peak=lambda G, A: (G * A).sum((2, 3)) / A.amax((2, 3)).clamp(min=1e-30),
    over_batch=lambda *given: weights(*given, over=(0, 2, 3)).expand(len(given[0]), -1),
    over_channels=partial(weights, over=1),
    by_whole_map=lambda G, A: (G * A).sum((2, 3)) / A.sum((1, 2, 3))[:, None],
    with_a_large_guard=partial(weights, least=1e-4),
    without_zero_guard=lambda G, A: (G * A).sum((2, 3)) / A.sum((2, 3)),
    silent_by_mean=lambda G, A: torch.where(
        A.sum((2, 3)) > 0, weights(G, A), G.mean((2, 3))
    ),
    kept_as_map=lambda G, A: weights(G, A)[:, :, None, None],
)


# --- 07.2 -----------------------------------------------------------------------------


@right("07.2")
def cam(A, head, classes, *, bias=1.0, gate=lambda hidden: hidden > 0, cells=1.0):
    """The right map, or one with a single named mistake."""
    first, _, second = head
    hidden = A.mean((2, 3)) @ first.weight.T + bias * first.bias
    w = (second.weight[classes] * gate(hidden)) @ first.weight
    return torch.einsum("bk,bkij->bij", w, A) / cells


@right("07.2")
def cam_by_autograd(A, head, classes):
    mean = A.mean((2, 3)).requires_grad_()
    scores = head(mean).gather(1, classes[:, None]).sum()
    (w,) = torch.autograd.grad(scores, mean)
    return (w[:, :, None, None] * A).sum(1)


@right("07.2")
def cam_of_gradients(A, head, classes):
    """Grad-CAM without its ReLU, times the number of cells, a picture at a time."""
    maps = []
    for image, c in zip(A.detach(), classes.tolist(), strict=True):
        image = image.clone().requires_grad_()
        head(image.mean((1, 2)))[c].backward()
        maps.append((image.grad.sum((1, 2), keepdim=True) * image).sum(0).detach())
    return torch.stack(maps)


wrong(
    "07.2",
    without_relu=partial(cam, gate=torch.ones_like),
    with_relu_for_its_gradient=partial(cam, gate=torch.relu),
    of_closed_units=partial(cam, gate=lambda hidden: hidden <= 0),
    gate_of_the_first=partial(cam, gate=lambda hidden: hidden[:1] > 0),
    gate_of_the_batch=partial(cam, gate=lambda hidden: hidden.mean(0) > 0),
    without_bias=partial(cam, bias=0),
    of_first_class=lambda A, head, c: cam(A, head, c[:1].expand_as(c)),
    of_the_answer=lambda A, head, c: cam(A, head, head(A.mean((2, 3))).argmax(1)),
    after_relu=lambda *given: cam(*given).relu(),
    divided_by_cells=lambda A, *given: cam(A, *given, cells=A[0, 0].numel()),
    in_each_cell=lambda A, head, c: head(A.movedim(1, 3)).movedim(3, 1)[
        torch.arange(len(A)), c
    ],
    of_all_classes=lambda A, head, classes: torch.stack(
        [
            cam(A, head, torch.full_like(classes, c))
            for c in range(head[2].out_features)
        ],
        1,
    ),
    of_largest_class_score=lambda A, head, c: torch.einsum(
        "bk,bkij->bij", (head[2].weight @ head[0].weight).amax(0).expand(len(A), -1), A
    ),
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


def _hits_at(row, column, boxes):
    return _inside(column + 0.5, row + 0.5, boxes)


@wrong("07.3")
def hits_of_the_centre_of_mass(heat, boxes):
    share = heat / heat.sum((1, 2), keepdim=True)
    rows, columns = share.sum(2), share.sum(1)
    row = rows @ torch.arange(rows.shape[1]).to(heat)
    return _hits_at(row, columns @ torch.arange(columns.shape[1]).to(heat), boxes)


@wrong("07.3")
def hits_of_any_bright_pixel(heat, boxes):
    bright = (heat > 0.8 * heat.amax((1, 2), keepdim=True)).nonzero()
    hit = torch.zeros(len(heat), dtype=torch.bool)
    for b, row, column in bright:
        hit[b] |= _hits_at(row[None], column[None], boxes[b][None])[0]
    return hit


wrong(
    "07.3",
    as_boxes_of_size=lambda heat, boxes: hits_by_division(
        heat, box_convert(boxes, "xywh", "xyxy")
    ),
    of_the_darkest_pixel=lambda heat, boxes: hits_by_division(-heat, boxes),
    swapping_x_and_y=lambda heat, boxes: hits_by_division(heat.mT, boxes),
    averaged=lambda heat, boxes: hits_by_division(heat, boxes).double().mean(),
    of_the_corner=lambda heat, boxes: _inside(*_peak(heat)[::-1], boxes),
    of_the_far_corner=lambda heat, boxes: _inside(
        _peak(heat)[1] + 1, _peak(heat)[0] + 1, boxes
    ),
    with_centres_one_row_below=lambda heat, boxes: _inside(
        _peak(heat)[1] + 0.5, _peak(heat)[0] + 1.5, boxes
    ),
    with_centres_one_row_above=lambda heat, boxes: _inside(
        _peak(heat)[1] + 0.5, _peak(heat)[0] - 0.5, boxes
    ),
    in_whole_boxes=lambda heat, boxes: hits_by_division(heat, boxes.long()),
    in_the_first_box=lambda heat, boxes: hits_by_division(
        heat, boxes[:1].expand(len(heat), -1)
    ),
    by_one_axis=lambda heat, boxes: (
        hits_by_division(heat, boxes)
        | (boxes[:, 0] < _peak(heat)[1] + 0.5) & (_peak(heat)[1] + 0.5 < boxes[:, 2])
    ),
    of_the_strongest_row=lambda heat, boxes: _hits_at(
        heat.sum(2).argmax(1), heat.sum(1).argmax(1), boxes
    ),
    of_absolute_brightness=lambda heat, boxes: hits_by_division(heat.abs(), boxes),
    of_positive_brightness=lambda heat, boxes: hits_by_division(heat.relu(), boxes),
    in_closed_boxes=lambda heat, boxes: ~hits_by_division(heat, boxes),
    as_numbers=lambda heat, boxes: hits_by_division(heat, boxes).to(heat),
    as_a_list=lambda heat, boxes: hits_by_division(heat, boxes).tolist(),
)


# --- 07.4 -----------------------------------------------------------------------------


def _sum(heat):
    return heat.sum((1, 2))


@right("07.4")
def energy(heat, mask, *, least=1e-300):
    """Both on the grid of h·H rows and w·W columns, in which every border lies."""
    (h, w), (H, W) = heat.shape[1:], mask.shape[1:]
    heat = heat.repeat_interleave(H, 1).repeat_interleave(W, 2)
    mask = mask.repeat_interleave(h, 1).repeat_interleave(w, 2)
    return _sum(heat * mask) / _sum(heat).clamp(
        min=max(least, torch.finfo(heat.dtype).tiny)
    )


def _overlap(cells, pixels, heat):
    """How much of each cell lies in each pixel: (cells, pixels), rows sum to one."""
    edge = torch.arange(cells + 1).to(heat) * pixels / cells
    pixel = torch.arange(pixels).to(heat)
    low = torch.maximum(edge[:-1, None], pixel)
    high = torch.minimum(edge[1:, None], pixel + 1)
    return (high - low).clamp(min=0) * cells / pixels


@right("07.4")
def energy_by_overlap(heat, mask):
    rows, columns = (
        _overlap(cells, pixels, heat)
        for cells, pixels in zip(heat.shape[1:], mask.shape[1:], strict=True)
    )
    inside = rows @ mask.to(heat) @ columns.T  # share of each cell in the mask
    return torch.nan_to_num(_sum(heat * inside) / _sum(heat))


def _stretched(mode, **how):
    def answer(heat, mask):
        return energy(
            F.interpolate(heat[:, None], mask.shape[1:], mode=mode)[:, 0], mask
        )

    return answer


def _shrunk(reduce):
    """The mask on the grid of the map: every pixel belongs to one cell only."""

    def answer(heat, mask):
        return energy(heat, reduce(mask.to(heat)[:, None], heat.shape[1:])[:, 0])

    return answer


wrong(
    "07.4",
    stretched_smoothly=_stretched("bilinear"),
    stretched_to_the_nearest=_stretched("nearest"),
    stretched_exactly_to_the_nearest=_stretched("nearest-exact"),
    shrunk_by_maximum=_shrunk(F.adaptive_max_pool2d),
    shrunk_by_mean=_shrunk(F.adaptive_avg_pool2d),
    shrunk_by_area=_shrunk(partial(F.interpolate, mode="area")),
    shrunk_to_the_nearest=_shrunk(F.interpolate),
    tiled=lambda heat, mask: energy(
        heat.repeat(1, *mask.shape[1:])[:, : mask.shape[1], : mask.shape[2]], mask
    ),
    per_pixel=lambda heat, mask: (
        energy(heat, mask) / mask.to(heat).mean((1, 2)).clamp(min=1e-9)
    ),
    of_the_batch=lambda heat, mask: (
        energy(heat, mask) * _sum(heat) / heat.sum().clamp(min=1e-30)
    ),
    of_all_pictures=lambda heat, mask: energy(heat.mean(0, True), mask),
    with_a_large_guard=lambda heat, mask: energy(heat, mask, least=1e-4),
    with_a_guard_of_one=lambda heat, mask: energy(heat, mask, least=1),
    with_an_added_guard=lambda heat, mask: (
        energy(heat, mask) * _sum(heat) / (_sum(heat) + 1e-6)
    ),
    without_zero_guard=lambda heat, mask: energy(heat, mask) / (_sum(heat) > 0),
    outside=lambda heat, mask: energy(heat, ~mask),
    as_area=lambda heat, mask: mask.to(heat).mean((1, 2)),
    of_blank_as_area=lambda heat, mask: torch.where(
        _sum(heat) > 0, energy(heat, mask), mask.to(heat).mean((1, 2))
    ),
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
    of_swapped_sides=lambda tokens, h, w: grid(tokens, w, h),
    from_below=lambda tokens, h, w: grid(tokens, h, w).flip(2),
    of_the_first_picture=lambda tokens, h, w: grid(tokens, h, w)[:1].expand(
        len(tokens), -1, -1, -1
    ),
    channels_backwards=lambda tokens, h, w: grid(tokens, h, w).flip(1),
    without_batch=lambda tokens, h, w: grid(tokens, h, w)[0],
    mixed_with_the_batch=lambda tokens, h, w: (
        tokens[:, -h * w :]
        .transpose(0, 1)
        .reshape(len(tokens), h, w, -1)
        .permute(0, 3, 1, 2)
    ),
    with_the_class_token_added=lambda tokens, h, w: (
        grid(tokens, h, w) + tokens[:, 0, :, None, None]
    ),
    normalised=lambda tokens, h, w: F.normalize(grid(tokens, h, w), dim=1),
    by_snake=lambda tokens, h, w: torch.cat(
        [
            row.flip(3) if i % 2 else row
            for i, row in enumerate(grid(tokens, h, w).split(1, 2))
        ],
        2,
    ),
    by_permuted_tokens=lambda tokens, h, w: (
        tokens[:, -h * w :].permute(0, 2, 1).reshape(len(tokens), -1, w, h)
    ),
)
