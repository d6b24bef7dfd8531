"""One grader at a time in a course, and the folder in which it works.

The lock is the operating system's and ends with the process, so that a grader that was killed blocks nobody.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nbjudge.errors import CannotGrade

FOLDER, LOCK, IGNORE = ".grading", "lock", ".gitignore"


@contextmanager
def only_grader(course: Path, shared: bool = False) -> Iterator[Path]:
    """Give an empty and private folder in the course to one grader; remove what is in it at the end.

    shared: whether others of the group grade in this course too
    Raises CannotGrade when another grader is at work, with its number and since when, or the folder cannot be made.
    """
    folder = course / FOLDER
    mode = 0o660 if shared else 0o600
    # fallback_to_soft: that one would be a mere file, which a grader that was killed leaves behind.
    lock = FileLock(folder / LOCK, blocking=False, mode=mode, fallback_to_soft=False, on_acquired=_sign)
    try:
        _make(folder, shared)
        held = lock.acquire()
    except Timeout as error:
        raise CannotGrade(
            f"Somebody is grading in {course} already: {_holder(folder / LOCK)}. Wait until it is done, or stop it; "
            f"then run this again."
        ) from error
    except OSError as error:
        raise CannotGrade(
            f"Grading needs the folder {folder}, which cannot be used ({error.strerror}). See to it that you may "
            f"write in {course} and that its disk has room."
        ) from error
    with held:
        _empty(folder)
        try:
            yield Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        finally:
            _empty(folder)


def _make(folder: Path, shared: bool) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        (folder / IGNORE).write_text("*\n", encoding="ascii")
        if shared:
            folder.chmod(0o2770)


def _sign(lock: int) -> None:
    """Write into the lock's file who has it."""
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())


def _holder(lock: Path) -> str:
    with suppress(OSError):  # Windows lets nobody read what is locked
        return lock.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    return "another process"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (LOCK, IGNORE):
            shutil.rmtree(path, ignore_errors=True)
