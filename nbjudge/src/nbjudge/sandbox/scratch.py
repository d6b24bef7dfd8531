"""Temporary folders of a grading process: a private one for each kernel, and one for its own files.

They are created, chowned, measured and removed with anything a submission left in them. The process removes them at its
end; the next process removes those of a killed one.

Files of a submission are accessed relative to open folders, never by path and never through links, so that nothing in
them leads elsewhere.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

_PREFIX = "box-"
OWNER = "owner"  # a file that the grader keeps locked: without the lock, the folder is abandoned
_LONGEST_SOCKET_FOLDER = 70  # Linux allows 107 characters for the path of a socket, macOS 103
DEEPEST = 64
_ATTEMPTS = 10  # at removing a folder that other threads or processes still use
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
_FOLDER_ITSELF = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK

_own_folders: dict[Path, int] = {}  # {folder of this process: file descriptor of its lock}
_scratch: dict[str, Path] = {}  # {temporary folder: this process's folder in it}
_one_at_a_time = threading.Lock()
_ending = threading.Event()


class TooDeepError(Exception):
    """Folders are nested too deeply."""


def _socket_folder() -> str:
    """Return the temporary folder, or /tmp if its path is too long for sockets."""
    anywhere = tempfile.gettempdir()
    return anywhere if len(anywhere) <= _LONGEST_SOCKET_FOLDER else "/tmp"


@dataclass
class PrivateFolder:
    """The folder of one kernel: it owns `home`, and may read `packages`."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def packages(self) -> Path:
        return self.path / "packages"

    @classmethod
    def make(cls) -> PrivateFolder:
        """Create one in the temporary folder."""
        path = _make(_socket_folder())
        (path / "packages").mkdir()
        (path / "packages").chmod(0o755)
        (path / "home").mkdir(mode=0o700)
        return cls(path)

    def belongs_to(self, pid: int) -> None:
        """Record the kernel's process, for the next grader if this one is killed."""
        os.ftruncate(_own_folders[self.path], 0)
        os.pwrite(_own_folders[self.path], identity(pid).encode(), 0)

    def remove(self) -> None:
        remove(self.path)
        os.close(_own_folders.pop(self.path))


def scratch() -> Path:
    """Return the folder for this process's temporary folders; other users may traverse it, but not list it."""
    parent = tempfile.gettempdir()
    with _one_at_a_time:
        if parent not in _scratch or not _scratch[parent].is_dir():  # in a long run, a cleaner may delete it
            _scratch[parent] = _make(parent)
        return _scratch[parent]


def _make(parent: str) -> Path:
    """Create a folder of this process; the first call removes folders of killed graders in `parent`."""
    if _ending.is_set():
        raise RuntimeError("This process ends, so it makes no folder any more.")
    if os.name == "posix":
        remove_abandoned(parent)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
    _own_folders[path] = -1  # from now on removed at exit
    _own_folders[path] = _lock_new(path)
    path.chmod(0o711)  # other users must traverse it
    return path


@atexit.register
def remove_own_folders() -> None:
    """Remove the folders of this process, even while its threads use them, and create no more."""
    _ending.set()
    for path in list(_own_folders):
        for attempt in range(_ATTEMPTS):
            remove(path)
            if not path.exists():
                break
            time.sleep(0.01 * attempt)


def identity(pid: int) -> str:
    """Return the pid and start time of a process, which identify it even if the pid is reused; "" if there is none."""
    with suppress(OSError):
        start = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{pid} {start}"
    return ""


@cache
def remove_abandoned(parent: str) -> None:
    """Remove the folders of this user's graders that are no longer running; once per process."""
    for path in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # cannot be locked: it is in use, or not a folder of a grader
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    import fcntl  # Windows has none

    lock = os.open(path / OWNER, os.O_RDWR | _NO_LINK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kernel = os.read(lock, 100).decode()
        if kernel and kernel == identity(int(kernel.split()[0])):
            os.kill(int(kernel.split()[0]), signal.SIGKILL)  # a kernel that outlived its grader
        remove(path)
    finally:
        os.close(lock)


def remove(folder: Path) -> None:
    """Remove a folder of any depth and with any permissions.

    Its subfolders are first moved up, so that neither the depth nor the length of a path grows. Entries that cannot be
    removed stay, as in shutil.rmtree with ignore_errors.
    """
    if os.name != "posix":  # no sandbox, and folders cannot be opened
        return shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, _FOLDER_ITSELF)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()


def chown_tree(folder: Path, user: int | None) -> None:
    """Recursively change the owner, restore the owner's permissions, and delete entries nested too deeply.

    user: uid and gid; None for no change
    No kernel may be running in the folder.
    """
    for inside, name, _ in walk(folder, repair=True):
        if user is not None:
            os.chown(name, user, user, dir_fd=inside, follow_symlinks=False)
    if user is not None:
        os.chown(folder, user, user, follow_symlinks=False)


def measure(folders: list[Path], most: int) -> tuple[int, int]:
    """Return the bytes on disk and the number of the entries in these folders, counting at most `most`.

    Raises TooDeepError, and PermissionError for a folder that the grader cannot open.
    """
    blocks = (status.st_blocks * 512 for folder in folders for _, _, status in walk(folder))
    sizes = list(islice(blocks, most))
    return sum(sizes), len(sizes)


def walk(folder: Path, repair: bool = False) -> Iterator[tuple[int, str, os.stat_result]]:
    """Yield (directory fd, name, stat) of every entry, skipping entries that disappear.

    repair: restore missing permissions, and empty folders that are too deep
    Raises TooDeepError and PermissionError, unless repaired.
    """
    top = os.open(folder, _FOLDER_ITSELF)
    try:
        yield from _walk(top, 0, repair)
    finally:
        os.close(top)


def _walk(folder: int, depth: int, repair: bool) -> Iterator[tuple[int, str, os.stat_result]]:
    if depth > DEEPEST:
        raise TooDeepError
    if depth == DEEPEST and repair:
        _empty(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError, NotADirectoryError):
                status = entry.stat(follow_symlinks=False)
                yield folder, entry.name, status
                if stat.S_ISDIR(status.st_mode):
                    if repair and stat.S_IMODE(status.st_mode) & 0o700 != 0o700:
                        os.chmod(entry.name, 0o700, dir_fd=folder)
                    inner = os.open(entry.name, _FOLDER_ITSELF, dir_fd=folder)
                    try:
                        yield from _walk(inner, depth + 1, repair)
                    finally:
                        os.close(inner)


def _empty(top: int) -> None:
    """Remove the content of an open folder, the owner file last, so that it survives if the process is killed."""
    pending = _clear(top, top, last=OWNER)
    while pending:
        name = pending.pop()
        inner = os.open(name, _FOLDER_ITSELF, dir_fd=top)
        try:
            pending += _clear(inner, top)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    with suppress(FileNotFoundError):
        os.unlink(OWNER, dir_fd=top)


def _clear(folder: int, top: int, last: str = "") -> list[str]:
    """Remove the files in an open folder, except `last`; move its folders up to `top` and return their new names."""
    moved = []
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.name, 0o700, dir_fd=folder)
            moved.append(f"{_PREFIX}{os.urandom(8).hex()}")
            os.rename(entry.name, moved[-1], src_dir_fd=folder, dst_dir_fd=top)
        elif entry.name != last:
            os.unlink(entry.name, dir_fd=folder)
    return moved


def _lock_new(path: Path) -> int:
    """Lock the owner file of a folder before giving it the name that other graders look for."""
    try:
        import fcntl
    except ImportError:  # Windows, where graders do not look for it
        return os.open(os.devnull, os.O_RDWR)
    lock = os.open(path / f"{OWNER}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(path / f"{OWNER}.new", path / OWNER)
    return lock


def copy_font_lists(home: Path) -> None:
    """Copy matplotlib's font lists; otherwise each kernel would build its own."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matplotlib")
    for fonts in sorted(Path(os.environ.get("MPLCONFIGDIR") or cached).glob("fontlist-*.json")):
        shutil.copy(fonts, home)
