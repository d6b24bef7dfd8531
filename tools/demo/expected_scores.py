"""What a simulated class should score: its answers judged without any notebook, on the inputs that the salt draws."""

from __future__ import annotations

import ast
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any

from autograde_tests.grade_answer import SALT, report_on
from nbjudge.environment import temporary_env
from tools.demo.answers import Lesson
from tools.demo.simulated import SimulatedClass, Student

DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def due(drawn: SimulatedClass, salt: str) -> dict[str, dict[str, float]]:
    """Return {student: {exercise: points}} before a human has read anything.

    salt: the course's, so that the same inputs are drawn. An answer that calls other answers is judged with those of
    the same student.
    """
    judge = _Judge(drawn.lesson)
    with temporary_env(**{SALT: salt}):
        return {student.name: judge.points(student) for student in drawn.students}


class _Judge:
    """Judges each answer once for each set of answers that it calls."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._known: dict[tuple[Any, ...], float] = {}

    def points(self, student: Student) -> dict[str, float]:
        return {name: self._points(name, student) for name, cell in self.lesson.cells.items() if cell.exercise}

    def _points(self, name: str, student: Student) -> float:
        wanted = self._with_what_it_calls(name, student)
        key = (name, *((other, student.answers[other].kind, student.answers[other].number) for other in wanted))
        if key not in self._known:
            names: dict[str, Any] = {"__name__": "submission"}
            exec(self._given, names)
            for other in wanted:
                exec(_compiled(student.answers[other].source), names)
            self._known[key] = float(report_on(names[name], name).points)
        return self._known[key]

    def _with_what_it_calls(self, name: str, student: Student) -> list[str]:
        """Return the cells that an answer needs, itself included, in the lesson's order."""
        found: set[str] = set()
        ahead = {name}
        while ahead:
            word = ahead.pop()
            found.add(word)
            cell = self.lesson.cells.get(word)
            used = _used(student.answers[word].source) if cell else self._given_definitions[word]
            ahead |= used & (self.lesson.cells.keys() | self._given_definitions.keys()) - found
        return [cell for cell in self.lesson.cells if cell in found]

    @cached_property
    def _given_statements(self) -> list[ast.stmt]:
        given = [cell for cell in self.lesson.released.cells if cell.cell_type == "code" and not _is_labelled(cell)]
        return [node for cell in given for node in ast.parse(cell.source).body if _defines(node)]

    @cached_property
    def _given(self) -> CodeType:
        return compile(ast.Module(self._given_statements, []), "given", "exec")

    @cached_property
    def _given_definitions(self) -> dict[str, set[str]]:
        definitions = [node for node in self._given_statements if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return {node.name: _names(node) for node in definitions}


def _defines(node: ast.stmt) -> bool:
    """Return whether a statement only defines names; of those that try, an import that may fail."""
    return isinstance(node, DEFINES) or isinstance(node, ast.Try) and all(isinstance(one, DEFINES) for one in node.body)


def _is_labelled(cell: Any) -> bool:
    return "nbgrader" in cell.metadata


@lru_cache(maxsize=10_000)
def _compiled(source: str) -> CodeType:
    return compile(source, "answer", "exec")


@lru_cache(maxsize=10_000)
def _used(source: str) -> set[str]:
    return _names(ast.parse(source))


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
