"""Exercises of notebook 02 (VGG)."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import torch
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
from lecture_utils.exercises.expect import SILENT, call, case, convolve, expect


@cases(
    "02.1",
    {
        ("33 33 333 333 333", 224, 1000): "Свёртка: k²·c_in·c_out весов и c_out "
        "смещений; у первой свёртки c_in = 3; полносвязных слоёв три.",
        ("33 33 331 331 331", 224, 1000): "Цифра в строке — ядро: у 1×1 один вес "
        "на пару каналов, а не девять.",
        ("3 3 3 3 3", 224, 10): "В последнем слое classes выходов, а не 1000.",
        ("3 3 33 33 33", 64, 1000): "Пять пулингов делят сторону на 32: первый "
        "полносвязный слой видит карту (size // 32)².",
        ("1 3 3 3 1", 320, 7): "Проверьте все части формулы на этом входе.",
    },
    random_case=lambda rng: (
        " ".join("".join(rng.choices("1357", k=rng.randint(1, 4))) for _ in range(5)),
        32 * rng.randint(2, 12),
        rng.randint(2, 2000),
    ),
    forbid=BUILDING,
)
def vgg_parameters(config: str, size: int, classes: int) -> int:
    """Parameters of a VGG by its configuration (Simonyan, Zisserman, 2014, table 1)."""
    stages = zip((64, 128, 256, 512, 512), config.split(), strict=True)
    convs = [(int(k), c) for c, stage in stages for k in stage]
    channels = [3, *(c for _, c in convs)]
    total = sum(
        (k * k * c_in + 1) * c for c_in, (k, c) in zip(channels, convs, strict=False)
    )
    widths = [512 * (size // 32) ** 2, 4096, 4096, classes]
    return total + sum((a + 1) * b for a, b in pairwise(widths))


@cases(
    "02.2",
    {
        (4, (3, 1, 0)): "Ядро 3 без дополнения: выход 4 начинается там же, где пиксель "
        "4 входа, и видит ещё два справа.",
        (4, (3, 1, 1)): "Дополнение сдвигает всё на p влево.",
        (5, (2, 2, 0)): "Шаг 2: пиксель 5 начинается с пикселя 10.",
        (3, (3, 1, 1), (3, 1, 1)): "Идите от выхода ко входу: сначала последний слой.",
        (7, (3, 1, 1), (2, 2, 0), (3, 1, 1)): "Дополнение слоя — в пикселях его "
        "собственного входа; шаги предыдущих слоёв его ещё умножат.",
        (0, (7, 2, 3), (3, 2, 1)): "У края поле выходит за картинку: номер бывает "
        "отрицательным.",
        (6, (5, 3, 2), (1, 2, 0), (4, 1, 1)): "Ядра и шаги — любые.",
        (9,): "Без слоёв пиксель видит только себя.",
    },
    lambda i, *layers: (list(layers), i),
    random_case=lambda rng: (
        rng.randint(0, 30),
        *(
            (rng.randint(1, 7), rng.randint(1, 3), rng.randint(0, 3))
            for _ in range(rng.randint(2, 5))
        ),
    ),
)
def seen_pixels(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    """First and last pixel of the input that pixel ``i`` of the output depends on."""
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def _guesses(k: int, seed: int = 0) -> tuple[Tensor, Tensor, int]:
    """Ten examples; their right classes take these places among the logits."""
    place = torch.tensor([0, 0, 1, 2, 2, 4, 4, 5, 7, 7])
    # Every row is a permutation of 0…7, so there are no ties.
    logits = torch.stack([random(8, seed=seed + i).argsort() for i in range(10)])
    labels = logits.argsort(1, descending=True).gather(1, place[:, None])[:, 0]
    return logits.to(torch.get_default_dtype()) - 20, labels, k


@cases(
    "02.3",
    {
        (1,): "При k = 1 это обычная доля ошибок.",
        (3,): "Ошибка — это когда верного класса нет среди k самых вероятных.",
        (5,): "Ошибка — это когда верного класса нет среди k самых вероятных.",
        (8,): "При k, равном числу классов, ошибок не бывает.",
    },
    _guesses,
    random_case=lambda rng: (rng.randint(2, 7), rng.randrange(1000)),
    mistakes={
        "Это точность, а нужна доля ошибок.": lambda *given: 1 - top_k_error(*given),
        "Это число примеров, а нужна их доля, от 0 до 1.": lambda *given: (
            len(given[1]) * top_k_error(*given)
        ),
        "Самые вероятные классы — с самыми большими оценками, а не с самыми "
        "малыми.": lambda logits, labels, k: top_k_error(-logits, labels, k),
        "Достаточно, чтобы верный класс был одним из k: any, а не all и не "
        "среднее.": lambda logits, labels, k: (
            1 - (1 - top_k_error(logits, labels, k)) / k
        ),
    },
)
def top_k_error(logits: Tensor, labels: Tensor, k: int) -> float:
    """Share of examples whose label is not among the k largest logits."""
    larger = (logits > logits.gather(1, labels[:, None])).sum(1)
    return (larger >= k).double().mean().item()


@check("02.4")
def dense_to_conv(
    answer: Callable[[nn.Linear, int, int, int], nn.Conv2d], rng: Random
) -> None:
    """Convolution that equals a dense layer on a flattened map, and slides on more."""
    hint = (
        "Сравните порядок чисел в развёрнутой карте и в ядре свёртки; о смещении и "
        "о шаге тоже подумайте.",
        "Ядро — вся карта H×W, шаг 1, без дополнения; развёртка идёт в порядке каналы, "
        "строки, столбцы.",
    )
    secret = [rng.randint(2, 5) for _ in range(4)]
    for C, H, W, outputs in [(4, 3, 3, 5), (3, 2, 4, 6), secret]:
        linear = randomised(nn.Linear(C * H * W, outputs))
        shown = (C, H, W, outputs) != tuple(secret)
        given = f"карта {C}×{H}×{W}, выходов {outputs}" if shown else SILENT
        with case(given, hint if shown else SILENT_HINT):
            kept = "слой linear изменён. Числа скопируйте в новую свёртку"
            conv = call(answer, linear, C, H, W, kept=kept)
        for rows, columns in [(1, 1), (3, 2)]:
            x = random(2, C, H + rows - 1, W + columns - 1)
            # The dense layer at every place of the map: one window, one column.
            want = linear(F.unfold(x, (H, W)).mT).mT
            on = f"{given}, на входе {tuple(x.shape)}" if shown else SILENT
            with case(on, hint if shown else SILENT_HINT):
                expect(convolve(conv, x), want.reshape(2, -1, rows, columns))


@cases(
    "02.5",
    dict.fromkeys(
        [(1, 1, 1), (2, 3, 4), (3, 2, 1)],
        (
            "Что делает с ядром w1 один вес w2[o, m, a, b]? По промежуточным каналам "
            "идёт сумма.",
            "Вес w2[o, m, a, b] добавляет к ядру w1[m], сдвинутое на (a, b).",
        ),
    ),
    lambda c_in, M, c_out, seed=0: (
        random(M, c_in, 3, 3, seed=seed + 1),
        random(c_out, M, 3, 3, seed=seed),
    ),
    random_case=lambda rng: (
        rng.randint(2, 4),
        rng.randint(2, 4),
        rng.randint(2, 4),
        rng.randrange(1000),
    ),
)
def merge_convs(w1: Tensor, w2: Tensor) -> Tensor:
    """Kernel 5x5 that equals two 3x3 convolutions without a nonlinearity."""
    # Column c of the response to an impulse in channel c, mirrored, is the kernel.
    impulses = F.pad(torch.eye(w1.shape[1])[:, :, None, None], [4] * 4)
    response = F.conv2d(F.conv2d(impulses, w1), w2)
    return response.flip(2, 3).transpose(0, 1)
