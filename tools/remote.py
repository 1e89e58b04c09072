"""A student's answer that runs elsewhere: both ends of the line, and what travels.

The judge's end lets the ordinary `judge` call a `Notebook`'s answer. The other end,
`live`, runs where the student's code runs: it calls the student's function with the
package's own `call` and sends back nothing but plain values, as JSON; the state of a
module comes as numbers, too, and is put into a module of the same class of torch. Only
the judge sends pickles.
"""

import ast
import base64
import io
import json
import pickle
import random
import socket
import sys
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lecture_utils.exercises import expect
from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.expect import Failed, Unsolved, Wrong
from tools.answers import Submission
from tools.sandbox import Nursery

PACKAGE = "lecture_utils.exercises"
LARGEST = 64 << 20  # bytes of a message
CALL_LIMIT = 20.0  # seconds, as the student's own judge counts them
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
        with suppress(*BROKEN):  # what cannot be put back stays as it is
            for place, value in reply["changed"].items():
                assign(args[int(place)], decode(value))
        return _result(reply, args)

    def _ask(self, what: str, content: Any) -> dict:
        """Ask the child, and serve what it asks meanwhile.

        Raises:
            Wrong: there is no answer.
        """
        assert self._line
        late = time.monotonic() + ASK_LIMIT
        served = _Served()
        try:
            self._line.send(served.pickled((what, content)))
            while True:
                message = json.loads(self._line.receive(late - time.monotonic()))
                if "asked" not in message:
                    return message
                self._line.send(served.reply(message))
        except TimeoutError:
            self.close()
            raise Failed(f"ответа нет уже {ASK_LIMIT:g} с") from None
        except (EOFError, OSError):
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
    except BROKEN as error:
        raise Wrong("ответ не того вида") from error


class _Served:
    """What the judge does for the student's function: its own functions and streams."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        # Alive here as long as in the sandbox: the judge may count them.
        self._lent: dict[int, Tensor] = {}
        self._count = count()

    def pickled(self, value: Any) -> bytes:
        file = io.BytesIO()
        _Pickler(file, self._objects).dump(value)
        return file.getvalue()

    def reply(self, message: dict) -> bytes:
        for number in message["returned"]:
            self._lent.pop(number, None)
        try:
            place, what, args = message["asked"]
            value = self._do(self._objects[place], what, *decode(args))
        except StopIteration:
            return self.pickled(("end", None, ()))
        except Exception as error:
            return self.pickled(("error", f"{type(error).__name__}: {error}", ()))
        lent = {next(self._count): tensor for tensor in _tensors(value)}
        self._lent |= lent
        return self.pickled(("value", value, tuple(lent)))

    def _do(self, target: Any, what: str, *args: Any) -> Any:
        match what:
            case "call":
                return target(*args)
            case "len":
                return len(target)
            case "next":
                return next(target)
        self._objects.append(iter(target))
        return len(self._objects) - 1


class _Pickler(pickle.Pickler):
    """Objects of the exercises' modules stay here: the sandbox gets their number."""

    def __init__(self, file: io.BytesIO, objects: list[Any]) -> None:
        super().__init__(file)
        self._objects = objects

    def persistent_id(self, value: Any) -> int | None:
        if isinstance(value, type | nn.Module | Ban) or not _is_of_exercises(value):
            return None
        self._objects.append(value)
        return len(self._objects) - 1

    def reducer_override(self, value: Any) -> Any:
        """A module of an exercise's class goes as one of its class in torch."""
        if not isinstance(value, nn.Module) or not _is_of_exercises(value):
            return NotImplemented
        bases = type(value).__mro__
        public = next(base for base in bases if not _is_of_exercises(base))
        return _blank, (public,), value.__dict__


def _blank(kind: type[nn.Module]) -> nn.Module:
    return kind.__new__(kind)


def _is_of_exercises(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").startswith(PACKAGE)


# --- The sandbox's end ----------------------------------------------------------------

Lectures = dict[str, tuple[dict[str, Any], frozenset[str]]]


def live(talk: socket.socket, lectures: Lectures) -> None:
    """Do what the judge asks for.

    Args:
        lectures: number of a lecture → its names, and the statements that defined them.
    """
    line, submission, answer = Line(talk), Submission([]), None
    expect.TIME_LIMIT = CALL_LIMIT
    RemovableHandle.next_id = 1 << 30  # other numbers than those of the judge's hooks
    while True:
        reply: dict[str, Any] = {}
        what, content = _Unpickler(line).load()
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
                    try:
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


class _Unpickler(pickle.Unpickler):
    def __init__(self, line: Line) -> None:
        super().__init__(io.BytesIO(line.receive()))
        self._line = line

    def persistent_load(self, number: int) -> Any:
        return _Judges(self._line, number)


class _Judges:
    """A function or a stream of the judge."""

    def __init__(self, line: Line, number: int) -> None:
        self._line, self._number = line, number
        self._returned: list[int] = []  # tensors that nobody holds any more

    def __call__(self, *args: Any) -> Any:
        return self._ask("call", *args)

    def __len__(self) -> int:
        return self._ask("len")

    def __iter__(self) -> Iterator[Any]:
        stream = _Judges(self._line, self._ask("iter"))
        while True:
            try:
                yield stream._ask("next")
            except StopIteration:
                return

    def _ask(self, what: str, *args: Any) -> Any:
        message = {"asked": [self._number, what, encode(args)]}
        message["returned"] = [*self._returned]
        self._returned.clear()
        self._line.send(json.dumps(message).encode())
        state, value, numbers = _Unpickler(self._line).load()
        if state == "end":
            raise StopIteration
        if state == "error":
            raise RuntimeError(value)
        for tensor, number in zip(_tensors(value), numbers, strict=True):
            weakref.finalize(tensor, self._returned.append, number)
        return value


# --- What travels ---------------------------------------------------------------------


def _tensors(value: Any) -> list[Tensor]:
    parts = value if isinstance(value, tuple | list) else [value]
    return [part for part in parts if isinstance(part, Tensor)]


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
    own = {key: encode(value) for key, value in vars(module).items() if _is_own(key)}
    return {
        "class": [type(module).__module__, type(module).__qualname__],
        "training": bool(module.training),
        "plain": {key: value for key, value in own.items() if _is_plain(value)},
        "hooks": {kind: list(getattr(module, kind)) for kind in HOOKS},
        "children": {key: encode(child) for key, child in module.named_children()},
        **{
            kind: {key: encode(value) for key, value in getattr(module, kind).items()}
            for kind in TENSORS
        },
    }


def _is_own(key: str) -> bool:
    """Is it an attribute that the class of a module adds to those of all modules?"""
    return key not in _EVERY_MODULE


_EVERY_MODULE = frozenset(vars(nn.Module()))


def _is_plain(code: list) -> bool:
    kind, *rest = code
    return kind == "plain" or (kind in ("list", "tuple") and all(map(_is_plain, *rest)))


def decode(code: list, given: Sequence = ()) -> Any:
    """The value; whatever ``code`` is, nothing of the sandbox runs here.

    Raises:
        BROKEN: it is no code.
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


BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError)


def _module(state: dict[str, Any]) -> Any:
    """A module of a class of torch; of its hooks there is only their number."""
    home, name = state["class"]
    kind = getattr(sys.modules[home], name) if home.startswith(MODULES) else None
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        return type(str(name), (), {})()
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    module.training = bool(state["training"])
    for key, code in state["plain"].items():
        if _is_own(key) and _is_plain(code):
            vars(module)[key] = decode(code)
    for key, code in state["_parameters"].items():
        value = decode(code)
        module._parameters[key] = (
            None if value is None else nn.Parameter(value.detach(), value.requires_grad)
        )
    for key, code in state["_buffers"].items():
        module._buffers[key] = decode(code)
    for key, code in state["children"].items():
        module._modules[key] = decode(code)
    for hooks in HOOKS:
        getattr(module, hooks).update(dict.fromkeys(state["hooks"][hooks], _nothing))
    return module


def _nothing(*args: Any, **kwargs: Any) -> None:
    """What stands for a hook of the student's."""


def assign(old: Any, new: Any) -> None:
    """Change an argument as the student's function has changed it."""
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        old.data = new.data
        old.requires_grad_(new.requires_grad)
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif isinstance(old, nn.Module) and isinstance(old, type(new)):
        for kind in TENSORS:
            for key, tensor in getattr(old, kind).items():
                if tensor is not None and getattr(new, kind).get(key) is not None:
                    assign(tensor, getattr(new, kind)[key])
                    getattr(new, kind)[key] = tensor
        for key, child in old._modules.items():
            if child is not None and isinstance(child, type(new._modules.get(key))):
                assign(child, new._modules[key])
                new._modules[key] = child
        for hooks in HOOKS:
            known = getattr(old, hooks)
            getattr(new, hooks).update(
                (key, known[key]) for key in getattr(new, hooks) if key in known
            )
        vars(old).update(vars(new))
