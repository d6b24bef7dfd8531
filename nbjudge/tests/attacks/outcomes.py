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
    """What came of some classes: of each attack, and of what the attacks were kept from."""

    outcomes: list[Outcome] = field(default_factory=list)
    harm: list[str] = field(default_factory=list)
    said: str = ""

    def __add__(self, other: Report) -> Report:
        return Report(self.outcomes + other.outcomes, self.harm + other.harm, f"{self.said}\n{other.said}")

    def of(self, family: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.attack.family == family]

    def complaints(self, family: str) -> list[str]:
        return [
            f"{family}, {outcome.attack.name}: {words}" for outcome in self.of(family) for words in outcome.complaints
        ]

    def row(self, family: str) -> str:
        """Return the family's line of the table."""
        outcomes = self.of(family)
        counted = [len(outcomes)] + [
            sum(map(bool, column))
            for column in zip(*[(o.undeserved, o.denied, o.aborted, o.missing, o.leaks) for o in outcomes], strict=True)
        ]
        return f"{family:<14}" + "".join(f"{number:>12}" for number in counted)


HEADER = f"{'family':<14}" + "".join(
    f"{title:>12}" for title in ("number", "undeserved", "denied", "aborted", "lost", "leaks")
)
