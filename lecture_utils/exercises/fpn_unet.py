"""Exercises of notebook 05 (FPN and U-Net)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, check, random, randomised
from lecture_utils.exercises.expect import Wrong, call, case, convolve, expect, parts


@cases(
    "05.1",
    {
        (0, 0, 224, 224): "Рамке 224×224 отвечает уровень k₀ = 4.",
        (10, 20, 122, 132): "Сторона вдвое меньше — уровень на один ниже.",
        (100, 50, 548, 162): "Под логарифмом — корень из площади, √(wh).",
        (30, 40, 230, 240): "Округлять надо вниз, к меньшему целому.",
        (300, 200, 340, 230): "Уровня ниже 2 нет: мелкие рамки берут из P₂.",
        (0, 0, 1200, 900): "Уровня выше 5 нет: крупные рамки берут из P₅.",
    },
    lambda *box: (torch.tensor(box, dtype=torch.float64),),
)
def pyramid_level(box: Tensor) -> int:
    """Level of the pyramid for a box: equation (1) of the FPN paper, kept in 2..5."""
    x0, y0, x1, y1 = box.tolist()
    side = math.sqrt((x1 - x0) * (y1 - y0))
    return min(max(math.floor(4 + math.log2(side / 224)), 2), 5)


@cases(
    "05.2",
    {
        (2, 3, 4, 6): "Каждая клетка M должна повториться дважды по обеим осям.",
        (4, 3, 7, 5): "H и W бывают нечётными: берите строки i·h // H.",
        (3, 5, 8, 9): "H и W растут в разное и в нецелое число раз.",
        (3, 4, 3, 4): "Если размеры равны, увеличивать нечего.",
    },
    lambda h, w, H, W: (random(2, 3, h, w, seed=1), random(2, 3, H, W, seed=2)),
)
def top_down_step(M: Tensor, lateral: Tensor) -> Tensor:
    """Nearest-neighbour enlargement to the size of the lateral map, and the sum."""
    (h, w), (H, W) = M.shape[2:], lateral.shape[2:]
    rows, columns = torch.arange(H) * h // H, torch.arange(W) * w // W
    return lateral + M[:, :, rows[:, None], columns]


@cases(
    "05.3",
    {
        (572, 4): "Это сеть статьи: из 572 остаются 388.",
        (44, 1): "Две свёртки съедают 4 пикселя, пулинг делит сторону пополам.",
        (188, 4): "Наименьшая картинка сети статьи: из 188 остаются 4.",
        (100, 2): "Внизу, между спуском и подъёмом, тоже две свёртки.",
        (30, 0): "Без пулингов остаются только две свёртки.",
        (573, 4): "Нечётная сторона перед пулингом — ответ 0.",
        (576, 4): "Чётной сторона должна быть перед каждым пулингом.",
        (172, 4): "Ответ со стороной меньше 1 невозможен: верните 0.",
        (12, 2): "Карта исчезла ещё на спуске: верните 0.",
    },
)
def unet_output(size: int, depth: int) -> int:
    """Side of the answer of a U-Net without padding; 0 when the input does not fit."""
    for _ in range(depth):
        size -= 4
        if size < 1 or size % 2:
            return 0
        size //= 2
    size -= 4
    for _ in range(depth):
        if size < 1:
            return 0
        size = 2 * size - 4
    return max(size, 0)


@check("05.4")
def split_conv(answer: Callable) -> None:
    """A convolution of a concatenation as the sum of two convolutions."""
    hint = (
        "Каналы входа — вторая ось весов: первые c относятся к skip. "
        "Смещение должно войти в сумму один раз."
    )
    for c, c_x, c_out in [(2, 2, 3), (3, 1, 2), (1, 4, 5)]:
        conv = randomised(nn.Conv2d(c + c_x, c_out, 3, padding=1))
        skip, x = random(2, c, 5, 6, seed=3), random(2, c_x, 5, 6, seed=4)
        with case(f"c={c}, у x каналов {c_x}", hint):
            pair = parts(call(answer, conv, c), "for_skip, for_x")
            got = [convolve(*both) for both in zip(pair, (skip, x), strict=True)]
            if any(layer.padding not in (1, (1, 1), "same") for layer in pair):
                raise Wrong("дополнение у обеих свёрток — как у conv, padding=1")
            expect(got[0] + got[1], conv(torch.cat([skip, x], 1)))


def _maps(name: str, r: int) -> tuple[Tensor, Tensor, int]:
    """An answer with 40 % of the pixels wrong, the true map and the argument r."""
    true = torch.zeros(9, 12, dtype=torch.int64)
    if name == "одного класса":
        return true, true, r
    true[2:6, 3:8] = 2
    if name == "с двумя прямоугольниками":
        true[6:, 8:] = 1
    wrong = torch.rand(true.shape, generator=torch.Generator().manual_seed(r)) < 0.4
    return torch.where(wrong, (true + 1) % 3, true), true, r


@cases(
    "05.5",
    {
        ("с квадратом", 0): "При r = 0 в полосе только граничные пиксели — по обе "
        "стороны границы.",
        ("с квадратом", 1): "При r = 1 полоса шире на пиксель в каждую сторону и по "
        "диагонали.",
        ("с двумя прямоугольниками", 0): "Соседи — сверху, снизу, слева и справа; "
        "диагональ не считается.",
        ("с двумя прямоугольниками", 2): "Полоса — квадрат (2r+1)×(2r+1) вокруг "
        "граничных пикселей.",
        ("одного класса", 1): "Границы нет — верните 1,0.",
    },
    _maps,
    given="карта {}, r={}",
)
def boundary_accuracy(answer: Tensor, true: Tensor, r: int) -> float:
    """Share of right answers within r pixels of a border of the true map."""
    border = torch.zeros_like(true, dtype=torch.bool)
    down, right = true[1:] != true[:-1], true[:, 1:] != true[:, :-1]
    border[:-1] |= down
    border[1:] |= down
    border[:, :-1] |= right
    border[:, 1:] |= right
    band = F.max_pool2d(border[None, None].double(), 2 * r + 1, 1, r)[0, 0] > 0
    return (answer == true)[band].double().mean().item() if band.any() else 1.0


@cases(
    "05.6",
    {
        (4, 2, 2): "Длина выхода — (n − 1)·s + k; при k = s каждый накрыт один раз.",
        (4, 3, 2): "Ядро i накрывает места от i·s до i·s + k − 1.",
        (5, 4, 2): "У краёв ядер меньше, чем в середине.",
        (3, 2, 3): "При k < s между ядрами остаются нули.",
        (1, 5, 3): "Один пиксель входа — одно ядро.",
        (6, 3, 1): "При шаге 1 ядра сдвинуты на один пиксель.",
    },
)
def count_overlaps(n: int, k: int, s: int) -> list[int]:
    """How many kernels cover each output of a transposed convolution in 1D."""
    counts = [0] * ((n - 1) * s + k)
    for i in range(n):
        for position in range(i * s, i * s + k):
            counts[position] += 1
    return counts
