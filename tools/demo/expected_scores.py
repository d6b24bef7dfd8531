"""Expected scores of a simulated class: evaluate its answers without a notebook, on inputs drawn from the salt."""

from __future__ import annotations

import ast
from functools import cached_property
from types import CodeType
from typing import Any

from autograde_tests.grade_answer import SALT, report_on
from nbjudge import CellLabel, temporary_env
from tools.demo.answers import Lesson
from tools.demo.simulated import SimulatedClass, Student

DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def expected_scores(drawn: SimulatedClass, salt: str) -> dict[str, dict[str, float]]:
    """Return {student: {exercise: points}} without manual grading.

    salt: that of the course, so that the same inputs are drawn. An answer that calls other answers is evaluated with
    those of the same student.
    """
    judge = _Judge(drawn.lesson)
    with temporary_env(**{SALT: salt}):
        return {student.name: judge.points(student) for student in drawn.students}


class _Judge:
    """Evaluates each answer once for each combination of answers that it calls."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._points_by_answers: dict[tuple[Any, ...], float] = {}

    def points(self, student: Student) -> dict[str, float]:
        return {name: self._points(name, student) for name, cell in self.lesson.cells.items() if cell.exercise}

    def _points(self, name: str, student: Student) -> float:
        needed = self._dependencies(name, student)
        key = (name, *((other, student.answers[other].kind, student.answers[other].number) for other in needed))
        if key not in self._points_by_answers:
            names: dict[str, Any] = {"__name__": "submission"}
            exec(self._released_code, names)
            for other in needed:
                exec(student.answers[other].source, names)
            self._points_by_answers[key] = float(report_on(names[name], name).points)
        return self._points_by_answers[key]

    def _dependencies(self, name: str, student: Student) -> list[str]:
        """Return the cells that an answer needs, including itself, in the order of the lesson."""
        needed: set[str] = set()
        ahead = {name}
        while ahead:
            word = ahead.pop()
            needed.add(word)
            cell = self.lesson.cells.get(word)
            used = _names(ast.parse(student.answers[word].source)) if cell else self._released_definitions[word]
            ahead |= used & (self.lesson.cells.keys() | self._released_definitions.keys()) - needed
        return [cell for cell in self.lesson.cells if cell in needed]

    @cached_property
    def _released_statements(self) -> list[ast.stmt]:
        cells = [
            cell for cell in self.lesson.released.cells if cell.cell_type == "code" and not CellLabel.of(cell).fields
        ]
        return [node for cell in cells for node in ast.parse(cell.source).body if _defines(node)]

    @cached_property
    def _released_code(self) -> CodeType:
        return compile(ast.Module(self._released_statements, []), "given", "exec")

    @cached_property
    def _released_definitions(self) -> dict[str, set[str]]:
        definitions = [node for node in self._released_statements if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return {node.name: _names(node) for node in definitions}


def _defines(node: ast.stmt) -> bool:
    """Return whether a statement only defines names, such as an import, also one inside of try."""
    return (
        isinstance(node, DEFINES)
        or isinstance(node, ast.Try)
        and all(isinstance(child, DEFINES) for child in node.body)
    )


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
