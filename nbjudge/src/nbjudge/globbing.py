"""Let nbgrader take the names of folders literally, where it looks for files by patterns.

A course below `2026 [spring]`, or a student called `[abc]`, would otherwise match other names, or none.
"""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# The modules that call glob.glob, which look it up each time; those of later releases may not.
GRADING = ("nbgrader.converters.base", "nbgrader.apps.api", "nbgrader.utils")
EXCHANGE = tuple(
    f"nbgrader.exchange.default.{name}"
    for name in ("collect", "exchange", "fetch_assignment", "fetch_feedback", "list", "release_feedback")
)


class LiteralGlob:
    """Stands for the module glob: a part of a pattern that is the name of something that is there is no pattern."""

    def __getattr__(self, name: str) -> Any:
        return getattr(glob, name)

    def glob(self, pattern: str, **options: Any) -> list[str]:
        return glob.glob(escape_existing(pattern), **options)

    def iglob(self, pattern: str, **options: Any) -> Iterator[str]:
        return glob.iglob(escape_existing(pattern), **options)


def escape_existing(pattern: str) -> str:
    """Return the pattern with its beginning, as far as it is the path of something, taken literally."""
    parts = pattern.split(os.sep)
    for place, part in enumerate(parts):
        if part == "*" or not os.path.lexists(os.sep.join(parts[: place + 1]) or os.sep):
            return os.sep.join([*map(glob.escape, parts[:place]), *parts[place:]])
    return glob.escape(pattern)


def take_names_literally(modules: Iterable[str] = GRADING) -> None:
    """Have modules of nbgrader look for files with LiteralGlob, in this process."""
    for name in modules:
        module: Any = importlib.import_module(name)
        if hasattr(module, "glob"):
            module.glob = LiteralGlob()


def take_path_literally(course: Path) -> None:
    """Have the exchange do so too, which takes a while to import, where the path of the course asks for it."""
    if glob.has_magic(str(course)):
        take_names_literally(EXCHANGE)
