"""Live pictures that move in a page without a kernel.

    python -m tools.live [NAME ...]     draw what is missing into build/live/

`tools.draw` runs a notebook as far as its last picture that is missing. What was drawn
from the same code is not drawn again. `fragment` puts a picture into a page; `copy_to`
lays beside the page what its fragments ask for.
"""

import ast
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import jinja2

from tools import command_line
from tools.cells import code_cells
from tools.paths import BUILD, ROOT, notebooks
from tools.pytest_plugin import NEEDS_WEIGHTS, missing_weights
from tools.warm import PRELOADED

OUT = BUILD / "live"
PAGE = ROOT / "tools/moving"  # what every page with such pictures needs
SCRIPTS = [PAGE / "live.js", ROOT / "lecture_utils/static/digit_pad.js"]
SCRIPTS += [PAGE / "formulas.js"]
TEMPLATE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)


def drawn_by(source: str) -> str | None:
    """The function that a cell hands to `live`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "live":
            return ast.unparse(node.args[0])
    return None


@cache
def pictures(name: str) -> dict[str, str]:
    """Cell id -> NAME-FUNCTION of every live picture of a notebook; of ours only."""
    if name not in {path.stem for path in notebooks()}:
        return {}
    drawn = {cell.id: drawn_by(cell.source) for cell in code_cells(name)}
    return {cell: f"{name}-{function}" for cell, function in drawn.items() if function}


def every_picture() -> list[str]:
    return [p for path in notebooks() for p in pictures(path.stem).values()]


@cache
def content(name: str) -> dict[str, str]:
    """NAME-FUNCTION -> hash of all that its picture is drawn with."""
    package = sorted((ROOT / "lecture_utils").rglob("*.py"))
    files = [file for file in package if "exercises" not in file.parts]
    tools = [ROOT / "tools/draw.py", ROOT / "tools/ways.py"]
    done = hashlib.sha256()
    for file in (*files, *tools, ROOT / "requirements.txt"):
        done.update(file.read_bytes())
    found = {}
    for cell in code_cells(name):
        done.update(cell.source.encode())
        if picture := pictures(name).get(cell.id):
            found[picture] = done.hexdigest()
    return found


def is_drawn(picture: str) -> bool:
    mark = OUT / picture / "content.txt"
    wanted = content(picture.partition("-")[0])[picture]
    return mark.exists() and mark.read_text("utf-8") == wanted


def fragment(name: str, cell_id: str) -> str | None:
    """HTML of a live picture that moves without a kernel.

    The page must lie beside the folder that `copy_to` writes. None: the cell shows no
    live picture, or it is not drawn yet (`python -m tools.live`).
    """
    picture = pictures(name).get(cell_id)
    if not picture or not is_drawn(picture):
        return None
    page = json.loads((OUT / picture / "page.json").read_text("utf-8"))
    moving = [c["start"] for c in page["controls"] if c["name"] in page["figures"]]
    key = "-".join(map(str, moving)) or "0"
    first = page["drawn"][key]
    template = TEMPLATE.from_string((PAGE / "figure.html.j2").read_text("utf-8"))
    return template.render(page, picture=picture, cell=cell_id, key=key, first=first)


def copy_to(folder: Path, names: Iterable[str]) -> None:
    """Lay what fragments of these notebooks ask for into ``folder``/live."""
    target = folder / "live"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PAGE / "live.css", target / "live.css")
    scripts = [file.read_text("utf-8") for file in SCRIPTS]
    scripts[1] = scripts[1].replace("export default { render }", "live.pad = render")
    text = "\n".join(f"(() => {{\n{script}}})();" for script in scripts)
    (target / "live.js").write_text(text, encoding="utf-8")
    every = [p for name in names for p in pictures(name).values() if is_drawn(p)]
    for picture in every:
        page = (OUT / picture / "page.json").read_text("utf-8")
        add = f'live.add("{picture}",{page});'
        (target / f"{picture}.js").write_text(add, encoding="utf-8")
        shutil.rmtree(target / picture, ignore_errors=True)
        if frames := [*(OUT / picture).glob("*.webp")]:
            (target / picture).mkdir()
            for frame in frames:
                shutil.copyfile(frame, target / picture / frame.name)


def build(names: list[str], processes: int) -> None:
    """Draw all that is missing, each notebook in a process of its own.

    A notebook without its weights (`make weights`) is left out.
    """
    from tools import draw  # loads torch

    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(PRELOADED)
    missing = [
        name
        for name in names
        if not all(map(is_drawn, pictures(name).values()))
        and not (name in NEEDS_WEIGHTS and missing_weights())
    ]
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        for _ in pool.map(draw.draw_missing, missing):
            pass


def size(picture: str) -> float:
    """MB that a page loads."""
    files = [OUT / picture / "page.json", *(OUT / picture).glob("*.webp")]
    return sum(file.stat().st_size for file in files) / 1e6


def main() -> None:
    stored = [path.stem for path in notebooks()]
    parser = command_line.parser(__doc__)
    command_line.add_notebooks(parser, stored)
    parser.add_argument(
        "--processes", type=int, default=2, help="at a time; %(default)s"
    )
    arguments = parser.parse_args()
    build(arguments.names or stored, arguments.processes)
    for picture in every_picture():
        told = f"{size(picture):5.2f} MB" if is_drawn(picture) else "not drawn"
        print(f"{picture:44} {told}")


if __name__ == "__main__":
    sys.exit(main())
