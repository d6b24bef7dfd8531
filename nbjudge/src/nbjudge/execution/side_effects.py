"""Find what a test does to modules that the answer uses too: outside its process, that has no effect on it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from nbjudge.execution.name_analysis import imported_names, to_python

_HARMLESS = {("sys", "stdout"), ("sys", "stderr")}  # what an answer prints comes back to the test
_MAPPINGS = {("os", "environ"), ("sys", "modules")}


@dataclass(frozen=True)
class SideEffect:
    """A line of a test cell that changes a module: its number, counted from 1, and its text."""

    line: int
    text: str


def side_effects(test: str, earlier: Iterable[str] = ()) -> list[SideEffect]:
    """Return the lines of an instructor's test cell that change a module, `mock.patch` included.

    earlier: the texts of the cells before it, whose imports it uses
    """
    python = to_python(test)
    modules = {"builtins", "__builtins__"}.union(*map(_imported, (*earlier, test)))
    changes = (node for node in _nodes(python) if isinstance(node, ast.expr) and _changes_a_module(node, modules))
    lines = python.splitlines()
    return [SideEffect(number, lines[number - 1].strip()) for number in sorted({node.lineno for node in changes})]


def _changes_a_module(node: ast.AST, modules: set[str]) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        path = _path(node)
        return bool(path) and path[0] in modules and path[:2] not in _HARMLESS
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _path(node.value) in _MAPPINGS
    if isinstance(node, ast.Call):
        path = _path(node.func)
        if path in (("setattr",), ("delattr",)) and node.args:
            return (_path(node.args[0]) or ("",))[0] in modules
        return "patch" in path and (len(path) == 1 or path[0] in modules)
    return False


def _path(node: ast.AST) -> tuple[str, ...]:
    """Return ("np", "linalg", "inv") for `np.linalg.inv`; () for what is not a chain of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


@lru_cache(maxsize=1024)  # the cells before one test are before the next ones, too
def _imported(text: str) -> frozenset[str]:
    """Return the names that a cell imports."""
    imports = (node for node in _nodes(to_python(text)) if isinstance(node, ast.Import | ast.ImportFrom))
    return frozenset(name for node in imports for name in imported_names(node))


def _nodes(python: str) -> Iterable[ast.AST]:
    """Return the syntax nodes of a text; none if it is not Python, such as a `%%bash` cell."""
    try:
        return ast.walk(ast.parse(python))
    except (SyntaxError, ValueError):
        return ()
