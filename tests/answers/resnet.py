"""Answers to the exercises of notebook 04: right ones, and mistakes students make."""

import copy
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import stochastic_depth

from tests.answers import right, wrong

# --- 04.1 -----------------------------------------------------------------------------


@right("04.1")
def block_by_formula(c_in, c, stride, *, for_channels=True, for_stride=True, norm=2):
    """The right count, or one with a single named mistake."""
    projection = (for_channels and c_in != c) or (for_stride and stride != 1)
    return 9 * c * (c_in + c) + 2 * norm * c + projection * (c_in * c + norm * c)


@right("04.1")
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


# --- 04.2 -----------------------------------------------------------------------------


@right("04.2")
def permute_by_index(W1, b1, W2, perm):
    return W1[perm], b1[perm], W2[:, perm]


@right("04.2")
def permute_by_matrix(W1, b1, W2, perm):
    P = torch.eye(len(perm))[perm]
    return [P @ W1, P @ b1, W2 @ P.T]


wrong(
    "04.2",
    without_bias=lambda W1, b1, W2, perm: (W1[perm], b1, W2[:, perm]),
    rows_of_second=lambda W1, b1, W2, p: (W1[p], b1[p], W2[p[p < len(W2)]]),
    second_backwards=lambda W1, b1, W2, p: (W1[p], b1[p], W2[:, p.argsort()]),
    only_first=lambda W1, b1, W2, perm: (W1[perm], b1[perm], W2),
    inputs=lambda W1, b1, W2, perm: (W1[:, perm[perm < 2]], b1[perm], W2[:, perm]),
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
