"""The submission's kernel: runs the student's cells, is restarted when it dies, and answers the judge.

If it dies, only the cell in which it died is lost: a new one is started, and the earlier cells are run again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from traitlets.config import Config

from nbjudge.cell_result import GRACE, CellStatus
from nbjudge.environment import EXECUTION_VARIABLE
from nbjudge.execution.kernel_client import FastStartKernelManager, Kernel
from nbjudge.execution.settings import ExecutionSettings
from nbjudge.sandbox.scratch import remove

GRADING = {EXECUTION_VARIABLE: "autograde"}  # tells kernels to start in the sandbox
_KEEP_ALIVE = "get_ipython().ask_exit = lambda: None"  # exit() would end the kernel a moment after its cell
SERVICE = "__import__('nbjudge.judge.rpc_server', fromlist=['x'])"
_FREE_NAMES = "__import__('nbjudge.execution.free_names', fromlist=['x']).free_names_of"
_HEALTH = f"assert {SERVICE}.service.waiting and 1 + 1 == 2"
_PARSING = 10  # seconds for all cells of a notebook; some magics take quadratic time
LATE = 0.05  # seconds after which a kernel that a cell shuts down has begun to end


class KernelUnavailableError(Exception):
    """No time or restarts are left for another kernel; the message is a sentence for the student."""


class StudentKernel:
    """A kernel that has run the cells of a submission so far, restarted whenever it dies.

    name: of the kernelspec; files: the submission's, of which each process gets a copy below `folder`
    seconds: returns the time limit of the next cell; withheld: modules that it cannot import
    """

    def __init__(
        self,
        rules: ExecutionSettings,
        name: str,
        files: Path,
        folder: Path,
        seconds: Callable[[], float],
        withheld: Sequence[str] = (),
    ):
        self.rules, self.files, self.folder, self.seconds = rules, files, folder, seconds
        sandbox = {**rules.sandbox, "withheld": list(withheld)}
        self.config = Config({"SandboxProvisioner": sandbox, "CourseDirectory": {"root": rules.course}})
        limits: dict[str, Any] = {"output_bytes": rules.output_bytes, "startup_timeout": rules.startup_timeout}
        self.kernel = Kernel(FastStartKernelManager, name, "", GRADING, config=self.config, **limits)
        self.path = ""  # socket on which it answers the judge
        self.in_force = ""  # the sandbox layers in force
        self.ran: list[str] = []  # the cells that succeeded, to be run again after a restart
        self.caught_up = 0  # number of the student's cells that `catch_up` has run
        self.failed = 0  # number of cells that ended with an error
        self.deaths = 0
        self.mute = False  # whether it does not answer even after a restart
        self.started = False

    async def start(self) -> None:
        """Start the kernel in a fresh copy of the submission's files."""
        self.started = True
        if self.kernel.folder:  # of the previous kernel, which may have filled it
            remove(Path(self.kernel.folder))
        self.kernel.folder = str(_copy_files(self.files, Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))))
        if limit := self.rules.sandbox.get("cpu_seconds"):  # for the whole submission
            self.config.SandboxProvisioner.cpu_seconds = max(1, round(limit - self.kernel.cpu_seconds))
        await self.kernel.start()
        self.in_force = getattr(self.kernel.provisioner, "in_force", "") or self.in_force
        home = getattr(self.kernel.provisioner, "home", None) or tempfile.mkdtemp(dir=self.folder)
        self.path = str(Path(home, f"judge-{self.deaths}"))
        wrong = await self.kernel.run_silently(
            f"{_KEEP_ALIVE}; {SERVICE}.service = {SERVICE}.RpcServer({self.path!r}, get_ipython().user_ns)", 60
        )
        if wrong:
            raise RuntimeError(f"The submission's kernel could not be prepared: {wrong}")

    async def stop(self) -> None:
        await self.kernel.stop()

    async def run(self, source: str) -> tuple[NotebookNode, CellStatus]:
        """Run a cell. Raises KernelUnavailableError."""
        for attempt in range(2):
            await self.require()
            finished, status = await self.kernel.run(source, self.seconds())
            if attempt or status.kind != "died" or not await self.restart_drops_cell():
                break
        self.failed += any(output.output_type == "error" for output in finished.outputs)
        if any(output.get("ename") == "MemoryError" for output in finished.outputs):
            await self.stop()  # its memory is not returned to the system
            return finished, CellStatus("memory", "This cell used up the memory, so what it defined is not there.")
        if status.kind in ("well", "flood"):
            self.ran.append(source)
        return finished, status

    async def free_names(self, texts: Sequence[str]) -> list[list[str]] | None:
        """Return the names that each text may read, before any cell has run; None if the kernel cannot tell."""
        names = await self.kernel.evaluate(f"{_FREE_NAMES}({texts!r})", min(_PARSING, self.seconds()))
        if names is None:
            await self.stop()  # a text may have ended it or keep it busy
        is_list = isinstance(names, list) and len(names) == len(texts)
        is_well_formed = is_list and all(isinstance(n, list) and all(isinstance(x, str) for x in n) for n in names)
        return names if is_well_formed else None

    async def catch_up(self, sources: Sequence[str]) -> None:
        """Run the student's cells that it has not run yet, ignoring errors. Raises KernelUnavailableError."""
        while self.caught_up < len(sources):
            self.caught_up += 1
            await self.run(sources[self.caught_up - 1])

    async def require(self) -> None:
        """Restart the kernel if it has ended. Raises KernelUnavailableError if no time or restarts are left."""
        while self.seconds() > 0:
            if await self.kernel.alive():
                return
            self.deaths += self.started
            if self.deaths > self.rules.restarts:
                break
            await self.stop()
            try:
                await self.start()
            except Exception as error:  # of unknown cause; the exercise is not judged
                raise KernelUnavailableError(
                    f"The kernel could not be started again: {type(error).__name__}."
                ) from error
            await self._run_again()
        raise KernelUnavailableError(self._reason())

    async def restart_drops_cell(self) -> bool:
        """Restart the kernel, and return whether an earlier cell than the one in which it ended was the cause."""
        before = len(self.ran)
        try:
            await self.require()
        except KernelUnavailableError:
            return False
        return len(self.ran) < before

    async def _run_again(self) -> None:
        """Run the earlier cells again; drop the first one after which the kernel is unhealthy."""
        for index, source in enumerate(self.ran):
            if self.seconds() <= 0:
                return
            _, status = await self.kernel.run(source, self.seconds())
            if status.kind in ("died", "timeout") or not await self._is_well():
                del self.ran[index]
                await self.stop()
                return

    async def _is_well(self) -> bool:
        """Return whether the kernel survives a cell and still runs another correctly."""
        await asyncio.sleep(LATE)
        finished, status = await self.kernel.run(_HEALTH, GRACE)
        return status.kind == "well" and not any(output.output_type == "error" for output in finished.outputs)

    def _reason(self) -> str:
        if self.seconds() <= 0:
            return f"The time for the whole notebook ({self.rules.total_seconds} s) was used up before this cell."
        return "The cells before ended their process too often, so this one was not run."


def _copy_files(source: Path, target: Path) -> Path:
    """Copy a folder's files except links and notebooks, which hold hidden tests in submissions."""
    for file in files_in(source):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)
    return target


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the relative paths of the files that a kernel finds in its working directory: no notebooks and no links."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb":
            yield path.relative_to(folder)
