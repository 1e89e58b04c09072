"""Exercises of notebook 07 (Grad-CAM)."""

import torch
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, random, randomised


@cases(
    "07.1",
    dict.fromkeys(
        [(2, 3, 4, 4), (1, 5, 3, 7), (4, 4, 4, 4)],
        "У каждого канала каждой картинки своё число: среднее градиента "
        "по строкам и столбцам карты, со знаком.",
    ),
    lambda *shape: (random(*shape),),
)
def channel_weights(G: Tensor) -> Tensor:
    """Weights of the channels: mean of the gradient over the cells of the map."""
    return G.mean((2, 3))


@cases(
    "07.2",
    dict.fromkeys(
        [(2, 3, 5, 4, 6, (1, 4)), (3, 4, 4, 2, 2, (3, 0, 3)), (1, 6, 2, 3, 5, (1,))],
        "Сложите каналы A с весами строки head.weight[класс картинки]. "
        "Смещение одинаково во всех клетках и в карту не входит, ReLU здесь нет.",
    ),
    lambda B, C, outputs, h, w, classes: (
        random(B, C, h, w, seed=1).abs(),
        randomised(nn.Linear(C, outputs)),
        torch.tensor(classes),
    ),
)
def cam_from_head(A: Tensor, head: nn.Linear, classes: Tensor) -> Tensor:
    """Channels of the map weighted by the rows of the linear layer."""
    return torch.einsum("bc,bchw->bhw", head.weight[classes], A)


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


def _brightness(blank: int, *shape: int) -> tuple[Tensor, Tensor]:
    """Maps that differ in brightness, the first ``blank`` of them without any."""
    heat = random(*shape).abs() * torch.arange(1.0, shape[0] + 1)[:, None, None]
    heat[:blank] = 0
    return heat, random(*shape, seed=1) > 0.3


@cases(
    "07.4",
    dict.fromkeys(
        [(0, 3, 4, 6), (0, 1, 5, 5), (0, 4, 4, 4)],
        "Для каждой картинки: сумма яркости внутри маски, делённая на сумму "
        "по всей карте.",
    )
    | {(1, 2, 3, 3): "Первая карта пуста, а 0/0 даёт NaN: пустой карте верните ноль."},
    _brightness,
)
def energy_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the brightness inside the mask; zero for a blank map."""
    return (heat * mask).sum((1, 2)) / heat.sum((1, 2)).clamp(min=1e-30)


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
