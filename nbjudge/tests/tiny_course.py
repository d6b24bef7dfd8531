"""A course of one lesson and two exercises, graded in seconds, with the project's real nbgrader_config.py."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader_course import ROOT, nbgrader, solve

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
    return release(course, [*exercise("double", 2), *exercise("triple", 3)])


def release(course: Path, cells: list[nbformat.NotebookNode], settings: str = "") -> Path:
    """Write the solution of these cells, release it with the project's nbgrader_config.py, and return the folder.

    settings: what stands in its place
    """
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return Path(shutil.copytree(_released(nbformat.writes(notebook), settings), course, dirs_exist_ok=True))


@cache
def _released(notebook: str, settings: str) -> Path:
    """Return a folder to copy, in which this notebook is released: nbgrader takes seconds to make a gradebook."""
    folder = tempfile.mkdtemp(prefix="released-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    course = Path(folder) / "course"
    (course / "solutions" / LESSON).mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(settings or (ROOT / "nbgrader_config.py").read_text())
    (course / "solutions" / LESSON / f"{LESSON}.ipynb").write_text(notebook, encoding="utf-8")
    nbgrader(course, "generate_assignment", LESSON)
    return course


def submit(course: Path, student: str, **answers: str) -> None:
    """Put a submission where `nbgrader collect` would: the released lesson with some of its stubs replaced."""
    folder = course / "submitted" / student / LESSON
    shutil.copytree(course / "lessons" / LESSON, folder)
    solve(folder / f"{LESSON}.ipynb", answers)


def exercise(name: str, factor: int) -> list[nbformat.NotebookNode]:
    points = POINTS[name]
    solution = f"def {name}(x):\n    ### BEGIN SOLUTION\n    return {factor} * x\n    ### END SOLUTION"
    test = f"from tiny_tests import grade\ngrade({name}, {points}, {factor})"
    hidden = f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
    return [
        cell(name, solution, solution=True),
        cell(f"{name}_test", hidden, grade=True, locked=True, points=points),
    ]


def cell(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    settings = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**settings, "grade_id": name, **flags}})
