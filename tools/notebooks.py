"""Edit notebooks as text, run them in place, and keep the files in one normal form.

    python -m tools.notebooks edit [NAME ...]   write .edit/NAME.py, cells as text
    python -m tools.notebooks run  [NAME ...]   take in changed text, execute, normalise

Without names, all notebooks. Both commands stop when notebook and text have both
changed since they said the same; with --force `edit` takes the notebook, `run` takes
the text, and the other one is kept in .edit/ with the ending .old.

The normal form keeps what a reader sees and what nbval compares; everything that
differs from run to run or machine to machine is dropped.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NoReturn

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from tools import command_line, load
from tools.cells import WIDGET_VIEW, slide_type
from tools.paths import NOTEBOOKS, ROOT, notebooks
from tools.pictures import few_colours

EDIT = ROOT / ".edit"
TEXT_FORMAT = "py:percent"
CELL_TIMEOUT = 180  # seconds, as in `make test`

# Metadata that somebody sets on purpose; the rest is noise of the tools.
CELL_KEYS = ("slideshow", "tags", "jupyter")
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
# What nbconvert, GitHub and editors ask for; no version, which differs.
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
# How the live show (jupyterlab-slideshow) looks; reading is not affected. Sizes suit a
# projector of any resolution, code is hidden where the exported slides hide it, code
# of which they show an excerpt can be scrolled, and the picture that stands in for a
# control gives way to the control itself.
SHOW_STYLE = {
    "--jp-cell-padding": "6px",
    "--jp-content-font-size1": "max(22px, 1.72vw)",
    "--jp-code-font-size": "max(18px, 1.4vw)",
    "--jp-ui-font-size1": "max(20px, 1.56vw)",  # tables
    "--jp-widgets-font-size": "max(20px, 1.56vw)",
    "& img": {"zoom": "max(1, tan(atan2(100vw, 1280px)))"},
    "& .jp-OutputArea-promptOverlay": {"display": "none"},  # covers the controls
    "& [data-jpf-cell-tags*='hide-input'] .jp-Cell-inputWrapper": {"display": "none"},
    "& [data-jpf-cell-tags*='slide:'] .jp-Cell-inputWrapper": {
        "max-height": "55vh",
        "overflow-y": "auto",
    },
    "& :has(.widget-image) + [data-jpf-cell-tags*='hide-input'] .jp-RenderedImage": {
        "display": "none"  # not the whole cell: it must be able to take the focus
    },
}
SHOW = {
    "@deathbeds/jupyterlab-fonts": {
        "styles": {"": {"body[data-jp-deck-mode='presenting'] &": SHOW_STYLE}}
    }
}
# The first code cell of every notebook begins so; the line stands in the message that
# Python prints where the package is missing.
START = "# Пакет lecture_utils ставит make lab, для Colab — make student"


class NotebookError(Exception):
    """A notebook cannot be run or stored; the message says which cell and why."""


def digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def where(nb: NotebookNode, index: int) -> str:
    """Name a cell so that a reader finds it: its index and first line."""
    lines = nb.cells[index].source.strip().splitlines()
    return f"cell {index} ({lines[0] if lines else 'empty'})"


def title(nb: NotebookNode) -> dict[str, str]:
    """The first heading, for browser tabs and exported pages."""
    source = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    heading = re.search(r"^# +(.+?) *$", source, re.MULTILINE)
    return {"title": heading[1]} if heading else {}


# --- normal form ----------------------------------------------------------------------


def normalise(nb: NotebookNode) -> NotebookNode:
    """Reduce `nb`, in place, to what is the same on every run.

    Raises NotebookError when an output was written to stderr or a picture needs more
    colours than its cell gives it, nbformat's ValidationError when the notebook is not
    valid in format 4.5.
    """
    fixed = {"kernelspec": KERNELSPEC, "language_info": LANGUAGE}
    nb.metadata = nbformat.from_dict(fixed | title(nb) | SHOW)
    nb.nbformat, nb.nbformat_minor = 4, 5
    for index, cell in enumerate(nb.cells):
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in CELL_KEYS if cell.metadata.get(key)}
        )
        if slide_type(cell) == "-":
            # JupyterLab writes the same as ""; a "-" the live show leaves out.
            cell.metadata["slideshow"] = {"slide_type": ""}
        if cell.cell_type != "code":
            continue
        cell.outputs = join_streams(cell.outputs)
        for position, output in enumerate(cell.outputs):
            if output.get("name") == "stderr":
                text = f"{where(nb, index)} wrote to stderr:\n{output.text}"
                raise NotebookError(text)
            output.get("metadata", {}).pop("execution", None)
            colours = output.get("metadata", {}).get("image/png", {}).pop("colours", 0)
            if colours:
                png = base64.b64decode(output.data["image/png"])
                try:
                    packed = few_colours(png, colours)
                except ValueError as error:
                    raise NotebookError(f"{where(nb, index)}: {error}") from None
                output.data["image/png"] = base64.b64encode(packed).decode()
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view:  # random at every run, and without a kernel it points nowhere
                view["model_id"] = digest(f"{cell.id} {position}", 32)
    nbformat.validate(nb)
    return nb


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of printed text: their borders depend on timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and "name" in output and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def name_new_cells(nb: NotebookNode, known: set[str]) -> None:
    """Give cells that no stored notebook knows an id made from their source."""
    used = {cell.id for cell in nb.cells} & known
    for cell in nb.cells:
        if cell.id not in known:
            copy = 0
            while (name := digest(f"{cell.source}{copy or ''}", 8)) in used:
                copy += 1
            cell.id = name
            used.add(name)


# --- text <-> notebook ----------------------------------------------------------------


def as_text(nb: NotebookNode) -> str:
    """The notebook in jupytext's percent form, without outputs and ids."""
    nb = nbformat.from_dict(nb)
    nb.metadata["jupytext"] = {
        "notebook_metadata_filter": "-all",
        "cell_metadata_filter": ",".join(CELL_KEYS) + ",-all",
    }
    return jupytext.writes(nb, TEXT_FORMAT)


def from_text(text: str, stored: NotebookNode) -> NotebookNode:
    """A notebook from text; unchanged and edited cells keep their stored ids."""
    nb = jupytext.reads(text, TEXT_FORMAT)
    nb.nbformat_minor = 5
    nb = combine_inputs_with_outputs(nb, stored, TEXT_FORMAT)
    name_new_cells(nb, {cell.id for cell in stored.cells})
    return nb


def paths(name: str) -> tuple[Path, Path]:
    """The stored notebook and its editable text."""
    return NOTEBOOKS / f"{name}.ipynb", EDIT / f"{name}.py"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def changed(name: str) -> set[str]:
    """Which sides, "notebook" and "text", have changed since they said the same."""
    stored, text = paths(name)
    if not text.exists():
        return {"notebook"}
    if not stored.exists():
        return {"text"}
    now = digests(read(stored), text.read_text(encoding="utf-8"))
    if now["notebook"] == now["text"]:
        return set()
    before = json.loads(note(name).read_text()) if note(name).exists() else {}
    return {side for side in now if now[side] != before.get(side)}


def note(name: str) -> Path:
    """The file with the digests of both sides when they last said the same."""
    return EDIT / f"{name}.json"


def digests(nb: NotebookNode, text: str) -> dict[str, str]:
    """What changes with a side; outputs do not count."""
    return {"notebook": digest(as_text(nb), 64), "text": digest(text, 64)}


def remember(name: str, nb: NotebookNode, text: str) -> None:
    """Note that the notebook and the text say the same."""
    note(name).write_text(json.dumps(digests(nb, text)))


def refuse(name: str) -> NoReturn:
    raise NotebookError(
        f"notebook and .edit/{name}.py have both changed. Decide for one of them, the "
        "other is kept in .edit/ with the ending .old:\n"
        f"    python -m tools.notebooks edit --force {name}   takes the notebook\n"
        f"    python -m tools.notebooks run --force {name}    takes the text"
    )


def edit(name: str, force: bool = False) -> str:
    """Write the notebook as text, unless the text holds changes of its own."""
    stored, text = paths(name)
    sides = changed(name)
    if sides == {"text"}:
        return f"kept {text.relative_to(ROOT)}: it holds changes, `run` takes them in"
    nb = read(stored)
    if not sides:
        remember(name, nb, text.read_text(encoding="utf-8"))
        return f"{text.relative_to(ROOT)} is as the notebook"
    if "text" in sides:
        if not force:
            refuse(name)
        text.replace(text.with_suffix(".py.old"))
    source = as_text(nb)
    if [c.source for c in from_text(source, nb).cells] != [c.source for c in nb.cells]:
        raise NotebookError("a cell changes in the text form (a `# %%` inside it?)")
    EDIT.mkdir(exist_ok=True)
    text.write_text(source, encoding="utf-8")
    remember(name, nb, source)
    return f"wrote {text.relative_to(ROOT)}"


# --- execute --------------------------------------------------------------------------


def run(name: str, force: bool = False) -> str:
    """Execute the notebook from its first to its last cell and store it normalised."""
    stored, text = paths(name)
    sides = changed(name)
    if len(sides) == 2 and not force:
        refuse(name)
    nb = read(stored) if stored.exists() else new_notebook()
    if "text" in sides:
        source = text.read_text(encoding="utf-8")
        nb = from_text(source, nb)
    start = time.monotonic()
    execute(nb)
    if len(sides) == 2:
        shutil.copyfile(stored, EDIT / f"{name}.ipynb.old")
    write(normalise(nb), stored)
    if "text" in sides:
        # As the file has it: its keys are sorted, blank lines between cells forgotten.
        remember(name, read(stored), source)
    return f"ran {stored.relative_to(ROOT)} in {time.monotonic() - start:.1f} s"


def write(nb: NotebookNode, path: Path) -> None:
    """Store the notebook; what was there is lost only when the new file is complete."""
    fresh = path.with_suffix(".ipynb.new")
    try:
        nbformat.write(nb, fresh)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise NotebookError(
            f"{path.name} could not be written ({error.strerror}); the old one is kept"
        ) from error


def execute(nb: NotebookNode) -> None:
    """Run all cells in a fresh kernel, in place; NotebookError names a failing cell."""
    os.environ["TQDM_DISABLE"] = "1"  # progress bars are not stored
    started = []
    client = NotebookClient(
        nb,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        timeout=round(CELL_TIMEOUT * load.factor()),
        resources={"metadata": {"path": NOTEBOOKS}},
        on_cell_start=lambda cell, cell_index: started.append(cell_index),
        record_timing=False,
        store_widget_state=False,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{where(nb, started[-1])} failed\n{error}") from None


def main() -> int:
    known = sorted({path.stem for path in [*notebooks(), *EDIT.glob("*.py")]})
    parser = command_line.parser(__doc__)
    parser.add_argument("command", choices=("edit", "run"))
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        type=command_line.one_of(known),
        help="as in 04_resnet",
    )
    parser.add_argument(
        "--force", action="store_true", help="go on where both sides have changed"
    )
    arguments = parser.parse_intermixed_args()  # also `run --force NAME`

    command = {"edit": edit, "run": run}[arguments.command]
    failed = False
    for name in arguments.names or known:
        try:
            print(command(name, arguments.force), flush=True)
        except (NotebookError, nbformat.ValidationError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
