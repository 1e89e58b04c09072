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

    def note(
        self,
        step: int,
        train_loss: float,
        train_error: float,
        val_loss: float,
        val_error: float,
    ) -> None:
        """Append one measurement."""
        self.step.append(step)
        self.train_loss.append(train_loss)
        self.train_error.append(train_error)
        self.val_loss.append(val_loss)
        self.val_error.append(val_error)


def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    val: tuple[Tensor, Tensor],
    *,
    steps: int,
    lr: float | None = None,
    weight_decay: float = 0.0,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    batch_size: int = 128,
    seed: int = 0,
    measure_every: int = 10,
    measure_batch: int = 64,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    title: str = "обучение",
) -> History:
    """Train a classifier on tensors and measure it on both parts along the way.

    With ``lr`` the usual recipe is used: AdamW, whose rate rises to ``lr`` and falls
    to zero in one cycle (L. Smith, N. Topin, 2018). For any other one hand over an
    ``optimizer`` and, if you like, a ``scheduler`` that changes its rate every step.

    Args:
        train, val: inputs (N, ...) and class labels (N,) int64.
        steps: optimizer steps; batches are drawn with replacement.
        lr, weight_decay: of the usual recipe.
        measure_every: steps between measurements of the val part and of as many
            first examples of the train part.
        measure_batch: examples measured at once. Many take their memory from the system
            anew each time, which is slower, and large models need few.

    Returns:
        History measured before the first step, every ``measure_every`` steps and
        after the last one. Ctrl-C ends the training early, not the notebook: what was
        measured is returned.

    Raises:
        ValueError: empty data, unequal lengths, a wrong number of steps, or not
            exactly one of ``lr`` and ``optimizer``.
        FloatingPointError: the loss is not finite; the step is named.
    """
    for name, (inputs, labels) in {"train": train, "val": val}.items():
        if len(inputs) == 0 or len(inputs) != len(labels):
            raise ValueError(
                f"{name}: примеров {len(inputs)}, меток {len(labels)}; "
                "нужно поровну и хотя бы по одной"
            )
    if min(steps, batch_size, measure_every, measure_batch) < 1:
        raise ValueError(
            f"steps={steps}, batch_size={batch_size}, measure_every={measure_every}, "
            f"measure_batch={measure_batch}: все числа должны быть больше нуля"
        )
    if lr is not None and optimizer is None:
        optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=weight_decay)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    elif lr is not None or optimizer is None:
        raise ValueError(
            f"lr={lr}, optimizer={type(optimizer).__name__}: нужно одно из двух — "
            "скорость обучения lr или готовый optimizer"
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
                on_train = _measure(model, *same_number, loss, measure_batch)
                on_val = _measure(model, *val, loss, measure_batch)
                history.note(step, *on_train, *on_val)  # all or, interrupted, none
            if step == steps:
                break
            model.train()
            batch = torch.randint(len(inputs), (batch_size,), generator=generator)
            batch = batch.to(inputs.device)
            batch_loss = loss(model(inputs[batch]), labels[batch])
            if not torch.isfinite(batch_loss):
                raise FloatingPointError(
                    f"на шаге {step} потери стали {batch_loss.item()}: "
                    "уменьшите скорость обучения"
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
            "выполните ячейку ещё раз."
        )
        model.eval()
    return history


@torch.no_grad()
def _measure(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    measure_batch: int,
) -> tuple[float, float]:
    """Mean loss and share of wrong answers."""
    model.eval()
    # In chunks: faster in the processor's cache, and memory stays bounded.
    logits = torch.cat([model(chunk) for chunk in inputs.split(measure_batch)])
    wrong = logits.argmax(1) != labels
    return loss(logits, labels).item(), wrong.double().mean().item()
