"""Read the graded notebooks of a class: JSON that a submission may have influenced, so every value is checked."""

from __future__ import annotations

import datetime
import json
import math
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory

from nbjudge.nbgrader_cells import CellLabel
from nbjudge.report.mistakes import Catalogue, finding
from nbjudge.report.model import Classroom, Event, Exercise, Finding, Student
from nbjudge.report.similarity import Comparison

_BIGGEST_NOTEBOOK = 50_000_000  # bytes; the grader bounds outputs far below this
_MOST_NOTES = 100  # events or repairs of one submission; a program can crash any number of times
LARGE_CLASS = 200  # students; reading a hundred takes about as long as starting processes
_readers: list[NotebookReader] = []  # the one of a process of the pool


@dataclass(frozen=True)
class NotebookReader:
    """Adds to the students of a class what their graded notebooks say."""

    course: CourseDirectory
    assignment: str
    exercises: list[Exercise]
    named_mistakes: Catalogue | None
    comparison: Comparison

    def read(self, classroom: Classroom) -> None:
        """Read the notebooks of all students; those of a large class in one process for each processor, on Linux."""
        if len(classroom.students) < LARGE_CLASS or sys.platform != "linux":  # elsewhere, a fork is slow or unsafe
            read = list(map(self.read_student, classroom.students))
        else:
            context = multiprocessing.get_context("fork")
            with ProcessPoolExecutor(mp_context=context, initializer=_readers.append, initargs=(self,)) as pool:
                read = list(pool.map(_read_student, classroom.students, chunksize=50))
        classroom.students = [student for student, _ in read]
        for _, judging in read:
            classroom.judging.update(judging)

    def read_student(self, student: Student) -> tuple[Student, dict[str, str]]:
        """Return the student with what the notebooks say, and {test cell: how it is judged}."""
        folder = Path(self.course.format_path(self.course.autograded_directory, student.id, self.assignment))
        tests = {exercise.cell for exercise in self.exercises}
        judging: dict[str, str] = {}
        for notebook in dict.fromkeys(exercise.notebook for exercise in self.exercises):
            file = folder / f"{notebook}.ipynb"
            content = read_notebook(file)
            if content is None:
                student.unread = True
                continue
            graded_at = datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
            student.graded_at = max(student.graded_at or graded_at, graded_at)
            record = _dict(_dict(content.get("metadata")).get("grading"))
            _read_record(student, record)
            judging |= {cell: str(how) for cell, how in _dict(record.get("judging")).items() if cell in tests}
            self._read_cells(student, notebook, {cell.name: cell for cell in labelled_cells(content)})
        return student, judging

    def _read_cells(self, student: Student, notebook: str, cells: dict[str, LabelledCell]) -> None:
        for exercise in self.exercises:
            if exercise.notebook == notebook and exercise.cell in cells:
                reported = _finding(student, exercise, cells[exercise.cell], self.named_mistakes)
                if reported:
                    student.findings[exercise] = reported
        for cell in cells.values():
            compared = cell.name in self.comparison.names
            answer = self.comparison.answer(notebook, cell.name, cell.source) if compared else None
            if answer:
                student.answers[notebook, cell.name] = answer


def _read_student(student: Student) -> tuple[Student, dict[str, str]]:
    return _readers[0].read_student(student)


class LabelledCell:
    """A labelled cell of a graded notebook, with its texts joined."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.name, self.source = name, _text_of(content.get("source"))
        self.outputs = [output for output in _list(content.get("outputs")) if isinstance(output, dict)]


def read_notebook(file: Path) -> dict[str, Any] | None:
    """Return the content of a notebook file, None when there is none that can be read."""
    try:
        if file.stat().st_size > _BIGGEST_NOTEBOOK:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def labelled_cells(content: dict[str, Any]) -> Iterator[LabelledCell]:
    """Return the cells of a notebook that nbgrader labelled, of several with the same name the first."""
    names: set[str] = set()
    for cell in _list(content.get("cells")):
        name = CellLabel.of(cell).grade_id
        if name and name not in names:
            names.add(name)
            yield LabelledCell(name, cell)


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


def _finding(
    student: Student, exercise: Exercise, cell: LabelledCell, named_mistakes: Catalogue | None
) -> Finding | None:
    result = student.results.get(exercise)
    if exercise.kind != "test" or student.refused or result is None or (result.auto or 0.0) >= exercise.points:
        return None
    return finding(exercise.name, cell.outputs, named_mistakes)


def _text_of(content: Any) -> str:
    """Return a text of a notebook file, which stores it as a string or as a list of lines."""
    return "".join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
