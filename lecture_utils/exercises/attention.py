"""Exercises of notebook 06 (channel and spatial attention)."""

import math
from collections.abc import Callable
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import SILENT_HINT, cases, check, random
from lecture_utils.exercises.expect import SILENT, call, case, expect, expect_form

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§6.1",
    {
        (2, 3, 4, 5): (
            "Сколько осей у затвора и к каким осям карты они относятся?",
            "Формы для умножения — (B, C, 1, 1) и (B, 1, H, W).",
        ),
        (3, 3, 3, 3): "Если размеры равны, ошибка в осях не падает: первая ось — "
        "примеры у обоих затворов.",
        (1, 5, 5, 2): "Канальный затвор не зависит от места, пространственный — от "
        "канала.",
        (4, 2, 4, 4): "Карта может быть и квадратной: строка и столбец — разные оси.",
    },
    lambda B, C, H, W: (
        random(B, C, H, W, seed=1),
        random(B, C, seed=2).sigmoid(),
        random(B, H, W, seed=3).sigmoid(),
    ),
    random_case=lambda rng: tuple(rng.randint(2, 6) for _ in range(4)),
)
def apply_gates(x: Tensor, what: Tensor, where: Tensor) -> Tensor:
    """A map times its channel gate and its spatial gate."""
    return x * what[:, :, None, None] * where[:, None]


@cases(
    "§6.2",
    {
        (4, 2): "A — произведение двух матриц. Сначала применяется W0, а первой "
        "применяется правая.",
        (3, 3): "Если r = 1, обе матрицы квадратные и порядок по форме не узнать: "
        "первой применяется W0.",
        (6, 1): "Скрытый нейрон может быть и один: A — матрица C × C.",
        (2, 5): "Каждое число A — сумма по скрытым нейронам.",
    },
    lambda C, hidden: (random(hidden, C, seed=1), random(C, hidden, seed=2)),
    random_case=lambda rng: (rng.randint(2, 9), rng.randint(2, 6)),
    mistakes={
        "Слагаемых два, но матрица при их сумме — та же.": lambda W0, W1: 2 * W1 @ W0,
        "Матрица отражена: A умножают на столбец чисел каналов.": lambda W0, W1: (
            (W1 @ W0).T
        ),
    },
)
def without_relu(W0: Tensor, W1: Tensor) -> Tensor:
    """The one matrix that formula (2) is without its ReLU."""
    return W1 @ W0


@cases(
    "§6.3",
    {
        (15, 15, 31, 31): "Вдали от края видно всё окно 7×7.",
        (0, 0, 31, 31): "В углу окно обрезано: по каждой оси видны само место и три "
        "соседа.",
        (0, 10, 20, 30): "У верхнего края обрезаны только строки.",
        (19, 28, 20, 30): "Последняя строка — H − 1, последний столбец — W − 1.",
        (4, 1, 5, 9): "H — число строк, W — число столбцов.",
        (2, 3, 5, 7): "Окно может выйти за карту сразу с двух сторон.",
        (0, 0, 1, 1): "На карте 1×1 место одно.",
    },
    random_case=lambda rng: (
        rng.randrange(H := rng.randint(2, 20)),
        rng.randrange(W := rng.randint(2, 20)),
        H,
        W,
    ),
)
def places_seen(i: int, j: int, H: int, W: int) -> int:
    """Places of the map inside the 7×7 window around a place."""
    rows = min(i + 3, H - 1) - max(i - 3, 0) + 1
    return rows * (min(j + 3, W - 1) - max(j - 3, 0) + 1)


@cases(
    "§6.4",
    {
        (0.25,): "Четверть получается и без прибавки.",
        (0.5625,): "Сигмоид две, и множители перемножаются: чему равен каждый?",
        (0.0625,): "Если карта ослаблена сильнее четверти, b отрицательно.",
        (0.36,): "Решите σ(b) = √m: натуральный логарифм отношения σ к 1 − σ.",
    },
    random_case=lambda rng: (rng.uniform(0.05, 0.6),),
    mistakes={
        "Так было бы с одной сигмоидой, а их две подряд.": lambda m: math.log(
            m / (1 - m)
        ),
        "Проверьте знак: чем больше b, тем больше σ(b).": lambda m: math.log(
            (1 - m**0.5) / m**0.5
        ),
    },
)
def starting_bias(m: float) -> float:
    """What to add to the logits of both gates so that their product is m."""
    return math.log(m**0.5 / (1 - m**0.5))


@cases(
    "§6.5",
    {
        (((64, 4, 1),),): "Каждое число карты умножают дважды: на оба затвора.",
        (((3, 5, 3),),): "В стадии три блока, в карте 3·5·5 чисел.",
        (((8, 2, 1), (4, 3, 3)),): "Умножения всех стадий складываются.",
        (
            ((256, 56, 3), (512, 28, 4), (1024, 14, 6), (2048, 7, 3)),
        ): "Это ResNet-50: в карте C·side·side чисел, и каждое умножают дважды.",
    },
    lambda stages: (list(stages),),
    random_case=lambda rng: (
        [
            (rng.randint(2, 99), rng.randint(2, 30), rng.randint(2, 9))
            for _ in range(rng.randint(2, 5))
        ],
    ),
    mistakes={
        "Затворов два: посчитан один.": lambda stages: sum(
            C * side**2 * blocks for C, side, blocks in stages
        ),
        "Карта квадратная: мест в ней side · side.": lambda stages: sum(
            2 * C * side * blocks for C, side, blocks in stages
        ),
    },
)
def gate_multiplications(stages: list[tuple[int, int, int]]) -> int:
    """Multiplications of maps by both gates of every block."""
    return sum(2 * C * side**2 * blocks for C, side, blocks in stages)


@cases(
    "§6.6",
    {
        (1.0, 1.0, 0.25): "Затвор не отличает предмет от фона: ρ = 1.",
        (1.0, 0.5, 0.5): "Сравните долю внимания внутри предмета с долей его площади.",
        (0.25, 1.0, 0.25): "Внутри слабее, чем снаружи: ρ меньше единицы.",
        (0.75, 0.25, 0.25): "Сумма по фону — тоже с долей площади: 1 − share.",
        (0.96, 0.95, 0.1): "Затвор открыт почти одинаково: ρ чуть больше единицы.",
    },
    random_case=lambda rng: (
        rng.uniform(0.2, 1),
        rng.uniform(0.2, 1),
        rng.uniform(0.1, 0.4),
    ),
    mistakes={
        "Долю внимания внутри надо ещё сравнить с долей площади.": lambda a, b, s: (
            s * a / (s * a + (1 - s) * b)
        ),
        "Это отношение значений, а ρ сравнивает доли.": lambda a, b, s: (
            a / b if b else a
        ),
    },
)
def two_level_rho(inside: float, outside: float, share: float) -> float:
    """Formula (7) for a gate of two values."""
    return inside / (share * inside + (1 - share) * outside)


@cases(
    "§6.7",
    {
        (0.5, 0.3): "Не меньше двух ошибок: число картинок округляют вверх.",
        (0.8, 0.03): "Приравняйте gain к 2·√2·√(p(1 − p)/n) и выразите n.",
        (0.7734, 0.019): "Это ResNet-50 с CBAM: хватило бы около четырёх тысяч "
        "картинок.",
        (0.96, 0.017): "Чем меньше ошибок, тем меньше и разброс: p(1 − p).",
        (0.96, 0.034): "Вдвое больший выигрыш требует вчетверо меньше картинок.",
    },
    random_case=lambda rng: (rng.uniform(0.55, 0.97), rng.uniform(0.011, 0.09)),
    mistakes={
        "Это для одной ошибки разности, а нужно — для двух.": lambda p, gain: math.ceil(
            2 * p * (1 - p) / gain**2
        ),
        "Ошибка разности в √2 раз больше, чем s.": lambda p, gain: math.ceil(
            4 * p * (1 - p) / gain**2
        ),
        "Картинок должно хватить: округляйте вверх.": lambda p, gain: math.floor(
            8 * p * (1 - p) / gain**2
        ),
        "Число картинок — целое: округляйте вверх.": lambda p, gain: (
            8 * p * (1 - p) / gain**2
        ),
    },
)
def enough_pictures(p: float, gain: float) -> int:
    """Pictures with which a gain is two errors of a difference, by formula (8)."""
    return math.ceil(8 * p * (1 - p) / gain**2)


@cases(
    "§6.8",
    {
        (5, 7, 3): "Плитки по a пикселей стоят через d; у LKA они перекрываются.",
        (3, 7, 3): "При a = d плитки стоят вплотную.",
        (2, 7, 3): "При a < d между плитками дыры, и плитки не перекрываются.",
        (1, 4, 5): "Плитка бывает и в один пиксель.",
        (5, 1, 3): "При b = 1 прореживать нечего.",
        (5, 7, 1): "При d = 1 это две обычные свёртки подряд.",
        (6, 3, 2): "Перекрытие плиток второй раз не считают.",
    },
    random_case=lambda rng: (rng.randint(1, 9), rng.randint(2, 9), rng.randint(1, 6)),
    mistakes={
        "Это размах вместе с дырами.": lambda a, b, d: (b - 1) * d + a,
        "Плитки перекрываются, а пиксель считают один раз.": lambda a, b, d: a * b,
    },
)
def pixels_covered(a: int, b: int, d: int) -> int:
    """Pixels of one axis that a convolution and a dilated one after it depend on."""
    return (b - 1) * min(a, d) + a


# --- exercises ------------------------------------------------------------------------


@cases(
    "06.1",
    {
        (
            64,
            600,
        ): "Две матрицы, C × C/r и C/r × C, и смещения у обоих слоёв: C/r чисел "
        "и C чисел. MLP общий, считается раз.",
        (64, 580): "Смещения тоже входят в число параметров.",
        (64, 1096): "Ровно budget параметров — ещё не больше, чем budget.",
        (256, 140_000): "Если помещается и r = 1, ответ 1.",
        (100, 2_512): "Скрытый слой — C // r: r не обязано делить C.",
        (24, 73): "Самый узкий скрытый слой — один нейрон: r бывает и больше C/2.",
        (24, 72): "Меньше одного нейрона не бывает: не поместилось — верните 0.",
    },
    random_case=lambda rng: (C := rng.randint(20, 400), rng.randint(3 * C, C * C)),
    forbid=BUILDING,
)
def smallest_reduction(C: int, budget: int) -> int:
    """Smallest reduction whose channel gate has at most ``budget`` parameters."""
    for r in range(1, C + 1):
        if 2 * C * (C // r) + C + C // r <= budget:
            return r
    return 0


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
    random_case=lambda rng: tuple(rng.randint(2, 6) for _ in range(5)),
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
    random_case=lambda rng: (
        *(rng.randint(2, 9) for _ in range(4)),
        rng.choice([3, 5, 9]),
    ),
)
def spatial_gate(x: Tensor, weight: Tensor) -> Tensor:
    """Formula (3) for a kernel of any odd size."""
    both = torch.stack([x.mean(1), x.amax(1)], 1)  # (B, 2, H, W)
    return torch.sigmoid(F.conv2d(both, weight, padding=weight.shape[-1] // 2))


@cases(
    "06.4",
    {
        (21, 3): "Прореженная 7×7 занимает (7 − 1)·3 + 1 = 19 пикселей, "
        "а 5×5 добавляет ещё по два с краю.",
        (35, 5): "Размахи складываются без общего пикселя: a + b − 1.",
        (7, 1): "При d = 1 первая свёртка — 1×1 и ничего не добавляет.",
        (22, 3): "K/d округляют вверх: ⌈22/3⌉ = 8.",
        (13, 2): "K/d округляют вверх: ⌈13/2⌉ = 7.",
        (6, 3): "Если K делится на d, округлять нечего.",
    },
    random_case=lambda rng: (rng.randint(20, 90), rng.randint(2, 8)),
    mistakes={
        "K/d округляют вверх.": lambda K, d: (K // d - 1) * d + 1 + (2 * d - 1) - 1,
        "Это размах одной прореженной свёртки, а нужен — пары.": lambda K, d: (
            (math.ceil(K / d) - 1) * d + 1
        ),
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
    random_case=lambda rng: (
        *(rng.randint(3, 9) for _ in range(4)),
        rng.choice([3, 5, 7]),
    ),
)
def eca(x: Tensor, w: Tensor) -> Tensor:
    """Efficient channel attention: a convolution along the channels."""
    k = len(w)
    padded = F.pad(x.mean((2, 3)), (k // 2, k // 2))  # (B, C + k - 1)
    logits = padded.unfold(1, k, 1) @ w  # (B, C)
    return torch.sigmoid(logits)[:, :, None, None] * x


@check("06.6")
def compose(answer: Callable[[Tensor, Tensor, int], Tensor], rng: Random) -> None:
    """One depthwise kernel equal to two, the second one dilated."""
    form = (
        "Какую часть входа видит пара свёрток? Столько же должно видеть и одно ядро.",
        "Размах прореженного ядра d·(b − 1) + 1; вместе с первым a + d·(b − 1). "
        "У каждого канала своё ядро.",
    )
    values = (
        "Что добавляет к общему ядру одно число k2[i, j]?",
        "Число k2[i, j] кладёт копию k1 со сдвигом (d·i, d·j); копии складываются.",
    )
    secret = rng.randint(2, 4), rng.randint(2, 5), rng.randint(2, 4), rng.randint(1, 3)
    for sizes in [(2, 5, 7, 3), (3, 3, 3, 2), (1, 4, 2, 1), (2, 1, 3, 4), secret]:
        C, a, b, d = sizes
        k1, k2 = random(C, 1, a, a, seed=a), random(C, 1, b, b, seed=10 + b)
        side = a + d * (b - 1)
        told = sizes != secret
        given = f"C={C}, ядра {a}×{a} и {b}×{b}, d={d}" if told else SILENT
        with case(given, form if told else SILENT_HINT):
            got = call(answer, k1, k2, d)
            expect_form(got, k1.new_zeros(C, 1, side, side))
        x = random(2, C, side + 3, side + 2, seed=5)
        want = F.conv2d(F.conv2d(x, k1, groups=C), k2, dilation=d, groups=C)
        on = f"{given}, свёртка с вашим ядром" if told else SILENT
        with case(on, values if told else SILENT_HINT):
            expect(F.conv2d(x, got, groups=C), want)
