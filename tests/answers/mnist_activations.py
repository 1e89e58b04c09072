"""Answers to the exercises of notebook 11: right ones, and mistakes students make."""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

# --- 11.1 -----------------------------------------------------------------------------


def layer_by_formula(side, c_in, c_out, k, stride, padding):
    out = (side + 2 * padding - k) // stride + 1
    return out, (k * k * c_in + 1) * c_out


def layer_by_building(side, c_in, c_out, k, stride, padding):
    with torch.device("meta"):
        conv = nn.Conv2d(c_in, c_out, k, stride, padding)
        out = conv(torch.zeros(1, c_in, side, side)).shape[-1]
    return [out, sum(p.numel() for p in conv.parameters())]


def layer_without_bias(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, k * k * c_in * c_out


def layer_bias_per_input(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * k * c_out + 1) * c_in


def layer_one_sided_padding(side, c_in, c_out, k, stride, padding):
    return (side + padding - k) // stride + 1, (k * k * c_in + 1) * c_out


def layer_without_plus_one(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride, (k * k * c_in + 1) * c_out


def layer_rounded_up(side, c_in, c_out, k, stride, padding):
    out = math.ceil((side + 2 * padding - k) / stride) + 1
    return out, (k * k * c_in + 1) * c_out


def layer_kernel_not_squared(side, c_in, c_out, k, stride, padding):
    return (side + 2 * padding - k) // stride + 1, (k * c_in + 1) * c_out


# --- 11.2 -----------------------------------------------------------------------------


def same_by_formula(side, k, stride):
    total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


def same_by_remainder(side, k, stride):
    """As TensorFlow's documentation writes it."""
    rest = side % stride
    total = max(k - (rest if rest else stride), 0)
    return [total // 2, (total + 1) // 2]


def same_half_kernel(side, k, stride):
    return k // 2, k // 2


def same_as_for_stride_one(side, k, stride):
    return (k - 1) // 2, k - 1 - (k - 1) // 2


def same_more_before(side, k, stride):
    return same_by_formula(side, k, stride)[::-1]


def same_rounded_down(side, k, stride):
    total = max((side // stride - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


def same_below_zero(side, k, stride):
    total = (math.ceil(side / stride) - 1) * stride + k - side
    return total // 2, total - total // 2


def same_total(side, k, stride):
    return sum(same_by_formula(side, k, stride))


# --- 11.3 -----------------------------------------------------------------------------


def pixel_by_patch(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return torch.relu((patch * weight[f]).sum() + bias[f])


def pixel_by_loops(x, weight, bias, f, i, j):
    channels, height, width = x.shape
    half, total = weight.shape[-1] // 2, bias[f].item()
    for c, u, v in product(range(channels), *[range(-half, half + 1)] * 2):
        if 0 <= i + u < height and 0 <= j + v < width:
            value = weight[f, c, u + half, v + half] * x[c, i + u, j + v]
            total += value.item()
    return max(total, 0.0)


def pixel_without_relu(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return (patch * weight[f]).sum() + bias[f]


def pixel_without_bias(x, weight, bias, f, i, j):
    return torch.relu(pixel_without_relu(x, weight, bias, f, i, j) - bias[f])


def pixel_flipped_kernel(x, weight, bias, f, i, j):
    return pixel_by_patch(x, weight.flip(-1, -2), bias, f, i, j)


def pixel_first_channel(x, weight, bias, f, i, j):
    return pixel_by_patch(x[:1], weight[:, :1], bias, f, i, j)


def pixel_without_padding(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = x[:, i : i + k, j : j + k]
    kernel = weight[f, :, : patch.shape[1], : patch.shape[2]]
    return torch.relu((patch * kernel).sum() + bias[f])


def pixel_swapped_axes(x, weight, bias, f, i, j):
    return pixel_by_patch(x, weight, bias, f, j, i)


def pixel_without_sum_over_channels(x, weight, bias, f, i, j):
    k = weight.shape[-1]
    patch = F.pad(x, [k // 2] * 4)[:, i : i + k, j : j + k]
    return torch.relu((patch * weight[f]).sum((1, 2)) + bias[f])


# --- 11.4 -----------------------------------------------------------------------------


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


def watch_by_a_class(net, x, names):
    keeper = _Keeper(net, names)
    with torch.no_grad():
        net(x)
    [handle.remove() for handle in keeper.handles]
    return keeper.outputs


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


def watch_all_layers(net, x, names):
    return watch_by_hooks(net, x, [name for name, _ in net.named_modules() if name])


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


def watch_as_a_list(net, x, names):
    return list(watch_by_hooks(net, x, names).values())


# --- 11.5 -----------------------------------------------------------------------------


def field_by_formula(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 6, 0), min(2 * i + 8, 28), max(2 * j - 6, 0), min(2 * j + 8, 28)


def field_by_stages(z):
    """Back through the second convolution, the pooling and the first convolution."""
    ends = []
    for n in (z == z.max()).nonzero()[0].tolist():
        first, last = n - 2, n + 2  # conv2d_2
        first, last = 2 * first, 2 * last + 1  # max_pooling2d_1
        first, last = first - 2, last + 2  # conv2d_1
        ends += [max(first, 0), min(last + 1, 28)]
    return ends


def field_not_clipped(z):
    i, j = divmod(z.argmax().item(), 14)
    return 2 * i - 6, 2 * i + 8, 2 * j - 6, 2 * j + 8


def field_symmetric(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 6, 0), min(2 * i + 7, 28), max(2 * j - 6, 0), min(2 * j + 7, 28)


def field_without_stride(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(i - 6, 0), min(i + 8, 28), max(j - 6, 0), min(j + 8, 28)


def field_swapped_axes(z):
    top, bottom, left, right = field_by_formula(z)
    return left, right, top, bottom


def field_of_largest_size(z):
    return field_by_formula(z.abs())


def field_corners(z):
    top, bottom, left, right = field_by_formula(z)
    return top, left, bottom, right


def field_without_pooling_neighbour(z):
    i, j = divmod(z.argmax().item(), 14)
    return max(2 * i - 4, 0), min(2 * i + 5, 28), max(2 * j - 4, 0), min(2 * j + 5, 28)


# --- 11.6 -----------------------------------------------------------------------------


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


def occlusion_one_by_one(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill)


def occlusion_rise(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill, sign=-1)


def occlusion_first_channel(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill, channels=0)


def occlusion_always_black(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, 0.0)


def occlusion_without_last_place(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill, last=0)


def occlusion_over_the_edge(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill, last=size)


def occlusion_every_pixel(score, x, size, stride, fill):
    return occlusion(score, x, size, 1, fill)


def occlusion_not_restored(score, x, size, stride, fill):
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    before, drops = score(x[None]), []
    for i, j in product(rows, columns):
        x[:, i : i + size, j : j + size] = fill
        drops.append((before - score(x[None])).item())
    return torch.tensor(drops).view(len(rows), len(columns))


def occlusion_transposed(score, x, size, stride, fill):
    return occlusion(score, x, size, stride, fill).T


RIGHT = {
    "11.1": (layer_by_formula, layer_by_building),
    "11.2": (same_by_formula, same_by_remainder),
    "11.3": (pixel_by_patch, pixel_by_loops),
    "11.4": (watch_by_hooks, watch_by_a_class),
    "11.5": (field_by_formula, field_by_stages),
    "11.6": (occlusion_in_one_batch, occlusion_one_by_one),
}
WRONG = {
    "11.1": (
        layer_without_bias,
        layer_bias_per_input,
        layer_one_sided_padding,
        layer_without_plus_one,
        layer_rounded_up,
        layer_kernel_not_squared,
    ),
    "11.2": (
        same_half_kernel,
        same_as_for_stride_one,
        same_more_before,
        same_rounded_down,
        same_below_zero,
        same_total,
    ),
    "11.3": (
        pixel_without_relu,
        pixel_without_bias,
        pixel_flipped_kernel,
        pixel_first_channel,
        pixel_without_padding,
        pixel_swapped_axes,
        pixel_without_sum_over_channels,
    ),
    "11.4": (
        watch_leaving_hooks,
        watch_late_binding,
        watch_without_clone,
        watch_inputs,
        watch_all_layers,
        watch_removing_the_last_only,
        watch_as_a_list,
    ),
    "11.5": (
        field_not_clipped,
        field_symmetric,
        field_without_stride,
        field_swapped_axes,
        field_of_largest_size,
        field_corners,
        field_without_pooling_neighbour,
    ),
    "11.6": (
        occlusion_rise,
        occlusion_first_channel,
        occlusion_always_black,
        occlusion_without_last_place,
        occlusion_over_the_edge,
        occlusion_every_pixel,
        occlusion_not_restored,
        occlusion_transposed,
    ),
}
