"""Answers to the exercises of notebook 11: right ones, and mistakes students make."""

import math
import operator
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- §11.1 ----------------------------------------------------------------------------

right(
    "§11.1",
    permuted=lambda kernel: kernel.permute(3, 2, 0, 1),
    moved=lambda kernel: kernel.movedim((2, 3), (1, 0)).contiguous(),
    transposed_twice=lambda kernel: kernel.transpose(0, 3).transpose(1, 2).mT,
)
wrong(
    "§11.1",
    all_axes_back=lambda kernel: kernel.permute(3, 2, 1, 0),
    channels_swapped=lambda kernel: kernel.permute(2, 3, 0, 1),
    only_outputs_first=lambda kernel: kernel.movedim(-1, 0),
    reshaped=lambda kernel: kernel.reshape(*kernel.shape[:1:-1], *kernel.shape[:2]),
    mirrored=lambda kernel: kernel.permute(3, 2, 0, 1).flip(2, 3),
    rotated=lambda kernel: kernel.permute(3, 2, 0, 1).rot90(1, (2, 3)),
    as_it_is=lambda kernel: kernel,
    back_to_keras=lambda kernel: kernel.permute(2, 3, 1, 0),
)

# --- §11.2 ----------------------------------------------------------------------------


@right("§11.2")
def worst_by_torch(K):
    p = F.one_hot(torch.tensor([1]), K).to(torch.get_default_dtype())
    return F.cross_entropy(p, torch.tensor([0]))


right(
    "§11.2",
    by_formula=lambda K: math.log(math.e + K - 1),
    by_shares=lambda K: -math.log(1 / (math.e + K - 1)),
)
wrong(
    "§11.2",
    least=lambda K: math.log(math.e + K - 1) - 1,
    without_the_right_class=lambda K: math.log(math.e + K - 2),
    all_other_classes=lambda K: math.log(math.e + K),
    equal_chances=lambda K: math.log(K),
    of_ten=lambda K: math.log(math.e + 9),
    plus_one=lambda K: math.log(math.e + K - 1) + 1,
    binary=lambda K: math.log2(math.e + K - 1),
    once=lambda K: float("inf"),
    the_others_sure=lambda K: math.log(1 + (K - 1) * math.e),
    without_logarithm=lambda K: 1 / (math.e + K - 1),
    negative=lambda K: -math.log(math.e + K - 1),
)

# --- §11.3 ----------------------------------------------------------------------------

right(
    "§11.3",
    by_division=lambda n, C, H, W: n % (H * W) * C + n // (H * W),
    by_table=lambda n, C, H, W: (
        torch.arange(C * H * W).view(C, H, W).permute(1, 2, 0).flatten() == n
    ).nonzero(),
    by_axes=lambda n, C, H, W: (
        (n // W % H * W + n % W) * C + torch.tensor(n // (H * W))
    ),
)
wrong(
    "§11.3",
    same=lambda n, C, H, W: n,
    back=lambda n, C, H, W: n % C * H * W + n // C,
    columns_first=lambda n, C, H, W: (n % W * H + n // W % H) * C + n // (H * W),
    channel_by_width=lambda n, C, H, W: n % W * C + n // W,
    channel_by_height=lambda n, C, H, W: n % H * C + n // H,
    without_channel=lambda n, C, H, W: n % (H * W) * C,
    channel_only=lambda n, C, H, W: n % (H * W) + n // (H * W),
    counted_from_one=lambda n, C, H, W: n % (H * W) * C + n // (H * W) + 1,
    rows_of_height=lambda n, C, H, W: (n // W % H * H + n % W) * C + n // (H * W),
    by_two_divisions=lambda n, C, H, W: n % (H * W) * C + n / (H * W),
)

# --- §11.4 ----------------------------------------------------------------------------


@right("§11.4")
def on_empty_by_convolution(b1, weight, b2):
    k = weight.shape[-1]
    x = b1.clamp(min=0).view(1, -1, 1, 1).expand(1, -1, 2 * k, 2 * k)
    return F.conv2d(F.max_pool2d(x, 2), weight, b2)[0, :, 0, 0]


right(
    "§11.4",
    by_sums=lambda b1, weight, b2: weight.sum((2, 3)) @ b1.relu() + b2,
    weighted=lambda b1, weight, b2: (
        (weight * b1.relu()[:, None, None]).sum((1, 2, 3)) + b2
    ),
)
wrong(
    "§11.4",
    without_relu=lambda b1, weight, b2: weight.sum((2, 3)) @ b1 + b2,
    without_b2=lambda b1, weight, b2: weight.sum((2, 3)) @ b1.relu(),
    b2_only=lambda b1, weight, b2: b2,
    after_relu=lambda b1, weight, b2: (weight.sum((2, 3)) @ b1.relu() + b2).relu(),
    averaged=lambda b1, weight, b2: weight.mean((2, 3)) @ b1.relu() + b2,
    centre_only=lambda b1, weight, b2: (
        weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2] @ b1.relu() + b2
    ),
    axes_swapped=lambda b1, weight, b2: b1.relu() @ weight.sum((2, 3)) + b2,
    sum_of_all=lambda b1, weight, b2: weight.sum((1, 2, 3)) * b1.relu().sum() + b2,
    as_if_zero=lambda b1, weight, b2: 0 * b2,
    relu_of_weights=lambda b1, weight, b2: weight.relu().sum((2, 3)) @ b1.relu() + b2,
    as_map=lambda b1, weight, b2: (weight.sum((2, 3)) @ b1.relu() + b2)[:, None, None],
)

# --- §11.5 ----------------------------------------------------------------------------

right(
    "§11.5",
    subtracted=lambda z, b, times: (z - b[:, None, None]) / times + b[:, None, None],
    by_channel=lambda z, b, times: torch.stack(
        [z[c] / times + b[c] - b[c] / times for c in range(len(b))]
    ),
    last_axis=lambda z, b, times: ((z.movedim(0, -1) - b) / times + b).movedim(-1, 0),
)
wrong(
    "§11.5",
    all_divided=lambda z, b, times: z / times,
    bias_twice=lambda z, b, times: z / times + b[:, None, None],
    bias_lost=lambda z, b, times: (z - b[:, None, None]) / times,
    by_columns=lambda z, b, times: (z - b) / times + b,
    by_rows=lambda z, b, times: (z - b[:, None]) / times + b[:, None],
    bias_subtracted=lambda z, b, times: z / times - b[:, None, None],
    added_first=lambda z, b, times: (z + b[:, None, None]) / times - b[:, None, None],
    multiplied=lambda z, b, times: (z - b[:, None, None]) * times + b[:, None, None],
    unchanged=lambda z, b, times: z,
    after_relu=lambda z, b, times: (
        (z - b[:, None, None]) / times + b[:, None, None]
    ).relu(),
    mean_bias=lambda z, b, times: (z - b.mean()) / times + b.mean(),
    sign_of_rest=lambda z, b, times: z / times + b[:, None, None] / times,
)

# --- §11.6 ----------------------------------------------------------------------------

right(
    "§11.6",
    by_formula=lambda k, n: (k - n / 2) / (n**0.5 / 2),
    by_shares=lambda k, n: (k / n - 0.5) / math.sqrt(0.25 / n),
    by_coins=lambda k, n: (
        torch.tensor([1.0] * k + [-1.0] * (n - k)).sum() / torch.tensor(n).sqrt()
    ),
)
wrong(
    "§11.6",
    share=lambda k, n: k / n,
    by_variance=lambda k, n: (k - n / 2) / (n / 4),
    by_root=lambda k, n: (k - n / 2) / n**0.5,
    by_count=lambda k, n: (k - n / 2) / n,
    excess=lambda k, n: k - n / 2,
    modulus=lambda k, n: abs(k - n / 2) / (n**0.5 / 2),
    from_zero=lambda k, n: k / (n**0.5 / 2),
    from_all=lambda k, n: (k - n) / (n**0.5 / 2),
    other_sign=lambda k, n: (n / 2 - k) / (n**0.5 / 2),
    whole_half=lambda k, n: (k - n // 2) / (n**0.5 / 2),
    root_of_half=lambda k, n: (k - n / 2) / (n / 2) ** 0.5,
    rounded=lambda k, n: round((k - n / 2) / (n**0.5 / 2)),
)

# --- §11.7 ----------------------------------------------------------------------------

right(
    "§11.7",
    by_signs=lambda weight, bias: (weight <= 0).all(1) & (bias <= 0),
    by_largest=lambda weight, bias: (weight.amax(1) <= 0).logical_and(~(bias > 0)),
    by_loop=lambda weight, bias: torch.tensor(
        [
            max(*row, b) <= 0
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
    ),
)
wrong(
    "§11.7",
    weights_only=lambda weight, bias: (weight <= 0).all(1),
    bias_only=lambda weight, bias: bias <= 0,
    strict=lambda weight, bias: (weight < 0).all(1) & (bias < 0),
    strict_bias=lambda weight, bias: (weight <= 0).all(1) & (bias < 0),
    any_weight=lambda weight, bias: (weight <= 0).any(1) & (bias <= 0),
    by_columns=lambda weight, bias: (weight <= 0).all(0) & (bias <= 0),
    by_sum=lambda weight, bias: (weight.sum(1) <= 0) & (bias <= 0),
    by_sum_with_bias=lambda weight, bias: weight.sum(1) + bias <= 0,
    living=lambda weight, bias: ~((weight <= 0).all(1) & (bias <= 0)),
    either=lambda weight, bias: (weight <= 0).all(1) | (bias <= 0),
    numbers=lambda weight, bias: ((weight <= 0).all(1) & (bias <= 0)).nonzero()[:, 0],
    zeros_and_ones=lambda weight, bias: ((weight <= 0).all(1) & (bias <= 0)).long(),
    zero_weights=lambda weight, bias: (weight == 0).all(1) & (bias <= 0),
)

# --- §11.8 ----------------------------------------------------------------------------

right(
    "§11.8",
    by_all=lambda drops, t: (drops > t).all(0).sum(),
    by_least=lambda drops, t: (drops.min(0).values > t).sum().item(),
    by_product=lambda drops, t: (drops > t).long().prod(0).count_nonzero(),
)
wrong(
    "§11.8",
    any_filling=lambda drops, t: (drops > t).any(0).sum(),
    every_filling_apart=lambda drops, t: (drops > t).sum(),
    in_the_mean=lambda drops, t: (drops.mean(0) > t).sum(),
    first_filling=lambda drops, t: (drops[0] > t).sum(),
    least_of_counts=lambda drops, t: (drops > t).sum((1, 2)).min(),
    whole_rows=lambda drops, t: (drops > t).all(1).sum(),
    whole_columns=lambda drops, t: (drops > t).all(2).sum(),
    by_modulus=lambda drops, t: (drops.abs() > t).all(0).sum(),
    harmless=lambda drops, t: (drops < t).all(0).sum(),
    in_sum=lambda drops, t: (drops.sum(0) > t).sum(),
    share=lambda drops, t: (drops > t).all(0).double().mean(),
    map=lambda drops, t: (drops > t).all(0),
)

# --- §11.9 ----------------------------------------------------------------------------

right(
    "§11.9",
    summed=lambda kernels: kernels.sum(1, keepdim=True),
    by_colour=lambda kernels: kernels[:, :1] + kernels[:, 1:2] + kernels[:, 2:],
    three_means=lambda kernels: 3 * kernels.mean(1)[:, None],
)
wrong(
    "§11.9",
    averaged=lambda kernels: kernels.mean(1, keepdim=True),
    first_colour=lambda kernels: kernels[:, :1],
    brightness=lambda kernels: (
        kernels * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    ).sum(1, keepdim=True),
    three_axes=lambda kernels: kernels.sum(1),
    over_filters=lambda kernels: kernels.sum(0, keepdim=True),
    over_filters_moved=lambda kernels: kernels.sum(0)[:, None],
    over_rows=lambda kernels: kernels.sum(2, keepdim=True),
    lengths=lambda kernels: kernels.norm(dim=1, keepdim=True),
    largest=lambda kernels: kernels.amax(1, keepdim=True),
    moduli=lambda kernels: kernels.abs().sum(1, keepdim=True),
    reshaped=lambda kernels: kernels.reshape(-1, 1, *kernels.shape[2:])[: len(kernels)],
)

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
