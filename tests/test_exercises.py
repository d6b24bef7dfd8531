"""What every exercise promises: the reference is full, the stub is zero, each mistake is told by its own sentence.

Each promise is a test of its own on a few seeds. One slow test an exercise tries the first three promises on more
seeds, by night (tiers.py) on many more, and all tests of an exercise that trains models are slow.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from lesson_code import definitions, notebook
from tiers import NIGHT

from autograde_tests import exercises, find, grade
from autograde_tests.exercise import LEAST_TOLERANCE, ClaimsExercise, Mistake, Tolerance, format_parameter
from autograde_tests.grade_answer import SALT, report_on
from autograde_tests.registry import AnyExercise
from rnn_helpers.checks.comparison import find_problem, same_output
from rnn_helpers.checks.designed_networks import DESIGNED_NETWORKS
from rnn_helpers.checks.evaluator import Report, Task, judge
from rnn_helpers.checks.fixtures import decode_task
from rnn_helpers.checks.fixtures import find as find_fixture
from rnn_helpers.checks.keras_probes import MODEL_PROBES

SEEDS = 50 if NIGHT else 5
SEEDS_OF_KERAS = 2 if NIGHT else 1  # building a layer or a model takes a hundred times as long as a NumPy step
TRAINED = "seed 0, hidden"  # the one draw on which models are trained by day; benchmarks/thresholds.py trains on 20
CONSTANTS = (None, "text", [1, "a"], 1j, np.nan, np.array([None]), 0.123)
# Each check of these runs networks: training runs, seven backward passes, a decoder for each symbol, a Keras model.
LONG = ("diagnose", "find_broken", "greedy_decode", "RecurrentNetwork", "build_binary_classifier")
# The student builds one object that has the property or has it not: no rubric.
BUILT = ("vanishing", "growing", "orthogonal", *DESIGNED_NETWORKS)


def trains(exercise: AnyExercise) -> bool:
    return isinstance(exercise, ClaimsExercise) and exercise.trains


def builds_keras(exercise: AnyExercise) -> bool:
    return isinstance(exercise, ClaimsExercise) or exercise.probe in MODEL_PROBES


def takes_long(exercise: AnyExercise) -> bool:
    return trains(exercise) or exercise.name in LONG


def parameters(exercise: AnyExercise, *values: object, name: str = "", slow: bool = False) -> Any:
    """Return the parameters of a test of this exercise, which is slow also when the exercise trains models."""
    marks = [pytest.mark.slow] if slow or takes_long(exercise) else []
    return pytest.param(*values, id=name or exercise.name, marks=marks)


ALL = [(lesson, exercise) for lesson, found in exercises().items() for exercise in found.values()]
EXERCISES = [parameters(exercise, exercise) for _, exercise in ALL]
WITH_LESSON = [parameters(exercise, lesson, exercise) for lesson, exercise in ALL]
MISTAKES = [parameters(e, e, m, name=f"{e.name}: {m.sentence}") for _, e in ALL for m in e.mistakes]
SLOW_WITH_KERAS = [parameters(exercise, exercise, slow=builds_keras(exercise)) for _, exercise in ALL]
WITH_MORE_SEEDS = [parameters(exercise, lesson, exercise) for lesson, exercise in ALL if not trains(exercise)]


def few_seeds(exercise: AnyExercise) -> range:
    """Return the seeds with which each promise is a test of its own: none for Keras, where the fixture file must do."""
    return range(0 if builds_keras(exercise) else 3)


def more_seeds(exercise: AnyExercise) -> range:
    return range(len(few_seeds(exercise)), SEEDS_OF_KERAS if builds_keras(exercise) else SEEDS)


@cache
def tasks(exercise: AnyExercise) -> dict[str, Task]:
    """Return {origin: task}: the fixture file's, and what students see and the hidden tests use on a few seeds."""
    fixture = {"fixture file": decode_task(exercise.name, find_fixture(exercise.name)[1])}
    if not trains(exercise):
        return fixture | draw_tasks(exercise, few_seeds(exercise))
    # The hidden challenges hold the visible ones; on the fixture file test_lessons.py trains the solution.
    return (fixture if NIGHT else {}) | {TRAINED: draw(exercise, 0, hidden=True)}


def draw_tasks(exercise: AnyExercise, seeds: range) -> dict[str, Task]:
    visible = {f"seed {seed}": draw(exercise, seed) for seed in seeds}
    return visible | {f"seed {seed}, hidden": draw(exercise, seed, hidden=True, draws=2) for seed in seeds}


def draw(exercise: AnyExercise, seed: int, *, hidden: bool = False, draws: int = 1) -> Task:
    return exercise.task(np.random.default_rng(seed), hidden=hidden, draws=draws)


def assert_full_marks(answer: Callable, task: Task, origin: str) -> None:
    report = judge(answer, task)
    assert report.passed, (origin, answer, report.problems)
    assert report.points == report.possible, origin


def assert_recognised(report: Report, mistake: Mistake, origin: str) -> None:
    assert report.mistake == mistake.sentence, f"{origin}: {report.mistake!r} instead of {mistake.sentence!r}"
    assert report.points < report.possible, f"{origin}: {report.points} of {report.possible} for {mistake.sentence!r}"


@cache
def report_of(mistake: Mistake, exercise: AnyExercise, origin: str) -> Report:
    """Return the report on a mistake; two tests read it, and training takes seconds."""
    return judge(mistake.solve, tasks(exercise)[origin])


def known_by_errors(task: Task) -> list[str]:
    """Return the mistakes that end in an error in some cases, and have no wrong result in the others.

    An error says little about its cause, so a mistake is recognised by a wrong result, whatever else fails.
    """
    return [sentence for number, sentence in enumerate(task.sentences) if is_known_by_errors(task, number)]


def is_known_by_errors(task: Task, number: int) -> bool:
    outcomes = [(case.expected, case.mistakes[number]) for case in task.cases]
    wrong = [o for want, o in outcomes if not o.error and not same_output(o.value, want, task.tolerance)]
    return any(outcome.error for _, outcome in outcomes) and not wrong


@pytest.mark.parametrize(("lesson", "exercise"), WITH_LESSON)
def test_the_solution_earns_every_point(lesson: str, exercise: AnyExercise) -> None:
    for origin, task in tasks(exercise).items():
        assert_full_marks(definitions("solutions", lesson)[exercise.name], task, origin)


@pytest.mark.parametrize(("lesson", "exercise"), WITH_LESSON)
def test_the_blank_stub_earns_nothing_and_is_not_scolded(lesson: str, exercise: AnyExercise) -> None:
    report = report_on(definitions("lessons", lesson)[exercise.name], exercise.name)
    assert report.unsolved
    assert report.points == 0


@pytest.mark.parametrize(("lesson", "exercise"), WITH_LESSON)
def test_the_stub_takes_what_the_exercise_says(lesson: str, exercise: AnyExercise) -> None:
    signature = inspect.signature(definitions("lessons", lesson)[exercise.name])
    own = [
        format_parameter(parameter)
        for parameter in signature.parameters.values()
        if parameter.kind != parameter.VAR_KEYWORD
    ]
    assert exercise.task(np.random.default_rng(0), hidden=False).parameters == own


@pytest.mark.parametrize("exercise", EXERCISES)
def test_honest_styles_earn_every_point(exercise: AnyExercise) -> None:
    assert len(exercise.styles) >= 3
    styles = exercise.styles if NIGHT or not trains(exercise) else exercise.styles[:1]
    for origin, task in tasks(exercise).items():
        for style in styles:
            assert_full_marks(style, task, origin)


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_a_mistake_is_told_by_its_own_sentence(exercise: AnyExercise, mistake: Mistake) -> None:
    for origin in tasks(exercise):
        assert_recognised(report_of(mistake, exercise, origin), mistake, origin)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_no_mistake_is_known_by_an_error_alone(exercise: AnyExercise) -> None:
    for origin, task in tasks(exercise).items():
        assert known_by_errors(task) == [], origin


@pytest.mark.slow
@pytest.mark.parametrize(("lesson", "exercise"), WITH_MORE_SEEDS)
def test_all_this_holds_on_more_seeds(lesson: str, exercise: AnyExercise) -> None:
    solution = definitions("solutions", lesson)[exercise.name]
    for origin, task in draw_tasks(exercise, more_seeds(exercise)).items():
        for answer in (solution, *exercise.styles):
            assert_full_marks(answer, task, origin)
        for mistake in exercise.mistakes:
            assert_recognised(judge(mistake.solve, task), mistake, origin)
        assert known_by_errors(task) == [], origin


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_definition_is_complete(exercise: AnyExercise) -> None:
    assert len(exercise.mistakes) >= 5
    assert len({mistake.sentence for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert len(exercise.hints) == 3
    assert 2 <= exercise.points <= 5
    assert exercise.threshold if isinstance(exercise, ClaimsExercise) else exercise.tolerance.reason
    assert len(exercise.challenges) >= 3 or exercise.probe in BUILT


@pytest.mark.parametrize("exercise", EXERCISES)
def test_check_and_grade_compare_with_one_tolerance(exercise: AnyExercise) -> None:
    visible = decode_task(exercise.name, find_fixture(exercise.name)[1])
    assert visible.tolerance == draw(exercise, 0, hidden=True).tolerance
    assert isinstance(exercise, ClaimsExercise) or visible.tolerance >= LEAST_TOLERANCE


def test_a_tolerance_that_check_could_not_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1e-08"):
        Tolerance(1e-10, "as exact as float64")


@pytest.mark.parametrize("exercise", [case for case in SLOW_WITH_KERAS if case.values[0].probe not in BUILT])
def test_points_are_a_rubric(exercise: AnyExercise) -> None:
    """At least one known mistake leaves some points and takes some."""
    if trains(exercise):
        scores = {report_of(mistake, exercise, TRAINED).points for mistake in exercise.mistakes}
    else:
        scores = {report_on(mistake.solve, exercise.name).points for mistake in exercise.mistakes}
    assert any(0 < score < exercise.points for score in scores), scores


@pytest.mark.parametrize("exercise", SLOW_WITH_KERAS)
def test_an_answer_that_returns_the_same_thing_always_earns_nothing(exercise: AnyExercise) -> None:
    points = {repr(value): report_on(always(value, exercise), exercise.name).points for value in CONSTANTS}
    assert points == {repr(value): 0 for value in CONSTANTS}


def always(value: object, exercise: AnyExercise) -> Callable:
    """Return an answer to the exercise that returns the same value whatever it is given."""

    def constant(*args, **kwargs):
        return value

    class Constant:
        def __init__(self, *args, **kwargs):
            self.step = self.forward = constant

    return Constant if exercise.probe == "use_network" else constant


@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_up_to_nan_is_wrong(exercise: AnyExercise) -> None:
    for case in exercise.task(np.random.default_rng(0), hidden=True).cases:
        spoilt = _spoil(case.expected)
        assert find_problem(case.expected, case.expected, 1e-10) is None
        assert find_problem(case.expected, spoilt, np.inf) is not None


def _spoil(value):
    if isinstance(value, tuple):
        return (_spoil(value[0]), *value[1:])
    if isinstance(value, dict):
        return {key: _spoil(item) for key, item in value.items()}
    if isinstance(value, str):
        return value[:-1]
    if isinstance(value, list) and not value:
        return [np.nan]
    spoilt = np.array(value, dtype=float)
    spoilt.flat[-1] = np.nan
    return spoilt


def test_oracles_stand_apart_from_the_code_they_judge() -> None:
    for _, exercise in ALL:
        source = inspect.getsource(inspect.getmodule(exercise.oracle))
        assert not re.search(r"import .*\bcells\b|rnn_helpers\.cells import", source)


def test_from_scratch_means_no_library_cell() -> None:
    from rnn_helpers import cells

    def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
        return cells.forward(xs, h_0, W_xh, W_hh, b_h)[0]

    report = report_on(rnn_forward, "rnn_forward")
    assert report.points == 0
    assert "rnn_helpers.cells" in report.problems[report.first_wrong].sentence


def written_points(lesson: str) -> float:
    """Return the points that a human gives in a lesson."""
    cells = [cell.metadata.get("nbgrader", {}) for cell in notebook("solutions", lesson).cells]
    return sum(cell["points"] for cell in cells if cell.get("grade") and cell.get("solution"))


def test_a_lesson_adds_up_to_its_points() -> None:
    totals = {
        lesson: sum(exercise.points for exercise in found.values()) + written_points(lesson)
        for lesson, found in exercises().items()
    }
    assert totals == {lesson: 2 if lesson.startswith("00") else 20 for lesson in totals}


def test_the_salt_decides_the_hidden_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_input(salt: str) -> np.ndarray:
        from autograde_tests.grade_answer import generator

        monkeypatch.setenv(SALT, salt)
        return find("rnn_step").task(generator("rnn_step"), hidden=True).cases[0].args[0]

    assert np.array_equal(first_input("one"), first_input("one"))
    assert not np.array_equal(first_input("one"), first_input("two"))


def test_grade_gives_the_points_that_a_mistake_leaves(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv(SALT, "pepper")

    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        return activation(x_t @ W_xh + h_prev @ W_hh)

    points = grade(rnn_step)
    assert type(points) is float  # nbgrader reads the printed number: np.float64(1.25) would not be one
    assert points == 1.25  # the input alone, the previous state alone, inputs unchanged
    assert "You leave out the bias b_h." in " ".join(capsys.readouterr().out.split())
