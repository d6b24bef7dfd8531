"""The answers of simulated students to each cell: the solution, a known mistake, an accepted variant or nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograde_tests import exercises
from nbjudge import CannotGrade, join_names, quote
from tools.demo.source_extraction import NotSelfContainedError, bound_names, self_contained, statements

SOLUTION, MISTAKE, STYLE, BLANK = "solution", "mistake", "style", "blank"
MARKS = re.compile(r"^\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)\s*$\n?", re.MULTILINE)


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
    """A released lesson and the possible answers.

    left_out: {exercise: sentences}, the answers that cannot be written into a notebook; the solution replaces them
    """

    name: str
    released: nbformat.NotebookNode
    cells: dict[str, Cell]
    left_out: dict[str, list[str]]


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
                grade_id, Answer(BLANK, blank[grade_id]), Answer(SOLUTION, text), grade_id in catalogue[name], by_hand
            )
    lesson = Lesson(name, released, cells, {})
    bound = frozenset(name for cell in solution.cells if cell.cell_type == "code" for name in _cell_names(cell.source))
    for cell in cells.values():
        if cell.exercise:
            _add_known_answers(lesson, cell, catalogue[name][cell.name], bound)
    return lesson


def _add_known_answers(lesson: Lesson, cell: Cell, exercise: Any, bound: frozenset[str]) -> None:
    module = f"autograde_tests.lesson_{lesson.name}"
    definition = _definition(module, cell.name)
    for kind, sentences, answers in (
        (MISTAKE, [mistake.sentence for mistake in exercise.mistakes], cell.mistakes),
        (STYLE, ["" for _ in exercise.styles], cell.styles),
    ):
        nodes = _answer_nodes(definition, f"{kind}s")
        for number, sentence in enumerate(sentences):
            try:
                if len(nodes) != len(sentences):
                    raise NotSelfContainedError(f"{kind}s is not a plain list")
                source = self_contained(module, nodes[number], cell.name, bound)
                _require_runnable(source, cell.name)
                answers.append(Answer(kind, source, number, sentence))
            except NotSelfContainedError as error:
                lesson.left_out.setdefault(cell.name, []).append(f"{kind} {number}: {error}")


def _require_runnable(source: str, name: str) -> None:
    """Raise NotSelfContainedError unless the text alone defines something callable."""
    names: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(source, "answer", "exec"), names)
    except Exception as error:
        raise NotSelfContainedError(f"it does not run alone: {type(error).__name__}: {error}") from error
    if "autograde_tests" in source or not callable(names.get(name)):
        raise NotSelfContainedError("it imports the tests, or defines nothing callable")


def _definition(module: str, name: str) -> ast.Call | None:
    """Return the syntax tree of the call that creates the exercise called `name`, or None."""
    for statement in statements(module).values():
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call):
            arguments = {keyword.arg: keyword.value for keyword in value.keywords}
            if isinstance(constant := arguments.get("name"), ast.Constant) and constant.value == name:
                return value
    return None


def _answer_nodes(definition: ast.Call | None, keyword: str) -> list[ast.expr]:
    """Return the expressions of an exercise's mistakes or styles; too few when some are not written out."""
    values = (
        [keyword_argument.value for keyword_argument in definition.keywords if keyword_argument.arg == keyword]
        if definition
        else []
    )
    elements = values[0].elts if values and isinstance(values[0], ast.Tuple | ast.List) else []
    return [node for element in elements if (node := _answer_node(element)) is not None]


def _answer_node(element: ast.expr) -> ast.expr | None:
    """Return the element itself, or the second argument of Mistake("...", solve)."""
    if isinstance(element, ast.Starred):
        return None
    if isinstance(element, ast.Call) and isinstance(element.func, ast.Name) and element.func.id == "Mistake":
        named = [keyword.value for keyword in element.keywords if keyword.arg == "solve"]
        return element.args[1] if len(element.args) > 1 else next(iter(named), None)
    return element


def _read(file: Path, lesson: str) -> nbformat.NotebookNode:
    if not file.is_file():
        way_out = f"Run `nbgrader generate_assignment {lesson}` in the folder of the course first."
        raise CannotGrade(f"There is no notebook {file}; expected the released lesson. {way_out}")
    return nbformat.read(file, as_version=4)


def _label(cell: nbformat.NotebookNode) -> dict[str, Any]:
    return dict(cell.metadata.get("nbgrader", {}))


def _cell_names(source: str) -> Iterator[str]:
    for statement in ast.parse(source).body:
        # Imports may be repeated: an answer can import NumPy again.
        if not isinstance(statement, ast.Import | ast.ImportFrom | ast.Try):
            yield from bound_names(statement)
