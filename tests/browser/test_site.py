"""The site in a browser: a laptop and a phone, light and dark, from file://."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from tools import print_book
from tools.paths import notebooks
from tools.site import BOOK
from tools.slides import patience

NAMES = [path.stem for path in notebooks()]
SCREENS, SCHEMES = (1366, 390), ("light", "dark")
PAGES = [*NAMES, "index", "search", "exercises", "claims", "glossary", "bibliography"]
QUERIES = Path(__file__).parent / "queries.txt"
# All that can be seen of a page: formulas drawn, what is folded opened.
WHOLE = """async () => {
    await window.MathJax?.startup.promise;
    document.querySelectorAll('details').forEach(details => { details.open = true; });
}"""
# What axe need not look at a thousand times: the insides of formulas, words of code of
# a colour that it has seen, and what is made of the same elements in the same place as
# three others (the style of rows may alternate).
SHORTER = """() => {
    document.querySelectorAll('mjx-container').forEach(e => e.replaceChildren());
    const seen = new Map();
    const often = (kind, most) => {
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        return seen.get(kind) > most;
    };
    for (const span of document.querySelectorAll('.highlight span')) {
        if (often(span.className, 1)) span.replaceWith(...span.childNodes);
    }
    const look = e => `${e.tagName}.${e.className} ${e.getAttribute('style') ?? ''}`;
    const place = e => e.parentElement ? `${place(e.parentElement)} > ${look(e)}` : '';
    for (const e of [...document.querySelectorAll('p, li, tr, pre')].reverse()) {
        const inside = new Set([...e.querySelectorAll('*')].map(look));
        const kind = place(e) + [...inside].sort();
        const keeps = e.matches(':only-child') || e.querySelector('img, svg, input');
        if (often(kind, 3) && !keeps) e.remove();
    }
}"""
# The theme lets the keyboard reach what scrolls, a while after the screen has changed.
REACHED = """() => [
    ...document.querySelectorAll('pre, .pst-scrollable-table-container')
].every(e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)"""
WIDE = "document.documentElement.scrollWidth"

pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API")


@pytest.fixture(scope="module")
def open_page(browser: Browser, built_site: SimpleNamespace) -> Iterator:
    """Opens a page of the site on a screen; requests and errors are gathered."""
    contexts = []

    def open_page(name: str, width: int = 1366, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        context.set_default_timeout(patience())
        page = context.new_page()
        page.faults = []
        page.on("request", lambda r: note(page, r.url, not r.url.startswith("file:")))
        page.on("console", lambda m: note(page, m.text, m.type == "error"))
        page.on("pageerror", lambda error: note(page, str(error), True))
        file, _, place = name.partition("#")
        address = (built_site.folder / f"{file}.html").as_uri()
        page.goto(address + (f"#{place}" if place else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()


def note(page: Page, what: str, is_fault: bool) -> None:
    if is_fault:
        page.faults.append(what)


@pytest.mark.parametrize("name", PAGES)
def test_page_can_be_read(open_page, name: str):
    """On a laptop and on a phone, one of them light, the other dark, by turns."""
    page = open_page(name)
    page.evaluate(WHOLE)
    for width in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(WIDE) <= width
    page.evaluate(SHORTER)
    schemes = SCHEMES if PAGES.index(name) % 2 else reversed(SCHEMES)
    for width, scheme in zip(SCREENS, schemes, strict=True):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(f"html[data-theme={scheme}]")
        page.wait_for_function(REACHED)
        options = {"resultTypes": ["violations"], "preload": False}
        found = Axe().run(page, options=options).response["violations"]
        assert [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in found
            for node in violation["nodes"]
        ] == []
    assert page.faults == []
    page.close()


def test_formulas_are_drawn(open_page):
    page = open_page("08_self_attention", 390)
    page.evaluate("MathJax.startup.promise")
    assert page.locator(".math").count() > 50
    assert page.locator(".math:not(:has(mjx-container))").count() == 0
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    begins = (
        "formulas => formulas.map(f => f.firstElementChild.offsetLeft - f.offsetLeft)"
    )
    assert min(page.eval_on_selector_all("div.math", begins)) >= 0


# --- search ---------------------------------------------------------------------------


# Of each query, all places in the first three results: address, title, section.
ASK = """queries => {
    const input = document.querySelector('#search input');
    return queries.map(query => {
        input.value = query;
        input.dispatchEvent(new Event('input'));
        const items = [...document.querySelectorAll('#search-results > li')];
        return items.slice(0, 3).flatMap(item => {
            const links = [...item.querySelectorAll('a')];
            const titles = links.map(
                ({textContent}) => textContent.replace(/^Упражнение /, ''));
            return links.map((link, k) => [
                link.getAttribute('href'), titles[k], titles[0]]);
        });
    });
}"""


def test_search_finds_the_section(open_page):
    page = open_page("search")
    lines = QUERIES.read_text("utf-8").splitlines()
    queries = [line.split(" | ") for line in lines if not line.startswith("#")]
    found = page.evaluate(ASK, [query for query, *_ in queries])
    missed = [
        query
        for (query, *wanted), places in zip(queries, found, strict=True)
        if not any(
            href.startswith(f"{int(part):02}_")
            and (title.startswith(heading) or section.startswith(heading))
            for part, heading in zip(wanted[::2], wanted[1::2], strict=True)
            for href, title, section in places
        )
    ]
    known = re.split(r" \| |; |\n", (BOOK / "asked.txt").read_text("utf-8"))
    assert {query for query, *_ in queries}.isdisjoint(known)
    assert len(queries) >= 220
    assert len(missed) <= 0.05 * len(queries), missed


def test_a_result_leads_to_its_section(open_page):
    page = open_page("04_resnet")
    page.keyboard.press("/")
    page.keyboard.type("перестановка нейронов")
    page.keyboard.press("Enter")
    page.locator("#search-results a", has_text="04.2.").click()
    page.wait_for_url("**/04_resnet.html#exercise-04-2")
    assert page.locator("#exercise-04-2").bounding_box()["y"] < 200


@pytest.mark.parametrize("query", ["ctuvtynfwbz", "сегментация"])
def test_search_reads_the_other_layout_of_the_keyboard(open_page, query: str):
    page = open_page("search")
    first, *_ = page.evaluate(ASK, [query])
    assert "1.4. Три сегментации" in [title for _, title, _ in first]


def test_nothing_is_found_politely(open_page):
    page = open_page("search")
    assert page.evaluate(ASK, ["щщщщ"]) == [[]]
    assert "Ничего не найдено" in page.inner_text("#search-count")


# --- what answers ---------------------------------------------------------------------


def test_a_picture_opens_large_and_closes_again(open_page):
    page = open_page("04_resnet", 390)
    link = page.locator("a.enlarge").first
    small = link.locator("img").bounding_box()["width"]
    link.focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog.enlarged img").bounding_box()["width"] > 2 * small
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.enlarged", state="detached")
    assert link.evaluate("link => link === document.activeElement")


def test_claims_are_filtered_by_verdict(open_page):
    page = open_page("claims")
    rows = page.locator(".filtered tbody tr:visible")
    everything = rows.count()
    page.get_by_role("button", name="−").click()
    verdicts = rows.locator("td:last-child").all_inner_texts()
    assert 0 < len(verdicts) < everything
    assert {verdict.strip() for verdict in verdicts} == {"−"}
    page.get_by_role("button", name="все").click()
    assert rows.count() == everything


def test_answers_and_solutions_are_closed_at_first(open_page):
    page = open_page("04_resnet")
    words = page.locator("details.callout.a > summary").all_inner_texts()
    assert words.count("Решение") == 13  # 6 exercises, 7 warm-ups
    assert words.count("Ответ") == 4
    assert page.locator("article details[open]").count() == 0


# --- the book -------------------------------------------------------------------------


def test_the_book_has_contents_index_and_alt_texts(
    browser: Browser, built_site: SimpleNamespace, tmp_path: Path
):
    names = ["12_real_transformer", *print_book.APPENDIX]
    pdf = tmp_path / "book.pdf"
    page = browser.new_page()
    pages = print_book.print_book(page, names, built_site.folder, pdf)
    page.close()
    reader = PdfReader(pdf)
    texts = [squeezed(page.extract_text()) for page in reader.pages]
    source = (built_site.folder / "12_real_transformer.html").read_text("utf-8")
    sections = re.findall(r'<section id="(s12-\d)">\s*<h2>(.*?)<a', source)
    assert len(sections) == 8
    for name, title in sections:
        assert squeezed(title) in texts[pages[name] - 1]
        assert squeezed(title) + str(pages[name]) in texts[1]  # the contents
    assert "Указатель" in "".join(texts[-3:])
    assert texts[4].endswith("5")  # the number of the page
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    alts = re.findall(r'<img [^>]*alt="', source)
    assert len([e for e in elements(reader) if "/Alt" in e]) == len(alts)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def elements(reader: PdfReader) -> Iterator[dict]:
    """All elements of the structure tree."""
    left = [reader.trailer["/Root"]["/StructTreeRoot"]]
    while left:
        element = left.pop()
        if hasattr(element, "get_object"):
            element = element.get_object()
        if isinstance(element, list):
            left.extend(element)
        elif isinstance(element, dict):
            yield element
            left.append(element.get("/K", []))
