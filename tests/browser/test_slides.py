"""Decks in a real browser: every slide of every notebook can be shown in a hall."""

import base64
import io
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import matplotlib
import nbformat
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import image
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request
from pypdf import PdfReader

from tests.colours import contrast
from tools import handout, slides, vendor
from tools.cells import WIDGET_VIEW, slide_type
from tools.paths import ROOT, notebooks

PATHS = notebooks()
CHECK = (Path(__file__).parent / "deck_check.js").read_text("utf-8")
FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
LIMITS = {  # px of a slide of 1280x720, before it is scaled to the screen
    "text": 24,
    "small": 20,  # code, tables, indices, footers, pictures that move
    "letters": 16,  # inside a picture
    "contrast": 4.5,
    "footer": 40,
    "margin": 50,  # left and right
    "overlap": 4,  # lines of text may touch
    "glyphs": "".join(map(chr, TTFont(FONT).getBestCmap())),
}
# Pictures that move (those of `make live`) start when their slide is shown.
START = """async () => {
    for (const figure of document.querySelectorAll('figure.live')) {
        const {h, v} = Reveal.getIndices(figure.closest('section'));
        Reveal.slide(h, v, 99);
        while (!figure.live) await new Promise(requestAnimationFrame);
        await figure.live.ready;
    }
    Reveal.slide(0);
}"""
HREFS = "links => links.map(link => link.href)"
# Left, top, width and height of every element, before slides are scaled to the screen;
# the class lays all slides out at once.
LAYOUT = """() => {
    document.body.classList.add('typesetting');
    const boxes = Reveal.getSlides().flatMap((slide, number) => {
        const heading = slide.querySelector('h1, h2, h3')?.textContent.trim() ?? '';
        return [...slide.querySelectorAll('*:not(svg, svg *)')].map(e => [
            `slide ${number + 1} (${heading}): <${e.localName}>`,
            [e.offsetLeft, e.offsetTop, e.offsetWidth, e.offsetHeight].join(' '),
        ]);
    });
    document.body.classList.remove('typesetting');
    return boxes;
}"""


def faults(context: BrowserContext, deck: Path) -> list[str]:
    """What is wrong with a deck, each line with its slide, heading and element."""
    found: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith("file:"):
            found.append(f"external request: {request.url}")

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(f"console error: {message.text}")

    page = context.new_page()
    page.on("request", note_request)
    page.on("console", note_message)
    page.on("pageerror", lambda error: found.append(f"page error: {error}"))
    slides.open_deck(page, deck)
    page.evaluate(START)
    found += filter(None, map(dead, page.eval_on_selector_all(".slides a", HREFS)))
    for fault in page.evaluate(CHECK, LIMITS):
        found.append("slide {number} ({heading}): {fault} — {element}".format(**fault))
    # Smaller or larger, a slide is the same: so one size stands for all screens.
    here = page.evaluate(LAYOUT)
    page.set_viewport_size({"width": 1024, "height": 768})
    for (slide, box), (_, other) in zip(here, page.evaluate(LAYOUT), strict=True):
        if box != other:
            found.append(f"{slide}: {box} becomes {other} at 1024×768")
    return found


def dead(href: str) -> str | None:
    """A complaint when a link within the build leads nowhere."""
    link = urlsplit(href)
    if link.scheme != "file":
        return None
    target = Path(url2pathname(link.path))
    page = target.read_text("utf-8") if target.is_file() else ""
    anchor = f'id="{unquote(link.fragment)}"' if link.fragment else ""
    return None if page and anchor in page else f"dead link: {target.name} {anchor}"


# --- the decks of the notebooks -------------------------------------------------------


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decks")
    slides.build(PATHS, out)
    return out


@pytest.mark.parametrize("name", [path.stem for path in PATHS])
def test_every_slide_can_be_shown(name: str, decks: Path, context: BrowserContext):
    found = faults(context, decks / f"{name}.html")
    assert not found, "\n".join([f"{name}:", *found])


def test_index_lists_all_decks(decks: Path):
    index = (decks / "index.html").read_text("utf-8")
    assert re.findall(r'href="([\w-]+)\.html"', index) == [path.stem for path in PATHS]


# --- a deck with one fault of each kind -----------------------------------------------


def text(source: str, kind: str = "-", *tags: str) -> nbformat.NotebookNode:
    metadata = {"slideshow": {"slide_type": kind}, "tags": list(tags)}
    return new_markdown_cell(source, metadata=metadata)


def code(source: str, *outputs: nbformat.NotebookNode, tags: tuple[str, ...] = ()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def picture(alt: str) -> nbformat.NotebookNode:
    png = io.BytesIO()
    image.imsave(png, np.zeros((30, 40)))
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": alt}
    return new_output("display_data", data)


TALL = "\n\n".join(["Строка."] * 20)
SMALL = picture("Буквы рисунка мелки")  # 620 px high, it has no room to grow
SMALL.metadata = {"image/png": {"width": 1180, "letters": 15.0}}
MOVING = '<svg role="img" width="600" height="9"><text>Буквы мелки</text></svg>'
PLANTED = {  # what is reported: what causes it
    "px outside the slide, bottom — <p> Строка.": text(TALL),
    "px outside the slide, bottom — <li>": text("- пункт\n" * 20, "fragment"),
    "px outside the slide, bottom — <img>": text('<img alt="x" height="700">'),
    "px outside the slide, right — <span>": code("# " + "широко " * 20),
    "px outside the slide, right — <mjx-container>": text(f"$${'x + ' * 60} x$$"),
    "px outside the slide, left": text('<b style="margin-left: -20px">Слева</b>'),
    "px outside the slide, top": text('<p style="margin-top: -200px">Выше</p>'),
    "clipped": text('<div style="height: 9px; overflow: hidden">Текст</div>'),
    "covers <p> Нижний": text('Нижний\n\n<p style="margin: -30px 0 0">Верхний</p>'),
    "covers <img> Картинка": text(
        '<img alt="Картинка" height="90"><p style="margin: -60px 0 0">Подпись</p>'
    ),
    "broken picture": text("![описание](missing.png)"),
    "without alt text — <img> <img": code("", picture("")),
    "without alt text — <img> <Figure": code("", picture("<Figure size 640x480>")),
    "failed formula — <g>": text(r"$\nosuchmacro$"),
    "unrendered formula": text(r"\frac{1}{2}"),
    "text of 14 px": text('<span style="font-size: 14px">Мелко</span>'),
    "letters of 15 px": code(
        "",
        new_output("display_data", SMALL.data, metadata=SMALL.metadata),
    ),
    "letters of 12 px": text(
        f'<div class="live-picture" data-letters="0.02">{MOVING}</div>'
    ),
    "text of 12 px": text('<code style="font-size: 12px">x = 1</code>'),
    "contrast 2.8 : 1 — <span>": text('<span style="color: #999">Бледно</span>'),
    "of ::before": text(
        '<style>.odd::before { content: "?"; color: #ccc }</style><p class="odd">Да</p>'
    ),
    "in a formula": text(r"$\color{yellow}{x}$"),
    "font serif": text('<span style="font-family: serif">Засечки</span>'),
    "not in DejaVu Sans: 🚀": text("Поехали 🚀"),
    "error output": code("", new_output("stream", name="stderr", text="warning")),
    "console error: сбой": text('<script>console.error("сбой")</script>'),
    "page error: беда": text('<script>throw Error("беда")</script>'),
    "becomes": text('<p style="width: 30vw">Как широк экран</p>'),
    "dead link: nowhere.html": text("[Дальше](nowhere.ipynb)"),
    'dead link: faulty.html id="нигде"': text("[Дальше](faulty.ipynb#нигде)"),
    "external request: https://example.org/x.png": text(
        '<img alt="Чужая картинка" src="https://example.org/x.png">'
    ),
}


def test_planted_faults_are_found(tmp_path: Path, context: BrowserContext):
    cells = [text("## Хороший слайд\n\nФормула $x^2$", "slide")]
    cells += [text("появится", "fragment"), text("", "slide")]
    for number, cell in enumerate(PLANTED.values()):
        cells += [text(f"## Слайд {number}", "slide"), cell]
    nbformat.write(new_notebook(cells=cells), tmp_path / "faulty.ipynb")
    found = faults(context, *slides.build([tmp_path / "faulty.ipynb"], tmp_path))

    for number, fault in enumerate(PLANTED):
        anywhere = fault.startswith(("console", "page", "external", "dead"))
        place = "" if anywhere else f"(Слайд {number}): "
        assert any(place in line and fault in line for line in found), (fault, found)
    assert any("slide 2 (Хороший слайд): empty slide" in line for line in found)
    assert not any("slide 1 " in line for line in found)


def test_callouts_can_be_read_in_the_dark():
    """Labels in JupyterLab's dark theme: the decks have only the light one."""
    css = (ROOT / "lecture_utils/static/callouts.css").read_text("utf-8")
    rules = re.findall(r'"false"\] \.callout(.+) { --callout: (.+);', css)
    colours = {name: rgb for of, rgb in rules for name in re.findall(r"\.(\w+)", of)}
    assert set(colours) == set(re.findall(r"^\.callout\.(\w+) ", css, re.MULTILINE))
    for name, rgb in colours.items():
        label = np.array(rgb.split(), dtype=float)
        paper = 0.09 * label + 0.91 * 0x11
        assert contrast(label / 255, paper / 255) >= LIMITS["contrast"], name


# --- what a talk leaves out -----------------------------------------------------------


WIDGET = new_output(
    "display_data", {WIDGET_VIEW: {"model_id": "0"}, "text/plain": "Виджет"}
)
ANSWER = """<details class="callout a">
<summary>Ответ</summary>

появится

</details>"""
SHOWN = '<div class="callout a">\n\n**Ответ.** появится\n\n</div>'


def titled(cell: nbformat.NotebookNode, title: str) -> nbformat.NotebookNode:
    cell.metadata["slideshow"]["title"] = title
    return cell


SOLUTION = ANSWER.replace("Ответ", "Решение").replace("появится", "```python\n1\n```")
SOLUTION_SHOWN = (
    '<div class="callout a">\n\n**Решение.**\n\n```python\n1\n```\n\n</div>'
)
NOTEBOOK = new_notebook(
    metadata={"title": "Лекция & «слайды»"},
    cells=[
        text("# Название", "slide"),
        text("установка", "skip"),
        text(f"{ANSWER}\n\n{ANSWER}", "fragment"),
        text("заметка", "notes"),
        text("## Упражнение", "slide", "exercise"),
        code("решение = 1", tags=("solution",)),
        text("заметка к упражнению", "notes"),
        text("условие", "subslide", "exercise"),
        text("Смотрите [дальше](05_next.ipynb#часть)"),
        code("live(draw)", WIDGET, tags=("hide-input",)),
        code("show(draw())", picture("Кривая обучения"), tags=("hide-input",)),
        titled(text("## Раздел", "slide"), "Итог: 5 из 6"),
        text("продолжение", "subslide"),
        text("## Решим вместе", "subslide"),
        text(SOLUTION, "fragment", "solution", "together"),
    ],
)


def test_talk_shows_what_a_hall_needs():
    cells = slides.talk(NOTEBOOK).cells
    told = [(cell.source.split("</span>\n\n")[-1], slide_type(cell)) for cell in cells]
    assert told == [
        ("# Название", "slide"),
        ("заметка", "notes"),
        (f"{SHOWN}\n\n{SHOWN}", "fragment"),
        ("Смотрите [дальше](05_next.html#часть)", "slide"),
        ("show(draw())", None),
        ("## Раздел", "slide"),
        ("## Итог: 5 из 6", None),
        ("## Раздел", "slide"),
        ("продолжение", ""),
        ("## Решим вместе", "slide"),
        (SOLUTION_SHOWN, "fragment"),
    ]


def test_deck_as_a_hall_sees_it(tmp_path: Path, page: Page):
    nbformat.write(NOTEBOOK, tmp_path / "talk.ipynb")
    [deck] = slides.build([tmp_path / "talk.ipynb"], tmp_path)
    slides.open_deck(page, deck)

    assert page.title() == "Лекция & «слайды»"
    assert page.get_attribute("img", "alt") == "Кривая обучения"
    assert "show(" not in page.text_content(".slides")
    assert page.text_content("aside.notes p:last-child").strip() == "заметка"
    assert not page.is_visible("text=появится")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("text=появится")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("section.present[data-number]", "data-number") == "2 / 5"

    with page.expect_popup() as speaker:
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("s")
    speaker.value.wait_for_selector(".speaker-controls-notes >> text=заметка")

    slides.print_pdf(page, deck)
    assert len(PdfReader(deck.with_suffix(".pdf")).pages) == 5


def test_a_hall_draws_and_points(tmp_path: Path, page: Page):
    nbformat.write(NOTEBOOK, tmp_path / "talk.ipynb")
    [deck] = slides.build([tmp_path / "talk.ipynb"], tmp_path)
    slides.open_deck(page, deck)
    if not vendor.has_plugins():
        pytest.skip("the registry of the plugins could not be reached")
    blank = page.screenshot()
    page.keyboard.press("c")
    page.mouse.move(300, 400)
    page.mouse.down()
    page.mouse.move(600, 500, steps=5)
    page.mouse.up()
    page.keyboard.press("c")
    assert page.screenshot() != blank
    page.keyboard.press("q")
    page.mouse.move(500, 300, steps=5)
    page.wait_for_selector(".cursor-dot")

    for _ in range(2):  # past the fragment, to a board on the second slide
        page.keyboard.press("ArrowRight")
    page.evaluate("new Promise(done => setTimeout(done, 9))")  # after the plugin's 1 ms
    page.keyboard.press("b")
    page.wait_for_selector("#chalkboard", state="visible")
    page.mouse.move(300, 400)
    page.mouse.down()
    page.mouse.move(600, 500, steps=5)
    page.mouse.up()
    page.keyboard.press("b")
    page.wait_for_function(
        """JSON.parse(Object.values(sessionStorage)[0] ?? '[{"data": []}]').every(pen =>
            pen.data.flatMap(one => one.events).some(event => event.type === 'draw'))"""
    )
    slides.open_deck(page, deck, "?print-pdf")
    page.wait_for_selector(".pdf-page > canvas")
    sheets = page.eval_on_selector_all(
        ".pdf-page", "all => all.map(sheet => sheet.querySelectorAll('canvas').length)"
    )
    assert sheets == [1, 0, 1, 0, 0, 0]  # the board follows its slide
    inked = """(sheet, [x, y]) => sheet.getContext('2d')
        .getImageData(x - 3, y - 3, 6, 6).data.some(value => value > 0)"""
    on_line, above = [
        page.eval_on_selector("canvas.drawing", inked, place)
        for place in ([450, 450], [450, 300])
    ]
    assert on_line and not above


def test_handout_has_three_slides_a_page_and_their_words(tmp_path: Path, page: Page):
    nbformat.write(NOTEBOOK, tmp_path / "talk.ipynb")
    [deck] = slides.build([tmp_path / "talk.ipynb"], tmp_path)
    told = {}
    for notes in (False, True):
        reader = PdfReader(handout.print_handout(page, deck, notes=notes))
        told[notes] = "".join(sheet.extract_text() for sheet in reader.pages)
        assert len(reader.pages) == 2
        alts = page.eval_on_selector_all("img", "all => all.map(one => one.alt)")
        assert any("Кривая обучения" in alt for alt in alts)
        assert not any("заметка" in alt for alt in alts)
    assert "заметка" in told[True]
    assert "заметка" not in told[False]


BUILT = picture("Две панели")
BUILT.metadata = {"image/png": {"width": 40, "height": 30}}


def test_a_picture_is_built_and_grows(tmp_path: Path, page: Page):
    cell = code("show(draw())", BUILT, tags=("hide-input",))
    cell.metadata["slideshow"] = {"slide_type": "slide", "build": {"x": [0.25, 0.5]}}
    cell.metadata["slideshow"]["title"] = "Панели появляются по одной"
    nb = new_notebook(metadata={"title": "Рисунок"}, cells=[cell])
    nbformat.write(nb, tmp_path / "built.ipynb")
    [deck] = slides.build([tmp_path / "built.ipynb"], tmp_path)
    slides.open_deck(page, deck)

    assert page.text_content("h2").strip() == "Панели появляются по одной"
    assert page.eval_on_selector("img", "image => image.clientWidth") == 80
    hidden = ".picture span:not(.visible)"
    places = page.eval_on_selector_all(hidden, "all => all.map(one => one.style.left)")
    assert places == ["25%", "50%"]
    page.keyboard.press("ArrowRight")
    assert page.locator(hidden).count() == 1
    page.keyboard.press("ArrowRight")
    assert page.locator(hidden).count() == 0


def test_the_script_tells_the_time(tmp_path: Path, page: Page):
    said = "**Лектору.** " + "слово " * 53 + "Пауза 15 с."
    cells = [text("## Раз", "slide"), text(said, "notes")]
    cells += [text("## Два", "slide"), text(said, "notes")]
    nb = new_notebook(metadata={"title": "Время"}, cells=cells)
    nbformat.write(nb, tmp_path / "timed.ipynb")
    [deck] = slides.build([tmp_path / "timed.ipynb"], tmp_path)
    slides.open_deck(page, deck)
    timing = "all => all.map(one => one.dataset.timing)"
    assert page.eval_on_selector_all("section[data-timing]", timing) == ["45", "45"]
    text_of = "all => all.map(one => one.textContent)"
    told = page.eval_on_selector_all("[data-seconds]", text_of)
    assert told == ["45 с; к концу слайда — 0:45", "45 с; к концу слайда — 1:30"]
