"""What the collection costs: two tables, printed.

    python -m tools.bench                  notebooks, then models
    python -m tools.bench notebooks [NAME ...]
    python -m tools.bench models [NAME ...]

Notebooks: seconds, peak memory of the kernel, seconds until the first picture is there.
Models: time and memory of the models written from scratch in units of the trusted
implementations, in float32, measured in turns in the same run. Run it on a machine
that does nothing else; Linux and macOS only.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import torch
import torchvision
from nbclient import NotebookClient
from torch import Tensor, nn

from tools.notebooks import CELL_TIMEOUT, NOTEBOOKS, ROOT

sys.path.insert(0, str(ROOT / "tests"))
from definitions import definitions

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


def twin(ours: nn.Module, reference: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Both with the weights of the reference, for names that are the same."""
    ours.load_state_dict(reference.state_dict())
    return ours, reference


def vgg16() -> Pair:
    lecture = definitions("02_vgg")
    pair = twin(lecture.VGG("D"), torchvision.models.vgg16())
    return *pair, torch.randn(1, 3, 224, 224)


def googlenet() -> Pair:
    lecture = definitions("03_googlenet")
    reference = torchvision.models.googlenet(init_weights=False, aux_logits=True)
    pair = twin(lecture.GoogLeNet(paper=False), reference)
    return *pair, torch.randn(2, 3, 224, 224)


def resnet50() -> Pair:
    lecture = definitions("04_resnet")
    ours = lecture.ResNet(lecture.Bottleneck, (3, 4, 6, 3))
    pair = twin(ours, torchvision.models.resnet50())
    return *pair, torch.randn(2, 3, 224, 224)


MODELS: dict[str, Callable[[], Pair]] = {
    "VGG-16": vgg16,
    "GoogLeNet": googlenet,
    "ResNet-50": resnet50,
}
ROUNDS = 9


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

    forward_ratio = ratio(forward(ours), forward(reference))
    both_ratio = ratio(both(ours), both(reference))
    memory = kept_bytes(ours, x) / kept_bytes(reference, x)
    return f"| {name} | {forward_ratio:.2f} | {both_ratio:.2f} | {memory:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("notebooks", "models"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.what != "models":
        print("| notebook | seconds | peak memory, GiB | first picture after, s |")
        print("|---|---|---|---|", flush=True)
        paths = sorted(NOTEBOOKS.glob("*.ipynb"))
        for path in paths:
            if not arguments.names or path.stem in arguments.names:
                print(notebook_row(path), flush=True)
    if arguments.what != "notebooks":
        print("\n| model | forward | forward and backward | memory kept |")
        print("|---|---|---|---|", flush=True)
        for name in arguments.names or MODELS:
            print(model_row(name), flush=True)


if __name__ == "__main__":
    main()
