"""Offline reveal.js decks from the notebooks.

    python -m tools.slides [NAME ...]         build/slides/NAME.html and index.html
    python -m tools.slides --pdf [NAME ...]   and print them to build/slides/NAME.pdf
    python -m tools.slides --png [NAME ...]   and draw build/slides/png/NAME-01.png …

Without names, all notebooks. The decks ask for nothing outside build/slides/.
Printing and drawing need Chromium or Chrome; CHROMIUM may name its file.
"""

import html
import os
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import nbformat
from PIL import Image

from tools import command_line, live, load, vendor
from tools.paths import BUILD, ROOT, notebooks
from tools.talk import talk
from tools.vendor import PACKAGES

TEMPLATE = ROOT / "tools/deck"
OUT = BUILD / "slides"

# Folder in vendor/, where the files come from, and which.
FACES = ("", "-Bold", "-Oblique", "-BoldOblique", "Mono", "Mono-Bold", "Mono-Oblique")
COLOURS = ("black", "blue", "green", "orange", "purple", "red", "yellow")
BOARD = ["chalkboard/plugin.js", "chalkboard/style.css"]
BOARD += [f"chalkboard/img/{name}.png" for name in ("sponge", "blackboard")]
BOARD += [f"chalkboard/img/boardmarker-{colour}.png" for colour in COLOURS]
BOARD += [f"chalkboard/img/chalk-{colour}.png" for colour in ("white", *COLOURS[1:])]
POINTER = ("dist/pointer.js", "dist/pointer.css")
VENDOR = (
    (
        "reveal",
        PACKAGES / "sphinx_revealjs/_static/revealjs",
        ("LICENSE", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"),
    ),
    (
        "plugins",
        PACKAGES / "reveal.js-plugins/package",
        ("LICENSE", *BOARD),
    ),
    ("pointer", PACKAGES / "reveal.js-pointer/package", ("LICENSE", *POINTER)),
    (
        "mathjax",
        PACKAGES / "sphinx-mathjax-offline/static/mathjax",
        ("tex-svg-full.js",),
    ),
    (
        "fonts",
        Path(matplotlib.get_data_path()) / "fonts/ttf",
        ("LICENSE_DEJAVU", *(f"DejaVuSans{face}.ttf" for face in FACES)),
    ),
)


# --- from a talk to files -------------------------------------------------------------


def build(paths: list[Path], out: Path = OUT) -> list[Path]:
    """Write a deck per notebook, what they share, and the page that lists all decks."""
    from nbconvert.exporters import SlidesExporter  # slow to import

    vendor.fetch()
    for folder, source, files in VENDOR:
        for file in files if source.exists() else ():
            copy(source / file, out / "vendor" / folder / file)
    for file in (
        *(TEMPLATE / "static").iterdir(),
        ROOT / "lecture_utils/static/callouts.css",
    ):
        copy(file, out / "static" / file.name)
    live.copy_to(out, [path.stem for path in paths])
    exporter = SlidesExporter(
        extra_template_basedirs=[str(TEMPLATE.parent)],
        template_name=TEMPLATE.name,
        exclude_anchor_links=True,
        language_code="ru",
    )
    decks = []
    for path in paths:
        nb = talk(nbformat.read(path, as_version=4), path.stem)
        title = nb.metadata.get("title", path.stem)
        told = {"title": title, "plugins": vendor.has_plugins()}
        page, _ = exporter.from_notebook_node(nb, told)
        decks.append(out / f"{path.stem}.html")
        decks[-1].write_text(page, encoding="utf-8")
        decks[-1].with_suffix(".pdf").unlink(missing_ok=True)  # of an older build
    list_decks(out)
    return decks


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def list_decks(out: Path) -> None:
    """Write index.html: all decks in the folder, by their titles."""
    decks = [
        {
            "file": deck.name,
            "title": html.unescape(
                re.findall("<title>(.*?)</title>", deck.read_text("utf-8"))[0]
            ),
            "pdf": pdf.name if (pdf := deck.with_suffix(".pdf")).exists() else None,
        }
        for deck in sorted(out.glob("*.html"))
        if deck.name != "index.html"
    ]
    template = jinja2.Template((TEMPLATE / "contents.html.j2").read_text("utf-8"))
    (out / "index.html").write_text(template.render(decks=decks), encoding="utf-8")


# --- Chromium -------------------------------------------------------------------------


def which_chromium() -> dict[str, Any]:
    """For Playwright: $CHROMIUM, or the one on the path, or an installed Chrome."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return {"executable_path": found} if found else {"channel": "chrome"}


def patience() -> float:
    """Milliseconds that a browser may take for a step; more on a busy machine."""
    return 120_000 * load.factor()


@contextmanager
def open_page() -> Generator[Any]:
    """A page in a headless Chromium, as large as a slide."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                args=["--no-sandbox"], **which_chromium()
            )
        except Error as error:
            reason = error.message.splitlines()[0]
            sys.exit(
                "The decks are built; printing and drawing need Chromium or Chrome. "
                f"Install one, or set CHROMIUM to its path. ({reason})"
            )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(patience())
        yield page
        browser.close()


def open_deck(page, deck: Path, query: str = "") -> None:
    """Load a deck and wait until fonts, formulas and slides are in place."""
    page.goto(deck.resolve().as_uri() + query)
    page.wait_for_selector("html[data-deck-ready]", state="attached")


def print_pdf(page, deck: Path) -> None:
    """Print the deck, one page per slide with all its fragments."""
    open_deck(page, deck, "?print-pdf")
    page.wait_for_selector(".pdf-page")
    page.pdf(
        path=deck.with_suffix(".pdf"), prefer_css_page_size=True, print_background=True
    )


def draw_png(page, deck: Path) -> None:
    """Draw each slide with all its fragments, and all slides on one sheet."""
    open_deck(page, deck)
    folder = deck.parent / "png"
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{deck.stem}-*.png"):
        old.unlink()
    shots = []
    for index in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("index => Reveal.slide(index, 0, 99)", index)
        shots.append(folder / f"{deck.stem}-{index + 1:02}.png")
        page.screenshot(path=shots[-1])
    sheet = Image.new("RGB", (3 * 650, -(-len(shots) // 3) * 370), "gray")
    for place, shot in enumerate(shots):
        small = Image.open(shot).resize((640, 360))
        sheet.paste(small, (place % 3 * 650, place // 3 * 370))
    sheet.save(folder / f"{deck.stem}.png")


def main() -> None:
    stored = {path.stem: path for path in notebooks()}
    parser = command_line.parser(__doc__)
    command_line.add_notebooks(parser, stored)
    parser.add_argument("--pdf", action="store_true", help="print the decks, too")
    parser.add_argument("--png", action="store_true", help="draw the slides, too")
    arguments = parser.parse_args()

    decks = build([stored[name] for name in arguments.names or stored])
    if arguments.pdf or arguments.png:
        with open_page() as page:
            for deck in decks:
                if arguments.pdf:
                    print_pdf(page, deck)
                if arguments.png:
                    draw_png(page, deck)
        list_decks(OUT)
    print(f"{len(decks)} decks: {(OUT / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
