"""Handouts from the decks: three slides a page, lines or the script beside them.

    python -m tools.handout [NAME ...]           build/slides/NAME-handout.pdf
    python -m tools.handout --notes [NAME ...]   with what the lecturer says

Without names, all lectures. Each slide is a picture whose alt text says all that stands
on it. Printing needs Chromium or Chrome; CHROMIUM may name its file.
"""

import base64
from pathlib import Path

import jinja2

from tools import command_line
from tools.paths import notebooks
from tools.slides import OUT, TEMPLATE, build, open_deck, open_page

# Words and alt texts of the slide that is shown, and its note without the time.
WORDS = """() => {
    const slide = Reveal.getCurrentSlide();
    const alts = [...slide.querySelectorAll('img')].map(image => image.alt);
    const note = slide.querySelector('aside')?.cloneNode(true);
    note?.querySelector('[data-seconds]')?.closest('p').remove();
    return [[slide.innerText, ...alts].join('\\n'), note?.innerHTML ?? ''];
}"""
PAGE = jinja2.Template(
    (TEMPLATE / "handout.html.j2").read_text("utf-8"), autoescape=True
)


def print_handout(page, deck: Path, *, notes: bool = False) -> Path:
    """Print a deck that is built; returns the PDF."""
    open_deck(page, deck)
    slides = []
    for index in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("index => Reveal.slide(index, 0, 99)", index)
        alt, note = page.evaluate(WORDS)
        picture = base64.b64encode(page.screenshot(type="jpeg", quality=85)).decode()
        slides.append({"picture": picture, "alt": alt, "note": note if notes else ""})
    html = PAGE.render(title=page.title(), slides=slides)
    page.set_content(html, wait_until="load")
    pdf = deck.with_name(f"{deck.stem}-handout.pdf")
    page.pdf(path=pdf, prefer_css_page_size=True, tagged=True)
    return pdf


def main() -> None:
    stored = {path.stem: path for path in notebooks()}
    parser = command_line.parser(__doc__)
    command_line.add_notebooks(parser, stored)
    parser.add_argument("--notes", action="store_true", help="print the script, too")
    arguments = parser.parse_args()

    decks = build([stored[name] for name in arguments.names or stored])
    with open_page() as page:
        for deck in decks:
            print(print_handout(page, deck, notes=arguments.notes).relative_to(OUT))


if __name__ == "__main__":
    main()
