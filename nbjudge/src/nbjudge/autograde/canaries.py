"""Require that the solution scores full marks and the blank notebook none before a class is graded.

A hidden test whose import fails silently gives the whole class zero; a test that always passes gives everyone full
marks. These canary submissions reveal both. A test that gives points to a cheat is weak: the instructor is warned,
with what the test accepts and how to tighten it, and the class is graded.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.autograde.canary_run import Grade, Score, run_canaries, settings_without_hooks
from nbjudge.autograde.cheat import CHEATS
from nbjudge.autograde.discovery import unknown_assignment_error
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.bytecode import remove_damaged
from nbjudge.errors import CannotGrade
from nbjudge.secrets import CourseSecret

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_healthy: set[str] = set()  # fingerprints; formgrader grades students one at a time in the same process


def prepare_assignment(
    course: Path, assignment: str, log: Log, grade: Grade, secret: CourseSecret, strict: bool = False
) -> None:
    """Load the course secret and require healthy canaries before the first submission of an assignment is graded.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    secret: where the course keeps its secret
    strict: whether a test that gives points to a cheat is an error
    Raises CannotGrade when either fails.
    """
    try:
        for package in {Path(__file__).parent, *(init.parent for init in course.glob("*/__init__.py"))}:
            for file in remove_damaged(package):
                log.warning("%s was damaged, as by a full disk, and was removed; Python will compile it again.", file)
        os.environ[secret.variable] = secret.load(course)
        require_canaries(course, assignment, log, grade, strict)
    except CannotGrade:
        raise
    except Exception as error:
        log.error("The canaries could not be graded.", exc_info=True)
        raise CannotGrade(f"The canaries could not be graded: {type(error).__name__}: {error}") from error


def require_canaries(course: Path, assignment: str, log: Log, grade: Grade, strict: bool = False) -> None:
    """Grade the canaries of an assignment, unless nothing has changed since they passed.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    strict: whether a test that gives points to a cheat is an error instead of a warning
    Raises CannotGrade, with each cell and its output, when they do not score full marks and zero.
    """
    settings = settings_without_hooks(course)
    fingerprint = _fingerprint(course, settings, assignment)
    if fingerprint in _healthy:
        return
    scores = run_canaries(settings, assignment, grade)
    unexpected = [score for score in scores if score.earned != score.expected]
    if any(strict or score.canary not in CHEATS for score in unexpected):
        raise CannotGrade(_failure_message(assignment, unexpected))
    for score in unexpected:
        log.warning("%s", _weakness(assignment, score))
    names = dict.fromkeys(score.canary for score in scores)
    totals = ", ".join(f"{name.removeprefix('canary-')} {_total(scores, name)}" for name in names)
    log.info("canaries of %s: %s", assignment, totals)
    _healthy.add(fingerprint)


def _fingerprint(course: Path, settings: Config, assignment: str) -> str:
    """Hash everything that determines the scores: both notebooks, the course's packages, the gradebook's cells."""
    directory = CourseDirectory(config=settings)
    steps = (directory.source_directory, directory.release_directory)
    folders = [Path(directory.format_path(step, ".", assignment)) for step in steps]
    folders += sorted(init.parent for init in course.glob("*/__init__.py"))
    digest = hashlib.sha256(repr(_cells(directory, assignment)).encode())
    for file in (file for folder in folders for file in sorted(folder.rglob("*"))):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()


def _cells(directory: CourseDirectory, assignment: str) -> list[tuple[str, str]]:
    """Return (name, checksum) of the cells that grading restores in each submission."""
    gradebook_file(directory.db_url)  # opening a missing gradebook would create one
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry as error:
            raise unknown_assignment_error(
                directory, assignment, [entry.name for entry in gradebook.assignments]
            ) from error
        return [(cell.name, cell.checksum) for notebook in notebooks for cell in notebook.source_cells]


def _weakness(assignment: str, score: Score) -> str:
    """Return a warning that a test gives points to a cheat, with advice."""
    cheat = CHEATS[score.canary]
    return (
        f"The test {score.cell} of {assignment} is weak: it gives {score.earned or 0:g} of {score.points:g} points to "
        f"{cheat.answer}. To tighten it, {cheat.advice}; or set c.Grading.strict_tests = True to refuse such tests."
    )


def _total(scores: list[Score], canary: str) -> str:
    canary_scores = [score for score in scores if score.canary == canary]
    return f"{sum(score.earned or 0 for score in canary_scores):g}/{sum(score.points for score in canary_scores):g}"


def _failure_message(assignment: str, unexpected: list[Score]) -> str:
    lines = [
        f"The canaries of {assignment} failed.",
        "The solution must score full marks, the blank notebook and cheats none; else the class is graded wrongly.",
    ]
    for score in unexpected:
        earned = "not graded" if score.earned is None else f"{score.earned:g} of {score.points:g} points"
        lines += ["", f"{score.canary}, {score.cell}: {earned}, expected {score.expected:g}. It printed:"]
        lines += [f"    {line}" for line in (score.printed or "(nothing)").splitlines()]
    advice = f"Fix the tests or the solution, run `nbgrader generate_assignment {assignment}`, then autograde again."
    return "\n".join([*lines, "", advice])
