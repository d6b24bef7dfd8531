"""Numbers about a class: how hard each exercise was, whom it tells apart, how often each mistake was made."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from nbjudge.report.model import Classroom, Event, Exercise, Student

LEAST_STUDENTS = 10  # below, a correlation says next to nothing
MOST_ROWS = 200  # of the map; more students are put together
ROWS_OF_MANY = 40  # so many that each still has room for its numbers


@dataclass(frozen=True)
class ItemMeasure:
    """One exercise.

    difficulty: mean share of its points, from 0 (nobody got anything) to 1, None as long as a human has answers to
        grade: those that are settled before are the blank ones
    discrimination: correlation of the points here with the points in the other exercises, None when there is none
    why_not: the reason when a number is None
    """

    exercise: Exercise
    waiting: int
    difficulty: float | None
    discrimination: float | None
    why_not: str = ""

    @property
    def reading(self) -> str:
        """What the two numbers mean, in a few words."""
        if self.difficulty is None:
            return self.why_not
        hard = "easy for this class" if self.difficulty >= 0.85 else "hard" if self.difficulty < 0.4 else "in between"
        if self.discrimination is None:
            return hard
        if self.discrimination < 0:
            return f"{hard}; those who do well elsewhere do worse here: look at its text and its tests"
        tells = "hardly tells" if self.discrimination < 0.2 else "tells"
        tells = "clearly tells" if self.discrimination >= 0.4 else tells
        return f"{hard}; {tells} stronger from weaker students"


@dataclass(frozen=True)
class MistakeCount:
    """A mistake of an exercise and who made it."""

    exercise: Exercise
    sentence: str
    known: bool
    students: tuple[str, ...]


@dataclass(frozen=True)
class ScoreMap:
    """Students x exercises, the best first. shares: (rows, exercises), from 0 to 1, nan where a human still grades.

    sizes: students in each row
    """

    shares: np.ndarray
    labels: list[str]
    sizes: list[int]

    @property
    def is_binned(self) -> bool:
        return any(size > 1 for size in self.sizes)


def items(classroom: Classroom) -> list[ItemMeasure]:
    """Return the measures of each exercise, of the students whose submission was run."""
    students = [student for student in classroom.students if not student.refused]
    shares = _shares(classroom, students)
    points = shares * np.array([exercise.points for exercise in classroom.exercises])
    return [_item(exercise, column, shares, points) for column, exercise in enumerate(classroom.exercises)]


def _item(exercise: Exercise, column: int, shares: np.ndarray, points: np.ndarray) -> ItemMeasure:
    number, waiting = len(shares), int(np.isnan(shares[:, column]).sum())
    if not number:
        return ItemMeasure(exercise, 0, None, None, "no submission of it was run")
    if waiting:
        return ItemMeasure(exercise, waiting, None, None, f"{waiting:,} of {number:,} wait to be graded by hand")
    difficulty = float(shares[:, column].mean())
    # Of the others, those that still wait for somebody are left out: half a rest says nothing.
    others = [other for other in range(shares.shape[1]) if other != column and not np.isnan(shares[:, other]).any()]
    mine, rest = points[:, column], points[:, others].sum(axis=1)
    if number < LEAST_STUDENTS:
        return ItemMeasure(exercise, 0, difficulty, None, f"needs at least {LEAST_STUDENTS} students")
    if not others:
        return ItemMeasure(exercise, 0, difficulty, None, "there is no other exercise to compare with")
    if np.ptp(mine) < 1e-9 or np.ptp(rest) < 1e-9:
        return ItemMeasure(exercise, 0, difficulty, None, "everyone has the same points")
    return ItemMeasure(exercise, 0, difficulty, float(np.corrcoef(mine, rest)[0, 1]))


def _shares(classroom: Classroom, students: list[Student]) -> np.ndarray:
    """Return (students, exercises): the share of the points, nan where a human still grades."""
    shares = np.zeros((len(students), len(classroom.exercises)))
    for row, student in enumerate(students):
        for column, exercise in enumerate(classroom.exercises):
            result = student.results.get(exercise)
            if result and result.waiting:
                shares[row, column] = np.nan
            elif result and exercise.points > 0:
                shares[row, column] = result.score / exercise.points
    return shares


def score_map(classroom: Classroom) -> ScoreMap:
    """Return the map of the class, sorted by points; more than MOST_ROWS students are put together in equal rows."""
    ranked = sorted(classroom.students, key=lambda student: (-student.earned, student.id))
    shares = np.clip(_shares(classroom, ranked), 0.0, 1.0)
    if len(ranked) <= MOST_ROWS:
        return ScoreMap(shares, [student.id for student in ranked], [1] * len(ranked))
    parts = np.array_split(np.arange(len(ranked)), ROWS_OF_MANY)
    return ScoreMap(
        np.array([_column_means(shares[part]) for part in parts]),
        [f"{part[0] + 1} to {part[-1] + 1}" for part in parts],
        [len(part) for part in parts],
    )


def _column_means(shares: np.ndarray) -> np.ndarray:
    there = ~np.isnan(shares)
    number = there.sum(axis=0)
    sums = np.where(there, shares, 0.0).sum(axis=0)
    return np.where(number > 0, sums / np.maximum(number, 1), np.nan)


def mistakes(classroom: Classroom) -> list[MistakeCount]:
    """Return what the tests said, in the order of the exercises and the most frequent first."""
    who: dict[tuple[Exercise, str, bool], list[str]] = defaultdict(list)
    for student in classroom.students:
        for exercise, found in student.findings.items():
            who[exercise, found.sentence, found.known].append(student.id)
    counted = [MistakeCount(*key, tuple(students)) for key, students in who.items()]
    order = {exercise: place for place, exercise in enumerate(classroom.exercises)}
    return sorted(counted, key=lambda it: (order[it.exercise], not it.known, -len(it.students), it.sentence))


def histogram(values: list[float], low: float, high: float, most: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return (counts, edges) with edges at round numbers, so that a bar can be named."""
    span = max(high - low, 1e-9)
    raw = span / most
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    edges = np.arange(first, max(last, first + 1) + 1) * step
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0], edges


def summary(values: list[float]) -> dict[str, float]:
    """Return mean, median, min and max."""
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def by_kind(classroom: Classroom) -> list[tuple[str, list[tuple[Student, list[Event]]]]]:
    """Return [(what, [(student, its events of this kind)])], the most frequent kind first."""
    found: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for student in classroom.students:
        for event in student.events:
            found[event.what or "other"][student.id].append(event)
    known = {student.id: student for student in classroom.students}
    kinds = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(what, [(known[name], events) for name, events in of.items()]) for what, of in kinds]


def isolation(classroom: Classroom) -> list[tuple[str, int]]:
    """Return [(what was in force, submissions)]; "" for submissions where nothing was noted."""
    counted = Counter(said for student in classroom.students for said in sorted(set(student.isolation)) or [""])
    return counted.most_common()
