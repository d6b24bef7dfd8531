"""A small plain nbgrader course: plain asserts, delimiters of its own, a helper package and hidden tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ASSIGNMENT = "ps1"
POINTS = {"total_test": 3.0, "mean_test": 2.0}
CONFIG = """\
import nbjudge

c = get_config()
c.CourseDirectory.course_id = "plain"
c.ClearSolutions.begin_solution_delimeter = "ANSWER BEGINS"
c.ClearSolutions.end_solution_delimeter = "ANSWER ENDS"
c.ClearHiddenTests.begin_test_delimeter = "SECRET BEGINS"
c.ClearHiddenTests.end_test_delimeter = "SECRET ENDS"
nbjudge.configure(c, packages=["my_helpers"], hidden=["my_tests"])
"""
HELPERS = "def numbers(n):\n    return list(range(n))\n"
HIDDEN = "def cases():\n    return [([4, 6], 10), ([-1], -1)]\n"
SOLUTIONS = {
    "total": "def total(xs):\n    ### ANSWER BEGINS\n    return sum(xs)\n    ### ANSWER ENDS",
    "mean": "def mean(xs):\n    ### ANSWER BEGINS\n    return sum(xs) / len(xs)\n    ### ANSWER ENDS",
}
TESTS = {
    "total": "from my_helpers import numbers\nassert total(numbers(4)) == 6\n### SECRET BEGINS\n"
    "from my_tests import cases\nfor xs, wanted in cases():\n    assert total(xs) == wanted\n### SECRET ENDS",
    "mean": "assert mean([1, 2]) == 1.5\n### SECRET BEGINS\nassert mean([2, 4, 9]) == 5\n### SECRET ENDS",
}
# What each student hands in, and what that is worth.
READS_HIDDEN_TESTS = (
    "def total(xs):\n    import pathlib\n    for base in [{course!r}, '.', '..']:\n"
    "        for file in pathlib.Path(base).rglob('my_tests/__init__.py'):\n"
    "            print('LEAK', file.read_text())\n"
    "    return 0"
)
ANSWERS: dict[str, tuple[dict[str, str], float]] = {
    "ada": (
        {
            "total": "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s",
            "mean": "def mean(xs):\n    return total(xs) / len(xs)",
        },
        5.0,
    ),
    "ben": ({"total": "def total(xs):\n    return sum(xs)", "mean": "def mean(xs):\n    return xs[0]"}, 3.0),
    "cy": ({"total": READS_HIDDEN_TESTS}, 0.0),
    "dee": ({}, 0.0),
    "eve": ({"total": "import os\ndef total(xs):\n    os._exit(0)", "mean": SOLUTIONS["mean"]}, 2.0),
}


def make_course(course: Path) -> None:
    """Write the course's files; its folder must not be there yet."""
    source = course / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG)
    for name, text in (("my_helpers", HELPERS), ("my_tests", HIDDEN)):
        (course / name).mkdir()
        (course / name / "__init__.py").write_text(text)
    cells = []
    for name in SOLUTIONS:
        cells.append(_cell(name, SOLUTIONS[name], solution=True))
        cells.append(_cell(f"{name}_test", TESTS[name], grade=True, locked=True, points=POINTS[f"{name}_test"]))
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, source / f"{ASSIGNMENT}.ipynb")


def hand_in(course: Path) -> None:
    """Put each student's answers where `nbgrader collect` would."""
    for student, (answers, _) in ANSWERS.items():
        folder = course / "submitted" / student / ASSIGNMENT
        shutil.copytree(course / "release" / ASSIGNMENT, folder)
        file = folder / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(file, as_version=4)
        for cell in notebook.cells:
            answer = answers.get(cell.metadata.nbgrader.grade_id)
            if answer is not None:
                cell.source = answer.replace("{course!r}", repr(str(course)))
        nbformat.write(notebook, file)


def run(course: Path, python: Path, *command: str, fails: bool = False) -> str:
    """Run `python -m COMMAND` in the course and return what it printed; assert that it ends as expected."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER", "NBGRADER"))}
    ended = subprocess.run(
        [python, "-m", *command],
        cwd=course,
        env={**kept, "JUPYTER_DATA_DIR": str(course.parent / "jupyter")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert bool(ended.returncode) == fails, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def _cell(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    label = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**label, "grade_id": name, **flags}})
