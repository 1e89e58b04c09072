"""What a notebook defines, for tests that try it on more than the lecture shows."""

import ast
from types import SimpleNamespace

import torch

from tools.cells import code_cells

DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def _is_constant(target: ast.expr) -> bool:
    """An ALL-CAPS name; one capital letter is a symbol of some formula."""
    return isinstance(target, ast.Name) and target.id.isupper() and len(target.id) > 1


def definitions(name: str) -> SimpleNamespace:
    """Imports, functions, classes and CONSTANTS of a notebook; nothing is computed.

    ``names`` of the result is the namespace in which the functions look names up.
    """
    names = {"device": torch.device("cpu")}
    for cell in code_cells(name):
        tree = ast.parse(cell.source)
        tree.body = [
            node
            for node in tree.body
            if isinstance(node, DEFINITIONS)
            or (isinstance(node, ast.Assign) and _is_constant(node.targets[0]))
        ]
        exec(compile(tree, name, "exec"), names)
    return SimpleNamespace(names=names, **names)
