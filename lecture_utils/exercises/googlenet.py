"""Exercises of notebook 03 (GoogLeNet, 1×1 convolution, Inception)."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, check, random, randomised
from lecture_utils.exercises.expect import call, case, convolve, expect
from lecture_utils.exercises.vgg import dense_to_conv


@cases(
    "03.1",
    {
        (192, 64, 96, 128, 16, 32, 32): "Шесть свёрток: четыре 1×1, одна 3×3, одна "
        "5×5; у каждой есть смещения.",
        (832, 384, 192, 384, 48, 128, 128): "Сужения и проекция читают вход модуля, "
        "большие ядра — своё сужение.",
        (5, 1, 2, 3, 4, 6, 7): "Проверьте, какие каналы с какими перемножены.",
    },
)
def inception_parameters(
    c_in: int, c1: int, r3: int, c3: int, r5: int, c5: int, proj: int
) -> int:
    """Number of parameters of an Inception module in the paper's form."""
    pointwise = (c_in + 1) * (c1 + r3 + r5 + proj)
    return pointwise + (9 * r3 + 1) * c3 + (25 * r5 + 1) * c5


@cases(
    "03.2",
    {
        (192, 32, 5): "Решите неравенство Q_r < Q из формул (4) и (5) относительно r.",
        (192, 128, 3): "Канал сужения стоит c_in операций в 1×1 и k²·c_out в ядре.",
        (18, 2, 3): "При r = 9 цены равны, а нужно строго меньше.",
        (2, 2, 1): "Для ядра 1×1 цены равны уже при r = 1: выгодных сужений нет.",
        (7, 3, 2): "Ответ — целое число, округлять надо вниз.",
    },
)
def widest_reduction(c_in: int, c_out: int, k: int) -> int:
    """Largest reduction that costs fewer operations than the direct convolution."""
    direct, per_channel = k * k * c_in * c_out, c_in + k * k * c_out
    return max(r for r in range(c_in + 1) if r * per_channel < direct)


check("03.3")(dense_to_conv)  # the exercise of VGG once more


@cases(
    "03.4",
    dict.fromkeys(
        [(8, 5, 4, 6), (5, 5, 3, 3)],
        "Линейный слой применяется к каналам каждого пикселя — это свёртка "
        "1×1 со смещением; среднее карты равно ответу головы.",
    ),
    lambda channels, classes, *size: (
        random(2, channels, *size),
        randomised(nn.Linear(channels, classes)).requires_grad_(False),
    ),
)
def class_maps(x: Tensor, fc: nn.Linear) -> Tensor:
    """Scores of the classes at every pixel of the last map."""
    return F.conv2d(x, fc.weight[..., None, None], fc.bias)


@check("03.5")
def merge(answer: Callable[[nn.Conv2d, nn.Conv2d], nn.Conv2d]) -> None:
    """One convolution equal to a 1×1 convolution followed by another one."""
    hint = (
        "Ядро — сумма по каналам сужения; смещение сужения проходит через "
        "все точки большого ядра; шаг берётся у второй свёртки."
    )
    wides = {
        "ядро 3×3, шаг 1": nn.Conv2d(4, 5, 3),
        "ядро 5×5, шаг 2": nn.Conv2d(4, 4, 5, stride=2),
        "ядро 1×3, шаг (2, 1)": nn.Conv2d(4, 3, (1, 3), stride=(2, 1)),
    }
    for given, wide in wides.items():
        narrow, wide = randomised(nn.Conv2d(6, 4, 1)), randomised(wide)
        x = random(2, 6, 9, 8, seed=7)
        with case(given, hint):
            expect(convolve(call(answer, narrow, wide), x), wide(narrow(x)))
