"""The cells that the gradebook expects in each notebook of an assignment, in the instructor's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from traitlets.config import Config

from nbjudge.errors import CannotGrade

Kind = Literal["test", "manual", "solution", "task", "given"]

Delimiters = tuple[tuple[str, str], ...]  # what a line holds that begins, and that ends, what students are not given


@dataclass(frozen=True)
class ExpectedCell:
    """One cell as the gradebook has it.

    kind: "test" is graded by running it, "manual" is an answer graded by hand, "solution" an answer that a test looks
        at, "task" a question answered in cells of the student's own, "given" anything else that is locked
    source: the gradebook's text, with hidden tests; the instructor's solution is not in it
    hidden: between what lines nbgrader takes text out on its way to the students
    """

    name: str
    kind: Kind
    cell_type: str
    points: float
    source: str
    locked: bool
    hidden: Delimiters = (("BEGIN HIDDEN TESTS", "END HIDDEN TESTS"), ("BEGIN MARK SCHEME", "END MARK SCHEME"))

    @property
    def released(self) -> str:
        """The text that students were given: without the hidden tests."""
        kept, until = [], None
        for line in self.source.split("\n"):
            if until is None:
                until = next((end for begin, end in self.hidden if begin in line), None)
                kept += [line] if until is None else []
            elif until in line:
                until = None
        return "\n".join(kept)

    @property
    def label(self) -> dict[str, Any]:
        """The metadata by which nbgrader knows the cell."""
        graded = {"points": self.points} if self.kind in ("test", "manual", "task") else {}
        return {
            "schema_version": 3,
            "grade_id": self.name,
            "grade": self.kind in ("test", "manual"),
            "solution": self.kind in ("manual", "solution"),
            "task": self.kind == "task",
            "locked": self.locked,
            "cell_type": self.cell_type,
            **graded,
        }

    def cell(self, source: str) -> nbformat.NotebookNode:
        """Return a new cell with this label and `source` as its text."""
        new = new_code_cell if self.cell_type == "code" else new_markdown_cell
        fixed = {"deletable": False, "editable": False} if self.locked else {"deletable": False}
        return new(source, metadata={**fixed, "nbgrader": self.label})


Expected = dict[str, list[ExpectedCell]]


def hidden_delimiters(config: Config) -> Delimiters:
    """Return the delimiters of hidden tests and of mark schemes that a course's settings give."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme

    tests, schemes = ClearHiddenTests(config=config), ClearMarkScheme(config=config)
    return (
        (tests.begin_test_delimeter, tests.end_test_delimeter),
        (schemes.begin_mark_scheme_delimeter, schemes.end_mark_scheme_delimeter),
    )


def expected_cells(gradebook_url: str, assignment: str, config: Config | None = None) -> Expected:
    """Read {notebook: its cells} from the gradebook. Raises CannotGrade when the assignment is not in it.

    config: the course's settings
    """
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(gradebook_url) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry:
            raise CannotGrade(
                f"The gradebook has no assignment {assignment}. Run `nbgrader generate_assignment {assignment}` first."
            ) from None
        hidden = hidden_delimiters(config or Config())
        return {notebook.name: _cells(gradebook, notebook, hidden) for notebook in notebooks}


def _cells(gradebook: Any, notebook: Any, hidden: Delimiters) -> list[ExpectedCell]:
    from nbgrader.api import SourceCell
    from sqlalchemy import literal_column

    points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
    graded = {cell.name for cell in notebook.grade_cells}
    answers = {cell.name for cell in notebook.solution_cells}
    tasks = {cell.name for cell in notebook.task_cells}

    def kind(name: str) -> Kind:
        if name in tasks:
            return "task"
        if name in answers:
            return "manual" if name in graded else "solution"
        return "test" if name in graded else "given"

    # nbgrader writes the cells in the notebook's order and keeps no number of it: the row says which came first.
    query = gradebook.db.query(SourceCell).filter(SourceCell.notebook_id == notebook.id)
    return [
        ExpectedCell(
            cell.name,
            kind(cell.name),
            cell.cell_type,
            points.get(cell.name, 0.0),
            cell.source or "",
            cell.locked,
            hidden,
        )
        for cell in query.order_by(literal_column("source_cell.rowid"))
    ]
