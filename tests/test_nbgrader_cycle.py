"""Three students through all of nbgrader's commands, in one lesson and in a copy of the course.

nbgrader_students.py says who the students are and which lesson it is; test_nbgrader_scores.py grades the others.
nbgrader takes a student's name from the account on the machine; `submit --student` says another, and each student
has an own cache of submissions, as on an own machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader_course import nbgrader, scores, solve
from nbgrader_students import (
    SALT,
    STUDENTS,
    answers,
    course_for_them,
    cycle_lesson,
    due,
    healthy_canaries,
    possible,
    read_written_answers,
    unlike_the_committed,
    written_points,
)

from autograde_tests import exercises

pytestmark = pytest.mark.nbgrader


@dataclass
class Cycle:
    """One lesson's class: where it was held, and what nbgrader said at each command."""

    lesson: str
    course: Path
    said: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, *options: str, **variables: str) -> None:
        self.said[command] = nbgrader(self.course, command, self.lesson, *options, RNN_COURSE_SALT=SALT, **variables)

    def notebook(self, folder: str) -> Path:
        return self.course / folder / self.lesson / f"{self.lesson}.ipynb"

    @contextmanager
    def as_student(self, name: str) -> Iterator[dict[str, str]]:
        """Put the student's copy of the lesson into work/, when there is one; yield the student's environment."""
        desk, own = self.course / "work" / self.lesson, self.course / ".home" / name / self.lesson
        if own.exists():
            own.rename(desk)
        yield {"JUPYTER_DATA_DIR": str(own.parent)}
        own.parent.mkdir(parents=True, exist_ok=True)
        desk.rename(own)


@pytest.fixture(scope="module")
def cycle(tmp_path_factory) -> Cycle:
    cycle = Cycle(cycle_lesson(), course_for_them(tmp_path_factory.mktemp("cycle") / "course"))
    cycle.run("generate_assignment")
    cycle.run("release_assignment")
    for student, cells in answers(cycle.lesson).items():
        with cycle.as_student(student) as own:
            cycle.run("fetch_assignment", **own)
            solve(cycle.notebook("work"), cells)
            cycle.run("submit", f"--student={student}", **own)
    for command in ("collect", "autograde", "generate_feedback", "release_feedback"):
        cycle.run(command)
    with cycle.as_student("mistaken") as own:
        cycle.run("fetch_feedback", **own)
    return cycle


def test_exported_scores_are_full_zero_and_what_the_mistakes_leave(cycle):
    wanted = due(cycle.lesson)
    assert 0 < wanted["mistaken"] < possible(cycle.lesson)
    assert scores(cycle.course) == pytest.approx(wanted)


def test_a_written_answer_waits_for_a_human_whose_points_are_exported(cycle):
    with Gradebook(f"sqlite:///{cycle.course / 'gradebook.db'}") as gradebook:
        given = read_written_answers(gradebook, cycle.lesson)
    assert scores(cycle.course)["solver"] == pytest.approx(possible(cycle.lesson) + given)


def test_the_canaries_went_ahead(cycle):
    assert healthy_canaries(cycle.lesson) in cycle.said["autograde"]


def test_what_is_released_is_the_committed_lesson(cycle):
    outbound = cycle.course / "exchange" / "rnn" / "outbound" / cycle.lesson
    assert unlike_the_committed(cycle.lesson, outbound) == []


@pytest.mark.skipif(os.name != "posix", reason="has no permission bits")
def test_others_can_read_what_is_released_and_nothing_else(cycle):
    exchange = cycle.course / "exchange" / "rnn"
    released = exchange / "outbound" / cycle.lesson
    assert [path for path in (released, *released.rglob("*")) if not path.stat().st_mode & stat.S_IROTH] == []
    pages = list((exchange / "feedback").rglob("*.html"))
    assert pages
    assert [page for page in pages if not page.stat().st_mode & stat.S_IROTH] == []
    for name in ("gradebook.db", "submitted", "autograded", "feedback"):
        assert stat.S_IMODE((cycle.course / name).stat().st_mode) & 0o077 == 0, name


def test_there_is_feedback_on_every_exercise_and_the_student_receives_it(cycle):
    (received,) = cycle.notebook(".home/mistaken").parent.glob(f"feedback/*/{cycle.lesson}.html")
    pages = [cycle.course / "feedback" / student / cycle.lesson / received.name for student in STUDENTS]
    for page in [received, *pages]:
        text = page.read_text(encoding="utf-8")
        assert [name for name in exercises()[cycle.lesson] if f"<code>{name}</code></a>" not in text] == []


@pytest.mark.parametrize(("student", "failed"), [("solver", False), ("blank", True)])
def test_validate_passes_the_solution_and_names_every_blank_exercise(cycle, student, failed):
    said = nbgrader(cycle.course, "validate", str(cycle.notebook(f".home/{student}")))
    blank = len(exercises()[cycle.lesson]) + len(written_points(cycle.lesson))
    expected = f"VALIDATION FAILED ON {blank} CELL(S)" if failed else "Success!"
    assert expected in said
