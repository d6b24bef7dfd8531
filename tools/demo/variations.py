"""Changes by students that do not affect the result: a comment, a variable name, an additional cell."""

from __future__ import annotations

import ast
from typing import Any

COMMENTS = (
    "# my second try",
    "# checked with the example above",
    "# TODO: ask about the shapes",
    "# same result as on paper",
    "# this took me an hour",
)
PREFIXES = ("my_", "the_", "new_")
UNSURE = (
    "I am not sure. It depends on the numbers, I think.",
    "It should be fine, because all the checks above passed.",
    "I would try it both ways and compare the two.",
    "Yes, but I cannot say why.",
)


def _cell(kind: str, number: int, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": f"my-own-cell-{number}", "metadata": {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


PLOT = """import matplotlib.pyplot as plt

my_figure, my_axes = plt.subplots(figsize=(3, 2))
my_axes.plot([0, 1, 2, 3], [0.0, 0.5, 0.25, 0.125])
my_axes.set_title("my own plot")"""

EXTRA_CELLS = (
    _cell("code", 0, 'print("so far it runs")'),
    _cell("code", 1, PLOT),
    _cell("code", 2, "my_numbers = [1, 2, 3]\nsum(my_numbers)"),
    _cell("markdown", 3, "*My notes:* read this part again before the exam."),
)


def unsure_sentence(choice: int) -> str:
    """Return a written answer of a student who does not know."""
    return UNSURE[choice % len(UNSURE)]


def vary_source(source: str, choice: int) -> str:
    """Return equivalent code with a comment, a renamed variable or both."""
    comment, choice = COMMENTS[choice % len(COMMENTS)], choice // len(COMMENTS)
    prefix, choice = PREFIXES[choice % len(PREFIXES)], choice // len(PREFIXES)
    names = sorted(own_names(source))
    if choice % 3 and names:
        name = names[choice // 3 % len(names)]
        source = rename_variable(source, name, prefix + name.lstrip("_"))
    return source if choice % 3 == 2 and names else f"{comment}\n{source}"


def own_names(source: str) -> set[str]:
    """Return the local variables of functions, which can be renamed safely."""
    tree = ast.parse(source)
    stored = {
        node.id
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored - _fixed_names(tree)


def _fixed_names(tree: ast.Module) -> set[str]:
    """Return the names that must stay: parameters, functions, attributes and names in f-strings."""
    fixed: set[str] = set()
    for node in ast.walk(tree):
        for field in ("arg", "attr", "name", "asname"):
            fixed.add(str(getattr(node, field, "")))
        if isinstance(node, ast.Global | ast.Nonlocal):
            fixed.update(node.names)
        if isinstance(node, ast.JoinedStr | ast.ClassDef):  # a class's own variables are attributes
            inside = node.body if isinstance(node, ast.ClassDef) else [node]
            fixed.update(
                name.id
                for part in inside
                if not isinstance(part, ast.FunctionDef)
                for name in ast.walk(part)
                if isinstance(name, ast.Name)
            )
    top = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    fixed.update(name.id for part in top for name in ast.walk(part) if isinstance(name, ast.Name))
    return fixed


def rename_variable(source: str, old: str, new: str) -> str:
    """Return the source with one variable renamed."""
    lines = [line.encode() for line in source.split("\n")]
    positions = [
        (node.lineno - 1, node.col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and node.id == old
    ]
    for line, column in sorted(positions, reverse=True):
        before, after = lines[line][:column], lines[line][column + len(old.encode()) :]
        lines[line] = before + new.encode() + after
    return b"\n".join(lines).decode()
