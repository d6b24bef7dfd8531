"""Apply a change to one node of a syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Answer = ast.FunctionDef | ast.ClassDef
COMMON, USUAL, RARE = 0, 1, 2


@dataclass(frozen=True)
class Edit:
    """A changed syntax tree, the sentence that says what is wrong with it, and how common the mistake is.

    rank: COMMON mistakes are also combined in pairs; of equal outputs, the most common mistake is named
    """

    tree: Answer
    sentence: str
    rank: int = USUAL


def replaced(tree: Answer, node: ast.AST, new: ast.AST | list[ast.stmt]) -> Answer:
    """Return a copy of the tree in which `new` stands in place of `node`."""
    number = next(index for index, other in enumerate(ast.walk(tree)) if other is node)
    duplicate = copy.deepcopy(tree)
    target = next(other for index, other in enumerate(ast.walk(duplicate)) if index == number)
    _Replace(target, copy.deepcopy(new)).visit(duplicate)
    return ast.fix_missing_locations(duplicate)


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, new: ast.AST | list[ast.stmt]):
        self.target, self.new = target, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.target else self.generic_visit(node)


def expressions(tree: Answer) -> Iterator[ast.expr]:
    """Yield the expressions that are evaluated when the function runs, not those of its signature."""
    for function in functions(tree):
        for statement in function.body:
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.expr))


def functions(tree: Answer) -> list[ast.FunctionDef]:
    """Return the function, or the methods of the class except its constructor."""
    if isinstance(tree, ast.FunctionDef):
        return [tree]
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
