"""Checks of the exercises of notebook 04 (residual connections)."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from lecture_utils.exercises import Wrong, call, check, expect, expect_form


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _randomise(module: nn.Module) -> nn.Module:
    """Give every parameter and statistic a value that no mistake can hide behind."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            random = torch.rand(tensor.shape, generator=generator) + 0.5
            tensor.data.copy_(random if tensor.dim() == 1 else random - 1)
    return module.eval()


@check("04.1")
def block_parameters(answer: Callable[[int, int, int], int]) -> None:
    """Number of parameters of a basic block."""
    hints = {
        (64, 64, 1): "Две свёртки 3×3 без смещений и по два вектора у каждой BN.",
        (64, 128, 2): "При смене размера добавляется проекция: 1×1 и своя BN.",
        (64, 128, 1): "Проекция нужна и тогда, когда меняется только число каналов.",
        (64, 64, 2): "Проекция нужна и тогда, когда меняется только шаг.",
        (3, 7, 1): "Каналы входа и выхода входят в формулу по-разному.",
    }
    for (c_in, c, stride), hint in hints.items():
        want = 9 * c_in * c + 9 * c * c + 4 * c
        if stride != 1 or c_in != c:
            want += c_in * c + 2 * c
        given = f"c_in={c_in}, c={c}, stride={stride}"
        got = call(answer, c_in, c, stride, given=given)
        expect(got, want, given=given, hint=hint)


@check("04.2")
def permute_hidden(answer: Callable) -> None:
    """Permutation of the hidden neurons of x -> W2 relu(W1 x + b1)."""
    for hidden, perm in [(3, [1, 2, 0]), (4, [2, 0, 3, 1]), (5, [4, 3, 2, 1, 0])]:
        order = torch.tensor(perm)
        w1, b1, w2 = (
            _random(hidden, 2, seed=1),
            _random(hidden, seed=2),
            _random(3, hidden, seed=3),
        )
        given = f"n={hidden}, perm={perm}"
        got = call(answer, w1, b1, w2, order, given=given)
        if not isinstance(got, tuple | list) or len(got) != 3:
            raise Wrong(f"{given} — нужно вернуть три тензора: W1, b1, W2.")
        parts = {
            "W1": (
                w1[order],
                "Нейрон — это строка W1: новая строка i — старая perm[i].",
            ),
            "b1": (
                b1[order],
                "У каждого нейрона своё смещение: оно едет вместе с ним.",
            ),
            "W2": (
                w2[:, order],
                "Выход нейрона умножается на столбец W2, а не строку.",
            ),
        }
        for tensor, (name, (want, hint)) in zip(got, parts.items(), strict=True):
            expect(tensor, want, given=f"{given}: {name}", hint=hint)


@check("04.3")
def zero_init(answer: Callable[[nn.Module], nn.Module]) -> None:
    """Every residual block of a ResNet starts as the identity (or its projection)."""
    for block in (BasicBlock, Bottleneck):
        before = _randomise(ResNet(block, [2, 1, 1, 1], num_classes=3))
        given = f"сеть из {block.__name__}"
        after = call(answer, before, given=given)
        if not isinstance(after, nn.Module):
            raise Wrong(f"{given} — верните саму сеть: return model.")
        last = {BasicBlock: "bn2", Bottleneck: "bn3"}[block]
        for name, module in after.named_modules():
            if isinstance(module, block):
                _expect_identity(module, f"{given}, блок {name}", last)
        _expect_untouched(before, after, last, given)


def _expect_identity(block: nn.Module, given: str, last: str) -> None:
    x = _random(2, block.conv1.in_channels, 8, 8).relu()
    with torch.no_grad():
        shortcut = x if block.downsample is None else block.downsample(x)
        expect(
            block(x),
            F.relu(shortcut),
            given=given,
            hint=f"Обнулите и weight, и bias последней нормировки ветви ({last}).",
        )


def _expect_untouched(
    before: nn.Module, after: nn.Module, last: str, given: str
) -> None:
    new = dict(after.named_parameters())
    for name, parameter in before.named_parameters():
        changed = not torch.equal(parameter, new[name])
        if changed and not name.endswith((f".{last}.weight", f".{last}.bias")):
            raise Wrong(
                f"{given} — изменён лишний параметр {name}. "
                "Ветвь должна уметь выйти из нуля: её свёртки остаются как были."
            )
        if not new[name].requires_grad:
            raise Wrong(f"{given} — параметр {name} заморожен, а должен обучаться.")


@check("04.4")
def pre_activation(answer: Callable) -> None:
    """Forward pass of the pre-activation block: BN, ReLU, conv, BN, ReLU, conv, sum."""
    for channels, size in [(4, 6), (3, 5)]:
        parts = nn.ModuleList(
            [
                nn.BatchNorm2d(channels),
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            ]
        )
        bn1, conv1, bn2, conv2 = _randomise(parts)
        x = _random(2, channels, size, size)
        given = f"x формы {tuple(x.shape)}"
        with torch.no_grad():
            got = call(answer, x, bn1, conv1, bn2, conv2, given=given)
            want = x + conv2(F.relu(bn2(conv1(F.relu(bn1(x))))))
        expect(
            got,
            want,
            given=given,
            hint="Порядок: BN → ReLU → свёртка, дважды; складывается исходный x, "
            "после сложения ничего нет.",
        )


@check("04.5")
def stochastic_depth(answer: Callable[[Tensor, float, bool], Tensor]) -> None:
    """Residual branch dropped for whole examples, its mean kept."""
    y = _random(4000, 2, 2, 2).abs() + 0.1
    hint = "Вне обучения ветвь не выключается и не масштабируется."
    given = "p=0.25, training=False"
    expect(call(answer, y, 0.25, False, given=given), y, given=given, hint=hint)
    given = "p=0.0, training=True"
    hint = "При p=0 ничего не выключается."
    expect(call(answer, y, 0.0, True, given=given), y, given=given, hint=hint)
    # Randomness inside the answer must not move the notebook's own random numbers.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for p in (0.25, 0.6):
            given = f"p={p}, training=True"
            got = call(answer, y, p, True, given=given)
            expect_form(got, y, given=given)
            _expect_dropped(got, y, p, given)


def _expect_dropped(got: Tensor, y: Tensor, p: float, given: str) -> None:
    dropped = (got == 0).flatten(1)
    whole = dropped.all(1)
    if not torch.equal(whole, dropped.any(1)):
        raise Wrong(
            f"{given} — внутри одного примера обнулена часть чисел. "
            "Это Dropout; здесь пример выключается целиком."
        )
    share, spread = whole.double().mean().item(), (p * (1 - p) / len(y)) ** 0.5
    if abs(share - p) > 6 * spread:
        raise Wrong(
            f"{given} — выключена доля примеров {share:.2f}. p — это вероятность "
            "выключить ветвь, и решается она для каждого примера отдельно."
        )
    expect(
        got[~whole],
        y[~whole] / (1 - p),
        given=given,
        hint="Оставшиеся ветви делят на 1 − p, чтобы среднее не изменилось.",
    )


@check("04.6")
def fold_bn(answer: Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Conv2d]) -> None:
    """Convolution that equals convolution followed by BatchNorm in eval mode."""
    convs = {
        "свёртка без смещения": nn.Conv2d(3, 4, 3, padding=1, bias=False),
        "свёртка со смещением": nn.Conv2d(3, 4, 3, bias=True),
        "шаг 2, две группы": nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False),
    }
    for given, conv in convs.items():
        bn = nn.BatchNorm2d(conv.out_channels, eps=0.1)
        _randomise(nn.ModuleList([conv, bn]))
        original = copy.deepcopy((conv, bn))
        folded = call(answer, conv, bn, given=given)
        if not isinstance(folded, nn.Conv2d):
            raise Wrong(f"{given} — нужен nn.Conv2d, получено {type(folded).__name__}.")
        x = _random(2, conv.in_channels, 7, 7)
        with torch.no_grad():
            expect(
                call(folded, x, given=given),
                original[1](original[0](x)),
                given=given,
                hint="BN: γ·(z − μ)/√(σ² + ε) + β. Проверьте, что учтены ε, μ "
                "и смещение самой свёртки, а шаг и группы сохранены.",
            )
