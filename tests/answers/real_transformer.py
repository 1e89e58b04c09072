"""Answers to the exercises of notebook 12: right ones, and mistakes students make."""

import math
from functools import partial

import torch

from tests.answers import right, wrong

# --- §12.1 ----------------------------------------------------------------------------


@right("§12.1")
def corner(
    t, width, *, first=1, side=14, across=lambda width: width // 14, order=(0, 1)
):
    """The right place, or one with a single named mistake."""
    place = divmod(t - first, across(width))
    return side * place[order[0]], side * place[order[1]]


@right("§12.1")
def corner_by_counting(t, width):
    corners = [(i, j) for i in range(0, 9999, 14) for j in range(0, width, 14)]
    return list(corners[t - 1])


@wrong("§12.1")
def corner_of_shifted_column_only(t, width):
    return t // (width // 14) * 14, (t - 1) % (width // 14) * 14


wrong(
    "§12.1",
    class_token_counted=partial(corner, first=0),
    two_less=partial(corner, first=2),
    column_first=partial(corner, order=(1, 0)),
    in_patches=partial(corner, side=1),
    table_of_37=partial(corner, across=lambda width: 37),
    patch_16=lambda t, width: corner(t, width, side=16),
    by_pixels=lambda t, width: divmod(14 * (t - 1), width),
    row_only_scaled=lambda t, width: (corner(t, width)[0], (t - 1) % (width // 14)),
    centre=lambda t, width: tuple(place + 7 for place in corner(t, width)),
    last_pixel=lambda t, width: tuple(place + 13 for place in corner(t, width)),
    one_patch_more=partial(corner, across=lambda width: width // 14 + 1),
)

# --- §12.2 ----------------------------------------------------------------------------

right(
    "§12.2",
    by_norms=lambda x, branch, scale: (scale * branch).norm(dim=-1) / x.norm(dim=-1),
    by_matrix=lambda x, branch, scale: (
        torch.linalg.vector_norm(branch @ scale.diag(), dim=2)
        / x.square().sum(-1).sqrt()
    ),
)
wrong(
    "§12.2",
    without_scale=lambda x, branch, scale: branch.norm(dim=-1) / x.norm(dim=-1),
    of_the_sum=lambda x, branch, scale: (
        (x + scale * branch).norm(dim=-1) / x.norm(dim=-1)
    ),
    to_the_sum=lambda x, branch, scale: (
        (scale * branch).norm(dim=-1) / (x + scale * branch).norm(dim=-1)
    ),
    over_tokens=lambda x, branch, scale: (scale * branch).norm(dim=1) / x.norm(dim=1),
    over_all=lambda x, branch, scale: (scale * branch).norm() / x.norm(),
    upside_down=lambda x, branch, scale: x.norm(dim=-1) / (scale * branch).norm(dim=-1),
    squares=lambda x, branch, scale: (
        (scale * branch).square().sum(-1) / x.square().sum(-1)
    ),
    moduli=lambda x, branch, scale: (scale * branch).abs().sum(-1) / x.abs().sum(-1),
    by_channel=lambda x, branch, scale: (scale * branch / x).norm(dim=-1),
    product_of_lengths=lambda x, branch, scale: (
        scale.norm() * branch.norm(dim=-1) / x.norm(dim=-1)
    ),
    mean_scale=lambda x, branch, scale: (
        scale.mean() * branch.norm(dim=-1) / x.norm(dim=-1)
    ),
    scaled_twice=lambda x, branch, scale: (
        (scale * branch).norm(dim=-1) / (scale * x).norm(dim=-1)
    ),
)

# --- §12.3 ----------------------------------------------------------------------------


@right("§12.3")
def ratio(box, *, unit=1000, area=lambda w, h: w * h, answer=lambda share: 1 / share):
    """The right ratio, or one with a single named mistake."""
    x1, y1, x2, y2 = box
    return answer(area((x2 - x1) / unit, (y2 - y1) / unit))


right(
    "§12.3",
    by_tensors=lambda box: (
        1e6 / torch.tensor([box[2] - box[0], box[3] - box[1]]).prod()
    ),
)
wrong(
    "§12.3",
    share=partial(ratio, answer=lambda share: share),
    without_thousandths=partial(ratio, unit=1),
    in_percent=partial(ratio, unit=100),
    divided_once=partial(ratio, area=lambda w, h: 1000 * w * h),
    corner_as_size=lambda box: ratio((0, 0, *box[2:])),
    width_only=partial(ratio, area=lambda w, h: w),
    height_only=partial(ratio, area=lambda w, h: h),
    half_perimeter=partial(ratio, area=lambda w, h: w + h),
    root=partial(ratio, area=lambda w, h: (w * h) ** 0.5),
    to_the_rest=partial(ratio, answer=lambda share: 1 / max(1 - share, 1e-9)),
    coordinates_mixed=lambda box: ratio((box[0], box[2], box[1], box[3])),
    pixels_included=partial(ratio, area=lambda w, h: (w + 0.001) * (h + 0.001)),
    one=lambda box: 1.0,
)

# --- §12.4 ----------------------------------------------------------------------------

right(
    "§12.4",
    product=lambda a: ((1 + a) / 2).prod(),
    block_by_block=lambda a: math.prod(0.5 * float(part) + 0.5 for part in a),
    by_powers=lambda a: (1 + a).prod().item() / 2 ** len(a),
)
wrong(
    "§12.4",
    without_residual=lambda a: a.prod(),
    residual_only=lambda a: 0.5 ** len(a),
    without_halves=lambda a: (1 + a).prod(),
    half_once=lambda a: (1 + a).prod() / 2,
    half_at_the_end=lambda a: (1 + a.prod()) / 2,
    mean=lambda a: ((1 + a) / 2).mean(),
    of_mean=lambda a: ((1 + a.mean()) / 2) ** len(a),
    last_block=lambda a: (1 + a[-1]) / 2,
    sum=lambda a: ((1 + a) / 2).sum(),
    half_of_attention=lambda a: (a / 2).prod(),
    given_away=lambda a: 1 - ((1 + a) / 2).prod(),
    all_blocks=lambda a: ((1 + a) / 2).cumprod(0),
)

# --- §12.5 ----------------------------------------------------------------------------


@right("§12.5")
def window(
    k, *, far=math.hypot, half=lambda k: k // 2, weigh=lambda d: sum(d) / len(d)
):
    """The right distance, or one with a single named mistake."""
    steps = range(-half(k), half(k) + 1)
    return weigh([far(i, j) for i in steps for j in steps])


@right("§12.5")
def window_by_places(k):
    places = torch.cartesian_prod(*[torch.arange(k) * 1.0] * 2)
    return torch.cdist(places, places[[k * k // 2]]).mean()


wrong(
    "§12.5",
    by_streets=partial(window, far=lambda i, j: abs(i) + abs(j)),
    by_king=partial(window, far=lambda i, j: max(abs(i), abs(j))),
    squares=partial(window, far=lambda i, j: i * i + j * j),
    root_of_mean_square=lambda k: window(k, far=lambda i, j: i * i + j * j) ** 0.5,
    without_own=partial(window, weigh=lambda d: sum(d) / max(len(d) - 1, 1)),
    in_one_row=lambda k: window(k, far=lambda i, j: abs(i)),
    whole_k_aside=partial(window, half=lambda k: k),
    one_patch_less=partial(window, half=lambda k: k // 2 - 1 if k > 1 else 0),
    summed=partial(window, weigh=sum),
    farthest=partial(window, weigh=max),
    half_the_side=lambda k: k / 2,
    steps_halved=lambda k: (k - 1) / 2,
    from_the_corner=lambda k: (
        sum(math.hypot(i, j) for i in range(k) for j in range(k)) / k**2
    ),
    by_side=partial(window, weigh=lambda d: sum(d) / len(d) ** 0.5),
)

# --- §12.6 ----------------------------------------------------------------------------

right(
    "§12.6",
    of_squares=lambda s, k: (s[:k] ** 2).sum() / (s**2).sum(),
    of_norms=lambda s, k: (s[:k].norm() / s.norm()) ** 2,
    by_list=lambda s, k: (
        sum(v * v for v in s.tolist()[:k]) / sum(v * v for v in s.tolist())
    ),
)
wrong(
    "§12.6",
    of_lengths=lambda s, k: s[:k].sum() / s.sum(),
    of_norms_alone=lambda s, k: s[:k].norm() / s.norm(),
    one_more=lambda s, k: (s[: k + 1] ** 2).sum() / (s**2).sum(),
    one_less=lambda s, k: (s[: k - 1] ** 2).sum() / (s**2).sum(),
    without_the_first=lambda s, k: (s[1 : k + 1] ** 2).sum() / (s**2).sum(),
    the_kth=lambda s, k: s[k - 1] ** 2 / (s**2).sum(),
    number_k=lambda s, k: s[min(k, len(s) - 1)] ** 2 / (s**2).sum(),
    the_rest=lambda s, k: (s[k:] ** 2).sum() / (s**2).sum(),
    not_divided=lambda s, k: (s[:k] ** 2).sum(),
    square_of_sum=lambda s, k: s[:k].sum() ** 2 / s.sum() ** 2,
    by_count=lambda s, k: k / len(s),
    means=lambda s, k: (s[:k] ** 2).mean() / (s**2).mean(),
    fourth_powers=lambda s, k: (s[:k] ** 4).sum() / (s**4).sum(),
    of_the_last=lambda s, k: (s[-k:] ** 2).sum() / (s**2).sum(),
)

# --- §12.7 ----------------------------------------------------------------------------

right(
    "§12.7",
    by_formula=lambda rows, columns: (rows + columns - 2) / (rows * columns - 1),
    by_rest=lambda rows, columns: 1 - (rows - 1) * (columns - 1) / (rows * columns - 1),
    by_tensors=lambda rows, columns: (
        (torch.tensor([rows, columns]) - 1.0).sum() / (rows * columns - 1)
    ),
)
wrong(
    "§12.7",
    nothing_subtracted=lambda rows, columns: (rows + columns) / (rows * columns),
    all_of_the_table=lambda rows, columns: (rows + columns - 2) / (rows * columns),
    one_subtracted=lambda rows, columns: (rows + columns - 1) / (rows * columns),
    one_less_twice=lambda rows, columns: (rows + columns - 1) / (rows * columns - 1),
    none_above=lambda rows, columns: (rows + columns) / (rows * columns - 1),
    two_below=lambda rows, columns: (rows + columns - 2) / max(rows * columns - 2, 1),
    rest=lambda rows, columns: (rows - 1) * (columns - 1) / (rows * columns - 1),
    rows_only=lambda rows, columns: (rows - 1) / (rows * columns - 1),
    product=lambda rows, columns: 1 / (rows * columns),
    whole=lambda rows, columns: (rows + columns - 2) // (rows * columns - 1),
    nothing=lambda rows, columns: 0.0,
)

# --- §12.8 ----------------------------------------------------------------------------


@right("§12.8")
def loud(
    tokens,
    times,
    *,
    size=lambda tokens: tokens.norm(dim=1),
    usual=torch.median,
    share=lambda loud: loud.double().mean(),
):
    """The right share, or one with a single named mistake."""
    sizes = size(tokens)
    return share(sizes > times * usual(sizes))


@right("§12.8")
def loud_by_list(tokens, times):
    norms = sorted(math.hypot(*row) for row in tokens.tolist())
    return sum(n > times * norms[len(norms) // 2] for n in norms) / len(norms)


wrong(
    "§12.8",
    of_mean=partial(loud, usual=torch.mean),
    of_largest=partial(loud, usual=torch.max),
    of_smallest=partial(loud, usual=torch.min),
    squares=partial(loud, size=lambda tokens: tokens.square().sum(1)),
    of_channels=partial(loud, size=lambda tokens: tokens.norm(dim=0)),
    largest_numbers=partial(loud, size=lambda tokens: tokens.abs().amax(1)),
    moduli=partial(loud, size=lambda tokens: tokens.abs().sum(1)),
    sums=partial(loud, size=lambda tokens: tokens.sum(1)),
    counted=partial(loud, share=lambda loud: loud.sum()),
    in_percent=partial(loud, share=lambda loud: 100 * loud.double().mean()),
    usual_ones=partial(loud, share=lambda loud: 1 - loud.double().mean()),
    times_alone=partial(loud, usual=lambda sizes: 1),
    of_any=partial(loud, share=lambda loud: loud.any().double()),
    without_times=lambda tokens, times: loud(tokens, 1),
    of_rest=partial(loud, share=lambda loud: loud.sum() / max((~loud).sum(), 1)),
    of_numbers=partial(loud, size=lambda tokens: tokens.abs().flatten()),
)

# --- 12.1 -----------------------------------------------------------------------------


@right("12.1")
def relevance(
    A,
    G,
    *,
    product=torch.mul,
    positive=torch.relu,
    heads=lambda z: z.mean(1),
    late_left=True,
    skip=1.0,
    row=lambda R: R[0, 1:],
):
    """The right map, or one with a single named mistake."""
    R = torch.eye(A.shape[-1], dtype=A.dtype)
    for block in heads(positive(product(G, A))):
        R = skip * R + (block @ R if late_left else R @ block)
    return row(R)


@right("12.1")
def relevance_by_product(A, G):
    eye = torch.eye(A.shape[-1], dtype=A.dtype)
    steps = [eye + (a * g).clamp(min=0).mean(0) for a, g in zip(A, G, strict=True)]
    return torch.linalg.multi_dot([*steps[::-1], eye])[0][1:]


@right("12.1")
def relevance_by_the_row(A, G):
    """From the last block to the first one, without products of matrices."""
    row = torch.eye(A.shape[-1], dtype=A.dtype)[0]
    for a, g in zip(A.flip(0), G.flip(0), strict=True):
        row = row + row @ (a * g).relu().mean(0)
    return row[1:]


wrong(
    "12.1",
    rollout=lambda A, G: relevance(torch.ones_like(A), A),
    as_halves=lambda A, G: relevance(A, G / 2, skip=0.5),
    without_attention=partial(relevance, product=lambda G, A: G),
    without_gradient=partial(relevance, product=lambda G, A: A),
    of_absolute=partial(relevance, positive=torch.abs),
    of_all_signs=partial(relevance, positive=torch.clone),
    of_positive_gradient_only=lambda A, G: relevance(torch.ones_like(A), G),
    against=lambda A, G: relevance(A, -G),
    positive_after_heads=partial(
        relevance, positive=torch.clone, heads=lambda z: z.mean(1).relu()
    ),
    heads_before_the_product=lambda A, G: relevance(A.mean(1, True), G.mean(1, True)),
    summed_heads=partial(relevance, heads=lambda z: z.sum(1)),
    strongest_head=partial(relevance, heads=lambda z: z.amax(1)),
    first_head=partial(relevance, heads=lambda z: z[:, 0]),
    other_order=partial(relevance, late_left=False),
    without_skip=partial(relevance, skip=0.0),
    last_block=lambda A, G: relevance(A[-1:], G[-1:]),
    first_block=lambda A, G: relevance(A[:1], G[:1]),
    normalised=partial(
        relevance, heads=lambda z: torch.nn.functional.normalize(z.mean(1), p=1, dim=-1)
    ),
    column=partial(relevance, row=lambda R: R[1:, 0]),
    with_itself=partial(relevance, row=lambda R: R[0]),
    whole=partial(relevance, row=lambda R: R),
    of_last_token=partial(relevance, row=lambda R: R[-1, :-1]),
    averaged_rows=partial(relevance, row=lambda R: R.mean(0)[1:]),
)


# --- 12.2 -----------------------------------------------------------------------------


@right("12.2")
def shift(A, rows, columns, *, width=None, change=lambda step: step):
    """The right shifts, or ones with a single named mistake."""
    at = [divmod(number, width or columns) for number in range(rows * columns)]
    steps = torch.tensor(
        [[[b[n] - a[n] for n in (0, 1)] for b in at] for a in at], dtype=A.dtype
    )
    return (A[..., None] * change(steps)).sum(2).mean(1)


@right("12.2")
def shift_of_marginals(A, rows, columns):
    """Mean key less mean query: the queries are looked from equally often."""
    looked = A.mean(1) - 1 / A.shape[-1]
    looked = looked.unflatten(1, (rows, columns))
    down = looked.sum(2) @ torch.arange(rows).to(A)
    right_ = looked.sum(1) @ torch.arange(columns).to(A)
    return torch.stack([down, right_], dim=1)


wrong(
    "12.2",
    query_minus_key=lambda *given: -shift(*given),
    right_first=lambda *given: shift(*given).flip(-1),
    absolute=partial(shift, change=torch.abs),
    squared=partial(shift, change=torch.square),
    signs_only=partial(shift, change=torch.sign),
    distance=lambda *given: shift(*given).norm(dim=1),
    absolute_mean=lambda *given: shift(*given).abs(),
    rows_for_columns=lambda A, rows, columns: shift(A, rows, columns, width=rows),
    on_a_square=lambda A, rows, columns: shift(
        A, rows, columns, width=math.isqrt(rows * columns)
    ),
    summed=lambda A, *size: shift(A, *size) * A.shape[-1],
    mean_over_pairs=lambda A, *size: shift(A, *size) / A.shape[-1],
    not_weighted=lambda A, *size: shift(torch.ones_like(A) / A.shape[-1], *size),
    of_the_strongest=lambda A, *size: shift(A.eq(A.amax(-1, True)).to(A), *size),
    of_the_first_patch=lambda A, *size: shift(
        torch.where(torch.arange(A.shape[1])[:, None] == 0, A * A.shape[1], 0.0), *size
    ),
    in_shares_of_the_grid=lambda A, rows, columns: (
        shift(A, rows, columns) / torch.tensor([rows, columns]).to(A)
    ),
    target=lambda A, rows, columns: (
        shift(A, rows, columns) + torch.tensor([rows - 1, columns - 1]).to(A) / 2
    ),
    transposed_attention=lambda A, *size: shift(A.mT, *size),
    of_all_heads=lambda *given: shift(*given).mean(0),
    of_each_patch=lambda A, rows, columns: (
        A @ torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(A.dtype)
    ),
    as_columns=lambda *given: shift(*given).T,
)


# --- 12.3 -----------------------------------------------------------------------------


def _parts(T):
    """What rows add to the mean, what columns add, and what is left."""
    T = T - T.mean((0, 1))
    rows, columns = T.mean(1, keepdim=True), T.mean(0, keepdim=True)
    return [rows.expand_as(T), columns.expand_as(T), T - rows - columns]


@right("12.3")
def shares(T, *, size=lambda part: (part**2).sum(), parts=_parts, whole=None):
    """The right shares, or ones with a single named mistake."""
    sizes = [size(part) for part in parts(T)]
    return torch.stack(sizes) / (whole(T) if whole else sum(sizes))


@right("12.3")
def shares_by_variances(T):
    whole = T.var((0, 1), correction=0).sum()
    rows, columns = (T.mean(dim).var(0, correction=0).sum() / whole for dim in (1, 0))
    return torch.stack([rows, columns, 1 - rows - columns])


@right("12.3")
def shares_by_fits(T):
    """By the squares that are left when only rows, or only columns, are known."""
    left = [(T - T.mean(dim, keepdim=True)).square().sum() for dim in (1, 0, (0, 1))]
    rows, columns = 1 - left[0] / left[2], 1 - left[1] / left[2]
    return torch.stack([rows, columns, 1 - rows - columns])


wrong(
    "12.3",
    together=lambda T: 1 - shares(T)[2],
    without_the_rest=lambda T: shares(T)[:2],
    swapped=lambda T: shares(T)[[1, 0, 2]],
    in_percent=lambda T: 100 * shares(T),
    around_zero=lambda T: shares(T, whole=lambda T: (T**2).sum()),
    of_lengths=partial(shares, size=torch.norm),
    of_absolute=partial(shares, size=lambda part: part.abs().sum()),
    of_one_channel=lambda T: shares(T[..., :1]),
    averaged_over_channels=lambda T: shares(T.mean(-1, keepdim=True)),
    channel_by_channel=lambda T: torch.stack(
        [shares(T[..., [n]]) for n in range(T.shape[-1])]
    ).mean(0),
    axes_of_channels=lambda T: shares(T.movedim(-1, 0)),
    not_repeated=partial(
        shares,
        parts=lambda T: [
            part[:, :1] if n == 0 else part[:1] if n == 1 else part
            for n, part in enumerate(_parts(T))
        ],
    ),
    mean_left_in_rows=partial(
        shares,
        parts=lambda T: [
            T.mean(1, keepdim=True).expand_as(T),
            *_parts(T)[1:],
        ],
    ),
    corrected=lambda T: torch.stack(
        [
            rows := T.mean(1).var(0).sum() / T.flatten(0, 1).var(0).sum(),
            columns := T.mean(0).var(0).sum() / T.flatten(0, 1).var(0).sum(),
            1 - rows - columns,
        ]
    ),
    rest_as_difference_of_roots=lambda T: torch.stack(
        [*shares(T)[:2].sqrt(), 1 - shares(T)[:2].sqrt().sum()]
    ),
    one_after_another=lambda T: torch.stack(
        [
            shares(T)[0],
            shares(T)[1] / (1 - shares(T)[0]),
            shares(T)[2],
        ]
    ),
    around_one_number=lambda T: torch.stack(
        [
            ((T.mean(dim, keepdim=True) - T.mean()).expand_as(T) ** 2).sum()
            / ((T - T.mean()) ** 2).sum()
            for dim in (1, 0, 2)
        ]
    ),
)
