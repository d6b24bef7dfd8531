"""A small nbgrader course that shares only NumPy with this one: plain asserts, no helpers, no hidden packages."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from benchmarks.graded_class import command

ASSIGNMENT = "ps1"
STOCK = 'c = get_config()\nc.CourseDirectory.course_id = "plain"\nc.Execute.timeout = 600\n'
CONFIG = f"import nbjudge\n\n{STOCK}nbjudge.configure(c)\n"
BLANK_SHARE = 0.1  # of answers

GIVEN = """\
import numpy as np

rng = np.random.default_rng(0)
temperatures = 15 + 8 * np.sin(np.arange(365) / 58) + rng.normal(0, 2, 365)
"""
# exercise -> (right answers, wrong answers, tests before and after the marker of hidden tests)
EXERCISES = {
    "standardise": (
        [
            "def standardise(x):\n    return (x - x.mean()) / x.std()",
            "def standardise(x):\n    centred = x - np.mean(x)\n    return centred / np.sqrt(np.mean(centred ** 2))",
        ],
        ["def standardise(x):\n    return x - x.mean()", "def standardise(x):\n    return x / x.std()"],
        "z = standardise(np.array([1.0, 3.0]))\nassert np.allclose(z, [-1, 1])",
        "z = standardise(temperatures)\nassert z.shape == (365,)\n"
        "assert abs(z.mean()) < 1e-9\nassert abs(z.std() - 1) < 1e-9",
    ),
    "moving_average": (
        [
            "def moving_average(x, width):\n    return np.convolve(x, np.ones(width) / width, 'valid')",
            "def moving_average(x, width):\n"
            "    return np.array([x[i:i + width].mean() for i in range(len(x) - width + 1)])",
        ],
        [
            "def moving_average(x, width):\n    return np.convolve(x, np.ones(width), 'valid')",
            "def moving_average(x, width):\n"
            "    return np.array([x[i:i + width].mean() for i in range(len(x) - width)])",
        ],
        "assert np.allclose(moving_average(np.arange(5.0), 3), [1, 2, 3]), 'average three neighbours'",
        "week = moving_average(temperatures, 7)\nassert week.shape == (359,)\n"
        "assert np.isclose(week[-1], temperatures[-7:].mean())",
    ),
    "distances": (
        [
            "def distances(points):\n    return np.linalg.norm(points[:, None] - points[None, :], axis=-1)",
            "def distances(points):\n    difference = points[:, None] - points[None, :]\n"
            "    return np.sqrt((difference ** 2).sum(axis=2))",
        ],
        ["def distances(points):\n    return ((points[:, None] - points[None, :]) ** 2).sum(axis=-1)"],
        "assert np.allclose(distances(np.array([[0.0, 0.0], [3.0, 4.0]])), [[0, 5], [5, 0]])",
        "points = rng.normal(size=(20, 3))\nd = distances(points)\nassert d.shape == (20, 20)\n"
        "assert np.allclose(d, d.T)\nassert np.isclose(d[2, 7], np.sqrt(((points[2] - points[7]) ** 2).sum()))",
    ),
    "line_fit": (
        [
            "def line_fit(x, y):\n    slope, intercept = np.polyfit(x, y, 1)\n    return slope, intercept",
            "def line_fit(x, y):\n    slope = np.cov(x, y, bias=True)[0, 1] / np.var(x)\n"
            "    return slope, y.mean() - slope * x.mean()",
        ],
        ["def line_fit(x, y):\n    return np.polyfit(x, y, 1)[::-1]"],
        "slope, intercept = line_fit(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))\n"
        "assert np.isclose(slope, 2) and np.isclose(intercept, 1)",
        "x = rng.normal(size=50)\nslope, intercept = line_fit(x, 4 - 3 * x)\n"
        "np.testing.assert_allclose([slope, intercept], [-3, 4], atol=1e-9)",
    ),
}


def new_plain_class(course: Path, students: int, seed: int) -> None:
    """Write the course, release its assignment and write the submissions of simulated students."""
    source = course / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG)
    nbformat.write(_solution(), source / f"{ASSIGNMENT}.ipynb")
    command(course, "-m", "nbgrader", "generate_assignment", ASSIGNMENT)
    rng = random.Random(seed)
    for number in range(students):
        folder = course / "submitted" / f"s{number + 1:03}" / ASSIGNMENT
        shutil.copytree(course / "release" / ASSIGNMENT, folder)
        file = folder / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(file, as_version=4)
        ability = rng.random()
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in EXERCISES and rng.random() >= BLANK_SHARE:
                right, wrong, *_ = EXERCISES[name]
                cell.source = rng.choice(right if rng.random() < ability else wrong)
        nbformat.write(notebook, file)


def _solution() -> nbformat.NotebookNode:
    cells = [new_markdown_cell("# Problem set 1\n\nWork with arrays, without loops where you can.", id="title")]
    cells.append(new_code_cell(GIVEN, id="given"))
    for name, (right, _, visible, hidden) in EXERCISES.items():
        definition, _, body = right[0].partition("\n")
        solution = f"{definition}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        tests = f"{visible}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells.append(_labelled(name, solution, solution=True))
        cells.append(_labelled(f"{name}_test", tests, grade=True, locked=True, points=5))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _labelled(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    label = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False, "grade_id": name}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**label, **flags}})
