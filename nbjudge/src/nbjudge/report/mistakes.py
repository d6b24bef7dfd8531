"""Read what the tests reported about an answer, and match it with the course's named mistakes.

Tests report results as data, displayed under a media type of its own; if they only raise, the error is used.

A course may have a catalogue, a function that returns {assignment: {name: exercise}}, where each of
`exercise.mistakes` has a `sentence`. Without a catalogue, the report lists what the tests reported.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbjudge.cell_result import NOT_GRADED
from nbjudge.errors import CannotGrade
from nbjudge.feedback.results import displayed_result
from nbjudge.patches import temporary_attrs
from nbjudge.report.model import Finding
from nbjudge.text import single_line

Catalogue = dict[str, list[str]]  # {exercise: sentences of its named mistakes}
_LONGEST_OUTPUT = 20_000
_NOT_SOLVED = "not solved yet: the cell is as it was given"


def catalogue(assignment: str, reference: str, course: Path) -> Catalogue | None:
    """Return the assignment's named mistakes, None when the course names none.

    reference: "module:function", the value of c.Grading.catalogue; course: a folder to search for the module
    Raises CannotGrade when there is no such function.
    """
    if not reference:
        return None
    module, _, function = reference.partition(":")
    try:
        with temporary_attrs(sys, path=[*sys.path, str(course)]):
            exercises = getattr(importlib.import_module(module), function)().get(assignment)
    except (ImportError, AttributeError, ValueError) as error:
        raise CannotGrade(
            f"c.Grading.catalogue is {reference!r}, which cannot be used ({error}). Expected 'module:function', such "
            "as 'my_tests:exercises', where the module is installed or lies next to nbgrader_config.py."
        ) from error
    if not exercises:
        return None
    return {
        name: [_collapse_whitespace(mistake.sentence) for mistake in exercise.mistakes]
        for name, exercise in exercises.items()
    }


def finding(exercise: str, outputs: list[dict[str, Any]], named_mistakes: Catalogue | None) -> Finding | None:
    """Return what the outputs of a failed test cell report about the answer, None when they report nothing.

    Only results displayed by the tests and errors count: streams hold what the student's code printed.
    """
    for result in filter(None, map(displayed_result, outputs)):
        mistake = _collapse_whitespace(_text(result, "mistake"))
        if mistake and (named_mistakes is None or any(mistake in sentences for sentences in named_mistakes.values())):
            return Finding(mistake, is_named=True)
        if result.get("solved") is False:
            return Finding(_NOT_SOLVED)
        if problem := _text(result, "problem"):
            return Finding(_mask_numbers(problem))
    errors = [output for output in outputs if output.get("output_type") == "error"]
    return Finding(_error(errors[0])) if errors else None


def _text(result: Mapping[str, Any], name: str) -> str:
    value = result.get(name)
    return value[:_LONGEST_OUTPUT] if isinstance(value, str) else ""


def _error(output: dict[str, Any]) -> str:
    kind, message = str(output.get("ename") or "Error"), str(output.get("evalue") or "").strip().split("\n", 1)[0]
    return single_line(message) if kind == NOT_GRADED else _mask_numbers(f"{kind}: {message}" if message else kind)


def _mask_numbers(text: str) -> str:
    """Return a sentence with numbers and indices masked, so that equal problems are counted together."""
    cut = re.sub(r"\[[\d, ]+\]", "[...]", _collapse_whitespace(text)[:500])
    return single_line(re.sub(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?!\w)", "#", cut))


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())
