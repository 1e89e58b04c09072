"""Exercises of notebook 11 (what a convolutional network sees)."""

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, check, random, randomised
from lecture_utils.exercises.expect import Wrong, call, case, expect, parts


@cases(
    "11.1",
    {
        (28, 1, 32, 5, 1, 2): "Ядро 5×5 на каждую пару каналов и смещение на каждый "
        "выходной канал; два нуля с каждой стороны сохраняют размер.",
        (28, 1, 32, 5, 1, 0): "Без дополнения карта уменьшается на k − 1.",
        (14, 32, 64, 5, 1, 2): "Смещений столько, сколько выходных каналов.",
        (28, 3, 8, 3, 2, 1): "Сторона (side + 2·padding − k) делится на шаг нацело, "
        "вниз, и ещё плюс один.",
        (11, 2, 7, 4, 3, 0): "Деление нацело — раньше, чем прибавление единицы.",
        (5, 6, 1, 5, 1, 0): "Ядро во всю карту даёт один пиксель.",
    },
)
def conv_layer(
    side: int, c_in: int, c_out: int, k: int, stride: int, padding: int
) -> tuple[int, int]:
    """Side of the output and number of parameters of a convolution."""
    return (side + 2 * padding - k) // stride + 1, (k * k * c_in + 1) * c_out


@cases(
    "11.2",
    {
        (28, 5, 1): "При шаге 1 нужно всего k − 1 нулей.",
        (28, 2, 2): "Сторона делится на шаг: дополнять нечего.",
        (27, 2, 2): "Не хватает одного числа: лишний нуль ставится после конца.",
        (28, 4, 1): "Нечётную сумму делят так, что больше достаётся концу.",
        (28, 5, 2): "Выход должен быть ⌈side / stride⌉: считайте от него.",
        (9, 3, 4): "Последнее ядро начинается в (⌈side / stride⌉ − 1)·stride.",
        (9, 1, 3): "Меньше нуля дополнять нельзя.",
    },
)
def same_padding(side: int, k: int, stride: int) -> tuple[int, int]:
    """Zeros that Keras adds before and after a side with padding="same"."""
    total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


def _place(
    sum_before_relu: float, channels: int, k: int, f: int, i: int, j: int
) -> tuple[Tensor, Tensor, Tensor, int, int, int]:
    """A place where the convolution gives this sum, whatever the random numbers."""
    x = random(channels, 6, 7, seed=1)
    weight, bias = random(4, channels, k, k, seed=2), random(4, seed=3)
    bias[f] = sum_before_relu - F.conv2d(x[None], weight, padding=k // 2)[0, f, i, j]
    return x, weight, bias, f, i, j


_PLACES = {  # channels, k, f, i, j
    (1, 3, 2, 3, 3): "Участок k×k с центром в (i, j), поэлементно на ядро, сумма.",
    (3, 5, 1, 3, 4): "Складываются все входные каналы, в одно число.",
    (3, 5, 0, 0, 0): "У края участок дополняют нулями, а не сдвигают.",
    (2, 3, 3, 5, 6): "Последний пиксель: нули нужны снизу и справа.",
    (2, 5, 2, 0, 6): "Строка i и столбец j — разные оси.",
}


@cases(
    "11.3",
    {(0.75, *place): hint for place, hint in _PLACES.items()}
    | {
        (-0.75, *place): f"Сумма здесь отрицательна: ReLU заменяет её нулём. {hint}"
        for place, hint in _PLACES.items()
    },
    _place,
)
def pixel(
    x: Tensor, weight: Tensor, bias: Tensor, f: int, i: int, j: int
) -> Tensor | float:
    """One value of a convolution after ReLU."""
    z = F.conv2d(x[None], weight, bias, padding=weight.shape[-1] // 2)
    return z.relu()[0, f, i, j]


class _Net(nn.Module):
    """A net that calls one layer twice and writes over its own maps."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 2, 3, padding=1)))
        self.block.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.block(self.block(x))).flatten(1))


@check("11.4")
def watch(answer: Callable[[nn.Module, Tensor, list[str]], dict]) -> None:
    """Inputs and outputs of named layers, by hooks that are removed afterwards."""
    keys = (
        "Замыкание в цикле запоминает переменную, а не её значение: "
        "передайте имя аргументом, name=name."
    )
    calls = "Слой вызван столько раз: у каждого вызова своя пара (вход, выход)."
    values = (
        "Слой с inplace=True пишет поверх своего входа: копию (clone) входа делают до "
        "слоя, а копию выхода — сразу после."
    )
    hooks = (
        "Сохраните то, что вернул register_forward_hook, и вызовите у него remove()."
    )
    net, x = randomised(_Net()), random(2, 2, 4, 4, seed=9)
    conv, relu = net.block.conv, torch.relu
    first, second = conv(x), conv(relu(conv(x)))
    pooled = net.pool(relu(second))
    want = {
        "block.conv": [(x, first), (relu(first), second)],
        "block.relu": [(first, relu(first)), (second, relu(second))],
        "pool": [(relu(second), pooled)],
        "head": [(pooled.flatten(1), net.head(pooled.flatten(1)))],
    }
    for names in (["pool"], ["block.conv", "block.relu"], ["head", "block.conv"]):
        net, given = randomised(_Net()), f"names={names}"
        with case(given, keys):
            # Hooks left behind are to be seen on the very network that was given.
            got = call(answer, net, x.clone(), [*names], copy=False)
            if not isinstance(got, dict) or set(got) != set(names):
                shown = list(got) if isinstance(got, dict) else type(got).__name__
                raise Wrong(f"нужен словарь с этими ключами, а получено {shown!r}")
        for name in names:
            with case(f"{given}: {name}", calls):
                if not isinstance(got[name], list) or len(got[name]) != len(want[name]):
                    raise Wrong(f"нужен список, длина которого {len(want[name])}")
            for pair, right in zip(got[name], want[name], strict=True):
                with case(f"{given}: {name}", values):
                    before, after = parts(pair, "вход, выход")
                    expect(before, right[0])
                    expect(after, right[1])
        with case(given, hooks):
            left = [n for n, m in net.named_modules() if m._forward_hooks]
            if left:
                raise Wrong(f"хуки остались на слоях {left}")


def _map(i: int, j: int) -> tuple[Tensor]:
    """A map whose largest value is negative and not the largest absolute one."""
    z = -random(14, 14, seed=i).abs() - 1
    z[i, j] = -0.5
    z[(i + 4) % 14, (j + 5) % 14] = -9.0
    return (z,)


@cases(
    "11.5",
    {
        (7, 7): "Поле 14×14: строки с 2i − 6 по 2i + 7 включительно.",
        (5, 9): "Строка максимума задаёт top и bottom, столбец — left и right.",
        (0, 0): "У края поле обрезают по границе картинки: не меньше 0.",
        (13, 12): "У нижнего и правого края — не больше 28.",
        (3, 10): "Поле не симметрично: до центра 6 пикселей, после — 7.",
        (11, 1): "Проверьте обе оси: у каждой свои границы.",
    },
    _map,
    given="наибольший пиксель ({}, {})",
)
def field_of_maximum(z: Tensor) -> tuple[int, int, int, int]:
    """Part of a 28x28 picture that the largest pixel of a 14x14 map depends on."""
    i, j = divmod(int(z.argmax()), 14)
    return max(2 * i - 6, 0), min(2 * i + 8, 28), max(2 * j - 6, 0), min(2 * j + 8, 28)


def _picture(shape: tuple[int, ...], *settings: float) -> tuple:
    x, weight = random(*shape, seed=4), random(*shape, seed=5)

    def score(batch: Tensor) -> Tensor:
        return (batch * weight).sum((1, 2, 3)).tanh()

    return score, x, *settings


@cases(
    "11.6",
    {
        ((1, 8, 8), 4, 4, 0.0): "Падение — это score до заслонки минус после.",
        ((1, 9, 9), 3, 2, 0.5): "Шаг stride и заливка fill входят в ответ.",
        ((3, 8, 8), 4, 2, 0.0): "Квадрат заливают во всех каналах.",
        ((1, 6, 10), 3, 1, 1.0): "Строк и столбцов у карты бывает разное число.",
        ((2, 7, 8), 3, 3, -1.0): "Квадрат не выходит за край: остаток отбрасывают.",
    },
    _picture,
)
def occlusion_map(
    score: Callable, x: Tensor, size: int, stride: int, fill: float
) -> Tensor:
    """Drops of a score when a square of the picture is painted over."""
    rows, columns = (range(0, n - size + 1, stride) for n in x.shape[1:])
    drops = torch.zeros(len(rows), len(columns))
    for a, i in enumerate(rows):
        for b, j in enumerate(columns):
            covered = x.clone()
            covered[:, i : i + size, j : j + size] = fill
            drops[a, b] = (score(x[None]) - score(covered[None]))[0]
    return drops
