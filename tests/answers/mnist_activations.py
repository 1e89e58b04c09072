"""Answers to the exercises of notebook 11: right ones, and mistakes students make."""

import math
import operator
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- 11.1 -----------------------------------------------------------------------------


@right("11.1")
def layer(side, c_in, c_out, k, stride, padding, *, divide=operator.floordiv, bias=1):
    """The right pair, or one with a single named mistake."""
    out = divide(side + 2 * padding - k, stride) + 1
    return out, (k * k * c_in + bias) * c_out


@right("11.1")
def layer_by_building(side, c_in, c_out, k, stride, padding):
    with torch.device("meta"):
        conv = nn.Conv2d(c_in, c_out, k, stride, padding)
        out = conv(torch.zeros(1, c_in, side, side)).shape[-1]
    return [out, sum(p.numel() for p in conv.parameters())]


@wrong("11.1")
def layer_bias_per_input(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * k * c_out + 1) * c_in


@wrong("11.1")
def layer_kernel_not_squared(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * c_in + 1) * c_out


wrong(
    "11.1",
    without_bias=partial(layer, bias=0),
    rounded_up=partial(layer, divide=lambda a, b: math.ceil(a / b)),
    without_plus_one=partial(layer, divide=lambda a, b: a // b - 1),
    one_sided_padding=lambda *given: layer(*given[:-1], given[-1] / 2),
)


# --- 11.2 -----------------------------------------------------------------------------


@right("11.2")
def same(side, k, stride, *, rounded=math.ceil, least=0):
    """The right pair, or one with a single named mistake."""
    total = max((rounded(side / stride) - 1) * stride + k - side, least)
    return total // 2, total - total // 2


@right("11.2")
def same_by_remainder(side, k, stride):
    """As TensorFlow's documentation writes it."""
    rest = side % stride
    total = max(k - (rest if rest else stride), 0)
    return [total // 2, (total + 1) // 2]


wrong(
    "11.2",
    rounded_down=partial(same, rounded=math.floor),
    below_zero=partial(same, least=-math.inf),
    half_kernel=lambda side, k, stride: (k // 2, k // 2),
    as_for_stride_one=lambda side, k, stride: same(side, k, 1),
    more_before=lambda *given: same(*given)[::-1],
    total=lambda *given: sum(same(*given)),
)


# --- 11.3 -----------------------------------------------------------------------------


@right("11.3")
def pixel(x, weight, bias, f, i, j, *, relu=torch.relu, total=torch.sum, shift=1):
    """The right value, or one with a single named mistake."""
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return relu(total(patch * weight[f]) + shift * bias[f])


@right("11.3")
def pixel_by_loops(x, weight, bias, f, i, j):
    channels, height, width = x.shape
    half, total = weight.shape[-1] // 2, bias[f].item()
    for c, u, v in product(range(channels), *[range(-half, half + 1)] * 2):
        if 0 <= i + u < height and 0 <= j + v < width:
            value = weight[f, c, u + half, v + half] * x[c, i + u, j + v]
            total += value.item()
    return max(total, 0.0)


@wrong("11.3")
def pixel_without_padding(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = x[:, i : i + k, j : j + k]
    kernel = weight[f, :, : patch.shape[1], : patch.shape[2]]
    return torch.relu((patch * kernel).sum() + bias[f])


wrong(
    "11.3",
    without_relu=partial(pixel, relu=torch.clone),
    without_bias=partial(pixel, shift=0),
    without_sum_over_channels=partial(pixel, total=lambda z: z.sum((1, 2))),
    flipped_kernel=lambda x, weight, *rest: pixel(x, weight.flip(-1, -2), *rest),
    first_channel=lambda x, weight, *rest: pixel(x[:1], weight[:, :1], *rest),
    swapped_axes=lambda x, weight, bias, f, i, j: pixel(x, weight, bias, f, j, i),
)


# --- 11.4 -----------------------------------------------------------------------------


@right("11.4")
def watch(net, x, names, *, kept=torch.clone, of="output", bound=True, removed=None):
    """The right outputs, or ones with a single named mistake."""
    outputs, handles = {}, []
    for name in names:

        def hook(layer, inputs, output, own=name):
            value = {"output": output, "input": inputs[0]}[of]
            outputs[own if bound else name] = kept(value.detach())  # noqa: B023

        handles.append(net.get_submodule(name).register_forward_hook(hook))
    net(x)
    for handle in handles[slice(removed)]:
        handle.remove()
    return outputs


class _Keeper:
    def __init__(self, net, names):
        self.outputs = {}
        modules = dict(net.named_modules())
        self.handles = [
            modules[name].register_forward_hook(self._keep(name)) for name in names
        ]

    def _keep(self, name):
        return lambda layer, inputs, output: self.outputs.update({name: output + 0})


@right("11.4")
def watch_by_a_class(net, x, names):
    keeper = _Keeper(net, names)
    with torch.no_grad():
        net(x)
    [handle.remove() for handle in keeper.handles]
    return keeper.outputs


wrong(
    "11.4",
    leaving_hooks=partial(watch, removed=0),
    removing_the_first_only=partial(watch, removed=1),
    late_binding=partial(watch, bound=False),
    without_clone=partial(watch, kept=torch.detach),
    inputs=partial(watch, of="input"),
    all_layers=lambda net, x, _: watch(
        net, x, [n for n, _ in net.named_modules() if n]
    ),
    as_a_list=lambda *given: list(watch(*given).values()),
)


# --- 11.5 -----------------------------------------------------------------------------


@right("11.5")
def field(z, *, step=2, before=6, after=8, least=0, most=28):
    """The right ends, or ones with a single named mistake."""
    ends = []
    for n in divmod(z.argmax().item(), 14):
        ends += [max(step * n - before, least), min(step * n + after, most)]
    return tuple(ends)


@right("11.5")
def field_by_stages(z):
    """Back through the second convolution, the pooling and the first convolution."""
    ends = []
    for n in (z == z.max()).nonzero()[0].tolist():
        first, last = n - 2, n + 2  # conv2d_2
        first, last = 2 * first, 2 * last + 1  # max_pooling2d_1
        first, last = first - 2, last + 2  # conv2d_1
        ends += [max(first, 0), min(last + 1, 28)]
    return ends


wrong(
    "11.5",
    not_clipped=partial(field, least=-99, most=99),
    symmetric=partial(field, after=7),
    without_stride=partial(field, step=1),
    without_pooling_neighbour=partial(field, before=4, after=5),
    swapped_axes=lambda z: field(z.T),
    corners=lambda z: tuple(field(z)[n] for n in (0, 2, 1, 3)),
    of_largest_size=lambda z: field(z.abs()),
)


# --- 11.6 -----------------------------------------------------------------------------


@right("11.6")
def occlusion_in_one_batch(score, x, size, stride, fill):
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    covered = x.repeat(len(rows) * len(columns), 1, 1, 1)
    for image, (i, j) in zip(covered, product(rows, columns), strict=True):
        image[:, i : i + size, j : j + size] = fill
    return (score(x[None]) - score(covered)).view(len(rows), len(columns))


@right("11.6")
def occlusion(score, x, size, stride, fill, *, channels=slice(None), sign=1, last=1):
    """One picture at a time; the keywords plant single mistakes."""
    maps = []
    for i in range(0, x.shape[1] - size + last, stride):
        maps.append([])
        for j in range(0, x.shape[2] - size + last, stride):
            covered = x.clone()
            covered[channels, i : i + size, j : j + size] = fill
            drop = score(x.unsqueeze(0)) - score(covered.unsqueeze(0))
            maps[-1].append(sign * drop.item())
    return torch.tensor(maps)


@wrong("11.6")
def occlusion_not_restored(score, x, size, stride, fill):
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    before, drops = score(x[None]), []
    for i, j in product(rows, columns):
        x[:, i : i + size, j : j + size] = fill
        drops.append((before - score(x[None])).item())
    return torch.tensor(drops).view(len(rows), len(columns))


wrong(
    "11.6",
    rise=partial(occlusion, sign=-1),
    first_channel=partial(occlusion, channels=0),
    without_last_place=partial(occlusion, last=0),
    always_black=lambda *given: occlusion(*given[:-1], 0.0),
    every_pixel=lambda score, x, size, stride, fill: occlusion(score, x, size, 1, fill),
    over_the_edge=lambda *given: occlusion(*given, last=given[2]),
    transposed=lambda *given: occlusion(*given).T,
)
