"""What goes wrong in a lecture: a clear message, no lost work, the next cell runs."""

import errno
import signal
from collections.abc import Iterator

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_notebook

from tools import notebooks
from tools.load import factor

START = """from lecture_utils import exercise, setup
setup()"""
TRAINING = """import torch
from torch import nn
from lecture_utils.training import fit
data = torch.zeros(8, 2), torch.zeros(8, dtype=torch.int64)
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
report = iter(["a step is done"])
optimizer.register_step_post_hook(lambda *_: print(next(report, ""), end=""))
history = fit(model, data, data, steps=10**9, optimizer=optimizer)"""


class Kernel:
    """A real kernel that runs cells as JupyterLab does."""

    def __init__(self):
        self.patience = 60 * factor()
        self.manager, self.client = start_new_kernel(startup_timeout=self.patience)

    def run(self, source: str, interrupt_after: str | None = None) -> str:
        """All that the cell printed and displayed, its error included, as one text."""
        message = self.client.execute(source)
        shown = ""
        while True:
            reply = self.client.get_iopub_msg(timeout=self.patience)
            content = reply["content"]
            if reply["parent_header"].get("msg_id") != message:
                continue
            shown += content.get("text", "") + "\n".join(content.get("traceback", []))
            if content.get("execution_state") == "idle":
                return shown
            if interrupt_after and interrupt_after in shown:
                interrupt_after = None
                self.manager.interrupt_kernel()

    def restart(self) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=self.patience)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    # A background job ignores Ctrl-C, and so would the kernel that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)
    signal.signal(signal.SIGINT, before)


def test_cells_out_of_order(kernel: Kernel):
    kernel.run(START)
    shown = kernel.run("print(street.image)")
    assert "NameError" in shown and "street.image" in shown
    assert "«street»" in shown and "Run All Above" in shown
    assert kernel.run("street = 1\nprint(street)") == "1\n"


# More than any computer has; C++ and a GPU cannot be asked for that everywhere.
TOO_MUCH = {
    "Python": "bytearray(10**15)",
    "NumPy": "import numpy as np; np.ones(10**15)",
    "torch": "import torch; torch.ones(10**15)",
    "C++": "raise RuntimeError('std::bad_alloc')",
    "GPU": "import torch; raise torch.OutOfMemoryError('CUDA out of memory')",
}


@pytest.mark.parametrize("source", TOO_MUCH.values(), ids=TOO_MUCH)
def test_out_of_memory(kernel: Kernel, source: str):
    kernel.run(START)
    shown = kernel.run(f"kept = 1\n{source}")
    assert "Error" in shown and "Не хватило памяти" in shown
    assert kernel.run("print(kept)") == "1\n"


def test_not_every_error_is_about_memory(kernel: Kernel):
    kernel.run(START)
    shown = kernel.run("import torch; torch.zeros(1).expand(2).add_(1)")
    assert "RuntimeError" in shown and "single memory location" in shown
    assert "Не хватило памяти" not in shown


def test_restart_in_the_middle(kernel: Kernel):
    kernel.run(START)
    kernel.restart()
    assert "NameError" in kernel.run("exercise('04.1', None)")
    kernel.run(START)
    assert "решения пока нет" in kernel.run("exercise('04.1', None)")


def test_ctrl_c_in_training(kernel: Kernel):
    kernel.run(START)
    shown = kernel.run(TRAINING, interrupt_after="a step is done")
    assert "Обучение прервано на шаге" in shown and "Traceback" not in shown
    assert kernel.run("print(len(history.step) > 0, model.training)") == "True False\n"


def test_ctrl_c_in_an_exercise(kernel: Kernel):
    kernel.run(START)
    endless = "def endless(*args):\n    print('start')\n    while True: pass\n"
    shown = kernel.run(endless + "exercise('04.1', endless)", interrupt_after="start")
    assert "KeyboardInterrupt" in shown
    assert "решения пока нет" in kernel.run("exercise('04.1', None)")


def test_endless_loop_in_an_exercise(kernel: Kernel):
    kernel.run(
        START + "\nfrom lecture_utils.exercises import expect\nexpect.TIME_LIMIT = 0.5"
    )
    endless = "def endless(*args):\n    while True: pass\n"
    assert "не закончилось за" in kernel.run(endless + "exercise('04.1', endless)")
    assert "решения пока нет" in kernel.run("exercise('04.1', None)")


def test_quit_in_an_exercise(kernel: Kernel):
    """IPython's own: it raises nothing and ends the kernel after the cell."""
    kernel.run(START)
    shown = kernel.run("def leave(*args): quit()\nexercise('04.1', leave)")
    assert "функция упала: SystemExit" in shown
    assert "решения пока нет" in kernel.run("exercise('04.1', None)")


def test_deaf_code_in_an_exercise(kernel: Kernel):
    kernel.run(
        START
        + "\nimport signal, time\nfrom lecture_utils.exercises import expect, limit"
        "\nexpect.TIME_LIMIT, limit.DEAF, limit.HOPELESS = 0.2, 0, 0.2"
    )
    deaf = "def deaf(*args):\n    signal.setitimer(0, 0)\n    time.sleep(2)\n"
    said, verdict = kernel.run(deaf + "exercise('04.1', deaf)").splitlines()
    assert "Перезапустить ядро" in said and "не закончилось за" in verdict


def test_full_disk_while_saving(tmp_path, monkeypatch):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("old = 1")]), path)
    before = path.read_bytes()

    def half(nb, target):
        target.write_text('{"cells": [', encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nbformat, "write", half)
    with pytest.raises(notebooks.NotebookError, match="the old one is kept"):
        notebooks.write(new_notebook(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "no half-written file is left"
