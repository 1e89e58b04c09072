"""Checks of the exercises of notebook 07 (Grad-CAM)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lecture_utils.exercises import Wrong, call, check, expect, expect_form


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@check("07.1")
def channel_weights(answer: Callable[[Tensor], Tensor]) -> None:
    """Weights of the channels: mean of the gradient over the cells of the map."""
    for shape in [(2, 3, 4, 4), (1, 5, 3, 7), (4, 4, 4, 4)]:
        G = _random(*shape)
        given = f"G формы {shape}"
        expect(
            call(answer, G, given=given),
            G.mean((2, 3)),
            given=given,
            hint="У каждого канала каждой картинки своё число: среднее градиента "
            "по строкам и столбцам карты, со знаком.",
        )


@check("07.2")
def cam_from_head(answer: Callable[[Tensor, nn.Linear, Tensor], Tensor]) -> None:
    """Channels of the map weighted by the rows of the linear layer."""
    for (batch, channels, classes, h, w), chosen in [
        ((2, 3, 5, 4, 6), [1, 4]),
        ((3, 4, 4, 2, 2), [3, 0, 3]),
        ((1, 6, 2, 3, 5), [1]),
    ]:
        A = _random(batch, channels, h, w, seed=1).abs()
        head = nn.Linear(channels, classes)
        with torch.no_grad():
            head.weight.copy_(_random(classes, channels, seed=2))
            head.bias.copy_(_random(classes, seed=3) + 2)
        labels = torch.tensor(chosen)
        want = torch.einsum("bc,bchw->bhw", head.weight[labels], A).detach()
        given = f"A формы {tuple(A.shape)}, классов {classes}, classes={chosen}"
        got = call(answer, A, head, labels, given=given)
        expect(
            got,
            want,
            given=given,
            hint="Сложите каналы A с весами строки head.weight[класс картинки]. "
            "Смещение одинаково во всех клетках и в карту не входит, ReLU здесь нет.",
        )


@check("07.3")
def box_hits(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the centre of the brightest pixel lies inside the box."""
    # Height, width, row and column of the peak, box x1 y1 x2 y2, what is tried.
    cases = [
        (6, 9, 2, 7, (6, 1, 9, 4), "точка внутри рамки"),
        (6, 9, 5, 1, (4, 0, 6, 3), "строка и столбец точки внутри рамки, если спутать"),
        (6, 9, 2, 5, (1, 1, 5, 4), "точка сразу за правым краем рамки"),
        (6, 9, 4, 2, (1, 1, 5, 4), "точка сразу под нижним краем рамки"),
        (6, 9, 1, 1, (1, 1, 3, 3), "точка в углу рамки"),
        (6, 9, 3, 4, (4.6, 2, 8, 5), "дробная рамка, центр пикселя левее её"),
        (6, 9, 0, 8, (0, 2, 9, 6), "точка выше рамки"),
    ]
    heats, boxes = [], []
    for number, (h, w, row, column, box, _) in enumerate(cases):
        heat = _random(h, w, seed=number).sigmoid()
        heat[row, column] = 1.5 + number
        heats.append(heat)
        boxes.append(torch.tensor(box, dtype=heat.dtype))
    hint = (
        "Найдите строку и столбец наибольшего значения каждой карты; x сравнивают "
        "с первым и третьим числом рамки, y — со вторым и четвёртым."
    )
    want = torch.tensor([True, False, False, False, True, False, False])
    for heat, box, right, case in zip(heats, boxes, want, cases, strict=True):
        given = f"карта {case[0]}×{case[1]}, {case[5]}, рамка {case[4]}"
        got = call(answer, heat[None], box[None], given=given)
        _expect_verdicts(got, right[None], given, hint)
    given = f"{len(cases)} карт сразу"
    got = call(answer, torch.stack(heats), torch.stack(boxes), given=given)
    _expect_verdicts(got, want, given, "У каждой карты свой максимум. " + hint)


def _expect_verdicts(got: Tensor, want: Tensor, given: str, hint: str) -> None:
    expect_form(got, want, given=given, hint=hint)
    if not torch.equal(got, want):
        raise Wrong(
            f"{given} — получено {got.tolist()}, ожидалось {want.tolist()}. {hint}"
        )


@check("07.4")
def energy_inside(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Share of the brightness inside the mask; zero for a blank map."""
    for shape in [(3, 4, 6), (1, 5, 5), (4, 4, 4)]:
        heat = _random(*shape).abs() * torch.arange(1.0, shape[0] + 1)[:, None, None]
        heat = heat.to(torch.get_default_dtype())
        mask = _random(*shape, seed=1) > 0.5
        given = f"heat формы {shape}"
        expect(
            call(answer, heat, mask, given=given),
            (heat * mask).sum((1, 2)) / heat.sum((1, 2)),
            given=given,
            hint="Для каждой картинки: сумма яркости внутри маски, делённая на сумму "
            "по всей карте.",
        )
    heat, mask = _random(2, 3, 3).abs(), _random(2, 3, 3, seed=1) > 0
    heat[0] = 0
    given = "первая карта пуста"
    expect(
        call(answer, heat, mask, given=given),
        (heat * mask).sum((1, 2)) / heat.sum((1, 2)).clamp(min=1e-30),
        given=given,
        hint="0/0 даёт NaN: пустой карте верните ноль.",
    )


@check("07.5")
def grid_of_tokens(answer: Callable[[Tensor, int, int], Tensor]) -> None:
    """Cells of the picture as a map, service tokens in front dropped."""
    for extra, h, w, d in [(1, 3, 3, 4), (1, 2, 5, 3), (5, 4, 3, 2), (0, 3, 2, 6)]:
        tokens = _random(2, extra + h * w, d)
        cells = tokens[:, extra:]
        want = cells.reshape(2, h, w, d).permute(0, 3, 1, 2)
        given = f"служебных токенов {extra}, h={h}, w={w}, d={d}"
        expect(
            call(answer, tokens, h, w, given=given),
            want,
            given=given,
            hint="Клетки — последние h·w токенов. Клетка строки i и столбца j имеет "
            "среди них номер i·w + j; её вектор должен стать каналами.",
        )
