"""Context of a grading run for preprocessors: one frozen object, passed along with the notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory

from nbjudge.execution.job import JobResult
from nbjudge.execution.name_analysis import Plan
from nbjudge.execution.plan import plan_for

CONTEXT = "grading_context"  # its key in a notebook's resources


@dataclass(frozen=True)
class GradingContext:
    """Context in which the preprocessors handle one submission.

    load_plan: returns the plan of (assignment, notebook)
    exclude_overwriting: {assignment: the instructor's files that students may change}
    reference: the submission, if any, that is the instructor's own solution
    take_result: returns the workers' result for a notebook, by name and content; None if it must still be run
    receive: takes a graded notebook and its name; None when the preprocessors write scores themselves
    """

    course: CourseDirectory
    load_plan: Callable[[str, str], Plan]
    exclude_overwriting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reference: str = ""
    take_result: Callable[[str, NotebookNode], JobResult | None] = lambda *_: None
    receive: Callable[[str, NotebookNode], None] | None = None

    def __deepcopy__(self, _: Any) -> GradingContext:
        """Return the context itself: nbconvert deep-copies the resources of a notebook."""
        return self


def find_context(resources: Mapping[str, Any], converter: Autograde) -> GradingContext:
    """Return the context of a notebook, or one made from the settings when nbgrader's own converter runs."""
    passed: GradingContext | None = resources.get(CONTEXT)
    if passed is not None:
        return passed
    course = converter.coursedir
    return GradingContext(course, partial(plan_for, course, converter.config), converter.exclude_overwriting)
