"""Read a course's nbgrader_config.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue, PyFileConfigLoader

from nbjudge.errors import CannotGrade

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory

SETTINGS = "nbgrader_config.py"


def load_settings(course: Path) -> Config:
    """Return the settings in a course's folder. Any exception of the file, which is a program, propagates."""
    settings: Config = PyFileConfigLoader(SETTINGS, path=str(course)).load_config()
    return settings


def read_settings(course: Path) -> Config:
    """Return the settings in a course's folder. Raises CannotGrade if they are missing or cannot be read."""
    file = course / SETTINGS
    if not file.is_file():
        raise CannotGrade(
            f"There is no {SETTINGS} in {course}. Go to the folder of the course, or name it: --course FOLDER."
        )
    try:
        return load_settings(course)
    except Exception as error:
        raise CannotGrade(f"{file} cannot be read: {type(error).__name__}: {error}") from error


def resolved(value: Any, initial: Any) -> Any:
    """Return the value of a setting; one that was only added to, as in `c.A.b.update(...)`, is added to `initial`."""
    return value.get_value(initial) if isinstance(value, LazyConfigValue) else value


def course_directory(settings: Config, assignment: str) -> CourseDirectory:
    """Return nbgrader's CourseDirectory, which knows the paths of an assignment's files."""
    from nbgrader.coursedir import CourseDirectory  # nbgrader is slow to import

    return CourseDirectory(config=settings, assignment_id=assignment)
