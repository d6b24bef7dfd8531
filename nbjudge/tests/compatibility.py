"""Generate a course of idioms, and grade it with stock nbgrader and with nbjudge.

`python nbjudge/tests/compatibility.py [GROUP ...]` prints the scores of both, idiom by idiom.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from idioms import GROUPS, INSIDE, Idiom
from nbformat.v4 import new_notebook
from nbgrader.api import Gradebook
from nbgrader_course import nbgrader, solve
from tiny_course import cell

ASSIGNMENT = "idioms"
POINTS = 2.0
FINDS_ALEMBIC = """
import os, sys
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]  # nbgrader runs it
"""
STOCK = f"{FINDS_ALEMBIC}c = get_config()\nc.CourseDirectory.course_id = 'idioms'\nc.Execute.timeout = 60\n"
NBJUDGE = "import nbjudge\n\nc = get_config()\nc.CourseDirectory.course_id = 'idioms'\nnbjudge.configure(c)\n"

Scores = dict[str, dict[str, float | None]]  # {student: {test cell: points}}


def graded(folder: Path, groups: dict[str, list[Idiom]]) -> tuple[Scores, Scores]:
    """Return the scores that stock nbgrader and nbjudge give to the right and the wrong answers."""
    results = []
    for name, settings in (("stock", STOCK), ("nbjudge", NBJUDGE)):
        write_course(folder / name, groups, settings)
        nbgrader(folder / name, "autograde", ASSIGNMENT)
        results.append(scores(folder / name))
    return results[0], results[1]


def cell_name(idiom: Idiom) -> str:
    return re.sub(r"\W", "_", idiom.name)


def write_course(course: Path, groups: dict[str, list[Idiom]], settings: str) -> None:
    """Write and release a course whose notebooks are the groups, with two submissions: right and wrong answers."""
    source = course / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(settings)
    for group, idioms in groups.items():
        notebook = new_notebook(cells=[one for idiom in idioms for one in _cells(group, idiom)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, source / f"{group}.ipynb")
    nbgrader(course, "generate_assignment", ASSIGNMENT)
    for student in ("right", "wrong"):
        folder = course / "submitted" / student / ASSIGNMENT
        shutil.copytree(course / "release" / ASSIGNMENT, folder)
        for group, idioms in groups.items():
            answers = {f"{group}__{cell_name(i)}": i.answer if student == "right" else i.wrong for i in idioms}
            solve(folder / f"{group}.ipynb", answers)


def scores(course: Path, assignment: str = ASSIGNMENT) -> Scores:
    """Return the points in the gradebook; None where a person has to decide."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return {
            student: {
                grade.name.partition("__")[2] or grade.name: grade.auto_score
                for notebook in gradebook.find_submission(assignment, student).notebooks
                for grade in notebook.grades
            }
            for student in ("right", "wrong")
        }


def _cells(group: str, idiom: Idiom) -> list[nbformat.NotebookNode]:
    name = cell_name(idiom)
    answer = f"### BEGIN SOLUTION\n{idiom.answer}\n### END SOLUTION"
    test = cell(f"{group}_test__{name}", idiom.test, grade=True, locked=True, points=POINTS)
    test.metadata.tags = [f"judge-{idiom.judging}"] if idiom.judging == INSIDE else []
    given = [cell(f"{group}_given__{name}", idiom.given, locked=True)] if idiom.given else []
    return [*given, cell(f"{group}__{name}", answer, solution=True), test]


def main(names: list[str]) -> None:
    """Print a table of the idioms in some groups, or in all."""
    groups = {name: GROUPS[name] for name in names or GROUPS}
    with tempfile.TemporaryDirectory() as folder:
        stock, ours = graded(Path(folder), groups)
    print(f"{'group':10} {'idiom':36} {'judged':8} {'right: stock, nbjudge':22} wrong: stock, nbjudge")
    for group, idioms in groups.items():
        for idiom in idioms:
            name = cell_name(idiom)
            right, wrong = (f"{stock[student][name]}, {ours[student][name]}" for student in ("right", "wrong"))
            print(f"{group:10} {idiom.name:36} {idiom.judging:8} {right:22} {wrong:12} {idiom.reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
