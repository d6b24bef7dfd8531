"""Read the result that a test displays as data, and say in a sentence why an exercise lost points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from nbjudge.cell_result import NOT_GRADED
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.text import single_line

# A result that a test may display: {"exercise", "solved", "passed", "mistake", "problem"}, and "sentence", which
# students read first when the exercise lost points.
RESULT_MIME_TYPE = "application/vnd.nbjudge.result+json"
UNSOLVED = "Not solved yet."
WAITS = "Not marked yet: a person reads this answer."


def displayed_result(output: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result that a test displayed as data, {} for any other output."""
    data = output.get("data") if output.get("output_type") in ("display_data", "execute_result") else None
    result = data.get(RESULT_MIME_TYPE) if isinstance(data, Mapping) else None
    return result if isinstance(result, Mapping) else {}


def waits(label: CellLabel) -> bool:
    """Return whether the cell still has to be graded by hand, as far as the gradebook's notes in it say."""
    return label.is_graded and bool(label.fields.get("needs_manual_grade"))


def reason(cell: NotebookNode) -> str:
    """Return why a graded cell lost points, "" if nothing says so; call it when the hidden tests are removed.

    The first of: it waits for a person, the result of the test, its error, the grader's comment.
    """
    label = CellLabel.of(cell)
    if waits(label):
        return WAITS
    outputs = cell.get("outputs", []) if label.is_test else []
    sentences = [_sentence(displayed_result(output)) for output in outputs]
    sentences += [_message(output) for output in outputs if output.output_type == "error"]
    sentences.append(str(label.fields.get("comment") or ""))
    return single_line(next(filter(None, sentences), ""))


def _sentence(result: Mapping[str, Any]) -> str:
    if result.get("solved") is False:
        return UNSOLVED
    texts = (result.get(name) for name in ("sentence", "mistake", "problem"))
    return next((text for text in texts if text and isinstance(text, str)), "")


def _message(error: NotebookNode) -> str:
    """Return the message of an error whose traceback was reduced to one."""
    message = "\n".join(error.traceback)
    return message if error.ename == NOT_GRADED else message.removeprefix("AssertionError: ")
