"""The judge's process: `python -P -m nbjudge.judge` answers requests on its standard input, line by line.

Each request and each answer is one JSON object. A request that fails is answered with {"wrong": a sentence}.

    {"do": "run", "source": "", "output_bytes": 9, "empty_arrays": false}
        -> {"outputs": [...], "execution_count": 1, "dropped": 0, "complete": true, "credit": {"points": 1.5},
            "effects": {"changes": [["sort", 0]], "empty_arrays": false}}
    {"do": "verify", ..., "changes": []}               -> the same, for a run in which calls change only these arguments
    {"do": "prepare", "folder": "", "statements": []}  -> {}
    {"do": "begin", "path": "", "requested_classes": [], "ours": [], "students": [], "unbound": [],
     "bound": []} -> {}
    {"do": "end"}                                      -> {}
    {"do": "proof", "path": ""}                        -> {"keys": [...], "credit": {"points": 1.5}}
    {"do": "modules"}                                  -> {"names": [...]}
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, BinaryIO

from nbjudge.judge import namespace
from nbjudge.judge.empty_arrays import watch_comparisons
from nbjudge.judge.shell import SHELL, capture_streams


def main() -> None:
    """Answer requests until the peer closes the connection."""
    requests, answers = _claim_stream(0, "rb"), _claim_stream(1, "wb")
    capture_streams()
    watch_comparisons(namespace.on_empty_comparison)
    for line in requests:
        answers.write(json.dumps(answer := _answer(json.loads(line)), default=str).encode() + b"\n")
        answers.flush()
        if _is_spent(answer):
            break  # a new process is started for the next test
    os._exit(0)  # without waiting for threads that a test left behind


def _claim_stream(number: int, mode: str) -> Any:
    """Reserve a standard stream for requests or answers; other code reads nothing from it, or writes to stderr."""
    stream: BinaryIO = os.fdopen(os.dup(number), mode)  # type: ignore[assignment]
    if number == 0:
        devnull = os.open(os.devnull, os.O_RDONLY)
        os.dup2(devnull, 0)
        os.close(devnull)
    else:
        os.dup2(2, number)
    return stream


def _is_spent(answer: dict[str, Any]) -> bool:
    """Return whether a cell has used up the memory, or still occupies much of it."""
    if "outputs" not in answer:
        return False
    return any(output.get("ename") == "MemoryError" for output in answer["outputs"]) or namespace.is_crowded()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    what = request.pop("do")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if what in ("run", "verify"):
            return _run(what, **request)
        if what == "modules":
            return {"names": sorted(sys.modules)}
        if what == "proof":
            return namespace.proof(**request)
        if what == "end":
            namespace.end()
        elif what == "prepare":
            namespace.prepare(SHELL.user_ns, **request)
        elif what == "begin":
            namespace.begin(SHELL.user_ns, **request)
    except BaseException as error:
        return {"wrong": f"{type(error).__name__}: {error}"}
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # interrupts are meant for the code that a request runs
    return {}


def _run(what: str, source: str, output_bytes: int, empty_arrays: bool, **more: Any) -> dict[str, Any]:
    if what == "run":
        namespace.before_run(SHELL.user_ns, source, empty_arrays)
    else:
        namespace.before_verification(SHELL.user_ns, source, more["changes"], empty_arrays)
    return SHELL.run(source, output_bytes) | {"effects": namespace.effects()}


if __name__ == "__main__":
    main()
