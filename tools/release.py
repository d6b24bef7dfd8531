"""Generate the released notebook from the instructor's with nbgrader."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from traitlets.config import Config

from nbjudge import load_settings

# The sections of nbgrader_config.py that affect a released notebook.
RELEASE_SETTINGS = ("ClearSolutions", "ClearHiddenTests", "ClearMarkScheme", "LockCells", "IncludeHeaderFooter")


class ReleaseError(Exception):
    """Raised when nbgrader rejects a notebook; the message contains its reason."""


def release_files(lesson: str, solution: dict[str, bytes], settings: Config) -> dict[str, bytes]:
    """Return the files of the released lesson, as `nbgrader generate_assignment` creates them.

    solution: file name (or path inside the lesson's folder) -> bytes, the notebook and its data
    settings: the result of `release_settings`
    Raises ReleaseError when nbgrader rejects the notebook.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder).resolve()
        for name, content in solution.items():
            target = course / "solutions" / lesson / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        _generate(lesson, course, settings)
        released = course / "lessons" / lesson
        return {
            path.relative_to(released).as_posix(): _bytes(path)
            for path in sorted(released.rglob("*"))
            if path.is_file()
        }


def release_settings(root: Path) -> Config:
    """Return the settings of nbgrader_config.py that affect a released notebook; empty when there is no such file."""
    if not (root / "nbgrader_config.py").exists():
        return Config()
    loaded = load_settings(root)
    return Config({name: loaded[name] for name in RELEASE_SETTINGS if name in loaded})


def _generate(lesson: str, course: Path, settings: Config) -> None:
    # nbgrader takes a second to import, so only a build imports it.
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = Config({"SaveCells": {"enabled": False}})  # no gradebook: a build has no students
    config.merge(settings)
    directory = CourseDirectory(
        root=str(course), source_directory="solutions", release_directory="lessons", assignment_id=lesson
    )
    converter = GenerateAssignment(coursedir=directory, config=config, no_database=True)
    with _log_lines() as lines:
        try:
            converter.start()
        except NbGraderException as error:
            raise ReleaseError(f"nbgrader refuses {lesson}: {_last_line(lines) or error}") from error


@contextmanager
def _log_lines() -> Iterator[list[str]]:
    """Collect nbgrader's log messages instead of printing them."""
    logger = logging.getLogger("traitlets")
    lines: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        yield lines
    finally:
        logger.handlers, logger.propagate = before


def _last_line(lines: list[str]) -> str:
    """Return the last line of the traceback that nbgrader logged."""
    tracebacks = [line for line in lines if line.startswith("Traceback")]
    return tracebacks[-1].strip().splitlines()[-1] if tracebacks else ""


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    # nbconvert writes the system's line endings; the repository uses \n.
    return content.replace(os.linesep.encode(), b"\n") if path.suffix == ".ipynb" else content
