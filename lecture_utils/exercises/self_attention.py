"""Exercises of notebook 08 (self-attention and ViT)."""

from collections.abc import Callable
from random import Random
from typing import Any
from weakref import ref

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.cases import SILENT_HINT, cases, check, random
from lecture_utils.exercises.expect import (
    SILENT,
    Wrong,
    call,
    case,
    expect,
    expect_form,
)

SOFTMAX = Ban(
    "готовый softmax брать нельзя, в этом и задача",
    r".*(softm(ax|in)|attention)",
    ("attention",),
)
UNFOLD = Ban(
    "нужно обойтись без unfold и свёртки",
    r".*(unfold|im2col|conv\d|convol|conv_)",
)


# --- warm-ups -------------------------------------------------------------------------


def _vectors(*vectors: tuple) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(v).to(torch.get_default_dtype()) for v in vectors)


@cases(
    "§8.1",
    {
        ((2, 1), (1, 0), (0, 1)): (
            "Знаменатель softmax у обоих весов один, в отношении его нет.",
            "Осталось отношение двух экспонент.",
        ),
        ((1, 2, 1, 0), (0, 1, 0, 3), (2, 0, 0, 0)): "Оценки равны — веса тоже.",
        ((1, -1), (0, 1), (1, 0)): "Оценка a меньше: отношение меньше единицы.",
        ((1, 0, 2), (0.5, 3, 0.5), (0, 4, 0)): "Делят на √d, d — длина запроса.",
    },
    _vectors,
    random_case=lambda rng: tuple(
        tuple(rng.uniform(-0.7, 0.7) for _ in range(d)) for d in [rng.randint(3, 7)] * 3
    ),
    mistakes={
        "Это отношение оценок, а не весов.": (
            lambda q, k_a, k_b: (q @ k_a).item() / ((q @ k_b).item() or 1)
        ),
        "Забыто деление на √d.": (lambda q, k_a, k_b: (q @ k_a - q @ k_b).exp().item()),
    },
)
def weight_ratio(q: Tensor, k_a: Tensor, k_b: Tensor) -> float:
    """How many times the weight of word a is that of word b."""
    s = torch.stack([k_a, k_b]) @ q / len(q) ** 0.5
    return (s[0] - s[1]).exp().item()


@cases(
    "§8.2",
    dict.fromkeys(
        [(3, 2), (4, 4), (5, 1)],
        (
            "Запрос первого слова — x W^Q, ключ второго — y W^K.",
            "Раскройте скобки в (x W^Q)(y W^K)ᵀ.",
        ),
    ),
    lambda d, d_k: (random(d, d_k, seed=1), random(d, d_k, seed=2)),
    random_case=lambda rng: (rng.randint(2, 6),) * 2,
    mistakes={
        "Слова перепутаны: x ищет, y отзывается.": lambda W_Q, W_K: W_K @ W_Q.T,
    },
)
def table_of_scores(W_Q: Tensor, W_K: Tensor) -> Tensor:
    """The matrix M of the scores x M yᵀ."""
    return torch.einsum("ik,jk->ij", W_Q, W_K)


@cases(
    "§8.3",
    {
        (16, 1, 1): "Дисперсии равны 1 — это случай лекции: делят на √d.",
        (2, 4, 0.5): "Слагаемых два, дисперсия каждого 2.",
        (4, 0.25, 9): (
            "Какова дисперсия одного произведения?",
            "У независимых чисел со средним 0 дисперсии перемножаются.",
        ),
        (6, 0.5, 0.5): "Дисперсии складываются по d слагаемым.",
    },
    random_case=lambda rng: (
        rng.randint(2, 30),
        rng.uniform(0.1, 0.9),
        rng.uniform(0.1, 0.9),
    ),
    mistakes={
        "Это дисперсия D: после деления на неё получится 1/D, а не 1.": (
            lambda d, var_q, var_k: d * var_q * var_k
        ),
    },
)
def divisor_of_scores(d: int, var_q: float, var_k: float) -> float:
    """What a score has to be divided by for a variance of one."""
    return (d * var_q * var_k) ** 0.5


def _masked(*shape: int) -> tuple[Tensor, Tensor]:
    """Weights without a mask, and a mask that leaves something in every row."""
    mask = random(*shape[-2:], seed=1) > 0
    mask[:, 0] = True
    return random(*shape).softmax(-1), mask


@cases(
    "§8.4",
    dict.fromkeys(
        [(3, 3), (4, 6), (2, 3, 5, 5), (1, 1)],
        (
            "Запрещённые веса — нули, а остальные снова должны быть долями.",
            "Разделите каждую строку на то, что от неё осталось.",
        ),
    ),
    _masked,
    random_case=lambda rng: tuple(rng.randint(2, 6) for _ in range(rng.randint(2, 4))),
    mistakes={
        "Строка в сумме уже не даёт 1.": lambda A, mask: A * mask,
        "True в маске — смотреть можно.": (
            lambda A, mask: (A * ~mask / (A * ~mask).sum(-1, keepdim=True)).nan_to_num()
        ),
    },
)
def masked_afterwards(A: Tensor, mask: Tensor) -> Tensor:
    """Weights under a mask, from those without it."""
    return A.log().masked_fill(~mask, -torch.inf).softmax(-1)


@cases(
    "§8.5",
    {
        (0, 12, 4): "Головы нумеруют с нуля.",
        (40, 64, 4): (
            "Голова получает d/h соседних чисел.",
            "Сколько целых голов стоит перед числом?",
        ),
        (2, 12, 4): "У головы 0 здесь числа 0, 1 и 2.",
        (63, 64, 16): "Последнее число — у последней головы.",
        (34, 35, 7): "В голове пять чисел.",
    },
    random_case=lambda rng: (
        rng.randrange((h := rng.randint(3, 8)) * (size := rng.randint(9, 12))),
        h * size,
        h,
    ),
    mistakes={
        "Соседние числа идут в одну голову, а не по очереди в разные.": (
            lambda n, d, h: n % h
        ),
        "h — число голов, а не чисел в голове.": lambda n, d, h: n // h,
    },
)
def head_of_number(n: int, d: int, h: int) -> int:
    """The head that number n of a word's vector belongs to."""
    return n * h // d


@cases(
    "§8.6",
    {
        (0, 1, 2): "Слова не переставляли: результат тот же.",
        (2, 1, 0): "Крайние слова поменялись местами.",
        (1, 2, 0): (
            "Строка i — это слово order[i]. Где теперь искать слово 0?",
            "Нужна обратная перестановка.",
        ),
        (3, 0, 4, 1, 2): "Перестановка в ту же сторону порядок не вернёт.",
    },
    lambda *order: (random(len(order), 3), torch.tensor(order)),
    random_case=lambda rng: tuple(rng.sample(range(n := rng.randint(6, 9)), n)),
)
def back_in_order(Z: Tensor, order: Tensor) -> Tensor:
    """Results of permuted words, as if they had stood in their own order."""
    result = torch.empty_like(Z)
    result[order] = Z
    return result


@cases(
    "§8.7",
    {
        (224, 384, 16): "Было 14×14 патчей, стало 24×24; класс-токен тот же.",
        (32, 32, 8): "Сторона не изменилась: новых мест нет.",
        (16, 32, 16): "Из одного патча стало четыре.",
        (48, 64, 8): "Из числа новых патчей вычитают число прежних.",
    },
    random_case=lambda rng: (
        (P := rng.randint(4, 16)) * (old := rng.randint(2, 8)),
        P * (old + rng.randint(2, 6)),
        P,
    ),
    mistakes={
        "Класс-токен был и раньше, его место уже выучено.": (
            lambda old, new, P: (new // P) ** 2 + 1 - (old // P) ** 2
        ),
        "Квадрат разности — не разность квадратов.": (
            lambda old, new, P: ((new - old) // P) ** 2
        ),
    },
)
def new_places(old: int, new: int, P: int) -> int:
    """How many more position vectors a larger picture needs."""
    side, more = old // P, (new - old) // P
    return more * (2 * side + more)


def _look(N: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Weights of the class token, itself first, and the patches of a sign."""
    touched = random(N, seed=seed).abs().argsort() < max(1, round(share * N))
    return random(N + 1, seed=seed).softmax(0), touched


@cases(
    "§8.8",
    dict.fromkeys(
        [(4, 0.5, 0), (9, 0.3, 1), (36, 0.1, 2), (6, 1.0, 3)],
        (
            "Первый вес — самому себе: его отбрасывают, остальные снова делают долями.",
            "Долю внимания на знаке разделите на долю патчей, которые он задевает.",
        ),
    ),
    _look,
    random_case=lambda rng: (
        rng.randint(5, 36),
        rng.uniform(0.2, 0.6),
        rng.randint(5, 999),
    ),
    mistakes={
        "Это доля внимания: сравните её с долей патчей знака.": (
            lambda a, touched: (a[1:][touched].sum() / a[1:].sum()).item()
        ),
        "Без веса самому себе остальные в сумме меньше 1.": (
            lambda a, touched: (a[1:][touched].sum() / touched.double().mean()).item()
        ),
    },
)
def gain_on_sign(a: Tensor, touched: Tensor) -> float:
    """Attention on the sign, as a multiple of what equal attention would give."""
    patches = a[1:]
    return (patches[touched].mean() / patches.mean()).item()


@cases(
    "§8.9",
    {
        (2, 3): (
            "Приравняйте цену пар к цене проекций и MLP вместе.",
            "После сокращения на 2Nd останется N.",
        ),
        (768, 4): "У ViT-B/16 r = 4.",
        (64, 2): "MLP из двух слоёв: d → r·d и r·d → d.",
        (36, 0): "Без MLP остаются проекции: N = 2d.",
    },
    random_case=lambda rng: (rng.randint(5, 900), rng.randint(3, 9)),
    mistakes={
        "Это порог без MLP.": lambda d, r: 2 * d,
        "Проекции тоже в счёт.": lambda d, r: r * d,
    },
)
def tokens_at_par(d: int, r: int) -> int:
    """At how many tokens pairs cost what projections and MLP cost together."""
    return (4 * d * d + 2 * r * d * d) // (2 * d)


# --- exercises ------------------------------------------------------------------------


def _attend(q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Attention of one query."""
    return (K @ q / len(q) ** 0.5).softmax(-1) @ V


@cases(
    "08.1",
    {
        (2, 3, 4): "Слов два: без одного остаётся значение другого.",
        (6, 2, 2): (
            "Строка j — внимание ко всем словам, кроме j.",
            "Закройте слово j до softmax — или уберите его слагаемое из суммы и снова "
            "сделайте доли долями.",
        ),
        (5, 9, 4): "Оценки делят на √d, где d — длина запроса, а не число слов.",
        (4, 3, 6): "Значения бывают и другой длины, чем запрос: строк N, столбцов m.",
    },
    lambda N, d, m: (random(d, seed=1), random(N, d, seed=2), random(N, m, seed=3)),
    random_case=lambda rng: (rng.randint(3, 9), rng.randint(2, 9), rng.randint(2, 9)),
    mistakes={
        "Слова нет — и доли остальных должны снова давать в сумме 1.": (
            lambda q, K, V: (
                _attend(q, K, V) - (K @ q / len(q) ** 0.5).softmax(0)[:, None] * V
            )
        ),
        "Это вклад слова j в ответ, а нужен ответ без него.": (
            lambda q, K, V: (K @ q / len(q) ** 0.5).softmax(0)[:, None] * V
        ),
    },
)
def attend_without_each(q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Attention of one query with each of the words left out in turn."""
    others = [[n for n in range(len(K)) if n != j] for j in range(len(K))]
    return torch.stack([_attend(q, K[rest], V[rest]) for rest in others])


def _scores(centre: float, spread: float, T: float, *shape: int) -> tuple:
    """Scores; every row around a centre of its own, the first around ``centre``."""
    signs = 1 - 2 * (torch.arange(shape[0]) % 2).view(-1, *[1] * (len(shape) - 1))
    return random(*shape, scale=spread) + centre * (signs if len(shape) > 1 else 1), T


@cases(
    "08.2",
    {
        (0, 1, 1.0, 6): "Доли — экспоненты, делённые на их сумму.",
        (0, 1, 0.5, 6): "На T делят оценки, до экспоненты.",
        (0, 1, 2.0, 2, 3, 4): "Сумма — по последней оси.",
        (0, 1000, 1.0, 3, 5): (
            "Экспонента тысячи — бесконечность.",
            "Вычтите наибольшую оценку строки: доли от этого не изменятся.",
        ),
        (-2000, 1, 1.0, 5): "Все экспоненты стали нулями. Вычитают наибольшую оценку, "
        "а не нуль.",
        (1000, 1, 1.0, 2, 4): "Наибольшая оценка у каждой строки своя.",
        (0, 10, 0.01, 5): "Сначала делят на T.",
    },
    _scores,
    random_case=lambda rng: (
        *(rng.choice([0, 1500]), rng.choice([1, 300]), rng.uniform(0.3, 3)),
        *(rng.randint(2, 5) for _ in range(rng.randint(2, 3))),
    ),
    forbid=SOFTMAX,
)
def softmax_T(S: Tensor, T: float) -> Tensor:
    """Softmax of scores divided by a temperature, stable for large scores."""
    return (S / T).softmax(-1)


@check("08.3")
def window_mask(answer: Callable[[Tensor, int, int], Tensor], rng: Random) -> None:
    """Causal mask of a sliding window, padding in front, True where one may look."""
    form = (
        "Нужна логическая маска (torch.bool) формы (B, 1, N, N): фраза, место для "
        "голов, запрос, ключ."
    )
    drawn = [rng.randint(1, 8) for _ in range(rng.randint(2, 4))]
    inputs = [([4], 4, 4), ([5], 5, 2), ([2, 4], 4, 4), ([3, 1, 5], 6, 3), ([1], 1, 1)]
    for lengths, N, w in [*inputs, (drawn, 9, rng.randint(2, 4))]:
        i, j = torch.arange(N)[:, None], torch.arange(N)
        real = j >= N - torch.tensor(lengths)[:, None, None, None]
        want = (j <= i) & (j > i - w) & real | (i == j)
        silent = lengths is drawn
        given = SILENT if silent else f"lengths={lengths}, N={N}, w={w}"
        with case(given, SILENT_HINT if silent else form):
            got = call(answer, torch.tensor(lengths), N, w)
            expect_form(got, want)
        with case(given, SILENT_HINT if silent else _mask_hint(got, want)):
            expect(got, want)


def _mask_hint(got: Tensor, want: Tensor) -> str:
    if torch.equal(got, ~want):
        return "Маска перевёрнута: True значит «можно смотреть»."
    if torch.equal(got, want.mT):
        return "Запрос — строка, ключ — столбец: закрыто то, что правее диагонали."
    if not got.diagonal(dim1=-2, dim2=-1).all():
        return (
            "Само себя место видит всегда, и дополнение тоже: иначе softmax даст NaN."
        )
    if not (want & ~got).any():
        return (
            "Открыто лишнее: закрывают будущее, то, что дальше окна, и дополнение — "
            "среди ключей."
        )
    return "Закрыто лишнее: в окне w слов вместе с самим словом, а дополнение — слева."


@cases(
    "08.4",
    {
        (2, 5, 5, 4, 1, 1): "Одна голова — обычное внимание.",
        (2, 5, 5, 3, 2, 2): (
            "Групп столько же, сколько голов: это обычное многоголовое внимание.",
            "Голова получает соседние c чисел от каждого слова, и склеивают головы в "
            "том же порядке; делят на √c.",
        ),
        (1, 3, 7, 2, 4, 1): "Группа одна: ключи и значения у всех голов общие.",
        (3, 4, 2, 2, 6, 2): (
            "Какой группе принадлежит голова i?",
            "Первые h/g голов смотрят на группу 0, следующие — на группу 1: повторите "
            "каждую группу h/g раз подряд.",
        ),
    },
    lambda B, n, m, c, h, g: (
        random(B, n, h * c, seed=1),
        random(B, m, g * c, seed=2),
        random(B, m, g * c, seed=3),
        h,
        g,
    ),
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(2, 6), rng.randint(2, 6), rng.randint(2, 5)),
        *rng.choice([(4, 2), (6, 3), (6, 2), (8, 2)]),
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
        (2, 3, 4, 4, 2): (
            "Внутри патча порядок (канал, строка, столбец).",
            "Разрежьте оси H и W на «номер патча» и «место в нём», получится шесть "
            "осей; потом переставьте их.",
        ),
        (2, 3, 6, 12, 3): "Высота и ширина бывают разными: патчей H/P на W/P.",
        (1, 2, 5, 5, 5): "Патч во всю картинку — это сама картинка, вытянутая в ряд.",
        (1, 3, 2, 3, 1): "При P = 1 слово — это все каналы одного пикселя.",
    },
    lambda B, C, H, W, P: (random(B, C, H, W), P),
    random_case=lambda rng: (
        *(rng.randint(2, 3), rng.randint(2, 4)),
        *((P := rng.randint(2, 3)) * rng.randint(2, 4), P * rng.randint(2, 5), P),
    ),
    forbid=UNFOLD,
)
def patchify(x: Tensor, P: int) -> Tensor:
    """Patches as vectors, in the order of a convolution kernel."""
    return F.unfold(x, P, stride=P).mT


class _Chunks(TorchDispatchMode):
    """Pairs (K, V), each of which can be read once; sees what is kept of them.

    Numbers are counted that tensors made inside hold when the next pair is asked for;
    what an answer keeps as Python's own numbers is not seen.
    """

    def __init__(self, K: Tensor, V: Tensor, sizes: list[int]):
        super().__init__()
        self._parts = list(zip(K.split(sizes), V.split(sizes), strict=True))
        self._made: list[ref[Tensor]] = []
        self.left = len(sizes)
        self.most_kept = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self._made.append(ref(result))
        return result

    def __iter__(self) -> "_Chunks":
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        alive = (tensor for made in self._made if (tensor := made()) is not None)
        storages = {tensor.untyped_storage().data_ptr(): tensor for tensor in alive}
        kept = sum(tensor.untyped_storage().nbytes() for tensor in storages.values())
        self.most_kept = max(self.most_kept, kept)
        if not self.left:
            raise StopIteration
        K, V = self._parts[-self.left]
        self.left -= 1
        return K.clone(), V.clone()


@check("08.6")
def attend_in_chunks(answer: Callable[[Tensor, _Chunks], Tensor], rng: Random) -> None:
    """Exact attention of one query to a stream of keys and values."""
    inputs = {
        "один кусок из 4 слов": ([4], 1.0, "Для одного куска это обычное внимание."),
        "куски по 3, 2 и 4 слова": (
            [3, 2, 4],
            1.0,
            (
                "Знаменатель у всех кусков общий.",
                "Копите и сумму экспонент, и взвешенную сумму, а делите один раз в "
                "конце.",
            ),
        ),
        "тридцать кусков по одному слову": (
            [1] * 30,
            3.0,
            (
                "Наибольшая оценка растёт, и прежние суммы считаны от прежней.",
                "Домножайте их на exp(старая − новая).",
            ),
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
        SILENT: (
            [rng.randint(1, 4) for _ in range(rng.randint(12, 20))],
            rng.uniform(1, 9),
            SILENT_HINT,
        ),
    }
    for given, (sizes, scale, hint) in inputs.items():
        N = sum(sizes)
        q, K, V = random(5, seed=N), random(N, 5, seed=2), random(N, 3, seed=3)
        # Without a scale: all scores near -4000 / sqrt(d).
        K = K - 4000 * q / (q @ q) if scale is None else K * scale
        with case(given, hint):
            with _Chunks(K, V, sizes) as chunks:
                got = call(answer, q.clone(), chunks, copy=False)
            expect(got, _attend(q, K, V))
            if chunks.left:
                raise Wrong("прочитаны не все куски")
            # A chunk and what is computed of it; a dozen numbers from chunk to chunk.
            room = (4 * max(sizes) * (5 + 3) + 12) * K.element_size()
            if chunks.most_kept > room:
                raise Wrong(
                    f"между кусками в памяти {chunks.most_kept // K.element_size()} "
                    "чисел. Хранить куски нельзя, помните только наибольшую оценку и "
                    "две суммы"
                )
