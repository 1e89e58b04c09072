"""Checks of the exercises of notebook 01 (tasks of computer vision)."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_utils.exercises import Wrong, call, check, expect
from lecture_utils.scenes import LABEL_DIVISOR, Kind, project, scene


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _random_masks(n: int, height: int, width: int, seed: int) -> Tensor:
    return torch.rand(n, height, width, generator=_generator(seed)) < 0.4


@check("01.1")
def psnr_uint8(answer: Callable[[Tensor, Tensor], float]) -> None:
    """PSNR of two uint8 images."""

    def grey(*values: int) -> Tensor:
        return torch.tensor([[values]], dtype=torch.uint8)

    cases = {
        "все пиксели отличаются на 5": (
            grey(10, 20, 30),
            grey(15, 25, 35),
            "Наибольшая яркость здесь 255, логарифм десятичный, множитель 10.",
        ),
        "x темнее y": (
            grey(0, 3),
            grey(250, 203),
            "Разность чисел uint8 не бывает отрицательной: сначала смените тип.",
        ),
        "ошибка в одном пикселе из четырёх": (
            grey(100, 100, 100, 100),
            grey(100, 100, 100, 140),
            "Усредняют квадраты разностей по всем пикселям.",
        ),
        "картинки одинаковы": (
            grey(7, 8),
            grey(7, 8),
            "Ошибка равна нулю, PSNR бесконечен.",
        ),
    }
    for given, (x, y, hint) in cases.items():
        error = (x.double() - y.double()).pow(2).mean()
        want = (10 * torch.log10(255**2 / error)).item()
        got = call(answer, x, y, given=given)
        if not isinstance(got, float):
            raise Wrong(f"{given} — нужен float, а получено {type(got).__name__}.")
        if got != want and not abs(got - want) < 1e-3:
            raise Wrong(f"{given} — получено {got:.3f}, ожидалось {want:.3f}. {hint}")


@check("01.2")
def flip_boxes(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Boxes of a picture mirrored left to right."""
    cases = {
        "рамка у левого края": ([[0.0, 2, 3, 5]], 10),
        "рамка во всю ширину": ([[0.0, 0, 8, 4]], 8),
        "две рамки": ([[1.0, 2, 4, 9], [5, 0, 6, 1]], 12),
    }
    for given, (values, width) in cases.items():
        boxes = torch.tensor(values)
        x0, y0, x1, y1 = boxes.unbind(-1)
        kept = boxes.clone()

        def watched(b: Tensor, w: int, boxes: Tensor = boxes) -> Tensor:
            # The answer gets the tensor itself, so that a change of it shows.
            return answer(boxes, w)

        call(answer, boxes, width, given=given)  # tells «решения пока нет»
        got = call(watched, boxes, width, given=given)
        if not torch.equal(boxes, kept):
            raise Wrong(f"{given} — исходные рамки изменены. Верните новый тензор.")
        expect(
            got,
            torch.stack([width - x1, y0, width - x0, y1], -1),
            given=f"{given}, width={width}",
            hint="Правый край становится левым: x₀ и x₁ меняются ролями; "
            "координаты — края пикселей, поэтому вычитают из width, а не из width − 1.",
        )


@check("01.3")
def masks_to_boxes(answer: Callable[[Tensor], Tensor]) -> None:
    """Tight half-open boxes of masks; zeros for empty ones."""
    one = torch.zeros(1, 4, 6, dtype=torch.bool)
    one[0, 1, 4] = True
    cases = {
        "один пиксель в строке 1, столбце 4": one,
        "маски 5×7": _random_masks(3, 5, 7, seed=0),
        "пустая маска": torch.zeros(1, 3, 3, dtype=torch.bool),
        "пустая маска среди других": torch.stack([one[0], ~one[0], one[0] & ~one[0]]),
        "ни одной маски": torch.zeros(0, 3, 3, dtype=torch.bool),
    }
    for given, masks in cases.items():
        want = torch.zeros(len(masks), 4, dtype=torch.int64)
        for box, mask in zip(want, masks, strict=True):
            y, x = mask.nonzero(as_tuple=True)
            if len(x):
                box[:] = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1])
        expect(
            call(answer, masks, given=given),
            want,
            given=given,
            hint="Столбцы — это x, строки — y; правый и нижний края на единицу "
            "больше номера последнего пикселя; пустой маске — нули.",
        )


@check("01.4")
def mask_iou(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Pairwise IoU of two sets of masks."""
    a, b = _random_masks(3, 5, 6, seed=1), _random_masks(4, 5, 6, seed=2)
    empty = torch.zeros(1, 5, 6, dtype=torch.bool)
    cases = {
        "3 маски и 4 маски": (a, b),
        "маски с самими собой": (a, a),
        "пустая маска и обычные": (empty, b),
        "две пустые маски": (empty, empty),
        "большие маски": (
            _random_masks(2, 40, 40, seed=3),
            _random_masks(2, 40, 40, seed=4),
        ),
    }
    for given, (first, second) in cases.items():
        both = (first[:, None] & second).sum((2, 3))
        either = (first[:, None] | second).sum((2, 3))
        want = (both / either.clamp(min=1)).to(torch.get_default_dtype())
        expect(
            call(answer, first, second, given=given),
            want,
            given=given,
            hint="Строка i, столбец j: пиксели и в a[i], и в b[j], делённые на "
            "пиксели хотя бы в одной; у двух пустых масок IoU = 0.",
        )


@check("01.5")
def unproject(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Camera coordinates of every pixel from its depth."""
    street = scene(3, 32)
    depth = torch.tensor(street.depth).to(torch.get_default_dtype())
    K = torch.tensor(street.K).to(depth)
    skewed = K.clone()
    skewed[0] *= 1.5  # not square pixels: two focal lengths
    cases = {
        "стена в 2 м": (torch.full((32, 32), 2.0), K),
        "улица 20×32": (depth[12:].clamp(max=100), K),
        "два разных фокусных расстояния": (torch.full((4, 6), 3.0), skewed),
    }
    for given, (z, matrix) in cases.items():
        v, u = torch.meshgrid(
            torch.arange(z.shape[0]) + 0.5,
            torch.arange(z.shape[1]) + 0.5,
            indexing="ij",
        )
        x = (u - matrix[0, 2]) / matrix[0, 0] * z
        y = (v - matrix[1, 2]) / matrix[1, 1] * z
        want = torch.stack([x, y, z], -1)
        there = torch.as_tensor(project(want.numpy(), matrix.numpy()))
        assert torch.allclose(there, torch.stack([u, v], -1).to(there), atol=1e-3)
        expect(
            call(answer, z, matrix, given=given),
            want,
            given=given,
            hint="X = (u − c_x)·Z / f_x и Y = (v − c_y)·Z / f_y; u считают по "
            "столбцам, v по строкам, у центра пикселя к номеру прибавляют ½.",
        )


@check("01.6")
def panoptic_map(answer: Callable[..., Tensor]) -> None:
    """Panoptic map from stuff and overlapping scored masks of things."""
    masks = torch.zeros(3, 3, 5, dtype=torch.bool)
    masks[0, :, :3], masks[1, :, 2:4], masks[2, 1] = True, True, True
    stuff = torch.tensor([[Kind.SKY] * 5, [Kind.GROUND] * 5, [Kind.ROAD] * 5])
    labels = torch.tensor([Kind.CAR, Kind.HOUSE, Kind.PERSON])
    cases = {
        "маски не пересекаются": (
            masks[:2] & ~masks[[1, 0]],
            labels[:2],
            torch.tensor([0.9, 0.4]),
        ),
        "самая уверенная — последняя": (masks, labels, torch.tensor([0.2, 0.5, 0.8])),
        "самая уверенная — первая": (masks, labels, torch.tensor([0.9, 0.3, 0.6])),
        "два предмета одного класса": (
            masks,
            torch.tensor([Kind.CAR, Kind.CAR, Kind.PERSON]),
            torch.tensor([0.5, 0.7, 0.1]),
        ),
        "ни одной вещи": (masks[:0], labels[:0], torch.zeros(0)),
    }
    for given, (things, classes, scores) in cases.items():
        want = LABEL_DIVISOR * stuff
        order = scores.argsort(descending=True)
        for number in range(len(order), 0, -1):
            k = order[number - 1]
            want[things[k]] = LABEL_DIVISOR * classes[k] + number
        expect(
            call(answer, stuff, things, classes, scores, given=given),
            want,
            given=given,
            hint="Спорный пиксель — более уверенной маске; номера идут с единицы по "
            "убыванию уверенности, один счёт на все классы; у вещества номер 0.",
        )
