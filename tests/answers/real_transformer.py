"""Answers to the exercises of notebook 12: right ones, and mistakes students make."""

import math
from functools import partial

import torch

from tests.answers import right, wrong

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
def distance(A, rows, columns, *, far=math.hypot, place=divmod, width=None):
    """The right distances, or ones with a single named mistake."""
    width = width or columns
    at = [place(number, width) for number in range(rows * columns)]
    table = torch.tensor(
        [[float(far(a[0] - b[0], a[1] - b[1])) for b in at] for a in at], dtype=A.dtype
    )
    return (A * table).sum(-1).mean(-1)


@right("12.2")
def distance_on_a_grid(A, rows, columns):
    y, x = torch.arange(rows, dtype=A.dtype), torch.arange(columns, dtype=A.dtype)
    grid = torch.cartesian_prod(y, x)
    return torch.einsum("hij,ij->hi", A, torch.cdist(grid, grid)).mean(1)


wrong(
    "12.2",
    along_the_streets=partial(distance, far=lambda y, x: abs(y) + abs(x)),
    squared=partial(distance, far=lambda y, x: y * y + x * x),
    by_the_longer_side=partial(distance, far=lambda y, x: max(abs(y), abs(x))),
    rows_for_columns=lambda A, rows, columns: distance(A, rows, columns, width=rows),
    summed=lambda A, rows, columns: rows * columns * distance(A, rows, columns),
    of_all_heads=lambda *given: distance(*given).mean(),
    not_weighted=lambda A, *size: distance(torch.ones_like(A) / A.shape[-1], *size),
    of_the_strongest=lambda A, *size: distance(A.eq(A.amax(-1, True)).to(A), *size),
)

wrong(
    "12.2",
    from_the_first=lambda A, *size: distance(A[:, :1].expand_as(A), *size),
    in_shares_of_the_grid=lambda A, rows, columns: (
        distance(A, rows, columns) / math.hypot(rows - 1, columns - 1)
    ),
    of_numbers=partial(distance, place=lambda number, width: (0, number)),
    along_rows=partial(distance, far=lambda y, x: abs(x)),
    along_columns=partial(distance, far=lambda y, x: abs(y)),
    without_root_and_weights=lambda A, *size: distance(A.round(), *size),
    without_itself=lambda A, rows, columns: distance(
        A / (1 - A.diagonal(dim1=1, dim2=2))[..., None], rows, columns
    ),
    mean_over_pairs=lambda A, *size: distance(A, *size) / A.shape[-1],
    largest=lambda A, rows, columns: torch.stack(
        [
            distance(A[:, i : i + 1].expand_as(A), rows, columns)
            for i in range(A.shape[1])
        ]
    ).amax(0),
    median=lambda A, rows, columns: (
        torch.stack(
            [
                distance(A[:, i : i + 1].expand_as(A), rows, columns)
                for i in range(A.shape[1])
            ]
        )
        .median(0)
        .values
    ),
    root_of_the_mean_square=lambda A, *size: distance(
        A, *size, far=lambda y, x: y * y + x * x
    ).sqrt(),
    on_a_square=lambda A, rows, columns: distance(
        A, rows, columns, width=math.isqrt(rows * columns)
    ),
    of_mean_head=lambda A, *size: distance(A.mean(0, True), *size).expand(len(A)),
    as_a_column=lambda *given: distance(*given)[:, None],
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
