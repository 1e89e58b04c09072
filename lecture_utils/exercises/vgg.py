"""Exercises of notebook 02 (VGG)."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, check, random, randomised
from lecture_utils.exercises.expect import call, case, convolve, expect


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
        ((3, 1),): "Слой с ядром k и шагом 1 расширяет поле на k − 1.",
        ((3, 1), (3, 1), (3, 1)): "Три 3×3 видят 7 пикселей: 1 + 2 + 2 + 2.",
        ((2, 2), (3, 1)): "После шага 2 соседи стоят через 2 пикселя входа.",
        ((3, 1), (2, 2)): "Шаг слоя действует на следующие слои, не на сам слой.",
        ((5, 2), (3, 2), (3, 2)): "Шаги перемножаются.",
        ((3, 1), (1, 1), (2, 3), (7, 1)): "Ядро 1×1 поля не расширяет.",
        (): "Без слоёв пиксель видит только себя: поле 1, шаг 1.",
    },
    lambda *layers: (list(layers),),
)
def field_and_step(layers: list[tuple[int, int]]) -> tuple[int, int]:
    """Receptive field and step of a stack of layers."""
    field, step = 1, 1
    for kernel, stride in layers:
        field, step = field + (kernel - 1) * step, step * stride
    return field, step


def _guesses(k: int) -> tuple[Tensor, Tensor, int]:
    """Ten examples; their right classes take these places among the logits."""
    place = torch.tensor([0, 0, 1, 2, 2, 4, 4, 5, 7, 7])
    # Every row is a permutation of 0…7, so there are no ties.
    logits = torch.stack([random(8, seed=i).argsort() for i in range(10)])
    labels = logits.argsort(1, descending=True).gather(1, place[:, None])[:, 0]
    return logits.to(torch.get_default_dtype()) - 20, labels, k


@cases(
    "02.3",
    {
        (1,): "При k = 1 это обычная доля ошибок.",
        (3,): "Верный класс должен попасть в k самых больших, а не самых малых.",
        (5,): "Нужна доля ошибок, от 0 до 1, а не точность и не число примеров.",
        (8,): "При k, равном числу классов, ошибок не бывает.",
    },
    _guesses,
)
def top_k_error(logits: Tensor, labels: Tensor, k: int) -> float:
    """Share of examples whose label is not among the k largest logits."""
    larger = (logits > logits.gather(1, labels[:, None])).sum(1)
    return (larger >= k).double().mean().item()


@check("02.4")
def dense_to_conv(answer: Callable[[nn.Linear, int, int, int], nn.Conv2d]) -> None:
    """Convolution that equals a dense layer on a flattened map, and slides on more."""
    hint = (
        "Ядро свёртки — вся карта H×W, шаг 1, без дополнения; развёртка идёт в порядке "
        "каналы, строки, столбцы; не забудьте смещение."
    )
    for C, H, W, outputs in [(4, 3, 3, 5), (3, 2, 4, 6)]:
        linear = randomised(nn.Linear(C * H * W, outputs))
        with case(f"карта {C}×{H}×{W}, выходов {outputs}", hint):
            conv = call(answer, linear, C, H, W)
        for rows, columns in [(1, 1), (3, 2)]:
            x = random(2, C, H + rows - 1, W + columns - 1)
            # The dense layer at every place of the map: one window, one column.
            want = linear(F.unfold(x, (H, W)).mT).mT
            with case(f"карта {C}×{H}×{W}, на входе {tuple(x.shape)}", hint):
                expect(convolve(conv, x), want.reshape(2, -1, rows, columns))


@cases(
    "02.5",
    dict.fromkeys(
        [(1, 1, 1), (2, 3, 4), (3, 2, 1)],
        "Вес w2[o, m, a, b] добавляет к ядру w1[m], сдвинутое на (a, b); "
        "по промежуточным каналам m идёт сумма.",
    ),
    lambda c_in, M, c_out: (
        random(M, c_in, 3, 3, seed=1),
        random(c_out, M, 3, 3),
    ),
)
def merge_convs(w1: Tensor, w2: Tensor) -> Tensor:
    """Kernel 5x5 that equals two 3x3 convolutions without a nonlinearity."""
    # Column c of the response to an impulse in channel c, mirrored, is the kernel.
    impulses = F.pad(torch.eye(w1.shape[1])[:, :, None, None], [4] * 4)
    response = F.conv2d(F.conv2d(impulses, w1), w2)
    return response.flip(2, 3).transpose(0, 1)
