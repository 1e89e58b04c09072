"""The notebooks in a real browser: JupyterLab runs them and shows them to a hall."""

import io
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from playwright.sync_api import ElementHandle, Page

from tests.reading import folds, lost, pieces, read
from tools.cells import slide_type
from tools.load import factor
from tools.paths import NOTEBOOKS, ROOT

# What set-up makes the default: content, file.
SETTINGS = re.findall(
    r"echo '(.+)' \\\n +> \.venv/etc/jupyter/(labconfig/.+)",
    (ROOT / "tools/set_up.sh").read_text("utf-8"),
)
QUICKEST = NOTEBOOKS / "00_start.ipynb"
# What a lecture shows; its own live pictures are moved in every run of nbval.
EVERY_KIND = """
import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from lecture_utils import live
from lecture_utils.controls import DigitPad, PhotoPicker, picture_of
from lecture_utils.data import photo

def draw(photo_, digit, **values):
    figure = Figure(figsize=(4, 2))
    figure.text(0, 0.5, str(values))
    figure.figimage(photo(photo_, 64).movedim(0, -1))
    figure.figimage(picture_of(digit)[0], 80)
    figure.add_axes((0.5, 0, 0.5, 1)).set_xlim(0, 9)
    return figure

live(draw, "всё, чем управляют", point=lambda ax, x, y: {"a": x},
     a=widgets.IntSlider(1, 0, 9),
     b=widgets.SelectionSlider(options="абв"), c=widgets.Dropdown(options="где"),
     d=widgets.ToggleButtons(options="жз"), e=widgets.Checkbox(True),
     photo_=PhotoPicker(), digit=DigitPad(torch.zeros(1, 28, 28)))
"""
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
# A photo of a good camera: more than the 10 MB that a message may usually have.
OWN_PHOTO = {"name": "мой снимок.png", "mimeType": "image/png"}


@pytest.fixture(scope="session")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lecture that ends with every kind of control; JupyterLab may change it."""
    notebook = nbformat.read(QUICKEST, as_version=4)
    notebook.cells.append(new_code_cell(EVERY_KIND))
    notebook.cells[-1].metadata["slideshow"] = {"slide_type": "subslide"}
    path = tmp_path_factory.mktemp("lab") / "root" / QUICKEST.name
    path.parent.mkdir()
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="session")
def lab(lecture: Path) -> Iterator[str]:
    """Address of a JupyterLab with settings of its own, with the lecture open."""
    folder = lecture.parents[1]
    (folder / "config/labconfig").mkdir(parents=True)
    for content, file in SETTINGS:
        (folder / "config" / file).write_text(content, "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": lecture.parent,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
    }
    directories = {
        f"JUPYTER_{name.upper()}_DIR": str(folder / name)
        for name in ("config", "data", "runtime")
    }
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            env=os.environ | directories,
            stdout=output,
            stderr=output,
        )

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    patience = 60 * factor()
    end = time.monotonic() + patience
    try:
        while not answers():
            running = server.poll() is None and time.monotonic() < end
            assert running, log.read_text("utf-8")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/{lecture.name}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(patience)


@pytest.fixture
def notebook(lab: str, page: Page) -> Iterator[Page]:
    """The lecture when its kernel is ready; the kernel is shut down in the end."""
    page.goto(lab)
    page.wait_for_function(KERNEL_IS_CONNECTED)
    yield page
    page.evaluate(SHUT_DOWN)


RUN_ALL = """async () => {
    const {context, content} = jupyterapp.shell.currentWidget;
    await context.sessionContext.ready;
    await jupyterapp.commands.execute('notebook:run-all-cells');
    return content.widgets.map(cell => cell.model).filter(m => m.type === 'code').map(
        m => [m.executionCount, m.outputs.toJSON().find(o => o.output_type === 'error')]
    );
}"""
SHUT_DOWN = "() => jupyterapp.shell.currentWidget.context.sessionContext.shutdown()"
CELL = """async index => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = index;
    await notebook.scrollToItem(index, 'start');
    return notebook.widgets[index].node;
}"""
DROP = """async input => {
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').fillRect(0, 0, 90, 90);
    const blob = await new Promise(done => canvas.toBlob(done));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], 'брошенный.png', {type: blob.type}));
    for (const kind of ['dragover', 'drop']) {
        const event = new DragEvent(kind, {dataTransfer, cancelable: true});
        if (input.parentElement.dispatchEvent(event))
            throw Error(`the browser would open the file: ${kind}`);
    }
}"""
PICTURE = "img[src^=blob]"
CHANGED = "([picture, before]) => picture.getAttribute('src') !== before"
KERNEL_IS_CONNECTED = """() => {
    const session = globalThis.jupyterapp?.shell.currentWidget?.context?.sessionContext
        ?.session;
    return session?.kernel?.connectionStatus === 'connected'
        && session.kernel.status === 'idle';
}"""


def controls(cell: ElementHandle) -> list[ElementHandle]:
    return cell.query_selector_all(
        ".noUi-handle, select, input, .file-drop, canvas, "
        ".widget-toggle-button:not(.mod-active)"
    )


@cache
def own_photo() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 2200, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", compress_level=0)
    return buffer.getvalue()


def move(control: ElementHandle) -> None:
    """Give the control another value, with the mouse as in a hall."""
    kind = control.evaluate("element => element.tagName")
    page = control.owner_frame().page
    if control.evaluate("e => e.closest('.live-pointed')"):  # only for the keyboard
        control.focus()
        page.keyboard.press("ArrowRight")
    elif control.evaluate("e => e.matches('.file-drop')"):
        with page.expect_file_chooser() as chooser:
            control.click()
        chooser.value.set_files([OWN_PHOTO | {"buffer": own_photo()}])
    elif control.evaluate("e => e.matches('[type=file]')"):
        control.evaluate(DROP)
    elif kind == "CANVAS":
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 160, steps=5)
        page.mouse.up()
    elif kind == "SELECT":
        control.select_option(index=int(control.evaluate("e => !e.selectedIndex")))
    elif kind in ("INPUT", "BUTTON"):
        control.click()
    else:
        track = control.evaluate_handle("e => e.closest('.noUi-base')").as_element()
        box, handle = track.bounding_box(), control.bounding_box()
        right = handle["x"] > box["x"] + box["width"] / 2
        x = box["width"] * (0.2 if right else 0.8)
        track.click(position={"x": x, "y": box["height"] / 2})


def check_controls(page: Page, cell: ElementHandle) -> None:
    """Every control of the cell changes the picture, and so does pointing at it."""
    picture = cell.wait_for_selector(PICTURE)
    moved = controls(cell)
    assert moved, "a picture and nothing to change it"
    for control in moved:
        before = picture.get_attribute("src")
        move(control)
        page.wait_for_function(CHANGED, arg=[picture, before])
    for share in (0.9, 0.7):  # of the width: two places in the axes
        before, box = picture.get_attribute("src"), picture.bounding_box()
        picture.click(position={"x": share * box["width"], "y": box["height"] / 2})
        page.wait_for_function(CHANGED, arg=[picture, before])


def run_all(page: Page) -> None:
    """Run the notebook from top to bottom; nothing fails and nothing is left out."""
    executed = page.evaluate(RUN_ALL)
    assert [error for _, error in executed if error] == []
    assert [count for count, _ in executed] == list(range(1, len(executed) + 1))


START = "() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }"
ARRIVED = """from => {
    const {activeCellIndex, widgets} = jupyterapp.shell.currentWidget.content;
    return activeCellIndex !== from && widgets[activeCellIndex].node.matches(
        '.jp-deck-mod-onscreen.jp-deck-mod-visible');
}"""
SHOWN = """() => {
    const {activeCellIndex, widgets} = jupyterapp.shell.currentWidget.content;
    return [activeCellIndex, widgets.flatMap((cell, i) =>
        cell.node.matches('.jp-deck-mod-onscreen.jp-deck-mod-visible') ? [i] : [])];
}"""
FONT_SIZE = "element => parseFloat(getComputedStyle(element).fontSize)"


def test_runs_and_is_shown_from_top_to_bottom(notebook: Page, lecture: Path):
    """The show leaves no cell out, and live cells run on their slides, too.

    That every notebook is made for the show is a rule: see test_rules.py.
    """
    page = notebook
    page.click("#jp-MainMenu >> text=Выполнить")  # as the texts call it
    page.wait_for_selector(".lm-Menu >> text=Запустить все ячейки")
    page.keyboard.press("Escape")
    run_all(page)
    cells = nbformat.read(lecture, as_version=4).cells
    wanted = [i for i, c in enumerate(cells) if slide_type(c) not in ("skip", "notes")]
    live = page.evaluate_handle(CELL, wanted[-1]).as_element()
    check_controls(page, live)
    assert len(controls(live)) == 9  # the picker: a menu, a click, a drop
    seen: list[int] = []

    page.evaluate(START)
    page.click("[data-command='deck:toggle']")
    page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
    for element, least in {"p": 20, ".cm-content": 16}.items():
        assert page.eval_on_selector(f".jp-Deck {element}", FONT_SIZE) >= least
    while True:
        active, shown = page.evaluate(SHOWN)
        seen += shown
        if active == wanted[-1]:
            break
        page.keyboard.press("Space")
        page.wait_for_function(ARRIVED, arg=active)
    assert sorted(set(seen)) == wanted

    cell = page.query_selector(".jp-Deck .jp-Cell.jp-mod-active")
    before = cell.query_selector(PICTURE)
    page.keyboard.press("Control+Enter")
    before.wait_for_element_state("hidden")  # the cell makes another one
    check_controls(page, cell)
    cell.focus()

    page.keyboard.press("Escape")
    page.wait_for_selector("#jp-menu-panel")
    assert not page.query_selector(".jp-Deck")


# HTML of all texts, code and outputs; cells are made when they come into sight.
RENDERED = """async () => {
    const {content} = jupyterapp.shell.currentWidget;
    const found = [];
    for (const [index, cell] of content.widgets.entries()) {
        await content.scrollToItem(index, 'start');
        await cell.ready;
        if (cell.model.type === 'markdown') {
            cell.rendered = true;
            while (!cell.node.querySelector('.jp-RenderedMarkdown > *'))
                await new Promise(requestAnimationFrame);
        } else if (cell.model.trusted) throw Error('trusted');
        else if (!cell.inputHidden) {
            const code = document.createElement('pre');
            const lines = cell.node.querySelectorAll('.cm-line');
            code.textContent = Array.from(lines, line => line.textContent).join('\\n');
            found.push(code.outerHTML);
        }
        const kinds = ['Markdown', 'Text', 'Image', 'HTML'];
        const parts = cell.node.querySelectorAll(
            kinds.map(kind => '.jp-Rendered' + kind).join());
        found.push(...Array.from(parts, part => part.outerHTML));
    }
    return found.join('');
}"""


def without_code(cell: nbformat.NotebookNode) -> str:
    return re.sub(r"```.+?```|`[^`]+`", "", cell.source, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["05_fpn_unet", "09_swin"])
def test_a_lecture_that_nobody_trusts_yet_can_be_read(
    name: str, lab: str, lecture: Path, page: Page
):
    """No style, and no output but text and pictures, is shown of it."""
    file = NOTEBOOKS / f"{name}.ipynb"
    shutil.copy(file, lecture.parent)
    page.goto(lab.replace(QUICKEST.name, file.name))
    page.wait_for_function(KERNEL_IS_CONNECTED)
    try:
        soup = BeautifulSoup(page.evaluate(RENDERED), "html.parser")
    finally:
        page.evaluate(SHUT_DOWN)
    assert not soup.select("style, .jp-RenderedHTML *")
    cells = nbformat.read(file, as_version=4).cells
    texts = [cell for cell in cells if cell.cell_type == "markdown"]
    assert not soup.select("mjx-merror")
    formulas = [f for cell in texts for f in FORMULA.findall(without_code(cell))]
    assert len(soup.select("mjx-container")) == len(formulas) > 50
    for added in soup.select("mjx-container, .jp-InternalAnchorLink"):
        added.decompose()
    summaries = re.findall(
        "<summary>(.+)</summary>", "\n".join(c.source for c in texts)
    )
    assert folds(soup) == summaries
    for cell in texts:
        cell.source = FORMULA.sub("", cell.source)
    # JupyterLab has no alt texts for what a cell has drawn.
    drawn = 0
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.source = ""
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        cell.outputs = [o for o in cell.outputs if o not in pictures]
        drawn += len(pictures)
    assert len(soup.select("img")) == drawn
    assert lost(pieces(cells), read(soup)) == []


# As a lecturer does it: in a cell that nobody saves, above all others.
RUN_SCRATCH = """async code => {
    const {content} = jupyterapp.shell.currentWidget;
    content.activeCellIndex = 0;
    await jupyterapp.commands.execute('notebook:insert-cell-above');
    content.activeCell.model.sharedModel.setSource(code);
    await jupyterapp.commands.execute('notebook:run-cell');
    return content.activeCell.model.id;
}"""
SKIPPED = """() => jupyterapp.shell.currentWidget.content.widgets[0].model
    .getMetadata('slideshow')?.slide_type === 'skip'"""
ACTIVATE = """index => {
    const {content} = jupyterapp.shell.currentWidget;
    content.activeCellIndex = index;
    content.activeCell.node.focus();
}"""
READS = "([element, text]) => element.innerText.replace(/\\s+/g, ' ').includes(text)"
OVERLAPS = """strip => {
    const {bottom} = strip.getBoundingClientRect();
    return [...document.querySelectorAll('.jp-Deck .jp-deck-mod-visible')].some(
        cell => cell.getBoundingClientRect().top < bottom);
}"""


LIVE = """
from ipywidgets import Checkbox
from matplotlib.figure import Figure
from lecture_utils import live, show
live(lambda on: Figure((10.6, 3)), "рисунок, который движется", on=Checkbox())
"""
STILL = 'show(Figure((2, 1)), "он же для тех, у кого нет ядра")'
HEIGHTS = "images => images.map(image => image.clientHeight)"
WIDTH = "image => image.clientWidth"
INCHES = 10.6  # of the widest pictures of the lectures
SMALLEST_LETTERS = 12  # points, in pictures that move
ACTIVE_IS = """index => {
    const active = document.querySelector('.jp-Deck .jp-Cell.jp-mod-active');
    return Number(active.dataset.windowedListIndex) === index;
}"""


def short_talk() -> nbformat.NotebookNode:
    """Four slides; the third has a picture that moves and a still one."""

    def text(source: str, kind: str, **more: str) -> nbformat.NotebookNode:
        return new_markdown_cell(
            source, metadata={"slideshow": {"slide_type": kind, **more}}
        )

    kernel = {"name": "python3", "display_name": "", "language": "python"}
    goes_on = {"slideshow": {"slide_type": ""}}
    return new_notebook(
        metadata={"kernelspec": kernel},
        cells=[
            text("# Начало\n\nСлова.", "slide"),
            text("**Лектору.** Скажите <b>.\n\nПауза 20 с.", "notes"),
            text("Ещё слова.", "fragment"),
            text("Этого не видно.", "skip"),
            text("Середина слайда.", "subslide", title="Верны 95 %"),
            text("**Лектору.** О середине.", "notes"),
            text("### Конец", "slide", title="Чем кончилось"),
            text("**Лектору.** О конце.", "notes"),
            *(text("\n\n".join("много"), "") for _ in range(4)),
            new_code_cell(LIVE, metadata=goes_on),
            new_code_cell(STILL, metadata=goes_on),
            text("Последнее слово.", "subslide", title="И всё"),
        ],
    )


def test_the_show_has_titles_numbers_and_a_window_for_the_lecturer(
    lab: str, lecture: Path, page: Page
):
    file = lecture.parent / "talk.ipynb"
    nbformat.write(short_talk(), file)
    page.goto(lab.replace(QUICKEST.name, file.name))
    page.wait_for_function(KERNEL_IS_CONNECTED)
    try:
        run_all(page)
        page.evaluate(RUN_SCRATCH, "from lecture_utils import presenter\npresenter()")
        page.wait_for_function(SKIPPED)
        with page.expect_popup() as opened:
            page.click("text=Открыть текст лекции")
        window = opened.value
        assert window.inner_text("h1") == "Начало"
        assert window.inner_text("main") == "Скажите <b>.\n\nПауза 20 с."
        assert not page.query_selector(".lecture-strip")

        page.bring_to_front()
        page.evaluate(ACTIVATE, 1)
        page.click("[data-command='deck:toggle']")
        strip = page.wait_for_selector(".lecture-strip")
        assert strip.evaluate(FONT_SIZE) >= 20
        follow(page, window, "Начало", "1 / 4", "Дальше: Верны 95 %")
        page.keyboard.press("Space")  # a fragment
        follow(page, window, "Начало", "1 / 4", "Дальше: Верны 95 %")
        page.keyboard.press("Space")
        follow(page, window, "Верны 95 %", "2 / 4", "Дальше: Чем кончилось")
        assert window.inner_text("main") == "О середине."
        planned = window.inner_text(".planned")
        assert re.fullmatch("по тексту 0:22–0:24: спешите на 0:\\d\\d", planned), (
            planned
        )
        assert re.fullmatch(r"Прошло \d+:\d\d", window.inner_text(".passed"))
        window.click("button")
        window.wait_for_function("() => document.body.innerText.includes('вовремя')")
        page.bring_to_front()
        page.keyboard.press("Space")
        follow(page, window, "Чем кончилось", "3 / 4", "Дальше: И всё")
        assert not strip.evaluate(OVERLAPS)
        for _ in range(5):  # to the picture that moves
            page.keyboard.press("Space")
        page.wait_for_selector(".jp-Deck .jupyter-widgets img")
        stills = page.eval_on_selector_all(".jp-Deck .jp-RenderedImage img", HEIGHTS)
        assert stills == [0]
        moving = page.eval_on_selector(".jp-Deck .jupyter-widgets img", WIDTH)
        assert moving / INCHES * SMALLEST_LETTERS / 72 >= 16
        follow(page, window, "Чем кончилось", "3 / 4", "Дальше: И всё")
        page.keyboard.press("Space")  # over the still picture
        follow(page, window, "И всё", "4 / 4", "Это последний слайд.")
        page.keyboard.press("Shift+Space")
        page.wait_for_function(ACTIVE_IS, arg=13)
        follow(page, window, "Чем кончилось", "3 / 4", "Дальше: И всё")
        page.evaluate(ACTIVATE, 7)
        page.keyboard.press("Shift+Space")
        follow(page, window, "Верны 95 %", "2 / 4", "Дальше: Чем кончилось")

        page.keyboard.press("Escape")
        strip.wait_for_element_state("hidden")
        assert not page.query_selector(".jp-Deck, .lecture-strip")
        with window.expect_event("close"):
            page.reload()
        page.wait_for_function(KERNEL_IS_CONNECTED)
    finally:
        page.evaluate(SHUT_DOWN)


def follow(page: Page, window: Page, title: str, number: str, following: str) -> None:
    """The strip and the lecturer's window come to say so."""
    strip = page.query_selector(".lecture-strip")
    page.wait_for_function(READS, arg=[strip, f"{title} {number}"])
    assert window.inner_text("h1") == title
    assert window.inner_text(".number") == number
    assert window.inner_text(".next") == following
