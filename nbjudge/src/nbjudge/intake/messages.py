"""Messages about a submission: repairs, and reasons why it or a notebook in it was refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from nbjudge.text import join_names


@dataclass(frozen=True)
class Refusal:
    """Why something cannot be graded: a sentence for the student with advice, and one for the instructor with facts."""

    student: str
    instructor: str


class RefusedError(Exception):
    """Raised when a notebook cannot be graded."""

    def __init__(self, student: str, instructor: str) -> None:
        super().__init__(instructor)
        self.refusal = Refusal(student, instructor)


class Note(NamedTuple):
    """A repair: the sentence for its kind, in which {} stands for the repaired items, and this item's name, if any."""

    sentence: str
    name: str | None = None


def sentences(notes: Iterable[Note]) -> list[str]:
    """Return one sentence for each kind of repair, however often it occurred, in order of first occurrence."""
    names: dict[str, dict[str, None]] = {}  # in order of occurrence, without duplicates
    for note in notes:
        names.setdefault(note.sentence, {}).update({} if note.name is None else {note.name: None})
    return [sentence.replace("{}", join_names(list(items))) for sentence, items in names.items()]
