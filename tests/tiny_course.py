"""A course of one lesson and two exercises, graded in seconds, with the project's real nbgrader_config.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
LESSON = "01_tiny"
POINTS = {"double": 4, "triple": 2}
TESTS = """
def grade(function, points, wanted):
    try:
        return points if function(1) == wanted else points / 2
    except NotImplementedError:
        return 0.0
"""


def make_course(course: Path) -> Path:
    """Write the course, release it (which puts it into its gradebook) and return its folder."""
    (course / "tiny_tests").mkdir(parents=True)
    (course / "tiny_tests" / "__init__.py").write_text(TESTS)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    _write(course / "solutions", _exercise("double", 2) + _exercise("triple", 3))
    nbgrader(course, "generate_assignment", LESSON)
    return course


def submit(course: Path, student: str, **answers: str) -> None:
    """Put a submission where `nbgrader collect` would: the released lesson with some of its stubs replaced."""
    cells = nbformat.read(course / "lessons" / LESSON / f"{LESSON}.ipynb", as_version=4).cells
    for cell in cells:
        cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
    _write(course / "submitted" / student, cells)


def nbgrader(course: Path, *command: str, fails: bool = False, **variables: str) -> str:
    """Run nbgrader in `course` as a terminal does and return what it printed; assert that it ends as it should."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    surroundings.pop("PYTEST_CURRENT_TEST", None)  # kernels behave differently when they see it
    ended = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command],
        cwd=course,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
    )
    assert bool(ended.returncode) == fails, (
        f"nbgrader {' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}"
    )
    return ended.stdout


def _exercise(name: str, factor: int) -> list:
    points = POINTS[name]
    solution = f"def {name}(x):\n    ### BEGIN SOLUTION\n    return {factor} * x\n    ### END SOLUTION"
    test = f"from tiny_tests import grade\ngrade({name}, {points}, {factor})"
    hidden = f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
    return [
        _cell(name, solution, solution=True),
        _cell(f"{name}_test", hidden, grade=True, locked=True, points=points),
    ]


def _cell(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    settings = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**settings, "grade_id": name, **flags}})


def _write(folder: Path, cells: list) -> None:
    (folder / LESSON).mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / LESSON / f"{LESSON}.ipynb")
