"""Exercises of notebook 10 (positional encoding)."""

import math
from collections.abc import Callable
from random import Random

import torch
from torch import Tensor

from lecture_utils.exercises.cases import SILENT_HINT, cases, check, random
from lecture_utils.exercises.expect import SILENT, call, case, expect, expect_form


@cases(
    "10.1",
    dict.fromkeys(
        [(100.0, 4), (1000.0, 6), (62831.853, 512), (50.0, 64)],
        (
            "Длина волны пары — 2π / ω, самая медленная пара — последняя.",
            "У неё i = d/2 − 1, и показатель у base — (d − 2)/d, а не единица.",
        ),
    ),
    random_case=lambda rng: (rng.uniform(20, 1e5), 2 * rng.randint(2, 100)),
    mistakes={"Волна — это 2π радиан, а не один.": lambda L, d: L ** (d / (d - 2))},
)
def base_for(L: float, d: int) -> Tensor:
    """Base whose slowest pair has a wave of L positions."""
    return torch.tensor((L / math.tau) ** (d / (d - 2)))


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
        [(4, 8, 0, 1, 2, 3), (40, 2, 5, 39, 17), (60, 6, 3, 50, 10), (100, 16, 99, 0)],
        (
            "Одна пара чисел обманет: у быстрой угол повторяется, у медленной его "
            "меняет шум.",
            "Посчитайте кодировки всех n позиций и возьмите ту, что ближе к строке x: "
            "с ней скалярное произведение наибольшее.",
        ),
    ),
    _noisy,
    random_case=lambda rng: (
        *(50, 2 * rng.randint(1, 8)),
        *(rng.randint(0, 49) for _ in range(rng.randint(3, 9))),
    ),
)
def nearest_position(x: Tensor, n: int) -> Tensor:
    """Whole positions whose half-split encodings are the nearest."""
    return torch.cdist(x, _halves(torch.arange(n), x.shape[1])).argmin(1)


@cases(
    "10.3",
    dict.fromkeys(
        [(2, 10_000.0), (4, 10_000.0), (8, 100.0), (6, 10.0)],
        (
            "Производная sin(pos·ω) — это ω·cos(pos·ω).",
            "Синус пары i лежит в строке i, её косинус — в строке i + d/2; у косинуса "
            "производная с минусом.",
        ),
    ),
    random_case=lambda rng: (2 * rng.randint(2, 16), rng.uniform(5, 50)),
    mistakes={
        "Это R₁ − I, сдвиг на целую позицию: нужна мгновенная скорость.": (
            lambda d, base: (
                torch.linalg.matrix_exp(speed_matrix(d, base)) - torch.eye(d)
            )
        )
    },
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
def encode_video(answer: Callable, rng: Random) -> None:
    """Encoding of frame, row and column, a third of the vector each."""
    order = (
        "Порядок третей: кадр, строка, столбец. Каждая — формула (2) "
        "с размерностью d/3 и зависит только от своей координаты."
    )
    drawn = (*(rng.randint(2, 6) for _ in range(3)), 6 * rng.randint(2, 5))
    for size in [(2, 3, 4, 6), (1, 5, 2, 12), (4, 1, 3, 18), (3, 3, 3, 6), drawn]:
        T, H, W, d = size
        silent, given = size is drawn, f"T={T}, H={H}, W={W}, d={d}"
        form = "У каждого из T·H·W токенов свой вектор длины d."
        with case(SILENT if silent else given, SILENT_HINT if silent else form):
            got = call(answer, T, H, W, d)
            expect_form(got, torch.zeros(T, H, W, d))
        wants = {
            "кадр": _pairs(T, d // 3)[:, None, None],
            "строка": _pairs(H, d // 3)[:, None],
            "столбец": _pairs(W, d // 3),
        }
        thirds = got.split(d // 3, dim=-1)
        for third, (name, want) in zip(thirds, wants.items(), strict=True):
            part = f"{given}, часть «{name}»"
            with case(SILENT if silent else part, SILENT_HINT if silent else order):
                expect(third, want.expand(third.shape))


def _turned(x: Tensor, angles: Tensor, r: int) -> Tensor:
    z = torch.complex(x[..., : r // 2], x[..., r // 2 : r])
    z = z * torch.polar(torch.ones(()), angles)[:, None]
    return torch.cat([z.real, z.imag, x[..., r:]], dim=-1)


def _texts(d: int, r: int, h: int, *texts: tuple) -> tuple[Tensor, Tensor, int]:
    positions = torch.tensor(texts)
    return random(len(texts), h, positions.shape[1], d), positions, r


def _random_texts(rng: Random) -> tuple:
    r, N = 2 * rng.randint(1, 4), rng.randint(2, 5)
    texts = (tuple(rng.uniform(-50, 50) for _ in range(N)) for _ in range(3))
    return r + rng.randint(1, 4), r, rng.randint(2, 4), *texts


@cases(
    "10.5",
    {
        (2, 2, 1, (0.0, 1.0, 2.0, 3.0)): (
            "Одна пара и одна голова: поворот против часовой стрелки.",
            "Оба новых числа — из обоих старых: a·cos − b·sin и a·sin + b·cos.",
        ),
        (8, 8, 3, (0.0, 1.0, 2.0), (7.0, 8.0, 9.0)): (
            "Здесь r = d. Пара — числа i и i + r/2, у каждого текста свои позиции.",
            "Форма углов — (B, 1, N, r/2): голова у них общая.",
        ),
        (6, 4, 2, (10.0, 250.0), (-3.5, 0.25)): (
            "Здесь r < d: хвост вектора не меняется.",
            "Первые r чисел — это векторы размерности r: и частоты, и половины "
            "считают по r, а не по d.",
        ),
    },
    _texts,
    random_case=_random_texts,
    mistakes={
        "Частоты считают по r, а не по d.": lambda x, positions, r: _turned(
            x, _angles(positions, x.shape[-1])[..., : r // 2], r
        ),
        "Это поворот по часовой стрелке: проверьте знаки.": lambda x, positions, r: (
            _turned(x, _angles(-positions, r), r)
        ),
    },
)
def partial_rope(x: Tensor, positions: Tensor, r: int) -> Tensor:
    """Rotary encoding of the first r numbers, with positions of each text."""
    return _turned(x, _angles(positions, r), r)
