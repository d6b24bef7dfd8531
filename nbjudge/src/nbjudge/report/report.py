"""Write the report of a class: an HTML page, and CSV tables for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from nbjudge.errors import CannotGrade
from nbjudge.report.exports import CANVAS, MOODLE, SCORES, finalized_students, write_tables
from nbjudge.report.loader import read_class
from nbjudge.report.page import page

PAGE = "report.html"


@dataclass(frozen=True)
class Report:
    """The files of a report and its number of students. exported: students whose total is final and in the exports."""

    page: Path
    scores: Path
    canvas: Path
    moodle: Path
    students: int
    exported: int


def write_report(course: CourseDirectory, assignment: str, folder: Path) -> Report:
    """Write report.html, scores.csv, canvas.csv and moodle.csv about a graded assignment into `folder`.

    Raises CannotGrade when the assignment is unknown, no submission was graded, or the folder cannot be written.
    """
    classroom = read_class(course, assignment)
    html = page(classroom, folder.resolve())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(html, encoding="utf-8")
        write_tables(classroom, folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CannotGrade(
            f"The report cannot be written to {folder} ({reason}). Choose a writable folder with enough free space."
        ) from error
    finalized = len(finalized_students(classroom))
    page_file, scores, canvas, moodle = (folder / name for name in (PAGE, SCORES, CANVAS, MOODLE))
    return Report(page_file, scores, canvas, moodle, len(classroom.students), finalized)
