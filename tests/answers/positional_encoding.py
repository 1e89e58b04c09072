"""Answers to the exercises of notebook 10: right ones, and mistakes students make."""

import math
from functools import partial
from itertools import permutations, product

import torch
import torch.nn.functional as F

from tests.answers import right, wrong


def _frequencies(d, base=10_000.0):
    return base ** (-torch.arange(0, d, 2) / d)


def _angles(positions, d):
    return positions[..., None] * _frequencies(d)


def _pairs(positions, d):
    angles = _angles(positions, d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def _halves(positions, d):
    angles = _angles(positions, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# --- §10.1 ----------------------------------------------------------------------------


@right("§10.1")
def phrases(words):
    counts = [words.count(word) for word in set(words)]
    return math.factorial(len(words)) // math.prod(map(math.factorial, counts))


right("§10.1", by_trying=lambda words: len({" ".join(p) for p in permutations(words)}))
wrong(
    "§10.1",
    all_orders=lambda words: math.factorial(len(words)),
    without_itself=lambda words: phrases(words) - 1,
    of_different_words=lambda words: math.factorial(len(set(words))),
    words_in_all=lambda words: len(words),
    different_words=lambda words: len(set(words)),
    divided_by_repeats=lambda words: (
        math.factorial(len(words)) // (len(words) - len(set(words)) + 1)
    ),
    divided_by_counts=lambda words: (
        math.factorial(len(words))
        // math.prod(words.count(word) for word in set(words))
    ),
    divided_by_factorial_of_the_rest=lambda words: (
        math.factorial(len(words)) // math.factorial(len(words) - len(set(words)) + 1)
    ),
    any_words=lambda words: len(set(words)) ** len(words),
    one=lambda words: 1,
    pairs=lambda words: math.comb(len(words), 2),
    real_number=lambda words: math.log(math.factorial(len(words))),
)


# --- §10.2 ----------------------------------------------------------------------------


@right("§10.2")
def one_number(
    pos, j, d, *, pair=lambda j, d: j % (d // 2), two=2, waves=(math.sin, math.cos)
):
    """The right number, or one with a single named mistake."""
    angle = pos / 10_000 ** (two * pair(j, d) / d)
    return waves[j >= d // 2](angle)


right("§10.2", of_table=lambda pos, j, d: _halves(torch.tensor(pos), d)[j])
wrong(
    "§10.2",
    pairs=lambda pos, j, d: _pairs(torch.tensor(pos), d)[j],
    cosines_first=partial(one_number, waves=(math.cos, math.sin)),
    sines_only=partial(one_number, waves=(math.sin, math.sin)),
    without_two=partial(one_number, two=1),
    place_as_pair=partial(one_number, pair=lambda j, d: j),
    half_the_place=partial(one_number, pair=lambda j, d: j // 2),
    from_the_first_cosine=lambda pos, j, d: (math.sin if j <= d // 2 else math.cos)(
        pos / 10_000 ** (2 * (j % (d // 2)) / d)
    ),
    without_d=lambda pos, j, d: one_number(pos, j, d, two=2 * d),
    in_degrees=lambda pos, j, d: one_number(math.radians(pos), j, d),
    rising_frequency=lambda pos, j, d: one_number(pos, j, d, two=-2),
    as_tensor2tensor=lambda pos, j, d: one_number(pos, j, d, two=2 * d / (d - 1.999)),
)

# --- §10.3 ----------------------------------------------------------------------------


@right("§10.3")
def gap(m, n, d, *, lengths=2, twice=2, difference=lambda m, n: m - n):
    """The right square, or one with a single named mistake."""
    cosines = torch.cos(difference(m, n) * _frequencies(d))
    return lengths * d / 2 - twice * cosines.sum()


right(
    "§10.3",
    of_table=lambda m, n, d: (
        (_halves(torch.tensor(m), d) - _halves(torch.tensor(n), d)).square().sum()
    ),
    by_half_angles=lambda m, n, d: (
        4 * (_frequencies(d) * (m - n) / 2).sin().square().sum().item()
    ),
)
wrong(
    "§10.3",
    distance=lambda m, n, d: gap(m, n, d).clamp(min=0).sqrt(),
    product_once=partial(gap, twice=1),
    one_length=partial(gap, lengths=1),
    product=lambda m, n, d: d / 2 - gap(m, n, d) / 2,
    of_unit_vectors=lambda m, n, d: gap(m, n, d) / (d / 2),
    added=partial(gap, twice=-2),
    of_sum=partial(gap, difference=lambda m, n: m + n),
    all_dimensions=lambda m, n, d: (
        2 * d - 2 * torch.cos((m - n) * 10_000 ** (-torch.arange(d) / d)).sum()
    ),
    of_positions=lambda m, n, d: (m - n) ** 2,
    mean=lambda m, n, d: gap(m, n, d) / d,
    length_d=partial(gap, lengths=4),
)

# --- §10.4 ----------------------------------------------------------------------------

right(
    "§10.4",
    by_formula=lambda s, times: math.log(times) / s,
    by_tensors=lambda s, times: -(1 / torch.tensor(float(times))).log() / s,
)
wrong(
    "§10.4",
    half_life=lambda s, times: math.log(2) / s,
    binary=lambda s, times: math.log2(times) / s,
    decimal=lambda s, times: math.log10(times) / s,
    quotient=lambda s, times: times / s,
    multiplied=lambda s, times: math.log(times) * s,
    negative=lambda s, times: -math.log(times) / s,
    without_softmax=lambda s, times: (times - 1) / s,
    rounded=lambda s, times: round(math.log(times) / s),
    rounded_up=lambda s, times: math.ceil(math.log(times) / s),
    of_one=lambda s, times: 1 / (s * times),
    exponent=lambda s, times: math.exp(-s * times),
)

# --- §10.5 ----------------------------------------------------------------------------

right(
    "§10.5",
    by_formula=lambda N, T, k, choices: (T - k + (N - T) / choices) / (N - k),
    place_by_place=lambda N, T, k, choices: (
        sum(1 if p < T else 1 / choices for p in range(k, N)) / (N - k)
    ),
    by_shares=lambda N, T, k, choices: torch.where(
        torch.arange(N) < T, 1.0, 1 / choices
    )[k:].mean(),
)
wrong(
    "§10.5",
    all_places_below=lambda N, T, k, choices: (T - k + (N - T) / choices) / N,
    all_places_answer=lambda N, T, k, choices: (T + (N - T) / choices) / N,
    seen_without_k=lambda N, T, k, choices: (T + (N - T) / choices) / (N - k),
    never_guesses=lambda N, T, k, choices: (T - k) / (N - k),
    guesses_all=lambda N, T, k, choices: 1 / choices,
    mean_of_two=lambda N, T, k, choices: (1 + 1 / choices) / 2,
    guesses_the_rest=lambda N, T, k, choices: (
        (T - k + (N - T) / (choices - 1)) / (N - k)
    ),
    one_more_seen=lambda N, T, k, choices: (
        (T + 1 - k + (N - T - 1) / choices) / (N - k)
    ),
    k_new_places_less=lambda N, T, k, choices: (
        (T - k + (N - T - k) / choices) / (N - k)
    ),
    counted=lambda N, T, k, choices: T - k + (N - T) / choices,
    whole=lambda N, T, k, choices: (T - k + (N - T) // choices) / (N - k),
)

# --- §10.6 ----------------------------------------------------------------------------


@right("§10.6")
def alike(s, first, second, *, join=lambda rows, columns: (rows + columns) / 2):
    """The right cosine, or one with a single named mistake."""
    return join(s[abs(first[0] - second[0])], s[abs(first[1] - second[1])])


@right("§10.6")
def alike_by_index(s, first, second):
    return s[(torch.tensor(first) - torch.tensor(second)).abs()].mean()


wrong(
    "§10.6",
    product=partial(alike, join=lambda rows, columns: rows * columns),
    sum=partial(alike, join=lambda rows, columns: rows + columns),
    rows_only=partial(alike, join=lambda rows, columns: rows),
    columns_only=partial(alike, join=lambda rows, columns: columns),
    smaller=partial(alike, join=min),
    larger=partial(alike, join=max),
    root_of_squares=partial(alike, join=torch.hypot),
    geometric=partial(alike, join=lambda rows, columns: (rows * columns).abs().sqrt()),
    with_sign=lambda s, first, second: (
        (s[first[0] - second[0]] + s[first[1] - second[1]]) / 2
    ),
    of_path=lambda s, first, second: s[
        abs(first[0] - second[0]) + abs(first[1] - second[1])
    ],
    of_straight_line=lambda s, first, second: s[round(math.dist(first, second))],
    row_with_column=lambda s, first, second: alike(s, first, second[::-1]),
    of_own_axes=lambda s, first, second: (
        (s[abs(first[0] - first[1])] + s[abs(second[0] - second[1])]) / 2
    ),
)

# --- 10.1 -----------------------------------------------------------------------------


@right("10.1")
def base_for(L, d, *, circle=2 * math.pi, last=2):
    """The right base, or one with a single named mistake."""
    return (L / circle) ** (d / (d - last))


right(
    "10.1",
    by_logarithm=lambda L, d: math.exp(math.log(L / math.tau) * d / (d - 2)),
    by_tensors=lambda L, d: (torch.tensor(L / math.tau).log() / (1 - 2 / d)).exp(),
)
wrong(
    "10.1",
    without_circle=partial(base_for, circle=1),
    of_half_a_wave=partial(base_for, circle=math.pi),
    of_a_quarter=partial(base_for, circle=math.pi / 2),
    times_circle=lambda L, d: (L * math.tau) ** (d / (d - 2)),
    as_if_the_last_were_d=partial(base_for, last=0),
    of_last_dimension=partial(base_for, last=1),
    of_last_but_one_pair=partial(base_for, last=4),
    with_half_d=lambda L, d: base_for(L, d / 2),
    with_half_exponent=lambda L, d: base_for(L, d) ** 2,
    exponent_upside_down=lambda L, d: (L / math.tau) ** ((d - 2) / d),
    without_exponent=lambda L, d: L / math.tau,
    frequency=lambda L, d: (math.tau / L) ** (d / (d - 2)),
    logarithm=lambda L, d: math.log(base_for(L, d)),
    as_published=lambda L, d: 10_000.0,
    of_whole_part=lambda L, d: int(base_for(L, d)),
)


# --- 10.2 -----------------------------------------------------------------------------


@right("10.2")
def nearest(x, n, *, known=_halves, like=lambda x, known: x @ known.T):
    """The right places, or ones with a single named mistake."""
    return like(x, known(torch.arange(n), x.shape[1])).argmax(1)


@right("10.2")
def nearest_by_distance(x, n):
    known = _pairs(torch.arange(n), x.shape[1])
    sines, cosines = x.chunk(2, dim=1)
    return torch.cdist(torch.stack([sines, cosines], 2).flatten(1), known).argmin(1)


@right("10.2")
def nearest_by_loop(x, n):
    known = _halves(torch.arange(n), x.shape[1])
    return torch.tensor([((row - known) ** 2).sum(1).argmin().item() for row in x])


def _place_of_pair(i):
    """The place by one pair alone: the angle divided by the frequency."""

    def answer(x, n):
        d = x.shape[1]
        angle = torch.atan2(x[:, : d // 2], x[:, d // 2 :])[:, i] % math.tau
        return (angle / _frequencies(d)[i]).round().long().clamp(0, n - 1)

    return answer


wrong(
    "10.2",
    interleaved=partial(nearest, known=_pairs),
    cosine_first=partial(nearest, known=lambda p, d: _halves(p, d).roll(d // 2, 1)),
    counted_from_one=lambda x, n: nearest(x, n) + 1,
    without_place_zero=partial(nearest, known=lambda p, d: _halves(p + 1, d)),
    one_place_less=lambda x, n: nearest(x, n - 1),
    by_the_fastest_pair=_place_of_pair(0),
    by_the_slowest_pair=_place_of_pair(-1),
    by_sines=lambda x, n: nearest(
        x, n, known=lambda p, d: _halves(p, d) * (torch.arange(d) < d // 2)
    ),
    by_cosines=lambda x, n: nearest(
        x, n, known=lambda p, d: _halves(p, d) * (torch.arange(d) >= d // 2)
    ),
    farthest=partial(nearest, like=lambda x, known: -x @ known.T),
    farthest_by_distance=partial(nearest, like=torch.cdist),
    by_absolute_product=partial(nearest, like=lambda x, known: (x @ known.T).abs()),
    by_largest_difference=partial(
        nearest, like=lambda x, known: -torch.cdist(x, known, p=math.inf)
    ),
    by_sum_of_numbers=partial(
        nearest, like=lambda x, known: -(x.sum(1)[:, None] - known.sum(1)).abs()
    ),
    over_known_places=lambda x, n: (x @ _halves(torch.arange(n), x.shape[1]).T).argmax(
        0
    ),
    of_row_numbers=lambda x, n: torch.arange(len(x)) % n,
    with_frequencies_of_all=partial(
        nearest,
        known=lambda p, d: torch.cat(
            [_halves(p, 2 * d)[:, : d // 2], _halves(p, 2 * d)[:, d : d + d // 2]], 1
        ),
    ),
    as_real_numbers=lambda x, n: nearest(x, n).to(x),
)


# --- 10.3 -----------------------------------------------------------------------------


@right("10.3")
def speed(d, base, *, of=lambda w: w, sign=1):
    """The right matrix, or one with a single named mistake."""
    w = torch.diag(of(_frequencies(d, base)))
    zero = torch.zeros_like(w)
    return torch.cat([torch.cat([zero, sign * w], 1), torch.cat([-sign * w, zero], 1)])


@right("10.3")
def speed_by_elements(d, base):
    D, half = torch.zeros(d, d), d // 2
    for i, w in enumerate(_frequencies(d, base).tolist()):
        D[i, i + half], D[i + half, i] = w, -w
    return D


@right("10.3")
def speed_by_autograd(d, base):
    def shift(k):
        angles = k * _frequencies(d, base)
        c, s = angles.cos().diag(), angles.sin().diag()
        return torch.vstack([torch.hstack([c, s]), torch.hstack([-s, c])])

    return torch.autograd.functional.jacobian(shift, torch.zeros(()))


@wrong("10.3")
def speed_interleaved(d, base):
    w = _frequencies(d, base)
    zero = torch.zeros_like(w)
    return torch.block_diag(*torch.stack([zero, w, -w, zero], -1).view(-1, 2, 2))


@wrong("10.3")
def speed_of_diagonals(d, base):
    """Each number's own frequency on the diagonal."""
    w = _frequencies(d, base)
    return torch.diag(torch.cat([w, -w]))


wrong(
    "10.3",
    backwards=partial(speed, sign=-1),
    without_minus=lambda d, base: speed(d, base).abs(),
    without_frequency=partial(speed, of=torch.ones_like),
    divided=partial(speed, of=torch.reciprocal),
    squared=partial(speed, of=torch.square),
    of_the_first_pair=partial(speed, of=lambda w: w[:1].expand_as(w)),
    frequencies_backwards=partial(speed, of=lambda w: w.flip(0)),
    as_a_step_of_one=partial(speed, of=torch.sin),
    as_a_rotation=lambda d, base: torch.linalg.matrix_exp(speed(d, base)),
    as_a_difference=lambda d, base: (
        torch.linalg.matrix_exp(speed(d, base)) - torch.eye(d)
    ),
    with_fixed_base=lambda d, base: speed(d, 10_000.0),
    of_one_pair=lambda d, base: speed(2, base),
    second=lambda d, base: speed(d, base) @ speed(d, base),
    with_ones=lambda d, base: speed(d, base) + torch.eye(d),
)


# --- 10.4 -----------------------------------------------------------------------------


def _grid_of(rows, columns, d, pairs=_pairs):
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.cat([pairs(y, d // 2), pairs(x, d // 2)], dim=-1)


def _centres(new, old):
    return (torch.arange(new) + 0.5) * old / new - 0.5


@right("10.4")
def regrid(H, W, h, w, d, *, at=_centres, grid=_grid_of):
    """The right encoding, or one with a single named mistake."""
    return grid(at(H, h), at(W, w), d)


@right("10.4")
def regrid_by_loops(H, W, h, w, d):
    pe = torch.empty(H, W, d)
    for i, j in product(range(H), range(W)):
        y, x = (
            (2 * n + 1) * old / (2 * new) - 0.5
            for n, new, old in ((i, H, h), (j, W, w))
        )
        pe[i, j, : d // 2] = _pairs(torch.tensor(y), d // 2)
        pe[i, j, d // 2 :] = _pairs(torch.tensor(x), d // 2)
    return pe


wrong(
    "10.4",
    own_numbers=partial(regrid, at=lambda new, old: torch.arange(new)),
    numbers_stretched=partial(
        regrid, at=lambda new, old: torch.arange(new) * old / new
    ),
    corners_aligned=partial(
        regrid, at=lambda new, old: torch.linspace(0, old - 1, new)
    ),
    without_the_half_step=partial(
        regrid, at=lambda new, old: (torch.arange(new) + 0.5) * old / new
    ),
    half_added_outside=partial(
        regrid, at=lambda new, old: torch.arange(new) * old / new + 0.5
    ),
    half_subtracted_first=partial(
        regrid, at=lambda new, old: (torch.arange(new) - 0.5) * old / new + 0.5
    ),
    turned_round=partial(
        regrid, at=lambda new, old: (torch.arange(new) + 0.5) * new / old - 0.5
    ),
    nearest=partial(regrid, at=lambda new, old: _centres(new, old).round()),
    rounded_down=partial(regrid, at=lambda new, old: torch.arange(new) * old // new),
    clamped=partial(regrid, at=lambda new, old: _centres(new, old).clamp(0, old - 1)),
    in_shares=partial(regrid, at=lambda new, old: (torch.arange(new) + 0.5) / new),
    one_ratio_for_both=lambda H, W, h, w, d: _grid_of(
        _centres(H, h), (torch.arange(W) + 0.5) * h / H - 0.5, d
    ),
    columns_first=lambda *given: regrid(*given).roll(given[-1] // 2, -1),
    sides_swapped=lambda H, W, h, w, d: regrid(W, H, w, h, d),
    in_halves=partial(regrid, grid=partial(_grid_of, pairs=_halves)),
    summed=partial(regrid, grid=lambda y, x, d: _pairs(y, d)[:, None] + _pairs(x, d)),
    frequencies_of_the_whole=partial(
        regrid,
        grid=partial(_grid_of, pairs=lambda p, d: _pairs(p, 2 * d)[..., :d]),
    ),
    flattened=lambda *given: regrid(*given).flatten(0, 1),
    of_the_old_grid=lambda H, W, h, w, d: regrid(h, w, h, w, d),
)


@wrong("10.4")
def regrid_interpolated(H, W, h, w, d):
    """The old table stretched as a picture: between its places it is no formula."""
    old = _grid_of(torch.arange(h), torch.arange(w), d).movedim(-1, 0)[None]
    new = F.interpolate(old, (H, W), mode="bilinear", align_corners=False)
    return new[0].movedim(0, -1)


# --- 10.5 -----------------------------------------------------------------------------


def _turned(x, angles):
    """Pairs of halves turned; angles broadcast."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


@right("10.5")
def rope(x, positions, r, *, turn=_turned, angles=_angles, heads=lambda p: p[:, None]):
    """The right vectors, or ones with a single named mistake."""
    turned = turn(x[..., :r], angles(heads(positions), r))
    return torch.cat([turned, x[..., r:]], dim=-1)


@right("10.5")
def rope_by_complex(x, positions, r):
    turn = torch.polar(torch.ones(()), _angles(positions, r))[:, None]
    z = torch.complex(x[..., : r // 2], x[..., r // 2 : r]) * turn
    return torch.cat([z.real, z.imag, x[..., r:]], dim=-1)


@right("10.5")
def rope_by_loop(x, positions, r):
    y = x.clone()
    for i, w in enumerate(_frequencies(r).tolist()):
        angle = (positions * w)[:, None]  # (B, 1, N)
        a, b = x[..., i], x[..., i + r // 2]
        y[..., i] = a * angle.cos() - b * angle.sin()
        y[..., i + r // 2] = a * angle.sin() + b * angle.cos()
    return y


@right("10.5")
def rope_as_llama(x, positions, r):
    x, rest = x.split([r, x.shape[-1] - r], dim=-1)
    angles = _angles(positions, r).repeat(1, 1, 2)[:, None]
    a, b = x.chunk(2, dim=-1)
    x = x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()
    return torch.cat([x, rest], dim=-1)


@wrong("10.5")
def rope_in_place(x, positions, r):
    """The second number of a pair gets the first one already turned."""
    angles = _angles(positions, r)[:, None]
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    a.copy_(a * angles.cos() - b * angles.sin())
    b.copy_(a * angles.sin() + b * angles.cos())
    return x


def _interleaved(x, angles):
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)
    return torch.stack(_turned(halves, angles).chunk(2, -1), -1).flatten(-2)


def _with_wrong_sign(x, angles):
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos + b * sin, a * sin + b * cos], dim=-1)


def _with_neighbouring_angles(x, angles):
    angles = angles.repeat_interleave(2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()


wrong(
    "10.5",
    interleaved=partial(rope, turn=_interleaved),
    with_wrong_sign=partial(rope, turn=_with_wrong_sign),
    with_neighbouring_angles=partial(rope, turn=_with_neighbouring_angles),
    clockwise=lambda x, positions, r: rope(x, -positions, r),
    counted=lambda x, positions, r: rope(
        x, torch.arange(x.shape[2]).to(x).expand(len(x), -1), r
    ),
    of_whole_positions=lambda x, positions, r: rope(x, positions.long().to(x), r),
    of_the_first_text=lambda x, positions, r: rope(
        x, positions[:1].expand_as(positions), r
    ),
    heads_for_texts=lambda x, positions, r: rope(
        x.transpose(0, 1), positions[:1].expand(x.shape[1], -1), r
    ).transpose(0, 1),
    counted_from_the_first=lambda x, positions, r: rope(
        x, positions - positions[:, :1], r
    ),
    of_absolute_positions=lambda x, positions, r: rope(x, positions.abs(), r),
    whole=lambda x, positions, r: rope(x, positions, x.shape[-1]),
    with_frequencies_of_the_whole=lambda x, positions, r: rope(
        x,
        positions,
        r,
        angles=lambda p, r: _angles(p, x.shape[-1])[..., : r // 2],
    ),
    last_half_with_the_first=lambda x, positions, r: rope(
        x.roll(r // 2, -1), positions, r
    ).roll(-(r // 2), -1),
    last_numbers=lambda x, positions, r: rope(x.flip(-1), positions, r).flip(-1),
    without_the_rest=lambda x, positions, r: rope(x, positions, r)[..., :r],
    rest_in_front=lambda x, positions, r: rope(x, positions, r).roll(
        x.shape[-1] - r, -1
    ),
    rest_zeroed=lambda x, positions, r: (
        rope(x, positions, r) * (torch.arange(x.shape[-1]) < r)
    ),
    added=lambda x, positions, r: torch.cat(
        [x[..., :r] + _halves(positions, r)[:, None], x[..., r:]], -1
    ),
    same_angle_for_all=partial(
        rope, angles=lambda p, r: p[..., None].expand(*p.shape, r // 2)
    ),
    without_one_pair=lambda x, positions, r: rope(x, positions, r - 2) if r > 2 else x,
    normalised=lambda x, positions, r: torch.nn.functional.normalize(
        rope(x, positions, r), dim=-1
    ),
)
