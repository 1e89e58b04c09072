"""Exercises of notebook 02 (VGG)."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.bans import BUILDING
from lecture_utils.exercises.cases import (
    SILENT_HINT,
    cases,
    check,
    random,
    randomised,
)
from lecture_utils.exercises.expect import SILENT, call, case, convolve, expect

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§2.1",
    {
        (3, 0, 0): "Без сдвига вес стоит в центре: там a = b = 0.",
        (3, 0, 1): "Откуда берётся значение, которое пришло в точку (i, j)?",
        (3, -1, 0): "Первый индекс ядра — строка, второй — столбец.",
        (5, 2, -1): "У ядра 5×5 индексы a и b идут от −2 до 2.",
        (1, 0, 0): "Ядро 1×1 двигать не умеет.",
    },
    random_case=lambda rng: (
        k := rng.randrange(5, 12, 2),
        rng.randint(-(k // 2), k // 2),
        rng.randint(-(k // 2), k // 2),
    ),
    mistakes={
        "Карта ушла в обратную сторону.": lambda k, down, right: shift_kernel(
            k, -down, -right
        ),
        "Перепутаны строки и столбцы.": lambda k, down, right: shift_kernel(
            k, right, down
        ),
    },
)
def shift_kernel(k: int, down: int, right: int) -> Tensor:
    """Kernel of a convolution that moves a map."""
    kernel = torch.zeros(k, k)
    kernel[k // 2 - down, k // 2 - right] = 1
    return kernel


@cases(
    "§2.2",
    {
        (5, 3): "На сколько пикселей расширяет поле одна свёртка?",
        (7, 3): "На сколько пикселей расширяет поле одна свёртка?",
        (8, 3): "Трёх свёрток мало: поле должно быть не меньше.",
        (1, 5): "Один пиксель виден и без свёрток.",
        (224, 3): "Поле растёт с каждой свёрткой на одно и то же число пикселей.",
        (20, 4): "Ядро бывает и чётным: прирост поля — не k // 2.",
        (6, 2): "Каждая свёртка 2×2 добавляет один пиксель.",
    },
    random_case=lambda rng: (rng.randint(1, 500), rng.randint(2, 9)),
    mistakes={
        "Поле вышло меньше нужного: округлять надо вверх.": lambda field, k: (
            (field - 1) // (k - 1)
        ),
    },
)
def enough_convs(field: int, k: int) -> int:
    """Convolutions of stride 1 whose receptive field is at least this."""
    return -(-(field - 1) // (k - 1))


@cases(
    "§2.3",
    {
        ((0.02, 0.03, 0.04), (0.05, 0.07, 0.06)): "Что на что делят? Размах — максимум "
        "минус минимум.",
        ((0.08, 0.05, 0.06), (0.02, 0.04, 0.03)): "Делят на больший размах; порядок "
        "запусков безразличен.",
        ((0.1, 0.12), (0.3, 0.1, 0.2, 0.4)): "Больший размах бывает у любой из "
        "сетей, а запусков — не поровну.",
        ((0.2, 0.4), (0.3, 0.3)): "Средние равны.",
    },
    lambda *errors: tuple(map(list, errors)),
    random_case=lambda rng: tuple(
        tuple(rng.uniform(0.01, 0.2) for _ in range(rng.randint(3, 6)))
        for _ in range(2)
    ),
    mistakes={
        "Разность средних берут по модулю.": lambda a, b: -beyond_spread(a, b),
    },
    atol=1e-4,
)
def beyond_spread(a: list[float], b: list[float]) -> float:
    """Difference of two means in units of the larger range."""
    spread = max(max(a) - min(a), max(b) - min(b))
    return abs(sum(a) / len(a) - sum(b) / len(b)) / spread


@cases(
    "§2.4",
    {
        (1, 224): "Сколько каналов на первой стадии и сколько пулингов уже было?",
        (3, 96): "Каждый из трёх пулингов делит сторону пополам.",
        (5, 224): "На пятой стадии каналов столько же, сколько на четвёртой.",
        (3, 100): "Сторона 25 после пулинга станет 12.",
        (2, 50): "Сторона 25 после пулинга станет 12.",
    },
    random_case=lambda rng: (rng.randint(1, 5), rng.randint(64, 500)),
    mistakes={
        "Пулинг стоит и в конце этой стадии.": lambda stage, size: (
            4 * map_numbers(stage, size)
        ),
        "Карта двумерная: чисел в ней — сторона в квадрате.": lambda stage, size: (
            map_numbers(stage, size) // (size // 2**stage)
        ),
    },
)
def map_numbers(stage: int, size: int) -> int:
    """Numbers in the map after a stage of VGG with its pooling."""
    return (64, 128, 256, 512, 512)[stage - 1] * (size // 2**stage) ** 2


@cases(
    "§2.5",
    {
        (1000, 10, 20): "Сколько байтов занимают веса, а сколько — одна картинка?",
        (131, 1, 10): "Неполная картинка не в счёт.",
        (132, 1, 10): "Память занята вся, до последнего байта.",
        (6_000_000_000, 15_000_000, 138_357_544): "Веса не зависят от размера пакета.",
        (100, 3, 10): "Не помещаются и веса: картинок нуль.",
    },
    random_case=lambda rng: (
        rng.randint(10**6, 10**7),
        rng.randint(1, 10**4),
        rng.randint(1, 10**5),
    ),
    mistakes={
        "Память дана в байтах, а карты и веса — в числах.": (
            lambda memory, maps, weights: max(0, (memory - 3 * weights) // maps)
        ),
        "Веса хранят в трёх экземплярах.": lambda memory, maps, weights: max(
            0, (memory - 4 * weights) // (4 * maps)
        ),
    },
)
def largest_batch(memory: int, maps: int, weights: int) -> int:
    """Pictures whose float32 maps fit beside three copies of the weights."""
    return max(0, (memory - 12 * weights) // (4 * maps))


@cases(
    "§2.6",
    {
        (2, 3, 1, 1): "В карте одна точка: среднее — она сама. Смещение в разность не "
        "входит.",
        (4, 3, 7, 7): "Изменилась одна точка из 49. Как изменилось среднее?",
        (3, 3, 2, 5): "Карта не квадратная, W — матрица (K, C).",
    },
    lambda K, C, H, W, seed=0: (
        random(K, C, seed=seed),
        random(C, seed=seed + 1),
        H,
        W,
    ),
    random_case=lambda rng: (
        *(rng.randint(2, 8) for _ in range(4)),
        rng.randrange(1000),
    ),
)
def logits_change(weight: Tensor, delta: Tensor, H: int, W: int) -> Tensor:
    """Change of the logits when one point of the map before the mean changes."""
    return weight @ delta / (H * W)


@cases(
    "§2.7",
    {
        ((0, 3, 1),): "Масштаб один: это обычный ответ сети.",
        ((4, 5, 0), (9, 1, 0), (0, 5, 4)): "Сначала softmax, потом среднее: один очень "
        "уверенный ответ не должен перевесить два.",
        ((2, 1, 0), (2, 1, 0), (0, 9, 0)): "Усредняют вероятности, а не голоса: "
        "уверенность тоже важна.",
        ((3, 0, 2, 0), (0, 3, 2.5, 0)): "Softmax берут по классам, среднее — по "
        "масштабам.",
    },
    lambda *rows: (torch.tensor(rows, dtype=torch.get_default_dtype()),),
    random_case=lambda rng: tuple(
        tuple(rng.gauss(0, 3) for _ in range(5)) for _ in range(rng.randint(3, 6))
    ),
)
def averaged_answer(logits: Tensor) -> int:
    """Class that is the likeliest on average over scales."""
    return int(logits.softmax(1).mean(0).argmax())


@cases(
    "§2.8",
    {
        (46.5, 86.5): "Сколько процентов ошибок было и сколько стало?",
        (82.4, 89.3): "Делят на то, что было до замены.",
        (0.0, 25.0): "Сначала ошибками были все ответы.",
        (50.0, 100.0): "Ошибок не осталось.",
        (90.0, 80.0): "Ошибок стало больше: ответ отрицателен.",
    },
    random_case=lambda rng: (rng.uniform(20, 80), rng.uniform(20, 100)),
    mistakes={
        "Это доля оставшихся ошибок, а нужна доля исчезнувших.": lambda before, after: (
            (100 - after) / (100 - before)
        ),
        "Делите на ошибки, а не на точность.": lambda before, after: (
            (after - before) / (before or 1)
        ),
        "Это доля от всех примеров, а нужна доля от ошибок.": lambda before, after: (
            (after - before) / 100
        ),
    },
)
def errors_removed(before: float, after: float) -> float:
    """Share of the errors that a rise of accuracy, in percent, removes."""
    return (after - before) / (100 - before)


# --- exercises ------------------------------------------------------------------------


@cases(
    "02.1",
    {
        ("33 33 333 333 333", 224, 1000): "Свёртка: k²·c_in·c_out весов и c_out "
        "смещений; у первой свёртки c_in = 3; полносвязных слоёв три.",
        ("33 33 331 331 331", 224, 1000): "Цифра в строке — ядро: у 1×1 один вес "
        "на пару каналов, а не девять.",
        ("3 3 3 3 3", 224, 10): "В последнем слое classes выходов, а не 1000.",
        ("3 3 33 33 33", 64, 1000): "Пять пулингов делят сторону на 32: первый "
        "полносвязный слой видит карту (size // 32)².",
        ("1 3 3 3 1", 320, 7): "Проверьте все части формулы на этом входе.",
    },
    random_case=lambda rng: (
        " ".join("".join(rng.choices("1357", k=rng.randint(1, 4))) for _ in range(5)),
        32 * rng.randint(2, 12),
        rng.randint(2, 2000),
    ),
    forbid=BUILDING,
)
def vgg_parameters(config: str, size: int, classes: int) -> int:
    """Parameters of a VGG by its configuration (Simonyan, Zisserman, 2014, table 1)."""
    stages = zip((64, 128, 256, 512, 512), config.split(), strict=True)
    convs = [(int(k), c) for c, stage in stages for k in stage]
    channels = [3, *(c for _, c in convs)]
    total = sum(
        (k * k * c_in + 1) * c for c_in, (k, c) in zip(channels, convs, strict=False)
    )
    widths = [512 * (size // 32) ** 2, 4096, 4096, classes]
    return total + sum((a + 1) * b for a, b in pairwise(widths))


@cases(
    "02.2",
    {
        (4, (3, 1, 0)): "Ядро 3 без дополнения: выход 4 начинается там же, где пиксель "
        "4 входа, и видит ещё два справа.",
        (4, (3, 1, 1)): "Дополнение сдвигает всё на p влево.",
        (5, (2, 2, 0)): "Шаг 2: пиксель 5 начинается с пикселя 10.",
        (3, (3, 1, 1), (3, 1, 1)): "Идите от выхода ко входу: сначала последний слой.",
        (7, (3, 1, 1), (2, 2, 0), (3, 1, 1)): "Дополнение слоя — в пикселях его "
        "собственного входа; шаги предыдущих слоёв его ещё умножат.",
        (0, (7, 2, 3), (3, 2, 1)): "У края поле выходит за картинку: номер бывает "
        "отрицательным.",
        (6, (5, 3, 2), (1, 2, 0), (4, 1, 1)): "Ядра и шаги — любые.",
        (9,): "Без слоёв пиксель видит только себя.",
    },
    lambda i, *layers: (list(layers), i),
    random_case=lambda rng: (
        rng.randint(0, 30),
        *(
            (rng.randint(1, 7), rng.randint(1, 3), rng.randint(0, 3))
            for _ in range(rng.randint(2, 5))
        ),
    ),
)
def seen_pixels(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    """First and last pixel of the input that pixel ``i`` of the output depends on."""
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def _guesses(k: int, seed: int = 0) -> tuple[Tensor, Tensor, int]:
    """Ten examples; their right classes take these places among the logits."""
    place = torch.tensor([0, 0, 1, 2, 2, 4, 4, 5, 7, 7])
    # Every row is a permutation of 0…7, so there are no ties.
    logits = torch.stack([random(8, seed=seed + i).argsort() for i in range(10)])
    labels = logits.argsort(1, descending=True).gather(1, place[:, None])[:, 0]
    return logits.to(torch.get_default_dtype()) - 20, labels, k


@cases(
    "02.3",
    {
        (1,): "При k = 1 это обычная доля ошибок.",
        (3,): "Ошибка — это когда верного класса нет среди k самых вероятных.",
        (5,): "Ошибка — это когда верного класса нет среди k самых вероятных.",
        (8,): "При k, равном числу классов, ошибок не бывает.",
    },
    _guesses,
    random_case=lambda rng: (rng.randint(2, 7), rng.randrange(1000)),
    mistakes={
        "Это точность, а нужна доля ошибок.": lambda *given: 1 - top_k_error(*given),
        "Это число примеров, а нужна их доля, от 0 до 1.": lambda *given: (
            len(given[1]) * top_k_error(*given)
        ),
        "Самые вероятные классы — с самыми большими оценками, а не с самыми "
        "малыми.": lambda logits, labels, k: top_k_error(-logits, labels, k),
        "Достаточно, чтобы верный класс был одним из k: any, а не all и не "
        "среднее.": lambda logits, labels, k: (
            1 - (1 - top_k_error(logits, labels, k)) / k
        ),
    },
)
def top_k_error(logits: Tensor, labels: Tensor, k: int) -> float:
    """Share of examples whose label is not among the k largest logits."""
    larger = (logits > logits.gather(1, labels[:, None])).sum(1)
    return (larger >= k).double().mean().item()


@check("02.4")
def dense_to_conv(
    answer: Callable[[nn.Linear, int, int, int], nn.Conv2d], rng: Random
) -> None:
    """Convolution that equals a dense layer on a flattened map, and slides on more."""
    hint = (
        "Сравните порядок чисел в развёрнутой карте и в ядре свёртки; о смещении и "
        "о шаге тоже подумайте.",
        "Ядро — вся карта H×W, шаг 1, без дополнения; развёртка идёт в порядке каналы, "
        "строки, столбцы.",
    )
    secret = [rng.randint(2, 5) for _ in range(4)]
    for C, H, W, outputs in [(4, 3, 3, 5), (3, 2, 4, 6), secret]:
        linear = randomised(nn.Linear(C * H * W, outputs))
        shown = (C, H, W, outputs) != tuple(secret)
        given = f"карта {C}×{H}×{W}, выходов {outputs}" if shown else SILENT
        with case(given, hint if shown else SILENT_HINT):
            kept = "слой linear изменён. Числа скопируйте в новую свёртку"
            conv = call(answer, linear, C, H, W, kept=kept)
        for rows, columns in [(1, 1), (3, 2)]:
            x = random(2, C, H + rows - 1, W + columns - 1)
            # The dense layer at every place of the map: one window, one column.
            want = linear(F.unfold(x, (H, W)).mT).mT
            on = f"{given}, на входе {tuple(x.shape)}" if shown else SILENT
            with case(on, hint if shown else SILENT_HINT):
                expect(convolve(conv, x), want.reshape(2, -1, rows, columns))


@cases(
    "02.5",
    dict.fromkeys(
        [(1, 1, 1), (2, 3, 4), (3, 2, 1)],
        (
            "Что делает с ядром w1 один вес w2[o, m, a, b]? По промежуточным каналам "
            "идёт сумма.",
            "Вес w2[o, m, a, b] добавляет к ядру w1[m], сдвинутое на (a, b).",
        ),
    ),
    lambda c_in, M, c_out, seed=0: (
        random(M, c_in, 3, 3, seed=seed + 1),
        random(c_out, M, 3, 3, seed=seed),
    ),
    random_case=lambda rng: (
        rng.randint(2, 4),
        rng.randint(2, 4),
        rng.randint(2, 4),
        rng.randrange(1000),
    ),
)
def merge_convs(w1: Tensor, w2: Tensor) -> Tensor:
    """Kernel 5x5 that equals two 3x3 convolutions without a nonlinearity."""
    # Column c of the response to an impulse in channel c, mirrored, is the kernel.
    impulses = F.pad(torch.eye(w1.shape[1])[:, :, None, None], [4] * 4)
    response = F.conv2d(F.conv2d(impulses, w1), w2)
    return response.flip(2, 3).transpose(0, 1)
