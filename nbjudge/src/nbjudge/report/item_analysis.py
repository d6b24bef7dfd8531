"""Compute item statistics of a class: difficulty and discrimination of each exercise, and mistake frequencies."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from nbjudge.report.model import Classroom, Event, Exercise, Student

LEAST_STUDENTS = 10  # with fewer, a correlation is meaningless
CONFIDENCE = 0.95  # of the intervals
MOST_ROWS = 200  # of the map; larger classes are binned
_ROWS_OF_MANY = 40  # of a binned map: few enough to print a number in each cell


@dataclass(frozen=True)
class ItemMeasure:
    """Difficulty and discrimination of one exercise.

    difficulty: mean share of its points, from 0 (no one scored) to 1; None while answers wait for manual grading,
        because the answers that are graded first are the blank ones
    discrimination: correlation of its points with the points in the other exercises; None when it is undefined
    why_not: the reason when a number is None
    interval: (low, high), the confidence interval of the discrimination
    """

    exercise: Exercise
    waiting: int
    difficulty: float | None
    discrimination: float | None
    why_not: str = ""
    interval: tuple[float, float] = (-1.0, 1.0)

    @property
    def interpretation(self) -> str:
        """The meaning of the two numbers in a few words."""
        if self.difficulty is None:
            return self.why_not
        difficulty_text = (
            "easy for this class" if self.difficulty >= 0.85 else "hard" if self.difficulty < 0.4 else "in between"
        )
        if self.discrimination is None:
            return difficulty_text
        return f"{difficulty_text}; {self._discrimination_text()}"

    def _discrimination_text(self) -> str:
        """Return what the whole interval supports, and no more."""
        low, high = self.interval
        if high < 0:
            return "those who do well elsewhere do worse here: look at its text and its tests"
        if low >= 0.4:
            return "clearly tells stronger from weaker students"
        if low > 0:
            return "tells stronger from weaker students"
        if high < 0.2:
            return "hardly tells stronger from weaker students"
        return "too few students to say whether it tells stronger from weaker ones"


@dataclass(frozen=True)
class MistakeCount:
    """A mistake in one exercise and the students who made it."""

    exercise: Exercise
    sentence: str
    is_named: bool
    students: tuple[str, ...]


@dataclass(frozen=True)
class ScoreMap:
    """The scores of all students in all exercises, the best students first.

    shares: (rows, exercises), from 0 to 1, nan where manual grading is pending
    sizes: students in each row
    """

    shares: np.ndarray
    labels: list[str]
    sizes: list[int]

    @property
    def is_binned(self) -> bool:
        return any(size > 1 for size in self.sizes)


def items(classroom: Classroom) -> list[ItemMeasure]:
    """Return the statistics of each exercise over the students whose submission was run."""
    students = [student for student in classroom.students if not student.refused]
    shares = _shares(classroom, students)
    points = shares * np.array([exercise.points for exercise in classroom.exercises])
    return [_item(exercise, column, shares, points) for column, exercise in enumerate(classroom.exercises)]


def _item(exercise: Exercise, column: int, shares: np.ndarray, points: np.ndarray) -> ItemMeasure:
    students, waiting = len(shares), int(np.isnan(shares[:, column]).sum())
    if not students:
        return ItemMeasure(exercise, 0, None, None, "no submission of it was run")
    if waiting:
        return ItemMeasure(exercise, waiting, None, None, f"{waiting:,} of {students:,} wait to be graded by hand")
    difficulty = float(shares[:, column].mean())
    # Exclude exercises that still need manual grading: their sums would be incomplete.
    other_columns = [
        other for other in range(shares.shape[1]) if other != column and not np.isnan(shares[:, other]).any()
    ]
    item_points, rest_points = points[:, column], points[:, other_columns].sum(axis=1)
    if students < LEAST_STUDENTS:
        return ItemMeasure(exercise, 0, difficulty, None, f"needs at least {LEAST_STUDENTS} students")
    if not other_columns:
        return ItemMeasure(exercise, 0, difficulty, None, "there is no other exercise to compare with")
    if np.ptp(item_points) < 1e-9 or np.ptp(rest_points) < 1e-9:
        return ItemMeasure(exercise, 0, difficulty, None, "everyone has the same points")
    correlation = float(np.corrcoef(item_points, rest_points)[0, 1])
    return ItemMeasure(exercise, 0, difficulty, correlation, interval=correlation_interval(correlation, students))


def correlation_interval(correlation: float, students: int) -> tuple[float, float]:
    """Return the confidence interval of a correlation over 4 or more students, by Fisher's transformation (1921)."""
    bounded = min(max(correlation, -1 + 1e-12), 1 - 1e-12)
    half_width = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2) / math.sqrt(students - 3)
    centre = math.atanh(bounded)
    return math.tanh(centre - half_width), math.tanh(centre + half_width)


def _shares(classroom: Classroom, students: list[Student]) -> np.ndarray:
    """Return the share of the points, (students, exercises), nan where manual grading is pending."""
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
    """Return the map of the class, sorted by points; more than MOST_ROWS students are binned into equal rows."""
    ranked = sorted(classroom.students, key=lambda student: (-student.earned, student.id))
    shares = np.clip(_shares(classroom, ranked), 0.0, 1.0)
    if len(ranked) <= MOST_ROWS:
        return ScoreMap(
            shares,
            [f"{student.id} {classroom.names.get(student.id, '')}".rstrip() for student in ranked],
            [1] * len(ranked),
        )
    parts = np.array_split(np.arange(len(ranked)), _ROWS_OF_MANY)
    return ScoreMap(
        np.array([_column_means(shares[part]) for part in parts]),
        [f"{part[0] + 1} to {part[-1] + 1}" for part in parts],
        [len(part) for part in parts],
    )


def _column_means(shares: np.ndarray) -> np.ndarray:
    is_known = ~np.isnan(shares)
    counts = is_known.sum(axis=0)
    sums = np.where(is_known, shares, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def mistakes(classroom: Classroom) -> list[MistakeCount]:
    """Return the mistakes that the tests reported, by exercise and the most frequent first."""
    students_by_mistake: dict[tuple[Exercise, str, bool], list[str]] = defaultdict(list)
    for student in classroom.students:
        for exercise, finding in student.findings.items():
            students_by_mistake[exercise, finding.sentence, finding.is_named].append(student.id)
    mistake_counts = [MistakeCount(*key, tuple(students)) for key, students in students_by_mistake.items()]
    order = {exercise: index for index, exercise in enumerate(classroom.exercises)}
    return sorted(
        mistake_counts,
        key=lambda mistake: (order[mistake.exercise], not mistake.is_named, -len(mistake.students), mistake.sentence),
    )


def histogram(values: list[float], low: float, high: float, most: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return (counts, edges) with edges at round numbers, so that each bar can be labelled."""
    span = max(high - low, 1e-9)
    raw_step = span / most
    magnitude = 10.0 ** math.floor(math.log10(raw_step))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= raw_step * 0.999)
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
    """Return [(kind, [(student, their events of this kind)])], the most frequent kind first."""
    events_by_kind: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for student in classroom.students:
        for event in student.events:
            events_by_kind[event.what or "other"][student.id].append(event)
    students_by_id = {student.id: student for student in classroom.students}
    kinds = sorted(events_by_kind.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(what, [(students_by_id[name], events) for name, events in of.items()]) for what, of in kinds]


def isolation(classroom: Classroom) -> list[tuple[str, int]]:
    """Return [(isolation layers in force, submissions)]; "" for submissions without a record."""
    counts = Counter(layers for student in classroom.students for layers in sorted(set(student.isolation)) or [""])
    return counts.most_common()
