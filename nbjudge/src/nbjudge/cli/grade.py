"""`rnn-course grade`: what `nbgrader autograde` does, with the same scores, several submissions at once."""

from __future__ import annotations

import argparse
import gc
import time
from typing import Any

from nbjudge.execution.workers import LocalWorkers, usable_cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", help="such as 04_bptt")
    parser.add_argument("--student", default="*", help="one student only, or a pattern such as 's1*'")
    parser.add_argument("--force", action="store_true", help="grade again what was graded before")
    parser.add_argument("--jobs", type=_parse_number, help="submissions at once (default: processors + 2)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster that runs them")
    parser.add_argument("--json", action="store_true", help="print what came of each submission as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Grade and return 0, or 1 when a submission could not be graded."""
    began = time.monotonic()
    with _start_workers(args) as workers:
        return _grade(args, workers, began)


def _grade(args: argparse.Namespace, workers: Any, began: float) -> int:
    # Only now, while the workers start: a second of imports.
    from nbgrader.converters.base import NbGraderException
    from rich.console import Console

    from nbjudge.autograde.converter import Grading
    from nbjudge.cli.console import ProgressDisplay, make_log, print_summary
    from nbjudge.settings import course_directory, read_settings

    gc.freeze()  # what was imported stays: looking through it once more takes half a second, at the end too
    settings = read_settings(args.course)
    course = course_directory(settings, args.lesson)
    course.student_id = args.student
    console = Console(stderr=True)
    with ProgressDisplay(console, quiet=args.json) as display:
        grading = Grading(coursedir=course, config=settings, log=make_log(display))
        grading.force, grading.workers = args.force, workers
        grading.on_start, grading.on_outcome = display.start, display.add_outcome  # type: ignore[method-assign]
        try:
            grading.start()
            code = 0
        except NbGraderException:
            code = 1  # the log has said why
    print_summary(args.lesson, grading.class_run, course.db_url, time.monotonic() - began, console, args.json)
    return code


def _parse_number(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of submissions; expected 1 or more")
    return number


def _start_workers(args: argparse.Namespace) -> Any:
    if args.scheduler:
        from nbjudge.execution.dask_workers import ClusterWorkers, course_libraries, course_packages  # an extra
        from nbjudge.settings import read_settings

        settings = read_settings(args.course)
        return ClusterWorkers(args.scheduler, course_packages(settings), course_libraries(settings))
    return LocalWorkers(args.jobs or usable_cores() + 2)
