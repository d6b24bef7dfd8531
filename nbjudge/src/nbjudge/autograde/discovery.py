"""Which submissions there are to grade; what is asked for and not there is said with what may have been meant."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.errors import CannotGrade
from nbjudge.intake.file_survey import LITTER
from nbjudge.text import is_plain, join_names, quote


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
        return CannotGrade(f"The gradebook does not know the assignment {quote(wanted)}. {way_out}")
    meant = _meant(wanted, sorted({*known, *(path.name for path in top.glob("*") if path.is_dir())}))
    return CannotGrade(f"There is no assignment {quote(wanted)}, in {top} or in the gradebook.{meant}")


def find_notebooks(course: CourseDirectory, names: Iterable[str]) -> list[str]:
    """Return the notebooks of an assignment that are asked for. Raises CannotGrade when there are none."""
    names = sorted(names)
    found = _matching(names, course.notebook_id)
    if not found:
        asked = quote(course.notebook_id)
        raise CannotGrade(f"The assignment has no notebook {asked}; it has {join_names(names) or 'none'}.")
    return found


def find_submissions(course: CourseDirectory, assignments: list[str]) -> list[Submission]:
    """Return the submissions that are asked for, sorted. Raises CannotGrade when there are none.

    Those of a student whose id cannot be used are among them; `objection_to` says why it cannot.
    """
    known = [submission for assignment in assignments for submission in submissions_of(course, assignment)]
    excluded = course.student_id_exclude.split(",") if course.student_id_exclude else []
    students = sorted({submission.student for submission in known} - set(excluded))
    wanted = students if course.student_id == "*" else _matching(students, course.student_id)
    chosen = sorted(submission for submission in known if submission.student in wanted)
    if not chosen:
        raise CannotGrade(_no_submissions(course, assignments, students))
    return chosen


def objection_to(student: str) -> str:
    """Return why a student's id, which is the name of a folder, cannot be used by nbgrader's commands; "" if it can.

    They look for ids with regular expressions, take them for patterns, and write them into tables and addresses.
    """
    if not is_plain(student):
        problem = "holds control characters or bytes that are not UTF-8"
    elif student == "*":
        problem = "means every student to nbgrader"
    elif student.startswith("."):
        problem = "begins with a dot, so nbgrader does not see the folder"
    elif student != student.strip():
        problem = "begins or ends with a blank, which nbgrader takes off"
    else:
        return ""
    return f"The name of the folder {quote(student)}, which is the student's id, {problem}. Rename it, and grade again."


def misplaced(course: CourseDirectory) -> list[str]:
    """Return the notebooks that lie in, or right below, the folder of all submissions: nobody's, of no assignment."""
    top = Path(course.root, course.submitted_directory)
    return sorted(str(file.relative_to(top.parent)) for form in ("*.ipynb", "*/*.ipynb") for file in top.glob(form))


def submissions_of(course: CourseDirectory, assignment: str) -> list[Submission]:
    """Return all submissions of an assignment, in no order; no name of a folder is taken for a pattern."""
    names = {"nbgrader_step": course.submitted_directory, "assignment_id": assignment}
    parts = Path(course.directory_structure).parts
    return [Submission(assignment, student, path) for student, path in _folders(Path(course.root), parts, names, None)]


def _folders(
    top: Path, parts: tuple[str, ...], names: dict[str, str], student: str | None
) -> Iterator[tuple[str, Path]]:
    """Yield (student, path) of what is there below `top`, along the parts of the course's directory structure.

    names: what stands in the place of the other fields
    """
    if not parts:
        if student is not None:
            yield student, top
        return
    part, *others = parts
    rest = tuple(others)
    if "{student_id}" not in part or student is not None:
        path = top / part.format(**names, student_id=student)
        # Of a folder that may not be read nobody knows what is in it; its student is to hear of it.
        if os.path.lexists(path) or (os.path.isdir(path.parent) and not _can_read(path.parent)):
            yield from _folders(path, rest, names, student)
        return
    before, _, after = part.partition("{student_id}")
    form = re.escape(before.format(**names)) + "(.+)" + re.escape(after.format(**names, student_id=""))
    for entry in _entries(top):
        match = re.fullmatch(form, entry.name, re.DOTALL)
        if match and entry.name not in LITTER and (not rest or os.path.isdir(entry.path)):
            yield from _folders(top / entry.name, rest, names, match.group(1))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _can_read(folder: str | Path) -> bool:
    try:
        os.scandir(folder).close()
        os.lstat(os.path.join(folder, "."))
    except OSError:
        return False
    return True


def _no_submissions(course: CourseDirectory, assignments: list[str], students: list[str]) -> str:
    top = Path(course.root, course.submitted_directory)
    lesson = join_names(assignments)
    if not top.is_dir():
        return f"There is no folder {top}, so there is nothing to grade. {_bring(course, assignments[0])}"
    if not _can_read(top):
        return f"The folder {top} cannot be read, so nothing was graded. See to it that you may read it."
    if students:
        asked = course.student_id
        return f"Nobody called {quote(asked)} submitted {lesson}.{_meant(asked, students)}"
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
        return f" Did you mean {quote(close[0])}?"
    return f" There is {join_names(known)}." if known else ""
