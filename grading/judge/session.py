"""One notebook, run and judged from outside.

Two processes for each notebook. The submission's kernel, in the box, runs the student's cells. The judge runs the test
cells, with stand-ins for what the student wrote. When the submission's kernel ends, that costs the exercise in which it
ended: another is started, the cells before it are run again, and the judging goes on.
"""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from traitlets.config import Config

from grading.judge.client import GRACE, Ended, Kernel, SwiftManager
from grading.judge.judge import Judge
from grading.judge.outputs import Outputs
from grading.judge.spare import spared
from grading.judge.split import TEST, Plan
from grading.surroundings import EXECUTION_VARIABLE

NOT_GRADED = "NotGraded"
GRADING = {EXECUTION_VARIABLE: "autograde"}  # so that kernels know, and start in the box
SPARED = "(A demonstration, which nothing that is graded depends on: not run while grading.)\n"
SERVICE = "__import__('grading.judge.answering', fromlist=['x'])"
HEALTH = f"assert {SERVICE}.service.waiting and 1 + 1 == 2"
LATE = 0.05  # seconds after which a kernel that a cell told to end has at least begun to


@dataclass(frozen=True)
class Rules:
    """What a notebook is held to: seconds for all of it and for one cell, and the rest as Run's settings say.

    course: the folder of the course; box: the settings of BoxedProvisioner
    """

    total_seconds: int
    timeout: int | None
    startup_timeout: int
    output_bytes: int
    restarts: int
    demonstrations: bool = False
    course: str = ""
    box: Mapping[str, Any] = field(default_factory=dict)
    notebook_output_bytes: int = 20 << 20


class Session:
    """One notebook being run and judged.

    files: the submission's, of which each of its kernels gets a copy; given: the instructor's, private to the judge
    variables: of the environment of the judge alone
    """

    def __init__(
        self, rules: Rules, nb: NotebookNode, plan: Plan, files: Path, given: Path, variables: Mapping[str, str]
    ):
        self.rules, self.nb, self.plan, self.files, self.given = rules, nb, plan, files, given
        name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
        kept: dict[str, Any] = {"output_bytes": rules.output_bytes, "startup_timeout": rules.startup_timeout}
        self.config = Config({"BoxedProvisioner": rules.box, "CourseDirectory": {"root": rules.course}})
        self.student = Kernel(SwiftManager, name, "", GRADING, config=self.config, **kept)
        self.judge = Judge(str(given), variables, **kept)
        self.spared = set() if rules.demonstrations else spared(nb, plan.sources)
        self.outputs = Outputs(rules.notebook_output_bytes)
        self.in_force = ""  # what the box around the submission's kernel is
        self.tests = {source.name: source.text for source in plan.sources if source.kind == TEST}  # and no other text
        self.judged: set[str] = set()
        self.ran: list[str] = []  # the student's cells that ended well, to be run again after a restart
        self.done: set[int] = set()  # statements that the judge has run
        self.deaths = 0
        self.mute = False  # whether it has given up answering, also afresh
        self.events: list[dict[str, str]] = []
        self.ends = time.monotonic() + rules.total_seconds

    async def run(self) -> None:
        """Run all code cells in their order."""
        for failed in await asyncio.gather(self._start_student(), self.judge.start(), return_exceptions=True):
            if failed:
                raise failed
        for number, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            cell.outputs, cell.execution_count = [], None
            if name in self.judged:
                self._say(cell, name, "not judged", "Another cell of this name was judged before.")
            elif name in self.tests:
                self.judged.add(name)
                cell.source = self.tests[name]
                await self._judge(cell, name)
            elif number in self.spared:
                cell.outputs = [new_output("stream", name="stdout", text=SPARED)]
            elif cell.source.strip():
                await self._run(cell, name or f"cell {number + 1}")
            if words := self.outputs.keep(cell, name in self.tests):
                self._note(name or f"cell {number + 1}", "flood", words)

    async def stop(self) -> None:
        await asyncio.gather(self.student.stop(), self.judge.stop())

    # The submission's kernel

    async def _start_student(self) -> None:
        """Start the submission's kernel in a copy of its files that nothing has touched."""
        self.student.folder = str(_copy_files(self.files, self.given.parent / f"work-{self.deaths}"))
        if limit := self.rules.box.get("cpu_seconds"):  # for the whole submission
            self.config.BoxedProvisioner.cpu_seconds = max(1, round(limit - self.student.cpu_seconds))
        await self.student.start()
        self.in_force = getattr(self.student.provisioner, "in_force", "") or self.in_force
        home = getattr(self.student.provisioner, "home", None) or tempfile.mkdtemp(dir=self.given.parent)
        self.path = str(Path(home, f"judge-{self.deaths}"))
        wrong = await self.student.silently(
            f"{SERVICE}.service = {SERVICE}.Service({self.path!r}, get_ipython().user_ns)", 60
        )
        if wrong:
            raise RuntimeError(f"The submission's kernel could not be prepared: {wrong}")

    async def _run(self, cell: NotebookNode, name: str) -> None:
        for attempt in range(2):
            if not await self._ready():
                return self._say(cell, name, "skipped", self._why_not())
            finished, ended = await self.student.run(cell.source, self._seconds())
            if attempt or ended.how != "died" or not await self._was_another():
                break
        cell.outputs, cell.execution_count = finished.outputs, finished.execution_count
        if any(output.get("ename") == "MemoryError" for output in cell.outputs):
            await self.student.stop()  # what it holds is not given back
            return self._note(name, "memory", "This cell used up the memory, so what it defined is not there.")
        if ended.how in ("well", "flood"):
            self.ran.append(cell.source)
        if ended.how in ("died", "timeout"):
            self._say(cell, name, ended.how, f"This cell was stopped: {ended.words}.")
        elif ended.how == "flood":
            self._note(name, "flood", ended.words)

    async def _ready(self) -> bool:
        """Bring the submission's kernel back if it has ended. Returns False when there is no time or patience left."""
        while self._seconds() > 0:
            if await self.student.alive():
                return True
            self.deaths += 1
            if self.deaths > self.rules.restarts:
                return False
            await self.student.stop()
            try:
                await self._start_student()
            except Exception as error:  # nobody's fault that could be named; the exercise is not judged
                self._note("", "restart", f"The kernel could not be started again: {type(error).__name__}.")
                return False
            await self._run_again()
        return False

    async def _run_again(self) -> None:
        """Run the cells before this one again; one after which the kernel is not well is left out from now on."""
        for place, source in enumerate(self.ran):
            if self._seconds() <= 0:
                return
            _, ended = await self.student.run(source, self._seconds())
            if ended.how in ("died", "timeout") or not await self._is_well():
                del self.ran[place]
                await self.student.stop()
                return

    async def _is_well(self) -> bool:
        """Tell whether the submission's kernel lives on after a cell, and runs another as it should."""
        await asyncio.sleep(LATE)
        finished, ended = await self.student.run(HEALTH, GRACE)
        return ended.how == "well" and not any(output.output_type == "error" for output in finished.outputs)

    async def _was_another(self) -> bool:
        """Bring the kernel back, and tell whether a cell before the one in which it ended brought that about."""
        before = len(self.ran)
        return await self._ready() and len(self.ran) < before

    def _seconds(self) -> float:
        """Return what time the next cell has."""
        left = self.ends - time.monotonic()
        return min(left, self.rules.timeout or left)

    def _why_not(self) -> str:
        if self._seconds() <= 0:
            return f"The time for the whole notebook ({self.rules.total_seconds} s) was used up before this cell."
        if self.mute:
            return "Your code could not be asked for its answers: it gave none before."
        return "The cells before ended their process too often, so this one was not run."

    # The judge

    async def _judge(self, cell: NotebookNode, name: str) -> None:
        for attempt in range(2):
            ended = await self._judge_once(cell, name)
            if attempt or ended.how != "died" or not await self._was_another():
                break
        if ended.words:
            self._note(name, ended.how, ended.words)

    async def _judge_once(self, cell: NotebookNode, name: str) -> Ended:
        for _ in range(2):
            if self.mute or not await self._ready():
                self._say(cell, name, "not judged", self._why_not())
                return Ended()
            request = await self.student.send(f"{SERVICE}.service.serve()")
            wrong = await self._begin(name)
            if not wrong:
                break
            await self.student.stop()  # it may do better afresh, without the cell that brought it to this
        else:
            self.mute = True
            self._say(cell, name, "not judged", f"Your code could not be asked for its answers: {wrong}.")
            return Ended()
        await self._ask(cell, name)
        if await self.student.responds(request):
            if text := await self.student.printed(request):
                cell.outputs.append(new_output("stream", name="stdout", text=text))
            return Ended()
        said = any(output.get("ename") == NOT_GRADED for output in cell.outputs)
        if await self.student.alive():
            ended = Ended("timeout", "The code did not come back from a test, and was stopped.")
        else:
            ended = Ended("died", "" if said else f"While this was tested: {self.student.last_words()}.")
        await self.student.stop()
        return ended

    async def _begin(self, name: str) -> str:
        """Prepare the judge for a test cell; return "" or what is wrong."""
        if not await self.judge.alive():
            await self.judge.stop()
            await self.judge.start()
            self.done = set()
        done = set(self.done)
        needs = self.plan.needs(name, done)
        given = {"folder": str(self.given), "statements": needs.statements}
        if wrong := await self.judge.do("prepare", self._seconds(), **given):
            return wrong
        self.done = done
        names = {"ours": needs.ours, "students": needs.names, "loose": needs.loose}
        return await self.judge.do("begin", GRACE * 2, path=self.path, asked_for=self.plan.asked_for, **names)

    async def _ask(self, cell: NotebookNode, name: str) -> None:
        """Run a test cell in the judge; nothing but what is printed and returned there gives points."""
        finished, ended = await self.judge.run(cell.source, self._seconds())
        cell.outputs, cell.execution_count = finished.outputs, finished.execution_count
        if ended.how == "timeout":
            cell.outputs = [output for output in cell.outputs if output.get("ename") != "KeyboardInterrupt"]
            self._say(cell, name, "timeout", f"The tests of this exercise were stopped: {ended.words}.")
        elif ended.how == "died":
            self._say(cell, name, "died", "The tests of this exercise could not be finished.")
        elif cell.execution_count is None and cell.source.strip():
            self._say(cell, name, "not judged", "The tests of this exercise did not run.")
        else:
            self._check_credit(cell, name)
        if await self.judge.alive():
            await self.judge.do("end", GRACE)

    def _check_credit(self, cell: NotebookNode, name: str) -> None:
        """See to it that partial credit is a number from 0 to the cell's points, as nbgrader will read it."""
        points = float(cell.metadata.nbgrader.points)
        for output in cell.outputs:
            if output.output_type != "execute_result":
                continue
            text = str(output.data.get("text/plain", ""))
            plain = re.sub(r"^np\.\w+\((.*)\)$", r"\1", text.strip())
            try:
                credit = float(plain)
            except ValueError:
                continue  # no number: the cell passed without an error, which nbgrader counts as full
            output.data["text/plain"] = plain
            if not (math.isfinite(credit) and 0 <= credit <= points):
                self._say(cell, name, "no credit", f"The tests gave {plain} points, which is not from 0 to {points:g}.")
                return

    # What is told

    def _say(self, cell: NotebookNode, name: str, what: str, sentence: str) -> None:
        """Put a sentence into the cell, as an error, so that it earns nothing; and among the events."""
        cell.outputs.append(new_output("error", ename=NOT_GRADED, evalue=sentence, traceback=[sentence]))
        self._note(name, what, sentence)

    def _note(self, name: str, what: str, sentence: str) -> None:
        self.events.append({"cell": name, "what": what, "sentence": sentence})


def _copy_files(source: Path, target: Path) -> Path:
    """Copy a folder's files, but for notebooks (those of submissions hold hidden tests) and links."""
    target.mkdir(mode=0o700)
    for file in files_in(source):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)
    return target


def files_in(folder: Path) -> Iterator[Path]:
    """Yield what a kernel finds in its working directory, relative to it: no notebook and no link."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb":
            yield path.relative_to(folder)
