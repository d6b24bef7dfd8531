"""Prepare the namespace of a test cell: run the instructor's code that it needs, bind the proxies."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from nbjudge.environment import MEMORY_VARIABLE
from nbjudge.judge.proxies import RemoteProxy, make_proxy, number_of, trust_class
from nbjudge.judge.rpc_client import Effects, Policy, RpcClient
from nbjudge.judge.rpc_server import NAMESPACE
from nbjudge.sandbox.rlimits import MEGABYTE, apply_limits

_link: RpcClient | None = None  # with the process that the submission runs in now
_links: dict[str, RpcClient] = {}  # by their sockets: of what came from one process, only that process can be asked
_fetched: set[str] = set()
_names_before: dict[str, Any] = {}  # what the names meant before the cell ran
_free_mb = 0.0  # when the first test began


def prepare(names: dict[str, Any], folder: str, statements: list[str]) -> None:
    """Run the instructor's text that a test needs. What fails here leaves its names to the submission.

    folder: the instructor's files, such as data and modules of the lesson
    """
    if folder not in sys.path:
        sys.path.append(folder)
        bound_memory()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for text in statements:
            with contextlib.suppress(Exception):
                exec(compile(text, "<given>", "exec", dont_inherit=True), names)


def bound_memory() -> None:
    """Limit the memory of this process: however much a submission answers, the machine has some left."""
    global _free_mb
    if memory_mb := int(os.environ.get(MEMORY_VARIABLE, 0)):
        with contextlib.suppress(ImportError):  # some systems know no limits
            apply_limits({"memory_mb": memory_mb})
        _free_mb = memory_mb - _taken_mb()


def is_crowded() -> bool:
    """Tell whether half of the memory that was free is taken: the next test would pay for what this one keeps."""
    memory_mb = int(os.environ.get(MEMORY_VARIABLE, 0))
    return bool(memory_mb) and memory_mb - _taken_mb() < _free_mb / 2


def _taken_mb() -> float:
    """Return what RLIMIT_DATA counts of this process; 0 where nothing counts it."""
    if not sys.platform.startswith("linux"):
        return 0
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:")) * 1024 / MEGABYTE


def begin(
    names: dict[str, Any],
    path: str,
    requested_classes: list[str],
    ours: list[str],
    students: list[str],
    unbound: list[str],
) -> None:
    """Connect, and lay out the stand-ins for a test cell.

    path: the socket of the submission's process
    requested_classes: names of the classes that students write
    ours, students, unbound: as in nbjudge.execution.name_analysis.TestDependencies
    Raises OSError when the submission's process does not answer.
    """
    global _link
    if path not in _links:
        _links[path] = RpcClient(path, make_proxy, number_of)
    _link = link = _links[path]
    link.open()
    for name in _fetched:
        names.pop(name, None)
    _fetched.clear()
    for name in [*students, *(name for name in [*ours, *unbound] if name not in names)]:
        with contextlib.suppress(KeyError):
            names[name] = link.call("operator:getitem", RemoteProxy(link, NAMESPACE, {}), name)
            _fetched.add(name)
            if (number := number_of(names[name])) is not None:
                link.labels[number] = name
            if name in requested_classes:
                trust_class(names[name])


def on_empty_comparison() -> None:
    """Note that something empty is compared with something that is not, anywhere in a test. Raises EmptyComparison."""
    if _link is not None:
        _link.on_empty_comparison()


def before_run(names: dict[str, Any], source: str, empty_arrays: bool) -> None:
    """Set what calls may do to a test cell that is about to run, and remember what may have to be put back."""
    _names_before.clear()
    _names_before.update(names)
    _set_policy(Policy(None, empty_arrays, "StopIteration" in source))


def before_verification(names: dict[str, Any], source: str, changes: list[tuple[str, int]], empty_arrays: bool) -> None:
    """Put back what the run changed, for another in which calls change no arguments but those listed.

    changes: (called, place), as RpcClient's effects name them
    """
    for undo in reversed(_link.effects.undo if _link else []):
        undo()
    for name in [name for name in names if name not in _names_before]:
        del names[name]
    names.update(_names_before)
    allowed = frozenset((called, place) for called, place in changes)
    _set_policy(Policy(allowed, empty_arrays, "StopIteration" in source))


def _set_policy(policy: Policy) -> None:
    if _link is not None:
        _link.policy, _link.effects = policy, Effects()


def effects() -> dict[str, Any]:
    """Return what calls did to the cell that ran last, as data."""
    seen = _link.effects if _link else Effects()
    return {"changes": sorted(seen.changes), "empty_arrays": seen.empty_arrays}


def end() -> None:
    """Let the submission's process go on with its own cells."""
    if _link is not None:
        _link.close()
