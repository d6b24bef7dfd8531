"""Measure the diagnoses: python -m benchmarks.diagnosis [EXERCISE ...].

For each exercise: the hand-written mistakes, the generated ones that can be told apart and how many of these share a
sentence, the size of its fixtures, and how long a check takes of a right answer, of a known mistake and of zeros.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from autograde_tests import exercises
from autograde_tests.exercise import Exercise
from rnn_helpers.checks import fixtures
from rnn_helpers.checks.evaluator import judge

REPEATS = 5
TITLES = ("by hand", "generated", "shared", "kB", "right, ms", "wrong, ms", "zero, ms")
HEADER = f"{'exercise':28}" + "".join(f"{title:>11}" for title in TITLES)


def main(names: list[str]) -> None:
    """Print a line for each exercise with NumPy, or for those named, and the medians."""
    print(HEADER)
    rows = []
    for lesson in exercises().values():
        for exercise in lesson.values():
            if isinstance(exercise, Exercise) and exercise.name in (names or lesson):
                rows.append(measure(exercise))
                print(format_row(exercise.name, rows[-1]))
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(format_row("median", medians))


def measure(exercise: Exercise) -> list[float]:
    """Return the numbers of an exercise, in the order of HEADER."""
    _, data = fixtures.find(exercise.name)
    generated = fixtures.find_generated(exercise.name)
    counts = Counter(version[0] for version in generated.get("versions", []))
    size = len(json.dumps(data)) + len(json.dumps(generated))
    answers = (exercise.oracle, exercise.mistakes[0].solve, lambda *args, **kwargs: 0.0)
    times = [
        milliseconds(lambda answer=answer: judge(answer, fixtures.decode_task(exercise.name, data)))
        for answer in answers
    ]
    return [len(exercise.mistakes), counts.total(), counts.total() - len(counts), size / 1000, *times]


def milliseconds(run: Callable[[], Any]) -> float:
    """Return the median time of a few runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def format_row(name: str, row: list[float]) -> str:
    """Return a line of the table."""
    by_hand, generated, shared, size, *times = row
    return f"{name:28}{by_hand:>11.0f}{generated:>11.0f}{shared:>11.0f}{size:>11.1f}" + "".join(
        f"{ms:>11.1f}" for ms in times
    )


if __name__ == "__main__":
    main(sys.argv[1:])
