"""Idioms of test cells as instructors write them, each with a right and a wrong answer.

Each file of idiom_cells/ is one notebook of a generated course, which stock nbgrader and nbjudge grade; see
test_compatibility.py. In it, an idiom is a heading and its cells:

    # %% NAME | inside | earns 0.5 | stock gives 2: REASON
    # %% given            a locked cell before the others, if there is one
    # %% answer
    # %% test             worth 2 points
    # %% wrong            another answer

inside: its test shares more than data with the answer, and is judged inside the submission's process
earns: the points of the wrong answer, if not 0; stock gives: those in stock nbgrader, if they differ
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

OUTSIDE, INSIDE = "outside", "inside"
CELLS = ("given", "answer", "test", "wrong")


@dataclass(frozen=True)
class Idiom:
    """One exercise, as described above."""

    name: str
    answer: str
    test: str
    wrong: str
    given: str = ""
    judging: str = OUTSIDE
    earned: float = 0.0
    stock: float | None = None
    reason: str = ""


def read_idioms(text: str) -> list[Idiom]:
    """Return the idioms of a file."""
    idioms: list[dict[str, str]] = []
    for part in re.split(r"^# %% ", text, flags=re.MULTILINE)[1:]:
        heading, _, cell = part.partition("\n")
        if heading in CELLS:
            idioms[-1][heading] = cell.strip("\n")
        else:
            idioms.append({"heading": heading})
    return [_idiom(**idiom) for idiom in idioms]


def _idiom(heading: str, **cells: str) -> Idiom:
    name, *remarks = heading.split(" | ")
    judging, earned, stock, reason = OUTSIDE, 0.0, None, ""
    for remark in remarks:
        if remark == INSIDE:
            judging = INSIDE
        elif remark.startswith("earns "):
            earned = float(remark.removeprefix("earns "))
        else:
            points, _, reason = remark.removeprefix("stock gives ").partition(": ")
            stock = float(points)
    return Idiom(name, **cells, judging=judging, earned=earned, stock=stock, reason=reason)


_FILES = sorted((Path(__file__).parent / "idiom_cells").iterdir())
GROUPS = {file.stem: read_idioms(file.read_text()) for file in _FILES}
