"""Three students are graded in every lesson but that of test_nbgrader_cycle.py, in one run and in a copy of the course.

What they hand in is put where `nbgrader collect` would put it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin
from nbgrader_course import nbgrader, scores_in, solve
from nbgrader_students import (
    LESSONS,
    SALT,
    answers,
    course_for_them,
    cycle_lesson,
    due,
    healthy_canaries,
    possible,
    read_written_answers,
    unlike_the_committed,
)

from autograde_tests import exercises

HOUR = 3600  # the one run takes minutes, and many more on a machine that does something else as well
pytestmark = [pytest.mark.nbgrader, pytest.mark.timeout(HOUR)]

GRADED = [lesson for lesson in LESSONS if lesson != cycle_lesson()]
# The chosen mistakes leave nothing here: limit cases, which they get right, count only beside another check.
NOTHING_LEFT = ["00_start_here", "06_gradient_bound"]


@dataclass(frozen=True)
class Graded:
    """Where everybody is graded in every lesson, and what nbgrader said to it."""

    course: Path
    said: str

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.course / 'gradebook.db'}")

    def scores(self, lesson: str) -> dict[str, float]:
        """Return {student: score} as `nbgrader export` writes it, without the seconds that a command takes to start."""
        file = self.course / "grades.csv"
        with self.gradebook() as gradebook:
            CsvExportPlugin(to=str(file), assignment=[lesson]).export(gradebook)
        return scores_in(file)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    course = course_for_them(tmp_path_factory.mktemp("scores") / "course")
    for lesson in GRADED:
        for student, cells in answers(lesson).items():
            folder = shutil.copytree(course / "lessons" / lesson, course / "submitted" / student / lesson)
            solve(folder / f"{lesson}.ipynb", cells)
    nbgrader(course, "generate_assignment", "*")
    return Graded(course, nbgrader(course, "autograde", "*", timeout_s=HOUR, RNN_COURSE_SALT=SALT))


def of_each(result: Callable[[str], Any]) -> dict[str, Any]:
    return {lesson: result(lesson) for lesson in GRADED}


def test_exported_scores_are_full_zero_and_what_the_mistakes_leave(graded: Graded) -> None:
    wanted = of_each(due)
    assert of_each(graded.scores) == of_each(lambda lesson: pytest.approx(wanted[lesson]))
    assert [lesson for lesson in GRADED if not 0 <= wanted[lesson]["mistaken"] < possible(lesson)] == []
    assert [lesson for lesson in GRADED if wanted[lesson]["mistaken"] == 0] == NOTHING_LEFT


def test_a_written_answer_waits_for_a_human_whose_points_are_exported(graded: Graded) -> None:
    with graded.gradebook() as gradebook:
        read = of_each(lambda lesson: read_written_answers(gradebook, lesson))
    solved = of_each(lambda lesson: graded.scores(lesson)["solver"])
    assert solved == pytest.approx(of_each(lambda lesson: possible(lesson) + read[lesson]))


def test_the_canaries_went_ahead(graded: Graded) -> None:
    assert [lesson for lesson in GRADED if healthy_canaries(lesson) not in graded.said] == []


def test_what_nbgrader_generates_is_the_committed_lesson(graded: Graded) -> None:
    unlike = {lesson: unlike_the_committed(lesson, graded.course / "lessons" / lesson) for lesson in LESSONS}
    assert unlike == dict.fromkeys(LESSONS, [])


def test_a_hidden_test_that_cannot_be_imported_stops_the_grading(graded: Graded, tmp_path: Path) -> None:
    lesson = GRADED[1]  # with several exercises, and without Keras it takes seconds
    course = shutil.copytree(graded.course, tmp_path / "course")
    with (course / "autograde_tests" / "grade_answer.py").open("a") as tests:
        tests.write("\nimport nowhere\n")
    said = nbgrader(course, "autograde", lesson, "--force", fails=True)
    assert "ModuleNotFoundError: No module named 'nowhere'" in said
    assert [name for name in exercises()[lesson] if f"canary-solution, {name}_test: 0 of" not in said] == []
