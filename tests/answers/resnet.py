"""Answers to the exercises of notebook 04: right ones, and mistakes students make."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import stochastic_depth as torchvision_stochastic_depth

# --- 04.1 -----------------------------------------------------------------------------


def block_by_formula(c_in, c, stride):
    projection = c_in * c + 2 * c if stride != 1 or c_in != c else 0
    return 9 * c * (c_in + c) + 4 * c + projection


def block_by_building(c_in, c, stride):
    layers = [nn.Conv2d(c_in, c, 3, bias=False), nn.BatchNorm2d(c)]
    layers += [nn.Conv2d(c, c, 3, bias=False), nn.BatchNorm2d(c)]
    if (c_in, 1) != (c, stride):
        layers += [nn.Conv2d(c_in, c, 1, bias=False), nn.BatchNorm2d(c)]
    return sum(p.numel() for layer in layers for p in layer.parameters())


def block_with_biases(c_in, c, stride):
    return block_by_formula(c_in, c, stride) + 2 * c


def block_without_bn(c_in, c, stride):
    return 9 * c * (c_in + c) + (c_in * c if stride != 1 or c_in != c else 0)


def block_without_projection(c_in, c, stride):
    return 9 * c * (c_in + c) + 4 * c


def block_projection_only_for_stride(c_in, c, stride):
    return 9 * c * (c_in + c) + 4 * c + (c_in * c + 2 * c if stride != 1 else 0)


def block_projection_only_for_channels(c_in, c, stride):
    return 9 * c * (c_in + c) + 4 * c + (c_in * c + 2 * c if c_in != c else 0)


# --- 04.2 -----------------------------------------------------------------------------


def permute_by_index(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[:, perm]


def permute_by_matrix(W1, b1, W2, perm):
    P = torch.eye(len(perm))[perm]
    return [P @ W1, P @ b1, W2 @ P.T]


def permute_without_bias(W1, b1, W2, perm):
    return W1[perm], b1, W2[:, perm]


def permute_rows_of_second(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[perm[perm < len(W2)]]


def permute_only_first(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2


def permute_second_backwards(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[:, perm.argsort()]


def permute_inputs(W1, b1, W2, perm):
    return W1[:, perm[perm < 2]], b1[perm], W2[:, perm]


# --- 04.3 -----------------------------------------------------------------------------


def _blocks(model):
    return [m for m in model.modules() if isinstance(m, BasicBlock | Bottleneck)]


def zero_last_norm(model):
    for block in _blocks(model):
        last = block.bn3 if isinstance(block, Bottleneck) else block.bn2
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return model


def zero_last_norm_by_name(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bottleneck = name.rsplit(".", 2)[0] + ".bn3.weight" in dict(
                model.named_parameters()
            )
            if name.startswith("layer") and f".bn{3 if bottleneck else 2}." in name:
                parameter.zero_()
    return model


def zero_always_bn2(model):
    for block in _blocks(model):
        nn.init.zeros_(block.bn2.weight)
        nn.init.zeros_(block.bn2.bias)
    return model


def zero_only_bias(model):
    for block in _blocks(model):
        nn.init.zeros_(getattr(block, "bn3", block.bn2).bias)
    return model


def zero_only_weight(model):
    for block in _blocks(model):
        nn.init.zeros_(getattr(block, "bn3", block.bn2).weight)
    return model


def zero_everything(model):
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def zero_and_freeze(model):
    for block in _blocks(zero_last_norm(model)):
        getattr(block, "bn3", block.bn2).requires_grad_(False)
    return model


# --- 04.4 -----------------------------------------------------------------------------


def preact(x, bn1, conv1, bn2, conv2):
    return x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


def preact_sequential(x, bn1, conv1, bn2, conv2):
    return nn.Sequential(bn1, nn.ReLU(), conv1, bn2, nn.ReLU(), conv2)(x).add(x)


def preact_as_in_v1(x, bn1, conv1, bn2, conv2):
    return F.relu(x + bn2(conv2(F.relu(bn1(conv1(x))))))


def preact_relu_after_sum(x, bn1, conv1, bn2, conv2):
    return F.relu(preact(x, bn1, conv1, bn2, conv2))


def preact_skip_from_activated(x, bn1, conv1, bn2, conv2):
    x = F.relu(bn1(x))
    return x + conv2(F.relu(bn2(conv1(x))))


def preact_without_first_activation(x, bn1, conv1, bn2, conv2):
    return x + conv2(F.relu(bn2(conv1(x))))


def preact_relu_before_bn(x, bn1, conv1, bn2, conv2):
    return x + conv2(bn2(F.relu(conv1(bn1(F.relu(x))))))


def preact_without_sum(x, bn1, conv1, bn2, conv2):
    return conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


# --- 04.5 -----------------------------------------------------------------------------


def depth_by_mask(y, p, training):
    if not training or p == 0:
        return y
    keep = (torch.rand(y.shape[0]) > p).to(y.dtype)
    return y * keep[:, None, None, None] / (1 - p)


def depth_by_torchvision(y, p, training):
    return torchvision_stochastic_depth(y, p, mode="row", training=training)


def depth_elementwise(y, p, training):
    return F.dropout(y, p, training)


def depth_without_scale(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) if training else y


def depth_probability_of_keeping(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) < p) / (p or 1) if training and p else y


def depth_also_in_eval(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) / (1 - p)


def depth_whole_batch(y, p, training):
    return torchvision_stochastic_depth(y, p, mode="batch", training=training)


def depth_scaled_in_eval(y, p, training):
    return y * (torch.rand(len(y), 1, 1, 1) >= p) if training else y * (1 - p)


# --- 04.6 -----------------------------------------------------------------------------


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


def fold_without_eps(conv, bn):
    return fold(conv, bn, eps=False)


def fold_without_conv_bias(conv, bn):
    return fold(conv, bn, bias=False)


def fold_without_mean(conv, bn):
    return fold(conv, bn, mean=False)


def fold_by_variance(conv, bn):
    return fold(conv, bn, root=False)


def fold_losing_stride(conv, bn):
    return fold(conv, bn, geometry=False)


def fold_as_sequence(conv, bn):
    return nn.Sequential(conv, bn)


RIGHT = {
    "04.1": (block_by_formula, block_by_building),
    "04.2": (permute_by_index, permute_by_matrix),
    "04.3": (zero_last_norm, zero_last_norm_by_name),
    "04.4": (preact, preact_sequential),
    "04.5": (depth_by_mask, depth_by_torchvision),
    "04.6": (fold, fuse_conv_bn_eval),
}
WRONG = {
    "04.1": (
        block_with_biases,
        block_without_bn,
        block_without_projection,
        block_projection_only_for_stride,
        block_projection_only_for_channels,
    ),
    "04.2": (
        permute_without_bias,
        permute_rows_of_second,
        permute_only_first,
        permute_second_backwards,
        permute_inputs,
    ),
    "04.3": (
        zero_always_bn2,
        zero_only_bias,
        zero_only_weight,
        zero_everything,
        zero_and_freeze,
    ),
    "04.4": (
        preact_as_in_v1,
        preact_relu_after_sum,
        preact_skip_from_activated,
        preact_without_first_activation,
        preact_relu_before_bn,
        preact_without_sum,
    ),
    "04.5": (
        depth_elementwise,
        depth_without_scale,
        depth_probability_of_keeping,
        depth_also_in_eval,
        depth_whole_batch,
        depth_scaled_in_eval,
    ),
    "04.6": (
        fold_without_eps,
        fold_without_conv_bias,
        fold_without_mean,
        fold_by_variance,
        fold_losing_stride,
        fold_as_sequence,
    ),
}
