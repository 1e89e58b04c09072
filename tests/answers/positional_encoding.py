"""Answers to the exercises of notebook 10: right ones, and mistakes students make."""

import math

import torch

from tests.answers import right, wrong

# --- 10.1 -----------------------------------------------------------------------------


@right("10.1")
def terms_by_power(d, base):
    return base ** (-torch.arange(0, d, 2) / d)


@right("10.1")
def terms_by_loop(d, base):
    return torch.tensor([1 / base ** (2 * i / d) for i in range(d // 2)])


wrong(
    "10.1",
    of_the_source=lambda d, base: torch.exp(torch.arange(0, d, 2) * (-math.log(base))),
    growing=lambda d, base: torch.exp(torch.arange(0, d, 2) * (math.log(base) / d)),
    of_all_dimensions=lambda d, base: base ** (-torch.arange(d) / d),
    with_half_exponent=lambda d, base: base ** (-torch.arange(d // 2) / d),
    of_tensor2tensor=lambda d, b: b ** (-torch.arange(d // 2) / max(d // 2 - 1, 1)),
    with_fixed_base=lambda d, base: terms_by_power(d, 10_000.0),
)


# --- 10.2 -----------------------------------------------------------------------------


def _angles(positions, d):
    return positions[..., None] * terms_by_power(d, 10_000.0)


@right("10.2")
def halves_by_cat(positions, d):
    angles = _angles(positions, d)
    return torch.cat((torch.sin(angles), torch.cos(angles)), dim=1)


@right("10.2")
def halves_by_loop(positions, d):
    pe = torch.empty(len(positions), d)
    for n, position in enumerate(positions.tolist()):
        for i in range(d // 2):
            angle = position / 10_000 ** (2 * i / d)
            pe[n, i], pe[n, i + d // 2] = math.sin(angle), math.cos(angle)
    return pe


@wrong("10.2")
def halves_with_own_frequency_each(positions, d):
    angles = positions[:, None] * 10_000 ** (-torch.arange(d) / d)
    return torch.cat([angles[:, : d // 2].sin(), angles[:, d // 2 :].cos()], dim=1)


wrong(
    "10.2",
    interleaved=lambda positions, d: _pairs(positions, d),
    cosine_first=lambda positions, d: halves_by_cat(positions, d).roll(d // 2, 1),
    of_row_numbers=lambda positions, d: halves_by_cat(torch.arange(len(positions)), d),
    of_rounded_positions=lambda positions, d: halves_by_cat(positions.long(), d),
    transposed=lambda positions, d: halves_by_cat(positions, d).T,
)


# --- 10.3 -----------------------------------------------------------------------------


@right("10.3")
def shift_by_blocks(k, d):
    angles = k * terms_by_power(d, 10_000.0)
    c, s = torch.diag(torch.cos(angles)), torch.diag(torch.sin(angles))
    return torch.vstack([torch.hstack([c, s]), torch.hstack([-s, c])])


@right("10.3")
def shift_by_elements(k, d):
    R = torch.zeros(d, d)
    for i, angle in enumerate((k * terms_by_power(d, 10_000.0)).tolist()):
        j = i + d // 2
        R[i, i] = R[j, j] = math.cos(angle)
        R[i, j], R[j, i] = math.sin(angle), -math.sin(angle)
    return R


@wrong("10.3")
def shift_interleaved(k, d):
    angles = k * terms_by_power(d, 10_000.0)
    c, s = angles.cos(), angles.sin()
    turns = torch.stack([c, s, -s, c], dim=-1).view(-1, 2, 2)
    return torch.block_diag(*turns)


@wrong("10.3")
def shift_with_one_frequency(k, d):
    c, s = math.cos(k) * torch.eye(d // 2), math.sin(k) * torch.eye(d // 2)
    return torch.vstack([torch.hstack([c, s]), torch.hstack([-s, c])])


wrong(
    "10.3",
    only_the_angles=lambda k, d: halves_by_cat(torch.tensor([k]), d)[0],
    backwards=lambda k, d: shift_by_blocks(k, d).T,
    by_one=lambda k, d: shift_by_blocks(1, d) if k != 1 else torch.eye(d),
    without_minus=lambda k, d: shift_by_blocks(k, d).abs(),
)


# --- 10.4 -----------------------------------------------------------------------------


def _pairs(positions, d):
    angles = _angles(positions, d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def _axes(T, H, W):
    return torch.meshgrid(*map(torch.arange, (T, H, W)), indexing="ij")


@right("10.4")
def video_by_meshgrid(T, H, W, d):
    return torch.cat([_pairs(axis, d // 3) for axis in _axes(T, H, W)], dim=-1)


@right("10.4")
def video_by_slices(T, H, W, d):
    pe, third = torch.empty(T, H, W, d), d // 3
    pe[..., :third] = _pairs(torch.arange(T), third)[:, None, None]
    pe[..., third : 2 * third] = _pairs(torch.arange(H), third)[:, None]
    pe[..., 2 * third :] = _pairs(torch.arange(W), third)
    return pe


wrong(
    "10.4",
    columns_first=lambda T, H, W, d: torch.cat(
        [_pairs(axis, d // 3) for axis in _axes(T, H, W)[::-1]], dim=-1
    ),
    summed=lambda T, H, W, d: sum(_pairs(axis, d) for axis in _axes(T, H, W)),
    with_frequencies_of_the_whole=lambda T, H, W, d: torch.cat(
        [_pairs(axis, d)[..., : d // 3] for axis in _axes(T, H, W)], dim=-1
    ),
    counted_from_one=lambda T, H, W, d: video_by_meshgrid(T + 1, H + 1, W + 1, d)[
        1:, 1:, 1:
    ],
    by_raster=lambda T, H, W, d: _pairs(torch.arange(T * H * W), d).view(T, H, W, d),
    flattened=lambda T, H, W, d: video_by_meshgrid(T, H, W, d).flatten(0, 2),
)


# --- 10.5 -----------------------------------------------------------------------------


@right("10.5")
def rope_by_halves(x, positions):
    angles = _angles(positions, x.shape[-1])
    a, b = x.tensor_split(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


@right("10.5")
def rope_by_complex(x, positions):
    turn = torch.polar(torch.ones(()), _angles(positions, x.shape[-1]))
    z = torch.complex(*x.chunk(2, dim=-1)) * turn
    return torch.cat([z.real, z.imag], dim=-1)


@right("10.5")
def rope_as_llama(x, positions):
    angles = _angles(positions, x.shape[-1]).repeat(1, 2)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()


@wrong("10.5")
def rope_interleaved(x, positions):
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)
    turned = rope_by_halves(halves, positions)
    return torch.stack(turned.chunk(2, dim=-1), dim=-1).flatten(-2)


@wrong("10.5")
def rope_with_wrong_sign(x, positions):
    angles = _angles(positions, x.shape[-1])
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos + b * sin, a * sin + b * cos], dim=-1)


@wrong("10.5")
def rope_with_neighbouring_angles(x, positions):
    angles = _angles(positions, x.shape[-1]).repeat_interleave(2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()


wrong(
    "10.5",
    without_positions=lambda x, _: rope_by_halves(x, torch.arange(x.shape[-2]) + 1),
    clockwise=lambda x, positions: rope_by_halves(x, -positions),
    added=lambda x, positions: x + halves_by_cat(positions, x.shape[-1]),
)
