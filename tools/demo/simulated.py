"""Write what a simulated class hands in: the same files, byte for byte, for the same seed.

Each student has an ability and each exercise a difficulty and a favourite mistake, so that the class looks like one:
scores spread, some exercises are hard for everybody, and some mistakes are made by many.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nbjudge.errors import CannotGrade
from nbjudge.nbgrader_cells import CellLabel
from tools.demo.answers import Answer, Cell, Lesson, read_lesson
from tools.demo.variations import EXTRA_CELLS, unsure_sentence, varied

MOST = 100_000  # students
DEADLINE = datetime(2026, 3, 2, 18, 0)  # of no class in particular; the same files need the same times
HABITS = 0.3  # the share of answers that are written a little differently, and of students with a cell of their own


@dataclass
class Student:
    """What one student hands in.

    answers: {cell: Answer}, as they were drawn; texts: {cell: text}, as they stand in the notebook
    """

    name: str
    ability: float
    answers: dict[str, Answer] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    extra: tuple[int, int] | None = None  # behind which cell of the lesson a cell of their own stands, and which
    handed_in: datetime = DEADLINE


@dataclass
class SimulatedClass:
    """A class as it was drawn, for tests to hold the grading to; tools.demo.expected_scores says what each is worth."""

    lesson: Lesson
    students: list[Student]

    @property
    def left_out(self) -> int:
        """Return how many known answers cannot stand in a notebook, so that the solution was drawn instead."""
        return sum(map(len, self.lesson.left_out.values()))

    def drawn(self) -> Counter[str]:
        """Return {kind: how many answers of the class are of that kind}."""
        return Counter(answer.kind for student in self.students for answer in student.answers.values())


def simulate(course: Path, lesson: str, students: int, seed: int, submitted: Path | None = None) -> SimulatedClass:
    """Write submitted/sNNN/LESSON/ for a simulated class and return what was drawn.

    course: the folder that holds the released lesson (lessons/) and the solution (solutions/)
    students: how many; those of a small class hand in the same as the first ones of a large class with that seed
    submitted: where to write, if not into the course's own submitted/
    Raises CannotGrade when the lesson is unknown, a number makes no sense or somebody has submitted the lesson already.
    """
    require_sensible(students, seed)
    place = submitted or course / "submitted"
    drawn = draw(read_lesson(course, lesson), students, seed)
    for student in drawn.students:
        if (there := place / student.name / lesson).exists():
            raise CannotGrade(f"{there} is there already. Simulate a class where nobody has submitted {lesson} yet.")
    _write(drawn, place, course / "lessons" / lesson)
    return drawn


def require_sensible(students: int, seed: int) -> None:
    """Raise CannotGrade when there can be no such class."""
    if not 1 <= students <= MOST:
        raise CannotGrade(f"A class of {students} students was asked for; expected a number from 1 to {MOST}.")
    if seed < 0:
        raise CannotGrade(f"The seed is {seed}; expected a number that is not negative.")


def draw(lesson: Lesson, students: int, seed: int) -> SimulatedClass:
    """Draw a class without writing anything."""
    rng = np.random.default_rng([seed, 0])
    habits = {name: _Habit.drawn(rng, len(cell.mistakes)) for name, cell in lesson.cells.items()}
    digits = max(3, len(str(students)))
    people = [
        _student(f"s{number:0{digits}}", lesson, habits, np.random.default_rng([seed, number]))
        for number in range(1, students + 1)
    ]
    return SimulatedClass(lesson, people)


@dataclass(frozen=True)
class _Habit:
    """How hard a cell is for this class, and how often each of its mistakes is made."""

    difficulty: float
    shares: tuple[float, ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator, mistakes: int) -> _Habit:
        weights = 1.0 / np.arange(1, mistakes + 1)
        shares = rng.permutation(weights / weights.sum()) if mistakes else weights
        return cls(float(rng.normal(-0.8, 0.7)), tuple(float(share) for share in shares))


def _student(name: str, lesson: Lesson, habits: dict[str, _Habit], rng: np.random.Generator) -> Student:
    student = Student(name, ability=float(rng.normal()))
    for cell in lesson.cells.values():
        answer = _answer(cell, habits[cell.name], student.ability, rng)
        student.answers[cell.name] = answer
        as_usual = cell.by_hand or answer is cell.blank or rng.random() > HABITS
        student.texts[cell.name] = answer.source if as_usual else _varied(answer.source, int(rng.integers(1000)))
    if rng.random() < HABITS:
        behind = int(rng.integers(1, len(lesson.released.cells)))
        student.extra = behind, int(rng.integers(len(EXTRA_CELLS)))
    early = timedelta(seconds=int(rng.exponential(86_400)))
    student.handed_in = DEADLINE - early if rng.random() < 0.95 else DEADLINE + early / 10
    return student


_varied = lru_cache(maxsize=100_000)(varied)


def _answer(cell: Cell, habit: _Habit, ability: float, rng: np.random.Generator) -> Answer:
    """Draw one answer: solved, or tried with a mistake, or left blank."""
    luck, tried = rng.random(), rng.random()
    solved = luck < _share(ability - habit.difficulty)
    if solved:
        ways = [cell.solution, *cell.styles]
        return cell.solution if rng.random() < 0.5 else ways[int(rng.integers(len(ways)))]
    if tried > _share(1.5 + 0.7 * ability - habit.difficulty / 2):
        return cell.blank
    if cell.by_hand:
        return Answer("unsure", unsure_sentence(int(rng.integers(1000))))
    if cell.mistakes:
        return cell.mistakes[_chosen(habit.shares[: len(cell.mistakes)], rng.random())]
    return cell.solution if cell.exercise else cell.blank


def _share(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _chosen(shares: tuple[float, ...], number: float) -> int:
    """Return the place at which `number`, from 0 to 1, falls when the shares lie one after the other."""
    sums = np.cumsum(shares)
    return min(int(np.searchsorted(sums, number * sums[-1], side="right")), len(shares) - 1)


# --- files


def _write(drawn: SimulatedClass, submitted: Path, released: Path) -> None:
    notebook = _Notebook(drawn.lesson)
    name = f"{drawn.lesson.name}.ipynb"
    others = [path for path in sorted(released.iterdir()) if path.name != name and not path.name.startswith(".")]
    for student in drawn.students:
        folder = submitted / student.name / drawn.lesson.name
        folder.mkdir(parents=True)
        (folder / name).write_text(notebook.text(student), encoding="utf-8", newline="\n")
        time = f"{student.handed_in:%Y-%m-%d %H:%M:%S.%f} UTC"
        (folder / "timestamp.txt").write_text(time, encoding="ascii", newline="\n")
        for path in others:
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            else:
                shutil.copy(path, folder / path.name)


class _Notebook:
    """A lesson's notebook as JSON. Each distinct cell becomes text once, however many students hand it in."""

    def __init__(self, lesson: Lesson) -> None:
        self._cells = lesson.released.cells
        self._names = [CellLabel.of(cell).grade_id for cell in self._cells]
        self._rest = {name: value for name, value in lesson.released.items() if name != "cells"}
        self._known: dict[tuple[int, str], str] = {}

    def text(self, student: Student) -> str:
        cells = [
            self._cell(place, student.texts.get(name, self._cells[place].source))
            for place, name in enumerate(self._names)
        ]
        if student.extra:
            behind, number = student.extra
            cells.insert(behind, _json(EXTRA_CELLS[number]))
        return '{"cells": [\n' + ",\n".join(cells) + "\n],\n" + _json(self._rest)[1:] + "\n"

    def _cell(self, place: int, source: str) -> str:
        if (place, source) not in self._known:
            self._known[place, source] = _json({**self._cells[place], "source": source})
        return self._known[place, source]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
