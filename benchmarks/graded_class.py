"""Classes that the benchmarks grade, the commands that grade them, and the scores in their gradebooks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from nbgrader.api import Gradebook

from tools.demo.cycle import copy_course
from tools.demo.simulated import SimulatedClass, simulate

ROOT = Path(__file__).resolve().parent.parent
SALT = "the salt of the benchmark"
Scores = dict[str, dict[str, float]]  # {student: {cell: score}}


def new_class(course: Path, lesson: str, students: int, seed: int) -> SimulatedClass:
    """Copy the course, release the lesson and write the submissions of simulated students."""
    copy_course(ROOT, course, lesson)
    command(course, "-m", "nbgrader", "generate_assignment", lesson)
    return simulate(course, lesson, students, seed)


def environment_of(course: Path) -> dict[str, str]:
    """Return the environment in which a course is graded: with its own packages before those of this folder."""
    paths = [course, ROOT, ROOT / "nbjudge" / "src"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "RNN_COURSE_SALT": SALT,
        "PYTHONDONTWRITEBYTECODE": "",
    }


def command(course: Path, *arguments: str) -> str:
    """Run Python in the course and return its output. Raises SystemExit with the output when it fails."""
    completed = subprocess.run(
        [sys.executable, *arguments],
        cwd=course,
        env=environment_of(course),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise SystemExit(
            f"{' '.join(arguments)} ended with {completed.returncode}:\n{completed.stdout}\n{completed.stderr}"
        )
    return completed.stdout


def scores(course: Path, lesson: str) -> Scores:
    """Return the automatic scores in the gradebook."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {g.name: g.auto_score for notebook in submission.notebooks for g in notebook.grades}
            for submission in gradebook.assignment_submissions(lesson)
        }


def differences(expected: Scores, found: Scores) -> int:
    """Print the cells with different scores and return their number."""
    count = 0
    for student in sorted(expected.keys() | found.keys()):
        first_cells, second_cells = expected.get(student, {}), found.get(student, {})
        for name in sorted(first_cells.keys() | second_cells.keys()):
            if first_cells.get(name) != second_cells.get(name):
                print(f"  differs: {student} {name}: {first_cells.get(name)} expected, {second_cells.get(name)} found")
                count += 1
    return count


def quartiles(numbers: Iterable[float]) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile of one or more numbers."""
    first, median, third = np.percentile(list(numbers), [25, 50, 75]).tolist()
    return first, median, third


def print_row(label: str, numbers: Iterable[float]) -> None:
    """Print the median and the quartiles of a measurement."""
    first, median, third = quartiles(numbers)
    print(f"  {label:<48} {median:8.2f}   ({first:.2f} to {third:.2f})", flush=True)
