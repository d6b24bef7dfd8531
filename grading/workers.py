"""Who runs submissions while the grader prepares the next and writes down the last: processes here, or elsewhere."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, suppress
from multiprocessing import connection
from types import TracebackType
from typing import Protocol

from grading.judge.job import work


class Workers(Protocol):
    """What the grader asks of them.

    at_once: how many submissions are worth preparing before the first is done; that many are in memory
    """

    at_once: int

    def submit(self, packed: bytes) -> Future[bytes]:
        """Have a packed job done; the future holds what `work` returns, or the error that was in the way."""
        ...


class LocalWorkers(AbstractContextManager["LocalWorkers"]):
    """Processes of this machine, each with one submission at a time. They end with the grader, however it ends."""

    def __init__(self, number: int):
        self.number = number
        self.at_once = 2 * number + 1
        self._pool: Executor = self._new_pool()

    def submit(self, packed: bytes) -> Future[bytes]:
        try:
            return self._pool.submit(work, packed)
        except BrokenProcessPool:  # one was killed, perhaps for want of memory, which ends them all
            self._pool = self._new_pool()
            return self._pool.submit(work, packed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        at_work = multiprocessing.active_children()
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:
            for process in at_work:
                process.terminate()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork would take the grader's open gradebook along
        return ProcessPoolExecutor(self.number, context, _begin, (os.getcwd(),))


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(folder: str) -> None:
    """Make ready for jobs: Ctrl-C is the grader's, and without a grader there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.chdir(folder)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    sys.stderr.flush()
    os._exit(1)
