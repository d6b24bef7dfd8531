"""`rnn-course report`: a page about how the class did, and tables for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbjudge.settings import course_directory, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", help="such as 04_bptt")
    parser.add_argument("--folder", type=Path, help="where to write (default: report/LESSON in the course)")


def run(args: argparse.Namespace) -> int:
    """Write the report and say where it is."""
    from nbjudge.report import write_report  # only now: it imports matplotlib

    course = course_directory(read_settings(args.course), args.lesson)
    folder = args.folder or args.course / "report" / args.lesson
    write_report(course, args.lesson, folder)
    print(f"Open {folder / 'report.html'} in a browser. The tables beside it are for Canvas, Moodle and a spreadsheet.")
    print(f"Next, when the answers that wait for you are read: nbgrader generate_feedback {args.lesson}")
    return 0
