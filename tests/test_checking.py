"""What a student hears from `check`, whatever they hand it, and that nothing is lost on the way."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from rnn_helpers import CheckFailed, check, hint, progress
from rnn_helpers.checks import fixtures, hints
from rnn_helpers.checks.comparison import find_problem
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
    """Return what a wrong answer is told: the card and the exception's line."""
    with pytest.raises(CheckFailed) as failure:
        check(answer, name)
    text = capsys.readouterr().out + str(failure.value)
    return " ".join(text.split())


def test_a_right_answer_is_told_so(capsys) -> None:
    check(right_step, "rnn_step")
    assert "rnn_step all right" in " ".join(capsys.readouterr().out.split())


def test_a_known_mistake_is_named_with_both_numbers(capsys) -> None:
    text = heard(without_bias, capsys)
    assert "You leave out the bias b_h." in text
    assert "expected" in text
    assert "largest difference" in text
    assert 'hint("rnn_step")' in text
    assert "3 of 7 checks are right" in text


def returning(change):
    """Return an rnn_step that hands its right result through `change`."""
    return lambda *inputs: change(right_step(*inputs))


def scolding_step(*inputs):
    raise ValueError("no cake left")


BAD = [
    ("a list with a text in it", returning(lambda h: ["a", h]), "got a list of 2"),
    ("None", returning(lambda h: None), "got None (did the function forget its return?)"),
    ("a text", returning(str), "got the text"),
    ("the wrong shape", returning(lambda h: h[0]), "expected shape (4, 3), got (3,)"),
    ("a transpose", returning(np.transpose), "it looks transposed"),
    ("complex numbers", returning(lambda h: h + 0j), "expected real numbers, got complex128"),
    ("NaN", returning(lambda h: h * np.nan), "nan is not a finite number at [0, 0]"),
    ("infinity", returning(lambda h: h + np.inf), "inf is not a finite number"),
    (
        "an object array",
        returning(lambda h: np.array(list(h) + [None], dtype=object)),
        "expected an array of numbers, shape (4, 3), got an array",
    ),
    ("whole numbers", returning(lambda h: h.astype(int)), "cut off"),
    ("float32", returning(np.float32), "keep their precision"),
    ("a function", returning(lambda h: right_step), "got a function, not its result"),
    (
        "too few parameters",
        lambda x, h: x,
        "is called with (x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh); yours takes (x, h)",
    ),
    ("an exception", scolding_step, "ValueError: no cake left, in scolding_step, line"),
    ("not a function", 3, "expected the function itself, as in check(rnn_step), got the int 3"),
    ("a built-in without a signature", max, "The shapes here: x_t ("),
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
    assert "The shapes here: x_t (" in text


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
        ((HS, HS), "2 results came back (an array of shape (2, 3) and dtype float64, an array of shape (2, 3)"),
        ((HS, {}), "2 results came back (an array of shape (2, 3) and dtype float64, an empty dict); only one"),
        ((HS,), "expected an array, got a tuple of 1: a comma behind the result makes a tuple of it"),
        ([HS, HS], "got a list of 2, the first of which is an array of shape (2, 3)"),
        ([], "expected an array, got a list of 0"),
        ({"h": HS}, "got a dict with the keys ['h']: return the value itself"),
        (tuple(HS), "got a tuple of 2; np.array(...) makes one of it"),
        (list(HS.T), "got a list of 3; np.stack(..., axis=1) makes one of it"),
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


@pytest.mark.parametrize(("expected", "noun"), [(1.5, "a number"), (3, "a number"), ("a", "a text")])
def test_several_results_are_counted_where_one_value_is_asked_for(expected, noun: str) -> None:
    problem = find_problem(expected, (expected, {}), 1e-8)
    assert problem is not None
    assert problem.sentence.endswith(f"only one is asked for: {noun}")


def test_swapped_parameters_are_told_by_name(capsys) -> None:
    def rnn_step(h_prev, x_t, W_xh, W_hh, b_h, activation=np.tanh):
        return right_step(x_t, h_prev, W_xh, W_hh, b_h, activation)

    assert "the order is rnn_step(x_t, h_prev, " in heard(rnn_step, capsys)


def test_shapes_are_told_in_the_students_own_names(capsys) -> None:
    assert "The shapes here: x (" in heard(lambda x, h, U, W, b, f=np.tanh: U @ x, capsys)


def test_changing_an_input_is_told_by_its_name(capsys) -> None:
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        x_t *= 2
        return activation(x_t @ W_xh / 2 + h_prev @ W_hh + b_h)

    assert "your code changes x_t in place" in heard(rnn_step, capsys)


def test_only_the_first_wrong_check_is_explained(capsys) -> None:
    assert heard(without_bias, capsys).count("expected") == 1


def test_a_wrong_answer_is_not_accused_of_changing_its_inputs(capsys) -> None:
    text = heard(lambda *inputs: np.zeros(3), capsys)
    assert "its inputs stay as they were later: skipped until one of the other checks passes" in text


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
    assert "1 of 4 checks are right" in text
    assert "this part is not solved yet" in text


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
    assert failure.value._render_traceback_() == ["CheckFailed: rnn_step: 3 of 7 checks are right (see the card above)"]


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
        file.write(b"\xff\xfe nonsense\n2026-01-01 10:00 01_recurrence readout 4 of")
    assert read_states(progress_file()) == {("01_recurrence", "rnn_step"): (3, 7)}
    check(right_step, "rnn_step")
    assert read_states(progress_file()) == {("01_recurrence", "rnn_step"): (7, 7)}


def test_progress_that_cannot_be_written_does_not_spoil_the_answer(monkeypatch, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RNN_COURSE_PROGRESS", str(tmp_path / "file" / "progress.txt"))
    check(right_step, "rnn_step")
    text = " ".join(capsys.readouterr().out.split())
    assert "all right" in text
    assert "Your answer counts, but progress() cannot keep it" in text


def test_two_notebooks_may_write_progress_at_once(tmp_path: Path) -> None:
    code = (
        "from rnn_helpers.checks.evaluator import Report\nfrom rnn_helpers.checks.progress import record\nimport sys\n"
        "for i in range(200):\n"
        "    record('01_recurrence', sys.argv[1], Report('x', results={str(k): k < i // 20 for k in range(9)}))\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("rnn_step", "readout")]
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
