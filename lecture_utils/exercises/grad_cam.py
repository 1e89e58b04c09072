"""Exercises of notebook 07 (Grad-CAM)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, random


def _gradient(silent: int, *shape: int) -> tuple[Tensor, Tensor]:
    """A gradient and a map after ReLU, the first ``silent`` channels of it zero."""
    A = random(*shape, seed=1).relu()
    A[:, :silent] = 0
    return random(*shape), A


@cases(
    "07.1",
    dict.fromkeys(
        [(0, 2, 3, 4, 4), (0, 1, 5, 3, 7), (0, 4, 4, 4, 4)],
        "У каждого канала каждой картинки своё число: градиент клетки берут столько "
        "раз, какова её доля в яркости канала, и складывают.",
    )
    | {(1, 2, 3, 3, 2): "Первый канал молчит, а 0/0 даёт NaN: его вес — ноль."},
    _gradient,
)
def channel_weights(G: Tensor, A: Tensor) -> Tensor:
    """Weights of the channels: the gradient averaged by brightness (XGrad-CAM)."""
    return torch.nan_to_num((G * A).sum((2, 3)) / A.sum((2, 3)))


def _two_layers(
    B: int, C: int, hidden: int, outputs: int, h: int, w: int, classes: tuple
) -> tuple[Tensor, nn.Module, Tensor]:
    """Maps and a head some hidden units of which are closed, others at each picture."""
    head = nn.Sequential(nn.Linear(C, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    for seed, parameter in enumerate(head.parameters()):
        parameter.data = random(*parameter.shape, seed=seed)
    return random(B, C, h, w, seed=9).abs(), head, torch.tensor(classes)


@cases(
    "07.2",
    dict.fromkeys(
        [
            (2, 3, 8, 5, 4, 6, (1, 4)),
            (3, 4, 6, 4, 2, 2, (3, 0, 3)),
            (1, 6, 4, 2, 3, 5, (1,)),
        ],
        "w — произведение строки второго слоя на матрицу первого, но только по "
        "скрытым нейронам, которые у этой картинки открыты.",
    ),
    _two_layers,
)
def cam_of_two_layers(A: Tensor, head: nn.Sequential, classes: Tensor) -> Tensor:
    """Channels weighted by the gradient of the score at their means."""
    first, _, second = head
    is_open = first(A.mean((2, 3))) > 0
    w = (second.weight[classes] * is_open) @ first.weight
    return (w[:, :, None, None] * A).sum(1)


def _peaks(*cases: tuple) -> tuple[Tensor, Tensor]:
    """Maps with one bright pixel each: row and column of the peak, box x1 y1 x2 y2."""
    heats = []
    for number, (row, column, _) in enumerate(cases):
        heat = random(6, 9, seed=number).sigmoid()
        heat[row, column] = 1.5 + number
        heats.append(heat)
    return torch.stack(heats), torch.tensor([box for *_, box in cases]).to(heats[0])


_PEAKS = {
    (2, 7, (6, 1, 9, 4)): "Точка внутри рамки.",
    (5, 1, (4, 0, 6, 3)): "Точка внутри рамки, только если спутать строку и столбец.",
    (2, 5, (1, 1, 5, 4)): "Точка сразу за правым краем рамки.",
    (4, 2, (1, 1, 5, 4)): "Точка сразу под нижним краем рамки.",
    (1, 1, (1, 1, 3, 3)): "Точка в углу рамки.",
    (3, 4, (4.75, 2, 8, 5)): "Рамка дробная, центр пикселя левее её.",
    (0, 8, (0, 2, 9, 6)): "Точка выше рамки.",
}


@cases(
    "07.3",
    {(peak,): hint for peak, hint in _PEAKS.items()}
    | {
        tuple(_PEAKS): "У каждой карты свой максимум. Найдите строку и столбец "
        "наибольшего значения каждой карты; x сравнивают с первым и третьим числом "
        "рамки, y — со вторым и четвёртым."
    },
    _peaks,
)
def box_hits(heat: Tensor, boxes: Tensor) -> Tensor:
    """Whether the centre of the brightest pixel lies inside the box."""
    x = heat.amax(1).argmax(1) + 0.5
    y = heat.amax(2).argmax(1) + 0.5
    x1, y1, x2, y2 = boxes.T
    return (x1 < x) & (x < x2) & (y1 < y) & (y < y2)


def _coarse(
    blank: int, B: int, h: int, w: int, H: int, W: int
) -> tuple[Tensor, Tensor]:
    """Maps that differ in brightness, the first ``blank`` of them without any."""
    heat = random(B, h, w).abs() * torch.arange(1.0, B + 1)[:, None, None]
    heat[:blank] = 0
    return heat, random(B, H, W, seed=1) > 0.3


@cases(
    "07.4",
    dict.fromkeys(
        [(0, 3, 2, 3, 8, 6), (0, 1, 3, 3, 5, 5), (0, 2, 7, 7, 48, 48)],
        "Граница клетки проходит и внутри пикселя: тогда он принадлежит обеим, каждой "
        "— своей частью.",
    )
    | {(1, 2, 3, 3, 6, 9): "Первая карта пуста, а 0/0 даёт NaN: пустой верните ноль."},
    _coarse,
)
def energy_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the brightness inside a finer mask; zero for a blank map."""
    (h, w), (H, W) = heat.shape[1:], mask.shape[1:]
    fine = mask.to(heat)[:, None].repeat_interleave(h, 2).repeat_interleave(w, 3)
    inside = F.avg_pool2d(fine, (H, W))[:, 0]  # share of every cell in the mask
    share = (heat * inside).sum((1, 2)) / heat.sum((1, 2))
    return torch.nan_to_num(share)


@cases(
    "07.5",
    dict.fromkeys(
        [(1, 3, 3, 4), (1, 2, 5, 3), (5, 4, 3, 2), (0, 3, 2, 6)],
        "Клетки — последние h·w токенов. Клетка строки i и столбца j имеет "
        "среди них номер i·w + j; её вектор должен стать каналами.",
    ),
    lambda extra, h, w, d: (random(2, extra + h * w, d), h, w),
)
def grid_of_tokens(tokens: Tensor, h: int, w: int) -> Tensor:
    """Cells of the picture as a map, service tokens in front dropped."""
    cells = tokens[:, tokens.shape[1] - h * w :]
    return cells.reshape(len(tokens), h, w, -1).permute(0, 3, 1, 2)
