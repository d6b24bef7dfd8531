"""Describe parts of a right answer in words that are true of a student's answer too.

A student has the same parameters but other local names. So an expression is quoted only if it can be written with
parameters, `self` and NumPy; local names that are assigned once are replaced by what they stand for.
"""

from __future__ import annotations

import ast
import copy

from autograde_tests.generated_mistakes.edits import functions

LONGEST = 44  # characters of a quoted expression
INLINED = 3  # levels of local names that are replaced by their values


class Wording:
    """Quotes expressions of one answer.

    answer: a right answer; parameters: what its parameters are called in the exercise, in the same order. The methods
        of a class keep their own names.
    """

    def __init__(self, answer: ast.FunctionDef | ast.ClassDef, parameters: list[str]):
        methods = functions(answer)
        argument_names = [argument.arg for method in methods for argument in method.args.args if argument.arg != "self"]
        self.names = dict(zip(argument_names, argument_names if len(methods) > 1 else parameters, strict=False))
        self.shared = {*self.names, "np", "self"}
        self.values = _single_values(methods[0], set(argument_names)) if len(methods) == 1 else {}

    def quote(self, node: ast.expr) -> str:
        """Return the expression as code in backticks, or "" if a student could not recognise it."""
        tree = _Inline(self.values).expand(copy.deepcopy(node))
        names = {child.id for child in ast.walk(tree) if isinstance(child, ast.Name)}
        if not names <= self.shared:
            return ""
        text = ast.unparse(_Rename(self.names).visit(tree))
        return f"`{text}`" if len(text) <= LONGEST and text != "self" else ""

    def parameter(self, node: ast.AST) -> str:
        """Return the exercise's name of a parameter that the node refers to, or ""."""
        return self.names.get(node.id, "") if isinstance(node, ast.Name) else ""


class _Inline(ast.NodeTransformer):
    def __init__(self, values: dict[str, ast.expr]):
        self.values = values

    def expand(self, tree: ast.expr) -> ast.expr:
        for _ in range(INLINED):
            tree = self.visit(tree)
        return tree

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802 (ast's name)
        return copy.deepcopy(self.values.get(node.id, node))


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802 (ast's name)
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def _single_values(function: ast.FunctionDef, parameters: set[str]) -> dict[str, ast.expr]:
    """Return {local name: its value} for names that are bound once, by a plain assignment."""
    bound: dict[str, list[ast.expr | None]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.setdefault(node.id, []).append(None)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            bound[node.targets[0].id] = [node.value if value is None else value for value in bound[node.targets[0].id]]
    return {
        name: values[0]
        for name, values in bound.items()
        if len(values) == 1 and values[0] is not None and name not in parameters
    }
