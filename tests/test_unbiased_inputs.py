"""Inputs have no structure that the task does not promise, so that an answer that relies on one cannot earn full marks.

A ClaimsExercise is left out: it judges a model on data that its probe makes up.
"""

from __future__ import annotations

import pytest
from input_structure import common_structure, independent_sizes

from autograde_tests import exercises, find
from autograde_tests.exercise import Exercise

EXERCISES = [
    pytest.param(exercise, id=name)
    for found in exercises().values()
    for name, exercise in found.items()
    if isinstance(exercise, Exercise)
]

# The sizes that a task tells apart: if two of them were equal in all draws, nobody could see which one an answer means.
SIZES = {
    "rnn_step": "batch features units",
    "rnn_forward": "batch steps features units",
    "count_parameters": "features units classes",
    "shared_slope": "i j batch steps features units",
    "rnn_forward_masked": "batch steps features units",
    "last_state": "batch steps units",
    "log_softmax": "four axes of logits",
    "sequence_cross_entropy": "batch steps classes",
    "cross_entropy_gradient": "batch steps classes",
    "step_backward": "batch features units",
    "rnn_backward": "batch steps features units",
    "gradient_by_lag": "batch steps features units",
    "jacobian_product": "k t steps units",
    "lyapunov_exponent": "steps units",
}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_what_all_inputs_have_in_common_is_promised(exercise: Exercise) -> None:
    assert sorted(common_structure(exercise)) == sorted(finding for finding, _ in exercise.promised)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_a_task_tells_apart_differ(name: str) -> None:
    assert len(independent_sizes(find(name))) == len(SIZES[name].split())
