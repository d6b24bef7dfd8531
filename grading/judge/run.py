"""Run a submission and judge it from outside: the preprocessor that takes the place of nbgrader's Execute.

Two kernels for each notebook. The submission's own, in the box, runs the student's cells. The judge's runs the test
cells, with stand-ins for what the student wrote. When the submission's kernel ends, that costs the exercise in which it
ended: another is started, the cells before it are run again, and the judging goes on.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Integer

from grading.judge.client import GRACE, TIMEOUT, Kernel
from grading.judge.judge_kernel import JudgeManager, preload
from grading.judge.plans import plan_for
from grading.judge.split import TEST, Plan

NOT_GRADED = "NotGraded"
SERVICE = "__import__('grading.judge.answering', fromlist=['x'])"
HEALTH = f"assert {SERVICE}.service.waiting and 1 + 1 == 2"
JUDGE = "__import__('grading.judge.judging', fromlist=['x'])"


class Run(Execute):
    """Runs the student's cells in one kernel and the test cells in another.

    Listens to the settings of nbgrader's Execute too, such as c.Execute.timeout.
    """

    total_seconds = Integer(1800, help="Time for one notebook, all its cells and restarts together.").tag(config=True)
    output_bytes = Integer(1 << 20, help="Of the outputs of one cell, what is kept.").tag(config=True)
    restarts = Integer(10, help="How often a kernel that ended is started again.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any, km: Any = None) -> tuple[NotebookNode, Any]:
        """Run the notebook and return it with outputs. `km` is not used: whose kernel runs what is decided here."""
        ids = resources["nbgrader"]
        converter = self.parent.parent
        course = converter.coursedir
        plan = plan_for(course, ids["assignment"], ids["notebook"])
        lesson = course.format_path(course.source_directory, ".", ids["assignment"])
        students = getattr(converter, "exclude_overwriting", {}).get(ids["assignment"], [])
        with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)  # the submission's own user passes through to its copy, and sees nothing else
            given = _copy_files(Path(lesson), Path(folder, "given"), without=students)
            session = Session(self, nb, plan, Path(resources["metadata"]["path"]), given)
            try:
                run_sync(session.run)()
                if getattr(converter, "rehearsing", False):
                    preload(run_sync(session.judge.modules)())  # the class's judges find them imported
            finally:
                run_sync(session.stop)()
        if session.events:
            nb.metadata.setdefault("grading", {}).setdefault("events", []).extend(session.events)
        return nb, resources


class Session:
    """One notebook being run and judged.

    files: the submission's, of which each of its kernels gets a copy; given: the instructor's, private to the judge
    """

    def __init__(self, settings: Run, nb: NotebookNode, plan: Plan, files: Path, given: Path):
        self.settings, self.nb, self.plan, self.files, self.given = settings, nb, plan, files, given
        name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
        kept = {"output_bytes": settings.output_bytes, "startup_timeout": settings.startup_timeout}
        self.student = Kernel(AsyncKernelManager, name, "", config=settings.config, **kept)
        self.judge = Kernel(JudgeManager, "", str(given), config=settings.config, **kept)
        self.tests = {source.name: source.text for source in plan.sources if source.kind == TEST}  # and no other text
        self.judged: set[str] = set()
        self.ran: list[str] = []  # the student's cells that ended well, to be run again after a restart
        self.done: set[int] = set()  # statements that the judge has run
        self.deaths = 0
        self.mute = False  # whether it has given up answering, also afresh
        self.events: list[dict[str, str]] = []
        self.ends = time.monotonic() + settings.total_seconds

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
            elif cell.source.strip():
                await self._run(cell, name or f"cell {number + 1}")

    async def stop(self) -> None:
        await asyncio.gather(self.student.stop(), self.judge.stop())

    # The submission's kernel

    async def _start_student(self) -> None:
        """Start the submission's kernel in a copy of its files that nothing has touched."""
        self.student.folder = str(_copy_files(self.files, self.given.parent / f"work-{self.deaths}"))
        await self.student.start()
        home = getattr(self.student.provisioner, "home", None) or tempfile.mkdtemp(dir=self.given.parent)
        self.path = str(Path(home, f"judge-{self.deaths}"))
        wrong = await self.student.silently(
            f"{SERVICE}.service = {SERVICE}.Service({self.path!r}, get_ipython().user_ns)", 60
        )
        if wrong:
            raise RuntimeError(f"The submission's kernel could not be prepared: {wrong}")

    async def _run(self, cell: NotebookNode, name: str) -> None:
        if not await self._ready():
            return self._say(cell, name, "skipped", self._why_not())
        finished, ended = await self.student.run(cell.source, self._seconds())
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

    async def _ready(self, *, wary: bool = False) -> bool:
        """Bring the submission's kernel back if it has ended. Returns False when there is no time or patience left.

        wary: leave out cells after which the kernel no longer does what it is told
        """
        while self._seconds() > 0:
            if await self.student.alive():
                return True
            self.deaths += 1
            if self.deaths > self.settings.restarts:
                return False
            await self.student.stop()
            try:
                await self._start_student()
            except Exception as error:  # nobody's fault that could be named; the exercise is not judged
                self._note("", "restart", f"The kernel could not be started again: {type(error).__name__}.")
                return False
            await self._run_again(wary)
        return False

    async def _run_again(self, wary: bool) -> None:
        """Run the cells before this one again; one that does not end well this time is left out from now on."""
        for place, source in enumerate(self.ran):
            if self._seconds() <= 0:
                return
            _, ended = await self.student.run(source, self._seconds())
            if ended.how in ("died", "timeout") or (wary and await self.student.silently(HEALTH, GRACE)):
                del self.ran[place]
                await self.student.stop()
                return

    def _seconds(self) -> float:
        """Return what time the next cell has."""
        left = self.ends - time.monotonic()
        return min(left, self.settings.timeout or left)

    def _why_not(self) -> str:
        if self._seconds() <= 0:
            return f"The time for the whole notebook ({self.settings.total_seconds} s) was used up before this cell."
        if self.mute:
            return "Your code could not be asked for its answers: it gave none before."
        return "The cells before ended their process too often, so this one was not run."

    # The judge's kernel

    async def _judge(self, cell: NotebookNode, name: str) -> None:
        for attempt in range(2):
            if self.mute or not await self._ready(wary=attempt > 0):
                return self._say(cell, name, "not judged", self._why_not())
            request = await self.student.send(f"{SERVICE}.service.serve()")
            wrong = await self._begin(name)
            if not wrong:
                break
            await self.student.stop()  # it may do better afresh, without the cell that brought it to this
        else:
            self.mute = True
            return self._say(cell, name, "not judged", f"Your code could not be asked for its answers: {wrong}.")
        await self._ask(cell, name)
        if await self.student.responds(request):
            if text := await self.student.printed(request):
                cell.outputs.append(new_output("stream", name="stdout", text=text))
            return None
        if await self.student.alive():
            self._note(name, "timeout", "The code did not come back from a test, and was stopped.")
        elif not any(output.get("ename") == NOT_GRADED for output in cell.outputs):
            self._note(name, "died", f"While this was tested: {self.student.last_words()}.")
        return await self.student.stop()

    async def _begin(self, name: str) -> str:
        """Prepare the judge for a test cell; return "" or what is wrong."""
        if not await self.judge.alive():
            await self.judge.stop()
            await self.judge.start()
            self.done = set()
        done = set(self.done)
        needs = self.plan.needs(name, done)
        given = f"{str(self.given)!r}, {needs.statements!r}"
        if wrong := await self.judge.silently(f"{JUDGE}.prepare(get_ipython().user_ns, {given})", self._seconds()):
            return wrong
        self.done = done
        names = f"{self.plan.asked_for!r}, {needs.ours!r}, {needs.names!r}, {needs.loose!r}"
        return await self.judge.silently(f"{JUDGE}.begin(get_ipython().user_ns, {self.path!r}, {names})", GRACE * 2)

    async def _ask(self, cell: NotebookNode, name: str) -> None:
        """Run a test cell in the judge's kernel; nothing but what is printed and returned there gives points."""
        finished, ended = await self.judge.run(cell.source, self._seconds())
        cell.outputs, cell.execution_count = finished.outputs, finished.execution_count
        if ended.how == "timeout":
            cell.outputs = [
                output for output in cell.outputs if output.get("ename") not in (TIMEOUT, "KeyboardInterrupt")
            ]
            self._say(cell, name, "timeout", f"The tests of this exercise were stopped: {ended.words}.")
        elif ended.how == "died":
            self._say(cell, name, "died", "The tests of this exercise could not be finished.")
        elif cell.execution_count is None and cell.source.strip():
            self._say(cell, name, "not judged", "The tests of this exercise did not run.")
        else:
            await self.judge.silently(f"{JUDGE}.end()", GRACE)
            self._check_credit(cell, name)
        if ended.how == "timeout" and self.judge.client:
            await self.judge.silently(f"{JUDGE}.end()", GRACE)

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


def _copy_files(source: Path, target: Path, without: list[str] | tuple[str, ...] = ()) -> Path:
    """Copy a folder's files, but for notebooks (those of submissions hold hidden tests) and links."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        paths = [Path(folder, name) for name in names]
        return [
            p.name for p in paths if p.suffix == ".ipynb" or p.is_symlink() or str(p.relative_to(source)) in without
        ]

    target.mkdir(mode=0o700)
    if source.is_dir():
        shutil.copytree(source, target, ignore=ignored, copy_function=shutil.copyfile, dirs_exist_ok=True)
    return target
