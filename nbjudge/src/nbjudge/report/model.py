"""Data model of the report: a class, its exercises, and each student's results, events and answers."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nbjudge.nbgrader_cells import exercise_name

Kind = Literal["test", "written"]


@dataclass(frozen=True)
class Exercise:
    """One graded cell. kind: "test" is graded by running it, "written" by a human grader."""

    notebook: str
    cell: str
    points: float
    kind: Kind = "test"
    several: bool = False  # whether the assignment has other notebooks

    @property
    def name(self) -> str:
        """The name of the exercise."""
        return exercise_name(self.cell)

    @property
    def label(self) -> str:
        """The name, prefixed with the notebook's when there are several."""
        return f"{self.notebook}/{self.name}" if self.several else self.name


@dataclass(frozen=True)
class Result:
    """A student's score in one exercise. waiting: it still has to be graded by hand."""

    score: float
    waiting: bool = False
    auto: float | None = None
    manual: float | None = None
    extra: float | None = None


@dataclass(frozen=True)
class Event:
    """An incident while a submission ran. cell: the name of the cell or the exercise."""

    cell: str
    what: str
    sentence: str


@dataclass(frozen=True)
class Finding:
    """What the tests of one exercise reported. is_named: it is one of the course's named mistakes."""

    sentence: str
    is_named: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer prepared for comparison. key: equal for equal answers; size: syntax nodes or words."""

    key: str
    size: int


@dataclass
class Student:
    """One student's submission.

    results: {exercise: the score}
    findings: {exercise: what its tests reported}
    answers: {(notebook, cell): the answer}, except blank answers and the reference solution
    seconds: grading time, None when it was not recorded
    """

    id: str
    results: dict[Exercise, Result] = field(default_factory=dict)
    penalty: float = 0.0
    handed_in: datetime.datetime | None = None
    graded_at: datetime.datetime | None = None
    names: tuple[str, str, str, str] = ("", "", "", "")  # first name, last name, address, number in the LMS
    repairs: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    findings: dict[Exercise, Finding] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    seconds: float | None = None
    isolation: list[str] = field(default_factory=list)
    unread: bool = False

    @property
    def earned(self) -> float:
        """Points before the late penalty."""
        return sum(result.score for result in self.results.values())

    @property
    def total(self) -> float:
        """Points after the late penalty, as `nbgrader export` computes them."""
        return max(0.0, self.earned - self.penalty)

    @property
    def waiting(self) -> list[Exercise]:
        """The exercises that still have to be graded by hand."""
        return [exercise for exercise, result in self.results.items() if result.waiting]


@dataclass
class Classroom:
    """An assignment and the students whose submissions were graded, sorted by name.

    names: {student: first and last name} of those whose name the gradebook has
    feedback: {student: the page of feedback} of those who have one
    missing: enrolled students without a submission; ungraded: students whose submission was not graded yet
    has_catalogue: whether the course names mistakes for this assignment
    judging: {test cell: how it is judged} for tests that are not judged outside; remarks: on tests, by the settings
    """

    assignment: str
    exercises: list[Exercise]
    students: list[Student]
    missing: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    has_catalogue: bool = False
    judging: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    feedback: dict[str, Path] = field(default_factory=dict)

    @property
    def possible(self) -> float:
        """Maximum points of the assignment."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def newest(self) -> datetime.datetime | None:
        """The time at which the most recently graded submission was graded."""
        return max((student.graded_at for student in self.students if student.graded_at), default=None)
