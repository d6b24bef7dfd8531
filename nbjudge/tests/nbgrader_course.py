"""What the tests of the nbgrader side share: its commands as a terminal runs them, and a copy of this course."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]


def nbgrader(course: Path, *command: str, fails: bool = False, timeout_s: float = 600, **variables: str) -> str:
    """Run an nbgrader command in `course` and return what it printed; assert that it ends as it should.

    variables: environment variables for this command
    """
    ended = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command],
        cwd=course,
        env=surroundings(course, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout_s,
    )
    said = f"nbgrader {' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}"
    assert bool(ended.returncode) == fails, said
    return ended.stdout


def surroundings(course: Path, **variables: str) -> dict[str, str]:
    """Return an environment in which nothing is written outside of `course` and the course is the one under test."""
    # A test that has read nbgrader_config.py has left the path to this course's settings in the environment.
    left_out = ("PYTEST_CURRENT_TEST", "RNN_COURSE_SALT", "JUPYTER_CONFIG_PATH", "NBGRADER_EXECUTION")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    private = {name: str(course / ".home" / name.lower()) for name in ("JUPYTER_DATA_DIR", "RNN_COURSE_PROGRESS")}
    under_test = os.pathsep.join(map(str, (ROOT, ROOT / "nbjudge" / "src")))
    return {**kept, **private, "PYTHONPATH": under_test, **variables}


def scores(course: Path) -> dict[str, float]:
    """Return {student: score} from the file that `nbgrader export` writes."""
    nbgrader(course, "export")
    return scores_in(course / "grades.csv")


def scores_in(exported: Path) -> dict[str, float]:
    header, *rows = [line.split(",") for line in exported.read_text().splitlines()]
    return {row[header.index("student_id")]: float(row[header.index("score")]) for row in rows}


def copy_course(target: Path) -> Path:
    """Copy the repository's files as they are now, committed or not, less what git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():  # a file that was removed is listed until the removal is committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def solve(notebook: Path, answers: dict[str, str]) -> None:
    """Paste answers (grade_id -> source) into a notebook's cells."""
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell.source)
    nbformat.write(content, notebook)
