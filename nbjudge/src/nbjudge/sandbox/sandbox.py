"""The sandbox of a submission's kernel: user, limits, Landlock and seccomp, each in a module of its own.

The grader calls `missing_layers` for what the machine cannot enforce, and writes a Sandbox; the kernel loads it, enters
it before it imports any large library, and seals it before the first cell.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nbjudge.sandbox import landlock, seccomp, uid_pool
from nbjudge.sandbox.rlimits import apply_limits, raise_oom_score

# Read by libraries when they start: loader, fonts, time zones, number of processors.
SYSTEM: tuple[str, ...] = ("/usr", "/lib", "/lib64", "/bin", "/nix/store")
SYSTEM += tuple(f"/etc/{name}" for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl"))
SYSTEM += tuple(f"/etc/{name}" for name in ("localtime", "timezone", "fonts", "mime.types", "nsswitch.conf"))
SYSTEM += tuple(f"/proc/{name}" for name in ("cpuinfo", "meminfo", "stat", "filesystems", "loadavg", "version"))
SYSTEM += ("/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/pid_max")
SYSTEM += ("/sys/devices/system/cpu", "/sys/devices/system/node")
# The limits of a container, by which joblib and others count processors. The rest of the folder lists all services.
SYSTEM += ("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpuset.cpus.effective", "/sys/fs/cgroup/memory.max")
SYSTEM += ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")
SYSTEM += ("/sys/fs/cgroup/memory/memory.limit_in_bytes",)
# The files of /proc/self about the process; the others are about the machine: its network, mounts, control groups.
_OWN_PROCESS = tuple(f"/proc/self/{name}" for name in ("stat", "statm", "status", "cmdline", "comm", "environ", "auxv"))
_OWN_PROCESS += tuple(
    f"/proc/self/{name}" for name in ("maps", "smaps", "smaps_rollup", "limits", "io", "fd", "fdinfo")
)
_OWN_THREADS = "/proc/self/task"  # listed to count threads; the folder of a thread has all files of the process's
# Not /dev/zero: mapped as shared it is memory that no limit counts.
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Sandbox:
    """Configuration of the sandbox of one kernel.

    home: its private home folder; work: its working directory
    layers: layers that must be in force before the first cell
    readable: files and folders that it may read; listed: folders that it may only list
    withheld: modules that it can neither import nor read
    user: uid that the kernel switches to, if the grader is root; 0 for no change
    read_anything: the user may read whatever Landlock allows, regardless of permissions
    """

    home: str
    work: str
    layers: list[str]
    readable: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    user: int = 0
    read_anything: bool = False

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Sandbox:
        return cls(**json.loads(file.read_text(encoding="utf-8")))


def missing_layers() -> dict[str, str]:
    """Return {layer: why this machine cannot enforce it} for the missing layers.

    Whether a kernel can have a user of its own depends on the course; see uid_pool.missing.
    """
    if not sys.platform.startswith("linux"):
        return dict.fromkeys(("user", "limits", "landlock", "seccomp"), f"{sys.platform} has none")
    missing = {}
    if not landlock.version():
        missing["landlock"] = "this Linux kernel has none, or it was switched off"
    if reason := seccomp.missing():
        missing["seccomp"] = reason
    return missing


def announcement(limits: Mapping[str, int], missing: Mapping[str, str]) -> str:
    """Return one line that lists the layers in force on this machine, and the missing ones."""
    details = {
        "user": "a user of its own" if _is_root() else "the grader's user",
        "limits": f"limits ({', '.join(f'{name} {value}' for name, value in limits.items())})",
        "landlock": f"landlock v{landlock.version()}",
        "seccomp": "seccomp",
    }
    in_force = [text for layer, text in details.items() if layer not in missing]
    gaps = [f"{layer} ({reason})" for layer, reason in missing.items()]
    warning = (
        ""
        if {"limits", "landlock", "seccomp"} - missing.keys()
        else ". A SUBMISSION CAN READ AND CHANGE WHATEVER YOU CAN."
    )
    return f"sandbox: {', '.join(in_force) or 'NONE'}; not in force: {', '.join(gaps) or 'nothing'}{warning}"


def enter(sandbox: Sandbox) -> None:
    """Put the calling process in the sandbox, except for the seal. It must have one thread: Landlock is per thread."""
    if "limits" in sandbox.layers:
        raise_oom_score()
        apply_limits(sandbox.limits)
    uid_pool.drop_privileges(sandbox.user, sandbox.read_anything)
    if "landlock" in sandbox.layers:
        landlock.restrict(_rights(sandbox))


def seal(sandbox: Sandbox) -> None:
    """Forbid the system calls that only the start of the kernel needed."""
    if "seccomp" in sandbox.layers:
        seccomp.seal()


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _rights(sandbox: Sandbox) -> list[tuple[str, int]]:
    rights = [(path, landlock.READ) for path in [*_OWN_PROCESS, *sandbox.readable]]
    rights += [(path, landlock.READ_FOLDER) for path in [_OWN_THREADS, *sandbox.listed]]
    rights += [(path, landlock.READ_FILE | landlock.WRITE_FILE) for path in _DEVICES]
    rights.append((sandbox.home, landlock.WRITE | landlock.MAKE_SOCKET))
    rights.append((sandbox.work, landlock.WRITE))
    return rights


def python_folders() -> list[str]:
    """Return the folders of the running Python: its standard library, packages and data."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return sorted({sys.prefix, sys.base_prefix, *(sysconfig.get_path(name) for name in names)})
