"""Nothing that is looked up in the fixture file, or that is the same for all inputs, earns a point."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from lookup_answers import lookup_answers, trivial_answers, visible_task

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise, Exercise
from autograde_tests.grade_answer import DRAWS, SALT, grade
from autograde_tests.registry import AnyExercise
from rnn_helpers.checks.comparison import same_output
from rnn_helpers.checks.evaluator import judge
from rnn_helpers.checks.keras_probes import MODEL_PROBES
from rnn_helpers.checks.properties import PROPERTIES

ALL = [
    pytest.param(exercise, id=exercise.name, marks=[pytest.mark.slow] if exercise.name == "diagnose" else [])
    for found in exercises().values()
    for exercise in found.values()
]
COMPARED = [p for p in ALL if isinstance(p.values[0], Exercise) and p.values[0].probe not in PROPERTIES]
FUNCTIONS = [p for p in ALL if p.values[0].probe in ("call", "part")]
FEW_WORDS = ["diagnose"]  # ten names in all: hidden patients are new, their diagnoses cannot be
SEEDS = 3


def hidden_tasks(exercise: AnyExercise):
    seeds = 1 if exercise.probe in MODEL_PROBES else SEEDS
    return [hidden_task(exercise, seed) for seed in range(seeds)]


def hidden_task(exercise: AnyExercise, seed: int = 0):
    return exercise.task(np.random.default_rng(seed), hidden=True, draws=DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", ALL)
def test_an_answer_that_looks_its_inputs_up_earns_nothing(exercise: AnyExercise) -> None:
    for task in hidden_tasks(exercise):
        for what, answer in lookup_answers(visible_task(exercise.name)):
            report = judge(answer, task)
            assert report.points == 0, (what, report.results)


@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_constant_and_an_argument_as_it_came_earn_nothing(exercise: AnyExercise) -> None:
    task = hidden_task(exercise)
    for what, answer in trivial_answers(task):
        answer.__signature__ = inspect.Signature([inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)])
        report = judge(answer, task)
        assert report.points == 0, (what, report.results)


@pytest.mark.parametrize("exercise", COMPARED)
def test_no_hidden_output_stands_in_the_fixture_file(exercise: Exercise) -> None:
    """But for edges: outputs that can be guessed, which earn nothing by themselves."""
    visible = visible_task(exercise.name).cases
    for task in hidden_tasks(exercise):
        for case in task.cases:
            if case.title not in task.edges and exercise.name not in FEW_WORDS:
                assert not [one.title for one in visible if same_output(one.expected, case.expected, 1e-6)]
            assert exercise.name not in FEW_WORDS or not [o for o in visible if same_output(o.args, case.args, 1e-6)]


@pytest.mark.parametrize("exercise", COMPARED)
def test_the_draws_of_a_check_do_not_all_have_one_output(exercise: Exercise) -> None:
    if exercise.probe in MODEL_PROBES or exercise.name in FEW_WORDS:
        pytest.skip("one draw a check, since a layer is built for each; or outputs of a few words")
    for task in hidden_tasks(exercise):
        for title in set(task.points).difference(task.edges, ["its inputs stay as they were"]):
            first, *others = [case.expected for case in task.cases if case.title == title]
            assert not all(same_output(first, other, 1e-6) for other in others), (title, first)


@pytest.mark.parametrize("exercise", [p for p in ALL if not isinstance(p.values[0], ClaimsExercise)])
def test_edges_are_not_the_larger_part_of_an_exercise(exercise: Exercise) -> None:
    own = sum(challenge.points for challenge in exercise.challenges if not challenge.edge)
    assert own >= exercise.points / 2, (own, exercise.points)


def test_a_check_that_can_be_guessed_counts_where_another_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def binary_cross_entropy(logits, targets):
        """Return what is right for logits of zero only."""
        return np.log(2)

    def also_right_for_vectors(logits, targets):
        if logits.ndim > 1:
            return binary_cross_entropy(logits, targets)
        return np.mean(np.logaddexp(0, logits) - targets * logits)

    monkeypatch.setenv(SALT, "pepper")
    assert grade(binary_cross_entropy) == 0
    assert grade(also_right_for_vectors, "binary_cross_entropy") == 2.0  # all but the matrices and other shapes


def test_one_word_for_all_patients_is_no_diagnosis_and_three_that_are_right_are(monkeypatch, capsys) -> None:
    def diagnose(symptoms):
        """Ask the first three questions only."""
        first = symptoms["by_lag"][0]
        if np.max(symptoms["norms"]) == 0:
            return "dead units"
        if first[-1] > 30 * first[0]:
            return "exploding gradient"
        return "vanishing gradient" if first[-1] < 1e-4 * first[0] else "healthy"

    monkeypatch.setenv(SALT, "pepper")
    assert grade(lambda symptoms: "healthy", "diagnose") == 0
    assert grade(diagnose) == 1.5  # three that are right, and healthy, which it says of others as well
