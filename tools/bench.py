"""What the collection costs: two tables, printed.

    python -m tools.bench                  notebooks, then models
    python -m tools.bench notebooks [NAME ...]
    python -m tools.bench models [NAME ...]

Notebooks: seconds, peak memory of the kernel, seconds until the first picture is there.
Models: time and memory of the models written from scratch in units of the trusted
implementations, in float32, measured in turns in the same run. Run it on a machine
that does nothing else; Linux and macOS only.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import torch
import torch.nn.functional as F
import torchvision
from nbclient import NotebookClient
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from lecture_utils.reference import twin
from tools import command_line
from tools.definitions import definitions
from tools.notebooks import CELL_TIMEOUT
from tools.paths import NOTEBOOKS, notebooks

# --- notebooks ------------------------------------------------------------------------

PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
TO_GIB = 2**30 if sys.platform == "darwin" else 2**20  # ru_maxrss: bytes or KiB


def notebook_row(path: Path) -> str:
    nb = nbformat.read(path, as_version=4)
    nb.cells.append(nbformat.v4.new_code_cell(PEAK))
    first_picture = []
    start = time.monotonic()

    def note(cell: nbformat.NotebookNode, **_) -> None:
        if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            first_picture.append(time.monotonic() - start)

    client = NotebookClient(
        nb,
        timeout=CELL_TIMEOUT,
        resources={"metadata": {"path": NOTEBOOKS}},
        on_cell_executed=note,
    )
    client.execute()
    seconds = time.monotonic() - start
    peak = int(nb.cells[-1].outputs[0].text) / TO_GIB
    return f"| {path.stem} | {seconds:.0f} | {peak:.2f} | {first_picture[0]:.0f} |"


# --- models ---------------------------------------------------------------------------

Pair = tuple[nn.Module, nn.Module, Tensor]
RESNET50 = (3, 4, 6, 3)


def vgg16() -> Pair:
    reference = torchvision.models.vgg16()
    ours = twin(definitions("02_vgg").VGG("D"), reference)
    return ours, reference, torch.randn(1, 3, 224, 224)


def googlenet() -> Pair:
    reference = torchvision.models.googlenet(init_weights=False, aux_logits=True)
    ours = twin(definitions("03_googlenet").GoogLeNet(paper=False), reference)
    return ours, reference, torch.randn(2, 3, 224, 224)


def resnet50() -> Pair:
    lecture = definitions("04_resnet")
    reference = torchvision.models.resnet50()
    ours = twin(lecture.ResNet(lecture.Bottleneck, RESNET50), reference)
    return ours, reference, torch.randn(2, 3, 224, 224)


def vit_b_16() -> Pair:
    lecture = definitions("08_self_attention")
    reference = torchvision.models.vit_b_16()
    ours = twin(lecture.ViT(**lecture.VIT_B_16), reference, lecture.VIT_RULES)
    return ours, reference, torch.randn(1, 3, 224, 224)


def multi_head() -> Pair:
    lecture = definitions("08_self_attention")
    reference = lecture.LibraryMHA(768, 12)
    ours = twin(lecture.OurMHA(768, 12), reference, lecture.RULES)
    return ours, reference, torch.randn(2, 197, 768)


def swin_t() -> Pair:
    lecture = definitions("09_swin")
    reference = torchvision.models.swin_t()
    ours = twin(lecture.Swin(), reference, lecture.TORCHVISION)
    return ours, reference, torch.randn(1, 3, 224, 224)


class DenseAttention(nn.Module):
    """Neighborhood Attention as attention to all tokens, most of them masked."""

    def __init__(self, inner: Any, side: int):  # a NeighborhoodAttention
        super().__init__()
        index, cell = inner.places(side, side)  # (N, k²), twice
        mask = torch.full((len(index), len(index), inner.h), -torch.inf)
        mask.scatter_(
            1,
            index[..., None].expand(-1, -1, inner.h),
            inner.bias_table[cell].detach(),
        )
        self.inner, self.mask = inner, mask.permute(2, 0, 1).contiguous()

    def forward(self, x: Tensor) -> Tensor:  # (B, H, W, C)
        q, k, v = self.inner.heads(x.flatten(1, 2))
        y = F.scaled_dot_product_attention(q, k, v, self.mask)
        return self.inner.proj(y.transpose(1, 2).reshape(x.shape))


def neighbourhood() -> Pair:
    ours = definitions("09_swin").NeighborhoodAttention(32, 4, 7)
    return ours, DenseAttention(ours, 56), torch.randn(1, 56, 56, 32)


class CamOf(nn.Module):
    """A Grad-CAM of ResNet-50 as a module, to be measured like the others."""

    def __init__(self, call: Callable[[nn.Module, nn.Module, Tensor], object]):
        super().__init__()
        self.model, self.call = torchvision.models.resnet50(), call

    def forward(self, x: Tensor) -> object:
        return self.call(self.model, self.model.layer4, x)


def grad_cam() -> Pair:
    lecture = definitions("07_grad_cam")

    def ours(model: nn.Module, layer: nn.Module, x: Tensor) -> Tensor:
        map_ = lecture.grad_cam(model, layer, x, torch.tensor([5, 5]))
        return lecture.project(map_, x.shape[-2:])

    def package(model: nn.Module, layer: nn.Module, x: Tensor):
        with GradCAM(model, [layer]) as cam:
            return cam(x, [ClassifierOutputTarget(5)] * 2)

    return CamOf(ours), CamOf(package), torch.randn(2, 3, 224, 224)


MODELS: dict[str, Callable[[], Pair]] = {
    "VGG-16": vgg16,
    "GoogLeNet": googlenet,
    "ResNet-50": resnet50,
    "ViT-B/16": vit_b_16,
    "Swin-T": swin_t,
    "multi-head attention": multi_head,
    "Neighborhood Attention 56×56 : dense with a mask": neighbourhood,
    "Grad-CAM": grad_cam,
}
ROUNDS = 15


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(ours: Callable[[], object], reference: Callable[[], object]) -> float:
    """Median time of ours in units of the reference's, both run in turns."""
    for warm_up in (ours, reference):
        warm_up()
    pairs = [(seconds(ours), seconds(reference)) for _ in range(ROUNDS)]
    mine, theirs = zip(*pairs, strict=True)
    return statistics.median(mine) / statistics.median(theirs)


def kept_bytes(model: nn.Module, x: Tensor) -> int:
    """Memory that the forward pass keeps for the backward one, weights not counted."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out = model(x)  # alive to the end, so that no address is used twice
    del out
    return sum(kept.values())


def model_row(name: str) -> str:
    torch.manual_seed(0)
    ours, reference, x = MODELS[name]()
    ours.eval(), reference.eval()
    x.requires_grad_()

    def forward(model: nn.Module) -> Callable[[], object]:
        return torch.no_grad()(lambda: model(x))

    def both(model: nn.Module) -> Callable[[], object]:
        return lambda: model(x).sum().backward()

    if isinstance(ours, CamOf):  # it goes back by itself, and keeps nothing
        both_ratio = ratio(lambda: ours(x), lambda: reference(x))
        return f"| {name} | | {both_ratio:.2f} | |"
    forward_ratio = ratio(forward(ours), forward(reference))
    both_ratio = ratio(both(ours), both(reference))
    memory = kept_bytes(ours, x) / kept_bytes(reference, x)
    return f"| {name} | {forward_ratio:.2f} | {both_ratio:.2f} | {memory:.2f} |"


def main() -> None:
    stored = {path.stem: path for path in notebooks()}
    parser = command_line.parser(__doc__)
    parser.add_argument("what", nargs="?", choices=("notebooks", "models"))
    known = command_line.one_of([*stored, *MODELS])
    parser.add_argument("names", nargs="*", metavar="NAME", type=known)
    arguments = parser.parse_args()
    names = arguments.names or [*stored, *MODELS]
    if arguments.what != "models":
        print("| notebook | seconds | peak memory, GiB | first picture after, s |")
        print("|---|---|---|---|", flush=True)
        for name in filter(stored.__contains__, names):
            print(notebook_row(stored[name]), flush=True)
    if arguments.what != "notebooks":
        print("\n| model | forward | forward and backward | memory kept |")
        print("|---|---|---|---|", flush=True)
        for name in filter(MODELS.__contains__, names):
            print(model_row(name), flush=True)


if __name__ == "__main__":
    main()
