"""The stages of one submission: intake, stage, execute, score, publish.

nbgrader reads a submission in place and writes scores while it runs. Here a submission is inspected as data, graded as
a clean copy in a private folder, and recorded when it is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter
from nbgrader.preprocessors import Execute
from nbgrader.utils import find_all_files

from nbjudge.autograde.discovery import Submission, id_problem
from nbjudge.autograde.gradebook import await_gradebook, write_scores
from nbjudge.autograde.preprocessors import NotRun
from nbjudge.autograde.scoring import NotebookScore
from nbjudge.autograde.staging import Staging, SubmissionFolders, clean_copy, read_graded, refused_notebook
from nbjudge.autograde.summary import Outcome
from nbjudge.execution.context import CONTEXT, GradingContext
from nbjudge.execution.job import JobResult, cell_texts, unpack_result
from nbjudge.execution.preprocessor import Run
from nbjudge.execution.workers import Workers
from nbjudge.intake.intake import Expected, Preflight, Refusal, inspect
from nbjudge.patches import autograding, temporary_attrs


@dataclass
class InFlightSubmission:
    """A submission that is being graded.

    folders: of its notebooks
    names: of the notebooks to grade; preflight: what can be graded
    needs_review: by an instructor, whatever its preflight says
    sent_texts, running: {name: cell texts sent to the workers, and the future result}; attempts: at running it
    """

    submission: Submission
    outcome: Outcome
    folders: SubmissionFolders
    names: list[str]
    preflight: Preflight
    needs_review: bool = False
    sent_texts: dict[str, list[str]] = field(default_factory=dict)
    running: dict[str, Future[bytes]] = field(default_factory=dict)
    attempts: int = 1

    @property
    def has_run(self) -> bool:
        return all(job.done() for job in self.running.values())

    @property
    def was_lost(self) -> bool:
        """Return whether the worker ended before the submission did."""
        return any(isinstance(job.exception(), BrokenExecutor) for job in self.running.values())

    def take_result(self, name: str, notebook: NotebookNode) -> JobResult | None:
        """Return the workers' result for a notebook; None when they did not run it, or ran another text."""
        running = self.running.pop(name, None)
        if running is None:
            return None
        result = unpack_result(running.result())
        return result if self.sent_texts[name] == cell_texts(notebook) else None


@dataclass(frozen=True)
class SubmissionPipeline:
    """The stages through which each submission passes once, communicating only through arguments and results.

    converter: nbgrader's converter, with its settings, exporter and methods to copy files and register submissions
    context: information for the preprocessors
    staging: the folders in which submissions are graded
    expected: {assignment: {notebook: its cells}}; requested: {assignment: the notebooks to grade}
    workers: execute notebooks; None to execute them in this process while they are scored
    patience_s: seconds to wait for a gradebook that another program is using
    defers_scores: whether scores are written at the end; nbgrader's own preprocessors write them immediately
    """

    converter: Autograde
    context: GradingContext
    staging: Staging
    expected: Mapping[str, Expected]
    requested: Mapping[str, list[str]]
    workers: Workers | None
    patience_s: float
    defers_scores: bool

    @property
    def capacity(self) -> int:
        """Return the number of submissions to have in flight."""
        return self.workers.at_once if self.workers else 1

    def intake(self, submission: Submission, outcome: Outcome) -> InFlightSubmission | None:
        """Return a submission with its gradable parts; None, with the outcome set, when there is nothing to do."""
        if problem := id_problem(submission.student):
            outcome.how, outcome.sentences = "not recorded", [problem]
            return None
        names = self.requested[submission.assignment]
        preflight = inspect(submission.folder, self.expected[submission.assignment])
        folders = self.staging.folders(submission.student, submission.assignment)
        folders.restore()
        if not (self.converter.force or folders.is_due(names, preflight.timestamp, self.context.course)):
            outcome.how = "skipped"
            return None
        outcome.repairs = list(preflight.repairs)
        refusals = [refusal for name, refusal in preflight.refusals.items() if name in names]
        if refusals:
            outcome.how = "refused"
            outcome.sentences = list(dict.fromkeys(refusal.instructor for refusal in refusals))
        return InFlightSubmission(submission, outcome, folders, list(names), preflight)

    def stage(self, in_flight: InFlightSubmission) -> None:
        """Make a clean copy of a submission with blanks for refused notebooks, and sanitize its notebooks."""
        folders, names, preflight = in_flight.folders, in_flight.names, in_flight.preflight
        expected = self.expected[in_flight.submission.assignment]
        await_gradebook(self.context.course.db_url, self.patience_s, self.converter.log)
        folders.begin(unchanged=set(expected) - set(names))
        is_retryable = in_flight.needs_review or "" in preflight.refusals
        refused = {
            name: refused_notebook(expected[name], refusal, is_retryable)
            for name, refusal in preflight.refusals.items()
            if name in expected
        }
        preflight = replace(preflight, notebooks={**preflight.notebooks, **refused})
        in_flight.outcome.repairs += clean_copy(in_flight.submission.folder, preflight, folders.submitted)
        self.converter.notebooks = [str(folders.submitted / f"{name}.ipynb") for name in names]
        self.converter.run_pre_convert_hook()
        self._copy_files(in_flight.submission, folders.autograded)
        for name in names:
            self._convert(folders.submitted / f"{name}.ipynb", in_flight, sanitizing=True)

    def execute(self, in_flight: InFlightSubmission) -> None:
        """Submit the notebooks of a submission to the workers, if there are any."""
        if not self.workers:
            return
        run = next((step for step in register_steps(self.converter, sanitizing=False) if isinstance(step, Run)), None)
        for name in in_flight.names:
            if run and name not in in_flight.preflight.refusals:
                file = in_flight.folders.autograded / f"{name}.ipynb"
                resources = {**_resources(file, self.context), "metadata": {"path": str(file.parent)}}
                job = run.make_job(nbformat.read(file, as_version=4), resources, self.context)
                in_flight.sent_texts[name] = cell_texts(job.notebook)
                in_flight.running[name] = self.workers.submit(job.pack())

    def score(self, in_flight: InFlightSubmission) -> list[NotebookScore]:
        """Return the scores of a submission's notebooks; execute those that no worker has run."""
        graded: list[tuple[str, NotebookNode]] = []

        def receive(name: str, notebook: NotebookNode) -> None:
            graded.append((name, notebook))

        context = replace(self.context, take_result=in_flight.take_result, receive=receive)
        # Register with the scores if possible: until then, the gradebook would show the student with 0 points.
        if not self.defers_scores:
            self._register_submission(in_flight)
        with autograding():
            for name in in_flight.names:
                self._convert(
                    in_flight.folders.autograded / f"{name}.ipynb", in_flight, sanitizing=False, context=context
                )
        return [
            NotebookScore(
                name=name,
                notebook=notebook,
                previous=read_graded(in_flight.folders.published / f"{name}.ipynb"),
                refused=name in in_flight.preflight.refusals,
                needs_review=in_flight.needs_review or in_flight.preflight.needs_review,
            )
            for name, notebook in graded
        ]

    def publish(self, in_flight: InFlightSubmission, scores: list[NotebookScore]) -> None:
        """Record the scores of a submission, and move its graded notebooks to autograded/."""
        student, assignment = in_flight.submission.student, in_flight.submission.assignment
        if self.defers_scores:
            self._register_submission(in_flight)
        self.converter.set_permissions(assignment, student)
        for score in scores:
            in_flight.outcome.add_record(score.notebook.metadata.get("grading", {}))
        write_scores(self.context.course.db_url, assignment, student, scores, self.converter.exporter)
        in_flight.folders.publish()
        self.converter.run_post_convert_hook()
        in_flight.folders.remove()

    def publish_refusal(self, submission: Submission, refusal: Refusal, outcome: Outcome) -> None:
        """Record 0 for a submission that could not be graded, and flag it for review."""
        assignment = submission.assignment
        folders = self.staging.folders(submission.student, assignment)
        preflight = Preflight(refusals=dict.fromkeys(self.expected[assignment], refusal))
        in_flight = InFlightSubmission(
            submission, outcome, folders, list(self.requested[assignment]), preflight, needs_review=True
        )
        self.stage(in_flight)
        self.publish(in_flight, self.score(in_flight))

    def _copy_files(self, submission: Submission, target: Path) -> None:
        """Copy the submission's files, and then the released ones over them, to the folder in which notebooks run."""
        assignment = submission.assignment
        BaseConverter.init_assignment(self.converter, assignment, submission.student)
        course = self.context.course
        released = Path(course.format_path(course.source_directory, ".", assignment))
        own_files = self.context.exclude_overwriting.get(assignment, [])
        for file in map(Path, find_all_files(str(released), [*course.ignore, "*.ipynb"])):
            if str(name := file.relative_to(released)) not in own_files:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target / name)

    def _register_submission(self, in_flight: InFlightSubmission) -> None:
        """Register the student and the submission in the gradebook; as a side effect, nbgrader copies the files."""
        self.converter.notebooks = [str(in_flight.folders.autograded / f"{name}.ipynb") for name in in_flight.names]
        with temporary_attrs(self.context.course, submitted_directory=str(self.staging.top / "submitted")):
            self.converter.init_assignment(in_flight.submission.assignment, in_flight.submission.student)

    def _convert(
        self, file: Path, in_flight: InFlightSubmission, sanitizing: bool, context: GradingContext | None = None
    ) -> None:
        """Do one half of Autograde.convert_single_notebook: sanitize a notebook or grade it."""
        exporter, log = self.converter.exporter, self.converter.log
        steps = register_steps(self.converter, sanitizing)
        if file.stem in in_flight.preflight.refusals:
            steps = [NotRun(parent=exporter) if isinstance(step, Execute) else step for step in steps]
            exporter._preprocessors = steps
        log.info("%s %s", "Sanitizing" if sanitizing else "Autograding", file)  # id_problem: a path without controls
        output, resources = exporter.from_filename(str(file), _resources(file, context or self.context))
        self.converter.write_single_notebook(output, resources)


def register_steps(converter: Autograde, sanitizing: bool) -> list[Any]:
    """Register new instances of one half of Autograde's preprocessors with its exporter, and return them."""
    converter.exporter._preprocessors = []
    for step in converter.sanitize_preprocessors if sanitizing else converter.autograde_preprocessors:
        converter.exporter.register_preprocessor(step)
    steps: list[Any] = converter.exporter._preprocessors
    return steps


def _resources(file: Path, context: GradingContext) -> dict[str, Any]:
    """Return the exporter's resources with names from the path; nbgrader would parse them with a regular expression."""
    ids = {"student": file.parent.parent.name, "assignment": file.parent.name, "notebook": file.stem}
    return {
        "unique_key": file.stem,
        "output_files_dir": f"{file.stem}_files",
        "nbgrader": {**ids, "db_url": context.course.db_url},
        CONTEXT: context,
    }
