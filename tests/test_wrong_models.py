"""No wrong model earns full marks or is told something untrue; every right one earns full marks.

By day a few models of each exercise are tried, by night all (tiers.py).
"""

from __future__ import annotations

import pytest
from right_models import RIGHT_MODELS
from tiers import NIGHT
from wrong_models import WRONG_MODELS, Wrong

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise
from autograde_tests.grade_answer import SALT, report_on
from rnn_helpers.checks.designed_networks import DESIGNED_NETWORKS

CLAIMS_EXERCISES = {
    name: exercise
    for lesson in exercises().values()
    for name, exercise in lesson.items()
    if isinstance(exercise, ClaimsExercise) and exercise.probe not in DESIGNED_NETWORKS  # see natural_attempts
}
MANY = 20  # wrong models of each exercise, at least
SAMPLED = 4  # models of each exercise by day


def some(models: list) -> list:
    """Return all models by night, and by day a few that are spread over the list."""
    return models if NIGHT else models[:: -(-len(models) // SAMPLED)]


def cases(models: dict[str, list]) -> list:
    return [
        pytest.param(name, model, id=f"{name}: {model.what}", marks=[pytest.mark.slow] if name != "sample" else [])
        for name, found in models.items()
        for model in (found if name == "sample" else some(found))
    ]


@pytest.fixture(autouse=True)
def _same_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SALT, "pepper")


@pytest.mark.parametrize(("name", "model"), cases(WRONG_MODELS))
def test_a_wrong_model_loses_points_and_is_told_nothing_untrue(name: str, model: Wrong) -> None:
    report = report_on(model.answer, name)
    assert report.points < report.possible, report.problems
    assert report.mistake in ("", *model.true), report.problems


@pytest.mark.parametrize(("name", "model"), cases(RIGHT_MODELS))
def test_a_right_model_earns_every_point(name: str, model) -> None:
    report = report_on(model.answer, name)
    assert report.passed, report.problems


def test_each_exercise_has_many_wrong_models_and_some_right_ones() -> None:
    assert set(WRONG_MODELS) == set(RIGHT_MODELS) == set(CLAIMS_EXERCISES)
    assert {name for name, models in WRONG_MODELS.items() if len(models) < MANY} == set()
    assert {name for name, models in RIGHT_MODELS.items() if len(models) < 3} == set()
