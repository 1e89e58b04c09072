"""Checks of the exercises of notebook 02 (VGG)."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises import Wrong, call, check, expect


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _parameters(config: str, size: int, classes: int) -> int:
    """Parameters of a VGG by its configuration (Simonyan, Zisserman, 2014, table 1)."""
    stages = zip((64, 128, 256, 512, 512), config.split(), strict=True)
    convs = [(int(k), c) for c, stage in stages for k in stage]
    channels = [3, *(c for _, c in convs)]
    total = sum(
        (k * k * c_in + 1) * c for c_in, (k, c) in zip(channels, convs, strict=False)
    )
    widths = [512 * (size // 32) ** 2, 4096, 4096, classes]
    return total + sum((a + 1) * b for a, b in pairwise(widths))


@check("02.1")
def vgg_parameters(answer: Callable[[str, int, int], int]) -> None:
    """Number of parameters of a VGG."""
    hints = {
        ("33 33 333 333 333", 224, 1000): "Свёртка: k²·c_in·c_out весов и c_out "
        "смещений; у первой свёртки c_in = 3; полносвязных слоёв три.",
        ("33 33 331 331 331", 224, 1000): "Цифра в строке — ядро: у 1×1 один вес "
        "на пару каналов, а не девять.",
        ("3 3 3 3 3", 224, 10): "В последнем слое classes выходов, а не 1000.",
        ("3 3 33 33 33", 64, 1000): "Пять пулингов делят сторону на 32: первый "
        "полносвязный слой видит карту (size // 32)².",
        ("1 3 3 3 1", 320, 7): "Проверьте все части формулы на этом входе.",
    }
    for (config, size, classes), hint in hints.items():
        given = f"config={config!r}, size={size}, classes={classes}"
        got = call(answer, config, size, classes, given=given)
        expect(got, _parameters(config, size, classes), given=given, hint=hint)


@check("02.2")
def field_and_step(answer: Callable[[list[tuple[int, int]]], tuple[int, int]]) -> None:
    """Receptive field and step of a stack of layers."""
    cases = {
        ((3, 1),): "Слой с ядром k и шагом 1 расширяет поле на k − 1.",
        ((3, 1), (3, 1), (3, 1)): "Три 3×3 видят 7 пикселей: 1 + 2 + 2 + 2.",
        ((2, 2), (3, 1)): "После шага 2 соседи стоят через 2 пикселя входа.",
        ((3, 1), (2, 2)): "Шаг слоя действует на следующие слои, не на сам слой.",
        ((5, 2), (3, 2), (3, 2)): "Шаги перемножаются.",
        ((3, 1), (1, 1), (2, 3), (7, 1)): "Ядро 1×1 поля не расширяет.",
        (): "Без слоёв пиксель видит только себя: поле 1, шаг 1.",
    }
    for layers, hint in cases.items():
        field, step = 1, 1
        for kernel, stride in layers:
            field, step = field + (kernel - 1) * step, step * stride
        given = f"layers={list(layers)}"
        got = call(answer, list(layers), given=given)
        if not isinstance(got, tuple | list) or len(got) != 2:
            raise Wrong(f"{given} — нужна пара (поле, шаг), а получено {got!r}.")
        expect(tuple(got), (field, step), given=given, hint=hint)


@check("02.3")
def top_k_error(answer: Callable[[Tensor, Tensor, int], float]) -> None:
    """Share of examples whose label is not among the k largest logits."""
    # Every row is a permutation of 0…7, so there are no ties.
    logits = torch.stack([_random(8, seed=i).argsort() for i in range(10)])
    logits = logits.to(torch.get_default_dtype()) - 20
    order = logits.argsort(1, descending=True)
    place = torch.tensor([0, 0, 1, 2, 2, 4, 4, 5, 7, 7])  # of the right class
    labels = order.gather(1, place[:, None])[:, 0]
    hints = {
        1: "При k = 1 это обычная доля ошибок.",
        3: "Верный класс должен попасть в k самых больших, а не самых малых.",
        5: "Нужна доля ошибок, от 0 до 1, а не точность и не число примеров.",
        8: "При k, равном числу классов, ошибок не бывает.",
    }
    for k, hint in hints.items():
        want = (place >= k).double().mean().item()
        given = f"10 примеров, 8 классов, k={k}"
        got = call(answer, logits, labels, k, given=given)
        try:
            value = float(got)
        except (TypeError, ValueError, RuntimeError):
            raise Wrong(f"{given} — нужно одно число, получено {got!r}.") from None
        if not abs(value - want) < 1e-6:
            raise Wrong(f"{given} — получено {value:g}, ожидалось {want:g}. {hint}")


@check("02.4")
def dense_to_conv(answer: Callable[[nn.Linear, int, int, int], nn.Conv2d]) -> None:
    """Convolution that equals a dense layer on a flattened map."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for channels, height, width, outputs in [(4, 3, 3, 5), (3, 2, 4, 6)]:
            linear = nn.Linear(channels * height * width, outputs)
            given = f"карта {channels}×{height}×{width}, выходов {outputs}"
            conv = call(answer, linear, channels, height, width, given=given)
            if not isinstance(conv, nn.Conv2d):
                kind = type(conv).__name__
                raise Wrong(f"{given} — нужен nn.Conv2d, получено {kind}.")
            _expect_dense(conv, linear, (channels, height, width), given)


def _expect_dense(
    conv: nn.Conv2d, linear: nn.Linear, shape: tuple[int, int, int], given: str
) -> None:
    channels, height, width = shape
    large = _random(2, channels, height + 2, width + 1)
    with torch.no_grad():
        for x in (large[..., :height, :width], large):
            # The dense layer at every place of the map: one window, one column.
            windows = F.unfold(x, (height, width)).transpose(1, 2)
            want = linear(windows).transpose(1, 2)
            rows, columns = x.shape[2] - height + 1, x.shape[3] - width + 1
            where = f"{given}, на входе {tuple(x.shape)}"
            expect(
                call(conv, x, given=where),
                want.reshape(2, -1, rows, columns),
                given=where,
                hint="Ядро свёртки — вся карта H×W, без дополнения; развёртка идёт "
                "в порядке каналы, строки, столбцы; не забудьте смещение.",
            )


@check("02.5")
def merge_convs(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Kernel 5x5 that equals two 3x3 convolutions without a nonlinearity."""
    for c_in, middle, c_out in [(1, 1, 1), (2, 3, 4), (3, 2, 1)]:
        w1, w2 = _random(middle, c_in, 3, 3, seed=1), _random(c_out, middle, 3, 3)
        # Column c of the response to an impulse in channel c, mirrored, is the kernel.
        impulses = torch.zeros(c_in, c_in, 9, 9, dtype=w1.dtype)
        impulses[range(c_in), range(c_in), 4, 4] = 1
        response = F.conv2d(F.conv2d(impulses, w1), w2)
        given = f"C={c_in}, M={middle}, O={c_out}"
        expect(
            call(answer, w1, w2, given=given),
            response.flip(2, 3).transpose(0, 1),
            given=given,
            hint="Вес w2[o, m, a, b] добавляет к ядру w1[m], сдвинутое на (a, b); "
            "по промежуточным каналам m идёт сумма.",
        )
