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

from tools.cells import WIDGET_VIEW
from tools.paths import NOTEBOOKS, notebooks

NO_NEWS = (
    '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
)
PATHS = notebooks()
RESNET = NOTEBOOKS / "04_resnet.ipynb"


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


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s still waiting until {what}"
        time.sleep(0.2)


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
        assert server.poll() is None, log.read_text("utf-8")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(answers, "JupyterLab answers")
        yield f"http://127.0.0.1:{port}/lab/tree/{{name}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def open_notebook(lab: str, page: Page) -> Iterator[Callable[[str], Page]]:
    """Open a notebook and wait for its kernel; shut the kernel down in the end."""

    def open_(name: str) -> Page:
        page.goto(lab.format(name=name))
        page.wait_for_function(KERNEL_IS_CONNECTED, timeout=60_000)
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


def check_controls(cell: ElementHandle, index: int) -> None:
    """Every control of the cell changes the picture."""
    picture = cell.wait_for_selector("img.widget-image", timeout=60_000)
    moved = controls(cell)
    assert moved, f"cell {index} has a picture and nothing to change it"
    for number, control in enumerate(moved, 1):
        before = picture.get_attribute("src")
        move(control)
        wait_for(
            lambda: picture.get_attribute("src") != before,  # noqa: B023
            f"control {number} of cell {index} changes the picture",
            seconds=20,
        )


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
    check_controls(cell, 0)
    assert len(controls(cell)) == 5


def test_runs_from_top_to_bottom(open_notebook: Callable[[str], Page]):
    page = open_notebook(RESNET.name)
    run_all(page)
    for index in live_cells(RESNET):
        check_controls(page.evaluate_handle(CELL, index).as_element(), index)
    live_show(RESNET, page, run=True)


START = "() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }"
MOVED = "from => jupyterapp.shell.currentWidget.content.activeCellIndex !== from"
SHOWN = """() => {
    const {activeCellIndex, widgets} = jupyterapp.shell.currentWidget.content;
    return [activeCellIndex, widgets.flatMap((cell, i) =>
        cell.node.matches('.jp-deck-mod-onscreen.jp-deck-mod-visible') ? [i] : [])];
}"""
FONT_SIZE = "element => parseFloat(getComputedStyle(element).fontSize)"


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path != RESNET], ids=lambda path: path.stem
)
def test_live_show(path: Path, open_notebook: Callable[[str], Page]):
    live_show(path, open_notebook(path.name), run=False)


def live_show(path: Path, page: Page, *, run: bool) -> None:
    """The show leaves no cell out; ``run`` live cells on their slides, too."""
    cells = nbformat.read(path, as_version=4).cells
    types = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in cells]
    wanted = [i for i, kind in enumerate(types) if kind not in ("skip", "notes")]
    seen: list[int] = []

    page.evaluate(START)
    page.click("[data-command='deck:toggle']")
    page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
    for element, least in {"p": 20, ".cm-content": 16}.items():
        assert page.eval_on_selector(f".jp-Deck {element}", FONT_SIZE) >= least
    while True:
        active, shown = page.evaluate(SHOWN)
        seen += shown
        if run and active in live_cells(path):
            cell = page.query_selector(".jp-Deck .jp-Cell.jp-mod-active")
            before = cell.query_selector("img.widget-image")
            page.keyboard.press("Control+Enter")
            before.wait_for_element_state("hidden")  # the cell makes another one
            check_controls(cell, active)
            cell.focus()
        if active == wanted[-1]:
            break
        page.keyboard.press("Space")
        page.wait_for_function(MOVED, arg=active)
    assert sorted(set(seen)) == wanted

    page.keyboard.press("Escape")
    page.wait_for_selector("#jp-menu-panel")
    assert not page.query_selector(".jp-Deck")
