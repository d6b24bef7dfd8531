"""What a student hears from `check`, whatever they hand it, and that nothing is lost on the way."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from rnn_helpers import CheckFailed, check, hint, progress
from rnn_helpers.cards import Card, complete_sentence
from rnn_helpers.checks import fixtures, hints
from rnn_helpers.checks.comparison import Problem, find_problem
from rnn_helpers.checks.evaluator import Report
from rnn_helpers.checks.inputs import describe_inputs
from rnn_helpers.checks.progress import progress_file, read_states

HS = np.arange(6.0).reshape(2, 3)


@pytest.fixture(autouse=True)
def _own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_COURSE_PROGRESS", str(tmp_path / "progress.txt"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    hints._hints_shown.clear()


def right_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(x_t @ W_xh + h_prev @ W_hh + b_h)


def without_bias(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(x_t @ W_xh + h_prev @ W_hh)


def heard(answer, capsys, name: str = "rnn_step") -> str:
    """Return what the card and the exception say about a wrong answer."""
    with pytest.raises(CheckFailed) as failure:
        check(answer, name)
    text = capsys.readouterr().out + str(failure.value)
    return " ".join(text.split())


def test_a_right_answer_is_told_so(capsys) -> None:
    check(right_step, "rnn_step")
    text = " ".join(capsys.readouterr().out.split())
    assert "rnn_step passed" in text
    assert "Well done! All 7 checks pass." in text


def test_a_known_mistake_is_named_with_both_numbers(capsys) -> None:
    text = heard(without_bias, capsys)
    assert "You leave out the bias b_h." in text
    assert "Expected" in text
    assert "largest difference" in text
    assert 'hint("rnn_step")' in text
    assert "3 of 7 checks pass" in text


def returning(change):
    """Return an rnn_step that hands its right result through `change`."""
    return lambda *inputs: change(right_step(*inputs))


def scolding_step(*inputs):
    raise ValueError("no cake left")


BAD = [
    ("a list with a string in it", returning(lambda h: ["a", h]), "got a list of 2 items"),
    ("None", returning(lambda h: None), "got None (did the function forget its return?)"),
    ("a string", returning(str), "got the string"),
    ("the wrong shape", returning(lambda h: h[0]), "Expected shape (4, 3), got (3,)"),
    ("a transpose", returning(np.transpose), "the two axes have changed places"),
    ("complex numbers", returning(lambda h: h + 0j), "Expected real numbers, got complex128."),
    ("NaN", returning(lambda h: h * np.nan), " at [0, 0], got nan, which is not a finite number."),
    ("infinity", returning(lambda h: h + np.inf), "got inf, which is not a finite number."),
    (
        "an object array",
        returning(lambda h: np.array(list(h) + [None], dtype=object)),
        "Expected an array of numbers, shape (4, 3), got an array",
    ),
    ("whole numbers", returning(lambda h: h.astype(int)), "cut off"),
    ("float32", returning(np.float32), "keep their precision"),
    ("a function", returning(lambda h: right_step), "got a function, not its result"),
    (
        "too few parameters",
        lambda x, h: x,
        "rnn_step is called with (x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh); yours takes (x, h).",
    ),
    ("an exception", scolding_step, "ValueError: no cake left, in scolding_step, line"),
    ("not a function", 3, "Expected the function itself, as in check(rnn_step), got the int 3."),
    ("a built-in without a signature", max, "Inputs: x_t ("),
    ("no function at all", None, "got None"),
]


@pytest.mark.parametrize(("answer", "sentence"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_bad_input_gets_one_clear_sentence(answer, sentence: str, capsys) -> None:
    shape = fixtures.decode_task("rnn_step", fixtures.find("rnn_step")[1]).cases[0].expected.shape
    expected = sentence.replace("(4, 3)", str(shape)).replace("(3,)", str(shape[1:]))
    assert expected in heard(answer, capsys)


def test_the_error_of_a_students_code_comes_with_its_line_and_the_shapes(capsys) -> None:
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        return activation(W_xh @ x_t)

    text = heard(rnn_step, capsys)
    assert "return activation(W_xh @ x_t)" in text
    assert "Inputs: x_t (" in text
    assert "This course puts rows first: `x_t @ W_xh`. ValueError: matmul: " in text


def test_short_inputs_are_shown_and_long_ones_by_their_shapes(capsys) -> None:
    assert "Inputs: xs = [1, 0, 0, 0, 0], decay = 0.8" in heard(lambda xs, decay: np.cumsum(xs), capsys, "leaky_memory")
    text = heard(lambda hs, mask: hs[:, 0], capsys, "last_state")
    assert re.search(r"Inputs: hs \(\d, \d, \d\), mask \(\d, \d\)", text)


def test_the_shapes_inside_of_a_cache_are_listed(capsys) -> None:
    text = heard(lambda dh_t, cache: {}, capsys, "step_backward")
    assert "cache = (array (2, 5), array (2, 3), array (2, 3), array (5, 3), array (3, 3))" in text


def test_grading_shows_no_input_but_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from autograde_tests.grade_answer import report_on

    monkeypatch.setenv("RNN_COURSE_SALT", "pepper")
    report = report_on(lambda xs, decay: np.cumsum(xs), "leaky_memory")
    assert re.fullmatch(r"xs \(\d+,\)", report.problems[report.first_wrong].inputs)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((np.array([1.0, 0.25, -0.0]), 0.8), "a = [1, 0.25, 0], b = 0.8"),
        ((np.array([0.123456789]), np.float64(2)), "a = [0.123456789], b = 2.0"),
        ((np.full((2, 3, 4), 0.5), None), "a (2, 3, 4), b = None"),
        ((np.zeros((2, 3)), np.zeros(2)), "a = zeros (2, 3), b = [0, 0]"),
        ((np.array([[True, False]]), "abc"), "a = [[True, False]], b = 'abc'"),
        (([np.zeros((2, 3)), np.zeros(4)], np.tanh), "a = [array (2, 3), array (4,)], b = tanh"),
        (({"W": np.ones((9, 9)), "n": 3}, ()), "a = {W (9, 9), n = 3}, b = ()"),
        (([[1, 2], [3]], {}), "a = [[1, 2], [3]], b = {}"),
        ((list(range(99)), np.zeros(0)), "a = [0, 1, 2, 3, 4, 5, …], b (0,)"),
        (("x" * 99, 1), f"a = '{'x' * 46}…, b = 1"),
        (([(np.zeros(3), np.zeros(2))] * 4, ()), "a = [4 × (array (3,), array (2,))], b = ()"),
        ((), ""),
    ],
)
def test_inputs_are_described(arguments: tuple, text: str) -> None:
    assert describe_inputs(arguments, ["a", "b=3"]) == text


def test_long_inputs_end_with_dots() -> None:
    text = describe_inputs(tuple(np.ones((2, 3, 4)) for _ in range(40)), [f"array_{n}" for n in range(40)])
    assert len(text) <= 245
    assert text.endswith("(2, 3, 4), …")


@pytest.mark.parametrize(
    ("passed", "total", "words"),
    [(0, 1, "0 of 1 checks pass"), (1, 4, "1 of 4 checks passes"), (2, 4, "2 of 4 checks pass")],
)
def test_the_score_is_a_sentence(passed: int, total: int, words: str) -> None:
    results = {str(n): n < passed for n in range(total)}
    problems = {title: Problem("value", "expected 1, got 2") for title, right in results.items() if not right}
    assert Card(Report("x", results, problems)).headline() == ("x", words)


@pytest.mark.parametrize(("total", "words"), [(1, "The check passes."), (2, "Both checks pass."), (3, "All 3 checks")])
def test_success_gets_a_positive_word(total: int, words: str) -> None:
    card = Card(Report("x", {str(n): True for n in range(total)}))
    assert card.headline() == ("x", "passed")
    assert f"Well done! {words}" in repr(card)
    assert f"Well done! {words}" in card._repr_html_()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("the bias b_h is left out", "The bias b_h is left out."),
        ("You leave out the bias b_h.", "You leave out the bias b_h."),
        ("x_t is left out", "x_t is left out."),
        ("`decay` is not used", "`decay` is not used."),
        ("hs holds only zeros", "hs holds only zeros."),
        ("is there a return?", "Is there a return?"),
        ("a state too many", "A state too many."),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_ends_with_a_period(text: str, sentence: str) -> None:
    assert complete_sentence(text) == sentence


def test_what_the_code_prints_keeps_its_lines(capsys) -> None:
    def rnn_step(*inputs):
        print("first\nsecond")
        return right_step(*inputs)

    check(rnn_step)
    assert re.search(r"\n  Printed output and warnings: first\n  second\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("want", "got", "sentence"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.5, 9.0], "expected 2 at [1], got 2.5 (2 of 3 entries differ, largest difference 6)"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], "expected 3 at [2], got 4 (1 of 3 entries differs, largest difference 1)"),
        ([1.0, 2.0], [3.0, 3.0], "expected 1 at [0], got 3 (all 2 entries differ, largest difference 2)"),
        (1.25, 1, "expected 1.25, got 1"),
        ([0.5], [-0.0], "expected 0.5 at [0], got 0"),
        ([True, False], [True, True], "expected False at [1], got True"),
        ([1.5, 2.5], [1, 2], "right up to the digits after the decimal point, which are cut off: "
         "the array holds int64"),
        (3, 3.0, "expected an integer, got the float 3.0: `/` always gives a float, `//` an integer"),
        ({"all columns have length 1": True}, {"all columns have length 1": False},
         "this should be true and is not: all columns have length 1"),
        ((1.0,), 2.0, "expected 1 value, got the float 2.0"),
        ((1.0, 2.0), 2.0, "expected 2 values, separated by commas, got the float 2.0"),
        ((1.0, 2.0), (1.0, (2.0, 3.0)),
         "value 2 of 2: this part is 2 values (the float 2.0, the float 3.0); return only the first, which is right"),
    ],
)  # fmt: skip
def test_a_difference_is_described_where_it_begins(want, got, sentence: str) -> None:
    as_arrays = [np.array(value) if isinstance(value, list) else value for value in (want, got)]
    problem = find_problem(*as_arrays, 1e-8)
    assert problem is not None
    assert problem.sentence == sentence


def test_two_arrays_are_no_array_just_because_their_shapes_would_fit() -> None:
    problem = find_problem(HS, (HS[0], HS[1] + 1), 1e-8)
    assert problem is not None
    assert "np.array" not in problem.sentence
    assert problem.sentence.startswith("your function returns 2 values")


def test_other_parameter_names_do_no_harm() -> None:
    check(lambda x, h, U, W, b, f=np.tanh: f(x @ U + h @ W + b), "rnn_step")


def test_a_list_does_no_harm_where_nothing_breaks_on_it() -> None:
    check(
        lambda xs, decay: [sum(decay ** (t - k) * xs[k] for k in range(t + 1)) for t in range(len(xs))], "leaky_memory"
    )


def test_a_list_is_told_how_to_become_an_array(capsys) -> None:
    assert "np.array(...) makes one of it" in heard(lambda *inputs: right_step(*inputs).tolist(), capsys)


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        ((HS, HS), "2 values (an array of shape (2, 3) and dtype float64, an array of shape (2, 3)"),
        (
            (HS, {}),
            "2 values (an array of shape (2, 3) and dtype float64, an empty dict); return only the first, which is",
        ),
        ((HS,), "expected an array, got a tuple of 1 item: a comma behind the result makes a tuple of it"),
        ([HS, HS], "got a list of 2 items, the first of which is an array of shape (2, 3)"),
        ([], "expected an array, got an empty list"),
        ({"h": HS}, "got a dict with the keys ['h']: return the value itself"),
        (tuple(HS), "got a tuple of 2 items; np.array(...) makes one of it"),
        (list(HS.T), "got a list of 3 items; np.stack(..., axis=1) makes one of it"),
    ],
    ids=repr,
)
def test_several_results_are_counted_where_one_array_is_asked_for(got, sentence: str) -> None:
    for expected in (HS, (HS, HS), {"part": HS}):
        whole = got if expected is HS else (got, HS) if isinstance(expected, tuple) else {"part": got}
        problem = find_problem(expected, whole, 1e-8)
        assert problem is not None
        assert sentence in problem.sentence
        with_advice = "np.array" in problem.sentence, "np.stack" in problem.sentence
        if any(with_advice):
            made = np.array(got) if with_advice[0] else np.stack(got, axis=1)
            assert made.shape == HS.shape


@pytest.mark.parametrize(("expected", "noun"), [(1.5, "a number"), (3, "a number"), ("a", "a string")])
def test_several_results_are_counted_where_one_value_is_asked_for(expected, noun: str) -> None:
    problem = find_problem(expected, ({}, {}), 1e-8)
    assert problem is not None
    assert (
        problem.sentence
        == f"your function returns 2 values (an empty dict, an empty dict); only one is expected: {noun}"
    )


def test_swapped_parameters_are_told_by_name(capsys) -> None:
    def rnn_step(h_prev, x_t, W_xh, W_hh, b_h, activation=np.tanh):
        return right_step(x_t, h_prev, W_xh, W_hh, b_h, activation)

    assert "The order is rnn_step(x_t, h_prev, " in heard(rnn_step, capsys)


def test_shapes_are_told_in_the_students_own_names(capsys) -> None:
    assert "Inputs: x (" in heard(lambda x, h, U, W, b, f=np.tanh: U @ x, capsys)


def test_changing_an_input_is_told_by_its_name(capsys) -> None:
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        x_t *= 2
        return activation(x_t @ W_xh / 2 + h_prev @ W_hh + b_h)

    assert "Your code changes x_t in place" in heard(rnn_step, capsys)


def test_only_the_first_wrong_check_is_explained(capsys) -> None:
    assert heard(without_bias, capsys).count("Expected") == 1


def test_a_wrong_answer_is_not_accused_of_changing_its_inputs(capsys) -> None:
    text = heard(lambda *inputs: np.zeros(3), capsys)
    assert "its inputs stay as they were skipped until one of the other checks passes." in text


def test_half_a_class_counts_as_half(capsys) -> None:
    class SimpleRNN:
        def __init__(self, features, units, classes, rng):
            pass

        def step(self, x_t, h_prev):
            h_t = np.tanh(x_t @ self.W_xh + h_prev @ self.W_hh + self.b_h)
            return h_t, h_t @ self.W_hy + self.b_y

        def forward(self, xs, h_0=None):
            raise NotImplementedError

    text = heard(SimpleRNN, capsys, "SimpleRNN")
    assert "1 of 4 checks passes" in text
    assert "This part is not solved yet" in text


def test_an_unsolved_stub_is_not_scolded(capsys) -> None:
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        raise NotImplementedError

    text = heard(rnn_step, capsys)
    assert "not solved yet" in text
    assert "wrong" not in text


def test_a_renamed_function_is_asked_for_its_exercise() -> None:
    def rnn_stepp():
        pass

    with pytest.raises(CheckFailed, match="There is no exercise called 'rnn_stepp'. Did you mean rnn_step"):
        check(rnn_stepp)


@pytest.mark.parametrize("answer", [lambda x: x, 3, [1.0]], ids=["lambda", "number", "list"])
def test_an_answer_without_a_name_is_asked_for_it(answer) -> None:
    with pytest.raises(CheckFailed, match="say which exercise it is"):
        check(answer)


def test_warnings_and_prints_cost_nothing_and_are_shown(capsys) -> None:
    def rnn_step(*inputs):
        warnings.warn("getting late", UserWarning, stacklevel=1)
        print("hello", file=sys.stderr)
        return right_step(*inputs)

    check(rnn_step)
    out = capsys.readouterr()
    assert "getting late" in out.out
    assert out.err == ""


def test_a_failure_is_one_line_in_a_notebook() -> None:
    with pytest.raises(CheckFailed) as failure:
        check(without_bias, "rnn_step")
    assert failure.value._render_traceback_() == ["CheckFailed: rnn_step: 3 of 7 checks pass (see the card above)"]


def test_autograding_leaves_the_marks_to_the_hidden_tests(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    called = []
    check(lambda *args: called.append(args), "rnn_step")
    assert capsys.readouterr().out == ""
    assert called == []
    assert not progress_file().exists()


@pytest.mark.parametrize("content", ["", "{", '{"lesson": "x"}', '{"exercises": 3}', "[]"])
def test_a_damaged_fixture_file_is_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "01_recurrence.json").write_text(content)
    monkeypatch.setattr(fixtures, "FOLDER", tmp_path)
    with pytest.raises(CheckFailed, match="01_recurrence.json cannot be read"):
        check(right_step, "rnn_step")


def test_missing_fixtures_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixtures, "FOLDER", tmp_path)
    with pytest.raises(CheckFailed, match="There are no fixture files"):
        check(right_step, "rnn_step")


def test_hints_come_one_after_the_other_then_all(capsys) -> None:
    for number in (1, 2, 3):
        hint("rnn_step")
        assert f"Hint {number} of 3" in capsys.readouterr().out
    hint("rnn_step")
    assert capsys.readouterr().out.count("\n") == 4
    hint("rnn_stepp")
    assert "Did you mean rnn_step" in capsys.readouterr().out


def test_progress_is_kept_and_shown(capsys) -> None:
    with pytest.raises(CheckFailed):
        check(without_bias, "rnn_step")
    assert read_states(progress_file())["01_recurrence", "rnn_step"] == (3, 7)
    check(right_step, "rnn_step")
    check(right_step, "rnn_step")
    assert len(progress_file().read_text().splitlines()) == 2  # one for each change
    progress()
    text = capsys.readouterr().out
    assert "● rnn_step" in text
    assert "○ rnn_forward" in text


def test_progress_once_earned_stays() -> None:
    check(right_step, "rnn_step")
    with pytest.raises(CheckFailed):
        check(without_bias, "rnn_step")
    assert read_states(progress_file())["01_recurrence", "rnn_step"] == (7, 7)


def test_a_damaged_progress_file_is_read_as_far_as_it_goes() -> None:
    with pytest.raises(CheckFailed):
        check(without_bias, "rnn_step")
    with progress_file().open("ab") as file:
        file.write(b"\xff\xfe nonsense\n2026-01-01 10:00 01_recurrence counter 4 of")
    assert read_states(progress_file()) == {("01_recurrence", "rnn_step"): (3, 7)}
    check(right_step, "rnn_step")
    assert read_states(progress_file()) == {("01_recurrence", "rnn_step"): (7, 7)}


def test_progress_that_cannot_be_written_does_not_spoil_the_answer(monkeypatch, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RNN_COURSE_PROGRESS", str(tmp_path / "file" / "progress.txt"))
    check(right_step, "rnn_step")
    text = " ".join(capsys.readouterr().out.split())
    assert "passed" in text
    assert "Your answer counts, but progress() cannot keep it" in text


def test_two_notebooks_may_write_progress_at_once(tmp_path: Path) -> None:
    code = (
        "from rnn_helpers.checks.evaluator import Report\nfrom rnn_helpers.checks.progress import record\nimport sys\n"
        "for i in range(200):\n"
        "    record('01_recurrence', sys.argv[1], Report('x', results={str(k): k < i // 20 for k in range(9)}))\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("rnn_step", "counter")]
    assert [process.wait() for process in both] == [0, 0]
    lines = progress_file().read_text().splitlines()
    assert [line for line in lines if not line.endswith(" of 9")] == []
    assert len(lines) == 2 * 10  # each notebook's ten steps from 0 of 9 to 9 of 9
    assert set(read_states(progress_file()).values()) == {(9, 9)}


def test_importing_the_helpers_imports_nothing_heavy() -> None:
    code = (
        "import sys, rnn_helpers\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'IPython', 'ipywidgets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_students_helpers_know_nothing_of_the_tests() -> None:
    for file in (Path(fixtures.__file__).parent).glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "import autograde_tests" not in text
        assert "from autograde_tests" not in text
        assert "from nbjudge" not in text
