"""What the stages of a network do and cost, measured in one run on meta tensors."""

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain
from math import prod, sqrt
from typing import NamedTuple

from torch import Tensor, nn, no_grad
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lecture_utils.diagrams.trace import evaluating

# Kind of a stage -> what the name of one of its operations contains; the first fits.
_KINDS = {
    "внимание": "softmax",
    "свёртка": "convolution",
    "полносвязный": "mm",
    "пулинг": "pool|mean",
    "": "",
}


class Stage(NamedTuple):
    """What a network does between two places, and what comes out."""

    title: str
    kind: str
    repeats: int  # of its block
    channels: int  # or the dimension of tokens
    extent: tuple[int, ...]  # (H, W) of the map, (N,) tokens, () of a vector
    parameters: int
    multiply_adds: int

    @property
    def side(self) -> float:
        """Of the map; of a square of as many tokens; 1 of a vector."""
        return sqrt(prod(self.extent))


def measure(model: nn.Module, x: Tensor, stages: Mapping[str, str]) -> list[Stage]:
    """The stages of ``model(x)``, which sum up to the whole.

    ``stages``: title -> name of the submodule whose end is the stage's. The arguments
    and the errors are those of `lecture_utils.diagrams.poster`.
    """
    tensors = {
        name: tensor.to("meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    unused = {id(tensors[name]): name for name, _ in model.named_parameters()}
    waiting = list(stages.items())
    found: list[Stage] = []
    done: list[str] = []  # submodules, since the last stage
    counter, ledger = FlopCounterMode(display=False), _Ledger()

    def uncounted() -> int:
        counted = sum(stage.multiply_adds for stage in found)
        return counter.get_total_flops() // 2 - counted

    def finished(name: str, module: nn.Module, _, output) -> None:
        if type(module) is not nn.Sequential:  # only a way to write several in a row
            done.append(name)
        if not waiting or name != waiting[0][1]:
            return
        if not isinstance(output, Tensor):
            raise ValueError(
                f"модуль {name!r} возвращает {type(output).__name__}, а стадия "
                "кончается модулем, который возвращает один тензор"
            )
        used = [unused.pop(key) for key in ledger.tensors & unused.keys()]
        stage = Stage(
            waiting.pop(0)[0],
            ledger.kind(),
            _repeats(model, done),
            *channels_and_extent(output),
            sum(tensors[name].numel() for name in used),
            uncounted(),
        )
        found.append(stage)
        ledger.clear()
        done.clear()

    with ExitStack() as stack:
        for name, module in model.named_modules():
            hook = module.register_forward_hook(partial(finished, name))
            stack.callback(hook.remove)
        for context in (evaluating(model), no_grad(), counter, ledger):
            stack.enter_context(context)
        functional_call(model, tensors, x.to("meta"))
    if waiting:
        stage, name = waiting[0]
        raise ValueError(
            f"конца стадии «{stage}» не было: модуль {name!r} не закончил работу после "
            "стадии перед ней; дайте имена из named_modules() в порядке прохода"
        )
    if unused or uncounted():
        raise ValueError(
            f"ни в одну стадию не вошли умножения со сложением ({uncounted()}) или "
            f"параметры {sorted(unused.values())}: последней назовите стадию, которой "
            "сеть кончается, а головы, нужные только для обучения, уберите"
        )
    return found


class _Ledger(TorchDispatchMode):
    """Notes which operations run, and on which tensors."""

    def __init__(self):
        super().__init__()
        self.operations: set[str] = set()
        self.tensors: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operations.add(str(func))
        self.tensors.update(map(id, tree_leaves((args, kwargs))))
        return func(*args, **(kwargs or {}))

    def clear(self) -> None:
        self.operations.clear()
        self.tensors.clear()

    def kind(self) -> str:
        names = " ".join(self.operations)
        return next(kind for kind, part in _KINDS.items() if re.search(part, names))


def _repeats(model: nn.Module, done: list[str]) -> int:
    """How many of the outermost modules with parameters are of the commonest class."""
    inner = {n for n in done for outer in done if n.startswith(f"{outer}.")}
    modules = [model.get_submodule(name) for name in done if name not in inner]
    classes = Counter(
        type(m) for m in modules if next(m.parameters(), None) is not None
    )
    return max(classes.values(), default=1)


def channels_and_extent(output: Tensor) -> tuple[int, tuple[int, ...]]:
    sides = tuple(output.shape[1:])
    if len(sides) == 3 and not sides[0] == sides[1] != sides[2]:
        return sides[0], sides[1:]
    return sides[-1], sides[:-1]
