"""The cells that the gradebook expects in each notebook of an assignment, in the instructor's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from traitlets.config import Config

from nbjudge.errors import CannotGrade

Kind = Literal["test", "manual", "solution", "task", "given"]

Delimiters = tuple[tuple[str, str], ...]  # markers of the first and last line of text that is removed on release


@dataclass(frozen=True)
class ExpectedCell:
    """One cell as recorded in the gradebook.

    kind: "test" is graded by running it, "manual" is an answer graded by hand, "solution" an answer checked by a test,
        "task" a question answered in cells that the student adds, "given" any other locked cell
    source: the gradebook's text, with hidden tests but without the instructor's solution
    hidden: the delimiters between which nbgrader removes text on release
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
        """The text released to students, without the hidden tests."""
        lines, end_marker = [], None
        for line in self.source.split("\n"):
            if end_marker is None:
                end_marker = next((end for begin, end in self.hidden if begin in line), None)
                lines += [line] if end_marker is None else []
            elif end_marker in line:
                end_marker = None
        return "\n".join(lines)

    @property
    def label(self) -> dict[str, Any]:
        """The cell's nbgrader metadata."""
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
        make_cell = new_code_cell if self.cell_type == "code" else new_markdown_cell
        protection = {"deletable": False, "editable": False} if self.locked else {"deletable": False}
        cell: nbformat.NotebookNode = make_cell(source, metadata={**protection, "nbgrader": self.label})  # type: ignore[no-untyped-call]
        return cell


Expected = dict[str, list[ExpectedCell]]


def hidden_delimiters(config: Config) -> Delimiters:
    """Return the delimiters of hidden tests and mark schemes from a course's settings."""
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

    # nbgrader stores the cells in the notebook's order but no position, so sort by row id.
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
