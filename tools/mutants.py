"""Who notices a mistake? Small ones are planted into the code, one at a time.

    python -m tools.mutants                        1040 mutants, 80 a notebook: hours
    python -m tools.mutants --count 20 04_resnet
    python -m tools.mutants --first 7              another sample

A mutant differs from the code in one operator, number, argument or call, of
a cell or of a function of `lecture_utils` that the notebook calls. From the changed
place on, cells run until somebody notices: an error, a claim that fails, a text or a
picture that is not as stored, or a cell that does not end. Claims, seeds, exercises and
controls stay as they are. Prints a table, then every mutant that nobody noticed.
Results are kept in build/mutants.jsonl: started again, it goes on where it was.

A mutant runs in a fork of the process that has run the cells above it; Linux only.
"""

import ast
import gc
import importlib
import inspect
import json
import os
import random
import sys
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from tools import command_line
from tools.cells import code_cells, tags
from tools.notebooks import CELL_TIMEOUT
from tools.paths import BUILD, NOTEBOOKS, ROOT, notebooks
from tools.pictures import changed_pictures
from tools.seeds import version

KEPT = BUILD / "mutants.jsonl"
PACKAGE = ROOT / "lecture_utils"
# Whose code is changed, and its share of the sample.
KINDS = {"shown code": 0.5, "drawing, checks": 0.3, "lecture_utils": 0.2}
NOT_CHANGED = {"session.py", "exercises"}  # the judges
WAYS = ("error", "claim", "text", "picture", "time", "nobody")
MEMORY = 16 * 2**30  # bytes of address space that a mutant may take

# --- what is changed ------------------------------------------------------------------

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
# One for the other, in both directions: modes, losses, initialisation, order of data.
NAMES = """
train eval | cross_entropy multi_margin_loss | mse_loss l1_loss | randperm arange
rand randn | zeros ones | zeros_like ones_like | min max | argmin argmax | mean sum
sin cos | relu tanh | ReLU Tanh | MaxPool2d AvgPool2d | max_pool2d avg_pool2d
BatchNorm2d InstanceNorm2d | softmax log_softmax | exp expm1 | floor ceil | any all
Adam SGD | kaiming_normal_ xavier_normal_ | unsqueeze squeeze | shuffle sort
"""
PAIRS = {
    name: other
    for pair in NAMES.replace("\n", "|").split("|")
    if len(names := pair.split()) == 2
    for name, other in (names, names[::-1])
}
# Calls that ask, draw at random or offer something to the reader's hand stay.
UNTOUCHED = {"claim", "exercise", "live", "manual_seed", "seed", "default_rng"}
SEEDS = {"seed", "generator", "device", "random_state"}  # keywords
# `torch.exp(x)` cannot become `torch`.
MODULES = {"torch", "F", "nn", "np", "plt", "mpl", "sns", "math", "timm", "torchvision"}
NOTHING_ON_CPU = {"cpu", "to"}
SPEAKERS = UNTOUCHED | {"print", "show", "display"}


class Mutant(NamedTuple):
    """``was`` becomes ``now`` at ``start`` bytes into a source; ``line`` from 1."""

    line: int
    start: int
    was: str
    now: str

    def of(self, source: str) -> str:
        code = source.encode()
        stop = self.start + len(self.was.encode())
        return (code[: self.start] + self.now.encode() + code[stop:]).decode()


def mutants(source: str) -> list[Mutant]:
    """All single mistakes of a piece of Python that change its bytecode."""
    lengths = [len(line.encode()) for line in source.splitlines(keepends=True)]
    found = {}
    for node in _nodes(ast.parse(source)):
        for other in _others(node):
            was = ast.get_source_segment(source, node) or ""
            start = sum(lengths[: node.lineno - 1]) + node.col_offset
            mutant = Mutant(node.lineno, start, was, other)
            if _runs_differently(source, mutant.of(source)):
                found[mutant] = None
    return [*found]


def _nodes(node: ast.AST) -> Iterator[Any]:
    """What may change: not types, f-strings, docstrings, seeds or conditions."""
    if isinstance(node, (ast.JoinedStr, ast.arg)) or _called(node) in UNTOUCHED:
        return
    if isinstance(node, ast.keyword) and node.arg in SEEDS:
        return
    if hasattr(node, "lineno"):
        yield node
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _called(node: ast.AST) -> str:
    """The last name of what a call calls, "" for other nodes."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return getattr(function, "attr", getattr(function, "id", ""))


def _others(node: Any) -> Iterator[str]:
    """Sources that could stand in place of a node by mistake."""

    def put(**fields: Any) -> str:
        return f"({ast.unparse(type(node)(**vars(node) | fields))})"

    match node:
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield str(value + 1)
        case ast.Constant(value=float(value)):
            yield str(2 * value or 1.0)
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            yield put(op=OPERATORS[type(op)]())
        case ast.AugAssign(op=op):
            yield "pass"
            if type(op) in OPERATORS:
                changed = ast.AugAssign(node.target, OPERATORS[type(op)](), node.value)
                yield ast.unparse(changed)
        case ast.Compare(ops=[op]):
            yield put(ops=[OPERATORS[type(op)]()])
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.IfExp(body=body, orelse=orelse):
            yield put(body=orelse, orelse=body)
        case ast.Expr(value=ast.Call() as call) if _called(call) not in SPEAKERS:
            yield "pass"
        case ast.Attribute(value=value, attr=name) if name in PAIRS:
            yield f"{ast.unparse(value)}.{PAIRS[name]}"
        case ast.Name(id=name) if name in PAIRS:
            yield PAIRS[name]
        case ast.Call(func=function, args=args, keywords=keywords):
            if len(args) == 2 and not any(isinstance(a, ast.Starred) for a in args):
                yield put(args=args[::-1])
            for k in (k for k, word in enumerate(keywords) if word.arg not in SEEDS):
                yield put(keywords=keywords[:k] + keywords[k + 1 :])
            if _called(node) in NOTHING_ON_CPU:
                return
            if isinstance(function, ast.Attribute):
                owner = ast.unparse(function.value)
                if owner not in MODULES:
                    yield owner


def _runs_differently(source: str, other: str) -> bool:
    try:
        return _bytecode(compile(source, "", "exec")) != _bytecode(
            compile(other, "", "exec")
        )
    except SyntaxError:
        return False


def _bytecode(code: CodeType) -> tuple:
    """What a code object does, wherever its lines stand."""
    constants = [_bytecode(c) if inspect.iscode(c) else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, *constants


# --- one notebook ---------------------------------------------------------------------


class Planted(NamedTuple):
    """A mutant of a cell, or of a function of the package from its first call on."""

    cell: int  # the first that runs differently
    file: str  # of the package, "" for the cell itself
    function: str
    kind: str  # of KINDS
    mutant: Mutant

    def place(self, name: str) -> str:
        where = f"{self.file} {self.function}" if self.file else f"{name} {self.cell}"
        return f"{where}, line {self.mutant.line}"


class Notebook:
    """The cells of a notebook, run one after the other in this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells = code_cells(name)

    def start(self) -> None:
        import torch
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        torch.set_num_threads(1)  # threads do not survive a fork
        # Nor does the thread that keeps the history.
        config = Config({"HistoryManager": {"enabled": False}})
        os.chdir(NOTEBOOKS)
        self.shell = InteractiveShell.instance(config=config)

    def outputs(self, source: str) -> list[dict]:
        """Run a cell: what a notebook would store of it. Raises what it raises."""
        from IPython.utils.capture import capture_output

        with capture_output() as captured:
            result = self.shell.run_cell(source, store_history=True)
        result.raise_error()
        shown = [{"data": _encoded(output.data)} for output in captured.outputs]
        return [{"name": "stdout", "text": captured.stdout}, *shown]

    def rehearse(self) -> tuple[list[bool], dict[tuple[str, str], int]]:
        """Without a mistake: whether each cell's outputs come out as stored, and the
        number of the cell that first calls each function of the package."""
        self.start()
        calls: dict[tuple[str, str], int] = {}
        same: list[bool] = []

        def profile(frame: FrameType, event: str, _: object) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(f"{PACKAGE}{os.sep}"):
                calls.setdefault((code.co_filename, code.co_qualname), len(same))

        for cell in self.cells:
            sys.setprofile(profile)
            drawn = self.outputs(cell.source)
            sys.setprofile(None)
            compared = "nbval-ignore-output" not in tags(cell)
            same.append(compared and not difference(cell.outputs, drawn))
        return same, calls

    def all_mutants(self, calls: dict[tuple[str, str], int]) -> Iterator[Planted]:
        for number, cell in enumerate(self.cells):
            kind = "drawing, checks" if "hide-input" in tags(cell) else "shown code"
            for mutant in mutants(cell.source):
                yield Planted(number, "", "", kind, mutant)
        for file in sorted({file for file, _ in calls}):
            if Path(file).relative_to(PACKAGE).parts[0] in NOT_CHANGED:
                continue
            source = Path(file).read_text("utf-8")
            functions = {
                function: node
                for function, node in _functions(ast.parse(source)).items()
                if (file, function) in calls
            }
            for mutant in mutants(source):
                for function, node in functions.items():
                    if node.lineno <= mutant.line <= (node.end_lineno or 0):
                        place = str(Path(file).relative_to(ROOT)), function
                        first = calls[file, function]
                        yield Planted(first, *place, "lecture_utils", mutant)

    def trial(self, planted: Planted, same: list[bool]) -> tuple[str, int]:
        """Run on from the mutant's cell: who notices it, and in which cell."""
        source = self.cells[planted.cell].source
        if planted.file:
            change_function(planted)
        else:
            source = planted.mutant.of(source)
        number = planted.cell
        try:
            for number in range(planted.cell, len(self.cells)):
                cell = self.cells[number]
                drawn = self.outputs(source if number == planted.cell else cell.source)
                if same[number] and (how := difference(cell.outputs, drawn)):
                    return how, number
        except BaseException as error:
            return "claim" if str(error).startswith("✘") else "error", number
        return "nobody", number


def change_function(planted: Planted) -> None:
    """Give a function of the package, wherever it is known, the code of a mutant."""
    path = ROOT / planted.file
    gc.unfreeze()  # `setup` has frozen what was imported: nobody would find it
    importlib.import_module(planted.file.removesuffix(".py").replace("/", "."))
    module = compile(planted.mutant.of(path.read_text("utf-8")), str(path), "exec")
    new = {code.co_qualname: code for code in _codes(module)}[planted.function]
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType):
            code = thing.__code__
            if (code.co_filename, code.co_qualname) == (str(path), planted.function):
                thing.__code__ = new


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Qualified name -> functions and methods; what is inside them belongs to them."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    scopes = [("", tree), *((f"{c.name}.", c) for c in classes)]
    return {
        f"{scope}{node.name}": node
        for scope, parent in scopes
        for node in parent.body
        if isinstance(node, ast.FunctionDef)
    }


def _encoded(data: dict[str, Any]) -> dict[str, Any]:
    png = data.get("image/png")
    return data | {"image/png": b64encode(png).decode()} if png else data


def difference(stored: list[dict], drawn: list[dict]) -> str:
    """What of the outputs differs: "text", "picture" or ""."""
    if _said(stored) != _said(drawn):
        return "text"
    return "picture" if changed_pictures(stored, drawn) else ""


def _said(outputs: list[dict]) -> list[str]:
    """What is printed, and the text of each thing shown."""
    printed = "".join(o["text"] for o in outputs if o.get("name") == "stdout")
    return [printed, *(o["data"].get("text/plain", "") for o in outputs if "data" in o)]


def in_fork(work: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
    """What ``work`` returns in a fork of this process; ("time", -1) when it is late,
    ("error", -1) when it takes its process with it."""
    fork = get_context("fork")
    here, there = fork.Pipe(duplex=False)

    def child() -> None:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        there.send(work(*arguments))

    process = fork.Process(target=child)
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(seconds) else ("time", -1)
    except EOFError:
        return "error", -1
    finally:
        process.kill()
        process.join()


def try_sample(name: str, count: int, first: int) -> None:
    """Try ``count`` mutants of a notebook that are not in build/mutants.jsonl yet."""
    book = Notebook(name)
    start = time.monotonic()
    same, calls = in_fork(book.rehearse, seconds=20 * CELL_TIMEOUT)
    seconds = 2 * (time.monotonic() - start) + 60
    by_kind = defaultdict(list)
    for planted in book.all_mutants(calls):
        by_kind[planted.kind].append(planted)
    draw = random.Random(f"{first} {name}")
    sample = [
        planted
        for kind, share in KINDS.items()
        for planted in draw.sample(
            by_kind[kind], min(round(share * count), len(by_kind[kind]))
        )
    ]
    done = {tuple(row["key"]) for row in kept()}
    run = of_run(name, first)
    number = 0
    book.start()
    for planted in sorted(sample):
        key = (*run, *planted[:4], *planted.mutant)
        if key in done:
            continue
        while number < planted.cell:
            book.outputs(book.cells[number].source)
            number += 1
        how, at = in_fork(book.trial, planted, same, seconds=seconds)
        row = {"key": key, "place": planted.place(name), "how": how, "at": at}
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def of_run(name: str, first: int) -> tuple[str, int, int]:
    """How the keys of its results begin; others once the code has changed."""
    return name, version(NOTEBOOKS / f"{name}.ipynb"), first


def kept() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text("utf-8").splitlines()]


def main() -> None:
    names = [path.stem for path in notebooks()]
    parser = command_line.parser(__doc__)
    parser.add_argument("--first", type=int, default=0, help="number of the sample")
    parser.add_argument("--count", type=int, default=80, help="mutants of a notebook")
    command_line.add_notebooks(parser, names)
    arguments = parser.parse_args()
    names = arguments.names or names
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.touch()
    # One thread each: notebooks that run side by side share the cores.
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        tried = [
            pool.submit(try_sample, name, arguments.count, arguments.first)
            for name in names
        ]
        for future in tried:
            future.result()
    wanted = {of_run(name, arguments.first) for name in names}
    rows = [row for row in kept() if tuple(row["key"][:3]) in wanted]
    print("\n".join(table(rows)))


def table(rows: list[dict]) -> list[str]:
    """Caught of all, by notebook and kind and who noticed; then those nobody did."""
    lines = [
        f"| notebook | {' | '.join(KINDS)} | {' | '.join(WAYS)} |",
        "|---" * (1 + len(KINDS) + len(WAYS)) + "|",
    ]
    names = sorted({row["key"][0] for row in rows})
    for name in [*names, "all"]:
        ours = [row for row in rows if name in (row["key"][0], "all")]
        cells = []
        for kind in KINDS:
            of_kind = [row["how"] for row in ours if row["key"][6] == kind]
            cells.append(f"{len(of_kind) - of_kind.count('nobody')}/{len(of_kind)}")
        ways = Counter(row["how"] for row in ours)
        cells += [str(ways[way]) for way in WAYS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append("\nNobody noticed:")
    for row in rows:
        if row["how"] == "nobody":
            *_, was, now = row["key"]
            lines.append(f"- {row['place']}: `{was}` → `{now}`")
    return lines


if __name__ == "__main__":
    main()
