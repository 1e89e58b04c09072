"""Answers to the exercises of notebook 08: right ones, and mistakes students make."""

import math

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


@wrong("08.1")
def attend_without_softmax(q, K, V):
    s = K @ q / len(q) ** 0.5
    return s / s.sum() @ V


wrong(
    "08.1",
    without_scale=lambda q, K, V: (K @ q).softmax(0) @ V,
    scaled_by_words=lambda q, K, V: (K @ q / len(K) ** 0.5).softmax(0) @ V,
    scaled_by_d=lambda q, K, V: (K @ q / len(q)).softmax(0) @ V,
    to_nearest=lambda q, K, V: V[(K @ q).argmax()],
    returning_weights=lambda q, K, V: (K @ q / len(q) ** 0.5).softmax(0),
)


# --- 08.2 -----------------------------------------------------------------------------


@right("08.2")
def temperature_by_maximum(S, T):
    e = ((S - S.max(-1, keepdim=True).values) / T).exp()
    return e / e.sum(-1, keepdim=True)


@wrong("08.2")
def temperature_unstable(S, T):
    e = (S / T).exp()
    return e / e.sum(-1, keepdim=True)


@wrong("08.2")
def temperature_over_first_axis(S, T):
    e = ((S - S.max()) / T).exp()
    return e / e.sum(0, keepdim=True)


@wrong("08.2")
def temperature_over_everything(S, T):
    e = ((S - S.max()) / T).exp()
    return e / e.sum()


@wrong("08.2")
def temperature_common_maximum(S, T):
    e = ((S - S.max()) / T).exp()
    return e / e.sum(-1, keepdim=True)


@wrong("08.2")
def temperature_clamped(S, T):
    e = (S / T).clamp(-700, 700).exp()
    return e / e.sum(-1, keepdim=True)


right(
    "08.2",
    by_logsumexp=lambda S, T: (S / T - (S / T).logsumexp(-1, keepdim=True)).exp(),
)


wrong(
    "08.2",
    multiplied=lambda S, T: temperature_by_maximum(S, 1 / T),
    after_softmax=lambda S, T: temperature_by_maximum(S, 1) / T,
)


# --- 08.3 -----------------------------------------------------------------------------


@right("08.3")
def mask_by_comparison(lengths, N):
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
    causal = torch.ones(N, N, dtype=torch.bool).tril()
    return causal.expand(len(lengths), 1, N, N)


@wrong("08.3")
def mask_without_future(lengths, N):
    real = torch.arange(N) < lengths[:, None]
    return real[:, None, None].expand(-1, 1, N, N)


@wrong("08.3")
def mask_of_queries(lengths, N):
    causal = torch.ones(N, N, dtype=torch.bool).tril()
    real = torch.arange(N) < lengths[:, None]
    return causal & real[:, None, :, None]


@wrong("08.3")
def mask_without_itself(lengths, N):
    causal = torch.ones(N, N, dtype=torch.bool).tril(-1)
    return causal & mask_without_future(lengths, N)


@wrong("08.3")
def mask_of_numbers(lengths, N):
    return mask_by_comparison(lengths, N).to(torch.get_default_dtype())


wrong(
    "08.3",
    inverted=lambda lengths, N: ~mask_by_comparison(lengths, N),
    of_past=lambda lengths, N: mask_by_comparison(lengths, N).transpose(-2, -1),
    without_heads=lambda lengths, N: mask_by_comparison(lengths, N)[:, 0],
    one_word_too_long=lambda lengths, N: mask_by_comparison(lengths + 1, N),
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


@wrong("08.4")
def heads_without_transpose(q, k, v, h):
    def split(x):
        return x.reshape(x.shape[0], h, x.shape[1], -1)

    return F.scaled_dot_product_attention(split(q), split(k), split(v)).reshape(q.shape)


@wrong("08.4")
def heads_merged_without_transpose(q, k, v, h):
    def split(x):
        return x.unflatten(-1, (h, -1)).transpose(1, 2)

    return F.scaled_dot_product_attention(split(q), split(k), split(v)).reshape(q.shape)


@wrong("08.4")
def heads_interleaved(q, k, v, h):
    def split(x):
        return x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2)

    z = F.scaled_dot_product_attention(split(q), split(k), split(v))
    return z.permute(0, 2, 3, 1).flatten(2)


@wrong("08.4")
def heads_averaged(q, k, v, h):
    def split(x):
        return x.unflatten(-1, (h, -1)).transpose(1, 2)

    scores = split(q) @ split(k).transpose(2, 3) / (q.shape[-1] // h) ** 0.5
    return scores.softmax(-1).mean(1) @ v


@wrong("08.4")
def heads_left_apart(q, k, v, h):
    def split(x):
        return x.unflatten(-1, (h, -1)).transpose(1, 2)

    return F.scaled_dot_product_attention(split(q), split(k), split(v))


wrong(
    "08.4",
    scaled_by_whole_d=lambda q, k, v, h: heads_by_loop(q / h**0.5, k, v, h),
    ignored=lambda q, k, v, h: F.scaled_dot_product_attention(q, k, v),
)


# --- 08.5 -----------------------------------------------------------------------------


@right("08.5")
def patches_by_view(x, P):
    B, C, H, W = x.shape
    x = x.view(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 3, 5)
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
def patches_channels_last(x, P):
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 3, 5, 1)
    return x.reshape(B, -1, C * P * P)


@wrong("08.5")
def patches_by_columns(x, P):
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // P, P, W // P, P).permute(0, 4, 2, 1, 3, 5)
    return x.reshape(B, -1, C * P * P)


@wrong("08.5")
def patches_transposed_inside(x, P):
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 5, 3)
    return x.reshape(B, -1, C * P * P)


@wrong("08.5")
def patches_offsets_first(x, P):
    B, C, H, W = x.shape
    x = x.reshape(B, C, P, H // P, P, W // P).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(B, -1, C * P * P)


wrong(
    "08.5",
    only_reshaped=lambda x, P: x.reshape(len(x), -1, x.shape[1] * P * P),
    of_a_square=lambda x, P: patches_by_view(x, P)[:, : (x.shape[2] // P) ** 2],
    as_unfold=lambda x, P: patches_by_view(x, P).transpose(1, 2),
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


@wrong("08.6")
def chunks_kept(q, chunks):
    K, V = zip(*chunks, strict=True)
    return attend_by_matrices(q, torch.cat(K), torch.cat(V))


@wrong("08.6")
def chunks_averaged(q, chunks):
    parts = [attend_by_matrices(q, K, V) for K, V in chunks]
    return sum(parts) / len(parts)


@wrong("08.6")
def chunks_unstable(q, chunks):
    total, z = 0.0, 0.0
    for K, V in chunks:
        e = (K @ q / len(q) ** 0.5).exp()
        total, z = total + e.sum(), z + e @ V
    return z / total


@wrong("08.6")
def chunks_not_rescaled(q, chunks):
    top, total, z = torch.tensor(-math.inf), 0.0, 0.0
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        top = torch.maximum(top, s.max())
        e = (s - top).exp()
        total, z = total + e.sum(), z + e @ V
    return z / total


@wrong("08.6")
def chunks_own_maximum(q, chunks):
    total, z = 0.0, 0.0
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        e = (s - s.max()).exp()
        total, z = total + e.sum(), z + e @ V
    return z / total


@wrong("08.6")
def chunks_maximum_from_zero(q, chunks):
    top, total, z = torch.tensor(0.0), 0.0, 0.0
    for K, V in chunks:
        s = K @ q / len(q) ** 0.5
        new = torch.maximum(top, s.max())
        e = (s - new).exp()
        total = total * (top - new).exp() + e.sum()
        z = z * (top - new).exp() + e @ V
        top = new
    return z / total


@wrong("08.6")
def chunks_only_first(q, chunks):
    K, V = next(iter(chunks))
    return attend_by_matrices(q, K, V)


wrong(
    "08.6",
    without_scale=lambda q, chunks: chunks_running(q * len(q) ** 0.5, chunks),
)
