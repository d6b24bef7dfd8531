"""Score the cells of a graded notebook: the points they earn, the comments they get, and whether they changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade

from nbjudge.nbgrader_cells import CellLabel

NO_RESPONSE, NOT_THERE = "No response.", "This cell was not in the submission."


@dataclass
class NotebookScore:
    """What a notebook earned.

    notebook: as it was run
    before: as it was run the last time, if it was
    refused: it was not run: it earns nothing
    needs_look: an instructor has to look at every cell
    """

    name: str
    notebook: NotebookNode
    before: NotebookNode | None = None
    refused: bool = False
    needs_look: bool = False
    cells: dict[str, NotebookNode] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = _labelled(self.notebook)

    def score(self, name: str) -> float | None:
        """Return the points of a cell, None when an instructor has to give them."""
        cell = self.cells.get(name)
        if cell is None or self.refused:
            return 0.0
        label = cell.metadata["nbgrader"]
        if label.get("task"):
            return None
        scores = self.notebook.metadata.get("grading", {}).get("scores")
        if scores is not None and CellLabel.of(cell).is_test:
            return float(scores.get(name, 0.0))
        if not label.get("solution") and cell.cell_type == "code" and not _ran(cell):
            return 0.0
        if _credit_is_off(cell):
            return 0.0
        points = determine_grade(cell)[0]
        return None if points is None else float(points)

    def comment(self, name: str) -> str | None:
        """Return what is said about an answer without anybody having read it."""
        cell = self.cells.get(name)
        if cell is None:
            return NOT_THERE
        label = cell.metadata["nbgrader"]
        return NO_RESPONSE if not label.get("task") and label.get("checksum") == compute_checksum(cell) else None

    def changed(self, name: str) -> bool:
        """Return whether an answer differs from the last time: its own cell's, or all that the student wrote."""
        if self.before is None:
            return True
        label = self.cells[name].metadata["nbgrader"] if name in self.cells else {}
        if label.get("solution"):
            earlier = _labelled(self.before).get(name)
            return earlier is None or earlier.source != self.cells[name].source
        return _answers(self.before) != _answers(self.notebook)


def _labelled(notebook: NotebookNode) -> dict[str, NotebookNode]:
    found: dict[str, NotebookNode] = {}
    for cell in notebook.cells:
        name = CellLabel.of(cell).grade_id
        if name:
            found.setdefault(name, cell)
    return found


def _answers(notebook: NotebookNode) -> list[str]:
    """Return the text of all cells that a student may change."""
    return [
        cell.source for cell in notebook.cells if not CellLabel.of(cell).is_locked and not CellLabel.of(cell).is_test
    ]


def _credit_is_off(cell: NotebookNode) -> bool:
    """Return whether a test gave a number that is no credit; nbgrader takes -1 and nan for full marks."""
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result":
            text = output.data.get("text/plain")
            if not text:
                return True
            try:
                return not 0 <= float("".join(text)) <= float(cell.metadata["nbgrader"]["points"])
            except ValueError:
                return False  # no number: it ran to its end, which is full marks
    return False


def _ran(cell: NotebookNode) -> bool:
    return cell.execution_count is not None or not cell.source.strip()
