"""Client of the fork server: starts servers with imported modules, and has them fork children."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from nbjudge.forkserver.server import LARGEST_PACKET

_SECONDS_TO_IMPORT, _SECONDS_TO_ANSWER, _SECONDS_TO_END = 300, 60, 5
_NAMES_IN_A_PACKET = 500  # a packet holds about 200 kB


class ForkError(Exception):
    """There is no zygote to fork from; `lasting` if another attempt would fail too."""

    def __init__(self, reason: str, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True)
class Program:
    """Program of a child: `python -m ARGV` in the folder cwd; its output is appended to the file `output`.

    env: additions to the environment of its zygote
    talks: a socket to use as standard input and output, if any; the caller's own copy stays open
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    output: str
    talks: int | None = None


class Zygote:
    """One process that has imported `modules`. It ends when it is closed, and when the grader ends."""

    def __init__(
        self, modules: Sequence[str], environment: Mapping[str, str], local_packages: Sequence[str] = ()
    ) -> None:
        """Start the process and wait until it has imported the modules. Raises ForkError and OSError.

        local_packages: packages that are imported though they are not installed
        """
        self._lock = threading.RLock()
        self._children: set[int] = set()
        self._retired = False
        self._link, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            try:
                self._process = _start(far.fileno(), environment)
            except OSError:
                self._link.close()
                raise
        try:
            self.load(modules, local_packages)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, program: Program) -> Child:
        """Return a child that runs a program. Raises ForkError."""
        with self._lock:
            request = {"do": "fork", **asdict(program)}
            talks = request.pop("talks")
            answer, pidfds = self._ask(request, _SECONDS_TO_ANSWER, [] if talks is None else [talks])
            self._children.add(answer["pid"])
        return Child(self, answer["pid"], pidfds[0])

    def reap(self, pid: int) -> int:
        """Return the exit status of a child that has ended: minus the signal's number if a signal ended it."""
        try:
            answer, _ = self._ask({"do": "reap", "pid": pid}, _SECONDS_TO_ANSWER)
        except ForkError:
            return -signal.SIGKILL  # a child is killed when its zygote ends
        finally:
            with self._lock:
                self._children.discard(pid)
                self._close_when_done()
        status: int = answer["status"]
        return status

    def retire(self) -> None:
        """Close as soon as the last child has ended, at once if the process has died."""
        with self._lock:
            self._retired = True
            self._close_when_done()

    def close(self) -> None:
        """End the process and its children."""
        self._link.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_when_done(self) -> None:
        if self._retired and not (self._children and self.alive):
            self.close()

    def load(self, modules: Sequence[str], local_packages: Sequence[str]) -> None:
        """Import modules, or additional ones, for later children. Raises ForkError."""
        for start in range(0, len(modules) or 1, _NAMES_IN_A_PACKET):
            request = {
                "do": "import",
                "modules": modules[start : start + _NAMES_IN_A_PACKET],
                "own": list(local_packages),
            }
            answer, _ = self._ask(request, _SECONDS_TO_IMPORT)
            if answer["threads"] != 1:
                culprit = f"{answer['from']} starts threads ({answer['threads']} in all, expected 1)"
                raise ForkError(f"{culprit}, and a process with threads cannot be copied", lasting=True)

    def _ask(
        self, request: dict[str, Any], seconds: float, sockets: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        """Send one packet and return its answer. Close after an error: the next answer would be to the wrong packet."""
        with self._lock:
            try:
                self._link.settimeout(seconds)
                socket.send_fds(self._link, [json.dumps(request).encode()], sockets)
                packet, pidfds, _, _ = socket.recv_fds(self._link, LARGEST_PACKET, 1)
                if not packet:
                    raise ConnectionResetError("the process with the imported modules ended")
            except OSError as error:
                self.close()
                raise ForkError(f"{error} (exit status {self._process.poll()})") from error
            except BaseException:
                self.close()
                raise
        answer = json.loads(packet)
        if "error" in answer:
            raise ForkError(answer["error"])
        return answer, pidfds


class Child:
    """A forked process, with the part of subprocess.Popen's interface that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, zygote: Zygote, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._zygote, self._pidfd, self._lock = zygote, pidfd, threading.Lock()

    def poll(self) -> int | None:
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status, or None if the process still runs after `timeout` seconds."""
        with self._lock:
            if self.returncode is None and self._has_ended(timeout):
                self.returncode = self._zygote.reap(self.pid)
                os.close(self._pidfd)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process and its children."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                # Its pid is not reused until it is reaped. Right after the fork it has no process group yet.
                try:
                    os.killpg(self.pid, number)
                except ProcessLookupError:
                    signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _has_ended(self, timeout: float | None) -> bool:
        watch = select.poll()
        watch.register(self._pidfd, select.POLLIN)
        return bool(watch.poll(None if timeout is None else timeout * 1000))


def _start(socket_number: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nbjudge.forkserver.server", str(socket_number)],
        stdin=subprocess.DEVNULL,
        cwd=os.sep,
        env=dict(environment),
        pass_fds=[socket_number],
        start_new_session=True,  # Ctrl-C in the grader's terminal does not reach it
    )


class _Key(NamedTuple):
    """Requirements for a zygote: modules, environment variables, and local packages with their states."""

    modules: tuple[str, ...]
    environment: frozenset[tuple[str, str]]
    local_packages: frozenset[tuple[str, str]]

    def is_subset_of(self, other: _Key) -> bool:
        """Return whether importing more modules turns this key into the other."""
        return (
            self.environment == other.environment
            and {*self.modules} <= {*other.modules}
            and self.local_packages <= other.local_packages
        )


_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by purpose: two zygotes may start at once
_current: dict[str, tuple[_Key, Zygote]] = {}  # {purpose: the zygote that new children come from}
_retired: defaultdict[str, list[Zygote]] = defaultdict(list)
_failures: dict[_Key, str] = {}


def fork(
    purpose: str,
    modules: Sequence[str],
    environment: Mapping[str, str],
    program: Program,
    local_packages: Mapping[str, str] | None = None,
) -> Child:
    """Return a child that runs a program with `modules` already imported.

    local_packages: {package that is imported though it is not installed: a fingerprint of its files}

    There is one zygote for each purpose. It starts on first use, and imports additional modules on request. It is
    replaced when it has died, or when fewer modules, another state of them or another environment are requested.
    Raises ForkError.
    """
    key = _Key(tuple(modules), frozenset(environment.items()), frozenset((local_packages or {}).items()))
    with _locks[purpose]:
        try:
            return _zygote(purpose, key).fork(program)
        except ForkError as error:
            if error.lasting:
                raise
            return _zygote(purpose, key).fork(program)


def close_all() -> None:
    """End every zygote of this process, and forget failed starts."""
    for purpose in list(_locks):
        with _locks[purpose]:
            _, current = _current.pop(purpose, (None, None))
            for zygote in [*_retired.pop(purpose, []), current]:
                if zygote:
                    zygote.close()
    _failures.clear()


def _zygote(purpose: str, key: _Key) -> Zygote:
    if key in _failures:
        raise ForkError(_failures[key], lasting=True)
    if purpose in _current:
        current_key, zygote = _current[purpose]
        if zygote.alive:
            if current_key == key:
                return zygote
            if current_key.is_subset_of(key):
                return _import_more(purpose, zygote, key, set(current_key.modules))
        del _current[purpose]
        zygote.retire()
        _retired[purpose] = [old for old in [*_retired[purpose], zygote] if old.alive]
    try:
        zygote = Zygote(key.modules, dict(key.environment), sorted(name for name, _ in key.local_packages))
    except (ForkError, OSError) as error:
        _failures[key] = str(error)
        raise ForkError(str(error), lasting=True) from error
    _current[purpose] = key, zygote
    return zygote


def _import_more(purpose: str, zygote: Zygote, key: _Key, imported: Set[str]) -> Zygote:
    """Import more modules in a zygote and return it, which is faster than starting another."""
    try:
        zygote.load(
            [name for name in key.modules if name not in imported], sorted(name for name, _ in key.local_packages)
        )
    except ForkError as error:
        del _current[purpose]
        zygote.retire()
        if error.lasting:
            _failures[key] = str(error)
        raise
    _current[purpose] = key, zygote
    return zygote


atexit.register(close_all)
