"""Console output of `nbjudge grade`: progress during grading, and a summary at the end."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from dataclasses import asdict

from nbgrader.api import Gradebook
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nbjudge.autograde.class_run import ClassRun
from nbjudge.autograde.summary import ORDER, Outcome, table
from nbjudge.text import terminal_safe


class ProgressDisplay:
    """A progress bar on a terminal; without a terminal, only log records are shown."""

    def __init__(self, console: Console, quiet: bool):
        count_columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        time_columns = [
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("remaining"),
            TimeRemainingColumn(),
        ]
        failure_column = TextColumn("{task.fields[bad]}")
        self.progress = Progress(
            *count_columns, *time_columns, failure_column, console=console, disable=quiet or not console.is_terminal
        )
        self.quiet, self.console = quiet, console
        self.task = self.progress.add_task("checking the tests", total=None, rate="", bad="")
        self.began = 0.0
        self.done = self.bad = self.skipped = 0

    def __enter__(self) -> ProgressDisplay:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def start(self, number: int) -> None:
        """Set the number of submissions."""
        self.progress.update(self.task, total=number)

    def add_outcome(self, outcome: Outcome) -> None:
        """Advance the progress by one submission, or print its outcome as JSON."""
        self.began = self.began or time.monotonic()
        self.done += 1
        self.skipped += outcome.how == "skipped"
        self.bad += outcome.how in ("error", "not recorded")
        minutes = (time.monotonic() - self.began) / 60
        graded = self.done - self.skipped
        rate = f"{(graded - 1) / minutes:.0f} a minute" if graded > 1 and minutes else ""
        bad = f"{self.bad} failed" if self.bad else ""
        self.progress.update(self.task, description="grading", advance=1, rate=rate, bad=bad)
        if self.quiet:
            print(json.dumps(asdict(outcome)), flush=True)


def make_log(display: ProgressDisplay) -> logging.Logger:
    """Return a logger for nbgrader that prints warnings and errors above the progress bar."""
    log = logging.Logger("nbjudge", logging.WARNING)
    log.addHandler(_ConsoleHandler(display.console))
    return log


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console):
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        self.console.print(f"[{style}]{escape(record.getMessage())}[/]", soft_wrap=True)


def print_summary(assignment: str, run: ClassRun, db_url: str, seconds: float, console: Console, as_json: bool) -> None:
    """Print the table of outcomes and the next step, or one line of JSON."""
    outcomes = run.outcomes
    if as_json:
        counts = Counter(outcome.how for outcome in outcomes)
        print(json.dumps({"lesson": assignment, "seconds": round(seconds, 1), **{how: counts[how] for how in ORDER}}))
        return
    for line in table(outcomes, len(run.submissions)) if outcomes else []:
        console.print(escape(line), soft_wrap=True, highlight=False)
    for isolation in sorted({outcome.isolation for outcome in outcomes} - {""}):
        console.print(escape(terminal_safe(isolation)), soft_wrap=True, highlight=False, style="dim")
    graded = sum(outcome.how in ("graded", "refused") for outcome in outcomes)
    if not graded:
        return
    unmarked = _count_unmarked(db_url, assignment)
    if unmarked:
        sentence = f"The answers of {unmarked} students wait" if unmarked > 1 else "The answer of one student waits"
        console.print(f"{sentence} for you to read: jupyter lab, Nbgrader, Formgrader, Manual grading", soft_wrap=True)
    next_command = "grade" if len(outcomes) < len(run.submissions) else "report"
    console.print(f"{graded} submissions in {seconds:.0f} s. Next: nbjudge {next_command} {assignment}", soft_wrap=True)


def _count_unmarked(db_url: str, assignment: str) -> int:
    """Return the number of submissions with answers that still need manual grading."""
    with Gradebook(db_url) as gradebook:
        return sum(submission.needs_manual_grade for submission in gradebook.assignment_submissions(assignment))
