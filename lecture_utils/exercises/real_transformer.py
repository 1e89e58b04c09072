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
        (1, 1, 4): "Один блок, одна голова: (A + I) / 2.",
        (1, 3, 4): "Головы одного блока усредняют.",
        (2, 1, 3): "Блоки перемножают; поздний стоит слева: R = (A + I) / 2 @ R.",
        (3, 2, 5): "К каждому блоку прибавляют единичную матрицу и делят на два — до "
        "умножения. Строки ответа в сумме дают 1.",
        (12, 6, 7): "Через все блоки, от первого к последнему.",
    },
    lambda L, h, N: (_attention(L, h, N, N),),
)
def attention_rollout(A: Tensor) -> Tensor:
    """Attention through all blocks (Abnar and Zuidema, 2020)."""
    identity = torch.eye(A.shape[-1], dtype=A.dtype)
    blocks = [(block + identity) / 2 for block in A.mean(1)]
    return torch.linalg.multi_dot([*reversed(blocks), identity])


@cases(
    "12.2",
    {
        (1, 1, 5): "Патчи в один ряд: расстояние — разность номеров.",
        (2, 3, 3): "Расстояние — по прямой: корень из суммы квадратов, и вес у него — "
        "внимание.",
        (3, 2, 5): "Номер патча — строка · columns + столбец. Сетка не квадратная.",
        (6, 4, 3): "Среднее — по смотрящим патчам, у каждой головы своё.",
    },
    lambda h, rows, columns: (
        _attention(h, rows * columns, rows * columns),
        rows,
        columns,
    ),
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
        (4, 5, 3, 0.0): "Таблица — сумма строки и столбца: модель объясняет всё.",
        (3, 6, 4, 1.0): "Доля = 1 − остаток / разброс; оба — суммы квадратов по всем "
        "числам таблицы.",
        (5, 2, 6, 3.0): "Разброс — вокруг среднего вектора, а не вокруг нуля; общее "
        "среднее в модели вычитают один раз.",
        (7, 7, 8, 30.0): "Почти один шум: доля мала, но не ноль.",
    },
    lambda *given: (_table(*given),),
    "таблица {}×{}, d = {}, шум {}",
)
def row_column_share(T: Tensor) -> Tensor:
    """Share of the variance of a table (rows, columns, d) that two axes explain."""
    mean = T.mean((0, 1))
    model = T.mean(1, keepdim=True) + T.mean(0, keepdim=True) - mean
    return 1 - (T - model).square().sum() / (T - mean).square().sum()
