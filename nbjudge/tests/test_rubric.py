"""Formgrader shows the instructor's version of an answer that is marked by hand; nothing else does."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.server_extensions.formgrader.handlers import SubmissionHandler
from traitlets.config import Config

from nbjudge.feedback.rubric import HEADING, ShowRubric

FORMGRADER = {"submission_id": "1", "assignment_id": "ps1", "notebook_id": "problem"}
ANSWER = "Explain.\n\n### BEGIN SOLUTION\nBecause of $x$.\n\n- 1 point: the reason\n### END SOLUTION"
CODE = "def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
TASK = "Write cells of your own.\n\n### BEGIN MARK SCHEME\n2 points: a plot\n### END MARK SCHEME"


def label(name: str, **flags: object) -> dict[str, object]:
    return {"nbgrader": {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, **flags}}


def notebook(why: str, code: str, task: str) -> nbformat.NotebookNode:
    by_hand = {"grade": True, "solution": True, "points": 2}
    return new_notebook(
        cells=[
            new_markdown_cell(why, metadata=label("why", **by_hand)),
            new_code_cell(code, metadata=label("f", **by_hand)),
            new_markdown_cell(task, metadata=label("task", task=True, points=2)),
            new_code_cell("assert f(1) == 2", metadata=label("f_test", grade=True, locked=True, points=1)),
        ]
    )


@pytest.fixture
def course(tmp_path: Path) -> Path:
    file = tmp_path / "source" / "ps1" / "problem.ipynb"
    file.parent.mkdir(parents=True)
    nbformat.write(notebook(ANSWER, CODE, TASK), file)
    return tmp_path


def shown(course: Path, resources: dict[str, str], **settings: Config) -> list[str]:
    """Return the cells that formgrader renders of a student's submission."""
    show = ShowRubric(config=Config(CourseDirectory=Config(root=str(course)), **settings))
    rendered, _ = show.preprocess(notebook("My reason.", "def f(x):\n    return x + x", "Write cells."), resources)
    return [cell.source for cell in rendered.cells]


def test_the_models_stand_below_the_answers_that_are_marked_by_hand(course):
    assert shown(course, FORMGRADER) == [
        "My reason.",
        f"{HEADING}\n\n> Because of $x$.\n> \n> - 1 point: the reason",
        "def f(x):\n    return x + x",
        f"{HEADING}\n\n> ```python\n> return 2 * x\n> ```",
        "Write cells.",
        f"{HEADING}\n\n> 2 points: a plot",
        "assert f(1) == 2",
    ]


def test_the_delimiters_are_those_of_the_course(course):
    delimiters = Config(begin_solution_delimeter="# {", end_solution_delimeter="# }")
    nbformat.write(notebook("a\n# {\nb\n# }\nc", "x", "y"), course / "source" / "ps1" / "problem.ipynb")
    assert shown(course, FORMGRADER, ClearSolutions=delimiters)[1] == f"{HEADING}\n\n> b"


def test_no_other_page_shows_them(course):
    without = [text for text in shown(course, FORMGRADER) if not text.startswith(HEADING)]
    assert shown(course, {"nbgrader": {"student": "ann"}}) == without  # type: ignore[dict-item]


def test_without_the_instructors_notebook_there_are_none_and_the_log_says_so(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        cells = shown(tmp_path, FORMGRADER)
    assert not [text for text in cells if text.startswith(HEADING)]
    assert "problem.ipynb" in caplog.text


def test_formgrader_still_sets_the_names_that_tell_its_pages_apart():
    assert [name for name in FORMGRADER if f"'{name}'" not in inspect.getsource(SubmissionHandler.get)] == []
