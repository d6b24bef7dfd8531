"""The course secret, from which hidden tests draw their inputs: read it, or write it once."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from nbjudge.errors import CannotGrade

SALT_VARIABLE = "RNN_COURSE_SALT"  # shared with the course's hidden tests
SALT_FILE = ".course_salt"  # in the folder of the course


def new_salt() -> str:
    """Return a random secret."""
    return secrets.token_hex(32)


def course_salt(file: Path) -> str:
    """Return the secret from which hidden tests draw their inputs; the first call creates it.

    $RNN_COURSE_SALT takes precedence. Otherwise it is stored in `file`, which only its owner can read.
    Raises CannotGrade when the file is empty.
    """
    if os.environ.get(SALT_VARIABLE):
        return os.environ[SALT_VARIABLE]
    if not file.exists():
        _write_once(file, new_salt())
    salt = file.read_text(encoding="ascii").strip()
    if not salt:
        raise CannotGrade(f"{file} is empty; expected the course's secret. Delete it, and a new one is made.")
    return salt


def _write_once(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all; when two processes start at once, the first one's text stays."""
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # mkstemp: mode 600 from the beginning
    try:
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(text + "\n")
        os.link(draft, file)  # unlike a rename, a link refuses to replace an existing file
    except FileExistsError:
        pass  # another process was faster, and its secret is the one to use
    finally:
        os.unlink(draft)
