"""Exercises of notebook 11 (what a convolutional network sees)."""

import math
from collections import OrderedDict
from collections.abc import Callable
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        (28, 28, 1, 32, 832): (
            "Ядро найдите по числу параметров, нули — по тому, как изменилась сторона.",
            "Без c_out смещений остаётся k²·c_in·c_out весов; сторона вырастает на "
            "2·padding и убывает на k − 1.",
        ),
        (28, 24, 1, 32, 832): "То же ядро, но карта меньше на k − 1: нулей нет.",
        (14, 14, 32, 64, 18496): "Каналов на входе 32: разделите и на них.",
        (12, 13, 3, 5, 245): "Ядро чётное: карта с дополнением стала даже больше.",
        (9, 13, 4, 7, 35): "Ядро 1×1 карты не уменьшает: вся прибавка — от нулей.",
        (6, 1, 2, 3, 219): "Ядро во всю карту оставило от неё один пиксель.",
    },
    random_case=lambda rng: (
        (side := rng.randint(10, 60)),
        side + 2 * rng.randint(0, 3) - (k := rng.randint(2, 7)) + 1,
        (c_in := rng.randint(2, 30)),
        (c_out := rng.randint(31, 60)),
        (k * k * c_in + 1) * c_out,
    ),
    mistakes={
        "Нули стоят с обеих сторон: нужно число на одну.": lambda *given: (
            restored(*given)[0],
            2 * restored(*given)[1],
        ),
    },
)
def restored(side: int, out: int, c_in: int, c_out: int, n: int) -> tuple[int, int]:
    """Kernel and padding of the convolution that leaves these traces, stride 1."""
    k = next(k for k in range(1, n + 1) if (k * k * c_in + 1) * c_out == n)
    return k, (out + k - 1 - side) // 2


@cases(
    "11.2",
    {
        (28, 5, 1): "При шаге 1 нули задевают по k // 2 ядер у каждого края.",
        (28, 2, 2): "Дополнять нечего: не задевает никто.",
        (27, 2, 2): "Нуль один, и стоит он после конца: его задевает последнее ядро.",
        (28, 4, 1): "Нулей всего три: один впереди, два после конца.",
        (28, 5, 2): (
            "Первое ядро начинается на ⌊P/2⌋ раньше края, следующие — через шаг.",
            "Задевает то, что началось раньше нуля или кончилось после стороны.",
        ),
        (5, 7, 2): "Ядро шире стороны: каждое задевает нули, и считать его один раз.",
        (9, 3, 4): "Из формулы (5): P = 2, по нулю с каждого края.",
        (9, 1, 3): "Меньше нуля дополнять нельзя.",
    },
    random_case=lambda rng: (rng.randint(5, 60), rng.randint(1, 9), rng.randint(1, 6)),
    mistakes={
        "Это сколько нулей, а спрашивают, сколько чисел выхода их задевают.": (
            lambda side, k, stride: max(
                (math.ceil(side / stride) - 1) * stride + k - side, 0
            )
        ),
    },
)
def touching(side: int, k: int, stride: int) -> int:
    """Outputs along a side whose kernel covers a zero of padding="same"."""
    total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
    before = total // 2
    is_zero = [True] * before + [False] * side + [True] * (total - before)
    starts = [n * stride for n in range(math.ceil(side / stride))]
    return sum(any(is_zero[start : start + k]) for start in starts)


@cases(
    "11.3",
    {  # k, delta, c, y, x, f, i, j
        (3, 1.0, 0, 4, 4, 1, 4, 4): "Изменён пиксель под серединой ядра.",
        (3, -0.5, 1, 2, 3, 2, 1, 3): (
            "Изменение умножается на тот вес, под который попал пиксель.",
            "В формуле (4) y = i + u − ⌊k/2⌋: найдите из неё u, так же v.",
        ),
        (5, 2.0, 2, 6, 1, 3, 4, 2): "Вес берут у канала f из его среза для канала c.",
        (5, 0.5, 1, 0, 3, 0, 1, 5): "Строку веса дают y и i, столбец — x и j.",
        (3, 1.5, 0, 5, 2, 2, 2, 2): "Ядро до этого пикселя не достаёт: изменения нет.",
        (5, 1.0, 2, 0, 2, 1, 3, 3): (
            "И снизу ядро не достаёт: изменения нет.",
            "Номер −1 в ядре — не последний вес, а место за краем.",
        ),
    },
    lambda k, *rest: (random(4, 3, k, k), *rest),
    given="k={}, delta={}, c={}, (y, x)=({}, {}), f={}, (i, j)=({}, {})",
    random_case=lambda rng: (
        *(rng.choice([3, 5]), rng.uniform(-2, 2), rng.randint(0, 2)),
        *(rng.randint(3, 5), rng.randint(3, 5), rng.randint(0, 3)),
        *(rng.randint(3, 5), rng.randint(3, 5)),
    ),
    mistakes={
        "Ядро сдвинуто не туда: вход и выход поменялись местами.": (
            lambda weight, delta, c, y, x, f, i, j: response(
                weight.flip(-1, -2), delta, c, y, x, f, i, j
            )
        ),
        "Перепутаны строка и столбец ядра.": lambda weight, *rest: response(
            weight.mT, *rest
        ),
    },
)
def response(
    weight: Tensor, delta: float, c: int, y: int, x: int, f: int, i: int, j: int
) -> float:
    """Change of one output of a convolution when one pixel of its input changes."""
    before = torch.zeros(weight.shape[1], 20, 20, dtype=weight.dtype)
    before[c, y + 5, x + 5] = delta
    z = F.conv2d(before[None], weight, padding=weight.shape[-1] // 2)
    return z[0, f, i + 5, j + 5].item()


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
        self.spare = nn.Identity()  # never called

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
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {"spare": []}
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
        ["head", "spare", "block.norm"],
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


@cases(
    "11.5",
    {
        (14, 14): (
            "Подходят все i, у которых y — одна из строк 2i − 6 … 2i + 7.",
            "Решите оба неравенства относительно i; слева округляют вверх, справа — "
            "вниз.",
        ),
        (15, 8): "Строка y задаёт top и bottom, столбец x — left и right.",
        (9, 20): "Строки 2i и 2i + 1 картинки видны одним и тем же пикселям карты.",
        (0, 3): "У верхнего и левого края номера не меньше 0.",
        (27, 24): "У нижнего и правого края — не больше 14.",
        (6, 21): "Первый пиксель — наименьшее i, для которого 2i + 7 ≥ y.",
    },
    random_case=lambda rng: (rng.randint(0, 27), rng.randint(0, 27)),
    mistakes={
        "Перепутаны строки и столбцы.": lambda y, x: reached(x, y),
        "bottom и right не включаются: прибавьте единицу.": lambda y, x: [
            end - n % 2 for n, end in enumerate(reached(y, x))
        ],
        "Это обратное: какие пиксели картинки видит пиксель карты.": lambda y, x: [
            *(max(2 * y - 6, 0), min(2 * y + 8, 28)),
            *(max(2 * x - 6, 0), min(2 * x + 8, 28)),
        ],
    },
)
def reached(y: int, x: int) -> list[int]:
    """Part of the 14x14 map that depends on a pixel of the 28x28 picture."""
    ends = []
    for n in (y, x):
        seeing = [i for i in range(14) if 2 * i - 6 <= n <= 2 * i + 7]
        ends += [seeing[0], seeing[-1] + 1]
    return ends


def _picture(shape: tuple[int, ...]) -> tuple[Callable, Tensor]:
    x, weight = random(*shape, seed=4), random(*shape, seed=5)

    def score(batch: Tensor) -> Tensor:
        return (batch * weight).sum((1, 2, 3)).tanh()

    return score, x


@cases(
    "11.6",
    {  # shape, corners, size, fill
        ((1, 8, 8), ((0, 0), (4, 4)), 3, 0.0): (
            "Падение от пары минус падение от первого и минус от второго.",
            "Падение — score до заслонок минус после; от пары — когда залиты оба.",
        ),
        ((3, 7, 9), ((1, 5), (3, 0), (4, 6)), 2, 1.0): "Квадрат заливают числом fill "
        "во всех каналах; угол — пара (строка, столбец).",
        ((1, 9, 6), ((2, 1), (3, 2)), 4, -0.5): "Квадраты перекрываются: общая часть "
        "заливается один раз.",
        ((2, 6, 6), ((0, 3),), 2, 0.5): "Квадрат один: пара (a, a) — это он сам.",
    },
    lambda shape, corners, *rest: (*_picture(shape), [*corners], *rest),
    random_case=lambda rng: (
        (rng.randint(2, 3), rng.randint(6, 8), rng.randint(9, 11)),
        tuple((rng.randint(0, 3), rng.randint(0, 6)) for _ in range(rng.randint(3, 4))),
        *(rng.randint(2, 3), rng.uniform(-2, 2)),
    ),
    mistakes={
        "Знак: падение от пары — с плюсом, порознь — с минусом.": lambda *given: (
            -joint_drop(*given)
        ),
        "На диагонали — та же формула: падение минус два таких же.": lambda *given: (
            joint_drop(*given).fill_diagonal_(0.0)
        ),
    },
)
def joint_drop(
    score: Callable, x: Tensor, corners: list, size: int, fill: float
) -> Tensor:
    """How much more two covered squares take from a score than one by one."""

    def masked(*squares: tuple[int, int]) -> Tensor:
        mask = torch.zeros(x.shape[1:], dtype=torch.bool)
        for i, j in squares:
            mask[i : i + size, j : j + size] = True
        return score(x.masked_fill(mask, fill)[None])[0]

    # drop(a, b) - drop(a) - drop(b), where the score of the whole picture stays once
    return torch.stack(
        [
            torch.stack([masked(a) + masked(b) - masked(a, b) for b in corners])
            for a in corners
        ]
    ) - score(x[None])
