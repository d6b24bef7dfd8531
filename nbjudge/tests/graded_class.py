"""A class of a tiny course, graded by command in a process of its own; and all that its gradebook holds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader_course import surroundings
from tiny_course import LESSON, make_course, submit

LATE = "2026-01-02 12:00:00 UTC"
RIGHT = {"double": "def double(x):\n    return 2 * x", "triple": "def triple(x):\n    return 3 * x"}
HALF = {"double": "def double(x):\n    return 5 * x"}
CLASS = {
    "s01": RIGHT,
    "s02": HALF,
    "s03": {},
    "s04": {**RIGHT, "double": "import os\nos._exit(1)"},
    "s05": {**RIGHT, "double": "import time\ntime.sleep(600)"},
    "s06": {**RIGHT, "triple": "raise ValueError('no')"},
    "s07 née O'Hara, +1": RIGHT,
    "s08": {**HALF, **{"triple": RIGHT["triple"]}},
}


def make_class(course: Path) -> Path:
    """Release the tiny lesson and hand in for every student; return the folder."""
    make_course(course)
    settings = course / "nbgrader_config.py"
    settings.write_text(settings.read_text() + "\nc.Execute.timeout = 4\n")
    for student, answers in CLASS.items():
        submit(course, student, **answers)
        (course / "submitted" / student / LESSON / "timestamp.txt").write_text(LATE)
    # What a submission that cannot be read at all leads to is a part of the result, too.
    shutil.copytree(course / "submitted" / "s01", course / "submitted" / "s09")
    (course / "submitted" / "s09" / LESSON / f"{LESSON}.ipynb").write_text("{")
    return course


def rnn_course(course: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start `rnn-course` in the folder of a course."""
    return subprocess.Popen(
        [sys.executable, "-m", "nbjudge", *arguments],
        cwd=course,
        env=surroundings(course, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end and return what was printed; assert the exit code."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == code, f"ended with {process.returncode}:\n{out}\n{err}"
    return out + err


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def everything(course: Path) -> dict[str, Any]:
    """Return all that the gradebook says of the lesson's submissions, and what is in autograded/."""
    found: dict[str, Any] = {}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions(LESSON):
            for notebook in submission.notebooks:
                grades = {
                    grade.name: (grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade)
                    for grade in notebook.grades
                }
                comments = {
                    comment.name: (comment.auto_comment, comment.manual_comment) for comment in notebook.comments
                }
                found[submission.student.id] = (
                    str(submission.timestamp),
                    notebook.score,
                    notebook.late_submission_penalty,
                    grades,
                    comments,
                )
    files = sorted(str(path.relative_to(course)) for path in (course / "autograded").rglob("*") if path.is_file())
    return {"gradebook": found, "files": files}
