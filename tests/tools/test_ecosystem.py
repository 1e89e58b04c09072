"""The notebooks in the ordinary tools of others: nbconvert, a cell of parameters."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter, ScriptExporter
from nbformat.v4 import new_code_cell

from tools.paths import NOTEBOOKS, ROOT, notebooks
from tools.slides import open_page


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_becomes_a_script(path: Path):
    nb = nbformat.read(path, as_version=4)
    script, resources = ScriptExporter().from_notebook_node(nb)
    assert resources["output_extension"] == ".py"
    compile(script, path.stem, "exec")
    title = nb.cells[0].source.splitlines()[0]
    assert title.strip("# ") in script, "Markdown is lost"


def test_a_notebook_becomes_a_page():
    nb = nbformat.read(NOTEBOOKS / "00_start.ipynb", as_version=4)
    page, _ = HTMLExporter().from_notebook_node(nb)
    assert "**Вывод.**" not in page and "<strong>Вывод.</strong>" in page
    outputs = [o.get("data", {}) for c in nb.cells for o in c.get("outputs", [])]
    pictures = [data["image/png"] for data in outputs if "image/png" in data]
    assert pictures and all(picture.strip() in page for picture in pictures)


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_becomes_markdown(path: Path):
    nb = nbformat.read(path, as_version=4)
    text, resources = MarkdownExporter().from_notebook_node(nb)
    cells = [cell.source for cell in nb.cells if cell.cell_type == "markdown"]
    assert not [source for source in cells if source.strip() not in text]
    for name in resources["outputs"]:
        assert f"]({name})" in text, "a picture that nothing shows"


def test_a_notebook_runs_in_place_with_parameters_and_without_assertions(
    tmp_path: Path,
):
    """By a course's script that optimises, in a folder whose name is a sentence."""
    path = tmp_path / "лекция 6 №1 [a] it's 100%" / "начало 100%.ipynb"
    path.parent.mkdir()
    nb = nbformat.read(NOTEBOOKS / "00_start.ipynb", as_version=4)
    nb.cells.insert(0, new_code_cell("course = 'осень'"))
    nb.cells.append(new_code_cell("print(course, __debug__, setup.__doc__)"))
    nbformat.write(nb, path)
    run = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--inplace"]
    subprocess.run(
        [*run, "--execute", path.name],  # of a whole path nbconvert would read [a]
        check=True,
        cwd=path.parent,
        env=os.environ
        | {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"}
        | {"PYTHONPATH": str(ROOT)},
    )
    done = nbformat.read(path, as_version=4)
    assert done.cells[-1].outputs[0].text == "осень False None\n"


@pytest.mark.parametrize("browser", ["/no/such file", "a folder", "not a browser"])
def test_printing_without_a_browser_ends_in_one_line(browser, monkeypatch, tmp_path):
    program = tmp_path / "not a browser"
    program.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    program.chmod(0o755)
    (tmp_path / "a folder").mkdir()
    monkeypatch.setenv("CHROMIUM", str(tmp_path / browser))
    # In a thread of its own: another test's page may be open in this one.
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(open_page().__enter__).exception()
    assert isinstance(end, SystemExit)
    assert "need Chromium or Chrome" in str(end)
    assert len(str(end).splitlines()) == 1
