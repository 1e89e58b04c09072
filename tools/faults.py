"""Planted faults: the tests must notice every one of them.

    python -m tools.faults [WORD ...]     all, or those whose name or tests hold a WORD

Each fault is planted alone into a copy of the working tree, and the tests that guard
the place run until one fails. Without a fault they must pass: run `make test` before.
"""

import importlib
import multiprocessing
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat import NotebookNode


class Fault(NamedTuple):
    """A text that stands once in the tree or in the cells of the notebooks."""

    name: str
    right: str
    wrong: str | Callable[[NotebookNode], object]  # or what spoils the cell


def untag(cell: NotebookNode) -> None:
    del cell.metadata["tags"]


def lose_alt(cell: NotebookNode) -> None:
    for output in cell.outputs:
        output.data["text/plain"] = "<Figure size 640x480 with 1 Axes>"


# Modules of tests and notebooks, with options of pytest -> the faults they must notice.
FAULTS: dict[str, list[Fault]] = {
    "test_session": [
        Fault(
            "session: a false claim is printed",
            "    if not holds:",
            "    if holds is None:",
        ),
        Fault(
            "session: a failed claim hides what was measured",
            'f"{source} = {value!r}" for source',
            "source for source",
        ),
        Fault(
            "session: the seed of torch is not set",
            "torch.manual_seed(0)\n    torch.set_default_dtype",
            "torch.set_default_dtype",
        ),
        Fault(
            "session: float32 is the default",
            "dtype: torch.dtype = torch.float64) -> torch.device",
            "dtype: torch.dtype = torch.float32) -> torch.device",
        ),
        Fault(
            "session: a GPU draws its own random numbers",
            "if not draws or not there or",
            "if draws or not there or",
        ),
        Fault(
            "session: a user's matplotlibrc changes pictures",
            "    mpl.rcdefaults()",
            "    mpl.rcParams",
        ),
    ],
    "test_fresh_process": [
        Fault(
            "session: the start is slow",
            "import executing\n",
            "import datasets\nimport executing\n",
        ),
        Fault(
            "session: threads wait by spinning",
            '"GOMP_SPINCOUNT", "1000"',
            '"GOMP_SPINCOUNT", "300000"',
        ),
    ],
    "test_set_up": [
        Fault(
            "set-up: uv installs where a variable says",
            "$bin/uv pip install --python .venv",
            "$bin/uv pip install",
        ),
        Fault(
            "set-up: a moved environment is complete",
            "grep -qxF '$(CURDIR)' $(READY)",
            "test -f $(READY)",
        ),
    ],
    "test_abuse": [
        Fault(
            "session: a missing name is not explained",
            "shell.set_custom_exc((NameError, MemoryError, RuntimeError), _explain)",
            "pass",
        ),
        Fault(
            "session: only Python's own MemoryError is explained",
            'return "you tried to allocate" in str(error) or "bad_alloc" in str(error)',
            "return False",
        ),
        Fault(
            "notebooks: written in place",
            'fresh = path.with_suffix(".ipynb.new")',
            "fresh = path",
        ),
    ],
    "test_figures": [
        Fault(
            "figures: the alt text is not stored",
            '"height": height, "alt": alt}',
            '"height": height}',
        ),
        Fault(
            "figures: a short alt text is accepted",
            "    if len(alt) < 20:\n        raise",
            "    if len(alt) < 2:\n        raise",
        ),
        Fault(
            "figures: the figure stays open",
            "draw()\n    plt.close(figure)\n",
            "draw()\n",
        ),
        Fault(
            "figures: a control is not observed",
            'control.observe(moved, names="value")',
            'control.observe(moved, names="style")',
        ),
    ],
    "test_training": [
        Fault(
            "training: the scheduler is not stepped",
            "                scheduler.step()",
            "                scheduler.get_last_lr()",
        ),
        Fault(
            "training: the seed is ignored",
            ".manual_seed(seed)\n    inputs, labels = train",
            ".manual_seed(0)\n    inputs, labels = train",
        ),
        Fault(
            "training: after Ctrl-C the network stays in train mode",
            "        model.eval()\n    return history",
            "    return history",
        ),
    ],
    "04_resnet": [
        Fault(
            "training: trained in eval mode",
            "            model.train()\n            batch =",
            "            model.eval()\n            batch =",
        ),
        Fault(
            "04: a smaller learning rate",
            "train_net(net, train, val, steps=100, lr=0.05, every=10)",
            "train_net(net, train, val, steps=100, lr=0.03, every=10)",
        ),
    ],
    "test_reference": [
        Fault(
            "reference: gradients are not compared",
            '_close(f"градиент по {name}", tensor.grad, gradients.pop(name), atol)',
            "gradients.pop(name)",
        ),
        Fault(
            "reference: NaN equals everything",
            "if not difference <= atol * scale:",
            "if difference > atol * scale:",
        ),
        Fault(
            "reference: a loose tolerance",
            "atol: float = 1e-10,",
            "atol: float = 1e-3,",
        ),
        Fault(
            "reference: renamed keys may collide",
            "if len(renamed) != len(state):",
            "if len(renamed) > len(state):",
        ),
    ],
    "test_metrics": [
        Fault(
            "metrics: union counted as a sum",
            "either[label] += int((p | t).sum())",
            "either[label] += int(p.sum() + t.sum())",
        ),
        Fault(
            "metrics: a reference box is found twice",
            "iou[:, best] = -1",
            "iou[i, best] = -1",
        ),
        Fault(
            "metrics: precision without its envelope",
            "np.maximum.accumulate(precision[::-1])[::-1]",
            "precision",
        ),
    ],
    "test_scenes": [
        Fault(
            "scenes: boxes lose their last row and column",
            "x.max() + 1, y.max() + 1) for y, x in seen",
            "x.max(), y.max()) for y, x in seen",
        ),
        Fault(
            "scenes: numbered from far to near",
            "np.argsort([thing.z for thing",
            "np.argsort([-thing.z for thing",
        ),
        Fault(
            "scenes: other colours",
            "[[[88]], [[128]], [[88]]]",
            "[[[90]], [[128]], [[88]]]",
        ),
        Fault(
            "scenes: horizon in the middle of the camera matrix",
            "[0, f, horizon], [0, 0, 1]",
            "[0, f, size / 2], [0, 0, 1]",
        ),
        Fault(
            "scenes: 3D boxes begin where things begin",
            "thing.z + length / 2",
            "thing.z",
        ),
        Fault(
            "scenes: points behind the camera are projected",
            "if not (points[..., 2] > 0).all():",
            "if False:",
        ),
    ],
    "test_digits": [
        Fault(
            "data: another split of the digits",
            "np.random.RandomState(0).permutation(len(x))",
            "np.random.RandomState(1).permutation(len(x))",
        ),
        Fault(
            "data: the cached digits are handed out",
            "x_train.to(device, dtype, copy=True)",
            "x_train.to(device, dtype)",
        ),
        Fault(
            "data: resized digits with all binary places",
            "(x * 2**20).round() / 2**20",
            "x * 1.0",
        ),
    ],
    "test_photos": [
        Fault(
            "data: not the middle of a photo",
            "transforms.center_crop(image, [min(image.shape[1:])] * 2)",
            "image[:, : min(image.shape[1:]), : min(image.shape[1:])]",
        ),
    ],
    "test_exercises -k 'forbidden or building'": [
        Fault(
            "exercises: a ban does not see C functions",
            "seen.append(name) if named(name) else None",
            "None",
        ),
        Fault(
            "exercises: a ban does not see Python functions",
            "sys.setprofile(profile)",
            "sys.setprofile(before)",
        ),
    ],
    "test_exercises -k 'silent or seed'": [
        Fault(
            "exercises: what a silent case expects is told",
            'text = "ответ неверен"',
            "pass",
        ),
        Fault(
            "exercises: the secret seed changes nothing",
            "check(answer, Random(seed))",
            "check(answer, Random(0))",
        ),
    ],
    "test_exercises -k unsolved": [
        Fault(
            "exercises: a stub is judged wrong",
            "    if result is ... or (result is None and _is_empty(answer)):",
            "    if result is ...:",
        ),
    ],
    "test_exercises -k spoil": [
        Fault(
            "exercises: the answer may spoil the input",
            "deepcopy(args) if copy and not kept else args",
            "args",
        ),
    ],
    "test_exercises -k 'session or forgotten'": [
        Fault(
            "exercises: an answer switches gradients off",
            "    (torch.is_grad_enabled, torch.set_grad_enabled),\n",
            "",
        ),
        Fault(
            "exercises: a forgotten return looks like no answer",
            "def _is_empty(function: Any) -> bool:\n",
            "def _is_empty(function: Any) -> bool:\n    return True\n",
        ),
    ],
    "test_exercises -k expect": [
        Fault(
            "exercises: the type of numbers does not matter",
            "if got.dtype != want.dtype:",
            "if False:",
        ),
        Fault(
            "exercises: True is 1",
            "isinstance(value, Real) and not isinstance(value, bool)",
            "isinstance(value, Real)",
        ),
        Fault("exercises: a loose tolerance", ".eps ** 0.5\n", ".eps ** 0.1\n"),
    ],
    "test_exercises -k wrong": [
        Fault(
            "exercises: no hint in the message",
            "{given} — {text}. {where}",
            "{given} — {text}.",
        ),
    ],
    "test_exercises -k 02.1": [
        Fault(
            "oracle 02.1: no biases",
            "(k * k * c_in + 1) * c for",
            "(k * k * c_in) * c for",
        ),
    ],
    "test_exercises -k 04.1": [
        Fault(
            "oracle 04.1: a projection without its norm",
            "projection = c_in * c + 2 * c",
            "projection = c_in * c",
        ),
    ],
    "test_exercises -k 04.5": [
        Fault(
            "oracle 04.5: examples may share their fate",
            "> 6 * right * (2 / n)",
            "> 600 * right * (2 / n)",
        ),
    ],
    "test_exercises -k 06.5": [
        Fault(
            "oracle 06.5: only one kernel size",
            "padded = F.pad(x.mean((2, 3)), (k // 2, k // 2))",
            "padded = F.pad(x.mean((2, 3)), (1, 1))",
        ),
    ],
    "test_exercises -k 08.6": [
        Fault(
            "oracle 08.6: a stream that may be kept",
            "self._made.append(ref(result))",
            "pass",
        ),
    ],
    "test_diagrams": [
        Fault("diagrams: another sign of multiplication", '"mul": "×"', '"mul": "·"'),
        Fault(
            "diagrams: small letters",
            "LABEL, SHAPE = 11.6, 11.6 ",
            "LABEL, SHAPE = 11.6, 7 ",
        ),
        Fault(
            "diagrams: the stride is not written",
            'step = f"/{stride}" if stride != "1" else ""',
            'step = ""',
        ),
        Fault(
            "diagrams: the network stays in eval mode",
            "part.training = True",
            "part.training = False",
        ),
        Fault(
            "diagrams: crowded lanes",
            "_GAP, _LANE = 0.22, 0.2 ",
            "_GAP, _LANE = 0.22, -0.2 ",
        ),
    ],
    "test_machine": [
        Fault(
            "machine: unfit versions pass",
            ".specifier.contains(found, prereleases=True):",
            ".specifier is not None:",
        ),
        Fault(
            "machine: memory is always enough", "if free >= NEEDED_GB:", "if free >= 0:"
        ),
    ],
    "test_dependencies": [
        Fault(
            "pyproject: another range than in the lock and conda",
            '"tqdm>=4.67,<5"',
            '"tqdm>=5,<6"',
        ),
        Fault("conda: a package less", "  - seaborn-base >=0.13.2,<0.14\n", ""),
        Fault(
            "lock: an address of its own",
            "\ntqdm==",
            "\n--extra-index-url https://example.org/\ntqdm==",
        ),
    ],
    "test_rules": [
        Fault(
            "notebooks: any metadata is normal",
            'CELL_KEYS = ("slideshow", "tags", "jupyter")',
            'CELL_KEYS = ("slideshow", "tags", "jupyter", "execution")',
        ),
        Fault(
            "notebooks: warnings are stored",
            'if output.get("name") == "stderr":',
            "if False:",
        ),
        Fault(
            "rules: any width is read", "(15, 72) if on_slide", "(15, 720) if on_slide"
        ),
        Fault(
            "rules: links are not followed",
            "if file and not path.exists():",
            "if False:",
        ),
        Fault(
            "00: a link to a part that is not there",
            "[VGG](02_vgg.ipynb)",
            "[VGG](02_vgg16.ipynb)",
        ),
        Fault(
            "02: a second heading of level 1",
            "## 2.2. Рецептивное поле",
            "# 2.2. Рецептивное поле",
        ),
        Fault(
            "03: an unknown slide type",
            "class ConvUnit(nn.Module)",
            lambda cell: cell.metadata.slideshow.update(slide_type="slides"),
        ),
        Fault(
            "04: an open solution",
            "    return convs + norms + needs_projection",
            lambda cell: cell.update(source=cell.source.replace("details", "div")),
        ),
        Fault(
            "05: a picture of which nothing is said",
            'show(fig, "Перекрытия ядер при четырёх сочетаниях',
            lose_alt,
        ),
        Fault("06: plotting code on the slide", "def draw_reduction(r):", untag),
        Fault(
            "07: straight quotes",
            "какая часть картинки решила дело?",
            'какая часть "картинки" решила дело?',
        ),
        Fault(
            "08: formula numbers twice", "Z = A V. \\tag{3} $$", "Z = A V. \\tag{2} $$"
        ),
        Fault(
            "09: an output that is not compared",
            "def relative_index(M):",
            lambda cell: cell.metadata.update(tags=["nbval-ignore-output"]),
        ),
        Fault(
            "10: not executed in order",
            "def encoding_2d(",
            lambda cell: cell.update(execution_count=1),
        ),
    ],
    "test_student": [
        Fault(
            "student: solutions are handed out",
            'if "solution" not in tags(cell)',
            'if "solutions" not in tags(cell)',
        ),
        Fault(
            "student: copies do not know their package",
            "    if address:\n        first",
            "    if not address:\n        first",
        ),
        Fault(
            "11: an exercise that nobody lists",
            "| 11.1 | Слой по его",
            "| 12.1 | Слой по его",
        ),
    ],
    "test_pictures": [
        Fault("pictures: hardly alike is the same", "SAME = 0.9 ", "SAME = 0.5 "),
        Fault("pictures: a mean over the whole", "TILE = 32 ", "TILE = 512 "),
        Fault(
            "pictures: any size will do",
            "if first.shape != second.shape:\n        return 0.0",
            "if first.shape != second.shape:\n        return 1.0",
        ),
        Fault(
            "pictures: not compared by nbval",
            'item.raise_cell_error("; ".join(changed))',
            "pass",
        ),
        Fault(
            "controls: the picture may stay",
            "assert picture.value != before, (",
            "assert picture.value, (",
        ),
        Fault(
            "controls: moved and not moved back",
            "assert picture.value == first, (",
            "assert picture.value, (",
        ),
    ],
    "test_readers": [
        Fault(
            "site: pictures without alt text",
            'alt="{alt}" loading="lazy" ',
            'alt="" loading="lazy" ',
        ),
    ],
    "test_solutions -k 02_vgg": [
        Fault(
            "02: a wrong solution",
            "merged[:, :, a:a + 3, b:b + 3] +=",
            "merged[:, :, b:b + 3, a:a + 3] +=",
        ),
    ],
    "test_slides -k talk": [
        Fault(
            "slides: exercises are shown",
            'READER_ONLY = {"exercise", "solution"}',
            'READER_ONLY = {"solution"}',
        ),
        Fault(
            "slides: notes come last",
            "return [content[0], *notes, *content[1:]]",
            "return [*content, *notes]",
        ),
        Fault("slides: links lead to notebooks", 'r"](\\1.html"', 'r"](\\1.ipynb"'),
        Fault(
            "talk: results are no titles", 'f"## {title}", "message"', 'last, "message"'
        ),
        Fault(
            "talk: a fence goes on with a line",
            'answer[2].startswith("```")',
            "False",
        ),
    ],
    "test_slides -k built": [
        Fault("deck: pictures keep their size", "picture: 2 };", "picture: 1 };"),
        Fault(
            "talk: nothing hides a part",
            "if start < 1\n",
            "if start < 0\n",
        ),
    ],
    "test_slides -k tells_the_time": [
        Fault(
            "talk: pauses take no time", "WORDS_A_MINUTE) + pauses", "WORDS_A_MINUTE)"
        ),
    ],
    "test_slides -k handout": [
        Fault(
            "handout: the script is printed for students",
            'note if notes else ""',
            "note",
        ),
    ],
    "test_slides -k hall_sees": [
        Fault(
            "slides: pictures without alt text",
            "alt=\"{{ output.data['text/plain'] | default('') | e }}\"",
            'alt=""',
        ),
    ],
    "test_slides -k planted": [
        Fault(
            "slides: TeX errors are shown in red",
            "packages: {'[-]': ['noerrors', 'noundefined']},",
            "",
        ),
        Fault(
            "deck: small text",
            "LARGEST = { text: 32",
            "LARGEST = { text: 18",
        ),
        Fault(
            "deck: narrow margins",
            "padding: 36px 50px 54px !important",
            "padding: 36px 20px 54px !important",
        ),
        Fault(
            "deck: a pale footer",
            "  color: var(--muted);\n  font-size: 20px;",
            "  color: #aaa;\n  font-size: 20px;",
        ),
        Fault(
            "deck check: clipping is not reported",
            "report('clipped', element)",
            "report('', element)",
        ),
        Fault(
            "deck check: contrast is not measured",
            "if (ratio < limits.contrast)",
            "if (ratio < 1)",
        ),
    ],
    "test_slides -k dark": [
        Fault(
            "callouts: a label that the dark theme swallows",
            ".callout.q { --callout: 255 179 102; }",
            ".callout.q { --callout: 90 60 20; }",
        ),
    ],
    "test_slides -k every_slide\\ and\\ 02_vgg": [
        Fault(
            "02: a slide that overflows",
            "Ядро 3×3 — наименьшее,",
            "Строка.\n\n" * 12 + "Ядро 3×3 — наименьшее,",
        ),
    ],
    "01_tasks": [
        Fault(
            "01: GIoU without the union",
            "(whole - either) / whole",
            "(whole - both) / whole",
        ),
        Fault(
            "01: NMS at equal scores and thresholds",
            "[0] > threshold",
            "[0] >= threshold",
        ),
        Fault(
            "01: a control without effect",
            "torch.tensor([dx, dy, 0, 0])",
            "torch.tensor([dx, 0, 0, 0])",
        ),
    ],
    "02_vgg": [
        Fault(
            "02: a layer less in D",
            '"D":     "33 33 333  333  333"',
            '"D":     "33 33 333  333  33"',
        ),
        Fault(
            "02: no ReLU in the features",
            "nn.ReLU(inplace=True)]\n            c_in = c_out",
            "nn.Identity()]\n            c_in = c_out",
        ),
        Fault(
            "02: LRN over too few channels",
            "(0, 0, 0, 0, n // 2, n // 2)",
            "(0, 0, 0, 0, 0, n - 1)",
        ),
        Fault(
            "02: a claim says more than was measured",
            "свёртка 3×3 — это девять сдвинутых копий с весами",
            "свёртка 3×3 — это десять сдвинутых копий с весами",
        ),
        Fault(
            "02: curves of another colour",
            'color=f"C{level % 2 * 2}"',
            'color=f"C{level % 2 + 4}"',
        ),
    ],
    "test_vgg -k 'pieces or few or nearest'": [
        Fault(
            "02: pieces of the other half",
            "half = grey[:, 128:] if right else grey[:, :128]",
            "half = grey[:, :128] if right else grey[:, 128:]",
        ),
        Fault(
            "02: the mean of all examples for every class",
            "train[labels == k].double().mean(0)",
            "train.double().mean(0)",
        ),
    ],
    "03_googlenet": [
        Fault("03: a bias lost in the matrix form", "@ W.T + self.bias ", "@ W.T "),
        Fault(
            "03: pooling without padding",
            "nn.MaxPool2d(3, stride=1, padding=1), unit",
            "nn.MaxPool2d(1, stride=1, padding=0), unit",
        ),
        Fault(
            "03: 3×3 instead of 5×5",
            "unit(c_in, r5, 1), unit(r5, c5, k)",
            "unit(c_in, r5, 1), unit(r5, c5, 3)",
        ),
    ],
    "test_resnet -k equal": [
        Fault(
            "04: no ReLU between the convolutions",
            "y = F.relu(self.bn1(self.conv1(x)))         # (B, c, H/s, W/s)",
            "y = self.bn1(self.conv1(x))         # (B, c, H/s, W/s)",
        ),
        Fault(
            "04: the skip connection is lost",
            "F.relu(y + self.downsample(x))",
            "F.relu(y)",
        ),
        Fault(
            "04: stride in the wrong stage",
            "self.layer2 = stage(block, 64 * k, 128, counts[1], 2)",
            "self.layer2 = stage(block, 64 * k, 128, counts[1], 1)",
        ),
    ],
    "test_fpn_unet -k equals": [
        Fault(
            "05: no top-down sum",
            "M[i] = M[i] + upsample(M[i + 1], like=M[i])",
            "M[i] = M[i] + 0 * upsample(M[i + 1], like=M[i])",
        ),
        Fault(
            "05: bilinear instead of nearest",
            'size=like.shape[-2:], mode="nearest")',
            'size=like.shape[-2:], mode="bilinear")',
        ),
        Fault(
            "05: cropped at the corner",
            "skip[..., top:top + H, left:left + W]",
            "skip[..., :H, :W]",
        ),
        Fault(
            "05: skip and path change places",
            "torch.cat([skip, D], 1)",
            "torch.cat([D, skip], 1)",
        ),
    ],
    "test_attention -k equals_timm": [
        Fault(
            "06: the gate forgets the largest value",
            "self.mlp(avg) + self.mlp(top)",
            "self.mlp(avg) + self.mlp(avg)",
        ),
        Fault(
            "06: mean and maximum change places",
            "torch.cat([avg, top], 1)",
            "torch.cat([top, avg], 1)",
        ),
        Fault(
            "06: only the gate goes on",
            "self.channel(x) * x                     # (B",
            "self.channel(x)                     # (B",
        ),
    ],
    "06_attention": [
        Fault(
            "06: a picture says something else",
            '"что и где": where * what * picture}',
            '"что и где": what * picture}',
        ),
    ],
    "test_grad_cam -k package": [
        Fault(
            "07: the sum of the gradients, not the mean",
            "alpha = G.mean((2, 3))                             # (B, C)",
            "alpha = G.sum((2, 3))                             # (B, C)",
        ),
        Fault(
            "07: rows and columns of the tokens",
            "patches.transpose(1, 2).unflatten(2, size)",
            "patches.transpose(1, 2).unflatten(2, size).mT",
        ),
    ],
    "test_grad_cam -k 'wrong_layer or trace'": [
        Fault(
            "07: hooks stay",
            "    finally:\n        handle.remove()",
            "    finally:\n        pass",
        ),
    ],
    "test_grad_cam -k 'modes or before'": [
        Fault(
            "07: the network stays in eval mode",
            "module.training = mode",
            "module.training = False",
        ),
    ],
    "test_grad_cam -k twice": [
        Fault(
            "07: a layer used twice is not refused", "if len(A) > 1:", "if len(A) > 9:"
        ),
    ],
    "test_grad_cam -k blank": [
        Fault(
            "07: an empty map becomes NaN",
            "torch.where(peak <= 0, 0, heat / peak)",
            "heat / peak",
        ),
    ],
    "08_self_attention": [
        Fault(
            "08: attention without the scale",
            "S = (Q / d_k ** 0.5) @ K.transpose(-2, -1)",
            "S = Q @ K.transpose(-2, -1)",
        ),
        Fault(
            "08: a control without effect",
            "weights = (Q[i] @ K.T / 2 ** 0.5 / T).softmax(-1)",
            "weights = (Q[i] @ K.T / 2 ** 0.5).softmax(-1)",
        ),
    ],
    "test_self_attention -k equals_torch": [
        Fault(
            "08: heads cut without transposing",
            "x.unflatten(-1, (h, -1)).transpose(-3, -2)  # (…, h, N, d/h)",
            "x.reshape(*x.shape[:-2], h, -1, x.shape[-1] // h)  # (…, h, N, d/h)",
        ),
        Fault(
            "08: the mask the other way round",
            "S = S.masked_fill(~mask, -torch.inf)",
            "S = S.masked_fill(mask, -torch.inf)",
        ),
    ],
    "test_self_attention -k vit_equals": [
        Fault(
            "08: the mean instead of the class token",
            "self.head(self.norm(x)[:, 0])",
            "self.head(self.norm(x).mean(1))",
        ),
    ],
    "test_swin -k equals": [
        Fault(
            "09: index transposed",
            "return dy * (2 * M - 1) + dx",
            "return dx * (2 * M - 1) + dy",
        ),
        Fault(
            "09: rolled before it is padded",
            "F.pad(x, (0, 0, 0, -W % M, 0, -H % M))",
            "F.pad(x, (0, 0, -W % M, 0, -H % M, 0))",
        ),
        Fault(
            "09: corners in another order",
            "for j in (0, 1) for i in (0, 1)]",
            "for i in (0, 1) for j in (0, 1)]",
        ),
        Fault(
            "09: all blocks without a shift",
            "0 if i % 2 == 0 else M // 2",
            "0 if i % 2 == 0 else 0",
        ),
    ],
    "09_swin": [
        Fault(
            "09: regions of the roll not told apart",
            "(i >= L - M).long() + (i >= L - s).long()",
            "(i >= L - M).long()",
        ),
    ],
    "test_positional_encoding -k libraries": [
        Fault(
            "10: rotated the other way",
            "even * cos - odd * sin, even * sin + odd * cos",
            "even * cos + odd * sin, odd * cos - even * sin",
        ),
    ],
    "10_positional_encoding": [
        Fault(
            "10: sines and cosines in halves",
            ".stack([angles.sin(), angles.cos()],\n",
            ".cat([angles.sin(), angles.cos()],\n",
        ),
    ],
    "test_positional_encoding -k timm": [
        Fault(
            "10: rows and columns of the grid",
            "rows[:, None].expand(H, W, -1),\n                      columns.expand(",
            "columns.expand(H, W, -1),\n                      rows[:, None].expand(",
        ),
    ],
    "test_positional_encoding -k sizes": [
        Fault(
            "10: too long sequences are cut",
            "if start + N > max_len or d != own_d:",
            "if d != own_d:",
        ),
    ],
    "test_positional_encoding -k bias": [
        Fault(
            "10: the bias looks the other way",
            "(m - m[:, None]).clamp(-far, far)",
            "(m[:, None] - m).clamp(-far, far)",
        ),
    ],
    "test_mnist_activations -k windows": [
        Fault(
            "11: rows and columns of the kernel",
            "layer.weight.permute(2, 3, 1, 0), layer.bias",
            "layer.weight.permute(3, 2, 1, 0), layer.bias",
        ),
        Fault(
            "11: pooling pads with zeros",
            "pad_same(x, 2, 2, least)",
            "pad_same(x, 2, 2, 0)",
        ),
    ],
    "test_mnist_activations -k output_pixel": [
        Fault(
            "11: a bias is forgotten",
            "(patch * kernel).sum() + conv.bias[f]",
            "(patch * kernel).sum()",
        ),
    ],
    "11_mnist_activations": [
        Fault(
            "11: one unit less",
            "dense_1=nn.Linear(7 * 7 * 64, 1024)",
            "dense_1=nn.Linear(7 * 7 * 64, 1023)",
        ),
    ],
    "test_real_transformer -k that_of_transformers": [
        Fault(
            "12: the scale of a branch is forgotten",
            "x = x + self.scale_1 * self.attn(self.ln_1(x))",
            "x = x + self.attn(self.ln_1(x))",
        ),
    ],
    "test_exercises -k 12.1": [
        Fault(
            "oracle 12.1: the first block comes last",
            ".relu().mean(1).flip(0):",
            ".relu().mean(1):",
        ),
    ],
    "test_exercises -k 05.5": [
        Fault(
            "oracle 05.5: a wider band",
            "border[None, None].double(), 2 * r + 1, 1, r)",
            "border[None, None].double(), 2 * r + 3, 1, r + 1)",
        ),
    ],
    "test_exercises -k 10.4": [
        Fault(
            "oracle 10.4: rows from below",
            "return _grid(_centres(H, h), _centres(W, w), d)",
            "return _grid(_centres(H, h).flip(0), _centres(W, w), d)",
        ),
    ],
    "07_grad_cam": [
        Fault(
            "07: another cloth",
            "(a, b, (ROWS + COLUMNS + phase)",
            "(a, b, (ROWS - COLUMNS + phase)",
        ),
    ],
    "test_self_attention -k divisible": [
        Fault(
            "08: heads that do not fit",
            "if d % h:\n            raise",
            "if d % h > d:\n            raise",
        ),
    ],
    "test_exercises -k 04.3": [
        Fault(
            "oracle 04.3: frozen parameters pass",
            "if not new.requires_grad:",
            "if False:",
        ),
    ],
    "test_exercises -k 11.4": [
        Fault(
            "oracle 11.4: hooks of others do not count",
            'if _hooks(net) != before:\n                raise Wrong("хуки на сети',
            'if False:\n                raise Wrong("хуки на сети',
        ),
    ],
    "test_exercises -k 09.6": [
        Fault(
            "oracle 09.6: whom the token sees",
            "own in sorted(range(n), key=lambda a: abs(a - q))[:k]",
            "q in sorted(range(n), key=lambda a: abs(a - own))[:k]",
        ),
    ],
    "test_exercises -k 07.3": [
        Fault(
            "oracle 07.3: a right edge belongs to the box",
            "x = heat.amax(1).argmax(1) + 0.5",
            "x = heat.amax(1).argmax(1) - 0.5",
        ),
    ],
    "test_exercises -k 08.2": [
        Fault("oracle 08.2: no temperature", "(S / T).softmax(-1)", "S.softmax(-1)"),
    ],
    "test_self_attention -k block_equals": [
        Fault(
            "08: normed after the branch",
            "self.attn(self.ln_1(x))\n        return x + self.mlp(self.ln_2(x))",
            "self.ln_1(self.attn(x))\n        return x + self.ln_2(self.mlp(x))",
        ),
    ],
    "test_exercises -k 01.4": [
        Fault(
            "oracle 01.4: a symmetric difference for the union",
            "first[:, None] | second",
            "first[:, None] ^ second",
        ),
    ],
    "test_mnist -k 'idx or original'": [
        Fault(
            "data: MNIST is trained on its test part",
            "MNIST(root, train=True), MNIST(root, train=False)",
            "MNIST(root, train=False), MNIST(root, train=False)",
        ),
    ],
}

# Imported once, before a process is forked for every fault.
HEAVY = "evaluate", "nbconvert", "seaborn", "sklearn.datasets", "timm", "torchmetrics"


NO_TEXT = ".png", ".npy", ".npz", ".safetensors"


def tracked() -> list[str]:
    """The files of the working tree, by name."""
    names = subprocess.check_output(["git", "ls-files", "-z"], text=True)
    return [name for name in names.split("\0") if os.path.isfile(name)]


def texts(path: Path) -> tuple[NotebookNode | None, list[NotebookNode]]:
    """The notebook, if the file is one, and its cells; another text is one cell."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        notebook = nbformat.reads(text, 4)
        return notebook, notebook.cells
    return None, [NotebookNode(source=text)]


def places() -> dict[str, list[str]]:
    """Name of each fault -> the files that hold its right text, one for each time."""
    found = {fault.name: [] for faults in FAULTS.values() for fault in faults}
    for name in tracked():
        if not name.endswith((*NO_TEXT, "tools/faults.py")):
            whole = "\0".join(cell.source for cell in texts(Path(name))[1])
            for fault in (fault for faults in FAULTS.values() for fault in faults):
                found[fault.name] += [name] * whole.count(fault.right)
    return found


def plant(fault: Fault, path: Path) -> None:
    """Spoil the file or cell that holds the right text."""
    notebook, cells = texts(path)
    cell = next(cell for cell in cells if fault.right in cell.source)
    if callable(fault.wrong):
        fault.wrong(cell)
    else:
        cell.source = cell.source.replace(fault.right, fault.wrong)
    path.write_text(nbformat.writes(notebook) if notebook else cell.source, "utf-8")


class FirstFailure:
    """A plugin of pytest that remembers which test failed."""

    test = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.test = self.test or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def notice(tests: str, fault: Fault, place: str, tree: Path) -> str | None:
    """Name the test that fails in the tree when the fault is planted."""
    for name in tracked():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, tree / name)
    plant(fault, tree / place)
    # Kernels and other children, too, import everything from the copy.
    os.chdir(tree)
    os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
    for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
        del sys.modules[name]
    names, *options = shlex.split(tests)
    files = [str(path) for n in names.split("|") for path in tree.rglob(f"{n}.*")]
    if not files:
        raise RuntimeError(f"{fault.name}: git knows no file named {names}")
    options += ["-x", "--nbval", "-p", "no:cacheprovider"]
    failure = FirstFailure()
    code = pytest.main([*files, *options], [failure])
    if code not in (0, 1, 2):
        raise RuntimeError(f"{fault.name}: pytest {tests} ran no test, code {code}")
    return failure.test


def in_a_copy(task: tuple[str, int, str]) -> tuple[str, str | None, float]:
    """Name of the fault, what notices it, seconds; in a process of its own."""
    start = time.monotonic()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    fault = FAULTS[task[0]][task[1]]
    with tempfile.TemporaryDirectory() as folder:
        test = notice(task[0], fault, task[2], Path(folder))
        os.chdir("/")
    return fault.name, test, time.monotonic() - start


def main() -> int:
    words = sys.argv[1:]
    found = places()
    if odd := {name: files for name, files in found.items() if len(files) != 1}:
        sys.exit(
            "\n".join(f"{name}: in {files or 'no file'}" for name, files in odd.items())
        )
    tasks = [
        (tests, number, found[fault.name][0])
        for tests, faults in FAULTS.items()
        for number, fault in enumerate(faults)
        if not words or any(word in f"{tests} {fault.name}" for word in words)
    ]
    for name in HEAVY:
        importlib.import_module(name)
    missed = 0
    fork = multiprocessing.get_context("fork")
    with fork.Pool(len(os.sched_getaffinity(0)), maxtasksperchild=1) as pool:
        for name, test, seconds in pool.imap(in_a_copy, tasks, chunksize=1):
            missed += test is None
            mark = "✘" if test is None else "✔"
            print(f"{mark} {name:52} {seconds:4.0f} s  {test or '-':.80}", flush=True)
    print(f"{len(tasks)} faults: {len(tasks) - missed} noticed, {missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
