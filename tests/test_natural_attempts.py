"""Right answers in any honest style pass and earn every point; natural wrong ones fail and do not."""

from __future__ import annotations

import pytest

from tests.natural_attempts import Attempt, all_attempts, check_report, exercise_names, grade_report


def parameters(*, right: bool) -> list:
    attempts = [attempt for attempt in all_attempts() if attempt.right == right]
    return [pytest.param(attempt, id=f"{attempt.exercise}: {attempt.title}") for attempt in attempts]


def test_attempts_are_at_exercises_of_the_course() -> None:
    assert {attempt.exercise for attempt in all_attempts()} <= set(exercise_names())


@pytest.mark.parametrize("attempt", parameters(right=True))
def test_a_right_answer_earns_every_point(attempt: Attempt) -> None:
    seen, graded = check_report(attempt), grade_report(attempt)
    assert seen.passed, seen.problems
    assert graded.points == graded.possible, graded.problems


@pytest.mark.parametrize("attempt", parameters(right=False))
def test_a_wrong_answer_fails_and_loses_points(attempt: Attempt) -> None:
    seen, graded = check_report(attempt), grade_report(attempt)
    assert not seen.passed
    assert graded.points < graded.possible
