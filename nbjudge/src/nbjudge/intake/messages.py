"""What is said about a submission: what was repaired in it, and why it, or a notebook in it, was refused."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

MOST_NAMED = 5  # names in one sentence; the rest is counted
LONGEST_NAME = 60
DIRECTIONS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # they turn text around


@dataclass(frozen=True)
class Refusal:
    """Why something cannot be graded: one sentence that says what to do now, and one with the facts."""

    student: str
    instructor: str


class Refused(Exception):
    """What was being read cannot be graded."""

    def __init__(self, student: str, instructor: str) -> None:
        super().__init__(instructor)
        self.refusal = Refusal(student, instructor)


class Notes:
    """Repairs, one sentence for each kind however often it was made."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}  # in the order in which they came, each once

    def add(self, sentence: str, name: str | None = None) -> None:
        """Note a repair.

        sentence: the same text for the same kind of repair; {} stands where the names go
        name: what was repaired, if the sentence names it
        """
        names = self._names.setdefault(sentence, {})
        if name is not None:
            names[name] = None

    def sentences(self) -> list[str]:
        """Return the sentences in the order in which each kind of repair was first made."""
        return [sentence.replace("{}", listed(list(names))) for sentence, names in self._names.items()]


def is_plain(name: str) -> bool:
    """Return whether a name has no control characters, nothing that turns text around, and can be written as UTF-8."""
    if name.isascii() and name.isprintable():
        return True
    return DIRECTIONS.isdisjoint(name) and not any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name
    )


def shown(name: str) -> str:
    """Return a name that a student chose, short and harmless in a terminal, in Markdown and in HTML."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
    safe = "".join("?" if character in "`<>&" or not is_plain(character) else character for character in cut)
    return f"`{safe}`"


def listed(names: list[str]) -> str:
    """Return names as one piece of a sentence: `a`, `b` and 3 more."""
    pieces = [shown(name) for name in names[:MOST_NAMED]]
    if len(names) > MOST_NAMED:
        pieces.append(f"{len(names) - MOST_NAMED} more")
    return " and ".join([", ".join(pieces[:-1]), pieces[-1]] if len(pieces) > 1 else pieces)
