"""Checks of the exercises of notebook 03 (GoogLeNet, 1×1 convolution, Inception)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_utils.exercises import Wrong, call, check, expect


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _randomise(module: nn.Module) -> nn.Module:
    """Give all parameters values that depend on no state of the notebook."""
    for seed, parameter in enumerate(module.parameters()):
        parameter.data = _random(*parameter.shape, seed=seed)
    return module


def _apply(layer: nn.Module, x: Tensor, given: str) -> Tensor:
    """Run the convolution that the student returned; errors become `Wrong`."""
    if not isinstance(layer, nn.Conv2d):
        raise Wrong(f"{given} — нужен nn.Conv2d, получено {type(layer).__name__}.")
    with torch.no_grad():
        return call(layer, x, given=given)


@check("03.1")
def inception_parameters(answer: Callable[..., int]) -> None:
    """Number of parameters of an Inception module in the paper's form."""
    hints = {
        (192, 64, 96, 128, 16, 32, 32): (
            "Шесть свёрток: четыре 1×1, одна 3×3, одна 5×5; у каждой есть смещения."
        ),
        (832, 384, 192, 384, 48, 128, 128): (
            "Сужения и проекция читают вход модуля, большие ядра — своё сужение."
        ),
        (5, 1, 2, 3, 4, 6, 7): "Проверьте, какие каналы с какими перемножены.",
    }
    for (c_in, c1, r3, c3, r5, c5, proj), hint in hints.items():
        pointwise = (c_in + 1) * (c1 + r3 + r5 + proj)
        want = pointwise + (9 * r3 + 1) * c3 + (25 * r5 + 1) * c5
        given = f"c_in={c_in}, ширины {c1, r3, c3, r5, c5, proj}"
        got = call(answer, c_in, c1, r3, c3, r5, c5, proj, given=given)
        expect(got, want, given=given, hint=hint)


@check("03.2")
def widest_reduction(answer: Callable[[int, int, int], int]) -> None:
    """Largest reduction that costs fewer operations than the direct convolution."""
    hints = {
        (192, 32, 5): "Решите неравенство Q_r < Q из формул (4) и (5) относительно r.",
        (192, 128, 3): "Канал сужения стоит c_in операций в 1×1 и k²·c_out в ядре.",
        (18, 2, 3): "При r = 9 цены равны, а нужно строго меньше.",
        (2, 2, 1): "Для ядра 1×1 цены равны уже при r = 1: выгодных сужений нет.",
        (7, 3, 2): "Ответ — целое число, округлять надо вниз.",
    }
    for (c_in, c_out, k), hint in hints.items():
        direct, per_channel = k * k * c_in * c_out, c_in + k * k * c_out
        want = max(r for r in range(c_in + 1) if r * per_channel < direct)
        given = f"c_in={c_in}, c_out={c_out}, k={k}"
        got = call(answer, c_in, c_out, k, given=given)
        expect(got, want, given=given, hint=hint)


@check("03.3")
def dense_to_conv(answer: Callable[..., nn.Conv2d]) -> None:
    """Convolution equal to a dense layer on a flattened map."""
    for C, H, W in [(3, 4, 4), (2, 3, 5)]:
        dense = _randomise(nn.Linear(C * H * W, 6))
        given = f"карта {C}×{H}×{W}"
        conv = call(answer, dense, C, H, W, given=given)
        x = _random(2, C, H, W, seed=5)
        expect(
            _apply(conv, x, given),
            dense(x.flatten(1)).detach()[..., None, None],
            given=given,
            hint="Ядро занимает всю карту; веса разворачиваются в порядке "
            "(канал, строка, столбец), смещение остаётся.",
        )
        x = _random(2, C, H + 2, W + 1, seed=6)
        windows = x.unfold(2, H, 1).unfold(3, W, 1)  # (B, C, 3, 2, H, W)
        want = dense(windows.movedim(1, 3).flatten(3)).detach().movedim(-1, 1)
        given = f"карта побольше, {C}×{H + 2}×{W + 1}"
        expect(
            _apply(conv, x, given),
            want,
            given=given,
            hint="Свёртка скользит с шагом 1 и без дополнения.",
        )


@check("03.4")
def class_maps(answer: Callable[[Tensor, nn.Linear], Tensor]) -> None:
    """Scores of the classes at every pixel of the last map."""
    for channels, classes, size in [(8, 5, (4, 6)), (5, 5, (3, 3))]:
        fc, x = _randomise(nn.Linear(channels, classes)), _random(2, channels, *size)
        want = F.conv2d(x, fc.weight[..., None, None], fc.bias).detach()
        given = f"x формы {tuple(x.shape)}, классов {classes}"
        with torch.no_grad():
            got = call(answer, x, fc, given=given)
        expect(
            got,
            want,
            given=given,
            hint="Линейный слой применяется к каналам каждого пикселя — это свёртка "
            "1×1 со смещением; среднее карты равно ответу головы.",
        )


@check("03.5")
def merge(answer: Callable[[nn.Conv2d, nn.Conv2d], nn.Conv2d]) -> None:
    """One convolution equal to a 1×1 convolution followed by another one."""
    wides = {
        "ядро 3×3, шаг 1": nn.Conv2d(4, 5, 3),
        "ядро 5×5, шаг 2": nn.Conv2d(4, 4, 5, stride=2),
        "ядро 1×3, шаг (2, 1)": nn.Conv2d(4, 3, (1, 3), stride=(2, 1)),
    }
    for given, wide in wides.items():
        narrow = _randomise(nn.Conv2d(6, 4, 1))
        _randomise(wide)
        x = _random(2, 6, 9, 8, seed=7)
        with torch.no_grad():
            want = wide(narrow(x))
        expect(
            _apply(call(answer, narrow, wide, given=given), x, given),
            want,
            given=given,
            hint="Ядро — сумма по каналам сужения; смещение сужения проходит через "
            "все точки большого ядра; шаг берётся у второй свёртки.",
        )
