"""Exercises of notebook 07 (Grad-CAM)."""

from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises.cases import cases, random

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§7.1",
    {
        ((0, 2, 2, 1, 3), (0, 2, 2, 1, 1)): "Соперник, который всегда называет один "
        "узор, прав здесь два раза из пяти.",
        ((0, 0, 0, 0), (0, 0, 1, 3)): "Сеть на картинку не смотрит: выигрыша нет.",
        ((1, 1, 2, 0, 2, 2), (1, 1, 1, 0, 3, 1)): "Соперник называет узор, самый "
        "частый на картинках. Сеть бывает и хуже него.",
        ((3, 2, 1), (3, 2, 0)): "Узоров встретилось только три, и все одинаково часты.",
    },
    lambda answers, kinds: (torch.tensor(answers), torch.tensor(kinds)),
    random_case=lambda rng: (
        tuple(rng.choices(range(4), k=(n := rng.randint(7, 15)))),
        tuple(rng.choices(range(4), [4, 1, 2, 1], k=n)),
    ),
    mistakes={
        "Узоры встречаются не поровну: возьмите самый частый из них.": (
            lambda answers, kinds: (answers == kinds).double().mean().item() - 1 / 4
        ),
        "Это точность сети, а нужна разность с точностью соперника.": (
            lambda answers, kinds: (answers == kinds).double().mean().item()
        ),
    },
)
def gain_over_blind(answers: Tensor, kinds: Tensor) -> float:
    """How much more often right than the answer that is right most often."""
    right, blind = (answers == kinds).sum(), kinds.bincount().max()
    return (right - blind).item() / len(kinds)


def _weights_and_maps(C: int, H: int, W: int) -> tuple[Tensor, Tensor]:
    """Weights of any sign and maps of different brightness, none of them silent."""
    return random(C, seed=C), random(C, H, W, seed=H + W).abs() + 0.1


@cases(
    "§7.2",
    dict.fromkeys(
        [(16, 2, 2, 0, 1), (20, 4, 3, 3, 0), (24, 3, 5, 1, 4), (12, 3, 4, 1, 2)],
        (
            "Спрашивают об одной клетке: строка i, столбец j.",
            "Сравните слагаемые формулы (2), а не сами яркости или веса.",
        ),
    ),
    lambda C, H, W, i, j: (*_weights_and_maps(C, H, W), i, j),
    random_case=lambda rng: (
        rng.randint(16, 30),
        (H := rng.randint(3, 6)),
        (W := rng.randint(3, 6)),
        rng.randrange(H),
        rng.randrange(W),
    ),
    mistakes={
        "Самый яркий канал может голосовать и против класса.": (
            lambda alpha, A, i, j: A[:, i, j].argmax().item()
        ),
        "Большой вес мало даёт там, где канал тусклый.": (
            lambda alpha, A, i, j: alpha.argmax().item()
        ),
        "Канал, который сильно против, клетку гасит.": (
            lambda alpha, A, i, j: (alpha * A[:, i, j]).abs().argmax().item()
        ),
    },
)
def lighting_channel(alpha: Tensor, A: Tensor, i: int, j: int) -> int:
    """The channel that adds most to a cell of the map."""
    return int((alpha[:, None, None] * A)[:, i, j].argmax())


@cases(
    "§7.3",
    dict.fromkeys(
        [(2, 2, 2, 0, 1), (4, 3, 5, 2, 4), (5, 3, 5, 2, 4), (6, 6, 4, 0, 3)],
        (
            "Оценка — среднее карты CAM по клеткам и смещение.",
            "От клетки в оценке — значение CAM в ней, делённое на число клеток.",
        ),
    ),
    lambda C, H, W, i, j: (*_weights_and_maps(C, H, W), i, j),
    random_case=lambda rng: (
        rng.randint(3, 9),
        (H := rng.randint(2, 5)),
        (W := rng.randint(3, 6)),
        rng.randrange(H),
        rng.randrange(W),
    ),
    mistakes={
        "Голова берёт среднее по клеткам, а это значение самой CAM.": (
            lambda w, A, i, j: (w @ A[:, i, j]).item()
        ),
        "Оценка растёт: у ответа другой знак.": (
            lambda w, A, i, j: -(w @ A[:, i, j]).item() / A[0].numel()
        ),
    },
)
def fall_of_score(w: Tensor, A: Tensor, i: int, j: int) -> float:
    """By how much the score falls when one cell of the last map is silenced."""
    silenced = A.clone()
    silenced[:, i, j] = 0
    return (w @ (A - silenced).mean((1, 2))).item()


@cases(
    "§7.4",
    {
        ((0, 0, 0, 0), 1): "Вероятности равны: растёт только своя оценка, остальные "
        "вероятность класса уменьшают.",
        ((1, -2, 0.5), 0): (
            "Нужны производные одной вероятности по всем оценкам.",
            "Чужая оценка отнимает тем больше, чем вероятнее её класс.",
        ),
        ((3, 1, 2, 0, -1), 4): "Номер класса — c, и он не обязательно самый вероятный.",
        ((0, 4), 1): "Классов два: производные отличаются только знаком.",
    },
    lambda scores, c: (torch.tensor(scores).to(torch.get_default_dtype()), c),
    random_case=lambda rng: (
        tuple(rng.uniform(-2, 2) for _ in range(rng.randint(3, 7))),
        rng.randrange(3),
    ),
    mistakes={
        "Это производные логарифма вероятности.": (
            lambda S, c: torch.eye(len(S))[c] - S.softmax(0)
        ),
        "Это производная каждой вероятности по своей оценке.": (
            lambda S, c: S.softmax(0) * (1 - S.softmax(0))
        ),
        "Своя оценка вероятность поднимает, чужие опускают.": (
            lambda S, c: S.softmax(0)[c] * (S.softmax(0) - torch.eye(len(S))[c])
        ),
    },
)
def slopes_of_probability(S: Tensor, c: int) -> Tensor:
    """Derivatives of the probability of one class with respect to all scores."""
    return torch.autograd.functional.jacobian(lambda S: S.softmax(0)[c], S)


@cases(
    "§7.5",
    {
        ((1, 0.75, 0.25, 0),): "Шаг 0 — ещё ничего не стёрто.",
        ((0.5, 0.4, 0.3, 0.1),): "Половина — от начальной вероятности.",
        ((0.75, 0.25, 0.5, 0.1),): "Кривая может и подняться: нужен первый раз.",
        ((0.5, 0.25, 0.1),): "Ровно половина — ещё не ниже.",
        ((0.5, 0.9, 0.4, 0.25, 0.1),): "Половина — не от наибольшей вероятности, а от "
        "начальной.",
        ((0.75, 0.6, 0.5),): "До половины не дошло: верните −1.",
    },
    lambda curve: (torch.tensor(curve).to(torch.get_default_dtype()),),
    random_case=lambda rng: (
        (rng.uniform(0.4, 0.9), *(rng.uniform(0.05, 0.9) for _ in range(8))),
    ),
)
def steps_to_half(curve: Tensor) -> int:
    """The first point of a curve that lies under half of where it begins."""
    low = (curve < curve[0] / 2).nonzero()
    return int(low[0]) if len(low) else -1


@cases(
    "§7.6",
    dict.fromkeys(
        [(2, 2, 2), (5, 3, 4), (4, 6, 2)],
        (
            "Градиент разности оценок — разность их градиентов; то же и с весами.",
            "ReLU одна и стоит последней: вычитают до неё.",
        ),
    ),
    lambda C, H, W: (
        random(C, seed=1),
        random(C, seed=2),
        random(C, H, W, seed=3).relu(),
    ),
    random_case=lambda rng: tuple(rng.randint(2, 6) for _ in range(3)),
    mistakes={
        "Вычитать карты поздно: ReLU уже отбросила места, которые говорят против.": (
            lambda a, b, A: (
                torch.einsum("k,kij->ij", a, A).relu()
                - torch.einsum("k,kij->ij", b, A).relu()
            )
        ),
        "Вычтено наоборот: это карта «почему b, а не a».": (
            lambda a, b, A: torch.einsum("k,kij->ij", b - a, A).relu()
        ),
        "Забыта ReLU: карта показывает только то, что разность подняло.": (
            lambda a, b, A: torch.einsum("k,kij->ij", a - b, A)
        ),
    },
)
def contrast_map(alpha_a: Tensor, alpha_b: Tensor, A: Tensor) -> Tensor:
    """Grad-CAM of the difference of two scores."""
    return torch.tensordot(alpha_a - alpha_b, A, 1).clamp(min=0)


@cases(
    "§7.7",
    {
        ((2, 2, 2),): "Три свёртки с шагом 2: общий шаг 8.",
        ((1, 1, 1),): "Без шага нет и сдвига.",
        ((2, 1, 4, 2),): (
            "В формулу (6) входит общий шаг всех слоёв.",
            "Шаг слоя измерен в клетках предыдущей карты, поэтому шаги перемножаются.",
        ),
        ((4, 3),): "Общий шаг 12: сдвиг может быть и дробным.",
        ((3,),): "Слой один: клетка стоит в пикселе 3i, а рисуют её в 3i + 1.",
    },
    lambda strides: (list(strides),),
    random_case=lambda rng: (
        tuple(rng.choice([1, 2, 2, 3, 4]) for _ in range(rng.randint(2, 5))),
    ),
    mistakes={
        "Сдвиги слоёв складывать нельзя: у глубокой карты клетки крупнее.": (
            lambda strides: sum(stride - 1 for stride in strides) / 2
        ),
    },
)
def shift_of_strides(strides: list[int]) -> float:
    """By how many pixels the stretched map is moved, whatever the strides."""
    shift, step = 0.0, 1
    for stride in strides:
        shift += step * (stride - 1) / 2
        step *= stride
    return shift


_ORDERS = [(1, 2, 3), (1, 3, 2), (2, 1, 3), (3, 2, 1), (1, 1, 2), (1, 2, 2)]


@cases(
    "§7.8",
    {
        ((1, 2, 3), (2, 4, 7)): "Порядок верен в обоих повторах.",
        ((1, 3, 2), (1, 2, 3), (2, 1, 3), (3, 1, 2), (0, 2, 3)): (
            "Повтор — строка таблицы.",
            "В повторе должны вырасти обе соседние разности.",
        ),
        ((1, 1, 2), (1, 2, 2), (1, 2, 3), (2, 1, 3)): "Равенство — ещё не рост.",
        ((0, 9, 9), (4, 5, 6), (7, 6, 8)): "Порядок в среднем — не доля повторов.",
    },
    lambda *rows: (torch.tensor(rows).to(torch.get_default_dtype()) / 10,),
    random_case=lambda rng: tuple(rng.choices(_ORDERS, k=rng.randint(4, 9))),
    mistakes={
        "Сравнить только крайние столбцы мало.": (
            lambda inside: (inside[:, 0] < inside[:, 2]).double().mean().item()
        ),
        "Это доля выросших соседних пар, а нужна доля повторов.": (
            lambda inside: (inside.diff() > 0).double().mean().item()
        ),
    },
)
def share_in_order(inside: Tensor) -> float:
    """In which share of the repetitions (rows) the values rise strictly."""
    a, b, c = inside.T
    return ((a < b) & (b < c)).double().mean().item()


@cases(
    "§7.9",
    {
        (0, 0, 48, 48, 8): "Впереди стоит класс-токен.",
        (7, 8, 48, 48, 8): "Следующая клетка начинается с пикселя 8.",
        (20, 5, 32, 64, 8): (
            "Картинка шире, чем высока.",
            "В строке столько клеток, сколько их помещается в ширину.",
        ),
        (31, 63, 32, 64, 16): "Последняя клетка — последний токен.",
        (9, 30, 60, 36, 6): "Клетки идут построчно: y — это строка.",
    },
    random_case=lambda rng: (
        (patch := rng.randint(3, 8)) * (rows := rng.randint(4, 6)) - rng.randint(1, 9),
        rng.randrange(patch * (columns := rng.randint(7, 9))),
        patch * rows,
        patch * columns,
        patch,
    ),
    mistakes={
        "Впереди стоит класс-токен: у него номер 0.": (
            lambda y, x, height, width, patch: (
                y // patch * (width // patch) + x // patch
            )
        ),
    },
)
def token_of_pixel(y: int, x: int, height: int, width: int, patch: int) -> int:
    """The token that a pixel belongs to; the class token is number 0."""
    return 1 + y // patch * (width // patch) + x // patch


@cases(
    "§7.10",
    dict.fromkeys(
        [(3, 2, 2), (6, 3, 5), (5, 7, 4)],
        (
            "Градиент одинаков во всех клетках канала: формула (3) его знает.",
            "Отрицательный градиент LayerCAM отбрасывает до суммы, у каждого канала.",
        ),
    ),
    lambda C, H, W: (random(C, H, W, seed=1).relu(), random(C, seed=C)),
    random_case=lambda rng: tuple(rng.randint(3, 7) for _ in range(3)),
    mistakes={
        "Это Grad-CAM: LayerCAM отбрасывает каналы с отрицательным градиентом.": (
            lambda A, w: torch.einsum("k,kij->ij", w, A).relu() / A[0].numel()
        ),
        "Веса головы — ещё не градиент: за картой стоит среднее.": (
            lambda A, w: torch.einsum("k,kij->ij", w.relu(), A)
        ),
    },
)
def layer_cam_of_head(A: Tensor, w: Tensor) -> Tensor:
    """LayerCAM of the last map, which a mean and a linear layer follow."""
    G = w[:, None, None].expand_as(A) / A[0].numel()
    return (G.relu() * A).sum(0).relu()


def _pairs_of_numbers(a: tuple, b: tuple) -> tuple[Tensor, Tensor]:
    dtype = torch.get_default_dtype()
    return torch.tensor(a).to(dtype), torch.tensor(b).to(dtype)


@cases(
    "§7.11",
    {
        ((3, 1, 2), (1, 1, 1)): "Разность берут в каждой паре: a − b.",
        ((5, 1, 3, 9), (4, 4, 1, 1)): "Пар четыре: медиана — полусумма двух средних.",
        ((1, 2, 9), (2, 8, 1)): "Медиана разностей — не разность медиан.",
        ((0, 0, 0, 8), (1, 1, 1, 1)): "Одна большая удача медиану не сдвигает.",
    },
    _pairs_of_numbers,
    random_case=lambda rng: (
        tuple(rng.sample(range(50), n := rng.choice([4, 6, 7, 8]))),
        tuple(rng.sample(range(50), n)),
    ),
    mistakes={
        "При чётном числе пар torch.median берёт меньшее из двух средних.": (
            lambda a, b: (a - b).median().item()
        ),
        "Это разность медиан: пары потеряны.": (
            lambda a, b: (a.quantile(0.5) - b.quantile(0.5)).item()
        ),
    },
)
def median_gain(a: Tensor, b: Tensor) -> float:
    """Median of the differences within the pairs."""
    n = len(a)
    ordered = (a - b).sort().values
    return (ordered[(n - 1) // 2] + ordered[n // 2]).item() / 2


# --- exercises ------------------------------------------------------------------------


def _gradient(silent: int, scale: float, *shape: int) -> tuple[Tensor, Tensor]:
    """A gradient and a map after ReLU, the first ``silent`` channels of it zero."""
    A = random(*shape, seed=1, scale=scale).relu()
    A[:, :silent] = 0
    return random(*shape), A


@cases(
    "07.1",
    dict.fromkeys(
        [(0, 1.0, 2, 3, 4, 4), (0, 1.0, 1, 5, 3, 7), (0, 1.0, 4, 4, 4, 4)],
        (
            "У каждого канала каждой картинки своё число.",
            "Градиент клетки умножьте на её яркость, сложите по клеткам и разделите на "
            "сумму яркостей того же канала.",
        ),
    )
    | {
        (1, 1.0, 2, 3, 3, 2): "Первый канал молчит, а 0/0 даёт NaN: его вес — ноль.",
        (1, 1e-8, 2, 3, 3, 2): "Карта тусклая: прибавка к знаменателю, даже малая, "
        "или порог заметно меняют ответ.",
    },
    _gradient,
    random_case=lambda rng: (
        rng.randint(0, 1),
        rng.choice([1.0, 1e-6]),
        *(rng.randint(2, 6) for _ in range(4)),
    ),
)
def channel_weights(G: Tensor, A: Tensor) -> Tensor:
    """Weights of the channels: the gradient averaged by brightness (XGrad-CAM)."""
    return torch.nan_to_num((G * A).sum((2, 3)) / A.sum((2, 3)))


def _two_layers(
    C: int, hidden: int, outputs: int, h: int, w: int, classes: tuple
) -> tuple[Tensor, nn.Module, Tensor]:
    """Maps and a head; which hidden units are open differs between the pictures."""
    head = nn.Sequential(nn.Linear(C, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    for seed, parameter in enumerate(head.parameters()):
        parameter.data = random(*parameter.shape, seed=seed)
    A = random(len(classes), C, h, w, seed=9).relu()
    bright = random(len(classes), C, 1, 1, seed=10).exp()  # own channels of a picture
    return A * bright, head, torch.tensor(classes)


@cases(
    "07.2",
    dict.fromkeys(
        [
            (3, 8, 5, 4, 6, (1, 4)),
            (4, 16, 4, 2, 2, (3, 0, 3)),
            (6, 9, 2, 3, 5, (1,)),
            (5, 12, 3, 4, 3, (2, 0, 1, 2)),
        ],
        (
            "Какие скрытые нейроны открыты, решает ReLU, и у каждой картинки своя.",
            "w — произведение строки второго слоя на матрицу первого, но только по "
            "скрытым нейронам, вход которых (со смещением) положителен.",
        ),
    ),
    _two_layers,
    random_case=lambda rng: (
        *(rng.randint(2, 7), rng.randint(8, 20), 4, rng.randint(2, 5)),
        *(rng.randint(2, 5), tuple(rng.choices(range(4), k=rng.randint(2, 4)))),
    ),
)
def cam_of_two_layers(A: Tensor, head: nn.Sequential, classes: Tensor) -> Tensor:
    """Channels weighted by the gradient of the score at their means."""
    mean = A.mean((2, 3)).requires_grad_()
    score = head(mean).gather(1, classes[:, None]).sum()
    (w,) = torch.autograd.grad(score, mean)
    return (w[:, :, None, None] * A).sum(1)


def _peaks(*cases: tuple) -> tuple[Tensor, Tensor]:
    """Maps with one brightest pixel each; almost as bright a row and column elsewhere.

    A case: row and column of the peak, box x1 y1 x2 y2, what is added everywhere.
    """
    heats = []
    for number, (row, column, _, level) in enumerate(cases):
        heat = random(6, 9, seed=number).sigmoid() - 0.5
        heat[5 - row] = heat[:, 8 - column] = 1
        heat[row, column] = 1.1 + number
        heats.append(heat + level)
    boxes = torch.tensor([box for _, _, box, _ in cases])
    return torch.stack(heats), boxes.to(heats[0])


_PEAKS = {
    (2, 7, (6, 1, 9, 4), 0): "Точка внутри рамки.",
    (5, 1, (4, 0, 6, 3), 0): "Точка внутри рамки, только если спутать строку и "
    "столбец.",
    (2, 5, (1, 1, 5, 4), 0): "Точка сразу за правым краем рамки.",
    (4, 2, (1, 1, 5, 4), 0): "Точка сразу под нижним краем рамки.",
    (1, 6, (5, 2, 8, 5), 0): "Точка сразу над верхним краем рамки.",
    (1, 1, (1, 1, 3, 3), 0): "Точка в углу рамки.",
    (3, 4, (4.75, 2, 8, 5), 0): "Рамка дробная, центр пикселя левее её.",
    (3, 7, (4, 2, 7.75, 5), 0): "Рамка дробная, центр пикселя левее её правого края.",
    (2, 3, (1, 1, 6, 2.25), 0): "Рамка дробная, центр пикселя ниже её.",
    (0, 8, (0, 2, 9, 6), 0): "Точка выше рамки.",
    (1, 6, (5, 0, 8, 3), -9): "Все числа карты отрицательны, наибольшее — ближе всех "
    "к нулю.",
}


def _random_peaks(rng: Random) -> tuple:
    drawn = []
    for _ in range(rng.randint(4, 6)):
        x1, y1 = (rng.randint(0, n) + rng.choice([0, 0.25, 0.75]) for n in (6, 3))
        box = (x1, y1, x1 + rng.randint(2, 3), y1 + rng.randint(2, 3))
        drawn.append((rng.randint(0, 5), rng.randint(0, 8), box, rng.choice([0, -9])))
    return tuple(drawn)


@cases(
    "07.3",
    {(peak,): hint for peak, hint in _PEAKS.items()}
    | {
        tuple(_PEAKS): (
            "У каждой карты свой максимум и своя рамка.",
            "Найдите строку и столбец наибольшего значения каждой карты; x сравнивают "
            "с первым и третьим числом рамки, y — со вторым и четвёртым.",
        )
    },
    _peaks,
    random_case=_random_peaks,
)
def box_hits(heat: Tensor, boxes: Tensor) -> Tensor:
    """Whether the centre of the brightest pixel lies inside the box."""
    x = heat.amax(1).argmax(1) + 0.5
    y = heat.amax(2).argmax(1) + 0.5
    x1, y1, x2, y2 = boxes.T
    return (x1 < x) & (x < x2) & (y1 < y) & (y < y2)


def _coarse(
    blank: int, scale: float, B: int, h: int, w: int, H: int, W: int
) -> tuple[Tensor, Tensor]:
    """Maps that differ in brightness, the first ``blank`` of them without any."""
    heat = random(B, h, w).abs() * torch.arange(1.0, B + 1)[:, None, None] * scale
    heat[:blank] = 0
    return heat, random(B, H, W, seed=1) > 0.3


@cases(
    "07.4",
    {
        (0, 1.0, 3, 2, 3, 8, 6): (
            "Каждая клетка — прямоугольник целых пикселей.",
            "Приведите карту и маску к одной сетке, повторяя их числа.",
        )
    }
    | dict.fromkeys(
        [(0, 1.0, 1, 3, 3, 5, 5), (0, 1.0, 2, 7, 7, 48, 48), (0, 1.0, 2, 2, 5, 3, 7)],
        (
            "Граница клеток проходит и внутри пикселя: он принадлежит обеим, каждой — "
            "своей частью.",
            "На сетке из h·H строк и w·W столбцов все границы целые: карту повторите H "
            "и W раз, маску — h и w раз.",
        ),
    )
    | {
        (1, 1.0, 2, 3, 3, 6, 9): "Первая карта пуста, а 0/0 даёт NaN: пустой карте "
        "верните ноль.",
        (0, 1e-8, 2, 2, 2, 4, 6): "Карта тусклая: прибавка к знаменателю, даже малая, "
        "или порог заметно меняют ответ.",
    },
    _coarse,
    random_case=lambda rng: (
        *(rng.randint(0, 1), rng.choice([1.0, 1e-6]), rng.randint(2, 3)),
        *(rng.randint(2, 5) for _ in range(2)),
        *(rng.randint(6, 14) for _ in range(2)),
    ),
)
def energy_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the brightness inside a finer mask; zero for a blank map."""
    (h, w), (H, W) = heat.shape[1:], mask.shape[1:]
    fine = mask.to(heat)[:, None].repeat_interleave(h, 2).repeat_interleave(w, 3)
    inside = F.avg_pool2d(fine, (H, W))[:, 0]  # share of every cell in the mask
    return torch.nan_to_num((heat * inside).sum((1, 2)) / heat.sum((1, 2)))


def _kept(
    B: int, service: int, K: int, h: int, w: int, d: int
) -> tuple[Tensor, Tensor, int, int]:
    """Tokens, and K cells of its own for every picture, in any order."""
    kept = random(B, h * w).argsort(1)[:, :K]
    return random(B, service + K, d, seed=1), kept, h, w


@cases(
    "07.5",
    {
        (1, 1, 6, 2, 3, 4): "Здесь уцелели все клетки, но токены стоят не по порядку: "
        "место каждого — в kept.",
        (1, 1, 3, 2, 4, 3): "Клетка, которой нет в kept, — нули во всех каналах.",
        (3, 1, 4, 3, 2, 2): "У каждой картинки свои уцелевшие клетки.",
        (2, 4, 5, 3, 4, 3): (
            "Служебных токенов бывает больше одного.",
            "Клеток столько, сколько столбцов в kept, и они стоят последними.",
        ),
        (2, 0, 3, 4, 2, 5): (
            "Служебных токенов может и не быть; сетка не квадратная.",
            "Клетка номер m стоит в строке m // w и столбце m % w.",
        ),
    },
    _kept,
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(0, 5), rng.randint(3, 8)),
        *(rng.randint(2, 4), rng.randint(5, 6), rng.randint(2, 5)),
    ),
    mistakes={
        "Впереди стоят служебные токены, клетки — за ними.": lambda tokens, *rest: (
            map_of_kept(tokens[:, : rest[0].shape[1]], *rest)
        ),
        "Сетка нумеруется построчно: клетка m — в строке m // w.": (
            lambda tokens, kept, h, w: map_of_kept(tokens, kept, w, h).mT
        ),
        "В kept — номера клеток сетки: служебные токены в них не в счёт, а первая "
        "клетка — номер 0.": lambda tokens, kept, h, w: map_of_kept(
            tokens, (kept - (tokens.shape[1] - kept.shape[1])) % (h * w), h, w
        ),
    },
)
def map_of_kept(tokens: Tensor, kept: Tensor, h: int, w: int) -> Tensor:
    """Cells that were not pruned on their places of the map, zeros elsewhere."""
    cells = tokens[:, tokens.shape[1] - kept.shape[1] :]
    places = F.one_hot(kept, h * w).to(cells)  # (B, K, h·w)
    return torch.einsum("bkd,bkp->bdp", cells, places).unflatten(2, (h, w))
