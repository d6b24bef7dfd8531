"""Read an untrusted folder without ever following a link out of it."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import BinaryIO

# Windows cannot open folders; there, each path is checked before it is used.
HAS_DIR_FD = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
FOLDER = _NO_LINKS | getattr(os, "O_DIRECTORY", 0)
FILE = _NO_LINKS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a pipe must not block


class OpenFolder:
    """A folder that is kept open, so that no other can be put in its place; close it after use."""

    def __init__(self, path: Path, parent: OpenFolder | None = None) -> None:
        """Open a folder. Raises OSError when it is a link, not a folder or unreadable."""
        self._path, self._fd = path, -1
        if HAS_DIR_FD:
            location = (path, None) if parent is None else (path.name, parent._fd)
            self._fd = os.open(location[0], FOLDER, dir_fd=location[1])
        elif not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(f"{path} is not a folder")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def folder(self, name: str) -> OpenFolder:
        """Open a folder in this one."""
        return OpenFolder(self._path / name, self)

    def entries(self, limit: int) -> list[tuple[str, os.stat_result]]:
        """Return at most `limit` pairs (name, status), sorted by name, without following links."""
        statuses = []
        with os.scandir(self._fd if HAS_DIR_FD else self._path) as entries:
            for entry in islice(entries, limit):
                try:
                    statuses.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue  # deleted since it was listed
        return sorted(statuses, key=lambda entry: entry[0])

    def open(self, name: str, max_bytes: int) -> BinaryIO:
        """Open a file of this folder.

        Raises OSError unless it is a plain file with a single name and at most `max_bytes` bytes.
        """
        location: tuple[str | Path, int | None] = (name, self._fd) if HAS_DIR_FD else (self._path / name, None)
        expected = os.stat(location[0], dir_fd=location[1], follow_symlinks=False)
        _check(expected, max_bytes)
        file = os.fdopen(os.open(location[0], os.O_RDONLY | FILE, dir_fd=location[1]), "rb")
        try:
            opened = os.fstat(file.fileno())
            _check(opened, max_bytes)
            if (opened.st_dev, opened.st_ino) != (expected.st_dev, expected.st_ino):
                raise OSError("it changed while it was opened")
        except OSError:
            file.close()
            raise
        return file

    def read_file(self, relative: str, max_bytes: int) -> bytes:
        """Return the bytes of a file at a path below this folder, opening one component of it at a time.

        Raises OSError as `open` does.
        """
        *parents, name = relative.split("/")
        with ExitStack() as opened:
            folder = self
            for parent in parents:
                folder = opened.enter_context(closing(folder.folder(parent)))
            with folder.open(name, max_bytes) as file:
                content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise OSError(f"it has more than {max_bytes} bytes")
        return content


def read_inside(root: Path, relative: str, max_bytes: int) -> bytes:
    """Return the bytes of the file root/relative. Raises OSError as OpenFolder.read_file does."""
    with closing(OpenFolder(root)) as folder:
        return folder.read_file(relative, max_bytes)


def _check(status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError("it is a link")
    if stat.S_ISDIR(status.st_mode):
        raise OSError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is not a plain file")
    if status.st_nlink > 1:
        raise OSError("it is a hard link: the same file has another name elsewhere")
    if status.st_size > max_bytes:
        raise OSError(f"it has {status.st_size} bytes; expected at most {max_bytes}")
