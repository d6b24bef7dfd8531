"""Grade a class: what takes the place of nbgrader's Autograde, for `nbgrader autograde` and formgrader's button alike.

nbgrader reads a submission where it lies, writes scores as it goes, and stops the class at many a mistake. Here each
submission is inspected as data, graded as a clean copy in a private folder, and recorded when all of it is done.
Whatever one submission does, the next one is graded.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import signal
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
import sqlalchemy.exc
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.preprocessors import Execute
from nbgrader.utils import find_all_files, parse_utc
from traitlets import Bool, Float, Unicode

from nbjudge.autograde.discovery import (
    Submission,
    find_assignments,
    find_notebooks,
    find_submissions,
    misplaced,
    objection_to,
    require_run,
)
from nbjudge.autograde.gradebook import await_gradebook, patient, require_gradebook
from nbjudge.autograde.lock import only_grader
from nbjudge.autograde.ready import get_ready
from nbjudge.autograde.scoring import Earned, Record, read_graded, write
from nbjudge.autograde.staging import (
    NotRun,
    Pending,
    Staging,
    is_to_be_graded_again,
    refused_notebook,
    restore,
    write_notebook,
)
from nbjudge.autograde.summary import Outcome, PlainRecords, table
from nbjudge.errors import CannotGrade
from nbjudge.execution.job import JobResult, read_done, texts_of
from nbjudge.execution.name_analysis import Plan
from nbjudge.execution.plan import plan_for
from nbjudge.execution.preprocessor import Run
from nbjudge.execution.workers import Workers
from nbjudge.intake.intake import Expected, Preflight, Refusal, clean_copy, expected_cells, inspect
from nbjudge.patches import (
    autograding,
    cache_engine,
    cache_schema_validators,
    take_names_literally,
    temporary_attrs,
)
from nbjudge.text import terminal_safe

OUR_ERROR = "Your submission could not be graded; your instructor has been told. There is nothing you need to do."
OF_THE_MACHINE = {
    getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EMFILE", "ENFILE")
}
MOST_ATTEMPTS = 3  # to run a submission whose worker is lost while it runs
MOST_IN_A_ROW = 3  # submissions that could not be recorded, before it is clear that no other can be


class Grading(Autograde):
    """nbgrader's Autograde, of which it listens to all settings, made safe for a class."""

    gradebook_patience = Float(30.0, help="Seconds to wait for a gradebook that another program uses.").tag(config=True)
    rehearsing = Bool(False, help="Whether these are the canaries, which need no canaries to go ahead of them.")
    reference = Unicode("", help="The submission, if any, that is the instructor's own solution.")

    strict_tests = Bool(False, help="Refuse to grade where a test gives points to a cheat; otherwise warn.").tag(
        config=True
    )

    stopped = False  # by Ctrl-C
    workers: Workers | None = None  # who runs submissions; nobody: they are run here, one after the other

    def on_start(self, number: int) -> None:
        """Hear how many submissions there are."""

    def on_outcome(self, outcome: Outcome) -> None:
        """Hear what became of a submission."""

    def start(self) -> None:
        """Grade what the course's settings ask for.

        Raises NbGraderException, after saying why, when anything was not graded; what was graded is kept.
        """
        self.outcomes: list[Outcome] = []
        with self._plain_log():
            self._grade_class()

    def _grade_class(self) -> None:
        try:
            require_run(self.config)
            require_gradebook(self.coursedir.db_url, self.gradebook_patience, self.log)
            with (
                only_grader(Path(self.coursedir.root), self.coursedir.groupshared) as folder,
                self._patient_gradebook(),
                self._minding_ctrl_c(),
                cache_engine(),
                cache_schema_validators(),
            ):
                self.folder = folder
                super().start()
        except CannotGrade as error:
            done = [outcome for outcome in self.outcomes if outcome.how in ("graded", "refused")]
            kept = f"{len(done)} graded and kept; the rest was not graded." if done else "Nothing was graded."
            self._stop(f"{kept} {error}", error)
        except KeyboardInterrupt as error:
            self._stop("Stopped by Ctrl-C. What was graded is kept; the same command goes on with the rest.", error)
        self._tell()

    def _stop(self, sentence: str, error: BaseException) -> None:
        self._say_table()
        self.log.critical("%s", sentence)
        raise NbGraderException(sentence) from error

    def _tell(self) -> None:
        self._say_table()
        failed = [outcome for outcome in self.outcomes if outcome.how in ("error", "not recorded")]
        if failed:
            names = ", ".join(terminal_safe(outcome.student) for outcome in failed)
            sentence = f"These could not be graded: {names}. The reasons stand above; the rest of the class is done."
            self.log.error("%s", sentence)
            raise NbGraderException(sentence)

    def _say_table(self) -> None:
        if self.outcomes:
            for line in table(self.outcomes, len(self.submissions)):
                self.log.info("%s", line)

    @contextmanager
    def _plain_log(self) -> Iterator[None]:
        """Let no name of a student or a file reach the terminal with more than letters."""
        logger: Any = getattr(self.log, "logger", self.log)  # an adapter has no filters of its own
        plain = PlainRecords()
        logger.addFilter(plain)
        try:
            yield
        finally:
            logger.removeFilter(plain)

    @contextmanager
    def _patient_gradebook(self) -> Iterator[None]:
        with temporary_attrs(self.coursedir, db_url=patient(self.coursedir.db_url, self.gradebook_patience)):
            yield

    @contextmanager
    def _minding_ctrl_c(self) -> Iterator[None]:
        """Keep in mind that Ctrl-C was pressed: where it strikes, a library may catch it and go on."""

        def stop(*_: object) -> None:
            self.stopped = True
            raise KeyboardInterrupt

        usual = signal.default_int_handler
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is usual:
            signal.signal(signal.SIGINT, stop)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, usual)
        else:
            yield  # somebody else minds it: JupyterLab's server, or who sent the canaries

    # Which submissions

    def init_notebooks(self) -> None:
        """Find what is to be graded, in the place of nbgrader's own search."""
        self.waiting: list[Pending] = []
        assignments = find_assignments(self.coursedir)
        self.expected = {name: expected_cells(self.coursedir.db_url, name, self.config) for name in assignments}
        self.asked = {name: find_notebooks(self.coursedir, cells) for name, cells in self.expected.items()}
        for file in misplaced(self.coursedir):
            self.log.warning(
                "%s is not looked at: a notebook belongs at submitted/STUDENT/LESSON/.", terminal_safe(file)
            )
        self.submissions = find_submissions(self.coursedir, assignments)
        self.ready: set[str] = set()
        self.plans: dict[tuple[str, str], Plan] = {}

    def convert_notebooks(self) -> None:
        """Prepare one submission after the other, have some run at once, and write each down when it has run."""
        self.in_a_row = 0
        self.exporter.optimistic_validation = True  # a notebook is checked after all preprocessors, not after each
        self._sanitizing, self.is_refused = False, False
        self._init_preprocessors()
        self.collects = any(isinstance(step, Record) for step in self.exporter._preprocessors)
        self.on_start(len(self.submissions))
        at_once = self.workers.at_once if self.workers else 1
        for submission in self.submissions:
            if pending := self._begin(submission):
                self.waiting.append(pending)
            while len(self.waiting) >= at_once:
                self._finish_next()
        while self.waiting:
            self._finish_next()

    # One submission

    def _begin(self, submission: Submission) -> Pending | None:
        """Prepare a submission, whatever is in it, and have it run; None when nothing is left to do with it.

        Raises CannotGrade when nobody can be graded.
        """
        expected = self.expected[submission.assignment]
        outcome = Outcome(submission.assignment, submission.student)
        if objection := objection_to(submission.student):
            outcome.how, outcome.sentences = "not recorded", [objection]
            self._is_done(outcome)
            return None
        try:
            restore(self._target(submission))
            found = inspect(submission.folder, expected)
            if not self._is_due(submission, found):
                outcome.how = "skipped"
                self._is_done(outcome)
                return None
            self._get_ready(submission.assignment)
            outcome.repairs = list(found.repairs)
            asked = self.asked[submission.assignment]
            refusals = {name: refusal for name, refusal in found.refusals.items() if name in asked}
            if refusals:
                outcome.how = "refused"
                outcome.sentences = list(dict.fromkeys(refusal.instructor for refusal in refusals.values()))
            return self._prepare(submission, expected, found, outcome)
        except CannotGrade:
            raise
        except (Exception, asyncio.CancelledError) as error:
            self._failed(submission, expected, outcome, error)
        self._is_done(outcome)
        return None

    def _finish_next(self) -> None:
        """Write down a submission that has run; with none, wait for one."""
        while not (ready := [pending for pending in self.waiting if pending.has_run]):
            wait([job for pending in self.waiting for job in pending.running.values()], return_when=FIRST_COMPLETED)
        pending = ready[0]
        if pending.was_lost and pending.attempts < MOST_ATTEMPTS:
            pending.attempts += 1
            return self._send(pending)
        self.waiting.remove(pending)
        self._finish(pending)

    def _finish(self, pending: Pending) -> None:
        try:
            self._write_down(pending)
            self.in_a_row = 0
        except CannotGrade:
            raise
        except (Exception, asyncio.CancelledError) as error:
            expected = self.expected[pending.submission.assignment]
            self._failed(pending.submission, expected, pending.outcome, error)
        self._is_done(pending.outcome)

    def _is_done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.on_outcome(outcome)
        if self.stopped:
            raise KeyboardInterrupt
        if self.in_a_row == MOST_IN_A_ROW:
            raise CannotGrade(
                f"{outcome.sentences[0]}. This happened {MOST_IN_A_ROW} times in a row, so it is not the "
                "submissions. Make room on the disk and see to it that the gradebook can be written; then run the "
                "command again."
            )

    def _failed(self, submission: Submission, expected: Expected, outcome: Outcome, error: BaseException) -> None:
        """Record 0 for a submission that could not be graded, with a sentence for its student."""
        reason = terminal_safe(f"{type(error).__name__}: {error}", 500)
        self.log.error("%s could not be graded.", terminal_safe(submission.student), exc_info=error)
        outcome.sentences, outcome.events = [reason], []
        outcome.how = "not recorded"
        if of_the_machine(error):
            self.in_a_row += 1
            return
        refusal = Refusal(OUR_ERROR, outcome.sentences[0])
        try:
            found = Preflight(refusals=dict.fromkeys(expected, refusal))
            self._write_down(self._prepare(submission, expected, found, outcome, needs_look=True))
            outcome.how = "error"
        except Exception as second:
            self.log.error("Nor could this be recorded.", exc_info=second)
            outcome.sentences.append(terminal_safe(f"{type(second).__name__}: {second}", 500))

    def _is_due(self, submission: Submission, found: Preflight) -> bool:
        """Return whether there is something to do: nothing there yet, something newer, or a failure the last time."""
        target = self._target(submission)
        there = [target / f"{name}.ipynb" for name in self.asked[submission.assignment]]
        if self.force or not all(file.exists() for file in there):
            return True
        if any(is_to_be_graded_again(read_graded(file)) for file in there):
            return True
        try:
            earlier = self.coursedir.get_existing_timestamp(str(target))
        except Exception:
            return found.timestamp is not None  # nbgrader ends with AttributeError at a time it cannot read
        return found.timestamp is not None and (earlier is None or parse_utc(found.timestamp) > earlier)

    def _get_ready(self, assignment: str) -> None:
        """See to what has to be there before the first submission of an assignment is graded."""
        if not self.rehearsing and assignment not in self.ready:
            get_ready(Path(self.coursedir.root), assignment, self.log, self.workers, self.strict_tests)
            self.ready.add(assignment)

    def _target(self, submission: Submission) -> Path:
        step = self.coursedir.autograded_directory
        return Path(self.coursedir.format_path(step, submission.student, submission.assignment))

    def _prepare(
        self, submission: Submission, expected: Expected, found: Preflight, outcome: Outcome, needs_look: bool = False
    ) -> Pending:
        """Make a clean copy of a submission, and have it run if there are workers."""
        student, assignment = submission.student, submission.assignment
        await_gradebook(self.coursedir.db_url, self.gradebook_patience, self.log)
        staging = Staging(Path(tempfile.mkdtemp(dir=self.folder)))
        copy, target = staging.submitted(student, assignment), self._target(submission)
        outcome.repairs += clean_copy(submission.folder, found, copy)
        for name, refusal in found.refusals.items():
            if name in expected:
                again = needs_look or "" in found.refusals
                write_notebook(refused_notebook(expected[name], refusal, again), copy, name)
        names = self.asked[assignment]
        staging.take_over(target, student, assignment, set(expected) - set(names))
        target.parent.mkdir(parents=True, exist_ok=True)
        pending = Pending(submission, outcome, staging, list(names), set(found.refusals), needs_look)
        self.pending, self._sanitizing = pending, True  # which also says where files are taken from
        self.notebooks = [str(copy / f"{name}.ipynb") for name in names]
        self.run_pre_convert_hook()
        self._copy_files(assignment, student)
        for name in names:
            self._convert_half(copy, name, sanitizing=True)
        self._send(pending)
        return pending

    def _copy_files(self, assignment: str, student: str) -> None:
        """Put the submission's files, and over them those that were given out, where the notebooks are run."""
        BaseConverter.init_assignment(self, assignment, student)
        given = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", assignment))
        kept, target = self.exclude_overwriting.get(assignment, []), Path(self._format_dest(assignment, student))
        for file in map(Path, find_all_files(str(given), [*self.coursedir.ignore, "*.ipynb"])):
            if str(name := file.relative_to(given)) not in kept:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target / name)

    def _convert_half(self, folder: Path, name: str, sanitizing: bool) -> None:
        """Do one half of Autograde.convert_single_notebook: make a notebook clean, or run it."""
        self._sanitizing, self.is_refused = sanitizing, name in self.pending.refused
        self._init_preprocessors()
        what = "Sanitizing" if sanitizing else "Autograding"
        self.log.info("%s %s of %s", what, name, terminal_safe(self.pending.submission.student))
        super(Autograde, self).convert_single_notebook(str(folder / f"{name}.ipynb"))

    def _send(self, pending: Pending) -> None:
        """Give what there is to run of a submission to the workers, if there are any."""
        if not self.workers:
            return
        self.pending, self._sanitizing, self.is_refused = pending, False, False
        self._init_preprocessors()
        run = next((step for step in self.exporter._preprocessors if isinstance(step, Run)), None)
        for name in pending.names:
            if run and name not in pending.refused:
                file = pending.folder / f"{name}.ipynb"
                resources = {**self.init_single_notebook_resources(str(file)), "metadata": {"path": str(file.parent)}}
                job = run.job(nbformat.read(file, as_version=4), resources)
                pending.sent[name] = texts_of(job.notebook)
                pending.running[name] = self.workers.submit(job.pack())

    def done_ahead(self, name: str, notebook: NotebookNode) -> JobResult | None:
        """Return what came of a notebook that was sent to the workers; None when it was not, or was another one."""
        running = self.pending.running.pop(name, None)
        if running is None:
            return None
        done = read_done(running.result())
        return done if self.pending.sent[name] == texts_of(notebook) else None

    def plan(self, assignment: str, notebook: str) -> Plan:
        """Return the plan of a notebook, which stays the same while a class is graded."""
        if (assignment, notebook) not in self.plans:
            self.plans[assignment, notebook] = plan_for(self.coursedir, assignment, notebook)
        return self.plans[assignment, notebook]

    def _write_down(self, pending: Pending) -> None:
        """Record what a submission earned, and put what was graded into autograded/."""
        student, assignment = pending.submission.student, pending.submission.assignment
        target = self._target(pending.submission)
        self.pending, self.earned = pending, list[Earned]()
        self.notebooks = [str(pending.folder / f"{name}.ipynb") for name in pending.names]
        # With the marks, if it can be: a student whom the gradebook knows without them would stand there with 0.
        if not self.collects:  # nbgrader's own preprocessors write while they go
            self._enter(pending)
        with autograding():
            for name in pending.names:
                self._convert_half(pending.folder, name, sanitizing=False)
        if self.collects:
            self._enter(pending)
        self.set_permissions(assignment, student)
        for earned in self.earned:
            earned.before = read_graded(target / f"{earned.name}.ipynb")
            earned.needs_look = pending.needs_look
            pending.outcome.take_over(earned.notebook.metadata.get("grading", {}))
        write(self.coursedir.db_url, assignment, student, self.earned, self.exporter)
        pending.staging.publish(student, assignment, target)
        self.run_post_convert_hook()
        pending.staging.remove()

    def _enter(self, pending: Pending) -> None:
        """Let the gradebook know the student and the submission; nbgrader copies the files once more on the way."""
        self._sanitizing = True  # which says where files are taken from
        with temporary_attrs(self.coursedir, submitted_directory=str(pending.staging.top / "submitted")):
            self.init_assignment(pending.submission.assignment, pending.submission.student)

    def collect(self, earned: Earned) -> None:
        """Take what a notebook earned, from the preprocessor at the end of the list."""
        earned.refused = earned.name in self.pending.refused
        self.earned.append(earned)

    # Where nbgrader's machinery looks, and what it does with a notebook

    def _format_source(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        place = self.pending.staging.submitted if self._sanitizing else self.pending.staging.autograded
        return str(place(student_id, assignment_id))

    def _format_dest(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        return str(self.pending.staging.autograded(student_id, assignment_id))

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """Name the notebook by where it lies; nbgrader would look for names in its path with an expression."""
        file = Path(notebook_filename)
        ids = {"student": file.parent.parent.name, "assignment": file.parent.name, "notebook": file.stem}
        return {
            "unique_key": file.stem,
            "output_files_dir": f"{file.stem}_files",
            "nbgrader": {**ids, "db_url": self.coursedir.db_url},
        }

    def _init_preprocessors(self) -> None:
        super()._init_preprocessors()
        if self.is_refused:
            listed = self.exporter._preprocessors
            run = [NotRun(parent=self.exporter) if isinstance(step, Execute) else step for step in listed]
            self.exporter._preprocessors = run


def of_the_machine(error: BaseException | None) -> bool:
    """Return whether an error is of the disk or the gradebook, and so would come whatever was submitted.

    A MemoryError is not: a text can be the reason for it.
    """
    while error is not None:
        if isinstance(error, sqlalchemy.exc.OperationalError | sqlite3.OperationalError):
            return True
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            return True
        error = error.__cause__
    return False


def put_in_place() -> None:
    """Let nbgrader's command and its programming interface use Grading, and take names for names: no setting does."""
    warnings.filterwarnings("ignore", category=sqlalchemy.exc.SAWarning, module="nbgrader")  # it knows no better way
    for module in (nbgrader.apps.autogradeapp, nbgrader.apps.api):
        module.Autograde = Grading
    take_names_literally()
