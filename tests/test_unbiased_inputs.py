"""Inputs have no structure that the task does not promise, so that an answer that relies on one cannot earn full marks.

A ClaimsExercise is left out: it judges a model on data that its probe makes up.
"""

from __future__ import annotations

import pytest
from input_structure import common_structure, independent_sizes

from autograde_tests import exercises
from autograde_tests.exercise import Exercise

EXERCISES = [
    pytest.param(exercise, id=name)
    for found in exercises().values()
    for name, exercise in found.items()
    if isinstance(exercise, Exercise)
]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_what_all_inputs_have_in_common_is_promised(exercise: Exercise) -> None:
    assert sorted(common_structure(exercise)) == sorted(finding for finding, _ in exercise.promised)
