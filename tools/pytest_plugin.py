"""Settings of every test run, `pytest --nbval` alone included."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

import psutil
import pytest
from jupyter_client import BlockingKernelClient
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tools.cells import WIDGET_VIEW
from tools.pictures import changed_pictures, same_painter

GIB = 2**30
CONTROLS = find_spec("tools.controls").origin
NOISE = find_spec("tools.noise").origin
# Notebooks that run side by side share the cores: one thread each.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Progress bars are for people; a stored notebook holds none.
os.environ["TQDM_DISABLE"] = "1"


def pytest_xdist_auto_num_workers() -> int:
    """As many workers as there are cores and room in memory, for `pytest -n auto`."""
    room = psutil.virtual_memory().available // (3 * GIB)
    return max(1, min(os.cpu_count() or 1, room))


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadScopeScheduling:
    """Side by side, but the cells of a notebook in one kernel."""
    return _Scheduler(config, log)


class _Scheduler(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        """One worker for a notebook and for a test module, which shares fixtures.

        The tests of test_lab.py are long, and one worker would have them all.
        """
        return nodeid if "test_lab.py" in nodeid else super()._split_scope(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let nbval wait longer for a printed line: its 5 s are few on a busy machine."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 60


def pytest_report_header() -> str | None:
    if not same_painter():
        return "pictures: not compared, matplotlib is not the one of requirements.txt"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """LECTURE_NOISE=1: the notebook runs with the rounding of another processor."""
    yield
    seed = os.environ.get("LECTURE_NOISE")
    if seed and getattr(item, "cell_num", None) == 0:
        noise = f"__import__('runpy').run_path({NOISE!r})['Noise']({int(seed)})"
        fault = _run_in_kernel(item.parent.kernel.kc, f"{noise}.__enter__()")
        assert fault is None, fault


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """nbval compares texts; compare pictures and move the controls, too."""
    yield
    if outputs := getattr(item, "test_outputs", None):
        if fault := _fault_of_controls(item.parent.kernel.kc, outputs):
            item.raise_cell_error(*fault)
        whole = "picture-varies" in item.cell.metadata.get("tags", ())
        stored = item.cell.get("outputs", [])
        changed = same_painter() and changed_pictures(stored, outputs, whole=whole)
        if changed:
            item.raise_cell_error("; ".join(changed))


def _fault_of_controls(
    kernel: BlockingKernelClient, outputs: list[dict]
) -> tuple[str, str] | None:
    """Message and traceback of the first live picture that a control fails to move."""
    for data in (output.get("data", {}) for output in outputs):
        if not data.get("text/plain", "").startswith("Виджет"):
            continue
        move_all = f"__import__('runpy').run_path({CONTROLS!r})['move_all']"
        call = f"{move_all}({data[WIDGET_VIEW]['model_id']!r})"
        if fault := _run_in_kernel(kernel, call):
            return fault


def _run_in_kernel(kernel: BlockingKernelClient, code: str) -> tuple[str, str] | None:
    """Message and traceback of what ``code`` raises between the cells."""
    reply = kernel.execute_interactive(
        code,
        store_history=False,
        allow_stdin=False,
        output_hook=lambda message: None,
        timeout=120,
    )["content"]
    if reply["status"] != "ok":
        return reply["evalue"], "\n".join(reply["traceback"])
