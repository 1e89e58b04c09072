"""The notebooks in a real browser: JupyterLab runs them and their controls work."""

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
from playwright.sync_api import ElementHandle, Page

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NO_NEWS = (
    '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
)


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


WITH_CONTROLS = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if live_cells(path)]


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s still waiting until {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab with copies of the notebooks and settings of its own."""
    home = tmp_path_factory.mktemp("jupyter")
    root = shutil.copytree(NOTEBOOKS, home / "root" / "notebooks").parent
    (home / "config" / "labconfig").mkdir(parents=True)
    (home / "config" / "labconfig" / "page_config.json").write_text(NO_NEWS, "utf-8")
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
        f"JUPYTER_{name.upper()}_DIR": str(home / name)
        for name in ("config", "data", "runtime")
    }
    log = home / "log.txt"
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
        address = f"http://127.0.0.1:{port}/lab/tree/notebooks"
        yield f"{address}/{{name}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(30)


RUN_ALL = """async () => {
    const {context, content} = jupyterapp.shell.currentWidget;
    await context.sessionContext.ready;
    await jupyterapp.commands.execute('notebook:run-all-cells');
    return content.widgets.map(cell => cell.model).filter(m => m.type === 'code').map(
        m => [m.executionCount, m.outputs.toJSON().find(o => o.output_type === 'error')]
    );
}"""
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
    return cell.query_selector_all(".noUi-handle, select, input[type=checkbox]")


def move(control: ElementHandle) -> None:
    """Give a slider, list or check box another value."""
    kind = control.evaluate("element => element.tagName")
    if kind == "SELECT":
        control.select_option(index=int(control.evaluate("e => !e.selectedIndex")))
    elif kind == "INPUT":
        control.press("Space")
    else:
        before = control.get_attribute("aria-valuenow")
        control.press("ArrowRight")
        if control.get_attribute("aria-valuenow") == before:
            control.press("ArrowLeft")


@pytest.mark.parametrize("path", WITH_CONTROLS, ids=lambda path: path.stem)
def test_controls_change_their_picture(path: Path, lab: str, page: Page):
    page.goto(lab.format(name=path.name))
    page.wait_for_function(KERNEL_IS_CONNECTED, timeout=60_000)
    executed = page.evaluate(RUN_ALL)
    assert [error for _, error in executed if error] == []
    assert [count for count, _ in executed] == list(range(1, len(executed) + 1))

    for index in live_cells(path):
        cell = page.evaluate_handle(CELL, index).as_element()
        picture = cell.wait_for_selector("img.widget-image")
        moved = controls(cell)
        assert moved, f"cell {index} has a picture and nothing to change it"
        for control in moved:
            before = picture.get_attribute("src")
            move(control)
            wait_for(
                lambda: picture.get_attribute("src") != before,  # noqa: B023
                f"the picture of cell {index} changes",
                seconds=20,
            )
