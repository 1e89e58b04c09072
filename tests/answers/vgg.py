"""Answers to the exercises of notebook 02: right ones, and mistakes students make."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

CHANNELS = (64, 128, 256, 512, 512)

# --- §2.1 -----------------------------------------------------------------------------


@right("§2.1")
def kernel_by_impulse(k, down, right):
    """The response to an impulse, mirrored, is the kernel."""
    moved = torch.zeros(k, k)
    moved[k // 2 + down, k // 2 + right] = 1
    return moved.flip(0, 1)


right(
    "§2.1",
    by_roll=lambda k, down, right: F.pad(torch.ones(1, 1), [k // 2] * 4).roll(
        (-down, -right), (0, 1)
    ),
)


def _one(k, row, column, like=torch.zeros):
    kernel = like(k, k)
    kernel[row, column] = 1
    return kernel


wrong(
    "§2.1",
    other_way=lambda k, down, right: _one(k, k // 2 + down, k // 2 + right),
    only_rows_turned=lambda k, down, right: _one(k, k // 2 - down, k // 2 + right),
    only_columns_turned=lambda k, down, right: _one(k, k // 2 + down, k // 2 - right),
    transposed=lambda k, down, right: _one(k, k // 2 - right, k // 2 - down),
    from_the_corner=lambda k, down, right: _one(k, -down, -right),
    for_three=lambda k, down, right: _one(k, (1 - down) % k, (1 - right) % k),
    with_axes=lambda k, down, right: _one(k, k // 2 - down, k // 2 - right)[None, None],
    whole_numbers=lambda k, down, right: _one(k, k // 2 - down, k // 2 - right).long(),
    never_moves=lambda k, down, right: _one(k, k // 2, k // 2),
    sharing=lambda k, down, right: _one(k, k // 2 - down, k // 2 - right) / k,
)

# --- §2.2 -----------------------------------------------------------------------------


@right("§2.2")
def convs_by_growing(field, k):
    count, seen = 0, 1
    while seen < field:
        count, seen = count + 1, seen + k - 1
    return count


right("§2.2", by_ceiling=lambda field, k: math.ceil((field - 1) / (k - 1)))
wrong(
    "§2.2",
    rounded_down=lambda field, k: (field - 1) // (k - 1),
    rounded=lambda field, k: round((field - 1) / (k - 1)),
    of_sides=lambda field, k: math.ceil(field / k),
    without_one=lambda field, k: math.ceil(field / (k - 1)),
    by_half_kernel=lambda field, k: math.ceil((field - 1) / 2 / max(k // 2, 1)),
    one_more=lambda field, k: (field - 1) // (k - 1) + 1,
    at_least_one=lambda field, k: max(1, math.ceil((field - 1) / (k - 1))),
    by_three=lambda field, k: math.ceil((field - 1) / 2),
    field_multiplies=lambda field, k: math.ceil(math.log(field, k)),
    as_fraction=lambda field, k: (field - 1) / (k - 1),
)

# --- §2.3 -----------------------------------------------------------------------------

right(
    "§2.3",
    by_numpy=lambda a, b: abs(np.mean(a) - np.mean(b)) / max(np.ptp(a), np.ptp(b)),
    by_tensors=lambda a, b: (
        (torch.tensor(a).mean() - torch.tensor(b).mean()).abs()
        / torch.stack([t.max() - t.min() for t in map(torch.tensor, (a, b))]).max()
    ),
)
wrong(
    "§2.3",
    with_sign=lambda a, b: (np.mean(b) - np.mean(a)) / max(np.ptp(a), np.ptp(b)),
    by_smaller_range=lambda a, b: (
        abs(np.mean(a) - np.mean(b)) / max(min(np.ptp(a), np.ptp(b)), 1e-9)
    ),
    by_first_range=lambda a, b: abs(np.mean(a) - np.mean(b)) / np.ptp(a),
    by_sum_of_ranges=lambda a, b: (
        abs(np.mean(a) - np.mean(b)) / (np.ptp(a) + np.ptp(b))
    ),
    by_deviation=lambda a, b: abs(np.mean(a) - np.mean(b)) / max(np.std(a), np.std(b)),
    by_range_of_all=lambda a, b: abs(np.mean(a) - np.mean(b)) / np.ptp([*a, *b]),
    of_sums=lambda a, b: abs(sum(a) - sum(b)) / max(np.ptp(a), np.ptp(b)),
    of_medians=lambda a, b: (
        abs(np.median(a) - np.median(b)) / max(np.ptp(a), np.ptp(b))
    ),
    in_order_of_runs=lambda a, b: (
        abs(np.mean(a) - np.mean(b)) / max(abs(a[-1] - a[0]), abs(b[-1] - b[0]))
    ),
    upside_down=lambda a, b: (
        max(np.ptp(a), np.ptp(b)) / max(abs(np.mean(a) - np.mean(b)), 1e-9)
    ),
    of_three_runs=lambda a, b: abs(sum(a) / 3 - sum(b) / 3) / max(np.ptp(a), np.ptp(b)),
    without_range=lambda a, b: abs(np.mean(a) - np.mean(b)),
)

# --- §2.4 -----------------------------------------------------------------------------


@right("§2.4")
def numbers_by_halving(stage, size):
    for _ in range(stage):
        size //= 2
    return min(32 * 2**stage, 512) * size * size


right(
    "§2.4",
    by_pooling=lambda stage, size: (
        CHANNELS[stage - 1] * F.max_pool2d(torch.zeros(1, size, size), 2**stage).numel()
    ),
)
wrong(
    "§2.4",
    before_pooling=lambda stage, size: (
        CHANNELS[stage - 1] * (size // 2 ** (stage - 1)) ** 2
    ),
    channels_double=lambda stage, size: 32 * 2**stage * (size // 2**stage) ** 2,
    next_channels=lambda stage, size: (*CHANNELS, 512)[stage] * (size // 2**stage) ** 2,
    without_channels=lambda stage, size: (size // 2**stage) ** 2,
    of_a_row=lambda stage, size: CHANNELS[stage - 1] * (size // 2**stage),
    not_rounded=lambda stage, size: CHANNELS[stage - 1] * (size / 2**stage) ** 2,
    rounded_at_the_end=lambda stage, size: CHANNELS[stage - 1] * size**2 // 4**stage,
    rounded_up=lambda stage, size: CHANNELS[stage - 1] * (-(-size // 2**stage)) ** 2,
    divided_by_stage=lambda stage, size: (
        CHANNELS[stage - 1] * (size // 2 // stage) ** 2
    ),
    of_the_last=lambda stage, size: 512 * (size // 32) ** 2,
)

# --- §2.5 -----------------------------------------------------------------------------


@right("§2.5")
def batch_by_adding(memory, maps, weights):
    rest = memory - 3 * 4 * weights
    return int(rest / (4 * maps)) if rest > 0 else 0


right(
    "§2.5",
    in_numbers=lambda memory, maps, weights: max(memory // 4 - 3 * weights, 0) // maps,
)
wrong(
    "§2.5",
    without_bytes=lambda memory, maps, weights: max(0, (memory - 3 * weights) // maps),
    one_copy=lambda memory, maps, weights: max(0, (memory - 4 * weights) // (4 * maps)),
    two_copies=lambda memory, maps, weights: max(
        0, (memory - 8 * weights) // (4 * maps)
    ),
    without_weights=lambda memory, maps, weights: memory // (4 * maps),
    weights_with_every_picture=lambda memory, maps, weights: (
        memory // (4 * maps + 12 * weights)
    ),
    three_maps=lambda memory, maps, weights: max(
        0, (memory - 12 * weights) // (12 * maps)
    ),
    rounded=lambda memory, maps, weights: max(
        0, round((memory - 12 * weights) / (4 * maps))
    ),
    rounded_up=lambda memory, maps, weights: max(
        0, -((12 * weights - memory) // (4 * maps))
    ),
    negative=lambda memory, maps, weights: (memory - 12 * weights) // (4 * maps),
    one_at_least=lambda memory, maps, weights: max(
        1, (memory - 12 * weights) // (4 * maps)
    ),
    as_fraction=lambda memory, maps, weights: max(
        0, (memory - 12 * weights) / (4 * maps)
    ),
    strictly=lambda memory, maps, weights: max(
        0, (memory - 12 * weights - 1) // (4 * maps)
    ),
)

# --- §2.6 -----------------------------------------------------------------------------


@right("§2.6")
def change_of_two_heads(weight, delta, H, W):
    before = torch.zeros(len(delta), H, W)
    after = before.clone()
    after[:, 0, -1] = delta
    return F.linear(after.mean((1, 2)), weight) - F.linear(before.mean((1, 2)), weight)


right(
    "§2.6",
    by_sum=lambda weight, delta, H, W: (weight * (delta / H / W)).sum(1),
    by_einsum=lambda weight, delta, H, W: torch.einsum(
        "kc,c->k", weight / (H * W), delta
    ),
)
wrong(
    "§2.6",
    without_mean=lambda weight, delta, H, W: weight @ delta,
    by_rows=lambda weight, delta, H, W: weight @ delta / H,
    by_sides=lambda weight, delta, H, W: weight @ delta / (H + W),
    at_every_point=lambda weight, delta, H, W: weight @ delta * (H * W),
    transposed=lambda weight, delta, H, W: (
        (weight.T.reshape(weight.shape) @ delta) / (H * W)
    ),
    over_channels_too=lambda weight, delta, H, W: weight @ delta / (H * W * len(delta)),
    not_summed=lambda weight, delta, H, W: weight * delta / (H * W),
    whole_division=lambda weight, delta, H, W: weight @ delta // (H * W),
    as_column=lambda weight, delta, H, W: weight @ delta[:, None] / (H * W),
    as_number=lambda weight, delta, H, W: (weight @ delta).sum() / (H * W),
    square_map=lambda weight, delta, H, W: weight @ delta / H**2,
)

# --- §2.7 -----------------------------------------------------------------------------


@right("§2.7")
def answer_by_exponents(logits):
    odds = logits.exp()
    return (odds / odds.sum(1, keepdim=True)).sum(0).argmax()


right(
    "§2.7",
    by_topk=lambda logits: F.softmax(logits, -1).mean(0).topk(1).indices.item(),
)
wrong(
    "§2.7",
    of_logits=lambda logits: logits.mean(0).argmax().item(),
    by_votes=lambda logits: logits.argmax(1).bincount().argmax().item(),
    softmax_over_scales=lambda logits: logits.softmax(0).mean(0).argmax().item(),
    softmax_of_all=lambda logits: (
        logits.flatten().softmax(0).view_as(logits).mean(0).argmax().item()
    ),
    mean_over_classes=lambda logits: logits.softmax(1).mean(1).argmax().item(),
    of_the_surest=lambda logits: (
        logits.softmax(1).flatten().argmax().item() % logits.shape[1]
    ),
    of_first_scale=lambda logits: logits[0].argmax().item(),
    of_logarithms=lambda logits: logits.log_softmax(1).mean(0).argmax().item(),
    probability=lambda logits: logits.softmax(1).mean(0).max().item(),
    place=lambda logits: logits.softmax(1).argmax().item(),
    from_one=lambda logits: logits.softmax(1).mean(0).argmax().item() + 1,
    largest_of_scales=lambda logits: logits.amax(0).argmax().item(),
)

# --- §2.8 -----------------------------------------------------------------------------

right(
    "§2.8",
    of_what_is_left=lambda before, after: 1 - (100 - after) / (100 - before),
    by_tensors=lambda before, after: (
        torch.tensor(after - before) / torch.tensor(100 - before)
    ),
)
wrong(
    "§2.8",
    of_all=lambda before, after: (after - before) / 100,
    in_points=lambda before, after: after - before,
    of_accuracy=lambda before, after: (after - before) / (before or 1),
    of_new_accuracy=lambda before, after: (after - before) / after,
    left=lambda before, after: (100 - after) / (100 - before),
    times=lambda before, after: (100 - before) / max(100 - after, 1),
    of_new_errors=lambda before, after: (after - before) / max(100 - after, 1),
    in_percent=lambda before, after: 100 * (after - before) / (100 - before),
    for_shares=lambda before, after: (after - before) / (1 - before),
    never_negative=lambda before, after: max(0, (after - before) / (100 - before)),
    other_way=lambda before, after: (before - after) / (100 - before),
)

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
def count_by_tensors(config, size, classes):
    """Weights as empty tensors: no network, no storage."""
    channels = [
        c for c, stage in zip(CHANNELS, config.split(), strict=True) for _ in stage
    ]
    kernels = [int(k) for stage in config.split() for k in stage]
    shapes = [
        (c, c_in, k, k)
        for c, c_in, k in zip(channels, [3, *channels], kernels, strict=False)
    ]
    shapes += [
        (b, a) for a, b in pairwise([512 * (size // 32) ** 2, 4096, 4096, classes])
    ]
    return sum(torch.empty(shape, device="meta").numel() + shape[0] for shape in shapes)


@wrong("02.1")
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


def _conv_biases(config):
    return sum(
        c * len(stage) for c, stage in zip(CHANNELS, config.split(), strict=True)
    )


@wrong("02.1")
def count_stage_by_stage(config, size, classes):
    """Every convolution of a stage reads the channels of the stage."""
    channels = (3, *CHANNELS[1:])
    return count_vgg(config, size, classes) + sum(
        int(stage[0]) ** 2 * (own - before) * out
        for stage, own, before, out in zip(
            config.split(), channels, (3, *CHANNELS), CHANNELS, strict=False
        )
    )


@wrong("02.1")
def count_sides_for_areas(config, size, classes):
    total, c_in = count_vgg(config, size, classes), 3
    for c_out, stage in zip(CHANNELS, config.split(), strict=True):
        for k in map(int, stage):
            total -= (k**2 - k) * c_in * c_out
            c_in = c_out
    return total


wrong(
    "02.1",
    dense_biases_forgotten=lambda *given: count_vgg(*given) - 8192 - given[2],
    conv_biases_forgotten=lambda *given: count_vgg(*given) - _conv_biases(given[0]),
    one_bias_a_layer=lambda *given: (
        count_vgg(*given, bias=0) + len(given[0].replace(" ", "")) + 3
    ),
    four_pools=lambda config, size, classes: count_vgg(config, 2 * size, classes),
    side_not_squared=lambda config, size, classes: (
        count_vgg(config, size, classes) - 512 * 4096 * ((size // 32) ** 2 - size // 32)
    ),
    two_dense_layers=lambda *given: count_vgg(*given) - 4097 * 4096,
    three_hidden_layers=lambda *given: count_vgg(*given) + 4097 * 4096,
    averaged_before_the_head=partial(count_vgg, side=1),
    last_bias_forgotten=lambda *given: count_vgg(*given) - given[2],
    in_thousands=lambda *given: count_vgg(*given) / 1000,
    with_batch_norm=lambda *given: count_vgg(*given) + 2 * _conv_biases(given[0]),
)


# --- 02.2 -----------------------------------------------------------------------------


@right("02.2")
def seen_backwards(
    layers, i, *, order=reversed, end=-1, padded=True, stride=None, low=-(10**9)
):
    """The right pixels, or those of a single named mistake."""
    first = last = i
    for k, s, p in order(layers):
        first = first * (stride or s) - p * padded
        last = last * (stride or s) - p * padded + k + end
    return max(first, low), last


@right("02.2")
def seen_forwards(
    layers, i, *, side=lambda p, step: p * step, grow=lambda k, step: (k - 1) * step
):
    """The first pixel and the field of pixel 0, then the step from pixel to pixel."""
    start, field, step = 0, 1, 1
    for k, s, p in layers:
        start, field, step = start - side(p, step), field + grow(k, step), step * s
    return start + i * step, start + i * step + field - 1


right("02.2", as_list=lambda *given: list(seen_backwards(*given)))


wrong(
    "02.2",
    from_the_input=partial(seen_backwards, order=list),
    end_excluded=partial(seen_backwards, end=0),
    without_padding=partial(seen_backwards, padded=False),
    without_strides=partial(seen_backwards, stride=1),
    within_the_picture=partial(seen_backwards, low=0),
    padding_in_input_pixels=partial(seen_forwards, side=lambda p, step: p),
    padding_of_both_sides=partial(seen_forwards, side=lambda p, step: 2 * p * step),
    kernels_in_input_pixels=partial(seen_forwards, grow=lambda k, step: k - 1),
    whole_kernels=partial(seen_forwards, grow=lambda k, step: k * step),
    of_pixel_zero=lambda layers, i: seen_backwards(layers, 0),
    field_alone=lambda layers, i: (
        seen_backwards(layers, i)[1] - seen_backwards(layers, i)[0] + 1
    ),
    first_and_field=lambda layers, i: (
        seen_backwards(layers, i)[0],
        seen_backwards(layers, i)[1] - seen_backwards(layers, i)[0] + 1,
    ),
    last_first=lambda *given: seen_backwards(*given)[::-1],
    first_alone=lambda *given: seen_backwards(*given)[0],
    from_one=lambda layers, i: seen_backwards(layers, i - 1),
    last_layer_only=lambda layers, i: seen_backwards(layers[-1:], i),
    padding_after_kernel=lambda layers, i: (
        seen_backwards(layers, i)[0],
        seen_backwards(layers, i, padded=False)[1],
    ),
)


@wrong("02.2")
def seen_around_the_centre(layers, i):
    """Kernels taken for centred on the pixel, whatever the padding."""
    first, last = seen_backwards([(k, s, k // 2) for k, s, _ in layers], i)
    return first, last


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


@wrong("02.3")
def error_by_class(logits, labels, k):
    """Mean over the classes, not over the examples."""
    return sum(
        error_by_topk(logits[labels == c], labels[labels == c], k)
        for c in labels.unique()
    ) / len(labels.unique())


wrong(
    "02.3",
    all_guesses_right=lambda logits, labels, k: (
        1 - (logits.topk(k).indices == labels[:, None]).all(1).double().mean().item()
    ),
    in_percent=lambda *given: 100 * error_by_topk(*given),
    guessed_anywhere=lambda logits, labels, k: (
        1 - torch.isin(labels, logits.topk(k).indices).double().mean().item()
    ),
    first_example=lambda logits, labels, k: error_by_topk(logits[:1], labels[:1], k),
    without_last=lambda logits, labels, k: error_by_topk(logits[:-1], labels[:-1], k),
    divided_by_classes=lambda logits, labels, k: (
        error_by_topk(logits, labels, k) * len(labels) / logits.shape[1]
    ),
    one_guess_less=lambda logits, labels, k: error_by_place(logits, labels, k - 1),
    of_absolute_logits=lambda logits, labels, k: error_by_topk(logits.abs(), labels, k),
    places_for_classes=lambda logits, labels, k: error_by_topk(
        logits.argsort(1, descending=True).double(), labels, k
    ),
    of_batch_axis=lambda logits, labels, k: error_by_topk(
        logits.T[: len(labels)], labels[: logits.shape[1]], k
    ),
    true_or_false=lambda *given: error_by_topk(*given) > 0,
    top_five=lambda logits, labels, k: error_by_topk(logits, labels, min(5, k)),
    of_labels_from_one=lambda logits, labels, k: error_by_topk(logits, labels - 1, k),
)


# --- 02.4 -----------------------------------------------------------------------------


@right("02.4")
def conv_from(linear, C, H, W, *, weight=None, bias=True, **geometry):
    """The right convolution, or one with a single named mistake."""
    conv = nn.Conv2d(C, linear.out_features, (H, W), bias=bias, **geometry)
    view = linear.weight.view(-1, C, H, W) if weight is None else weight
    conv.weight = nn.Parameter(view.detach().clone())
    if bias:
        conv.bias = nn.Parameter(linear.bias.detach().clone())
    return conv


@right("02.4")
def conv_by_unflatten(linear, C, H, W):
    conv = nn.Conv2d(C, linear.out_features, (H, W))
    weight = linear.weight.unflatten(1, (C, H, W))
    conv.load_state_dict({"weight": weight, "bias": linear.bias})
    return conv


@right("02.4")
def conv_by_probing(linear, C, H, W):
    with torch.no_grad():
        columns = linear(torch.eye(C * H * W)) - linear.bias
    return conv_from(linear, C, H, W, weight=columns.T.view(-1, C, H, W))


@wrong("02.4")
def conv_random_bias(linear, C, H, W):
    conv = nn.Conv2d(C, linear.out_features, (H, W))
    conv.weight.data = linear.weight.data.view(-1, C, H, W)
    return conv


@wrong("02.4")
def conv_channels_last(linear, C, H, W):
    weight = linear.weight.view(-1, H, W, C).permute(0, 3, 1, 2)
    return conv_from(linear, C, H, W, weight=weight)


@wrong("02.4")
def conv_columns_first(linear, C, H, W):
    weight = linear.weight.view(-1, C, W, H).transpose(2, 3)
    return conv_from(linear, C, H, W, weight=weight)


wrong(
    "02.4",
    one_by_one=lambda linear, C, H, W: conv_from(linear, C * H * W, 1, 1),
    with_stride=lambda linear, C, H, W: conv_from(linear, C, H, W, stride=(H, W)),
    as_sequence=lambda linear, C, H, W: nn.Sequential(nn.Flatten(), linear),
    without_bias=partial(conv_from, bias=False),
    padded=partial(conv_from, padding=1),
)


def _linear(weight, bias):
    """A dense layer with other numbers."""
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


@wrong("02.4")
def conv_replaced_bias(linear, C, H, W):
    conv = conv_from(linear, C, H, W)
    conv.bias.data.zero_()
    return conv


@wrong("02.4")
def conv_with_emptied_dense(linear, C, H, W):
    conv = conv_from(linear, C, H, W)
    linear.weight.data.zero_()
    return conv


wrong(
    "02.4",
    random=lambda linear, C, H, W: nn.Conv2d(C, linear.out_features, (H, W)),
    averaging=lambda linear, C, H, W: conv_from(
        _linear(linear.weight / (H * W), linear.bias), C, H, W
    ),
    bias_everywhere=lambda linear, C, H, W: conv_from(
        _linear(linear.weight, linear.bias * H * W), C, H, W
    ),
    turned_kernel=lambda linear, C, H, W: conv_from(
        linear, C, H, W, weight=linear.weight.view(-1, C, H, W).flip(2, 3)
    ),
    outputs_reversed=lambda linear, C, H, W: conv_from(
        _linear(linear.weight.flip(0), linear.bias.flip(0)), C, H, W
    ),
    same_padding=partial(conv_from, padding="same"),
    dilated=partial(conv_from, dilation=2),
    double_step=partial(conv_from, stride=2),
    sides_swapped=lambda linear, C, H, W: conv_from(linear, C, W, H),
    square=lambda linear, C, H, W: conv_from(linear, C, H, H),
    as_function=lambda linear, C, H, W: lambda x: linear(x.flatten(1)),
    as_kernel=lambda linear, C, H, W: linear.weight.view(-1, C, H, W),
    as_list=lambda *given: [conv_from(*given)],
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


wrong(
    "02.5",
    depthwise=lambda w1, w2: merge_by_shifts(w1[:, :1], w2).expand(
        -1, w1.shape[1], -1, -1
    ),
    averaged_over_middle=lambda w1, w2: merge_by_shifts(w1, w2) / len(w1),
    transposed_space=lambda w1, w2: merge_by_shifts(w1, w2).transpose(2, 3),
    upside_down=lambda w1, w2: merge_by_shifts(w1, w2).flip(2),
    left_to_right=lambda w1, w2: merge_by_shifts(w1, w2).flip(3),
    shifted=lambda w1, w2: merge_by_shifts(w1, w2).roll(1, 3),
    second_mirrored_wrongly=lambda w1, w2: merge_by_shifts(w1, w2.flip(2)),
    first_mirrored=lambda w1, w2: merge_by_shifts(w1.flip(2, 3), w2),
    of_last_channel=lambda w1, w2: merge_by_shifts(w1[-1:], w2[:, -1:]),
    without_border=lambda w1, w2: F.pad(
        merge_by_shifts(w1, w2)[..., 1:4, 1:4], [1] * 4
    ),
    three_by_three=lambda w1, w2: merge_by_shifts(w1, w2)[..., 1:4, 1:4],
    with_relu=lambda w1, w2: merge_by_shifts(w1.relu(), w2),
    by_sum_of_kernels=lambda w1, w2: F.pad(w2.sum(1, True) + w1.sum(0, True), [1] * 4),
    separately=lambda w1, w2: (w1, w2),
)
