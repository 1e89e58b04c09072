"""How each live picture moves in a page: frames on a grid, or a formula."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lecture_utils.data.photos import PHOTOS_RU

Names = dict[str, Any]  # of a notebook
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Way:
    """By default a frame for every setting of the controls.

    Attributes:
        grid: control -> the values that a page keeps, beside the first; else all.
        frames: of a formula, the controls that still need a figure for each value.
        rest: of a formula, control -> the value with which its figures are drawn.
        formula: the arrays that it takes, from the names of the notebook.
        moves: pictures that it supplies; figures leave them empty.
        maps: colour maps that it takes.
        tolerance: how far its numbers may be from Python's; more than rounding only
            where arrays are shipped in 256 steps.
        exact: makes the notebook's network the one that is shipped in fewer bits.
        hint: how to point at the picture, in Russian.
        pointed: controls that pointing replaces; only the keyboard still reaches them.
    """

    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    frames: tuple[str, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)
    formula: Callable[[Names], Arrays] | None = None
    moves: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    tolerance: float = 1e-5
    exact: Callable[[Names], None] | None = None
    hint: str = ""
    pointed: tuple[str, ...] = ()

    def text(self) -> str:
        """All that decides what is drawn, for a hash."""
        code = inspect.getsource(self.formula) if self.formula else ""
        return " ".join(map(str, (self.grid, self.frames, self.rest, code)))


def float32(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float32)


# --- the arrays of the formulas -------------------------------------------------------


def nothing(names: Names) -> Arrays:
    return {}


def true_box(names: Names) -> Arrays:
    return {"box": names["boxes"][1].double().numpy()}


def faces(names: Names) -> Arrays:
    """Boxes and logits of every photo, best first as the notebook has them."""
    found = {}
    for photo in PHOTOS_RU.values():
        sizes = [names["grey"](photo, side) for side in names["PYRAMID"]]
        boxes, logits = names["locate"](names["finder"], sizes)
        near = logits > -2
        found[f"boxes {photo}"] = float32(boxes[near])
        found[f"logits {photo}"] = float32(logits[near])
    return found


def inception(names: Names) -> Arrays:
    """Widths of module 3a."""
    return {"widths": np.array([192, 64, 128, 32], dtype=np.float64)}


def cbam(names: Names) -> Arrays:
    """Maps before CBAM and both gates, of the streets and blocks of a page."""
    found = {}
    images = names["val"][0]
    for street in [*range(0, len(images), 25), names["shown"][0]]:
        for block in (1, 2, 3):
            before, what, where, _ = names["inside_cbam"](
                names["nets"][1], images[street : street + 1], block - 1
            )
            for name, values in zip(
                ("before", "what", "where"), (before, what, where), strict=True
            ):
                found[f"{name} {street} {block}"] = float32(values)
    return found


def words(names: Names) -> Arrays:
    return {name: names[name].double().numpy() for name in "QKV"}


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
            parts = kept[0].chunk(3, -1)
            for name, part in zip("qkv", parts, strict=True):
                heads = names["split_heads"](part, block.attn.h)[0]
                found[f"{name} {street} {layer}"] = float32(heads)
    return found


def grids(names: Names) -> Arrays:
    return {"подряд": float32(names["grid_1d"]), "две оси": float32(names["grid_2d"])}


def digits(names: Names) -> Arrays:
    """Digits and the two convolutions of notebook 11."""
    images, labels = names["val"]
    found = {
        "digits": np.round(255 * images[:100, 0].cpu().numpy()).astype(np.uint8),
        "labels": labels[:100].cpu().numpy().astype(np.uint8),
    }
    for k in (1, 2):
        conv = names["net"].get_submodule(f"conv2d_{k}")
        found[f"weight{k}"] = float32(conv.weight)
        found[f"bias{k}"] = float32(conv.bias)
    return found


def whole_net(names: Names) -> Arrays:
    """The network of notebook 11, the 3.2 million weights of dense_1 in 255 steps."""
    net, found = names["net"], digits(names)
    del found["digits"], found["labels"]
    weight = net.dense_1.weight.detach().cpu().numpy()
    step = np.abs(weight).max(1, keepdims=True) / 127
    found["dense1"] = np.round(weight / step).astype(np.int8)
    found["step1"] = step[:, 0].astype(np.float32)
    found["shift1"] = float32(net.dense_1.bias)
    found["dense2"] = float32(net.dense_2.weight)
    found["shift2"] = float32(net.dense_2.bias)
    return found


def in_255_steps(names: Names) -> None:
    """Give dense_1 the weights that `whole_net` ships."""
    weight = names["net"].dense_1.weight.data
    step = weight.abs().amax(1, keepdim=True) / 127
    weight.copy_((weight / step).round() * step.float())


@torch.no_grad()
def tokens(names: Names) -> Arrays:
    """Cosines of all pairs of patches in 256 steps, the half above the diagonal."""
    found = {}
    for photo in PHOTOS_RU.values():
        unit = torch.nn.functional.normalize(names["seen"](photo, 336).tokens, dim=1)
        cosines = (unit @ unit.T).clamp(0, 1).cpu().numpy()
        upper = np.triu_indices(len(cosines))
        found[photo] = np.round(255 * cosines[upper]).astype(np.uint8)
    return found


STREETS = (0, 2, 5, 9, 14, 19, 24, 29)

WAYS = {
    "00_start-draw_look": Way(),
    "01_tasks-draw_verdict": Way(
        formula=true_box,
        hint="Ответ можно двигать прямо на снимке, а за угол — менять его размер.",
        pointed=("dx", "dy"),
    ),
    "01_tasks-draw_faces": Way(
        frames=("source",), rest={"threshold": -2}, formula=faces
    ),
    "02_vgg-draw_field": Way(),
    "02_vgg-draw_answers": Way(),
    "03_googlenet-draw_costs": Way(formula=inception),
    "03_googlenet-draw_maps": Way(),
    "04_resnet-draw_gradients": Way(
        {"depth": (4, 10, 20, 30, 40, 50), "skip": (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1)}
    ),
    "04_resnet-draw_answers": Way(),
    "05_fpn_unet-draw_level": Way({"number": range(5, 128, 20)}),
    "05_fpn_unet-draw_checkerboard": Way(),
    "06_attention-draw_reduction": Way(),
    "06_attention-draw_gates": Way(
        {"street": range(0, 200, 25)},
        frames=("street", "block"),
        formula=cbam,
        moves=("a1.image0", "a2.image0", "a3.image0"),
        maps=("RdBu_r", "cividis"),
    ),
    "07_grad_cam-draw_cam": Way({"image": range(0, 21, 5)}),
    "07_grad_cam-draw_answer": Way(),
    "08_self_attention-look": Way(
        frames=("word",),
        formula=words,
        hint="Слово можно выбрать прямо на рисунке.",
    ),
    "08_self_attention-patch_look": Way(
        {"street": STREETS},
        frames=("street",),
        rest={"query": 1},
        formula=patches,
        maps=("Reds",),
        moves=("a1.image1",),
        hint="Патч можно выбрать прямо на улице.",
        pointed=("query",),
    ),
    "09_swin-draw_four": Way(
        frames=("M", "shift"),
        formula=nothing,
        moves=("a0.image0", "a1.image0", "a2.image0", "a3.image0"),
        maps=("Blues",),
        hint="Запрос можно выбрать прямо на карте.",
        pointed=("row", "column"),
    ),
    "10_positional_encoding-draw_encoding": Way(
        {"d": (2, 4, 8, 16, 32, 64, 128, 256)},
        frames=("d",),
        formula=nothing,
        moves=("a0.image0",),
        maps=("RdBu_r",),
        hint="Позицию можно выбрать прямо на рисунке.",
    ),
    "10_positional_encoding-draw_similarity": Way(
        frames=("kind",),
        formula=grids,
        moves=("a0.image0",),
        maps=("cividis",),
        hint="Патч можно выбрать прямо на карте.",
        pointed=("row", "column"),
    ),
    "11_mnist_activations-draw_pixel": Way(
        frames=("layer",),
        formula=digits,
        moves=("a0.image0", "a1.image0"),
        maps=("gray_r", "cividis", "PuOr_r"),
        hint="Пиксель можно выбрать прямо на карте или на цифре.",
        pointed=("row", "column"),
    ),
    "11_mnist_activations-draw_own": Way(
        formula=whole_net,
        moves=("a0.image0", "a1.image0", "a3.image0", "a4.image0"),
        maps=("gray_r", "cividis"),
        exact=in_255_steps,
    ),
    "11_mnist_activations-draw_occlusion": Way(
        {
            "number": (0, 11, 22, 33, 44, 55),
            "fill": (0, 0.2, 0.3, 0.5, 1),
            "size": (3, 7, 11),
        }
    ),
    "11_mnist_activations-draw_depth": Way(),
    "12_real_transformer-look": Way({"layer": (1, 2, 4, 6, 8, 10, 11, 12)}),
    "12_real_transformer-alike": Way(
        frames=("photo",),
        formula=tokens,
        moves=("a1.image0",),
        maps=("magma",),
        tolerance=1 / 510 + 1e-6,
        hint="Патч можно выбрать прямо на снимке.",
        pointed=("row", "column"),
    ),
}
