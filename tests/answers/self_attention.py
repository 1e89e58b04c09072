"""Answers to the exercises of notebook 08: right ones, and mistakes students make."""

import math
from functools import partial

import torch
import torch.nn.functional as F

from tests.answers import right, wrong

# --- 08.1 -----------------------------------------------------------------------------


@right("08.1")
def attend_by_matrices(q, K, V):
    return (K @ q / math.sqrt(q.numel())).softmax(0) @ V


@right("08.1")
def attend_by_loop(q, K, V):
    weights = [torch.exp(k @ q / len(q) ** 0.5) for k in K]
    return sum(w * v for w, v in zip(weights, V, strict=True)) / sum(weights)


wrong(
    "08.1",
    without_softmax=lambda q, K, V: K @ q / (K @ q).sum() @ V,
    without_scale=lambda q, K, V: (K @ q).softmax(0) @ V,
    scaled_by_words=lambda q, K, V: (K @ q / len(K) ** 0.5).softmax(0) @ V,
    scaled_by_d=lambda q, K, V: (K @ q / len(q)).softmax(0) @ V,
    to_nearest=lambda q, K, V: V[(K @ q).argmax()],
    returning_weights=lambda q, K, V: (K @ q / len(q) ** 0.5).softmax(0),
)


# --- 08.2 -----------------------------------------------------------------------------


@right("08.2")
def temperature(S, T, *, maximum=lambda S: S.amax(-1, keepdim=True), axis=-1):
    """The right shares, or ones with a single named mistake."""
    e = ((S - maximum(S)) / T).exp()
    return e / e.sum(axis, keepdim=True)


right(
    "08.2",
    by_logsumexp=lambda S, T: (S / T - (S / T).logsumexp(-1, keepdim=True)).exp(),
)
wrong(
    "08.2",
    multiplied=lambda S, T: temperature(S, 1 / T),
    after_softmax=lambda S, T: temperature(S, 1) / T,
    unstable=partial(temperature, maximum=torch.zeros_like),
    over_first_axis=partial(temperature, axis=0),
    over_everything=partial(temperature, axis=None),
    common_maximum=partial(temperature, maximum=torch.max),
    clamped=lambda S, T: temperature(
        (S / T).clamp(-700, 700), 1, maximum=torch.zeros_like
    ),
)


# --- 08.3 -----------------------------------------------------------------------------


@right("08.3")
def mask(lengths, N):
    i, j = torch.arange(N)[:, None], torch.arange(N)
    return ((j <= i) & (j < lengths[:, None, None]))[:, None]


@right("08.3")
def mask_by_loops(lengths, N):
    mask = torch.zeros(len(lengths), 1, N, N, dtype=torch.bool)
    for b, length in enumerate(lengths.tolist()):
        for i in range(N):
            mask[b, 0, i, : min(i + 1, length)] = True
    return mask


@wrong("08.3")
def mask_without_padding(lengths, N):
    return mask(torch.full_like(lengths, N), N)


@wrong("08.3")
def mask_without_future(lengths, N):
    real = torch.arange(N) < lengths[:, None]
    return real[:, None, None].expand(-1, 1, N, N)


wrong(
    "08.3",
    inverted=lambda lengths, N: ~mask(lengths, N),
    of_past=lambda lengths, N: mask(lengths, N).mT,
    of_queries=lambda *given: (
        mask_without_padding(*given) & mask_without_future(*given).mT
    ),
    without_itself=lambda lengths, N: mask(lengths, N).tril(-1),
    without_heads=lambda lengths, N: mask(lengths, N)[:, 0],
    of_numbers=lambda lengths, N: mask(lengths, N).to(torch.get_default_dtype()),
    one_word_too_long=lambda lengths, N: mask(lengths + 1, N),
)


# --- 08.4 -----------------------------------------------------------------------------


@right("08.4")
def heads_by_view(q, k, v, h):
    def split(x):
        return x.view(*x.shape[:2], h, -1).transpose(1, 2)

    weights = split(q) @ split(k).transpose(2, 3) / (q.shape[-1] // h) ** 0.5
    return (weights.softmax(-1) @ split(v)).transpose(1, 2).reshape(q.shape)


@right("08.4")
def heads_by_loop(q, k, v, h):
    d = q.shape[-1] // h
    heads = []
    for i in range(h):
        part = slice(i * d, (i + 1) * d)
        heads.append(
            F.scaled_dot_product_attention(q[..., part], k[..., part], v[..., part])
        )
    return torch.cat(heads, -1)


def _attend(q, k, v, split):
    return F.scaled_dot_product_attention(split(q), split(k), split(v))


@wrong("08.4")
def heads_left_apart(q, k, v, h):
    return _attend(q, k, v, lambda x: x.unflatten(-1, (h, -1)).transpose(1, 2))


@wrong("08.4")
def heads_without_transpose(q, k, v, h):
    split = lambda x: x.reshape(len(x), h, x.shape[1], -1)  # noqa: E731
    return _attend(q, k, v, split).reshape(q.shape)


@wrong("08.4")
def heads_interleaved(q, k, v, h):
    z = _attend(q, k, v, lambda x: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2))
    return z.permute(0, 2, 3, 1).flatten(2)


@wrong("08.4")
def heads_averaged(q, k, v, h):
    q, k = (x.unflatten(-1, (h, -1)).transpose(1, 2) for x in (q, k))
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(1) @ v


wrong(
    "08.4",
    merged_without_transpose=lambda q, *given: heads_left_apart(q, *given).reshape(
        q.shape
    ),
    scaled_by_whole_d=lambda q, k, v, h: heads_by_loop(q / h**0.5, k, v, h),
    ignored=lambda q, k, v, h: F.scaled_dot_product_attention(q, k, v),
)


# --- 08.5 -----------------------------------------------------------------------------


@right("08.5")
def patches(x, P, order=(0, 2, 4, 1, 3, 5)):
    """The right patches, or ones whose axes B, C, row, y, column, x are mixed up."""
    B, C, H, W = x.shape
    x = x.view(B, C, H // P, P, W // P, P).permute(order)
    return x.reshape(B, (H // P) * (W // P), C * P * P)


@right("08.5")
def patches_by_loop(x, P):
    patches = [
        x[:, :, i : i + P, j : j + P].flatten(1)
        for i in range(0, x.shape[2], P)
        for j in range(0, x.shape[3], P)
    ]
    return torch.stack(patches, 1)


@wrong("08.5")
def patches_offsets_first(x, P):
    B, C, H, W = x.shape
    x = x.reshape(B, C, P, H // P, P, W // P).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(B, -1, C * P * P)


wrong(
    "08.5",
    channels_last=partial(patches, order=(0, 2, 4, 3, 5, 1)),
    by_columns=partial(patches, order=(0, 4, 2, 1, 3, 5)),
    transposed_inside=partial(patches, order=(0, 2, 4, 1, 5, 3)),
    only_reshaped=lambda x, P: x.reshape(len(x), -1, x.shape[1] * P * P),
    of_a_square=lambda x, P: patches(x, P)[:, : (x.shape[2] // P) ** 2],
    as_unfold=lambda x, P: patches(x, P).mT,
)


# --- 08.6 -----------------------------------------------------------------------------


@right("08.6")
def chunks_running(q, chunks):
    top, total, z = -math.inf, 0.0, 0.0
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        new = max(top, s.max().item())
        e = (s - new).exp()
        total = total * math.exp(top - new) + e.sum()
        z = z * math.exp(top - new) + e @ V
        top = new
    return z / total


@right("08.6")
def chunks_by_logsumexp(q, chunks):
    log_total = mean = None
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        part, own = s.logsumexp(0), s.softmax(0) @ V
        if mean is None:
            log_total, mean = part, own
        else:
            both = torch.logaddexp(log_total, part)
            mean = (log_total - both).exp() * mean + (part - both).exp() * own
            log_total = both
    return mean


def _summed(q, chunks, maximum, start=-math.inf, rescaled=False):
    """Running sums with exponents relative to ``maximum(top, s)``."""
    top, total, z = torch.tensor(start), 0.0, 0.0
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        new = maximum(top, s)
        e, old = (s - new).exp(), (top - new).exp() if rescaled else 1
        top, total, z = new, total * old + e.sum(), z * old + e @ V
    return z / total


def _largest(top, s):
    return torch.maximum(top, s.max())


@wrong("08.6")
def chunks_kept(q, chunks):
    K, V = zip(*chunks, strict=True)
    return attend_by_matrices(q, torch.cat(K), torch.cat(V))


@wrong("08.6")
def chunks_averaged(q, chunks):
    parts = [attend_by_matrices(q, K, V) for K, V in chunks]
    return sum(parts) / len(parts)


wrong(
    "08.6",
    unstable=partial(_summed, maximum=lambda top, s: torch.tensor(0.0)),
    not_rescaled=partial(_summed, maximum=_largest),
    own_maximum=partial(_summed, maximum=lambda top, s: s.max()),
    maximum_from_zero=partial(_summed, maximum=_largest, start=0.0, rescaled=True),
    without_scale=lambda q, chunks: chunks_running(q * len(q) ** 0.5, chunks),
    only_first=lambda q, chunks: attend_by_matrices(q, *next(iter(chunks))),
)
