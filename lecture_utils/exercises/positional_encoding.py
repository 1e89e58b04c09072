"""Checks of the exercises of notebook 10 (positional encoding)."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_utils.exercises import Wrong, call, check, expect, expect_form


def _frequencies(d: int, base: float = 10_000.0) -> Tensor:
    return base ** (-torch.arange(0, d, 2) / d)


def _angles(positions: Tensor, d: int) -> Tensor:
    return positions[:, None] * _frequencies(d)


def _halves(positions: Tensor, d: int) -> Tensor:
    angles = _angles(positions, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _pairs(n: int, d: int) -> Tensor:
    angles = _angles(torch.arange(n), d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


@check("10.1")
def div_term(answer: Callable[[int, float], Tensor]) -> None:
    """Frequencies of the sinusoidal encoding."""
    for d, base in [(8, 10_000.0), (2, 10_000.0), (6, 100.0), (512, 10_000.0)]:
        given = f"d={d}, base={base:.0f}"
        expect(
            call(answer, d, base, given=given),
            _frequencies(d, base),
            given=given,
            hint="Частота i — это base в степени −2i/d: первая равна 1, остальные "
            "меньше. Проверьте знак, деление на d и то, что i идёт до d/2.",
        )


@check("10.2")
def encode_halves(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Sinusoidal encoding of real positions, sines first, then cosines."""
    cases = {
        "целые позиции": (torch.arange(4.0), 8),
        "одна позиция": (torch.tensor([7.0]), 2),
        "не подряд": (torch.tensor([3.0, 50.0, 10.0]), 6),
        "дробные и отрицательные": (torch.tensor([0.5, -1.25, 99.75]), 4),
    }
    for name, (positions, d) in cases.items():
        given = f"{name} ({positions.tolist()}), d={d}"
        expect(
            call(answer, positions, d, given=given),
            _halves(positions, d),
            given=given,
            hint="Столбец i — sin(pos·ω_i), столбец i + d/2 — cos того же угла; "
            "позиции берутся из аргумента такими, какие есть.",
        )


@check("10.3")
def shift_halves(answer: Callable[[float, int], Tensor]) -> None:
    """Matrix that shifts the half-split encoding by k."""
    for k, d in [(1, 2), (1, 4), (5, 8), (-3, 6), (0.5, 4)]:
        given = f"k={k}, d={d}"
        got = call(answer, k, d, given=given)
        expect_form(got, torch.zeros(d, d), given=given, hint="Нужна матрица d на d.")
        positions = torch.tensor([0.0, 1.0, 2.5, 40.0])
        shifted = _halves(positions, d) @ got.T
        expect(
            shifted,
            _halves(positions + k, d),
            given=f"{given}: R @ PE(pos) для pos = {positions.tolist()}",
            hint="sin(a + b) = sin a·cos b + cos a·sin b. Синус пары i лежит в "
            "строке i, её косинус — в строке i + d/2, угол пары — k·ω_i.",
        )
        angles = k * _frequencies(d)
        c, s = angles.cos().diag(), angles.sin().diag()
        expect(
            got,
            torch.cat([torch.cat([c, s], 1), torch.cat([-s, c], 1)]),
            given=given,
            hint="На этих позициях матрица работает, но она не поворот.",
        )


@check("10.4")
def encode_video(answer: Callable[[int, int, int, int], Tensor]) -> None:
    """Encoding of frame, row and column, a third of the vector each."""
    for T, H, W, d in [(2, 3, 4, 6), (1, 5, 2, 12), (4, 1, 3, 18), (3, 3, 3, 6)]:
        given = f"T={T}, H={H}, W={W}, d={d}"
        got = call(answer, T, H, W, d, given=given)
        shape = (T, H, W, d)
        expect_form(
            got,
            torch.zeros(shape),
            given=given,
            hint="У каждого из T·H·W токенов свой вектор длины d.",
        )
        parts = {
            "кадр": _pairs(T, d // 3)[:, None, None],
            "строка": _pairs(H, d // 3)[:, None],
            "столбец": _pairs(W, d // 3),
        }
        thirds = got.split(d // 3, dim=-1)
        for third, (name, want) in zip(thirds, parts.items(), strict=True):
            expect(
                third,
                want.expand(*shape[:3], -1),
                given=f"{given}, часть «{name}»",
                hint="Порядок третей: кадр, строка, столбец. Каждая — формула (2) "
                "с размерностью d/3 и зависит только от своей координаты.",
            )


@check("10.5")
def rope_halves(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Rotary encoding with pairs (i, i + d/2)."""
    generator = torch.Generator().manual_seed(0)
    cases = [
        ((1, 1, 4, 2), torch.arange(4.0)),
        ((2, 3, 5, 8), torch.arange(5.0)),
        ((1, 2, 3, 6), torch.tensor([10.0, 11.0, 250.0])),
    ]
    for shape, positions in cases:
        x = torch.randn(shape, generator=generator)
        given = f"x формы {shape}, позиции {positions.long().tolist()}"
        got = call(answer, x, positions, given=given)
        expect_form(got, x, given=given)
        _expect_same_length(got, x, given)
        angles = _angles(positions, shape[-1])
        a, b = x.chunk(2, dim=-1)
        want = [
            a * angles.cos() - b * angles.sin(),
            a * angles.sin() + b * angles.cos(),
        ]
        expect(
            got,
            torch.cat(want, dim=-1),
            given=given,
            hint="Пара — числа i и i + d/2; угол p·ω_i с частотой своей пары, "
            "поворот против часовой стрелки, как в формуле (8).",
        )


def _expect_same_length(got: Tensor, x: Tensor, given: str) -> None:
    change = (got.norm(dim=-1) - x.norm(dim=-1)).abs().max().item()
    if change > 1e-3:
        raise Wrong(
            f"{given} — длина векторов изменилась на {change:.2g}: это не поворот. "
            "Первое число пары: a·cos − b·sin, второе: a·sin + b·cos."
        )
