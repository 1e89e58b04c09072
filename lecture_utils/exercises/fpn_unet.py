"""Checks of the exercises of notebook 05 (FPN and U-Net)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises import Wrong, call, check, expect


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@check("05.1")
def pyramid_level(answer: Callable[..., int]) -> None:
    """Level of the pyramid for a box: equation (1) of the FPN paper, kept in 2..5."""
    hints = {
        (0, 0, 224, 224): "Рамке 224×224 отвечает уровень k₀ = 4.",
        (10, 20, 122, 132): "Сторона вдвое меньше — уровень на один ниже.",
        (100, 50, 548, 162): "Под логарифмом — корень из площади, √(wh).",
        (30, 40, 230, 240): "Округлять надо вниз, к меньшему целому.",
        (300, 200, 340, 230): "Уровня ниже 2 нет: мелкие рамки берут из P₂.",
        (0, 0, 1200, 900): "Уровня выше 5 нет: крупные рамки берут из P₅.",
    }
    for box, hint in hints.items():
        x0, y0, x1, y1 = box
        side = math.sqrt((x1 - x0) * (y1 - y0))
        want = min(max(math.floor(4 + math.log2(side / 224)), 2), 5)
        given = f"box={box}"
        got = call(answer, torch.tensor(box, dtype=torch.float64), given=given)
        if isinstance(got, Tensor) and got.numel() == 1 and not got.isnan():
            got = got.item()
        if got == want and not isinstance(got, bool):
            continue  # 4.0 is as good as 4
        expect(got, want, given=given, hint=hint)


@check("05.2")
def top_down_step(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Nearest-neighbour enlargement to the size of the lateral map, and the sum."""
    hints = {
        (2, 3, 4, 6): "Каждая клетка M должна повториться дважды по обеим осям.",
        (4, 3, 7, 5): "H и W бывают нечётными: берите строки i·h // H.",
        (3, 5, 8, 9): "H и W растут в разное и в нецелое число раз.",
        (3, 4, 3, 4): "Если размеры равны, увеличивать нечего.",
    }
    for (h, w, H, W), hint in hints.items():
        M, lateral = _random(2, 3, h, w, seed=1), _random(2, 3, H, W, seed=2)
        rows, columns = torch.arange(H) * h // H, torch.arange(W) * w // W
        want = lateral + M[:, :, rows[:, None], columns]
        given = f"M (2, 3, {h}, {w}), lateral (2, 3, {H}, {W})"
        got = call(answer, M, lateral, given=given)
        expect(got, want, given=given, hint=hint)


def _output_side(size: int, depth: int) -> int:
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


@check("05.3")
def unet_output(answer: Callable[[int, int], int]) -> None:
    """Side of the answer of a U-Net whose convolutions have no padding."""
    hints = {
        (572, 4): "Это сеть статьи: из 572 остаются 388.",
        (44, 1): "Две свёртки съедают 4 пикселя, пулинг делит сторону пополам.",
        (188, 4): "Наименьшая картинка сети статьи: из 188 остаются 4.",
        (100, 2): "Внизу, между спуском и подъёмом, тоже две свёртки.",
        (30, 0): "Без пулингов остаются только две свёртки.",
        (573, 4): "Нечётная сторона перед пулингом — ответ 0.",
        (576, 4): "Чётной сторона должна быть перед каждым пулингом.",
        (172, 4): "Ответ со стороной меньше 1 невозможен: верните 0.",
        (12, 2): "Карта исчезла ещё на спуске: верните 0.",
    }
    for (size, depth), hint in hints.items():
        given = f"size={size}, depth={depth}"
        got = call(answer, size, depth, given=given)
        expect(got, _output_side(size, depth), given=given, hint=hint)


@check("05.4")
def split_conv(answer: Callable) -> None:
    """A convolution of a concatenation as the sum of two convolutions."""
    for c, c_x, c_out in [(2, 2, 3), (3, 1, 2), (1, 4, 5)]:
        conv = nn.Conv2d(c + c_x, c_out, 3, padding=1)
        for seed, parameter in enumerate(conv.parameters()):
            parameter.data = _random(*parameter.shape, seed=seed)
        skip, x = _random(2, c, 5, 6, seed=3), _random(2, c_x, 5, 6, seed=4)
        given = f"c={c}, у x каналов {c_x}"
        pair = call(answer, conv, c, given=given)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise Wrong(
                f"{given} — нужно вернуть пару свёрток: return for_skip, for_x."
            )
        with torch.no_grad():
            parts = [
                _apply(layer, part, f"{given}: {name}")
                for layer, part, name in zip(
                    pair, (skip, x), ("for_skip", "for_x"), strict=True
                )
            ]
            expect(
                parts[0] + parts[1],
                conv(torch.cat([skip, x], 1)),
                given=given,
                hint="Каналы входа — вторая ось весов: первые c относятся к skip. "
                "Смещение должно войти в сумму один раз.",
            )


def _apply(layer: nn.Module, x: Tensor, given: str) -> Tensor:
    if not isinstance(layer, nn.Conv2d):
        raise Wrong(f"{given} — нужен nn.Conv2d, получено {type(layer).__name__}.")
    if layer.padding not in (1, (1, 1), "same"):
        raise Wrong(f"{given} — у свёртки padding={layer.padding}, а нужно 1.")
    return call(layer, x, given=given)


def _band(true: Tensor, r: int) -> Tensor:
    """Pixels within ``r`` of one that has a neighbour of another class."""
    border = torch.zeros_like(true, dtype=torch.bool)
    down, right = true[1:] != true[:-1], true[:, 1:] != true[:, :-1]
    border[:-1] |= down
    border[1:] |= down
    border[:, :-1] |= right
    border[:, 1:] |= right
    return F.max_pool2d(border[None, None].double(), 2 * r + 1, 1, r)[0, 0] > 0


@check("05.5")
def boundary_accuracy(answer: Callable[[Tensor, Tensor, int], float]) -> None:
    """Share of right answers within r pixels of a border of the true map."""
    square = torch.zeros(9, 12, dtype=torch.int64)
    square[2:6, 3:8] = 2
    corner = square.clone()
    corner[6:, 8:] = 1
    hints = {
        (0, 0): "При r = 0 в полосе только граничные пиксели — по обе стороны границы.",
        (0, 1): "При r = 1 полоса шире на пиксель в каждую сторону и по диагонали.",
        (1, 0): "Соседи — сверху, снизу, слева и справа; диагональ не считается.",
        (1, 2): "Полоса — квадрат (2r+1)×(2r+1) вокруг граничных пикселей.",
    }
    for (number, r), hint in hints.items():
        true = (square, corner)[number]
        generator = torch.Generator().manual_seed(number)
        wrong = torch.rand(true.shape, generator=generator) < 0.4
        got_map = torch.where(wrong, (true + 1) % 3, true)
        band = _band(true, r)
        want = (got_map == true)[band].double().mean().item()
        given = f"карта {('с квадратом', 'с двумя прямоугольниками')[number]}, r={r}"
        got = call(answer, got_map, true, r, given=given)
        _expect_share(got, want, given, hint)
    flat = torch.ones(4, 5, dtype=torch.int64)
    given = "карта одного класса, r=1"
    got = call(answer, flat, flat, 1, given=given)
    _expect_share(got, 1.0, given, "Границы нет — верните 1,0.")


def _expect_share(got: object, want: float, given: str, hint: str) -> None:
    if isinstance(got, Tensor) and got.numel() == 1:
        got = got.item()
    if not isinstance(got, int | float) or isinstance(got, bool):
        raise Wrong(f"{given} — нужно число, получено {type(got).__name__}. {hint}")
    if not abs(got - want) < 1e-6:  # also catches NaN
        raise Wrong(f"{given} — получено {got:.4f}, ожидалось {want:.4f}. {hint}")


@check("05.6")
def count_overlaps(answer: Callable[[int, int, int], list[int]]) -> None:
    """How many kernels cover each output of a transposed convolution in 1D."""
    hints = {
        (4, 2, 2): "Длина выхода — (n − 1)·s + k; при k = s каждый накрыт один раз.",
        (4, 3, 2): "Ядро i накрывает места от i·s до i·s + k − 1.",
        (5, 4, 2): "У краёв ядер меньше, чем в середине.",
        (3, 2, 3): "При k < s между ядрами остаются нули.",
        (1, 5, 3): "Один пиксель входа — одно ядро.",
        (6, 3, 1): "При шаге 1 ядра сдвинуты на один пиксель.",
    }
    for (n, k, s), hint in hints.items():
        want = [0] * ((n - 1) * s + k)
        for i in range(n):
            for position in range(i * s, i * s + k):
                want[position] += 1
        given = f"n={n}, k={k}, s={s}"
        got = call(answer, n, k, s, given=given)
        if isinstance(got, Tensor) or type(got).__module__ == "numpy":
            got = got.tolist()
        got = list(got) if isinstance(got, tuple) else got
        expect(got, want, given=given, hint=hint)
