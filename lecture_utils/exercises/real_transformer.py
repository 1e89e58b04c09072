"""Exercises of notebook 12 (a real transformer)."""

import torch
from torch import Tensor

from lecture_utils.exercises.cases import cases, random


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
        (1, 1, 5): "Патчи в один ряд: расстояние — разность номеров.",
        (2, 3, 3): (
            "Расстояние — по прямой, и вес у него — внимание.",
            "Корень из суммы квадратов разностей строк и столбцов.",
        ),
        (3, 2, 5): "Номер патча — строка · columns + столбец. Сетка не квадратная.",
        (6, 4, 3): "Среднее — по смотрящим патчам, у каждой головы своё.",
    },
    lambda h, rows, columns: (
        _attention(h, rows * columns, rows * columns),
        rows,
        columns,
    ),
    random_case=lambda rng: (rng.randint(2, 5), rng.randint(2, 4), rng.randint(5, 7)),
)
def attention_distance(A: Tensor, rows: int, columns: int) -> Tensor:
    """Mean distance in patches at which each head looks (Dosovitskiy et al., 2020)."""
    number = torch.arange(rows * columns)
    y, x = (part.to(A.dtype) for part in (number // columns, number % columns))
    far = torch.hypot(y[:, None] - y, x[:, None] - x)
    return torch.einsum("hij,ij->h", A, far) / len(number)


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
