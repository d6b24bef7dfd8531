"""Read the written questions of a lesson: the criteria and the model answer in their solution cells."""

import re
from textwrap import dedent
from typing import TypedDict

from nbformat import NotebookNode

from tools.lint import answers
from tools.sources import SourceError

HEADING = "*Marks.*"  # between the model answer and the criteria, a list


class WrittenQuestion(TypedDict):
    """What `hint` shows after a student has written an answer."""

    criteria: list[str]
    answer: str


def written_questions(solution: NotebookNode, lesson: str) -> dict[str, WrittenQuestion]:
    """Return the written questions of a lesson: grade_id -> criteria and model answer.

    solution: the lesson's notebook with its solutions
    Raises SourceError, which names the cell, when the criteria are missing.
    """
    cells = [cell for cell in solution.cells if cell.cell_type == "markdown" and _is_graded(cell)]
    return {cell.id: _question(cell, lesson) for cell in cells}


def _is_graded(cell: NotebookNode) -> bool:
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade") and meta.get("solution"))


def _question(cell: NotebookNode, lesson: str) -> WrittenQuestion:
    text = dedent("\n".join(answers(cell)))
    answer, _, marks = text.partition(HEADING)
    criteria = [" ".join(item.split()) for item in re.split(r"^- ", marks, flags=re.MULTILINE)[1:]]
    if not answer.strip() or not criteria:
        raise SourceError(
            f"source/{lesson}.py, cell {cell.id}: expected a model answer, then {HEADING} and a list with a line "
            "`- ...` for each criterion."
        )
    return {"criteria": criteria, "answer": answer.strip()}
