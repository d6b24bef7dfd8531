"""Read code out of the built notebooks: what a student's kernel would know after running every definition."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(path.name for path in (ROOT / "lessons").iterdir() if path.is_dir())
DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Try)


def notebook(folder: str, lesson: str) -> nbformat.NotebookNode:
    """Return a lesson's notebook from `folder`, "solutions" or "lessons"."""
    return nbformat.read(ROOT / folder / lesson / f"{lesson}.ipynb", as_version=4)


@cache
def definitions(folder: str, lesson: str) -> dict[str, Any]:
    """Return the names that the notebook's imports, functions and classes define; nothing else is run."""
    names: dict[str, Any] = {"__name__": f"{folder}.{lesson}"}
    for cell in notebook(folder, lesson).cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            tree.body = [node for node in tree.body if isinstance(node, DEFINES)]
            exec(compile(tree, f"{folder}/{lesson}", "exec"), names)
    return names
