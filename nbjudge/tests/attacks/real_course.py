"""Lesson 01 of this repository as a course of its own, for the attacks in ours.py; the same names as course.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nbgrader_course import ROOT

LESSON = "01_recurrence"
POINTS = {
    "rnn_step_test": 3.0,
    "rnn_forward_test": 5.0,
    "delay_line_test": 2.0,
    "latch_test": 2.0,
    "counter_test": 2.0,
    "count_parameters_test": 2.0,
    "SimpleRNN_test": 4.0,
}
FULL = sum(POINTS.values())
SECRETS = {
    "hidden tests": "secret-of-the-hidden-tests-9a30",
    "gradebook": "secret-of-the-gradebook-77ab",
    "salt": "0c0ffee00c0ffee00c0ffee00c0ffee0",
    "another submission": "secret-of-a-classmate-0be2",
}


def _solutions() -> dict[str, str]:
    notebook = json.loads((ROOT / "solutions" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    labelled = [(cell["metadata"].get("nbgrader", {}), "".join(cell["source"])) for cell in notebook["cells"]]
    return {label["grade_id"]: source for label, source in labelled if label.get("solution")}


RIGHT = _solutions()


def write(course: Path, settings: str) -> None:
    """Write the course's files: its settings, its packages, one lesson, the salt."""
    (course / "solutions").mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(settings)
    (course / ".course_salt").write_text(SECRETS["salt"] + "\n")
    shutil.copytree(ROOT / "solutions" / LESSON, course / "solutions" / LESSON)
    for package in ("autograde_tests", "rnn_helpers"):
        shutil.copytree(ROOT / package, course / package, ignore=shutil.ignore_patterns("__pycache__"))
    with open(course / "autograde_tests" / "lesson_01_recurrence.py", "a") as tests:
        tests.write(f"# {SECRETS['hidden tests']}\n")
