"""Run each kernel of a grader that is root as an unprivileged user of its own.

File permissions then isolate submissions from each other and from the course even without Landlock, and the process
limit, which Linux counts per user, applies to each submission.
"""

from __future__ import annotations

import os
import random
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nbjudge.linux import DROP_FROM_BOUNDING_SET, DUMPABLE, KEEP_CAPABILITIES, capset, prctl

USERS = range(61184, 65520)  # reserved by systemd for dynamic users
_CAPABILITIES_VERSION_3 = 0x20080522
READ_ANYTHING = 2  # CAP_DAC_READ_SEARCH
# Capabilities to chown a folder, to switch users, to kill the kernel and to clean up afterwards.
NEEDED = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}

_in_use: set[int] = set()
_one_at_a_time = threading.Lock()


def runs_as_root() -> bool:
    """Return whether the grader is root, and so can run kernels as other users."""
    return os.geteuid() == 0


def missing(paths: Iterable[str], caged: bool) -> str:
    """Return why kernels cannot have users of their own; empty if they can, and for a grader that is not root.

    paths: files that a kernel must be able to read; caged: Landlock and seccomp are in force and restrict access
    """
    if not runs_as_root():
        return ""
    capabilities = _capabilities()
    if lacking := [name for name, number in NEEDED.items() if not capabilities >> number & 1]:
        return f"root has no {', '.join(f'CAP_{name}' for name in lacking)} here"
    if not _has_users() or Path("/proc/self/setgroups").read_text(encoding="ascii").strip() != "allow":
        return f"this container has no users {USERS[0]} to {USERS[-1]}"
    private = first_private_ancestor(paths)
    if private and not (caged and capabilities >> READ_ANYTHING & 1):
        return f"{private} is closed to other users; install Python and keep the course where all users can read"
    return ""


def first_private_ancestor(paths: Iterable[str]) -> str:
    """Return the first ancestor of one of the paths that is accessible to its owner or group only."""
    for path in paths:
        target = Path(path).resolve()
        if not target.exists():
            continue
        for folder in reversed(target.parents):
            if not folder.stat().st_mode & 0o001:
                return str(folder)
        required = 0o005 if target.is_dir() else 0o004
        if target.stat().st_mode & required != required:
            return str(target)
    return ""


def take_user() -> int:
    """Reserve and return a uid that no process has, until `return_user`.

    Raises RuntimeError if all are in use.
    """
    with _one_at_a_time:
        free = set(USERS) - _in_use - _users_of_processes()
        if not free:
            raise RuntimeError(f"All users from {USERS[0]} to {USERS[-1]} run processes; expected a free one.")
        user = random.SystemRandom().choice(sorted(free))  # not the grader's seeded generator
        _in_use.add(user)
    return user


def return_user(user: int) -> None:
    """Return a uid to the pool."""
    with _one_at_a_time:
        _in_use.discard(user)


def drop_privileges(user: int, read_anything: bool) -> None:
    """Switch the calling, single-threaded process to this user (0 for no change), and drop all capabilities.

    read_anything: keep CAP_DAC_READ_SEARCH, for a Python in a private folder; Landlock restricts access
    """
    _empty_bounding_set()
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        prctl(KEEP_CAPABILITIES, 1)  # across setresuid; afterwards all but one are dropped
        os.setresuid(user, user, user)
        prctl(KEEP_CAPABILITIES, 0)
    capabilities = 1 << READ_ANYTHING if user and read_anything else 0
    header = struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0)
    capset(header, struct.pack("=6I", capabilities, capabilities, 0, 0, 0, 0))
    if user:
        prctl(DUMPABLE, 1)  # otherwise its /proc/self would belong to root


def _empty_bounding_set() -> None:
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    with suppress(PermissionError):  # an ordinary user cannot drop it, and gains nothing by it
        for capability in range(last + 1):
            prctl(DROP_FROM_BOUNDING_SET, capability)


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("CapEff:")]
    return int(line.split()[1], 16)


def _has_users() -> bool:
    """Return whether all uids of the pool exist in this container."""
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        first, _, count = map(int, line.split())
        if first <= USERS[0] and USERS[-1] < first + count:
            return True
    return False


def _users_of_processes() -> set[int]:
    users = set()
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with suppress(FileNotFoundError, ProcessLookupError):
                    users.add(entry.stat().st_uid)
    return users
