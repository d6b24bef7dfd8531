"""Worker pools that execute submissions in local processes or on a Dask cluster."""

from __future__ import annotations

import gc
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

from nbjudge.patches import skip_rfc3987

SECONDS_TO_END = 10
AT_ONCE = 6  # submissions of one process: most of the work is done by kernels, which are processes of their own


class Workers(Protocol):
    """What the grader asks of them.

    at_once: how many submissions are worth preparing before the first is done; that many are in memory
    """

    at_once: int

    def submit(self, packed: bytes) -> Future[bytes]:
        """Have a packed job done; the future holds what `run_packed_job` returns, or the error that was in the way."""
        ...


class LocalWorkers(AbstractContextManager["LocalWorkers"]):
    """Processes of this machine that run `number` submissions at once. They end with the grader, however it ends."""

    def __init__(self, number: int):
        self.at_once = 2 * number + 1
        processes = -(-number // AT_ONCE)
        shares = [number // processes + (place < number % processes) for place in range(processes)]
        self._workers = [_Worker(share) for share in shares]

    def submit(self, packed: bytes) -> Future[bytes]:
        for place, worker in enumerate(self._workers):
            if not worker.alive:  # killed, perhaps for want of memory
                self._workers[place] = _Worker(worker.threads)
        return min(self._workers, key=lambda worker: worker.load).submit(packed)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for worker in self._workers:
            worker.end(at_once=kind is not None)


class _Worker:
    """One process and what it was asked to do."""

    def __init__(self, threads: int):
        self.threads = threads
        self._waiting: dict[int, Future[bytes]] = {}
        self._numbers, self._lock = count(), threading.Lock()
        self._link, far = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")  # a fork would take the grader's open gradebook along
        self._process = context.Process(target=_serve, args=(far, threads, os.getcwd()), daemon=True)
        self._process.start()
        far.close()  # so that its end is seen
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
                if number == 0:  # it was started before the settings were read, which change the environment
                    self._link.send_bytes(json.dumps(dict(os.environ)).encode())
                self._link.send_bytes(number.to_bytes(8, "big") + packed)
            except OSError:
                self._break()
        return future

    def end(self, at_once: bool) -> None:
        """End the process, with its kernels and folders. Nobody waits for what it still does."""
        if at_once:
            self._process.terminate()
        with suppress(OSError):
            self._link.send_bytes(b"")  # closing alone is not seen while a thread listens
        self._process.join(SECONDS_TO_END)
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
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(link: Connection, threads: int, folder: str) -> None:
    """Do jobs until the grader has ended; Ctrl-C is the grader's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    skip_rfc3987()
    # Only here, while the grader imports what it needs itself.
    from nbjudge.execution.job import run_packed_job
    from nbjudge.forkserver import client
    from nbjudge.sandbox.scratch import remove_ours

    gc.freeze()  # the collector need not look through what was imported
    with suppress(OSError):
        os.chdir(folder)
    sending = threading.Lock()

    def do(number: bytes, packed: bytes) -> None:
        answer = run_packed_job(packed)
        with sending, suppress(OSError):
            link.send_bytes(number + answer)

    def end(*_: object) -> None:
        client.close_all()  # and the kernels with them
        remove_ours()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    pool = ThreadPoolExecutor(threads)
    with suppress(EOFError, OSError):
        if environment := link.recv_bytes():
            os.environ.clear()
            os.environ.update(json.loads(environment))
        while environment and (packed := link.recv_bytes()):
            pool.submit(do, packed[:8], packed[8:])
    end()
