"""Grade the submissions of a class in order, several at once, and record the outcome of each.

Whatever one submission does, the next one is graded. The pipeline defines the stages of a single submission.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager

import sqlalchemy.exc
from nbgrader.converters.base import NbGraderException

from nbjudge.autograde.discovery import Submission
from nbjudge.autograde.pipeline import InFlightSubmission, SubmissionPipeline
from nbjudge.autograde.summary import Outcome, table
from nbjudge.errors import CannotGrade
from nbjudge.intake.messages import Refusal
from nbjudge.text import terminal_safe

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

OUR_ERROR = "Your submission could not be graded; your instructor has been told. There is nothing you need to do."
_MACHINE_ERRORS = {
    getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EMFILE", "ENFILE")
}
_MAX_ATTEMPTS = 3  # at running a submission whose worker is lost
_MAX_FAILURES_IN_A_ROW = 3  # submissions that could not be recorded before grading stops


class ClassRun:
    """A run over the submissions of a class, which are started in order and run concurrently.

    on_start, on_outcome: callbacks for the number of submissions and for each outcome
    """

    def __init__(self, log: Log, on_start: Callable[[int], None], on_outcome: Callable[[Outcome], None]):
        self.log, self.on_start, self.on_outcome = log, on_start, on_outcome
        self.submissions: list[Submission] = []
        self.outcomes: list[Outcome] = []
        self._in_flight: list[InFlightSubmission] = []
        self._failures_in_a_row = 0
        self._interrupted = False

    @contextmanager
    def report_outcomes(self) -> Iterator[None]:
        """Log a table of outcomes at the end.

        Raises NbGraderException, with the reason logged, when anything was not graded; graded submissions are kept.
        """
        try:
            yield
        except CannotGrade as error:
            graded = [outcome for outcome in self.outcomes if outcome.how in ("graded", "refused")]
            progress = (
                f"{len(graded)} graded and kept; the other submissions were not graded."
                if graded
                else "Nothing was graded."
            )
            self._stop(f"{progress} {error}", error)
        except KeyboardInterrupt as error:
            self._stop("Stopped by Ctrl-C. Graded submissions are kept; run the same command again to continue.", error)
        self._log_table()
        failed = [outcome for outcome in self.outcomes if outcome.how in ("error", "not recorded")]
        if failed:
            names = ", ".join(terminal_safe(outcome.student) for outcome in failed)
            sentence = f"Could not grade: {names}. See the reasons above; all other submissions are done."
            self.log.error("%s", sentence)
            raise NbGraderException(sentence)

    def _stop(self, sentence: str, error: BaseException) -> None:
        self._log_table()
        self.log.critical("%s", sentence)
        raise NbGraderException(sentence) from error

    def _log_table(self) -> None:
        if self.outcomes:
            for line in table(self.outcomes, len(self.submissions)):
                self.log.info("%s", line)

    @contextmanager
    def handle_ctrl_c(self) -> Iterator[None]:
        """Remember Ctrl-C: a library may swallow the KeyboardInterrupt."""

        def interrupt(*_: object) -> None:
            self._interrupted = True
            raise KeyboardInterrupt

        default = signal.default_int_handler
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is default:
            signal.signal(signal.SIGINT, interrupt)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, default)
        else:
            yield  # another handler is installed: by Jupyter Server, or by the run that started the canaries

    def run(
        self, pipeline: SubmissionPipeline, check_assignment: Callable[[str], None], first_alone: bool = False
    ) -> None:
        """Send each submission through the pipeline: start them in order, and publish each when it has run.

        check_assignment: called before an assignment's submissions are graded; raises CannotGrade if they cannot be
        first_alone: whether the others are judged by the result of the first
        """
        self.on_start(len(self.submissions))
        for number, submission in enumerate(self.submissions):
            self._start(submission, pipeline, check_assignment)
            while len(self._in_flight) >= (1 if first_alone and number == 0 else pipeline.capacity):
                self._finish_next(pipeline)
        while self._in_flight:
            self._finish_next(pipeline)

    def _start(
        self, submission: Submission, pipeline: SubmissionPipeline, check_assignment: Callable[[str], None]
    ) -> None:
        """Stage a submission, whatever it contains, and start its execution, unless there is nothing to grade.

        Raises CannotGrade when no submission can be graded.
        """
        outcome = Outcome(submission.assignment, submission.student)
        try:
            in_flight = pipeline.intake(submission, outcome)
            if in_flight is not None:
                check_assignment(submission.assignment)
                pipeline.stage(in_flight)
                pipeline.execute(in_flight)
                self._in_flight.append(in_flight)
                return
        except CannotGrade:
            raise
        except (Exception, asyncio.CancelledError) as error:
            self._record_failure(submission, outcome, pipeline, error)
        self._add_outcome(outcome)

    def _finish_next(self, pipeline: SubmissionPipeline) -> None:
        """Score and publish a submission that has run, waiting for one if necessary."""
        while not (finished := [in_flight for in_flight in self._in_flight if in_flight.has_run]):
            running = [job for in_flight in self._in_flight for job in in_flight.running.values()]
            wait(running, return_when=FIRST_COMPLETED)
        in_flight = finished[0]
        if in_flight.was_lost and in_flight.attempts < _MAX_ATTEMPTS:
            in_flight.attempts += 1
            return pipeline.execute(in_flight)
        self._in_flight.remove(in_flight)
        try:
            pipeline.publish(in_flight, pipeline.score(in_flight))
            self._failures_in_a_row = 0
        except CannotGrade:
            raise
        except (Exception, asyncio.CancelledError) as error:
            self._record_failure(in_flight.submission, in_flight.outcome, pipeline, error)
        self._add_outcome(in_flight.outcome)

    def _add_outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.on_outcome(outcome)
        if self._interrupted:
            raise KeyboardInterrupt
        if self._failures_in_a_row == _MAX_FAILURES_IN_A_ROW:
            raise CannotGrade(
                f"{outcome.sentences[0]}. This happened {_MAX_FAILURES_IN_A_ROW} times in a row, so the "
                "submissions are not the cause. Make room on the disk and check that the gradebook is writable; then "
                "run the command again."
            )

    def _record_failure(
        self, submission: Submission, outcome: Outcome, pipeline: SubmissionPipeline, error: BaseException
    ) -> None:
        """Record 0 for a submission that could not be graded, with a message for the student."""
        reason = terminal_safe(f"{type(error).__name__}: {error}", 500)
        self.log.error("%s could not be graded.", terminal_safe(submission.student), exc_info=error)
        outcome.sentences, outcome.events = [reason], []
        outcome.how = "not recorded"
        if is_machine_error(error):
            self._failures_in_a_row += 1
            return
        try:
            pipeline.publish_refusal(submission, Refusal(OUR_ERROR, reason), outcome)
            outcome.how = "error"
        except Exception as second:
            self.log.error("This failure could not be recorded either.", exc_info=second)
            outcome.sentences.append(terminal_safe(f"{type(second).__name__}: {second}", 500))


def is_machine_error(error: BaseException | None) -> bool:
    """Return whether an error is caused by the disk or the gradebook, not by a submission.

    A MemoryError is not a machine error: a submission can cause it.
    """
    while error is not None:
        if isinstance(error, sqlalchemy.exc.OperationalError | sqlite3.OperationalError):
            return True
        if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
            return True
        error = error.__cause__
    return False
