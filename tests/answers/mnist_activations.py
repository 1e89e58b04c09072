"""Answers to the exercises of notebook 11: right ones, and mistakes students make."""

import math
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
def traces(side, out, c_in, c_out, n):
    k = round(((n / c_out - 1) / c_in) ** 0.5)
    return k, (out - side + k - 1) // 2


@right("11.1")
def traces_by_trying(side, out, c_in, c_out, n):
    for k, padding in product(range(1, 99), range(99)):
        fits = side + 2 * padding - k + 1 == out
        if fits and k * k * c_in * c_out + c_out == n:
            return [k, padding]


def _padded(size):
    """The right kernel with another padding."""
    return lambda side, out, *rest: (
        (k := traces(side, out, *rest)[0]),
        size(side, out, k),
    )


def _kernel(side_of):
    """Another kernel with the padding that would belong to it."""
    return lambda side, out, *rest: (
        (k := side_of(*rest)),
        (out - side + k - 1) // 2,
    )


wrong(
    "11.1",
    both_sides=_padded(lambda side, out, k: out - side + k - 1),
    half_the_kernel=_padded(lambda side, out, k: k // 2),
    no_padding=_padded(lambda side, out, k: 0),
    of_the_difference=_padded(lambda side, out, k: abs(side - out)),
    turned_round=_padded(lambda side, out, k: (side - out + k - 1) // 2),
    one_more=_padded(lambda side, out, k: (out - side + k + 1) // 2),
    kernel_squared=_kernel(lambda c_in, c_out, n: (n // c_out - 1) // c_in),
    one_input_channel=_kernel(lambda c_in, c_out, n: math.isqrt(n // c_out - 1)),
    one_output_channel=_kernel(lambda c_in, c_out, n: math.isqrt((n - 1) // c_in)),
    one_bias=_kernel(lambda c_in, c_out, n: ((n - 1) / c_in / c_out) ** 0.5),
    bias_per_input=_kernel(lambda c_in, c_out, n: math.isqrt((n - c_in) // c_in)),
    without_bias=_kernel(lambda c_in, c_out, n: (n / c_in / c_out) ** 0.5),
    always_five=_kernel(lambda c_in, c_out, n: 5),
    in_other_order=lambda *given: traces(*given)[::-1],
    kernel_only=lambda *given: traces(*given)[0],
    kernel_pair=lambda *given: ((traces(*given)[0],) * 2, traces(*given)[1]),
)


# --- 11.2 -----------------------------------------------------------------------------


@right("11.2")
def touching(
    side,
    k,
    stride,
    *,
    outputs=lambda side, stride: -(-side // stride),
    before=lambda total: total // 2,
    touches=lambda start, end, side: start < 0 or end > side,
):
    """The right number, or one with a single named mistake."""
    out = outputs(side, stride)
    total = max((out - 1) * stride + k - side, 0)
    starts = [n * stride - before(total) for n in range(out)]
    return sum(touches(start, start + k, side) for start in starts)


@right("11.2")
def touching_by_pooling(side, k, stride):
    out = math.ceil(side / stride)
    total = max((out - 1) * stride + k - side, 0)
    line = F.pad(torch.zeros(1, 1, side), (total // 2, total - total // 2), value=1.0)
    return (F.max_pool1d(line, k, stride)[..., :out] > 0).sum()


wrong(
    "11.2",
    zeros=lambda side, k, stride: max((-(-side // stride) - 1) * stride + k - side, 0),
    valid_outputs=lambda side, k, stride: (
        -(-side // stride) - touching(side, k, stride)
    ),
    all_outputs=lambda side, k, stride: -(-side // stride),
    before_only=partial(touching, touches=lambda start, end, side: start < 0),
    after_only=partial(touching, touches=lambda start, end, side: end > side),
    both_at_once=partial(
        touching, touches=lambda start, end, side: start < 0 and end > side
    ),
    counted_twice=partial(
        touching, touches=lambda start, end, side: (start < 0) + (end > side)
    ),
    edge_counted=partial(
        touching, touches=lambda start, end, side: start < 0 or end >= side
    ),
    first_pixel_counted=partial(
        touching, touches=lambda start, end, side: start <= 0 or end > side
    ),
    all_before=partial(touching, before=lambda total: total),
    all_after=partial(touching, before=lambda total: 0),
    rounded_down=partial(touching, outputs=lambda side, stride: side // stride),
    as_for_stride_one=lambda side, k, stride: touching(side, k, 1),
    halves_of_the_kernel=lambda side, k, stride: 2 * (k // 2),
    less_one=lambda side, k, stride: k - 1,
    by_the_usual_padding=lambda side, k, stride: sum(
        n * stride < k // 2 or n * stride + k - k // 2 > side
        for n in range(-(-side // stride))
    ),
    two=lambda side, k, stride: 2,
)


# --- 11.3 -----------------------------------------------------------------------------


@right("11.3")
def response(
    weight,
    delta,
    c,
    y,
    x,
    f,
    i,
    j,
    *,
    at=lambda place, output, k: place - output + k // 2,
    outside=lambda weight, u, v: 0.0,
):
    """The right change, or one with a single named mistake."""
    k = weight.shape[-1]
    u, v = at(y, i, k), at(x, j, k)
    if 0 <= u < k and 0 <= v < k:
        return delta * weight[f, c, u, v]
    return delta * outside(weight[f, c], u, v)


@right("11.3")
def response_by_convolution(weight, delta, c, y, x, f, i, j):
    change = torch.zeros(1, weight.shape[1], 12, 12)
    change[0, c, y, x] = delta
    return F.conv2d(change, weight, padding="same")[0, f, i, j].item()


wrong(
    "11.3",
    flipped=partial(response, at=lambda place, output, k: output - place + k // 2),
    not_centred=partial(response, at=lambda place, output, k: place - output),
    centred_too_far=partial(
        response, at=lambda place, output, k: place - output + k // 2 + 1
    ),
    counted_from_the_end=partial(
        response, outside=lambda weight, u, v: weight[u % len(weight), v % len(weight)]
    ),
    nearest_weight=partial(
        response,
        outside=lambda weight, u, v: weight[
            min(max(u, 0), len(weight) - 1), min(max(v, 0), len(weight) - 1)
        ],
    ),
    middle_weight=lambda weight, delta, c, y, x, f, i, j: (
        delta * weight[f, c, weight.shape[2] // 2, weight.shape[3] // 2]
    ),
    transposed_kernel=lambda weight, *rest: response(weight.mT, *rest),
    channels_swapped=lambda weight, delta, c, y, x, f, i, j: response(
        weight, delta, f % 3, y, x, c, i, j
    ),
    all_channels=lambda weight, delta, c, y, x, f, i, j: response(
        weight.sum(1, keepdim=True), delta, 0, y, x, f, i, j
    ),
    first_channel=lambda weight, delta, c, *rest: response(weight, delta, 0, *rest),
    after_relu=lambda *given: max(float(response(*given)), 0.0),
    absolute=lambda *given: abs(response(*given)),
    weight_alone=lambda weight, delta, *rest: response(weight, 1.0, *rest),
    delta_alone=lambda weight, delta, *rest: delta,
    negative=lambda *given: -response(*given),
    sum_of_the_kernel=lambda weight, delta, c, y, x, f, i, j: (
        delta * weight[f, c].sum()
    ),
    outputs_swapped=lambda weight, delta, c, y, x, f, i, j: response(
        weight, delta, c, y, x, f, j, i
    ),
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
    without_layers_never_called=lambda net, x, names: {
        name: calls for name, calls in watch(net, x, names).items() if calls
    },
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
def reached(y, x, *, first=lambda n: -((7 - n) // 2), last=lambda n: (n + 6) // 2):
    """The right ends, or ones with a single named mistake."""
    ends = []
    for n in (y, x):
        ends += [max(first(n), 0), min(last(n), 13) + 1]
    return tuple(ends)


@right("11.5")
def reached_by_layers(y, x):
    """Forward through ones: the first convolution, the pooling, the second one."""
    picture = torch.zeros(1, 1, 28, 28)
    picture[0, 0, y, x] = 1.0
    kernel = torch.ones(1, 1, 5, 5)
    z = F.conv2d(picture, kernel, padding=2)
    z = F.conv2d(F.max_pool2d(z, 2), kernel, padding=2)[0, 0]
    rows, columns = z.any(1).nonzero(), z.any(0).nonzero()
    return [
        end
        for place in (rows, columns)
        for end in (place.min().item(), place.max().item() + 1)
    ]


right(
    "11.5",
    seven_around=partial(
        reached, first=lambda n: n // 2 - 3, last=lambda n: n // 2 + 3
    ),
)


def _unclipped(least, most):
    return lambda y, x: [
        end
        for n in (y, x)
        for end in (max(-((7 - n) // 2), least), min((n + 6) // 2 + 1, most))
    ]


wrong(
    "11.5",
    last_included=partial(reached, last=lambda n: (n + 6) // 2 - 1),
    rounded_down=partial(reached, first=lambda n: (n - 7) // 2),
    rounded_up=partial(reached, last=lambda n: (n + 7) // 2),
    signs_swapped=partial(
        reached, first=lambda n: -((6 - n) // 2), last=lambda n: (n + 7) // 2
    ),
    symmetric=partial(
        reached, first=lambda n: -((6 - n) // 2), last=lambda n: (n + 6) // 2
    ),
    of_one_convolution=partial(
        reached, first=lambda n: n // 2 - 2, last=lambda n: n // 2 + 2
    ),
    one_pixel=partial(reached, first=lambda n: n // 2, last=lambda n: n // 2),
    without_stride=partial(reached, first=lambda n: n - 7, last=lambda n: n + 6),
    backwards=lambda y, x: [
        end for n in (y, x) for end in (max(2 * n - 6, 0), min(2 * n + 8, 28))
    ],
    not_clipped=_unclipped(-99, 99),
    cut_at_the_top_only=_unclipped(0, 99),
    cut_at_the_bottom_only=_unclipped(-99, 14),
    cut_at_the_picture=_unclipped(0, 28),
    cut_at_the_last_pixel=_unclipped(0, 13),
    swapped_axes=lambda y, x: reached(x, y),
    corners=lambda y, x: [reached(y, x)[n] for n in (0, 2, 1, 3)],
    with_sizes=lambda y, x: [
        end - (reached(y, x)[n - 1] if n % 2 else 0)
        for n, end in enumerate(reached(y, x))
    ],
    rows_only=lambda y, x: reached(y, x)[:2],
    whole=lambda y, x: (0, 14, 0, 14),
)


# --- 11.6 -----------------------------------------------------------------------------


@right("11.6")
def joint(score, x, corners, size, fill, *, channels=slice(None), last=0, excess=None):
    """The right table, or one with a single named mistake."""

    def drop(*squares):
        covered = x.clone()
        for i, j in squares:
            covered[channels, i : i + size + last, j : j + size + last] = fill
        return (score(x.unsqueeze(0)) - score(covered.unsqueeze(0))).item()

    excess = excess or (lambda both, one, other: both - one - other)
    return torch.tensor(
        [[excess(drop(a, b), drop(a), drop(b)) for b in corners] for a in corners]
    )


@right("11.6")
def joint_in_batches(score, x, corners, size, fill):
    covered = torch.zeros(len(corners), *x.shape[1:], dtype=torch.bool)
    for mask, (i, j) in zip(covered, corners, strict=True):
        mask[i : i + size, j : j + size] = True
    pairs = (covered[:, None] | covered).flatten(0, 1)

    def drops(masks):
        batch = x.expand(len(masks), *x.shape)
        return score(x[None]) - score(batch.masked_fill(masks[:, None], fill))

    one = drops(covered)
    return drops(pairs).view(len(one), -1) - one - one[:, None]


def _excess(excess):
    return partial(joint, excess=excess)


wrong(
    "11.6",
    both_only=_excess(lambda both, one, other: both),
    without_the_second=_excess(lambda both, one, other: both - one),
    less_the_mean=_excess(lambda both, one, other: both - (one + other) / 2),
    less_the_larger=_excess(lambda both, one, other: both - max(one, other)),
    sum_first=_excess(lambda both, one, other: one + other - both),
    of_rises=_excess(lambda both, one, other: -both - one - other),
    ratio=_excess(lambda both, one, other: both / (one + other)),
    product=_excess(lambda both, one, other: both - one * other),
    absolute=_excess(lambda both, one, other: abs(both - one - other)),
    positive=_excess(lambda both, one, other: max(both - one - other, 0.0)),
    first_channel=partial(joint, channels=0),
    last_channel=partial(joint, channels=-1),
    larger_square=partial(joint, last=1),
    smaller_square=partial(joint, last=-1),
    always_black=lambda *given: joint(*given[:-1], 0.0),
    corners_swapped=lambda score, x, corners, *rest: joint(
        score, x, [(j, i) for i, j in corners], *rest
    ),
    zero_diagonal=lambda *given: joint(*given).fill_diagonal_(0.0),
    upper_triangle=lambda *given: joint(*given).triu(),
    summed=lambda *given: joint(*given).sum(),
    of_probabilities_added=lambda score, x, *rest: (
        joint(score, x, *rest) + score(x[None]).item()
    ),
)


@wrong("11.6")
def joint_not_restored(score, x, corners, size, fill):
    """Squares are painted into one picture and stay there."""
    before, after = score(x[None]), []
    for i, j in corners:
        x[:, i : i + size, j : j + size] = fill
        after.append((before - score(x[None])).item())
    one = torch.tensor(after)
    return torch.maximum(one, one[:, None]) - one - one[:, None]
