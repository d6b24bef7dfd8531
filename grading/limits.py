"""How much of the machine one kernel may use, and what it may do to it when it runs as root."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

from grading.syscalls import DROP_FROM_BOUNDING_SET, capset, prctl

MEGABYTE = 1 << 20
CAPABILITIES_VERSION_3 = 0x20080522

# The limit of the resource module that each name stands for, and the unit it is counted in. RLIMIT_DATA counts what
# is written to; RLIMIT_AS would count the address space too, of which TensorFlow takes far more than it uses.
LIMITS = {
    "memory_mb": ("RLIMIT_DATA", MEGABYTE),
    "cpu_seconds": ("RLIMIT_CPU", 1),
    "file_mb": ("RLIMIT_FSIZE", MEGABYTE),
    "open_files": ("RLIMIT_NOFILE", 1),
    "processes": ("RLIMIT_NPROC", 1),
    "core_mb": ("RLIMIT_CORE", MEGABYTE),
}


def apply_limits(limits: Mapping[str, int]) -> None:
    """Set the limits of the calling process; no limit rises above what the process was started with."""
    import resource  # Windows has none

    for name, value in limits.items():
        constant, unit = LIMITS[name]
        kind = getattr(resource, constant)
        ceiling = resource.getrlimit(kind)[1]
        wanted = value * unit
        allowed = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
        resource.setrlimit(kind, (allowed, allowed))


def die_first() -> None:
    """When memory runs out, let the kernel of the system end this process before any other."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")


def drop_capabilities() -> None:
    """Take from root what root may do beyond its own files; nothing happens to anyone else."""
    if os.geteuid() != 0:
        return
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        prctl(DROP_FROM_BOUNDING_SET, capability)
    nothing = struct.pack("=6I", 0, 0, 0, 0, 0, 0)
    capset(struct.pack("=Ii", CAPABILITIES_VERSION_3, 0), nothing)
