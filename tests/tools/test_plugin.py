"""In which order tests run, what is left out, how long limits of time are."""

from types import SimpleNamespace

import nbval.kernel
import pytest
from nbval.plugin import IPyNbCell

from lecture_utils.vit import wheel
from tools import load, pytest_plugin
from tools.paths import notebooks
from tools.pytest_plugin import (
    NEEDS_WEIGHTS,
    SECONDS,
    pytest_collection_modifyitems,
)


def test_every_notebook_has_its_place_in_the_order():
    assert set(SECONDS) == {path.stem for path in notebooks()}


def test_limits_grow_and_never_shrink(monkeypatch):
    clock = iter([0.0, 3 * load.QUIET, 0.0, load.QUIET / 3])
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    busy, quick = (load.factor.__wrapped__() for _ in range(2))
    assert (round(busy, 9), quick) == (3, 1)
    assert load.factor() == load.factor()


class Cell(IPyNbCell):
    """One cell of a notebook, and the marks it gets."""

    add_marker = property(lambda self: self.marks.append)


@pytest.mark.parametrize("there", [True, False])
def test_a_notebook_without_its_weights_is_left_out_visibly(
    there, tmp_path, monkeypatch
):
    monkeypatch.setenv("LECTURE_WEIGHTS", str(tmp_path))
    if there:
        wheel().touch()
    pytest_plugin.missing_weights.cache_clear()
    cells = []
    for path in notebooks():
        cells.append(object.__new__(Cell))
        cells[-1].path, cells[-1].marks = path, []
    option = SimpleNamespace(nbval_cell_timeout=1, nbval_kernel_startup_timeout=1)
    pytest_collection_modifyitems(SimpleNamespace(option=option), cells)
    pytest_plugin.missing_weights.cache_clear()
    reasons = {cell.path.stem: mark.args[0] for cell in cells for mark in cell.marks}
    assert set(reasons) == (set() if there else NEEDS_WEIGHTS)
    for reason in reasons.values():
        assert str(tmp_path) in reason and "make weights" in reason


def test_a_kernel_that_died_at_once_is_started_again(monkeypatch):
    tries = []

    def start(**options):
        tries.append(options)
        if len(tries) == 1:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "manager", "client"

    monkeypatch.setattr(pytest_plugin, "start_new_kernel", start)
    started = nbval.kernel.start_new_kernel(kernel_name="python3")
    assert started == ("manager", "client") and len(tries) == 2
