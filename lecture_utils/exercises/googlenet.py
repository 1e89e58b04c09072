"""Exercises of notebook 03 (GoogLeNet, 1×1 convolution, Inception)."""

from collections.abc import Callable
from random import Random

import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import (
    SILENT_HINT,
    cases,
    check,
    random,
    randomised,
)
from lecture_utils.exercises.expect import SILENT, Wrong, call, case, convolve, expect


@cases(
    "03.1",
    {
        (192, 64, 96, 128, 16, 32, 32, 28, 28): "Шесть свёрток: четыре 1×1, одна 3×3, "
        "одна 5×5; каждая работает во всех пикселях карты. Смещения не умножают.",
        (832, 384, 192, 384, 48, 128, 128, 7, 7): "Сужения и проекция читают вход "
        "модуля, большие ядра — своё сужение.",
        (5, 1, 2, 3, 4, 6, 7, 3, 8): "Карта не квадратная, каналы все разные: "
        "проверьте, что с чем перемножено.",
    },
    random_case=lambda rng: tuple(rng.randint(1, 400) for _ in range(9)),
    forbid=BUILDING,
)
def inception_operations(
    c_in: int, c1: int, r3: int, c3: int, r5: int, c5: int, proj: int, H: int, W: int
) -> int:
    """Multiply-adds of an Inception module in the paper's form."""
    pointwise = c_in * (c1 + r3 + r5 + proj)
    return H * W * (pointwise + 9 * r3 * c3 + 25 * r5 * c5)


@cases(
    "03.2",
    {
        (192, 32, 5): "Решите неравенство Q_r < Q из формул (4) и (5) относительно r.",
        (192, 128, 3): "Канал сужения стоит c_in операций в 1×1 и k²·c_out в ядре.",
        (18, 2, 3): "При r = 9 цены равны, а нужно строго меньше.",
        (2, 2, 1): "Для ядра 1×1 цены равны уже при r = 1: выгодных сужений нет.",
        (7, 3, 2): "Ответ — целое число, округлять надо вниз.",
        (8, 1, 5): "Сравнивают операции: смещения в них не входят.",
        (832, 384, 3): "Сужение бывает и большим: предела у r нет.",
    },
    random_case=lambda rng: (
        rng.randint(2, 2000),
        rng.randint(1, 2000),
        rng.randint(1, 7),
    ),
)
def widest_reduction(c_in: int, c_out: int, k: int) -> int:
    """Largest reduction that costs fewer operations than the direct convolution."""
    direct, per_channel = k * k * c_in * c_out, c_in + k * k * c_out
    return max(r for r in range(c_in + 1) if r * per_channel < direct)


@check("03.3")
def conv_to_dense(
    answer: Callable[[nn.Conv2d, int, int], nn.Linear], rng: Random
) -> None:
    """Dense layer that equals a convolution on flattened maps of one size."""
    one = (
        "Как узнать столбец матрицы, зная только ответы слоя?",
        "Столбец j — ответ свёртки (без смещения) на карту, где единица стоит на месте "
        "j, а остальное — нули.",
    )
    bias = "Смещение канала повторяется во всех пикселях этого канала подряд."
    step = "Шаг и дополнение свёртки тоже входят в матрицу."
    inputs = {
        "ядро 1×1, карта 2×3": (nn.Conv2d(3, 2, 1, bias=False), 2, 3, one),
        "ядро 3×3, карта 4×5": (nn.Conv2d(2, 3, 3, bias=False), 4, 5, one),
        "со смещением, карта 4×3": (nn.Conv2d(1, 4, 2), 4, 3, bias),
        "шаг 2, padding=1, карта 5×4": (nn.Conv2d(2, 2, 3, 2, 1), 5, 4, step),
        SILENT: (
            nn.Conv2d(2, 3, (2, 3), (rng.randint(1, 2), 1), (1, 0)),
            rng.randint(3, 5),
            rng.randint(4, 6),
            SILENT_HINT,
        ),
    }
    kept = "свёртка conv изменена. Числа скопируйте в новый слой"
    for given, (conv, H, W, hint) in inputs.items():
        randomised(conv).requires_grad_(False)
        x = random(3, conv.in_channels, H, W, seed=5)
        with case(given, hint):
            dense = call(answer, conv, H, W, kept=kept)
            if type(dense) is not nn.Linear:
                raise Wrong(f"нужен nn.Linear, получено {type(dense).__name__}")
            failed = "слой, который вернула функция, упал на развёрнутой карте"
            got = call(nn.Linear.forward, dense, x.flatten(1), failed=failed)
            expect(got, conv(x).flatten(1))


@cases(
    "03.4",
    dict.fromkeys(
        [(8, 5, 4, 6), (5, 5, 3, 3)],
        (
            "Голова линейна: среднее можно вынести наружу. Что тогда стоит внутри?",
            "Линейный слой применяется к каналам каждого пикселя — это свёртка 1×1 со "
            "смещением; среднее карты равно ответу головы.",
        ),
    ),
    lambda channels, classes, *size: (
        random(2, channels, *size),
        randomised(nn.Linear(channels, classes)).requires_grad_(False),
    ),
    random_case=lambda rng: tuple(rng.randint(2, 9) for _ in range(4)),
    kept="исходные данные изменены. Верните новый тензор",
)
def class_maps(x: Tensor, fc: nn.Linear) -> Tensor:
    """Scores of the classes at every pixel of the last map."""
    return F.conv2d(x, fc.weight[..., None, None], fc.bias)


@check("03.5")
def merge(answer: Callable[[nn.Conv2d, nn.Conv2d], nn.Conv2d], rng: Random) -> None:
    """One convolution equal to a 1×1 convolution followed by another one."""
    hint = (
        "Отдельно проверьте ядро, смещение и шаг: у каждого своя формула.",
        "Ядро — сумма по каналам сужения; смещение сужения проходит через все точки "
        "большого ядра; шаг берётся у второй свёртки.",
    )
    sizes = [rng.randint(2, 6) for _ in range(4)]
    inputs = {
        "ядро 3×3, шаг 1": (nn.Conv2d(4, 5, 3), hint),
        "ядро 5×5, шаг 2": (nn.Conv2d(4, 4, 5, stride=2), hint),
        "ядро 1×3, шаг (2, 1)": (nn.Conv2d(4, 3, (1, 3), stride=(2, 1)), hint),
        SILENT: (
            nn.Conv2d(sizes[0], sizes[1], (sizes[2], 3), (1, rng.randint(2, 3))),
            SILENT_HINT,
        ),
    }
    kept = "исходные свёртки изменены. Верните новую"
    for given, (wide, hint) in inputs.items():
        narrow, wide = randomised(nn.Conv2d(6, wide.in_channels, 1)), randomised(wide)
        x = random(2, 6, 9, 8, seed=7)
        with case(given, hint):
            got = call(answer, narrow, wide, kept=kept)
            expect(convolve(got, x), wide(narrow(x)))
