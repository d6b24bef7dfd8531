"""The simulated class: its answers stand alone, the same seed writes the same files, and grading gives what is due."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from lesson_code import LESSONS, ROOT
from nbgrader_students import loads_keras

from autograde_tests import exercises
from autograde_tests.grade_answer import report_on
from nbjudge.errors import CannotGrade
from tools.demo import command, cycle
from tools.demo.answers import Answer, Lesson, read_lesson
from tools.demo.expected_scores import expected_scores
from tools.demo.simulated import SimulatedClass, draw, simulate
from tools.demo.source_extraction import NotSelfContainedError, self_contained
from tools.demo.variations import own_names, rename_variable, vary_source

SALT = "the salt of these tests"
TRAINING = ("14_clinic",)  # its exercises ask about networks that are trained for each task


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request) -> Lesson:
    return read_lesson(ROOT, request.param)


@pytest.fixture(scope="module")
def third() -> Lesson:
    return read_lesson(ROOT, "03_loss")


def run_alone(source: str, name: str) -> Any:
    names: dict[str, Any] = {"__name__": "submission"}
    exec(source, names)
    return names[name]


# --- answers as text


def test_every_known_mistake_and_style_can_be_handed_in(lesson: Lesson) -> None:
    known = exercises()[lesson.name]
    assert lesson.left_out == {}
    for name, exercise in known.items():
        cell = lesson.cells[name]
        assert (len(cell.mistakes), len(cell.styles)) == (len(exercise.mistakes), len(exercise.styles))


def test_no_answer_needs_the_tests_or_tells_what_is_wrong(lesson: Lesson) -> None:
    for cell in lesson.cells.values():
        for answer in (cell.solution, *cell.mistakes, *cell.styles):
            assert "autograde_tests" not in answer.source
            assert "### " not in answer.source
            assert not answer.sentence or answer.sentence not in answer.source


@pytest.mark.slow
def test_each_text_is_worth_what_the_function_is_that_it_was_taken_from(lesson: Lesson, monkeypatch) -> None:
    monkeypatch.setenv("RNN_COURSE_SALT", SALT)
    for name, exercise in exercises()[lesson.name].items():
        if getattr(exercise, "trains", False):
            continue  # minutes; the class that is graded has them too
        first = 1 if loads_keras(lesson.name) else None
        for answer in (*lesson.cells[name].mistakes[:first], *lesson.cells[name].styles[:first]):
            known = exercise.mistakes[answer.number].solve if answer.sentence else exercise.styles[answer.number]
            text, function = report_on(run_alone(answer.source, name), name), report_on(known, name)
            assert text.points == function.points, f"{name}, {answer.kind} {answer.number}:\n{answer.source}"


# --- taking a function out of a module


HELPERS = """
FACTOR, OTHER = 3.0, 4.0

def _helper(x: float) -> float:
    '''What is wrong here.'''
    return FACTOR * x
"""
TASKS = """
from __future__ import annotations
import math
from own_package.helpers import _helper as _aid

def _loop(n: int):
    return 1 if n <= 0 else n * _loop(n - 1)

def _made(factor: float):
    return lambda x: factor * x

answers = (_loop, lambda x: _aid(x) + math.floor(0.5), _made(2.0), lambda _aid_: missing(_aid_))
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ast.expr]:
    package = tmp_path / "own_package"
    package.mkdir()
    for name, text in (("__init__", ""), ("helpers", HELPERS), ("tasks_02", TASKS.replace("missing", "len"))):
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assignment = ast.parse(TASKS).body[-1]
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Tuple)
    yield assignment.value.elts
    for name in [name for name in sys.modules if name.startswith("own_package")]:
        del sys.modules[name]


def test_a_function_that_calls_itself_gets_its_new_name_everywhere(tasks: list[ast.expr]) -> None:
    text = self_contained("own_package.tasks_02", tasks[0], "factorial")
    assert "_loop" not in text
    assert run_alone(text, "factorial")(4) == 24


def test_a_lambda_becomes_a_function_and_takes_its_helpers_along(tasks: list[ast.expr]) -> None:
    text = self_contained("own_package.tasks_02", tasks[1], "triple", reserved={"FACTOR_helpers"})
    assert "own_package" not in text
    assert "What is wrong" not in text
    assert "FACTOR_helpers_," in text  # another module's, and the notebook has that name already
    assert run_alone(text, "triple")(2.0) == 6.0
    assert run_alone(text, "triple").__name__ == "triple"


def test_what_an_expression_makes_is_called_as_the_exercise(tasks: list[ast.expr]) -> None:
    made = run_alone(self_contained("own_package.tasks_02", tasks[2], "double"), "double")
    assert (made(4.0), made.__name__) == (8.0, "double")


def test_what_cannot_be_taken_along_is_named(tasks: list[ast.expr]) -> None:
    with pytest.raises(NotSelfContainedError, match="binds missing"):
        self_contained("own_package.tasks_02", tasks[3], "f")


# --- what students change


SUM = "def total(xs, start=0):\n    summe = start\n    for x in xs:\n        summe += x\n    return summe\n"


def test_only_a_name_that_nothing_else_uses_is_changed() -> None:
    source = (
        "def f(a, b=1):\n    n = é = a\n    key = g(b=n)\n    text = f'{key}'\n    return dict(n=n), text, n.real\n"
    )
    assert own_names(SUM) == {"summe", "x"}
    assert own_names(source) == {"é", "text"}
    assert (
        own_names("limit = 3\nclass A:\n    size = 1\n    def f(self):\n        limit = 4\n        return limit")
        == set()
    )


def test_another_name_leaves_everything_else_as_it_stands() -> None:
    assert rename_variable("é = summe ; summe", "summe", "s") == "é = s ; s"
    assert rename_variable(SUM, "summe", "my_summe").replace("my_summe", "summe") == SUM


def test_a_changed_solution_is_worth_as_much(third: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_COURSE_SALT", SALT)
    style = third.cells["log_softmax"].styles[1].source
    changed = {vary_source(style, choice) for choice in range(100)}
    assert len(changed) > 10
    for text in changed:
        assert report_on(run_alone(text, "log_softmax"), "log_softmax").points == 4.0, text


# --- the class


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_writes_the_same_files_byte_for_byte(tmp_path: Path) -> None:
    for place, students, seed in (("a", 8, 5), ("again", 8, 5), ("more", 12, 5), ("other", 8, 6)):
        simulate(ROOT, "03_loss", students, seed, tmp_path / place)
    first = files(tmp_path / "a")
    notebooks = {f"s{number:03}/03_loss/03_loss.ipynb" for number in range(1, 9)}
    assert notebooks | {name.replace("03_loss.ipynb", "timestamp.txt") for name in notebooks} == set(first)
    assert files(tmp_path / "again") == first
    assert files(tmp_path / "more").items() > first.items()  # who was there hands in the same in a larger class
    assert files(tmp_path / "other") != first


def test_a_notebook_is_the_released_one_with_answers_in_its_cells(third: Lesson, tmp_path: Path) -> None:
    drawn = simulate(ROOT, "03_loss", 20, 2, tmp_path)
    assert any(student.extra for student in drawn.students)
    for student in drawn.students:
        notebook = nbformat.read(tmp_path / student.name / "03_loss" / "03_loss.ipynb", as_version=4)
        nbformat.validate(notebook)
        own = [cell for cell in notebook.cells if cell.id.startswith("my-own-cell")]
        assert len(own) == bool(student.extra)
        cells = [cell for cell in notebook.cells if cell not in own]
        for cell, released in zip(cells, third.released.cells, strict=True):
            answer = student.texts.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            assert cell == {**released, "source": released.source if answer is None else answer}


def test_it_looks_like_a_class(third: Lesson) -> None:
    drawn = draw(third, 120, 1)
    assert min(drawn.count_kinds()[kind] for kind in ("solution", "mistake", "style", "blank")) > 30
    scores = {name: sum(points.values()) for name, points in expected_scores(drawn, SALT).items()}
    assert np.std(list(scores.values())) > 2
    assert np.corrcoef([student.ability for student in drawn.students], list(scores.values()))[0, 1] > 0.5


def test_some_mistakes_are_made_by_many(third: Lesson) -> None:
    answers = [student.answers["log_softmax"] for student in draw(third, 400, 1).students]
    made = Counter(answer.sentence for answer in answers if answer.kind == "mistake")
    assert set(made) == {mistake.sentence for mistake in exercises()["03_loss"]["log_softmax"].mistakes}
    assert max(made.values()) > 0.25 * made.total()  # of nine mistakes


def test_an_answer_is_due_what_it_earns_with_the_answers_that_it_calls(third: Lesson) -> None:
    drawn = draw(third, 4, 1)
    full = {"log_softmax": 4.0, "sequence_cross_entropy": 4.0, "perplexity": 3.0}
    full |= {"cross_entropy_gradient": 5.0, "binary_cross_entropy": 4.0}
    nothing = dict.fromkeys(full, 0.0)
    called = dict.fromkeys(("log_softmax", "sequence_cross_entropy", "cross_entropy_gradient"), 0.0)
    blanks = ((), ("log_softmax",), ("sequence_cross_entropy",), tuple(third.cells))
    for student, blank in zip(drawn.students, blanks, strict=True):
        student.answers = {name: cell.blank if name in blank else cell.solution for name, cell in third.cells.items()}
    assert expected_scores(drawn, SALT) == {
        "s001": full,
        "s002": full | called,
        "s003": full | {"sequence_cross_entropy": 0.0},
        "s004": nothing,
    }


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in TRAINING)) for n in LESSONS])
def test_of_what_is_given_only_definitions_are_run(name: str, capsys) -> None:
    lesson = read_lesson(ROOT, name)
    drawn = draw(lesson, 1, 1)
    drawn.students[0].answers = {name: cell.blank for name, cell in lesson.cells.items()}
    assert set(expected_scores(drawn, SALT)["s001"].values()) == {0.0}
    assert capsys.readouterr().out == ""  # experiments print, definitions do not


def test_an_answer_that_calls_several_depends_on_each() -> None:
    lesson = read_lesson(ROOT, "01_recurrence")
    drawn = draw(lesson, 3, 1)
    for student, blank in zip(drawn.students, ("", "readout", "rnn_step"), strict=True):
        student.answers = {name: cell.blank if name == blank else cell.solution for name, cell in lesson.cells.items()}
    earned = [list(points.values()) for points in expected_scores(drawn, SALT).values()]
    assert earned == [[4, 5, 3, 3, 5], [4, 5, 0, 3, 1], [0, 0, 3, 3, 0]]  # its step does without readout


def test_a_class_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for arguments, sentence in (
        (("03_los", 3, 1), "There is no lesson `03_los`"),
        (("03_loss", 0, 1), "invalid number of students 0"),
        (("03_loss", 3, -1), "invalid seed -1"),
    ):
        with pytest.raises(CannotGrade, match=sentence):
            simulate(ROOT, *arguments, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nobodys_submission_is_written_over(tmp_path: Path) -> None:
    real = tmp_path / "s002" / "03_loss" / "03_loss.ipynb"
    real.parent.mkdir(parents=True)
    real.write_text("mine")
    with pytest.raises(CannotGrade, match="s002.03_loss exists already"):
        simulate(ROOT, "03_loss", 3, 1, tmp_path)
    assert files(tmp_path) == {"s002/03_loss/03_loss.ipynb": b"mine"}


# --- the whole cycle


def demo_result(scores: dict[str, float], third: Lesson) -> cycle.DemoResult:
    worth = {"s001": 12.5, "s002": 20.0}
    return cycle.DemoResult(Path("class"), "03_loss", SimulatedClass(third, draw(third, 2, 1).students), scores, worth)


def test_a_wrong_or_missing_score_is_told(third: Lesson) -> None:
    assert demo_result({"s001": 12.5, "s002": 20.0}, third).wrong == []
    wrong = demo_result({"s001": 13.0}, third)
    assert wrong.wrong == ["s001", "s002"]
    assert "2 of 2 scores do not match the answers: s001 13.0, expected 12.5; " in "\n".join(command.summary(wrong))


def arguments(folder: Path, *given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args([*given, "--folder", str(folder)])
    args.course = ROOT
    return args


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CannotGrade, match=r"is not empty: it holds `thesis.txt`\. Name a new folder"):
        command.run(arguments(tmp_path))
    assert files(tmp_path) == {"thesis.txt": b"mine"}


def test_an_unknown_lesson_and_an_incomplete_course_are_named(tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=r"There is no lesson `01_recurence` .*; there is `00_start_here`"):
        command.run(arguments(tmp_path / "new", "01_recurence"))
    with pytest.raises(CannotGrade, match="invalid number of students 0"):
        command.run(arguments(tmp_path / "new", "--students", "0"))
    (tmp_path / "course" / "solutions" / "01_x").mkdir(parents=True)
    with pytest.raises(CannotGrade, match=r"has no `nbgrader_config.py`, `autograde_tests`"):
        cycle.copy_course(tmp_path / "course", tmp_path / "new", "01_x")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_command_that_fails_is_told_with_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=r"(?s)`nbgrader autograde 01_x` failed in .*It printed:\n    "):
        cycle.grade(tmp_path, "01_x")


def test_to_know_the_command_loads_no_lesson(tmp_path: Path) -> None:
    code = "import sys; from tools.demo import command; print([m for m in sys.modules if 'autograde_tests' in m])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert ended.stdout == "[]\n"  # a course without these tests has the other commands too


def test_ctrl_c_leaves_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cycle, "nbgrader", interrupted)
    assert command.run(arguments(tmp_path / "class")) == command.STOPPED
    assert f"Stopped. The unfinished class is in {tmp_path / 'class'}" in capsys.readouterr().out


@pytest.mark.nbgrader
@pytest.mark.parametrize("lesson", ["01_recurrence", "04_bptt"])
def test_the_whole_class_scores_what_is_due(lesson: str, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "class"
    assert command.run(arguments(folder, lesson, "--students", "5", "--seed", "7")) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "All 5 scores match the answers." in said
    assert f"rnn-course grade {lesson}" in said
    scores = cycle.scores(folder)
    assert len(set(scores.values())) > 1  # not five times the same, such as 0
    pages = sorted(path.parent.parent.name for path in folder.glob(f"feedback/*/{lesson}/{lesson}.html"))
    assert pages == sorted(scores) == [f"s{number:03}" for number in range(1, 6)]


def test_what_a_class_drew_says_which_mistake(third: Lesson) -> None:
    answers = [answer for student in draw(third, 40, 3).students for answer in student.answers.values()]
    mistakes = [answer for answer in answers if answer.kind == "mistake"]
    known = {mistake.sentence for exercise in exercises()["03_loss"].values() for mistake in exercise.mistakes}
    assert mistakes
    assert {answer.sentence for answer in mistakes} <= known
    assert all(isinstance(answer, Answer) and answer.source for answer in answers)
