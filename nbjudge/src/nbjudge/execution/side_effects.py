"""Find what a test does to modules that the answer uses too: outside its process, that has no effect on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from nbjudge.execution.name_analysis import imported_names, to_python

_HARMLESS = {("sys", "stdout"), ("sys", "stderr")}  # what an answer prints comes back to the test
_MAPPINGS = {("os", "environ"), ("sys", "modules")}


@dataclass(frozen=True)
class SideEffect:
    """A line of a test cell that changes a module: its number, counted from 1, and its text."""

    line: int
    text: str


def side_effects(test: str, given: str = "") -> list[SideEffect]:
    """Return the lines of an instructor's test cell that change a module, `mock.patch` included.

    given: the text of the cells before it, whose imports it uses
    """
    try:
        tree = ast.parse(to_python(test))
    except (SyntaxError, ValueError):
        return []
    modules = {"builtins", "__builtins__"} | _modules(given) | _modules(test)
    lines = to_python(test).splitlines()
    numbers = sorted(
        {node.lineno for node in ast.walk(tree) if isinstance(node, ast.expr) and _changes_a_module(node, modules)}
    )
    return [SideEffect(number, lines[number - 1].strip()) for number in numbers]


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


def _modules(text: str) -> set[str]:
    return {name for node in _imports(text) for name in imported_names(node)}


def _imports(text: str) -> Iterator[ast.Import | ast.ImportFrom]:
    try:
        tree = ast.parse(to_python(text))
    except (SyntaxError, ValueError):
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
