"""Allow one grader at a time in a course, and give it a working folder.

The operating system releases the lock when the process ends, so a killed grader blocks no other.
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

from nbjudge.autograde.canary_cache import FILE as CACHE
from nbjudge.errors import CannotGrade

FOLDER, _LOCK, _IGNORE = ".grading", "lock", ".gitignore"


@contextmanager
def only_grader(course: Path, shared: bool = False) -> Iterator[Path]:
    """Yield an empty private working folder in the course to the only grader; empty it at the end.

    Only the cache of canaries stays in the folder above it.

    shared: whether other members of the group grade in this course, too
    Raises CannotGrade when another grader is running, with its process id, or when the folder cannot be created.
    """
    folder = course / FOLDER
    mode = 0o660 if shared else 0o600
    # A soft lock would be a mere file, which a killed grader leaves behind.
    lock = FileLock(folder / _LOCK, blocking=False, mode=mode, fallback_to_soft=False, on_acquired=_write_holder)
    try:
        _create(folder, shared)
        acquired = lock.acquire()
    except Timeout as error:
        raise CannotGrade(
            f"Another grader is already running in {course}: {_read_holder(folder / _LOCK)}. "
            "Wait until it is done, or stop it; then run the command again."
        ) from error
    except OSError as error:
        raise CannotGrade(
            f"Grading needs the folder {folder}, which cannot be used ({error.strerror}). Check that you may "
            f"write in {course} and that its disk has free space."
        ) from error
    with acquired:
        _empty(folder)
        try:
            yield Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        finally:
            _empty(folder)


def _create(folder: Path, shared: bool) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        (folder / _IGNORE).write_text("*\n", encoding="ascii")
        if shared:
            folder.chmod(0o2770)


def _write_holder(lock: int) -> None:
    """Write the holder's process id into the lock file."""
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())


def _read_holder(lock: Path) -> str:
    with suppress(OSError):  # on Windows a locked file cannot be read
        return lock.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    return "another process"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name in (_LOCK, _IGNORE, CACHE):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)  # such as a draft of the cache
