"""TensorFlow's noise never costs a point: it greets on stderr, and for that stock nbgrader gives a right answer 0.

What a kernel finds imported has greeted before it came to be, so the answer here also writes there as C code does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from graded_here import points
from nbgrader_course import nbgrader
from tiny_course import LESSON, cell, release

pytestmark = pytest.mark.nbgrader

POINTS = 3
SOLUTION = """\
def total(numbers):
    ### BEGIN SOLUTION
    import os
    import tensorflow as tf
    os.write(2, b"TensorFlow as C code writes")
    return float(tf.reduce_sum(tf.constant(numbers)))
    ### END SOLUTION"""
STOCK = """\
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.Execute.timeout = 120  # as in this course: the 0 must come from the greeting, not from a slow machine
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    test = cell("total_test", "assert total([1.0, 2.0]) == 3.0", grade=True, locked=True, points=POINTS)
    return release(tmp_path_factory.mktemp("tensorflow") / "course", [cell("total", SOLUTION, solution=True), test])


@pytest.fixture
def course(released, tmp_path) -> Path:
    """The released course, and its solution handed in by a student."""
    course = shutil.copytree(released, tmp_path / "course")
    shutil.copytree(course / "solutions" / LESSON, course / "submitted" / "ada" / LESSON)
    return course


def autograde(course: Path) -> dict[str, str]:
    """Grade what was handed in, and return what the test cell printed: {stream: text}."""
    nbgrader(course, "autograde", LESSON, TF_CPP_MIN_LOG_LEVEL="0")  # a machine may ask for fewer lines, or none
    graded = nbformat.read(course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb", as_version=4)
    printed: dict[str, str] = {}
    for output in graded.cells[-1].outputs:
        assert output.output_type == "stream", "the solution is right"
        printed[output.name] = printed.get(output.name, "") + output.text
    return printed


def test_stock_nbgrader_gives_a_right_answer_nothing_because_tensorflow_greets(course):
    (course / "nbgrader_config.py").write_text(STOCK)
    printed = autograde(course)
    assert list(printed) == ["stderr"]
    assert "TensorFlow" in printed["stderr"]
    assert points(course, "ada") == {"total_test": 0}


def test_in_this_course_the_same_answer_has_full_points_and_what_it_writes_stays_visible(course):
    printed = autograde(course)
    assert list(printed) == ["stdout"]
    assert "TensorFlow as C code writes" in printed["stdout"]
    assert points(course, "ada") == {"total_test": POINTS}
