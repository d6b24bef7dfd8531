"""Three students are graded in every lesson that test_nbgrader_cycle.py does not take, in a copy of the course.

What they hand in is put where `nbgrader collect` would put it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin
from nbgrader_course import nbgrader, scores_in, solve
from nbgrader_students import (
    SALT,
    SHORT,
    answers,
    course_for_them,
    due,
    healthy_canaries,
    possible,
    read_written_answers,
    unlike_the_committed,
)

pytestmark = pytest.mark.nbgrader


@dataclass(frozen=True)
class Graded:
    """A lesson in which everybody is graded, where, and what nbgrader said to it."""

    lesson: str
    course: Path
    said: str

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.course / 'gradebook.db'}")

    def scores(self) -> dict[str, float]:
        """Return {student: score} as `nbgrader export` writes it, without the seconds that a command takes to start."""
        file = self.course / "grades.csv"
        with self.gradebook() as gradebook:
            CsvExportPlugin(to=str(file), assignment=[self.lesson]).export(gradebook)
        return scores_in(file)


# The chosen mistakes leave nothing here: limit cases, which they get right, count only beside another check.
NOTHING_LEFT = ("00_start_here", "06_gradient_bound")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    return course_for_them(tmp_path_factory.mktemp("scores") / "course")


@pytest.fixture(scope="module", params=SHORT)
def lesson(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def graded(course, lesson) -> Graded:
    for student, cells in answers(lesson).items():
        folder = shutil.copytree(course / "lessons" / lesson, course / "submitted" / student / lesson)
        solve(folder / f"{lesson}.ipynb", cells)
    nbgrader(course, "generate_assignment", lesson)
    return Graded(lesson, course, nbgrader(course, "autograde", lesson, RNN_COURSE_SALT=SALT))


def test_exported_scores_are_full_zero_and_what_the_mistakes_leave(graded):
    wanted = due(graded.lesson)
    assert 0 <= wanted["mistaken"] < possible(graded.lesson)
    assert (wanted["mistaken"] == 0) == (graded.lesson in NOTHING_LEFT)
    assert graded.scores() == pytest.approx(wanted)


def test_a_written_answer_waits_for_a_human_whose_points_are_exported(graded):
    with graded.gradebook() as gradebook:
        given = read_written_answers(gradebook, graded.lesson)
    assert graded.scores()["solver"] == pytest.approx(possible(graded.lesson) + given)


def test_the_canaries_went_ahead(graded):
    assert healthy_canaries(graded.lesson) in graded.said


def test_what_nbgrader_generates_is_the_committed_lesson(graded):
    assert unlike_the_committed(graded.lesson, graded.course / "lessons" / graded.lesson) == []
