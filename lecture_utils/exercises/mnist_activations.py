"""Exercises of notebook 11 (what a convolutional network sees)."""

import math
from collections import OrderedDict
from collections.abc import Callable
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.cases import (
    SILENT_HINT,
    cases,
    check,
    random,
    randomised,
)
from lecture_utils.exercises.expect import (
    SILENT,
    Failed,
    Wrong,
    call,
    case,
    expect,
    parts,
)


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
    random_case=lambda rng: (
        *(rng.randint(10, 60), rng.randint(2, 30), rng.randint(31, 60)),
        *(rng.randint(2, 7), rng.randint(2, 4), rng.randint(1, 3)),
    ),
    forbid=Ban("строить слой нельзя: выведите формулы", r"Module\.__init__|.*conv\d"),
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
        (28, 5, 2): (
            "Выход должен быть ⌈side / stride⌉: считайте от него.",
            "Последнее ядро начинается в (⌈side / stride⌉ − 1)·stride.",
        ),
        (9, 3, 4): "Последнее ядро начинается там, где ещё есть данные.",
        (9, 1, 3): "Меньше нуля дополнять нельзя.",
    },
    random_case=lambda rng: (rng.randint(5, 60), rng.randint(1, 9), rng.randint(1, 6)),
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
    (3, 5, 0, 0, 0): (
        "Центр участка стоит в углу карты.",
        "У края участок дополняют нулями, а не сдвигают.",
    ),
    (2, 3, 3, 5, 6): "Последний пиксель: нули нужны снизу и справа.",
    (2, 5, 2, 0, 6): "Строка i и столбец j — разные оси.",
}


def _wide(x: Tensor) -> Tensor:
    """Room for a row number where a column is expected."""
    return F.pad(x, (0, 9, 0, 9))


@cases(
    "11.3",
    {(0.75, *place): hint for place, hint in _PLACES.items()}
    | {
        (-0.75, *place): "Сумма здесь отрицательна: ReLU заменяет её нулём."
        for place in _PLACES
    },
    _place,
    random_case=lambda rng: (
        *(rng.choice([-1, 1, 1]) * rng.uniform(0.5, 3), rng.randint(2, 4)),
        *(rng.choice([3, 5, 7]), rng.randint(0, 3)),
        *(rng.randint(0, 5), rng.randint(0, 6)),
    ),
    mistakes={
        "Перепутаны i и j: i — номер строки.": lambda x, weight, bias, f, i, j: pixel(
            _wide(x), weight, bias, f, j, i
        ),
        "Ядро не переворачивают: это корреляция, как в формуле (4).": (
            lambda x, weight, *rest: pixel(x, weight.flip(-1, -2), *rest)
        ),
        "Смещение — одно на канал f и до ReLU.": (
            lambda x, weight, bias, f, i, j: (
                pixel(x, weight, 0 * bias, f, i, j) + bias[f]
            )
        ),
    },
    forbid=Ban(
        "свёртка здесь не нужна: умножьте и сложите", r".*(conv\d|convol|conv_)"
    ),
)
def pixel(
    x: Tensor, weight: Tensor, bias: Tensor, f: int, i: int, j: int
) -> Tensor | float:
    """One value of a convolution after ReLU."""
    z = F.conv2d(x[None], weight, bias, padding=weight.shape[-1] // 2)
    return z.relu()[0, f, i, j]


class _Net(nn.Module):
    """A net that calls its block twice; a layer of it writes over its own input."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(2, 2, 3, padding=1),
                norm=nn.BatchNorm2d(2),
                relu=nn.ReLU(inplace=True),
            )
        )
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.block(self.block(x))).flatten(1))


def _watched_net() -> nn.Module:
    """In training mode, with hooks of somebody else and a frozen layer."""
    net = randomised(_Net()).train()
    net.get_submodule("block.conv").requires_grad_(False)
    for layer in net.modules():
        layer.register_forward_hook(lambda layer, given, result: None)
        layer.register_forward_pre_hook(lambda layer, given: None)
    return net


def _settings(net: nn.Module) -> dict[str, list]:
    """What an answer might forget to put back, by what to say about it."""
    layers = list(net.modules())
    return {
        "режим train/eval": [layer.training for layer in layers],
        "inplace": [getattr(layer, "inplace", None) for layer in layers],
        "requires_grad": [weight.requires_grad for weight in net.parameters()],
        "forward": [vars(layer).get("forward") for layer in layers],
        "статистики BatchNorm": [
            # Their last digits depend on the process.
            buffer.double().round(decimals=8).tolist()
            for buffer in net.buffers()
        ],
    }


def _hooks(net: nn.Module) -> list[tuple]:
    return [(*m._forward_hooks, *m._forward_pre_hooks) for m in net.modules()]


def _calls(net: nn.Module, x: Tensor) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """What each layer gets and gives, layer after layer."""
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}
    block = ["block.conv", "block.norm", "block.relu"]
    for name in (*block, *block, "pool", "head"):
        given = x.flatten(1) if name == "head" else x
        x = net.get_submodule(name)(given.clone())
        calls.setdefault(name, []).append((given, x))
    return calls


@check("11.4")
def watch(answer: Callable, rng: Random) -> None:
    """Inputs and outputs of named layers by hooks that are removed afterwards."""
    keys = (
        "Замыкание в цикле запоминает переменную, а не её значение: "
        "передайте имя аргументом, name=name."
    )
    times = "Слой вызывают столько раз: у каждого вызова своя пара (вход, выход)."
    values = (
        "Слой с inplace=True пишет поверх своего входа.",
        "Вход копируйте (clone) до слоя — register_forward_pre_hook, выход — сразу "
        "после — register_forward_hook.",
    )
    hooks = (
        "Свои хуки снимите, чужие оставьте.",
        "Сохраните то, что вернул register_forward_hook, и вызовите у него remove().",
    )
    drawn = rng.sample(["block.norm", "block.relu", "block.conv", "head", "pool"], 3)
    x = random(2, 2, 4, 4, seed=rng.randint(1, 99))
    for names in (
        ["pool"],
        ["block.conv", "block.relu"],
        ["head", "block.norm"],
        drawn,
    ):
        silent, given = names is drawn, f"names={names}"
        reference, net = _watched_net(), _watched_net()
        want, before = _calls(reference, x), _hooks(net)
        with case(SILENT if silent else given, SILENT_HINT if silent else keys):
            # Hooks left behind are to be seen on the very network that was given.
            got = call(answer, net, x.clone(), [*names], copy=False)
            if not isinstance(got, dict) or set(got) != set(names):
                shown = list(got) if isinstance(got, dict) else type(got).__name__
                raise Wrong(f"нужен словарь с этими ключами, а получено {shown!r}")
        for name in names:
            given = SILENT if silent else f"names={names}: {name}"
            with case(given, times):
                if not isinstance(got[name], list) or len(got[name]) != len(want[name]):
                    raise Wrong(f"нужен список, длина которого {len(want[name])}")
            for pair, right in zip(got[name], want[name], strict=True):
                with case(given, values):
                    for part, value in zip(
                        parts(pair, "вход, выход"), right, strict=True
                    ):
                        expect(part, value)
        with case(f"names={names}", hooks):
            if _hooks(net) != before:
                raise Wrong("хуки на сети не те, что были до вызова")
        with case(f"names={names}", "Сеть после вызова — такая, какой её дали."):
            for what, setting in _settings(net).items():
                if setting != _settings(reference)[what]:
                    raise Wrong(f"на сети изменено: {what}")
    too_large, net = random(2, 2, 6, 6), _watched_net()
    before = _hooks(net)
    with case(
        "сеть упала посреди прохода", ("Хуки снимают и тогда.", "try … finally.")
    ):
        try:
            call(answer, net, too_large, ["block.conv", "head"], copy=False)
        except Failed:
            if _hooks(net) != before:
                raise Wrong("хуки остались на сети") from None
        else:
            raise Wrong("функция это скрыла, а ошибка должна лететь дальше")


def _map(i: int, j: int) -> tuple[Tensor]:
    """A map whose largest value is negative and not the largest absolute one."""
    z = -random(14, 14, seed=i).abs() - 1
    z[i, j] = -0.5
    z[(i + 4) % 14, (j + 5) % 14] = -9.0
    return (z,)


@cases(
    "11.5",
    {
        (7, 7): (
            "Идите назад по слоям: свёртка 5×5, пулинг 2×2, свёртка 5×5.",
            "Поле 14×14: строки с 2i − 6 по 2i + 7 включительно.",
        ),
        (5, 9): "Строка максимума задаёт top и bottom, столбец — left и right.",
        (0, 0): "У края поле обрезают по границе картинки: не меньше 0.",
        (13, 12): "У нижнего и правого края — не больше 28.",
        (3, 10): (
            "Поле не симметрично.",
            "До пикселя 2i на входе 6 пикселей, после него — 7.",
        ),
        (11, 1): "Проверьте обе оси: у каждой свои границы.",
    },
    _map,
    given="наибольший пиксель ({}, {})",
    random_case=lambda rng: (rng.randint(0, 13), rng.randint(0, 13)),
    mistakes={
        "Перепутаны строки и столбцы.": lambda z: field_of_maximum(z.T),
        "Ищите наибольшее число, а не наибольшее по модулю.": (
            lambda z: field_of_maximum(z.abs())
        ),
    },
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
    random_case=lambda rng: (
        (rng.randint(2, 3), rng.randint(6, 8), rng.randint(9, 11)),
        *(rng.randint(2, 4), rng.randint(1, 3), rng.uniform(-2, 2)),
    ),
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
