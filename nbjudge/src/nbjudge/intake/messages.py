"""What is said about a submission: what was repaired in it, and why it, or a notebook in it, was refused."""

from __future__ import annotations

from dataclasses import dataclass

from nbjudge.text import join_names


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
        return [sentence.replace("{}", join_names(list(names))) for sentence, names in self._names.items()]
