"""Canaries: the solution must score full marks and the blank lesson none, before anyone else is graded.

A hidden test whose import fails gives the whole class zero, quietly; a test that passes whatever it is given hands out
full marks. Each shows in one of these submissions. A test that gives points to a cheat is weak, which is for the
instructor to decide on: it is reported, with what the test accepts and how to tighten it, and the class is graded.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.autograde.canary_run import Grade, Score, rehearse, settings_without_hooks
from nbjudge.autograde.cheat import CHEATS
from nbjudge.autograde.discovery import unknown
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.bytecode import remove_damaged
from nbjudge.errors import CannotGrade
from nbjudge.secrets import CourseSecret

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_healthy: set[str] = set()  # fingerprints: formgrader grades one student at a time, all in one process


def prepare_assignment(
    course: Path, assignment: str, log: Log, grade: Grade, secret: CourseSecret, strict: bool = False
) -> None:
    """Set the course's secret and send the canaries ahead, before the first submission of an assignment is graded.

    course: the folder that holds nbgrader_config.py
    grade: grades them
    secret: where the course keeps its secret
    strict: whether a test that gives points to a cheat is an error
    Raises CannotGrade when anything is wrong.
    """
    try:
        for package in {Path(__file__).parent, *(init.parent for init in course.glob("*/__init__.py"))}:
            for file in remove_damaged(package):
                log.warning("%s was damaged, as by a full disk, and was removed; it is made again.", file)
        os.environ[secret.variable] = secret.load(course)
        require_canaries(course, assignment, log, grade, strict)
    except CannotGrade:
        raise
    except Exception as error:
        log.error("The canaries could not be sent.", exc_info=True)
        raise CannotGrade(f"The canaries could not be sent: {type(error).__name__}: {error}") from error


def require_canaries(course: Path, assignment: str, log: Log, grade: Grade, strict: bool = False) -> None:
    """Grade the canaries of an assignment, unless nothing has changed since they did well.

    course: the folder that holds nbgrader_config.py
    grade: grades them
    strict: whether a test that gives points to a cheat is an error, in place of a warning
    Raises CannotGrade, naming each cell and what it printed, when they do not score full marks and zero.
    """
    settings = settings_without_hooks(course)
    mark = _fingerprint(course, settings, assignment)
    if mark in _healthy:
        return
    scores = rehearse(settings, assignment, grade)
    wrong = [score for score in scores if score.earned != score.wanted]
    if any(strict or score.canary not in CHEATS for score in wrong):
        raise CannotGrade(_alarm(assignment, wrong))
    for score in wrong:
        log.warning("%s", weakness(assignment, score))
    names = dict.fromkeys(score.canary for score in scores)
    totals = ", ".join(f"{name.removeprefix('canary-')} {_total(scores, name)}" for name in names)
    log.info("canaries of %s: %s", assignment, totals)
    _healthy.add(mark)


def _fingerprint(course: Path, settings: Config, assignment: str) -> str:
    """Hash all that decides the scores: both notebooks, the course's packages, the gradebook's copy of the cells."""
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
    """Return (name, checksum) of the cells that the gradebook will put into each submission."""
    gradebook_file(directory.db_url)  # opening a gradebook that is not there would make one
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry as error:
            raise unknown(directory, assignment, [known.name for known in gradebook.assignments]) from error
        return [(cell.name, cell.checksum) for notebook in notebooks for cell in notebook.source_cells]


def weakness(assignment: str, score: Score) -> str:
    """Return which test gives points to which cheat, and what to do about it."""
    cheat = CHEATS[score.canary]
    return (
        f"The test {score.cell} of {assignment} is weak: it gives {score.earned or 0:g} of {score.points:g} points to "
        f"{cheat.answer}. To tighten it, {cheat.advice}; or set c.Grading.strict_tests = True to refuse such tests."
    )


def _total(scores: list[Score], canary: str) -> str:
    own = [score for score in scores if score.canary == canary]
    return f"{sum(score.earned or 0 for score in own):g}/{sum(score.points for score in own):g}"


def _alarm(assignment: str, wrong: list[Score]) -> str:
    lines = [
        f"The canaries of {assignment} did not come back well.",
        "The solution must score full marks, the blank lesson and cheats none; else the class is graded wrongly.",
    ]
    for score in wrong:
        earned = "not graded" if score.earned is None else f"{score.earned:g} of {score.points:g} points"
        lines += ["", f"{score.canary}, {score.cell}: {earned}, expected {score.wanted:g}. It printed:"]
        lines += [f"    {line}" for line in (score.printed or "(nothing)").splitlines()]
    advice = f"Mend the tests or the solution, run `nbgrader generate_assignment {assignment}`, then autograde again."
    return "\n".join([*lines, "", advice])
