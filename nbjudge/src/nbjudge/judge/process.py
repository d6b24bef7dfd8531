"""Start, query and stop the judge, the trusted process outside the sandbox that runs the tests of one notebook.

It is forked from a process that has imported what it needs, where that can be.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import traitlets.log

from nbjudge.cell_result import GRACE, CellResult, CellStatus, flood, is_valid, late
from nbjudge.environment import EXECUTION_VARIABLE
from nbjudge.forkserver.client import Program
from nbjudge.forkserver.preload import fork_kernel
from nbjudge.sandbox.scratch import scratch

PURPOSE = "judge"
OUTPUT = "output"  # in its folder: what it prints where no cell shows it
MODULES = ["nbjudge.judge.shell", "nbjudge.judge.namespace", "stack_data", "pygments.formatters.terminal256"]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one signal that ends a process

_VARIABLES = {
    EXECUTION_VARIABLE: "autograde",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",  # threads on small matrices are slower than none, and forbid the fork
}
_STARTED_IN = os.getcwd()  # nbgrader changes its folder; what is relative in the environment is relative to this one


Change = tuple[str, int]  # an argument that a call changed: what was called, the place among its arguments


@dataclass(frozen=True)
class JudgedResult(CellResult):
    """The result of a test cell.

    complete: every statement ran to its end
    credit: {} where the last line has no value, {"points": number}, or {"kind": the type of what is no number}
    changes: the arguments that calls of the submission's code changed
    empty_arrays: whether an array without elements came back
    """

    complete: bool = False
    credit: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    empty_arrays: bool = False


class JudgeEnded(RuntimeError):
    """The judge's process ended, or was ended, while it was asked for something; `ended` says how."""

    def __init__(self, ended: CellStatus) -> None:
        super().__init__(ended.words)
        self.ended = ended


class Judge:
    """One process that answers what nbjudge.judge.__main__ lists. After its end it can be started again.

    folder: its working directory, or "" for one of its own; nothing is imported from it
    variables: what its environment has on top of this process's
    output_bytes: of the outputs of one cell, what is kept
    """

    def __init__(self, folder: str, variables: Mapping[str, str], output_bytes: int, startup_timeout: float):
        self.cwd, self.variables = folder, variables
        self.output_bytes, self.startup_timeout = output_bytes, startup_timeout
        self.process: Any = None  # a Popen, or the Child that stands for one
        self._line: list[Any] = []  # to write to it, to read from it, and the socket under both
        self._folder: Path | None = None

    async def start(self) -> None:
        """Start a fresh process. Raises JudgeEnded when it does not answer."""
        self._folder = Path(tempfile.mkdtemp(prefix="judge-", dir=scratch()))
        (self._folder / "tmp").mkdir()
        environment = _judges_environment({**os.environ, **self.variables})
        own = {"TMPDIR": str(self._folder / "tmp")}  # goes with the folder, whatever the tests left behind
        program = Program(["nbjudge.judge"], own, self.cwd or str(self._folder), str(self._folder / OUTPUT))
        # In a thread: the first one has to wait until everything is imported.
        await asyncio.to_thread(self._launch, program, environment)
        await self._ask("end", self.startup_timeout)  # the least that can be asked

    def _launch(self, program: Program, environment: dict[str, str]) -> None:
        near, far = socket.socketpair()
        self._line = [*[near.makefile("rwb")] * 2, near]
        with far:
            program = replace(program, talks=far.fileno())
            self.process = fork_kernel(PURPOSE, MODULES, environment, program, with_own=True)
            self.process = self.process or self._start_alone(program, environment)

    def _start_alone(self, program: Program, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        talks = program.talks if os.name == "posix" else subprocess.PIPE  # a socket is no file on Windows
        with open(program.output, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", *program.argv],
                stdin=talks,
                stdout=talks,
                stderr=output,
                cwd=program.cwd,
                env={**environment, **program.env},
                start_new_session=True,  # Ctrl-C in the grader's terminal does not reach it
            )
        if process.stdin:
            self._line[:2] = process.stdin, process.stdout
        return process

    async def stop(self) -> None:
        """End the process and what it started, however it is, and remove its folder."""
        if self.process:
            self._end()
            await asyncio.to_thread(self.process.wait)
            self._report_a_crash(self.process.returncode)
            self.process = None
        for stream in self._line:
            with suppress(OSError):  # of what was not sent any more
                stream.close()
        self._line = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def run(self, source: str, seconds: float, empty_arrays: bool = False) -> tuple[JudgedResult, CellStatus]:
        """Run a cell and return what came of it, and how it ended; a process that does not come back is stopped.

        empty_arrays: whether the submission may answer with arrays without elements
        """
        return await self._run("run", source, seconds, empty_arrays=empty_arrays)

    async def verify(
        self, source: str, seconds: float, changes: Sequence[Change], empty_arrays: bool = False
    ) -> tuple[JudgedResult, CellStatus]:
        """Run the cell that ran last once more, with all as it was before, and no arguments changed but those given."""
        return await self._run("verify", source, seconds, changes=list(changes), empty_arrays=empty_arrays)

    async def _run(self, what: str, source: str, seconds: float, **how: Any) -> tuple[JudgedResult, CellStatus]:
        seconds = max(1, int(seconds))
        try:
            answer, in_time = await self._ask(what, seconds, source=source, output_bytes=self.output_bytes, **how)
        except JudgeEnded as error:
            return JudgedResult(), error.ended
        outputs = [output for output in map(nbformat.from_dict, answer.get("outputs", [])) if is_valid(output)]
        effects = answer.get("effects", {})
        judged = JudgedResult(
            outputs,
            answer.get("execution_count"),
            complete=in_time and answer.get("complete") is True,
            credit=answer.get("credit", {}),
            changes=[(called, place) for called, place in effects.get("changes", [])],
            empty_arrays=effects.get("empty_arrays", False),
        )
        if not in_time:
            return judged, late(seconds)
        if answer.get("dropped"):
            return judged, flood(outputs, answer["dropped"])
        return judged, CellStatus()

    async def do(self, what: str, seconds: float, **arguments: Any) -> str:
        """Have something done, as `nbjudge.judge.__main__` says; return "" when it went well, else what went wrong."""
        try:
            answer, in_time = await self._ask(what, seconds, **arguments)
        except JudgeEnded as error:
            return str(error)
        return answer.get("wrong", "") if in_time else "there was no answer"

    async def modules(self) -> list[str]:
        """Return the names of the modules that the process has imported. Raises JudgeEnded."""
        answer, _ = await self._ask("modules", GRACE)
        return answer["names"]

    async def _ask(self, what: str, seconds: float, **arguments: Any) -> tuple[dict[str, Any], bool]:
        """Return the answer, and whether it was there before an interrupt. Raises JudgeEnded."""
        asked = asyncio.ensure_future(asyncio.to_thread(self._answered, {"do": what, **arguments}))
        in_time, _ = await asyncio.wait([asked], timeout=seconds)
        if not in_time:
            _signal(self.process, signal.SIGINT)
            await asyncio.wait([asked], timeout=GRACE)
        if not asked.done():
            self._end()
        if (answer := await asked) is not None:
            return answer, bool(in_time)
        await self.stop()
        raise JudgeEnded(CellStatus("died", "the process that it runs in ended") if in_time else late(seconds))

    def _answered(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request and wait for its answer; None when the process ended."""
        try:
            requests, answers, _ = self._line
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
            return json.loads(answers.readline())
        except (OSError, ValueError):
            return None

    def _end(self) -> None:
        """Kill the process, with those that it started, and hang up: they may have kept its end of the line."""
        _signal(self.process, KILL)
        with suppress(OSError):
            self._line[-1].shutdown(socket.SHUT_RDWR)

    def _report_a_crash(self, status: int | None) -> None:
        """Log what a judge that ended by itself, and badly, printed where no cell shows it."""
        if status is not None and status > 0 and self._folder:
            printed = (self._folder / OUTPUT).read_bytes()[-2000:].decode(errors="replace").strip()
            traitlets.log.get_logger().warning(
                "A process for the tests ended with status %s. It printed: %s", status, printed or "nothing"
            )


def _signal(process: Any, number: int) -> None:
    """Send a signal to a process, and to those that it started."""
    with suppress(OSError, ValueError):  # it has ended, or the system knows no such signal
        if isinstance(process, subprocess.Popen) and os.name == "posix":
            os.killpg(process.pid, number)  # the group is its own
        else:
            process.send_signal(number)


def _judges_environment(graders: Mapping[str, str]) -> dict[str, str]:
    """Return the grader's environment without what belongs to one process; its paths do not depend on the folder."""
    dropped = ("JPY_", "PYTHONSTARTUP", "PYTHONOPTIMIZE")  # which leaves out the assertions of tests
    child = {name: text for name, text in graders.items() if not name.startswith(dropped)}
    entries = [entry for entry in child.get("PYTHONPATH", "").split(os.pathsep) if entry]  # an empty one means "here"
    entries = [os.path.join(_STARTED_IN, entry) for entry in entries]
    this_package = str(Path(__file__).resolve().parents[2])
    return {**child, **_VARIABLES, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*entries, this_package]))}
