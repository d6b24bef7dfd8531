"""Extract a function from a module as self-contained source with its helpers, constants and imports.

A submission cannot import the modules that define known mistakes, so it must contain their source. Helpers are renamed
if the notebook uses their names; annotations and docstrings are removed.
"""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import inspect
import re
import symtable
from collections.abc import Iterable, Iterator
from functools import cache

Definition = ast.FunctionDef | ast.ClassDef
BUILTINS = frozenset(dir(builtins)) | {"__name__"}


class NotSelfContainedError(Exception):
    """Raised when the source needs something that cannot be extracted; the message names it."""


@cache
def statements(module: str) -> dict[str, ast.stmt]:
    """Return {name: the top-level statement of the module that binds it}."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {name: statement for statement in tree.body for name in bound_names(statement)}


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names bound by a top-level statement."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, Definition):
        yield statement.name
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def self_contained(module: str, node: ast.expr, target: str, reserved: Iterable[str] = (), package: str = "") -> str:
    """Return source that defines `target` as the value of the expression.

    module: the module of the expression
    reserved: names that helpers may not have, because the notebook uses them
    package: the package whose source is extracted; other modules are imported
    Raises NotSelfContainedError when that is impossible.
    """
    return _Bundle(module, target, frozenset(reserved) | {target}, package or module.partition(".")[0]).text(node)


class _Bundle:
    """Collects the statements of one answer."""

    def __init__(self, home: str, target: str, reserved: frozenset[str], package: str) -> None:
        self.home, self.target, self.reserved, self.package = home, target, reserved, package
        self.called: dict[tuple[str, str], str] = {}  # (module, name): its new name
        self.imports: dict[str, None] = {}
        self.parts: list[ast.stmt] = []

    def text(self, node: ast.expr) -> str:
        resolved = self._definition(self.home, node.id) if isinstance(node, ast.Name) else None
        if resolved:
            module, definition = resolved
            self.called[module, definition.name] = self.target
            self._add(module, definition)
        elif isinstance(node, ast.Lambda):
            answer = ast.FunctionDef(self.target, node.args, [ast.Return(node.body)], decorator_list=[])
            answer.type_params = []  # type: ignore[attr-defined]  # required from Python 3.12 on
            self._add(self.home, answer)
        else:
            self._add(self.home, ast.Assign([ast.Name(self.target, ast.Store())], node))
            # Tests read the name of an answer.
            self.parts += ast.parse(f"{self.target}.__name__ = {self.target!r}").body
        separate = "\n\n\n".join(ast.unparse(ast.fix_missing_locations(part)) for part in self.parts)
        return "\n".join(self.imports) + "\n\n\n" * bool(self.imports) + separate

    def _definition(self, module: str, name: str) -> tuple[str, Definition] | None:
        """Resolve a name through the imports within the package to (module, function or class)."""
        statement = statements(module).get(name)
        if isinstance(statement, ast.ImportFrom) and self._is_own(statement.module):
            return self._definition(str(statement.module), _original_name(statement, name))
        return (module, statement) if isinstance(statement, Definition) else None

    def _is_own(self, module: str | None) -> bool:
        return bool(module) and str(module).partition(".")[0] == self.package

    def _need(self, module: str, name: str) -> str:
        """Extract the definition of a name, unless done already, and return its new name."""
        if (module, name) in self.called:
            return self.called[module, name]
        statement = statements(module).get(name)
        if statement is None:
            raise NotSelfContainedError(f"{module} has no statement that binds {name}")
        if isinstance(statement, ast.ImportFrom) and self._is_own(statement.module):
            return self._need(str(statement.module), _original_name(statement, name))
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return self._import(statement, name)
        for bound in bound_names(statement):
            self.called[module, bound] = self._new_name(module, bound)
        self._add(module, statement)
        return self.called[module, name]

    def _import(self, statement: ast.Import | ast.ImportFrom, name: str) -> str:
        alone = copy.deepcopy(statement)
        alone.names = [alias for alias in alone.names if name == (alias.asname or alias.name.partition(".")[0])]
        self.imports[ast.unparse(alone)] = None
        return name

    def _new_name(self, module: str, name: str) -> str:
        """Return a name that is unique in the notebook, whichever answers are extracted."""
        if module != self.home:
            number = re.search(r"\d+", module)
            name = f"{name}_{number[0] if number else module.rpartition('.')[2]}"
        while name in self.reserved:
            name += "_"
        return name

    def _add(self, module: str, statement: ast.stmt) -> None:
        bare = _Stripper().visit(copy.deepcopy(statement))
        own_names = {name for name in bound_names(bare) if (module, name) in self.called}
        free = _free_names(bare) - own_names
        new_names = {name: self._need(module, name) for name in sorted(free - BUILTINS)}
        new_names |= {name: self.called[module, name] for name in own_names}
        self.parts.append(_rename_globals(bare, {old: new for old, new in new_names.items() if old != new}))


def _original_name(statement: ast.ImportFrom, name: str) -> str:
    return next(alias.name for alias in statement.names if name == (alias.asname or alias.name))


class _Stripper(ast.NodeTransformer):
    """Removes what a student would not write: annotations, and docstrings that describe the mistake."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.generic_visit(ast.Assign([node.target], node.value)) if node.value else None

    def _without_docstring(self, node: Definition) -> ast.AST:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def _free_names(statement: ast.stmt) -> set[str]:
    """Return the free names of a top-level statement."""
    table = symtable.symtable(ast.unparse(ast.fix_missing_locations(statement)), "answer", "exec")
    top = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and not symbol.is_assigned()}
    return top | {name for child in table.get_children() for name in _global_names(child)}


def _global_names(table: symtable.SymbolTable) -> Iterator[str]:
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
    for child in table.get_children():
        yield from _global_names(child)


def _rename_globals(statement: ast.stmt, names: dict[str, str]) -> ast.stmt:
    """Rename global names in the statement.

    Raises NotSelfContainedError when a function in the statement binds such a name itself.
    """
    if isinstance(statement, Definition):
        statement.name = names.get(statement.name, statement.name)
    for node in ast.walk(statement):
        if node is not statement and _bound_inside(node, isinstance(statement, ast.Assign)) in names:
            raise NotSelfContainedError(f"{_bound_inside(node, False)} is bound inside of what uses it")
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return statement


def _bound_inside(node: ast.AST, is_assignment: bool) -> str:
    """Return the name that a node binds in an inner scope, or ""."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, Definition):
        return node.name
    stores = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not is_assignment
    return node.id if stores and isinstance(node, ast.Name) else ""
