"""What became of each submission of a run, in one table at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from nbjudge.text import is_plain, terminal_safe, terminal_safe_lines

How = Literal["graded", "refused", "skipped", "error", "not recorded"]

ORDER: dict[How, str] = {
    "graded": "graded",
    "refused": "refused",
    "skipped": "graded before",
    "error": "not graded for an error",
    "not recorded": "not recorded",
}


@dataclass
class Outcome:
    """What became of one submission.

    how: "refused" when some notebook was; "error" when grading failed, and 0 is recorded; "not recorded" when the
        gradebook has what it had before
    sentences: for the instructor, why
    events: what happened while it ran, as in the notebook's metadata
    seconds: how long it ran; isolation: what held it back
    """

    assignment: str
    student: str
    how: How = "graded"
    sentences: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    isolation: str = ""

    def take_over(self, about: dict[str, Any]) -> None:
        """Add what a notebook's metadata say about its grading."""
        self.events += about.get("events", [])
        self.seconds += about.get("seconds", 0.0)
        self.isolation = about.get("isolation", "") or self.isolation

    @property
    def is_plain(self) -> bool:
        return self.how in ("graded", "skipped") and not self.repairs and not self.events

    def line(self) -> str:
        """Return the submission's line of the table."""
        told = list(self.sentences)
        if self.repairs:
            told.append("repaired: " + " ".join(self.repairs))
        told += [
            f"{event.get('cell', '')} {event.get('what', '')}: {event.get('sentence', '')}" for event in self.events
        ]
        return f"{terminal_safe(self.student)}  {ORDER[self.how]}  {terminal_safe('; '.join(told))}"


def table(outcomes: list[Outcome], submissions: int) -> list[str]:
    """Return the lines of the table: who is not plain, then the totals, of so many submissions."""
    lines = [outcome.line() for outcome in outcomes if not outcome.is_plain]
    counted = Counter(outcome.how for outcome in outcomes)
    totals = [f"{words} {counted[how]}" for how, words in ORDER.items() if counted[how] or how == "graded"]
    repaired = sum(bool(outcome.repairs) for outcome in outcomes)
    limits = Counter(what for outcome in outcomes for what in {event.get("what", "") for event in outcome.events})
    totals += [f"repaired {repaired}"] if repaired else []
    totals += [f"{what} {number}" for what, number in sorted(limits.items()) if what]
    if counted["skipped"] and counted["skipped"] == submissions:
        totals.append("nothing was new (--force grades again)")
    if len(outcomes) < submissions:
        totals.append(f"still to do {submissions - len(outcomes)}")
    return [*lines, ", ".join(totals)]


class PlainRecords(logging.Filter):
    """Takes out of a log's records what moves a terminal's cursor: names of students and files may hold it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if not is_plain(message):
            record.msg, record.args = terminal_safe_lines(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = terminal_safe_lines(logging.Formatter().formatException(record.exc_info))
        return True


@contextmanager
def plain_log(log: Any) -> Iterator[None]:
    """Let no name of a student or a file reach the terminal with more than letters."""
    logger: Any = getattr(log, "logger", log)  # an adapter has no filters of its own
    plain = PlainRecords()
    logger.addFilter(plain)
    try:
        yield
    finally:
        logger.removeFilter(plain)
