"""What an instructor decides about the canaries, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbjudge.execution.name_analysis import BY_HAND, INSIDE
from nbjudge.text import join_names


@dataclass(frozen=True)
class CanaryPolicy:
    """What to do about canaries with unexpected scores.

    strict: whether a test that gives points to a cheat is an error instead of a warning
    accepted: {"assignment/cell": the reason why its score is meant}
    """

    strict: bool = False
    accepted: Mapping[str, str] = field(default_factory=dict)

    def remarks(self, assignment: str) -> list[str]:
        """Return a sentence about each test of an assignment whose score is meant."""
        start = f"{assignment}/"
        return [
            f"{name.removeprefix(start)} may give points to a blank answer: {reason}."
            for name, reason in self.accepted.items()
            if name.startswith(start)
        ]


DEFAULT = CanaryPolicy()


def judging_remarks(judging: Mapping[str, str]) -> list[str]:
    """Return sentences about the tests that are not judged outside.

    judging: {test cell: how it is judged}
    """
    sentences = []
    if inside := sorted(cell for cell, how in judging.items() if how == INSIDE):
        sentences.append(
            f"Judged inside the sandbox, beside the answer, whose code could find the tests and forge a pass: "
            f"{join_names(inside)}."
        )
    if by_hand := sorted(cell for cell, how in judging.items() if how == BY_HAND):
        sentences.append(f"Left to a person: {join_names(by_hand)}.")
    return sentences
