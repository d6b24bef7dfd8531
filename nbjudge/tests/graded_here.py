"""Grade a tiny course in this process and without kernels, for the tests of what happens around the running."""

from __future__ import annotations

import ast
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_output
from nbgrader.api import Grade, Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from tiny_course import LESSON, TESTS
from traitlets.config import Config

from nbjudge.autograde.converter import Grading
from nbjudge.autograde.preprocessors import Record


class RunHere(Execute):
    """Runs cells with exec. A cell in which `stop` stands raises what stands there, through the grader."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any, km: Any = None) -> tuple[Any, Any]:
        names: dict[str, Any] = {}
        exec(TESTS, names)
        for number, cell in enumerate(nb.cells):
            if cell.cell_type == "code":
                if cell.source.startswith("stop"):
                    raise eval(cell.source.removeprefix("stop"))
                cell.execution_count = number + 1
                cell.outputs = _outputs(cell.source.replace("from tiny_tests import grade", ""), names)
        return nb, resources


def _outputs(source: str, names: dict[str, Any]) -> list[nbformat.NotebookNode]:
    body = ast.parse(source).body
    try:
        for place, statement in enumerate(body):
            if isinstance(statement, ast.Expr) and place == len(body) - 1:
                value = eval(ast.unparse(statement), names)
                return [new_output("execute_result", {"text/plain": repr(value)})]
            exec(ast.unparse(statement), names)
    except Exception as error:
        return [new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[])]
    return []


@dataclass
class Run:
    """What one run of the grader said and whether it ended well."""

    well: bool
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def grade(course: Path, penalty: type | None = None, **settings: Any) -> Run:
    """Grade the lesson as `nbgrader autograde` would, canaries apart.

    penalty: the plugin that says what lateness costs
    settings: of the CourseDirectory (assignment_id, student_id, ...) and of Autograde (force, create_student, ...)
    """
    config = Config()
    config.Autograde.autograde_preprocessors = [RunHere, Record]
    if penalty:
        config.AssignLatePenalties.plugin_class = penalty
    own = {name: settings.pop(name) for name in list(settings) if name in Grading.class_traits()}
    place = {"assignment_id": LESSON, "source_directory": "solutions", "release_directory": "lessons", **settings}
    directory = CourseDirectory(config=config, root=str(course), course_id="rnn", **place)
    log, ear = logging.Logger("grading"), _Ear()
    log.addHandler(ear)
    try:
        Grading(coursedir=directory, config=config, log=log, **{"rehearsing": True, **own}).start()
    except NbGraderException:
        return Run(False, ear.heard)
    return Run(True, ear.heard)


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "rnn")


def rows(course: Path, student: str) -> dict[str, dict[str, Any]]:
    """Return {cell: its grade} of a student."""
    with gradebook(course) as book:
        (notebook,) = book.find_submission(LESSON, student).notebooks
        return {grade.name: {**grade.to_dict(), "score": grade.score} for grade in notebook.grades}


def points(course: Path, student: str) -> dict[str, float]:
    return {name: grade["score"] for name, grade in rows(course, student).items()}


def by_hand(course: Path, student: str, name: str, **values: Any) -> None:
    """Change a grade as formgrader does."""
    with gradebook(course) as book:
        grade: Grade = book.find_grade(name, LESSON, LESSON, student)
        for key, value in {"needs_manual_grade": False, **values}.items():
            setattr(grade, key, value)
        book.db.commit()


def graded_notebook(course: Path, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course / "autograded" / student / LESSON / f"{LESSON}.ipynb", as_version=4)
