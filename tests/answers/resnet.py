"""Answers to the exercises of notebook 04: right ones, and mistakes students make."""

import copy
import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import stochastic_depth

from tests.answers import right, spoiled, wrong

# --- §4.1 -----------------------------------------------------------------------------

right(
    "§4.1",
    by_parts=lambda s, S, d, D: (d - s) / ((d - s) + ((D - d) - (S - s))),
    by_the_rest=lambda s, S, d, D: 1 - ((D - d) - (S - s)) / (D - S),
    as_tensor=lambda s, S, d, D: torch.tensor(1.0 * (d - s)) / (D - S),
)
wrong(
    "§4.1",
    of_overfitting=lambda s, S, d, D: 1 - (d - s) / (D - S),
    ratio_of_errors=lambda s, S, d, D: d / D,
    in_percent=lambda s, S, d, D: 100 * (d - s) / (D - S),
    upside_down=lambda s, S, d, D: (D - S) / (d - s or 1),
    of_deep_error=lambda s, S, d, D: (d - s) / D,
    not_negative=lambda s, S, d, D: max(d - s, 0) / (D - S),
    at_most_all=lambda s, S, d, D: min((d - s) / (D - S), 1),
    whole_division=lambda s, S, d, D: (d - s) // (D - S),
    shares_of_both_gaps=lambda s, S, d, D: (d - s) / ((d - s) + (D - d)),
    not_divided=lambda s, S, d, D: d - s,
)

# --- §4.2 -----------------------------------------------------------------------------

right(
    "§4.2",
    by_torch=lambda slopes, skip: (torch.tensor(slopes) + skip).prod(),
    by_math=lambda slopes, skip: math.prod(slope + skip for slope in slopes),
)
wrong(
    "§4.2",
    without_skip=lambda slopes, skip: math.prod(slopes),
    skip_always_one=lambda slopes, skip: math.prod(1 + s for s in slopes),
    skip_at_the_branch=lambda slopes, skip: math.prod(1 + skip * s for s in slopes),
    skip_once=lambda slopes, skip: skip + math.prod(slopes),
    skip_past_all_blocks=lambda slopes, skip: skip ** len(slopes) + math.prod(slopes),
    summed=lambda slopes, skip: sum(skip + s for s in slopes),
    skip_times=lambda slopes, skip: math.prod(skip * s for s in slopes),
    last_block_only=lambda slopes, skip: skip + slopes[-1],
    of_the_mean=lambda slopes, skip: skip + sum(slopes) / len(slopes),
)

# --- §4.3 -----------------------------------------------------------------------------


@right("§4.3")
def kernel_without_dirac(weight, *, sign=-1, own=True, middle=None, turn=False):
    """The right kernel, or one with a single named mistake."""
    middle = weight.shape[-1] // 2 if middle is None else middle
    kernel = -weight if turn else weight.clone()
    ones = torch.eye(len(weight)) if own else torch.ones(len(weight), len(weight))
    kernel[:, :, middle, middle] += sign * ones
    return kernel


@right("§4.3")
def kernel_by_loop(weight):
    for c in range(len(weight)):
        weight[c, c, weight.shape[2] // 2, weight.shape[3] // 2] -= 1
    return weight


wrong(
    "§4.3",
    added=partial(kernel_without_dirac, sign=1),
    every_pair_of_channels=partial(kernel_without_dirac, own=False),
    in_the_corner=partial(kernel_without_dirac, middle=0),
    in_the_middle_of_3x3=lambda weight: kernel_without_dirac(
        weight, middle=min(1, weight.shape[-1] - 1)
    ),
    other_sign=partial(kernel_without_dirac, sign=1, turn=True),
    one_from_all=lambda weight: weight - 1,
    as_it_is=lambda weight: weight,
    zeros=torch.zeros_like,
    unit_at_every_place=lambda weight: (
        weight - torch.eye(len(weight))[:, :, None, None]
    ),
    first_channel_only=lambda weight: torch.cat(
        [kernel_without_dirac(weight)[:1], weight[1:]]
    ),
)

# --- §4.4 -----------------------------------------------------------------------------

right(
    "§4.4",
    counted=lambda counts, convs: len([0] + [0] * convs * sum(counts) + [0]),
    stage_by_stage=lambda counts, convs: 2 + sum(convs * n for n in counts),
)
wrong(
    "§4.4",
    branches_only=lambda counts, convs: convs * sum(counts),
    without_head=lambda counts, convs: convs * sum(counts) + 1,
    with_a_projection_per_stage=lambda counts, convs: (
        2 + convs * sum(counts) + len(counts)
    ),
    with_projections_but_one=lambda counts, convs: (
        1 + convs * sum(counts) + len(counts)
    ),
    always_two=lambda counts, convs: 2 + 2 * sum(counts),
    four_equal_stages=lambda counts, convs: 2 + 4 * convs * counts[0],
    blocks=lambda counts, convs: 2 + sum(counts),
    product=lambda counts, convs: 2 + convs * math.prod(counts),
    with_norms=lambda counts, convs: 2 * (1 + convs * sum(counts)) + 1,
    stages=lambda counts, convs: 2 + convs * len(counts),
)

# --- §4.5 -----------------------------------------------------------------------------


@right("§4.5")
def copies_by_loop(widths):
    copies = 1
    for width in widths[1:-1]:
        for n in range(2, width + 1):
            copies *= n
    return copies


right(
    "§4.5",
    by_gamma=lambda widths: math.prod(
        round(math.exp(math.lgamma(n + 1))) for n in widths[1:-1]
    ),
)
wrong(
    "§4.5",
    all_layers=lambda widths: math.prod(map(math.factorial, widths)),
    with_outputs=lambda widths: math.prod(map(math.factorial, widths[1:])),
    with_inputs=lambda widths: math.prod(map(math.factorial, widths[:-1])),
    sum_of_factorials=lambda widths: sum(map(math.factorial, widths[1:-1])),
    factorial_of_the_sum=lambda widths: math.factorial(sum(widths[1:-1])),
    product_of_widths=lambda widths: math.prod(widths[1:-1]),
    pairs=lambda widths: math.prod(n * (n - 1) // 2 for n in widths[1:-1]),
    without_itself=lambda widths: math.prod(map(math.factorial, widths[1:-1])) - 1,
    layers_too=lambda widths: math.prod(
        [*map(math.factorial, widths[1:-1]), math.factorial(len(widths) - 2)]
    ),
    first_hidden_only=lambda widths: math.factorial(widths[1]),
    two_each=lambda widths: 2 ** sum(widths[1:-1]),
)

# --- §4.6 -----------------------------------------------------------------------------


@right("§4.6")
def seen_by_net(x, mean, std, *, axes=(3, 1, 1), back=lambda z: z / 2 + 0.5):
    """The right picture, or one with a single named mistake."""
    return back((x - mean.view(axes)) / std.view(axes))


@right("§4.6")
def seen_channel_by_channel(x, mean, std):
    channels = [(x[:, c] - mean[c]) / (2 * std[c]) + 0.5 for c in range(3)]
    return torch.stack(channels, 1)


wrong(
    "§4.6",
    as_given=partial(seen_by_net, back=lambda z: z),
    own_preprocessing_twice=partial(seen_by_net, back=lambda z: (z - 0.5) / 0.5),
    added_first=partial(seen_by_net, back=lambda z: (z + 0.5) * 0.5),
    not_scaled=partial(seen_by_net, back=lambda z: z + 0.5),
    clamped=partial(seen_by_net, back=lambda z: (z / 2 + 0.5).clamp(0, 1)),
    along_columns=partial(seen_by_net, axes=(3,)),
    along_rows=partial(seen_by_net, axes=(3, 1)),
    one_for_all_channels=lambda x, mean, std: seen_by_net(
        x, mean.mean().expand(3), std.mean().expand(3)
    ),
    own_then_undone=lambda x, mean, std: (
        (x - 0.5) / 0.5 * std.view(3, 1, 1) + mean.view(3, 1, 1)
    ),
    the_picture=lambda x, mean, std: x,
    divided_first=lambda x, mean, std: (
        (x / std.view(3, 1, 1) - mean.view(3, 1, 1)) / 2 + 0.5
    ),
)

# --- §4.7 -----------------------------------------------------------------------------

right(
    "§4.7",
    listed=lambda count, c_in, c_out, stride: sum(
        [(stride, c_in) == (1, c_out)] + [True] * (count - 1)
    ),
    by_cases=lambda count, c_in, c_out, stride: (
        count if c_in == c_out and stride == 1 else count - 1
    ),
)
wrong(
    "§4.7",
    all_blocks=lambda count, c_in, c_out, stride: count,
    never_the_first=lambda count, c_in, c_out, stride: count - 1,
    channels_only=lambda count, c_in, c_out, stride: count - (c_in != c_out),
    stride_only=lambda count, c_in, c_out, stride: count - (stride != 1),
    either=lambda count, c_in, c_out, stride: count - (stride != 1 and c_in != c_out),
    all_or_nothing=lambda count, c_in, c_out, stride: (
        count * (stride == 1 and c_in == c_out)
    ),
    twice_off=lambda count, c_in, c_out, stride: (
        count - (stride != 1) - (c_in != c_out)
    ),
    growing_ones_too=lambda count, c_in, c_out, stride: (
        count - (stride != 1 or c_in < c_out)
    ),
    the_others=lambda count, c_in, c_out, stride: int(stride != 1 or c_in != c_out),
)

# --- 04.1 -----------------------------------------------------------------------------


@right("04.1")
def block_by_formula(c_in, c, stride, *, for_channels=True, for_stride=True, norm=2):
    """The right count, or one with a single named mistake."""
    projection = (for_channels and c_in != c) or (for_stride and stride != 1)
    return 9 * c * (c_in + c) + 2 * norm * c + projection * (c_in * c + norm * c)


@right("04.1")
def block_by_shapes(c_in, c, stride):
    shapes = [(c, c_in, 3, 3), (c, c, 3, 3), *[(c,)] * 4]
    if stride > 1 or c_in != c:
        shapes += [(c, c_in), (c,), (c,)]
    return sum(math.prod(shape) for shape in shapes)


@wrong("04.1")
def block_by_building(c_in, c, stride):
    layers = [nn.Conv2d(c_in, c, 3, bias=False), nn.BatchNorm2d(c)]
    layers += [nn.Conv2d(c, c, 3, bias=False), nn.BatchNorm2d(c)]
    if (c_in, 1) != (c, stride):
        layers += [nn.Conv2d(c_in, c, 1, bias=False), nn.BatchNorm2d(c)]
    return sum(p.numel() for layer in layers for p in layer.parameters())


wrong(
    "04.1",
    with_biases=lambda c_in, c, stride: block_by_formula(c_in, c, stride) + 2 * c,
    without_bn=partial(block_by_formula, norm=0),
    without_projection=partial(block_by_formula, for_channels=False, for_stride=False),
    projection_only_for_stride=partial(block_by_formula, for_channels=False),
    projection_only_for_channels=partial(block_by_formula, for_stride=False),
)


wrong(
    "04.1",
    projection_without_bn=lambda c_in, c, s: (
        block_by_formula(c_in, c, s) - 2 * c * (c_in != c or s != 1)
    ),
    projection_with_bias=lambda c_in, c, s: (
        block_by_formula(c_in, c, s) + c * (c_in != c or s != 1)
    ),
    projection_for_step_two=lambda c_in, c, s: block_by_formula(
        c_in, c, 1 if s == 3 and c_in == c else s
    ),
    projection_for_widening=lambda c_in, c, s: block_by_formula(
        c_in, c, s, for_channels=c > c_in
    ),
    projection_for_both_changes=lambda c_in, c, s: block_by_formula(
        c_in, c, s, for_channels=s != 1, for_stride=c_in != c
    ),
    projection_always=lambda c_in, c, s: (
        block_by_formula(c_in, c, s, norm=2) + (c_in == c and s == 1) * (c * c + 2 * c)
    ),
    projection_of_three=lambda c_in, c, s: (
        block_by_formula(c_in, c, s) + 8 * c_in * c * (c_in != c or s != 1)
    ),
    first_conv_as_second=lambda c_in, c, s: (
        block_by_formula(c_in, c, s) + 9 * c * (c - c_in)
    ),
    second_conv_as_first=lambda c_in, c, s: (
        block_by_formula(c_in, c, s) + 9 * c * (c_in - c)
    ),
    with_running_statistics=partial(block_by_formula, norm=4),
    only_scales=partial(block_by_formula, norm=1),
    one_bn=lambda c_in, c, s: block_by_formula(c_in, c, s) - 2 * c,
    bn_of_input=lambda c_in, c, s: block_by_formula(c_in, c, s) + 2 * (c_in - c),
    fewer_with_stride=lambda c_in, c, s: block_by_formula(c_in, c, s) // s**2,
)


# --- 04.2 -----------------------------------------------------------------------------


@right("04.2")
def canonical(W1, b1, W2, *, length=None, order=torch.argsort, outer=torch.mul):
    """The right form of the net, or one with a single named mistake."""
    size = length(W1) if length else W1.norm(dim=1)
    b1 = b1 / size
    at = order(b1)
    return (W1 / size[:, None])[at], b1[at], outer(W2, size)[:, at]


@right("04.2")
def canonical_by_neurons(W1, b1, W2):
    neurons = []
    for w, b, v in zip(W1, b1, W2.T, strict=True):
        size = (w * w).sum() ** 0.5
        neurons.append((w / size, b / size, v * size))
    neurons.sort(key=lambda neuron: neuron[1].item())
    w, b, v = zip(*neurons, strict=True)
    return [torch.stack(w), torch.stack(b), torch.stack(v, 1)]


@wrong("04.2")
def canonical_order_first(W1, b1, W2):
    """Sorted by the biases as they were given."""
    at, size = b1.argsort(), W1.norm(dim=1)
    return (W1 / size[:, None])[at], (b1 / size)[at], (W2 * size)[:, at]


@wrong("04.2")
def canonical_without_bias(W1, b1, W2):
    """The bias is not divided."""
    at, size = b1.argsort(), W1.norm(dim=1)
    return (W1 / size[:, None])[at], b1[at], (W2 * size)[:, at]


@wrong("04.2")
def canonical_by_columns(W1, b1, W2):
    size = W1.norm(dim=0)
    at = b1.argsort()
    return (W1 / size)[at], b1[at], W2[:, at]


@wrong("04.2")
def canonical_of_outputs(W1, b1, W2):
    """Scaled so that the columns of W2 are of length one."""
    size = 1 / W2.norm(dim=0)
    at = (b1 / size).argsort()
    return (W1 / size[:, None])[at], (b1 / size)[at], (W2 * size)[:, at]


wrong(
    "04.2",
    unsorted=partial(canonical, order=lambda b: torch.arange(len(b))),
    descending=partial(canonical, order=lambda b: b.argsort(descending=True)),
    by_size_of_bias=partial(canonical, order=lambda b: b.abs().argsort()),
    inverse_order=partial(canonical, order=lambda b: b.argsort().argsort()),
    with_bias=lambda W1, b1, W2: canonical(
        W1, b1, W2, length=lambda W1: torch.cat([W1, b1[:, None]], 1).norm(dim=1)
    ),
    squared_length=partial(canonical, length=lambda W1: W1.pow(2).sum(1)),
    sum_for_length=partial(canonical, length=lambda W1: W1.abs().sum(1)),
    largest_for_length=partial(canonical, length=lambda W1: W1.abs().amax(1)),
    mean_square=partial(canonical, length=lambda W1: W1.pow(2).mean(1).sqrt()),
    signed=partial(canonical, length=lambda W1: W1.norm(dim=1) * W1[:, 0].sign()),
    of_all_rows=partial(canonical, length=lambda W1: W1.norm().expand(len(W1))),
    not_scaled=partial(canonical, length=lambda W1: W1[:, 0] * 0 + 1),
    outputs_divided=partial(canonical, outer=torch.div),
    outputs_left=partial(canonical, outer=lambda W2, size: W2),
    columns_not_moved=lambda W1, b1, W2: (
        *canonical(W1, b1, W2)[:2],
        W2 * W1.norm(dim=1),
    ),
    columns_not_scaled_in_order=lambda W1, b1, W2: (
        *canonical(W1, b1, W2)[:2],
        canonical(W1, b1, W2, outer=lambda W2, _: W2)[2] * W1.norm(dim=1),
    ),
    second_first=lambda *given: canonical(*given)[::-1],
    without_second=lambda *given: canonical(*given)[:2],
    by_first_weight=lambda W1, b1, W2: canonical(
        W1, b1, W2, order=lambda b: (W1[:, 0] / W1.norm(dim=1)).argsort()
    ),
    as_dict=lambda *given: dict(zip("abc", canonical(*given), strict=True)),
    as_it_was=lambda W1, b1, W2: (W1, b1, W2),
)


# --- 04.3 -----------------------------------------------------------------------------


def _blocks(model):
    return [m for m in model.modules() if isinstance(m, BasicBlock | Bottleneck)]


def _last_norms(model):
    return [getattr(block, "bn3", block.bn2) for block in _blocks(model)]


@right("04.3")
def zero_last_norm(model, *, norms=_last_norms, names=("weight", "bias"), freeze=False):
    """The right initialisation, or one with a single named mistake."""
    for norm in norms(model):
        norm.requires_grad_(not freeze)
        for name in names:
            nn.init.zeros_(getattr(norm, name))
    return model


@right("04.3")
def zero_last_norm_by_name(model):
    with torch.no_grad():
        parameters = dict(model.named_parameters())
        for name, parameter in parameters.items():
            bottleneck = name.rsplit(".", 2)[0] + ".bn3.weight" in parameters
            if name.startswith("layer") and f".bn{3 if bottleneck else 2}." in name:
                parameter.zero_()
    return model


@wrong("04.3")
def zero_everything(model):
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


wrong(
    "04.3",
    always_bn2=partial(
        zero_last_norm, norms=lambda net: [block.bn2 for block in _blocks(net)]
    ),
    only_bias=partial(zero_last_norm, names=("bias",)),
    only_weight=partial(zero_last_norm, names=("weight",)),
    and_freeze=partial(zero_last_norm, freeze=True),
)


def _each_block(change):
    """The network after a change in each of its blocks."""

    def answer(model):
        for block in _blocks(model):
            change(block)
        return model

    return answer


def _last(block):
    return "bn3" if isinstance(block, Bottleneck) else "bn2"


def _last_conv(block):
    return getattr(block, _last(block).replace("bn", "conv"))


def _off(*modules):
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


@wrong("04.3")
def zero_last_norm_of_first_blocks(model):
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        _off(getattr(stage[0], _last(stage[0])))
    return model


@wrong("04.3")
def zero_last_norm_of_a_copy(model):
    zero_last_norm(copy.deepcopy(model))
    return model


@wrong("04.3")
def zero_in_a_shell(model):
    return nn.Sequential(zero_last_norm(model))


class _Namesake(nn.Module):
    """A class of the notebook that is only called BasicBlock."""


@wrong("04.3")
def zero_last_norm_of_namesakes(model):
    for block in model.modules():
        if isinstance(block, _Namesake):
            _off(getattr(block, _last(block)))
    return model


def _zeros(module, inputs, output):
    return torch.zeros_like(output)


wrong(
    "04.3",
    last_conv_too=_each_block(
        lambda block: _off(getattr(block, _last(block)), _last_conv(block))
    ),
    only_last_conv=_each_block(lambda block: _off(_last_conv(block))),
    first_norm_too=_each_block(
        lambda block: _off(block.bn1, getattr(block, _last(block)))
    ),
    first_norm=_each_block(lambda block: _off(block.bn1)),
    projection_too=_each_block(
        lambda block: _off(
            getattr(block, _last(block)), block.downsample or nn.Identity()
        )
    ),
    small=_each_block(
        lambda block: [
            p.data.mul_(1e-3) for p in getattr(block, _last(block)).parameters()
        ]
    ),
    new_norm=_each_block(
        lambda block: setattr(
            block,
            _last(block),
            nn.BatchNorm2d(_last_conv(block).out_channels, affine=False),
        )
    ),
    no_norm=_each_block(lambda block: setattr(block, _last(block), nn.Identity())),
    by_hook=_each_block(
        lambda block: getattr(block, _last(block)).register_forward_hook(_zeros)
    ),
    first_convolution_of_the_net=lambda model: _off(model.bn1) or zero_last_norm(model),
    head_too=lambda model: _off(model.fc) or zero_last_norm(model),
    cut_off=_each_block(lambda block: setattr(block, "forward", lambda x: x)),
    rest_frozen=lambda model: zero_last_norm(model.requires_grad_(False)),
    norms_listed=lambda model: _last_norms(zero_last_norm(model)),
)


# --- 04.4 -----------------------------------------------------------------------------


@right("04.4")
def preact(x, bn1, conv1, bn2, conv2):
    return x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


@right("04.4")
def preact_sequential(x, bn1, conv1, bn2, conv2):
    return nn.Sequential(bn1, nn.ReLU(), conv1, bn2, nn.ReLU(), conv2)(x).add(x)


wrong(
    "04.4",
    as_in_v1=lambda x, b1, c1, b2, c2: (x + b2(c2(b1(c1(x)).relu()))).relu(),
    relu_after_sum=lambda *given: preact(*given).relu(),
    skip_from_activated=lambda x, b1, *rest: preact(x, b1, *rest) - x + b1(x).relu(),
    without_first_activation=lambda x, b1, c1, b2, c2: x + c2(b2(c1(x)).relu()),
    relu_before_bn=lambda x, b1, c1, b2, c2: x + c2(b2(c1(b1(x.relu())).relu())),
    without_sum=lambda x, *layers: preact(x, *layers) - x,
)


wrong(
    "04.4",
    first_norm_twice=lambda x, b1, c1, b2, c2: x + c2(F.relu(b1(c1(F.relu(b1(x)))))),
    convs_swapped=lambda x, b1, c1, b2, c2: preact(x, b1, c2, b2, c1),
    norms_swapped=lambda x, b1, c1, b2, c2: preact(x, b2, c1, b1, c2),
    without_second_relu=lambda x, b1, c1, b2, c2: x + c2(b2(c1(F.relu(b1(x))))),
    without_first_relu=lambda x, b1, c1, b2, c2: x + c2(F.relu(b2(c1(b1(x))))),
    without_second_norm=lambda x, b1, c1, b2, c2: x + c2(c1(b1(x).relu()).relu()),
    skip_from_norm=lambda x, b1, *rest: preact(x, b1, *rest) - x + b1(x),
    relu_of_input=lambda x, *layers: preact(x, *layers) - x + x.relu(),
    leaky=lambda x, b1, c1, b2, c2: x + c2(F.leaky_relu(b2(c1(F.leaky_relu(b1(x)))))),
    conv_first=lambda x, b1, c1, b2, c2: x + b2(c2(b1(c1(x)).relu()).relu()),
    averaged=lambda x, *layers: preact(x, *layers) / 2,
    twice_the_input=lambda x, *layers: preact(x, *layers) + x,
    one_convolution=lambda x, b1, c1, b2, c2: x + c1(b1(x).relu()),
    two_skips=lambda x, b1, c1, b2, c2: preact(x, b1, c1, b2, c2) + c1(b1(x).relu()),
    norm_after_sum=lambda x, b1, c1, b2, c2: b2(preact(x, b1, c1, b2, c2)),
)


# --- 04.5 -----------------------------------------------------------------------------


@right("04.5")
def depth_by_mask(y, p, training):
    if not training or p == 0:
        return y
    keep = (torch.rand(y.shape[0]) > p).to(y.dtype)
    return y * keep[:, None, None, None] / (1 - p)


@right("04.5")
def depth_by_torchvision(y, p, training, mode="row"):
    return stochastic_depth(y, p, mode, training)


def _dropped(y, p):
    return y * (torch.rand(len(y), 1, 1, 1) >= p)


wrong(
    "04.5",
    elementwise=F.dropout,
    without_scale=lambda y, p, training: _dropped(y, p) if training else y,
    probability_of_keeping=lambda y, p, training: (
        _dropped(y, 1 - p) / p if training and p else y
    ),
    also_in_eval=lambda y, p, training: _dropped(y, p) / (1 - p),
    whole_batch=partial(depth_by_torchvision, mode="batch"),
    scaled_in_eval=lambda y, p, training: _dropped(y, p) if training else y * (1 - p),
)


def _kept(draw):
    """Depth with its own way to choose the examples that are kept."""

    def answer(y, p, training):
        if not training or p == 0:
            return y
        keep = torch.as_tensor(draw(y, p), dtype=y.dtype).view(-1, *[1] * (y.dim() - 1))
        return y * keep / (1 - p)

    return answer


def _first_dropped(y, p):
    keep = torch.ones(len(y))
    keep[: round(p * len(y))] = 0
    return keep


def _same_every_time(y, p):
    return torch.rand(len(y), generator=torch.Generator().manual_seed(0)) >= p


def _exact_number(y, p):
    return torch.randperm(len(y)) >= round(p * len(y))


def _shuffled_blocks(y, p):
    """Neighbours share their fate."""
    return (torch.rand((len(y) + 1) // 2) >= p).repeat_interleave(2)[: len(y)]


@wrong("04.5")
def depth_of_one_example_less(y, p, training):
    return torch.cat([y[:1], depth_by_mask(y[1:], p, training)])


wrong(
    "04.5",
    first_dropped=_kept(_first_dropped),
    same_every_time=_kept(_same_every_time),
    exact_number=_kept(_exact_number),
    in_pairs=_kept(_shuffled_blocks),
    every_nth=_kept(lambda y, p: torch.arange(len(y)) * p % 1 + p < 1),
    smallest_dropped=_kept(
        lambda y, p: y.mean((1, 2, 3)) > y.mean((1, 2, 3)).quantile(p)
    ),
    channels=lambda y, p, training: F.dropout2d(y, p, training),
    seeded=lambda y, p, training: (
        torch.manual_seed(1) and depth_by_mask(y, p, training)
    ),
    scaled_by_p=lambda y, p, training: _dropped(y, p) / p if training and p else y,
    multiplied=lambda y, p, training: _dropped(y, p) * (1 - p) if training else y,
    noise=lambda y, p, training: y * (1 + p * torch.randn(len(y), 1, 1, 1)),
    mean_in_place_of_branch=lambda y, p, training: y * (1 - p) if training else y,
    dropped_in_eval=lambda y, p, training: depth_by_mask(y, p, not training),
    never=lambda y, p, training: y,
    half=lambda y, p, training: depth_by_mask(y, 0.5 if p else 0, training),
)


# --- 04.6 -----------------------------------------------------------------------------


@right("04.6")
def fold(conv, bn, *, eps=True, bias=True, mean=True, root=True, geometry=True):
    """The right folding, or one with a single named mistake."""
    variance = bn.running_var + (bn.eps if eps else 0)
    scale = bn.weight / (variance.sqrt() if root else variance)
    folded = (
        copy.deepcopy(conv)
        if geometry
        else nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, padding=1)
    )
    folded.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    shift = conv.bias if bias and conv.bias is not None else torch.zeros_like(scale)
    if mean:
        shift = shift - bn.running_mean
    folded.bias = nn.Parameter(shift * scale + bn.bias)
    return folded


right("04.6", of_torch=fuse_conv_bn_eval)
wrong(
    "04.6",
    as_sequence=lambda conv, bn: nn.Sequential(conv, bn),
    without_eps=partial(fold, eps=False),
    without_conv_bias=partial(fold, bias=False),
    without_mean=partial(fold, mean=False),
    by_variance=partial(fold, root=False),
    losing_stride=partial(fold, geometry=False),
)


_folded = partial(spoiled, fold)


@wrong("04.6")
def fold_in_place(conv, bn):
    result = fold(conv, bn)
    conv.weight, conv.bias = result.weight, result.bias
    return conv


@wrong("04.6")
def fold_and_reset_norm(conv, bn):
    result = fold(conv, bn)
    bn.reset_parameters()
    return result


@wrong("04.6")
def fold_over_inputs(conv, bn):
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    folded = fold(conv, bn)
    channels = conv.weight.shape[1]
    folded.weight.data = conv.weight * scale[:channels].view(1, -1, 1, 1)
    return folded


@wrong("04.6")
def fold_into_a_plain_conv(conv, bn):
    """Forgets the dilation; everything else is carried over."""
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        groups=conv.groups,
    )
    plain.load_state_dict(fold(conv, bn).state_dict())
    return plain


def _set(name, value):
    return _folded(lambda result, conv, bn: setattr(result, name, value))


wrong(
    "04.6",
    losing_groups=_folded(lambda result, conv, bn: setattr(result, "groups", 1)),
    losing_padding=_set("padding", (0, 0)),
    losing_only_stride=_set("stride", (1, 1)),
    bias_not_scaled=_folded(
        lambda result, conv, bn: result.bias.data.add_(
            0 if conv.bias is None else conv.bias
        )
    ),
    without_beta=_folded(lambda result, conv, bn: result.bias.data.sub_(bn.bias)),
    without_gamma=_folded(
        lambda result, conv, bn: result.weight.data.div_(bn.weight[:, None, None, None])
    ),
    mean_added=_folded(
        lambda result, conv, bn: result.bias.data.add_(
            2 * bn.running_mean * bn.weight / (bn.running_var + bn.eps).sqrt()
        )
    ),
    mean_not_scaled=_folded(
        lambda result, conv, bn: result.bias.data.add_(
            bn.running_mean * (bn.weight / (bn.running_var + bn.eps).sqrt() - 1)
        )
    ),
    eps_outside_the_root=_folded(
        lambda result, conv, bn: result.weight.data.mul_(
            ((bn.running_var + bn.eps).sqrt() / (bn.running_var.sqrt() + bn.eps))[
                :, None, None, None
            ]
        )
    ),
    default_eps=lambda conv, bn: setattr(bn, "eps", 1e-5) or fold(conv, bn),
    no_bias=_folded(lambda result, conv, bn: setattr(result, "bias", None)),
    weight_only=lambda conv, bn: fold(conv, bn).weight,
    untouched=lambda conv, bn: conv,
)
