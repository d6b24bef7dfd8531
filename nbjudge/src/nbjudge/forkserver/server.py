"""Fork server: imports modules once, then forks a child for each Python program to run.

It runs as `python -P -m nbjudge.forkserver.server SOCKET` and answers the process that started it over that
socket, which has no name in the file system. Each packet is one JSON object:

    {"do": "import", "modules": [...], "own": [...]}    -> {"threads": 1, "from": null}
    {"do": "fork", "argv": [...], "env": {}, "cwd": "", "output": ""} -> {"pid": 12}, together with a pidfd
    {"do": "reap", "pid": 12}                           -> {"status": -9}

or {"error": a sentence}. own are packages of the course, whose changes the caller tracks; argv is a module's
name and its arguments, as after `python -m`; env is added to the environment of this process; output is the file to
which a child's standard streams are appended. A socket sent with the request becomes the child's standard input and
output. When the link closes, this process ends and all its children with it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import runpy
import signal
import site
import socket
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbjudge.environment import frozen_imports
from nbjudge.linux import DIE_WITH_PARENT, prctl

LARGEST_PACKET = 1 << 20
FAILED = 70  # the exit status of a child that raised

# Importing these has side effects: opens a browser, prints or runs a program. Or they are the main program itself.
_NEVER_IMPORTED = {"__main__", "__mp_main__", "antigravity", "idlelib", "lib2to3", "this", "turtledemo"}


def main() -> None:
    """Answer requests until the socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    with socket.socket(fileno=int(sys.argv[1])) as link:
        while (received := _receive(link))[0]:
            packet, sockets = received
            pidfds: list[int] = []
            try:
                answer = _answer({**json.loads(packet), "sockets": sockets}, link, pidfds)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            try:
                socket.send_fds(link, [json.dumps(answer).encode()], pidfds)
            except OSError:
                break
            for number in [*pidfds, *sockets]:
                os.close(number)
    os._exit(0)


def _receive(link: socket.socket) -> tuple[bytes, list[int]]:
    try:
        packet, sockets, _, _ = socket.recv_fds(link, LARGEST_PACKET, 1)
    except ConnectionError:
        return b"", []
    return packet, sockets


def _answer(request: dict[str, Any], link: socket.socket, pidfds: list[int]) -> dict[str, Any]:
    if request["do"] == "import":
        return _import_all(request["modules"], set(request["own"]))
    if request["do"] == "fork":
        return _fork(request, link, pidfds)
    if request["do"] == "reap":
        _, status = os.waitpid(request["pid"], 0)
        return {"status": os.waitstatus_to_exitcode(status)}
    return {"error": f"{request['do']!r} is no request; expected import, fork or reap."}


# --- importing


def _import_all(modules: list[str], local_packages: set[str]) -> dict[str, Any]:
    """Import the modules that can be imported; return the number of threads afterwards and the origin of the first."""
    culprit = "the start of Python" if _threads() > 1 else None
    with _silence(), frozen_imports():  # a child's collection would otherwise write to, and so copy, every page
        for name in modules:
            _import(name, local_packages)
            if culprit is None and _threads() > 1:
                culprit = f"the import of {name}"
        gc.collect()
    return {"threads": _threads(), "from": culprit}


def _import(name: str, local_packages: set[str]) -> None:
    """Import one module; skip modules that are missing, fail to load or are not installed: children import them."""
    top = name.partition(".")[0]
    if top in _NEVER_IMPORTED or name.endswith("__main__"):
        return
    with suppress(Exception, SystemExit):
        if top in sys.modules or top in local_packages or _is_installed(top):
            importlib.import_module(name)


def _is_installed(top: str) -> bool:
    """Return whether a package is part of Python or installed; others may change while this process lives."""
    spec = importlib.util.find_spec(top)
    if spec is None:
        return False
    paths = spec.submodule_search_locations or [spec.origin or ""]
    return spec.origin in ("built-in", "frozen") or all(map(_is_in_installation, paths))


def _is_in_installation(path: str) -> bool:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(name) for name in names] + site.getsitepackages() + [site.getusersitepackages()]
    return any(Path(path).resolve().is_relative_to(Path(folder).resolve()) for folder in folders)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


@contextmanager
def _silence() -> Iterator[None]:
    """Discard what modules print when they are imported."""
    saved = os.dup(1), os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in enumerate(saved, start=1):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(devnull)


# --- forking


def _fork(request: dict[str, Any], link: socket.socket, pidfds: list[int]) -> dict[str, Any]:
    if (threads := _threads()) != 1:
        # The child has only the forking thread; a lock held by another thread would stay locked for ever.
        return {"error": f"there are {threads} threads; expected 1"}
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        link.close()
        _run_child(request, parent)
    try:
        pidfds.append(os.pidfd_open(pid))
    except OSError:  # Linux before 5.3
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return {"pid": pid}


def _run_child(request: dict[str, Any], parent: int) -> None:
    """Run the program of a child, and exit the process afterwards.

    Exit handlers are skipped: they belong to the parent, which lives on, and a kernel's own may wait for a thread that
    has ended.
    """
    status: Any = FAILED
    try:
        try:
            _reset_process_state(request, parent)
            sys.argv = list(request["argv"])
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as stop:
            status = stop.code
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream:
                stream.flush()
    finally:
        os._exit(status if isinstance(status, int) else int(status is not None))


def _reset_process_state(request: dict[str, Any], parent: int) -> None:
    """Reset inherited state of a child: session, signals, streams, environment, working directory, random state."""
    os.setsid()
    prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(FAILED)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for number in request["sockets"]:
        os.dup2(number, 0)
        os.dup2(number, 1)
        os.close(number)
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    tempfile.tempdir = None
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # Python reseeds `random` itself


if __name__ == "__main__":
    main()
