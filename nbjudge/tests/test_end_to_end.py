"""One submission goes end to end: released, handed in, graded by `nbgrader autograde`, written into the gradebook.

It belongs to the fast tier, so that a change which breaks the way as a whole is seen at once: no marker `nbgrader`.
"""

from __future__ import annotations

from pathlib import Path

from graded_here import graded_notebook, points
from nbgrader_course import nbgrader
from tiny_course import LESSON, make_course, submit


def test_a_right_and_a_wrong_answer_earn_what_they_should(tmp_path: Path) -> None:
    course = make_course(tmp_path / "course")
    submit(course, "ada", double="def double(x):\n    return x + x", triple="def triple(x):\n    return x")
    printed = nbgrader(course, "autograde", LESSON)
    assert f"canaries of {LESSON}: solution 6/6, blank 0/6" in printed
    assert points(course, "ada") == {"double_test": 4, "triple_test": 1}
    assert graded_notebook(course, "ada").cells[0].source == "def double(x):\n    return x + x"
