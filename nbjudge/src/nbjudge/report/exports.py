"""Write the report's CSV tables: all scores in one, and one each in the import formats of Canvas and Moodle."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbjudge.report.formatting import cell
from nbjudge.report.model import Classroom, Exercise, Student

SCORES, CANVAS, MOODLE = "scores.csv", "canvas.csv", "moodle.csv"
_COLUMNS = [
    "student",
    "notebook",
    "exercise",
    "points",
    "max_points",
    "auto_points",
    "manual_points",
    "extra_credit",
    "needs_manual_grade",
    "mistake_named",
    "tests_said",
    "events",
    "refused",
    "repairs",
    "seconds",
    "handed_in_utc",
    "total_before_penalty",
    "late_penalty",
    "total",
    "max_total",
]


def write_tables(classroom: Classroom, folder: Path) -> None:
    """Write scores.csv, canvas.csv and moodle.csv into the folder."""
    # Excel needs the byte order mark to recognise UTF-8; importers would read it as part of the first heading.
    _write(folder / SCORES, "utf-8-sig", [_COLUMNS, *_scores(classroom)])
    _write(folder / CANVAS, "utf-8", canvas(classroom))
    _write(folder / MOODLE, "utf-8", moodle(classroom))


def finalized_students(classroom: Classroom) -> list[Student]:
    """Return the students whose total is final because no answer of theirs still needs manual grading."""
    return [student for student in classroom.students if not student.waiting]


def canvas(classroom: Classroom) -> list[list[Any]]:
    """Return the rows that Canvas's gradebook imports: headings, points possible, a row for each final total.

    Canvas finds a student by ID (its own number: the gradebook's lms_user_id when that is a number), then by SIS User
    ID, SIS Login ID and name; here the gradebook's student id is the SIS Login ID. Canvas updates its assignment of
    this name, or creates one. The scores of students who are not in the file stay unchanged.
    Source: Canvas Instructor Guide, "How do I import grades in the Gradebook?",
    https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807
    """
    headings = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", classroom.assignment]
    rows: list[list[Any]] = [headings, ["    Points Possible", "", "", "", "", round(classroom.possible, 2)]]
    for student in finalized_students(classroom):
        first, last, _, number = student.names
        display_name = ", ".join(part for part in (last, first) if part) or student.id
        canvas_id = number if number.isascii() and number.isdigit() else ""
        rows.append([display_name, canvas_id, "", student.id, "", round(student.total, 2)])
    return rows


def moodle(classroom: Classroom) -> list[list[Any]]:
    """Return the rows that Moodle's "Import > CSV file" accepts: a row for each final total.

    On Moodle's page choose "Map from: ID number, Map to: ID number" (or the address), and map the assignment's
    column to its grade item or to a new one. Moodle refuses points above 100 unless its administrator allows them.
    Source: MoodleDocs, "Grade import", https://docs.moodle.org/en/Grade_import
    """
    rows: list[list[Any]] = [["First name", "Last name", "ID number", "Email address", classroom.assignment]]
    for student in finalized_students(classroom):
        first, last, address, _ = student.names
        rows.append([first, last, student.id, address, round(student.total, 2)])
    return rows


def _scores(classroom: Classroom) -> Iterable[list[Any]]:
    for student in classroom.students:
        for exercise in classroom.exercises:
            yield _score(classroom, student, exercise)


def _score(classroom: Classroom, student: Student, exercise: Exercise) -> list[Any]:
    result, finding = student.results.get(exercise), student.findings.get(exercise)
    events = [event for event in student.events if event.cell in (exercise.cell, exercise.name)]
    if exercise == classroom.exercises[0]:  # list events that belong to no exercise with the first one
        graded_names = {name for other in classroom.exercises for name in (other.cell, other.name)}
        events += [event for event in student.events if event.cell not in graded_names]
    return [
        student.id,
        exercise.notebook,
        exercise.name,
        result.score if result else None,
        exercise.points,
        result.auto if result else None,
        result.manual if result else None,
        result.extra if result else None,
        bool(result and result.waiting),
        finding.sentence if finding and finding.is_named else None,
        finding.sentence if finding and not finding.is_named else None,
        "; ".join(f"{event.what}: {event.sentence}" for event in events),
        " ".join(student.refused),
        " ".join(student.repairs),
        None if student.seconds is None else round(student.seconds, 3),
        student.handed_in.isoformat(sep=" ", timespec="seconds") if student.handed_in else None,
        student.earned,
        student.penalty,
        student.total,
        classroom.possible,
    ]


def _write(file: Path, encoding: str, rows: Iterable[list[Any]]) -> None:
    escaped = lru_cache(maxsize=10_000, typed=True)(cell)  # most texts of a class recur
    with file.open("w", encoding=encoding, newline="", errors="replace") as stream:
        writer = csv.writer(stream)
        for row in rows:
            # Canvas recognises its second row by this exact heading, leading blanks included.
            writer.writerow([value if value == "    Points Possible" else escaped(value) for value in row])
