"""Checks of the exercises of notebook 06 (channel and spatial attention)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises import Wrong, call, check, expect, expect_form


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@check("06.1")
def gate_parameters(answer: Callable[[int, int, bool], int]) -> None:
    """Number of parameters of the shared MLP of a channel gate."""
    hints = {
        (64, 16, False): "Две матрицы, C × C/r и C/r × C; MLP общий, считается раз.",
        (64, 16, True): "Смещения есть у обоих слоёв: C/r чисел и C чисел.",
        (256, 4, True): "Смещения есть у обоих слоёв: C/r чисел и C чисел.",
        (24, 16, False): "Скрытый слой — C // r, здесь 1: сначала поделите нацело.",
        (100, 8, True): "Скрытый слой — C // r, здесь 12: сначала поделите нацело.",
    }
    for (channels, r, bias), hint in hints.items():
        hidden = channels // r
        want = 2 * channels * hidden + (channels + hidden) * bias
        given = f"C={channels}, r={r}, bias={bias}"
        expect(
            call(answer, channels, r, bias, given=given), want, given=given, hint=hint
        )


@check("06.2")
def channel_gate(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Formula (2) for given matrices."""
    hint = (
        "Порядок: среднее и максимум по H и W; каждое — через W0, ReLU и W1; "
        "сумма; одна сигмоида."
    )
    for batch, channels, hidden, height, width in [(2, 8, 4, 5, 7), (3, 6, 2, 4, 4)]:
        x = _random(batch, channels, height, width, seed=1) + 0.3
        w0 = _random(hidden, channels, seed=2)
        w1 = _random(channels, hidden, seed=3)
        both = torch.stack([x.mean((2, 3)), x.amax((2, 3))])  # (2, B, C)
        logits = (F.relu(both @ w0.T) @ w1.T).sum(0)
        want = torch.sigmoid(logits)[:, :, None, None]
        given = f"x формы {tuple(x.shape)}, C/r = {hidden}"
        expect(call(answer, x, w0, w1, given=given), want, given=given, hint=hint)


@check("06.3")
def spatial_gate(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Formula (3) for a kernel of any odd size."""
    cases = {
        (2, 8, 9, 11, 7): "Среднее и максимум по каналам, в этом порядке; свёртка; "
        "сигмоида.",
        (1, 5, 6, 6, 3): "Дополнение зависит от ядра: k // 2 с каждой стороны.",
        (3, 4, 4, 7, 1): "Ядро 1×1 дополнения не требует.",
    }
    for (batch, channels, height, width, k), hint in cases.items():
        x = _random(batch, channels, height, width, seed=k)
        weight = _random(1, 2, k, k, seed=k + 1)
        both = torch.stack([x.mean(1), x.amax(1)], 1)  # (B, 2, H, W)
        want = torch.sigmoid(F.conv2d(both, weight, padding=k // 2))
        given = f"x формы {tuple(x.shape)}, k = {k}"
        expect(call(answer, x, weight, given=given), want, given=given, hint=hint)


@check("06.4")
def lka_span(answer: Callable[[int, int], int]) -> None:
    """Side of the field of a depthwise and a dilated depthwise convolution."""
    hints = {
        (21, 3): "Разреженная 7×7 занимает (7 − 1)·3 + 1 = 19 пикселей, "
        "а 5×5 добавляет ещё по два с краю.",
        (35, 5): "Размахи складываются без общего пикселя: a + b − 1.",
        (7, 1): "При d = 1 первая свёртка — 1×1 и ничего не добавляет.",
        (22, 3): "K/d округляют вверх: ⌈22/3⌉ = 8.",
        (13, 2): "K/d округляют вверх: ⌈13/2⌉ = 7.",
    }
    for (kernel, d), hint in hints.items():
        want = (math.ceil(kernel / d) - 1) * d + 1 + (2 * d - 1) - 1
        given = f"K={kernel}, d={d}"
        expect(call(answer, kernel, d, given=given), want, given=given, hint=hint)


@check("06.5")
def eca(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Efficient channel attention: a convolution along the channels."""
    cases = {
        (2, 8, 5, 6, 3): "Среднее по H и W, свёртка вдоль каналов, сигмоида, "
        "умножение на x. Ядро не переворачивают.",
        (1, 6, 4, 4, 5): "Крайние каналы: недостающие соседи — нули.",
        (3, 4, 3, 3, 1): "При k = 1 каждый канал решает сам за себя.",
    }
    for (batch, channels, height, width, k), hint in cases.items():
        x = _random(batch, channels, height, width, seed=k) + 0.5
        w = _random(k, seed=k + 1)
        padded = F.pad(x.mean((2, 3)), (k // 2, k // 2))  # (B, C + k - 1)
        logits = padded.unfold(1, k, 1) @ w  # (B, C)
        want = torch.sigmoid(logits)[:, :, None, None] * x
        given = f"x формы {tuple(x.shape)}, k = {k}"
        expect(call(answer, x, w, given=given), want, given=given, hint=hint)


@check("06.6")
def compose(answer: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """One depthwise kernel equal to two, the second one dilated."""
    for channels, a, b, d in [(2, 5, 7, 3), (3, 3, 3, 2), (1, 4, 2, 1), (2, 1, 3, 4)]:
        k1 = _random(channels, 1, a, a, seed=a)
        k2 = _random(channels, 1, b, b, seed=10 + b)
        side = a + d * (b - 1)
        given = f"C={channels}, ядра {a}×{a} и {b}×{b}, d={d}"
        got = call(answer, k1, k2, d, given=given)
        expect_form(
            got,
            k1.new_zeros(channels, 1, side, side),
            given=given,
            hint="Размах прореженного ядра d·(b − 1) + 1; вместе с первым "
            "a + d·(b − 1). У каждого канала своё ядро.",
        )
        x = _random(2, channels, side + 3, side + 2, seed=5)
        want = F.conv2d(x, k1, groups=channels)
        want = F.conv2d(want, k2, dilation=d, groups=channels)
        result = F.conv2d(x, got.detach(), groups=channels)
        if (result - want).abs().max() > 1e-4 * want.abs().max():
            raise Wrong(
                f"{given} — свёртка с вашим ядром не равна двум подряд. Число "
                "k2[i, j] кладёт копию k1 со сдвигом (d·i, d·j); копии складываются."
            )
