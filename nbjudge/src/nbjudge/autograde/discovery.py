"""Find the submissions to grade; when a requested name does not exist, suggest the closest one."""

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
    """One student's submission of one assignment, whose folder has not been checked yet."""

    assignment: str
    student: str
    folder: Path


def require_run(config: Config) -> None:
    """Raise CannotGrade when the settings disable execution, as --no-execute does."""
    if config.Execute.get("enabled", True) is False:
        raise CannotGrade(
            "With --no-execute the outputs saved by students would be graded, and those can be forged. "
            "Remove the option."
        )


def find_assignments(course: CourseDirectory) -> list[str]:
    """Return the requested assignments of the gradebook. Raises CannotGrade when there are none."""
    with Gradebook(course.db_url, course.course_id) as gradebook:
        names = sorted(assignment.name for assignment in gradebook.assignments)
    requested = course.assignment_id
    matches = _match(names, requested)
    if not matches:
        raise unknown_assignment_error(course, requested, names)
    return matches


def unknown_assignment_error(course: CourseDirectory, requested: str, names: list[str]) -> CannotGrade:
    """Return the error for an assignment that is not in the gradebook, with a suggestion."""
    source_folder = Path(course.root, course.source_directory)
    if (source_folder / requested).is_dir():
        way_out = f"To add it, run `nbgrader generate_assignment {requested}`."
        return CannotGrade(f"The gradebook has no assignment {quote(requested)}. {way_out}")
    suggestion = _suggest(
        requested, sorted({*names, *(path.name for path in source_folder.glob("*") if path.is_dir())})
    )
    return CannotGrade(
        f"There is no assignment {quote(requested)}, in {source_folder} or in the gradebook.{suggestion}"
    )


def find_notebooks(course: CourseDirectory, names: Iterable[str]) -> list[str]:
    """Return the requested notebooks of an assignment. Raises CannotGrade when there are none."""
    names = sorted(names)
    matches = _match(names, course.notebook_id)
    if not matches:
        requested = quote(course.notebook_id)
        raise CannotGrade(f"The assignment has no notebook {requested}; it has {join_names(names) or 'none'}.")
    return matches


def find_submissions(course: CourseDirectory, assignments: list[str]) -> list[Submission]:
    """Return the requested submissions, sorted. Raises CannotGrade when there are none.

    They include those of students whose id is unusable; `id_problem` returns the reason.
    """
    submissions = [submission for assignment in assignments for submission in submissions_of(course, assignment)]
    excluded = course.student_id_exclude.split(",") if course.student_id_exclude else []
    students = sorted({submission.student for submission in submissions} - set(excluded))
    selected = students if course.student_id == "*" else _match(students, course.student_id)
    chosen = sorted(submission for submission in submissions if submission.student in selected)
    if not chosen:
        raise CannotGrade(_no_submissions(course, assignments, students))
    return chosen


def id_problem(student: str) -> str:
    """Return why nbgrader's commands cannot use a student's id, which is a folder name; "" if they can.

    They search for ids with regular expressions, treat them as patterns, and write them into tables and URLs.
    """
    if not is_plain(student):
        problem = "holds control characters or bytes that are not UTF-8"
    elif student == "*":
        problem = "means every student to nbgrader"
    elif student.startswith("."):
        problem = "begins with a dot, so nbgrader does not see the folder"
    elif student != student.strip():
        problem = "begins or ends with a blank, which nbgrader removes"
    else:
        return ""
    return f"The name of the folder {quote(student)}, which is the student's id, {problem}. Rename it, and grade again."


def misplaced_notebooks(course: CourseDirectory) -> list[str]:
    """Return the notebooks at the top two levels of the submissions folder, which belong to no assignment."""
    top = Path(course.root, course.submitted_directory)
    return sorted(str(file.relative_to(top.parent)) for form in ("*.ipynb", "*/*.ipynb") for file in top.glob(form))


def submissions_of(course: CourseDirectory, assignment: str) -> list[Submission]:
    """Return all submissions of an assignment, unsorted; folder names are matched literally."""
    names = {"nbgrader_step": course.submitted_directory, "assignment_id": assignment}
    parts = Path(course.directory_structure).parts
    return [Submission(assignment, student, path) for student, path in _folders(Path(course.root), parts, names, None)]


def _folders(
    top: Path, parts: tuple[str, ...], names: dict[str, str], student: str | None
) -> Iterator[tuple[str, Path]]:
    """Yield (student, path) of existing folders below `top` that match the course's directory structure.

    names: values of the other fields
    """
    if not parts:
        if student is not None:
            yield student, top
        return
    part, remaining = parts[0], parts[1:]
    if "{student_id}" not in part or student is not None:
        path = top / part.format(**names, student_id=student)
        # Include unreadable folders, whose contents are unknown, so that their students are notified.
        if os.path.lexists(path) or (os.path.isdir(path.parent) and not _can_read(path.parent)):
            yield from _folders(path, remaining, names, student)
        return
    prefix, _, suffix = part.partition("{student_id}")
    pattern = re.escape(prefix.format(**names)) + "(.+)" + re.escape(suffix.format(**names, student_id=""))
    for entry in _entries(top):
        match = re.fullmatch(pattern, entry.name, re.DOTALL)
        if match and entry.name not in LITTER and (not remaining or os.path.isdir(entry.path)):
            yield from _folders(top / entry.name, remaining, names, match.group(1))


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
    names = join_names(assignments)
    if not top.is_dir():
        return f"There is no folder {top}, so there is nothing to grade. {_collect_advice(course, assignments[0])}"
    if not _can_read(top):
        return f"The folder {top} cannot be read, so nothing was graded. Check that you have read permission."
    if students:
        requested = course.student_id
        return f"No student {quote(requested)} submitted {names}.{_suggest(requested, students)}"
    expected_folder = Path(course.format_path(course.submitted_directory, "STUDENT", assignments[0]))
    folder_names = {path.name for path in top.glob("*/*") if path.is_dir()}
    suggestion = _suggest(assignments[0], sorted(folder_names - set(assignments)))
    advice = _collect_advice(course, assignments[0])
    return f"There are no submissions of {names}; expected folders {expected_folder}.{suggestion} {advice}"


def _collect_advice(course: CourseDirectory, assignment: str) -> str:
    file = f"{course.submitted_directory}/STUDENT/{assignment}/{assignment}.ipynb"
    return f"To collect them, run `nbgrader collect {assignment}`, or copy each notebook to {file}."


def _match(names: list[str], requested: str) -> list[str]:
    """Return the name that equals `requested`, or else the names that match it as a pattern such as 0*."""
    return [requested] if requested in names else [name for name in names if fnmatchcase(name, requested)]


def _suggest(requested: str, names: list[str]) -> str:
    matches = difflib.get_close_matches(requested, names, n=1, cutoff=0.5)
    if matches:
        return f" Did you mean {quote(matches[0])}?"
    return f" Available: {join_names(names)}." if names else ""
