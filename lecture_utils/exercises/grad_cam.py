"""Exercises of notebook 07 (Grad-CAM)."""

from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, random


def _gradient(silent: int, scale: float, *shape: int) -> tuple[Tensor, Tensor]:
    """A gradient and a map after ReLU, the first ``silent`` channels of it zero."""
    A = random(*shape, seed=1, scale=scale).relu()
    A[:, :silent] = 0
    return random(*shape), A


@cases(
    "07.1",
    dict.fromkeys(
        [(0, 1.0, 2, 3, 4, 4), (0, 1.0, 1, 5, 3, 7), (0, 1.0, 4, 4, 4, 4)],
        (
            "У каждого канала каждой картинки своё число.",
            "Градиент клетки умножьте на её яркость, сложите по клеткам и разделите на "
            "сумму яркостей того же канала.",
        ),
    )
    | {
        (1, 1.0, 2, 3, 3, 2): "Первый канал молчит, а 0/0 даёт NaN: его вес — ноль.",
        (1, 1e-8, 2, 3, 3, 2): "Карта тусклая: прибавка к знаменателю, даже малая, "
        "или порог заметно меняют ответ.",
    },
    _gradient,
    random_case=lambda rng: (
        rng.randint(0, 1),
        rng.choice([1.0, 1e-6]),
        *(rng.randint(2, 6) for _ in range(4)),
    ),
)
def channel_weights(G: Tensor, A: Tensor) -> Tensor:
    """Weights of the channels: the gradient averaged by brightness (XGrad-CAM)."""
    return torch.nan_to_num((G * A).sum((2, 3)) / A.sum((2, 3)))


def _two_layers(
    C: int, hidden: int, outputs: int, h: int, w: int, classes: tuple
) -> tuple[Tensor, nn.Module, Tensor]:
    """Maps and a head; which hidden units are open differs between the pictures."""
    head = nn.Sequential(nn.Linear(C, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    for seed, parameter in enumerate(head.parameters()):
        parameter.data = random(*parameter.shape, seed=seed)
    A = random(len(classes), C, h, w, seed=9).relu()
    bright = random(len(classes), C, 1, 1, seed=10).exp()  # own channels of a picture
    return A * bright, head, torch.tensor(classes)


@cases(
    "07.2",
    dict.fromkeys(
        [
            (3, 8, 5, 4, 6, (1, 4)),
            (4, 16, 4, 2, 2, (3, 0, 3)),
            (6, 9, 2, 3, 5, (1,)),
            (5, 12, 3, 4, 3, (2, 0, 1, 2)),
        ],
        (
            "Какие скрытые нейроны открыты, решает ReLU, и у каждой картинки своя.",
            "w — произведение строки второго слоя на матрицу первого, но только по "
            "скрытым нейронам, вход которых (со смещением) положителен.",
        ),
    ),
    _two_layers,
    random_case=lambda rng: (
        *(rng.randint(2, 7), rng.randint(8, 20), 4, rng.randint(2, 5)),
        *(rng.randint(2, 5), tuple(rng.choices(range(4), k=rng.randint(2, 4)))),
    ),
)
def cam_of_two_layers(A: Tensor, head: nn.Sequential, classes: Tensor) -> Tensor:
    """Channels weighted by the gradient of the score at their means."""
    mean = A.mean((2, 3)).requires_grad_()
    score = head(mean).gather(1, classes[:, None]).sum()
    (w,) = torch.autograd.grad(score, mean)
    return (w[:, :, None, None] * A).sum(1)


def _peaks(*cases: tuple) -> tuple[Tensor, Tensor]:
    """Maps with one brightest pixel each; almost as bright a row and column elsewhere.

    A case: row and column of the peak, box x1 y1 x2 y2, what is added everywhere.
    """
    heats = []
    for number, (row, column, _, level) in enumerate(cases):
        heat = random(6, 9, seed=number).sigmoid() - 0.5
        heat[5 - row] = heat[:, 8 - column] = 1
        heat[row, column] = 1.1 + number
        heats.append(heat + level)
    boxes = torch.tensor([box for _, _, box, _ in cases])
    return torch.stack(heats), boxes.to(heats[0])


_PEAKS = {
    (2, 7, (6, 1, 9, 4), 0): "Точка внутри рамки.",
    (5, 1, (4, 0, 6, 3), 0): "Точка внутри рамки, только если спутать строку и "
    "столбец.",
    (2, 5, (1, 1, 5, 4), 0): "Точка сразу за правым краем рамки.",
    (4, 2, (1, 1, 5, 4), 0): "Точка сразу под нижним краем рамки.",
    (1, 6, (5, 2, 8, 5), 0): "Точка сразу над верхним краем рамки.",
    (1, 1, (1, 1, 3, 3), 0): "Точка в углу рамки.",
    (3, 4, (4.75, 2, 8, 5), 0): "Рамка дробная, центр пикселя левее её.",
    (3, 7, (4, 2, 7.75, 5), 0): "Рамка дробная, центр пикселя левее её правого края.",
    (2, 3, (1, 1, 6, 2.25), 0): "Рамка дробная, центр пикселя ниже её.",
    (0, 8, (0, 2, 9, 6), 0): "Точка выше рамки.",
    (1, 6, (5, 0, 8, 3), -9): "Все числа карты отрицательны, наибольшее — ближе всех "
    "к нулю.",
}


def _random_peaks(rng: Random) -> tuple:
    drawn = []
    for _ in range(rng.randint(4, 6)):
        x1, y1 = (rng.randint(0, n) + rng.choice([0, 0.25, 0.75]) for n in (6, 3))
        box = (x1, y1, x1 + rng.randint(2, 3), y1 + rng.randint(2, 3))
        drawn.append((rng.randint(0, 5), rng.randint(0, 8), box, rng.choice([0, -9])))
    return tuple(drawn)


@cases(
    "07.3",
    {(peak,): hint for peak, hint in _PEAKS.items()}
    | {
        tuple(_PEAKS): (
            "У каждой карты свой максимум и своя рамка.",
            "Найдите строку и столбец наибольшего значения каждой карты; x сравнивают "
            "с первым и третьим числом рамки, y — со вторым и четвёртым.",
        )
    },
    _peaks,
    random_case=_random_peaks,
)
def box_hits(heat: Tensor, boxes: Tensor) -> Tensor:
    """Whether the centre of the brightest pixel lies inside the box."""
    x = heat.amax(1).argmax(1) + 0.5
    y = heat.amax(2).argmax(1) + 0.5
    x1, y1, x2, y2 = boxes.T
    return (x1 < x) & (x < x2) & (y1 < y) & (y < y2)


def _coarse(
    blank: int, scale: float, B: int, h: int, w: int, H: int, W: int
) -> tuple[Tensor, Tensor]:
    """Maps that differ in brightness, the first ``blank`` of them without any."""
    heat = random(B, h, w).abs() * torch.arange(1.0, B + 1)[:, None, None] * scale
    heat[:blank] = 0
    return heat, random(B, H, W, seed=1) > 0.3


@cases(
    "07.4",
    {
        (0, 1.0, 3, 2, 3, 8, 6): (
            "Каждая клетка — прямоугольник целых пикселей.",
            "Приведите карту и маску к одной сетке, повторяя их числа.",
        )
    }
    | dict.fromkeys(
        [(0, 1.0, 1, 3, 3, 5, 5), (0, 1.0, 2, 7, 7, 48, 48), (0, 1.0, 2, 2, 5, 3, 7)],
        (
            "Граница клеток проходит и внутри пикселя: он принадлежит обеим, каждой — "
            "своей частью.",
            "На сетке из h·H строк и w·W столбцов все границы целые: карту повторите H "
            "и W раз, маску — h и w раз.",
        ),
    )
    | {
        (1, 1.0, 2, 3, 3, 6, 9): "Первая карта пуста, а 0/0 даёт NaN: пустой карте "
        "верните ноль.",
        (0, 1e-8, 2, 2, 2, 4, 6): "Карта тусклая: прибавка к знаменателю, даже малая, "
        "или порог заметно меняют ответ.",
    },
    _coarse,
    random_case=lambda rng: (
        *(rng.randint(0, 1), rng.choice([1.0, 1e-6]), rng.randint(2, 3)),
        *(rng.randint(2, 5) for _ in range(2)),
        *(rng.randint(6, 14) for _ in range(2)),
    ),
)
def energy_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the brightness inside a finer mask; zero for a blank map."""
    (h, w), (H, W) = heat.shape[1:], mask.shape[1:]
    fine = mask.to(heat)[:, None].repeat_interleave(h, 2).repeat_interleave(w, 3)
    inside = F.avg_pool2d(fine, (H, W))[:, 0]  # share of every cell in the mask
    return torch.nan_to_num((heat * inside).sum((1, 2)) / heat.sum((1, 2)))


@cases(
    "07.5",
    dict.fromkeys(
        [(2, 1, 3, 3, 4), (1, 1, 2, 5, 3), (3, 5, 4, 3, 2), (2, 0, 3, 2, 6)],
        (
            "Клетки — последние h·w токенов; вектор клетки должен стать каналами.",
            "Клетка строки i и столбца j имеет среди них номер i·w + j.",
        ),
    ),
    lambda B, extra, h, w, d: (random(B, extra + h * w, d), h, w),
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(0, 5)),
        *(rng.randint(2, 5) for _ in range(3)),
    ),
)
def grid_of_tokens(tokens: Tensor, h: int, w: int) -> Tensor:
    """Cells of the picture as a map, service tokens in front dropped."""
    cells = tokens[:, tokens.shape[1] - h * w :]
    return cells.reshape(len(tokens), h, w, -1).permute(0, 3, 1, 2)
