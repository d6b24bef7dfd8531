"""The outcome of each submission of a run, and the table printed at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from nbjudge.text import is_plain, terminal_safe, terminal_safe_lines

How = Literal["graded", "refused", "skipped", "error", "not recorded"]

ORDER: dict[How, str] = {
    "graded": "graded",
    "refused": "refused",
    "skipped": "graded before",
    "error": "failed",
    "not recorded": "not recorded",
}


@dataclass
class Outcome:
    """The outcome of one submission.

    how: "refused" when some notebook was; "error" when grading failed and 0 is recorded; "not recorded" when the
        gradebook is unchanged
    sentences: reasons, for the instructor
    events: incidents while it ran, as in the notebook's metadata
    seconds: run time; isolation: the sandbox layers in force
    """

    assignment: str
    student: str
    how: How = "graded"
    sentences: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    isolation: str = ""

    def add_record(self, record: dict[str, Any]) -> None:
        """Add the record of grading from a notebook's metadata."""
        self.events += record.get("events", [])
        self.seconds += record.get("seconds", 0.0)
        self.isolation = record.get("isolation", "") or self.isolation

    @property
    def is_plain(self) -> bool:
        return self.how in ("graded", "skipped") and not self.repairs and not self.events

    def line(self) -> str:
        """Return the submission's line of the table."""
        notes = list(self.sentences)
        if self.repairs:
            notes.append("repaired: " + " ".join(self.repairs))
        notes += [
            f"{event.get('cell', '')} {event.get('what', '')}: {event.get('sentence', '')}" for event in self.events
        ]
        return f"{terminal_safe(self.student)}  {ORDER[self.how]}  {terminal_safe('; '.join(notes))}"


def table(outcomes: list[Outcome], submissions: int) -> list[str]:
    """Return the lines of the table: outcomes that need attention, then the totals for all submissions."""
    common = _common_repairs(outcomes)
    individual = [
        replace(outcome, repairs=[repair for repair in outcome.repairs if repair not in common]) for outcome in outcomes
    ]
    lines = [outcome.line() for outcome in individual if not outcome.is_plain]
    if common:
        words = terminal_safe(" ".join(common))
        lines.append(f"all submissions  repaired: {words} Was the assignment changed after its release?")
    counts = Counter(outcome.how for outcome in outcomes)
    totals = [f"{label} {counts[how]}" for how, label in ORDER.items() if counts[how] or how == "graded"]
    repaired = sum(bool(outcome.repairs) for outcome in individual)
    limits = Counter(what for outcome in outcomes for what in {event.get("what", "") for event in outcome.events})
    totals += [f"repaired {repaired}"] if repaired else []
    totals += [f"{what} {number}" for what, number in sorted(limits.items()) if what]
    if counts["skipped"] and counts["skipped"] == submissions:
        totals.append("nothing new to grade (use --force to regrade)")
    if len(outcomes) < submissions:
        totals.append(f"still to do {submissions - len(outcomes)}")
    return [*lines, ", ".join(totals)]


def _common_repairs(outcomes: list[Outcome]) -> list[str]:
    """Return the repairs of all submissions, if they are several: what all students did, they did not do."""
    inspected = [outcome for outcome in outcomes if outcome.how == "graded"]
    if len(inspected) < 3:
        return []
    return [repair for repair in inspected[0].repairs if all(repair in outcome.repairs for outcome in inspected)]


class _PlainRecords(logging.Filter):
    """Makes log records safe for a terminal: names of students and files may contain control characters."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if not is_plain(message):
            record.msg, record.args = terminal_safe_lines(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = terminal_safe_lines(logging.Formatter().formatException(record.exc_info))
        return True


@contextmanager
def plain_log(log: Any) -> Iterator[None]:
    """Remove control characters from a log's records while the context is active."""
    logger: Any = getattr(log, "logger", log)  # an adapter has no filters of its own
    record_filter = _PlainRecords()
    logger.addFilter(record_filter)
    try:
        yield
    finally:
        logger.removeFilter(record_filter)
