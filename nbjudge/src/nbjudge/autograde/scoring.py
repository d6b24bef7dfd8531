"""Score the cells of a graded notebook: points, automatic comments, and whether answers changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade

from nbjudge.nbgrader_cells import CellLabel

_NO_RESPONSE, MISSING = "No response.", "This cell was not in the submission."


@dataclass
class NotebookScore:
    """The scores of a notebook.

    notebook: the executed notebook
    previous: the notebook as executed the last time, if any
    refused: whether it was not run, and so earns nothing
    needs_review: whether an instructor has to review every cell
    """

    name: str
    notebook: NotebookNode
    previous: NotebookNode | None = None
    refused: bool = False
    needs_review: bool = False
    cells: dict[str, NotebookNode] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = _labelled_cells(self.notebook)

    def score(self, name: str) -> float | None:
        """Return the points of a cell, None when an instructor has to grade it."""
        cell = self.cells.get(name)
        if cell is None or self.refused:
            return 0.0
        label = cell.metadata["nbgrader"]
        if label.get("task"):
            return None
        scores = self.notebook.metadata.get("grading", {}).get("scores")
        if scores is not None and CellLabel.of(cell).is_test:
            points = scores.get(name, 0.0)  # None for a person to decide
            return None if points is None else float(points)
        if not label.get("solution") and cell.cell_type == "code" and not _has_run(cell):
            return 0.0
        if _has_invalid_credit(cell):
            return 0.0
        grade = determine_grade(cell)[0]
        return None if grade is None else float(grade)

    def comment(self, name: str) -> str | None:
        """Return the automatic comment on an answer, or None."""
        cell = self.cells.get(name)
        if cell is None:
            return MISSING
        label = cell.metadata["nbgrader"]
        return _NO_RESPONSE if not label.get("task") and label.get("checksum") == compute_checksum(cell) else None

    def has_changed(self, name: str) -> bool:
        """Return whether an answer changed since the last time: that of its cell or, for a test, any answer."""
        if self.previous is None:
            return True
        label = self.cells[name].metadata["nbgrader"] if name in self.cells else {}
        if label.get("solution"):
            previous_cell = _labelled_cells(self.previous).get(name)
            return previous_cell is None or previous_cell.source != self.cells[name].source
        return _answers(self.previous) != _answers(self.notebook)


def _labelled_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    cells: dict[str, NotebookNode] = {}
    for cell in notebook.cells:
        name = CellLabel.of(cell).grade_id
        if name:
            cells.setdefault(name, cell)
    return cells


def _answers(notebook: NotebookNode) -> list[str]:
    """Return the sources of all cells that a student may edit."""
    return [
        cell.source for cell in notebook.cells if not CellLabel.of(cell).is_locked and not CellLabel.of(cell).is_test
    ]


def _has_invalid_credit(cell: NotebookNode) -> bool:
    """Return whether a test returned a number that is not a valid credit; nbgrader gives full marks for -1 and nan."""
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result":
            text = output.data.get("text/plain")
            if not text:
                return True
            try:
                return not 0 <= float("".join(text)) <= float(cell.metadata["nbgrader"]["points"])
            except ValueError:
                return False  # not a number: the cell ran to its end, which gives full marks
    return False


def _has_run(cell: NotebookNode) -> bool:
    return cell.execution_count is not None or not cell.source.strip()
