"""Messages about a submission: repairs, and reasons why it or a notebook in it was refused."""

from __future__ import annotations

from dataclasses import dataclass

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


class Notes:
    """Repairs, one sentence for each kind, however often it occurred."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}  # in order of occurrence, without duplicates

    def add(self, sentence: str, name: str | None = None) -> None:
        """Note a repair.

        sentence: the text for this kind of repair; {} is replaced by the names
        name: the repaired item, if the sentence names it
        """
        names = self._names.setdefault(sentence, {})
        if name is not None:
            names[name] = None

    def sentences(self) -> list[str]:
        """Return the sentences in the order in which each kind of repair first occurred."""
        return [sentence.replace("{}", join_names(list(names))) for sentence, names in self._names.items()]
