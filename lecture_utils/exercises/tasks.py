"""Exercises of notebook 01 (tasks of computer vision)."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_utils.exercises.cases import cases, check
from lecture_utils.exercises.expect import Wrong, call, case, expect
from lecture_utils.scenes import LABEL_DIVISOR, Kind, scene


def _random_masks(n: int, height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, height, width, generator=generator) < 0.4


@cases(
    "01.1",
    {
        ((10, 20, 30), (15, 25, 35)): "Наибольшая яркость здесь 255, логарифм "
        "десятичный, множитель 10.",
        ((0, 3), (250, 203)): "Разность чисел uint8 не бывает отрицательной: сначала "
        "смените тип.",
        ((100, 100, 100, 100), (100, 100, 100, 140)): "Усредняют квадраты разностей "
        "по всем пикселям.",
        ((7, 8), (7, 8)): "Ошибка равна нулю, PSNR бесконечен.",
    },
    lambda *rows: tuple(torch.tensor([[row]], dtype=torch.uint8) for row in rows),
    kind=float,
    atol=1e-3,
)
def psnr_uint8(x: Tensor, y: Tensor) -> float:
    """PSNR of two uint8 images."""
    error = (x.double() - y.double()).pow(2).mean()
    return (10 * torch.log10(255**2 / error)).item()


@check("01.2")
def flip_boxes(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Boxes of a picture mirrored left to right."""
    inputs = {
        "рамка у левого края": ([[0.0, 2, 3, 5]], 10),
        "рамка во всю ширину": ([[0.0, 0, 8, 4]], 8),
        "две рамки": ([[1.0, 2, 4, 9], [5, 0, 6, 1]], 12),
    }
    hint = (
        "Правый край становится левым: x₀ и x₁ меняются ролями; "
        "координаты — края пикселей, поэтому вычитают из width, а не из width − 1."
    )
    for given, (values, width) in inputs.items():
        boxes, kept = torch.tensor(values), torch.tensor(values)
        x0, y0, x1, y1 = kept.unbind(-1)
        with case(f"{given}, width={width}", hint):
            got = call(answer, boxes, width, copy=False)
            if not torch.equal(boxes, kept):
                raise Wrong("исходные рамки изменены. Верните новый тензор")
            expect(got, torch.stack([width - x1, y0, width - x0, y1], -1))


@check("01.3")
def masks_to_boxes(answer: Callable[[Tensor], Tensor]) -> None:
    """Tight half-open boxes of masks; zeros for empty ones."""
    one = torch.zeros(1, 4, 6, dtype=torch.bool)
    one[0, 1, 4] = True
    inputs = {
        "один пиксель в строке 1, столбце 4": one,
        "маски 5×7": _random_masks(3, 5, 7, seed=0),
        "пустая маска": torch.zeros(1, 3, 3, dtype=torch.bool),
        "пустая маска среди других": torch.stack([one[0], ~one[0], one[0] & ~one[0]]),
        "ни одной маски": torch.zeros(0, 3, 3, dtype=torch.bool),
    }
    hint = (
        "Столбцы — это x, строки — y; правый и нижний края на единицу "
        "больше номера последнего пикселя; пустой маске — нули."
    )
    for given, masks in inputs.items():
        want = torch.zeros(len(masks), 4, dtype=torch.int64)
        for box, mask in zip(want, masks, strict=True):
            y, x = mask.nonzero(as_tuple=True)
            if len(x):
                box[:] = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1])
        with case(given, hint):
            expect(call(answer, masks), want)


@check("01.4")
def mask_iou(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Pairwise IoU of two sets of masks."""
    a, b = _random_masks(3, 5, 6, seed=1), _random_masks(4, 5, 6, seed=2)
    large = [_random_masks(2, 40, 40, seed=seed) for seed in (3, 4)]
    empty = torch.zeros(1, 5, 6, dtype=torch.bool)
    inputs = {
        "3 маски и 4 маски": (a, b),
        "маски с самими собой": (a, a),
        "пустая маска и обычные": (empty, b),
        "две пустые маски": (empty, empty),
        "большие маски": large,
    }
    hint = (
        "Строка i, столбец j: пиксели и в a[i], и в b[j], делённые на "
        "пиксели хотя бы в одной; у двух пустых масок IoU = 0."
    )
    for given, (first, second) in inputs.items():
        both = (first[:, None] & second).sum((2, 3))
        either = (first[:, None] | second).sum((2, 3))
        want = (both / either.clamp(min=1)).to(torch.get_default_dtype())
        with case(given, hint):
            expect(call(answer, first, second), want)


@check("01.5")
def unproject(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Camera coordinates of every pixel from its depth."""
    street = scene(3, 32)
    depth = torch.tensor(street.depth).to(torch.get_default_dtype())
    K = torch.tensor(street.K).to(depth)
    skewed = K * torch.tensor([[1.5], [1], [1]])  # not square pixels
    inputs = {
        "стена в 2 м": (torch.full((32, 32), 2.0), K),
        "улица 20×32": (depth[12:].clamp(max=100), K),
        "два разных фокусных расстояния": (torch.full((4, 6), 3.0), skewed),
    }
    hint = (
        "X = (u − c_x)·Z / f_x и Y = (v − c_y)·Z / f_y; u считают по "
        "столбцам, v по строкам, у центра пикселя к номеру прибавляют ½."
    )
    for given, (z, matrix) in inputs.items():
        v, u = torch.meshgrid(*(torch.arange(n) + 0.5 for n in z.shape), indexing="ij")
        x = (u - matrix[0, 2]) / matrix[0, 0] * z
        y = (v - matrix[1, 2]) / matrix[1, 1] * z
        with case(given, hint):
            expect(call(answer, z, matrix), torch.stack([x, y, z], -1))


@check("01.6")
def panoptic_map(answer: Callable[..., Tensor]) -> None:
    """Panoptic map from stuff and overlapping scored masks of things."""
    masks = torch.zeros(3, 3, 5, dtype=torch.bool)
    masks[0, :, :3], masks[1, :, 2:4], masks[2, 1] = True, True, True
    semantic = torch.tensor([[Kind.SKY] * 5, [Kind.GROUND] * 5, [Kind.ROAD] * 5])
    labels = torch.tensor([Kind.CAR, Kind.HOUSE, Kind.PERSON])
    apart = masks[:2] & ~masks[[1, 0]]
    twins = torch.tensor([Kind.CAR, Kind.CAR, Kind.PERSON])
    inputs = {
        "маски не пересекаются": (apart, labels[:2], [0.9, 0.4]),
        "самая уверенная — последняя": (masks, labels, [0.2, 0.5, 0.8]),
        "самая уверенная — первая": (masks, labels, [0.9, 0.3, 0.6]),
        "два предмета одного класса": (masks, twins, [0.5, 0.7, 0.1]),
        "ни одной вещи": (masks[:0], labels[:0], []),
    }
    hint = (
        "Спорный пиксель — более уверенной маске; номера идут с единицы по "
        "убыванию уверенности, один счёт на все классы; у вещества номер 0."
    )
    for given, (things, classes, confidence) in inputs.items():
        scores = torch.tensor(confidence)
        want = LABEL_DIVISOR * semantic
        order = scores.argsort(descending=True).tolist()
        for number, k in reversed(list(enumerate(order, 1))):
            want[things[k]] = LABEL_DIVISOR * classes[k] + number
        with case(given, hint):
            expect(call(answer, semantic, things, classes, scores), want)
