"""Answers to the exercises of notebook 11: right ones, and mistakes students make."""

import math
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- 11.1 -----------------------------------------------------------------------------


@right("11.1")
def layer_by_formula(side, c_in, c_out, k, stride, padding):
    out = (side + 2 * padding - k) // stride + 1
    return out, (k * k * c_in + 1) * c_out


@right("11.1")
def layer_by_building(side, c_in, c_out, k, stride, padding):
    with torch.device("meta"):
        conv = nn.Conv2d(c_in, c_out, k, stride, padding)
        out = conv(torch.zeros(1, c_in, side, side)).shape[-1]
    return [out, sum(p.numel() for p in conv.parameters())]


@wrong("11.1")
def layer_without_bias(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, k * k * c_in * c_out


@wrong("11.1")
def layer_bias_per_input(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * k * c_out + 1) * c_in


@wrong("11.1")
def layer_one_sided_padding(side, c_in, c_out, k, stride, padding):
    return (side + padding - k) // stride + 1, (k * k * c_in + 1) * c_out


@wrong("11.1")
def layer_without_plus_one(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride, (k * k * c_in + 1) * c_out


@wrong("11.1")
def layer_rounded_up(side, c_in, c_out, k, stride, padding):
    out = math.ceil((side + 2 * padding - k) / stride) + 1
    return out, (k * k * c_in + 1) * c_out


@wrong("11.1")
def layer_kernel_not_squared(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * c_in + 1) * c_out


# --- 11.2 -----------------------------------------------------------------------------


@right("11.2")
def same_by_formula(side, k, stride):
    total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


@right("11.2")
def same_by_remainder(side, k, stride):
    """As TensorFlow's documentation writes it."""
    rest = side % stride
    total = max(k - (rest if rest else stride), 0)
    return [total // 2, (total + 1) // 2]


@wrong("11.2")
def same_rounded_down(side, k, stride):
    total = max((side // stride - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


@wrong("11.2")
def same_below_zero(side, k, stride):
    total = (math.ceil(side / stride) - 1) * stride + k - side
    return total // 2, total - total // 2


wrong(
    "11.2",
    half_kernel=lambda side, k, stride: (k // 2, k // 2),
    as_for_stride_one=lambda side, k, stride: ((k - 1) // 2, k - 1 - (k - 1) // 2),
    more_before=lambda side, k, stride: same_by_formula(side, k, stride)[::-1],
    total=lambda side, k, stride: sum(same_by_formula(side, k, stride)),
)


# --- 11.3 -----------------------------------------------------------------------------


@right("11.3")
def pixel_by_patch(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return torch.relu((patch * weight[f]).sum() + bias[f])


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
def pixel_without_relu(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return (patch * weight[f]).sum() + bias[f]


@wrong("11.3")
def pixel_without_bias(x, weight, bias, f, i, j):
    return torch.relu(pixel_without_relu(x, weight, bias, f, i, j) - bias[f])


@wrong("11.3")
def pixel_flipped_kernel(x, weight, bias, f, i, j):
    return pixel_by_patch(x, weight.flip(-1, -2), bias, f, i, j)


@wrong("11.3")
def pixel_first_channel(x, weight, bias, f, i, j):
    return pixel_by_patch(x[:1], weight[:, :1], bias, f, i, j)


@wrong("11.3")
def pixel_without_padding(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = x[:, i : i + k, j : j + k]
    kernel = weight[f, :, : patch.shape[1], : patch.shape[2]]
    return torch.relu((patch * kernel).sum() + bias[f])


@wrong("11.3")
def pixel_swapped_axes(x, weight, bias, f, i, j):
    return pixel_by_patch(x, weight, bias, f, j, i)


@wrong("11.3")
def pixel_without_sum_over_channels(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return torch.relu((patch * weight[f]).sum((1, 2)) + bias[f])


# --- 11.4 -----------------------------------------------------------------------------


@right("11.4")
def watch_by_hooks(net, x, names):
    outputs, handles = {}, []
    for name in names:

        def hook(layer, inputs, output, name=name):
            outputs[name] = output.detach().clone()

        handles.append(net.get_submodule(name).register_forward_hook(hook))
    try:
        net(x)
    finally:
        for handle in handles:
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


@wrong("11.4")
def watch_leaving_hooks(net, x, names):
    outputs = {}
    for name in names:
        net.get_submodule(name).register_forward_hook(
            lambda layer, inputs, output, name=name: outputs.update(
                {name: output.clone()}
            )
        )
    net(x)
    return outputs


@wrong("11.4")
def watch_late_binding(net, x, names):
    outputs, handles = {}, []
    for name in names:
        handles.append(
            net.get_submodule(name).register_forward_hook(
                lambda *args: outputs.update({name: args[2].clone()})  # noqa: B023
            )
        )
    net(x)
    for handle in handles:
        handle.remove()
    return outputs


@wrong("11.4")
def watch_without_clone(net, x, names):
    outputs, handles = {}, []
    for name in names:
        handles.append(
            net.get_submodule(name).register_forward_hook(
                lambda layer, inputs, output, name=name: outputs.update({name: output})
            )
        )
    net(x)
    for handle in handles:
        handle.remove()
    return outputs


@wrong("11.4")
def watch_inputs(net, x, names):
    outputs, handles = {}, []
    for name in names:
        handles.append(
            net.get_submodule(name).register_forward_hook(
                lambda layer, inputs, output, name=name: outputs.update(
                    {name: inputs[0].clone()}
                )
            )
        )
    net(x)
    for handle in handles:
        handle.remove()
    return outputs


@wrong("11.4")
def watch_all_layers(net, x, names):
    return watch_by_hooks(net, x, [name for name, _ in net.named_modules() if name])


@wrong("11.4")
def watch_removing_the_last_only(net, x, names):
    outputs = {}
    for name in ["pool", *names]:
        handle = net.get_submodule(name).register_forward_hook(
            lambda layer, inputs, output, name=name: outputs.update(
                {name: output.clone()}
            )
        )
    net(x)
    handle.remove()
    return {name: outputs[name] for name in names}


wrong(
    "11.4",
    as_a_list=lambda net, x, names: list(watch_by_hooks(net, x, names).values()),
)


# --- 11.5 -----------------------------------------------------------------------------


@right("11.5")
def field_by_formula(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 6, 0), min(2 * i + 8, 28), max(2 * j - 6, 0), min(2 * j + 8, 28)


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


@wrong("11.5")
def field_not_clipped(z):
    i, j = divmod(z.argmax().item(), 14)
    return 2 * i - 6, 2 * i + 8, 2 * j - 6, 2 * j + 8


@wrong("11.5")
def field_symmetric(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 6, 0), min(2 * i + 7, 28), max(2 * j - 6, 0), min(2 * j + 7, 28)


@wrong("11.5")
def field_without_stride(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(i - 6, 0), min(i + 8, 28), max(j - 6, 0), min(j + 8, 28)


@wrong("11.5")
def field_swapped_axes(z):
    top, bottom, left, right = field_by_formula(z)
    return left, right, top, bottom


@wrong("11.5")
def field_corners(z):
    top, bottom, left, right = field_by_formula(z)
    return top, left, bottom, right


@wrong("11.5")
def field_without_pooling_neighbour(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 4, 0), min(2 * i + 5, 28), max(2 * j - 4, 0), min(2 * j + 5, 28)


wrong(
    "11.5",
    of_largest_size=lambda z: field_by_formula(z.abs()),
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


@right("11.6")
def occlusion_one_by_one(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill)


@wrong("11.6")
def occlusion_always_black(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, 0.0)


@wrong("11.6")
def occlusion_over_the_edge(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill, last=size)


@wrong("11.6")
def occlusion_not_restored(score, x, size, stride, fill):
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    before, drops = score(x[None]), []
    for i, j in product(rows, columns):
        x[:, i : i + size, j : j + size] = fill
        drops.append((before - score(x[None])).item())
    return torch.tensor(drops).view(len(rows), len(columns))


@wrong("11.6")
def occlusion_transposed(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill).T


wrong(
    "11.6",
    every_pixel=lambda score, x, size, stride, fill: occlusion(score, x, size, 1, fill),
    sign_1=partial(occlusion, sign=-1),
    channels_0=partial(occlusion, channels=0),
    last_0=partial(occlusion, last=0),
)
