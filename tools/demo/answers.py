"""The answers of simulated students to each cell: the solution, a known mistake, an accepted variant or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from autograde_tests import exercises
from nbjudge import CannotGrade, CellLabel, join_names, quote

SOLUTION, MISTAKE, STYLE, BLANK = "solution", "mistake", "style", "blank"
MARKS = re.compile(r"^\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)\s*$\n?", re.MULTILINE)
# A known answer is fetched from its exercise, in whose name the tests find it.
KNOWN = "from autograde_tests import find\n\n{name} = find({name!r}).{answer}\n{name}.__name__ = {name!r}"


@dataclass(frozen=True)
class Answer:
    """The text of one cell.

    kind: "solution", "mistake", "style" or "blank"; number: which of the exercise's mistakes or styles
    sentence: the description of a mistake in its exercise
    """

    kind: str
    source: str
    number: int = 0
    sentence: str = ""


@dataclass
class Cell:
    """A cell that students fill in, and its possible answers.

    exercise: whether it has a test; by_hand: whether it is graded by hand
    """

    name: str
    blank: Answer
    solution: Answer
    exercise: bool = False
    by_hand: bool = False
    mistakes: list[Answer] = field(default_factory=list)
    styles: list[Answer] = field(default_factory=list)


@dataclass
class Lesson:
    """A released lesson and the possible answers."""

    name: str
    released: nbformat.NotebookNode
    cells: dict[str, Cell]


def read_lesson(course: Path, name: str) -> Lesson:
    """Read a lesson's two notebooks and the exercises' known answers.

    Raises CannotGrade when the lesson does not exist or has not been released.
    """
    catalogue = exercises()
    if name not in catalogue:
        raise CannotGrade(
            f"There is no lesson {quote(name)} whose answers are known; there is {join_names(list(catalogue))}."
        )
    released, solution = (_read(course / step / name / f"{name}.ipynb", name) for step in ("lessons", "solutions"))
    blank = {CellLabel.of(cell).grade_id: cell.source for cell in released.cells}
    cells = {}
    for cell in solution.cells:
        label = CellLabel.of(cell)
        if label.is_solution:
            text = MARKS.sub("", cell.source).strip()
            text = text.partition("\n*Marks.*")[0].strip() if label.is_graded else text
            cells[label.grade_id] = Cell(
                label.grade_id, Answer(BLANK, blank[label.grade_id]), Answer(SOLUTION, text), by_hand=label.is_graded
            )
    for exercise in catalogue[name].values():
        cell = cells[exercise.name]
        cell.exercise = True
        for number, mistake in enumerate(exercise.mistakes):
            source = KNOWN.format(name=cell.name, answer=f"mistakes[{number}].solve")
            cell.mistakes.append(Answer(MISTAKE, source, number, mistake.sentence))
        for number in range(len(exercise.styles)):
            cell.styles.append(Answer(STYLE, KNOWN.format(name=cell.name, answer=f"styles[{number}]"), number))
    return Lesson(name, released, cells)


def _read(file: Path, lesson: str) -> nbformat.NotebookNode:
    if not file.is_file():
        way_out = f"Run `nbgrader generate_assignment {lesson}` in the folder of the course first."
        raise CannotGrade(f"There is no notebook {file}; expected the released lesson. {way_out}")
    return nbformat.read(file, as_version=4)
