"""In which order tests run, what is left out, how long limits of time are."""

import os
import subprocess
import sys

from tools import load
from tools.paths import ROOT, notebooks
from tools.pytest_plugin import NEEDS_WEIGHTS, SECONDS


def test_every_notebook_has_its_place_in_the_order():
    assert set(SECONDS) == {path.stem for path in notebooks()}


def test_limits_grow_and_never_shrink(monkeypatch):
    clock = iter([0.0, 3 * load.QUIET, 0.0, load.QUIET / 3])
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    busy, quick = (load.factor.__wrapped__() for _ in range(2))
    assert (round(busy, 9), quick) == (3, 1)
    assert load.factor() == load.factor()


def test_a_notebook_without_its_weights_is_left_out_visibly(tmp_path):
    assert NEEDS_WEIGHTS.issubset(path.stem for path in notebooks())
    files = [f"notebooks/{name}.ipynb" for name in NEEDS_WEIGHTS]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env=os.environ | {"LECTURE_WEIGHTS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" not in run.stdout and "failed" not in run.stdout
    assert f"no {tmp_path}" in run.stdout.replace("\n", "")
    assert "make weights" in run.stdout
