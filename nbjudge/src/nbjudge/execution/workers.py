"""Worker pools that execute submissions in local processes or on a Dask cluster."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Protocol

from nbjudge.environment import frozen_imports
from nbjudge.patches import skip_rfc3987

_SECONDS_TO_END = 10
_AT_ONCE = 6  # submissions per process: kernels, which are separate processes, do most of the work


class Workers(Protocol):
    """Interface between the grader and a worker pool.

    at_once: number of submissions to prepare before the first is done; that many are in memory
    """

    at_once: int

    def submit(self, packed: bytes) -> Future[bytes]:
        """Submit a packed job; the future holds the result of `run_packed_job`, or an error."""
        ...


class LocalWorkers(AbstractContextManager["LocalWorkers"]):
    """Local processes that run `number` submissions at once. They end with the grader, however it ends."""

    def __init__(self, number: int):
        self.at_once = 2 * number + 1
        processes = -(-number // _AT_ONCE)
        shares = [number // processes + (index < number % processes) for index in range(processes)]
        self._workers = [_Worker(share) for share in shares]

    def submit(self, packed: bytes) -> Future[bytes]:
        for index, worker in enumerate(self._workers):
            if not worker.alive:  # killed, perhaps by the OOM killer
                self._workers[index] = _Worker(worker.threads)
        return min(self._workers, key=lambda worker: worker.load).submit(packed)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for worker in self._workers:
            worker.end(at_once=kind is not None)


class _Worker:
    """One process and its pending jobs."""

    def __init__(self, threads: int):
        self.threads = threads
        self._waiting: dict[int, Future[bytes]] = {}
        self._numbers, self._lock = count(), threading.Lock()
        self._link, far = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")  # a fork would inherit the grader's open gradebook
        self._process = context.Process(target=_serve, args=(far, threads, os.getcwd()), daemon=True)
        self._process.start()
        far.close()  # so that the end of the process is noticed
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def load(self) -> float:
        return len(self._waiting) / self.threads

    def submit(self, packed: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                if number == 0:  # it started before the settings, which change the environment, were read
                    self._link.send_bytes(json.dumps(dict(os.environ)).encode())
                self._link.send_bytes(number.to_bytes(8, "big") + packed)
            except OSError:
                self._break()
        return future

    def end(self, at_once: bool) -> None:
        """End the process with its kernels and folders, without waiting for pending jobs."""
        if at_once:
            self._process.terminate()
        with suppress(OSError):
            self._link.send_bytes(b"")  # a listening thread does not notice the close alone
        self._process.join(_SECONDS_TO_END)
        self._process.kill()
        self._process.join()
        self._link.close()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                answer = self._link.recv_bytes()
                self._waiting.pop(int.from_bytes(answer[:8], "big")).set_result(answer[8:])
        with self._lock:
            self._break()

    def _break(self) -> None:
        while self._waiting:
            self._waiting.popitem()[1].set_exception(BrokenExecutor("the process that ran the submission has ended"))


def usable_cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(link: Connection, threads: int, folder: str) -> None:
    """Run jobs until the grader ends; only the grader handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    skip_rfc3987()
    with frozen_imports():  # here, while the grader does its own imports
        from nbjudge.execution.job import run_packed_job
        from nbjudge.forkserver import client
        from nbjudge.sandbox.scratch import remove_own_folders

    with suppress(OSError):
        os.chdir(folder)
    sending = threading.Lock()

    def run(number: bytes, packed: bytes) -> None:
        answer = run_packed_job(packed)
        with sending, suppress(OSError):
            link.send_bytes(number + answer)

    def shut_down(*_: object) -> None:
        client.close_all()  # and the kernels with them
        remove_own_folders()
        os._exit(0)

    signal.signal(signal.SIGTERM, shut_down)
    pool = ThreadPoolExecutor(threads)
    with suppress(EOFError, OSError):
        if environment := link.recv_bytes():
            os.environ.clear()
            os.environ.update(json.loads(environment))
        while environment and (packed := link.recv_bytes()):
            pool.submit(run, packed[:8], packed[8:])
    shut_down()
