"""Linux system calls that Python does not expose."""

from __future__ import annotations

import ctypes
import os
import sys

DIE_WITH_PARENT, DUMPABLE, KEEP_CAPABILITIES, DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVS = 1, 4, 8, 24, 38  # of prctl


def call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by its number. Raises OSError."""
    return _checked(_libc().syscall(ctypes.c_long(number), *map(_as_c, arguments)))


def prctl(option: int, value: int) -> int:
    """Change a property of the calling process. Raises OSError."""
    return _checked(_libc().prctl(ctypes.c_int(option), *map(_as_c, (value, 0, 0, 0))))


def forbid_new_privileges() -> None:
    """Forbid programs started later to gain privileges, a precondition of Landlock and seccomp."""
    prctl(_NO_NEW_PRIVS, 1)


def capset(header: bytes, data: bytes) -> int:
    """Set the capabilities of the calling thread. Raises OSError."""
    return _checked(_libc().capset(header, data))


def _libc() -> ctypes.CDLL:
    if not sys.platform.startswith("linux"):
        raise OSError(f"{sys.platform} has no Linux system calls")
    return ctypes.CDLL(None, use_errno=True)


def _as_c(argument: int | bytes | None) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
