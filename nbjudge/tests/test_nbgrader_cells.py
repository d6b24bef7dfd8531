"""A cell's label is read whatever a notebook has in its place."""

from __future__ import annotations

from typing import Any

import pytest
from nbformat.v4 import new_code_cell

from nbjudge.nbgrader_cells import CellLabel

TEST = {"grade": True, "solution": False, "locked": True, "task": False, "grade_id": "double_test", "points": 4}
MANUAL = {"grade": True, "solution": True, "locked": False, "task": False, "grade_id": "why", "points": 2.5}
TASK = {"grade": False, "solution": False, "locked": True, "task": True, "grade_id": "explore", "points": 3}


def kinds(label: CellLabel) -> list[str]:
    flags = ("graded", "test", "solution", "task", "locked")
    return [flag for flag in flags if getattr(label, f"is_{flag}")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [(TEST, ["graded", "test", "locked"]), (MANUAL, ["graded", "solution"]), (TASK, ["graded", "task", "locked"])],
)
def test_what_a_cell_is_for(fields: dict[str, Any], expected: list[str]) -> None:
    label = CellLabel.of(new_code_cell("", metadata={"nbgrader": fields}))
    assert kinds(label) == expected
    assert (label.grade_id, label.points) == (fields["grade_id"], fields["points"])


@pytest.mark.parametrize(
    "cell",
    [None, [], "cell", {}, {"metadata": None}, {"metadata": "x"}]
    + [{"metadata": {"nbgrader": label}} for label in (None, [], "x", 3, {}, {"grade_id": ["x"], "points": "many"})]
    + [{"metadata": {"nbgrader": {"points": points}}} for points in (None, float("nan"), float("inf"), {})],
    ids=str,
)
def test_what_is_no_label_is_a_label_of_nothing(cell: Any) -> None:
    label = CellLabel.of(cell)
    assert (label.grade_id, label.points, kinds(label)) == ("", 0.0, [])
