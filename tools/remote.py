"""A student's answer that runs elsewhere: both ends of the line, and what travels.

The judge's end lets the ordinary `judge` call a `Notebook`'s answer. The other end,
`live`, runs where the student's code runs: it calls the student's function with the
package's own `call` and sends back nothing but plain values, as JSON; the state of a
module comes as numbers, too, and is put into a module of the same class of torch. Only
the judge sends pickles.
"""

import ast
import base64
import builtins
import io
import json
import marshal
import pickle
import random
import socket
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from types import CellType, FunctionType, ModuleType
from typing import Any
from weakref import ref

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

from lecture_utils.exercises import expect
from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.expect import Failed, Unsolved, Wrong
from tools.answers import Submission, looked_up
from tools.sandbox import Nursery

PACKAGE = "lecture_utils.exercises"
LARGEST = 64 << 20  # bytes of a message
CALL_LIMIT = 20.0
ASK_LIMIT = 60.0  # seconds until the sandbox has to answer, whatever it does
LONGEST = 2000  # characters of a verdict
PLAIN = (type(None), bool, int, float, str)
DTYPES = {
    str(dtype): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.complex64, torch.complex128),
    )
}
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
TENSORS = ("_parameters", "_buffers")
MODULES = ("torch.nn.modules.", "torchvision.models.")  # classes that may come back
LOADED = {f"{PACKAGE}.{name}" for name in ("bans", "cases", "expect", "kept", "limit")}


class Line:
    """Messages over a socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: bytes) -> None:
        self._end.sendall(len(message).to_bytes(8, "big") + message)

    def receive(self, seconds: float | None = None) -> bytes:
        late = seconds and time.monotonic() + seconds
        return self._read(int.from_bytes(self._read(8, late), "big"), late)

    def _read(self, size: int, late: float | None) -> bytes:
        if size > LARGEST:
            raise ValueError(f"a message of {size} bytes")
        message = bytearray()
        while len(message) < size:
            self._end.settimeout(late and max(late - time.monotonic(), 1e-3))
            if not (part := self._end.recv(min(size - len(message), 1 << 20))):
                raise EOFError
            message += part
        return bytes(message)


# --- The judge's end ------------------------------------------------------------------


class Notebook:
    """A submitted notebook in the sandbox; a new child goes on where one has died.

    Attributes:
        numbers: the exercises that it answers.
    """

    def __init__(self, nursery: Nursery, cells: Sequence[str]) -> None:
        self._nursery, self._cells = nursery, cells
        self._line: Line | None = None
        self.numbers: list[str] = []
        self._open()

    def _open(self) -> None:
        self._talk, self._life = self._nursery.birth()
        self._line = Line(self._talk)
        reply = self._ask("open", self._cells)
        self.numbers = [str(number) for number in reply["numbers"]]

    def close(self) -> None:
        """Kill whatever runs."""
        if self._line:
            self._talk.close()
            self._life.close()
            self._line = None

    def answer(self, number: str) -> Any:
        """What stands in ``exercise(number, …)``; a function runs in the sandbox.

        Raises:
            Wrong: it has no value.
        """
        if not self._line:
            self._open()
        reply = self._ask("answer", number)
        return _Answer(self) if reply.get("function") else _result(reply)

    def call(self, args: Sequence, ban: Ban | None) -> Any:
        """What the function of the last answer returns; it may change ``args``."""
        reply = self._ask("call", (args, ban))
        with suppress(Exception):  # what cannot be put back stays as it is
            for place, code in reply["changed"].items():
                assign(args[int(place)], code)
        return _result(reply, args)

    def _ask(self, what: str, content: Any) -> dict:
        """Ask the child.

        Raises:
            Wrong: there is no answer.
        """
        assert self._line
        try:
            self._line.send(pickled((what, content)))
            return json.loads(self._line.receive(ASK_LIMIT))
        except TimeoutError:
            self.close()
            raise Failed(f"ответа нет уже {ASK_LIMIT:g} с") from None
        except Exception:  # it is gone, or what it says makes no sense
            self.close()
            raise Failed("на этом месте код оборвал работу Python") from None
        except BaseException:
            self.close()
            raise


class _Answer:
    """A function of the student's, for `judge`."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._ban: Ban | None = None

    def __call__(self, *args: Any) -> Any:
        return self._notebook.call(args, self._ban)

    @contextmanager
    def watched(self, ban: Ban) -> Generator[list[str]]:
        """The sandbox watches its calls, and says itself which one was forbidden."""
        self._ban = ban
        try:
            yield []
        finally:
            self._ban = None


def _result(reply: dict, args: Sequence = ()) -> Any:
    if reply.get("unsolved"):
        raise NotImplementedError  # as a student says it
    if "wrong" in reply:
        raise Failed(str(reply["wrong"])[:LONGEST])
    try:
        return decode(reply["value"], args)
    except Exception as error:
        raise Wrong("ответ не того вида") from error


# --- The sandbox's end ----------------------------------------------------------------

Lectures = dict[str, tuple[dict[str, Any], frozenset[str]]]


def live(
    talk: socket.socket, lectures: Lectures, call_limit: float = CALL_LIMIT
) -> None:
    """Do what the judge asks for.

    Args:
        lectures: number of a lecture → its names, and the statements that defined them.
        call_limit: seconds for one call of the student's function.
    """
    line, submission, answer = Line(talk), Submission([]), None
    expect.TIME_LIMIT = call_limit
    RemovableHandle.next_id = 1 << 30  # other numbers than those of the judge's hooks
    while True:
        reply: dict[str, Any] = {}
        what, content = pickle.loads(line.receive())
        try:
            match what:
                case "open":
                    submission = Submission(content)
                    reply["numbers"] = [*submission.answers, *submission.unreadable]
                case "answer":
                    names, known = lectures[content[:2]]
                    answer = _evaluate(submission, content, names, known)
                    reply |= {"function": callable(answer), "value": encode(answer)}
                    torch.default_generator.manual_seed(0)
                    random.seed(0)
                    np.random.seed(0)
                case "call":
                    args, ban = content
                    before = [json.dumps(encode(value)) for value in args]
                    modes = [arg for arg in args if isinstance(arg, TorchDispatchMode)]
                    try:
                        with ExitStack() as watching:
                            for mode in modes:
                                watching.enter_context(mode)
                            result = expect.call(answer, *args, copy=False, forbid=ban)
                        reply["value"] = encode(result, args)
                    finally:
                        after = [encode(value) for value in args]
                        reply["changed"] = {
                            place: value
                            for place, value in enumerate(after)
                            if json.dumps(value) != before[place]
                        }
        except Unsolved:
            reply["unsolved"] = True
        except Wrong as wrong:
            reply["wrong"] = str(wrong)
        except Exception as error:
            reply["wrong"] = f"ответ не передать: {type(error).__name__}"
        line.send(json.dumps(reply).encode())


def _evaluate(
    submission: Submission, number: str, names: dict[str, Any], known: frozenset[str]
) -> Any:
    """The answer; statements that fail are left out, as in a notebook."""
    if number not in submission.answers:
        raise Wrong(submission.unreadable[number])
    (answer,) = expect.call(lambda: (_run(submission, number, names, known),))
    return answer


def _run(
    submission: Submission, number: str, names: dict[str, Any], known: frozenset[str]
) -> Any:
    failed = ""
    for statement in submission.needed(number, known):
        try:
            exec(compile(ast.Module([statement], []), "<тетрадь>", "exec"), names)
        except (Exception, SystemExit) as error:
            failed = f" ({type(error).__name__}: {error})"
    _, expression = submission.answers[number]
    try:
        return eval(compile(ast.Expression(expression), "<тетрадь>", "eval"), names)
    except (Exception, SystemExit) as error:
        text = f"ответа нет: {type(error).__name__}: {error}{failed}"
        raise Wrong(text) from error


# --- To the sandbox: pickles ----------------------------------------------------------


def pickled(value: Any) -> bytes:
    """With functions and classes of the exercises' modules, which it cannot import."""
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, ModuleType):
            return import_module, (value.__name__,)
        if isinstance(value, ref):
            return ref, (value(),)
        if isinstance(value, FunctionType) and _is_hidden(value):
            known = value.__globals__
            names = looked_up(value.__code__) & known.keys()
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            parts = {name: known[name] for name in names}, cells, value.__defaults__
            return _function, (marshal.dumps(value.__code__), len(cells)), parts, *_FILL
        if isinstance(value, type) and _is_hidden(value):
            own = {k: v for k, v in vars(value).items() if k not in _EVERY_CLASS}
            start = type(value), value.__name__, value.__bases__
            return _class, start, own, *_FILL
        return NotImplemented


def _is_hidden(value: Any) -> bool:
    """Is it of a module with right answers?"""
    home = value.__module__ or ""
    return home.startswith(f"{PACKAGE}.") and home not in LOADED


def _function(code: bytes, cells: int) -> FunctionType:
    names = {"__builtins__": builtins}
    own = tuple(CellType() for _ in range(cells))
    return FunctionType(marshal.loads(code), names, closure=own)


def _class(kind: type, name: str, bases: tuple) -> type:
    return kind(name, bases, {"__module__": PACKAGE})


def _fill(made: FunctionType | type, parts: Any) -> None:
    """Later than they are made: they may refer to themselves."""
    if isinstance(made, type):
        for name, value in parts.items():
            setattr(made, name, value)
        return
    names, cells, made.__defaults__ = parts
    made.__globals__.update(names)
    for cell, value in zip(made.__closure__ or (), cells, strict=True):
        cell.cell_contents = value


_FILL = (None, None, _fill)  # behind a state in what `reducer_override` returns
_EVERY_CLASS = {"__dict__", "__weakref__", "__module__", "__annotations__"}


# --- From the sandbox: JSON -----------------------------------------------------------


def encode(value: Any, given: Sequence = ()) -> list:
    """A value as JSON has it; of another kind only what its type is and how it looks.

    Args:
        given: objects that the judge has, too: they come back as themselves.
    """
    for place, own in enumerate(given):
        if value is own and not isinstance(own, bool | int | float | str):
            return ["given", place]
    if type(value) in PLAIN:
        return ["plain", value]
    if value is ...:
        return ["dots"]
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, [encode(part, given) for part in value]]
    if isinstance(value, dict):
        pairs = [[encode(key), encode(part, given)] for key, part in value.items()]
        return ["dict", pairs]
    if isinstance(value, nn.Module):
        return ["module", _state(value)]
    if (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_meta
    ):
        return ["tensor", *_numbers(value), value.requires_grad]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        array = value if isinstance(value, np.ndarray) else value[()]
        return ["array", *_numbers(torch.tensor(array)), isinstance(value, np.generic)]
    if type(value).__module__ == PACKAGE:
        return ["fields", _plain_fields(value)]
    return ["other", type(value).__name__, _shown(value)]


def _shown(value: Any) -> str:
    try:
        return repr(value)[:LONGEST]
    except Exception:
        return type(value).__name__


def _numbers(tensor: Tensor) -> tuple[str, list[int], str]:
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    raw = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    return str(plain.dtype), list(plain.shape), base64.b64encode(raw).decode()


def _tensor(dtype: str, shape: list[int], text: str) -> Tensor:
    raw = bytearray(base64.b64decode(text))
    if not raw:
        return torch.empty(shape, dtype=DTYPES[dtype])
    if DTYPES[dtype] == torch.bool:  # any other byte than 0 and 1 would be a riddle
        return torch.frombuffer(raw, dtype=torch.uint8).bool().reshape(shape)
    return torch.frombuffer(raw, dtype=DTYPES[dtype]).reshape(shape)


def _state(module: nn.Module) -> dict[str, Any]:
    public = next(c for c in type(module).__mro__ if c.__module__ != PACKAGE)
    return {
        "class": [public.__module__, public.__qualname__],
        "training": bool(module.training),
        "fields": _plain_fields(module),
        "hooks": {kind: list(getattr(module, kind)) for kind in HOOKS},
        "children": {key: encode(child) for key, child in module.named_children()},
        **{
            kind: {key: encode(value) for key, value in getattr(module, kind).items()}
            for kind in TENSORS
        },
    }


def _plain_fields(value: Any) -> dict[str, list]:
    own = {key: encode(v) for key, v in vars(value).items() if key not in _EVERY_MODULE}
    return {key: code for key, code in own.items() if _is_plain(code)}


_EVERY_MODULE = frozenset(vars(nn.Module()))


def _is_plain(code: list) -> bool:
    kind, *rest = code
    return kind == "plain" or (kind in ("list", "tuple") and all(map(_is_plain, *rest)))


def decode(code: list, given: Sequence = ()) -> Any:
    """The value; whatever ``code`` is, nothing of the sandbox runs here.

    Raises:
        Exception: it is no code.
    """
    match code:
        case ["given", int(place)]:
            return given[place]
        case ["plain", value] if type(value) in PLAIN:
            return value
        case ["dots"]:
            return ...
        case ["list", list(parts)]:
            return [decode(part, given) for part in parts]
        case ["tuple", list(parts)]:
            return tuple(decode(part, given) for part in parts)
        case ["dict", list(pairs)]:
            return {decode(key): decode(part, given) for key, part in pairs}
        case ["tensor", dtype, shape, text, bool(learns)]:
            return _tensor(dtype, shape, text).requires_grad_(learns)
        case ["array", dtype, shape, text, bool(single)]:
            array = _tensor(dtype, shape, text).numpy()
            return array[()] if single else array
        case ["module", dict(state)]:
            return _module(state)
        case ["other", str(name), str(text)]:
            return type(name, (), {"__repr__": lambda self: text})()
    raise ValueError("no code of a value")


def _module(state: dict[str, Any]) -> Any:
    """A module of a class of torch; of its hooks there is only their number."""
    home, name = state["class"]
    kind = getattr(sys.modules[home], name) if home.startswith(MODULES) else None
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        return type(str(name), (), {})()
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    _put(module, state)
    return module


def _put(module: nn.Module, state: dict[str, Any]) -> None:
    """Give a module a state; what it has of it stays the same object."""
    module.training = bool(state["training"])
    for key, code in state["fields"].items():
        if key not in _EVERY_MODULE and _is_plain(code):
            vars(module)[key] = decode(code)
    for kind in TENSORS:
        own = getattr(module, kind)
        for key, code in state[kind].items():
            new = decode(code)
            if isinstance(new, Tensor) and isinstance(own.get(key), Tensor):
                assign(own[key], code)
            elif isinstance(new, Tensor) and kind == "_parameters":
                own[key] = nn.Parameter(new.detach(), new.requires_grad)
            else:
                own[key] = new
    for key, (kind, child) in state["children"].items():
        own = module._modules.get(key)
        if kind == "module" and isinstance(own, nn.Module):
            _put(own, child)
        else:
            module._modules[key] = decode([kind, child])
    for kind in HOOKS:
        hooks = getattr(module, kind)
        left = {key: hooks.get(key, _nothing) for key in state["hooks"][kind]}
        hooks.clear()
        hooks.update(left)


def _nothing(*args: Any, **kwargs: Any) -> None:
    """What stands for a hook of the student's."""


def assign(old: Any, code: list) -> None:
    """Change an argument as the student's function has changed it."""
    match code:
        case ["tensor", *_]:
            new = decode(code)
            old.data = new.data
            old.requires_grad_(new.requires_grad)
        case ["list", _]:
            old[:] = decode(code)
        case ["module", state]:
            _put(old, state)
        case ["fields", fields]:
            vars(old).update({key: decode(value) for key, value in fields.items()})
