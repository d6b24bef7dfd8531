"""Drop-in replacement for nbgrader's Execute preprocessor that runs and judges a submission from outside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict, Enum, Integer, List, Unicode

from nbjudge.execution.context import GradingContext, find_context
from nbjudge.execution.job import PURPOSES, Job, run_job
from nbjudge.execution.name_analysis import BY_HAND, INSIDE, OUTSIDE, TEST, Source, imports
from nbjudge.execution.settings import ExecutionSettings, ReferenceRun
from nbjudge.execution.student_kernel import files_in
from nbjudge.forkserver.preload import USUAL, preload
from nbjudge.judge import process
from nbjudge.sandbox.provisioner import SandboxProvisioner
from nbjudge.secrets import CourseSecret
from nbjudge.settings import resolved


class Run(Execute):  # type: ignore[misc]
    """Runs the student's cells in one kernel and the test cells in another.

    Inherits the settings of nbgrader's Execute, such as c.Execute.timeout.
    """

    total_seconds = Integer(1800, help="Time for one notebook, all its cells and restarts together.").tag(config=True)
    output_bytes = Integer(1 << 20, help="Of the outputs of one cell, what is kept.").tag(config=True)
    total_output_bytes = Integer(
        32 << 20, help="Of the outputs of all cells of one notebook together, what is kept."
    ).tag(config=True)
    judge_memory_mb = Integer(
        0, help="Memory of the process that runs the tests; 0 for that of a kernel, c.SandboxProvisioner.memory_mb."
    ).tag(config=True)
    restarts = Integer(10, help="How often a kernel that ended is started again.").tag(config=True)

    demonstrations = Bool(
        False, help="Also run unchanged cells that the instructor tagged demonstration; nothing graded needs them."
    ).tag(config=True)
    withheld = List(
        Unicode(), help="Modules that answers cannot import where the instructor tagged the test from-scratch."
    ).tag(config=True)

    judging = Dict(
        key_trait=Unicode(),
        value_trait=Enum([OUTSIDE, INSIDE, BY_HAND]),
        help="How tests are judged: {'assignment/cell', 'assignment' or '*' for all: 'outside' (the submission's "
        "process), 'inside' (it, for tests that share more than data with an answer) or 'by hand'}.",
    ).tag(config=True)

    references: ClassVar[
        dict[tuple[Source, ...], ReferenceRun]
    ] = {}  # by the lesson's cells, for the life of this process

    def preprocess(self, nb: NotebookNode, resources: Any, km: Any = None) -> tuple[NotebookNode, Any]:
        """Return the notebook with outputs. `km` is ignored: this class starts its own kernels."""
        context = find_context(resources, self.parent.parent)
        ids = resources["nbgrader"]
        result = context.take_result(ids["notebook"], nb) or run_job(self.make_job(nb, resources, context))
        sources = context.load_plan(ids["assignment"], ids["notebook"]).sources
        for purpose, names in result.modules.items():
            preload(purpose, names)
        if result.reference:
            self.references[sources] = result.reference
        nb.cells = result.notebook.cells
        metadata = nb.metadata.setdefault("grading", {})
        metadata["scores"] = dict(result.scores)
        metadata.setdefault("events", []).extend(result.events)
        metadata.update(seconds=round(result.seconds, 2), isolation=result.in_force)
        metadata["judging"] = {source.name: source.judging for source in sources if source.judging in (INSIDE, BY_HAND)}
        return nb, resources

    def make_job(self, nb: NotebookNode, resources: Any, context: GradingContext) -> Job:
        """Return the job that executes a notebook."""
        ids = resources["nbgrader"]
        course = context.course
        instructor_files = Path(course.format_path(course.source_directory, ".", ids["assignment"]))
        editable = context.exclude_overwriting.get(ids["assignment"], [])
        given_files = [str(name) for name in files_in(instructor_files)]
        sources = context.load_plan(ids["assignment"], ids["notebook"]).sources
        is_reference = ids["student"] == context.reference
        secret = CourseSecret.of(self.config)
        return Job(
            name=ids["notebook"],
            notebook=nb,
            sources=sources,
            rules=self.make_rules(str(course.root)),
            files=Path(resources["metadata"]["path"]),
            instructor_files=instructor_files,
            overwriting=tuple(name for name in given_files if name not in editable),
            salt=secret.value,
            salt_variable=secret.variable,
            reference=None if is_reference else self.references.get(sources, ReferenceRun()),
        )

    def make_rules(self, course: str) -> ExecutionSettings:
        """Return the limits for each notebook."""
        sandbox = {name: resolved(value, []) for name, value in self.config.SandboxProvisioner.items()}
        return ExecutionSettings(
            total_seconds=self.total_seconds,
            timeout=self.timeout,
            startup_timeout=self.startup_timeout,
            output_bytes=self.output_bytes,
            restarts=self.restarts,
            demonstrations=self.demonstrations,
            withheld=tuple(self.withheld),
            total_output_bytes=self.total_output_bytes,
            judge_memory_mb=self.judge_memory_mb
            or sandbox.get("memory_mb", SandboxProvisioner.memory_mb.default_value),
            course=course,
            sandbox=sandbox,
        )


def preload_imports(sources: Sequence[Source]) -> None:
    """Preload what these cells import: before the reference has run, the modules that it needs are not known."""
    for purpose in PURPOSES:
        cells = [source for source in sources if purpose == process.PURPOSE or source.kind != TEST]
        preload(purpose, [*USUAL, *imports(cells)])
