"""The course secret, from which hidden tests draw their inputs: read it, or create it once."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from traitlets.config import Config

from nbjudge.errors import CannotGrade


@dataclass(frozen=True)
class CourseSecret:
    """Location of a course's secret.

    variable: the environment variable in which hidden tests read it
    file: file name in the folder of the course
    """

    variable: str = "NBJUDGE_SECRET"
    file: str = ".nbjudge_secret"

    @classmethod
    def of(cls, settings: Config) -> CourseSecret:
        """Return the secret that a course's settings name."""
        section = settings.Grading
        return cls(section.get("secret_variable", cls.variable), section.get("secret_file", cls.file))

    @property
    def value(self) -> str:
        """Return the secret in the environment, "" if there is none."""
        return os.environ.get(self.variable, "")

    def load(self, course: Path) -> str:
        """Return the secret; the first call creates it.

        The environment variable takes precedence. Otherwise it is stored in the file, which only its owner can read.
        Raises CannotGrade if the file is empty.
        """
        return self.value or read_or_create(course / self.file)


def new_secret() -> str:
    """Return a random secret."""
    return secrets.token_hex(32)


def read_or_create(file: Path) -> str:
    """Return the secret in a file, creating it if it is missing. Raises CannotGrade if the file is empty."""
    if not file.exists():
        _write_once(file, new_secret())
    secret = file.read_text(encoding="ascii").strip()
    if not secret:
        raise CannotGrade(f"{file} is empty; expected the course's secret. Delete it, and a new one is made.")
    return secret


def _write_once(file: Path, text: str) -> None:
    """Write a file atomically; if two processes do so at once, the first one's text stays."""
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # mkstemp: mode 600 from the beginning
    try:
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(text + "\n")
        os.link(draft, file)  # unlike a rename, a link refuses to replace an existing file
    except FileExistsError:
        pass  # another process was faster, and its secret is the one to use
    finally:
        os.unlink(draft)
