"""Answers to the exercises of notebook 08: right ones, and mistakes students make."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tests.answers import right, wrong

# --- §8.1 -----------------------------------------------------------------------------


right(
    "§8.1",
    of_difference=lambda q, a, b: torch.exp(q @ (a - b) / len(q) ** 0.5),
    of_weights=lambda q, a, b: (
        (w := (torch.stack([a, b]) @ q / len(q) ** 0.5).softmax(0))[0] / w[1]
    ),
)
wrong(
    "§8.1",
    of_scores=lambda q, a, b: (q @ a) / (q @ b + 1e-12),
    without_scale=lambda q, a, b: torch.exp(q @ (a - b)),
    scaled_by_d=lambda q, a, b: torch.exp(q @ (a - b) / len(q)),
    turned_round=lambda q, a, b: torch.exp(q @ (b - a) / len(q) ** 0.5),
    difference_of_scores=lambda q, a, b: q @ (a - b) / len(q) ** 0.5,
    of_exponent_of_ratio=lambda q, a, b: torch.exp((q @ a) / (q @ b + 1e-12)),
    scaled_outside=lambda q, a, b: torch.exp(q @ (a - b)) / len(q) ** 0.5,
    multiplied_by_root=lambda q, a, b: torch.exp(q @ (a - b) * len(q) ** 0.5),
    weight_itself=lambda q, a, b: (q @ (a - b) / len(q) ** 0.5).sigmoid(),
    difference_of_weights=lambda q, a, b: (
        (w := (torch.stack([a, b]) @ q / len(q) ** 0.5).softmax(0))[0] - w[1]
    ),
)

# --- §8.2 -----------------------------------------------------------------------------


right(
    "§8.2",
    by_product=lambda W_Q, W_K: W_Q @ W_K.T,
    by_sum=lambda W_Q, W_K: (W_Q[:, None] * W_K).sum(-1),
)
wrong(
    "§8.2",
    turned_round=lambda W_Q, W_K: W_K @ W_Q.T,
    not_transposed=lambda W_Q, W_K: W_Q @ W_K if len(W_K) == W_Q.shape[1] else W_Q,
    first_transposed=lambda W_Q, W_K: W_Q.T @ W_K,
    scaled=lambda W_Q, W_K: W_Q @ W_K.T / W_Q.shape[1] ** 0.5,
    symmetric=lambda W_Q, W_K: (W_Q @ W_K.T + W_K @ W_Q.T) / 2,
    of_queries=lambda W_Q, W_K: W_Q @ W_Q.T,
    after_softmax=lambda W_Q, W_K: (W_Q @ W_K.T).softmax(-1),
    elementwise=lambda W_Q, W_K: W_Q * W_K,
)

# --- §8.3 -----------------------------------------------------------------------------


right(
    "§8.3",
    by_math=lambda d, a, b: math.sqrt(d * a * b),
    by_sums=lambda d, a, b: torch.full((d,), a * b).sum().sqrt(),
)
wrong(
    "§8.3",
    of_the_lecture=lambda d, a, b: d**0.5,
    of_variance=lambda d, a, b: d * a * b,
    variances_added=lambda d, a, b: (d * (a + b)) ** 0.5,
    variances_as_deviations=lambda d, a, b: d**0.5 * a * b,
    root_of_d_only=lambda d, a, b: d * (a * b) ** 0.5,
    squared=lambda d, a, b: d**0.5 * (a * b) ** 2,
    as_factor=lambda d, a, b: (d * a * b) ** -0.5,
    of_queries_only=lambda d, a, b: (d * a) ** 0.5,
    averaged=lambda d, a, b: (d * (a + b) / 2) ** 0.5,
    d_forgotten=lambda d, a, b: (a * b) ** 0.5,
    whole=lambda d, a, b: math.isqrt(int(d * a * b)),
)

# --- §8.4 -----------------------------------------------------------------------------


@right("§8.4")
def renormalised(A, mask, *, axis=-1):
    A = A * mask
    return A / A.sum(axis, keepdim=True)


right(
    "§8.4",
    by_logarithms=lambda A, mask: (
        A.log().where(mask, torch.tensor(-torch.inf)).softmax(-1)
    ),
)
wrong(
    "§8.4",
    not_divided=lambda A, mask: A * mask,
    turned_round=lambda A, mask: renormalised(A, ~mask).nan_to_num(),
    over_columns=partial(renormalised, axis=-2),
    over_everything=partial(renormalised, axis=(-2, -1)),
    by_softmax_again=lambda A, mask: A.masked_fill(~mask, -torch.inf).softmax(-1),
    by_softmax_of_zeros=lambda A, mask: (A * mask).softmax(-1),
    by_allowed_keys=lambda A, mask: A * mask / mask.sum(-1, keepdim=True),
    rest_shared_out=lambda A, mask: (
        (A + (A * ~mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)) * mask
    ),
    equal_shares=lambda A, mask: (
        (mask / mask.sum(-1, keepdim=True)).expand_as(A).clone()
    ),
    by_the_largest=lambda A, mask: A * mask / (A * mask).amax(-1, keepdim=True),
)

# --- §8.5 -----------------------------------------------------------------------------


right(
    "§8.5",
    by_size=lambda n, d, h: n // (d // h),
    by_chunks=lambda n, d, h: next(
        i for i, part in enumerate(torch.arange(d).chunk(h)) if n in part
    ),
)
wrong(
    "§8.5",
    in_turn=lambda n, d, h: n % h,
    by_heads=lambda n, d, h: n // h,
    place_in_the_head=lambda n, d, h: n % (d // h),
    from_one=lambda n, d, h: n // (d // h) + 1,
    rounded=lambda n, d, h: round(n / (d // h)),
    rounded_up=lambda n, d, h: -(-n // (d // h)),
    number_from_one=lambda n, d, h: (n - 1) // (d // h),
    fraction=lambda n, d, h: n / (d / h),
    backwards=lambda n, d, h: h - 1 - n // (d // h),
)

# --- §8.6 -----------------------------------------------------------------------------


right(
    "§8.6",
    by_argsort=lambda Z, order: Z[order.argsort()],
    by_index=lambda Z, order: torch.stack(
        [Z[order.tolist().index(i)] for i in range(len(Z))]
    ),
)
wrong(
    "§8.6",
    once_more=lambda Z, order: Z[order],
    as_it_is=lambda Z, order: Z,
    backwards=lambda Z, order: Z.flip(0),
    sorted_numbers=lambda Z, order: Z.sort(0).values,
    by_sorted_order=lambda Z, order: Z[order.sort().values],
    descending=lambda Z, order: Z[order.argsort(descending=True)],
    twice=lambda Z, order: Z[order][order],
    columns_too=lambda Z, order: Z[order.argsort()].T,
    rolled=lambda Z, order: Z.roll(int(order[0]), 0),
)

# --- §8.7 -----------------------------------------------------------------------------


right(
    "§8.7",
    by_counts=lambda old, new, P: (new // P) ** 2 - (old // P) ** 2,
    by_area=lambda old, new, P: (new**2 - old**2) / P**2,
)
wrong(
    "§8.7",
    with_class_token=lambda old, new, P: (new // P) ** 2 - (old // P) ** 2 + 1,
    all_of_them=lambda old, new, P: (new // P) ** 2 + 1,
    square_of_difference=lambda old, new, P: ((new - old) // P) ** 2,
    of_sides=lambda old, new, P: (new - old) // P,
    of_pixels=lambda old, new, P: new**2 - old**2,
    by_one_side_of_the_patch=lambda old, new, P: (new**2 - old**2) // P,
    ratio=lambda old, new, P: (new / old) ** 2,
    turned_round=lambda old, new, P: (old // P) ** 2 - (new // P) ** 2,
    three_channels=lambda old, new, P: 3 * ((new // P) ** 2 - (old // P) ** 2),
)

# --- §8.8 -----------------------------------------------------------------------------


@right("§8.8")
def gain(a, touched):
    looks = a[1:] / a[1:].sum()
    return looks[touched].sum() / touched.to(a).mean()


@right("§8.8")
def gain_by_means(a, touched):
    looks = a[1:].tolist()
    on_sign = [look for look, hit in zip(looks, touched.tolist(), strict=True) if hit]
    return sum(on_sign) / len(on_sign) / (sum(looks) / len(looks))


wrong(
    "§8.8",
    class_token_counted=lambda a, touched: (
        a[1:][touched].sum() / touched.double().mean()
    ),
    share_alone=lambda a, touched: a[1:][touched].sum() / a[1:].sum(),
    last_dropped=lambda a, touched: a[:-1][touched].mean() / a[:-1].mean(),
    against_the_rest=lambda a, touched: (
        a[1:][touched].sum() / a[1:][~touched].sum().clamp(min=1e-9)
    ),
    against_the_mean_of_the_rest=lambda a, touched: (
        a[1:][touched].mean() / (a[1:] * ~touched).mean().clamp(min=1e-9)
    ),
    by_the_number=lambda a, touched: a[1:][touched].sum() / a[1:].sum() / touched.sum(),
    share_of_all_tokens=lambda a, touched: (
        gain(a, touched) * (len(touched) + 1) / len(touched)
    ),
    multiplied=lambda a, touched: (
        a[1:][touched].sum() / a[1:].sum() * touched.double().mean()
    ),
    softmax_again=lambda a, touched: gain(a.softmax(0), touched),
    difference=lambda a, touched: (
        a[1:][touched].sum() / a[1:].sum() - touched.double().mean()
    ),
    turned_round=lambda a, touched: 1 / gain(a, touched),
)

# --- §8.9 -----------------------------------------------------------------------------


right(
    "§8.9",
    solved=lambda d, r: (2 + r) * d,
    by_costs=lambda d, r: (4 * d**2 + 2 * r * d**2) / (2 * d),
)
wrong(
    "§8.9",
    without_mlp=lambda d, r: 2 * d,
    without_projections=lambda d, r: r * d,
    one_layer_of_mlp=lambda d, r: (4 + r) * d // 2,
    pairs_counted_once=lambda d, r: (4 + 2 * r) * d,
    wide_layer_squared=lambda d, r: 2 * d + r**2 * d,
    of_vit=lambda d, r: 6 * d,
    three_projections=lambda d, r: (3 + 2 * r) * d / 2,
    d_forgotten=lambda d, r: 2 + r,
    root=lambda d, r: ((2 + r) * d) ** 0.5,
    one_more=lambda d, r: (2 + r) * d + 1,
)


# --- 08.1 -----------------------------------------------------------------------------


@right("08.1")
def without_each(q, K, V, *, scale=lambda q, K: len(q) ** 0.5, share=True):
    """The right answers, or ones with a single named mistake."""
    a = (K @ q / scale(q, K)).softmax(0)
    rows = [a @ V - a[j] * V[j] for j in range(len(K))]
    return torch.stack(rows) / (1 - a[:, None] if share else 1)


@right("08.1")
def without_each_by_a_mask(q, K, V):
    itself = torch.eye(len(K), dtype=torch.bool)
    return F.scaled_dot_product_attention(q.expand(len(K), -1), K, V, ~itself)


def _attend(q, K, V):
    return (K @ q / len(q) ** 0.5).softmax(0) @ V


def _with_words(keep):
    """Attention for every j to the words n for which ``keep(n, j)`` holds."""

    def answer(q, K, V):
        chosen = [[n for n in range(len(K)) if keep(n, j)] for j in range(len(K))]
        return torch.stack([_attend(q, K[part], V[part]) for part in chosen])

    return answer


wrong(
    "08.1",
    not_shared_again=partial(without_each, share=False),
    without_scale=partial(without_each, scale=lambda q, K: 1.0),
    scaled_by_d=partial(without_each, scale=lambda q, K: len(q)),
    scaled_by_words=partial(without_each, scale=lambda q, K: len(K) ** 0.5),
    multiplied_by_root=partial(without_each, scale=lambda q, K: len(q) ** -0.5),
    with_all_words=lambda q, K, V: _attend(q, K, V).expand(len(K), -1),
    only_that_word=lambda q, K, V: V,
    share_of_that_word=lambda q, K, V: _attend(q, K, V) - without_each(q, K, V),
    words_before=_with_words(lambda n, j: n <= j),
    without_the_next=_with_words(lambda n, j: n != j + 1),
    zero_score=lambda q, K, V: torch.stack(
        [_attend(q, K * (torch.arange(len(K)) != j)[:, None], V) for j in range(len(K))]
    ),
    zero_value=lambda q, K, V: torch.stack(
        [_attend(q, K, V * (torch.arange(len(K)) != j)[:, None]) for j in range(len(K))]
    ),
    zero_key_and_value=lambda q, K, V: torch.stack(
        [
            _attend(q, K * (rest := (torch.arange(len(K)) != j)[:, None]), V * rest)
            for j in range(len(K))
        ]
    ),
    transposed=lambda q, K, V: without_each(q, K, V).T,
    averaged=lambda q, K, V: (V.sum(0) - V) / (len(V) - 1),
    divided_by_the_weight=lambda q, K, V: (
        without_each(q, K, V, share=False) / (K @ q / len(q) ** 0.5).softmax(0)[:, None]
    ),
    difference=lambda q, K, V: without_each(q, K, V) - _attend(q, K, V),
    weights=lambda q, K, V: (K @ q / len(q) ** 0.5).softmax(0).repeat(len(K), 1),
)


def attention(Q, K, V):
    """What the notebook calls so."""
    A = (Q @ K.mT / Q.shape[-1] ** 0.5).softmax(-1)
    return A @ V, A


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


@wrong("08.2")
def temperature_of_unshifted_sum(S, T):
    shifted = (S - S.amax(-1, keepdim=True)) / T
    return shifted.exp() / (S / T).exp().sum(-1, keepdim=True)


wrong(
    "08.2",
    ignored=lambda S, T: temperature(S, 1),
    subtracted=lambda S, T: temperature(S - T, 1),
    in_base_two=lambda S, T: temperature(S * 0.6931471805599453, T),
    squared=lambda S, T: temperature(S, T * T),
    from_the_mean=partial(temperature, maximum=lambda S: S.mean(-1, keepdim=True)),
    from_the_smallest=partial(temperature, maximum=lambda S: S.amin(-1, keepdim=True)),
    from_the_first=partial(temperature, maximum=lambda S: S[..., :1]),
    from_the_largest_size=partial(
        temperature, maximum=lambda S: S.abs().amax(-1, keepdim=True)
    ),
    from_each_column=partial(temperature, maximum=lambda S: S.amax(0, keepdim=True)),
    of_powers=lambda S, T: temperature(S, 1) ** (1 / T),
    logarithms=lambda S, T: temperature(S, T).log().clamp(min=-1e9),
    guarded=lambda S, T: (
        (S / T).exp().clamp(max=1e30)
        / (S / T).exp().clamp(max=1e30).sum(-1, keepdim=True).clamp(min=1e-30)
    ),
    without_nan=lambda S, T: torch.nan_to_num(
        temperature(S, T, maximum=torch.zeros_like)
    ),
    guarded_by_epsilon=lambda S, T: temperature(S, T) / (1 + 1e-6),
    in_half_precision=lambda S, T: temperature(S.half(), T).to(S),
)
wrong(  # right values by the functions that the task forbids
    "08.2",
    by_softmax=lambda S, T: torch.softmax(S / T, -1),
    by_a_method=lambda S, T: S.div(T).softmax(-1),
    by_a_layer=lambda S, T: nn.Softmax(-1)(S / T),
    by_log_softmax=lambda S, T: F.log_softmax(S / T, -1).exp(),
    by_softmin=lambda S, T: F.softmin(-S / T, -1),
    by_attention=lambda S, T: attention(
        S[..., None, :] / T * S.shape[-1] ** 0.5,
        torch.eye(S.shape[-1]),
        torch.eye(S.shape[-1]),
    )[0][..., 0, :],
)


# --- 08.3 -----------------------------------------------------------------------------


@right("08.3")
def window_mask(
    lengths,
    N,
    w,
    *,
    near=lambda back, w: (back >= 0) & (back < w),
    real=lambda place, lengths, N: place >= N - lengths,
    itself=True,
):
    """The right mask, or one with a single named mistake."""
    place = torch.arange(N)
    back = place[:, None] - place
    seen = near(back, w) & real(place, lengths[:, None], N)[:, None]
    return (seen | (back == 0) if itself else seen)[:, None]


@right("08.3")
def window_mask_by_loops(lengths, N, w):
    mask = torch.eye(N, dtype=torch.bool).repeat(len(lengths), 1, 1, 1)
    for b, length in enumerate(lengths.tolist()):
        for i in range(N):
            mask[b, 0, i, max(i - w + 1, N - length) : i + 1] = True
            mask[b, 0, i, i] = True
    return mask


wrong(
    "08.3",
    padded_at_the_end=partial(
        window_mask, real=lambda place, lengths, N: place < lengths
    ),
    without_padding=partial(window_mask, real=lambda place, lengths, N: lengths > 0),
    one_word_more=partial(
        window_mask, real=lambda place, lengths, N: place >= N - lengths - 1
    ),
    one_word_less=partial(
        window_mask, real=lambda place, lengths, N: place > N - lengths
    ),
    without_window=partial(window_mask, near=lambda back, w: back >= 0),
    wider_window=partial(window_mask, near=lambda back, w: (back >= 0) & (back <= w)),
    narrower_window=partial(
        window_mask, near=lambda back, w: (back >= 0) & (back < w - 1)
    ),
    window_both_ways=partial(window_mask, near=lambda back, w: back.abs() < w),
    window_ahead=partial(window_mask, near=lambda back, w: (-w < back) & (back <= 0)),
    future_only_closed_far=partial(window_mask, near=lambda back, w: back > -w),
    blind_padding=partial(window_mask, itself=False),
    far_words_only=partial(window_mask, near=lambda back, w: back >= w),
    of_queries=lambda lengths, N, w: window_mask(lengths, N, w).mT,
    inverted=lambda lengths, N, w: ~window_mask(lengths, N, w),
    queries_hidden_too=lambda lengths, N, w: (
        window_mask(lengths, N, w, itself=False)
        & (torch.arange(N) >= N - lengths[:, None])[:, None, :, None]
    ),
    padding_open_to_padding=lambda lengths, N, w: (
        window_mask(lengths, N, w)
        | window_mask(lengths, N, w, real=lambda p, lengths, N: p < N - lengths)
    ),
    without_heads=lambda lengths, N, w: window_mask(lengths, N, w)[:, 0],
    in_numbers=lambda lengths, N, w: window_mask(lengths, N, w).float(),
    to_add=lambda lengths, N, w: torch.zeros(len(lengths), 1, N, N).masked_fill(
        ~window_mask(lengths, N, w), -torch.inf
    ),
    of_the_longest=lambda lengths, N, w: window_mask(
        lengths.max().expand_as(lengths), N, w
    ),
    window_of_real_words=lambda lengths, N, w: window_mask(lengths.clamp(max=w), N, w),
)


# --- 08.4 -----------------------------------------------------------------------------


def _cut(x, h):
    return x.unflatten(-1, (h, -1)).transpose(1, 2)  # (B, h, N, c)


def _share(x, times):
    return x.repeat_interleave(times, 1)


@right("08.4")
def grouped(q, k, v, h, g, *, cut=_cut, share=_share, scale=1.0, merge=True):
    """The right attention, or one with a single named mistake."""
    q, k, v = cut(q, h), share(cut(k, g), h // g), share(cut(v, g), h // g)
    z = F.scaled_dot_product_attention(q * scale, k, v)
    return z.transpose(1, 2).flatten(2) if merge else z


@right("08.4")
def grouped_by_loop(q, k, v, h, g):
    c, heads = q.shape[-1] // h, []
    for i in range(h):
        own = slice(i * c, (i + 1) * c)
        group = slice(i // (h // g) * c, (i // (h // g) + 1) * c)
        scores = q[..., own] @ k[..., group].mT / math.sqrt(c)
        heads.append(scores.softmax(-1) @ v[..., group])
    return torch.cat(heads, -1)


@right("08.4")
def grouped_by_broadcasting(q, k, v, h, g):
    q = q.unflatten(-1, (g, h // g, -1)).permute(0, 2, 3, 1, 4)  # (B, g, h/g, N, c)
    k, v = (x.unflatten(-1, (g, 1, -1)).permute(0, 2, 3, 1, 4) for x in (k, v))
    z = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
    return z.permute(0, 3, 1, 2, 4).flatten(2)


@right("08.4")
def grouped_by_option(q, k, v, h, g):
    z = F.scaled_dot_product_attention(
        _cut(q, h), _cut(k, g), _cut(v, g), enable_gqa=True
    )
    return z.transpose(1, 2).flatten(2)


@wrong("08.4")
def grouped_by_averaged_queries(q, k, v, h, g):
    """One query for the whole group."""
    mean = q.unflatten(-1, (g, h // g, -1)).mean(-2, keepdim=True)
    q = mean.expand(*mean.shape[:3], h // g, -1).flatten(2)
    return grouped(q, k, v, h, g)


@wrong("08.4")
def grouped_by_averaged_weights(q, k, v, h, g):
    k, v = _share(_cut(k, g), h // g), _share(_cut(v, g), h // g)
    weights = (_cut(q, h) @ k.mT / k.shape[-1] ** 0.5).softmax(-1)
    z = weights.mean(1, keepdim=True) @ v
    return z.transpose(1, 2).flatten(2)


wrong(
    "08.4",
    heads_left_apart=partial(grouped, merge=False),
    merged_without_transpose=lambda q, *given: grouped(q, *given, merge=False).reshape(
        q.shape
    ),
    cut_without_transpose=partial(
        grouped, cut=lambda x, h: x.reshape(len(x), h, x.shape[1], -1)
    ),
    interleaved=partial(
        grouped, cut=lambda x, h: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2)
    ),
    repeated_in_turn=partial(grouped, share=lambda x, n: x.repeat(1, n, 1, 1)),
    first_group_for_all=partial(
        grouped, share=lambda x, n: x[:, :1].expand(-1, n * x.shape[1], -1, -1)
    ),
    last_group_for_all=partial(
        grouped, share=lambda x, n: x[:, -1:].expand(-1, n * x.shape[1], -1, -1)
    ),
    averaged_groups=partial(
        grouped, share=lambda x, n: x.mean(1, True).expand(-1, n * x.shape[1], -1, -1)
    ),
    groups_backwards=partial(grouped, share=lambda x, n: _share(x.flip(1), n)),
    scaled_by_whole_d=lambda q, k, v, h, g: grouped(q, k, v, h, g, scale=h**-0.5),
    scaled_by_group=lambda q, k, v, h, g: grouped(q, k, v, h, g, scale=(g / h) ** 0.5),
    not_scaled=lambda q, k, v, h, g: grouped(
        q, k, v, h, g, scale=(q.shape[-1] / h) ** 0.5
    ),
    as_one_head=lambda q, k, v, h, g: F.scaled_dot_product_attention(
        q, *(x.repeat(1, 1, h // g) for x in (k, v))
    ),
    repeated_numbers=lambda q, k, v, h, g: grouped(
        q, *(x.repeat_interleave(h // g, -1) for x in (k, v)), h, h
    ),
    repeated_vectors=lambda q, k, v, h, g: grouped(
        q, *(x.repeat(1, 1, h // g) for x in (k, v)), h, h
    ),
    over_queries=lambda q, k, v, h, g: (
        (
            (
                _cut(q, h) @ _share(_cut(k, g), h // g).mT / (q.shape[-1] / h) ** 0.5
            ).softmax(-2)
            @ _share(_cut(v, g), h // g)
        )
        .transpose(1, 2)
        .flatten(2)
    ),
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


right("08.5", by_unshuffling=lambda x, P: F.pixel_unshuffle(x, P).flatten(2).mT)
wrong(  # right values by the functions that the task forbids
    "08.5",
    by_unfold=lambda x, P: F.unfold(x, P, stride=P).mT,
    by_a_layer=lambda x, P: nn.Unfold(P, stride=P)(x).mT,
    by_a_method=lambda x, P: (
        x.unfold(2, P, P)
        .unfold(3, P, P)
        .permute(0, 2, 3, 1, 4, 5)
        .flatten(3)
        .flatten(1, 2)
    ),
    by_convolution=lambda x, P: (
        F.conv2d(x, torch.eye(x.shape[1] * P * P).unflatten(1, (-1, P, P)), stride=P)
        .flatten(2)
        .mT
    ),
)


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
wrong(
    "08.5",
    by_channel=lambda x, P: patches(x, P).unflatten(-1, (-1, P, P)).flatten(0, 1),
    from_below=lambda x, P: patches(x.flip(2), P),
    of_a_transposed_picture=lambda x, P: patches(x.mT, P),
    of_the_first_channel=lambda x, P: patches(x[:, :1], P).repeat(1, 1, x.shape[1]),
    channels_backwards=lambda x, P: patches(x.flip(1), P),
    patches_backwards=lambda x, P: patches(x, P).flip(1),
    overlapping=lambda x, P: F.unfold(x, P, padding=P // 2, stride=P).mT,
    averaged=lambda x, P: F.avg_pool2d(x, P).flatten(2).mT,
    mixed_with_the_batch=lambda x, P: (
        patches(x, P).transpose(0, 1).reshape(len(x), -1, x.shape[1] * P * P)
    ),
    by_rows_of_pixels=lambda x, P: (
        x.flatten(2).unflatten(2, (-1, P * P)).transpose(1, 2).flatten(2)
    ),
    left_on_the_grid=lambda x, P: patches(x, P).unflatten(1, (x.shape[2] // P, -1)),
    by_row_then_channel=partial(patches, order=(0, 2, 4, 3, 1, 5)),
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


@right("08.6")
def chunks_by_next(q, chunks):
    K, V = next(chunks)
    top, z, total = torch.tensor(-torch.inf), 0 * V[0], torch.zeros(())
    while K is not None:
        s = K @ q / len(q) ** 0.5
        new = torch.maximum(top, s.max())
        e, rescale = torch.exp(s - new), torch.exp(top - new)
        total, z = total * rescale + e.sum(), z * rescale + (e[:, None] * V).sum(0)
        top = new
        K, V = next(chunks, (None, None))
    return z / total


@wrong("08.6")
def chunks_kept(q, chunks):
    K, V = zip(*chunks, strict=True)
    return _attend(q, torch.cat(K), torch.cat(V))


@wrong("08.6")
def chunks_averaged(q, chunks):
    parts = [_attend(q, K, V) for K, V in chunks]
    return sum(parts) / len(parts)


wrong(
    "08.6",
    unstable=partial(_summed, maximum=lambda top, s: torch.tensor(0.0)),
    not_rescaled=partial(_summed, maximum=_largest),
    own_maximum=partial(_summed, maximum=lambda top, s: s.max()),
    maximum_from_zero=partial(_summed, maximum=_largest, start=0.0, rescaled=True),
    without_scale=lambda q, chunks: chunks_running(q * len(q) ** 0.5, chunks),
    only_first=lambda q, chunks: _attend(q, *next(iter(chunks))),
)


@wrong("08.6")
def chunks_kept_as_numbers(q, chunks):
    K, V = [], []
    for keys, values in chunks:
        K.append(keys.clone())
        V.append(values.clone())
        keys = values = None
    return _attend(q, torch.cat(K), torch.cat(V))


@wrong("08.6")
def chunks_grown(q, chunks):
    K, V = q[:0].view(0, len(q)), None
    for keys, values in chunks:
        K = torch.cat([K, keys])
        V = values + 0 if V is None else torch.vstack([V, values])
    return _attend(q, K, V)


@wrong("08.6")
def chunks_kept_as_weighted_values(q, chunks):
    """No keys, but every value: as much memory."""
    scores, values = [], []
    for K, V in chunks:
        scores.append(K @ q / len(q) ** 0.5)
        values.append(V * 1)
    return torch.cat(scores).softmax(0) @ torch.cat(values)


@wrong("08.6")
def chunks_read_twice(q, chunks):
    top = max((K @ q).max() for K, _ in chunks) / len(q) ** 0.5
    total, z = torch.zeros(()), 0
    for K, V in chunks:
        e = (K @ q / len(q) ** 0.5 - top).exp()
        total, z = total + e.sum(), z + e @ V
    return z / total


def _rescaled(q, chunks, total_by, z_by, size=len):
    """Running sums multiplied by powers of exp(old - new) when the maximum grows."""
    top, total, z = torch.tensor(-torch.inf), 0.0, 0.0
    for K, V in chunks:
        s = K @ q / size(q) ** 0.5
        new = torch.maximum(top, s.max())
        e, old = (s - new).exp(), (top - new).exp()
        top, total, z = new, total * old**total_by + e.sum(), z * old**z_by + e @ V
    return z / total


@wrong("08.6")
def chunks_averaged_by_size(q, chunks):
    z, n = 0.0, 0
    for K, V in chunks:
        z, n = z + len(K) * _attend(q, K, V), n + len(K)
    return z / n


wrong(
    "08.6",
    sum_not_rescaled=partial(_rescaled, total_by=0, z_by=1),
    values_not_rescaled=partial(_rescaled, total_by=1, z_by=0),
    rescaled_twice=partial(_rescaled, total_by=1, z_by=2),
    rescaled_by_root=partial(_rescaled, total_by=0.5, z_by=0.5),
    scaled_by_half=partial(
        _rescaled, total_by=1, z_by=1, size=lambda q: (len(q) / 2) ** 2
    ),
    scaled_by_two=partial(_rescaled, total_by=1, z_by=1, size=lambda q: 2 * len(q)),
    only_last=lambda q, chunks: _attend(q, *list(chunks)[-1]),
    of_the_best_chunk=lambda q, chunks: max(
        ((K @ q).max().item(), _attend(q, K, V)) for K, V in chunks
    )[1],
)
