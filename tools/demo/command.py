"""`rnn-course demo`: a whole class with simulated students, in a folder of its own, to see how everything goes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from tools.demo.cycle import Held

LESSON, STUDENTS, SEED = "01_recurrence", 12, 1
STOPPED = 130  # the exit code of a program that Ctrl-C ended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rnn-course demo` takes."""
    parser.add_argument("lesson", nargs="?", default=LESSON, metavar="LESSON", help=f"the lesson (default: {LESSON})")
    parser.add_argument("--students", type=int, default=STUDENTS, help=f"how many hand in (default: {STUDENTS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"the same seed, the same class (default: {SEED})")
    parser.add_argument("--folder", type=Path, help="a new or empty folder for the class (default: demo-LESSON here)")


def run(args: argparse.Namespace) -> int:
    """Hold the class, saying each step; return 0 when every score is what the answers are worth, else 1."""
    from tools.demo.cycle import hold  # only now: it imports the tests of every lesson

    console = Console(highlight=False, soft_wrap=True)
    folder = args.folder or Path(f"demo-{args.lesson}")
    number = 0
    with console.status("") as status:

        def say(what: str, command: str) -> None:
            nonlocal number
            number += 1
            console.print(f"[bold]{number:2}[/bold] ", end="")
            console.print(what, markup=False)
            if command:
                console.print(f"   in a class: {command}", style="dim", markup=False)
            status.update(what)

        try:
            held = hold(args.course, folder, args.lesson, args.students, args.seed, say)
        except KeyboardInterrupt:
            console.print(f"Stopped. What there is of the class is in {folder}; remove it, or look around.")
            return STOPPED
    for line in summary(held):
        console.print(line, markup=False)
    return 1 if held.wrong else 0


def summary(held: Held) -> list[str]:
    """Return the lines at the end: whether the scores are right, and where to look."""
    total, first = len(held.due), held.drawn.students[0].name
    lines = ["", f"All {total} scores are what the answers are worth."]
    if held.wrong:
        some = "; ".join(f"{name} {held.scores.get(name)}, due {held.due[name]:g}" for name in held.wrong[:5])
        lines = ["", f"{len(held.wrong)} of {total} scores are not what the answers are worth: {some}."]
    if held.drawn.left_out:
        lines.append(f"{held.drawn.left_out} known answers cannot stand in a notebook; nobody handed them in.")
    if held.by_hand:
        lines.append(f"{held.by_hand} written answers wait for a human to read them.")
    look = {
        "feedback of one student": held.folder / "feedback" / first / held.lesson / f"{held.lesson}.html",
        "all scores": held.folder / "grades.csv",
    }
    if held.report:
        look["class report"] = held.report
    lines += ["Look at:", *(f"  {what:<24} {place}" for what, place in look.items())]
    lines.append(f"  {'formgrader':<24} cd {held.folder} && jupyter lab    (menu Nbgrader, Formgrader)")
    return lines
