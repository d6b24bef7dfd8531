"""Put a submitted notebook's cells right: labels and locked texts as in the gradebook, every expected cell once.

What the student wrote stays, in its order; a label is believed only as far as it names a cell of the gradebook.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.messages import Notes
from nbjudge.nbgrader_cells import CellLabel

FLAGS = ("grade", "solution", "locked", "task")

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


def repair(cells: list[NotebookNode], expected: list[ExpectedCell], notes: Notes) -> list[NotebookNode]:
    """Return the cells of a notebook as they can be graded, and note what was changed.

    cells: as notebook_file.read_notebook builds them; a cell's label is still what the file says
    """
    wanted = {cell.name: cell for cell in expected}
    labelled = _choose(cells, wanted, notes)
    names = {id(cell): name for name, cell in labelled.items()}
    built = []
    for cell in cells:
        label = cell.metadata.pop("nbgrader", {})
        name = names.get(id(cell))
        built.append(cell if name is None else _restored(cell, label, wanted[name], notes))
    return _in_order(_complete(built, expected, notes), expected, notes)


def name_of(cell: NotebookNode) -> str | None:
    """Return the name of the gradebook's cell that a repaired cell is, or None."""
    return CellLabel.of(cell).grade_id or None


def answered(cells: list[NotebookNode], expected: list[ExpectedCell]) -> tuple[int, int]:
    """Return how many expected cells are among `cells`, and how many answers were written."""
    wanted = {cell.name: cell for cell in expected}
    found = _choose(cells, wanted, Notes())
    answers = [name for name in found if wanted[name].kind in ("solution", "manual")]
    return len(found), sum(not _same(found[name].source, wanted[name].released) for name in answers)


def _choose(cells: list[NotebookNode], wanted: dict[str, ExpectedCell], notes: Notes) -> dict[str, NotebookNode]:
    """Return {name: the cell that keeps the label}: the first one in which an answer was written, else the first."""
    found: dict[str, NotebookNode] = {}
    for cell in cells:
        label = CellLabel.of(cell).fields
        name = label.get("grade_id")
        if name not in wanted:
            if any(label.get(flag) for flag in FLAGS):
                notes.add(UNKNOWN, str(name))
            continue
        if name not in found:
            found[name] = cell
            continue
        notes.add(SECOND_COPY, name)
        if not wanted[name].locked and _same(found[name].source, wanted[name].released):
            found[name] = cell
    return found


def _restored(cell: NotebookNode, label: dict[str, Any], wanted: ExpectedCell, notes: Notes) -> NotebookNode:
    """Return the cell with the gradebook's label, type and, where it is locked, text."""
    right = wanted.label
    if cell.cell_type != wanted.cell_type:
        notes.add(TYPE, wanted.name)
    if any(label.get(field, right[field]) != right[field] for field in (*FLAGS, "points") if field in right):
        notes.add(FLAG, wanted.name)
    if label.get("schema_version", right["schema_version"]) != right["schema_version"]:
        notes.add(SCHEMA, wanted.name)
    source = cell.source
    if wanted.locked:
        if not _same(source, wanted.released) and not _same(source, wanted.source):
            notes.add(TEXT, wanted.name)
        source = wanted.source
    built = wanted.cell(source)
    built["id"] = cell["id"]
    if cell.get("attachments") and built.cell_type == "markdown":
        built["attachments"] = cell["attachments"]
    return built


def _complete(cells: list[NotebookNode], expected: list[ExpectedCell], notes: Notes) -> list[NotebookNode]:
    """Put back what is missing, each cell below the instructor's previous one; an answer cannot be put back."""
    complete = list(cells)
    for number, wanted in enumerate(expected):
        there = {name_of(cell) for cell in complete}
        if wanted.name in there:
            continue
        if wanted.kind == "solution":
            notes.add(NO_ANSWER, wanted.name)
            continue
        notes.add(MISSING, wanted.name)
        cell = wanted.cell(wanted.source if wanted.locked else wanted.released)
        cell["id"] = _free_id(complete, wanted.name)
        above = {before.name for before in expected[:number]}
        below = {after.name for after in expected[number + 1 :]}
        if above & there:
            place = _after(complete, above, wanted)
        else:
            place = next((at for at, other in enumerate(complete) if name_of(other) in below), len(complete))
        complete.insert(place, cell)
    return complete


def _in_order(cells: list[NotebookNode], expected: list[ExpectedCell], notes: Notes) -> list[NotebookNode]:
    """Move tests, and only tests, below the code cells that the instructor had put above them."""
    ordered = list(cells)
    for number, wanted in enumerate(expected):
        if wanted.kind != "test":
            continue
        needed = {before.name for before in expected[:number] if before.cell_type == "code"}
        at = next(place for place, cell in enumerate(ordered) if name_of(cell) == wanted.name)
        if any(name_of(cell) in needed for cell in ordered[at + 1 :]):
            notes.add(MOVED, wanted.name)
            test = ordered.pop(at)
            ordered.insert(_after(ordered, needed, wanted), test)
    return ordered


def _after(cells: list[NotebookNode], names: set[str], wanted: ExpectedCell) -> int:
    """Return the place below the last of the named cells; a test goes below the student's own code there, too."""
    place = 1 + max((at for at, cell in enumerate(cells) if name_of(cell) in names), default=-1)
    while wanted.kind == "test" and place < len(cells) and _is_own_code(cells[place]):
        place += 1
    return place


def _is_own_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and name_of(cell) is None


def _free_id(cells: list[NotebookNode], name: str) -> str:
    """Return a cell id for a cell that is put back."""
    taken = {cell["id"] for cell in cells}
    number = 0
    while (candidate := f"{name[:50]}-{number}") in taken:
        number += 1
    return candidate


def _same(one: str, other: str) -> bool:
    """Return whether two texts differ in nothing but trailing blanks, line ends and empty lines around them."""
    return [line.rstrip() for line in one.strip("\n\r ").splitlines()] == [
        line.rstrip() for line in other.strip("\n\r ").splitlines()
    ]
