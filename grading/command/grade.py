"""`rnn-course grade`: what `nbgrader autograde` does, with the same scores, several submissions at once."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from grading.command.course import directory_of, settings_of
from grading.converter import Grading
from grading.summary import ORDER, Outcome, printable, table
from grading.workers import LocalWorkers, usable_cores

SUMMARY = "grade a lesson's submissions, several at once; run again, it goes on where it was"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", help="such as 04_bptt")
    parser.add_argument("--student", default="*", help="one student only, or a pattern such as 's1*'")
    parser.add_argument("--force", action="store_true", help="grade again what was graded before")
    parser.add_argument("--jobs", type=_at_least_one, help="submissions at once (default: processors + 2)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster that runs them")
    parser.add_argument("--json", action="store_true", help="print what came of each submission as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Grade and return 0, or 1 when a submission could not be graded."""
    settings = settings_of(args.course)
    course = directory_of(settings, args.lesson)
    course.student_id = args.student
    console = Console(stderr=True)
    began = time.monotonic()
    with _workers(args) as workers, _Shown(console, quiet=args.json) as shown:
        grading = Grading(coursedir=course, config=settings, log=_log(shown))
        grading.force, grading.workers = args.force, workers
        grading.on_start, grading.on_outcome = shown.start, shown.outcome  # type: ignore[method-assign]
        try:
            grading.start()
            code = 0
        except NbGraderException:
            code = 1  # the log has said why
    seconds = time.monotonic() - began
    _tell(args, grading, seconds, console)
    return code


def _at_least_one(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of submissions; expected 1 or more")
    return number


def _workers(args: argparse.Namespace) -> Any:
    if args.scheduler:
        from grading.cluster import ClusterWorkers  # only now: dask is an extra

        return ClusterWorkers(args.scheduler)
    return LocalWorkers(args.jobs or usable_cores() + 2)


class _Shown:
    """Progress on a terminal; where there is none, lines of the log only."""

    def __init__(self, console: Console, quiet: bool):
        counted = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        timed = [TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TextColumn("remaining"), TimeRemainingColumn()]
        failed = TextColumn("{task.fields[bad]}")
        self.progress = Progress(*counted, *timed, failed, console=console, disable=quiet or not console.is_terminal)
        self.quiet, self.console = quiet, console
        self.task = self.progress.add_task("checking the tests", total=None, rate="", bad="")
        self.began = 0.0
        self.done = self.bad = self.skipped = 0

    def __enter__(self) -> _Shown:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def start(self, number: int) -> None:
        self.progress.update(self.task, total=number)

    def outcome(self, outcome: Outcome) -> None:
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


def _log(shown: _Shown) -> logging.Logger:
    """Return nbgrader's log: what went wrong, above the progress."""
    log = logging.Logger("rnn-course", logging.WARNING)
    log.addHandler(_Above(shown.console))
    return log


class _Above(logging.Handler):
    def __init__(self, console: Console):
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        self.console.print(f"[{style}]{escape(record.getMessage())}[/]", soft_wrap=True)


def _tell(args: argparse.Namespace, grading: Grading, seconds: float, console: Console) -> None:
    outcomes = grading.outcomes
    if args.json:
        counted = Counter(outcome.how for outcome in outcomes)
        print(json.dumps({"lesson": args.lesson, "seconds": round(seconds, 1), **{how: counted[how] for how in ORDER}}))
        return
    for line in table(outcomes) if outcomes else []:
        console.print(escape(line), soft_wrap=True, highlight=False)
    for isolation in sorted({outcome.isolation for outcome in outcomes} - {""}):
        console.print(escape(printable(isolation)), soft_wrap=True, highlight=False, style="dim")
    graded = sum(outcome.how in ("graded", "refused") for outcome in outcomes)
    if not graded:
        return
    waiting = _waiting(grading.coursedir.db_url, args.lesson)
    if waiting:
        whose = f"The answers of {waiting} students wait" if waiting > 1 else "The answer of one student waits"
        console.print(f"{whose} for you to read: jupyter lab, Nbgrader, Formgrader, Manual grading", soft_wrap=True)
    console.print(f"{graded} graded in {seconds:.0f} s. Next: nbgrader generate_feedback {args.lesson}", soft_wrap=True)


def _waiting(db_url: str, lesson: str) -> int:
    """Return how many submissions hold an answer that only a human can mark, and nobody has."""
    with Gradebook(db_url) as gradebook:
        return sum(submission.needs_manual_grade for submission in gradebook.assignment_submissions(lesson))
