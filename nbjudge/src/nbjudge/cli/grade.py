"""`nbjudge grade`: grade submissions in parallel, with the same scores as `nbgrader autograde`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from nbjudge.environment import frozen_imports
from nbjudge.execution.workers import LocalWorkers, usable_cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbjudge grade`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="Assignment to grade, e.g. 04_bptt")
    parser.add_argument(
        "--student", metavar="ID", default="*", help="Grade only this student, or those who match a pattern like 's1*'"
    )
    parser.add_argument("--force", action="store_true", help="Regrade submissions that were graded before")
    parser.add_argument(
        "--no-cache", action="store_true", help="Check the tests again, even if nothing has changed since they passed"
    )
    parser.add_argument(
        "--jobs", metavar="N", type=_positive_integer, help="Run N submissions in parallel (default: processors + 2)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="Grade on the Dask cluster whose scheduler is at ADDRESS"
    )
    parser.add_argument("--json", action="store_true", help="Print the outcome of each submission as a line of JSON")


def run(args: argparse.Namespace) -> int:
    """Grade an assignment and return 0, or 1 when a submission could not be graded."""
    started_at = time.monotonic()
    with _start_workers(args) as workers:
        return _grade(args, workers, started_at)


def _grade(args: argparse.Namespace, workers: Any, started_at: float) -> int:
    with frozen_imports():  # here, while the workers start, because it takes a second
        from nbgrader.converters.base import NbGraderException
        from rich.console import Console

        from nbjudge.autograde.converter import Grading
        from nbjudge.cli.console import ProgressDisplay, make_log, print_summary
        from nbjudge.settings import course_directory, read_settings

    settings = read_settings(args.course)
    course = course_directory(settings, args.assignment)
    course.student_id = args.student
    console = Console(stderr=True)
    with ProgressDisplay(console, quiet=args.json) as display:
        grading = Grading(coursedir=course, config=settings, log=make_log(display))
        grading.force, grading.workers = args.force, workers
        grading.cache_canaries = grading.cache_canaries and not args.no_cache
        grading.on_start, grading.on_outcome = display.start, display.add_outcome  # type: ignore[method-assign]
        try:
            grading.start()
            code = 0
        except NbGraderException:
            code = 1  # the reason was logged
    print_summary(args.assignment, grading.class_run, course.db_url, time.monotonic() - started_at, console, args.json)
    return code


def _positive_integer(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"invalid value {text!r}: expected a positive integer")
    return number


def _start_workers(args: argparse.Namespace) -> Any:
    if args.scheduler:
        from nbjudge.execution.dask_workers import (  # optional dependency
            ClusterWorkers,
            course_libraries,
            course_packages,
        )
        from nbjudge.settings import read_settings

        settings = read_settings(args.course)
        return ClusterWorkers(args.scheduler, course_packages(settings), course_libraries(settings))
    return LocalWorkers(args.jobs or usable_cores() + 2)
