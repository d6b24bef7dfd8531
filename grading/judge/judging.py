"""What the judge's kernel does around a test cell: runs the instructor's text that it needs, lays out the stand-ins."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any

from grading.judge.answering import NAMESPACE
from grading.judge.link import Link
from grading.judge.standins import StandIn, ask_for, number_of, stand_in

_link: Link | None = None  # with the process that the submission runs in now
_fetched: set[str] = set()


def begin(names: dict[str, Any], path: str, folder: str, asked_for: list[str], needs: dict[str, list[str]]) -> None:
    """Prepare the judge's names for a test cell.

    path: the socket of the submission's process
    folder: the instructor's files, such as data and modules of the lesson
    asked_for: names of the classes that students write
    needs: the fields of grading.judge.split.Needs
    Raises OSError when the submission's process does not answer.
    """
    global _link
    if folder not in sys.path:
        sys.path.append(folder)
    if _link is None or _link.path != path:
        _link = Link(path, stand_in, number_of)
    _link.open()
    for name in _fetched:
        names.pop(name, None)
    _fetched.clear()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for text in needs["statements"]:
            _run(text, names)
    missing = [name for name in [*needs["ours"], *needs["loose"]] if name not in names]
    for name in [*needs["names"], *missing]:
        with contextlib.suppress(KeyError):
            names[name] = _link.call("operator:getitem", StandIn(_link, NAMESPACE, {}), name)
            _fetched.add(name)
            if name in asked_for:
                ask_for(names[name])


def end() -> None:
    """Let the submission's process go on with its own cells."""
    if _link is not None:
        _link.close()


def _run(text: str, names: dict[str, Any]) -> None:
    """Run a statement of the instructor's. One that fails here leaves its names to the submission."""
    with contextlib.suppress(Exception):
        exec(compile(text, "<given>", "exec", dont_inherit=True), names)
