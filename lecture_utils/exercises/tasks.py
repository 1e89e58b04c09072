"""Exercises of notebook 01 (tasks of computer vision)."""

from collections.abc import Callable
from random import Random

import torch
from torch import Tensor

from lecture_utils.exercises.cases import SILENT_HINT, cases, check
from lecture_utils.exercises.expect import SILENT, call, case, expect
from lecture_utils.scenes import LABEL_DIVISOR, Kind, scene

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§1.1",
    {
        (5, 0, 6, 3): "Предметов нет, остались одни логиты: сколько их у пикселя?",
        (7, 7, 128, 128): "Из каких чисел состоит ответ детектора об одном предмете?",
        (1, 1, 2, 3): "Из каких чисел состоит ответ детектора об одном предмете?",
        (2, 9, 3, 4): "Предметов много, пикселей мало: разность отрицательна.",
    },
    random_case=lambda rng: (
        rng.randint(2, 20),
        rng.randint(1, 50),
        rng.randint(3, 40),
        rng.randint(3, 40),
    ),
)
def longer_answer(classes: int, things: int, H: int, W: int) -> int:
    """Numbers that a semantic answer has more than a detector's one."""
    return classes * H * W - 6 * things


@cases(
    "§1.2",
    {
        (4.0, 4.0, 1.0): "Рамки совпали: пересечение — вся рамка.",
        (9.0, 5.0, 0.0): "Рамки не пересекаются.",
        (6.0, 3.0, 0.5): "Меньшая рамка лежит внутри большей.",
        (40.0, 50.0, 0.35): "Обозначьте пересечение буквой и запишите через неё "
        "объединение.",
    },
    random_case=lambda rng: (
        rng.uniform(1, 9),
        rng.uniform(1, 9),
        rng.uniform(0.01, 0.1),
    ),
    mistakes={
        "Сумма площадей — не объединение: пересечение вошло в неё дважды.": (
            lambda a, b, t: t * (a + b)
        ),
    },
    atol=1e-4,
)
def intersection_area(a: float, b: float, t: float) -> float:
    """Area of the intersection of two boxes with these areas and this IoU."""
    return t * (a + b) / (1 + t)


@cases(
    "§1.3",
    {
        (100.0, 2.0, 40, 60): "Запишите (3) для макушки и для подошв и вычтите.",
        (
            250.0,
            1.5,
            30,
            105,
        ): "Чем больше предмет на снимке, тем он ближе: что в числителе?",
        (100.0, 2.0, -10, 10): "Макушка за краем снимка; формула от этого не меняется.",
        (
            101.1,
            1.7,
            51,
            90.5,
        ): "Ответ не обязан быть целым; все числа в нём — из условия.",
    },
    random_case=lambda rng: (
        rng.uniform(50, 300),
        rng.uniform(0.5, 3),
        top := rng.uniform(-20, 100),
        top + rng.uniform(5, 90),
    ),
    mistakes={
        "Центр снимка c_y в ответ не входит: он сокращается в разности строк.": (
            lambda f, height, top, bottom: f * height / bottom
        ),
        "Наоборот: чем больше предмет на снимке, тем он ближе.": (
            lambda f, height, top, bottom: height * (bottom - top) / f
        ),
    },
    atol=1e-4,
)
def distance_to(f: float, height: float, top: float, bottom: float) -> float:
    """Metres to a thing of known height that is seen between two rows."""
    return f * height / (bottom - top)


def _panoptic(rng: Random) -> tuple:
    kinds = [rng.choice((3, 4, 6)) for _ in range(6)]  # of the things 1, 2, …
    codes = [0, 1000, *(1000 * kind + i for i, kind in enumerate(kinds, 1))]
    return 3, *(tuple(rng.choices(codes, k=5)) for _ in range(4))


@cases(
    "§1.4",
    {
        (3, (3001, 3001, 2000), (3002, 3002, 2000)): "Две машины вплотную: различают "
        "их номера.",
        (3, (3001, 3001, 2000, 3001, 1000)): "Одна машина видна двумя пятнами.",
        (6, (3001, 6004), (6002, 6002)): "Счёт номеров один на все классы.",
        (5, (1000, 3001), (2000, 3002)): "Такого класса на карте нет.",
        (4, (3001, 3002, 4003), (0, 0, 2000)): "Другие классы не считаются.",
    },
    lambda label, *rows: (torch.tensor(rows), label),
    random_case=_panoptic,
    mistakes={
        "Это число пикселей, а нужно число предметов.": lambda panoptic, label: (
            (panoptic // LABEL_DIVISOR == label).sum().item()
        ),
        "Это число всех кодов на карте.": lambda panoptic, _: len(panoptic.unique()),
    },
)
def count_things(panoptic: Tensor, label: int) -> int:
    """Things of a class on a panoptic map."""
    return panoptic[panoptic // LABEL_DIVISOR == label].unique().numel()


@cases(
    "§1.5",
    {
        (90, 5, 5): "Какой IoU у остальных классов? Они тоже входят в среднее.",
        (5, 30, 5): "Самый частый класс — не обязательно нулевой.",
        (25, 25, 25, 25): "Найдите пересечение и объединение для класса, который дала "
        "сеть.",
        (7,): "Класс один, ответ верен всюду.",
    },
    lambda *pixels: (list(pixels),),
    random_case=lambda rng: tuple(
        rng.randint(1, 900) for _ in range(rng.randint(2, 9))
    ),
    mistakes={
        "Это доля верных пикселей, а mIoU усредняет по классам.": lambda pixels: (
            max(pixels) / sum(pixels)
        ),
        "Для класса, который дала сеть, объединение — вся карта.": lambda pixels: (
            1 / len(pixels)
        ),
    },
)
def lazy_miou(pixels: list[int]) -> float:
    """Mean IoU of the answer that is the commonest class everywhere."""
    return max(pixels) / sum(pixels) / len(pixels)


@cases(
    "§1.6",
    {
        (20.0,): "Логарифм в (7) десятичный, а под ним — квадрат ошибки.",
        (0.0,): "PSNR не изменился, ошибка тоже.",
        (6.0,): "Запишите разность двух PSNR: какое отношение стоит под логарифмом?",
        (-3.0,): "Стало хуже: ошибка выросла.",
    },
    random_case=lambda rng: (rng.uniform(-12, 12),),
    mistakes={
        "Это отношение средних квадратов, а нужно — их корней.": lambda gain: (
            10 ** (gain / 10)
        ),
        "Чем больше PSNR, тем меньше ошибка: проверьте знак.": lambda gain: (
            10 ** (-gain / 20)
        ),
    },
    atol=1e-5,
)
def times_closer(gain: float) -> float:
    """How many times the root mean square error has become smaller."""
    return 10 ** (gain / 20)


def _points(rng: Random, count: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(rng.gauss(0, 1) for _ in range(3)) for _ in range(count))


@cases(
    "§1.7",
    {
        (6.0, ((3, 4),), ((0, 0),)): "Расстояние между этими точками — пять.",
        (2.0, ((0, 0), (3, 4), (10, 0)), ((0, 1), (3, 1))): "Для каждой придуманной "
        "картинки ищут ближайшую обучающую.",
        (6.0, ((0, 0), (3, 4), (10, 0)), ((0, 1), (3, 1))): "Картинка — копия, даже "
        "если от неё близка лишь одна обучающая.",
        (1.0, ((5, 5), (5, 5), (5, 5), (0, 0)), ((5, 5),)): "Считают придуманные "
        "картинки: одинаковые — каждую.",
        (0.5, ((1, 2), (2, 1)), ((3, 3), (0, 0), (9, 9))): "Ни одной копии.",
    },
    lambda limit, pictures, known: (
        *(torch.tensor(x, dtype=torch.get_default_dtype()) for x in (pictures, known)),
        limit,
    ),
    random_case=lambda rng: (
        rng.uniform(0.8, 1.6),
        _points(rng, 9),
        _points(rng, rng.randint(3, 6)),
    ),
    mistakes={
        "Это доля близких пар, а нужна доля картинок.": lambda pictures, known, limit: (
            (torch.cdist(pictures, known) < limit).double().mean().item()
        ),
        "Это доля обучающих картинок, а нужна — придуманных.": (
            lambda pictures, known, limit: share_of_copies(known, pictures, limit)
        ),
        "Это число копий, а нужна их доля.": lambda pictures, known, limit: (
            len(pictures) * share_of_copies(pictures, known, limit)
        ),
    },
)
def share_of_copies(pictures: Tensor, known: Tensor, limit: float) -> float:
    """Share of pictures that are closer than the limit to a known one."""
    return (torch.cdist(pictures, known).amin(1) < limit).double().mean().item()


def _labels(rng: Random) -> tuple:
    n = rng.randint(9, 15)
    return tuple(tuple(rng.choices(range(4), (5, 2, 2, 1), k=n)) for _ in range(2))


@cases(
    "§1.8",
    {
        ((0, 1, 2, 2), (0, 1, 2, 2)): "Модель не ошиблась; а сколько верных у "
        "соперника?",
        ((2, 2, 2, 2, 0, 1), (2, 1, 0, 1, 0, 1)): "Самый частый класс ищут среди "
        "верных ответов.",
        ((0, 0, 0, 0), (0, 0, 1, 2)): "Модель отвечает так же, как соперник.",
        ((1, 1, 0), (0, 0, 1)): "Соперник бывает и лучше модели.",
        ((5, 3, 3, 9), (5, 5, 3, 9)): "Номера классов — любые.",
    },
    lambda predicted, true: (torch.tensor(predicted), torch.tensor(true)),
    random_case=_labels,
    mistakes={
        "Соперник угадывает не 1/K, а долю самого частого класса.": (
            lambda predicted, true: (
                (predicted == true).double().mean() - 1 / len(true.unique())
            ).item()
        ),
    },
)
def above_commonest(predicted: Tensor, true: Tensor) -> float:
    """Accuracy above that of the commonest class."""
    common = true.unique(return_counts=True)[1].max() / len(true)
    return ((predicted == true).double().mean() - common).item()


# --- exercises ------------------------------------------------------------------------


def _random_masks(n: int, height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, height, width, generator=generator) < 0.4


def _bytes(rng: Random) -> tuple:
    shape = 3, rng.randint(2, 4), rng.randint(5, 6)
    count = shape[0] * shape[1] * shape[2]
    return *(tuple(rng.choices(range(256), k=count)) for _ in range(2)), shape


@cases(
    "01.1",
    {
        ((10, 20, 30), (15, 25, 35)): "Наибольшая яркость здесь 255, логарифм "
        "десятичный, множитель 10.",
        ((0, 3), (250, 203)): "Разность чисел uint8 не бывает отрицательной: сначала "
        "смените тип.",
        ((100, 100, 100, 100), (100, 100, 100, 140)): "Усредняют квадраты разностей "
        "по всем пикселям.",
        ((0, 1, 2, 3, 4, 5), (5, 1, 2, 9, 4, 35), (3, 1, 2)): "Каналов три, ошибки в "
        "них разные: усредняют квадраты сразу по всем числам картинки.",
        ((7, 8), (7, 8)): "Ошибка равна нулю, PSNR бесконечен.",
    },
    lambda x, y, shape=(1, 1, -1): tuple(
        torch.tensor(values, dtype=torch.uint8).view(shape) for values in (x, y)
    ),
    random_case=_bytes,
    kind=float,
    atol=1e-3,
)
def psnr_uint8(x: Tensor, y: Tensor) -> float:
    """PSNR of two uint8 images."""
    error = (x.double() - y.double()).pow(2).mean()
    return (10 * torch.log10(255**2 / error)).item()


_FLIP = (
    "Какой край рамки станет левым после отражения?",
    "x₀ и x₁ меняются ролями; координаты — края пикселей, поэтому вычитают из width, "
    "а не из width − 1.",
)


def _box(rng: Random) -> tuple[float, ...]:
    x, y = rng.uniform(-5, 30), rng.uniform(0, 9)
    return x, y, x + rng.uniform(1, 9), y + rng.uniform(1, 9)


@cases(
    "01.2",
    {
        (10, (0, 2, 3, 5)): _FLIP,
        (8, (0, 0, 8, 4)): _FLIP,
        (12, (1, 2, 4, 9), (5, 0, 6, 1)): _FLIP,
        (7, (0.5, 1.25, 3, 2)): "Ширина бывает нечётной, а координаты — дробными: "
        "ничего не округляйте.",
        (
            10,
            (-2, 1, 4, 3),
            (4, 0, 13, 2),
        ): "Рамка выходит за край картинки. Обрезать её не просили.",
    },
    lambda width, *boxes: (
        torch.tensor(boxes, dtype=torch.get_default_dtype()),
        width,
    ),
    random_case=lambda rng: (rng.randrange(9, 60, 2), _box(rng), _box(rng)),
    kept="исходные рамки изменены. Верните новый тензор",
)
def flip_boxes(boxes: Tensor, width: int) -> Tensor:
    """Boxes of a picture mirrored left to right."""
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([width - x1, y0, width - x0, y1], -1)


@check("01.3")
def masks_to_boxes(answer: Callable[[Tensor], Tensor], rng: Random) -> None:
    """Tight half-open boxes of masks; zeros for empty ones."""
    one = torch.zeros(1, 4, 6, dtype=torch.bool)
    one[0, 1, 4] = True
    empty = "Пустой маске отвечает рамка из четырёх нулей."
    inputs = {
        "один пиксель в строке 1, столбце 4": (
            one,
            "Столбцы — это x, строки — y; правый и нижний края на единицу больше "
            "номера последнего пикселя.",
        ),
        "маски 5×7": (
            _random_masks(3, 5, 7, seed=0),
            "Рамка охватывает все пиксели своей маски, и дырявой тоже.",
        ),
        "пустая маска": (one & ~one, empty),
        "пустая маска среди других": (torch.cat([one, one & ~one, ~one]), empty),
        "ни одной маски": (one[:0], "Ответ — тензор формы (0, 4)."),
        SILENT: (_random_masks(3, 4, 9, seed=rng.randrange(2**31)), SILENT_HINT),
    }
    for given, (masks, hint) in inputs.items():
        want = torch.zeros(len(masks), 4, dtype=torch.int64)
        for box, mask in zip(want, masks, strict=True):
            y, x = mask.nonzero(as_tuple=True)
            if len(x):
                box[:] = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1])
        with case(given, hint):
            expect(call(answer, masks), want)


@check("01.4")
def mask_iou(answer: Callable[[Tensor, Tensor], Tensor], rng: Random) -> None:
    """Pairwise IoU of two sets of masks."""
    a, b = _random_masks(3, 5, 6, seed=1), _random_masks(4, 5, 6, seed=2)
    empty = torch.zeros(1, 5, 6, dtype=torch.bool)
    pairs = (
        "Строка i, столбец j: пиксели и в a[i], и в b[j], делённые на пиксели хотя бы "
        "в одной."
    )
    zero = "Делить на ноль нельзя: у двух пустых масок IoU = 0."
    secret = [_random_masks(n, 7, 4, seed=rng.randrange(2**31)) for n in (5, 2)]
    inputs = {
        "3 маски и 4 маски": (a, b, pairs),
        "маски с самими собой": (a, a, pairs),
        "пустая маска и обычные": (empty, b, zero),
        "две пустые маски": (empty, empty, zero),
        "большие маски": (
            _random_masks(2, 40, 40, seed=3),
            _random_masks(2, 40, 40, seed=4),
            "Пикселей больше, чем помещается в uint8: складывайте в другом типе.",
        ),
        SILENT: (*secret, SILENT_HINT),
    }
    for given, (first, second, hint) in inputs.items():
        both = (first[:, None] & second).sum((2, 3))
        either = (first[:, None] | second).sum((2, 3))
        want = (both / either.clamp(min=1)).to(torch.get_default_dtype())
        with case(given, hint):
            expect(call(answer, first, second), want)


@check("01.5")
def unproject(answer: Callable[[Tensor, Tensor], Tensor], rng: Random) -> None:
    """Camera coordinates of every pixel from its depth."""
    street = scene(3, 32)
    depth = torch.tensor(street.depth).to(torch.get_default_dtype())
    K = torch.tensor(street.K).to(depth)
    skewed = K * torch.tensor([[1.5], [1], [1]])  # not square pixels
    formula = (
        "Выразите X и Y из формулы (3). Что в ней u, а что v?",
        "X = (u − c_x)·Z / f_x и Y = (v − c_y)·Z / f_y; u считают по столбцам, v по "
        "строкам, у центра пикселя к номеру прибавляют ½.",
    )
    f_x, f_y, c_x, c_y = (rng.uniform(1, 9) for _ in range(4))
    inputs = {
        "стена в 2 м": (torch.full((32, 32), 2.0), K, formula),
        "улица 20×32": (depth[12:].clamp(max=100), K, formula),
        "два разных фокусных расстояния": (
            torch.full((4, 6), 3.0),
            skewed,
            "Фокусных расстояний два: f_x = K[0, 0] и f_y = K[1, 1].",
        ),
        SILENT: (
            torch.tensor([[rng.uniform(1, 9) for _ in range(5)] for _ in range(3)]),
            torch.tensor([[f_x, 0, c_x], [0, f_y, c_y], [0, 0, 1]]),
            SILENT_HINT,
        ),
    }
    for given, (z, matrix, hint) in inputs.items():
        v, u = torch.meshgrid(*(torch.arange(n) + 0.5 for n in z.shape), indexing="ij")
        x = (u - matrix[0, 2]) / matrix[0, 0] * z
        y = (v - matrix[1, 2]) / matrix[1, 1] * z
        with case(given, hint):
            expect(call(answer, z, matrix), torch.stack([x, y, z], -1))


@check("01.6")
def panoptic_map(answer: Callable[..., Tensor], rng: Random) -> None:
    """Panoptic map from stuff and overlapping scored masks of things."""
    masks = torch.zeros(3, 3, 5, dtype=torch.bool)
    masks[0, :, :3], masks[1, :, 2:4], masks[2, 1] = True, True, True
    semantic = torch.tensor([[Kind.SKY] * 5, [Kind.GROUND] * 5, [Kind.ROAD] * 5])
    labels = torch.tensor([Kind.CAR, Kind.HOUSE, Kind.PERSON])
    apart = masks[:2] & ~masks[[1, 0]]
    twins = torch.tensor([Kind.CAR, Kind.CAR, Kind.PERSON])
    within = torch.stack([masks[0], masks[0] & masks[2], masks[1]])
    numbers = "Номера идут с единицы по убыванию уверенности, один счёт на все классы."
    disputed = "Спорный пиксель достаётся более уверенной маске."
    secret = _random_masks(4, 3, 5, seed=rng.randrange(2**31))
    inputs = {
        "маски не пересекаются": (
            apart,
            labels[:2],
            [0.9, 0.4],
            f"{numbers} У вещества номер 0.",
        ),
        "самая уверенная — последняя": (masks, labels, [0.2, 0.5, 0.8], disputed),
        "самая уверенная — первая": (masks, labels, [0.9, 0.3, 0.6], disputed),
        "два предмета одного класса": (masks, twins, [0.5, 0.7, 0.1], numbers),
        "вторая маска вся под первой": (
            within,
            labels,
            [0.9, 0.6, 0.3],
            "Скрытая целиком вещь своего номера не теряет: у третьей номер 3.",
        ),
        "ни одной вещи": (masks[:0], labels[:0], [], "Остаётся одно вещество."),
        SILENT: (
            secret,
            torch.tensor([rng.choice(labels.tolist()) for _ in secret]),
            rng.sample([0.1, 0.2, 0.3, 0.6, 0.7, 0.8], len(secret)),
            SILENT_HINT,
        ),
    }
    for given, (things, classes, confidence, hint) in inputs.items():
        scores = torch.tensor(confidence)
        want = LABEL_DIVISOR * semantic
        order = scores.argsort(descending=True).tolist()
        for number, k in reversed(list(enumerate(order, 1))):
            want[things[k]] = LABEL_DIVISOR * classes[k] + number
        with case(given, hint):
            expect(call(answer, semantic, things, classes, scores), want)
