"""Start of a notebook and checked claims."""

import ctypes
import gc
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from lecture_utils import claim, setup
from lecture_utils.session import _SameDraws


@pytest.fixture(autouse=True)
def restore():
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_deterministic_debug_mode("default")


def test_setup_repeats_random_numbers():
    setup()
    first = torch.rand(2)
    setup()
    assert torch.equal(first, torch.rand(2))
    assert first.dtype == torch.float64


@pytest.mark.skipif(sys.platform != "linux", reason="glibc keeps what is freed")
def test_what_a_cell_has_freed_goes_back_to_the_system():
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("another libc")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    blocks = [bytearray(60_000) for _ in range(5000)]  # 300 MB, small enough to keep
    last = blocks[-1]  # on top of the heap: without help nothing below it is returned
    full = resident()
    del blocks
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from lecture_utils import setup; setup()").raise_error()
    finally:
        InteractiveShell.clear_instance()
    assert full - resident() > 200e6 and last is not None


def test_only_what_is_imported_is_left_out_of_the_search_for_garbage():
    shell = InteractiveShell.instance()
    gc.unfreeze()
    try:
        setup()
        shell.run_cell("x = [[]]")
        assert gc.get_freeze_count() == 0
        shell.run_cell("# импорт\nimport math")
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        InteractiveShell.clear_instance()


def test_setup_refuses_a_bad_dtype():
    with pytest.raises(ValueError, match=r"torch.int64, а нужен torch.float32"):
        setup(dtype=torch.int64)


@pytest.mark.parametrize("name", ["", " ", "CPU "])
def test_an_empty_device_name_is_none_and_case_is_free(monkeypatch, name):
    monkeypatch.setenv("LECTURE_DEVICE", name)
    assert setup() == torch.device("cpu")


def test_settings_of_the_user_do_not_change_pictures(monkeypatch):
    setup()
    usual = dict(mpl.rcParams)
    monkeypatch.setitem(mpl.rcParams, "image.origin", "lower")
    monkeypatch.setitem(mpl.rcParams, "lines.linestyle", ":")
    setup()
    assert dict(mpl.rcParams) == usual


def test_what_a_start_up_file_has_switched_does_not_count():
    x, y = torch.tensor(1.23456), np.array([1e-9, 1.23456])
    setup()
    usual = f"{x} {y}", np.geterr()
    torch.set_printoptions(precision=1, sci_mode=True)
    np.set_printoptions(precision=1, suppress=True)
    np.seterr(all="raise")
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.ast_node_interactivity, shell.autocall = "all", 2
    try:
        shell.run_cell("from lecture_utils import setup; setup()").raise_error()
        assert (shell.ast_node_interactivity, shell.autocall) == ("last_expr", 0)
    finally:
        InteractiveShell.clear_instance()
    assert (f"{x} {y}", np.geterr()) == usual
    assert torch.ones(1, requires_grad=True).sum().requires_grad
    assert torch.zeros(1).device == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tpu9000", ValueError, "не имя устройства"),
        ("mps", ValueError, "только cpu и cuda"),
        ("cuda:99", RuntimeError, "уберите переменную"),
    ],
)
def test_setup_refuses_a_device_that_does_not_exist(monkeypatch, name, error, message):
    monkeypatch.setenv("LECTURE_DEVICE", name)
    with pytest.raises(error, match=message):
        setup()


DRAWS = {
    "factory": lambda device: torch.randn(5, device=device),
    "like another": lambda device: torch.rand_like(torch.ones(5, device=device)),
    "in place": lambda device: torch.ones(5, device=device).normal_(2.0, 3.0),
    "layer": lambda device: torch.nn.Linear(5, 2, device=device).weight.data,
    "dropout": lambda device: torch.native_dropout(
        torch.ones(5, device=device, requires_grad=True), 0.5, True
    )[0],
}


@pytest.mark.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_device_draws_what_the_cpu_draws(draw, device):
    torch.manual_seed(0)
    want = draw("cpu"), torch.rand(1)
    torch.manual_seed(0)
    with _SameDraws(device):
        got = draw(device)
    assert got.device.type == device
    torch.testing.assert_close((got.cpu(), torch.rand(1)), want, rtol=0, atol=0)


def test_dropout_of_a_device_is_dropout_of_the_cpu():
    x = torch.ones(9)
    torch.manual_seed(0)
    with _SameDraws("cpu"):
        dropped, kept = torch.native_dropout(x, 0.5, True)
    torch.manual_seed(0)
    assert torch.equal(dropped, torch.nn.functional.dropout(x, 0.5))
    assert torch.equal(dropped > 0, kept)


def test_a_factory_of_a_device_uses_up_the_draws_of_the_cpu():
    torch.manual_seed(0)
    torch.randn(7)
    want = torch.rand(1)
    torch.manual_seed(0)
    with _SameDraws("meta"):
        there = torch.randn(7, device="meta")
    assert there.device.type == "meta"
    assert torch.equal(torch.rand(1), want)


def test_true_claim_is_printed(capsys):
    claim("два меньше трёх", torch.tensor(2) < 3)
    assert capsys.readouterr().out == "✔ два меньше трёх\n"


def test_false_claim_shows_what_was_measured(capsys):
    losses = {"plain": [0.5, 0.25], "residual": [0.4, 0.2]}
    with pytest.raises(AssertionError) as raised:
        claim("обычная хуже", losses["plain"][-1] > 5 * losses["residual"][-1])
    message = str(raised.value)
    assert "✘ обычная хуже" in message
    assert "losses['plain'][-1] = 0.25" in message
    assert "5 * losses['residual'][-1] = 1.0" in message
    assert capsys.readouterr().out == ""


def test_claim_refuses_many_values():
    with pytest.raises(TypeError, match="all"):
        claim("все больше нуля", torch.ones(2) > 0)


def test_a_claim_about_nan_is_false():
    with pytest.raises(AssertionError):
        claim("потери малы", float("nan") < 1)
