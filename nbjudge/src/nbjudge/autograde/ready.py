"""What has to be there before the first submission of an assignment is graded: the secret, and healthy canaries."""

from __future__ import annotations

import os
from pathlib import Path

from nbjudge.autograde.canaries import Log, require_canaries
from nbjudge.bytecode import remove_damaged
from nbjudge.errors import CannotGrade
from nbjudge.execution.workers import Workers
from nbjudge.secrets import SALT_FILE, SALT_VARIABLE, course_salt


def get_ready(course: Path, assignment: str, log: Log, workers: Workers | None = None, strict: bool = False) -> None:
    """Set the salt and send the canaries ahead.

    course: the folder that holds nbgrader_config.py
    workers: who runs them
    strict: whether a test that gives points to a cheat is an error
    Raises CannotGrade when anything is wrong.
    """
    try:
        for package in {Path(__file__).parent, *(init.parent for init in course.glob("*/__init__.py"))}:
            for file in remove_damaged(package):
                log.warning("%s was damaged, as by a full disk, and was removed; it is made again.", file)
        os.environ[SALT_VARIABLE] = course_salt(course / SALT_FILE)
        require_canaries(course, assignment, log, workers, strict)
    except CannotGrade:
        raise
    except Exception as error:
        log.error("The canaries could not be sent.", exc_info=True)
        raise CannotGrade(f"The canaries could not be sent: {type(error).__name__}: {error}") from error
