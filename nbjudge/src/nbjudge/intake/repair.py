"""Repair the cells of a submitted notebook: restore labels and locked texts, and include every expected cell once.

The student's work keeps its order; a label is trusted only to name a cell of the gradebook.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.messages import Note
from nbjudge.nbgrader_cells import CellLabel

_FLAGS = ("grade", "solution", "locked", "task")

ANOTHER = "Most of the cells with a label are none of this lesson's, so this may be the notebook of another one: {}."
SECOND_COPY = (
    "Cells that were copied with their label were kept as ordinary cells; the label stays with one of them: {}."
)
UNKNOWN = "Labels that this lesson does not have were taken off, which makes their cells ordinary ones: {}."
TYPE = "Cells of the lesson were changed from code to text or the other way; their type was restored: {}."
FLAG = "The grading settings of cells were changed; the instructor's were restored: {}."
SCHEMA = "The grading settings of cells had another version; the present one was put in: {}."
TEXT = "The text of locked cells was changed; the instructor's was restored: {}."
MISSING = "Cells of the lesson were missing; they were put back: {}."
MOVED = "Tests stood above cells that they need; they were put back below them: {}."
NO_ANSWER = "The lesson's cells for these answers are not in the notebook, so nothing was put in their place: {}."


def repair(
    notebook: str, cells: list[NotebookNode], expected: list[ExpectedCell]
) -> tuple[list[NotebookNode], list[Note]]:
    """Return the repaired cells of a notebook, and notes on each change.

    notebook: its name
    cells: as built by notebook_reader.read_notebook, with unchecked labels
    """
    expected_by_name = {cell.name: cell for cell in expected}
    cells_by_name, notes = _match_cells(cells, expected_by_name)
    if _is_other_assignment(cells, expected):
        notes.insert(0, Note(ANOTHER, notebook))
    names = {id(cell): name for name, cell in cells_by_name.items()}
    repaired = []
    for cell in cells:
        label = cell.metadata.pop("nbgrader", {})
        name = names.get(id(cell))
        repaired.append(cell if name is None else _restore(cell, label, expected_by_name[name], notes))
    return _move_tests(_add_missing(repaired, expected, notes), expected, notes), notes


def _name_of(cell: NotebookNode) -> str | None:
    """Return the name of the gradebook's cell that a repaired cell belongs to, or None."""
    return CellLabel.of(cell).grade_id or None


def count_matches(cells: list[NotebookNode], expected: list[ExpectedCell]) -> tuple[int, int]:
    """Return the number of expected cells among `cells`, and the number of changed answers."""
    expected_by_name = {cell.name: cell for cell in expected}
    matches, _ = _match_cells(cells, expected_by_name)
    answers = [name for name in matches if expected_by_name[name].kind in ("solution", "manual")]
    return len(matches), sum(
        not _is_same_text(matches[name].source, expected_by_name[name].released) for name in answers
    )


def _match_cells(
    cells: list[NotebookNode], expected_by_name: dict[str, ExpectedCell]
) -> tuple[dict[str, NotebookNode], list[Note]]:
    """Return {name: the cell that keeps the label}, the first with a changed answer, else the first; and notes."""
    notes: list[Note] = []
    chosen: dict[str, NotebookNode] = {}
    for cell in cells:
        label = CellLabel.of(cell).fields
        name = label.get("grade_id")
        if name not in expected_by_name:
            if any(label.get(flag) for flag in _FLAGS):
                notes.append(Note(UNKNOWN, str(name)))
            continue
        if name not in chosen:
            chosen[name] = cell
            continue
        notes.append(Note(SECOND_COPY, name))
        if not expected_by_name[name].locked and _is_same_text(chosen[name].source, expected_by_name[name].released):
            chosen[name] = cell
    return chosen, notes


def _is_other_assignment(cells: list[NotebookNode], expected: list[ExpectedCell]) -> bool:
    """Return whether fewer than half of the expected cells are present, and more cells of another assignment."""
    names = {CellLabel.of(cell).fields.get("grade_id") for cell in cells} - {None}
    expected_count = len(names & {cell.name for cell in expected})
    return 2 * expected_count < len(expected) and len(names) > 2 * expected_count


def _restore(cell: NotebookNode, label: dict[str, Any], spec: ExpectedCell, notes: list[Note]) -> NotebookNode:
    """Return the cell with the gradebook's label and type and, if it is locked, its text."""
    expected_label = spec.label
    if cell.cell_type != spec.cell_type:
        notes.append(Note(TYPE, spec.name))
    if any(
        label.get(field, expected_label[field]) != expected_label[field]
        for field in (*_FLAGS, "points")
        if field in expected_label and not (spec.kind == "test" and field == "locked")  # nbgrader locks tests anyway
    ):
        notes.append(Note(FLAG, spec.name))
    if label.get("schema_version", expected_label["schema_version"]) != expected_label["schema_version"]:
        notes.append(Note(SCHEMA, spec.name))
    source = cell.source
    if spec.locked:
        if not _is_same_text(source, spec.released) and not _is_same_text(source, spec.source):
            notes.append(Note(TEXT, spec.name))
        source = spec.source
    restored = spec.cell(source)
    restored["id"] = cell["id"]
    if cell.get("attachments") and restored.cell_type == "markdown":
        restored["attachments"] = cell["attachments"]
    return restored


def _add_missing(cells: list[NotebookNode], expected: list[ExpectedCell], notes: list[Note]) -> list[NotebookNode]:
    """Insert missing cells, each below its predecessor in the assignment; answers cannot be restored."""
    complete = list(cells)
    for number, spec in enumerate(expected):
        present = {_name_of(cell) for cell in complete}
        if spec.name in present:
            continue
        if spec.kind == "solution":
            notes.append(Note(NO_ANSWER, spec.name))
            continue
        notes.append(Note(MISSING, spec.name))
        cell = spec.cell(spec.source if spec.locked else spec.released)
        cell["id"] = _free_id(complete, spec.name)
        above = {predecessor.name for predecessor in expected[:number]}
        below = {successor.name for successor in expected[number + 1 :]}
        if above & present:
            index = _index_below(complete, above, spec)
        else:
            index = next(
                (position for position, other in enumerate(complete) if _name_of(other) in below), len(complete)
            )
        complete.insert(index, cell)
    return complete


def _move_tests(cells: list[NotebookNode], expected: list[ExpectedCell], notes: list[Note]) -> list[NotebookNode]:
    """Move tests, and only tests, below the code cells that precede them in the assignment."""
    ordered = list(cells)
    for number, spec in enumerate(expected):
        if spec.kind != "test":
            continue
        required = {predecessor.name for predecessor in expected[:number] if predecessor.cell_type == "code"}
        position = next(index for index, cell in enumerate(ordered) if _name_of(cell) == spec.name)
        if any(_name_of(cell) in required for cell in ordered[position + 1 :]):
            notes.append(Note(MOVED, spec.name))
            test = ordered.pop(position)
            ordered.insert(_index_below(ordered, required, spec), test)
    return ordered


def _index_below(cells: list[NotebookNode], names: set[str], spec: ExpectedCell) -> int:
    """Return the index below the last of the named cells; a test also goes below student code that follows it."""
    index = 1 + max((position for position, cell in enumerate(cells) if _name_of(cell) in names), default=-1)
    while spec.kind == "test" and index < len(cells) and _is_student_code(cells[index]):
        index += 1
    return index


def _is_student_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and _name_of(cell) is None


def _free_id(cells: list[NotebookNode], name: str) -> str:
    """Return an unused id for an inserted cell."""
    used_ids = {cell["id"] for cell in cells}
    number = 0
    while (candidate := f"{name[:50]}-{number}") in used_ids:
        number += 1
    return candidate


def _is_same_text(text: str, other: str) -> bool:
    """Return whether two texts are equal up to trailing whitespace, line ends and surrounding empty lines."""
    return [line.rstrip() for line in text.strip("\n\r ").splitlines()] == [
        line.rstrip() for line in other.strip("\n\r ").splitlines()
    ]
