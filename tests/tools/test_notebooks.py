"""`edit` and `run` bring text and notebook together and lose neither's changes."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import notebooks
from tools.notebooks import NotebookError, edit, main, normalise, read, run, write

NAME = "01_probe"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook of its own, with its text; what `run` executes is not the question."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(notebooks, "EDIT", tmp_path / ".edit")
    monkeypatch.setattr(notebooks, "execute", lambda nb: None)
    cells = [new_markdown_cell("# Проба"), new_code_cell("x = 1")]
    write(normalise(new_notebook(cells=cells)), tmp_path / f"{NAME}.ipynb")
    assert edit(NAME) == f"wrote .edit/{NAME}.py"
    return tmp_path / f"{NAME}.ipynb"


@pytest.fixture
def text(stored: Path) -> Path:
    return stored.parent / f".edit/{NAME}.py"


def change_notebook(stored: Path, source: str) -> None:
    nb = read(stored)
    nb.cells[1].source = source
    write(nb, stored)


def change_text(text: Path, source: str) -> None:
    changed = re.sub("^x = .*", source, text.read_text("utf-8"), flags=re.MULTILINE)
    text.write_text(changed, "utf-8")


def test_edit_keeps_changed_text_whatever_the_times_of_the_files(stored, text):
    change_text(text, "x = 2")
    stored.touch()
    assert "kept" in edit(NAME)
    assert "x = 2" in text.read_text("utf-8")


def test_run_takes_changed_text_in(stored, text):
    ids = [cell.id for cell in read(stored).cells]
    change_text(text, "x = 2  # два")
    stored.touch()
    run(NAME)
    assert [cell.id for cell in read(stored).cells] == ids
    assert read(stored).cells[1].source == "x = 2  # два"
    assert "is as the notebook" in edit(NAME)


def test_changes_of_the_notebook_renew_the_text(stored, text):
    change_notebook(stored, "x = 3")
    run(NAME)
    assert read(stored).cells[1].source == "x = 3", "the text was not changed"
    assert "wrote" in edit(NAME)
    assert "x = 3" in text.read_text("utf-8")


def test_a_new_text_becomes_a_notebook(stored, text):
    text.with_name("02_new.py").write_text("# %% [markdown]\n# # Новая\n", "utf-8")
    assert "kept" in edit("02_new")
    run("02_new")
    assert read(stored.with_name("02_new.ipynb")).cells[0].source == "# Новая"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("command", [edit, run])
def test_nothing_is_done_when_both_have_changed(stored, text, command, known):
    if not known:  # written by hand, or before digests were noted
        text.with_suffix(".json").unlink()
    change_text(text, "x = 2")
    change_notebook(stored, "x = 3")
    before = stored.read_bytes(), text.read_bytes()
    with pytest.raises(NotebookError, match=f"run --force {NAME}    takes the text"):
        command(NAME)
    assert (stored.read_bytes(), text.read_bytes()) == before


def test_the_side_that_is_not_taken_is_kept(stored, text):
    change_text(text, "x = 2")
    change_notebook(stored, "x = 3")
    edit(NAME, force=True)
    assert "x = 3" in text.read_text("utf-8")
    assert "x = 2" in text.with_suffix(".py.old").read_text("utf-8")

    change_text(text, "x = 4")
    change_notebook(stored, "x = 5")
    run(NAME, force=True)
    assert read(stored).cells[1].source == "x = 4"
    assert read(text.with_suffix(".ipynb.old")).cells[1].source == "x = 5"
    assert "is as the notebook" in edit(NAME)


def test_equal_changes_are_no_conflict(stored, text):
    change_text(text, "x = 2")
    change_notebook(stored, "x = 2")
    assert "is as the notebook" in edit(NAME)


def test_a_failed_run_leaves_the_changes_in_the_text(stored, text, monkeypatch):
    def fail(nb):
        raise NotebookError("cell 1 failed")

    monkeypatch.setattr(notebooks, "execute", fail)
    change_text(text, "x = 2")
    with pytest.raises(NotebookError):
        run(NAME)
    assert read(stored).cells[1].source == "x = 1"
    assert "kept" in edit(NAME)


def test_an_unknown_name_is_answered_with_the_known_ones(stored, monkeypatch, capsys):
    monkeypatch.setattr(notebooks.sys, "argv", ["notebooks", "edit", "01_prob"])
    monkeypatch.setattr(notebooks, "notebooks", lambda: [stored])
    with pytest.raises(SystemExit, match="2"):
        notebooks.main()
    assert f"no 01_prob; there are: {NAME}" in capsys.readouterr().err


def test_a_text_may_be_changed_again_after_it_ran(stored, text):
    # Neither the order of keys nor the second blank line is kept in the notebook.
    cell = '# %% tags=["exercise"] jupyter={"source_hidden": true}\ny = 1\n'
    text.write_text(f"{text.read_text('utf-8')}\n\n{cell}", "utf-8")
    run(NAME)
    change_text(text, "x = 2")
    run(NAME)
    assert read(stored).cells[1].source == "x = 2"


def test_the_advice_can_be_typed(stored, text, monkeypatch, capsys):
    change_text(text, "x = 2")
    change_notebook(stored, "x = 3")
    monkeypatch.setattr("sys.argv", ["notebooks", "run", NAME])
    assert main() == 1
    advice = re.search("run --force.*(?=takes the text)", capsys.readouterr().err)
    monkeypatch.setattr("sys.argv", ["notebooks", *advice[0].split()])
    assert main() == 0
    assert read(stored).cells[1].source == "x = 2"
