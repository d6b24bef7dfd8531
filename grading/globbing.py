"""Let nbgrader take the path of a course literally, where it looks for files by patterns.

Brackets, stars and question marks in the name of a folder above the course would otherwise match other names, and
nothing would be found.
"""

from __future__ import annotations

import glob
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The modules that call glob.glob, which look it up each time; those of later releases may not.
EXCHANGE = ("collect", "exchange", "fetch_assignment", "fetch_feedback", "list", "release_feedback")
MODULES: tuple[str, ...] = ("nbgrader.converters.base", "nbgrader.apps.api", "nbgrader.utils")
MODULES += tuple(f"nbgrader.exchange.default.{name}" for name in EXCHANGE)

_courses: set[str] = set()


class _Glob:
    """What nbgrader's modules call glob: the standard module, but for patterns below a course."""

    def __getattr__(self, name: str) -> Any:
        return getattr(glob, name)

    def glob(self, pattern: str, **options: Any) -> list[str]:
        return glob.glob(escape_course(pattern), **options)

    def iglob(self, pattern: str, **options: Any) -> Iterator[str]:
        return glob.iglob(escape_course(pattern), **options)


def glob_literally(course: Path) -> None:
    """From now on, nbgrader finds what is below this course, in this process."""
    if not glob.has_magic(str(course)):
        return
    _courses.add(str(course))
    for name in MODULES:
        module: Any = importlib.import_module(name)
        if hasattr(module, "glob"):
            module.glob = _Glob()


def escape_course(pattern: str) -> str:
    """Return the pattern with the path of a course, if it begins with one, taken literally."""
    for course in sorted(_courses, key=len, reverse=True):
        if pattern.startswith(course):
            return glob.escape(course) + pattern[len(course) :]
    return pattern
