"""`nbjudge report`: write a page about how the class did, and tables for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbjudge.settings import course_directory, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbjudge report`."""
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="Assignment to report on, e.g. 04_bptt")
    parser.add_argument("--folder", type=Path, help="Write to this folder (default: report/ASSIGNMENT in the course)")


def run(args: argparse.Namespace) -> int:
    """Write the report, and print its location and the next step."""
    from nbjudge.report import write_report  # lazy: it imports Matplotlib

    course = course_directory(read_settings(args.course), args.assignment)
    folder = args.folder or args.course / "report" / args.assignment
    report = write_report(course, args.assignment, folder)
    print(f"Open {folder / 'report.html'} in a browser. The tables next to it are for Canvas, Moodle and spreadsheets.")
    print(finality(report.exported, report.students))
    print(f"Next, after manual grading: nbgrader generate_feedback {args.assignment}")
    return 0


def finality(final: int, students: int) -> str:
    """Return how many totals are final, and what that means for the tables."""
    counted = f"{final} of {students} totals are final"
    if final == students:
        return f"{counted} and in canvas.csv and moodle.csv."
    waiting = "the others wait for an answer that is graded by hand: open formgrader, Manual Grading, then repeat this"
    if final:
        return f"{counted}; canvas.csv and moodle.csv contain only these, and {waiting}."
    return f"{counted}, so canvas.csv and moodle.csv have headings only; {waiting.replace('the others', 'all')}."
