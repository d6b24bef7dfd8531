"""What the tests said of an answer, and which of the course's named mistakes it was.

A course may have a catalogue, a function that returns {assignment: {exercise: it}}, where `it.mistakes` have a
`sentence` each. A course without one is read all the same: then what its tests said is shown.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from nbjudge.errors import CannotGrade
from nbjudge.feedback.redaction import NOT_GRADED
from nbjudge.patches import temporary_attrs
from nbjudge.report.model import Finding
from nbjudge.text import single_line

Catalogue = dict[str, list[str]]  # {exercise: sentences of its known mistakes}
LONGEST_OUTPUT = 20_000
NOT_SOLVED = "not solved yet"
# A line of a check that failed: its title, `wrong:`, and what is wrong, which may go on in lines set further in.
WRONG = re.compile(r"\bwrong: ([^\n]+(?:\n {6,}[^\n]+)*)")


def catalogue(assignment: str, reference: str, course: Path) -> Catalogue | None:
    """Return the assignment's known mistakes, None when the course names none.

    reference: "module:function", as c.Grading.catalogue has it; course: the folder in which the module may be
    Raises CannotGrade when there is no such function.
    """
    if not reference:
        return None
    module, _, function = reference.partition(":")
    try:
        with temporary_attrs(sys, path=[*sys.path, str(course)]):
            known = getattr(importlib.import_module(module), function)().get(assignment)
    except (ImportError, AttributeError, ValueError) as error:
        raise CannotGrade(
            f"c.Grading.catalogue is {reference!r}, which cannot be used ({error}). Expected 'module:function', such "
            "as 'my_tests:exercises', where the module is installed or beside nbgrader_config.py."
        ) from error
    if not known:
        return None
    return {name: [_squeezed(mistake.sentence) for mistake in exercise.mistakes] for name, exercise in known.items()}


def finding(exercise: str, outputs: list[dict[str, Any]], known: Catalogue | None) -> Finding | None:
    """Return what the outputs of a failed test cell say of the answer, None when they say nothing.

    Only what the tests showed is looked at: streams hold what the student's code printed, and would name any mistake.
    """
    texts = [_shown(output) for output in outputs if output.get("output_type") in ("display_data", "execute_result")]
    named = _named(exercise, texts, known or {})
    if named:
        return Finding(named, known=True)
    for text in texts:
        wrong = WRONG.search(text)
        if wrong:
            return Finding(_general(wrong[1]))
        if NOT_SOLVED in text.split("\n", 1)[0]:
            return Finding("not solved yet: the cell is as it was given")
    errors = [output for output in outputs if output.get("output_type") == "error"]
    return Finding(_error(errors[0])) if errors else None


def _named(exercise: str, texts: list[str], known: Catalogue) -> str | None:
    """Return the sentence of the known mistake that a text names: the exercise's own, the longest that fits."""
    sentences = known.get(exercise) or [sentence for others in known.values() for sentence in others]
    squeezed = [_squeezed(text) for text in texts]
    found = [sentence for sentence in sentences if any(f"{sentence}." in text for text in squeezed)]
    return max(found, key=len, default=None)


def _error(output: dict[str, Any]) -> str:
    kind, message = str(output.get("ename") or "Error"), str(output.get("evalue") or "").strip().split("\n", 1)[0]
    return single_line(message) if kind == NOT_GRADED else _general(f"{kind}: {message}" if message else kind)


def _general(text: str) -> str:
    """Return a sentence with its numbers and places left out, so that the same trouble is counted together."""
    cut = re.sub(r"\[[\d, ]+\]", "[...]", _squeezed(text)[:500])
    return single_line(re.sub(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?!\w)", "#", cut))


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data")
    text = data.get("text/plain") if isinstance(data, dict) else None
    joined = "".join(map(str, text)) if isinstance(text, list) else str(text or "")
    return joined[:LONGEST_OUTPUT]


def _squeezed(text: str) -> str:
    return " ".join(text.split())
