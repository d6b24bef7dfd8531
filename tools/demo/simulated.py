"""Write the submissions of a simulated class: the same files, byte for byte, for the same seed.

Each student has an ability, and each exercise a difficulty and a most frequent mistake, as in a real class: scores
vary, some exercises are hard for all students, and some mistakes are common.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from nbjudge import CannotGrade, CellLabel
from tools.demo.answers import Answer, Cell, Lesson, read_lesson
from tools.demo.variations import COMMENTS, EXTRA_CELLS, UNSURE

MOST = 100_000  # students
DEADLINE = datetime(2026, 3, 2, 18, 0)  # arbitrary, but constant, so that the files are reproducible
HABITS = 0.3  # share of answers with a comment, and of students who add a cell


@dataclass
class Student:
    """The submission of one student.

    answers: {cell: Answer}, as drawn; texts: {cell: text}, as written into the notebook
    """

    name: str
    ability: float
    answers: dict[str, Answer] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    extra: tuple[int, int] | None = None  # (index of the cell before the added one, index in EXTRA_CELLS)
    handed_in: datetime = DEADLINE


@dataclass
class SimulatedClass:
    """A simulated class; tools.demo.expected_scores returns its expected scores."""

    lesson: Lesson
    students: list[Student]


def simulate(course: Path, lesson: str, students: int, seed: int, submitted: Path | None = None) -> SimulatedClass:
    """Write submitted/sNNN/LESSON/ for a simulated class and return the class.

    course: the folder with the released lesson (lessons/) and the solution (solutions/)
    students: their number; a small class equals the first students of a large class with the same seed
    submitted: the target folder, if not that of the course
    Raises CannotGrade when the lesson is unknown, a number is out of range or the lesson has submissions already.
    """
    require_sensible(students, seed)
    folder = submitted or course / "submitted"
    drawn = draw(read_lesson(course, lesson), students, seed)
    for student in drawn.students:
        if (existing := folder / student.name / lesson).exists():
            raise CannotGrade(
                f"{existing} exists already. Simulate a class in a folder without submissions of {lesson}."
            )
    _write(drawn, folder, course / "lessons" / lesson)
    return drawn


def require_sensible(students: int, seed: int) -> None:
    """Raise CannotGrade when the number of students or the seed is out of range."""
    if not 1 <= students <= MOST:
        raise CannotGrade(f"invalid number of students {students}: expected a number from 1 to {MOST}.")
    if seed < 0:
        raise CannotGrade(f"invalid seed {seed}: expected 0 or a positive number.")


def draw(lesson: Lesson, students: int, seed: int) -> SimulatedClass:
    """Draw a class without writing anything."""
    rng = np.random.default_rng([seed, 0])
    habits = {name: _ClassProfile.draw(rng, len(cell.mistakes)) for name, cell in lesson.cells.items()}
    digits = max(3, len(str(students)))
    people = [
        _student(f"s{number:0{digits}}", lesson, habits, np.random.default_rng([seed, number]))
        for number in range(1, students + 1)
    ]
    return SimulatedClass(lesson, people)


@dataclass(frozen=True)
class _ClassProfile:
    """The difficulty of a cell for this class, and the frequency of each of its mistakes."""

    difficulty: float
    shares: tuple[float, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, mistakes: int) -> _ClassProfile:
        weights = 1.0 / np.arange(1, mistakes + 1)
        shares = rng.permutation(weights / weights.sum()) if mistakes else weights
        return cls(float(rng.normal(-0.8, 0.7)), tuple(float(share) for share in shares))


def _student(name: str, lesson: Lesson, habits: dict[str, _ClassProfile], rng: np.random.Generator) -> Student:
    student = Student(name, ability=float(rng.normal()))
    for cell in lesson.cells.values():
        answer = _answer(cell, habits[cell.name], student.ability, rng)
        student.answers[cell.name] = answer
        has_comment = rng.random() < HABITS and not cell.by_hand and answer is not cell.blank
        student.texts[cell.name] = f"{_pick(COMMENTS, rng)}\n{answer.source}" if has_comment else answer.source
    if rng.random() < HABITS:
        behind = int(rng.integers(1, len(lesson.released.cells)))
        student.extra = behind, int(rng.integers(len(EXTRA_CELLS)))
    early = timedelta(seconds=int(rng.exponential(86_400)))
    student.handed_in = DEADLINE - early if rng.random() < 0.95 else DEADLINE + early / 10
    return student


def _answer(cell: Cell, habit: _ClassProfile, ability: float, rng: np.random.Generator) -> Answer:
    """Draw one answer: solved, attempted with a mistake, or left blank."""
    luck, tried = rng.random(), rng.random()
    solved = luck < _share(ability - habit.difficulty)
    if solved:
        ways = [cell.solution, *cell.styles]
        return cell.solution if rng.random() < 0.5 else ways[int(rng.integers(len(ways)))]
    if tried > _share(1.5 + 0.7 * ability - habit.difficulty / 2):
        return cell.blank
    if cell.by_hand:
        return Answer("unsure", _pick(UNSURE, rng))
    if cell.mistakes:
        return cell.mistakes[_pick_share(habit.shares[: len(cell.mistakes)], rng.random())]
    return cell.solution if cell.exercise else cell.blank


def _pick(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def _share(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _pick_share(shares: tuple[float, ...], number: float) -> int:
    """Return the index of the share whose cumulative interval contains `number`, from 0 to 1."""
    sums = np.cumsum(shares)
    return min(int(np.searchsorted(sums, number * sums[-1], side="right")), len(shares) - 1)


# --- files


def _write(drawn: SimulatedClass, submitted: Path, released: Path) -> None:
    name = f"{drawn.lesson.name}.ipynb"
    for student in drawn.students:
        folder = submitted / student.name / drawn.lesson.name
        shutil.copytree(released, folder, ignore=shutil.ignore_patterns(".*"))
        (folder / name).write_text(_notebook(drawn.lesson, student), encoding="utf-8", newline="\n")
        time = f"{student.handed_in:%Y-%m-%d %H:%M:%S.%f} UTC"
        (folder / "timestamp.txt").write_text(time, encoding="ascii", newline="\n")


def _notebook(lesson: Lesson, student: Student) -> str:
    """Return the released notebook with the student's answers and additional cell."""
    cells = [
        {**cell, "source": student.texts.get(CellLabel.of(cell).grade_id, cell.source)}
        for cell in lesson.released.cells
    ]
    if student.extra:
        behind, number = student.extra
        cells.insert(behind, EXTRA_CELLS[number])
    return json.dumps({**lesson.released, "cells": cells}, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
