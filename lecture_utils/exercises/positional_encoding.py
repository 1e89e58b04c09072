"""Exercises of notebook 10 (positional encoding)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lecture_utils.exercises.cases import cases, check, random
from lecture_utils.exercises.expect import call, case, expect, expect_form


@cases(
    "10.1",
    dict.fromkeys(
        [(100.0, 4), (1000.0, 6), (62831.853, 512), (50.0, 64)],
        "Самая медленная пара — последняя, i = d/2 − 1: её длина волны 2π / ω, а "
        "показатель у base — (d − 2)/d, не единица.",
    ),
)
def base_for(L: float, d: int) -> Tensor:
    """Base whose slowest pair has a wave of L positions."""
    return torch.tensor(L / math.tau) ** (d / (d - 2))


def _frequencies(d: int, base: float = 10_000.0) -> Tensor:
    return base ** (-torch.arange(0, d, 2) / d)


def _angles(positions: Tensor, d: int) -> Tensor:
    return positions[..., None] * _frequencies(d)


def _halves(positions: Tensor, d: int) -> Tensor:
    """Encoding of positions, sines first, then cosines."""
    angles = _angles(positions, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _noisy(n: int, d: int, *places: int) -> tuple[Tensor, int]:
    x = _halves(torch.tensor(places), d)
    return x + 0.2 * random(*x.shape), n


@cases(
    "10.2",
    dict.fromkeys(
        [(4, 8, 0, 1, 2, 3), (6, 2, 5), (60, 6, 3, 50, 10), (100, 16, 99, 0, 37, 36)],
        "Посчитайте кодировки всех n позиций и сравните с ними каждую строку x: ближе "
        "та, с которой скалярное произведение больше.",
    ),
    _noisy,
)
def nearest_position(x: Tensor, n: int) -> Tensor:
    """Whole positions whose half-split encodings are the nearest."""
    return torch.cdist(x, _halves(torch.arange(n), x.shape[1])).argmin(1)


@cases(
    "10.3",
    dict.fromkeys(
        [(2, 10_000.0), (4, 10_000.0), (8, 100.0), (6, 10.0)],
        "Производная sin(pos·ω) — это ω·cos(pos·ω). Синус пары i лежит в строке i, её "
        "косинус — в строке i + d/2.",
    ),
)
def speed_matrix(d: int, base: float) -> Tensor:
    """Matrix that turns the half-split encoding into its derivative by position."""
    w = _frequencies(d, base).diag()
    return torch.cat([torch.cat([0 * w, w], 1), torch.cat([-w, 0 * w], 1)])


def _pairs(n: int, d: int) -> Tensor:
    """Encoding of the positions 0…n − 1, sine and cosine of a frequency in turn."""
    angles = _angles(torch.arange(n), d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


@check("10.4")
def encode_video(answer: Callable[[int, int, int, int], Tensor]) -> None:
    """Encoding of frame, row and column, a third of the vector each."""
    order = (
        "Порядок третей: кадр, строка, столбец. Каждая — формула (2) "
        "с размерностью d/3 и зависит только от своей координаты."
    )
    for T, H, W, d in [(2, 3, 4, 6), (1, 5, 2, 12), (4, 1, 3, 18), (3, 3, 3, 6)]:
        given = f"T={T}, H={H}, W={W}, d={d}"
        with case(given, "У каждого из T·H·W токенов свой вектор длины d."):
            got = call(answer, T, H, W, d)
            expect_form(got, torch.zeros(T, H, W, d))
        wants = {
            "кадр": _pairs(T, d // 3)[:, None, None],
            "строка": _pairs(H, d // 3)[:, None],
            "столбец": _pairs(W, d // 3),
        }
        thirds = got.split(d // 3, dim=-1)
        for third, (name, want) in zip(thirds, wants.items(), strict=True):
            with case(f"{given}, часть «{name}»", order):
                expect(third, want.expand(third.shape))


@cases(
    "10.5",
    dict.fromkeys(
        [
            (2, 1, 1, 4, 2, (0.0, 1.0, 2.0, 3.0)),
            (8, 2, 3, 3, 8, (0.0, 1.0, 2.0, 7.0, 8.0, 9.0)),
            (6, 2, 2, 2, 4, (10.0, 250.0, -3.5, 0.25)),
        ],
        "Первые r чисел — это векторы размерности r: частоты и половины считают по r, "
        "а углы у каждого текста свои: (B, 1, N, r/2).",
    ),
    lambda d, B, h, N, r, places: (
        random(B, h, N, d),
        torch.tensor(places).view(B, N),
        r,
    ),
)
def partial_rope(x: Tensor, positions: Tensor, r: int) -> Tensor:
    """Rotary encoding of the first r numbers, with positions of each text."""
    z = torch.complex(x[..., : r // 2], x[..., r // 2 : r])
    z = z * torch.exp(1j * _angles(positions, r)[:, None])
    return torch.cat([z.real, z.imag, x[..., r:]], dim=-1)
