"""Run each kernel of a grader that is root as an unprivileged user of its own.

The file system then keeps submissions from each other and from the course even where Landlock is missing, and the
number of processes, which the system counts for each user, becomes a limit for each submission.
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

USERS = range(61184, 65520)  # what systemd reserves for users that come and go; nobody else's
CAPABILITIES_VERSION_3 = 0x20080522
READ_ANYTHING = 2  # CAP_DAC_READ_SEARCH
# What a grader needs to hand a folder over, to switch, and to stop the kernel and clear up behind it afterwards.
NEEDED = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}

_in_use: set[int] = set()
_one_at_a_time = threading.Lock()


def wanted() -> bool:
    """Return whether the grader is root, who alone can have another user run a kernel."""
    return os.geteuid() == 0


def missing(paths: Iterable[str], caged: bool) -> str:
    """Return why kernels cannot have users of their own; empty when they can, and for a grader who is not root.

    paths: what a kernel must be able to read; caged: Landlock and seccomp decide what a kernel reads in any case
    """
    if not wanted():
        return ""
    held = _capabilities()
    if lacking := [name for name, number in NEEDED.items() if not held >> number & 1]:
        return f"root has no {', '.join(f'CAP_{name}' for name in lacking)} here"
    if not _has_users() or Path("/proc/self/setgroups").read_text(encoding="ascii").strip() != "allow":
        return f"this container has no users {USERS[0]} to {USERS[-1]}"
    closed = first_private_ancestor(paths)
    if closed and not (caged and held >> READ_ANYTHING & 1):
        return f"{closed} is closed to other users; install Python and keep the course where all users can read"
    return ""


def first_private_ancestor(paths: Iterable[str]) -> str:
    """Return the first ancestor of one of the paths that is accessible to its owner or group only."""
    for path in paths:
        place = Path(path).resolve()
        if not place.exists():
            continue
        for folder in reversed(place.parents):
            if not folder.stat().st_mode & 0o001:
                return str(folder)
        wanted = 0o005 if place.is_dir() else 0o004
        if place.stat().st_mode & wanted != wanted:
            return str(place)
    return ""


def take_user() -> int:
    """Return a user that no process belongs to, until `return_user`.

    Raises RuntimeError when all are in use.
    """
    with _one_at_a_time:
        free = set(USERS) - _in_use - _users_of_processes()
        if not free:
            raise RuntimeError(f"All users from {USERS[0]} to {USERS[-1]} run processes; expected a free one.")
        user = random.SystemRandom().choice(sorted(free))  # the seeded generator is the grader's
        _in_use.add(user)
    return user


def return_user(user: int) -> None:
    """Let a user be taken again."""
    with _one_at_a_time:
        _in_use.discard(user)


def drop_privileges(user: int, read_anything: bool) -> None:
    """Change the calling, single-threaded process to this user (0 keeps the user), and drop all capabilities.

    read_anything: keep CAP_DAC_READ_SEARCH, where Python lies in a folder of root's and Landlock says what is read
    """
    _empty_bounding_set()
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        prctl(KEEP_CAPABILITIES, 1)  # for the next line only, after which all but one go
        os.setresuid(user, user, user)
        prctl(KEEP_CAPABILITIES, 0)
    kept = 1 << READ_ANYTHING if user and read_anything else 0
    header = struct.pack("=Ii", CAPABILITIES_VERSION_3, 0)
    capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0))
    if user:
        prctl(DUMPABLE, 1)  # or its own /proc/self would belong to root


def _empty_bounding_set() -> None:
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    with suppress(PermissionError):  # of an ordinary user it cannot be taken, nor does it grant anything
        for capability in range(last + 1):
            prctl(DROP_FROM_BOUNDING_SET, capability)


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("CapEff:")]
    return int(line.split()[1], 16)


def _has_users() -> bool:
    """Return whether all of the users exist inside this container."""
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
