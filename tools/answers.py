"""The answers that a submitted notebook holds, and what of it they need.

An answer is found by its call, ``exercise("04.2", name)``, in whatever cell: cells may
have been moved, split and renamed, and outputs do not count. Of the rest run only the
statements that the answer needs.
"""

import ast
import dis
import re
from collections.abc import Collection, Iterable, Iterator
from types import CodeType

from IPython.core.inputtransformer2 import TransformerManager

NUMBER = re.compile(r"\d\d\.\d")
CALL = re.compile(r"""\bexercise\(\s*["'](\d\d\.\d)["']""")
LOOK_UP = {"LOAD_NAME", "LOAD_GLOBAL"}
DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Submission:
    """A notebook as statements.

    Attributes:
        answers: number of an exercise → where it is called, and with what.
        unreadable: number of an exercise → what is wrong with the cell that calls it.
    """

    def __init__(self, cells: Iterable[str]) -> None:
        self.answers: dict[str, tuple[int, ast.expr]] = {}
        self.unreadable: dict[str, str] = {}
        self._statements: list[ast.stmt] = []
        self._bindings: list[set[str]] = []
        for cell in cells:
            try:
                self._read(_parsed(cell))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                text = f"ячейка не читается: {type(error).__name__}: {error}"
                self.unreadable |= dict.fromkeys(CALL.findall(cell), text)

    def _read(self, cell: ast.Module) -> None:
        for statement in cell.body:
            for number, answer in _calls(statement):
                self.answers[number] = len(self._statements), answer
            self._statements.append(statement)
            self._bindings.append(bound(statement))

    def needed(self, number: str, known: Collection[str]) -> list[ast.stmt]:
        """The statements that an answer needs, in their order.

        Args:
            known: statements that need not run again, as `ast.dump` writes them.
        """
        place, answer = self.answers[number]
        chosen: set[int] = set()
        looked_up = [(name, place) for name in _used(answer)]
        for name, before in looked_up:
            i = self._binding(name, before)
            if i is None or i in chosen or ast.dump(self._statements[i]) in known:
                continue
            chosen.add(i)
            # A function looks its names up when it is called.
            late = place if isinstance(self._statements[i], DEFINITION) else i
            looked_up += [(used, late) for used in _used(self._statements[i])]
        return [self._statements[i] for i in sorted(chosen)]

    def _binding(self, name: str, before: int) -> int | None:
        """The last statement before a place that binds a name, or the last at all.

        A stub counts only where nobody has written the function.
        """
        found = [i for i, own in enumerate(self._bindings) if name in own]
        stubs = {i for i in found if _is_stub(self._statements[i])}
        if any(isinstance(self._statements[i], DEFINITION) for i in {*found} - stubs):
            found = [i for i in found if i not in stubs]
        earlier = [i for i in found if i < before]
        return (earlier or found or [None])[-1]


def _parsed(cell: str) -> ast.Module:
    try:
        return ast.parse(cell)
    except SyntaxError:  # perhaps only to Python: %magic, !command
        return ast.parse(TransformerManager().transform_cell(cell))


def _calls(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(statement):
        match node:
            case ast.Call(
                func=ast.Name("exercise") | ast.Attribute(attr="exercise"),
                args=[ast.Constant(str(number)), answer, *_],
            ) if NUMBER.fullmatch(number):
                yield number, answer


def _used(node: ast.stmt | ast.expr) -> set[str]:
    """Global names that it looks up, now or when it is called."""
    if isinstance(node, ast.expr):
        node = ast.copy_location(ast.Expr(node), node)
    return looked_up(compile(ast.Module([node], []), "", "exec"))


def looked_up(code: CodeType) -> set[str]:
    """Global names that a code looks up, and those that the codes in it do."""
    steps = dis.get_instructions(code)
    names = {step.argval for step in steps if step.opname in LOOK_UP}
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    return names.union(*map(looked_up, inner))


def bound(statement: ast.stmt) -> set[str]:
    """Names that a statement gives a value to, or changes the value of."""
    if isinstance(statement, DEFINITION):
        return {statement.name}
    names: set[str] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(name, ast.Store()) | ast.alias(asname=str(name)):
                names.add(name)
            case ast.alias(name):
                names.add(name.split(".")[0])
            case ast.FunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.Attribute(owner, ctx=ast.Store()) | ast.Subscript(
                owner, ctx=ast.Store()
            ):
                names |= {n.id for n in ast.walk(owner) if isinstance(n, ast.Name)}
    return names


def _is_stub(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef) and all(
        isinstance(line, ast.Pass)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in statement.body
    )
