"""The process environment for nbgrader: search paths, environment variables, writable folders."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

# Shared with the course's hidden tests: the notebook that is graded, for tests that prepare when they are imported,
# which is once for all submissions.
NOTEBOOK_VARIABLE = "GRADED_NOTEBOOK"
MEMORY_VARIABLE = "JUDGE_MEMORY_MB"  # of the process that runs the tests; nobody else reads it
EXECUTION_VARIABLE = "NBGRADER_EXECUTION"  # nbgrader's: kernels know by it that they grade, and start in the box
TEMPORARY_HOME = "NBJUDGE_HOME"


def prepend(variable: str, folder: Path) -> None:
    """Put `folder` first in a search path such as PATH; once, however often the settings are read."""
    rest = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry and entry != str(folder)]
    os.environ[variable] = os.pathsep.join([str(folder), *rest])


def provide_home(environ: MutableMapping[str, str], substitute: Callable[[], Path]) -> None:
    """Let this process have a home folder, which Jupyter needs; $NBJUDGE_HOME says why when its own cannot be used.

    substitute: makes a folder to take its place
    """
    try:
        home = Path.home()
        with tempfile.TemporaryFile(dir=home):
            return
    except RuntimeError:
        problem = "There is no home folder"
    except OSError as error:
        problem = f"The home folder {home} cannot be used ({error.strerror or error})"
    environ["HOME"] = environ["USERPROFILE"] = str(substitute())
    environ[TEMPORARY_HOME] = f"{problem}; a temporary one takes its place."


def usable_folder(folder: Path, purpose: str) -> str:
    """Make `folder` when it is missing and return it as text.

    A folder that cannot be written is only said, not raised: validate and autograde do well without it, and the
    commands that need it stop by themselves.
    """
    reason = ""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
    if not reason and not os.access(folder, os.W_OK | os.X_OK):
        reason = "no permission to write there"
    if reason:
        print(
            f"nbgrader's {purpose} will not work: the folder {folder} cannot be used ({reason}). "
            "Make it a folder you can write, or copy the course to a place where you can.",
            file=sys.stderr,
        )
    return str(folder)


@contextmanager
def temporary_env(**values: str | None) -> Iterator[None]:
    """Set environment variables, or remove those that are None, and restore them on exit, after an error too."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set_env(values)
        yield
    finally:
        _set_env(before)


def _set_env(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
