"""Require that the solution scores full marks and the blank notebook none before a class is graded.

A hidden test whose import fails silently gives the whole class zero; a test that always passes gives everyone full
marks. These canary submissions reveal both. A test that gives points to a cheat is weak: the instructor is warned,
with what the test accepts and how to tighten it, and the class is graded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.autograde.canary_cache import CanaryCache, PassedCanaries, now
from nbjudge.autograde.canary_fingerprint import fingerprint, local_code
from nbjudge.autograde.canary_policy import DEFAULT, CanaryPolicy, judging_remarks
from nbjudge.autograde.canary_run import SOLUTION, Grade, Score, run_canaries, settings_without_hooks
from nbjudge.autograde.cheat import CHEATS
from nbjudge.bytecode import remove_damaged
from nbjudge.errors import CannotGrade
from nbjudge.execution.job import PURPOSES
from nbjudge.execution.name_analysis import BY_HAND, INSIDE, OUTSIDE, TEST, Source
from nbjudge.execution.plan import plan_for
from nbjudge.execution.preprocessor import Run
from nbjudge.execution.side_effects import side_effects
from nbjudge.forkserver.preload import preload, preloaded_modules
from nbjudge.intake.expected_cells import expected_cells
from nbjudge.secrets import CourseSecret
from nbjudge.settings import resolved
from nbjudge.text import join_names

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_healthy: set[str] = set()  # fingerprints; formgrader grades students one at a time in the same process


def prepare_assignment(
    course: Path,
    assignment: str,
    log: Log,
    grade: Grade,
    secret: CourseSecret,
    policy: CanaryPolicy = DEFAULT,
    cache: CanaryCache | None = None,
) -> None:
    """Load the course secret and require healthy canaries before the first submission of an assignment is graded.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    secret: where the course keeps its secret
    cache: of canaries that passed in an earlier run
    Raises CannotGrade when either fails.
    """
    try:
        for package in {Path(__file__).parent, *(init.parent for init in course.glob("*/__init__.py"))}:
            for file in remove_damaged(package):
                log.warning("%s was damaged, as by a full disk, and was removed; Python will compile it again.", file)
        os.environ[secret.variable] = secret.load(course)
        require_canaries(course, assignment, log, grade, policy, cache)
    except CannotGrade:
        raise
    except Exception as error:
        log.error("The canaries could not be graded.", exc_info=True)
        raise CannotGrade(f"The canaries could not be graded: {type(error).__name__}: {error}") from error


def require_canaries(
    course: Path,
    assignment: str,
    log: Log,
    grade: Grade,
    policy: CanaryPolicy = DEFAULT,
    cache: CanaryCache | None = None,
) -> None:
    """Grade the canaries of an assignment, unless nothing has changed since they passed.

    course: the folder that holds nbgrader_config.py
    grade: the function that grades the canaries
    cache: of canaries that passed in an earlier run; None to ignore it
    Raises CannotGrade, with each cell and its output, when they do not score full marks and zero.
    """
    settings = settings_without_hooks(course)
    state = fingerprint(course, settings, assignment, policy)
    if state in _healthy:
        return
    passed = cache.find(assignment, state) if cache else None
    if passed and _restore(passed, course, settings, assignment):
        log.info("canaries of %s: %s, unchanged since %s", assignment, passed.totals, passed.since)
        _log_remarks(log, passed.remarks)
    else:
        if cache:
            cache.forget(assignment)
        scores = _run(settings, assignment, log, grade, policy)
        names = dict.fromkeys(score.canary for score in scores)
        totals = ", ".join(f"{name.removeprefix('canary-')} {_total(scores, name)}" for name in names)
        remarks = *judging_remarks({score.cell: score.judging for score in scores}), *policy.remarks(assignment)
        log.info("canaries of %s: %s", assignment, totals)
        _log_remarks(log, remarks)
        # Not when a file has changed in the meantime, nor when a test is weak, which is to be said each time.
        is_clean = not _unexpected(scores, assignment, policy)
        if cache and is_clean and state == fingerprint(course, settings, assignment, policy):
            cache.store(assignment, _passed(course, settings, assignment, state, totals, remarks))
    _healthy.add(state)


def _run(settings: Config, assignment: str, log: Log, grade: Grade, policy: CanaryPolicy) -> list[Score]:
    """Grade the canaries and return their scores. Raises CannotGrade when they fail."""
    sources = _sources(settings, assignment).values()
    tests = sorted({source.name for notebook in sources for source in notebook if source.kind == TEST})
    _check_names("c.Run.judging", resolved(settings.Run.get("judging", {}), {}), assignment, tests)
    _check_names("c.Grading.accepted", policy.accepted, assignment, tests)
    _require_choice(assignment, sources)
    scores = run_canaries(settings, assignment, grade)
    unexpected = _unexpected(scores, assignment, policy)
    if any(policy.strict or score.canary not in CHEATS for score in unexpected):
        raise CannotGrade(_failure_message(assignment, unexpected))
    for score in unexpected:
        log.warning("%s", _weakness(assignment, score))
    return scores


def _unexpected(scores: list[Score], assignment: str, policy: CanaryPolicy) -> list[Score]:
    return [
        score
        for score in scores
        if score.earned != score.expected
        and score.judging != BY_HAND
        and not policy.accepted.get(f"{assignment}/{score.cell}")
    ]


def _log_remarks(log: Log, remarks: Iterable[str]) -> None:
    for sentence in remarks:
        log.info("%s", sentence)


def _passed(
    course: Path, settings: Config, assignment: str, state: str, totals: str, remarks: tuple[str, ...]
) -> PassedCanaries:
    """Return canaries that have just passed, with what the run of the solution has shown."""
    references = {name: Run.references.get(cells) for name, cells in _sources(settings, assignment).items()}
    modules = {purpose: preloaded_modules(purpose) for purpose in PURPOSES}
    return PassedCanaries(
        fingerprint=state,
        code=local_code(course, set().union(*modules.values())),
        totals=totals,
        remarks=remarks,
        since=now(),
        references={name: run for name, run in references.items() if run},
        modules=modules,
    )


def _restore(passed: PassedCanaries, course: Path, settings: Config, assignment: str) -> bool:
    """Prepare the judging of a class as the run of its solution did; return False if that run would differ now."""
    sources = _sources(settings, assignment)
    is_current = passed.code == local_code(course, set().union(*passed.modules.values()))
    if not is_current or passed.references.keys() - sources.keys():
        return False
    Run.references.update({sources[name]: reference for name, reference in passed.references.items()})
    for purpose, names in passed.modules.items():
        preload(purpose, names)
    return True


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


def _sources(settings: Config, assignment: str) -> dict[str, tuple[Source, ...]]:
    """Return {notebook: its code cells} of an assignment."""
    course = CourseDirectory(config=settings)
    notebooks = expected_cells(course.db_url, assignment, settings)
    return {notebook: plan_for(course, settings, assignment, notebook).sources for notebook in notebooks}


def _require_choice(assignment: str, notebooks: Iterable[tuple[Source, ...]]) -> None:
    """Raise CannotGrade if tests have effects that answers in another process do not see, and no one has chosen.

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
