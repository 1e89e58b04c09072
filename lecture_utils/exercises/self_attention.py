"""Exercises of notebook 08 (self-attention and ViT)."""

import weakref
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises.cases import cases, check, random
from lecture_utils.exercises.expect import Wrong, call, case, expect, expect_form


@cases(
    "08.1",
    {
        (6, 2, 2): "Оценки — K @ q, делённые на корень из длины запроса.",
        (5, 9, 4): "Делят на √d, где d — длина запроса, а не число слов.",
        (1, 3, 2): "Если слово одно, его вес равен 1 и ответ — его значение.",
    },
    lambda N, d, m: (random(d, seed=1), random(N, d, seed=2), random(N, m, seed=3)),
)
def attend(q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Attention of one query."""
    return (K @ q / len(q) ** 0.5).softmax(-1) @ V


@check("08.2")
def softmax_T(answer: Callable[[Tensor, float], Tensor]) -> None:
    """Softmax of scores divided by a temperature, stable for large scores."""
    far = torch.tensor([[1000.0], [-1000.0]])
    inputs = [
        ("S (6,), T=1", random(6), 1.0, "Доли — экспоненты, делённые на их сумму."),
        ("S (6,), T=0.5", random(6), 0.5, "На T делят оценки, до экспоненты."),
        ("S (2, 3, 4), T=2", random(2, 3, 4), 2.0, "Сумма — по последней оси."),
        (
            "S до 3000, T=1",
            random(3, 5, scale=1000),
            1.0,
            "Экспонента тысячи — бесконечность. Вычтите наибольшую оценку строки: "
            "доли от этого не изменятся.",
        ),
        (
            "S около −2000, T=1",
            random(5) - 2000,
            1.0,
            "Все экспоненты стали нулями. Вычитают наибольшую оценку, а не нуль.",
        ),
        (
            "строки далеко друг от друга, T=1",
            random(2, 4) + far,
            1.0,
            "Наибольшая оценка у каждой строки своя.",
        ),
        ("S до 30, T=0.01", random(5, scale=10), 0.01, "Сначала делят на T."),
    ]
    for given, S, T, hint in inputs:
        with case(given, hint):
            expect(call(answer, S, T), (S / T).softmax(-1))


@check("08.3")
def decoder_mask(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Causal mask joined with the padding mask, True where attention may look."""
    form = (
        "Нужна логическая маска (torch.bool) формы (B, 1, N, N): фраза, место для "
        "голов, запрос, ключ."
    )
    for lengths, N in [([4], 4), ([2, 4], 4), ([3, 1, 5], 6), ([1], 1)]:
        i, j = torch.arange(N)[:, None], torch.arange(N)
        want = (j <= i) & (j < torch.tensor(lengths)[:, None, None, None])
        given = f"lengths={lengths}, N={N}"
        with case(given, form):
            got = call(answer, torch.tensor(lengths), N)
            expect_form(got, want)
        with case(given, _mask_hint(got, want)):
            expect(got, want)


def _mask_hint(got: Tensor, want: Tensor) -> str:
    if torch.equal(got, ~want):
        return "Маска перевёрнута: True значит «можно смотреть»."
    if torch.equal(got, want.mT):
        return "Запрос — строка, ключ — столбец: закрыто то, что правее диагонали."
    if not (want & ~got).any():
        return "Открыто лишнее: закрывают и будущее, и дополнение (среди ключей)."
    return "Закрыто лишнее: слово видит себя, а дополнение закрывают среди ключей."


@cases(
    "08.4",
    {
        (2, 5, 5, 4, 1, 1): "Одна голова — обычное внимание.",
        (2, 5, 5, 3, 2, 2): "Групп столько, сколько голов: обычное многоголовое.",
        (1, 3, 7, 2, 4, 1): "Группа одна: ключи и значения у всех голов общие.",
        (3, 4, 2, 2, 6, 2): "Головы 0…h/g − 1 делят ключи группы 0, следующие — 1.",
    },
    lambda B, n, m, c, h, g: (
        random(B, n, h * c, seed=1),
        random(B, m, g * c, seed=2),
        random(B, m, g * c, seed=3),
        h,
        g,
    ),
)
def grouped_heads(q: Tensor, k: Tensor, v: Tensor, h: int, g: int) -> Tensor:
    """Attention of h heads that share g keys and values, without output projection."""
    q = q.unflatten(-1, (g, h // g, -1))  # (B, n, g, h/g, c)
    k, v = (x.unflatten(-1, (g, -1)) for x in (k, v))  # (B, m, g, c)
    scores = torch.einsum("bngrc,bmgc->bgrnm", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bgrnm,bmgc->bngrc", scores.softmax(-1), v).flatten(2)


@cases(
    "08.5",
    {
        (1, 1, 4, 6, 2): "И патчи, и числа внутри патча идут по строкам, слева "
        "направо; слово — строка ответа.",
        (2, 3, 4, 4, 2): "Внутри патча порядок (канал, строка, столбец).",
        (2, 3, 6, 12, 3): "Высота и ширина бывают разными: патчей H/P на W/P.",
        (1, 2, 5, 5, 5): "Патч во всю картинку — это сама картинка, вытянутая в ряд.",
        (1, 3, 2, 3, 1): "При P = 1 слово — это все каналы одного пикселя.",
    },
    lambda B, C, H, W, P: (random(B, C, H, W), P),
)
def patchify(x: Tensor, P: int) -> Tensor:
    """Patches as vectors, in the order of a convolution kernel."""
    return F.unfold(x, P, stride=P).mT


class _Stream:
    """Pairs (K, V) that can be read once and are not to be kept."""

    def __init__(self, K: Tensor, V: Tensor, sizes: list[int]):
        self._parts = list(zip(K.split(sizes), V.split(sizes), strict=True))
        self._given: list[weakref.ref] = []
        self.most_alive = 0
        self.read = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while self.read < len(self._parts):
            K, V = (part.clone() for part in self._parts[self.read])
            self.read += 1
            self._given += [weakref.ref(K), weakref.ref(V)]
            alive = sum(part() is not None for part in self._given)
            self.most_alive = max(self.most_alive, alive)
            pair = K, V
            del K, V
            yield pair
            del pair

    def __len__(self) -> int:
        return len(self._parts)


@check("08.6")
def attend_in_chunks(answer: Callable[[Tensor, _Stream], Tensor]) -> None:
    """Exact attention of one query to a stream of keys and values."""
    inputs = {
        "один кусок из 4 слов": ([4], 1.0, "Для одного куска это обычное внимание."),
        "куски по 3, 2 и 4 слова": (
            [3, 2, 4],
            1.0,
            "Знаменатель общий: копите и сумму экспонент, и взвешенную сумму, "
            "а делите один раз в конце.",
        ),
        "куски по одному слову": (
            [1] * 8,
            3.0,
            "Когда наибольшая оценка выросла, прежние суммы домножают на "
            "exp(старая − новая).",
        ),
        "оценки в тысячи": (
            [2, 3, 2],
            4000.0,
            "Вычитайте из оценок наибольшую из виденных, иначе экспонента — "
            "бесконечность.",
        ),
        "все оценки около −2000": (
            [2, 2],
            None,
            "Начинайте с наибольшей оценки −∞, а не с нуля.",
        ),
    }
    for given, (sizes, scale, hint) in inputs.items():
        N = sum(sizes)
        q, K, V = random(4, seed=1), random(N, 4, seed=2), random(N, 3, seed=3)
        # Without a scale: all scores near -4000 / sqrt(d).
        K = K - 4000 * q / (q @ q) if scale is None else K * scale
        stream = _Stream(K, V, sizes)
        with case(given, hint):
            # Only this very stream knows what it has handed out.
            expect(call(answer, q.clone(), stream, copy=False), attend(q, K, V))
            if stream.read < len(stream):
                raise Wrong("прочитаны не все куски")
            if stream.most_alive > 4:  # the new pair and the one just used
                raise Wrong(
                    f"кусков в памяти: {stream.most_alive // 2}. Хранить их нельзя, "
                    "помните только наибольшую оценку и две суммы"
                )
