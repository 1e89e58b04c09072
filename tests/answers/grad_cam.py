"""Answers to the exercises of notebook 07: right ones, and mistakes students make."""

import math
import statistics
from functools import partial

import torch
import torch.nn.functional as F
from torchvision.ops import box_convert

from tests.answers import right, wrong

# --- §7.1 -----------------------------------------------------------------------------


def _accuracy(answers, kinds):
    return (answers == kinds).float().mean()


@right("§7.1")
def gain(answers, kinds, *, rival=lambda answers, kinds: kinds.bincount().max()):
    """The right gain, or one over another rival."""
    return _accuracy(answers, kinds) - rival(answers, kinds) / len(kinds)


@right("§7.1")
def gain_in_python(answers, kinds):
    kinds = kinds.tolist()
    right_ones = sum(a == k for a, k in zip(answers.tolist(), kinds, strict=True))
    return (right_ones - max(map(kinds.count, kinds))) / len(kinds)


wrong(
    "§7.1",
    over_a_quarter=lambda answers, kinds: _accuracy(answers, kinds) - 1 / 4,
    over_the_kinds_seen=lambda answers, kinds: (
        _accuracy(answers, kinds) - 1 / len(kinds.unique())
    ),
    over_the_favourite_answer=partial(gain, rival=lambda a, _: a.bincount().max()),
    over_the_rarest=partial(gain, rival=lambda _, kinds: kinds.bincount().min()),
    as_ratio=lambda answers, kinds: (
        _accuracy(answers, kinds) * len(kinds) / kinds.bincount().max()
    ),
    in_percent=lambda *given: 100 * gain(*given),
    in_pictures=lambda answers, kinds: (
        (answers == kinds).sum() - kinds.bincount().max()
    ),
    number_of_the_kind=partial(gain, rival=lambda _, kinds: kinds.mode().values),
    turned_round=lambda *given: -gain(*given),
    never_negative=lambda *given: gain(*given).clamp(min=0),
    chance_corrected=lambda answers, kinds: (
        gain(answers, kinds) / (1 - kinds.bincount().max() / len(kinds)).clamp(min=1e-9)
    ),
)

# --- §7.2 -----------------------------------------------------------------------------


right(
    "§7.2",
    in_the_cell=lambda alpha, A, i, j: (alpha * A[:, i, j]).argmax(),
    by_max=lambda alpha, A, i, j: max(
        range(len(A)), key=lambda k: alpha[k] * A[k, i, j]
    ),
)
wrong(
    "§7.2",
    brightest=lambda alpha, A, i, j: A[:, i, j].argmax(),
    heaviest=lambda alpha, A, i, j: alpha.argmax(),
    by_absolute_value=lambda alpha, A, i, j: (alpha * A[:, i, j]).abs().argmax(),
    row_and_column_swapped=lambda alpha, A, i, j: (
        alpha * A[:, min(j, A.shape[1] - 1), min(i, A.shape[2] - 1)]
    ).argmax(),
    of_the_sum=lambda alpha, A, i, j: (alpha + A[:, i, j]).argmax(),
    of_the_whole_map=lambda alpha, A, i, j: (alpha * A.sum((1, 2))).argmax(),
    most_against=lambda alpha, A, i, j: (alpha * A[:, i, j]).argmin(),
    from_one=lambda alpha, A, i, j: (alpha * A[:, i, j]).argmax() + 1,
    the_contribution_itself=lambda alpha, A, i, j: (alpha * A[:, i, j]).max(),
    brightest_of_those_for=lambda alpha, A, i, j: ((alpha > 0) * A[:, i, j]).argmax(),
)

# --- §7.3 -----------------------------------------------------------------------------


@right("§7.3")
def fall(w, A, i, j):
    return w @ A[:, i, j] / (A.shape[1] * A.shape[2])


@right("§7.3")
def fall_of_means(w, A, i, j):
    before = A.mean((1, 2)) @ w
    A[:, i, j] = 0
    return before - A.mean((1, 2)) @ w


wrong(
    "§7.3",
    of_the_cam=lambda w, A, i, j: w @ A[:, i, j],
    turned_round=lambda *given: -fall(*given),
    never_negative=lambda *given: fall(*given).clamp(min=0),
    of_positive_weights=lambda w, *given: fall(w.relu(), *given),
    by_channels_too=lambda w, *given: fall(w, *given) / len(w),
    by_height=lambda w, A, i, j: w @ A[:, i, j] / A.shape[1],
    by_the_other_cells=lambda w, A, i, j: w @ A[:, i, j] / (A[0].numel() - 1),
    flattened_by_height=lambda w, A, i, j: (
        w @ A.flatten(1)[:, min(i * A.shape[1] + j, A[0].numel() - 1)] / A[0].numel()
    ),
    in_shares=lambda w, A, i, j: fall(w, A, i, j) / (w @ A.mean((1, 2))),
    mean_of_the_rest=lambda w, A, i, j: (
        w @ A.mean((1, 2)) - w @ (A.sum((1, 2)) - A[:, i, j]) / max(A[0].numel() - 1, 1)
    ),
)

# --- §7.4 -----------------------------------------------------------------------------


@right("§7.4")
def slopes(S, c):
    p = S.softmax(0)
    own = torch.zeros_like(S)
    own[c] = 1
    return p[c] * (own - p)


@right("§7.4")
def slopes_by_autograd(S, c):
    S = S.clone().requires_grad_()
    S.softmax(0)[c].backward()
    return S.grad


wrong(
    "§7.4",
    of_logarithm=lambda S, c: slopes(S, c) / S.softmax(0)[c],
    of_own_scores=lambda S, c: S.softmax(0) * (1 - S.softmax(0)),
    turned_round=lambda S, c: -slopes(S, c),
    without_own=lambda S, c: -S.softmax(0)[c] * S.softmax(0),
    only_own=lambda S, c: slopes(S, c)[c],
    others_positive=lambda S, c: slopes(S, c).abs(),
    of_exponents=lambda S, c: (
        S.exp()[c] * (F.one_hot(torch.tensor(c), len(S)) - S.exp())
    ),
    times_own_of_each=lambda S, c: S.softmax(0) * slopes(S, c) / S.softmax(0)[c],
    of_the_answer=lambda S, c: slopes(S, S.argmax().item()),
    doubt=lambda S, c: 1 - S.softmax(0),
)

# --- §7.5 -----------------------------------------------------------------------------


@right("§7.5")
def half(curve, *, level=lambda curve: curve[0] / 2, none=-1):
    """The right step, or the one under another level."""
    low = [step for step, p in enumerate(curve) if p < level(curve)]
    return low[0] if low else none


@right("§7.5")
def half_by_argmax(curve):
    low = 2 * curve < curve[0]
    return low.int().argmax() if low.any() else -1


wrong(
    "§7.5",
    under_one_half=partial(half, level=lambda curve: 0.5),
    under_half_the_peak=lambda curve: half(curve / curve.max(), level=lambda _: 0.5),
    half_is_enough=lambda curve: half(curve, level=lambda c: c[0] / 2 + 1e-9),
    last_time=lambda curve: (
        len(curve) - 1 - half(curve.flip(0), level=lambda c: c[-1] / 2)
    ),
    how_often=lambda curve: (curve < curve[0] / 2).sum(),
    from_one=lambda curve: half(curve) + 1,
    last_above=lambda curve: half(curve) - 1,
    never_is_the_end=partial(half, none=0),
    never_is_length=lambda curve: half(curve) if half(curve) >= 0 else len(curve),
    by_search_in_order=lambda curve: torch.searchsorted(-curve, -curve[0] / 2),
    by_argmax_alone=lambda curve: (curve < curve[0] / 2).int().argmax(),
    stayed_below=lambda curve: (
        (curve >= curve[0] / 2).nonzero().max() + 1 if curve[-1] < curve[0] / 2 else -1
    ),
)

# --- §7.6 -----------------------------------------------------------------------------


def _sum_of_channels(alpha, A):
    return torch.einsum("k,kij->ij", alpha, A)


@right("§7.6")
def contrast(a, b, A):
    return F.relu(_sum_of_channels(a - b, A))


right(
    "§7.6",
    of_two_sums=lambda a, b, A: (
        _sum_of_channels(a, A) - _sum_of_channels(b, A)
    ).relu(),
)
wrong(
    "§7.6",
    of_two_maps=lambda a, b, A: (
        _sum_of_channels(a, A).relu() - _sum_of_channels(b, A).relu()
    ),
    relu_three_times=lambda a, b, A: (
        _sum_of_channels(a, A).relu() - _sum_of_channels(b, A).relu()
    ).relu(),
    turned_round=lambda a, b, A: contrast(b, a, A),
    without_relu=lambda a, b, A: _sum_of_channels(a - b, A),
    absolute=lambda a, b, A: _sum_of_channels(a - b, A).abs(),
    of_positive_weights=lambda a, b, A: _sum_of_channels((a - b).relu(), A),
    of_first=lambda a, b, A: _sum_of_channels(a, A).relu(),
    added=lambda a, b, A: contrast(a, -b, A),
    kept_by_channels=lambda a, b, A: ((a - b)[:, None, None] * A).relu(),
    averaged=lambda a, b, A: contrast(a, b, A) / len(A),
)

# --- §7.7 -----------------------------------------------------------------------------


@right("§7.7")
def shift(strides):
    return (math.prod(strides) - 1) / 2


@right("§7.7")
def shift_of_a_cell(strides):
    places = torch.arange(math.prod(strides)).float()  # the pixels of cell 0
    return places.mean()


wrong(
    "§7.7",
    summed=lambda strides: (sum(strides) - 1) / 2,
    of_each_layer=lambda strides: sum((s - 1) / 2 for s in strides),
    of_the_last=lambda strides: (strides[-1] - 1) / 2,
    of_powers_of_two=lambda strides: (2 ** len(strides) - 1) / 2,
    half_a_cell=lambda strides: math.prod(strides) / 2,
    whole=lambda strides: (math.prod(strides) - 1) // 2,
    not_halved=lambda strides: math.prod(strides) - 1,
    turned_round=lambda strides: -shift(strides),
    of_the_largest=lambda strides: (max(strides) ** len(strides) - 1) / 2,
    product_of_shifts=lambda strides: math.prod((s - 1) / 2 for s in strides),
)

# --- §7.8 -----------------------------------------------------------------------------


right(
    "§7.8",
    by_diff=lambda inside: (inside.diff(dim=1) > 0).all(1).float().mean(),
    by_rows=lambda inside: sum(a < b < c for a, b, c in inside.tolist()) / len(inside),
)
wrong(
    "§7.8",
    by_ends=lambda inside: (inside[:, 0] < inside[:, 2]).float().mean(),
    of_pairs=lambda inside: (inside.diff(dim=1) > 0).float().mean(),
    any_pair=lambda inside: (inside.diff(dim=1) > 0).any(1).float().mean(),
    also_equal=lambda inside: (inside.diff(dim=1) >= 0).all(1).float().mean(),
    along_columns=lambda inside: (inside.diff(dim=0) > 0).all(0).float().mean(),
    of_means=lambda inside: (inside.mean(0).diff() > 0).all().float(),
    count=lambda inside: (inside.diff(dim=1) > 0).all(1).sum(),
    in_percent=lambda inside: 100 * (inside.diff(dim=1) > 0).all(1).float().mean(),
    falling=lambda inside: (inside.diff(dim=1) < 0).all(1).float().mean(),
    all_repeats=lambda inside: float((inside.diff(dim=1) > 0).all()),
    largest_is_last=lambda inside: (inside.argmax(1) == 2).float().mean(),
)

# --- §7.9 -----------------------------------------------------------------------------


right(
    "§7.9",
    by_division=lambda y, x, height, width, P: 1 + y // P * (width // P) + x // P,
    by_map=lambda y, x, height, width, P: (
        1
        + torch.arange(height // P * (width // P))
        .view(height // P, -1)
        .repeat_interleave(P, 0)
        .repeat_interleave(P, 1)[y, x]
    ),
)
wrong(
    "§7.9",
    without_class_token=lambda y, x, h, w, P: y // P * (w // P) + x // P,
    by_columns=lambda y, x, h, w, P: 1 + x // P * (h // P) + y // P,
    rows_of_height=lambda y, x, h, w, P: 1 + y // P * (h // P) + x // P,
    x_and_y_swapped=lambda y, x, h, w, P: 1 + x // P * (w // P) + y // P,
    of_the_pixel=lambda y, x, h, w, P: 1 + (y * w + x) // P**2,
    rows_of_pixels=lambda y, x, h, w, P: 1 + y // P * w + x // P,
    class_token_last=lambda y, x, h, w, P: y // P * (w // P) + x // P + (y == 0),
    rounded=lambda y, x, h, w, P: 1 + round(y / P) * (w // P) + round(x / P),
    from_one_twice=lambda y, x, h, w, P: 2 + y // P * (w // P) + x // P,
    class_token_in_each_row=lambda y, x, h, w, P: 1 + y // P * (w // P + 1) + x // P,
)

# --- §7.10 ----------------------------------------------------------------------------


@right("§7.10")
def last_layer(A, w, *, cells=lambda A: A.shape[1] * A.shape[2]):
    """The right map, or one divided by something else."""
    return torch.einsum("k,kij->ij", w.clamp(min=0), A) / cells(A)


@right("§7.10")
def last_layer_by_autograd(A, w):
    A.requires_grad_()
    (A.mean((1, 2)) @ w).backward()
    return (A.grad.relu() * A.detach()).sum(0)


wrong(
    "§7.10",
    as_grad_cam=lambda A, w: _sum_of_channels(w, A).relu() / A[0].numel(),
    as_cam=lambda A, w: _sum_of_channels(w, A) / A[0].numel(),
    not_divided=partial(last_layer, cells=lambda A: 1),
    by_height=partial(last_layer, cells=lambda A: A.shape[1]),
    by_channels=partial(last_layer, cells=len),
    absolute_gradient=lambda A, w: last_layer(A, w.abs()),
    negative_gradient=lambda A, w: last_layer(A, -w),
    averaged_over_channels=lambda A, w: last_layer(A, w) / len(w),
    kept_by_channels=lambda A, w: w.relu()[:, None, None] * A / A[0].numel(),
    to_one=lambda A, w: last_layer(A, w) / last_layer(A, w).max().clamp(min=1e-9),
    gradient_alone=lambda A, w: (w.relu().sum() / A[0].numel()).expand(A[0].shape),
    gate_only=lambda A, w: last_layer(A, (w > 0).to(A)),
)

# --- §7.11 ----------------------------------------------------------------------------


right(
    "§7.11",
    by_quantile=lambda a, b: (a - b).quantile(0.5),
    by_statistics=lambda a, b: statistics.median((a - b).tolist()),
)
wrong(
    "§7.11",
    of_torch=lambda a, b: (a - b).median(),
    of_medians=lambda a, b: a.quantile(0.5) - b.quantile(0.5),
    mean=lambda a, b: (a - b).mean(),
    turned_round=lambda a, b: (b - a).quantile(0.5),
    absolute=lambda a, b: (a - b).abs().quantile(0.5),
    of_pairs_won=lambda a, b: (a > b).float().mean(),
    upper_middle=lambda a, b: (a - b).sort().values[len(a) // 2],
    not_sorted=lambda a, b: (a - b)[len(a) // 2],
    ratio=lambda a, b: (a / b.clamp(min=1e-3)).quantile(0.5),
    of_sorted_lists=lambda a, b: (a.sort().values - b.sort().values).quantile(0.5),
)


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
def kept_map(
    tokens,
    kept,
    h,
    w,
    *,
    cells=lambda tokens, K: tokens[:, tokens.shape[1] - K :],
    place=lambda m, h, w: divmod(m, w),
    empty=0.0,
):
    """The right map, or one with a single named mistake."""
    B, K = kept.shape
    full = torch.full((B, tokens.shape[2], h, w), empty, dtype=tokens.dtype)
    for b in range(B):
        for token, m in zip(cells(tokens, K)[b], kept[b].tolist(), strict=True):
            i, j = place(m, h, w)
            full[b, :, i, j] = token
    return full


@right("07.5")
def kept_map_by_indices(tokens, kept, h, w):
    flat = tokens.new_zeros(len(tokens), h * w, tokens.shape[-1])
    flat[torch.arange(len(kept))[:, None], kept] = tokens[:, -kept.shape[1] :]
    return flat.mT.reshape(len(tokens), -1, h, w)


wrong(
    "07.5",
    first_tokens=partial(kept_map, cells=lambda tokens, K: tokens[:, :K]),
    after_one_service_token=partial(
        kept_map, cells=lambda tokens, K: tokens[:, 1 : K + 1]
    ),
    in_order_of_tokens=lambda tokens, kept, h, w: kept_map(
        tokens, torch.arange(kept.shape[1]).expand_as(kept), h, w
    ),
    in_order_of_numbers=lambda tokens, kept, h, w: kept_map(
        tokens, kept.sort(1).values, h, w
    ),
    of_the_first_picture=lambda tokens, kept, h, w: kept_map(
        tokens, kept[:1].expand_as(kept), h, w
    ),
    by_columns=partial(kept_map, place=lambda m, h, w: (m % h, m // h)),
    counted_from_one=partial(kept_map, place=lambda m, h, w: divmod(m - 1, w)),
    height_for_width=partial(kept_map, place=lambda m, h, w: (m // h % h, m % h % w)),
    of_swapped_sides=lambda tokens, kept, h, w: kept_map(tokens, kept, w, h),
    transposed=lambda tokens, kept, h, w: kept_map(tokens, kept, w, h).mT,
    ones_elsewhere=partial(kept_map, empty=1.0),
    nothing_elsewhere=partial(kept_map, empty=math.nan),
    class_token_elsewhere=lambda tokens, kept, h, w: torch.where(
        kept_map(torch.ones_like(tokens), kept, h, w) > 0,
        kept_map(tokens, kept, h, w),
        tokens[:, 0, :, None, None],
    ),
    mean_elsewhere=lambda tokens, kept, h, w: torch.where(
        kept_map(torch.ones_like(tokens), kept, h, w) > 0,
        kept_map(tokens, kept, h, w),
        tokens[:, -kept.shape[1] :].mean(1)[..., None, None],
    ),
    channels_last=lambda *given: kept_map(*given).movedim(1, -1),
    flat=lambda *given: kept_map(*given).flatten(2),
    without_transposing=lambda tokens, kept, h, w: (
        kept_map(tokens, kept, h, w)
        .flatten(2)
        .mT.reshape(len(tokens), tokens.shape[2], h, w)
    ),
    numbers_of_tokens=lambda tokens, kept, h, w: kept_map(
        tokens, (kept - (tokens.shape[1] - kept.shape[1])) % (h * w), h, w
    ),
)
