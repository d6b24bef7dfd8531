"""Add a student's scores and comments to a graded notebook, as nbgrader does, and which answers still wait."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades

from nbjudge.nbgrader_cells import CellLabel


class GetScores(GetGrades):  # type: ignore[misc]  # nbgrader is untyped
    """Replaces nbgrader's GetGrades: an answer that waits for manual grading does not look like one with 0 points."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        label = CellLabel.of(cell)
        if label.is_graded:
            ids = (self.notebook_id, self.assignment_id, self.student_id)
            grade = self.gradebook.find_grade(label.grade_id, *ids)
            cell.metadata.nbgrader["needs_manual_grade"] = bool(grade.needs_manual_grade)
        return cell, resources
