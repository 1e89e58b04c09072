"""Exercises: mistakes students make are rejected with a hint, right answers written
in different ways are accepted, and nothing a student hands in stops the notebook."""

import builtins
import gc
import io
import locale
import logging
import os
import random
import re
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from time import sleep

import matplotlib as mpl
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as hooks
from torch.nn.utils.parametrizations import weight_norm
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.flop_counter import FlopCounterMode

import lecture_utils
from lecture_utils import exercise
from lecture_utils.exercises import _TRIED, MORE, judge
from lecture_utils.exercises import expect as judging
from lecture_utils.exercises.bans import BUILDING, Ban
from lecture_utils.exercises.cases import CHECKS, cases
from lecture_utils.exercises.expect import (
    SILENT,
    Failed,
    Wrong,
    call,
    case,
    convolve,
    expect,
)
from tests.answers import RIGHT, WRONG

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
NUMBERS = sorted({answer.values[0] for answer in RIGHT})
GRADED = [number for number in NUMBERS if number[0] != "§"]  # the others: warm-ups


def title(number: str) -> str:
    return f"{'разминка' if number[0] == '§' else 'упражнение'} {number}"


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def precision(request):
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def float64():
    """The notebooks' own precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_right_answer_is_accepted(number, answer, precision):
    assert judge(number, answer) == f"✔ {title(number)}: верно"


@pytest.mark.parametrize(("number", "answer"), WRONG)
def test_wrong_answer_is_rejected_with_a_hint(number, answer, float64):
    verdict = judge(number, answer)
    assert verdict.startswith(f"✘ {title(number)}: ")
    assert "—" in verdict and len(verdict) > 60, "says on which input, and a hint"


def test_every_exercise_has_enough_answers():
    for answers, enough in ((RIGHT, 2), (WRONG, 4)):
        count = Counter(answer.values[0] for answer in answers)
        few = {number: count[number] for number in NUMBERS if count[number] < enough}
        assert not few, f"at least {enough} answers are needed"


def _not_implemented(*args):
    raise NotImplementedError


def _empty(*args):
    """Подсказка задания."""
    pass


def _no_return(*args):
    print(args[:0])


def _crash(*args):
    raise RuntimeError("размеры не совпали")


UNTOUCHED = {
    "None": None,
    "...": ...,
    "a stub": lambda *args: ...,
    "an empty body": _empty,
    "NotImplementedError": _not_implemented,
}


@pytest.mark.parametrize("number", NUMBERS)
def test_untouched_exercise_is_unsolved(number):
    verdicts = {name: judge(number, answer) for name, answer in UNTOUCHED.items()}
    assert set(verdicts.values()) == {f"… {title(number)}: решения пока нет"}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_forgotten_return_is_named(number):
    assert "ничего не вернула: ответ отдаёт return" in judge(number, _no_return)


def test_an_answer_leaves_the_session_as_it_was():
    def careless(*args):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float16)
        torch.set_num_threads(7)
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        return 5

    def session():
        switches = torch.is_grad_enabled(), torch.get_default_dtype()
        numbers = torch.initial_seed(), random.getstate(), str(np.random.get_state())
        return switches, torch.get_num_threads(), numbers

    before = session()
    assert judge("04.1", careless).startswith("✘")
    assert session() == before


def _prints_less(*args):
    torch.set_printoptions(precision=1)
    np.set_printoptions(precision=1)


def _is_strict(*args):
    np.seterr(all="raise")
    warnings.simplefilter("error")
    torch.set_deterministic_debug_mode("error")
    torch.autograd.set_detect_anomaly(True)


def _computes_elsewhere(*args):
    torch.set_default_device("meta")


def _moves_out(*args):
    os.chdir("/")
    os.environ["LECTURE_DEVICE"] = "cuda:7"
    sys.stdout = io.StringIO()


def _replaces(*args):
    torch.relu, F.relu, builtins.len = repr, repr, repr
    raise ValueError


def _draws_its_own_way(*args):
    mpl.rcParams["image.origin"] = "lower"
    sys.stderr = io.StringIO()


def _hurries(*args):
    gc.disable()
    torch.set_float32_matmul_precision("medium")
    sys.path.clear()


def _replaces_methods(*args):
    nn.Conv2d.forward = nn.Module.__call__ = torch.Tensor.sum = nn.Linear = repr


def _switches_libraries_off(*args):
    torch.backends.mkldnn.enabled = torch.backends.cudnn.enabled = False
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.cuda.enable_flash_sdp(False)
    torch.use_deterministic_algorithms(True)


def _leaves_doors_open(*args):
    torch.device("meta").__enter__()
    FlopCounterMode(display=False).__enter__()
    torch.set_autocast_enabled("cpu", True)
    torch.inference_mode().__enter__()


def _hooks_every_module(*args):
    hooks.register_module_forward_hook(lambda *_: "чужое")
    hooks.register_module_full_backward_hook(lambda *_: "чужое")


def _rounds_to_zero(*args):
    torch.set_flush_denormal(True)


def _is_deaf(*args):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGALRM])
    logging.disable()
    locale.setlocale(locale.LC_ALL, "C")
    sys.setswitchinterval(100)


def _forgets_modules(*args):
    del sys.modules["random"]
    sys.modules["json"] = None


def _replaces_all_over(*args):
    random.random = np.random.rand = time.time = nn.ReLU.forward = repr
    torch.Tensor.__add__ = nn.GELU.__call__ = nn.init.zeros_ = repr
    os.getpid = sys.exit = builtins.isinstance = torch.linalg.norm = repr


def _rewrites_the_judge(*args):
    judging.TIME_LIMIT, judging.expect = 1e9, print
    lecture_utils.claim = print


def _hits_the_ceiling(*args):
    for depth in range(1, 1000):
        with suppress(RecursionError):  # as low as Python allows
            sys.setrecursionlimit(depth)
            break


def _leaves_its_folder(*args):
    with TemporaryDirectory() as folder:
        os.chdir(folder)


@pytest.mark.parametrize(
    "answer",
    [
        _prints_less,
        _is_strict,
        _computes_elsewhere,
        _moves_out,
        _replaces,
        _draws_its_own_way,
        _hurries,
        _replaces_methods,
        _switches_libraries_off,
        _leaves_doors_open,
        _hooks_every_module,
        _rounds_to_zero,
        pytest.param(_is_deaf, marks=posix),
        _forgets_modules,
        _replaces_all_over,
        _rewrites_the_judge,
        _hits_the_ceiling,
        _leaves_its_folder,
    ],
)
def test_the_next_cell_does_not_notice_an_answer(answer):
    def session():
        assert nn.Identity()(torch.ones(1)).item() == 1
        assert isinstance(torch.ones(1) + 1, torch.Tensor)
        printed = f"{torch.tensor(1.23456)} {np.array(1.23456)}", sys.stdout
        strict = np.geterr(), warnings.filters[:], torch.is_anomaly_enabled()
        strict += (torch.get_deterministic_debug_mode(),)
        place = torch.zeros(1).device, os.getcwd(), dict(os.environ)
        methods = nn.Conv2d.forward, nn.Module.__call__, torch.Tensor.sum, nn.Linear
        tools = mpl.rcParams["image.origin"], sys.stderr, gc.isenabled(), sys.path[:]
        tools += (torch.get_float32_matmul_precision(),)
        tools += torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled
        tools += (torch.backends.mha.get_fastpath_enabled(),)
        tools += torch.backends.cuda.flash_sdp_enabled(), torch.get_default_device()
        tools += torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled()
        tools += (_get_current_dispatch_mode_stack(),)
        tools += (torch.tensor(5e-324, dtype=torch.float64).mul(1).item() > 0,)
        tools += logging.root.manager.disable, locale.setlocale(locale.LC_ALL)
        tools += (signal.getsignal(signal.SIGINT),)
        if hasattr(signal, "pthread_sigmask"):
            tools += (signal.pthread_sigmask(signal.SIG_BLOCK, []),)
        tools += sys.getrecursionlimit(), sys.getswitchinterval()
        tools += sys.modules["random"], sys.modules["json"]
        tools += random.random, np.random.rand, time.time, nn.ReLU.forward
        tools += torch.Tensor.__add__, nn.GELU.__call__, nn.init.zeros_
        tools += os.getpid, sys.exit, isinstance, torch.linalg.norm
        tools += (
            judging.TIME_LIMIT,
            judging.expect,
            import_module("lecture_utils").claim,
        )
        return printed, strict, place, (torch.relu, F.relu, len), methods, tools

    before = session()
    assert judge("04.1", answer).startswith("✘")
    assert session() == before


def test_an_error_whose_message_has_no_end(monkeypatch):
    class Long(Exception):
        __str__ = _endless

    def answer(*args):
        raise Long

    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.02)
    assert judge("04.1", answer).startswith("✘")


class _Mute(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, _Mute])
def test_whatever_is_raised_is_a_verdict(error):
    def answer(*args):
        raise error

    assert f"функция упала: {error.__name__}" in judge("04.1", answer)


def test_a_long_message_is_shortened():
    def answer(*args):
        raise ValueError("x" * 10**6)

    assert len(judge("04.1", answer)) < 1000


class _Stubborn:
    """Fails at whatever is done to it."""

    def _fail(self, *args):
        raise ValueError("нельзя")

    __eq__ = __len__ = __iter__ = __getitem__ = __float__ = __repr__ = _fail
    __hash__ = None


class _Agreeable:
    """Equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = None


def _nonsense() -> dict[str, object]:
    """What a student may return, good for nothing in any exercise."""
    zeros = torch.zeros(2)
    return {
        "word": "строка",
        "list": [],
        "dict": {},
        "generator": (i for i in range(2)),
        "bool": True,
        "complex": 1j,
        "NaN": float("nan"),
        "huge": 10**5000,
        "NaN tensor": torch.tensor(float("nan")),
        "int8": torch.zeros(1, dtype=torch.int8),
        "bool tensor": torch.tensor([True]),
        "two numbers": zeros,
        "two numbers of NumPy": np.zeros(2),
        "objects of NumPy": np.array([None, zeros], dtype=object),
        "pair": (zeros, zeros),
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.zeros(2, device="meta"),
        "nested": torch.nested.nested_tensor([zeros], layout=torch.jagged),
        "quantised": torch.quantize_per_tensor(zeros.float(), 1, 0, torch.quint8),
        "parameter": nn.Parameter(torch.zeros(2)),
        "layer": nn.Linear(1, 1),
        "convolution of meta": nn.Conv2d(1, 1, 1, device="meta"),
        "function": len,
        "stubborn": _Stubborn(),
        "agreeable": _Agreeable(),
    }


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("number", NUMBERS)
def test_nonsense_is_wrong_and_never_crashes(number):
    answers = {"a number": 42, "a word": "код", "no arguments": lambda: 1}
    answers["an error"] = _crash
    for name, value in _nonsense().items():
        answers[f"returns {name}"] = lambda *args, value=value: value
    verdicts = {name: judge(number, answer) for name, answer in answers.items()}
    start = f"✘ {title(number)}: "
    assert not {k: v for k, v in verdicts.items() if not v.startswith(start)}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("want", [1, 0.5, [1, 2], torch.zeros(2), torch.tensor(0.5)])
def test_expect_raises_nothing_but_wrong(want):
    for name, got in _nonsense().items():
        try:
            expect(got, want)
        except Wrong:
            continue
        assert name in ("parameter", "two numbers") and isinstance(want, torch.Tensor)


def _endless(*args):
    while True:
        with suppress(Exception):  # a student's catch-all does not keep it alive
            sum(range(1000))


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.02)
    verdicts = {number: judge(number, _endless) for number in NUMBERS}
    assert not {
        number: verdict
        for number, verdict in verdicts.items()
        if not verdict.startswith(f"✘ {title(number)}: ")
        or "не закончилось" not in verdict
    }


# ruff: disable[B012, E722]
def _swallows(*args):
    while True:
        try:
            sleep(0.001)
        except:
            continue


def _swallows_twice(*args):
    while True:
        try:
            try:
                while True:
                    pass
            except:
                pass
        except:
            pass


def _swallows_deeper(*args, depth=20):
    while True:
        try:
            if depth:
                _swallows_deeper(depth=depth - 1)
            while True:
                pass
        except:
            pass


def _swallows_at_last(*args):
    while True:
        try:
            sum(range(100))
        finally:
            continue


def _collects(*args):
    errors = []
    while True:
        try:
            try:
                sum(range(100))
            except BaseException as error:
                errors.append(error)
        except BaseException as error:
            errors.append(error)


def _goes_on_afterwards(*args):
    try:
        while True:
            pass
    except:
        _swallows_twice()


def _looks_away(*args):
    while True:
        try:
            sys.settrace(None)
        except:
            sys.settrace(None)


def _stops_the_clock(*args):
    signal.setitimer(signal.ITIMER_REAL, 0)
    _swallows_twice()


def _ignores_the_alarm(*args):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    _swallows()


def _lets_the_alarm_kill(*args):
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _swallows_twice()


def _blocks_the_alarm(*args):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    _swallows()


# ruff: enable[B012, E722]
def _yields_forever(*args):
    return list(iter(lambda: None, 0))


@posix
@pytest.mark.parametrize("alarm", [True, False], ids=["alarm", "as on Windows"])
@pytest.mark.parametrize(
    "answer",
    [
        _swallows,
        _swallows_twice,
        _swallows_deeper,
        _swallows_at_last,
        _collects,
        _goes_on_afterwards,
        _looks_away,
        _stops_the_clock,
        _ignores_the_alarm,
        _lets_the_alarm_kill,
        _blocks_the_alarm,
        _yields_forever,
    ],
)
def test_nothing_keeps_an_endless_loop_alive(answer, alarm, monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.1)
    monkeypatch.setattr("lecture_utils.exercises.limit.DEAF", 0.1)
    monkeypatch.setattr("lecture_utils.exercises.limit.AGAIN", 0.01)
    if not alarm and "alarm" not in answer.__name__ and "clock" not in answer.__name__:
        monkeypatch.delattr(signal, "setitimer")

    def session():
        alarm = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return sys.gettrace(), alarm, masked, threading.active_count()

    before = session()
    assert "не закончилось за" in judge("04.1", answer)
    assert session() == before


@posix
def test_what_cannot_be_stopped_says_what_helps(monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.1)
    monkeypatch.setattr("lecture_utils.exercises.limit.DEAF", 0)
    monkeypatch.setattr("lecture_utils.exercises.limit.HOPELESS", 0.2)

    gate = threading.Lock()
    gate.acquire()

    class Screen(io.StringIO):
        def write(self, text):
            if gate.locked():
                gate.release()
            return super().write(text)

    def asleep(*args):
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout = io.StringIO()
        gate.acquire(timeout=60)  # C code that ends only when it is said

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert "не закончилось за" in judge("04.1", asleep)
    assert screen.getvalue().count("Перезапустить ядро…") == 1


def test_an_end_of_the_process_is_an_error():
    assert "функция упала: SystemExit" in judge("04.1", lambda *args: os._exit(3))


@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_copy_of_the_process_does_not_go_on():
    process, copies = os.getpid(), []
    verdict = judge("04.1", lambda *args: copies.append(os.fork()))
    if os.getpid() != process:
        os._exit(1)
    assert verdict.startswith("✘") and copies[0]
    assert os.waitpid(copies[0], 0)[1] == 0


class _NoEnd(list):
    def __len__(self):
        return 2

    def __iter__(self):
        return iter(int, 1)

    def __repr__(self):
        return _endless()


class _Exits(list):
    def __repr__(self):
        raise SystemExit

    __len__ = __iter__ = __repr__


class _NoEndAnywhere(tuple):
    __len__ = __iter__ = __repr__ = __eq__ = __getitem__ = _endless
    __hash__ = None


@pytest.mark.parametrize(
    "odd",
    [_NoEnd(), _Exits(), _NoEndAnywhere()],
    ids=["no end", "exit", "no end of anything"],
)
@pytest.mark.parametrize("number", ["04.1", "07.1", "11.1", "§4.1"])
def test_what_is_returned_cannot_stop_the_notebook(number, odd, monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.1)
    assert judge(number, lambda *args: odd).startswith("✘")


@posix
def test_a_function_that_sleeps_is_woken(monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.2)
    with pytest.raises(Failed, match="не закончилось за"):
        call(sleep, 600)


def test_an_endless_loop_is_stopped_outside_the_main_thread_too(monkeypatch):
    monkeypatch.setattr("lecture_utils.exercises.expect.TIME_LIMIT", 0.02)
    with ThreadPoolExecutor() as pool:
        assert "не закончилось" in pool.submit(judge, "04.1", _endless).result()


@posix
def test_the_alarm_of_others_goes_on(monkeypatch):
    signal.setitimer(signal.ITIMER_REAL, 1000)
    call(lambda: 1)
    rest, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    assert 0 < rest <= 1000


def test_ctrl_c_of_the_student_is_not_a_verdict():
    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge("04.1", interrupted)


def test_an_error_of_the_student_is_named():
    assert "RuntimeError: размеры не совпали" in judge("04.1", _crash)


def test_what_torch_does_not_implement_is_an_error_of_the_student():
    def relu_of_bools(*args):
        return torch.zeros(2, dtype=torch.bool).relu()

    assert "функция упала" in judge("04.1", relu_of_bools)


def test_the_student_cannot_spoil_the_input():
    def spoil(W1, b1, W2):
        length = W1.norm(dim=1)
        order = (b1 / length).argsort()
        parts = W1 / length[:, None], b1 / length, W2 * length
        W1.zero_(), b1.zero_(), W2.zero_()
        return parts[0][order], parts[1][order], parts[2][:, order]

    assert judge("04.2", spoil).startswith("✔")


def test_what_fails_in_a_check_itself_is_a_verdict(monkeypatch):
    def check(answer, rng):
        raise ZeroDivisionError

    judge("04.1", ...)  # the checks of the notebook are registered
    monkeypatch.setitem(CHECKS, "04.1", check)
    assert judge("04.1", _crash).startswith("✘ упражнение 04.1: ответ не того вида — ")


def test_verdicts_leave_the_random_numbers_alone():
    before = torch.random.get_rng_state()
    for number in NUMBERS:
        judge(number, lambda *args: torch.rand(3))
        assert torch.equal(torch.random.get_rng_state(), before), number


def test_exercise_prints_the_verdict_and_returns_nothing(capsys):
    assert exercise("04.1", ...) is None, "a value would appear under the cell"
    assert capsys.readouterr().out == "… упражнение 04.1: решения пока нет\n"


def test_unknown_exercise_names_the_known_ones():
    with pytest.raises(KeyError, match=r"99\.9.*04\.1"):
        exercise("99.9", ...)


def test_an_exercise_imports_the_checks_of_its_notebook_only(monkeypatch):
    imported = []

    def record(name):
        imported.append(name)
        return import_module(name)

    monkeypatch.setattr("lecture_utils.exercises.import_module", record)
    judge("06.1", ...)
    assert imported == ["lecture_utils.exercises.attention"]


def test_an_answer_gets_the_arguments_themselves_on_demand():
    given = [3, 1]
    assert call(list.pop, given) == 1 and given == [3, 1]
    assert call(list.pop, given, copy=False) == 1 and given == [3]


def test_a_case_says_where_and_gives_a_hint():
    text = r"^n=2 — получено 3, ожидалось 4\. Подсказка\.$"
    with pytest.raises(Wrong, match=text), case("n=2", "Подсказка."):
        expect(3, 4)


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([1.0, 2.0], "нужен тензор"),
        (np.zeros(2), "нужен тензор"),
        (torch.zeros(3), "форма"),
        (torch.zeros(2, dtype=torch.int64), "тип"),
        (torch.zeros(2, device="meta"), "meta"),
        (torch.zeros(2).to_sparse(), "sparse"),
        (torch.tensor([0.0, float("nan")]), "NaN"),
        (torch.tensor([0.0, 0.01]), "отличается"),
    ],
)
def test_expect_says_how_a_tensor_differs(got, message):
    with pytest.raises(Wrong, match=message):
        expect(got, torch.zeros(2))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_expect_names_the_first_wrong_value_of_whole_numbers(dtype):
    want = torch.tensor([[0, 1], [1, 0]], dtype=dtype)
    expect(want.clone(), want)
    with pytest.raises(Wrong, match=r"значений 2 из 4, первое на месте \(0, 1\)"):
        expect(torch.zeros_like(want), want)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (torch.zeros(2) + 1e-5, torch.zeros(2)),
        (nn.Parameter(torch.zeros(2)), torch.zeros(2)),
        (0.5, torch.tensor(0.5)),
        (torch.tensor(4), 4),
        (torch.tensor([4.0]), 4),
        (np.float32(4), 4),
        (Fraction(4), 4),
        (torch.tensor(0.8), 0.8),
        (float("inf"), float("inf")),
        ((1, 2), [1, 2]),
        ([torch.tensor(1), np.int64(2)], (1, 2)),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([1, 2]), (1, 2)),
    ],
)
def test_expect_forgives_form_and_rounding(got, want):
    expect(got, want)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (True, 1),
        (torch.tensor(True), 1),
        (4.5, 4),
        (2**53 + 1, 2**53),
        (0.8001, 0.8),
        (float("nan"), 0.5),
        (1e300, float("inf")),
        ([1, 2, 3], [1, 2]),
        ([1, True], [1, 1]),
        (torch.tensor([[1, 2]]), [1, 2]),
        (torch.tensor([0.5]), torch.tensor(0.5)),
        (True, torch.tensor(1.0)),
    ],
)
def test_expect_is_exact_about_numbers(got, want):
    with pytest.raises(Wrong):
        expect(got, want)


def test_expect_can_ask_for_a_type_and_be_less_exact():
    expect(0.5004, 0.5, kind=float, atol=1e-3)
    with pytest.raises(Wrong, match="нужен float, а получено Tensor"):
        expect(torch.tensor(0.5), 0.5, kind=float)


SOFTMAX = Ban("softmax брать нельзя", "(special_|log_)?softmax", ("shares",))
CONV = Ban("свёрток не нужно", "conv")


def shares(x):
    return x.exp() / x.exp().sum()


def _own(x):
    def softmax(x):
        return x.exp() / x.exp().sum()

    return softmax(x)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.softmax(x, 0),
        lambda x: x.softmax(0),
        lambda x: F.softmax(x, 0),
        lambda x: nn.Softmax(0)(x),
        lambda x: next(map(partial(torch.softmax, dim=0), [x])),
        lambda x: torch.special.softmax(x, 0),
        lambda x: F.log_softmax(x, 0).exp(),
        lambda x: torch.tensor(scipy.special.softmax(x.numpy())),
        lambda x: shares(x),
        partial(torch.softmax, dim=0),
        partial(shares),
    ],
)
def test_a_forbidden_call_is_seen(answer):
    with pytest.raises(Failed, match=r"softmax брать нельзя \(вызвано: "):
        call(answer, torch.zeros(3), forbid=SOFTMAX)


@pytest.mark.parametrize("answer", [_own, lambda x: x.exp(), str, lambda x: repr(x)])
def test_what_is_not_forbidden_is_not_seen(answer):
    call(answer, torch.zeros(3), forbid=SOFTMAX)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: np.convolve([1], [1]),
        lambda x: F.conv1d(x[None], x[None, None]),
        lambda x: nn.Conv1d(1, 1, 1),
        lambda x: torch.conv_transpose1d(x[None], x[None, None]),
    ],
)
def test_a_convolution_of_any_library_is_seen(answer):
    with pytest.raises(Failed, match="свёрток"):
        call(answer, torch.zeros(3), forbid=CONV)


def test_building_a_network_is_seen():
    with pytest.raises(Failed, match="строить сеть нельзя"):
        call(
            lambda: sum(p.numel() for p in nn.Linear(2, 2).parameters()),
            forbid=BUILDING,
        )
    assert call(lambda: 6, forbid=BUILDING) == 6


def test_a_forbidden_call_cannot_hide_behind_an_exception():
    def answer(x):
        with suppress(BaseException):
            return x.softmax(0)

    with pytest.raises(Failed, match="softmax"):
        call(answer, torch.zeros(3), forbid=SOFTMAX)


@pytest.fixture
def doubling():
    """An exercise of its own: twice the number."""

    @cases(
        "99.1",
        {(1,): ("Проверьте множитель.", "Умножьте на два."), (0,): "Нуль."},
        random_case=lambda rng: (rng.randint(10, 10**6),),
        mistakes={"Это квадрат.": lambda n: n * n},
    )
    def double(n: int) -> int:
        return 2 * n

    yield
    del CHECKS["99.1"]
    _TRIED.discard("99.1")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_exercise_draws_other_inputs_for_another_seed(number, float64):
    answer = next(p.values[1] for p in RIGHT if p.values[0] == number)

    def asked(seed):
        inputs = []
        judge(number, lambda *args: inputs.append(str(args)) or answer(*args), seed)
        return [re.sub("0x[0-9a-f]+", "", given) for given in inputs]

    assert asked(1) == asked(1) != asked(2)


def test_copied_values_do_not_pass_the_silent_case(doubling):
    verdict = judge("99.1", {1: 2, 0: 0}.get)
    assert "на случайном входе — функция ничего не вернула" in verdict
    verdict = judge("99.1", lambda n: 2 * n if n < 2 else 7)
    assert (
        "на случайном входе — ответ неверен" in verdict and "ожидалось" not in verdict
    )


def test_the_seed_draws_the_silent_case(doubling):
    def drawn(seed):
        asked = []
        judge("99.1", lambda n: asked.append(n) or 2 * n, seed=seed)
        return asked

    assert drawn(1) == drawn(1) != drawn(2) and len(set(drawn(3)[2:])) == 3


def test_the_second_half_of_a_hint_is_for_a_second_try(doubling, capsys):
    for _ in range(2):
        exercise("99.1", lambda n: 5 * n)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(f"Проверьте множитель. {MORE}")
    assert second.endswith("Проверьте множитель. Умножьте на два.")
    assert judge("99.1", lambda n: 5 * n).endswith("Умножьте на два.")


def test_a_known_mistake_has_its_own_hint(doubling):
    assert judge("99.1", lambda n: n * n).endswith("Это квадрат.")


def test_a_crash_carries_the_hint(doubling):
    assert judge("99.1", lambda n: n / 0).endswith("множитель. Умножьте на два.")


def test_a_silent_case_tells_of_a_crash_and_nothing_else():
    silently = pytest.raises(Wrong, match=r"^на случайном входе — ответ неверен\.$")
    with silently, case(SILENT):
        expect(3, 4)
    aloud = pytest.raises(Wrong, match="на случайном входе — функция упала: Value")
    with aloud, case(SILENT):
        call(int, "x")


@pytest.mark.parametrize(
    "given", [torch.zeros(2), nn.Conv2d(1, 1, 1), nn.BatchNorm1d(2)], ids=type
)
def test_arguments_that_have_to_stay_are_watched(given):
    def spoil(x):
        for tensor in x.state_dict().values() if isinstance(x, nn.Module) else [x]:
            tensor.add_(1)
        return 1

    assert call(lambda x: 1, given, kept="изменено") == 1
    with pytest.raises(Failed, match="изменено"):
        call(spoil, given, kept="изменено")


class _Liar(int):
    """A whole number that is equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = None


class _LiarTensor(torch.Tensor):
    """A tensor that agrees with everything."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.zeros(()) if func is torch.Tensor.sub else NotImplemented


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (_Liar(1), 2),
        ([_Liar(1), _Liar(1)], [1, 2]),
        (torch.ones(2).as_subclass(_LiarTensor), torch.zeros(2)),
    ],
)
def test_values_are_compared_not_what_they_say(got, want):
    with pytest.raises(Wrong):
        expect(got, want)


def test_numbers_are_shown_to_the_digit_that_differs():
    with pytest.raises(Wrong, match=r"получено 0\.53122, ожидалось 0\.53124"):
        expect(0.53122, 0.53124)
    with pytest.raises(Wrong, match=r"получено 0\.5, ожидалось 0\.25"):
        expect(0.5, 0.25)


def test_a_pair_is_asked_for():
    with pytest.raises(
        Wrong, match=r"нужно: пара целых чисел \(кортеж\), а получено 5"
    ):
        expect(5, (1, 2))


class _OtherConv(nn.Conv2d):
    pass


def _hooked():
    layer = nn.Conv2d(1, 1, 1)
    layer.register_forward_hook(lambda *_: torch.zeros(1))
    return layer


def test_a_returned_convolution_is_judged_by_its_numbers():
    x = torch.ones(1, 1, 2, 2)
    for layer in (
        _OtherConv(1, 1, 1),
        weight_norm(nn.Conv2d(1, 1, 1)),
        nn.Linear(1, 1),
    ):
        with pytest.raises(Wrong, match="нужен nn"):
            convolve(layer, x)
    assert convolve(_hooked(), x).shape == x.shape
    with pytest.raises(
        Failed, match=r"свёртка.*упала на входе \(1, 1, 2, 2\): Runtime"
    ):
        convolve(nn.Conv2d(1, 1, 3), x)
