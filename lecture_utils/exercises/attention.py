"""Exercises of notebook 06 (channel and spatial attention)."""

import math
from collections.abc import Callable
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import SILENT_HINT, cases, check, random
from lecture_utils.exercises.expect import SILENT, call, case, expect, expect_form


@cases(
    "06.1",
    {
        (
            64,
            600,
        ): "Две матрицы, C × C/r и C/r × C, и смещения у обоих слоёв: C/r чисел "
        "и C чисел. MLP общий, считается раз.",
        (64, 580): "Смещения тоже входят в число параметров.",
        (64, 1096): "Ровно budget параметров — ещё не больше, чем budget.",
        (256, 140_000): "Если помещается и r = 1, ответ 1.",
        (100, 2_512): "Скрытый слой — C // r: r не обязано делить C.",
        (24, 73): "Самый узкий скрытый слой — один нейрон: r бывает и больше C/2.",
        (24, 72): "Меньше одного нейрона не бывает: не поместилось — верните 0.",
    },
    random_case=lambda rng: (C := rng.randint(20, 400), rng.randint(3 * C, C * C)),
    forbid=BUILDING,
)
def smallest_reduction(C: int, budget: int) -> int:
    """Smallest reduction whose channel gate has at most ``budget`` parameters."""
    for r in range(1, C + 1):
        if 2 * C * (C // r) + C + C // r <= budget:
            return r
    return 0


@cases(
    "06.2",
    dict.fromkeys(
        [(2, 8, 4, 5, 7), (3, 6, 2, 4, 4)],
        "Порядок: среднее и максимум по H и W; каждое — через W0, ReLU и W1; "
        "сумма; одна сигмоида.",
    ),
    lambda B, C, hidden, H, W: (
        random(B, C, H, W, seed=1) + 0.3,
        random(hidden, C, seed=2),
        random(C, hidden, seed=3),
    ),
    random_case=lambda rng: tuple(rng.randint(2, 6) for _ in range(5)),
)
def channel_gate(x: Tensor, W0: Tensor, W1: Tensor) -> Tensor:
    """Formula (2) for given matrices."""
    both = torch.stack([x.mean((2, 3)), x.amax((2, 3))])  # (2, B, C)
    logits = (F.relu(both @ W0.T) @ W1.T).sum(0)
    return torch.sigmoid(logits)[:, :, None, None]


@cases(
    "06.3",
    {
        (2, 8, 9, 11, 7): "Среднее и максимум по каналам, в этом порядке; свёртка; "
        "сигмоида.",
        (1, 5, 6, 6, 3): "Дополнение зависит от ядра: k // 2 с каждой стороны.",
        (3, 4, 4, 7, 1): "Ядро 1×1 дополнения не требует.",
    },
    lambda B, C, H, W, k: (random(B, C, H, W, seed=k), random(1, 2, k, k, seed=k + 1)),
    random_case=lambda rng: (
        *(rng.randint(2, 9) for _ in range(4)),
        rng.choice([3, 5, 9]),
    ),
)
def spatial_gate(x: Tensor, weight: Tensor) -> Tensor:
    """Formula (3) for a kernel of any odd size."""
    both = torch.stack([x.mean(1), x.amax(1)], 1)  # (B, 2, H, W)
    return torch.sigmoid(F.conv2d(both, weight, padding=weight.shape[-1] // 2))


@cases(
    "06.4",
    {
        (21, 3): "Прореженная 7×7 занимает (7 − 1)·3 + 1 = 19 пикселей, "
        "а 5×5 добавляет ещё по два с краю.",
        (35, 5): "Размахи складываются без общего пикселя: a + b − 1.",
        (7, 1): "При d = 1 первая свёртка — 1×1 и ничего не добавляет.",
        (22, 3): "K/d округляют вверх: ⌈22/3⌉ = 8.",
        (13, 2): "K/d округляют вверх: ⌈13/2⌉ = 7.",
        (6, 3): "Если K делится на d, округлять нечего.",
    },
    random_case=lambda rng: (rng.randint(20, 90), rng.randint(2, 8)),
    mistakes={
        "K/d округляют вверх.": lambda K, d: (K // d - 1) * d + 1 + (2 * d - 1) - 1,
        "Это размах одной прореженной свёртки, а нужен — пары.": lambda K, d: (
            (math.ceil(K / d) - 1) * d + 1
        ),
    },
)
def lka_span(K: int, d: int) -> int:
    """Side of the field of a depthwise and a dilated depthwise convolution."""
    return (math.ceil(K / d) - 1) * d + 1 + (2 * d - 1) - 1


@cases(
    "06.5",
    {
        (2, 8, 5, 6, 3): "Среднее по H и W, свёртка вдоль каналов, сигмоида, "
        "умножение на x. Ядро не переворачивают.",
        (1, 6, 4, 4, 5): "Крайние каналы: недостающие соседи — нули.",
        (3, 4, 3, 3, 1): "При k = 1 каждый канал решает сам за себя.",
    },
    lambda B, C, H, W, k: (random(B, C, H, W, seed=k) + 0.5, random(k, seed=k + 1)),
    random_case=lambda rng: (
        *(rng.randint(3, 9) for _ in range(4)),
        rng.choice([3, 5, 7]),
    ),
)
def eca(x: Tensor, w: Tensor) -> Tensor:
    """Efficient channel attention: a convolution along the channels."""
    k = len(w)
    padded = F.pad(x.mean((2, 3)), (k // 2, k // 2))  # (B, C + k - 1)
    logits = padded.unfold(1, k, 1) @ w  # (B, C)
    return torch.sigmoid(logits)[:, :, None, None] * x


@check("06.6")
def compose(answer: Callable[[Tensor, Tensor, int], Tensor], rng: Random) -> None:
    """One depthwise kernel equal to two, the second one dilated."""
    form = (
        "Какую часть входа видит пара свёрток? Столько же должно видеть и одно ядро.",
        "Размах прореженного ядра d·(b − 1) + 1; вместе с первым a + d·(b − 1). "
        "У каждого канала своё ядро.",
    )
    values = (
        "Что добавляет к общему ядру одно число k2[i, j]?",
        "Число k2[i, j] кладёт копию k1 со сдвигом (d·i, d·j); копии складываются.",
    )
    secret = rng.randint(2, 4), rng.randint(2, 5), rng.randint(2, 4), rng.randint(1, 3)
    for sizes in [(2, 5, 7, 3), (3, 3, 3, 2), (1, 4, 2, 1), (2, 1, 3, 4), secret]:
        C, a, b, d = sizes
        k1, k2 = random(C, 1, a, a, seed=a), random(C, 1, b, b, seed=10 + b)
        side = a + d * (b - 1)
        told = sizes != secret
        given = f"C={C}, ядра {a}×{a} и {b}×{b}, d={d}" if told else SILENT
        with case(given, form if told else SILENT_HINT):
            got = call(answer, k1, k2, d)
            expect_form(got, k1.new_zeros(C, 1, side, side))
        x = random(2, C, side + 3, side + 2, seed=5)
        want = F.conv2d(F.conv2d(x, k1, groups=C), k2, dilation=d, groups=C)
        on = f"{given}, свёртка с вашим ядром" if told else SILENT
        with case(on, values if told else SILENT_HINT):
            expect(F.conv2d(x, got, groups=C), want)
