"""The process environment for nbgrader: search paths, environment variables, writable folders."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

# Shared with the course's hidden tests: name of the notebook being graded, for tests that prepare when they are
# imported, which is once for all submissions.
NOTEBOOK_VARIABLE = "GRADED_NOTEBOOK"
MEMORY_VARIABLE = "JUDGE_MEMORY_MB"  # memory limit of the judge's process, the only reader
EXECUTION_VARIABLE = "NBGRADER_EXECUTION"  # nbgrader's: tells kernels to start in the sandbox
TEMPORARY_HOME = "NBJUDGE_HOME"


def prepend(variable: str, folder: Path) -> None:
    """Put `folder` first in a search path such as PATH, without duplicates."""
    entries = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry and entry != str(folder)]
    os.environ[variable] = os.pathsep.join([str(folder), *entries])


def provide_home(environ: MutableMapping[str, str], substitute: Callable[[], Path]) -> None:
    """Provide the home folder that Jupyter needs; if the user's own is unusable, $NBJUDGE_HOME tells why.

    substitute: creates a replacement
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
    """Create `folder` if it is missing, and return it as text.

    If it is not writable, print a warning: validate and autograde do not need it, and the commands that do raise errors
    of their own.
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
def frozen_imports() -> Iterator[None]:
    """Import modules without garbage collections, and exclude what they hold from later ones.

    A collection scans all modules imported so far, and thousands of new objects start one after another.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    try:
        yield
    finally:
        gc.freeze()
        if gc.get_threshold()[0] == 0:  # else a module has chosen its own
            gc.set_threshold(*thresholds)


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
