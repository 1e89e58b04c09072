"""Exercises of notebook 06 (channel and spatial attention)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import cases, random

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
        (0.5, 3.0): "Затвор равен ½, когда на входе сигмоиды ноль. А ноль, умноженный "
        "на k?",
        (0.8, 1.0): "Карта не изменилась: и затвор прежний. Логарифм натуральный.",
        (0.8, 3.0): "Среднее и максимум вырастут в k раз. А ответ MLP без смещений?",
        (0.2, 2.0): "На входе сигмоиды отрицательное число: затвор ещё закроется.",
        (0.9, 0.5): "k бывает и меньше единицы: тогда затвор ближе к ½.",
    },
    random_case=lambda rng: (rng.uniform(0.05, 0.95), rng.uniform(0.3, 3)),
    mistakes={
        "В k раз вырастет вход сигмоиды, а не она сама.": lambda g, k: k * g,
        "MLP не нормирует: большая карта даёт и большие числа.": lambda g, k: g,
        "Множитель прошёл через MLP один раз, а слагаемых два: сумма тоже вырастает "
        "в k раз, не больше.": lambda g, k: gate_of_scaled(g, 2 * k),
    },
)
def gate_of_scaled(g: float, k: float) -> float:
    """What a channel gate becomes when its map is multiplied by a positive number."""
    return g**k / (g**k + (1 - g) ** k)


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


def _padded(B: int, C: int, H: int, W: int, share: float, seed: int = 1) -> tuple:
    """Negative maps and where they are real; other places hold what catches the eye."""
    generator = torch.Generator().manual_seed(seed)
    valid = torch.rand(B, H, W, generator=generator) < share
    valid[:, -1, 0] = True
    x = random(B, C, H, W, seed=seed) - 2
    return x.where(valid[:, None], 7 + x), valid


@cases(
    "06.2",
    {
        (2, 3, 4, 5, 1.0): "Дополнения нет: это обычные среднее и максимум по H "
        "и W; средние стоят первыми.",
        (2, 3, 4, 5, 0.5): "Сумму по настоящим местам делят на их число: у каждого "
        "примера своё.",
        (3, 2, 5, 4, 0.2): (
            "Что окажется больше всех, если карта отрицательна, а дополнение стало "
            "нулями?",
            "Перед максимумом дополнению дают −∞: masked_fill.",
        ),
        (3, 3, 3, 3, 0.4): "Если B = C, ошибка в осях не падает: у valid есть примеры, "
        "строки и столбцы, но нет каналов.",
    },
    _padded,
    random_case=lambda rng: (
        *(rng.randint(2, 6) for _ in range(4)),
        rng.uniform(0.3, 0.6),
        rng.randrange(1000),
    ),
    mistakes={
        "Максимум взят вместе с дополнением, где стоят нули.": lambda x, valid: (
            torch.stack([pool_valid(x, valid)[0], (x * valid[:, None]).amax((2, 3))])
        ),
        "Сумму делят на число настоящих мест, а не всех.": lambda x, valid: torch.stack(
            [(x * valid[:, None]).mean((2, 3)), pool_valid(x, valid)[1]]
        ),
    },
    kept="исходные тензоры изменены. Верните новый",
)
def pool_valid(x: Tensor, valid: Tensor) -> Tensor:
    """Mean and maximum of every channel over the places that are real."""
    pairs = list(zip(x, valid, strict=True))
    means = [example[:, where].mean(1) for example, where in pairs]
    tops = [example[:, where].amax(1) for example, where in pairs]
    return torch.stack([torch.stack(means), torch.stack(tops)])


@cases(
    "06.3",
    {
        (2, 8, 9, 11, 7, 1): "Группа одна: карта, умноженная на затвор формулы (3). "
        "Дополнение — k // 2.",
        (2, 6, 5, 7, 3, 2): (
            "Сколько затворов у одного примера? Каждый умножают на каналы своей "
            "группы.",
            "Сделайте из (B, C, H, W) карту (B·groups, C/groups, H, W): группы станут "
            "примерами. В конце верните форму.",
        ),
        (1, 4, 6, 5, 5, 4): "В группе один канал: среднее и максимум — он сам.",
        (3, 6, 4, 4, 1, 3): "Группа — каналы подряд: 0 и 1, 2 и 3, 4 и 5.",
    },
    lambda B, C, H, W, k, groups: (
        random(B, C, H, W, seed=k),
        random(1, 2, k, k, seed=k + 1),
        groups,
    ),
    random_case=lambda rng: (
        rng.randint(2, 4),
        (groups := rng.randint(2, 4)) * rng.randint(2, 3),
        *(rng.randint(3, 8), rng.randint(3, 8), rng.choice([3, 5, 9])),
        groups,
    ),
    mistakes={
        "Верните карту, умноженную на затворы, а не сами затворы.": (
            lambda x, weight, groups: grouped_gates(x, weight, groups) / x
        ),
    },
    kept="исходные тензоры изменены. Верните новый",
)
def grouped_gates(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """A map times gates by formula (3), one for each group of channels."""
    parts = []
    for part in x.chunk(groups, 1):
        s = torch.stack([part.mean(1), part.amax(1)], 1)  # (B, 2, H, W)
        logits = F.conv2d(s, weight, padding=weight.shape[-1] // 2)
        parts.append(part * torch.sigmoid(logits))
    return torch.cat(parts, 1)


@cases(
    "06.4",
    {
        (21,): "При d = 2 чисел 3² + 11² = 130, при d = 3 — 5² + 7² = 74, при d = 4 — "
        "7² + 6² = 85.",
        (2,): "Малому ядру прореживать нечего: перебор начинается с d = 1.",
        (9,): "При d = 2 и d = 3 чисел поровну, 34: нужно меньшее d.",
        (11,): "K на d делиться не обязано: переберите все d от 1 до K.",
        (22,): "K/d округляют вверх: ⌈22/4⌉ = 6.",
        (38,): "Ядра квадратные: чисел (2d − 1)² и ⌈K/d⌉².",
        (100,): "Чем больше ядро, тем больше и лучшее d.",
    },
    random_case=lambda rng: (rng.randint(22, 400),),
    mistakes={
        "Это число чисел ядер, а нужно само d.": lambda K: min(
            (2 * d - 1) ** 2 + math.ceil(K / d) ** 2 for d in range(1, K + 1)
        ),
    },
)
def best_dilation(K: int) -> int:
    """Dilation with which the paper's recipe for a K×K kernel has fewest numbers."""
    return min(range(1, K + 1), key=lambda d: (2 * d - 1) ** 2 + math.ceil(K / d) ** 2)


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


@cases(
    "06.6",
    {
        (1, 2, 3, True): (
            "Это ядро уже собрано из одинаковых плиток: оно не должно измениться.",
            "Вырежьте плитки d×d и разверните каждую в строку матрицы: её ранг 1.",
        ),
        (1, 3, 2, False): (
            "Как выглядит ядро, у которого все плитки пропорциональны одной?",
            "Матрица плиток (b², d²) должна стать матрицей ранга 1; ближайшую даёт "
            "первое слагаемое torch.linalg.svd. Потом верните плитки на места.",
        ),
        (3, 2, 4, False): "У каждого канала своя плитка и свои множители.",
        (2, 1, 5, False): "Плитка одна: подходит любое ядро.",
        (2, 4, 1, False): "Плитка — одно число: подходит любое ядро.",
    },
    lambda C, b, d, tiled, seed=0: (_kernel(C, b, d, tiled, seed), d),
    random_case=lambda rng: (
        rng.randint(1, 3),
        rng.randint(2, 5),
        rng.randint(2, 4),
        False,
        rng.randrange(1000),
    ),
    kept="исходное ядро изменено. Верните новое",
)
def best_tiles(kernel: Tensor, d: int) -> Tensor:
    """The nearest depthwise kernel that is made of one tile d×d times numbers."""
    C, b = len(kernel), kernel.shape[-1] // d
    tiles = kernel.view(C, b, d, b, d).transpose(2, 3).reshape(C, b * b, d * d)
    U, S, V = torch.linalg.svd(tiles, full_matrices=False)
    tiles = S[:, :1, None] * U[:, :, :1] * V[:, :1]
    return tiles.view(C, b, b, d, d).transpose(2, 3).reshape(kernel.shape)


def _kernel(C: int, b: int, d: int, tiled: bool, seed: int) -> Tensor:
    if not tiled:
        return random(C, 1, b * d, b * d, seed=seed)
    far, near = random(C, b, b, seed=seed), random(C, d, d, seed=seed + 1)
    return torch.einsum("cij,cuv->ciujv", far, near).reshape(C, 1, b * d, b * d)
