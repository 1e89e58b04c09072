"""The engine of the exercises: verdicts on everything a student may hand in."""

import pytest
import torch

from lecture_utils import exercise
from lecture_utils.exercises import Wrong, expect


def _stub(*args):
    return ...


def _not_implemented(*args):
    raise NotImplementedError


def _crash(*args):
    raise RuntimeError("размеры не совпали")


@pytest.mark.parametrize("answer", [None, ..., _stub, _not_implemented])
def test_untouched_exercise_is_unsolved(answer, capsys):
    assert not exercise("04.1", answer)
    assert capsys.readouterr().out == "… упражнение 04.1: решения пока нет\n"


@pytest.mark.parametrize("number", ["04.1", "04.2", "04.3", "04.4", "04.5", "04.6"])
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
def test_nonsense_is_wrong_and_never_crashes(number, answer, capsys):
    assert not exercise(number, answer)
    assert capsys.readouterr().out.startswith(f"✘ упражнение {number}: ")


def test_an_error_of_the_student_is_named(capsys):
    exercise("04.1", _crash)
    assert "RuntimeError: размеры не совпали" in capsys.readouterr().out


def test_the_student_cannot_spoil_the_input(capsys):
    def spoil(W1, b1, W2, perm):
        answer = W1[perm], b1[perm], W2[:, perm]
        answer = tuple(part.clone() for part in answer)
        W1.zero_(), b1.zero_(), W2.zero_()
        return answer

    assert exercise("04.2", spoil), capsys.readouterr().out


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
