"""Run wrong versions in a process of its own, within limits of time and memory."""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from rnn_helpers.checks.evaluator import Task
from rnn_helpers.checks.execution import Outcome, execute

SECONDS = 2.0  # for one version on all its cases
SECONDS_FOR_ALL = 300
MEMORY = 4 << 30  # bytes of address space beyond what the process has
Call = Callable[[tuple], Outcome]


class _TimeOutError(BaseException):
    """Raised by the timer; no `except Exception` of a version catches it."""


def run(versions: Sequence[Call], task: Task) -> Iterator[tuple[int, list[Outcome] | str]]:
    """Yield (number, its outcome in each case, or why it was skipped) for each version.

    versions: each takes the arguments of a case and returns an Outcome
    """
    waiting = list(range(len(versions)))
    while waiting:
        receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(sender, versions, task, waiting), daemon=True
        )
        process.start()
        sender.close()
        completed = 0
        try:
            for message in _messages(receiver):
                yield message
                completed += 1
        finally:
            process.kill()
            process.join()
        if completed < len(waiting):
            yield waiting[completed], "it ended its process"
        waiting = waiting[completed + 1 :]


def _messages(receiver: Connection) -> Iterator[Any]:
    try:
        while receiver.poll(SECONDS_FOR_ALL):
            yield receiver.recv()
    except EOFError:
        return


def _work(sender: Connection, versions: Sequence[Call], task: Task, numbers: list[int]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, hard))
    signal.signal(signal.SIGALRM, _time_out)
    vars(np).update(empty=np.zeros, empty_like=np.zeros_like)  # what the memory holds would differ from build to build
    for number in numbers:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            result: list[Outcome] | str = [versions[number](case.args) for case in task.cases]
        except _TimeOutError:
            result = f"it took more than {SECONDS:g} s"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        sender.send((number, result))


def _time_out(_signal: int, _frame: Any) -> None:
    raise _TimeOutError


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def calling(answer: Callable, probe: str) -> Call:
    """Return a version that calls an answer."""
    return lambda args: execute(answer, args, probe)
