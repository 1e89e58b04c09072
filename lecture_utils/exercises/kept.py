"""Whatever a student's function switches, replaces or ends is as before after it."""

import functools
import gc
import itertools
import locale
import logging
import math
import operator
import os
import random
import signal
import sys
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, NoReturn

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from IPython import get_ipython
from torch import Tensor, backends, nn, overrides
from torch._tensor_str import PRINT_OPTS
from torch.nn.modules import module as hooks
from torch.utils import _device, _python_dispatch

Setting = tuple[Callable[[], Any], Callable[[Any], object]]  # reads it; sets it


def _attribute(place: Any, name: str) -> Setting:
    return (lambda: getattr(place, name), lambda old: setattr(place, name, old))


def _content(mapping: Any) -> Setting:
    """Of what is changed in place."""

    def put_back(old: dict) -> None:
        mapping.clear()
        mapping.update(old)

    return (lambda: dict(mapping), put_back)


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _set_function_modes(modes: list) -> None:
    for _ in range(overrides._len_torch_function_stack()):
        overrides._pop_mode()
    for mode in modes:
        overrides._push_mode(mode)


def _set_dispatch_modes(modes: list) -> None:
    for _ in _python_dispatch._get_current_dispatch_mode_stack():
        _python_dispatch._pop_mode()
    for mode in modes:
        _python_dispatch._push_mode(mode)


def _flushes_denormal(smallest: float = 5e-324) -> bool:
    return smallest + smallest == 0


def _switches_of_backends() -> Iterable[Setting]:
    for library in (backends.cudnn, backends.mkldnn):
        for name, value in vars(type(library)).items():
            if isinstance(value, backends.ContextProp):
                yield _attribute(library, name)
    yield _attribute(backends.cuda.matmul, "allow_tf32")
    yield _attribute(backends.opt_einsum, "enabled")
    yield _attribute(backends.opt_einsum, "strategy")
    yield backends.mha.get_fastpath_enabled, backends.mha.set_fastpath_enabled
    for name in ("flash", "math", "mem_efficient"):
        read = getattr(backends.cuda, f"{name}_sdp_enabled")
        yield read, getattr(backends.cuda, f"enable_{name}_sdp")


# What a verdict is computed with. The first ones first: the others call what may be
# replaced or out of order.
_COMPUTING: list[Setting] = [
    (overrides._get_current_function_mode_stack, _set_function_modes),
    (_python_dispatch._get_current_dispatch_mode_stack, _set_dispatch_modes),
    (torch.get_default_device, _set_device),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (_flushes_denormal, torch.set_flush_denormal),
    (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda old: torch.set_autocast_enabled("cpu", old),
    ),
    *_switches_of_backends(),
    *(_content(value) for value in vars(hooks).values() if type(value) is OrderedDict),
    (np.geterr, lambda old: np.seterr(**old)),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
]
_COMPUTED_WITH = math, np, torch, F, nn, Tensor, nn.Module, nn.Linear
_COMPUTED_WITH += nn.Conv2d, os, sys, _device

# What else the next cell would notice.
_SESSION: list[Setting] = [
    _content(vars(PRINT_OPTS)),
    (np.get_printoptions, lambda old: np.set_printoptions(**old)),
    (mpl.rcParams.copy, mpl.rcParams.update),
    _content(os.environ),
    (os.getcwd, os.chdir),
    (lambda: {**sys.modules}, sys.modules.update),  # what was imported may stay
    (lambda: [*sys.path], lambda old: setattr(sys, "path", old)),
    (sys.getswitchinterval, sys.setswitchinterval),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    (gc.get_threshold, lambda old: gc.set_threshold(*old)),
    (lambda: logging.root.manager.disable, logging.disable),
    (
        lambda: locale.setlocale(locale.LC_ALL),
        lambda old: locale.setlocale(locale.LC_ALL, old),
    ),
    (
        lambda: signal.getsignal(signal.SIGINT),
        lambda old: signal.signal(signal.SIGINT, old),
    ),
]
if hasattr(signal, "pthread_sigmask"):  # not on Windows
    _SESSION.append(
        (
            lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []),
            lambda old: signal.pthread_sigmask(signal.SIG_SETMASK, old),
        )
    )
_USED = functools, itertools, operator, random, time, np.linalg, np.random
_USED += torch.linalg, nn.init, *(c for c in vars(nn).values() if isinstance(c, type))


@contextmanager
def session_kept() -> Generator[None]:
    """What the code inside switches, replaces or ends is as before for the next cell.

    Threads that it has started, files and attributes of other modules are not. What
    would end the process, or the kernel after the cell, raises SystemExit: `exit` of
    Python and of IPython, `os._exit`. A copy of the process that it has made ends.
    """
    process, leave, shell = os.getpid(), os._exit, get_ipython()

    def end(status: int = 0) -> NoReturn:
        if os.getpid() != process:  # a process of its own may end
            leave(status)
        raise SystemExit(status)

    ask_exit = getattr(shell, "ask_exit", None)
    os._exit = end  # ty: ignore[invalid-assignment]
    if shell:
        shell.ask_exit = end
    try:
        with _as_before(_SESSION, [*_USED, *_own_modules()]), computing_kept():
            yield
    finally:
        if os.getpid() != process:
            leave(0)
        os._exit = leave
        if shell:
            shell.ask_exit = ask_exit


@contextmanager
def computing_kept() -> Generator[None]:
    """What a verdict is computed with is as before; quick, for each call."""
    with warnings.catch_warnings(), _as_before(_COMPUTING, _COMPUTED_WITH):
        yield


@contextmanager
def _as_before(settings: Iterable[Setting], places: Iterable[Any]) -> Generator[None]:
    were = [(read, write, _quiet(read)) for read, write in settings]
    had = [(place, dict(vars(place))) for place in places]
    try:
        yield
    finally:
        for place, old in had:
            _put_back(place, old)
        for read, write, value in were:
            if _quiet(read) != value:
                _quiet(write, value)


def _quiet(act: Callable, *args: Any) -> Any:
    """None where it fails: a folder that is gone has no name."""
    with suppress(Exception):
        return act(*args)
    return None


def _own_modules() -> list[ModuleType]:
    """Those of this package, the judge among them."""
    return [m for name, m in [*sys.modules.items()] if name.startswith("lecture_utils")]


def _put_back(place: Any, old: dict[str, Any]) -> None:
    now = vars(place)
    if len(now) == len(old) and all(map(operator.is_, now.values(), old.values())):
        return
    for name in [*now] if isinstance(place, type) else []:
        if name not in old:  # it hides what the class inherits
            _quiet(delattr, place, name)
    for name, value in old.items():
        private = name.startswith("_") and not name.endswith("__")
        if now.get(name) is not value and not private:
            _quiet(setattr, place, name, value)
