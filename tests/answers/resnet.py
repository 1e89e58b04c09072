"""Answers to the exercises of notebook 04: right ones, and mistakes students make."""

import copy
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import stochastic_depth as torchvision_stochastic_depth

from tests.answers import right, wrong

# --- 04.1 -----------------------------------------------------------------------------


@right("04.1")
def block_by_formula(c_in, c, stride):
    projection = c_in * c + 2 * c if stride != 1 or c_in != c else 0
    return 9 * c * (c_in + c) + 4 * c + projection


@right("04.1")
def block_by_building(c_in, c, stride):
    layers = [nn.Conv2d(c_in, c, 3, bias=False), nn.BatchNorm2d(c)]
    layers += [nn.Conv2d(c, c, 3, bias=False), nn.BatchNorm2d(c)]
    if (c_in, 1) != (c, stride):
        layers += [nn.Conv2d(c_in, c, 1, bias=False), nn.BatchNorm2d(c)]
    return sum(p.numel() for layer in layers for p in layer.parameters())


@wrong("04.1")
def block_without_bn(c_in, c, stride):
    return 9 * c * (c_in + c) + (c_in * c if stride != 1 or c_in != c else 0)


@wrong("04.1")
def block_projection_only_for_stride(c_in, c, stride):
    return 9 * c * (c_in + c) + 4 * c + (c_in * c + 2 * c if stride != 1 else 0)


@wrong("04.1")
def block_projection_only_for_channels(c_in, c, stride):
    return 9 * c * (c_in + c) + 4 * c + (c_in * c + 2 * c if c_in != c else 0)


wrong(
    "04.1",
    with_biases=lambda c_in, c, stride: block_by_formula(c_in, c, stride) + 2 * c,
    without_projection=lambda c_in, c, stride: 9 * c * (c_in + c) + 4 * c,
)


# --- 04.2 -----------------------------------------------------------------------------


@right("04.2")
def permute_by_matrix(W1, b1, W2, perm):
    P = torch.eye(len(perm))[perm]
    return [P @ W1, P @ b1, W2 @ P.T]


@wrong("04.2")
def permute_rows_of_second(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[perm[perm < len(W2)]]


@wrong("04.2")
def permute_second_backwards(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[:, perm.argsort()]


right(
    "04.2",
    by_index=lambda W1, b1, W2, perm: (W1[perm], b1[perm], W2[:, perm]),
)


wrong(
    "04.2",
    without_bias=lambda W1, b1, W2, perm: (W1[perm], b1, W2[:, perm]),
    only_first=lambda W1, b1, W2, perm: (W1[perm], b1[perm], W2),
    inputs=lambda W1, b1, W2, perm: (W1[:, perm[perm < 2]], b1[perm], W2[:, perm]),
)


# --- 04.3 -----------------------------------------------------------------------------


def _blocks(model):
    return [m for m in model.modules() if isinstance(m, BasicBlock | Bottleneck)]


@right("04.3")
def zero_last_norm(model):
    for block in _blocks(model):
        last = block.bn3 if isinstance(block, Bottleneck) else block.bn2
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return model


@right("04.3")
def zero_last_norm_by_name(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bottleneck = name.rsplit(".", 2)[0] + ".bn3.weight" in dict(
                model.named_parameters()
            )
            if name.startswith("layer") and f".bn{3 if bottleneck else 2}." in name:
                parameter.zero_()
    return model


@wrong("04.3")
def zero_always_bn2(model):
    for block in _blocks(model):
        nn.init.zeros_(block.bn2.weight)
        nn.init.zeros_(block.bn2.bias)
    return model


@wrong("04.3")
def zero_only_bias(model):
    for block in _blocks(model):
        nn.init.zeros_(getattr(block, "bn3", block.bn2).bias)
    return model


@wrong("04.3")
def zero_only_weight(model):
    for block in _blocks(model):
        nn.init.zeros_(getattr(block, "bn3", block.bn2).weight)
    return model


@wrong("04.3")
def zero_everything(model):
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


@wrong("04.3")
def zero_and_freeze(model):
    for block in _blocks(zero_last_norm(model)):
        getattr(block, "bn3", block.bn2).requires_grad_(False)
    return model


# --- 04.4 -----------------------------------------------------------------------------


@right("04.4")
def preact(x, bn1, conv1, bn2, conv2):
    return x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


@right("04.4")
def preact_sequential(x, bn1, conv1, bn2, conv2):
    return nn.Sequential(bn1, nn.ReLU(), conv1, bn2, nn.ReLU(), conv2)(x).add(x)


@wrong("04.4")
def preact_as_in_v1(x, bn1, conv1, bn2, conv2):
    return F.relu(x + bn2(conv2(F.relu(bn1(conv1(x))))))


@wrong("04.4")
def preact_relu_after_sum(x, bn1, conv1, bn2, conv2):
    return F.relu(preact(x, bn1, conv1, bn2, conv2))


@wrong("04.4")
def preact_skip_from_activated(x, bn1, conv1, bn2, conv2):
    x = F.relu(bn1(x))
    return x + conv2(F.relu(bn2(conv1(x))))


@wrong("04.4")
def preact_without_first_activation(x, bn1, conv1, bn2, conv2):
    return x + conv2(F.relu(bn2(conv1(x))))


@wrong("04.4")
def preact_relu_before_bn(x, bn1, conv1, bn2, conv2):
    return x + conv2(bn2(F.relu(conv1(bn1(F.relu(x))))))


@wrong("04.4")
def preact_without_sum(x, bn1, conv1, bn2, conv2):
    return conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


# --- 04.5 -----------------------------------------------------------------------------


@right("04.5")
def depth_by_mask(y, p, training):
    if not training or p == 0:
        return y
    keep = (torch.rand(y.shape[0]) > p).to(y.dtype)
    return y * keep[:, None, None, None] / (1 - p)


@right("04.5")
def depth_by_torchvision(y, p, training):
    return torchvision_stochastic_depth(y, p, mode="row", training=training)


@wrong("04.5")
def depth_without_scale(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) if training else y


@wrong("04.5")
def depth_probability_of_keeping(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) < p) / (p or 1) if training and p else y


@wrong("04.5")
def depth_also_in_eval(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) / (1 - p)


@wrong("04.5")
def depth_whole_batch(y, p, training):
    return torchvision_stochastic_depth(y, p, mode="batch", training=training)


@wrong("04.5")
def depth_scaled_in_eval(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) if training else y * (1 - p)


wrong(
    "04.5",
    elementwise=lambda y, p, training: F.dropout(y, p, training),
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


right(
    "04.6",
    fuse_conv_bn_eval=fuse_conv_bn_eval,
)


wrong(
    "04.6",
    as_sequence=lambda conv, bn: nn.Sequential(conv, bn),
    eps_False=partial(fold, eps=False),
    bias_False=partial(fold, bias=False),
    mean_False=partial(fold, mean=False),
    root_False=partial(fold, root=False),
    geometry_False=partial(fold, geometry=False),
)
