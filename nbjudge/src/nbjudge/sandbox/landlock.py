"""Landlock: restrict a process and its children to listed files.

It does not cover testing for the existence and size of a file, nor changing permissions, owners and times of a file;
seccomp.py covers the latter.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from nbjudge.linux import call, forbid_new_privileges

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_BENEATH_A_PATH = 1

_EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, _REMOVE_FOLDER, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_FOLDER, _MAKE_FILE, MAKE_SOCKET, _RENAME_ACROSS, _TRUNCATE, _DEVICE_COMMANDS = (
    1 << n for n in (7, 8, 9, 13, 14, 15)
)
READ = READ_FILE | READ_FOLDER
# No links, pipes or devices: nbgrader writes the graded notebook there, and would follow or wait for them.
WRITE = READ | WRITE_FILE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _RENAME_ACROSS | _TRUNCATE
_ON_A_FILE = _EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _DEVICE_COMMANDS

_TCP_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_PROCESSES = "/proc/"

_open_handles: list[int] = []  # kept open: otherwise the rules for them are lost


def version() -> int:
    """Return the Landlock ABI version of the running kernel; 0 if there is none."""
    try:
        return call(_CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def restrict(rights: Iterable[tuple[str, int]]) -> None:
    """Restrict the calling thread, and threads that it starts later, to these rights beneath these paths.

    rights: (path, READ or WRITE or other rights); nonexistent paths are skipped
    Raises OSError if Landlock is missing.
    """
    running = version()
    handled = _file_rights(running)
    ruleset = call(_CREATE_RULESET, *_ruleset(running, handled), 0)
    try:
        for path, allowed in rights:
            _allow(ruleset, path, allowed & handled)
        forbid_new_privileges()
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _file_rights(running: int) -> int:
    """Return all file rights that this version of Landlock can restrict."""
    last_right = {0: 0, 1: 12, 2: 13, 3: 14, 4: 14}.get(running, 15)
    return (1 << (last_right + 1)) - 1


def _ruleset(running: int, handled: int) -> tuple[bytes, int]:
    """Return the ruleset attribute structure for this version, and its size."""
    fields = [handled]
    if running >= 4:
        fields.append(_TCP_BIND_AND_CONNECT)
    if running >= 6:
        fields.append(_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return attributes, len(attributes)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            allowed &= _ON_A_FILE
        call(_ADD_RULE, ruleset, _BENEATH_A_PATH, struct.pack("=Qi", allowed, handle), 0)
    finally:
        # A rule refers to an inode. Under memory pressure, /proc drops inodes that are not open, and makes new ones.
        if path.startswith(_PROCESSES):
            _open_handles.append(handle)
        else:
            os.close(handle)
