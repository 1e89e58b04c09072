"""Answers to the exercises of notebook 03: right ones, and mistakes students make."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- 03.1 -----------------------------------------------------------------------------


@right("03.1")
def module_by_formula(c_in, c1, r3, c3, r5, c5, proj):
    weights = c_in * (c1 + r3 + r5 + proj) + 9 * r3 * c3 + 25 * r5 * c5
    return weights + c1 + r3 + c3 + r5 + c5 + proj


@right("03.1")
def module_by_building(c_in, c1, r3, c3, r5, c5, proj):
    sizes = [(c_in, c1, 1), (c_in, r3, 1), (r3, c3, 3), (c_in, r5, 1), (r5, c5, 5)]
    convs = [nn.Conv2d(*size) for size in [*sizes, (c_in, proj, 1)]]
    return sum(p.numel() for conv in convs for p in conv.parameters())


@wrong("03.1")
def module_without_biases(c_in, c1, r3, c3, r5, c5, proj):
    return c_in * (c1 + r3 + r5 + proj) + 9 * r3 * c3 + 25 * r5 * c5


@wrong("03.1")
def module_without_reductions(c_in, c1, r3, c3, r5, c5, proj):
    return (c_in + 1) * (c1 + proj) + (9 * c_in + 1) * c3 + (25 * c_in + 1) * c5


@wrong("03.1")
def module_without_projection(c_in, c1, r3, c3, r5, c5, proj):
    return module_by_formula(c_in, c1, r3, c3, r5, c5, 0)


@wrong("03.1")
def module_as_in_torchvision(c_in, c1, r3, c3, r5, c5, proj):
    return module_by_formula(c_in, c1, r3, c3, r5, c5, proj) - 16 * r5 * c5


@wrong("03.1")
def module_with_sides_for_areas(c_in, c1, r3, c3, r5, c5, proj):
    pointwise = (c_in + 1) * (c1 + r3 + r5 + proj)
    return pointwise + (3 * r3 + 1) * c3 + (5 * r5 + 1) * c5


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


@wrong("03.2")
def reduction_of_area_forgotten(c_in, c_out, k):
    return (k * c_in * c_out - 1) // (c_in + k * c_out)


@wrong("03.2")
def reduction_first_that_is_dearer(c_in, c_out, k):
    return reduction_by_formula(c_in, c_out, k) + 1


wrong(
    "03.2",
    not_strict=lambda c_in, c_out, k: k * k * c_in * c_out // (c_in + k * k * c_out),
    without_its_own_cost=lambda c_in, c_out, k: c_in - 1,
    as_fraction=lambda c_in, c_out, k: k * k * c_in * c_out / (c_in + k * k * c_out),
)


# --- 03.3 -----------------------------------------------------------------------------


def _conv(weight, bias, **options):
    conv = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], **options)
    conv.weight = nn.Parameter(weight)
    conv.bias = None if bias is None else nn.Parameter(bias)
    return conv


@right("03.3")
def dense_by_probing(dense, C, H, W):
    basis = torch.eye(C * H * W, dtype=dense.weight.dtype)
    with torch.no_grad():
        columns = dense(basis) - dense.bias
    return _conv(columns.T.reshape(-1, C, H, W), dense.bias.clone())


@wrong("03.3")
def dense_channels_last(dense, C, H, W):
    return _conv(dense.weight.view(-1, H, W, C).permute(0, 3, 1, 2), dense.bias)


@wrong("03.3")
def dense_as_one_by_one(dense, C, H, W):
    return _conv(dense.weight[..., None, None], dense.bias)


@wrong("03.3")
def dense_rows_and_columns_swapped(dense, C, H, W):
    return _conv(dense.weight.view(-1, C, W, H).transpose(2, 3), dense.bias)


@wrong("03.3")
def dense_with_padding(dense, C, H, W):
    return _conv(dense.weight.view(-1, C, H, W), dense.bias, padding=1)


@wrong("03.3")
def dense_in_steps(dense, C, H, W):
    return _conv(dense.weight.view(-1, C, H, W), dense.bias, stride=(H, W))


right(
    "03.3",
    by_reshape=lambda dense, C, H, W: _conv(dense.weight.view(-1, C, H, W), dense.bias),
)


wrong(
    "03.3",
    without_bias=lambda dense, C, H, W: _conv(dense.weight.view(-1, C, H, W), None),
    in_sequence=lambda dense, C, H, W: nn.Sequential(nn.Flatten(), dense),
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


@right("03.5")
def merge_by_einsum(narrow, wide):
    kernel = torch.einsum("omij,mc->ocij", wide.weight, narrow.weight.flatten(1))
    bias = wide.bias + wide.weight.sum((2, 3)) @ narrow.bias
    return _conv(kernel, bias, stride=wide.stride)


@right("03.5")
def merge_by_convolution(narrow, wide):
    kernel = F.conv2d(wide.weight, narrow.weight.transpose(0, 1))
    constant = narrow.bias.view(1, -1, 1, 1).expand(-1, -1, *wide.kernel_size)
    return _conv(kernel, wide(constant).flatten(), stride=wide.stride)


@wrong("03.5")
def merge_losing_first_bias(narrow, wide):
    merged = merge_by_einsum(narrow, wide)
    return _conv(merged.weight.data, wide.bias, stride=wide.stride)


@wrong("03.5")
def merge_bias_through_centre(narrow, wide):
    merged = merge_by_einsum(narrow, wide)
    bias = wide.bias + wide.weight.mean((2, 3)) @ narrow.bias
    return _conv(merged.weight.data, bias, stride=wide.stride)


@wrong("03.5")
def merge_losing_stride(narrow, wide):
    merged = merge_by_einsum(narrow, wide)
    return _conv(merged.weight.data, merged.bias.data)


@wrong("03.5")
def merge_losing_both_biases(narrow, wide):
    return _conv(merge_by_einsum(narrow, wide).weight.data, None, stride=wide.stride)


@wrong("03.5")
def merge_by_averaging_channels(narrow, wide):
    merged = merge_by_einsum(narrow, wide)
    kernel = merged.weight.data / narrow.out_channels
    return _conv(kernel, merged.bias.data, stride=wide.stride)


wrong(
    "03.5",
    as_sequence=lambda narrow, wide: nn.Sequential(narrow, wide),
)
