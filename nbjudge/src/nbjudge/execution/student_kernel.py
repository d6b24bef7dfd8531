"""The submission's kernel: runs the student's cells, is restarted when it dies, and answers the judge.

When it ends, that costs the cell in which it ended: another is started, and the cells before are run again.
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

GRADING = {EXECUTION_VARIABLE: "autograde"}  # so that kernels know, and start in the box
SERVICE = "__import__('nbjudge.judge.rpc_server', fromlist=['x'])"
HEALTH = f"assert {SERVICE}.service.waiting and 1 + 1 == 2"
LATE = 0.05  # seconds after which a kernel that a cell told to end has at least begun to


class Unavailable(Exception):
    """There is no time or patience left for another kernel; the message is a sentence for the student."""


class StudentKernel:
    """A kernel that has run the cells of a submission so far, whatever happens to it.

    name: the kernelspec's; files: the submission's, of which each process gets a copy below `folder`
    seconds: tells what time the next cell has; withheld: modules that are kept from it
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
        box = {**rules.box, "withheld": list(withheld)}
        self.config = Config({"BoxedProvisioner": box, "CourseDirectory": {"root": rules.course}})
        kept: dict[str, Any] = {"output_bytes": rules.output_bytes, "startup_timeout": rules.startup_timeout}
        self.kernel = Kernel(FastStartKernelManager, name, "", GRADING, config=self.config, **kept)
        self.path = ""  # of the socket on which it answers the judge
        self.in_force = ""  # what the box around it is
        self.ran: list[str] = []  # the cells that ended well, to be run again after a restart
        self.caught_up = 0  # how many of the student's cells have been brought to it by `catch_up`
        self.failed = 0  # how many of them ended with an error
        self.deaths = 0
        self.mute = False  # whether it has given up answering, also afresh
        self.started = False

    async def start(self) -> None:
        """Start the kernel in a copy of the submission's files that nothing has touched."""
        self.started = True
        if self.kernel.folder:  # of the kernel before, which may have filled it
            remove(Path(self.kernel.folder))
        self.kernel.folder = str(copy_files(self.files, Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))))
        if limit := self.rules.box.get("cpu_seconds"):  # for the whole submission
            self.config.BoxedProvisioner.cpu_seconds = max(1, round(limit - self.kernel.cpu_seconds))
        await self.kernel.start()
        self.in_force = getattr(self.kernel.provisioner, "in_force", "") or self.in_force
        home = getattr(self.kernel.provisioner, "home", None) or tempfile.mkdtemp(dir=self.folder)
        self.path = str(Path(home, f"judge-{self.deaths}"))
        wrong = await self.kernel.silently(
            f"{SERVICE}.service = {SERVICE}.RpcServer({self.path!r}, get_ipython().user_ns)", 60
        )
        if wrong:
            raise RuntimeError(f"The submission's kernel could not be prepared: {wrong}")

    async def stop(self) -> None:
        await self.kernel.stop()

    async def run(self, source: str) -> tuple[NotebookNode, CellStatus]:
        """Run a cell. Raises Unavailable."""
        for attempt in range(2):
            await self.require()
            finished, ended = await self.kernel.run(source, self.seconds())
            if attempt or ended.how != "died" or not await self.was_another():
                break
        if any(output.get("ename") == "MemoryError" for output in finished.outputs):
            await self.stop()  # what it holds is not given back
            return finished, CellStatus("memory", "This cell used up the memory, so what it defined is not there.")
        if ended.how in ("well", "flood"):
            self.ran.append(source)
        return finished, ended

    async def catch_up(self, sources: Sequence[str]) -> None:
        """Run those of the student's cells that it has not run yet, whatever comes of them. Raises Unavailable."""
        while self.caught_up < len(sources):
            self.caught_up += 1
            finished, _ = await self.run(sources[self.caught_up - 1])
            self.failed += any(output.output_type == "error" for output in finished.outputs)

    async def require(self) -> None:
        """Bring the kernel back if it has ended. Raises Unavailable when there is no time or patience left."""
        while self.seconds() > 0:
            if await self.kernel.alive():
                return
            self.deaths += self.started
            if self.deaths > self.rules.restarts:
                break
            await self.stop()
            try:
                await self.start()
            except Exception as error:  # nobody's fault that could be named; the exercise is not judged
                raise Unavailable(f"The kernel could not be started again: {type(error).__name__}.") from error
            await self._run_again()
        raise Unavailable(self._reason())

    async def was_another(self) -> bool:
        """Bring the kernel back, and tell whether a cell before the one in which it ended brought that about."""
        before = len(self.ran)
        try:
            await self.require()
        except Unavailable:
            return False
        return len(self.ran) < before

    async def _run_again(self) -> None:
        """Run the cells before this one again; one after which the kernel is not well is left out from now on."""
        for place, source in enumerate(self.ran):
            if self.seconds() <= 0:
                return
            _, ended = await self.kernel.run(source, self.seconds())
            if ended.how in ("died", "timeout") or not await self._is_well():
                del self.ran[place]
                await self.stop()
                return

    async def _is_well(self) -> bool:
        """Tell whether the kernel lives on after a cell, and runs another as it should."""
        await asyncio.sleep(LATE)
        finished, ended = await self.kernel.run(HEALTH, GRACE)
        return ended.how == "well" and not any(output.output_type == "error" for output in finished.outputs)

    def _reason(self) -> str:
        if self.seconds() <= 0:
            return f"The time for the whole notebook ({self.rules.total_seconds} s) was used up before this cell."
        return "The cells before ended their process too often, so this one was not run."


def copy_files(source: Path, target: Path) -> Path:
    """Copy a folder's files, but for notebooks (those of submissions hold hidden tests) and links."""
    for file in files_in(source):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)
    return target


def files_in(folder: Path) -> Iterator[Path]:
    """Yield what a kernel finds in its working directory, relative to it: no notebook and no link."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb":
            yield path.relative_to(folder)
