"""Read a class from the gradebook and from the graded notebooks."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.report.mistakes import Catalogue, catalogue, finding
from nbjudge.report.model import Classroom, Event, Exercise, Finding, Result, Student
from nbjudge.report.similarity import Comparison
from nbjudge.settings import resolved
from nbjudge.text import join_names, quote

_BIGGEST_NOTEBOOK = 50_000_000  # bytes; the grader bounds outputs far below this
_MOST_NOTES = 100  # events or repairs of one submission; a program can crash any number of times


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
    for student in classroom.students:
        _read_notebooks(course, assignment, student, classroom, named_mistakes, comparison)
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


# --- the notebooks: JSON that a submission may have influenced, so every value is checked


def _read_notebooks(
    course: CourseDirectory,
    assignment: str,
    student: Student,
    classroom: Classroom,
    named_mistakes: Catalogue | None,
    comparison: Comparison,
) -> None:
    folder, exercises = (
        Path(course.format_path(course.autograded_directory, student.id, assignment)),
        classroom.exercises,
    )
    tests = {exercise.cell for exercise in exercises}
    for notebook in dict.fromkeys(exercise.notebook for exercise in exercises):
        file = folder / f"{notebook}.ipynb"
        content = _read(file)
        if content is None:
            student.unread = True
            continue
        graded_at = datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
        student.graded_at = max(student.graded_at or graded_at, graded_at)
        record = _dict(_dict(content.get("metadata")).get("grading"))
        _read_record(student, record)
        judging = _dict(record.get("judging"))
        classroom.judging.update({cell: str(how) for cell, how in judging.items() if cell in tests})
        labelled = {cell.name: cell for cell in _cells(content)}
        for exercise in exercises:
            if exercise.notebook == notebook and exercise.cell in labelled:
                reported = _finding(student, exercise, labelled[exercise.cell], named_mistakes)
                if reported:
                    student.findings[exercise] = reported
        for cell in labelled.values():
            answer = comparison.answer(notebook, cell.name, cell.source) if cell.name in comparison.names else None
            if answer:
                student.answers[notebook, cell.name] = answer


class _Cell:
    """A labelled cell of a graded notebook, with its texts joined."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name, self.source = name, _text_of(content.get("source"))
        self.outputs = [output for output in _list(content.get("outputs")) if isinstance(output, dict)]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        if file.stat().st_size > _BIGGEST_NOTEBOOK:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _cells(content: dict[str, Any]) -> Iterator[_Cell]:
    names: set[str] = set()
    for cell in _list(content.get("cells")):
        name = CellLabel.of(cell).grade_id
        if name and name not in names:
            names.add(name)
            yield _Cell(name, cell)


def _read_record(student: Student, record: dict[str, Any]) -> None:
    """Read the grader's record in the notebook; `seconds` and `isolation` are optional."""
    student.repairs += [str(repair) for repair in _list(record.get("repairs"))[:_MOST_NOTES]]
    for event in map(_dict, _list(record.get("events"))[:_MOST_NOTES]):
        student.events.append(Event(*(str(event.get(key) or "") for key in ("cell", "what", "sentence"))))
    refused = _dict(record.get("refused"))
    if refused:
        student.refused.append(str(refused.get("instructor") or refused.get("student") or "No reason was noted."))
    seconds = record.get("seconds")
    if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0:
        student.seconds = (student.seconds or 0.0) + float(seconds)
    if isinstance(record.get("isolation"), str):
        student.isolation.append(record["isolation"])


def _finding(student: Student, exercise: Exercise, cell: _Cell, named_mistakes: Catalogue | None) -> Finding | None:
    result = student.results.get(exercise)
    if exercise.kind != "test" or student.refused or result is None or (result.auto or 0.0) >= exercise.points:
        return None
    return finding(exercise.name, cell.outputs, named_mistakes)


def _reference(course: CourseDirectory, assignment: str, expected: Expected) -> dict[tuple[str, str], str]:
    """Return the sources of the reference solution's cells, if the instructor's folder has them."""
    sources = {}
    for notebook in expected:
        content = _read(Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb")
        sources.update({(notebook, cell.name): cell.source for cell in _cells(content or {})})
    return sources


def _blank(expected: Expected) -> dict[tuple[str, str], ExpectedCell]:
    """Return the released cells that students fill in."""
    return {
        (notebook, cell.name): cell
        for notebook, cells in expected.items()
        for cell in cells
        if cell.kind in ("solution", "manual")
    }


def _text_of(content: Any) -> str:
    """Return a text of a notebook file, which stores it as a string or as a list of lines."""
    return "".join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
