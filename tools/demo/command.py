"""`rnn-course demo`: run a complete class with simulated students in a separate folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from tools.demo.cycle import DemoResult

LESSON, STUDENTS, SEED = "01_recurrence", 12, 1
STOPPED = 130  # the exit code of a program that Ctrl-C ended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rnn-course demo`."""
    parser.add_argument(
        "lesson", nargs="?", default=LESSON, metavar="LESSON", help=f"Lesson of the class (default: {LESSON})"
    )
    parser.add_argument("--students", type=int, default=STUDENTS, help=f"Number of students (default: {STUDENTS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"Random seed (default: {SEED})")
    parser.add_argument("--folder", type=Path, help="New or empty folder for the class (default: ./demo-LESSON)")


def run(args: argparse.Namespace) -> int:
    """Run the class and print each step; return 0 when every score matches the answers, else 1."""
    from tools.demo.cycle import run_demo  # late, because it imports the tests of every lesson

    console = Console(highlight=False, soft_wrap=True)
    folder = args.folder or Path(f"demo-{args.lesson}")
    number = 0
    with console.status("") as status:

        def print_step(text: str, command: str) -> None:
            nonlocal number
            number += 1
            console.print(f"[bold]{number:2}[/bold] ", end="")
            console.print(text, markup=False)
            if command:
                console.print(f"   in a class: {command}", style="dim", markup=False)
            status.update(text)

        try:
            result = run_demo(args.course, folder, args.lesson, args.students, args.seed, print_step)
        except KeyboardInterrupt:
            console.print(f"Stopped. The unfinished class is in {folder}; inspect or remove it.")
            return STOPPED
    for line in summary(result):
        console.print(line, markup=False)
    return 1 if result.wrong else 0


def summary(result: DemoResult) -> list[str]:
    """Return the final lines: whether the scores match, and which files to open."""
    total, first = len(result.expected_scores), result.drawn.students[0].name
    lines = ["", f"All {total} scores match the answers."]
    if result.wrong:
        some = "; ".join(
            f"{name} {result.scores.get(name)}, expected {result.expected_scores[name]:g}" for name in result.wrong[:5]
        )
        lines = ["", f"{len(result.wrong)} of {total} scores do not match the answers: {some}."]
    if result.by_hand:
        lines.append(f"{result.by_hand} written answers need manual grading.")
    look = {
        "feedback of one student": result.folder / "feedback" / first / result.lesson / f"{result.lesson}.html",
        "all scores": result.folder / "grades.csv",
    }
    if result.report:
        look["class report"] = result.report
    lines += ["Look at:", *(f"  {what:<24} {path}" for what, path in look.items())]
    lines.append(f"  {'formgrader':<24} cd {result.folder} && jupyter lab    (menu Nbgrader, Formgrader)")
    return lines
