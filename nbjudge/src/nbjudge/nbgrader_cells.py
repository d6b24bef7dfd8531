"""Read the nbgrader metadata of a cell, even if they are malformed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def exercise_name(cell_name: str) -> str:
    """Return the name of the exercise that a cell grades: the cell's name without the suffix "_test"."""
    return cell_name.removesuffix("_test") or cell_name


@dataclass(frozen=True)
class CellLabel:
    """The nbgrader metadata of a cell, which determine its role.

    fields: as in the notebook, {} if they are missing or not a mapping
    """

    fields: Mapping[str, Any]

    @classmethod
    def of(cls, cell: Any) -> CellLabel:
        """Return the label of a cell of a notebook, as nbformat or json reads it."""
        return cls(_mapping(_mapping(_mapping(cell).get("metadata")).get("nbgrader")))

    @property
    def grade_id(self) -> str:
        """Return the name of the cell in the gradebook, "" if it has none."""
        name = self.fields.get("grade_id")
        return name if isinstance(name, str) else ""

    @property
    def is_graded(self) -> bool:
        """Return whether the cell carries points, a task's included."""
        return bool(self.fields.get("grade")) or self.is_task

    @property
    def is_test(self) -> bool:
        """Return whether the cell is an autograded test: graded, and not for the student to fill in."""
        return bool(self.fields.get("grade")) and not self.is_solution

    @property
    def is_solution(self) -> bool:
        """Return whether the cell is for the student's answer."""
        return bool(self.fields.get("solution"))

    @property
    def is_task(self) -> bool:
        """Return whether the cell asks for answers in cells of the student's own."""
        return bool(self.fields.get("task"))

    @property
    def is_locked(self) -> bool:
        """Return whether students may not change the cell."""
        return bool(self.fields.get("locked"))

    @property
    def points(self) -> float:
        """Return the maximum score of the cell, 0 if it has none."""
        points = self.fields.get("points")
        return float(points) if isinstance(points, int | float) and math.isfinite(points) else 0.0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
