"""How a submission of the corpus is written down, and the list of all of them.

In code and paths, @COURSE@ stands for the course's folder and @DROP@ for a folder that everybody may write to, where
an attack leaves what it got hold of. Everything is bounded: an attack that succeeds must cost the machine nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from .course import FULL, POINTS, RIGHT, WRONG

FAMILIES = (
    "testing",
    "liars",
    "proofs",
    "introspection",
    "hooks",
    "metadata",
    "files",
    "gradebook",
    "network",
    "processes",
    "limits",
    "malformed",
    "text",
    "wire",
    "regrade",
    "accidents",
    "ours",
)
ALONE = ("files", "gradebook", "processes", "limits")  # an honest submission comes after every one of these

Answers = dict[str, str]
Edit = Callable[[dict[str, Any]], object]


@dataclass
class Attack:
    """One submission, or two that follow each other.

    answers: what replaces the cells' text; `edit` changes the notebook as JSON; `raw` its bytes
    folder: does more to the submission's folder, given it and the course's
    least, most: points for each test cell; least is what it deserves, and most the undeserved begins beyond
    then: a second submission of the same student, after the first was graded
    course: the module here that makes the course
    """

    name: str
    answers: Answers
    least: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    edit: Edit | None = None
    raw: Callable[[bytes], bytes] | None = None
    folder: Callable[[Path, Path], object] | None = None
    then: Attack | None = None
    course: str = "course"
    family: str = ""


def cheat(name: str, code: str, **more: Any) -> Attack:
    """Return a submission of wrong answers after `code`: it deserves nothing."""
    return Attack(name, WRONG | {"mean": f"{WRONG['mean']}\n{code}"}, **more)


def liar(name: str, value: str, code: str = "", **more: Any) -> Attack:
    """Return a submission in which every answer is `value`, an expression in which `given` holds the arguments."""
    names = ("mean", "normalise", "windows", "largest", "Account")
    lies = "".join(f"\ndef {name}(*given, **named):\n    return {value}\n" for name in names)
    return Attack(name, dict.fromkeys(WRONG, "pass") | {"mean": code + lies}, **more)


def breaks(name: str, code: str, **more: Any) -> Attack:
    """Return a submission of right answers, but that `code` stands before the first, which it may cost."""
    others = {test: points for test, points in POINTS.items() if test != "mean_test"}
    return Attack(name, RIGHT | {"mean": f"{code}\n{RIGHT['mean']}"}, least=others, most=POINTS, **more)


def breaks_when_called(name: str, code: str, **more: Any) -> Attack:
    """Return a submission of right answers, but that the first runs `code` when it is called."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    others = {test: points for test, points in POINTS.items() if test != "mean_test"}
    return Attack(name, RIGHT | {"mean": f"def mean(values):\n{body}"}, least=others, most=others, **more)


def honest(name: str, **answers: Any) -> Attack:
    """Return a submission that deserves full marks; keywords that are no answers are fields of Attack."""
    more = {key: answers.pop(key) for key in list(answers) if key not in RIGHT}
    return Attack(name, RIGHT | answers, least=POINTS, most=POINTS, **more)


def corpus(*families: str) -> list[Attack]:
    """Return the submissions of some families, or of all of them."""
    found = []
    for family in families or FAMILIES:
        attacks = import_module(f".{family}", __package__).ATTACKS
        for attack in attacks:
            attack.family = family
        found += attacks
    names = [(attack.family, attack.name) for attack in found]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return found


__all__ = ["ALONE", "FAMILIES", "FULL", "Attack", "breaks", "breaks_when_called", "cheat", "corpus", "honest", "liar"]
