"""In which order tests run, and how long a limit of time is on a busy machine."""

from tools import load
from tools.paths import notebooks
from tools.pytest_plugin import SECONDS


def test_every_notebook_has_its_place_in_the_order():
    assert set(SECONDS) == {path.stem for path in notebooks()}


def test_limits_grow_and_never_shrink(monkeypatch):
    clock = iter([0.0, 3 * load.QUIET, 0.0, load.QUIET / 3])
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    busy, quick = (load.factor.__wrapped__() for _ in range(2))
    assert (round(busy, 9), quick) == (3, 1)
    assert load.factor() == load.factor()
