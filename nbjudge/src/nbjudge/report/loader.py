"""Read a class from the gradebook."""

from __future__ import annotations

import math
from pathlib import Path

from nbgrader.api import (
    BaseCell,
    Grade,
    Gradebook,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.api import Student as Enrolled
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError

from nbjudge.autograde.canary_policy import CanaryPolicy
from nbjudge.autograde.discovery import submissions_of
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.errors import CannotGrade
from nbjudge.intake.expected_cells import Expected, ExpectedCell, expected_cells
from nbjudge.report.mistakes import catalogue
from nbjudge.report.model import Classroom, Exercise, Result, Student
from nbjudge.report.notebooks import NotebookReader, labelled_cells, read_notebook
from nbjudge.report.similarity import Comparison
from nbjudge.settings import resolved
from nbjudge.text import join_names, quote


def read_class(course: CourseDirectory, assignment: str) -> Classroom:
    """Return the class as the gradebook and the graded notebooks record it.

    Raises CannotGrade when the gradebook cannot be read or lacks the assignment, and when no submission was graded.
    """
    file = gradebook_file(course.db_url)
    try:
        return _read_class(course, assignment)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        raise CannotGrade(
            f"The gradebook {file} cannot be read ({reason}). Close other programs that have it open, "
            "or restore a backup."
        ) from error


def _read_class(course: CourseDirectory, assignment: str) -> Classroom:
    with Gradebook(course.db_url, course.course_id) as gradebook:
        assignments = sorted(known_assignment.name for known_assignment in gradebook.assignments)
        if assignment not in assignments:
            contents = (
                f"it has {join_names(assignments)}. Name one of those, or add it"
                if assignments
                else "it has none. Add it"
            )
            raise CannotGrade(
                f"The gradebook has no assignment {quote(assignment)}; {contents} with "
                f"`nbgrader generate_assignment {assignment}`."
            )
        expected = expected_cells(course.db_url, assignment, course.config)
        students = _submitted(gradebook, assignment, _exercises(expected))
        query = gradebook.db.query(Enrolled.id, Enrolled.first_name, Enrolled.last_name).order_by(Enrolled.id)
        enrolled = {student: " ".join(filter(None, names)) for student, *names in query}
    graded = {name: student for name, student in students.items() if _was_graded(course, assignment, student)}
    if not graded:
        raise CannotGrade(
            f"No submission of {quote(assignment)} was graded yet, so there is nothing to report. "
            f"Run `nbjudge grade {assignment}` first."
        )
    named_mistakes = catalogue(assignment, course.config.Grading.get("catalogue", ""), Path(course.root))
    handed_in = {submission.student for submission in submissions_of(course, assignment)}
    classroom = Classroom(
        assignment,
        _exercises(expected),
        [graded[student] for student in sorted(graded)],
        [student for student in enrolled if student not in graded and student not in handed_in],
        sorted(handed_in - set(graded)),
        named_mistakes is not None,
    )
    accepted = resolved(course.config.Grading.get("accepted", {}), {})
    classroom.names = {student: name for student, name in enrolled.items() if name.strip()}
    classroom.feedback = _feedback(course, assignment, classroom)
    classroom.remarks = CanaryPolicy(accepted=accepted).remarks(assignment)
    comparison = Comparison(_blank(expected), _reference(course, assignment, expected))
    NotebookReader(course, assignment, classroom.exercises, named_mistakes, comparison).read(classroom)
    return classroom


def _feedback(course: CourseDirectory, assignment: str, classroom: Classroom) -> dict[str, Path]:
    """Return {student: the page of feedback}, of several notebooks the first one's."""
    notebooks = list(dict.fromkeys(exercise.notebook for exercise in classroom.exercises))
    pages = {}
    for student in classroom.students:
        folder = Path(course.format_path(course.feedback_directory, student.id, assignment))
        page = next((folder / f"{name}.html" for name in notebooks if (folder / f"{name}.html").is_file()), None)
        if page is not None:
            pages[student.id] = page
    return pages


def _exercises(expected: Expected) -> list[Exercise]:
    return [
        Exercise(
            notebook, cell.name, float(cell.points), "test" if cell.kind == "test" else "written", len(expected) > 1
        )
        for notebook, cells in expected.items()
        for cell in cells
        if cell.kind in ("test", "manual", "task")
    ]


# --- the gradebook, read with two queries: loading an object for each grade of a large class would take minutes


def _submitted(gradebook: Gradebook, assignment: str, exercises: list[Exercise]) -> dict[str, Student]:
    exercises_by_cell = {(exercise.notebook, exercise.cell): exercise for exercise in exercises}
    assignment_id = gradebook.find_assignment(assignment).id
    students: dict[str, Student] = {}
    query = (
        gradebook.db.query(SubmittedAssignment.timestamp, SubmittedNotebook.late_submission_penalty, Enrolled)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Enrolled, Enrolled.id == SubmittedAssignment.student_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    for handed_in, penalty, enrolled in query:
        student = students.setdefault(enrolled.id, Student(enrolled.id, handed_in=handed_in))
        student.penalty += float(penalty or 0.0)
        names = (enrolled.first_name, enrolled.last_name, enrolled.email, enrolled.lms_user_id)
        student.names = tuple(str(text or "") for text in names)  # type: ignore[assignment]
    grades = (
        gradebook.db.query(
            SubmittedAssignment.student_id,
            Notebook.name,
            BaseCell.name,
            Grade.auto_score,
            Grade.manual_score,
            Grade.extra_credit,
            Grade.needs_manual_grade,
        )
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .filter(SubmittedAssignment.assignment_id == assignment_id)
    )
    for student_id, notebook, cell, *values in grades:
        if (notebook, cell) in exercises_by_cell:
            students[student_id].results[exercises_by_cell[notebook, cell]] = _result(*values)
    return students


def _result(auto: float | None, manual: float | None, extra: float | None, needs_manual: bool) -> Result:
    points = manual if manual is not None else auto
    score = 0.0 if points is None else float(points) + float(extra or 0.0)
    return Result(score if math.isfinite(score) else 0.0, bool(needs_manual), auto, manual, extra)


def _was_graded(course: CourseDirectory, assignment: str, student: Student) -> bool:
    """Return whether a test or a human graded it; a submission has rows in the gradebook even before that."""
    results = student.results.values()
    has_score = any(result.auto is not None or result.manual is not None or not result.waiting for result in results)
    return has_score or Path(course.format_path(course.autograded_directory, student.id, assignment)).is_dir()


def _reference(course: CourseDirectory, assignment: str, expected: Expected) -> dict[tuple[str, str], str]:
    """Return the sources of the reference solution's cells, if the instructor's folder has them."""
    sources = {}
    for notebook in expected:
        content = read_notebook(
            Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb"
        )
        sources.update({(notebook, cell.name): cell.source for cell in labelled_cells(content or {})})
    return sources


def _blank(expected: Expected) -> dict[tuple[str, str], ExpectedCell]:
    """Return the released cells that students fill in."""
    return {
        (notebook, cell.name): cell
        for notebook, cells in expected.items()
        for cell in cells
        if cell.kind in ("solution", "manual")
    }
