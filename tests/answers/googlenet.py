"""Answers to the exercises of notebook 03: right ones, and mistakes students make."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- 03.1 -----------------------------------------------------------------------------


@right("03.1")
def module_by_formula(c_in, c1, r3, c3, r5, c5, proj, *, areas=(9, 25), bias=1):
    """The right count, or one with a single named mistake."""
    weights = c_in * (c1 + r3 + r5 + proj) + areas[0] * r3 * c3 + areas[1] * r5 * c5
    return weights + bias * (c1 + r3 + c3 + r5 + c5 + proj)


@right("03.1")
def module_by_building(c_in, c1, r3, c3, r5, c5, proj):
    sizes = [(c_in, c1, 1), (c_in, r3, 1), (r3, c3, 3), (c_in, r5, 1), (r5, c5, 5)]
    convs = [nn.Conv2d(*size) for size in [*sizes, (c_in, proj, 1)]]
    return sum(p.numel() for conv in convs for p in conv.parameters())


@wrong("03.1")
def module_without_reductions(c_in, c1, r3, c3, r5, c5, proj):
    return (c_in + 1) * (c1 + proj) + (9 * c_in + 1) * c3 + (25 * c_in + 1) * c5


wrong(
    "03.1",
    without_biases=partial(module_by_formula, bias=0),
    as_in_torchvision=partial(module_by_formula, areas=(9, 9)),
    with_sides_for_areas=partial(module_by_formula, areas=(3, 5)),
    without_projection=lambda *widths: module_by_formula(*widths[:-1], 0),
)


# --- 03.2 -----------------------------------------------------------------------------


@right("03.2")
def reduction_by_formula(c_in, c_out, k):
    return (k * k * c_in * c_out - 1) // (c_in + k * k * c_out)


@right("03.2")
def reduction_by_search(c_in, c_out, k):
    r = 0
    while (r + 1) * (c_in + k * k * c_out) < k * k * c_in * c_out:
        r += 1
    return r


wrong(
    "03.2",
    not_strict=lambda c_in, c_out, k: k * k * c_in * c_out // (c_in + k * k * c_out),
    of_area_forgotten=lambda c_in, c_out, k: (
        (k * c_in * c_out - 1) // (c_in + k * c_out)
    ),
    without_its_own_cost=lambda c_in, c_out, k: c_in - 1,
    as_fraction=lambda c_in, c_out, k: k * k * c_in * c_out / (c_in + k * k * c_out),
    first_that_is_dearer=lambda *sizes: reduction_by_formula(*sizes) + 1,
)


# --- 03.4 -----------------------------------------------------------------------------


@right("03.4")
def maps_by_convolution(x, fc):
    return F.conv2d(x, fc.weight[:, :, None, None], fc.bias)


right(
    "03.4",
    by_movedim=lambda x, fc: fc(x.movedim(1, -1)).movedim(-1, 1),
)


wrong(
    "03.4",
    without_bias=lambda x, fc: torch.einsum("kc,bchw->bkhw", fc.weight, x),
    channels_last=lambda x, fc: fc(x.permute(0, 2, 3, 1)),
    averaged=lambda x, fc: fc(x.mean((2, 3))),
    softmaxed=lambda x, fc: maps_by_convolution(x, fc).softmax(1),
    divided_by_area=lambda x, fc: maps_by_convolution(x, fc) / x[0, 0].numel(),
    with_relu=lambda x, fc: maps_by_convolution(x, fc).relu(),
)


# --- 03.5 -----------------------------------------------------------------------------


def _conv(weight, bias, **options):
    conv = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], **options)
    conv.weight = nn.Parameter(weight)
    conv.bias = None if bias is None else nn.Parameter(bias)
    return conv


@right("03.5")
def merge_by_convolution(narrow, wide):
    kernel = F.conv2d(wide.weight, narrow.weight.transpose(0, 1))
    constant = narrow.bias.view(1, -1, 1, 1).expand(-1, -1, *wide.kernel_size)
    return _conv(kernel, wide(constant).flatten(), stride=wide.stride)


@right("03.5")
def merge(
    narrow, wide, *, scale=1, through=torch.sum, first_bias=1, bias=True, stride=None
):
    """The right convolution, or one with a single named mistake."""
    kernel = torch.einsum("omij,mc->ocij", wide.weight, narrow.weight.flatten(1))
    constant = wide.bias + first_bias * through(wide.weight, (2, 3)) @ narrow.bias
    stride = stride or wide.stride
    return _conv(scale * kernel, constant if bias else None, stride=stride)


wrong(
    "03.5",
    losing_first_bias=partial(merge, first_bias=0),
    bias_through_centre=partial(merge, through=torch.mean),
    losing_stride=partial(merge, stride=1),
    losing_both_biases=partial(merge, bias=False),
    by_averaging_channels=partial(merge, scale=1 / 4),
    as_sequence=lambda narrow, wide: nn.Sequential(narrow, wide),
)
