"""The course that a command is about."""

from __future__ import annotations

from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from nbjudge.errors import CannotGrade

SETTINGS = "nbgrader_config.py"


def settings_of(course: Path) -> Config:
    """Read nbgrader's settings of a course. Raises CannotGrade when there are none, or they cannot be read."""
    file = course / SETTINGS
    if not file.is_file():
        raise CannotGrade(
            f"There is no {SETTINGS} in {course}. Go to the folder of the course, or name it: --course FOLDER."
        )
    try:
        return PyFileConfigLoader(SETTINGS, path=str(course)).load_config()
    except Exception as error:
        raise CannotGrade(f"{file} cannot be read: {type(error).__name__}: {error}") from error


def directory_of(settings: Config, assignment: str) -> CourseDirectory:
    """Return where everything of an assignment is."""
    return CourseDirectory(config=settings, assignment_id=assignment)
