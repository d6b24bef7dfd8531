"""Replacement for nbgrader's Autograde, used by `nbgrader autograde` and by formgrader.

It implements nbgrader's hooks and settings; a ClassRun grades the class, a SubmissionPipeline each submission.
"""

from __future__ import annotations

import warnings
from functools import cache, partial
from pathlib import Path

import nbgrader.apps.api
import nbgrader.apps.autogradeapp
import sqlalchemy.exc
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets import Bool, Dict, Float, List, Unicode
from traitlets.config import Config

from nbjudge.autograde.canaries import Log, prepare_assignment
from nbjudge.autograde.canary_cache import CanaryCache
from nbjudge.autograde.canary_policy import CanaryPolicy
from nbjudge.autograde.canary_run import SOLUTION
from nbjudge.autograde.class_run import ClassRun
from nbjudge.autograde.discovery import (
    find_assignments,
    find_notebooks,
    find_submissions,
    misplaced_notebooks,
    require_run,
)
from nbjudge.autograde.gradebook import require_gradebook, with_busy_timeout
from nbjudge.autograde.lock import only_grader
from nbjudge.autograde.pipeline import SubmissionPipeline, register_steps
from nbjudge.autograde.preprocessors import Record
from nbjudge.autograde.staging import Staging
from nbjudge.autograde.summary import Outcome, plain_log
from nbjudge.errors import CannotGrade
from nbjudge.execution.context import GradingContext
from nbjudge.execution.plan import plan_for
from nbjudge.execution.preprocessor import preload_imports
from nbjudge.execution.workers import LocalWorkers, Workers
from nbjudge.intake.intake import expected_cells
from nbjudge.patches import cache_engine, cache_schema_validators, take_names_literally, temporary_attrs
from nbjudge.secrets import CourseSecret
from nbjudge.text import terminal_safe


class Grading(Autograde):  # type: ignore[misc]  # nbgrader is untyped
    """Drop-in replacement for nbgrader's Autograde that isolates each submission."""

    gradebook_patience = Float(30.0, help="Seconds to wait for a gradebook that another program is using.").tag(
        config=True
    )
    rehearsing = Bool(False, help="Whether the submissions are canaries, which need no canaries themselves.")
    reference = Unicode("", help="Student id of the submission, if any, that is the instructor's solution.")

    libraries = List(Unicode(), help="Distributions whose versions must agree on all machines of a cluster.").tag(
        config=True
    )
    catalogue = Unicode("", help="module:function that returns the course's named mistakes.").tag(config=True)
    secret_variable = Unicode(
        CourseSecret.variable, help="Environment variable from which tests read the course secret."
    ).tag(config=True)
    secret_file = Unicode(CourseSecret.file, help="File of the course secret in the course folder.").tag(config=True)
    strict_tests = Bool(False, help="Refuse to grade when a test gives points to a cheat, instead of warning.").tag(
        config=True
    )

    accepted = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Tests that may give points to a canary, with the reason: {'assignment/cell': 'for taking part'}.",
    ).tag(config=True)

    cache_canaries = Bool(
        True, help="Grade the canaries only if something has changed since they passed, in an earlier run too."
    ).tag(config=True)

    refusal = ""  # why nothing can be graded, when the settings could not be applied
    workers: Workers | None = None  # that execute submissions; None to execute them in this process, one at a time

    def on_start(self, number: int) -> None:
        """Receive the number of submissions."""

    def on_outcome(self, outcome: Outcome) -> None:
        """Receive the outcome of each submission."""

    def start(self) -> None:
        """Grade the submissions that the course's settings select.

        Raises NbGraderException, with the reason logged, when anything was not graded; graded submissions are kept.
        """
        self.class_run = ClassRun(self.log, self.on_start, self.on_outcome)
        with plain_log(self.log), self.class_run.report_outcomes():
            if self.refusal:
                raise CannotGrade(self.refusal)
            require_run(self.config)
            require_gradebook(self.coursedir.db_url, self.gradebook_patience, self.log)
            with (
                only_grader(Path(self.coursedir.root), self.coursedir.groupshared) as folder,
                temporary_attrs(
                    self.coursedir, db_url=with_busy_timeout(self.coursedir.db_url, self.gradebook_patience)
                ),
                self.class_run.handle_ctrl_c(),
                cache_engine(),
                cache_schema_validators(),
            ):
                self.staging = Staging(folder, self.coursedir)
                super().start()

    def init_notebooks(self) -> None:
        """Find the submissions to grade, replacing nbgrader's search."""
        assignments = find_assignments(self.coursedir)
        self.expected = {name: expected_cells(self.coursedir.db_url, name, self.config) for name in assignments}
        self.requested = {name: find_notebooks(self.coursedir, cells) for name, cells in self.expected.items()}
        for file in misplaced_notebooks(self.coursedir):
            self.log.warning("%s is ignored: a notebook belongs at submitted/STUDENT/ASSIGNMENT/.", terminal_safe(file))
        submissions = find_submissions(self.coursedir, assignments)
        self.class_run.submissions = sorted(submissions, key=lambda submission: submission.student != self.reference)

    def convert_notebooks(self) -> None:
        """Grade the submissions found by `init_notebooks`."""
        self.exporter.optimistic_validation = True  # validate a notebook after all preprocessors, not after each
        context = GradingContext(
            course=self.coursedir,
            load_plan=cache(partial(plan_for, self.coursedir, self.config)),  # they stay while a class is graded
            exclude_overwriting=self.exclude_overwriting,
            reference=self.reference,
        )
        if self.rehearsing:
            plans = [
                context.load_plan(assignment, name) for assignment, names in self.requested.items() for name in names
            ]
            preload_imports([source for plan in plans for source in plan.sources])
        pipeline = SubmissionPipeline(
            converter=self,
            context=context,
            staging=self.staging,
            expected=self.expected,
            requested=self.requested,
            workers=self.workers,
            patience_s=self.gradebook_patience,
            defers_scores=any(isinstance(step, Record) for step in register_steps(self, sanitizing=False)),
        )
        self.class_run.run(pipeline, cache(self._check_assignment), first_alone=bool(self.reference))

    def _check_assignment(self, assignment: str) -> None:
        if not self.rehearsing:
            grade = partial(grade_canaries, workers=self.workers)
            secret = CourseSecret(self.secret_variable, self.secret_file)
            policy = CanaryPolicy(self.strict_tests, self.accepted)
            cache = CanaryCache(self.staging.top.parent, self.log.warning)
            if not self.cache_canaries:
                cache.forget(assignment)
            is_local = self.workers is None or isinstance(self.workers, LocalWorkers)
            prepare_assignment(
                Path(self.coursedir.root), assignment, self.log, grade, secret, policy, cache if is_local else None
            )

    def _format_source(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        return str(self.staging.folders(student_id, assignment_id).submitted)

    def _format_dest(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        return str(self.staging.folders(student_id, assignment_id).autograded)


def grade_canaries(course: CourseDirectory, settings: Config, log: Log, workers: Workers | None = None) -> None:
    """Grade a course whose submissions are canaries. Raises NbGraderException when any was not graded."""
    grading = Grading(coursedir=course, config=settings, log=log, rehearsing=True, reference=SOLUTION)
    grading.workers = workers
    grading.start()


def install_converter() -> None:
    """Make nbgrader's command and API use Grading and match names literally; no setting does either."""
    warnings.filterwarnings(
        "ignore", category=sqlalchemy.exc.SAWarning, module="nbgrader"
    )  # nbgrader triggers these itself
    for module in (nbgrader.apps.autogradeapp, nbgrader.apps.api):
        module.Autograde = Grading
    take_names_literally()
