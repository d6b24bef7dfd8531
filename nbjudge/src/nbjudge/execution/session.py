"""Execute one notebook and judge it from outside.

The submission's kernel, in the box, runs the student's cells. The judge, another process, runs the test cells, with
stand-ins for what the student wrote. Tests of exercises that are written from scratch ask a second kernel, which has
run the same cells without the modules that would do the work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbjudge.cell_result import GRACE, CellStatus
from nbjudge.execution.demonstrations import spared
from nbjudge.execution.name_analysis import TEST, Plan
from nbjudge.execution.outputs import Outputs
from nbjudge.execution.settings import ExecutionSettings, ReferenceRun
from nbjudge.execution.student_kernel import SERVICE, StudentKernel, Unavailable
from nbjudge.judge import process
from nbjudge.judge.process import Judge
from nbjudge.judge.scoring import Expected, score_cell
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.sandbox import provisioner
from nbjudge.sandbox.withheld import WithheldFinder

NOT_GRADED = "NotGraded"
SPARED = "(A demonstration, which nothing that is graded depends on: not run while grading.)\n"


class Session:
    """One notebook being run and judged.

    files: the submission's; given: the instructor's, private to the judge; variables: of the judge's environment alone
    reference: what the instructor's solution did; None when this is that solution, which is held to nothing
    scores: {test cell: points}, of all test cells; a cell that is not proven to have passed has 0
    """

    def __init__(
        self,
        rules: ExecutionSettings,
        nb: NotebookNode,
        plan: Plan,
        files: Path,
        given: Path,
        variables: Mapping[str, str],
        reference: ReferenceRun | None = ReferenceRun(),  # noqa: B008  (it is frozen)
    ):
        self.rules, self.nb, self.plan, self.given, self.reference = rules, nb, plan, given, reference
        name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
        self.from_scratch = {source.name for source in plan.sources if source.from_scratch} if rules.withheld else set()
        self.tests = {source.name: source.text for source in plan.sources if source.kind == TEST}  # and no other text
        around = (rules, name, files, given.parent, self._seconds)
        self.without = StudentKernel(*around, withheld=rules.withheld)
        self.student = self.without if self._needs_one_kernel() else StudentKernel(*around)
        self.judge = Judge(str(given), variables, rules.output_bytes, rules.startup_timeout)
        self.spared = set() if rules.demonstrations else spared(nb, plan.sources)
        self.outputs = Outputs(rules.total_output_bytes)
        self.scores = dict.fromkeys(self.tests, 0.0)
        self.changes: dict[str, list[tuple[str, int]]] = {}  # by test cell, what calls did to its arguments
        self.empty_arrays: list[str] = []  # the test cells in which one came back
        self.judged: set[str] = set()
        self.run_cells: list[str] = []  # the text of the student's cells so far
        self.done: set[int] = set()  # statements that the judge has run
        self.events: list[dict[str, str]] = []
        self.ends = time.monotonic() + rules.total_seconds

    @property
    def in_force(self) -> str:
        """Return what the box around the submission's kernel is."""
        return self.student.in_force

    async def run(self) -> None:
        """Run all code cells in their order."""
        for failed in await asyncio.gather(self.student.start(), self.judge.start(), return_exceptions=True):
            if failed:
                raise failed
        for number, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            name = CellLabel.of(cell).grade_id
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
                self.run_cells.append(cell.source)
                await self._run(cell, name or f"cell {number + 1}")
            if words := self.outputs.keep(cell, name in self.tests):
                self._note(name or f"cell {number + 1}", "flood", words)

    async def stop(self) -> None:
        await asyncio.gather(self.student.stop(), self.without.stop(), self.judge.stop())

    def reference_run(self) -> ReferenceRun:
        """Return what submissions are to be judged by, after the instructor's own solution has run."""
        return ReferenceRun(self.changes, tuple(self.empty_arrays), self.without.failed > 0 or not self.without.started)

    async def modules(self) -> dict[str, list[str]]:
        """Return what each process has imported, {its purpose: names}; of a process that did not run, nothing."""
        imported = {}
        if await self.judge.alive():  # after a test that takes much memory there is none
            imported[process.PURPOSE] = await self.judge.modules()
        if self.student.started:
            imported[provisioner.PURPOSE] = await self.student.kernel.modules()
        if self.without.started:
            stand_ins = WithheldFinder(self.rules.withheld)  # in whose place others would import the real ones
            names = await self.without.kernel.modules()
            imported[provisioner.PURPOSE_FROM_SCRATCH] = [name for name in names if not stand_ins.holds(name)]
        return imported

    def _needs_one_kernel(self) -> bool:
        """Tell whether the whole lesson is written from scratch, and does without what is withheld."""
        needed = self.reference is None or self.reference.needs_withheld
        return self.from_scratch == set(self.tests) and not needed

    async def _run(self, cell: NotebookNode, name: str) -> None:
        try:
            finished, ended = await self.student.run(cell.source)
        except Unavailable as reason:
            return self._say(cell, name, "skipped", str(reason))
        cell.outputs, cell.execution_count = finished.outputs, finished.execution_count
        if ended.how in ("died", "timeout"):
            self._say(cell, name, ended.how, f"This cell was stopped: {ended.words}.")
        elif ended.words:
            self._note(name, ended.how, ended.words)

    def _seconds(self) -> float:
        """Return what time the next cell has."""
        left = self.ends - time.monotonic()
        return min(left, self.rules.timeout or left)

    # The judge

    async def _judge(self, cell: NotebookNode, name: str) -> None:
        kernel = self.without if name in self.from_scratch else self.student
        for attempt in range(2):
            try:
                if kernel is not self.student:
                    await kernel.catch_up(self.run_cells)
                ended = await self._judge_once(cell, name, kernel)
            except Unavailable as reason:
                return self._say(cell, name, "not judged", str(reason))
            if attempt or ended.how != "died" or not await kernel.was_another():
                break
        if ended.words:
            self._note(name, ended.how, ended.words)

    async def _judge_once(self, cell: NotebookNode, name: str, kernel: StudentKernel) -> CellStatus:
        self.scores[name], cell.outputs, cell.execution_count = 0.0, [], None
        for _ in range(2):
            if kernel.mute:
                raise Unavailable("Your code could not be asked for its answers: it gave none before.")
            await kernel.require()
            request = await kernel.kernel.send(f"{SERVICE}.service.serve()")
            wrong = await self._begin(name, kernel.path)
            if not wrong:
                break
            await kernel.stop()  # it may do better afresh, without the cell that brought it to this
        else:
            kernel.mute = True
            raise Unavailable(f"Your code could not be asked for its answers: {wrong}.")
        await self._ask(cell, name)
        if await kernel.kernel.responds(request):
            if text := await kernel.kernel.printed(request):
                cell.outputs.append(new_output("stream", name="stdout", text=text))
            return CellStatus()
        said = any(output.get("ename") == NOT_GRADED for output in cell.outputs)
        if await kernel.kernel.alive():
            ended = CellStatus("timeout", "The code did not come back from a test, and was stopped.")
        else:
            ended = CellStatus("died", "" if said else f"While this was tested: {kernel.kernel.exit_reason()}.")
        await kernel.stop()
        return ended

    async def _begin(self, name: str, path: str) -> str:
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
        names = {"ours": needs.ours, "students": needs.names, "unbound": needs.unbound}
        return await self.judge.do(
            "begin", GRACE * 2, path=path, requested_classes=self.plan.requested_classes, **names
        )

    async def _ask(self, cell: NotebookNode, name: str) -> None:
        """Run a test cell in the judge and note what it earned."""
        score = await score_cell(
            self.judge, cell.source, float(cell.metadata.nbgrader.points), self._expected(name), self._seconds
        )
        cell.outputs, cell.execution_count, self.scores[name] = score.outputs, score.execution_count, score.points
        if score.problem:
            self._say(cell, name, *score.problem)
        self.changes[name] = list(score.changes)
        if score.empty_arrays:
            self.empty_arrays.append(name)
        if await self.judge.alive():
            await self.judge.do("end", GRACE)

    def _expected(self, name: str) -> Expected:
        if self.reference is None:
            return Expected(None, empty_arrays=True)
        return Expected(self.reference.changes.get(name, ()), name in self.reference.empty_arrays)

    # What is told

    def _say(self, cell: NotebookNode, name: str, what: str, sentence: str) -> None:
        """Put a sentence into the cell, as an error, so that it earns nothing; and among the events."""
        cell.outputs.append(new_output("error", ename=NOT_GRADED, evalue=sentence, traceback=[sentence]))
        self._note(name, what, sentence)

    def _note(self, name: str, what: str, sentence: str) -> None:
        self.events.append({"cell": name, "what": what, "sentence": sentence})
