"""The site says what the notebooks say, every address leads somewhere."""

import argparse
import base64
import re
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import live, pages, reference, site
from tools.cells import WIDGET_VIEW, slide_type, tags
from tools.load import factor
from tools.paths import notebooks

# Sphinx tells its extensions what will change in two years.
pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")

NAMES = [path.stem for path in notebooks()]
STORED = {path.stem: nbformat.read(path, as_version=4) for path in notebooks()}
TERMS = reference.terms(site.BOOK / "glossary.md")


@cache
def parsed(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text("utf-8"), "html.parser")


def shown(name: str) -> list:
    """The cells of a notebook that are for the student."""
    return [cell for cell in STORED[name].cells if slide_type(cell) != "notes"]


def codes(cell: NotebookNode) -> list[str]:
    """The source of a code cell, the code in a text."""
    is_code = cell.cell_type == "code"
    return [cell.source] if is_code else pages.CODE.findall(cell.source)


def letters(element: BeautifulSoup) -> str:
    """Without spaces and what only marks where a formula begins and ends."""
    return re.sub(r"\\[()\[\]]|\$|\s", "", element.get_text())


# --- the same as in the notebooks -----------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_text_is_that_of_the_notebook(built_site: SimpleNamespace, name: str):
    article = BeautifulSoup(
        str(parsed(built_site.folder / f"{name}.html").article), "html.parser"
    )
    for added in article.select(
        ".get, .headerlink, pre, figure, details:not(.callout)"
    ):
        added.decompose()
    for heading in article.select("section[id^=exercise] > h3"):
        heading.contents[0].replace_with(heading.contents[0].removeprefix("Упражнение"))
    sources = [c.source for c in shown(name) if c.cell_type == "markdown"]
    stored = BeautifulSoup(markdown2html("\n\n".join(sources)), "html.parser")
    for other in stored.select(".anchor-link, pre"):
        other.decompose()
    assert letters(article) == letters(stored)


@pytest.mark.parametrize("name", NAMES)
def test_code_and_what_it_printed_are_those_of_the_notebook(
    built_site: SimpleNamespace, name: str
):
    page = parsed(built_site.folder / f"{name}.html")
    code = [block.get_text().strip() for block in page.select(".highlight pre")]
    assert code == [source.strip() for cell in shown(name) for source in codes(cell)]
    printed = [block.get_text() for block in page.select("pre.output")]
    assert printed == [
        output.text.removesuffix("\n")
        for cell in shown(name)
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_those_of_the_notebook(built_site: SimpleNamespace, name: str):
    pictures = parsed(built_site.folder / f"{name}.html").select(
        "figure:not(.live) img"
    )
    stored = [
        output
        for cell in shown(name)
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert [
        ((built_site.folder / picture["src"]).read_bytes(), picture["alt"])
        for picture in pictures
    ] == [
        (base64.b64decode(output.data["image/png"]), output.data["text/plain"])
        for output in stored
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_itself_can_be_taken_along(built_site: SimpleNamespace, name: str):
    link = parsed(built_site.folder / f"{name}.html").select_one(".get a")
    stored = (site.ROOT / "notebooks" / f"{name}.ipynb").read_bytes()
    assert (built_site.folder / link["href"]).read_bytes() == stored


# --- addresses ------------------------------------------------------------------------


def test_every_link_leads_somewhere(built_site: SimpleNamespace):
    ids = {
        file.name: [element["id"] for element in parsed(file).select("[id]")]
        for file in built_site.pages
    }
    faults = [
        f"{name}: {address} twice"
        for name, found in ids.items()
        for address, count in Counter(found).items()
        if count > 1
    ]
    for file in built_site.pages:
        for link in parsed(file).select("[href], [src]"):
            address = unquote(link.get("href") or link.get("src"))
            if link.name != "a" and re.match(r"(https?:)?//", address):
                faults.append(f"{file.name} asks for {address}")
            if re.match(r"https?:|mailto:", address):
                continue
            target, _, name = address.partition("#")
            target = re.sub(r"\?.*", "", target) or file.name
            if not (built_site.folder / target).exists():
                faults.append(f"{file.name}: no file {address}")
            elif name and name not in ids[target]:
                faults.append(f"{file.name}: no place {address}")
    assert faults == []


@pytest.mark.parametrize("name", NAMES)
def test_all_that_can_be_cited_has_an_address(built_site: SimpleNamespace, name: str):
    page = parsed(built_site.folder / f"{name}.html").article
    part = int(name[:2])
    headings = [heading.parent["id"] for heading in page.select("h1, h2, h3")]
    assert all(re.match(rf"s{part}-\d|exercise-{name[:2]}-|h-\w", i) for i in headings)
    stubs = [c.source for c in shown(name) if "exercise" in tags(c)]
    warm_ups = [source for source in stubs if 'exercise("§' in source]
    titles = [h.text for h in page.select("h3") if h.text.startswith("Разминка: ")]
    assert len(titles) == len(warm_ups)
    exercises = [h for h in page.select("h3") if h.parent["id"].startswith("exercise")]
    assert len(exercises) == len(stubs) - len(warm_ups)
    # Section 10.3 is something else.
    assert all(re.match(r"Упражнение \d\d\.\d\. ", h.text) for h in exercises)
    text = "".join(cell.source for cell in shown(name))
    numbers = re.findall(r"\\tag\{(\d+)\}", text)
    formulas = [formula["id"] for formula in page.select("div.math[id]")]
    assert formulas == [f"formula-{part}-{number}" for number in numbers]
    assert all(figure["id"] for figure in page.select("figure"))
    claims = [
        line
        for block in page.select("pre.output")
        for line in block.get_text().splitlines()
    ]
    claims = [line for line in claims if line.startswith("✔ ")]
    assert [claim.get_text() for claim in page.select(".claim[id]")] == claims


def test_addresses_do_not_count_what_stands_above():
    first = new_markdown_cell("# 4. Тема", id="aaaa")
    second = new_markdown_cell("### Опыт", id="bbbb")
    new = new_markdown_cell("### Ещё опыт", id="cccc")
    before, after = page_of(first, second), page_of(first, new, second)
    assert "(h-bbbb)=\n### Опыт" in before.text
    assert "(h-bbbb)=\n### Опыт" in after.text


# --- one page -------------------------------------------------------------------------


def page_of(*cells, name: str = "04_topic", terms=(), links: str = "") -> pages.Page:
    nb = new_notebook(cells=list(cells), metadata={"title": "4. Тема"})
    other = new_notebook(cells=[new_markdown_cell("## 7.5. Проверка")])
    places = pages.Places({name: nb, "07_other": other})
    return pages.page(name, nb, places, terms, links)


def text_of(text: str, **given) -> str:
    return page_of(new_markdown_cell(f"# 4. Тема\n\n{text}"), **given).text


FORMULA = "$$ x = 1. \\tag{1} $$\n\n"


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("Из (1) видно", '<a href="#formula-4-1">(1)</a>'),
        ("по формуле (1).", '<a href="#formula-4-1">(1)</a>'),
        ("см. раздел 7.5", "[раздел 7.5](#s7-5)"),
        ("это было в части 7", "части [7](07_other.md)"),
    ],
)
def test_mentions_are_links(text: str, linked: str):
    assert linked in text_of(FORMULA + text)


@pytest.mark.parametrize(
    "text",
    [
        "Из (2) видно",  # there is no such formula
        "формула (1) статьи о FPN",
        "в статье это формула (1)",
        "`f(1)` и $g (1)$",
        "He и др., 2015, раздел 7.5",
        "см. раздел 7.6",
        "об этом часть 4",  # here
        "[часть 7](https://example.org)",
    ],
)
def test_what_is_no_mention_stays(text: str):
    assert text_of(FORMULA + text).rstrip().endswith(text)


def test_a_term_is_a_link_where_it_is_first_used():
    term = pages.Term(
        "карта признаков", "feature map", "сетка", "4.1", ["карта признаков"]
    )
    text = text_of("Две карты признаков.\n\nКарта признаков", terms=[term])
    link = 'href="glossary.html#term-feature-map" title="сетка">карты признаков</a>'
    assert link in text
    assert text.count("term-feature-map") == 1


def test_questions_of_readers_belong_to_a_section(tmp_path: Path):
    made = [page_of(new_markdown_cell("# 4. Тема"), new_markdown_cell("## 4.1. Блок"))]
    path = tmp_path / "asked.txt"
    path.write_text("4 | 4.1. Блок | зачем он; skip\n9 | 9.1. Окна | свин\n", "utf-8")
    section = made[0].sections[-1]
    assert reference.asked(path, made) == {
        (made[0].name, section.id): ["зачем он", "skip"]
    }
    path.write_text("4 | 4.1. Нет такого | зачем он\n", "utf-8")
    with pytest.raises(ValueError, match=r"part 4 has no heading '4\.1\. Нет"):
        reference.asked(path, made)


def test_notes_are_left_out():
    notes = new_markdown_cell("**Лектору.** Две минуты.")
    notes.metadata["slideshow"] = {"slide_type": "notes"}
    assert "Лектору" not in page_of(new_markdown_cell("# 4. Тема"), notes).text


@pytest.mark.parametrize(
    ("source", "cell_tags", "folded"),
    [
        ("import torch", [], '<details class="code"><summary>Подготовка'),
        ("fig = draw()", ["hide-input"], '<details class="code"><summary>Код'),
        ("import torch\nx = 1", [], "```python"),
    ],
)
def test_what_is_not_the_text_is_folded(source: str, cell_tags: list, folded: str):
    cell = new_code_cell(source, metadata={"tags": cell_tags})
    text = page_of(new_markdown_cell("# 4. Тема"), cell).text
    assert text.split("4. Тема")[1].lstrip().startswith(folded)


def test_a_live_picture_gives_way_to_one_without_a_kernel(
    monkeypatch: pytest.MonkeyPatch,
):
    view = new_output("display_data", {WIDGET_VIEW: {}, "text/plain": "Виджет: поле"})
    cell = new_code_cell("live(draw)", id="cell", outputs=[view])
    first = new_markdown_cell("# 4. Тема")
    assert "Виджет" not in page_of(first, cell).text
    monkeypatch.setattr(live, "fragment", lambda *names: f"<b>{names}</b>")
    picture = new_output("display_data", {"image/png": "", "text/plain": "Поле"})
    picture.metadata["image/png"] = {"width": 1, "height": 1}
    still = new_code_cell("show(draw())", id="still", outputs=[picture])
    still.metadata["tags"] = ["hide-input"]
    text = page_of(first, cell, still).text
    assert '<details class="code static-copy">' in text
    assert "<b>('04_topic', 'cell')</b>" in text
    assert '<figure id="fig-still" class="static-copy">' in text


def test_a_link_to_a_service_only_where_it_is_configured():
    assert "Открыть" not in site.links("04_topic", {})
    links = site.links("04_topic", {"Binder": "https://b.org/?path=NAME.ipynb"})
    assert '<a href="https://b.org/?path=04_topic.ipynb">Открыть в Binder</a>' in links


def test_an_address_is_a_page_and_nothing_else():
    odd = 'https://b.org/?a=1&b="><script>'
    assert '?a=1&amp;b=&quot;&gt;&lt;script&gt;">' in site.links("x", {"Colab": odd})
    for text in ("javascript:alert(1)", "http://b.org", "b.org"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected https"):
            site.address(text)


# --- glossary, bibliography, claims ---------------------------------------------------


def test_the_glossary_has_each_term_once():
    assert len(TERMS) >= 60
    assert [i for i, n in Counter(term.id for term in TERMS).items() if n > 1] == []
    assert all(term.meaning and term.english for term in TERMS)


def test_terms_are_introduced_where_the_glossary_says():
    wrong = []
    for term in TERMS:
        part, number = term.where.split(".")
        name = next(name for name in NAMES if int(name[:2]) == int(part))
        mark = "###" if term.where.startswith("0") else "##"
        text = "\n".join(c.source for c in shown(name) if c.cell_type == "markdown")
        section = re.search(
            rf"^{mark} {part}\.{number}\..*?(?=^{mark} |\Z)",
            text,
            re.DOTALL | re.MULTILINE,
        )
        stems = pages.stems.__wrapped__(section[0]) if section else ()
        forms = [*term.forms, *term.english.split(", ")]
        if not any(contains(stems, pages.stems(form)) for form in forms):
            wrong.append(f"{term.russian}: {term.where}")
    assert wrong == []


def contains(whole: tuple, part: tuple) -> bool:
    return any(whole[k : k + len(part)] == part for k in range(len(whole)))


def test_the_bibliography_has_each_source_once(built_site: SimpleNamespace):
    lists = "".join(
        cell.source
        for nb in STORED.values()
        for cell, heading, _ in reference.headed(nb)
        if heading.startswith("Ссылки")
    )
    cited = {*re.findall(r"\]\((https?://[^)]+)\)", lists)}
    page = parsed(built_site.folder / "bibliography.html").article
    found = [a["href"] for a in page.select("li a[href^=http]")]
    assert Counter(found) == Counter(cited)


def test_every_paper_that_a_text_links_is_in_the_bibliography():
    listed = {source.url for source in reference.sources(STORED)}
    linked = {
        url
        for nb in STORED.values()
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for url in re.findall(r"\]\((https://(?:arxiv|doi)\.org/[^)\s]+)", cell.source)
    }
    assert linked - listed == set()


def test_the_map_has_every_claim(built_site: SimpleNamespace):
    start = "\n".join(cell.source for cell in STORED[NAMES[0]].cells)
    stored = Counter(re.findall(r"^\| .* \| ([✔±−]) \|$", start, re.MULTILINE))
    table = parsed(built_site.folder / "claims.html").select_one(".filtered table")
    rows = [row.select("td") for row in table.select("tbody tr")]
    assert Counter(row[-1].get_text(strip=True) for row in rows) == stored
    assert all(row[2].find("a") for row in rows)


# --- the whole ------------------------------------------------------------------------


def test_small_and_quick(built_site: SimpleNamespace):
    # Frames of pictures that move come on top, where they are drawn (`make live`).
    files = {f for f in built_site.folder.rglob("*") if f.is_file()}
    files -= {*built_site.folder.glob("live/*/*")}
    assert sum(f.stat().st_size for f in files) <= 60e6
    assert built_site.seconds <= 60 * factor()


def test_a_warning_of_sphinx_ends_the_build(tmp_path: Path):
    nb = new_notebook(
        cells=[new_markdown_cell("# 13. Тема\n\n[нет](07_nowhere.ipynb)")],
        metadata={"title": "13. Тема"},
    )
    path = tmp_path / "13_topic.ipynb"
    nbformat.write(nb, path)
    with pytest.raises(SystemExit):
        site.build([path], out=tmp_path / "site", source=tmp_path / "source")


@pytest.mark.parametrize(
    ("alt", "caption"),
    [
        (
            "Четыре пары рамок. Совпали: обе меры равны 1. Касаются: IoU = 0.",
            "Четыре пары рамок. Совпали: обе меры равны 1",
        ),
        (
            "Доля ошибок на цифрах у двух сетей по пять раз: у первой больше",
            "Доля ошибок на цифрах у двух сетей по пять раз",
        ),
        (
            "Слева потери: у обычной сети они не падают. Справа ошибка: она падает",
            "Слева потери: у обычной сети они не падают. Справа ошибка",
        ),
        ("Норма при σ = 0.5 и r=1:2", "Норма при σ = 0.5 и r=1:2"),
    ],
)
def test_a_caption_is_the_beginning_of_the_alt_text(alt: str, caption: str):
    assert pages.caption(alt) == caption
