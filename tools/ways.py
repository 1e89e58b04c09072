"""How each live picture moves in a page: frames on a grid, or a formula."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from lecture_utils.data.photos import PHOTOS_RU

Names = dict[str, Any]  # of a notebook
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Way:
    """By default a frame for every setting of the controls.

    Attributes:
        keep: control -> the values that a page has, beside the first; else all.
        figures: a formula moves the picture (tools/moving/formulas.js); the controls
            that still need a figure for each value.
        rest: control -> the place of the value with which these figures are drawn.
        arrays: what the formula takes, from the names of the notebook.
        tolerance: how far its numbers may be from Python's; more than rounding only
            where arrays are shipped in 256 steps.
    """

    keep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    figures: tuple[str, ...] | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    arrays: Callable[[Names], Arrays] = lambda names: {}
    tolerance: float = 1e-5


# --- the arrays of the formulas -------------------------------------------------------


@torch.no_grad()
def patches(names: Names) -> Arrays:
    """Queries, keys and values of the streets of a page, (h, N, d/h) a layer."""
    found = {}
    net, images = names["net"], names["val"].x
    for street in STREETS:
        for layer, block in enumerate(net.blocks, 1):
            kept = []
            hook = block.attn.in_proj.register_forward_hook(
                lambda module, given, made, kept=kept: kept.append(made)
            )
            net.eval()(images[street : street + 1])
            hook.remove()
            for name, part in zip("qkv", kept[0].chunk(3, -1), strict=True):
                heads = names["split_heads"](part, block.attn.h)[0]
                found[f"{name} {street} {layer}"] = heads.cpu().numpy()
    return found


def digits(names: Names) -> Arrays:
    """A hundred digits and the two convolutions of notebook 11."""
    images, labels = names["val"]
    convolutions = own(names)
    return {
        "digits": (255 * images[:100, 0]).round().byte().cpu().numpy(),
        "labels": labels[:100].byte().cpu().numpy(),
        **{k: v for k, v in convolutions.items() if k.startswith("conv")},
    }


def in_steps(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 and the step of each row: the 3.2 million weights of dense_1 in a page."""
    step = weight.abs().amax(1, keepdim=True) / 127
    return (weight / step).round().to(torch.int8), step


def own(names: Names) -> Arrays:
    """The network of notebook 11."""
    layers = {n: m for n, m in names["net"].named_modules() if hasattr(m, "weight")}
    found = {}
    for name, layer in layers.items():
        found[f"{name} weight"] = layer.weight.detach().float().cpu()
        found[f"{name} bias"] = layer.bias.detach().float().cpu()
    found["dense_1 weight"], found["dense_1 step"] = in_steps(found["dense_1 weight"])
    return {name: value.numpy() for name, value in found.items()}


@torch.no_grad()
def tokens(names: Names) -> Arrays:
    """Cosines of all pairs of patches in 256 steps, the half above the diagonal."""
    found = {}
    for photo in PHOTOS_RU.values():
        unit = F.normalize(names["seen"](photo, 336).tokens, dim=1)
        cosines = (255 * (unit @ unit.T).clamp(0, 1)).round().byte().cpu().numpy()
        found[photo] = cosines[np.triu_indices(len(cosines))]
    return found


STREETS = (0, 2, 5, 9, 14, 19, 24, 29)

WAYS = {
    "00_start-draw_look": Way(),
    "01_tasks-draw_verdict": Way(
        figures=(), arrays=lambda names: {"box": names["boxes"][1].double().numpy()}
    ),
    "01_tasks-draw_faces": Way({"threshold": (-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4)}),
    "02_vgg-draw_field": Way(),
    "02_vgg-draw_answers": Way(),
    "03_googlenet-draw_costs": Way(figures=("side",)),
    "03_googlenet-draw_maps": Way(),
    "04_resnet-draw_gradients": Way(
        {"depth": (4, 10, 20, 30, 40, 50), "skip": (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1)}
    ),
    "04_resnet-draw_classified": Way(),
    "05_fpn_unet-draw_level": Way({"number": range(5, 128, 20)}),
    "05_fpn_unet-draw_checkerboard": Way(),
    "06_attention-draw_reduction": Way(),
    "06_attention-draw_gates": Way(
        {"street": range(0, 200, 50), "channel": (1, 2, 4, 8, 12, 16, 24, 32)}
    ),
    "07_grad_cam-draw_cam": Way({"image": range(0, 21, 5)}),
    "07_grad_cam-draw_heat": Way(),
    "08_self_attention-draw_word": Way(
        figures=("word",),
        arrays=lambda names: {name: names[name].double().numpy() for name in "QKV"},
    ),
    "08_self_attention-patch_look": Way(
        {"street": STREETS}, figures=("street",), rest={"query": 1}, arrays=patches
    ),
    "09_swin-draw_four": Way(figures=("M", "shift")),
    "10_positional_encoding-draw_encoding": Way(
        {"d": (2, 4, 8, 16, 32, 64, 128, 256)}, figures=("d",)
    ),
    "10_positional_encoding-draw_similarity": Way(
        figures=("kind",),
        arrays=lambda names: {
            "подряд": names["grid_1d"].cpu().numpy(),
            "две оси": names["grid_2d"].cpu().numpy(),
        },
    ),
    "11_mnist_activations-draw_pixel": Way(figures=("layer",), arrays=digits),
    "11_mnist_activations-draw_own": Way(figures=(), arrays=own),
    "11_mnist_activations-draw_occlusion": Way(
        {
            "number": (0, 11, 22, 33, 44, 55),
            "fill": (0, 0.2, 0.3, 0.5, 1),
            "size": (3, 7, 11),
        }
    ),
    "11_mnist_activations-draw_depth": Way(),
    "12_real_transformer-draw_heads": Way({"layer": (1, 2, 4, 6, 8, 10, 12)}),
    "12_real_transformer-draw_alike": Way(
        figures=("source",), arrays=tokens, tolerance=1 / 510 + 1e-6
    ),
}
