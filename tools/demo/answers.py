"""What a simulated student may hand in for each cell: the solution, a known mistake, an honest style, or nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograde_tests import exercises
from nbjudge.errors import CannotGrade
from nbjudge.text import join_names, quote
from tools.demo.source_extraction import NotSelfContainedError, bound_names, self_contained, statements

SOLUTION, MISTAKE, STYLE, BLANK = "solution", "mistake", "style", "blank"
MARKS = re.compile(r"^\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)\s*$\n?", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """The text of one cell.

    kind: "solution", "mistake", "style" or "blank"; number: which of the exercise's mistakes or styles
    sentence: what is wrong with a mistake, as its exercise says
    """

    kind: str
    source: str
    number: int = 0
    sentence: str = ""


@dataclass
class Cell:
    """One cell that students fill in, and the answers there are for it.

    exercise: whether a test looks at it; by_hand: whether a human reads it
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
    """A lesson as students get it, and what can be handed in.

    left_out: {exercise: sentences}, the answers that cannot stand in a notebook; the solution is drawn in their place
    """

    name: str
    released: nbformat.NotebookNode
    cells: dict[str, Cell]
    left_out: dict[str, list[str]]


def read_lesson(course: Path, name: str) -> Lesson:
    """Read a lesson's two notebooks and the exercises' known answers.

    Raises CannotGrade when there is no such lesson, or it was not released yet.
    """
    known = exercises()
    if name not in known:
        raise CannotGrade(
            f"There is no lesson {quote(name)} whose answers are known; there is {join_names(list(known))}."
        )
    released, solution = (_read(course / step / name / f"{name}.ipynb", name) for step in ("lessons", "solutions"))
    blank = {_label(cell).get("grade_id"): cell.source for cell in released.cells}
    cells = {}
    for cell in solution.cells:
        label = _label(cell)
        if label.get("solution"):
            text = MARKS.sub("", cell.source).strip()
            by_hand = bool(label.get("grade"))
            text = text.partition("\n*Marks.*")[0].strip() if by_hand else text
            grade_id = label["grade_id"]
            cells[grade_id] = Cell(
                grade_id, Answer(BLANK, blank[grade_id]), Answer(SOLUTION, text), grade_id in known[name], by_hand
            )
    lesson = Lesson(name, released, cells, {})
    taken = frozenset(name for cell in solution.cells if cell.cell_type == "code" for name in _bound(cell.source))
    for cell in cells.values():
        if cell.exercise:
            _add_known_answers(lesson, cell, known[name][cell.name], taken)
    return lesson


def _add_known_answers(lesson: Lesson, cell: Cell, exercise: Any, taken: frozenset[str]) -> None:
    module = f"autograde_tests.lesson_{lesson.name}"
    definition = _definition(module, cell.name)
    for kind, known, into in (
        (MISTAKE, [mistake.sentence for mistake in exercise.mistakes], cell.mistakes),
        (STYLE, ["" for _ in exercise.styles], cell.styles),
    ):
        nodes = _solves(definition, f"{kind}s")
        for number, sentence in enumerate(known):
            try:
                if len(nodes) != len(known):
                    raise NotSelfContainedError(f"{kind}s is not a plain list")
                source = self_contained(module, nodes[number], cell.name, taken)
                _require_that_it_runs(source, cell.name)
                into.append(Answer(kind, source, number, sentence))
            except NotSelfContainedError as error:
                lesson.left_out.setdefault(cell.name, []).append(f"{kind} {number}: {error}")


def _require_that_it_runs(source: str, name: str) -> None:
    """Raise NotSelfContainedError unless the text alone defines something that can be called."""
    names: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(source, "answer", "exec"), names)
    except Exception as error:
        raise NotSelfContainedError(f"it does not run alone: {type(error).__name__}: {error}") from error
    if "autograde_tests" in source or not callable(names.get(name)):
        raise NotSelfContainedError("it needs the tests, or is nothing that can be called")


def _definition(module: str, name: str) -> ast.Call | None:
    """Return the text, as a tree, that makes the exercise called `name` in its module."""
    for statement in statements(module).values():
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call):
            given = {keyword.arg: keyword.value for keyword in value.keywords}
            if isinstance(said := given.get("name"), ast.Constant) and said.value == name:
                return value
    return None


def _solves(definition: ast.Call | None, keyword: str) -> list[ast.expr]:
    """Return the expressions of an exercise's mistakes or styles; fewer than there are when they are not plain."""
    values = [known.value for known in definition.keywords if known.arg == keyword] if definition else []
    elements = values[0].elts if values and isinstance(values[0], ast.Tuple | ast.List) else []
    return [node for element in elements if (node := _solve(element)) is not None]


def _solve(element: ast.expr) -> ast.expr | None:
    """Return an element itself, or of Mistake("...", solve) the second argument."""
    if isinstance(element, ast.Starred):
        return None
    if isinstance(element, ast.Call) and isinstance(element.func, ast.Name) and element.func.id == "Mistake":
        named = [keyword.value for keyword in element.keywords if keyword.arg == "solve"]
        return element.args[1] if len(element.args) > 1 else next(iter(named), None)
    return element


def _read(file: Path, lesson: str) -> nbformat.NotebookNode:
    if not file.is_file():
        way_out = f"Run `nbgrader generate_assignment {lesson}` in the folder of the course first."
        raise CannotGrade(f"There is no notebook {file}; expected the lesson as it is given to students. {way_out}")
    return nbformat.read(file, as_version=4)


def _label(cell: nbformat.NotebookNode) -> dict[str, Any]:
    return dict(cell.metadata.get("nbgrader", {}))


def _bound(source: str) -> Iterator[str]:
    for statement in ast.parse(source).body:
        # Imports stay free to be repeated: an answer that imports NumPy again does no harm.
        if not isinstance(statement, ast.Import | ast.ImportFrom | ast.Try):
            yield from bound_names(statement)
