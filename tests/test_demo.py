"""The simulated class: its answers stand alone, the same seed writes the same files, and grading gives what is due."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from lesson_code import ROOT

from autograde_tests import exercises
from nbjudge.errors import CannotGrade
from tools.demo import command, cycle
from tools.demo.answers import Answer, Lesson, read_lesson
from tools.demo.expected_scores import expected_scores
from tools.demo.simulated import SimulatedClass, draw, simulate

SALT = "the salt of these tests"
LESSONS = ("01_recurrence", "03_loss", "08_keras")  # a class among the answers, one that students read, Keras


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
    for name, exercise in exercises()[lesson.name].items():
        cell = lesson.cells[name]
        assert [answer.sentence for answer in cell.mistakes] == [mistake.sentence for mistake in exercise.mistakes]
        for answer in cell.mistakes:
            assert run_alone(answer.source, name) is exercise.mistakes[answer.number].solve
        assert [run_alone(answer.source, name) for answer in cell.styles] == list(exercise.styles)


def test_no_answer_says_what_is_wrong(lesson: Lesson) -> None:
    for cell in lesson.cells.values():
        for answer in (cell.solution, *cell.mistakes, *cell.styles):
            assert "### " not in answer.source
            assert not answer.sentence or answer.sentence not in answer.source


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
    kinds = Counter(answer.kind for student in drawn.students for answer in student.answers.values())
    assert min(kinds[kind] for kind in ("solution", "mistake", "style", "blank")) > 30
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
    full = {"log_softmax": 4.0, "sequence_cross_entropy": 5.0, "base_rate_loss": 3.0}
    full |= {"cross_entropy_gradient": 5.0, "binary_cross_entropy": 3.0}
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


@pytest.mark.parametrize("name", LESSONS)
def test_of_what_is_given_only_definitions_are_run(name: str, capsys) -> None:
    lesson = read_lesson(ROOT, name)
    drawn = draw(lesson, 1, 1)
    drawn.students[0].answers = {name: cell.blank for name, cell in lesson.cells.items()}
    assert set(expected_scores(drawn, SALT)["s001"].values()) == {0.0}
    assert capsys.readouterr().out == ""  # experiments print, definitions do not


def test_an_answer_that_calls_several_depends_on_each() -> None:
    lesson = read_lesson(ROOT, "01_recurrence")
    drawn = draw(lesson, 3, 1)
    for student, blank in zip(drawn.students, ("", "rnn_forward", "rnn_step"), strict=True):
        student.answers = {name: cell.blank if name == blank else cell.solution for name, cell in lesson.cells.items()}
    earned = [list(points.values()) for points in expected_scores(drawn, SALT).values()]
    assert earned == [
        [3, 5, 2, 2, 2, 2, 4],
        [3, 0, 2, 2, 2, 2, 1],
        [0, 0, 2, 2, 2, 2, 0],
    ]  # its step needs rnn_step only


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
