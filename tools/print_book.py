"""The site as one PDF: contents and index with page numbers, alt texts kept.

    python -m tools.print_book     build/book.pdf, from what tools.site has built

Chromium prints it, so it needs Chromium or Chrome; CHROMIUM may name its file. It is
printed twice: only after the first time it is known what stands on which page.
"""

import html
import re
from pathlib import Path

from pypdf import PdfReader

from tools import slides
from tools.paths import BUILD, notebooks
from tools.site import BOOK, OUT

PDF = BUILD / "book.pdf"
APPENDIX = ("claims", "glossary", "bibliography")
FOOTER = (
    '<p style="width: 100%; margin: 0; font-size: 8pt; text-align: center;">'
    '<span class="pageNumber"></span></p>'
)
READY = """async () => {
    await MathJax.startup.promise;
    await document.fonts.ready;
    await Promise.all([...document.images].map(image => image.decode()));
}"""


def article(name: str, site: Path) -> str:
    """The text of a page, its links led to places of the book."""
    page = (site / f"{name}.html").read_text("utf-8")
    text = re.findall(r'<article class="bd-article">(.*?)</article>', page, re.DOTALL)[
        0
    ]
    text = re.sub(r'href="\w+\.html#', 'href="#', text)
    text = re.sub(r'href="(\w+)\.html"', r'href="#page-\1"', text)
    text = re.sub(r"<details(?! class=.code)", "<details open", text)
    text = text.replace(' loading="lazy"', "")
    text = re.sub(r'<a class="headerlink".*?</a>', "", text)
    # An address for each first use of a term: the index counts pages by them.
    text = re.sub(
        r'<a class="term" href="#(term-[^"]+)"',
        rf'<a class="term" id="{name}-\1" href="#\1"',
        text,
    )
    return f'<div class="part" id="page-{name}">{text}</div>'


def contents(parts: str, pages: dict[str, int]) -> str:
    """Parts and their sections."""
    heading = re.compile(r'<section id="([^"]+)">\s*<h([12])>(.*?)</h', re.DOTALL)
    lines = [
        f'<li class="level{level}"><a href="#{name}"><span>{title}</span>'
        f"<span>{pages.get(name, '')}</span></a></li>"
        for name, level, title in heading.findall(parts)
    ]
    return f'<nav class="toc"><h1>Содержание</h1><ol>{"".join(lines)}</ol></nav>'


def index(parts: str, pages: dict[str, int]) -> str:
    """Terms of the glossary with the pages where parts first use them."""
    lines = []
    for term, name in re.findall(r'id="(term-[^"]+)"><dfn>(.*?)</dfn>', parts):
        used = re.findall(rf'id="(\d\w+-{re.escape(term)})"', parts)
        links = ", ".join(
            f'<a href="#{place}">{pages.get(place, "")}</a>' for place in [term, *used]
        )
        lines.append(f"<li>{name}, {links}</li>")
    return f'<nav class="terms"><h1>Указатель</h1><ul>{"".join(lines)}</ul></nav>'


def book(parts: str, pages: dict[str, int], head: str) -> str:
    """The whole book as one page; numbers of pages are empty where not yet known."""
    title = re.findall(r"<title>.*?— (.*?)</title>", html.unescape(head))[0]
    # Of the scripts only those that draw formulas.
    head = re.sub(
        r"<script(?![^>]*>window\.MathJax|[^>]*mathjax).*?</script>|<title>.*?</title>",
        "",
        head,
        flags=re.DOTALL,
    )
    css = (BOOK / "book.css").read_text("utf-8")
    return (
        f'<!DOCTYPE html><html lang="ru" data-theme="light"><head>{head}'
        f"<title>{title}</title><style>{css}</style></head>"
        f'<body><main class="bd-article"><p class="cover">{title}</p>'
        f"{contents(parts, pages)}{parts}{index(parts, pages)}</main></body></html>"
    )


def places(pdf: Path) -> dict[str, int]:
    """The number of the page, from 1, of every address that a link leads to."""
    reader = PdfReader(pdf)
    return {
        name.removeprefix("/"): number + 1
        for name, place in reader.named_destinations.items()
        if (number := reader.get_destination_page_number(place)) is not None
    }


def print_book(
    page, names: list[str], site: Path = OUT, pdf: Path = PDF
) -> dict[str, int]:
    """Print these pages of the site as one book, in a page of Playwright.

    Returns:
        The number of the page of every address.
    """
    parts = "".join(article(name, site) for name in names)
    first = (site / f"{names[0]}.html").read_text("utf-8")
    head = re.findall(r"<head>(.*?)</head>", first, re.DOTALL)[0]
    whole = site / "book.html"  # beside what it shows
    pages: dict[str, int] = {}
    for _ in range(2):
        whole.write_text(book(parts, pages, head), encoding="utf-8")
        page.goto(whole.resolve().as_uri())
        page.evaluate(READY)
        page.pdf(
            path=pdf,
            prefer_css_page_size=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            tagged=True,
            outline=True,
        )
        pages = places(pdf)
    whole.unlink()
    return pages


def main() -> None:
    lectures = [path.stem for path in notebooks()]
    with slides.open_page() as page:
        print_book(page, [*lectures, *APPENDIX])
    print(f"The book: {PDF.as_uri()}")


if __name__ == "__main__":
    main()
