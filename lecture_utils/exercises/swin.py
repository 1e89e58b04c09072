"""Exercises of notebook 09 (Swin and neighbourhood attention)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.cases import cases


@cases(
    "09.1",
    {
        (14, 14, 96, None): "MSA: 4·N·C² на проекции и 2·N²·C на внимание, N = h·w.",
        (4, 6, 8, None): "Карта прямоугольная: токенов h·w, а не h².",
        (14, 21, 96, 7): "W-MSA: у каждого из h·w запросов M² ключей.",
        (5, 7, 8, 4): "Карта не делится на M: сначала дополните обе стороны вверх.",
        (8, 9, 4, 3): "Дополняется только та сторона, которая не делится на M.",
        (3, 3, 16, 7): "Карта меньше окна тоже дополняется — до одного окна M×M.",
    },
)
def attention_cost(h: int, w: int, C: int, M: int | None) -> int:
    """Multiply-adds of MSA (M is None) or of W-MSA on a padded map."""
    rows, cols = (h, w) if M is None else (-(-h // M) * M, -(-w // M) * M)
    tokens = rows * cols
    keys = tokens if M is None else M * M
    return 4 * tokens * C * C + 2 * tokens * keys * C


def _numbered(B: int, C: int, H: int, W: int) -> Tensor:
    """A map whose numbers are all different."""
    return torch.arange(float(B * C * H * W)).view(B, C, H, W)


_MAPS = {  # B, C, H, W, Mh, Mw
    (1, 1, 4, 4, 2, 2): "Токены одного окна стоят рядом, окна идут по строкам.",
    (2, 3, 4, 4, 2, 2): "Каналы переносятся в конец, пакет и номер окна — в начало.",
    (1, 2, 4, 6, 2, 3): "Высота окна Mh делит H, ширина Mw делит W.",
    (3, 2, 6, 4, 3, 1): "Окно может быть и столбцом.",
}


@cases("09.2", _MAPS, lambda B, C, H, W, *window: (_numbered(B, C, H, W), *window))
def split_map(x: Tensor, Mh: int, Mw: int) -> Tensor:
    """Rectangular windows of a channels-first map."""
    columns = F.unfold(x, (Mh, Mw), stride=(Mh, Mw))  # (B, C·Mh·Mw, nW)
    return columns.unflatten(1, (x.shape[1], -1)).permute(0, 3, 2, 1).flatten(0, 1)


@cases(
    "09.3",
    _MAPS,
    lambda B, C, H, W, *window: (
        split_map(_numbered(B, C, H, W), *window),
        *window,
        H,
        W,
    ),
)
def join_map(windows: Tensor, Mh: int, Mw: int, H: int, W: int) -> Tensor:
    """Channels-first map from its rectangular windows."""
    windows = windows.unflatten(0, (-1, (H // Mh) * (W // Mw)))  # (B, nW, Mh·Mw, C)
    columns = windows.permute(0, 3, 2, 1).flatten(1, 2)  # (B, C·Mh·Mw, nW)
    return F.fold(columns, (H, W), (Mh, Mw), stride=(Mh, Mw))


@cases(
    "09.4",
    {
        (2, 2): "Разности от −(M − 1) до M − 1 сдвиньте к нулю, затем y·(2M − 1) + x.",
        (3, 3): "Запрос — строка ответа, ключ — столбец; разность «запрос − ключ».",
        (2, 4): "Строка таблицы состоит из 2·Mw − 1 ячеек.",
        (4, 1): "Разности по y сдвигаются на Mh − 1, по x — на Mw − 1.",
    },
)
def rectangular_index(Mh: int, Mw: int) -> Tensor:
    """Relative position index of an Mh x Mw window."""
    places = [(y, x) for y in range(Mh) for x in range(Mw)]
    return torch.tensor(
        [
            [
                (yi - yj + Mh - 1) * (2 * Mw - 1) + (xi - xj + Mw - 1)
                for yj, xj in places
            ]
            for yi, xi in places
        ]
    )


@cases(
    "09.5",
    {
        (8, 8, 4, 2): "Дополнения нет: True ровно там, где номера областей совпадают.",
        (8, 8, 4, 1): "Границы областей — на расстоянии M и s от конца оси.",
        (7, 8, 4, 2): "Дополненный ключ закрыт для всех, кроме него самого.",
        (5, 10, 4, 1): "Дополнить — до прокрутки: нули едут вместе с картой.",
        (4, 7, 3, 1): "Закрыты ключи (последняя ось), а не запросы.",
    },
)
def mask_with_padding(H: int, W: int, M: int, s: int) -> Tensor:
    """Mask of shifted windows that hides padded keys, too."""
    high, wide = -(-H // M) * M, -(-W // M) * M
    axes = torch.arange(high).roll(-s), torch.arange(wide).roll(-s)
    y, x = torch.meshgrid(*axes, indexing="ij")  # places on the unrolled map
    # Windows of the shifted grid there: bands [0, s), [s, s + M), ...
    band = torch.stack([(y - s) // M, (x - s) // M, y, x])
    tokens = split_map(band[None].double(), M, M)  # (nW, M², 4)
    region, place = tokens[..., :2], tokens[..., 2:]
    same = (region[:, :, None] == region[:, None]).all(-1)
    real = (place[..., 0] < H) & (place[..., 1] < W)
    itself = torch.eye(M * M, dtype=torch.bool)
    return same & real[:, None] | itself


@cases(
    "09.6",
    {
        (3, 3, 7, 7, 3): "В середине окно симметрично: от i − k//2 до i + k//2.",
        (0, 0, 5, 5, 3): "В углу окно прижато: соседей по-прежнему k², без повторов.",
        (4, 1, 5, 8, 3): "Карта 5×8: номер токена — i·W + j, а не i·H + j.",
        (1, 7, 6, 8, 5): "У правого края окно кончается последним столбцом.",
        (5, 0, 6, 5, 5): "У нижнего края последняя строка окна — H − 1.",
        (2, 4, 7, 7, 7): "Окно величиной с карту содержит все её токены.",
    },
)
def neighbours_of(i: int, j: int, H: int, W: int, k: int) -> list[int]:
    """Flat numbers of the k x k neighbours of one token; windows clamp at borders."""
    rows, cols = (
        sorted(sorted(range(size), key=lambda a: abs(a - place))[:k])
        for place, size in ((i, H), (j, W))
    )
    return [a * W + b for a in rows for b in cols]
