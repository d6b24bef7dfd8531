"""Fixtures of modules whose own fixture `released` is a class to grade: import * from here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from graded_class import everything
from nbgrader_course import nbgrader
from tiny_course import LESSON

__all__ = ["by_nbgrader", "course"]


@pytest.fixture(scope="module")
def by_nbgrader(released: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the module's class, its fixture `released`, has after an undisturbed `nbgrader autograde`."""
    course = shutil.copytree(released, tmp_path_factory.mktemp("by nbgrader") / "course")
    nbgrader(course, "autograde", LESSON)
    return everything(course)


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A copy of the module's class."""
    return shutil.copytree(released, tmp_path / "course")
