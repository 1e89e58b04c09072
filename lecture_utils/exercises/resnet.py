"""Exercises of notebook 04 (residual connections)."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from lecture_utils.exercises.cases import cases, check, random, randomised
from lecture_utils.exercises.expect import (
    Wrong,
    call,
    case,
    convolve,
    expect,
    expect_form,
    parts,
)


@cases(
    "04.1",
    {
        (64, 64, 1): "Две свёртки 3×3 без смещений и по два вектора у каждой BN.",
        (64, 128, 2): "При смене размера добавляется проекция: 1×1 и своя BN.",
        (64, 128, 1): "Проекция нужна и тогда, когда меняется только число каналов.",
        (64, 64, 2): "Проекция нужна и тогда, когда меняется только шаг.",
        (3, 7, 1): "Каналы входа и выхода входят в формулу по-разному.",
    },
)
def block_parameters(c_in: int, c: int, stride: int) -> int:
    """Number of parameters of a basic block."""
    projection = c_in * c + 2 * c if stride != 1 or c_in != c else 0
    return 9 * c_in * c + 9 * c * c + 4 * c + projection


@check("04.2")
def permute_hidden(answer: Callable) -> None:
    """Permutation of the hidden neurons of x -> W2 relu(W1 x + b1)."""
    hints = {
        "W1": "Нейрон — это строка W1: новая строка i — старая perm[i].",
        "b1": "У каждого нейрона своё смещение: оно едет вместе с ним.",
        "W2": "Выход нейрона умножается на столбец W2, а не строку.",
    }
    for n, perm in [(3, [1, 2, 0]), (4, [2, 0, 3, 1]), (5, [4, 3, 2, 1, 0])]:
        W1, b1, W2 = random(n, 2, seed=1), random(n, seed=2), random(3, n, seed=3)
        given = f"n={n}, perm={perm}"
        with case(given):
            got = parts(call(answer, W1, b1, W2, torch.tensor(perm)), "W1, b1, W2")
        wants = W1[perm], b1[perm], W2[:, perm]
        for part, want, name in zip(got, wants, hints, strict=True):
            with case(f"{given}: {name}", hints[name]):
                expect(part, want)


class _Narrow(ResNet):
    """A ResNet with a sixteenth of the channels: the same names, a quick check."""

    def _make_layer(self, block: Any, planes: int, *args: Any, **options: Any) -> Any:
        return super()._make_layer(block, planes // 16, *args, **options)


@check("04.3")
def zero_init(answer: Callable[[nn.Module], nn.Module]) -> None:
    """Every residual block of a ResNet starts as the identity (or its projection)."""
    for block, last in [(BasicBlock, "bn2"), (Bottleneck, "bn3")]:
        before = randomised(_Narrow(block, [2, 1, 1, 1], num_classes=3))
        given = f"сеть из {block.__name__}"
        with case(given, "Верните саму сеть: return model."):
            after = call(answer, before)
            if not isinstance(after, nn.Module) or (
                before.state_dict().keys() != after.state_dict().keys()
            ):
                raise Wrong("это не та же сеть")
        hint = f"Обнулите и weight, и bias последней нормировки ветви ({last})."
        for name, module in after.named_modules():
            if isinstance(module, block):
                x = random(2, module.conv1.in_channels, 8, 8).relu()
                with case(f"{given}, блок {name}", hint), torch.no_grad():
                    shortcut = x if module.downsample is None else module.downsample(x)
                    expect(call(module, x), F.relu(shortcut))
        with case(given):
            _expect_untouched(before, after, last)


def _expect_untouched(before: nn.Module, after: nn.Module, last: str) -> None:
    for name, old in before.named_parameters():
        new = after.get_parameter(name)
        if not torch.equal(old, new) and f".{last}." not in name:
            raise Wrong(
                f"изменён лишний параметр {name}. "
                "Ветвь должна уметь выйти из нуля: её свёртки остаются как были"
            )
        if not new.requires_grad:
            raise Wrong(f"параметр {name} заморожен, а должен обучаться")


def _block(channels: int, size: int) -> tuple[Tensor, *tuple[nn.Module, ...]]:
    """Input, normalisation, convolution, normalisation, convolution."""
    layers = [
        layer
        for _ in range(2)
        for layer in (
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
    ]
    randomised(nn.ModuleList(layers)).requires_grad_(False)
    return random(2, channels, size, size), *layers


@cases(
    "04.4",
    dict.fromkeys(
        [(4, 6), (3, 5)],
        "Порядок: BN → ReLU → свёртка, дважды; складывается исходный x, "
        "после сложения ничего нет.",
    ),
    _block,
)
def pre_activation(
    x: Tensor, bn1: nn.Module, conv1: nn.Module, bn2: nn.Module, conv2: nn.Module
) -> Tensor:
    """Forward pass of the pre-activation block: BN, ReLU, conv, BN, ReLU, conv, sum."""
    return x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))


@check("04.5")
def stochastic_depth(answer: Callable[[Tensor, float, bool], Tensor]) -> None:
    """Residual branch dropped for whole examples, its mean kept."""
    y = random(4000, 2, 2, 2).abs() + 0.1
    hint = "Вне обучения ветвь не выключается и не масштабируется."
    with case("p=0.25, training=False", hint):
        expect(call(answer, y, 0.25, False), y)
    with case("p=0.0, training=True", "При p=0 ничего не выключается."):
        expect(call(answer, y, 0.0, True), y)
    hint = (
        "С вероятностью p пример выключается целиком, каждый сам по себе; "
        "остальные делят на 1 − p, чтобы среднее не изменилось."
    )
    for p in (0.25, 0.6):
        with case(f"p={p}, training=True", hint):
            got = call(answer, y, p, True)
            expect_form(got, y)
            _expect_dropped(got, y, p)


def _expect_dropped(got: Tensor, y: Tensor, p: float) -> None:
    dropped = (got == 0).flatten(1)
    whole = dropped.all(1)
    if not torch.equal(whole, dropped.any(1)):
        raise Wrong("внутри одного примера обнулена часть чисел: это Dropout")
    share, spread = whole.double().mean().item(), (p * (1 - p) / len(y)) ** 0.5
    if abs(share - p) > 6 * spread:
        raise Wrong(f"выключена доля примеров {share:.2f}")
    expect(got[~whole], y[~whole] / (1 - p))


@check("04.6")
def fold_bn(answer: Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Conv2d]) -> None:
    """Convolution that equals convolution followed by BatchNorm in eval mode."""
    hint = (
        "BN: γ·(z − μ)/√(σ² + ε) + β. Проверьте, что учтены ε, μ "
        "и смещение самой свёртки, а шаг и группы сохранены."
    )
    convs = {
        "свёртка без смещения": nn.Conv2d(3, 4, 3, padding=1, bias=False),
        "свёртка со смещением": nn.Conv2d(3, 4, 3, bias=True),
        "шаг 2, две группы": nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False),
    }
    for given, conv in convs.items():
        bn = nn.BatchNorm2d(conv.out_channels, eps=0.1)
        pair = randomised(nn.Sequential(conv, bn))
        x = random(2, conv.in_channels, 7, 7)
        with case(given, hint):
            expect(convolve(call(answer, conv, bn), x), pair(x))
