"""What became of a process, for tests that end some."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def gone(pid: int) -> bool:
    """Tell whether a process has ended; whether its parent has been told does not matter."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(claim: Callable[[], bool]) -> bool:
    """Wait up to half a minute for something to be so."""
    for _ in range(600):
        if claim():
            return True
        time.sleep(0.05)
    return False
