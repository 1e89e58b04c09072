"""Exercises: mistakes students make are rejected with a hint, right answers written
in different ways are accepted, and nothing a student hands in stops the notebook."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
import torch

from lecture_utils import exercise
from lecture_utils.exercises import Wrong, expect, judge

ANSWERS = [
    import_module(f"tests.answers.{path.stem}")
    for path in sorted((Path(__file__).parent.parent / "answers").glob("[a-z]*.py"))
]


def _pairs(table: str) -> list:
    """Number and answer of every entry of the RIGHT or WRONG tables."""
    return [
        pytest.param(number, answer, id=f"{number}-{answer.__name__}")
        for module in ANSWERS
        for number, answers in getattr(module, table).items()
        for answer in answers
    ]


NUMBERS = sorted({pair.values[0] for pair in _pairs("RIGHT")})


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def precision(request):
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def float64():
    """The notebooks' own precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("number", "answer"), _pairs("RIGHT"))
def test_right_answer_is_accepted(number, answer, precision):
    assert judge(number, answer) == f"✔ упражнение {number}: верно"


@pytest.mark.parametrize(("number", "answer"), _pairs("WRONG"))
def test_wrong_answer_is_rejected_with_a_hint(number, answer, float64):
    verdict = judge(number, answer)
    assert verdict.startswith(f"✘ упражнение {number}: ")
    assert "—" in verdict and len(verdict) > 60, "says on which input, and a hint"


@pytest.mark.parametrize("number", NUMBERS)
def test_every_exercise_has_enough_answers(number):
    right, wrong = (
        [pair for pair in _pairs(table) if pair.values[0] == number]
        for table in ("RIGHT", "WRONG")
    )
    assert len(right) >= 2 and len(wrong) >= 4


def _stub(*args):
    return ...


def _not_implemented(*args):
    raise NotImplementedError


def _crash(*args):
    raise RuntimeError("размеры не совпали")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("answer", [None, ..., _stub, _not_implemented])
def test_untouched_exercise_is_unsolved(number, answer):
    assert judge(number, answer) == f"… упражнение {number}: решения пока нет"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "answer",
    [
        42,
        "код",
        _crash,
        lambda: 1,
        lambda *args: "строка",
        lambda *args: float("nan"),
        lambda *args: torch.tensor(float("nan")),
        lambda *args: torch.zeros(1, dtype=torch.int8),
        lambda *args: [],
    ],
)
def test_nonsense_is_wrong_and_never_crashes(number, answer):
    assert judge(number, answer).startswith(f"✘ упражнение {number}: ")


def _endless(*args):
    while True:
        with suppress(Exception):  # a student's catch-all does not keep it alive
            sum(range(1000))


@pytest.mark.parametrize("number", NUMBERS)
def test_an_endless_loop_is_stopped(number, monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.TIME_LIMIT", 0.05)
    verdict = judge(number, _endless)
    assert verdict.startswith(f"✘ упражнение {number}: ") and "цикл" in verdict


def test_ctrl_c_of_the_student_is_not_a_verdict():
    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge("04.1", interrupted)


def test_an_error_of_the_student_is_named():
    assert "RuntimeError: размеры не совпали" in judge("04.1", _crash)


def test_the_student_cannot_spoil_the_input():
    def spoil(W1, b1, W2, perm):
        answer = tuple(part.clone() for part in (W1[perm], b1[perm], W2[:, perm]))
        W1.zero_(), b1.zero_(), W2.zero_()
        return answer

    assert judge("04.2", spoil).startswith("✔")


def test_exercise_prints_the_verdict_and_returns_nothing(capsys):
    assert exercise("04.1", _stub) is None, "a value would appear under the cell"
    assert capsys.readouterr().out == "… упражнение 04.1: решения пока нет\n"


def test_unknown_exercise_names_the_known_ones():
    with pytest.raises(KeyError, match=r"99\.9.*04\.1"):
        exercise("99.9", _stub)


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([1.0, 2.0], "нужен тензор"),
        (torch.zeros(3), "форма"),
        (torch.zeros(2, dtype=torch.int64), "тип"),
        (torch.tensor([0.0, float("nan")]), "NaN"),
        (torch.tensor([0.0, 0.01]), "отличается"),
    ],
)
def test_expect_says_what_differs(got, message):
    with pytest.raises(Wrong, match=message):
        expect(got, torch.zeros(2), given="вход", hint="")


def test_expect_forgives_rounding_but_not_a_boolean_for_a_number():
    expect(torch.zeros(2) + 1e-5, torch.zeros(2), given="", hint="")
    with pytest.raises(Wrong):
        expect(True, 1, given="", hint="")
