"""Answers to the exercises of notebook 12: right ones, and mistakes students make."""

import math
from functools import partial

import torch

from tests.answers import right, wrong

# --- 12.1 -----------------------------------------------------------------------------


@right("12.1")
def rollout(A, *, skip=1.0, scale=2.0, late_left=True, heads=None):
    """The right matrix, or one with a single named mistake."""
    A = A.mean(1) if heads is None else A[:, heads]
    R = eye = torch.eye(A.shape[-1], dtype=A.dtype)
    for block in A:
        step = (block + skip * eye) / scale
        R = step @ R if late_left else R @ step
    return R


@right("12.1")
def rollout_normalised(A):
    A = A.mean(1) + torch.eye(A.shape[-1], dtype=A.dtype)
    R, *rest = A / A.sum(-1, keepdim=True)
    for block in rest:
        R = block @ R
    return R


wrong(
    "12.1",
    without_skip=partial(rollout, skip=0.0, scale=1.0),
    not_halved=partial(rollout, scale=1.0),
    other_order=partial(rollout, late_left=False),
    first_head=partial(rollout, heads=0),
    last_block=lambda A: A[-1].mean(0),
    averaged=lambda A: A.mean((0, 1)),
    transposed=lambda A: rollout(A).mT,
    row_of_class=lambda A: rollout(A)[0],
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


# --- 12.3 -----------------------------------------------------------------------------


@right("12.3")
def share(T, *, dims=(0, 1), grand=1.0, around=True):
    """The right share, or one with a single named mistake."""
    mean = T.mean((0, 1))
    model = sum(T.mean(dim, keepdim=True) for dim in dims) - grand * mean
    spread = T - mean if around else T
    return 1 - ((T - model) ** 2).sum() / (spread**2).sum()


@right("12.3")
def share_by_effects(T):
    T = T - T.mean((0, 1))
    rows, columns = (T.mean(dim, keepdim=True).expand_as(T) for dim in (1, 0))
    return ((rows + columns) ** 2).sum() / (T**2).sum()


wrong(
    "12.3",
    rows_only=partial(share, dims=(1,), grand=0.0),
    columns_only=partial(share, dims=(0,), grand=0.0),
    mean_not_subtracted=partial(share, grand=0.0),
    around_zero=partial(share, around=False),
    left_over=lambda T: 1 - share(T),
    of_one_channel=lambda T: share(T[..., :1]),
    root=lambda T: share(T).clamp(min=0) ** 0.5,
    axis_of_channels=partial(share, dims=(0, 2)),
)
