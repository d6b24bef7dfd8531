"""Prepare the namespace of a test cell: run the instructor's code that it needs, bind the proxies."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from nbjudge.environment import MEMORY_VARIABLE
from nbjudge.judge.proxies import RemoteProxy, make_proxy, proxy_number, trust_class
from nbjudge.judge.rpc_client import Effects, Policy, RpcClient
from nbjudge.judge.rpc_server import NAMESPACE
from nbjudge.sandbox.rlimits import MEGABYTE, apply_limits

_link: RpcClient | None = None  # to the process that currently runs the submission
_links: dict[str, RpcClient] = {}  # by socket: only the process that an object comes from can answer for it
_fetched: set[str] = set()
_names_before: dict[str, Any] = {}  # the namespace before the cell ran
_free_mb = 0.0  # when the first test began


def prepare(names: dict[str, Any], folder: str, statements: list[str]) -> None:
    """Run the instructor's code that a test needs. Names of failing statements are looked up in the submission.

    folder: the instructor's files, such as data and modules of the lesson
    """
    if folder not in sys.path:
        sys.path.append(folder)
        _limit_memory()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for text in statements:
            with contextlib.suppress(Exception):
                exec(compile(text, "<given>", "exec", dont_inherit=True), names)


def _limit_memory() -> None:
    """Limit the memory of this process, so that large answers of a submission do not exhaust the machine."""
    global _free_mb  # noqa: PLW0603  (the process has one memory)
    if memory_mb := int(os.environ.get(MEMORY_VARIABLE, "0")):
        with contextlib.suppress(ImportError):  # the module resource exists on Unix only
            apply_limits({"memory_mb": memory_mb})
        _free_mb = memory_mb - _used_mb()


def is_crowded() -> bool:
    """Return whether half of the initially free memory is in use: the next test would lack what this one keeps."""
    memory_mb = int(os.environ.get(MEMORY_VARIABLE, "0"))
    return bool(memory_mb) and memory_mb - _used_mb() < _free_mb / 2


def _used_mb() -> float:
    """Return the memory of this process that RLIMIT_DATA counts; 0 if nothing counts it."""
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
    bound: list[str],
) -> None:
    """Connect to the submission, and bind the proxies for a test cell.

    path: the socket of the submission's process
    requested_classes: names of the classes that students write
    ours, students, unbound, bound: as in nbjudge.execution.name_analysis.TestDependencies
    Raises OSError if the submission's process does not answer.
    """
    global _link  # noqa: PLW0603  (the process has one namespace)
    if path not in _links:
        _links[path] = RpcClient(path, make_proxy, proxy_number)
    _link = link = _links[path]
    link.open()
    link.given.update(ours)
    for name in _fetched - set(bound):
        names.pop(name, None)
    _fetched.clear()
    for name in [*students, *(name for name in [*ours, *unbound] if name not in names)]:
        with contextlib.suppress(KeyError):
            names[name] = link.call("operator:getitem", RemoteProxy(link, NAMESPACE, {}), name)
            _fetched.add(name)
            if (number := proxy_number(names[name])) is not None:
                link.labels[number] = name
            if name in requested_classes:
                trust_class(names[name])


def proof(path: str) -> dict[str, Any]:
    """Return what a test inside the submission's process has handed over; see nbjudge.judge.inside.

    path: the socket of that process
    Raises OSError if it does not answer, SubmissionError and ValueError if it does not answer with data.
    """
    link = RpcClient(path, make_proxy, proxy_number)
    link.open()
    try:
        answer = link.call("nbjudge.judge.inside:proof")
    finally:
        link.close()
    if type(answer) is not dict or [type(answer.get(key)) for key in ("keys", "credit")] != [list, dict]:
        raise ValueError("the submission's process did not answer with keys")
    credit = {key: value for key, value in answer["credit"].items() if type(value) in (str, float)}
    return {"keys": [key for key in answer["keys"] if type(key) is str], "credit": credit}


def on_empty_comparison() -> None:
    """Record that something empty is compared with something that is not. Raises EmptyComparison."""
    if _link is not None:
        _link.on_empty_comparison()


def before_run(names: dict[str, Any], source: str, empty_arrays: bool) -> None:
    """Set the policy for a test cell that is about to run, and save its namespace."""
    _names_before.clear()
    _names_before.update(names)
    _set_policy(Policy(None, empty_arrays, "StopIteration" in source))


def before_verification(names: dict[str, Any], source: str, changes: list[tuple[str, int]], empty_arrays: bool) -> None:
    """Undo the effects of the run, for another one in which calls change only the listed arguments.

    changes: (called, index), as in Effects
    """
    for undo in reversed(_link.effects.undo if _link else []):
        undo()
    for name in [name for name in names if name not in _names_before]:
        del names[name]
    names.update(_names_before)
    allowed = frozenset((called, index) for called, index in changes)
    _set_policy(Policy(allowed, empty_arrays, "StopIteration" in source))


def _set_policy(policy: Policy) -> None:
    if _link is not None:
        _link.policy, _link.effects = policy, Effects()


def effects() -> dict[str, Any]:
    """Return the effects of calls on the cell that ran last, as data."""
    observed = _link.effects if _link else Effects()
    return {"changes": sorted(observed.changes), "empty_arrays": observed.empty_arrays}


def end() -> None:
    """Disconnect, so that the submission's process continues with its own cells."""
    if _link is not None:
        _link.close()
