"""Start of every notebook: seed, device, precision, style; and checked claims."""

import ast
import ctypes
import gc
import os
import random
import sys
import warnings
from collections.abc import Iterator
from importlib.resources import files
from types import FrameType

import executing
import matplotlib as mpl
import numpy as np
import seaborn as sns
import torch
from IPython import get_ipython
from IPython.core.interactiveshell import ExecutionResult
from IPython.display import HTML, display
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


def setup(dtype: torch.dtype = torch.float64) -> torch.device:
    """Prepare a notebook: random seeds, precision, determinism, plot style, callouts.

    Training in float64 makes every printed number the same on any processor and
    with any number of threads; float32 is for models too large for that.

    The device is ``cpu`` unless the environment variable ``LECTURE_DEVICE`` names
    another one (``cuda``, ``cuda:1``). Settings of the user's own, of matplotlib,
    IPython, torch and NumPy, do not count.

    Raises:
        ValueError: dtype not floating, malformed device name.
        RuntimeError: the device asked for does not exist on this machine.
    """
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype={dtype}, а нужен torch.float32 или torch.float64")
    device = _device(os.environ.get("LECTURE_DEVICE", "").strip().lower() or "cpu")
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    # What the start-up files of a user's IPython may have switched.
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_printoptions(profile="default")
    np.set_printoptions(8, 1000, 3, 75, suppress=False, sign="-", floatmode="maxprec")
    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    # use_deterministic_algorithms() would load torch's compiler first, for 3 s.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cuda":
        # Some sums are added in any order there: only rounding differs.
        warnings.filterwarnings("ignore", r"(?s).*deterministic (impl|algo)")
        if _SameDraws.active is None:
            _SameDraws.active = _SameDraws(device.type)
            _SameDraws.active.__enter__()
    mpl.rcdefaults()  # whatever has been changed since the import
    sns.set_theme(style="whitegrid", palette="colorblind", font_scale=1.15)
    mpl.rcParams["font.family"] = "DejaVu Sans"  # the one font with Cyrillic everywhere
    callouts = (files("lecture_utils") / "static/callouts.css").read_text("utf-8")
    display(HTML(f"<style>{callouts}</style>"))
    if shell := get_ipython():
        shell.ast_node_interactivity, shell.autocall = "last_expr", 0
        shell.set_custom_exc((NameError, MemoryError, RuntimeError), _explain)
        shell.events.register("post_run_cell", _tidy_up)
    return device


def _tidy_up(result: ExecutionResult) -> None:
    """Give the system what the cell has freed; glibc would keep it for later cells."""
    if result.info and (result.info.raw_cell or "").startswith("# импорт"):
        # Modules stay: no search for garbage need look through their half a million
        # objects again, and `show` searches before each picture.
        gc.collect()
        gc.freeze()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


class _SameDraws(TorchDispatchMode):
    """Draws the random numbers of a device from the CPU's generator.

    A GPU has a generator of its own: the same seed would give other weights, noise
    and dropout than the stored outputs show. A generator handed over is obeyed.
    """

    active: "_SameDraws | None" = None

    def __init__(self, device_type: str) -> None:
        super().__init__()
        self.device_type = device_type

    def __torch_dispatch__(self, func, types, args: tuple = (), kwargs=None):
        kwargs = kwargs or {}
        places = [x.device for x in tree_leaves((args, kwargs)) if torch.is_tensor(x)]
        places += [torch.device(kwargs["device"])] if kwargs.get("device") else []
        there = [place for place in places if place.type == self.device_type]
        # Fused layers have the tag for their dropout, which no lecture uses.
        fused = func.overloadpacket.__name__.startswith("_")
        draws = torch.Tag.nondeterministic_seeded in func.tags and not fused
        if not draws or not there or kwargs.get("generator"):
            return func(*args, **kwargs)
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        here = tree_map_only(torch.Tensor, torch.Tensor.cpu, (args, kwargs))
        result = func(*here[0], **here[1])
        if func._schema.is_mutable:  # x.normal_(), x.bernoulli_(p), …
            return args[0].copy_(result)
        return tree_map_only(torch.Tensor, lambda x: x.to(there[0]), result)


def _explain(shell, kind, error, trace, tb_offset=None) -> None:
    """Say after the traceback what a common error means in a notebook."""
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    if isinstance(error, NameError):
        print(
            f"Имени «{error.name}» ещё нет: оно появляется в одной из ячеек выше. "
            "Выполните их — меню «Выполнить» → «Выполнить все ячейки, выше выбранной» "
            "(Run All Above Selected Cell)."
        )
    elif _out_of_memory(error):
        print(
            "Не хватило памяти: ячейка попросила больше, чем отведено тетради. "
            "Остальные переменные целы, других тетрадей это не касается. Уменьшите "
            "размеры (пакет, картинку, сеть); если и прежние ячейки не идут, начните "
            "заново — меню «Ядро» → «Перезапустить ядро…» (Restart Kernel)."
        )


def _out_of_memory(error: Exception) -> bool:
    """Python, NumPy, torch on CPU and GPU, and C++ say it each in its way."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "you tried to allocate" in str(error) or "bad_alloc" in str(error)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"LECTURE_DEVICE={name!r} — не имя устройства: нужно cpu, cuda или cuda:N"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(
            f"LECTURE_DEVICE={name!r}: подходят только cpu и cuda, в них есть float64, "
            "с которым результаты всюду одинаковы"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"LECTURE_DEVICE={name!r}, но torch {torch.__version__} видит видеокарт: "
            f"{torch.cuda.device_count()}. Чтобы считать на процессоре, уберите "
            "переменную LECTURE_DEVICE"
        )
    return device


def claim(text: str, condition: object) -> None:
    """Print a statement of the lecture if ``condition`` holds.

    Raises:
        AssertionError: it does not hold; the message shows the value of every
            operand of the comparison that was written in the call.
        TypeError: the condition is not a single truth value.
    """
    try:
        holds = bool(condition)
    except (RuntimeError, ValueError) as error:
        raise TypeError(
            f"claim(…) получил {type(condition).__name__} из многих значений; "
            "сведите их к одному: .all() или .any()"
        ) from error
    if not holds:
        pairs = operands(sys._getframe(1))
        measured = "; ".join(f"{source} = {value!r}" for source, value in pairs)
        raise AssertionError(f"✘ {text}. Измерено: {measured or condition!r}")
    print(f"✔ {text}")


def operands(frame: FrameType) -> Iterator[tuple[str, object]]:
    """Source and value of each operand compared in the call that ``frame`` runs."""
    call = executing.Source.executing(frame).node
    if not isinstance(call, ast.Call) or len(call.args) < 2:
        return
    for compare in ast.walk(call.args[1]):
        if not isinstance(compare, ast.Compare):
            continue
        for operand in (compare.left, *compare.comparators):
            if isinstance(operand, ast.Constant):
                continue
            source = ast.unparse(operand)
            try:
                value = eval(source, frame.f_globals, frame.f_locals)
            except Exception:  # a name local to a comprehension has no value here
                continue
            yield source, value
