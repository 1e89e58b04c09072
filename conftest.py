"""Settings of every test run, `pytest --nbval` alone included."""

import os
from collections.abc import Iterator

import psutil
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.pictures import changed_pictures, same_painter

GIB = 2**30
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

        Every test of test_lab.py takes a minute and a JupyterLab of its own.
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
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """nbval compares texts; compare the pictures of a notebook cell, too."""
    yield
    if getattr(item, "test_outputs", None) and same_painter():
        changed = changed_pictures(
            item.cell.get("outputs", []),
            item.test_outputs,
            whole="picture-varies" in item.cell.metadata.get("tags", ()),
        )
        if changed:
            item.raise_cell_error("; ".join(changed))
