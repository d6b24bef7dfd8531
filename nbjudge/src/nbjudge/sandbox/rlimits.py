"""Resource limits of one kernel that Linux enforces; resource_monitor.py enforces the rest."""

from __future__ import annotations

from collections.abc import Mapping

MEGABYTE = 1 << 20
LAST_SECONDS = 5  # for a program that does not listen when it is told that its processor time is over

# The limit of the resource module that each name stands for, and the unit it is counted in. RLIMIT_DATA counts what
# is written to; RLIMIT_AS would count the address space too, of which TensorFlow takes far more than it uses.
LIMITS = {
    "memory_mb": ("RLIMIT_DATA", MEGABYTE),
    "cpu_seconds": ("RLIMIT_CPU", 1),
    "file_mb": ("RLIMIT_FSIZE", MEGABYTE),
    "open_files": ("RLIMIT_NOFILE", 1),
    "processes": ("RLIMIT_NPROC", 1),
    "core_mb": ("RLIMIT_CORE", MEGABYTE),
    "signals": ("RLIMIT_SIGPENDING", 1),  # that wait, timers too: counted for each user
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
        # At the lower limit of processor time comes SIGXCPU, which says what happened; at the upper only SIGKILL.
        upper = allowed + LAST_SECONDS if name == "cpu_seconds" and allowed != ceiling else allowed
        resource.setrlimit(kind, (allowed, upper))


def raise_oom_score() -> None:
    """Have the OOM killer end this process before any other."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
