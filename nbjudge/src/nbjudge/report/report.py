"""Write the report of a class: a page to read, and tables to go on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from nbjudge.errors import CannotGrade
from nbjudge.report.exports import CANVAS, MOODLE, SCORES, write_tables
from nbjudge.report.loader import read_class
from nbjudge.report.page import page

PAGE = "report.html"


@dataclass(frozen=True)
class Report:
    """Where the report is, and how many students are in it. exported: of whom the total is final and in the exports"""

    page: Path
    scores: Path
    canvas: Path
    moodle: Path
    students: int
    exported: int


def write_report(course: CourseDirectory, assignment: str, folder: Path) -> Report:
    """Write report.html, scores.csv, canvas.csv and moodle.csv about a graded lesson into `folder`.

    Raises CannotGrade when the lesson is unknown, nobody was graded, or the folder cannot be written.
    """
    classroom = read_class(course, assignment)
    html = page(classroom)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(html, encoding="utf-8")
        write_tables(classroom, folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CannotGrade(
            f"The report cannot be written to {folder} ({reason}). Name a folder that you may write, with room."
        ) from error
    settled = sum(not student.waiting for student in classroom.students)
    page_file, scores, canvas, moodle = (folder / name for name in (PAGE, SCORES, CANVAS, MOODLE))
    return Report(page_file, scores, canvas, moodle, len(classroom.students), settled)
