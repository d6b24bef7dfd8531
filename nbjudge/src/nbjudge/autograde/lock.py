"""One grader at a time in a course, and the folder in which it works.

The lock is the operating system's and ends with the process, so that a grader that was killed blocks nobody.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbjudge.errors import CannotGrade

FOLDER, LOCK, IGNORE = ".grading", "lock", ".gitignore"


@contextmanager
def only_grader(course: Path, shared: bool = False) -> Iterator[Path]:
    """Give an empty and private folder in the course to one grader; remove what is in it at the end.

    shared: whether others of the group grade in this course too
    Raises CannotGrade when another grader is at work, with its number and since when, or the folder cannot be made.
    """
    folder = course / FOLDER
    try:
        lock = _open(folder, shared)
    except OSError as error:
        raise CannotGrade(
            f"Grading needs the folder {folder}, which cannot be used ({error.strerror}). See to it that you may "
            f"write in {course} and that its disk has room."
        ) from error
    try:
        _take(lock, course)
        _empty(folder)
        try:
            yield Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        finally:
            _empty(folder)
            os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def _open(folder: Path, shared: bool) -> int:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        (folder / IGNORE).write_text("*\n", encoding="ascii")
        if shared:
            folder.chmod(0o2770)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    if shared and os.fstat(lock).st_uid == os.geteuid():
        (folder / LOCK).chmod(0o660)
    return lock


def _take(lock: int, course: Path) -> None:
    """Lock the file and write into it who has it; without fcntl, as on Windows, nobody is kept waiting."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        who = os.read(lock, 200).decode("utf-8", "replace").strip() or "another process"
        raise CannotGrade(
            f"Somebody is grading in {course} already: {who}. Wait until it is done, or stop it; then run this again."
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (LOCK, IGNORE):
            shutil.rmtree(path, ignore_errors=True)
