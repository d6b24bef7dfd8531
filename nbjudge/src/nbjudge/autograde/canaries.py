"""Require that the solution scores full marks and the blank notebook none before a class is graded.

A hidden test whose import fails silently gives the whole class zero; a test that always passes gives everyone full
marks. These canary submissions reveal both. A test that gives points to a cheat is weak: the instructor is warned,
with what the test accepts and how to tighten it, and the class is graded.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.autograde.canary_policy import DEFAULT, CanaryPolicy, judging_remarks
from nbjudge.autograde.canary_run import SOLUTION, Grade, Score, run_canaries, settings_without_hooks
from nbjudge.autograde.cheat import CHEATS
from nbjudge.autograde.discovery import unknown_assignment_error
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.bytecode import remove_damaged
from nbjudge.errors import CannotGrade
from nbjudge.execution.name_analysis import BY_HAND, INSIDE, OUTSIDE, TEST, Source
from nbjudge.execution.plan import plan_for
from nbjudge.execution.side_effects import side_effects
from nbjudge.intake.expected_cells import expected_cells
from nbjudge.secrets import CourseSecret
from nbjudge.settings import resolved
from nbjudge.text import join_names

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_healthy: set[str] = set()  # fingerprints; formgrader grades students one at a time in the same process


def prepare_assignment(
    course: Path, assignment: str, log: Log, grade: Grade, secret: CourseSecret, policy: CanaryPolicy = DEFAULT
) -> None:
    """Load the course secret and require healthy canaries before the first submission of an assignment is graded.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    secret: where the course keeps its secret
    Raises CannotGrade when either fails.
    """
    try:
        for package in {Path(__file__).parent, *(init.parent for init in course.glob("*/__init__.py"))}:
            for file in remove_damaged(package):
                log.warning("%s was damaged, as by a full disk, and was removed; Python will compile it again.", file)
        os.environ[secret.variable] = secret.load(course)
        require_canaries(course, assignment, log, grade, policy)
    except CannotGrade:
        raise
    except Exception as error:
        log.error("The canaries could not be graded.", exc_info=True)
        raise CannotGrade(f"The canaries could not be graded: {type(error).__name__}: {error}") from error


def require_canaries(course: Path, assignment: str, log: Log, grade: Grade, policy: CanaryPolicy = DEFAULT) -> None:
    """Grade the canaries of an assignment, unless nothing has changed since they passed.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    Raises CannotGrade, with each cell and its output, when they do not score full marks and zero.
    """
    settings = settings_without_hooks(course)
    fingerprint = _fingerprint(course, settings, assignment)
    if fingerprint in _healthy:
        return
    sources = _sources(settings, assignment)
    tests = sorted({source.name for notebook in sources for source in notebook if source.kind == TEST})
    _check_names("c.Run.judging", resolved(settings.Run.get("judging", {}), {}), assignment, tests)
    _check_names("c.Grading.accepted", policy.accepted, assignment, tests)
    _require_choice(assignment, sources)
    scores = run_canaries(settings, assignment, grade)
    unexpected = [
        score
        for score in scores
        if score.earned != score.expected
        and score.judging != BY_HAND
        and not policy.accepted.get(f"{assignment}/{score.cell}")
    ]
    if any(policy.strict or score.canary not in CHEATS for score in unexpected):
        raise CannotGrade(_failure_message(assignment, unexpected))
    for score in unexpected:
        log.warning("%s", _weakness(assignment, score))
    names = dict.fromkeys(score.canary for score in scores)
    totals = ", ".join(f"{name.removeprefix('canary-')} {_total(scores, name)}" for name in names)
    log.info("canaries of %s: %s", assignment, totals)
    for sentence in (*judging_remarks({score.cell: score.judging for score in scores}), *policy.remarks(assignment)):
        log.info("%s", sentence)
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
    lines += ["", advice]
    failing = sorted({score.cell for score in unexpected if score.canary == SOLUTION and score.judging == OUTSIDE})
    if failing:
        lines.append(
            "If a test shares more than data with the answer, such as a name that it sets for it, or a file, have it "
            f"judged beside the answer: c.Run.judging = {_setting(assignment, failing, INSIDE)}, or {BY_HAND!r}."
        )
    if generous := sorted({score.cell for score in unexpected if score.canary != SOLUTION}):
        lines.append(
            f"If points for a blank answer are meant, say why: c.Grading.accepted = "
            f"{_setting(assignment, generous, 'for taking part')}."
        )
    return "\n".join(lines)


def _setting(assignment: str, cells: list[str], value: str) -> dict[str, str]:
    return {f"{assignment}/{cell}": value for cell in cells}


def _sources(settings: Config, assignment: str) -> list[tuple[Source, ...]]:
    """Return the code cells of each notebook of an assignment."""
    course = CourseDirectory(config=settings)
    notebooks = expected_cells(course.db_url, assignment, settings)
    return [plan_for(course, settings, assignment, notebook).sources for notebook in notebooks]


def _require_choice(assignment: str, notebooks: list[tuple[Source, ...]]) -> None:
    """Raise CannotGrade if tests have effects that answers in another process do not see, and nobody has chosen.

    Such tests would pass without a word where they should fail: `np.linalg.inv = None` forbids nothing there.
    """
    lines, cells = [], []
    for sources in notebooks:
        for number, source in enumerate(sources):
            if source.kind != TEST or source.judging:
                continue
            for effect in side_effects(source.text, [earlier.text for earlier in sources[:number]]):
                lines.append(f"    {source.name}, line {effect.line}: {effect.text}")
                cells.append(source.name)
    if lines:
        cells = list(dict.fromkeys(cells))
        raise CannotGrade(
            f"Tests of {assignment} change modules, which the answers, in another process, would not notice:\n"
            + "\n".join(lines)
            + f"\nChoose how to judge them: c.Run.judging = {_setting(assignment, cells, INSIDE)} runs them beside the "
            f"answer in the sandbox, {BY_HAND!r} leaves them to a person, {OUTSIDE!r} says that the change is for the "
            "test alone."
        )


def _check_names(setting: str, names: Iterable[str], assignment: str, tests: list[str]) -> None:
    """Raise CannotGrade if a setting names a test of this assignment that does not exist."""
    for name in names:
        first, slash, cell = name.partition("/")
        if slash and first == assignment and cell not in tests:
            raise CannotGrade(
                f"{setting} names {name!r}, but {assignment} has no such test. It has {join_names(tests)}."
            )
