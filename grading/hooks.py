"""What nbgrader calls between its own steps; nbgrader_config.py names these functions."""

from __future__ import annotations

import os
from pathlib import Path

import traitlets.log

from grading.canary import require_canaries
from grading.errors import CannotGrade
from grading.surroundings import SALT_VARIABLE, course_salt


def before_autograde(assignment: str, student: str, notebooks: list[str]) -> None:
    """Set the salt and send the canaries ahead; nbgrader calls it before each submission, in the course's folder.

    Raises SystemExit when anything is wrong. nbgrader logs any other exception of a hook and grades on.
    """
    course = Path.cwd()
    log = traitlets.log.get_logger()
    try:
        os.environ[SALT_VARIABLE] = course_salt(course / ".course_salt")
        # `assignment` may be a pattern such as "0*"; the folder of the submission is its name.
        require_canaries(course, Path(notebooks[0]).parent.name, log)
    except CannotGrade as error:
        raise SystemExit(f"Nothing was graded. {error}") from error
    except Exception as error:
        log.error("The canaries could not be sent.", exc_info=True)
        raise SystemExit(f"Nothing was graded. {type(error).__name__}: {error}") from error
