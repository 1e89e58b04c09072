"""Exercises of notebook 04 (residual connections)."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import (
    SILENT_HINT,
    cases,
    check,
    random,
    randomised,
)
from lecture_utils.exercises.expect import (
    SILENT,
    Wrong,
    call,
    case,
    convolve,
    expect,
    expect_form,
    parts,
)

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§4.1",
    {
        (2, 10, 6, 26): "Деградация — рост ошибки на обучении. Какая это доля роста "
        "ошибки на проверке?",
        (1, 5, 41, 45): "Разрыв между проверкой и обучением не изменился: весь рост — "
        "деградация.",
        (4, 8, 4, 28): "Ошибка на обучении не выросла: деградации нет.",
        (8, 12, 2, 20): "Ошибка на обучении упала: доля отрицательна.",
        (20, 30, 50, 45): "Разрыв между проверкой и обучением сократился: доля больше "
        "единицы.",
    },
    random_case=lambda rng: (
        train := rng.randint(1, 30),
        val := train + rng.randint(1, 20),
        rng.randint(0, 40),
        val + rng.randint(10, 40),
    ),
    mistakes={
        "Это доля переобучения, а нужна — деградации.": lambda s, S, d, D: (
            1 - (d - s) / (D - S)
        ),
        "Нужна доля от роста ошибки, а не от самой ошибки.": lambda s, S, d, D: (
            (d - s) / D
        ),
        "Нужна доля, а не проценты.": lambda s, S, d, D: 100 * (d - s) / (D - S),
    },
)
def degradation_share(
    shallow_train: float, shallow_val: float, deep_train: float, deep_val: float
) -> float:
    """What part of the growth of the validation error is that of the training error."""
    return (deep_train - shallow_train) / (deep_val - shallow_val)


@cases(
    "§4.2",
    {
        ((0.5,), 1): "Производная суммы F(x) + x — это F′ + 1.",
        ((0.5, 0.25), 0): "Без пропусков остаётся произведение производных ветвей.",
        ((0.5, -0.2, 0.1), 1): "Слагаемое от пропуска есть в каждом блоке, а блоки "
        "перемножаются.",
        ((0.5, 0.25), 0.5): "Множитель skip стоит при x, а не при F.",
        ((0.0, 0.0, 0.0), 0.5): "И при нулевых F′ путь по пропускам остаётся: по "
        "множителю skip на блок.",
    },
    lambda slopes, skip: (list(slopes), skip),
    random_case=lambda rng: (
        tuple(rng.uniform(-0.5, 0.5) for _ in range(rng.randint(2, 6))),
        rng.uniform(0.3, 0.9),
    ),
)
def derivative(slopes: list[float], skip: float) -> float:
    """Formula (2) for blocks on numbers, with formula (3) for each."""
    return math.prod(skip + slope for slope in slopes)


@cases(
    "§4.3",
    {
        (1, 3): "F(x) = H(x) − x. Какое ядро возвращает вход без изменений?",
        (3, 3): (
            "Как выглядит ядро, которое возвращает все каналы без изменений?",
            "У ядра Дирака единица стоит в центре и только там, где номера выходного "
            "и входного каналов равны.",
        ),
        (4, 1): "У ядра 1×1 центр — единственное число.",
        (2, 5): "Центр ядра — место k // 2 по обеим осям.",
    },
    lambda C, k: (random(C, C, k, k, seed=C),),
    random_case=lambda rng: (rng.randint(2, 6), 2 * rng.randint(0, 3) + 1),
    mistakes={
        "Проверьте знак: F(x) = H(x) − x.": lambda weight: (
            weight + nn.init.dirac_(torch.empty_like(weight))
        ),
        "Это x − H(x), а нужно H(x) − x.": lambda weight: (
            nn.init.dirac_(torch.empty_like(weight)) - weight
        ),
    },
)
def residual_kernel(weight: Tensor) -> Tensor:
    """Kernel of the branch whose sum with the input is the given convolution."""
    return weight - nn.init.dirac_(torch.empty_like(weight))


@cases(
    "§4.4",
    {
        ((2, 2, 2, 2), 2): "У ResNet-18 восемь блоков по две свёртки и ещё два слоя с "
        "весами.",
        ((3, 4, 6, 3), 3): "У ResNet-50 по три свёртки на ветви каждого блока.",
        ((3, 8, 36, 3), 3): "Складываются блоки всех стадий, проекции не в счёт.",
        ((4,), 2): "Стадия бывает и одна.",
        ((1, 2, 3), 1): "Свёрток на ветви бывает и одна.",
    },
    random_case=lambda rng: (
        tuple(rng.randint(1, 9) for _ in range(rng.randint(2, 6))),
        rng.randint(1, 4),
    ),
    mistakes={
        "Кроме блоков, веса есть у первой свёртки и у линейного слоя.": lambda n, k: (
            k * sum(n)
        ),
        "Проекции не в счёт.": lambda n, k: 2 + k * sum(n) + len(n),
    },
)
def net_number(counts: tuple[int, ...], convs: int) -> int:
    """Layers with weights of a ResNet, as its name counts them."""
    return 2 + convs * sum(counts)


@cases(
    "§4.5",
    {
        ((5, 5, 1),): "Пять нейронов одного слоя переставляют 5! способами.",
        ((3, 4, 2),): "Переставляют только скрытые нейроны: входы и выходы стоят.",
        (
            (2, 3, 4, 2),
        ): "Перестановки разных слоёв независимы: числа способов перемножаются.",
        ((6, 1, 1, 5),): "Один нейрон переставить не с кем; само решение — тоже копия.",
        ((7, 2),): "Скрытых слоёв нет: копия одна.",
        (
            (4, 3, 3, 3, 4),
        ): "Каждый слой переставляют внутри себя: слои местами не меняются.",
    },
    lambda widths: (list(widths),),
    random_case=lambda rng: ([rng.randint(2, 7) for _ in range(rng.randint(3, 6))],),
    mistakes={
        "Входы и выходы не переставляют.": lambda n: math.prod(map(math.factorial, n)),
    },
)
def count_copies(widths: list[int]) -> int:
    """Permutations of the hidden neurons of a dense net that keep its function."""
    return math.prod(map(math.factorial, widths[1:-1]))


@cases(
    "§4.6",
    {
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (2, 3, 4, 5)): "Предобработка совпала со "
        "своей: сеть видит сам снимок. Каналы — ось 1.",
        (
            (0.0, 0.0, 0.0),
            (1.0, 1.0, 1.0),
            (1, 3, 4, 2),
        ): "Яркость не меняли вовсе. Что для сети значит число 0, а что — число 1?",
        ((0.5, 0.25, 0.75), (0.25, 0.25, 0.5), (2, 3, 5, 4)): "У каждого канала свои "
        "mean и std, а канал — ось 1.",
        ((0.48, 0.46, 0.41), (0.23, 0.22, 0.22), (3, 3, 3, 3)): "Если H и W тоже равны "
        "трём, ошибка в оси не падает: канал — ось 1.",
    },
    lambda mean, std, shape: (
        random(*shape).sigmoid(),
        torch.tensor(mean),
        torch.tensor(std),
    ),
    random_case=lambda rng: (
        tuple(rng.uniform(0.2, 0.8) for _ in range(3)),
        tuple(rng.uniform(0.2, 0.6) for _ in range(3)),
        (rng.randint(1, 3), 3, rng.randint(2, 6), rng.randint(2, 6)),
    ),
    mistakes={
        "Это числа, которые сеть получила, а не снимок, который за ними видит.": (
            lambda x, mean, std: (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        ),
        "Обрезать яркость не нужно.": lambda x, mean, std: (
            (x - mean.view(3, 1, 1)) / std.view(3, 1, 1) / 2 + 0.5
        ).clamp(0, 1),
        "Свою предобработку надо обратить, а не применить.": lambda x, mean, std: (
            2 * (x - mean.view(3, 1, 1)) / std.view(3, 1, 1) - 1
        ),
    },
)
def as_the_net_sees(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The picture that the net's own preprocessing would turn into these numbers."""
    return 0.5 * (x - mean.view(3, 1, 1)) / std.view(3, 1, 1) + 0.5


@cases(
    "§4.7",
    {
        (3, 40, 80, 2): "Первый блок меняет и шаг, и каналы; у остальных пропуск есть.",
        (4, 24, 24, 1): "Если первый блок ничего не меняет, пропуск есть и у него.",
        (3, 80, 112, 1): "Шаг 1, но каналов стало больше: складывать нельзя.",
        (2, 112, 80, 1): "Каналов стало меньше: складывать тоже нельзя.",
        (5, 32, 32, 2): "Каналов столько же, но карта стала меньше.",
        (1, 16, 24, 2): "Единственный блок меняет карту: пропусков нет.",
    },
    random_case=lambda rng: (
        rng.randint(1, 9),
        8 * (c := rng.randint(1, 4)),
        8 * rng.choice([c, c, c + 1]),
        rng.randint(1, 2),
    ),
)
def blocks_with_skip(count: int, c_in: int, c_out: int, stride: int) -> int:
    """Blocks of a stage of MBConv whose input and output have the same form."""
    return count - 1 + int(stride == 1 and c_in == c_out)


# --- exercises ------------------------------------------------------------------------


@cases(
    "04.1",
    {
        (64, 64, 1): "Две свёртки 3×3 без смещений и по два вектора у каждой BN.",
        (64, 128, 2): "При смене размера добавляется проекция: 1×1 и своя BN.",
        (64, 128, 1): "Проекция нужна и тогда, когда меняется только число каналов.",
        (64, 64, 2): "Проекция нужна и тогда, когда меняется только шаг.",
        (3, 7, 1): "Каналы входа и выхода входят в формулу по-разному.",
        (128, 64, 1): "Проекция нужна и тогда, когда каналов становится меньше.",
        (64, 64, 3): "Проекция нужна при любом шаге, кроме 1.",
    },
    random_case=lambda rng: (
        rng.randint(1, 9),
        rng.randint(1, 9) * 10,
        rng.randint(1, 4),
    ),
    forbid=BUILDING,
)
def block_parameters(c_in: int, c: int, stride: int) -> int:
    """Number of parameters of a basic block."""
    projection = c_in * c + 2 * c if stride != 1 or c_in != c else 0
    return 9 * c_in * c + 9 * c * c + 4 * c + projection


@check("04.2")
def canonical(answer: Callable, rng: Random) -> None:
    """The one form of all nets that are x -> W2 relu(W1 x + b1) up to symmetries."""
    hints = {
        "W1": (
            "Нейрон — строка W1. Чему должна быть равна её длина и кто стоит первым?",
            "Строку делят на её длину; порядок — по возрастанию новых смещений.",
        ),
        "b1": (
            "Что становится со смещением, когда строку W1 делят на её длину?",
            "Смещение делят на то же число, а сортируют уже новые смещения.",
        ),
        "W2": (
            "Нейрон стал слабее. Что надо сделать с его весами на выходе?",
            "ReLU(az) = a·ReLU(z): столбец W2 умножают на то, на что делили строку W1; "
            "порядок столбцов — как у нейронов.",
        ),
    }
    unit, sorted_ = torch.tensor([3.0, 3.0, 3.0]), torch.tensor([0, 1, 2])
    scales = torch.tensor([0.5, 4.0, 2.0, 1.5])
    n = rng.randint(5, 7)
    secret = torch.tensor([rng.uniform(0.2, 5) for _ in range(n)])
    for given, scale, order in [
        ("три нейрона, все строки W1 длины 3", unit, torch.tensor([1, 2, 0])),
        ("три нейрона, порядок верен", scales[:3], sorted_),
        ("четыре нейрона", scales, torch.tensor([2, 0, 3, 1])),
        ("копия той же сети", scales.flip(0), torch.tensor([3, 2, 0, 1])),
        (SILENT, secret, torch.tensor(rng.sample(range(n), n))),
    ]:
        n = len(scale)
        rows, want_b = random(n, 2, seed=1), random(n, seed=2).sort().values
        want = rows / rows.norm(dim=1, keepdim=True), want_b, random(3, n, seed=3)
        scale = scale.to(want_b)
        W1, b1 = want[0] * scale[:, None], want_b * scale
        W2 = want[2] / scale
        with case(given, "Ответ — тройка: return W1, b1, W2."):
            result = call(answer, W1[order], b1[order], W2[:, order])
            got = parts(result, "W1, b1, W2")
        for part, right, (name, hint) in zip(got, want, hints.items(), strict=True):
            with case(given and f"{given}: {name}", hint if given else SILENT_HINT):
                expect(part, right)


class _Narrow(ResNet):
    """A ResNet with a sixteenth of the channels: the same names, a quick check."""

    def _make_layer(self, block: Any, planes: int, *args: Any, **options: Any) -> Any:
        return super()._make_layer(block, planes // 16, *args, **options)


@check("04.3")
def zero_init(answer: Callable[[nn.Module], nn.Module], rng: Random) -> None:
    """Every residual block of a ResNet starts as the identity (or its projection)."""
    layers = [rng.randint(1, 2) for _ in range(4)]
    inputs: dict[str, tuple[type[BasicBlock | Bottleneck], str, list[int]]] = {
        "сеть из BasicBlock": (BasicBlock, "bn2", [2, 1, 1, 1]),
        "сеть из Bottleneck": (Bottleneck, "bn3", [2, 1, 1, 1]),
        SILENT: (Bottleneck, "bn3", layers),
    }
    for given, (block, last, layers) in inputs.items():
        before = randomised(_Narrow(block, layers, num_classes=3))
        hint = (
            "Какой слой ветви последний и что он прибавляет к её ответу?",
            f"Обнулите и weight, и bias последней нормировки ветви ({last}).",
        )
        with case(given, hint if given else SILENT_HINT):
            after = call(answer, before)
            if not isinstance(after, nn.Module) or (
                before.state_dict().keys() != after.state_dict().keys()
            ):
                raise Wrong("это не та же сеть")
        twins = (
            "Имена BasicBlock и Bottleneck в тетради заняты нашими классами: "
            "isinstance с ними на сети из torchvision всегда ложно.",
            "Возьмите классы из torchvision.models.resnet; менять надо параметры "
            "нормировки, а не прямой проход.",
        )
        with case(given, twins if given else SILENT_HINT):
            if _same_numbers(before, after):
                raise Wrong("в сети не изменился ни один параметр")
        for name, module in after.named_modules():
            if isinstance(module, block):
                x = random(2, module.conv1.in_channels, 8, 8).relu()
                on = given and f"{given}, блок {name}"
                with case(on, hint if given else SILENT_HINT):
                    shortcut = x if module.downsample is None else module.downsample(x)
                    got = call(module, x, failed="блок упал")
                    expect(got, F.relu(shortcut))
                    _expect_learnable(got, getattr(module, last))
        with case(given):
            _expect_untouched(before, after, last)


def _same_numbers(before: nn.Module, after: nn.Module) -> bool:
    old, new = before.state_dict(), after.state_dict()
    return all(torch.equal(old[name], new[name]) for name in old)


def _expect_learnable(got: Tensor, norm: nn.Module) -> None:
    """Check that the branch can leave zero: a gradient reaches its normalisation."""
    weights = [p for p in norm.parameters() if p.requires_grad]
    if got.requires_grad and weights:
        gradients = torch.autograd.grad(got.sum(), weights, allow_unused=True)
        if any(g is not None and g.any() for g in gradients):
            return
    raise Wrong(
        "ветвь не сможет обучаться: до её последней нормировки не доходит градиент"
    )


def _expect_untouched(before: nn.Module, after: nn.Module, last: str) -> None:
    for name, old in before.named_parameters():
        new = after.get_parameter(name)
        if not torch.equal(old, new) and f".{last}." not in name:
            raise Wrong(
                f"изменён лишний параметр {name}. "
                "Ветвь должна уметь выйти из нуля: её свёртки остаются как были"
            )
        if not new.requires_grad:
            raise Wrong(f"параметр {name} заморожен, а должен обучаться")


def _block(channels: int, size: int) -> tuple[Tensor, *tuple[nn.Module, ...]]:
    """Input, normalisation, convolution, normalisation, convolution."""
    layers = [
        layer
        for _ in range(2)
        for layer in (
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
    ]
    randomised(nn.ModuleList(layers)).requires_grad_(False)
    return random(2, channels, size, size), *layers


@cases(
    "04.4",
    dict.fromkeys(
        [(4, 6), (3, 5)],
        "Порядок: BN → ReLU → свёртка, дважды; складывается исходный x, "
        "после сложения ничего нет.",
    ),
    _block,
    random_case=lambda rng: (rng.randint(2, 7), rng.randint(4, 8)),
)
def pre_activation(
    x: Tensor, bn1: nn.Module, conv1: nn.Module, bn2: nn.Module, conv2: nn.Module
) -> Tensor:
    """Forward pass of the pre-activation block: BN, ReLU, conv, BN, ReLU, conv, sum."""
    return x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


@check("04.5")
def stochastic_depth(
    answer: Callable[[Tensor, float, bool], Tensor], rng: Random
) -> None:
    """Residual branch dropped for whole examples, its mean kept."""
    y = random(4000, 2, 2, 2).abs() + 0.1
    hint = "Вне обучения ветвь не выключается и не масштабируется."
    with case("p=0.25, training=False", hint):
        expect(call(answer, y, 0.25, False), y)
    with case("p=0.0, training=True", "При p=0 ничего не выключается."):
        expect(call(answer, y, 0.0, True), y)
    hint = (
        "С вероятностью p пример выключается целиком, каждый сам по себе; "
        "остальные делят на 1 − p, чтобы среднее не изменилось."
    )
    chance = (
        "Жребий у каждого примера свой и при каждом вызове новый: не число "
        "выключенных, а только вероятность задана заранее."
    )
    for p, told in ((0.25, True), (0.6, True), (rng.uniform(0.3, 0.7), False)):
        given = f"p={p}, training=True" if told else SILENT
        with case(given, hint if told else SILENT_HINT):
            got = call(answer, y, p, True)
            expect_form(got, y)
            _expect_dropped(got, y, p)
        given = f"p={p}, пакет из 4 примеров, 400 вызовов" if told else SILENT
        with case(given, chance if told else SILENT_HINT):
            _expect_independent([call(answer, y[:4], p, True) for _ in range(400)], p)


def _expect_dropped(got: Tensor, y: Tensor, p: float) -> None:
    dropped = (got == 0).flatten(1)
    whole = dropped.all(1)
    if not torch.equal(whole, dropped.any(1)):
        raise Wrong("внутри одного примера обнулена часть чисел: это Dropout")
    share, spread = whole.double().mean().item(), (p * (1 - p) / len(y)) ** 0.5
    if abs(share - p) > 6 * spread:
        raise Wrong(f"выключена доля примеров {share:.2f}")
    expect(got[~whole], y[~whole] / (1 - p))


def _expect_independent(calls: list[Tensor], p: float) -> None:
    """Check the chance of every place and the spread of their number, to 6 sigma."""
    dropped = torch.stack([(got == 0).flatten(1).all(1) for got in calls]).double()
    n, places = dropped.shape
    for place, share in enumerate(dropped.mean(0).tolist(), 1):
        if abs(share - p) > 6 * (p * (1 - p) / n) ** 0.5:
            raise Wrong(f"пример {place} выключен в доле вызовов {share:.2f}")
    spread, right = dropped.sum(1).var().item(), places * p * (1 - p)
    if abs(spread - right) > 6 * right * (2 / n) ** 0.5:
        raise Wrong(
            f"дисперсия числа выключенных примеров {spread:.2f}, а у независимых "
            f"{right:.2f}"
        )


@check("04.6")
def fold_bn(
    answer: Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Conv2d], rng: Random
) -> None:
    """Convolution that equals convolution followed by BatchNorm in eval mode."""
    formula = (
        "Запишите BN как z·a + b для каждого канала: чему равны a и b?",
        "BN: γ·(z − μ)/√(σ² + ε) + β. Проверьте, что учтены ε, μ и смещение самой "
        "свёртки.",
    )
    geometry = (
        "Всё остальное у новой свёртки как у старой: шаг, дополнение, группы, "
        "прореживание (dilation)."
    )
    stride, padding = (1, rng.randint(1, 2)), (rng.randint(0, 2), 1)
    convs = {
        "свёртка без смещения": (nn.Conv2d(3, 4, 3, padding=1, bias=False), formula),
        "свёртка со смещением": (nn.Conv2d(3, 4, 3, bias=True), formula),
        "шаг 2, две группы": (
            nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False),
            geometry,
        ),
        "dilation=2": (nn.Conv2d(2, 3, 3, dilation=2), geometry),
        SILENT: (nn.Conv2d(3, 5, (3, 2), stride, padding), SILENT_HINT),
    }
    kept = "исходная свёртка или BN изменены. Верните новую свёртку"
    for given, (conv, hint) in convs.items():
        bn = nn.BatchNorm2d(conv.out_channels, eps=0.1)
        pair = randomised(nn.Sequential(conv, bn))
        x = random(2, conv.in_channels, 7, 7)
        with case(given, hint):
            expect(convolve(call(answer, conv, bn, kept=kept), x), pair(x))
