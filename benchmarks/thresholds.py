"""Show how the thresholds of trained answers were set: `python -m benchmarks.thresholds [exercise ...]`.

Each such exercise trains its reference, its honest styles and its known wrong versions on 20 seeds, as the judge does.
A row tells on how many seeds an answer is judged as it should be, and what the number behind the threshold was.
It takes some ten to thirty minutes.
"""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise
from rnn_helpers.models import classifiers, forecasters, language_models
from rnn_helpers.observing import observe

SEEDS = 20
NUMBERS = {  # exercise -> the claim with the threshold, and where its number stands in what is seen
    "train_classifier": ("it is right on 80 % of sequences it has not seen", r"on (\d+) %"),
    "train_forecaster": (
        "on later windows it is off by at most 0.9 of what persistence is",
        r"by ([\d.]+), .* ([\d.]+)",
    ),
    "build_language_model": (
        "after four readings it beats a table of pairs on text kept aside",
        r"is ([\d.]+), .* ([\d.]+)",
    ),
}


def rows(exercise: ClaimsExercise) -> list[tuple[str, object, set[str]]]:
    """Return (what it is, the answer, the claims that must fail) for every version of an answer."""
    honest = [("reference", exercise.oracle, set()), *((f"style {i}", s, set()) for i, s in enumerate(exercise.styles))]
    return [*honest, *((mistake.sentence[:60], mistake.solve, set(mistake.fails)) for mistake in exercise.mistakes)]


def told(holds: bool, instead: str) -> str:
    """Stand in for `say`: keep what is seen where a claim holds, too."""
    return f"holds: {instead}" if holds else instead


def trial(exercise: ClaimsExercise, answer: object, args: tuple) -> tuple[set[str], float]:
    """Judge one answer once; return the claims that failed and the number behind the threshold (nan: not reached)."""
    with ExitStack() as stack:
        for module in (classifiers, forecasters, language_models):
            stack.enter_context(patch.object(module, "say", told))
        seen = observe(answer, args, exercise.probe).value  # type: ignore[arg-type]
    claims = [claim for challenge in exercise.challenges for claim in challenge.claims]
    failed = {claim for claim in claims if not re.match("holds: |$", seen.get(claim, "not looked at"))}
    claim, pattern = NUMBERS[exercise.name]
    found = re.search(pattern, seen.get(claim, ""))
    values = [float(value) for value in found.groups()] if found else [float("nan")]
    return failed, values[0] / values[1] if len(values) == 2 else values[0] / 100


def main(names: list[str]) -> None:
    """Print a table for each exercise."""
    for found in exercises().values():
        for exercise in found.values():
            if isinstance(exercise, ClaimsExercise) and exercise.trains and (not names or exercise.name in names):
                print(f"\n{exercise.name}: {NUMBERS[exercise.name][0]}")
                print(f"{'':<62}as it should   lowest  highest")
                for name, answer, expected in rows(exercise):
                    results = [trial(exercise, answer, (seed, *_rest(exercise))) for seed in range(SEEDS)]
                    right = sum(failed == expected for failed, _ in results)
                    numbers = [number for _, number in results if number == number]
                    span = f"{min(numbers):>8.3f} {max(numbers):>8.3f}" if numbers else "   not reached"
                    print(f"{name:<62}{right:>5} of {SEEDS}  {span}", flush=True)


def _rest(exercise: ClaimsExercise) -> tuple:
    """Return the arguments after the seed; they do not depend on the draw."""
    return exercise.draw(np.random.default_rng(0))[1:]


if __name__ == "__main__":
    main(sys.argv[1:])
