"""The check of the reader's machine names every problem and its remedy."""

import pytest

from lecture_utils import machine
from lecture_utils.machine import check_environment


def test_a_good_machine_passes(monkeypatch, capsys):
    monkeypatch.setattr(machine, "NEEDED_GIB", 0)  # other tests need memory, too
    assert check_environment(), capsys.readouterr().out
    printed = capsys.readouterr().out
    assert "✘" not in printed
    for what in ("Python", "torch ", "transformers", "nbval", "шрифт DejaVu Sans"):
        assert f"✔ {what}" in printed


@pytest.mark.parametrize(
    ("target", "replacement", "problem"),
    [
        (
            "version",
            lambda name: "0.1",
            "torch 0.1 не подходит; выполните: pip install",
        ),
        ("NEEDED_GIB", 10**6, "нужно 1000000 ГиБ"),
        (
            "requires",
            lambda name: ["no-such-package>=1"],
            "no-such-package не установлен",
        ),
    ],
)
def test_a_problem_is_named_with_its_remedy(
    monkeypatch, capsys, target, replacement, problem
):
    monkeypatch.setattr(machine, target, replacement)
    assert not check_environment()
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("✘") and problem in line for line in lines), lines


def test_a_missing_font_is_named(monkeypatch, capsys):
    def not_found(*args, **kwargs):
        raise ValueError("no font")

    monkeypatch.setattr(machine.font_manager, "findfont", not_found)
    assert not check_environment()
    assert "✘ нет шрифта DejaVu Sans" in capsys.readouterr().out
