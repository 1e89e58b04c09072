"""How an exercise is declared: its cases and its oracle, or a check of its own."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import signature
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from lecture_utils.exercises.bans import Ban
from lecture_utils.exercises.expect import SILENT, Hint, Wrong, call, case, expect

Check = Callable[..., None]

CHECKS: dict[str, Check] = {}  # filled by the modules of the notebooks
SILENT_CASES = 3
SILENT_HINT = (
    "Примеры выше решены верно: либо решение подогнано под них, либо в нём упущен "
    "какой-то случай."
)


def check(number: str) -> Callable[[Check], Check]:
    """Register a function that judges the answer to exercise ``number``.

    It takes the student's answer (usually a function) and, if it has a second
    parameter, the random numbers of its silent case; it raises `Unsolved` or `Wrong`,
    and returns when the answer is right.
    """

    def register(function: Check) -> Check:
        draws = len(signature(function).parameters) == 2
        CHECKS[number] = function if draws else lambda answer, _: function(answer)
        return function

    return register


def cases(
    number: str,
    hints: Mapping[tuple, Hint],
    inputs: Callable[..., tuple] | None = None,
    given: str = "",
    *,
    random_case: Callable[[Random], tuple] | None = None,
    mistakes: Mapping[str, Callable] | None = None,
    forbid: Ban | None = None,
    kept: str = "",
    **how: Any,
) -> Callable[[Callable], Callable]:
    """Declare an exercise: the decorated function, its oracle, answers these cases.

    Args:
        hints: a case → what to tell who answers it wrongly. A case holds the arguments
            of the answer, or those of ``inputs``.
        inputs: makes the arguments of the answer where they cannot be written down,
            in the precision of the moment.
        given: names a case, with braces for its values; by default the arguments
            do, by the names that they have in the oracle as in the notebook's stub.
        random_case: draws a case that the verdict does not tell, tried last.
        mistakes: a hint → the mistake that it is for, a function like the oracle; who
            gets its value is told this instead of the hint of the case.
        forbid, kept: as in `call`.
        how: options of `expect`.
    """

    def register(oracle: Callable) -> Callable:
        def try_case(answer: Any, args: tuple, name: str, hint: Hint) -> None:
            with case(name, hint):
                got = call(answer, *args, forbid=forbid, kept=kept)
            with case(name, _of_mistake(got, args, mistakes or {}, how) or hint):
                expect(got, oracle(*args), **how)

        @check(number)
        def check_cases(answer: Any, rng: Random) -> None:
            for key, hint in hints.items():
                args = inputs(*key) if inputs else key
                name = given.format(*key) if given else describe(oracle, args)
                try_case(answer, args, name, hint)
            for draw in [random_case] * SILENT_CASES if random_case else []:
                key = draw(rng)
                args = inputs(*key) if inputs else key
                try_case(answer, args, SILENT, SILENT_HINT)

        return oracle

    return register


def _of_mistake(
    got: Any, args: tuple, mistakes: Mapping[str, Callable], how: Mapping[str, Any]
) -> str:
    """The hint for the mistake whose value this is, if it is one that is known."""
    for hint, mistake in mistakes.items():
        with suppress(Wrong):
            expect(got, mistake(*args), **how)
            return hint
    return ""


def describe(function: Callable, args: tuple) -> str:
    """The arguments of a call by name, tensors by shape or by a few short values."""
    texts = []
    for name, value in zip(signature(function).parameters, args, strict=True):
        if callable(value):
            continue  # a layer, a function: the shapes around it tell enough
        if not isinstance(value, Tensor):
            texts.append(f"{name}={value!r}")
        elif 0 < value.numel() <= 12 and not (value * 100).remainder(1).any():
            texts.append(f"{name}={value.tolist()}")
        else:
            texts.append(f"{name} формы {tuple(value.shape)}")
    return ", ".join(texts)


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Normal numbers that depend on nothing in the notebook but its precision."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomised(module: nn.Module) -> nn.Module:
    """Give every parameter and statistic a value that no mistake can hide behind."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            values = torch.rand(tensor.shape, generator=generator) + 0.5
            tensor.data.copy_(values if tensor.dim() == 1 else values - 1)
    return module.eval()
