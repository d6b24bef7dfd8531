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

from nbjudge.autograde.discovery import submissions_of
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.errors import CannotGrade
from nbjudge.intake.expected_cells import Expected, ExpectedCell, expected_cells
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.report.mistakes import Catalogue, catalogue, finding
from nbjudge.report.model import Classroom, Event, Exercise, Finding, Result, Student
from nbjudge.report.similarity import Comparison
from nbjudge.text import join_names, quote

BIGGEST_NOTEBOOK = 50_000_000  # bytes; the grader keeps outputs far below this
MOST_NOTES = 100  # events or repairs of one submission; a program can die as often as it likes


def read_class(course: CourseDirectory, assignment: str) -> Classroom:
    """Return the class.

    Raises CannotGrade when the gradebook cannot be read or lacks the lesson, and when nobody was graded.
    """
    file = gradebook_file(course.db_url)
    try:
        return _read_class(course, assignment)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        raise CannotGrade(
            f"The gradebook {file} cannot be read ({reason}). Close what else has it open, or put a copy of before in "
            "its place."
        ) from error


def _read_class(course: CourseDirectory, assignment: str) -> Classroom:
    with Gradebook(course.db_url, course.course_id) as gradebook:
        lessons = sorted(known.name for known in gradebook.assignments)
        if assignment not in lessons:
            there = f"it has {join_names(lessons)}. Name one of those, or add it" if lessons else "it has none. Add it"
            raise CannotGrade(
                f"The gradebook does not know the lesson {quote(assignment)}; {there} with "
                f"`nbgrader generate_assignment {assignment}`."
            )
        lesson = expected_cells(course.db_url, assignment, course.config)
        submitted = _submitted(gradebook, assignment, _exercises(lesson))
        enrolled = [student for (student,) in gradebook.db.query(Enrolled.id).order_by(Enrolled.id)]
    students = {name: one for name, one in submitted.items() if _was_graded(course, assignment, one)}
    if not students:
        raise CannotGrade(
            f"Nobody's submission of {quote(assignment)} was graded yet, so there is nothing to report. "
            f"Run `rnn-course grade {assignment}` first."
        )
    known = catalogue(assignment, course.config.Grading.get("catalogue", ""), Path(course.root))
    handed_in = {submission.student for submission in submissions_of(course, assignment)}
    found = Classroom(
        assignment,
        _exercises(lesson),
        [students[student] for student in sorted(students)],
        [student for student in enrolled if student not in students and student not in handed_in],
        sorted(handed_in - set(students)),
        known is not None,
    )
    comparison = Comparison(_blank(lesson), _reference(course, assignment, lesson))
    for one in found.students:
        _read_notebooks(course, assignment, one, found.exercises, known, comparison)
    return found


def _exercises(lesson: Expected) -> list[Exercise]:
    return [
        Exercise(notebook, cell.name, float(cell.points), "test" if cell.kind == "test" else "written", len(lesson) > 1)
        for notebook, cells in lesson.items()
        for cell in cells
        if cell.kind in ("test", "manual", "task")
    ]


# --- the gradebook, in two queries: an object for each grade of a large class would take minutes


def _submitted(gradebook: Gradebook, assignment: str, exercises: list[Exercise]) -> dict[str, Student]:
    place = {(exercise.notebook, exercise.cell): exercise for exercise in exercises}
    submitted = gradebook.find_assignment(assignment).id
    students: dict[str, Student] = {}
    query = (
        gradebook.db.query(SubmittedAssignment.timestamp, SubmittedNotebook.late_submission_penalty, Enrolled)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Enrolled, Enrolled.id == SubmittedAssignment.student_id)
        .filter(SubmittedAssignment.assignment_id == submitted)
    )
    for handed_in, penalty, about in query:
        student = students.setdefault(about.id, Student(about.id, handed_in=handed_in))
        student.penalty += float(penalty or 0.0)
        names = (about.first_name, about.last_name, about.email, about.lms_user_id)
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
        .filter(SubmittedAssignment.assignment_id == submitted)
    )
    for student_id, notebook, cell, *values in grades:
        if (notebook, cell) in place:
            students[student_id].results[place[notebook, cell]] = _result(*values)
    return students


def _result(auto: float | None, manual: float | None, extra: float | None, waits: bool) -> Result:
    given = manual if manual is not None else auto
    score = 0.0 if given is None else float(given) + float(extra or 0.0)
    return Result(score if math.isfinite(score) else 0.0, bool(waits), auto, manual, extra)


def _was_graded(course: CourseDirectory, assignment: str, student: Student) -> bool:
    """Return whether a test or a human gave it something: rows are there as soon as a submission is known."""
    results = student.results.values()
    given = any(result.auto is not None or result.manual is not None or not result.waiting for result in results)
    return given or Path(course.format_path(course.autograded_directory, student.id, assignment)).is_dir()


# --- the notebooks: JSON that a submission had a part in, so nothing in it is taken for granted


def _read_notebooks(
    course: CourseDirectory,
    assignment: str,
    student: Student,
    exercises: list[Exercise],
    known: Catalogue | None,
    comparison: Comparison,
) -> None:
    folder = Path(course.format_path(course.autograded_directory, student.id, assignment))
    for notebook in dict.fromkeys(exercise.notebook for exercise in exercises):
        file = folder / f"{notebook}.ipynb"
        content = _read(file)
        if content is None:
            student.unread = True
            continue
        graded_at = datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
        student.graded_at = max(student.graded_at or graded_at, graded_at)
        _read_told(student, content)
        labelled = {cell.name: cell for cell in _cells(content)}
        for exercise in exercises:
            if exercise.notebook == notebook and exercise.cell in labelled:
                said = _said(student, exercise, labelled[exercise.cell], known)
                if said:
                    student.findings[exercise] = said
        for cell in labelled.values():
            answer = comparison.answer(notebook, cell.name, cell.source) if cell.name in comparison.names else None
            if answer:
                student.answers[notebook, cell.name] = answer


class _Cell:
    """A labelled cell of a graded notebook, with its texts joined."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name, self.source = name, text_of(content.get("source"))
        self.outputs = [output for output in _list(content.get("outputs")) if isinstance(output, dict)]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        if file.stat().st_size > BIGGEST_NOTEBOOK:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _cells(content: dict[str, Any]) -> Iterator[_Cell]:
    seen: set[str] = set()
    for cell in _list(content.get("cells")):
        name = CellLabel.of(cell).grade_id
        if name and name not in seen:
            seen.add(name)
            yield _Cell(name, cell)


def _read_told(student: Student, content: dict[str, Any]) -> None:
    """Read what the grader noted in the notebook; `seconds` and `isolation` are not in every one."""
    told = _dict(_dict(content.get("metadata")).get("grading"))
    student.repairs += [str(repair) for repair in _list(told.get("repairs"))[:MOST_NOTES]]
    for event in map(_dict, _list(told.get("events"))[:MOST_NOTES]):
        student.events.append(Event(*(str(event.get(key) or "") for key in ("cell", "what", "sentence"))))
    refused = _dict(told.get("refused"))
    if refused:
        student.refused.append(str(refused.get("instructor") or refused.get("student") or "No reason was noted."))
    seconds = told.get("seconds")
    if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0:
        student.seconds = (student.seconds or 0.0) + float(seconds)
    if isinstance(told.get("isolation"), str):
        student.isolation.append(told["isolation"])


def _said(student: Student, exercise: Exercise, cell: _Cell, known: Catalogue | None) -> Finding | None:
    result = student.results.get(exercise)
    if exercise.kind != "test" or student.refused or result is None or (result.auto or 0.0) >= exercise.points:
        return None
    return finding(exercise.name, cell.outputs, known)


def _reference(course: CourseDirectory, assignment: str, lesson: Expected) -> dict[tuple[str, str], str]:
    """Return the reference solution's cells, as far as the instructor's folder has them."""
    found = {}
    for notebook in lesson:
        content = _read(Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb")
        found.update({(notebook, cell.name): cell.source for cell in _cells(content or {})})
    return found


def _blank(lesson: Expected) -> dict[tuple[str, str], ExpectedCell]:
    """Return the cells that students fill in, as they were given."""
    return {
        (notebook, cell.name): cell
        for notebook, cells in lesson.items()
        for cell in cells
        if cell.kind in ("solution", "manual")
    }


def text_of(content: Any) -> str:
    """Return a text of a notebook file, which holds it whole or as a list of lines."""
    return "".join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
