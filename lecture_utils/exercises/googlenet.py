"""Exercises of notebook 03 (GoogLeNet, 1×1 convolution, Inception)."""

import math
from collections.abc import Callable
from itertools import accumulate
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
from lecture_utils.exercises.expect import SILENT, Wrong, call, case, convolve, expect

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§3.1",
    {
        (3, 0, 1, 2): "Каналы остались на местах: какая это матрица?",
        (3, 1, 2, 0): "Первый индекс W — выходной канал, второй — входной.",
        (4, 2): "Выходных каналов столько, сколько чисел в order, — здесь один.",
        (2, 1, 1, 0): "Один входной канал бывает нужен дважды, а другой — ни разу.",
    },
    lambda channels, *order: (list(order), channels),
    random_case=lambda rng: (
        channels := rng.randint(4, 9),
        *(rng.randrange(channels) for _ in range(rng.randint(4, 9))),
    ),
)
def reorder_channels(order: list[int], channels: int) -> Tensor:
    """Weight of a 1×1 convolution that puts channels in this order."""
    return torch.eye(channels)[order][..., None, None]


@cases(
    "§3.2",
    {
        (192, 16, 32, 5): "Ранг произведения двух матриц не больше ранга каждой.",
        (192, 384, 32, 5): "Сужение шире входа ранга не прибавляет: столбцов c_in.",
        (64, 32, 2, 3): "Строк у матрицы всего 18.",
        (64, 32, 10, 1): "Строк у матрицы всего 10.",
    },
    random_case=lambda rng: (
        rng.randint(2, 60),
        rng.randint(2, 60),
        rng.randint(1, 5),
        rng.randint(1, 5),
    ),
)
def largest_rank(c_in: int, r: int, c_out: int, k: int) -> int:
    """Largest possible rank of the kernel of a reduction and a k×k convolution."""
    return min(r, c_in, k * k * c_out)


@cases(
    "§3.3",
    {
        (0, 6, 8, 4, 4): "Нулевой канал — первый у нулевой ветви.",
        (5, 6, 8, 4, 4): "У ветви из шести каналов последний — пятый: счёт с нуля.",
        (6, 6, 8, 4, 4): "Шестой канал — уже у следующей ветви.",
        (13, 6, 8, 4, 4): "Ветвь занимает отрезок от суммы предыдущих ширин.",
        (21, 6, 8, 4, 4): "Это последний канал стопки.",
        (250, 64, 128, 32, 16, 32): "Ветвей бывает и не четыре.",
    },
    lambda channel, *widths: (channel, list(widths)),
    random_case=lambda rng: (
        rng.randrange(sum(widths := rng.choices(range(1, 9), k=rng.randint(4, 8)))),
        *widths,
    ),
)
def branch_of(channel: int, widths: list[int]) -> int:
    """Branch that a channel of the stack comes from."""
    return sum(channel >= stop for stop in accumulate(widths))


@cases(
    "§3.4",
    {
        (125, 6.272): "Сколько операций приходится на один вес?",
        (125, 460.8): "К — это 1024 веса, М — 10⁶ операций.",
        (159, 128): "Округлять надо до ближайшего целого, а не вверх.",
        (380, 304): "Округлять надо до ближайшего целого, а не вниз.",
        (300, 180): "Сторона — любое целое число.",
        (1000, 1): "После общего среднего карта — одна точка.",
    },
    random_case=lambda rng: (
        weights := rng.randint(100, 900),
        round(1024 * weights * rng.randint(45, 120) ** 2 / 1e6, 1),
    ),
    mistakes={
        "Это число точек карты, а нужна сторона.": lambda weights, operations: round(
            operations * 1e6 / (1024 * weights)
        ),
    },
)
def map_side(weights: float, operations: float) -> int:
    """Side of the map by thousands of weights and millions of operations."""
    return round((operations * 1e6 / (1024 * weights)) ** 0.5)


@cases(
    "§3.5",
    {
        (1000, 0, 0.3): "Осталась одна основная голова: верному классу она даёт "
        "вероятность 1/K.",
        (10, 2, 0.3): "Голов три: основная и две вспомогательные.",
        (10, 3, 1.0): "Множитель стоит при каждой вспомогательной голове.",
        (1, 2, 0.3): "Класс один, ошибиться нельзя.",
    },
    random_case=lambda rng: (
        rng.randint(2, 2000),
        rng.randint(1, 6),
        rng.uniform(0.1, 1),
    ),
    mistakes={
        "Логарифм нужен натуральный.": lambda classes, heads, weight: (
            (1 + heads * weight) * math.log10(classes)
        ),
        "Это потери одной головы.": lambda classes, heads, weight: math.log(classes),
        "Потери вспомогательных голов складывают, а не усредняют.": (
            lambda classes, heads, weight: (1 + weight) * math.log(classes)
        ),
    },
    atol=1e-4,
)
def blind_loss(classes: int, heads: int, weight: float) -> float:
    """Loss with auxiliary heads that all guess."""
    return (1 + heads * weight) * math.log(classes)


@cases(
    "§3.6",
    {
        ((0, 0, 224, 224), 224, 224): "Рамка — весь снимок.",
        ((0, 0, 112, 224), 224, 224): "Какая доля карты может оказаться в рамке — "
        "самое большее?",
        ((10, 20, 60, 45), 100, 50): "Доля площади — это площадь рамки, делённая на "
        "площадь снимка.",
        ((200, 30, 230, 90), 320, 240): "Стороны рамки — разности координат.",
    },
    random_case=lambda rng: (
        (
            x := rng.randint(0, 50),
            y := rng.randint(0, 50),
            x + rng.randint(20, 90),
            y + rng.randint(20, 90),
        ),
        rng.randint(150, 300),
        rng.randint(150, 300),
    ),
    mistakes={
        "Это доля площади рамки; на неё делят.": lambda box, width, height: (
            1 / best_hit(box, width, height)
        ),
    },
    atol=1e-4,
)
def best_hit(box: tuple[int, int, int, int], width: int, height: int) -> float:
    """Density in the box, relative to the mean, of a map that is all in the box."""
    x1, y1, x2, y2 = box
    return width * height / ((x2 - x1) * (y2 - y1))


@cases(
    "§3.7",
    {
        (8, 8, 3): "Сколько весов у глубинной свёртки, а сколько у свёртки 1×1?",
        (256, 256, 3): "Глубинная свёртка хранит по ядру k×k на канал.",
        (16, 4, 5): "Выходных каналов меньше, чем входных: глубинная их не меняет.",
        (3, 9, 3): "Выходных каналов больше, чем входных: глубинная их не меняет.",
        (5, 7, 1): "У ядра 1×1 один вес на канал.",
    },
    random_case=lambda rng: (
        rng.randint(2, 300),
        rng.randint(2, 300),
        rng.randint(1, 9),
    ),
    mistakes={
        "Это доля глубинной свёртки.": lambda c_in, c_out, k: (
            1 - pointwise_share(c_in, c_out, k)
        ),
        "Делите на веса пары, а не полной свёртки.": lambda c_in, c_out, k: 1 / k**2,
        "Глубинная свёртка хранит k² весов на канал, а не k.": lambda c_in, c_out, k: (
            c_out / (c_out + k)
        ),
    },
)
def pointwise_share(c_in: int, c_out: int, k: int) -> float:
    """Share of weights in the 1×1 convolution after a depthwise one."""
    return c_out / (c_out + k * k)


# --- exercises ------------------------------------------------------------------------


@cases(
    "03.1",
    {
        (192, 64, 96, 128, 16, 32, 32, 28, 28): "Шесть свёрток: четыре 1×1, одна 3×3, "
        "одна 5×5; каждая работает во всех пикселях карты. Смещения не умножают.",
        (832, 384, 192, 384, 48, 128, 128, 7, 7): "Сужения и проекция читают вход "
        "модуля, большие ядра — своё сужение.",
        (5, 1, 2, 3, 4, 6, 7, 3, 8): "Карта не квадратная, каналы все разные: "
        "проверьте, что с чем перемножено.",
    },
    random_case=lambda rng: tuple(rng.randint(1, 400) for _ in range(9)),
    forbid=BUILDING,
)
def inception_operations(
    c_in: int, c1: int, r3: int, c3: int, r5: int, c5: int, proj: int, H: int, W: int
) -> int:
    """Multiply-adds of an Inception module in the paper's form."""
    pointwise = c_in * (c1 + r3 + r5 + proj)
    return H * W * (pointwise + 9 * r3 * c3 + 25 * r5 * c5)


@cases(
    "03.2",
    {
        (192, 32, 5): "Решите неравенство Q_r < Q из формул (4) и (5) относительно r.",
        (192, 128, 3): "Канал сужения стоит c_in операций в 1×1 и k²·c_out в ядре.",
        (18, 2, 3): "При r = 9 цены равны, а нужно строго меньше.",
        (2, 2, 1): "Для ядра 1×1 цены равны уже при r = 1: выгодных сужений нет.",
        (7, 3, 2): "Ответ — целое число, округлять надо вниз.",
        (8, 1, 5): "Сравнивают операции: смещения в них не входят.",
        (832, 384, 3): "Сужение бывает и большим: предела у r нет.",
    },
    random_case=lambda rng: (
        rng.randint(2, 2000),
        rng.randint(1, 2000),
        rng.randint(1, 7),
    ),
)
def widest_reduction(c_in: int, c_out: int, k: int) -> int:
    """Largest reduction that costs fewer operations than the direct convolution."""
    direct, per_channel = k * k * c_in * c_out, c_in + k * k * c_out
    return max(r for r in range(c_in + 1) if r * per_channel < direct)


@check("03.3")
def conv_to_dense(
    answer: Callable[[nn.Conv2d, int, int], nn.Linear], rng: Random
) -> None:
    """Dense layer that equals a convolution on flattened maps of one size."""
    one = (
        "Как узнать столбец матрицы, зная только ответы слоя?",
        "Столбец j — ответ свёртки (без смещения) на карту, где единица стоит на месте "
        "j, а остальное — нули.",
    )
    bias = "Смещение канала повторяется во всех пикселях этого канала подряд."
    step = "Шаг и дополнение свёртки тоже входят в матрицу."
    inputs = {
        "ядро 1×1, карта 2×3": (nn.Conv2d(3, 2, 1, bias=False), 2, 3, one),
        "ядро 3×3, карта 4×5": (nn.Conv2d(2, 3, 3, bias=False), 4, 5, one),
        "со смещением, карта 4×3": (nn.Conv2d(1, 4, 2), 4, 3, bias),
        "шаг 2, padding=1, карта 5×4": (nn.Conv2d(2, 2, 3, 2, 1), 5, 4, step),
        SILENT: (
            nn.Conv2d(2, 3, (2, 3), (rng.randint(1, 2), 1), (1, 0)),
            rng.randint(3, 5),
            rng.randint(4, 6),
            SILENT_HINT,
        ),
    }
    kept = "свёртка conv изменена. Числа скопируйте в новый слой"
    for given, (conv, H, W, hint) in inputs.items():
        randomised(conv).requires_grad_(False)
        x = random(3, conv.in_channels, H, W, seed=5)
        with case(given, hint):
            dense = call(answer, conv, H, W, kept=kept)
            if type(dense) is not nn.Linear:
                raise Wrong(f"нужен nn.Linear, получено {type(dense).__name__}")
            failed = "слой, который вернула функция, упал на развёрнутой карте"
            got = call(nn.Linear.forward, dense, x.flatten(1), failed=failed)
            expect(got, conv(x).flatten(1))


@cases(
    "03.4",
    {
        (
            8,
            5,
            4,
            6,
            4,
            6,
        ): "Окно — вся карта: это обычный ответ головы, (B, classes, 1, 1).",
        (5, 3, 5, 4, 1, 1): "Окно в одну клетку: среднее брать не от чего, а слой "
        "применяется к каналам клетки.",
        (4, 6, 6, 8, 2, 3): (
            "Среднее и линейный слой перестановочны. Что выгоднее сделать первым?",
            "Сначала карты всех классов со смещением, потом их среднее по каждому "
            "окну h×w с шагом 1.",
        ),
        (6, 4, 7, 5, 3, 1): "h — высота окна, w — ширина: окон по вертикали H − h + 1.",
    },
    lambda channels, classes, H, W, h, w: (
        random(2, channels, H, W),
        randomised(nn.Linear(channels, classes)).requires_grad_(False),
        h,
        w,
    ),
    random_case=lambda rng: (
        *(rng.randint(2, 9), rng.randint(2, 9)),
        *(rng.randint(6, 9), rng.randint(6, 9)),
        *(rng.randint(2, 3), rng.randint(4, 5)),
    ),
    mistakes={
        "Окна идут подряд, а нужны все: шаг — одна клетка.": lambda x, fc, h, w: (
            F.avg_pool2d(F.conv2d(x, fc.weight[..., None, None], fc.bias), (h, w))
        ),
        "Потеряно смещение слоя.": lambda x, fc, h, w: F.avg_pool2d(
            F.conv2d(x, fc.weight[..., None, None]), (h, w), 1
        ),
    },
    kept="исходные данные изменены. Верните новый тензор",
)
def window_answers(x: Tensor, fc: nn.Linear, h: int, w: int) -> Tensor:
    """What a head with a mean says of every window of the last map."""
    return F.avg_pool2d(F.conv2d(x, fc.weight[..., None, None], fc.bias), (h, w), 1)


@check("03.5")
def one_conv(answer: Callable[[nn.ModuleList], nn.Conv2d], rng: Random) -> None:
    """One convolution equal to the stack of branches without activations."""
    pair = (
        "Какое одно ядро заменит пару свёрток ветви? Дополнение — как у второй.",
        "Ядро пары даёт формула (6); смещение — у второй свёртки.",
    )
    sizes = (
        "Как записать меньшее ядро ядром побольше, чтобы ответ не изменился?",
        "Меньшее ядро окружите нулями до наибольшего, дополнение возьмите у наибольшей "
        "свёртки.",
    )
    order = "Ветви стоят в стопке в том же порядке: это выходные каналы свёртки."
    secret = [(rng.randint(1, 4), rng.randint(1, 4), k) for k in (3, 1, 7, 5)]
    rng.shuffle(secret)
    inputs = {
        "одна ветвь, ядро 1×1": ([(2, 3, 1)], pair),
        "одна ветвь, ядро 3×3": ([(3, 4, 3)], pair),
        "ветви 3×3 и 3×3": ([(2, 3, 3), (4, 2, 3)], order),
        "ветви 1×1 и 3×3": ([(2, 1, 1), (3, 2, 3)], sizes),
        "ветви 5×5, 1×1 и 3×3": (
            [(1, 2, 5), (2, 2, 1), (6, 3, 3)],
            ("Ядра разной величины, а порядок ветвей — тот, что дан.", sizes[1]),
        ),
        SILENT: (secret, SILENT_HINT),
    }
    kept = "исходные ветви изменены. Верните новую свёртку"
    for given, (widths, hint) in inputs.items():
        branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(5, r, 1, bias=False), nn.Conv2d(r, c, k, padding=k // 2)
            )
            for r, c, k in widths
        )
        randomised(branches)
        x = random(2, 5, 8, 9, seed=7)
        with case(given, hint):
            got = call(answer, branches, kept=kept)
            expect(convolve(got, x), torch.cat([branch(x) for branch in branches], 1))
