"""Show the instructor's version of an answer beside the student's, where a person marks it: in formgrader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearMarkScheme, ClearSolutions

from nbjudge.nbgrader_cells import CellLabel

HEADING = "**From the instructor's notebook** (students do not see it here):"


class ShowRubric(Preprocessor):
    """Inserts the model answer and the marks below each answer that is marked by hand.

    It reads them from the instructor's notebook, only while formgrader renders a submission; no file is changed.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        if "submission_id" not in resources:  # formgrader sets it; no page for students has it
            return nb, resources
        by_hand = [cell for cell in nb.cells if _is_marked_by_hand(cell)]
        if by_hand:
            rubrics = self._rubrics(resources["assignment_id"], resources["notebook_id"])
            nb.cells = list(_with_rubrics(nb.cells, rubrics))
        return nb, resources

    def _rubrics(self, assignment: str, notebook: str) -> dict[str, str]:
        """Return {grade_id: Markdown} of the instructor's cells; {} if there is no such notebook."""
        course = CourseDirectory(parent=self)
        file = Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb"
        if not file.is_file():
            self.log.warning("Formgrader shows no model answers: there is no %s.", file)
            return {}
        cells = nbformat.read(file, as_version=nbformat.current_nbformat).cells
        return {CellLabel.of(cell).grade_id: self._markdown(cell) for cell in cells if _is_marked_by_hand(cell)}

    def _markdown(self, cell: NotebookNode) -> str:
        text = "\n".join(self._solution(cell.source.split("\n"))).strip()
        return text if cell.cell_type == "markdown" else f"```python\n{text}\n```"

    def _solution(self, lines: list[str]) -> Iterable[str]:
        """Return the lines between the delimiters of solutions and mark schemes, all lines if there are none."""
        answers, marks = ClearSolutions(parent=self), ClearMarkScheme(parent=self)
        begins = (answers.begin_solution_delimeter, marks.begin_mark_scheme_delimeter)
        ends = (answers.end_solution_delimeter, marks.end_mark_scheme_delimeter)
        solution: list[str] = []
        is_inside = False
        for line in lines:
            if any(mark in line for mark in (*begins, *ends)):
                is_inside = any(mark in line for mark in begins)
            elif is_inside:
                solution.append(line)
        return solution or lines


def _is_marked_by_hand(cell: NotebookNode) -> bool:
    label = CellLabel.of(cell)
    return label.is_task or (label.is_graded and label.is_solution)


def _with_rubrics(cells: Iterable[NotebookNode], rubrics: dict[str, str]) -> Iterator[NotebookNode]:
    for cell in cells:
        yield cell
        if _is_marked_by_hand(cell) and (rubric := rubrics.get(CellLabel.of(cell).grade_id)):
            quoted = "\n".join(f"> {line}" for line in rubric.split("\n"))
            yield new_markdown_cell(f"{HEADING}\n\n{quoted}")
