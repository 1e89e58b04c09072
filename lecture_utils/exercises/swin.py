"""Checks of the exercises of notebook 09 (Swin and neighbourhood attention)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises import Wrong, call, check, expect


@check("09.1")
def attention_cost(answer: Callable[..., int]) -> None:
    """Multiply-adds of MSA (M is None) or of W-MSA on a padded map."""
    hints = {
        (14, 14, 96, None): "MSA: 4·N·C² на проекции и 2·N²·C на внимание, N = h·w.",
        (4, 6, 8, None): "Карта прямоугольная: токенов h·w, а не h².",
        (14, 21, 96, 7): "W-MSA: у каждого из h·w запросов M² ключей.",
        (5, 7, 8, 4): "Карта не делится на M: сначала дополните обе стороны вверх.",
        (8, 9, 4, 3): "Дополняется только та сторона, которая не делится на M.",
        (3, 3, 16, 7): "Карта меньше окна тоже дополняется — до одного окна M×M.",
    }
    for (h, w, C, M), hint in hints.items():
        rows, cols = (h, w) if M is None else (-(-h // M) * M, -(-w // M) * M)
        tokens = rows * cols
        keys = tokens if M is None else M * M
        given = f"h={h}, w={w}, C={C}, M={M}"
        got = call(answer, h, w, C, M, given=given)
        want = 4 * tokens * C * C + 2 * tokens * keys * C
        expect(got, want, given=given, hint=hint)


def _numbered_map(B: int, C: int, H: int, W: int) -> Tensor:
    """A map whose numbers are all different."""
    return torch.arange(B * C * H * W).view(B, C, H, W).to(torch.get_default_dtype())


def _windows(x: Tensor, Mh: int, Mw: int) -> Tensor:
    """Window by window with slices: (B, C, H, W) -> (B nW, Mh Mw, C)."""
    _, _, H, W = x.shape
    return torch.stack(
        [
            image[:, i : i + Mh, j : j + Mw].flatten(1).T
            for image in x
            for i in range(0, H, Mh)
            for j in range(0, W, Mw)
        ]
    )


_MAPS = {  # B, C, H, W, Mh, Mw
    (1, 1, 4, 4, 2, 2): "Токены одного окна стоят рядом, окна идут по строкам.",
    (2, 3, 4, 4, 2, 2): "Каналы переносятся в конец, пакет и номер окна — в начало.",
    (1, 2, 4, 6, 2, 3): "Высота окна Mh делит H, ширина Mw делит W.",
    (3, 2, 6, 4, 3, 1): "Окно может быть и столбцом.",
}


@check("09.2")
def split_map(answer: Callable[[Tensor, int, int], Tensor]) -> None:
    """Rectangular windows of a channels-first map."""
    for (B, C, H, W, Mh, Mw), hint in _MAPS.items():
        x = _numbered_map(B, C, H, W)
        given = f"x формы {(B, C, H, W)}, окно {Mh}×{Mw}"
        got = call(answer, x, Mh, Mw, given=given)
        expect(got, _windows(x, Mh, Mw), given=given, hint=hint)


@check("09.3")
def join_map(answer: Callable[..., Tensor]) -> None:
    """Channels-first map from its rectangular windows."""
    for (B, C, H, W, Mh, Mw), hint in _MAPS.items():
        x = _numbered_map(B, C, H, W)
        given = f"окна {Mh}×{Mw} карты {(B, C, H, W)}"
        got = call(answer, _windows(x, Mh, Mw), Mh, Mw, H, W, given=given)
        expect(got, x, given=given, hint=hint)


@check("09.4")
def rectangular_index(answer: Callable[[int, int], Tensor]) -> None:
    """Relative position index of an Mh x Mw window."""
    hints = {
        (2, 2): "Разности от −(M − 1) до M − 1 сдвиньте к нулю, затем y·(2M − 1) + x.",
        (3, 3): "Запрос — строка ответа, ключ — столбец; разность «запрос − ключ».",
        (2, 4): "Строка таблицы состоит из 2·Mw − 1 ячеек.",
        (4, 1): "Разности по y сдвигаются на Mh − 1, по x — на Mw − 1.",
    }
    for (Mh, Mw), hint in hints.items():
        places = [(y, x) for y in range(Mh) for x in range(Mw)]
        want = torch.tensor(
            [
                [
                    (yi - yj + Mh - 1) * (2 * Mw - 1) + (xi - xj + Mw - 1)
                    for yj, xj in places
                ]
                for yi, xi in places
            ]
        )
        given = f"Mh={Mh}, Mw={Mw}"
        got = call(answer, Mh, Mw, given=given)
        expect(got, want, given=given, hint=hint)


def _true_mask(H: int, W: int, M: int, s: int) -> Tensor:
    """The mask by the original places of tokens, without regions of the rolled map."""
    high, wide = -(-H // M) * M, -(-W // M) * M
    y = torch.arange(high).roll(-s)[:, None].expand(high, wide)
    x = torch.arange(wide).roll(-s)[None].expand(high, wide)
    # Windows of the shifted grid on the unrolled map: bands [0, s), [s, s + M), ...
    band = torch.stack([(y - s).div(M, rounding_mode="floor"), y * 0, y, x]).clone()
    band[1] = (x - s).div(M, rounding_mode="floor")
    tokens = _windows(band[None], M, M)  # (nW, M², 4)
    region, place = tokens[..., :2], tokens[..., 2:]
    same = (region[:, :, None] == region[:, None]).all(-1)
    real = (place[..., 0] < H) & (place[..., 1] < W)
    itself = torch.eye(M * M, dtype=torch.bool)
    return same & real[:, None] | itself


@check("09.5")
def mask_with_padding(answer: Callable[[int, int, int, int], Tensor]) -> None:
    """Mask of shifted windows that hides padded keys, too."""
    hints = {
        (8, 8, 4, 2): "Дополнения нет: True ровно там, где номера областей совпадают.",
        (8, 8, 4, 1): "Границы областей — на расстоянии M и s от конца оси.",
        (7, 8, 4, 2): "Дополненный ключ закрыт для всех, кроме него самого.",
        (5, 10, 4, 1): "Дополнить — до прокрутки: нули едут вместе с картой.",
        (4, 7, 3, 1): "Закрыты ключи (последняя ось), а не запросы.",
    }
    for (H, W, M, s), hint in hints.items():
        given = f"H={H}, W={W}, M={M}, s={s}"
        got = call(answer, H, W, M, s, given=given)
        want = _true_mask(H, W, M, s)
        if isinstance(got, Tensor) and got.shape == want.shape:
            if got.dtype != torch.bool:
                raise Wrong(f"{given} — тип {got.dtype}, нужен torch.bool. {hint}")
            wrong = (got != want).nonzero()
            if len(wrong):
                window, query, key = wrong[0].tolist()
                raise Wrong(
                    f"{given} — неверных пар {len(wrong)}; первая: окно {window}, "
                    f"запрос {query}, ключ {key}, ожидалось "
                    f"{bool(want[window, query, key])}. {hint}"
                )
        else:
            expect(got, want, given=given, hint=hint)


@check("09.6")
def neighbours_of(answer: Callable[[int, int, int, int, int], list[int]]) -> None:
    """Flat numbers of the k x k neighbours of one token; windows clamp at borders."""
    hints = {
        (3, 3, 7, 7, 3): "В середине окно симметрично: от i − k//2 до i + k//2.",
        (0, 0, 5, 5, 3): "В углу окно прижато: соседей по-прежнему k², без повторов.",
        (4, 1, 5, 8, 3): "Карта 5×8: номер токена — i·W + j, а не i·H + j.",
        (1, 7, 6, 8, 5): "У правого края окно кончается последним столбцом.",
        (5, 0, 6, 5, 5): "У нижнего края последняя строка окна — H − 1.",
        (2, 4, 7, 7, 7): "Окно величиной с карту содержит все её токены.",
    }
    for (i, j, H, W, k), hint in hints.items():
        rows, cols = (
            sorted(sorted(range(size), key=lambda a: abs(a - place))[:k])
            for place, size in ((i, H), (j, W))
        )
        given = f"токен ({i}, {j}), карта {H}×{W}, k={k}"
        got = call(answer, i, j, H, W, k, given=given)
        if isinstance(got, Tensor):
            got = F.relu(got).flatten().tolist() if not got.is_floating_point() else got
        if isinstance(got, tuple):
            got = list(got)
        want = [a * W + b for a in rows for b in cols]
        if not isinstance(got, list):
            raise Wrong(f"{given} — нужен список номеров. {hint}")
        expect(got, want, given=given, hint=hint)
