"""Which submissions there are to grade; what is asked for and not there is said with what may have been meant."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from grading.errors import CannotGrade
from grading.submission.sentences import listed, shown


@dataclass(frozen=True, order=True)
class Submission:
    """What one student handed in of one assignment; what the folder is, and whether it can be read, is still open."""

    assignment: str
    student: str
    folder: Path


def require_run(config: Config) -> None:
    """Raise CannotGrade when the settings ask for grading without running, as --no-execute does."""
    if config.Execute.get("enabled", True) is False:
        raise CannotGrade(
            "With --no-execute the outputs that students saved would be graded, which anybody can write. "
            "Leave the option away."
        )


def find_assignments(course: CourseDirectory) -> list[str]:
    """Return the gradebook's assignments that are asked for. Raises CannotGrade when there are none."""
    with Gradebook(course.db_url, course.course_id) as gradebook:
        known = sorted(assignment.name for assignment in gradebook.assignments)
    wanted = course.assignment_id
    found = _matching(known, wanted)
    if not found:
        raise unknown(course, wanted, known)
    return found


def unknown(course: CourseDirectory, wanted: str, known: list[str]) -> CannotGrade:
    """Return what to say of an assignment that is not among those that the gradebook knows."""
    top = Path(course.root, course.source_directory)
    if (top / wanted).is_dir():
        way_out = f"To add it, run `nbgrader generate_assignment {wanted}`."
        return CannotGrade(f"The gradebook does not know the assignment {shown(wanted)}. {way_out}")
    meant = _meant(wanted, sorted({*known, *(path.name for path in top.glob("*") if path.is_dir())}))
    return CannotGrade(f"There is no assignment {shown(wanted)}, in {top} or in the gradebook.{meant}")


def find_notebooks(course: CourseDirectory, names: Iterable[str]) -> list[str]:
    """Return the notebooks of an assignment that are asked for. Raises CannotGrade when there are none."""
    names = sorted(names)
    found = _matching(names, course.notebook_id)
    if not found:
        asked = shown(course.notebook_id)
        raise CannotGrade(f"The assignment has no notebook {asked}; it has {listed(names) or 'none'}.")
    return found


def find_submissions(course: CourseDirectory, assignments: list[str]) -> list[Submission]:
    """Return the submissions that are asked for, sorted. Raises CannotGrade when there are none."""
    there = [submission for assignment in assignments for submission in submissions_of(course, assignment)]
    excluded = course.student_id_exclude.split(",") if course.student_id_exclude else []
    students = sorted({submission.student for submission in there} - set(excluded))
    wanted = _matching(students, course.student_id)
    found = sorted(submission for submission in there if submission.student in wanted)
    if not found:
        raise CannotGrade(_no_submissions(course, assignments, students))
    return found


def misplaced(course: CourseDirectory) -> list[str]:
    """Return the notebooks that lie in, or right below, the folder of all submissions: nobody's, of no assignment."""
    top = Path(course.root, course.submitted_directory)
    return sorted(str(file.relative_to(top.parent)) for form in ("*.ipynb", "*/*.ipynb") for file in top.glob(form))


def submissions_of(course: CourseDirectory, assignment: str) -> list[Submission]:
    """Return all submissions of an assignment, in no order."""
    pattern = course.format_path(course.submitted_directory, "*", glob.escape(assignment))
    paths = set(glob.glob(pattern))
    # glob does not see into a student's folder that may not be read; its student is to hear of it.
    for closed in glob.glob(os.path.dirname(pattern)):
        if os.path.isdir(closed) and not _can_read(closed):
            paths.add(os.path.join(closed, assignment))
    form = course.format_path(course.submitted_directory, "(?P<student>.*)", re.escape(assignment), escape=True)
    matches = {path: re.fullmatch(form, path, re.DOTALL) for path in paths}
    return [Submission(assignment, match["student"], Path(path)) for path, match in matches.items() if match]


def _can_read(folder: str | Path) -> bool:
    try:
        os.scandir(folder).close()
        os.lstat(os.path.join(folder, "."))
    except OSError:
        return False
    return True


def _no_submissions(course: CourseDirectory, assignments: list[str], students: list[str]) -> str:
    top = Path(course.root, course.submitted_directory)
    lesson = listed(assignments)
    if not top.is_dir():
        return f"There is no folder {top}, so there is nothing to grade. {_bring(course, assignments[0])}"
    if not _can_read(top):
        return f"The folder {top} cannot be read, so nothing was graded. See to it that you may read it."
    if students:
        asked = course.student_id
        return f"Nobody called {shown(asked)} submitted {lesson}.{_meant(asked, students)}"
    place = Path(course.format_path(course.submitted_directory, "STUDENT", assignments[0]))
    others = {path.name for path in top.glob("*/*") if path.is_dir()}
    meant = _meant(assignments[0], sorted(others - set(assignments)))
    return f"There are no submissions of {lesson}; expected folders {place}.{meant} {_bring(course, assignments[0])}"


def _bring(course: CourseDirectory, assignment: str) -> str:
    file = f"{course.submitted_directory}/STUDENT/{assignment}/{assignment}.ipynb"
    return f"To bring them in, run `nbgrader collect {assignment}`, or put each notebook at {file}."


def _matching(names: list[str], wanted: str) -> list[str]:
    """Return the names that are `wanted`, or match it where it is a pattern such as 0*."""
    return [wanted] if wanted in names else [name for name in names if fnmatchcase(name, wanted)]


def _meant(wanted: str, known: list[str]) -> str:
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {shown(close[0])}?"
    return f" There is {listed(known)}." if known else ""
