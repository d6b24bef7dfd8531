"""Watcher that enforces limits that Linux does not: it measures a kernel from outside, and kills it above a limit.

It is a thread, not a task: nbclient's event loop pauses between cells, while a kernel's own threads run on.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nbjudge.sandbox.rlimits import MEGABYTE
from nbjudge.sandbox.scratch import TooDeepError, measure

_EVERY_S = 0.5


class Process(Protocol):
    """Interface of subprocess.Popen that the watcher uses."""

    pid: int
    returncode: int | None

    def kill(self) -> None: ...


@dataclass(frozen=True)
class ResourceLimits:
    """Limits of a kernel, named like the provisioner's settings."""

    memory_mb: int
    file_mb: int
    disk_mb: int
    files: int
    processes: int


class Watcher:
    """Measures a kernel and its folders twice a second until it ends or `stop` is called.

    reason: why the kernel was killed, to be read after "The kernel"; empty if it was not
    cpu_seconds: the processor time at the last measurement
    """

    def __init__(self, process: Process, folders: list[Path], allowed: ResourceLimits) -> None:
        self.reason = ""
        self.cpu_seconds = 0.0
        self._process, self._folders, self._allowed = process, folders, allowed
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher of a kernel", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop_event.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop_event.wait(_EVERY_S) and self._process.returncode is None:
            try:
                self.cpu_seconds = _processor_time(self._process.pid)
                reason = self._violation()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # the kernel is ending: seccomp keeps it from hiding itself
            if reason:
                self.reason = reason
                self._process.kill()
                return

    def _violation(self) -> str:  # noqa: PLR0911  (one return for each limit)
        """Return which limit the kernel exceeds, "" if none."""
        allowed, pid = self._allowed, self._process.pid
        try:
            size, number = measure(self._folders, allowed.files + 1)
        except TooDeepError:
            return "made folders inside of folders, too deep to look into"
        except PermissionError:
            return "made folders that the grader cannot look into"
        size += deleted_file_bytes(pid, self._folders, allowed.file_mb * MEGABYTE)
        memory, threads = _memory_and_threads(pid)
        if size > allowed.disk_mb * MEGABYTE:
            return f"wrote more than {allowed.disk_mb} MB"
        if number > allowed.files:
            return f"made more than {allowed.files} files"
        if memory > allowed.memory_mb * MEGABYTE:
            return f"used more than {allowed.memory_mb} MB of memory"
        if threads > allowed.processes:
            return f"started more than {allowed.processes} threads"
        return ""


def deleted_file_bytes(pid: int, folders: list[Path], charge: int) -> int:
    """Return the bytes on disk of deleted files that are still open or mapped.

    charge: the bytes to count for a file that is only mapped, whose size is unknown
    """
    sizes: dict[tuple[int, int], int] = {}
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.endswith(" (deleted)") and any(f" {folder}/" in line for folder in folders):
            _, _, _, device, inode, _ = line.split(maxsplit=5)
            major, minor = (int(part, 16) for part in device.split(":"))
            sizes[os.makedev(major, minor), int(inode)] = charge
    with os.scandir(f"/proc/{pid}/fd") as handles:
        for handle in handles:
            with suppress(FileNotFoundError):
                status = os.stat(handle.path)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def _memory_and_threads(pid: int) -> tuple[int, int]:
    """Return the bytes of anonymous and shared memory of a process, not of files, and its number of threads.

    Page tables count: a process that reads one page of each 2 MB, and writes to none, has nothing else.
    """
    counted = {"RssAnon": 0, "RssShmem": 0, "VmPTE": 0, "VmSwap": 0, "Threads": 0}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in counted:
            counted[name] = int(value.split()[0])
    threads = counted.pop("Threads")
    return sum(counted.values()) * 1024, threads


def _processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def describe_exit(code: int, cpu_seconds: int) -> str:
    """Return the meaning of an exit code, to be read after "The kernel".

    code: as in subprocess, negative for a signal; cpu_seconds: the limit on processor time
    """
    if code >= 0:
        return f"ended itself with exit code {code}"
    if code == -signal.SIGXCPU:
        return f"used more than {cpu_seconds} s of processor time"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if code == -signal.SIGKILL:
        return f"was killed ({name}), as happens when the machine runs out of memory"
    if code == -signal.SIGSYS:
        return f"made a system call that is forbidden ({name})"
    return f"crashed ({name})"
