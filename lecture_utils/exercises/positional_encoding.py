"""Exercises of notebook 10 (positional encoding)."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_utils.exercises.cases import cases, check, random
from lecture_utils.exercises.expect import Wrong, call, case, expect, expect_form


@cases(
    "10.1",
    dict.fromkeys(
        [(8, 10_000.0), (2, 10_000.0), (6, 100.0), (512, 10_000.0)],
        "Частота i — это base в степени −2i/d: первая равна 1, остальные "
        "меньше. Проверьте знак, деление на d и то, что i идёт до d/2.",
    ),
)
def div_term(d: int, base: float) -> Tensor:
    """Frequencies of the sinusoidal encoding."""
    return base ** (-torch.arange(0, d, 2) / d)


def _angles(positions: Tensor, d: int) -> Tensor:
    return positions[:, None] * div_term(d, 10_000.0)


@cases(
    "10.2",
    dict.fromkeys(
        [
            (8, 0.0, 1.0, 2.0, 3.0),
            (2, 7.0),
            (6, 3.0, 50.0, 10.0),
            (4, 0.5, -1.25, 99.75),
        ],
        "Столбец i — sin(pos·ω_i), столбец i + d/2 — cos того же угла; "
        "позиции берутся из аргумента такими, какие есть.",
    ),
    lambda d, *positions: (torch.tensor(positions), d),
)
def encode_halves(positions: Tensor, d: int) -> Tensor:
    """Sinusoidal encoding of real positions, sines first, then cosines."""
    angles = _angles(positions, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


@check("10.3")
def shift_halves(answer: Callable[[float, int], Tensor]) -> None:
    """Matrix that shifts the half-split encoding by k."""
    shift = (
        "sin(a + b) = sin a·cos b + cos a·sin b. Синус пары i лежит в "
        "строке i, её косинус — в строке i + d/2, угол пары — k·ω_i."
    )
    rotation = "На этих позициях матрица работает, но она не поворот."
    positions = torch.tensor([0.0, 1.0, 2.5, 40.0])
    for k, d in [(1, 2), (1, 4), (5, 8), (-3, 6), (0.5, 4)]:
        given = f"k={k}, d={d}"
        angles = k * div_term(d, 10_000.0)
        c, s = angles.cos().diag(), angles.sin().diag()
        want = torch.cat([torch.cat([c, s], 1), torch.cat([-s, c], 1)])
        with case(given, "Нужна матрица d на d."):
            got = call(answer, k, d)
            expect_form(got, want)
        with case(f"{given}: R @ PE(pos) для pos = {positions.tolist()}", shift):
            shifted = encode_halves(positions + k, d)
            expect(encode_halves(positions, d) @ got.T, shifted)
        with case(given, rotation):
            expect(got, want)


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


@check("10.5")
def rope_halves(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Rotary encoding with pairs (i, i + d/2)."""
    inputs = [
        ((1, 1, 4, 2), [0.0, 1.0, 2.0, 3.0]),
        ((2, 3, 5, 8), [0.0, 1.0, 2.0, 3.0, 4.0]),
        ((1, 2, 3, 6), [10.0, 11.0, 250.0]),
    ]
    length = "Первое число пары: a·cos − b·sin, второе: a·sin + b·cos."
    pairs = (
        "Пара — числа i и i + d/2; угол p·ω_i с частотой своей пары, "
        "поворот против часовой стрелки, как в формуле (8)."
    )
    for shape, places in inputs:
        x, positions = random(*shape), torch.tensor(places)
        a, b = x.chunk(2, dim=-1)
        angles = _angles(positions, shape[-1])
        cos, sin = angles.cos(), angles.sin()
        given = f"x формы {shape}, positions={places}"
        with case(given, length):
            got = call(answer, x, positions)
            expect_form(got, x)
            change = (got.norm(dim=-1) - x.norm(dim=-1)).abs().max().item()
            if change > 1e-3:
                raise Wrong(
                    f"длина векторов изменилась на {change:.2g}: это не поворот"
                )
        with case(given, pairs):
            expect(got, torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1))
