"""A lesson with one cell of each kind, and submissions of it as files; for the tests that read submissions as data."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.intake import Preflight, inspect

NAME = "lesson"
TEST = "assert double(1) == 2\n### BEGIN HIDDEN TESTS\nassert double(7) == 14\n### END HIDDEN TESTS"
CELLS = [
    ExpectedCell("intro", "given", "markdown", 0.0, "Write `double`.", True),
    ExpectedCell("double", "solution", "code", 0.0, "def double(x):\n    raise NotImplementedError()", False),
    ExpectedCell("double_test", "test", "code", 4.0, TEST, True),
    ExpectedCell("why", "manual", "markdown", 2.0, "YOUR ANSWER HERE", False),
    ExpectedCell("triple", "solution", "code", 0.0, "def triple(x):\n    raise NotImplementedError()", False),
    ExpectedCell("triple_test", "test", "code", 1.0, "assert triple(1) == 3", True),
    ExpectedCell(
        "explore", "task", "markdown", 3.0, "Explore.\n### BEGIN MARK SCHEME\n3 points\n### END MARK SCHEME", True
    ),
]
EXPECTED = {NAME: CELLS}
PLACES = {cell.name: place for place, cell in enumerate(CELLS, start=1)}  # cell 0 is not labelled


def lesson() -> dict[str, Any]:
    """Return the released lesson as JSON, with answers; cell 0 is the student's own."""
    own = {
        "cell_type": "code",
        "id": "own",
        "metadata": {},
        "execution_count": 1,
        "outputs": [],
        "source": "import math",
    }
    cells = [own, *(_released(cell) for cell in CELLS)]
    cells[PLACES["double"]]["source"] = "def double(x):\n    return 2 * x"
    cells[PLACES["why"]]["source"] = "Because."
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": cells,
    }


def _released(expected: ExpectedCell) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": expected.cell_type, "id": f"id-{expected.name}", "source": expected.released}
    if expected.cell_type == "code":
        cell |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["2"]}]}
    return {
        **cell,
        "metadata": {"deletable": False, "nbgrader": {**copy.deepcopy(expected.label), "checksum": "0" * 32}},
    }


def submit(folder: Path, notebook: Any, name: str = f"{NAME}.ipynb") -> Preflight:
    """Put a notebook (JSON, text or bytes) into the folder and inspect it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str | bytes) else json.dumps(notebook)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return inspect(folder, EXPECTED)


def names(result: Preflight, notebook: str = NAME) -> list[str | None]:
    """Return the gradebook's names of a notebook's cells, None for the others."""
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in result.notebooks[notebook].cells]


def sources(result: Preflight) -> list[str]:
    return [cell.source for cell in result.notebooks[NAME].cells]


def problem(result: Preflight, expected: dict[str, list[ExpectedCell]] = EXPECTED) -> str | None:
    """Return what is wrong with the result of an inspection, whatever was inspected; None when nothing is."""
    import nbformat

    for name, cells in expected.items():
        if name in result.refusals:
            refusal = result.refusals[name]
            if name in result.notebooks or not refusal.student or not refusal.instructor:
                return f"{name} is refused and accepted, or refused without a word"
            continue
        notebook = result.notebooks[name]
        nbformat.validate(notebook)  # it warns of missing and double ids, and a warning is an error here
        nbformat.writes(notebook).encode("utf-8")
        found = names(result, name)
        for place, wanted in enumerate(cells):
            if found.count(wanted.name) != (1 if wanted.kind != "solution" else min(1, found.count(wanted.name))):
                return f"{wanted.name} is there {found.count(wanted.name)} times"
            if wanted.name not in found:
                continue
            cell = notebook.cells[found.index(wanted.name)]
            if cell.cell_type != wanted.cell_type or cell.metadata.nbgrader != wanted.label:
                return f"{wanted.name} is labelled {cell.metadata}"
            if wanted.locked and cell.source != wanted.source:
                return f"{wanted.name} has another text: {cell.source!r}"
            needed = [other.name for other in cells[:place] if other.cell_type == "code"]
            if wanted.kind == "test" and any(other in found[found.index(wanted.name) :] for other in needed):
                return f"{wanted.name} stands above what it needs: {found}"
        known = {cell.name for cell in cells}
        for cell in notebook.cells:
            if cell.get("outputs") or set(cell.metadata) - {"nbgrader", "deletable", "editable"}:
                return f"left in a cell: {cell}"
            if cell.metadata and cell.metadata.nbgrader.grade_id not in known:
                return f"a label of its own: {cell.metadata}"
    return None
