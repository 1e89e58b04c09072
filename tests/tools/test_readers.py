"""Two lectures in several readers: the same words, pictures and folds, in one order.

JupyterLab, which does not trust the notebook, is tried in tests/browser/test_lab.py.
"""

import re
from functools import cache
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode

from tests.reading import folds, lost, pieces, read
from tools.cells import slide_type
from tools.paths import NOTEBOOKS

pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")

NAMES = ("05_fpn_unet", "09_swin")
# What GitHub lets through of an element: no style, no class.
ATTRIBUTES = {"alt", "height", "href", "open", "src", "title", "width"}
# What readers add: prompts, links to headings, numbers of figures, pictures that move.
ADDED = ".anchor-link, .headerlink, .get, .prompt, figcaption, .live, script, style"


@cache
def lecture(name: str) -> NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


@cache
def exported(name: str) -> str:
    """By the template that has alt texts; `lab`, the default, knows none at all."""
    return HTMLExporter(template_name="classic").from_notebook_node(lecture(name))[0]


@pytest.fixture(params=["nbconvert", "GitHub", "site"])
def page(request: pytest.FixtureRequest, name: str, built_site: SimpleNamespace) -> Tag:
    """The lecture as the reader shows it."""
    if request.param == "site":
        text = (built_site.folder / f"{name}.html").read_text("utf-8")
    else:
        text = exported(name)
    soup = BeautifulSoup(text, "html.parser")
    page = soup.article or soup.body
    for added in page.select(ADDED):
        added.decompose()
    if request.param == "GitHub":
        for element in page.find_all():
            element.attrs = {k: v for k, v in element.attrs.items() if k in ATTRIBUTES}
    return page


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gets_everything_in_its_order(name: str, page: Tag):
    on_site = page.name == "article"  # where the speaker's notes are left out
    whole = lecture(name).cells
    cells = [c for c in whole if not (on_site and slide_type(c) == "notes")]
    sources = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert folds(page) == re.findall("<summary>(.+)</summary>", sources)
    wanted = [*pieces(cells)]
    assert len(wanted) > 250
    assert lost(wanted, read(page)) == []
