"""Start, query and stop the judge, the trusted process outside the sandbox that runs the tests of one notebook.

Where possible, it is forked from a process that has already imported its modules.
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

from nbjudge.cell_result import GRACE, CellResult, CellStatus, flood_status, is_valid, timeout_status
from nbjudge.environment import EXECUTION_VARIABLE
from nbjudge.forkserver.client import Program
from nbjudge.forkserver.preload import fork_kernel
from nbjudge.sandbox.scratch import scratch

PURPOSE = "judge"
_OUTPUT = "output"  # in its folder: its output outside of cells
_MODULES = ["nbjudge.judge.shell", "nbjudge.judge.namespace"]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # the only one on Windows that ends a process

_VARIABLES = {
    EXECUTION_VARIABLE: "autograde",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",  # threads on small matrices are slower than none, and forbid the fork
}
_STARTED_IN = os.getcwd()  # relative paths in the environment refer to it; nbgrader changes the working directory


Change = tuple[str, int]  # an argument that a call changed: the called function, the index of the argument


@dataclass(frozen=True)
class JudgedResult(CellResult):
    """The result of a test cell.

    complete: every statement ran to completion
    credit: {} if the last line has no value, {"points": number}, or {"kind": type of a value that is not a number}
    changes: the arguments that calls of the submission's code changed
    empty_arrays: whether a call returned an array without elements
    """

    complete: bool = False
    credit: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    empty_arrays: bool = False


class JudgeEndedError(RuntimeError):
    """The judge's process ended or was killed during a request, as `status` describes."""

    def __init__(self, status: CellStatus) -> None:
        super().__init__(status.reason)
        self.status = status


class Judge:
    """A process that answers the requests of nbjudge.judge.__main__. It can be restarted after its end.

    folder: its working directory, or "" for a temporary one; nothing is imported from it
    variables: additions to the environment of this process
    output_bytes: size limit for the outputs of one cell
    """

    def __init__(self, folder: str, variables: Mapping[str, str], output_bytes: int, startup_timeout: float):
        self.cwd, self.variables = folder, variables
        self.output_bytes, self.startup_timeout = output_bytes, startup_timeout
        self.process: Any = None  # a Popen or a forkserver's Child
        self._line: list[Any] = []  # its input, its output, and the socket under both
        self._folder: Path | None = None

    async def start(self) -> None:
        """Start a new process. Raises JudgeEndedError if it does not answer."""
        self._folder = Path(tempfile.mkdtemp(prefix="judge-", dir=scratch()))
        (self._folder / "tmp").mkdir()
        environment = _judge_environment({**os.environ, **self.variables})
        tmpdir = {"TMPDIR": str(self._folder / "tmp")}  # removed with the folder, with all files that tests leave
        program = Program(["nbjudge.judge"], tmpdir, self.cwd or str(self._folder), str(self._folder / _OUTPUT))
        # In a thread: the first start waits for all imports.
        await asyncio.to_thread(self._launch, program, environment)
        await self._ask("end", self.startup_timeout)  # a request without effect

    def _launch(self, program: Program, environment: dict[str, str]) -> None:
        near, far = socket.socketpair()
        self._line = [*[near.makefile("rwb")] * 2, near]
        with far:
            program = replace(program, talks=far.fileno())
            self.process = fork_kernel(PURPOSE, _MODULES, environment, program, with_local_packages=True)
            self.process = self.process or self._start_alone(program, environment)

    def _start_alone(self, program: Program, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        talks = program.talks if os.name == "posix" else subprocess.PIPE  # a socket is not a file on Windows
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
        """End the process and its children, whatever their state, and remove its folder."""
        if self.process:
            self._end()
            await asyncio.to_thread(self.process.wait)
            self._log_crash(self.process.returncode)
            self.process = None
        for stream in self._line:
            with suppress(OSError):  # unsent data
                stream.close()
        self._line = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def run(self, source: str, seconds: float, empty_arrays: bool = False) -> tuple[JudgedResult, CellStatus]:
        """Run a cell and return its result and status; a process that does not return is stopped.

        empty_arrays: whether the submission may return arrays without elements
        """
        return await self._run("run", source, seconds, empty_arrays=empty_arrays)

    async def verify(
        self, source: str, seconds: float, changes: Sequence[Change], empty_arrays: bool = False
    ) -> tuple[JudgedResult, CellStatus]:
        """Run the last cell once more in its initial namespace; calls may change only the given arguments."""
        return await self._run("verify", source, seconds, changes=list(changes), empty_arrays=empty_arrays)

    async def _run(self, what: str, source: str, seconds: float, **how: Any) -> tuple[JudgedResult, CellStatus]:
        seconds = max(1, int(seconds))
        try:
            answer, in_time = await self._ask(what, seconds, source=source, output_bytes=self.output_bytes, **how)
        except JudgeEndedError as error:
            return JudgedResult(), error.status
        outputs = [output for output in map(nbformat.from_dict, answer.get("outputs", [])) if is_valid(output)]
        effects = answer.get("effects", {})
        judged = JudgedResult(
            outputs,
            answer.get("execution_count"),
            complete=in_time and answer.get("complete") is True,
            credit=answer.get("credit", {}),
            changes=[(called, index) for called, index in effects.get("changes", [])],
            empty_arrays=effects.get("empty_arrays", False),
        )
        if not in_time:
            return judged, timeout_status(seconds)
        if answer.get("dropped"):
            return judged, flood_status(outputs, answer["dropped"])
        return judged, CellStatus()

    async def do(self, what: str, seconds: float, **arguments: Any) -> str:
        """Send a request of `nbjudge.judge.__main__`; return "" on success, else the error."""
        try:
            answer, in_time = await self._ask(what, seconds, **arguments)
        except JudgeEndedError as error:
            return str(error)
        return answer.get("wrong", "") if in_time else "there was no answer"

    async def proof(self, path: str, seconds: float) -> tuple[list[str], Mapping[str, Any]]:
        """Return the keys and the credit that a test inside the submission's process has handed over, if any."""
        try:
            answer, _ = await self._ask("proof", seconds, path=path)
        except JudgeEndedError:
            return [], {}
        return answer.get("keys", []), answer.get("credit", {})

    async def modules(self) -> list[str]:
        """Return the names of the modules that the process has imported. Raises JudgeEndedError."""
        answer, _ = await self._ask("modules", GRACE)
        names: list[str] = answer["names"]
        return names

    async def _ask(self, what: str, seconds: float, **arguments: Any) -> tuple[dict[str, Any], bool]:
        """Return the answer, and whether it came before an interrupt. Raises JudgeEndedError."""
        pending = asyncio.ensure_future(asyncio.to_thread(self._exchange, {"do": what, **arguments}))
        in_time, _ = await asyncio.wait([pending], timeout=seconds)
        if not in_time:
            _signal(self.process, signal.SIGINT)
            await asyncio.wait([pending], timeout=GRACE)
        if not pending.done():
            self._end()
        if (answer := await pending) is not None:
            return answer, bool(in_time)
        await self.stop()
        raise JudgeEndedError(
            CellStatus("died", "the process that it runs in ended") if in_time else timeout_status(seconds)
        )

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request and return its answer; None if the process has ended."""
        try:
            requests, answers, _ = self._line
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
            answer: dict[str, Any] = json.loads(answers.readline())
            return answer
        except (OSError, ValueError):
            return None

    def _end(self) -> None:
        """Kill the process and its children, and close the connection, whose other end they may still hold."""
        _signal(self.process, KILL)
        with suppress(OSError):
            self._line[-1].shutdown(socket.SHUT_RDWR)

    def _log_crash(self, status: int | None) -> None:
        """Log the output of a judge that ended by itself with an error."""
        if status is not None and status > 0 and self._folder:
            printed = (self._folder / _OUTPUT).read_bytes()[-2000:].decode(errors="replace").strip()
            traitlets.log.get_logger().warning(
                "A process for the tests ended with status %s. It printed: %s", status, printed or "nothing"
            )


def _signal(process: Any, number: int) -> None:
    """Send a signal to a process and its children."""
    with suppress(OSError, ValueError):  # it has ended, or the system has no such signal
        if isinstance(process, subprocess.Popen) and os.name == "posix":
            os.killpg(process.pid, number)  # it leads its own process group
        else:
            process.send_signal(number)


def _judge_environment(grader_env: Mapping[str, str]) -> dict[str, str]:
    """Return the grader's environment without variables of a single process, and with absolute paths."""
    dropped = ("JPY_", "PYTHONSTARTUP", "PYTHONOPTIMIZE")  # PYTHONOPTIMIZE would drop the assertions of tests
    child = {name: text for name, text in grader_env.items() if not name.startswith(dropped)}
    entries = [entry for entry in child.get("PYTHONPATH", "").split(os.pathsep) if entry]  # an empty one means "here"
    entries = [os.path.join(_STARTED_IN, entry) for entry in entries]
    this_package = str(Path(__file__).resolve().parents[2])
    return {**child, **_VARIABLES, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*entries, this_package]))}
