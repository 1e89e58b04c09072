"""Exercises of notebook 06 (channel and spatial attention)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.cases import cases, check, random
from lecture_utils.exercises.expect import call, case, expect, expect_form


@cases(
    "06.1",
    {
        (64, 16, False): "Две матрицы, C × C/r и C/r × C; MLP общий, считается раз.",
        (64, 16, True): "Смещения есть у обоих слоёв: C/r чисел и C чисел.",
        (256, 4, True): "Смещения есть у обоих слоёв: C/r чисел и C чисел.",
        (24, 16, False): "Скрытый слой — C // r, здесь 1: сначала поделите нацело.",
        (100, 8, True): "Скрытый слой — C // r, здесь 12: сначала поделите нацело.",
    },
)
def gate_parameters(C: int, r: int, bias: bool) -> int:
    """Number of parameters of the shared MLP of a channel gate."""
    hidden = C // r
    return 2 * C * hidden + (C + hidden) * bias


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
)
def spatial_gate(x: Tensor, weight: Tensor) -> Tensor:
    """Formula (3) for a kernel of any odd size."""
    both = torch.stack([x.mean(1), x.amax(1)], 1)  # (B, 2, H, W)
    return torch.sigmoid(F.conv2d(both, weight, padding=weight.shape[-1] // 2))


@cases(
    "06.4",
    {
        (21, 3): "Разреженная 7×7 занимает (7 − 1)·3 + 1 = 19 пикселей, "
        "а 5×5 добавляет ещё по два с краю.",
        (35, 5): "Размахи складываются без общего пикселя: a + b − 1.",
        (7, 1): "При d = 1 первая свёртка — 1×1 и ничего не добавляет.",
        (22, 3): "K/d округляют вверх: ⌈22/3⌉ = 8.",
        (13, 2): "K/d округляют вверх: ⌈13/2⌉ = 7.",
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
)
def eca(x: Tensor, w: Tensor) -> Tensor:
    """Efficient channel attention: a convolution along the channels."""
    k = len(w)
    padded = F.pad(x.mean((2, 3)), (k // 2, k // 2))  # (B, C + k - 1)
    logits = padded.unfold(1, k, 1) @ w  # (B, C)
    return torch.sigmoid(logits)[:, :, None, None] * x


@check("06.6")
def compose(answer: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """One depthwise kernel equal to two, the second one dilated."""
    for C, a, b, d in [(2, 5, 7, 3), (3, 3, 3, 2), (1, 4, 2, 1), (2, 1, 3, 4)]:
        k1, k2 = random(C, 1, a, a, seed=a), random(C, 1, b, b, seed=10 + b)
        side = a + d * (b - 1)
        given = f"C={C}, ядра {a}×{a} и {b}×{b}, d={d}"
        form = (
            "Размах прореженного ядра d·(b − 1) + 1; вместе с первым "
            "a + d·(b − 1). У каждого канала своё ядро."
        )
        with case(given, form):
            got = call(answer, k1, k2, d)
            expect_form(got, k1.new_zeros(C, 1, side, side))
        values = (
            "Число k2[i, j] кладёт копию k1 со сдвигом (d·i, d·j); копии складываются."
        )
        x = random(2, C, side + 3, side + 2, seed=5)
        want = F.conv2d(F.conv2d(x, k1, groups=C), k2, dilation=d, groups=C)
        with case(f"{given}, свёртка с вашим ядром", values):
            expect(F.conv2d(x, got, groups=C), want)
