"""Execute one notebook and judge it from outside.

The submission's kernel, in the sandbox, runs the student's cells. The judge, another process, runs the test cells, with
proxies for what the student wrote. Tests of exercises written from scratch query a second kernel, which has run the
same cells without the modules that would do the work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbjudge.cell_result import GRACE, NOT_GRADED, SKIPPED, CellStatus
from nbjudge.execution.demonstrations import demonstrations_in, skippable_cells, students_texts
from nbjudge.execution.inside_test import score_inside
from nbjudge.execution.name_analysis import BY_HAND, INSIDE, TEST, Plan
from nbjudge.execution.outputs import Outputs
from nbjudge.execution.settings import ExecutionSettings, ReferenceRun
from nbjudge.execution.student_kernel import SERVICE, KernelUnavailableError, StudentKernel
from nbjudge.judge import process
from nbjudge.judge.process import Judge
from nbjudge.judge.scoring import CellScore, Expected, score_cell
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.sandbox import provisioner
from nbjudge.sandbox.withheld import WithheldFinder


class Session:
    """Execution and judging of one notebook.

    files: the submission's; instructor_files: private to the judge; variables: of the judge's environment only
    reference: the run of the instructor's solution; None if this is that solution, which nothing is compared with
    use_one_kernel: whether to run the reference, if all of it is from scratch, without the withheld modules
    scores: {test cell: points} for all test cells; 0 unless a cell is proven to have passed, None if a person decides
    """

    def __init__(
        self,
        rules: ExecutionSettings,
        nb: NotebookNode,
        plan: Plan,
        files: Path,
        instructor_files: Path,
        variables: Mapping[str, str],
        reference: ReferenceRun | None = ReferenceRun(),  # noqa: B008  (it is frozen)
        use_one_kernel: bool = False,
    ):
        self.rules, self.nb, self.plan = rules, nb, plan
        self.instructor_files, self.reference = instructor_files, reference
        name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
        self.from_scratch = {source.name for source in plan.sources if source.from_scratch} if rules.withheld else set()
        self.tests = {source.name: source.text for source in plan.sources if source.kind == TEST}  # and no other text
        self.judging = {source.name: source.judging for source in plan.sources}
        self.common = common = (rules, name, files, instructor_files.parent, self._seconds)
        self.without = StudentKernel(*common, withheld=rules.withheld)
        use_one_kernel = not reference.needs_withheld if reference else use_one_kernel
        one_kernel = use_one_kernel and self.from_scratch == set(self.tests)
        self.student = self.without if one_kernel else StudentKernel(*common)
        self.judge = Judge(str(instructor_files), variables, rules.output_bytes, rules.startup_timeout)
        self.outputs = Outputs(rules.total_output_bytes)
        self.scores: dict[str, float | None] = dict.fromkeys(self.tests, 0.0)
        self.changes: dict[str, list[tuple[str, int]]] = {}  # {test cell: the arguments that calls changed}
        self.empty_arrays: list[str] = []  # the test cells in which a call returned one
        self.judged: set[str] = set()
        self.run_cells: list[str] = []  # the text of the student's cells so far
        self.run_inside: list[str] = []  # the same, and the tests that were judged inside
        self.executed: set[int] = set()  # indices of the statements that the judge has run
        self.events: list[dict[str, str]] = []
        self.deadline = time.monotonic() + rules.total_seconds

    @property
    def in_force(self) -> str:
        """Return the sandbox layers in force for the submission's kernel."""
        return self.student.in_force

    async def run(self) -> None:
        """Run all code cells in order."""
        for failed in await asyncio.gather(self.student.start(), self.judge.start(), return_exceptions=True):
            if failed:
                raise failed
        skippable = await self._find_skippable()
        for number, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            name = CellLabel.of(cell).grade_id
            cell.outputs, cell.execution_count = [], None
            if name in self.judged:
                self._add_error(cell, name, "not judged", "Another cell of this name was judged before.")
            elif name in self.tests:
                self.judged.add(name)
                cell.source = self.tests[name]
                await self._judge(cell, name)
            elif number in skippable:
                cell.outputs = [new_output("stream", name="stdout", text=SKIPPED)]
            elif cell.source.strip():
                self.run_cells.append(cell.source)
                self.run_inside.append(cell.source)
                await self._run(cell, name or f"cell {number + 1}")
            if words := self.outputs.keep(cell, name in self.tests):
                self._add_event(name or f"cell {number + 1}", "flood", words)

    async def stop(self) -> None:
        await asyncio.gather(self.student.stop(), self.without.stop(), self.judge.stop())

    @property
    def lacks_modules(self) -> bool:
        """Return whether cells failed that may need the withheld modules."""
        return self.student is self.without and self.student.failed > 0

    def reference_run(self) -> ReferenceRun:
        """Return the reference for judging submissions, after the instructor's own solution has run."""
        return ReferenceRun(self.changes, tuple(self.empty_arrays), self.student is not self.without)

    async def modules(self) -> dict[str, list[str]]:
        """Return {purpose: names of imported modules} of each process that ran."""
        imported = {}
        if await self.judge.alive():  # it has ended after a test that took much memory
            imported[process.PURPOSE] = await self.judge.modules()
        if self.student.started:
            imported[provisioner.PURPOSE] = await self.student.kernel.modules()
        if self.without.started:
            finder = WithheldFinder(self.rules.withheld)  # placeholders; other kernels would import the real modules
            names = await self.without.kernel.modules()
            imported[provisioner.PURPOSE_FROM_SCRATCH] = [name for name in names if not finder.holds(name)]
        return imported

    async def _find_skippable(self) -> set[int]:
        """Return the indices of the cells that need not run; none if the kernel cannot read the student's cells."""
        if self.rules.demonstrations or not demonstrations_in(self.nb, self.plan.sources):
            return set()
        texts = students_texts(self.nb, self.plan.sources)
        names = await self.student.free_names(texts)
        if names is None:
            return set()
        return skippable_cells(self.nb, self.plan.sources, dict(zip(texts, names, strict=True)))

    async def _run(self, cell: NotebookNode, name: str) -> None:
        try:
            finished, status = await self.student.run(cell.source)
        except KernelUnavailableError as reason:
            return self._add_error(cell, name, "skipped", str(reason))
        cell.outputs, cell.execution_count = finished.outputs, finished.execution_count
        if status.kind in ("died", "timeout"):
            self._add_error(cell, name, status.kind, f"This cell was stopped: {status.reason}.")
        elif status.reason:
            self._add_event(name, status.kind, status.reason)

    def _seconds(self) -> float:
        """Return the time limit of the next cell."""
        remaining = self.deadline - time.monotonic()
        return min(remaining, self.rules.timeout or remaining)

    # The judge

    async def _judge(self, cell: NotebookNode, name: str) -> None:
        if self.judging[name] == BY_HAND:
            self.scores[name] = None
            cell.outputs = [new_output("stream", name="stdout", text="Your instructor grades this exercise.\n")]
        elif self.judging[name] == INSIDE:
            await self._judge_inside(cell, name)
        else:
            await self._judge_outside(cell, name)

    async def _judge_inside(self, cell: NotebookNode, name: str) -> None:
        """Run a test in a fresh copy of the submission's kernel, which is not used again."""
        kernel = StudentKernel(*self.common, withheld=self.rules.withheld if name in self.from_scratch else ())
        try:
            await kernel.start()
            await kernel.catch_up(self.run_inside)
            await kernel.require()
            await self._require_judge()
            points = float(cell.metadata.nbgrader.points)
            self._record(cell, name, await score_inside(kernel, self.judge, cell.source, points, self._seconds))
        except KernelUnavailableError as reason:
            self._add_error(cell, name, "not judged", str(reason))
        finally:
            await kernel.stop()
        self.run_inside.append(cell.source)

    async def _judge_outside(self, cell: NotebookNode, name: str) -> None:
        kernel = self.without if name in self.from_scratch else self.student
        for attempt in range(2):
            try:
                if kernel is not self.student:
                    await kernel.catch_up(self.run_cells)
                status = await self._judge_once(cell, name, kernel)
            except KernelUnavailableError as reason:
                return self._add_error(cell, name, "not judged", str(reason))
            if attempt or status.kind != "died" or not await kernel.restart_drops_cell():
                break
        if status.reason:
            self._add_event(name, status.kind, status.reason)

    async def _judge_once(self, cell: NotebookNode, name: str, kernel: StudentKernel) -> CellStatus:
        self.scores[name], cell.outputs, cell.execution_count = 0.0, [], None
        for _ in range(2):
            if kernel.mute:
                raise KernelUnavailableError("Your code could not be asked for its answers: it gave none before.")
            await kernel.require()
            request = await kernel.kernel.send(f"{SERVICE}.service.serve()")
            problem = await self._begin(name, kernel.path)
            if not problem:
                break
            await kernel.stop()  # it may do better when restarted without the cell that caused this
        else:
            kernel.mute = True
            raise KernelUnavailableError(f"Your code could not be asked for its answers: {problem}.")
        await self._ask(cell, name)
        if await kernel.kernel.responds(request):
            if text := await kernel.kernel.collect_output(request):
                cell.outputs.append(new_output("stream", name="stdout", text=text))
            return CellStatus()
        is_explained = any(output.get("ename") == NOT_GRADED for output in cell.outputs)
        if await kernel.kernel.alive():
            status = CellStatus("timeout", "The code did not come back from a test, and was stopped.")
        else:
            status = CellStatus(
                "died", "" if is_explained else f"While this was tested: {kernel.kernel.exit_reason()}."
            )
        await kernel.stop()
        return status

    async def _begin(self, name: str, path: str) -> str:
        """Prepare the judge for a test cell; return "" or the problem."""
        await self._require_judge()
        executed = set(self.executed)
        needs = self.plan.needs(name, executed)
        preparation = {"folder": str(self.instructor_files), "statements": needs.statements}
        if problem := await self.judge.do("prepare", self._seconds(), **preparation):
            return problem
        self.executed = executed
        return await self.judge.do(
            "begin",
            GRACE * 2,
            path=path,
            requested_classes=self.plan.requested_classes,
            ours=needs.instructor_names,
            students=needs.names,
            unbound=needs.unbound,
            bound=needs.bound,
        )

    async def _require_judge(self) -> None:
        """Start the judge again if it has ended."""
        if not await self.judge.alive():
            await self.judge.stop()
            await self.judge.start()
            self.executed = set()

    async def _ask(self, cell: NotebookNode, name: str) -> None:
        """Run a test cell in the judge and record its score."""
        score = await score_cell(
            self.judge, cell.source, float(cell.metadata.nbgrader.points), self._expected(name), self._seconds
        )
        self._record(cell, name, score)
        self.changes[name] = list(score.changes)
        if score.empty_arrays:
            self.empty_arrays.append(name)
        if await self.judge.alive():
            await self.judge.do("end", GRACE)

    def _record(self, cell: NotebookNode, name: str, score: CellScore) -> None:
        cell.outputs, cell.execution_count, self.scores[name] = score.outputs, score.execution_count, score.points
        if score.problem:
            self._add_error(cell, name, *score.problem)

    def _expected(self, name: str) -> Expected:
        if self.reference is None:
            return Expected(None, empty_arrays=True)
        return Expected(self.reference.changes.get(name, ()), name in self.reference.empty_arrays)

    # Reporting

    def _add_error(self, cell: NotebookNode, name: str, what: str, sentence: str) -> None:
        """Add a sentence to the cell as an error, so that it earns nothing, and to the events."""
        cell.outputs.append(new_output("error", ename=NOT_GRADED, evalue=sentence, traceback=[sentence]))
        self._add_event(name, what, sentence)

    def _add_event(self, name: str, what: str, sentence: str) -> None:
        self.events.append({"cell": name, "what": what, "sentence": sentence})
