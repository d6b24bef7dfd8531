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

SECONDS_TO_IMPORT, SECONDS_TO_ANSWER, SECONDS_TO_END = 300, 60, 5
NAMES_IN_A_PACKET = 500  # a packet holds some 200 kB


class CannotFork(Exception):
    """There is no zygote to fork from; `lasting` when another try would end the same way."""

    def __init__(self, reason: str, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True)
class Program:
    """What a child runs: `python -m ARGV` in the folder cwd; what it prints is added to the file `output`.

    env: what its environment has on top of its zygote's
    talks: a socket that is its standard input and output, if any; the caller's own copy stays open
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    output: str
    talks: int | None = None


class Zygote:
    """One process that has imported `modules`. It ends when it is closed, and when the grader ends."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str], own: Sequence[str] = ()) -> None:
        """Start the process and wait until it has imported. Raises CannotFork and OSError.

        own: packages that are imported though they are not installed
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
            self.load(modules, own)
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
        """Return a child that runs a program. Raises CannotFork."""
        with self._lock:
            request = {"do": "fork", **asdict(program)}
            talks = request.pop("talks")
            answer, pidfds = self._ask(request, SECONDS_TO_ANSWER, [] if talks is None else [talks])
            self._children.add(answer["pid"])
        return Child(self, answer["pid"], pidfds[0])

    def reap(self, pid: int) -> int:
        """Return the exit status of a child that has ended: minus the signal's number if a signal ended it."""
        try:
            answer, _ = self._ask({"do": "reap", "pid": pid}, SECONDS_TO_ANSWER)
        except CannotFork:
            return -signal.SIGKILL  # what a child dies of when its zygote does
        finally:
            with self._lock:
                self._children.discard(pid)
                self._close_when_done()
        return answer["status"]

    def retire(self) -> None:
        """Close as soon as the last child has ended; with a process that has died, they all have."""
        with self._lock:
            self._retired = True
            self._close_when_done()

    def close(self) -> None:
        """End the process and its children."""
        self._link.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_when_done(self) -> None:
        if self._retired and not (self._children and self.alive):
            self.close()

    def load(self, modules: Sequence[str], own: Sequence[str]) -> None:
        """Import modules, or more of them, for the children to come. Raises CannotFork."""
        for start in range(0, len(modules) or 1, NAMES_IN_A_PACKET):
            request = {"do": "import", "modules": modules[start : start + NAMES_IN_A_PACKET], "own": list(own)}
            answer, _ = self._ask(request, SECONDS_TO_IMPORT)
            if answer["threads"] != 1:
                culprit = f"{answer['from']} starts threads ({answer['threads']} in all, expected 1)"
                raise CannotFork(f"{culprit}, and a process with threads cannot be copied", lasting=True)

    def _ask(
        self, request: dict[str, Any], seconds: float, sockets: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        """Send one packet and return its answer. Whatever goes wrong, the next answer would be to the wrong packet."""
        with self._lock:
            try:
                self._link.settimeout(seconds)
                socket.send_fds(self._link, [json.dumps(request).encode()], sockets)
                packet, pidfds, _, _ = socket.recv_fds(self._link, LARGEST_PACKET, 1)
                if not packet:
                    raise ConnectionResetError("the process with the imported modules ended")
            except OSError as error:
                self.close()
                raise CannotFork(f"{error} (exit status {self._process.poll()})") from error
            except BaseException:
                self.close()
                raise
        answer = json.loads(packet)
        if "error" in answer:
            raise CannotFork(answer["error"])
        return answer, pidfds


class Child:
    """A forked process, with what jupyter_client uses of a subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, zygote: Zygote, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._zygote, self._pidfd, self._lock = zygote, pidfd, threading.Lock()

    def poll(self) -> int | None:
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status, or None when the process still runs after `timeout` seconds."""
        with self._lock:
            if self.returncode is None and self._ended(timeout):
                self.returncode = self._zygote.reap(self.pid)
                os.close(self._pidfd)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process and to those it has started."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                # Until it is reaped nobody else can have its number. At its very start it has no group yet.
                try:
                    os.killpg(self.pid, number)
                except ProcessLookupError:
                    signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> bool:
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
    """What a zygote is asked for: modules, variables of its environment, and packages of its own with their states."""

    modules: tuple[str, ...]
    environment: frozenset[tuple[str, str]]
    own: frozenset[tuple[str, str]]

    def has_less_than(self, other: _Key) -> bool:
        """Tell whether importing more makes this the other."""
        return self.environment == other.environment and {*self.modules} <= {*other.modules} and self.own <= other.own


_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by purpose: two zygotes may start at once
_current: dict[str, tuple[_Key, Zygote]] = {}  # {purpose: the zygote that new children come from}
_retired: defaultdict[str, list[Zygote]] = defaultdict(list)
_hopeless: dict[_Key, str] = {}


def fork(
    purpose: str,
    modules: Sequence[str],
    environment: Mapping[str, str],
    program: Program,
    own: Mapping[str, str] | None = None,
) -> Child:
    """Return a child that runs a program and finds `modules` imported.

    own: {package that is imported though it is not installed: what tells its state from another}

    There is one zygote for each purpose. It starts when it is first needed, and imports more when more is asked for. A
    new one takes its place when it has died, or when fewer modules, another state of them or another environment of the
    imports are asked for.
    Raises CannotFork.
    """
    key = _Key(tuple(modules), frozenset(environment.items()), frozenset((own or {}).items()))
    with _locks[purpose]:
        try:
            return _zygote(purpose, key).fork(program)
        except CannotFork as error:
            if error.lasting:
                raise
            return _zygote(purpose, key).fork(program)


def close_all() -> None:
    """End every zygote of this process, and forget which could not be started."""
    for purpose in list(_locks):
        with _locks[purpose]:
            _, current = _current.pop(purpose, (None, None))
            for zygote in [*_retired.pop(purpose, []), current]:
                if zygote:
                    zygote.close()
    _hopeless.clear()


def _zygote(purpose: str, key: _Key) -> Zygote:
    if key in _hopeless:
        raise CannotFork(_hopeless[key], lasting=True)
    if purpose in _current:
        known, zygote = _current[purpose]
        if zygote.alive:
            if known == key:
                return zygote
            if known.has_less_than(key):
                return _with_more(purpose, zygote, key, set(known.modules))
        del _current[purpose]
        zygote.retire()
        _retired[purpose] = [old for old in [*_retired[purpose], zygote] if old.alive]
    try:
        zygote = Zygote(key.modules, dict(key.environment), sorted(name for name, _ in key.own))
    except (CannotFork, OSError) as error:
        _hopeless[key] = str(error)
        raise CannotFork(str(error), lasting=True) from error
    _current[purpose] = key, zygote
    return zygote


def _with_more(purpose: str, zygote: Zygote, key: _Key, known: Set[str]) -> Zygote:
    """Return the zygote with more modules imported: to start another, and import all of them, takes longer."""
    try:
        zygote.load([name for name in key.modules if name not in known], sorted(name for name, _ in key.own))
    except CannotFork as error:
        del _current[purpose]
        zygote.retire()
        if error.lasting:
            _hopeless[key] = str(error)
        raise
    _current[purpose] = key, zygote
    return zygote


atexit.register(close_all)
