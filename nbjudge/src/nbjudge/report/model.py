"""What is known of a class and a lesson: exercises, students, what each earned and what was seen on the way."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["test", "written"]


@dataclass(frozen=True)
class Exercise:
    """One graded cell. kind: "test" is graded by running it, "written" by a human."""

    notebook: str
    cell: str
    points: float
    kind: Kind = "test"
    several: bool = False  # whether the lesson has other notebooks

    @property
    def name(self) -> str:
        """What the exercise is called: a test named after what it tests loses its ending."""
        return self.cell.removesuffix("_test") or self.cell

    @property
    def label(self) -> str:
        """The name, with the notebook's where there are several."""
        return f"{self.notebook}/{self.name}" if self.several else self.name


@dataclass(frozen=True)
class Result:
    """What a student earned in one exercise. waiting: a human still has to grade it"""

    score: float
    waiting: bool = False
    auto: float | None = None
    manual: float | None = None
    extra: float | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened while a submission ran. exercise: the cell's name"""

    cell: str
    what: str
    sentence: str


@dataclass(frozen=True)
class Finding:
    """What the tests of one exercise said of an answer. known: it is one of the course's named mistakes"""

    sentence: str
    known: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer as it is compared with others. key: the same for the same answer; size: how much there is to it"""

    key: str
    size: int


@dataclass
class Student:
    """One student's submission.

    results: {exercise: what was earned}
    findings: {exercise: what its tests said}
    answers: {(notebook, cell): the answer}, without what is blank or the reference solution
    seconds: how long it took to grade, None where that was not recorded
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
        """Points before a penalty for lateness."""
        return sum(result.score for result in self.results.values())

    @property
    def total(self) -> float:
        """Points after a penalty for lateness, as `nbgrader export` has them."""
        return max(0.0, self.earned - self.penalty)

    @property
    def waiting(self) -> list[Exercise]:
        """The exercises that a human still has to grade."""
        return [exercise for exercise, result in self.results.items() if result.waiting]


@dataclass
class Classroom:
    """A lesson and the students whose submissions were graded, sorted by name.

    missing: students of the gradebook who handed in nothing; ungraded: students whose submission was not graded yet
    has_catalogue: whether the course has named mistakes for this lesson
    """

    lesson: str
    exercises: list[Exercise]
    students: list[Student]
    missing: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    has_catalogue: bool = False

    @property
    def possible(self) -> float:
        """Points of the whole lesson."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def newest(self) -> datetime.datetime | None:
        """When the newest submission was graded."""
        return max((student.graded_at for student in self.students if student.graded_at), default=None)
