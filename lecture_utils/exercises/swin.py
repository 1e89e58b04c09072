"""Exercises of notebook 09 (Swin and neighbourhood attention)."""

from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.cases import cases, random

# --- warm-ups -------------------------------------------------------------------------


@cases(
    "§9.1",
    {
        (1, 1, 2, 3): "Токенов шесть: весов 6×6.",
        (1, 4, 2, 3): "У каждой головы своя матрица весов.",
        (5, 1, 3, 3): "У каждой картинки своя матрица весов.",
        (2, 3, 14, 7): "Запросов h·w и ключей h·w.",
    },
    random_case=lambda rng: (
        rng.randint(2, 9),
        rng.choice([3, 6, 12]),
        rng.randint(5, 60),
        rng.randint(5, 60),
    ),
    mistakes={
        "Головы делят между собой каналы, а не пары токенов.": (
            lambda B, heads, h, w: B * (h * w) ** 2
        ),
    },
)
def numbers_in_weights(B: int, heads: int, h: int, w: int) -> int:
    """How many attention weights there are in all pictures and heads."""
    N = h * w
    return B * heads * N * N


@cases(
    "§9.2",
    {
        (4, 4, 4): "Окно одно: стен внутри карты нет.",
        (2, 4, 2): "Стена одна, вертикальная; по обе стороны от неё по 2 токена.",
        (8, 8, 4): (
            "Стены идут и вдоль строк, и вдоль столбцов.",
            "Стена во всю высоту разделяет h пар; сколько таких стен?",
        ),
        (6, 12, 3): "У неквадратной карты стены разной длины.",
        (5, 3, 1): "M = 1: разделены все соседи.",
    },
    random_case=lambda rng: (
        (M := rng.randint(2, 7)) * rng.randint(2, 4),
        M * rng.randint(5, 8),
        M,
    ),
    mistakes={
        "Край карты — не стена: за ним никого нет.": (
            lambda h, w, M: (w // M) * h + (h // M) * w
        ),
    },
)
def cut_pairs(h: int, w: int, M: int) -> int:
    """Pairs of neighbours side by side that stand in different windows."""
    vertical = sum(x // M != (x + 1) // M for x in range(w - 1))
    horizontal = sum(y // M != (y + 1) // M for y in range(h - 1))
    return vertical * h + horizontal * w


@cases(
    "§9.3",
    {
        (0, 8, 8, 2): "В левый верхний угол приехал токен 18, как на рисунке.",
        (63, 8, 8, 2): "В правом нижнем углу — токен из левого верхнего.",
        (7, 8, 8, 3): "За краем счёт начинается сначала.",
        (11, 4, 6, 1): "Карта не квадратная: в строке W токенов.",
        (13, 5, 3, 0): "Без прокрутки каждый на своём месте.",
    },
    random_case=lambda rng: (
        rng.randrange((H := rng.randint(5, 9)) * (W := rng.randint(10, 14))),
        H,
        W,
        rng.randint(1, 4),
    ),
    mistakes={
        "Это место, куда токен уехал, а спрашивают, откуда приехал.": (
            lambda n, H, W, s: (n // W - s) % H * W + (n % W - s) % W
        ),
    },
)
def token_before_roll(n: int, H: int, W: int, s: int) -> int:
    """The token that stands at place n of the map rolled up and left by s."""
    y, x = divmod(n, W)
    return (y + s) % H * W + (x + s) % W


@cases(
    "§9.4",
    {
        (4, 2): "Середина таблицы — сам к себе, разность (0, 0).",
        (0, 2): "Ячейка 0 — наименьшие разности, обе отрицательны.",
        (13, 3): (
            "Строка таблицы — одна разность по y. Сколько в ней ячеек?",
            "В строке 2M − 1 ячеек; потом снимите сдвиг к нулю.",
        ),
        (14, 4): "Сначала y, потом x.",
        (168, 7): "Последняя ячейка — наибольшие разности: M − 1.",
    },
    random_case=lambda rng: (
        rng.randrange((2 * (M := rng.randint(3, 9)) - 1) ** 2),
        M,
    ),
    mistakes={
        "Сначала разность по y, потом по x.": (
            lambda cell, M: (cell % (2 * M - 1) - M + 1, cell // (2 * M - 1) - M + 1)
        ),
        "Разности сдвинуты к нулю: снимите сдвиг.": (
            lambda cell, M: divmod(cell, 2 * M - 1)
        ),
    },
)
def difference_of_cell(cell: int, M: int) -> tuple[int, int]:
    """Query minus key, (y, x), of a cell of the table."""
    row, column = divmod(cell, 2 * M - 1)
    return row - (M - 1), column - (M - 1)


@cases(
    "§9.5",
    {
        (224, 1): "Первая стадия стоит до слияний: сторону делят только на 4.",
        (224, 4): "Перед четвёртой стадией слияний три.",
        (100, 2): "25 токенов не делятся пополам: карту дополняют до 26.",
        (36, 3): (
            "Дополняют перед каждым слиянием.",
            "9 → 5 → 3: нечётная сторона делится пополам с округлением вверх.",
        ),
        (4, 3): "Один токен дополняют до двух — и снова получается один.",
    },
    random_case=lambda rng: (4 * rng.randint(9, 90), rng.randint(2, 4)),
    mistakes={
        "Нечётная сторона дополняется, а не обрезается.": (
            lambda side, stage: side // (2 * 2**stage)
        ),
        "Первая стадия стоит до слияний.": (
            lambda side, stage: -(-side // (4 * 2**stage))
        ),
    },
)
def side_of_stage(side: int, stage: int) -> int:
    """Side of the map in a stage of Swin, of a picture with this side."""
    tokens = side // 4
    for _ in range(stage - 1):
        tokens = (tokens + 1) // 2
    return tokens


@cases(
    "§9.6",
    {
        (7, 7, 3): "Прижаты окна тех, кто ближе k//2 к краю; здесь — крайних.",
        (6, 9, 5): (
            "Посчитайте, у кого окно не прижато: они стоят прямоугольником.",
            "По оси длины L таких мест L − k + 1.",
        ),
        (5, 8, 5): "По высоте помещается одно положение окна.",
        (4, 3, 1): "Окно из одного токена всегда стоит на своём месте.",
        (7, 7, 7): "Окно величиной с карту не прижато только у середины.",
    },
    random_case=lambda rng: (
        (k := rng.choice([3, 5, 7])) + rng.randint(1, 5),
        k + rng.randint(6, 9),
        k,
    ),
    mistakes={
        "Это число запросов, окна которых стоят посередине.": (
            lambda H, W, k: (H - k + 1) * (W - k + 1)
        ),
        "Запросы в углах посчитаны дважды.": (lambda H, W, k: 2 * (k // 2) * (H + W)),
    },
)
def pressed_queries(H: int, W: int, k: int) -> int:
    """Queries that do not stand in the middle of their neighbourhood."""
    middle = [range(k // 2, side - k // 2) for side in (H, W)]
    return H * W - len(middle[0]) * len(middle[1])


@cases(
    "§9.7",
    {
        (5, 5): "Окно величиной с ось: хватит одного слоя.",
        (15, 5): "Как на графике раздела: шесть слоёв, и первый в счёт.",
        (9, 3): "Второй слой видит лишь на k//2 дальше первого.",
        (16, 7): (
            "Сколько токенов осталось после первого слоя?",
            "У края поле растёт в одну сторону: остаток делят на k//2 с округлением "
            "вверх; первый слой тоже в счёт.",
        ),
        (8, 7): "Остался один токен — нужен целый слой.",
    },
    random_case=lambda rng: (
        (k := rng.choice([3, 5, 7, 9])) + rng.randint(2, 40),
        k,
    ),
    mistakes={
        "Так растёт поле в середине оси, в обе стороны. У края — в одну.": (
            lambda L, k: -(-(L - 1) // (k - 1))
        ),
    },
)
def layers_to_see_all(L: int, k: int) -> int:
    """Layers of neighbourhood attention until token 0 of an axis sees the last."""
    seen, layers = k, 1
    while seen < L:
        seen, layers = seen + k // 2, layers + 1
    return layers


@cases(
    "§9.8",
    {
        (1, 1): "Один канал, ядро 1×1: веса 1, 4 и 4.",
        (1, 7): "Глубинная свёртка: у канала своё ядро k×k.",
        (4, 1): "1×1 связывает каждый канал с каждым: C · 4C, и обратно столько же.",
        (96, 7): "Как в первой стадии ConvNeXt-T.",
    },
    random_case=lambda rng: (8 * rng.randint(2, 60), rng.choice([3, 5, 7, 9])),
    mistakes={
        "Так весит обычная свёртка. У глубинной на канал одно ядро k×k.": (
            lambda C, k: k**2 * C**2 + 8 * C**2
        ),
        "Посчитана только одна свёртка 1×1 из двух.": (
            lambda C, k: k**2 * C + 4 * C**2
        ),
    },
)
def block_weights(C: int, k: int) -> int:
    """Weights of the three convolutions of a ConvNeXt block, biases left out."""
    inner = 4 * C
    return C * k * k + C * inner + inner * C


# --- exercises ------------------------------------------------------------------------


def _windows(rng: Random) -> tuple[int, int, int, int]:
    """Height, width, side of a window, which divides neither, and shift."""
    M = rng.randint(3, 7)
    h, w = (M * rng.randint(1, 5) + rng.randint(1, M - 1) for _ in range(2))
    return h, w, M, rng.randint(1, M - 1)


def _map_and_windows(rng: Random) -> tuple:
    h, w, M, s = _windows(rng)
    return h, w, rng.randint(5, 40), M, s


@cases(
    "09.1",
    {
        (8, 8, 16, 4, 0): (
            "Сдвига нет: окон (h / M)·(w / M), и в каждом M² токенов.",
            "Окно стоит 4·N·C² на проекции и 2·N²·C на внимание, N = M².",
        ),
        (8, 12, 16, 4, 2): (
            "Неполные окна есть у обоих краёв.",
            "Первое кончается на s, следующие — через M: полных между ними на одно "
            "меньше, чем без сдвига.",
        ),
        (10, 7, 8, 4, 1): "Карта не делится на M: последнее окно выходит за её край.",
        (9, 9, 8, 4, 1): "За первым, неполным, окном помещается целое число окон.",
        (3, 5, 16, 7, 3): "Окно больше карты, но и его дополняют до M×M.",
    },
    random_case=_map_and_windows,
)
def shifted_cost(h: int, w: int, C: int, M: int, s: int) -> int:
    """Multiply-adds of attention in shifted windows, each completed with zeros."""
    rows, columns = ((s > 0) + -(-(side - s) // M) for side in (h, w))
    return rows * columns * (4 * M**2 * C**2 + 2 * M**4 * C)


def _random_map(rng: Random) -> tuple:
    Mh, Mw = rng.randint(2, 3), rng.randint(4, 5)
    return (
        *(rng.randint(2, 3), rng.randint(2, 4)),
        *(Mh * rng.randint(4, 5), Mw * rng.randint(2, 3), Mh, Mw),
    )


@cases(
    "09.2",
    {  # B, C, H, W, Mh, Mw
        (1, 1, 4, 4, 2, 2): "Первая группа — токены 0, 2, 8 и 10: через один по обеим "
        "осям.",
        (1, 1, 3, 8, 1, 2): "Токенов в строке группы Mw, шаг между ними — W / Mw.",
        (2, 3, 4, 6, 2, 2): (
            "Картинок две, каналов три: что стоит впереди и что в конце?",
            "Группы одной картинки стоят рядом, каналы — последняя ось.",
        ),
        (1, 2, 9, 4, 3, 2): "Шаг по высоте H / Mh, по ширине W / Mw: они разные.",
        (3, 2, 6, 4, 3, 1): "Группа может быть и столбцом.",
    },
    lambda B, C, H, W, *group: (
        torch.arange(float(B * C * H * W)).view(B, H, W, C),  # no two alike
        *group,
    ),
    random_case=_random_map,
    mistakes={
        "Это окна: токены в них соседние, а в группе — через равные промежутки.": (
            lambda x, Mh, Mw: (
                F.unfold(x.movedim(3, 1), (Mh, Mw), stride=(Mh, Mw))
                .unflatten(1, (x.shape[3], -1))
                .permute(0, 3, 2, 1)
                .flatten(0, 1)
            )
        ),
    },
)
def split_grid(x: Tensor, Mh: int, Mw: int) -> Tensor:
    """Groups of Mh x Mw tokens that lie far apart (MaxViT's grid attention)."""
    rows, columns = x.shape[1] // Mh, x.shape[2] // Mw
    groups = [x[:, i::rows, j::columns] for i in range(rows) for j in range(columns)]
    return torch.stack(groups, 1).flatten(0, 1).flatten(1, 2)


def _overlapping(
    B: int, C: int, H: int, W: int, M: int, s: int
) -> tuple[Tensor, int, int, int, int]:
    count = B * ((H - M) // s + 1) * ((W - M) // s + 1)
    return random(count, M * M, C), M, s, H, W


@cases(
    "09.3",
    {  # B, C, H, W, M, s
        (1, 1, 4, 6, 2, 2): "Перекрытия здесь нет: окна встают рядом, по строкам.",
        (1, 1, 3, 5, 3, 2): "Средний столбец накрыли два окна: там полусумма.",
        (1, 2, 5, 7, 3, 2): (
            "Перекрытие есть по обеим осям: в одних точках окон четыре, в других два "
            "или одно.",
            "Сложите ответы на общей карте и разделите на такую же карту, где сложены "
            "единицы.",
        ),
        (2, 3, 6, 8, 4, 2): "Картинок две, каналов три: сначала все окна первой.",
        (1, 1, 7, 5, 4, 1): "Точку накрывают до M окон по каждой оси.",
    },
    _overlapping,
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(2, 3)),
        *((M := rng.randint(3, 4)) + 2 * rng.randint(1, 2), M + 2 * rng.randint(3, 4)),
        *(M, 2),
    ),
)
def join_overlapping(windows: Tensor, M: int, s: int, H: int, W: int) -> Tensor:
    """Map whose every place is the mean of all windows that cover it."""
    corners = [(i, j) for i in range(0, H - M + 1, s) for j in range(0, W - M + 1, s)]
    total = windows.new_zeros(len(windows) // len(corners), H, W, windows.shape[2])
    count = windows.new_zeros(H, W, 1)
    answers = windows.unflatten(0, (-1, len(corners))).unflatten(2, (M, M))
    for n, (i, j) in enumerate(corners):
        total[:, i : i + M, j : j + M] += answers[:, n]
        count[i : i + M, j : j + M] += 1
    return total / count


@cases(
    "09.4",
    {
        (1, 4): (
            "Окно в одну строку: ячейка — среднее по диагонали матрицы.",
            "Всего 2·Mw − 1 диагоналей, первая — с наименьшей разностью «запрос минус "
            "ключ».",
        ),
        (2, 2): (
            "Разности бывают отрицательными, номера ячеек — нет.",
            "Номер ячейки — (dy + Mh − 1)·(2·Mw − 1) + dx + Mw − 1.",
        ),
        (3, 3): "У разных ячеек разное число пар: каждую сумму делят на своё.",
        (2, 4): "Строка таблицы — одна разность по y, в ней 2·Mw − 1 ячеек.",
        (4, 1): "Окно в один столбец: разностей по x нет, по y — 2·Mh − 1.",
    },
    lambda Mh, Mw: (random(Mh * Mw, Mh * Mw), Mh, Mw),
    random_case=lambda rng: (rng.randint(2, 4), rng.randint(5, 6)),
    mistakes={
        "Разность — «запрос минус ключ»: запрос — строка матрицы.": (
            lambda bias, Mh, Mw: nearest_table(bias.T, Mh, Mw)
        ),
    },
)
def nearest_table(bias: Tensor, Mh: int, Mw: int) -> Tensor:
    """Relative position table nearest to a bias of every pair, in least squares."""
    places = [(y, x) for y in range(Mh) for x in range(Mw)]
    cells: dict[tuple[int, int], list[Tensor]] = {}
    for i, (yi, xi) in enumerate(places):
        for j, (yj, xj) in enumerate(places):
            cells.setdefault((yi - yj, xi - xj), []).append(bias[i, j])
    return torch.stack([torch.stack(cells[cell]).mean() for cell in sorted(cells)])


@cases(
    "09.5",
    {
        (8, 8, 4, 2): "Дополнения нет: True ровно там, где номера областей совпадают.",
        (8, 8, 4, 1): "Границы областей — на расстоянии M и s от конца оси.",
        (7, 8, 4, 2): "Дополненный ключ закрыт для всех, кроме него самого.",
        (5, 10, 4, 1): "Дополнить — до прокрутки: нули едут вместе с картой.",
        (4, 7, 3, 1): "Закрыты ключи (последняя ось), а не запросы.",
    },
    random_case=_windows,
)
def mask_with_padding(H: int, W: int, M: int, s: int) -> Tensor:
    """Mask of shifted windows that hides padded keys, too."""
    high, wide = -(-H // M) * M, -(-W // M) * M
    axes = torch.arange(high).roll(-s), torch.arange(wide).roll(-s)
    y, x = torch.meshgrid(*axes, indexing="ij")  # places on the unrolled map
    # Windows of the shifted grid there: bands [0, s), [s, s + M), ...
    band = torch.stack([(y - s) // M, (x - s) // M, y, x])
    columns = F.unfold(band[None].double(), M, stride=M).view(4, M * M, -1)
    region, place = columns.permute(2, 1, 0).split(2, -1)  # (nW, M², 2) each
    same = (region[:, :, None] == region[:, None]).all(-1)
    real = (place[..., 0] < H) & (place[..., 1] < W)
    itself = torch.eye(M * M, dtype=torch.bool)
    return same & real[:, None] | itself


@cases(
    "09.6",
    {
        (3, 3, 7, 7, 3): (
            "Номер токена — i·W + j; номера идут по возрастанию.",
            "В середине окна симметричны: кого токен видит, тот видит и его.",
        ),
        (0, 0, 5, 5, 3): "Угол видят k//2 + 1 запросов по каждой оси, а не k.",
        (2, 1, 6, 8, 5): (
            "Окна первых k//2 + 1 запросов стоят на одном месте: они прижаты.",
            "Найдите начало окна каждого запроса оси и проверьте, попал ли в окно "
            "токен; оси независимы.",
        ),
        (4, 1, 5, 8, 3): "Карта 5×8: номер токена — i·W + j, а не i·H + j.",
        (3, 5, 7, 9, 5): "Второй край устроен, как первый.",
        (2, 4, 7, 7, 7): "Окно величиной с карту: каждый видит каждого.",
    },
    random_case=lambda rng: (
        *(rng.randint(0, 7), rng.randint(0, 9), 8, 10, rng.choice([3, 5, 7])),
    ),
)
def watchers_of(i: int, j: int, H: int, W: int, k: int) -> list[int]:
    """Flat numbers of the queries among whose k x k neighbours the token is."""
    rows, columns = (
        [q for q in range(n) if own in sorted(range(n), key=lambda a: abs(a - q))[:k]]
        for own, n in ((i, H), (j, W))
    )
    return [a * W + b for a in rows for b in columns]
