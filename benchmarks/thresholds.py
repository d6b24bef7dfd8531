"""Show how the thresholds of trained answers were set: `python -m benchmarks.thresholds [exercise ...]`.

Each such exercise trains its reference, its accepted variants and its known mistakes on 20 seeds, as in grading. A row
shows the number of seeds with the expected result (all claims hold, or some fail and the expected finding is returned),
and the range of the number that the threshold limits.
This takes about ten to thirty minutes.
"""

from __future__ import annotations

import math
import re
import sys
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise
from rnn_helpers.checks.execution import execute
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import (
    classifiers,
    early_stopping,
    forecasters,
    inspection,
    language_models,
    recognisers,
    translators,
)

SEEDS = 20
NUMBERS = {  # exercise -> the number behind its threshold, in the text of a claim
    "fit_with_early_stopping": r"validation loss is ([\d.]+); the lowest one, after epoch \d+, is ([\d.]+)",
    "train_forecaster": r"it is off by ([\d.]+), persistence by ([\d.]+)",
    "build_language_model": r"its perplexity is ([\d.]+), that of the table ([\d.]+)",
    "build_recogniser": r"it is wrong in (\d+)% of the frames, the frame-wise network in (\d+)%",
    "build_encoder_decoder": r"unseen sequences it reverses (\d+)%",
}


def rows(exercise: ClaimsExercise) -> list[tuple[str, object, str]]:
    """Return (label, answer, finding that must be returned) for every version of an answer; "" for right ones."""
    honest = [("reference", exercise.oracle, ""), *((f"style {i}", s, "") for i, s in enumerate(exercise.styles))]
    return [*honest, *((mistake.sentence[:60], mistake.solve, mistake.sentence) for mistake in exercise.mistakes)]


def trial(exercise: ClaimsExercise, answer: object, args: tuple, expected: str) -> tuple[bool, float]:
    """Evaluate one answer once; return whether it is as expected, and the number behind the threshold.

    The number is nan where training is not reached.
    """
    texts: list[str] = []

    def record_text(holds: bool, instead: str) -> str:
        texts.append(instead)  # also where the claim holds
        return inspection.failure_text(holds, instead)

    with ExitStack() as stack:
        for module in (classifiers, early_stopping, forecasters, language_models, recognisers, translators):
            stack.enter_context(patch.object(module, "failure_text", record_text))
        observed = execute(answer, args, exercise.probe).value  # type: ignore[arg-type]
    claims = [claim for challenge in exercise.challenges for claim in challenge.claims]
    match = re.search(NUMBERS[exercise.name], "\n".join(texts))
    values = [float(value) for value in match.groups()] if match else [float("nan")]
    number = values[0] / values[1] if len(values) == 2 else values[0] / 100
    holds = not any(observed.get(claim, "not looked at") for claim in claims)
    return holds == (not expected) and observed.get(FINDING, "") == expected, number


def main(names: list[str]) -> None:
    """Print a table for each exercise."""
    for lesson_exercises in exercises().values():
        for exercise in lesson_exercises.values():
            if isinstance(exercise, ClaimsExercise) and exercise.trains and (not names or exercise.name in names):
                print(f"\n{exercise.name}: {exercise.threshold}")
                print(f"{'':<62}as it should   lowest  highest")
                for name, answer, expected in rows(exercise):
                    later = _later_arguments(exercise)
                    results = [trial(exercise, answer, (seed, *later), expected) for seed in range(SEEDS)]
                    as_expected = sum(right for right, _ in results)
                    numbers = [number for _, number in results if not math.isnan(number)]
                    span = f"{min(numbers):>8.3f} {max(numbers):>8.3f}" if numbers else "   not reached"
                    print(f"{name:<62}{as_expected:>5} of {SEEDS}  {span}", flush=True)


def _later_arguments(exercise: ClaimsExercise) -> tuple:
    """Return the arguments after the seed; they do not depend on the draw."""
    return exercise.draw(np.random.default_rng(0))[1:]


if __name__ == "__main__":
    main(sys.argv[1:])
