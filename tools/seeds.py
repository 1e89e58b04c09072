"""Every claim of the notebooks on seeds that nobody has looked at: a table, printed.

    python -m tools.seeds                          20 runs of all notebooks: hours
    python -m tools.seeds --runs 5 08_self_attention
    python -m tools.seeds --first 7000             other seeds; the date is the default
    python -m tools.seeds --runs 1 --budget 3      trainings three times as long

A run executes a notebook with all its seeds replaced, those of the data included, and
notes its claims instead of stopping at them. Results are kept in build/seeds.jsonl:
started again with the same arguments, it goes on where it was. Exits with 1 when a
claim holds in fewer than 19 of 20 runs.
"""

import json
import os
import re
import statistics
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from tools import command_line
from tools.notebooks import CELL_TIMEOUT
from tools.paths import BUILD, NOTEBOOKS, ROOT, notebooks

KEPT = BUILD / "seeds.jsonl"
NEEDED = 0.95  # share of the runs in which a claim holds
STOPPED = "the notebook ran to its end"
STEPS = re.compile(r"\b(steps\s*=\s*)(\d+)\b", re.IGNORECASE)  # of every training


def longer(source: str, budget: int) -> str:
    """The code of a cell with so many times the steps of its trainings."""
    return STEPS.sub(lambda found: f"{found[1]}{int(found[2]) * budget}", source)


def claims_of(path: Path, run: int, budget: int = 1) -> list:
    """The claims of one run: [cell, sentence, holds, {operand: value}]."""
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = longer(cell.source, budget)
    names = "from tools import other_seeds"
    nb.cells.insert(
        0, nbformat.v4.new_code_cell(f"{names}; other_seeds.start('{run}')")
    )
    nb.cells.append(nbformat.v4.new_code_cell(f"{names}; other_seeds.dump()"))
    # One error does not hide the claims below it.
    NotebookClient(
        nb,
        timeout=4 * budget * CELL_TIMEOUT,
        allow_errors=True,
        resources={"metadata": {"path": NOTEBOOKS}},
    ).execute()
    claims = json.loads(nb.cells[-1].outputs[0].text)
    errors = [
        f"{output.ename}: {output.evalue}"
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    return [*claims, [0, "; ".join([STOPPED, *errors]), not errors, {}]]


def version(path: Path) -> int:
    """Another one when the code of the notebook or of the package has changed."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    package = sorted((ROOT / "lecture_utils").rglob("*.py"))
    return crc32(repr([*code, *(p.read_bytes() for p in package)]).encode())


def row(name: str, cell: int, seen: list[tuple[str, bool, dict[str, float]]]) -> str:
    """A sentence, as said where it failed; in how many runs it held; its numbers."""
    sentence = min(seen, key=lambda claim: claim[1])[0]
    holds = sum(held for _, held, _ in seen)
    numbers = defaultdict(list)
    for _, _, values in seen:
        for source, value in values.items():
            numbers[source].append(value)
    measured = "; ".join(
        f"`{source}` {statistics.median(v):.3g} ({min(v):.3g} … {max(v):.3g})"
        for source, v in numbers.items()
        if len({*v}) > 1
    )
    mark = "" if holds >= NEEDED * len(seen) else "**"
    counted = f"{mark}{holds} of {len(seen)}{mark}"
    return f"| {name} | {cell} | {sentence} | {counted} | {measured} |"


def main() -> None:
    stored = {path.stem: path for path in notebooks()[1:]}
    parser = command_line.parser(__doc__)
    today = int(date.today().strftime("%Y%m%d"))
    parser.add_argument("--first", type=int, default=today, help="number of a run")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--budget", type=int, default=1, help="times the steps")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", type=command_line.one_of([*stored])
    )
    arguments = parser.parse_args()
    wanted = [
        (name, version(stored[name]), run, arguments.budget)
        for run in range(arguments.first, arguments.first + arguments.runs)
        for name in arguments.names or stored
    ]
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.touch()
    done = {
        tuple(key): claims
        for key, claims in map(json.loads, KEPT.read_text("utf-8").splitlines())
    }

    # One thread each: notebooks that run side by side share the cores.
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)}
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
        KEPT.open("a", encoding="utf-8") as kept,
    ):
        missing = [key for key in wanted if key not in done]
        runs = {
            pool.submit(claims_of, stored[key[0]], *key[2:]): key for key in missing
        }
        for future in tqdm(as_completed(runs), total=len(runs), disable=False):
            key, claims = runs[future], future.result()
            done[key] = claims
            print(json.dumps([key, claims], ensure_ascii=False), file=kept, flush=True)

    # A claim is known by its cell and its place in it: sentences may hold numbers.
    seen = defaultdict(list)
    for key in wanted:
        places = defaultdict(int)
        for cell, *claim in done[key]:
            seen[key[0], cell, places[cell]].append(claim)
            places[cell] += 1
    print("| notebook | cell | claim | holds | median (range) |\n|---|---|---|---|---|")
    rows = [row(name, cell, claims) for (name, cell, _), claims in sorted(seen.items())]
    chancy = [text for text in rows if not text.endswith("|  |") or "**" in text]
    print("\n".join(chancy))
    failed = sum("**" in text for text in rows)
    print(
        f"\n{len(rows)} claims; {len(rows) - len(chancy)} held without a number that "
        f"changed; {failed} held in fewer than {NEEDED:.0%} of the runs."
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
