"""The notebooks in a real browser: JupyterLab runs them and shows them to a hall."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import ElementHandle, Page

from tools.cells import WIDGET_VIEW, slide_type
from tools.load import factor
from tools.paths import NOTEBOOKS

NO_NEWS = (
    '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
)
LECTURE = NOTEBOOKS / "09_swin.ipynb"  # of those with live pictures the quickest


def live_cells(path: Path) -> list[int]:
    """Indices of the cells that show a control with a picture."""
    cells = nbformat.read(path, as_version=4).cells
    data = {
        index: output.data
        for index, cell in enumerate(cells)
        for output in cell.get("outputs", [])
        if WIDGET_VIEW in output.get("data", {})
    }
    return [i for i in data if data[i]["text/plain"].startswith("Виджет")]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of the notebooks, which JupyterLab may change."""
    root = tmp_path_factory.mktemp("lab") / "root"
    return Path(shutil.copytree(NOTEBOOKS, root))


@pytest.fixture(scope="session")
def lab(root: Path) -> Iterator[str]:
    """Address of a JupyterLab with settings of its own."""
    folder = root.parent
    (folder / "config/labconfig").mkdir(parents=True)
    (folder / "config/labconfig/page_config.json").write_text(NO_NEWS, "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": root,
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
        yield f"http://127.0.0.1:{port}/lab/tree/{{name}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(patience)


@pytest.fixture
def open_notebook(lab: str, page: Page) -> Iterator[Callable[[str], Page]]:
    """Open a notebook and wait for its kernel; shut the kernel down in the end."""

    def open_(name: str) -> Page:
        page.goto(lab.format(name=name))
        page.wait_for_function(KERNEL_IS_CONNECTED)
        return page

    yield open_
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
CHANGED = "([picture, before]) => picture.getAttribute('src') !== before"
KERNEL_IS_CONNECTED = """() => {
    const session = globalThis.jupyterapp?.shell.currentWidget?.context?.sessionContext
        ?.session;
    return session?.kernel?.connectionStatus === 'connected'
        && session.kernel.status === 'idle';
}"""


def controls(cell: ElementHandle) -> list[ElementHandle]:
    return cell.query_selector_all(
        ".noUi-handle, select, input[type=checkbox], "
        ".widget-toggle-button:not(.mod-active)"
    )


def move(control: ElementHandle) -> None:
    """Give the control another value, with the mouse as in a hall."""
    kind = control.evaluate("element => element.tagName")
    if kind == "SELECT":
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
    """Every control of the cell changes the picture."""
    picture = cell.wait_for_selector("img.widget-image")
    moved = controls(cell)
    assert moved, "a picture and nothing to change it"
    for control in moved:
        before = picture.get_attribute("src")
        move(control)
        page.wait_for_function(CHANGED, arg=[picture, before])


def run_all(page: Page) -> None:
    """Run the notebook from top to bottom; nothing fails and nothing is left out."""
    executed = page.evaluate(RUN_ALL)
    assert [error for _, error in executed if error] == []
    assert [count for count, _ in executed] == list(range(1, len(executed) + 1))


EVERY_KIND = """
import ipywidgets as widgets
from matplotlib.figure import Figure

from lecture_utils import live

def draw(**values):
    figure = Figure(figsize=(4, 2))
    figure.text(0, 0.5, str(values))
    return figure

live(draw, "всё, чем управляют", a=widgets.IntSlider(1, 0, 9),
     b=widgets.SelectionSlider(options="абв"), c=widgets.Dropdown(options="где"),
     d=widgets.ToggleButtons(options="жз"), e=widgets.Checkbox(True))
"""


def test_every_kind_of_control(root: Path, open_notebook: Callable[[str], Page]):
    """Of the notebooks' own controls every one is moved in every run of nbval."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = new_notebook(cells=[new_code_cell(EVERY_KIND)], metadata=kernel)
    nbformat.write(notebook, root / "every_kind.ipynb")
    page = open_notebook("every_kind.ipynb")
    run_all(page)
    cell = page.evaluate_handle(CELL, 0).as_element()
    check_controls(page, cell)
    assert len(controls(cell)) == 5


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


def test_runs_and_is_shown_from_top_to_bottom(open_notebook: Callable[[str], Page]):
    """The show leaves no cell out, and live cells run on their slides, too.

    That the other notebooks are made for the show is a rule: see test_rules.py.
    """
    page = open_notebook(LECTURE.name)
    run_all(page)
    cells = nbformat.read(LECTURE, as_version=4).cells
    wanted = [i for i, c in enumerate(cells) if slide_type(c) not in ("skip", "notes")]
    live = live_cells(LECTURE)
    assert live
    seen: list[int] = []

    page.evaluate(START)
    page.click("[data-command='deck:toggle']")
    page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
    for element, least in {"p": 20, ".cm-content": 16}.items():
        assert page.eval_on_selector(f".jp-Deck {element}", FONT_SIZE) >= least
    while True:
        active, shown = page.evaluate(SHOWN)
        seen += shown
        if active in live:
            cell = page.query_selector(".jp-Deck .jp-Cell.jp-mod-active")
            before = cell.query_selector("img.widget-image")
            page.keyboard.press("Control+Enter")
            before.wait_for_element_state("hidden")  # the cell makes another one
            check_controls(page, cell)
            cell.focus()
        if active == wanted[-1]:
            break
        page.keyboard.press("Space")
        page.wait_for_function(ARRIVED, arg=active)
    assert sorted(set(seen)) == wanted

    page.keyboard.press("Escape")
    page.wait_for_selector("#jp-menu-panel")
    assert not page.query_selector(".jp-Deck")
