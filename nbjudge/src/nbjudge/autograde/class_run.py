"""One run of the grader over a class: the order of its submissions, who runs them, and what became of each.

Whatever one submission does, the next one is graded. What happens to a submission on its way is the pipeline's.
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
MACHINE_ERRORS = {
    getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EMFILE", "ENFILE")
}
MAX_ATTEMPTS = 3  # to run a submission whose worker is lost while it runs
MAX_FAILURES_IN_A_ROW = 3  # submissions that could not be recorded, before it is clear that no other can be


class ClassRun:
    """The submissions of a class, graded one after the other, of which several run at once.

    on_start, on_outcome: called with the number of submissions, and with the outcome of each
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
        """Log at the end what became of each submission.

        Raises NbGraderException, after saying why, when anything was not graded; what was graded is kept.
        """
        try:
            yield
        except CannotGrade as error:
            graded = [outcome for outcome in self.outcomes if outcome.how in ("graded", "refused")]
            kept = f"{len(graded)} graded and kept; the rest was not graded." if graded else "Nothing was graded."
            self._stop(f"{kept} {error}", error)
        except KeyboardInterrupt as error:
            self._stop("Stopped by Ctrl-C. What was graded is kept; the same command goes on with the rest.", error)
        self._log_table()
        failed = [outcome for outcome in self.outcomes if outcome.how in ("error", "not recorded")]
        if failed:
            names = ", ".join(terminal_safe(outcome.student) for outcome in failed)
            sentence = f"These could not be graded: {names}. The reasons stand above; the rest of the class is done."
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
    def heed_ctrl_c(self) -> Iterator[None]:
        """Keep in mind that Ctrl-C was pressed: where it strikes, a library may catch it and go on."""

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
            yield  # another handler is in place: JupyterLab's server's, or that of the run that sent the canaries

    def run(self, pipeline: SubmissionPipeline, check_assignment: Callable[[str], None]) -> None:
        """Send each submission through the pipeline: start one after the other, and publish each when it has run.

        check_assignment: called before a submission of the assignment is graded; raises CannotGrade if none can be
        """
        self.on_start(len(self.submissions))
        for submission in self.submissions:
            self._start(submission, pipeline, check_assignment)
            while len(self._in_flight) >= pipeline.capacity:
                self._finish_next(pipeline)
        while self._in_flight:
            self._finish_next(pipeline)

    def _start(
        self, submission: Submission, pipeline: SubmissionPipeline, check_assignment: Callable[[str], None]
    ) -> None:
        """Stage a submission, whatever is in it, and have it executed, unless there is nothing to grade.

        Raises CannotGrade when nobody can be graded.
        """
        outcome = Outcome(submission.assignment, submission.student)
        try:
            preflight = pipeline.intake(submission, outcome)
            if preflight is not None:
                check_assignment(submission.assignment)
                in_flight = pipeline.stage(submission, preflight, outcome)
                pipeline.execute(in_flight)
                self._in_flight.append(in_flight)
                return
        except CannotGrade:
            raise
        except (Exception, asyncio.CancelledError) as error:
            self._record_failure(submission, outcome, pipeline, error)
        self._add_outcome(outcome)

    def _finish_next(self, pipeline: SubmissionPipeline) -> None:
        """Score and publish a submission that has run; when none has, wait for one."""
        while not (finished := [in_flight for in_flight in self._in_flight if in_flight.has_run]):
            running = [job for in_flight in self._in_flight for job in in_flight.running.values()]
            wait(running, return_when=FIRST_COMPLETED)
        in_flight = finished[0]
        if in_flight.was_lost and in_flight.attempts < MAX_ATTEMPTS:
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
        if self._failures_in_a_row == MAX_FAILURES_IN_A_ROW:
            raise CannotGrade(
                f"{outcome.sentences[0]}. This happened {MAX_FAILURES_IN_A_ROW} times in a row, so it is not the "
                "submissions. Make room on the disk and see to it that the gradebook can be written; then run the "
                "command again."
            )

    def _record_failure(
        self, submission: Submission, outcome: Outcome, pipeline: SubmissionPipeline, error: BaseException
    ) -> None:
        """Record 0 for a submission that could not be graded, with a sentence for its student."""
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
            self.log.error("Nor could this be recorded.", exc_info=second)
            outcome.sentences.append(terminal_safe(f"{type(second).__name__}: {second}", 500))


def is_machine_error(error: BaseException | None) -> bool:
    """Return whether an error is of the disk or the gradebook, and so would come whatever was submitted.

    A MemoryError is not: a text can be the reason for it.
    """
    while error is not None:
        if isinstance(error, sqlalchemy.exc.OperationalError | sqlite3.OperationalError):
            return True
        if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
            return True
        error = error.__cause__
    return False
