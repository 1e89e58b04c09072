"""Checks of the exercises of notebook 08 (self-attention and ViT)."""

import weakref
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_utils.exercises import Wrong, call, check, expect, expect_form


def _random(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v


@check("08.1")
def attend(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Attention of one query."""
    cases = {
        (6, 2, 2): "Оценки — K @ q, делённые на корень из длины запроса.",
        (5, 9, 4): "Делят на √d, где d — длина запроса, а не число слов.",
        (1, 3, 2): "Если слово одно, его вес равен 1 и ответ — его значение.",
    }
    for (n, d, m), hint in cases.items():
        q, k, v = _random(d, seed=1), _random(n, d, seed=2), _random(n, m, seed=3)
        given = f"слов {n}, d={d}, значения длины {m}"
        got = call(answer, q, k, v, given=given)
        expect(got, _attention(q[None], k, v)[0], given=given, hint=hint)


@check("08.2")
def softmax_with_temperature(answer: Callable[[Tensor, float], Tensor]) -> None:
    """Softmax of scores divided by a temperature, stable for large scores."""
    cases = [
        ("S (6,), T=1", _random(6), 1.0, "Доли — экспоненты, делённые на их сумму."),
        ("S (6,), T=0.5", _random(6), 0.5, "На T делят оценки, до экспоненты."),
        ("S (2, 3, 4), T=2", _random(2, 3, 4), 2.0, "Сумма — по последней оси."),
        (
            "S до 3000, T=1",
            _random(3, 5, scale=1000),
            1.0,
            "Экспонента тысячи — бесконечность. Вычтите наибольшую оценку строки: "
            "доли от этого не изменятся.",
        ),
        (
            "S около −2000, T=1",
            _random(5) - 2000,
            1.0,
            "Все экспоненты стали нулями. Вычитают наибольшую оценку, а не нуль.",
        ),
        (
            "строки далеко друг от друга, T=1",
            _random(2, 4) + torch.tensor([[1000.0], [-1000.0]]),
            1.0,
            "Наибольшая оценка у каждой строки своя.",
        ),
        ("S до 30, T=0.01", _random(5, scale=10), 0.01, "Сначала делят на T."),
    ]
    for given, scores, temperature, hint in cases:
        try:
            got = call(answer, scores, temperature, given=given)
            want = (scores / temperature).softmax(-1)
            expect(got, want, given=given, hint=hint)
        except Wrong as wrong:
            text = str(wrong)
            raise Wrong(text if hint in text else f"{text} {hint}") from None


_FORM_OF_MASK = (
    "Нужна логическая маска (torch.bool) формы (B, 1, N, N): фраза, место для голов, "
    "запрос, ключ."
)


@check("08.3")
def decoder_mask(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Causal mask joined with the padding mask, True where attention may look."""
    cases = [([4], 4), ([2, 4], 4), ([3, 1, 5], 6), ([1], 1)]
    for lengths, n in cases:
        given = f"lengths={lengths}, N={n}"
        i, j = torch.arange(n)[:, None], torch.arange(n)
        want = (j <= i) & (j < torch.tensor(lengths)[:, None, None, None])
        got = call(answer, torch.tensor(lengths), n, given=given)
        expect_form(got, want, given=given, hint=_FORM_OF_MASK)
        if not torch.equal(got, want):
            raise Wrong(f"{given} — маска неверна. {_mask_hint(got, want)}")


def _mask_hint(got: Tensor, want: Tensor) -> str:
    if torch.equal(got, ~want):
        return "Маска перевёрнута: True значит «можно смотреть»."
    if torch.equal(got, want.transpose(-2, -1)):
        return "Запрос — строка, ключ — столбец: закрыто то, что правее диагонали."
    if not (want & ~got).any():
        return "Открыто лишнее: закрывают и будущее, и дополнение (среди ключей)."
    return "Закрыто лишнее: слово видит себя, а дополнение закрывают среди ключей."


@check("08.4")
def multi_head(answer: Callable[[Tensor, Tensor, Tensor, int], Tensor]) -> None:
    """Multi-head attention without the output projection."""
    cases = {
        (2, 5, 5, 8, 1): "Одна голова — обычное внимание.",
        (2, 5, 5, 8, 2): "Голова получает соседние d/h чисел от каждого слова: "
        "view(B, N, h, d/h), потом transpose(1, 2).",
        (1, 3, 7, 12, 4): "Запросов и ключей может быть разное число.",
        (3, 4, 4, 6, 6): "Головы склеивают в том же порядке, в котором резали.",
    }
    for (b, n, m, d, h), hint in cases.items():
        q = _random(b, n, d, seed=1)
        k, v = _random(b, m, d, seed=2), _random(b, m, d, seed=3)
        given = f"B={b}, запросов {n}, ключей {m}, d={d}, h={h}"
        parts = zip(*(x.split(d // h, -1) for x in (q, k, v)), strict=True)
        want = torch.cat([_attention(*part) for part in parts], -1)
        got = call(answer, q, k, v, h, given=given)
        expect(got, want, given=given, hint=hint)


@check("08.5")
def patchify(answer: Callable[[Tensor, int], Tensor]) -> None:
    """Patches as vectors, in the order of a convolution kernel."""
    cases = {
        (
            1,
            1,
            4,
            6,
            2,
        ): "И патчи, и числа внутри патча идут по строкам, слева направо; "
        "слово — строка ответа.",
        (2, 3, 4, 4, 2): "Внутри патча порядок (канал, строка, столбец).",
        (2, 3, 6, 12, 3): "Высота и ширина бывают разными: патчей H/P на W/P.",
        (1, 2, 5, 5, 5): "Патч во всю картинку — это сама картинка, вытянутая в ряд.",
        (1, 3, 2, 3, 1): "При P = 1 слово — это все каналы одного пикселя.",
    }
    for (b, c, h, w, p), hint in cases.items():
        x = _random(b, c, h, w)
        given = f"x формы {tuple(x.shape)}, P={p}"
        got = call(answer, x, p, given=given)
        want = F.unfold(x, p, stride=p).transpose(1, 2)
        expect(got, want, given=given, hint=hint)


class _Stream:
    """Pairs (K, V) that can be read once and are not to be kept."""

    def __init__(self, k: Tensor, v: Tensor, sizes: list[int]):
        self._parts = list(zip(k.split(sizes), v.split(sizes), strict=True))
        self._given: list[weakref.ref] = []
        self.most_alive = 0
        self.read = 0

    def __deepcopy__(self, memo: dict) -> "_Stream":
        return self  # the check counts what this very stream has handed out

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while self.read < len(self._parts):
            k, v = (part.clone() for part in self._parts[self.read])
            self.read += 1
            self._given += [weakref.ref(k), weakref.ref(v)]
            alive = sum(part() is not None for part in self._given)
            self.most_alive = max(self.most_alive, alive)
            pair = k, v
            del k, v
            yield pair
            del pair

    def __len__(self) -> int:
        return len(self._parts)


@check("08.6")
def attend_in_chunks(answer: Callable[[Tensor, _Stream], Tensor]) -> None:
    """Exact attention of one query to a stream of keys and values."""
    cases = {
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
    for given, (sizes, scale, hint) in cases.items():
        n, d, m = sum(sizes), 4, 3
        q, k, v = _random(d, seed=1), _random(n, d, seed=2), _random(n, m, seed=3)
        # Without a scale: all scores near -4000 / sqrt(d).
        k = k - 4000 * q / (q @ q) if scale is None else k * scale
        stream = _Stream(k, v, sizes)
        try:
            got = call(answer, q, stream, given=given)
            expect(got, _attention(q[None], k, v)[0], given=given, hint=hint)
        except Wrong as wrong:
            text = str(wrong)
            raise Wrong(text if hint in text else f"{text} {hint}") from None
        if stream.read < len(stream):
            raise Wrong(f"{given} — прочитаны не все куски. {hint}")
        if stream.most_alive > 4:  # the new pair and the one just used
            raise Wrong(
                f"{given} — кусков в памяти: {stream.most_alive // 2}. Хранить их "
                "нельзя, помните только наибольшую оценку и две суммы."
            )
