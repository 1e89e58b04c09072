"""Exercises of notebook 12 (a real transformer)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.cases import cases, random

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§12.1",
    {
        (1, 224): "Токен 1 — самый первый патч, его левый верхний пиксель — (0, 0).",
        (2, 224): "Следующий патч — справа, на 14 пикселей дальше.",
        (17, 224): "В строке снимка 16 патчей: токен 17 начинает вторую строку.",
        (16, 224): "Последний патч первой строки: он кончается у края снимка.",
        (38, 518): "На снимке шириной 518 патчей в строке 37.",
        (44, 70): "В строке width // 14 патчей.",
    },
    random_case=lambda rng: (rng.randint(20, 400), 14 * rng.randint(3, 18)),
    mistakes={
        "Сначала строка, потом столбец.": lambda *given: patch_corner(*given)[::-1],
        "Это номера патча, а нужны номера пикселя.": lambda t, width: [
            place // 14 for place in patch_corner(t, width)
        ],
        "Класс-токен — не патч: патчи начинаются с токена 1.": lambda t, width: (
            patch_corner(t + 1, width)
        ),
    },
)
def patch_corner(t: int, width: int) -> tuple[int, int]:
    """Row and column of the first pixel of the patch that a token stands for."""
    patches = width // 14
    return (t - 1) // patches * 14, (t - 1) % patches * 14


@cases(
    "§12.2",
    {
        (2, 3, 5): (
            "Прибавка — это branch, умноженный на scale по каналам.",
            "У прибавки и у x возьмите длину по последней оси.",
        ),
        (1, 4, 4): "Длина вектора — корень из суммы квадратов по каналам.",
        (3, 3, 3): "Каналы — последняя ось: длина своя у каждого токена.",
    },
    lambda *shape: (
        random(*shape, seed=1),
        3 * random(*shape, seed=2),
        random(shape[-1], seed=3),
    ),
    given="x и branch формы ({}, {}, {})",
    random_case=lambda rng: (*(rng.randint(4, 7) for _ in range(3)),),
    mistakes={
        "Забыт множитель LayerScale.": lambda x, branch, scale: (
            branch.norm(dim=-1) / x.norm(dim=-1)
        ),
        "Делить надо на x, а не на сумму с прибавкой.": lambda x, branch, scale: (
            (scale * branch).norm(dim=-1) / (x + scale * branch).norm(dim=-1)
        ),
        "Это отношение квадратов длин.": lambda *given: branch_share(*given) ** 2,
        "Отношение перевёрнуто.": lambda *given: 1 / branch_share(*given),
    },
)
def branch_share(x: Tensor, branch: Tensor, scale: Tensor) -> Tensor:
    """Length of what a branch adds to each token, relative to the token's own."""
    squares = (scale.square() * branch.square()).sum(-1) / x.square().sum(-1)
    return squares.sqrt()


@cases(
    "§12.3",
    {
        (0, 0, 1000, 1000): "Рамка во весь снимок: обе доли — единицы.",
        (0, 0, 500, 1000): "Половина снимка: внимание плотнее вдвое.",
        (100, 200, 350, 600): (
            "Доля внимания в рамке — 1; осталось найти долю площади.",
            "Стороны рамки — разности координат, в тысячных.",
        ),
        (400, 50, 950, 75): "Рамка низкая и широкая.",
    },
    lambda *box: (box,),
    random_case=lambda rng: (
        *(rng.randint(0, 300), rng.randint(0, 300)),
        *(rng.randint(500, 1000), rng.randint(500, 1000)),
    ),
    mistakes={
        "Это доля площади, а отношение обратно ей.": lambda box: 1 / largest_ratio(box),
        "Стороны — в тысячных долях, и площадь делят на тысячу дважды.": lambda box: (
            largest_ratio(box) / 1000
        ),
        "x2 и y2 — координаты угла, а не ширина и высота.": lambda box: (
            1e6 / (box[2] * box[3])
        ),
        "Площадь — произведение сторон, а не одна из них.": lambda box: (
            1000 / (box[2] - box[0])
        ),
    },
    atol=1e-4,  # of a quotient up to a hundred in float32
)
def largest_ratio(box: tuple) -> float:
    """The ratio of a map that has all its attention in the box."""
    x1, y1, x2, y2 = box
    return 1e6 / ((x2 - x1) * (y2 - y1))


@cases(
    "§12.4",
    {
        (1.0, 1.0): "Смотрел только на себя — всё себе и оставил: ответ 1.",
        (0.0, 0.0, 0.0): (
            "На себя он не смотрит, но есть остаточная связь.",
            "Она — половина пути: после каждого блока остаётся половина.",
        ),
        (0.5,): "Блок один: R = (A + I) / 2, и у I на диагонали единица.",
        (0.25, 0.75, 0.0, 0.5): "Блоки перемножаются, у каждого своя доля.",
    },
    lambda *a: (torch.tensor(a),),
    random_case=lambda rng: (*(rng.random() for _ in range(rng.randint(3, 6))),),
    mistakes={
        "Забыта остаточная связь, I в формуле (3).": lambda a: a.prod().item(),
        "Пополам делят в каждом блоке.": lambda a: (a.prod().item() + 1) / 2,
        "Блоки перемножают, а не усредняют.": lambda a: (a.mean().item() + 1) / 2,
    },
)
def kept_share(a: Tensor) -> float:
    """Rollout of the class token to itself when no patch looks at it."""
    return math.prod((part + 1) / 2 for part in a.tolist())


@cases(
    "§12.5",
    {
        (1,): "Голова смотрит только на свой патч: дальность 0.",
        (5,): (
            "Патчей 25, по два в каждую сторону от своего; расстояния разные.",
            "Расстояние — корень из суммы квадратов шагов; среднее — по всем 25.",
        ),
        (3,): "Патчей девять: свой, четыре на расстоянии 1 и четыре по диагонали.",
        (9,): "Окно — по k // 2 патчей в каждую сторону.",
    },
    random_case=lambda rng: (2 * rng.randint(5, 12) + 1,),
    mistakes={
        "Свой патч тоже в окне, и веса у всех равны.": lambda k: (
            window_distance(k) * k * k / max(k * k - 1, 1)
        ),
        "Расстояние — по прямой, а не по строкам и столбцам.": lambda k: (
            (k - 1 / k) / 2
        ),
        "Это сумма расстояний, а дальность — среднее.": lambda k: (
            window_distance(k) * k * k
        ),
        "Это среднее квадратов: корень берут до усреднения.": lambda k: (k * k - 1) / 6,
    },
    atol=1e-5,  # of a mean up to ten in float32
)
def window_distance(k: int) -> float:
    """Mean distance to the places of a square window around its centre."""
    steps = range(-(k // 2), k // 2 + 1)
    return sum(math.hypot(i, j) for i in steps for j in steps) / k**2


@cases(
    "§12.6",
    {
        (5.0, 3.0, 2.0, 1.0, 1): (
            "Дисперсия — средний квадрат проекции, а не её длина.",
            "Сравните сумму квадратов первых k чисел с суммой всех.",
        ),
        (4.0, 2.0, 1.0, 2): "Компонент две: первые две дисперсии складывают.",
        (3.0, 3.0, 3.0, 3): "Все компоненты вместе дают всю дисперсию.",
        (6.0, 1.0, 0.0, 0.0, 2): "У нулевых сингулярных чисел дисперсии нет.",
    },
    lambda *given: (torch.tensor(given[:-1]), given[-1]),
    random_case=lambda rng: (
        *sorted((rng.uniform(0.5, 9) for _ in range(7)), reverse=True),
        rng.randint(2, 6),
    ),
    mistakes={
        "Складывают не длины, а их квадраты.": lambda s, k: (
            s[:k].sum() / s.sum()
        ).item(),
        "Это доля остальных компонент.": lambda s, k: 1 - variance_share(s, k),
        "Это доля одной компоненты, а нужно первых k вместе.": lambda s, k: (
            s[k - 1] ** 2 / (s**2).sum()
        ).item(),
        "Первых компонент k, а здесь на одну больше.": lambda s, k: variance_share(
            s, k + 1
        ),
    },
)
def variance_share(s: Tensor, k: int) -> float:
    """Share of the variance in the first k principal components."""
    variances = [value**2 for value in s.tolist()]
    return sum(variances[:k]) / sum(variances)


@cases(
    "§12.7",
    {
        (37, 37): "Делите число независимых векторов модели на число их в таблице.",
        (2, 3): "Строк и столбцов бывает разное число.",
        (1, 8): "Строка одна: средние столбцов — это сама таблица.",
        (
            16,
            40,
        ): "Среднее отнимает по одному и у строк, и у столбцов.",
    },
    random_case=lambda rng: (rng.randint(3, 12), rng.randint(13, 30)),
    mistakes={
        "Независимых векторов меньше, чем строк, столбцов и мест.": (
            lambda rows, columns: (rows + columns) / (rows * columns)
        ),
        "Независимых в таблице на один меньше, чем мест.": lambda rows, columns: (
            (rows + columns - 2) / (rows * columns)
        ),
        "Единицу вычитают и у строк, и у столбцов.": lambda rows, columns: (
            (rows + columns - 1) / (rows * columns - 1)
        ),
        "Это доля остатка.": lambda *size: 1 - chance_share(*size),
    },
)
def chance_share(rows: int, columns: int) -> float:
    """Share of the variance that rows and columns explain in a random table."""
    return ((rows - 1) + (columns - 1)) / (rows * columns - 1)


def _loud(N: int, d: int, loud: int, factor: float, times: float) -> tuple:
    """Tokens of norms from 1 to 2, some of them so many times longer."""
    tokens = F.normalize(random(N, d, seed=N), dim=1)
    tokens = tokens * torch.linspace(1, 2, N)[:, None]
    tokens[N // 3 : N // 3 + loud] *= factor
    return tokens, times


@cases(
    "§12.8",
    {
        (9, 6, 0, 1.0, 10): "Громких токенов нет: доля 0.",
        (9, 6, 2, 30.0, 10): (
            "Громких токенов два из девяти.",
            "Порог — times медиан: среднее громкие токены поднимают сами.",
        ),
        (7, 7, 2, 6.0, 10): "Норма больше в несколько раз — ещё не в times.",
        (25, 3, 9, 20.0, 3): "Норма — одна на токен, по оси каналов.",
        (5, 4, 1, 3.0, 1): "При times = 1 громче медианы почти половина.",
        (15, 5, 0, 1.0, 1.17): "Норма — корень из суммы квадратов чисел токена.",
    },
    _loud,
    given="tokens формы ({0}, {1}), times={4}",
    random_case=lambda rng: (
        *(2 * rng.randint(7, 20) + 1, rng.randint(3, 8), rng.randint(3, 6)),
        *(rng.uniform(15, 30), rng.choice([5, 1.17])),
    ),
    mistakes={
        "Это число токенов, а нужна доля.": lambda tokens, times: (
            loud_share(tokens, times) * len(tokens)
        ),
        "Это доля обычных токенов.": lambda *given: 1 - loud_share(*given),
        "Это проценты, а нужно число от 0 до 1.": lambda *given: (
            100 * loud_share(*given)
        ),
    },
)
def loud_share(tokens: Tensor, times: float) -> float:
    """Share of tokens whose norm exceeds so many medians."""
    norms = tokens.square().sum(1).sqrt().tolist()
    limit = times * sorted(norms)[len(norms) // 2]
    return sum(norm > limit for norm in norms) / len(norms)


# --- exercises ------------------------------------------------------------------------


def _attention(*shape: int, seed: int = 0) -> Tensor:
    """Attention weights: every row is positive and sums to one."""
    return (2 * random(*shape, seed=seed)).softmax(-1)


@cases(
    "12.1",
    {
        (1, 1, 4): "Один блок, одна голова: строка класс-токена у (G ⊙ A)⁺, без него.",
        (1, 3, 4): "Сначала G ⊙ A и ReLU, потом среднее по головам.",
        (2, 1, 3): ("Порядок блоков важен.", "Поздний стоит слева: R = R + Ā @ R."),
        (12, 6, 7): "Через все блоки, от первого к последнему.",
    },
    lambda L, h, N: (_attention(L, h, N, N), random(L, h, N, N, seed=1)),
    random_case=lambda rng: (rng.randint(2, 6), rng.randint(2, 5), rng.randint(3, 8)),
    mistakes={
        "Это ответ обратного порядка: поздний блок умножает слева.": (
            lambda A, G: class_relevance(A.flip(0), G.flip(0))
        )
    },
)
def class_relevance(A: Tensor, G: Tensor) -> Tensor:
    """What the class token takes from the patches (Chefer et al., 2021, eq. 5–6)."""
    row = torch.eye(A.shape[-1], dtype=A.dtype)[0]
    for block in (A * G).relu().mean(1).flip(0):
        row = row + row @ block
    return row[1:]


@cases(
    "12.2",
    {
        (1, 1, 5): "Патчи в один ряд: вниз сдвига нет, вправо — разность номеров.",
        (2, 3, 3): (
            "Сдвиг — куда смотрят минус откуда, и вес у него — внимание.",
            "Среднее по смотрящим патчам — без корня и без модуля: противоположные "
            "сдвиги гасят друг друга.",
        ),
        (3, 2, 5): "Номер патча — строка · columns + столбец. Сетка не квадратная.",
        (6, 4, 3): "Сначала сдвиг вниз, потом вправо; у каждой головы свой.",
    },
    lambda h, rows, columns: (
        _attention(h, rows * columns, rows * columns),
        rows,
        columns,
    ),
    random_case=lambda rng: (rng.randint(2, 5), rng.randint(2, 4), rng.randint(5, 7)),
    mistakes={
        "Это сдвиг наоборот: откуда смотрят минус куда.": lambda *given: (
            -mean_shift(*given)
        ),
        "Сначала строки (вниз), потом столбцы (вправо).": lambda *given: mean_shift(
            *given
        ).flip(-1),
    },
)
def mean_shift(A: Tensor, rows: int, columns: int) -> Tensor:
    """Rows down and columns right at which each head looks on average."""
    number = torch.arange(rows * columns)
    place = torch.stack([number // columns, number % columns], 1).to(A.dtype)
    shift = place - place[:, None]  # (N, N, 2), key minus query
    return torch.einsum("hij,ijc->hc", A, shift) / len(number)


def _table(rows: int, columns: int, d: int, noise: float) -> Tensor:
    """A row vector and a column vector for every place, plus noise, far from zero."""
    grid = random(rows, 1, d, seed=1) + 2 * random(1, columns, d, seed=2)
    return 3 + grid + noise * random(rows, columns, d, seed=3)


@cases(
    "12.3",
    {
        (4, 5, 3, 0.0): "Таблица — сумма строки и столбца: остаток равен нулю.",
        (3, 6, 4, 1.0): (
            "Строк и столбцов разное число.",
            "Вклад строки повторяется во всех столбцах, и квадраты складывают по всей "
            "таблице.",
        ),
        (5, 2, 6, 3.0): "Из среднего строки вычитают общее среднее. Остаток — то, чего "
        "не дали ни строка, ни столбец.",
        (7, 7, 8, 30.0): "Почти один шум: доли строк и столбцов малы, но не ноль.",
    },
    lambda *given: (_table(*given),),
    "таблица {}×{}, d = {}, шум {}",
    random_case=lambda rng: (
        *(rng.randint(2, 5), rng.randint(6, 9), rng.randint(2, 6)),
        rng.uniform(0.5, 5),
    ),
    mistakes={"Строки и столбцы перепутаны.": lambda T: axis_shares(T)[[1, 0, 2]]},
)
def axis_shares(T: Tensor) -> Tensor:
    """Shares of rows, columns and the rest in the variance of (rows, columns, d)."""
    T = T - T.mean((0, 1))
    rows, columns = T.mean(1, keepdim=True), T.mean(0, keepdim=True)
    parts = rows.expand_as(T), columns.expand_as(T), T - rows - columns
    return torch.stack([part.square().sum() for part in parts]) / T.square().sum()
