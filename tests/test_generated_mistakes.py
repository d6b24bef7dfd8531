"""Generated mistakes: operators do what they say, bad versions are skipped, right answers are never named."""

from __future__ import annotations

import ast
import json
import os

import numpy as np
import pytest
from lesson_code import definitions

from autograde_tests import exercises, find
from autograde_tests.exercise import VISIBLE_SEED, Exercise
from autograde_tests.generated_mistakes import arguments, edits, runner, versions
from autograde_tests.generated_mistakes.wording import Wording
from autograde_tests.grade_answer import report_on
from rnn_helpers.checks import diagnosis, fixtures
from rnn_helpers.checks.evaluator import Case, Task, judge
from rnn_helpers.checks.execution import execute
from rnn_helpers.checks.fingerprints import fingerprint, same_fingerprint

NUMPY = [
    pytest.param(lesson, exercise, id=exercise.name)
    for lesson, found in exercises().items()
    for exercise in found.values()
    if versions._can_be_varied(exercise)
]
STEP = """
def step(x_t, h_prev, W, b):
    a = x_t + h_prev @ W
    return np.tanh(a + b)
"""
LOOP = """
def forward(xs, h_0, mask):
    h = h_0
    states = []
    for t in range(xs.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(xs[:, t] + h), h)
        states.append(h)
    return np.stack(states, axis=1)
"""


def sentences(source: str) -> set[str]:
    """Return what the operators say that they do to a function."""
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    words = Wording(tree, [argument.arg for argument in tree.args.args])
    return {edit.sentence for operator in versions.OPERATORS for edit in operator(tree, words)}


# --- operators


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (STEP, "You use `W` transposed."),
        (STEP, "You take the element-wise product of `h_prev` and `W` (`*`); it should be the matrix product, `@`."),
        (STEP, "You leave out the term `b`."),
        (STEP, "You leave out the term `h_prev @ W`."),
        (STEP, "You do not apply `np.tanh`."),
        (LOOP, "You use `xs.shape[0]`; it should be `xs.shape[1]`."),
        (LOOP, "You use the entry of `xs` one before the right one."),
        (LOOP, "Your loop runs backwards, from the last step to the first."),
        (LOOP, "The value is not carried from step to step: every step starts from `h_0`."),
        (LOOP, "You do not use the mask."),
        (LOOP, "Your loop ends after its first step (is `return` indented too far?)."),
        ("def f(x):\n    return x.mean(axis=0)", "You take the sum where it should be the mean."),
        ("def f(x):\n    return x.mean(axis=0)", "You take the mean over all axes; it should run over one of them."),
        ("def f(x):\n    return np.log2(x)", "You use the natural logarithm; it should be the one to base 2."),
        (
            "def f(h):\n    return 1 - h**2",
            "You use 1 - tanh(a) as a slope; the derivative of tanh(a) is 1 - tanh(a)**2.",
        ),
        (
            "def f(x, y):\n    x += y\n    return x",
            "You overwrite a value to which you should add (`=` in place of `+=`).",
        ),
        ("def f(x):\n    return np.log(x)", "You use the base-10 logarithm; it should be the natural one."),
        ("def f(x):\n    return np.exp(x)", "Inside `np.exp` the sign is wrong."),
        ("def f(x, W_hh):\n    return g(x, W_hh)", "You use `W_hh` transposed."),
        ("def f(x, y):\n    return np.tanh(x) + y", "You use `y` where `x` belongs."),
        ("def f(x):\n    return x", "You apply `np.tanh` to the result."),
        ("def f(n):\n    return np.eye(n)", "You start from a matrix of zeros; it should be the identity."),
        ("def f(p, q):\n    return p / q", "You divide the wrong way round: numerator and denominator are swapped."),
    ],
)
def test_an_operator_says_what_it_does(source: str, sentence: str) -> None:
    assert sentence in sentences(source)


def test_local_names_that_a_student_may_not_have_are_never_quoted() -> None:
    for sentence in sentences("def f(x):\n    secret = g(x)\n    other = secret\n    return other + x * secret"):
        assert "secret" not in sentence
        assert "other" not in sentence


def test_an_edit_leaves_the_right_answer_as_it_is() -> None:
    (tree,) = ast.parse(STEP).body
    assert isinstance(tree, ast.FunctionDef)
    before = ast.dump(tree)
    node = next(node for node in edits.expressions(tree) if isinstance(node, ast.BinOp))
    assert ast.dump(edits.replaced(tree, node, node.left)) != before
    assert ast.dump(tree) == before


def test_an_argument_is_zeroed_reversed_inverted_or_swapped() -> None:
    xs, mask = np.arange(6.0).reshape(1, 3, 2) + 1, np.array([[True, True, False]])
    changed = {
        one.sentence: one.apply((xs, mask, 3)) for one in arguments.changes(["xs", "mask", "n"], [(xs, mask, 3)])
    }
    assert not changed["Your result does not depend on `xs`."][0].any()
    assert np.array_equal(changed["You read `xs` from its end."][0], xs[:, ::-1])
    assert np.array_equal(changed["You use `mask` inverted."][1], ~mask)
    assert changed["You use 2 in place of the argument `n`."][2] == 2


# --- running them


def test_versions_that_hang_end_the_process_or_exhaust_memory_are_skipped(monkeypatch, capsys) -> None:
    monkeypatch.setattr(runner, "SECONDS", 0.3)
    monkeypatch.setattr(runner, "MEMORY", 1 << 28)

    def hang(x):
        while True:
            pass

    def hoard(x):
        return np.ones(1 << 33)

    def overwrite(x):
        x[:] = 0
        return x + 1

    answers = {
        "hangs": hang,
        "quits": lambda x: os._exit(1),
        "hoards": hoard,
        "overwrites": overwrite,
        "fine": lambda x: x * 3,
    }
    task = Task("double", {"c": 1.0}, [Case("c", (np.ones(3),), 2 * np.ones(3))], [], ["x"], 1e-8)
    found = [versions.Version(name, 0, runner.calling(answer, "call")) for name, answer in answers.items()]
    assert [version.sentence for version in versions._evaluated("double", iter(found), task)] == ["fine"]
    log = capsys.readouterr().out
    for reason in (
        "it took more than 0.3 s",
        "it ended its process",
        "it exhausts the memory",
        "it changes its inputs",
    ):
        assert f"double: skipped 1 of 5 generated mistakes: {reason}" in log


# --- fingerprints


def test_a_fingerprint_bears_rounding_and_tells_outputs_apart() -> None:
    rng = np.random.default_rng(0)
    value = (rng.normal(size=(3, 4)), {"a": rng.normal(size=5), "b": "text"}, 7)
    nearly = (value[0] * (1 + 1e-9), {"b": "text", "a": value[1]["a"] - 1e-9}, 7)
    others = [
        (value[0].T, *value[1:]), (value[0] + 1e-3, *value[1:]), (value[0][::-1], *value[1:]), (*value[:2], 8),
        (value[0], {**value[1], "b": "other"}, 7), (np.where(value[0] > 1, np.nan, value[0]), *value[1:]), value[0],
    ]  # fmt: skip
    assert same_fingerprint(fingerprint(value), fingerprint(nearly), 1e-8)
    assert [same_fingerprint(fingerprint(value), fingerprint(other), 1e-8) for other in others] == [False] * len(others)
    assert fingerprint([1.0, 2.0]) == fingerprint(np.array([1.0, 2.0]))


# --- the files


def stored(exercise: Exercise) -> dict:
    return fixtures.find_generated(exercise.name)


@pytest.mark.parametrize(("lesson", "exercise"), NUMPY)
def test_the_file_is_that_of_the_fixture_and_its_sentences_are_whole(lesson: str, exercise: Exercise) -> None:
    _, data = fixtures.find(exercise.name)
    assert stored(exercise)["cases"] == diagnosis.cases_digest(fixtures.decode_task(exercise.name, data))
    for sentence in stored(exercise)["sentences"]:
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence[-1] in ".?)"
        assert "``" not in sentence


@pytest.mark.parametrize(("lesson", "exercise"), NUMPY)
def test_a_right_answer_has_no_generated_fingerprint(lesson: str, exercise: Exercise) -> None:
    task = exercise.task(np.random.default_rng(VISIBLE_SEED), hidden=False)
    for answer in (definitions("solutions", lesson)[exercise.name], *exercise.styles):
        outcomes = [execute(answer, case.args, exercise.probe) for case in task.cases]
        assert diagnosis._generated(answer, task, outcomes) == ""


def without_input(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(h_prev @ W_hh + b_h)


def test_check_and_grade_name_a_generated_mistake(monkeypatch) -> None:
    monkeypatch.setenv("RNN_COURSE_SALT", "pepper")
    lesson, data = fixtures.find("rnn_step")
    sentence = "You leave out the term `x_t @ W_xh`."
    assert judge(without_input, fixtures.decode_task("rnn_step", data)).mistake == sentence
    assert report_on(without_input, "rnn_step").mistake == sentence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        '{"exercises": {}}',
        '{"exercises": {"rnn_step": {"cases": "old"}}}',
        "[]",
        '{"exercises": {"rnn_step": 3}}',
    ],
)
def test_a_file_that_is_missing_damaged_or_outdated_names_nothing(monkeypatch, tmp_path, text: str) -> None:
    original = fixtures.find("rnn_step")
    monkeypatch.setattr(fixtures, "find", lambda name: original)
    monkeypatch.setattr(fixtures, "FOLDER", tmp_path)
    if text:
        (tmp_path / "generated").mkdir()
        (tmp_path / "generated" / "01_recurrence.json").write_text(text)
    fixtures._generated.cache_clear()
    task = fixtures.decode_task("rnn_step", original[1])
    assert judge(without_input, task).mistake == ""
    fixtures._generated.cache_clear()


def test_an_unchanged_exercise_is_not_generated_again(monkeypatch) -> None:
    name, code = "leaky_memory", "def leaky_memory(xs, decay):\n    return xs * decay\n"
    text = versions.lesson_file("00", {name: find(name)}, code)
    monkeypatch.setattr(versions, "_exercise_data", lambda *_: pytest.fail("generated again"))
    assert versions.lesson_file("00", {name: find(name)}, code, text) == text
    changed = json.loads(text)
    changed["exercises"][name]["digest"] = "of another version"
    with pytest.raises(pytest.fail.Exception, match="generated again"):
        versions.lesson_file("00", {name: find(name)}, code, json.dumps(changed))
