"""Print, for each exercise, how many of the wrong attempts a card names, and list the others."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from tests.natural_attempts import NAMED, NOTHING, OTHER, Attempt, all_attempts, check_report, diagnosis, row, verdict


def main(wanted: list[str]) -> None:
    """Print the table for the lessons or exercises in `wanted`, or for all."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    remarks = []
    for attempt in all_attempts():
        if attempt.right or not _is_wanted(attempt, wanted):
            continue
        report = check_report(attempt)
        outcome = verdict(attempt, report)
        counts[attempt.exercise][outcome] += 1
        if outcome != NAMED:
            remarks.append(
                f"{outcome:16} {attempt.exercise}: {attempt.title}\n{'':18}{diagnosis(report) or row(report)}"
            )
    _print_table(counts)
    print("\n" + "\n".join(remarks))


def _is_wanted(attempt: Attempt, wanted: list[str]) -> bool:
    return not wanted or attempt.exercise in wanted or any(attempt.lesson.startswith(name) for name in wanted)


def _print_table(counts: dict[str, Counter[str]]) -> None:
    columns = (NAMED, OTHER, NOTHING)
    print(f"{'exercise':30}" + "".join(f"{column:>18}" for column in columns))
    for name, count in counts.items():
        print(f"{name:30}" + "".join(f"{count[column]:18}" for column in columns))
    total = sum(counts.values(), Counter[str]())
    print(f"{'all':30}" + "".join(f"{total[column]:18}" for column in columns))


main(sys.argv[1:])
