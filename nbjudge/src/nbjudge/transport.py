"""Sockets between the judge and a submission's process: Unix sockets if available, otherwise local ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

UNIX = hasattr(socket, "AF_UNIX")  # Windows has none
_LOCALHOST = "127.0.0.1"

_reserved: list[tuple[socket.socket, str]] = []  # (socket, its path)


def reserve(path: str) -> None:
    """Bind the socket for a later `listen`, in a process that will soon be forbidden to bind sockets."""
    Path(path).unlink(missing_ok=True)  # of the previous kernel, after a restart
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(path)
    _reserved.append((waiting, path))


def listen(path: str) -> socket.socket:
    """Return a socket that listens at the file `path`; without Unix sockets, the file contains a port number."""
    if _reserved:
        waiting, file = _reserved.pop()
        os.rename(file, path)
    else:
        waiting = socket.socket(socket.AF_UNIX if UNIX else socket.AF_INET)
        waiting.bind(path if UNIX else (_LOCALHOST, 0))
    if not UNIX:
        Path(path).write_text(str(waiting.getsockname()[1]), encoding="ascii")
    waiting.listen(1)
    return waiting


def connect(path: str) -> socket.socket:
    """Return a connection to the socket at `path`. Raises OSError, or ValueError if the file contains no number."""
    connection = socket.socket(socket.AF_UNIX if UNIX else socket.AF_INET)
    try:
        connection.connect(path if UNIX else (_LOCALHOST, int(Path(path).read_text(encoding="ascii"))))
    except BaseException:
        connection.close()
        raise
    return connection
