"""What Linux sets no limit to: the watcher counts it from outside, and ends the kernel that takes too much.

It is a thread, not a task: nbclient's event loop stands still between cells, while a kernel's own threads do not.
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
from nbjudge.sandbox.scratch import TooDeep, measure

EVERY_S = 0.5


class Process(Protocol):
    """What the watcher asks of a subprocess.Popen."""

    pid: int
    returncode: int | None

    def kill(self) -> None: ...


@dataclass(frozen=True)
class ResourceLimits:
    """How much a kernel may take, in the words of the provisioner's settings."""

    memory_mb: int
    file_mb: int
    disk_mb: int
    files: int
    processes: int


class Watcher:
    """Looks at a kernel and its folders twice a second until it ends or `stop` is called.

    reason: why the kernel was ended, to be read after "The kernel"; empty when it was not
    cpu_seconds: the processor time at the last look
    """

    def __init__(self, process: Process, folders: list[Path], allowed: ResourceLimits) -> None:
        self.reason = ""
        self.cpu_seconds = 0.0
        self._process, self._folders, self._allowed = process, folders, allowed
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher of a kernel", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._enough.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._enough.wait(EVERY_S) and self._process.returncode is None:
            try:
                self.cpu_seconds = processor_time(self._process.pid)
                reason = self._look()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # the kernel is ending: seccomp keeps it from hiding itself
            if reason:
                self.reason = reason
                self._process.kill()
                return

    def _look(self) -> str:
        allowed, pid = self._allowed, self._process.pid
        try:
            held, number = measure(self._folders, allowed.files + 1)
        except TooDeep:
            return "made folders inside of folders, too deep to look into"
        except PermissionError:
            return "made folders that the grader cannot look into"
        held += without_a_name(pid, self._folders, allowed.file_mb * MEGABYTE)
        memory, threads = memory_and_threads(pid)
        if held > allowed.disk_mb * MEGABYTE:
            return f"wrote more than {allowed.disk_mb} MB"
        if number > allowed.files:
            return f"made more than {allowed.files} files"
        if memory > allowed.memory_mb * MEGABYTE:
            return f"used more than {allowed.memory_mb} MB of memory"
        if threads > allowed.processes:
            return f"started more than {allowed.processes} threads"
        return ""


def without_a_name(pid: int, folders: list[Path], charge: int) -> int:
    """Return the bytes on the disk in files that were removed while they are open or mapped.

    charge: the bytes to count for a file that is only mapped, as its size cannot be seen
    """
    held: dict[tuple[int, int], int] = {}
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.endswith(" (deleted)") and any(f" {folder}/" in line for folder in folders):
            _, _, _, device, inode, _ = line.split(maxsplit=5)
            major, minor = (int(part, 16) for part in device.split(":"))
            held[os.makedev(major, minor), int(inode)] = charge
    with os.scandir(f"/proc/{pid}/fd") as handles:
        for handle in handles:
            with suppress(FileNotFoundError):
                status = os.stat(handle.path)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    held[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(held.values())


def memory_and_threads(pid: int) -> tuple[int, int]:
    """Return the bytes of memory that are a process's own or shared with others, not files', and its threads.

    Among them are its page tables: who looks at one page of each 2 MB, and writes to none, has nothing else.
    """
    counted = {"RssAnon": 0, "RssShmem": 0, "VmPTE": 0, "VmSwap": 0, "Threads": 0}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in counted:
            counted[name] = int(value.split()[0])
    threads = counted.pop("Threads")
    return sum(counted.values()) * 1024, threads


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def describe_exit(code: int, cpu_seconds: int) -> str:
    """Return what an exit code means, to be read after "The kernel".

    code: as subprocess gives it, the negative number of a signal; cpu_seconds: the processor time it was allowed
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
