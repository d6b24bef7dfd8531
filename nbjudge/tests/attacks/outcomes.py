"""What came of a class of attacks, attack by attack, and the table of all families."""

from __future__ import annotations

from dataclasses import dataclass, field

from .corpus import Attack


@dataclass
class Outcome:
    """What came of one attack. Empty fields are good."""

    attack: Attack
    scores: dict[str, float] = field(default_factory=dict)
    undeserved: float = 0.0
    denied: float = 0.0
    aborted: bool = False
    missing: bool = False
    leaks: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        return [
            *([f"{self.undeserved:g} undeserved points {self.scores}"] if self.undeserved else []),
            *([f"{self.denied:g} points denied {self.scores}"] if self.denied and not self.missing else []),
            *(["stopped the class"] if self.aborted else []),
            *(["is not in the gradebook"] if self.missing else []),
            *(f"got at the {leak}" for leak in self.leaks),
        ]


@dataclass
class Report:
    """What came of a class: of each attack, and of what the attacks were kept from."""

    family: str
    outcomes: list[Outcome]
    harm: list[str]
    said: str = ""

    @property
    def complaints(self) -> list[str]:
        return [f"{self.family}: {harm}" for harm in self.harm] + [
            f"{self.family}, {outcome.attack.name}: {words}"
            for outcome in self.outcomes
            for words in outcome.complaints
        ]

    def row(self) -> str:
        """Return the family's line of the table."""
        counted = [len(self.outcomes)] + [
            sum(map(bool, column))
            for column in zip(
                *[(o.undeserved, o.denied, o.aborted, o.missing, o.leaks) for o in self.outcomes], strict=True
            )
        ]
        return f"{self.family:<14}" + "".join(f"{number:>12}" for number in [*counted, len(self.harm)])


HEADER = f"{'family':<14}" + "".join(
    f"{title:>12}" for title in ("number", "undeserved", "denied", "aborted", "lost", "leaks", "harm")
)
