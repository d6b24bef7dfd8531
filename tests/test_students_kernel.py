"""What a lesson says where the course is not installed, or is older than the lesson: at home, and on a JupyterHub."""

from __future__ import annotations

import sys

import pytest
from lesson_code import LESSONS, notebook

from rnn_helpers import CheckFailed, check, environment


@pytest.mark.parametrize("lesson", LESSONS)
def test_without_the_course_the_first_cell_says_what_to_do_at_home_and_on_a_hub(lesson, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rnn_helpers", None)  # importing it raises ModuleNotFoundError
    first = next(cell for cell in notebook("lessons", lesson).cells if cell.cell_type == "code")
    with pytest.raises(
        ModuleNotFoundError, match="`make lab`.*On a JupyterHub, ask your instructor to install rnn-course"
    ):
        exec(first.source, {})


@pytest.mark.parametrize(
    ("hub", "way_out"),
    [(False, "get the new version and run `make lab`."), (True, "ask your instructor to update it.")],
)
def test_a_lesson_that_is_newer_than_the_course_is_told(monkeypatch, hub: bool, way_out: str) -> None:
    def exercise_of_tomorrow():
        pass

    monkeypatch.setenv("JUPYTERHUB_USER", "ada") if hub else monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    monkeypatch.setattr(environment, "version", lambda package: "1.2.3")
    with pytest.raises(CheckFailed) as failure:
        check(exercise_of_tomorrow)
    said = str(failure.value)
    assert said.startswith("There is no exercise called 'exercise_of_tomorrow'.")
    newer = "If the lesson asks for exercise_of_tomorrow, it is newer than the installed rnn-course 1.2.3: "
    assert said.endswith(newer + way_out)


@pytest.mark.parametrize(("hub", "way_out"), [(False, "Run `make lab`"), (True, "Ask your instructor to install")])
def test_a_missing_package_is_the_instructors_to_install_on_a_hub(monkeypatch, capsys, hub: bool, way_out: str) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada") if hub else monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    monkeypatch.setattr(environment, "REQUIRED", ("numpy", "no-such-package"))
    assert not environment.check_environment()
    assert capsys.readouterr().out.splitlines()[-1].startswith(way_out)
