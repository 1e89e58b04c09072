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
def layer_by_places(side, c_in, c_out, k, stride, padding):
    places = range(-padding, side + padding - k + 1, stride)
    return [len(places), c_out * (c_in * k**2) + c_out]


@wrong("11.1")
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
wrong(
    "11.1",
    kernels_per_pair_only=lambda side, c_in, c_out, k, *rest: (
        layer(side, c_in, c_out, k, *rest)[0],
        k * k * (c_in + 1) * c_out,
    ),
    one_bias=lambda *given: (layer(*given)[0], layer(*given, bias=0)[1] + 1),
    bias_per_pixel=lambda *given: (
        layer(*given)[0],
        layer(*given, bias=0)[1] + given[2] * layer(*given)[0] ** 2,
    ),
    padded_once=lambda *given: layer(given[0] - given[5], *given[1:]),
    padding_forgotten=lambda *given: layer(*given[:5], 0),
    as_same=lambda *given: (-(-given[0] // given[4]), layer(*given)[1]),
    stride_forgotten=lambda *given: layer(*given[:4], 1, given[5]),
    one_added_before=lambda *given: (
        (given[0] + 2 * given[5] - given[3] + 1) // given[4],
        layer(*given)[1],
    ),
    kernel_less_one=lambda *given: (
        (given[0] + 2 * given[5] - given[3] - 1) // given[4] + 1,
        layer(*given)[1],
    ),
    rounded_to_nearest=lambda *given: (
        round((given[0] + 2 * given[5] - given[3]) / given[4]) + 1,
        layer(*given)[1],
    ),
    real_side=lambda *given: layer(*given, divide=operator.truediv),
    in_other_order=lambda *given: layer(*given)[::-1],
    multiplications=lambda *given: (layer(*given)[0], math.prod(layer(*given))),
    side_squared=lambda *given: (layer(*given)[0] ** 2, layer(*given)[1]),
    only_side=lambda *given: layer(*given)[0],
    without_channels=lambda *given: (layer(*given)[0], (given[3] ** 2 + 1) * given[2]),
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
wrong(
    "11.2",
    rounded_to_nearest=partial(same, rounded=round),
    one_output_more=partial(same, rounded=lambda share: math.floor(share) + 1),
    least_of_one=partial(same, least=1),
    least_of_two=partial(same, least=2),
    equal_on_both_sides=lambda *given: (same(*given)[0],) * 2,
    larger_on_both_sides=lambda *given: (same(*given)[1],) * 2,
    all_after=lambda *given: (0, sum(same(*given))),
    of_the_kernel_and_stride=lambda side, k, stride: (
        max(k - stride, 0) // 2,
        max(k - stride, 0) - max(k - stride, 0) // 2,
    ),
    kernel_less_one=lambda side, k, stride: ((k - 1) // 2, k // 2),
    to_a_multiple=lambda side, k, stride: (0, -side % stride),
    output_times_stride=lambda side, k, stride: same(
        side, k + 1 if stride > 1 else k, stride
    ),
    of_real_halves=lambda *given: (sum(same(*given)) / 2,) * 2,
    output=lambda side, k, stride: (math.ceil(side / stride),) * 2,
    negative_cut_before=lambda side, k, stride: tuple(
        max(part, 0)
        for part in (
            (math.ceil(side / stride) * stride - stride + k - side) // 2,
            math.ceil(side / stride) * stride - stride + k - side,
        )
    ),
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


def _conv(x, weight, bias):
    layer = nn.Conv2d(*weight.shape[1::-1], weight.shape[-1], padding="same")
    layer.weight.data, layer.bias.data = weight, bias
    return layer(x).relu().detach()


wrong(
    "11.3",
    by_the_whole_map=lambda x, weight, bias, f, i, j: F.conv2d(
        x[None], weight, bias, padding=weight.shape[-1] // 2
    ).relu()[0, f, i, j],
    by_a_layer=lambda x, weight, bias, f, i, j: _conv(x, weight, bias)[f, i, j],
    bias_after_relu=lambda x, weight, bias, f, i, j: (
        pixel(x, weight, 0 * bias, f, i, j) + bias[f]
    ),
    of_first_bias=lambda x, weight, bias, *rest: pixel(
        x, weight, bias[:1].expand_as(bias), *rest
    ),
    with_bias_per_channel=lambda x, weight, bias, *rest: pixel(
        x, weight, bias * len(x), *rest
    ),
    of_absolute_sum=partial(pixel, relu=torch.abs),
    relu_of_the_products=partial(pixel, total=lambda z: z.relu().sum()),
    averaged=partial(pixel, total=torch.mean),
    maximum=partial(pixel, total=torch.amax),
    transposed_kernel=lambda x, weight, *rest: pixel(x, weight.mT, *rest),
    flipped_rows=lambda x, weight, *rest: pixel(x, weight.flip(-2), *rest),
    channels_backwards=lambda x, weight, *rest: pixel(x.flip(0), weight, *rest),
    of_another_filter=lambda x, weight, bias, f, i, j: pixel(
        x, weight.roll(1, 0), bias, f, i, j
    ),
    corner_at_the_pixel=lambda x, weight, bias, f, i, j: pixel(
        F.pad(x, [0, 9, 0, 9]),
        weight,
        bias,
        f,
        i + weight.shape[-1] // 2,
        j + weight.shape[-1] // 2,
    ),
    padded_by_edge=lambda x, weight, bias, f, i, j: pixel(
        F.pad(x, [4] * 4, mode="replicate"), weight, bias, f, i + 4, j + 4
    ),
    padded_by_reflection=lambda x, weight, bias, f, i, j: pixel(
        F.pad(x, [4] * 4, mode="reflect"), weight, bias, f, i + 4, j + 4
    ),
    moved_inside=lambda x, weight, bias, f, i, j: pixel(
        x,
        weight,
        bias,
        f,
        *[
            min(max(place, weight.shape[-1] // 2), n - 1 - weight.shape[-1] // 2)
            for place, n in ((i, x.shape[1]), (j, x.shape[2]))
        ],
    ),
    padded_by_one=lambda x, weight, *rest: pixel(
        x,
        F.pad(weight[..., 1:-1, 1:-1], [1] * 4) if len(weight[0, 0]) > 3 else weight,
        *rest,
    ),
    as_a_map=lambda *given: pixel(*given).expand(1, 1),
)


# --- 11.4 -----------------------------------------------------------------------------


@right("11.4")
def watch(
    net,
    x,
    names,
    *,
    kept=torch.clone,
    before=True,
    bound=True,
    removed=None,
    cleared=False,
    guarded=True,
    order=lambda given, result: (given, result),
    keep=lambda calls, pair: calls.append(pair),
    run=lambda net, x: net(x),
):
    """The right calls, or ones with a single named mistake."""
    calls, inputs, handles = {name: [] for name in names}, {}, []
    for name in names:

        def enter(layer, given, own=name):
            inputs[own] = kept(given[0].detach())

        def leave(layer, given, result, own=name):
            given = inputs[own] if before else kept(given[0].detach())
            pair = order(given, kept(result.detach()))
            keep(calls[own if bound else name], pair)  # noqa: B023

        layer = net.get_submodule(name)
        handles.append(layer.register_forward_pre_hook(enter))
        handles.append(layer.register_forward_hook(leave))
    try:
        run(net, x)
    except RuntimeError:
        if not guarded:
            handles = []
        raise
    finally:
        for handle in handles[slice(removed)]:
            handle.remove()
        if cleared:
            for name in names:
                net.get_submodule(name)._forward_hooks.clear()
    return calls


class _Keeper:
    def __init__(self, net, names):
        self.calls, self.handles = {}, []
        for name in names:
            self.calls[name] = []
            layer = dict(net.named_modules())[name]
            self.handles += [
                layer.register_forward_pre_hook(self._enter(name)),
                layer.register_forward_hook(self._leave(name)),
            ]

    def _enter(self, name):
        return lambda layer, given: self.calls[name].append([given[0] + 0])

    def _leave(self, name):
        def leave(layer, given, result):
            call = self.calls[name]
            call[-1] = (*call[-1], result + 0)

        return leave

    def __enter__(self):
        return self.calls

    def __exit__(self, *error):
        for handle in self.handles:
            handle.remove()


@right("11.4")
def watch_by_a_class(net, x, names):
    with torch.no_grad(), _Keeper(net, names) as calls:
        net(x)
    return calls


@right("11.4")
def watch_by_wrapping(net, x, names):
    """Without hooks: `forward` of the layers is replaced for a while."""
    calls = {name: [] for name in names}

    def wrapped(name, forward):
        def call(given):
            before = given.clone()
            result = forward(given)
            calls[name].append((before, result.clone()))
            return result

        return call

    layers = {name: net.get_submodule(name) for name in names}
    try:
        for name, layer in layers.items():
            layer.forward = wrapped(name, layer.forward)
        net(x)
    finally:
        for layer in layers.values():
            layer.__dict__.pop("forward", None)
    return calls


@wrong("11.4")
def watch_out_of_place(net, x, names):
    for layer in net.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False
    return watch(net, x, names, kept=torch.Tensor.detach)


def _replacing(calls, pair):
    calls[:] = [pair]


def _switched(switch):
    def run(net, x):
        switch(net)
        return net(x)

    return run


wrong(
    "11.4",
    leaving_hooks=partial(watch, removed=0),
    removing_the_first_only=partial(watch, removed=1),
    leaving_the_last=partial(watch, removed=-1),
    late_binding=partial(watch, bound=False),
    without_clone=partial(watch, kept=torch.Tensor.detach),
    input_after_the_layer=partial(watch, before=False),
    only_the_last_call=partial(watch, keep=_replacing),
    only_the_first_call=partial(
        watch, keep=lambda calls, pair: calls or calls.append(pair)
    ),
    latest_call_first=partial(watch, keep=lambda calls, pair: calls.insert(0, pair)),
    flat=partial(watch, keep=lambda calls, pair: calls.extend(pair)),
    output_first=partial(watch, order=lambda given, result: (result, given)),
    outputs=partial(watch, order=lambda given, result: result),
    inputs_twice=partial(watch, order=lambda given, result: (given, given)),
    clearing_all_hooks=partial(watch, cleared=True),
    leaving_hooks_when_the_net_fails=partial(watch, guarded=False),
    in_eval_mode=partial(watch, run=_switched(nn.Module.eval)),
    frozen=partial(watch, run=_switched(lambda net: net.requires_grad_(False))),
    run_twice=partial(watch, run=lambda net, x: (net(x.clone()), net(x))),
    doubled=partial(watch, run=lambda net, x: net(2 * x)),
    one_picture=partial(watch, run=lambda net, x: net(x[:1])),
    all_layers=lambda net, x, _: watch(
        net, x, [n for n, m in net.named_modules() if not [*m.children()]]
    ),
    as_a_list=lambda *given: list(watch(*given).values()),
)


@wrong("11.4")
def watch_swallowing_errors(net, x, names):
    try:
        return watch(net, x, names)
    except Exception:
        return {}


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
wrong(
    "11.5",
    last_included=partial(field, after=7),
    one_too_many_after=partial(field, after=9),
    one_too_many_before=partial(field, before=7),
    of_one_pixel_less=partial(field, before=5),
    as_a_centre=partial(field, before=7, after=7),
    of_first_conv_only=partial(field, before=2, after=3),
    cut_at_the_top_only=partial(field, most=99),
    cut_at_the_bottom_only=partial(field, least=-99),
    cut_at_the_last_pixel=partial(field, most=27),
    of_the_smallest=lambda z: field(-z),
    of_positive_part=lambda z: field(z.relu()),
    of_the_strongest_row=lambda z: field(z.mean(1, True) + z.mean(0)),
    with_sizes=lambda z: tuple(
        field(z)[n] - (field(z)[n - 1] if n % 2 else 0) for n in range(4)
    ),
    whole=lambda z: (0, 28, 0, 28),
    moved_inside=lambda z: tuple(
        end
        for n in divmod(z.argmax().item(), 14)
        for end in (min(max(2 * n - 6, 0), 14), min(max(2 * n - 6, 0), 14) + 14)
    ),
    of_two_ends=lambda z: field(z)[:2],
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


def _image_of(fills):
    """Fill each covered place with what ``fills`` makes of the picture."""

    def answer(score, x, size, stride, fill):
        rows = range(0, x.shape[1] - size + 1, stride)
        columns = range(0, x.shape[2] - size + 1, stride)
        before, drops = score(x[None]), []
        for i, j in product(rows, columns):
            covered = fills(x, i, j, size, fill)
            drops.append((before - score(covered[None])).item())
        return torch.tensor(drops).view(len(rows), len(columns))

    return answer


def _all_but(x, i, j, size, fill):
    covered = torch.full_like(x, fill)
    covered[:, i : i + size, j : j + size] = x[:, i : i + size, j : j + size]
    return covered


def _added(x, i, j, size, fill):
    covered = x.clone()
    covered[:, i : i + size, j : j + size] += fill
    return covered


def _centred(x, i, j, size, fill):
    covered = x.clone()
    top, left = max(i - size // 2, 0), max(j - size // 2, 0)
    covered[:, top : top + size, left : left + size] = fill
    return covered


def _pixel(x, i, j, size, fill):
    covered = x.clone()
    covered[:, i, j] = fill
    return covered


def _averaged(x, i, j, size, fill):
    covered = x.clone()
    covered[:, i : i + size, j : j + size] = x.mean()
    return covered


wrong(
    "11.6",
    all_but_the_square=_image_of(_all_but),
    added=_image_of(_added),
    centred=_image_of(_centred),
    one_pixel=_image_of(_pixel),
    filled_with_the_mean=_image_of(_averaged),
    last_channel=partial(occlusion, channels=-1),
    size_for_stride=lambda score, x, size, stride, fill: occlusion(
        score, x, size, size, fill
    ),
    stride_for_size=lambda score, x, size, stride, fill: occlusion(
        score, x, stride, size, fill
    ),
    absolute=lambda *given: occlusion(*given).abs(),
    positive=lambda *given: occlusion(*given).relu(),
    relative=lambda score, x, *rest: occlusion(score, x, *rest) / score(x[None]).item(),
    score_itself=lambda score, x, *rest: (
        score(x[None]).item() - occlusion(score, x, *rest)
    ),
    from_the_largest=lambda *given: occlusion(*given) - occlusion(*given).max(),
    scaled=lambda *given: occlusion(*given) / occlusion(*given).abs().max(),
    flattened=lambda *given: occlusion(*given).flatten(),
    of_a_square=lambda *given: occlusion(*given)[:, : len(occlusion(*given))],
)
