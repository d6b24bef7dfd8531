"""Sockets between the judge and a submission's process: Unix sockets, or local ports where there are none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

UNIX = hasattr(socket, "AF_UNIX")  # Windows has none
HERE = "127.0.0.1"

_reserved: list[tuple[socket.socket, str]] = []  # (socket, the file that it is)


def reserve(path: str) -> None:
    """Make the socket of a later `listen`, in a process that is soon forbidden to give a socket a name."""
    Path(path).unlink(missing_ok=True)  # of the kernel before, when this one is a restarted one
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(path)
    _reserved.append((waiting, path))


def listen(path: str) -> socket.socket:
    """Return a socket that waits at the file `path`; without Unix sockets, the file holds the number of a port."""
    if _reserved:
        waiting, file = _reserved.pop()
        os.rename(file, path)
    else:
        waiting = socket.socket(socket.AF_UNIX if UNIX else socket.AF_INET)
        waiting.bind(path if UNIX else (HERE, 0))
    if not UNIX:
        Path(path).write_text(str(waiting.getsockname()[1]), encoding="ascii")
    waiting.listen(1)
    return waiting


def connect(path: str) -> socket.socket:
    """Return a connection to who waits at `path`. Raises OSError, or ValueError where the file holds no number."""
    connection = socket.socket(socket.AF_UNIX if UNIX else socket.AF_INET)
    try:
        connection.connect(path if UNIX else (HERE, int(Path(path).read_text(encoding="ascii"))))
    except BaseException:
        connection.close()
        raise
    return connection
