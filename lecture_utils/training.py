"""One training loop for all notebooks, with a progress bar and a history."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm


@dataclass
class History:
    """What was measured during training; lists run in parallel.

    ``step`` counts optimizer steps, losses are means per example, errors are shares
    of wrong answers in [0, 1].
    """

    step: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_error: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_error: list[float] = field(default_factory=list)


def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    val: tuple[Tensor, Tensor],
    *,
    steps: int,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    batch_size: int = 128,
    seed: int = 0,
    measure_every: int = 10,
    measure_batch: int = 256,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    title: str = "обучение",
) -> History:
    """Train a classifier on tensors and measure it on both parts along the way.

    Args:
        train, val: inputs (N, ...) and class labels (N,) int64.
        steps: optimizer steps; batches are drawn with replacement.
        scheduler: changes the learning rate after every step.
        measure_every: steps between measurements of the val part and of as many
            first examples of the train part.
        measure_batch: examples measured at once; large models need a small number
            to stay within memory.

    Returns:
        History measured before the first step, every ``measure_every`` steps and
        after the last one. Ctrl-C ends the training early, not the notebook: what was
        measured is returned.

    Raises:
        ValueError: empty data, unequal lengths or a wrong number of steps.
        FloatingPointError: the loss is not finite; the step is named.
    """
    for name, (inputs, labels) in {"train": train, "val": val}.items():
        if len(inputs) == 0 or len(inputs) != len(labels):
            raise ValueError(
                f"{name}: {len(inputs)} inputs and {len(labels)} labels; "
                "expected equal numbers above zero"
            )
    if min(steps, batch_size, measure_every, measure_batch) < 1:
        raise ValueError(
            f"steps={steps}, batch_size={batch_size}, measure_every={measure_every}, "
            f"measure_batch={measure_batch}: all must be positive"
        )
    history = History()
    same_number = train[0][: len(val[0])], train[1][: len(val[0])]
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = train
    # In notebooks tqdm itself does not look at its variable TQDM_DISABLE.
    quiet = "TQDM_DISABLE" in os.environ
    progress = tqdm(range(steps + 1), desc=title, leave=False, disable=quiet)
    try:
        for step in progress:
            if step % measure_every == 0 or step == steps:
                _measure(model, step, history, same_number, val, loss, measure_batch)
            if step == steps:
                break
            model.train()
            batch = torch.randint(len(inputs), (batch_size,), generator=generator)
            batch = batch.to(inputs.device)
            batch_loss = loss(model(inputs[batch]), labels[batch])
            if not torch.isfinite(batch_loss):
                raise FloatingPointError(
                    f"loss is {batch_loss.item()} at step {step}: "
                    "lower the learning rate"
                )
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
    except KeyboardInterrupt:
        print(
            f"Обучение прервано на шаге {step} из {steps}: измеренное сохранено, сеть "
            "осталась такой, какой была в этот момент. Чтобы обучить её до конца, "
            "выполните клетку ещё раз."
        )
        model.eval()
    return history


@torch.no_grad()
def _measure(model, step, history, train, val, loss, measure_batch) -> None:
    model.eval()
    measured = {"step": step}
    for part, (inputs, labels) in (("train", train), ("val", val)):
        # In chunks: faster in the processor's cache, and memory stays bounded.
        logits = torch.cat([model(chunk) for chunk in inputs.split(measure_batch)])
        measured[f"{part}_loss"] = loss(logits, labels).item()
        wrong = logits.argmax(1) != labels
        measured[f"{part}_error"] = wrong.double().mean().item()
    for name, value in measured.items():  # all or, when interrupted, none
        getattr(history, name).append(value)
