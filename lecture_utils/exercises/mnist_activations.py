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

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§11.1",
    {
        (3, 2, 5): "Выходные каналы у Keras последние, у PyTorch — первые.",
        (5, 4, 4): "Входные каналы — вторая ось.",
        (3, 3, 3): "Все стороны равны, и неверный порядок осей по форме не виден.",
    },
    lambda k, c_in, c_out: (random(k, k, c_in, c_out, seed=1),),
    random_case=lambda rng: ((k := rng.choice([3, 5, 7])), k, rng.choice([k, k + 1])),
    mistakes={
        "Ядро отражено по диагонали: строка должна остаться строкой.": (
            lambda kernel: kernel.permute(3, 2, 1, 0)
        ),
        "Каналы не на своих местах: сначала выходные, потом входные.": (
            lambda kernel: kernel.permute(2, 3, 0, 1)
        ),
        "Смена формы осей не переставляет: нужна permute.": (
            lambda kernel: kernel.reshape(*kernel.shape[:1:-1], *kernel.shape[:2])
        ),
    },
)
def from_keras(kernel: Tensor) -> Tensor:
    """A kernel of Keras in the layout of PyTorch."""
    return torch.einsum("uvcf->fcuv", kernel)


@cases(
    "§11.2",
    {
        (10,): (
            "Во второй softmax вместо логитов вошли одна единица и нули.",
            "Подставьте их в формулу (2): у верного класса ноль, а под логарифмом — e "
            "и единицы.",
        ),
        (2,): "Классов два: у неверного единица, у верного ноль.",
        (1000,): "Классов не десять, а K.",
    },
    random_case=lambda rng: (rng.randint(4, 500),),
    mistakes={
        "Это наименьшие потери: их дал бы верный ответ.": lambda K: worst_loss(K) - 1,
        "Вероятность 1 получил один класс, а остальные — 0.": lambda K: math.log(
            1 + (K - 1) * math.e
        ),
    },
)
def worst_loss(K: int) -> float:
    """Cross entropy of a double softmax that is sure of a wrong class."""
    return math.log(math.e + K - 1)


@cases(
    "§11.3",
    {
        (0, 3, 2, 4): "Первое число остаётся первым.",
        (1, 3, 2, 4): "Соседний пиксель того же канала: между ними у Keras все каналы.",
        (8, 3, 2, 4): "Первый пиксель второго канала: у Keras он сразу за первым.",
        (19, 3, 2, 4): (
            "Сначала найдите канал и место на карте.",
            "Канал — n // (H·W), место — остаток; у Keras канал меняется быстрее всех.",
        ),
        (30, 2, 5, 4): "В канале H·W чисел, а сторон у карты две.",
        (41, 7, 2, 3): "Последнее число остаётся последним.",
    },
    random_case=lambda rng: (
        rng.randint(20, 59),
        *rng.sample([3, 4, 5], 3),
    ),
    mistakes={
        "Это обратный переход, из Keras в PyTorch.": lambda n, C, H, W: (
            n % C * H * W + n // C
        ),
    },
)
def keras_number(n: int, C: int, H: int, W: int) -> int:
    """Where a number of a flattened map stands when channels come last."""
    return n % (H * W) * C + n // (H * W)


def _empty_sheet(F: int, C: int, k: int, shift: float) -> tuple[Tensor, ...]:
    return (
        random(C, seed=6) + shift,
        random(F, C, k, k, seed=7),
        random(F, seed=8),
    )


@cases(
    "§11.4",
    {
        (3, 1, 3, 5.0): "Канал один: все k·k весов умножаются на одно число.",
        (2, 6, 5, 0.0): "Складываются вклады всех входных каналов.",
        (4, 4, 3, 0.0): "Ось 0 весов — выходные каналы, ось 1 — входные.",
        (2, 3, 5, -9.0): "Первый ReLU обнулил всё: остаётся второе смещение.",
    },
    _empty_sheet,
    given="b1 формы ({1},), weight формы ({0}, {1}, {2}, {2})",
    random_case=lambda rng: (*(rng.randint(3, 6) for _ in range(2)), 3, 0.1),
    mistakes={
        "Между свёртками стоит ReLU: отрицательных чисел после него нет.": (
            lambda b1, weight, b2: weight.sum((2, 3)) @ b1 + b2
        ),
        "У второй свёртки есть своё смещение.": lambda b1, weight, b2: (
            weight.sum((2, 3)) @ b1.relu()
        ),
        "Нужна сумма до ReLU второй свёртки.": lambda *given: on_empty_sheet(
            *given
        ).relu(),
        "Веса складывают, а не усредняют.": lambda b1, weight, b2: (
            weight.mean((2, 3)) @ b1.relu() + b2
        ),
    },
)
def on_empty_sheet(b1: Tensor, weight: Tensor, b2: Tensor) -> Tensor:
    """What the second convolution gives far from the edges of an empty picture."""
    x = b1.relu()[:, None, None].expand(-1, *weight.shape[2:])
    return F.conv2d(x, weight, b2).flatten()


@cases(
    "§11.5",
    {
        (2, 3, 4, 255.0): (
            "Смещение — одно на канал, и от входа оно не зависит.",
            "Отнимите от z[c] смещение b[c], разделите и прибавьте его снова.",
        ),
        (4, 3, 4, 2.0): "Смещение — одно на канал, а не на столбец.",
        (3, 3, 3, 10.0): "Смещение — одно на канал, а не на строку и не на столбец.",
        (1, 2, 5, 1.0): "Деление на единицу ничего не меняет.",
    },
    lambda C, H, W, times: (random(C, H, W, seed=2), random(C, seed=3), times),
    random_case=lambda rng: (*(rng.randint(4, 6) for _ in range(3)), rng.uniform(2, 9)),
    mistakes={
        "Уменьшился вход, а не смещение: оно осталось прежним.": (
            lambda z, b, times: z / times
        ),
        "В z смещение уже вошло: теперь его больше одного.": lambda z, b, times: (
            z / times + b[:, None, None]
        ),
        "Смещение нужно вернуть на место.": lambda z, b, times: (
            (z - b[:, None, None]) / times
        ),
        "Карта нужна до ReLU.": lambda *given: pale_map(*given).relu(),
    },
)
def pale_map(z: Tensor, b: Tensor, times: float) -> Tensor:
    """The map of a convolution when its input is divided by a number."""
    return z / times + (1 - 1 / times) * b.view(-1, 1, 1)


@cases(
    "§11.6",
    {
        (60, 64): "Сначала найдите, на сколько k больше половины каналов.",
        (32, 64): "Ровно половина: отклонения нет.",
        (25, 100): "Меньше половины — число отрицательное.",
        (9, 9): "Половина нечётного числа — не целая.",
        (40, 50): "Отклонений не целое число: не округляйте.",
    },
    random_case=lambda rng: (rng.randint(0, 19), rng.randint(20, 60)),
    mistakes={
        "Поделено на дисперсию, а нужно на её корень.": lambda k, n: (
            (k - n / 2) / (n / 4)
        ),
        "Стандартное отклонение — не √n, а половина корня.": lambda k, n: (
            (k - n / 2) / math.sqrt(n)
        ),
        "Сколько каналов сверх половины — ещё не в отклонениях.": lambda k, n: (
            k - n / 2
        ),
        "Плюс — когда побед больше половины, минус — когда меньше.": lambda *given: (
            -above_chance(*given)
        ),
    },
    atol=1e-5,  # of a quotient up to 9 in float32
)
def above_chance(k: int, n: int) -> float:
    """Wins of n fair coins above their mean, in standard deviations."""
    return (2 * k - n) / math.sqrt(n)


def _some_neurons(rng: Random) -> tuple[tuple, tuple]:
    """As many neurons as inputs; a neuron is spoiled in one place or in none."""
    rows = [[rng.choice([0.0, -0.5, -2.0]) for _ in range(6)] for _ in range(5)]
    rows[rng.randrange(5)][rng.randrange(5)] = 0.25
    biases = [rng.choice([0.0, -1.0, -30.0]) for _ in range(5)]
    biases[rng.randrange(5)] = 0.5
    return tuple(tuple(row[:5]) for row in rows), tuple(biases)


@cases(
    "§11.7",
    {
        (((-1.0, -2.0), (-3.0, -0.5)), (-1.0, 0.5)): "На нулевом входе от нейрона "
        "остаётся смещение: положительное переживёт ReLU.",
        (((-1.0, -1.0), (2.0, -1.0)), (-1.0, 0.5)): "Веса нейрона — строка матрицы, "
        "а не столбец.",
        (((-1.0, 0.25, -9.0), (-1.0, -1.0, -1.0)), (-5.0, -5.0)): "Хватит одного "
        "положительного веса: число на его входе может быть сколь угодно большим.",
        (((0.0, -1.0), (0.0, 0.0), (-2.0, -2.0)), (0.0, -3.0, -1.0)): "Нулевые веса и "
        "нулевое смещение положительной суммы тоже не дадут.",
        (((1.0, 3.0), (2.0, 2.0)), (-9.0, -9.0)): "Отрицательного смещения мало: вход "
        "может его пересилить.",
    },
    lambda weight, bias: (torch.tensor(weight), torch.tensor(bias)),
    random_case=_some_neurons,
    mistakes={
        "Это нейроны, которые могут сработать, а нужны остальные.": (
            lambda *given: ~always_dead(*given)
        ),
    },
)
def always_dead(weight: Tensor, bias: Tensor) -> Tensor:
    """Neurons that no input without negative numbers makes positive."""
    return torch.cat([weight, bias[:, None]], 1).amax(1) <= 0


@cases(
    "§11.8",
    {
        (1, 5, 6, 0.1): "Заливка одна: сосчитайте места, где падение больше t.",
        (2, 6, 7, 0.0): "Место подходит, если вредны обе заливки.",
        (3, 3, 3, -0.3): "Ось 0 — заливки, оси 1 и 2 — места.",
        (2, 5, 4, 9.0): "Так сильно вероятность нигде не упала: ответ 0.",
        (4, 8, 5, -0.2): "Любая из четырёх — значит все четыре.",
    },
    lambda *given: (0.5 * random(*given[:-1], seed=9), given[-1]),
    given="drops формы ({}, {}, {}), t={}",
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(7, 9), rng.randint(7, 9)),
        rng.uniform(-0.3, 0),
    ),
    mistakes={
        "Хотя бы при одной заливке — мало, нужно при любой.": lambda drops, t: (
            (drops > t).any(0).sum().item()
        ),
        "Среднее по заливкам прячет ту, при которой место безвредно.": (
            lambda drops, t: (drops.mean(0) > t).sum().item()
        ),
        "Одно и то же место сосчитано по разу на каждую заливку.": lambda drops, t: (
            (drops > t).sum().item()
        ),
        "Отрицательное падение — это рост: знак важен.": lambda drops, t: (
            harmful_places(drops.abs(), t)
        ),
    },
)
def harmful_places(drops: Tensor, t: float) -> int:
    """Places where the least drop over all fillings exceeds t."""
    return int((drops.amin(0) > t).sum())


@cases(
    "§11.9",
    {
        (4, 3): "Свёртка складывает цвета; одно и то же число умножают на три веса.",
        (3, 5): "Цвета — ось 1, а ось 0 — фильтры.",
        (1, 1): "Фильтр один, и ядро — один пиксель: осей всё равно четыре.",
    },
    lambda F, k: (random(F, 3, k, k, seed=4),),
    random_case=lambda rng: (3, rng.choice([3, 5, 7])),
    mistakes={
        "Это среднее, и ответ втрое слабее.": lambda kernels: kernels.mean(
            1, keepdim=True
        ),
        "Один цвет из трёх — не весь ответ фильтра.": lambda kernels: kernels[:, :1],
    },
)
def grey_kernels(kernels: Tensor) -> Tensor:
    """Kernels for one channel that give what these give on three equal ones."""
    return torch.einsum("fcuv->fuv", kernels)[:, None]


# --- exercises ------------------------------------------------------------------------


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
