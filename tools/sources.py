"""Convert the source of a lesson (py:percent) to the instructor's notebook."""

import hashlib
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

# nbgrader's metadata for each cell; a source names only the values that differ.
DEFAULTS = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
ALLOWED = {"grade_id", "grade", "solution", "locked", "task", "points"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class SourceError(Exception):
    """Raised when a source cannot be converted to a notebook; the message is one sentence."""


def read_source(path: Path) -> NotebookNode:
    """Return the notebook of a py:percent source: complete metadata, stable cell ids, no outputs."""
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata = _metadata(cell, f"{path.name}, cell {number}")
    _name_cells(notebook.cells, path.name)
    nbformat.validate(notebook)
    return notebook


def notebook_bytes(notebook: NotebookNode) -> bytes:
    """Return the serialised notebook: sorted keys, one-space indent, a final newline."""
    return (nbformat.writes(notebook) + "\n").encode()


def _metadata(cell: NotebookNode, where: str) -> NotebookNode:
    """Return the metadata of a cell with complete nbgrader metadata. Raises SourceError for unknown keys."""
    metadata = dict(cell.metadata)
    metadata.pop("lines_to_next_cell", None)  # jupytext's record of blank lines, which changes with the formatting
    if unknown := sorted(metadata.keys() - {"nbgrader", "tags"}):
        raise SourceError(
            f"{where}: the line `# %%` holds {unknown}; expected nbgrader={{...}} as valid JSON, or tags=[...]."
        )
    if "nbgrader" in metadata:
        metadata["nbgrader"] = _nbgrader_metadata(metadata["nbgrader"], cell.cell_type, where)
    return nbformat.from_dict(metadata)


def _nbgrader_metadata(short: dict, cell_type: str, where: str) -> dict:
    """Add nbgrader's defaults and check that the values are consistent."""
    if unknown := sorted(short.keys() - ALLOWED):
        raise SourceError(f"{where}: nbgrader metadata holds {unknown}; known are {sorted(ALLOWED)}.")
    if not short.get("grade_id"):
        raise SourceError(f'{where}: nbgrader metadata has no grade_id; add one, such as "grade_id": "rnn_step".')
    full = DEFAULTS | short | {"cell_type": cell_type}
    where = f"{where} ({full['grade_id']})"
    if ("points" in full) != bool(full["grade"] or full["task"]):
        raise SourceError(f"{where}: a cell has points if and only if it is graded; set both or neither.")
    if full["task"] and cell_type != "markdown":
        raise SourceError(f"{where}: a task is a markdown cell; write `# %% [markdown] nbgrader=...`.")
    if cell_type == "markdown" and not full["task"] and full["grade"] != full["solution"]:
        raise SourceError(f"{where}: a written answer is both graded and a solution; set both or neither.")
    return full


def _name_cells(cells: list[NotebookNode], filename: str) -> None:
    """Set a stable id for each cell: its grade_id, else a hash of its source."""
    occurrences: Counter[str] = Counter()
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.id = name or hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        occurrences[cell.id] += 1
        if occurrences[cell.id] == 1:
            continue
        if name:
            raise SourceError(f"{filename}: the grade_id {name!r} is used twice; a grade_id names one cell.")
        cell.id = f"{cell.id}-{occurrences[cell.id]}"
