"""The tables beside the page: everything in one, and one each in the import formats of Canvas and Moodle."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbjudge.report.formatting import cell
from nbjudge.report.model import Classroom, Exercise, Student

SCORES, CANVAS, MOODLE = "scores.csv", "canvas.csv", "moodle.csv"
COLUMNS = [
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
    # The mark at the beginning tells Excel that this is UTF-8; importers would take it for a part of the first heading.
    _write(folder / SCORES, "utf-8-sig", [COLUMNS, *_scores(classroom)])
    _write(folder / CANVAS, "utf-8", canvas(classroom))
    _write(folder / MOODLE, "utf-8", moodle(classroom))


def settled(classroom: Classroom) -> list[Student]:
    """Return the students whose total is final: nothing of theirs waits to be graded by hand."""
    return [student for student in classroom.students if not student.waiting]


def canvas(classroom: Classroom) -> list[list[Any]]:
    """Return the rows that Canvas's gradebook imports: headings, points possible, a row for each settled total.

    Canvas finds a student by ID (its own number: the gradebook's lms_user_id when that is a number), then by SIS User
    ID, SIS Login ID and name; here the gradebook's student id is the SIS Login ID. An assignment of the lesson's name
    is filled in, and created where there is none. A student who is not in the file keeps what Canvas has.
    Source: Canvas Instructor Guide, "How do I import grades in the Gradebook?",
    https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807
    """
    headings = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", classroom.lesson]
    rows: list[list[Any]] = [headings, ["    Points Possible", "", "", "", "", round(classroom.possible, 2)]]
    for student in settled(classroom):
        first, last, _, number = student.names
        called = ", ".join(part for part in (last, first) if part) or student.id
        own_number = number if number.isascii() and number.isdigit() else ""
        rows.append([called, own_number, "", student.id, "", round(student.total, 2)])
    return rows


def moodle(classroom: Classroom) -> list[list[Any]]:
    """Return the rows that Moodle's "Import > CSV file" takes: a row for each settled total.

    On Moodle's page choose "Map from: ID number, Map to: ID number" (or the address), and for the lesson's column the
    grade item it belongs to, or a new one. Moodle refuses points above 100 unless its administrator allows them.
    Source: MoodleDocs, "Grade import", https://docs.moodle.org/en/Grade_import
    """
    rows: list[list[Any]] = [["First name", "Last name", "ID number", "Email address", classroom.lesson]]
    for student in settled(classroom):
        first, last, address, _ = student.names
        rows.append([first, last, student.id, address, round(student.total, 2)])
    return rows


def _scores(classroom: Classroom) -> Iterable[list[Any]]:
    for student in classroom.students:
        for exercise in classroom.exercises:
            yield _score(classroom, student, exercise)


def _score(classroom: Classroom, student: Student, exercise: Exercise) -> list[Any]:
    result, found = student.results.get(exercise), student.findings.get(exercise)
    events = [event for event in student.events if event.cell in (exercise.cell, exercise.name)]
    if exercise == classroom.exercises[0]:  # what belongs to no exercise stands beside the first
        graded = {name for other in classroom.exercises for name in (other.cell, other.name)}
        events += [event for event in student.events if event.cell not in graded]
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
        found.sentence if found and found.known else None,
        found.sentence if found and not found.known else None,
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
    with file.open("w", encoding=encoding, newline="", errors="replace") as stream:
        writer = csv.writer(stream)
        for row in rows:
            # Canvas knows its second row by this heading, and the blanks before it are Canvas's own.
            writer.writerow([value if value == "    Points Possible" else cell(value) for value in row])
