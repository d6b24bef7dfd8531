"""What the judge does around a test cell: runs the instructor's text that it needs, lays out the stand-ins."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from grading.box.limits import MEGABYTE, apply_limits
from grading.judge.answering import NAMESPACE
from grading.judge.link import Link
from grading.judge.standins import StandIn, ask_for, number_of, stand_in
from grading.surroundings import MEMORY_VARIABLE

_link: Link | None = None  # with the process that the submission runs in now
_fetched: set[str] = set()
_free_mb = 0.0  # when the first test began


def prepare(names: dict[str, Any], folder: str, statements: list[str]) -> None:
    """Run the instructor's text that a test needs. What fails here leaves its names to the submission.

    folder: the instructor's files, such as data and modules of the lesson
    """
    if folder not in sys.path:
        sys.path.append(folder)
        bound_memory()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for text in statements:
            with contextlib.suppress(Exception):
                exec(compile(text, "<given>", "exec", dont_inherit=True), names)


def bound_memory() -> None:
    """Limit the memory of this process: however much a submission answers, the machine has some left."""
    global _free_mb
    if memory_mb := int(os.environ.get(MEMORY_VARIABLE, 0)):
        with contextlib.suppress(ImportError):  # some systems know no limits
            apply_limits({"memory_mb": memory_mb})
        _free_mb = memory_mb - _taken_mb()


def is_crowded() -> bool:
    """Tell whether half of the memory that was free is taken: the next test would pay for what this one keeps."""
    memory_mb = int(os.environ.get(MEMORY_VARIABLE, 0))
    return bool(memory_mb) and memory_mb - _taken_mb() < _free_mb / 2


def _taken_mb() -> float:
    """Return what RLIMIT_DATA counts of this process; 0 where nothing counts it."""
    if not sys.platform.startswith("linux"):
        return 0
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:")) * 1024 / MEGABYTE


def begin(
    names: dict[str, Any], path: str, asked_for: list[str], ours: list[str], students: list[str], loose: list[str]
) -> None:
    """Connect, and lay out the stand-ins for a test cell.

    path: the socket of the submission's process
    asked_for: names of the classes that students write
    ours, students, loose: as in grading.judge.split.Needs
    Raises OSError when the submission's process does not answer.
    """
    global _link
    if _link is None or _link.path != path:
        _link = Link(path, stand_in, number_of)
    _link.open()
    for name in _fetched:
        names.pop(name, None)
    _fetched.clear()
    for name in [*students, *(name for name in [*ours, *loose] if name not in names)]:
        with contextlib.suppress(KeyError):
            names[name] = _link.call("operator:getitem", StandIn(_link, NAMESPACE, {}), name)
            _fetched.add(name)
            if name in asked_for:
                ask_for(names[name])


def end() -> None:
    """Let the submission's process go on with its own cells."""
    if _link is not None:
        _link.close()
