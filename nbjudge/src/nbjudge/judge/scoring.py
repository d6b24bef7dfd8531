"""Score one test cell: points for a proven success, and for nothing else.

A cell has passed when the judge's own record says that every statement ran to completion. Its output, the answers of
the submission and its appearance in the notebook do not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from nbjudge.judge.process import Change, Judge

_DEPENDS_ON_CHANGES = (
    "This test passes only because your code changes {}, from which the test works out what is right. "
    "Leave the arguments as they are, and return the result."
)


@dataclass(frozen=True)
class Expected:
    """Effects that a test cell may have because the instructor's own solution has them.

    changes: the arguments that calls change; None for the solution itself, whose effects are not known yet
    empty_arrays: whether calls return arrays without elements
    """

    changes: Sequence[Change] | None = ()
    empty_arrays: bool = False


@dataclass
class CellScore:
    """Score of a test cell, with its outputs.

    points: None if a person has to decide
    problem: (kind, sentence for the student) of the reason for lost points, if the outputs do not state it
    changes, empty_arrays: effects of calls, as in JudgedResult
    """

    points: float | None = 0.0
    problem: tuple[str, str] | None = None
    outputs: list[NotebookNode] = field(default_factory=list)
    execution_count: int | None = None
    changes: Sequence[Change] = ()
    empty_arrays: bool = False


async def score_cell(
    judge: Judge, source: str, possible: float, expected: Expected, seconds: Callable[[], float]
) -> CellScore:
    """Run a test cell, for which the judge is prepared, and return its score.

    possible: the points of the cell; seconds: returns the remaining time
    """
    judged, status = await judge.run(source, seconds(), expected.empty_arrays)
    score = CellScore(0.0, None, judged.outputs, judged.execution_count, judged.changes, judged.empty_arrays)
    if status.kind == "timeout":
        score.outputs = [output for output in judged.outputs if output.get("ename") != "KeyboardInterrupt"]
        score.problem = "timeout", f"The tests of this exercise were stopped: {status.reason}."
    elif status.kind == "died":
        score.problem = "died", "The tests of this exercise could not be finished."
    elif judged.complete:
        score.points, score.problem = credit(judged.credit, possible)
        if score.points:
            await _verify(judge, source, possible, expected, seconds, score)
    elif not any(output.output_type == "error" for output in judged.outputs):
        score.problem = "not judged", "The tests of this exercise did not run to their end."
    return score


def credit(described: Mapping[str, Any], possible: float) -> tuple[float | None, tuple[str, str] | None]:
    """Return the points of a cell that ran to completion, all or as many as its last line says, and any problem.

    described: the value of its last line, as `describe_credit` describes it
    The points are None if they cannot be read from that value, so that a person has to decide.
    """
    if not described:
        return possible, None
    points = described.get("points")
    if isinstance(points, float) and math.isfinite(points) and 0 <= points <= possible:
        return points, None
    value = f"{points} points" if points is not None else f"a value of type {described.get('kind')}"
    sentence = f"The tests gave {value}; expected a number from 0 to {possible:g}. Your instructor decides."
    return None, ("no credit", sentence)


async def _verify(
    judge: Judge, source: str, possible: float, expected: Expected, seconds: Callable[[], float], score: CellScore
) -> None:
    """Run a cell again with unchanged arguments, if calls changed any that the solution does not change.

    Otherwise a test that computes the expected value from an argument after the call would compare with what the answer
    has made of it.
    """
    unexpected = set() if expected.changes is None else set(score.changes) - set(expected.changes)
    if not unexpected:
        return
    verified, status = await judge.verify(source, seconds(), expected.changes or (), expected.empty_arrays)
    points = credit(verified.credit, possible)[0] if verified.complete and status.kind in ("well", "flood") else 0.0
    if points is None or points < (score.points or 0.0):
        names = [f"argument {index + 1} of {function}" for function, index in sorted(unexpected)[:3]]
        score.points, score.problem = points, ("no credit", _DEPENDS_ON_CHANGES.format(" and ".join(names)))
