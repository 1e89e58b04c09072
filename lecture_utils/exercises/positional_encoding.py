"""Exercises of notebook 10 (positional encoding)."""

import math
from itertools import permutations
from random import Random

import torch
from torch import Tensor

from lecture_utils.exercises.cases import cases, random

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§10.1",
    {
        ("кот",): "Фраза из одного слова одна.",
        ("мать", "любит", "дочь"): "Среднее не меняется ни при каком порядке слов.",
        ("да", "нет", "да"): "Если поменять местами одинаковые слова, фраза та же.",
        ("очень", "сильно", "очень", "сильно", "очень"): (
            "Повторяются два слова, каждое своё число раз.",
            "Порядков N!, и каждая фраза встретится среди них столько раз, сколько "
            "способов переставить одинаковые слова.",
        ),
    },
    lambda *words: ([*words],),
    random_case=lambda rng: (*rng.choices("абв", k=rng.randint(5, 7)),),
    mistakes={
        "Столько порядков у разных слов, а здесь есть одинаковые.": (
            lambda words: math.factorial(len(words))
        ),
    },
)
def phrases_alike(words: list[str]) -> int:
    """How many phrases of the same words have the same mean answer."""
    return len(set(permutations(words)))


@cases(
    "§10.2",
    {
        (3, 0, 8): "На месте 0 — синус, и его частота равна 1.",
        (3, 4, 8): "Косинусы начинаются с места d // 2, снова с пары 0.",
        (5, 3, 8): "Здесь пара 3: показатель в формуле (3) — −2i/d.",
        (2, 7, 8): "На последнем месте — косинус самой медленной пары.",
        (4, 5, 6): "Номер пары — то, что остаётся от j после деления на d // 2.",
        (0, 3, 4): "В позиции 0 все синусы — нули, все косинусы — единицы.",
    },
    random_case=lambda rng: (
        rng.randint(1, 9),
        rng.randint(1, 2 * (half := rng.randint(2, 10)) - 1),
        2 * half,
    ),
    mistakes={
        "Это раскладка парами, а у Marian сначала идут все синусы.": (
            lambda pos, j, d: marian_number(pos, j // 2 + j % 2 * (d // 2), d)
        )
    },
    atol=1e-5,  # of an angle up to 9 in float32
)
def marian_number(pos: int, j: int, d: int) -> float:
    """One number of the half-split encoding."""
    half, i = divmod(j, d // 2)
    return (math.cos if half else math.sin)(pos * 10_000 ** (-2 * i / d))


@cases(
    "§10.3",
    {
        (3, 4, 2): (
            "Пара всего одна, позиции соседние.",
            "Раскройте квадрат: две длины в квадрате минус удвоенное произведение.",
        ),
        (6, 6, 8): "Позиция та же: расстояние — нуль.",
        (1, 9, 6): "Сумма в формуле (5) — по d/2 парам.",
        (9, 1, 6): "От перестановки m и n ничего не зависит.",
        (0, 20, 16): "Важна только разность позиций.",
    },
    random_case=lambda rng: (
        *(rng.randint(0, 9), rng.randint(10, 25)),
        2 * rng.randint(2, 8),
    ),
    mistakes={
        "Это само расстояние, а нужен его квадрат.": (
            lambda m, n, d: abs(squared_gap(m, n, d)) ** 0.5
        ),
        "Квадрат длины кодировки — d/2, а длин в сумме две.": lambda m, n, d: (
            squared_gap(m, n, d) - d / 2
        ),
        "Это для векторов длины 1, а квадрат длины кодировки — d/2.": lambda m, n, d: (
            squared_gap(m, n, d) / (d / 2)
        ),
    },
    atol=1e-4,  # of a sum of cosines in float32
)
def squared_gap(m: int, n: int, d: int) -> float:
    """Squared distance between the encodings of two positions."""
    return 2 * sum(
        1 - math.cos((m - n) * 10_000 ** (-2 * i / d)) for i in range(d // 2)
    )


@cases(
    "§10.4",
    {
        (0.25, 3): (
            "Вес пропорционален экспоненте оценки, а она меньше на s·r.",
            "Значит, вес меньше в exp(s·r) раз: приравняйте это к times.",
        ),
        (0.5, 8): "Наклон круче — расстояние короче: на s делят.",
        (1.0, 10): "Возьмите логарифм отношения весов.",
        (2.0, 1): "В один раз — это на том же месте: расстояние 0.",
        (0.125, 2.5): "Наклон меньше — вес падает медленнее: расстояние больше.",
    },
    random_case=lambda rng: (rng.uniform(0.2, 2), rng.uniform(1.5, 20)),
    mistakes={
        "Логарифм нужен натуральный: в softmax стоит e.": (
            lambda s, times: math.log2(times) / s
        ),
        "Логарифм нужен натуральный, а не десятичный: в softmax стоит e.": (
            lambda s, times: math.log10(times) / s
        ),
        "Расстояние не отрицательно.": lambda s, times: -math.log(times) / s,
        "Расстояние бывает дробным: не округляйте.": lambda s, times: round(
            math.log(times) / s
        ),
    },
    atol=1e-5,  # of a quotient up to 20 in float32
)
def fading_distance(s: float, times: float) -> float:
    """Distance at which the weight under ALiBi is so many times smaller."""
    return math.log(times) / s


@cases(
    "§10.5",
    {
        (16, 16, 3, 10): "Новых мест нет: все ответы верны.",
        (32, 16, 3, 10): (
            "Сложите верные ответы на виденных местах и на новых.",
            "Виденных отвечает T − k, новых N − T; на новых верен в среднем один "
            "ответ из choices.",
        ),
        (64, 16, 3, 10): "Новых мест больше, чем виденных.",
        (20, 5, 4, 2): "Из двух токенов угадывают половину.",
        (11, 8, 0, 4): "При k = 0 отвечают все места.",
    },
    random_case=lambda rng: (
        *(rng.randint(20, 60), rng.randint(10, 19)),
        *(rng.randint(1, 9), rng.randint(2, 12)),
    ),
    mistakes={
        "Первые k мест не отвечают: делить надо на N − k.": lambda N, T, k, choices: (
            (T - k + (N - T) / choices) / N
        ),
        "Первые k мест не отвечают: виденных среди ответов T − k.": (
            lambda N, T, k, choices: (T + (N - T) / choices) / N
        ),
        "На новых местах сеть тоже иногда права: угадывает.": (
            lambda N, T, k, choices: (T - k) / (N - k)
        ),
    },
)
def expected_accuracy(N: int, T: int, k: int, choices: int) -> float:
    """Accuracy of a net that copies where it has trained and guesses elsewhere."""
    return (T - k + (N - T) / choices) / (N - k)


def _two_patches(*places: int) -> tuple[Tensor, tuple, tuple]:
    s = random(12, seed=5).tanh()
    s[0] = 1
    return s, places[:2], places[2:]


@cases(
    "§10.6",
    {
        (4, 4, 4, 4): "Патч похож на себя полностью: сходство 1.",
        (3, 6, 0, 2): (
            "Части склеены, поэтому их произведения складываются.",
            "Складываются и квадраты длин: от суммы сходств остаётся половина.",
        ),
        (2, 7, 2, 1): "Строка та же, её часть похожа полностью: s[0] = 1.",
        (1, 3, 6, 3): "Строки 1 и 6 — в пяти шагах: знак разности не важен.",
        (2, 8, 7, 5): "Номера с одной оси сравнивают между собой.",
    },
    _two_patches,
    random_case=lambda rng: (*(rng.randint(0, 11) for _ in range(4)),),
    mistakes={
        "Части склеены, а не перемножены.": lambda *given: (
            _by_axis(*given).prod().item()
        ),
        "Это сумма косинусов, а косинус больше 1 не бывает.": lambda *given: (
            _by_axis(*given).sum().item()
        ),
    },
)
def patch_similarity(s: Tensor, first: tuple, second: tuple) -> float:
    """Cosine of two encodings of places, rows and columns half of the vector each."""
    return _by_axis(s, first, second).mean().item()


def _by_axis(s: Tensor, first: tuple, second: tuple) -> Tensor:
    return s[[abs(a - b) for a, b in zip(first, second, strict=True)]]


# --- exercises ------------------------------------------------------------------------


@cases(
    "10.1",
    dict.fromkeys(
        [(100.0, 4), (1000.0, 6), (62831.853, 512), (50.0, 64)],
        (
            "Длина волны пары — 2π / ω, самая медленная пара — последняя.",
            "У неё i = d/2 − 1, и показатель у base — (d − 2)/d, а не единица.",
        ),
    ),
    random_case=lambda rng: (rng.uniform(20, 1e5), 2 * rng.randint(2, 100)),
    mistakes={"Волна — это 2π радиан, а не один.": lambda L, d: L ** (d / (d - 2))},
)
def base_for(L: float, d: int) -> Tensor:
    """Base whose slowest pair has a wave of L positions."""
    return torch.tensor((L / math.tau) ** (d / (d - 2)))


def _frequencies(d: int, base: float = 10_000.0) -> Tensor:
    return base ** (-torch.arange(0, d, 2) / d)


def _angles(positions: Tensor, d: int) -> Tensor:
    return positions[..., None] * _frequencies(d)


def _halves(positions: Tensor, d: int) -> Tensor:
    """Encoding of positions, sines first, then cosines."""
    angles = _angles(positions, d)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _noisy(n: int, d: int, *places: int) -> tuple[Tensor, int]:
    x = _halves(torch.tensor(places), d)
    return x + 0.2 * random(*x.shape), n


@cases(
    "10.2",
    dict.fromkeys(
        [(4, 8, 0, 1, 2, 3), (40, 2, 5, 39, 17), (60, 6, 3, 50, 10), (100, 16, 99, 0)],
        (
            "Одна пара чисел обманет: у быстрой угол повторяется, у медленной его "
            "меняет шум.",
            "Посчитайте кодировки всех n позиций и возьмите ту, что ближе к строке x: "
            "с ней скалярное произведение наибольшее.",
        ),
    ),
    _noisy,
    random_case=lambda rng: (
        *(50, 2 * rng.randint(1, 8)),
        *(rng.randint(0, 49) for _ in range(rng.randint(3, 9))),
    ),
)
def nearest_position(x: Tensor, n: int) -> Tensor:
    """Whole positions whose half-split encodings are the nearest."""
    return torch.cdist(x, _halves(torch.arange(n), x.shape[1])).argmin(1)


@cases(
    "10.3",
    dict.fromkeys(
        [(2, 10_000.0), (4, 10_000.0), (8, 100.0), (6, 10.0)],
        (
            "Производная sin(pos·ω) — это ω·cos(pos·ω).",
            "Синус пары i лежит в строке i, её косинус — в строке i + d/2; у косинуса "
            "производная с минусом.",
        ),
    ),
    random_case=lambda rng: (2 * rng.randint(2, 16), rng.uniform(5, 50)),
    mistakes={
        "Это R₁ − I, сдвиг на целую позицию: нужна мгновенная скорость.": (
            lambda d, base: (
                torch.linalg.matrix_exp(speed_matrix(d, base)) - torch.eye(d)
            )
        )
    },
)
def speed_matrix(d: int, base: float) -> Tensor:
    """Matrix that turns the half-split encoding into its derivative by position."""
    w = _frequencies(d, base).diag()
    return torch.cat([torch.cat([0 * w, w], 1), torch.cat([-w, 0 * w], 1)])


def _centres(new: int, old: int) -> Tensor:
    """Centres of ``new`` patches, counted in ``old`` ones."""
    edges = torch.linspace(-0.5, old - 0.5, new + 1)
    return (edges[1:] + edges[:-1]) / 2


@cases(
    "10.4",
    {
        (3, 4, 3, 4, 8): "Сетка та же: у каждого патча кодировка его номеров, "
        "формула (10).",
        (2, 4, 6, 12, 4): (
            "Новый патч накрыл ровно 3×3 старых: его центр — в среднем из них.",
            "Новые границы делят отрезок от −0,5 до h − 0,5 на равные части.",
        ),
        (6, 6, 3, 3, 8): "Новые патчи вдвое мельче: центр первого — левее нуля, в "
        "−0,25.",
        (1, 1, 5, 8, 4): "Патч один, во всю картинку: его центр — в центре картинки.",
        (5, 3, 2, 7, 12): "У строк и столбцов своё отношение сторон.",
    },
    random_case=lambda rng: (
        *(rng.randint(2, 9) for _ in range(4)),
        4 * rng.randint(2, 4),
    ),
    mistakes={
        "Растянуты номера, а нужны центры: центр первого патча не всегда в нуле.": (
            lambda H, W, h, w, d: _grid(
                torch.arange(H) * h / H, torch.arange(W) * w / W, d
            )
        ),
        "Первая половина вектора — строка, вторая — столбец.": (
            lambda H, W, h, w, d: encode_grid(H, W, h, w, d).roll(d // 2, -1)
        ),
    },
)
def encode_grid(H: int, W: int, h: int, w: int, d: int) -> Tensor:
    """Encoding of the patches of another grid at their places on the old one."""
    return _grid(_centres(H, h), _centres(W, w), d)


def _grid(rows: Tensor, columns: Tensor, d: int) -> Tensor:
    """Formula (10), sine and cosine of a pair side by side."""
    places = torch.meshgrid(rows, columns, indexing="ij")
    angles = torch.stack([_angles(place, d // 2) for place in places], dim=2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(2)


def _turned(x: Tensor, angles: Tensor, r: int) -> Tensor:
    z = torch.complex(x[..., : r // 2], x[..., r // 2 : r])
    z = z * torch.polar(torch.ones(()), angles)[:, None]
    return torch.cat([z.real, z.imag, x[..., r:]], dim=-1)


def _texts(d: int, r: int, h: int, *texts: tuple) -> tuple[Tensor, Tensor, int]:
    positions = torch.tensor(texts)
    return random(len(texts), h, positions.shape[1], d), positions, r


def _random_texts(rng: Random) -> tuple:
    r, N = 2 * rng.randint(1, 4), rng.randint(2, 5)
    texts = (tuple(rng.uniform(-50, 50) for _ in range(N)) for _ in range(3))
    return r + rng.randint(1, 4), r, rng.randint(2, 4), *texts


@cases(
    "10.5",
    {
        (2, 2, 1, (0.0, 1.0, 2.0, 3.0)): (
            "Одна пара и одна голова: поворот против часовой стрелки.",
            "Оба новых числа — из обоих старых: a·cos − b·sin и a·sin + b·cos.",
        ),
        (8, 8, 3, (0.0, 1.0, 2.0), (7.0, 8.0, 9.0)): (
            "Здесь r = d. Пара — числа i и i + r/2, у каждого текста свои позиции.",
            "Форма углов — (B, 1, N, r/2): голова у них общая.",
        ),
        (6, 4, 2, (10.0, 250.0), (-3.5, 0.25)): (
            "Здесь r < d: хвост вектора не меняется.",
            "Первые r чисел — это векторы размерности r: и частоты, и половины "
            "считают по r, а не по d.",
        ),
    },
    _texts,
    random_case=_random_texts,
    mistakes={
        "Частоты считают по r, а не по d.": lambda x, positions, r: _turned(
            x, _angles(positions, x.shape[-1])[..., : r // 2], r
        ),
        "Это поворот по часовой стрелке: проверьте знаки.": lambda x, positions, r: (
            _turned(x, _angles(-positions, r), r)
        ),
    },
)
def partial_rope(x: Tensor, positions: Tensor, r: int) -> Tensor:
    """Rotary encoding of the first r numbers, with positions of each text."""
    return _turned(x, _angles(positions, r), r)
