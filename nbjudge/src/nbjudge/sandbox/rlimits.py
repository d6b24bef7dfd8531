"""Resource limits of one kernel that Linux enforces; resource_monitor.py enforces the rest."""

from __future__ import annotations

from collections.abc import Mapping

MEGABYTE = 1 << 20
_LAST_SECONDS = 5  # between SIGXCPU, which a program may ignore, and SIGKILL

# {name: (constant of the resource module, unit)}. RLIMIT_DATA counts writable memory; RLIMIT_AS would count all address
# space, of which TensorFlow reserves far more than it uses.
LIMITS = {
    "memory_mb": ("RLIMIT_DATA", MEGABYTE),
    "cpu_seconds": ("RLIMIT_CPU", 1),
    "file_mb": ("RLIMIT_FSIZE", MEGABYTE),
    "open_files": ("RLIMIT_NOFILE", 1),
    "processes": ("RLIMIT_NPROC", 1),
    "core_mb": ("RLIMIT_CORE", MEGABYTE),
    "signals": ("RLIMIT_SIGPENDING", 1),  # pending ones, timers included: counted per user
}


def apply_limits(limits: Mapping[str, int]) -> None:
    """Set the limits of the calling process; no limit exceeds the process's initial hard limit."""
    import resource  # Windows has none

    for name, value in limits.items():
        constant, unit = LIMITS[name]
        kind = getattr(resource, constant)
        ceiling = resource.getrlimit(kind)[1]
        requested = value * unit
        allowed = requested if ceiling == resource.RLIM_INFINITY else min(requested, ceiling)
        # The soft limit of processor time sends SIGXCPU, which identifies the cause; the hard one sends SIGKILL.
        upper = allowed + _LAST_SECONDS if name == "cpu_seconds" and allowed != ceiling else allowed
        resource.setrlimit(kind, (allowed, upper))


def raise_oom_score() -> None:
    """Have the OOM killer end this process before any other."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
