"""Temporary folders of a grading process: a private one for each kernel, and one for its own files.

They are made, handed over, measured and removed, with anything a submission left in them. They go with the process;
what one leaves that is killed, the next one removes.

What a submission leaves is looked at through open folders, never by a path and never through a link, so that nothing
in it leads elsewhere.
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

PREFIX = "box-"
OWNER = "owner"  # a file that the grader keeps locked: a folder where it is not locked belongs to nobody any more
LONGEST_SOCKET_FOLDER = 70  # Linux allows 107 characters for the path of a socket, macOS 103
DEEPEST = 64
ATTEMPTS = 10  # at removing a folder in which others are at work
NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
FOLDER_ITSELF = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | NO_LINK

_ours: dict[Path, int] = {}  # {folder of this process: the lock that says so}
_scratch: dict[str, Path] = {}  # {temporary folder: ours in it}
_one_at_a_time = threading.Lock()
_ending = threading.Event()


class TooDeep(Exception):
    """Folders inside of folders, further than anybody needs."""


def place_for_sockets() -> str:
    """Return the temporary folder, or one with a shorter name where that is too long for sockets."""
    anywhere = tempfile.gettempdir()
    return anywhere if len(anywhere) <= LONGEST_SOCKET_FOLDER else "/tmp"


@dataclass
class PrivateFolder:
    """The folder of one kernel: `home` is its own, `packages` it may read."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def packages(self) -> Path:
        return self.path / "packages"

    @classmethod
    def make(cls) -> PrivateFolder:
        """Make one in the temporary folder."""
        path = _make(place_for_sockets())
        (path / "packages").mkdir()
        (path / "packages").chmod(0o755)
        (path / "home").mkdir(mode=0o700)
        return cls(path)

    def belongs_to(self, pid: int) -> None:
        """Write down which process is the kernel, for the next grader if this one is killed."""
        os.ftruncate(_ours[self.path], 0)
        os.pwrite(_ours[self.path], identity(pid).encode(), 0)

    def remove(self) -> None:
        remove(self.path)
        os.close(_ours.pop(self.path))


def scratch() -> Path:
    """Return the folder in which this process makes its temporary ones; others pass through it, and see nothing."""
    parent = tempfile.gettempdir()
    with _one_at_a_time:
        if parent not in _scratch or not _scratch[parent].is_dir():  # of a process that runs for weeks, some tidy up
            _scratch[parent] = _make(parent)
        return _scratch[parent]


def _make(parent: str) -> Path:
    """Make a folder of this process; the first call removes what graders left in `parent` that were killed."""
    if _ending.is_set():
        raise RuntimeError("This process ends, so it makes no folder any more.")
    if os.name == "posix":
        remove_abandoned(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
    _ours[path] = -1  # from now on it is removed at the end
    _ours[path] = _lock_new(path)
    path.chmod(0o711)  # another user must come through
    return path


@atexit.register
def remove_ours() -> None:
    """Remove the folders of this process for good, even while its threads are at work in them."""
    _ending.set()
    for path in list(_ours):
        for attempt in range(ATTEMPTS):
            remove(path)
            if not path.exists():
                break
            time.sleep(0.01 * attempt)


def identity(pid: int) -> str:
    """Return what tells a process from a later one of the same number: its number and when it began, or nothing."""
    with suppress(OSError):
        began = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{pid} {began}"
    return ""


@cache
def remove_abandoned(parent: str) -> None:
    """Remove the private folders of graders of this user that are no longer running; once in each process."""
    for path in Path(parent).glob(f"{PREFIX}*"):
        with suppress(OSError):  # not to be locked: somebody is using it, or it is none of ours
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    import fcntl  # Windows has none

    lock = os.open(path / OWNER, os.O_RDWR | NO_LINK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kernel = os.read(lock, 100).decode()
        if kernel and kernel == identity(int(kernel.split()[0])):
            os.kill(int(kernel.split()[0]), signal.SIGKILL)  # a kernel that outlived its grader
        remove(path)
    finally:
        os.close(lock)


def remove(folder: Path) -> None:
    """Remove a folder, however deep it is and whatever permissions its folders have.

    Folders found in it are first moved up, so that neither the depth nor the length of a path grows. What cannot be
    removed stays, as in shutil.rmtree with ignore_errors.
    """
    if os.name != "posix":  # no box, and no folders to be opened
        return shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, FOLDER_ITSELF)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()


def chown_tree(folder: Path, user: int | None) -> None:
    """Recursively change the owner, restore the owner's permissions, and delete entries nested too deeply.

    user: also the number of the group; None for no change
    No kernel may be running in the folder.
    """
    for inside, name, _ in walk(folder, in_order=True):
        if user is not None:
            os.chown(name, user, user, dir_fd=inside, follow_symlinks=False)
    if user is not None:
        os.chown(folder, user, user, follow_symlinks=False)


def measure(folders: list[Path], most: int) -> tuple[int, int]:
    """Return the bytes on the disk and the number of files and folders in these folders, of which it counts `most`.

    Raises TooDeep, and PermissionError for a folder that is closed to the grader.
    """
    found = (status.st_blocks * 512 for folder in folders for _, _, status in walk(folder))
    sizes = list(islice(found, most))
    return sum(sizes), len(sizes)


def walk(folder: Path, in_order: bool = False) -> Iterator[tuple[int, str, os.stat_result]]:
    """Yield (directory fd, name, stat) of every entry, skipping entries that disappear.

    in_order: first put right what keeps from going on
    Raises, unless it is put right, TooDeep and PermissionError.
    """
    top = os.open(folder, FOLDER_ITSELF)
    try:
        yield from _walk(top, 0, in_order)
    finally:
        os.close(top)


def _walk(folder: int, depth: int, in_order: bool) -> Iterator[tuple[int, str, os.stat_result]]:
    if depth > DEEPEST:
        raise TooDeep
    if depth == DEEPEST and in_order:
        _empty(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError, NotADirectoryError):
                status = entry.stat(follow_symlinks=False)
                yield folder, entry.name, status
                if stat.S_ISDIR(status.st_mode):
                    if in_order and stat.S_IMODE(status.st_mode) & 0o700 != 0o700:
                        os.chmod(entry.name, 0o700, dir_fd=folder)
                    inner = os.open(entry.name, FOLDER_ITSELF, dir_fd=folder)
                    try:
                        yield from _walk(inner, depth + 1, in_order)
                    finally:
                        os.close(inner)


def _empty(top: int) -> None:
    """Remove all that is in an open folder, the file that names its owner last: whoever is killed leaves it there."""
    waiting = _clear(top, top, last=OWNER)
    while waiting:
        name = waiting.pop()
        inner = os.open(name, FOLDER_ITSELF, dir_fd=top)
        try:
            waiting += _clear(inner, top)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    with suppress(FileNotFoundError):
        os.unlink(OWNER, dir_fd=top)


def _clear(folder: int, top: int, last: str = "") -> list[str]:
    """Remove the files in an open folder, but for `last`; move its folders up to the top and return their new names."""
    moved = []
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.name, 0o700, dir_fd=folder)
            moved.append(f"{PREFIX}{os.urandom(8).hex()}")
            os.rename(entry.name, moved[-1], src_dir_fd=folder, dst_dir_fd=top)
        elif entry.name != last:
            os.unlink(entry.name, dir_fd=folder)
    return moved


def _lock_new(path: Path) -> int:
    """Lock the file that says that somebody uses the folder, before it has the name that others look for."""
    try:
        import fcntl
    except ImportError:  # Windows, where nobody looks either
        return os.open(os.devnull, os.O_RDWR)
    lock = os.open(path / f"{OWNER}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(path / f"{OWNER}.new", path / OWNER)
    return lock


def copy_font_lists(home: Path) -> None:
    """Copy matplotlib's lists of the fonts there are, or each kernel would make its own."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matplotlib")
    for fonts in sorted(Path(os.environ.get("MPLCONFIGDIR") or cached).glob("fontlist-*.json")):
        shutil.copy(fonts, home)
