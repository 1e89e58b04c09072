"""Checks of the exercises of notebook 11 (what a convolutional network sees)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises import Wrong, call, check, expect


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _expect_numbers(got: object, want: tuple[int, ...], given: str, hint: str) -> None:
    """Compare a tuple of whole numbers."""
    if not isinstance(got, tuple | list) or len(got) != len(want):
        raise Wrong(f"{given} — нужно чисел: {len(want)}, а получено {got!r}. {hint}")
    expect(tuple(got), want, given=given, hint=hint)


@check("11.1")
def conv_layer(answer: Callable[..., tuple[int, int]]) -> None:
    """Side of the output and number of parameters of a convolution."""
    hints = {
        (28, 1, 32, 5, 1, 2): "Ядро 5×5 на каждую пару каналов и смещение на каждый "
        "выходной канал; два нуля с каждой стороны сохраняют размер.",
        (28, 1, 32, 5, 1, 0): "Без дополнения карта уменьшается на k − 1.",
        (14, 32, 64, 5, 1, 2): "Смещений столько, сколько выходных каналов.",
        (28, 3, 8, 3, 2, 1): "Сторона (side + 2·padding − k) делится на шаг нацело, "
        "вниз, и ещё плюс один.",
        (11, 2, 7, 4, 3, 0): "Деление нацело — раньше, чем прибавление единицы.",
        (5, 6, 1, 5, 1, 0): "Ядро во всю карту даёт один пиксель.",
    }
    for arguments, hint in hints.items():
        side, c_in, c_out, k, stride, padding = arguments
        want = (side + 2 * padding - k) // stride + 1, (k * k * c_in + 1) * c_out
        names = ("side", "c_in", "c_out", "k", "stride", "padding")
        pairs = zip(names, arguments, strict=True)
        given = ", ".join(f"{name}={value}" for name, value in pairs)
        got = call(answer, *arguments, given=given)
        _expect_numbers(got, want, given, hint)


@check("11.2")
def same_padding(answer: Callable[[int, int, int], tuple[int, int]]) -> None:
    """Zeros that Keras adds before and after a side with padding="same"."""
    hints = {
        (28, 5, 1): "При шаге 1 нужно всего k − 1 нулей.",
        (28, 2, 2): "Сторона делится на шаг: дополнять нечего.",
        (27, 2, 2): "Не хватает одного числа: лишний нуль ставится после конца.",
        (28, 4, 1): "Нечётную сумму делят так, что больше достаётся концу.",
        (28, 5, 2): "Выход должен быть ⌈side / stride⌉: считайте от него.",
        (9, 3, 4): "Последнее ядро начинается в (⌈side / stride⌉ − 1)·stride.",
        (9, 1, 3): "Меньше нуля дополнять нельзя.",
    }
    for (side, k, stride), hint in hints.items():
        total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
        given = f"side={side}, k={k}, stride={stride}"
        got = call(answer, side, k, stride, given=given)
        _expect_numbers(got, (total // 2, total - total // 2), given, hint)


@check("11.3")
def pixel(answer: Callable[..., Tensor | float]) -> None:
    """One value of a convolution after ReLU."""
    cases = [
        (1, 3, 2, 3, 3, "Участок k×k с центром в (i, j), поэлементно на ядро, сумма."),
        (3, 5, 1, 3, 4, "Складываются все входные каналы."),
        (3, 5, 0, 0, 0, "У края участок дополняют нулями, а не сдвигают."),
        (2, 3, 3, 5, 6, "Последний пиксель: нули нужны снизу и справа."),
        (2, 5, 2, 0, 6, "Строка i и столбец j — разные оси."),
    ]
    for channels, k, f, i, j, hint in cases:
        x = _random(channels, 6, 7, seed=1)
        weight, bias = _random(4, channels, k, k, seed=2), _random(4, seed=3)
        z = F.conv2d(x[None], weight, padding=k // 2)[0, f, i, j]
        # A positive and a negative sum at every place, whatever the random numbers.
        for sign in (1, -1):
            bias[f] = sign * 0.75 - z
            given = f"x {tuple(x.shape)}, k={k}, f={f}, (i, j)=({i}, {j})"
            got = call(answer, x, weight, bias, f, i, j, given=given)
            if isinstance(got, float | int) and not isinstance(got, bool):
                got = torch.tensor(float(got))
            if isinstance(got, Tensor) and got.numel() == 1 and got.dim():
                raise Wrong(
                    f"{given} — нужно одно число, а получен тензор формы "
                    f"{tuple(got.shape)}. Складывайте сразу по всем осям."
                )
            want = torch.tensor(0.75 if sign > 0 else 0.0)
            below = "Сумма здесь отрицательна: ReLU заменяет её нулём. "
            hint_now = hint if sign > 0 else below + hint
            expect(got, want, given=given, hint=hint_now)


class _Watched(nn.Module):
    """A network that is not copied, so that hooks left behind can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential()
        self.block.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.block.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(3 * 2 * 2, 4)
        for number, parameter in enumerate(self.parameters()):
            parameter.data.copy_(_random(*parameter.shape, seed=number))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.block(x)).flatten(1))

    def __deepcopy__(self, memo: dict) -> "_Watched":
        return self


@check("11.4")
def watch(answer: Callable[[nn.Module, Tensor, list[str]], dict]) -> None:
    """Outputs of named layers, by hooks that are removed afterwards."""
    x = _random(2, 2, 4, 4, seed=9)
    for names in (["pool"], ["block.conv", "block.relu"], ["head", "block.conv"]):
        net, reference = _Watched(), _Watched()
        given = f"names={names}"
        got = call(answer, net, x, names, given=given)
        if not isinstance(got, dict) or set(got) != set(names):
            shown = list(got) if isinstance(got, dict) else type(got).__name__
            raise Wrong(
                f"{given} — нужен словарь с этими ключами, а получено {shown!r}. "
                "Замыкание в цикле запоминает переменную, а не её значение: "
                "передайте имя аргументом, name=name."
            )
        with torch.no_grad():
            conv = reference.block.conv(x)
            relu = conv.relu()
            pool = reference.pool(relu)
            right = {"block.conv": conv, "block.relu": relu, "pool": pool}
            right["head"] = reference.head(pool.flatten(1))
        for name in names:
            if isinstance(got[name], Tensor):
                got[name] = got[name].detach()
            expect(
                got[name],
                right[name],
                given=f"{given}: {name}",
                hint="Нужен выход слоя в том виде, в каком слой его отдал: сделайте "
                "копию (clone), иначе ReLU с inplace=True перепишет его.",
            )
        left = [n for n, m in net.named_modules() if m._forward_hooks]
        if left:
            raise Wrong(
                f"{given} — хуки остались на слоях {left}. Сохраните то, что вернул "
                "register_forward_hook, и вызовите у него remove()."
            )


@check("11.5")
def field_of_maximum(answer: Callable[[Tensor], tuple[int, int, int, int]]) -> None:
    """Part of a 28x28 picture that the largest pixel of a 14x14 map depends on."""
    hints = {
        (7, 7): "Поле 14×14: строки с 2i − 6 по 2i + 7 включительно.",
        (5, 9): "Строка максимума задаёт top и bottom, столбец — left и right.",
        (0, 0): "У края поле обрезают по границе картинки: не меньше 0.",
        (13, 12): "У нижнего и правого края — не больше 28.",
        (3, 10): "Поле не симметрично: до центра 6 пикселей, после — 7.",
        (11, 1): "Проверьте обе оси: у каждой свои границы.",
    }
    for (i, j), hint in hints.items():
        z = -_random(14, 14, seed=i).abs() - 1  # the largest one is negative, too
        z[i, j] = -0.5
        z[(i + 4) % 14, (j + 5) % 14] = -9.0  # the largest absolute value elsewhere
        ends = [(max(2 * n - 6, 0), min(2 * n + 8, 28)) for n in (i, j)]
        given = f"наибольший пиксель ({i}, {j})"
        _expect_numbers(call(answer, z, given=given), (*ends[0], *ends[1]), given, hint)


@check("11.6")
def occlusion_map(answer: Callable[..., Tensor]) -> None:
    """Drops of a score when a square of the picture is painted over."""
    cases = [
        ((1, 8, 8), 4, 4, 0.0, "Падение — это score до заслонки минус после."),
        ((1, 9, 9), 3, 2, 0.5, "Шаг stride и заливка fill входят в ответ."),
        ((3, 8, 8), 4, 2, 0.0, "Квадрат заливают во всех каналах."),
        ((1, 6, 10), 3, 1, 1.0, "Строк и столбцов у карты может быть разное число."),
        ((2, 7, 8), 3, 3, -1.0, "Квадрат не выходит за край: остаток отбрасывают."),
    ]
    for shape, size, stride, fill, hint in cases:
        x, weight = _random(*shape, seed=4), _random(*shape, seed=5)

        def score(batch: Tensor, weight: Tensor = weight) -> Tensor:
            return (batch * weight).sum((1, 2, 3)).tanh()

        rows = range(0, shape[1] - size + 1, stride)
        columns = range(0, shape[2] - size + 1, stride)
        want = torch.zeros(len(rows), len(columns))
        for a, i in enumerate(rows):
            for b, j in enumerate(columns):
                covered = x.clone()
                covered[:, i : i + size, j : j + size] = fill
                want[a, b] = (score(x[None]) - score(covered[None]))[0]
        given = f"x {shape}, size={size}, stride={stride}, fill={fill:g}"
        got = call(answer, score, x, size, stride, fill, given=given)
        expect(got, want, given=given, hint=hint)
