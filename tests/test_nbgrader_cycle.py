"""Three students through all of nbgrader's commands, for every lesson, in a copy of the course.

One hands in the solution, one the blank lesson, one a known mistake in every exercise. nbgrader takes a
student's name from the account on the machine; `submit --student` says another, and each student has an own
cache of submissions, as on an own machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader_course import ROOT, copy_course, nbgrader, scores, solve

from autograde_tests import exercises
from autograde_tests.grading import report_on

LESSONS = sorted(folder.name for folder in (ROOT / "solutions").glob("*") if folder.is_dir())
SALT = "the salt of these tests"  # the same here and in nbgrader's kernels, so that both draw the same inputs
STUDENTS = ("solver", "blank", "mistaken")

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


def solution_cells(cycle: Cycle) -> dict[str, str]:
    cells = nbformat.read(cycle.notebook("solutions"), as_version=4).cells
    known = [(cell.metadata.get("nbgrader", {}), cell.source) for cell in cells]
    return {settings["grade_id"]: source for settings, source in known if settings.get("solution")}


def chosen_mistakes(lesson: str) -> dict[str, int]:
    """Return {exercise: number of its mistake}, another number for each, so that many kinds are tried."""
    return {name: i % len(exercise.mistakes) for i, (name, exercise) in enumerate(exercises()[lesson].items())}


def mistaken_cells(lesson: str) -> dict[str, str]:
    """Return cells that fetch a known mistake; what its code looks like does not matter to the grading."""
    source = (
        "from autograde_tests import find\n{name} = find({name!r}).mistakes[{number}].solve\n{name}.__name__ = {name!r}"
    )
    return {name: source.format(name=name, number=number) for name, number in chosen_mistakes(lesson).items()}


def points_left(lesson: str) -> float:
    """Return what the chosen mistakes earn when they are judged without any notebook."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_COURSE_SALT", SALT)
        chosen = chosen_mistakes(lesson).items()
        return sum(report_on(exercises()[lesson][name].mistakes[number].solve, name).points for name, number in chosen)


def possible(lesson: str) -> float:
    return sum(exercise.points for exercise in exercises()[lesson].values())


def written_points(cycle: Cycle) -> dict[str, float]:
    """Return {grade_id: points} of the answers that a human reads."""
    cells = [
        cell.metadata.get("nbgrader", {}) for cell in nbformat.read(cycle.notebook("solutions"), as_version=4).cells
    ]
    return {cell["grade_id"]: cell["points"] for cell in cells if cell.get("grade") and cell.get("solution")}


@pytest.fixture(scope="module", params=LESSONS)
def cycle(request, tmp_path_factory) -> Cycle:
    cycle = Cycle(request.param, copy_course(tmp_path_factory.mktemp("cycle") / "course"))
    answers = {"solver": solution_cells(cycle), "blank": {}, "mistaken": mistaken_cells(cycle.lesson)}
    cycle.run("generate_assignment")
    cycle.run("release_assignment")
    for student in STUDENTS:
        with cycle.as_student(student) as own:
            cycle.run("fetch_assignment", **own)
            solve(cycle.notebook("work"), answers[student])
            cycle.run("submit", f"--student={student}", **own)
    for command in ("collect", "autograde", "generate_feedback", "release_feedback"):
        cycle.run(command)
    with cycle.as_student("mistaken") as own:
        cycle.run("fetch_feedback", **own)
    return cycle


def test_there_are_lessons():
    assert LESSONS, "solutions/ is empty: run `make build`"


def test_exported_scores_are_full_zero_and_what_the_mistakes_leave(cycle):
    left = points_left(cycle.lesson)
    assert 0 < left < possible(cycle.lesson)
    assert scores(cycle.course) == pytest.approx({"solver": possible(cycle.lesson), "blank": 0, "mistaken": left})


def test_a_written_answer_waits_for_a_human_whose_points_are_exported(cycle):
    """Give each written answer half its points in the gradebook, as formgrader does, and export again."""
    written = written_points(cycle)
    with Gradebook(f"sqlite:///{cycle.course / 'gradebook.db'}") as gradebook:
        for name, points in written.items():
            grade = gradebook.find_grade(name, cycle.lesson, cycle.lesson, "solver")
            assert grade.needs_manual_grade
            grade.manual_score, grade.needs_manual_grade = points / 2, False
        gradebook.db.commit()
    total = possible(cycle.lesson) + sum(written.values()) / 2
    assert scores(cycle.course)["solver"] == pytest.approx(total)


def test_the_canaries_went_ahead(cycle):
    points = f"{possible(cycle.lesson):g}"
    assert f"canaries of {cycle.lesson}: solution {points}/{points}, blank 0/{points}" in cycle.said["autograde"]


def test_what_is_released_is_the_committed_lesson(cycle):
    committed = ROOT / "lessons" / cycle.lesson
    for file in (path for path in committed.rglob("*") if path.is_file()):
        outbound = cycle.course / "exchange" / "rnn" / "outbound" / cycle.lesson / file.relative_to(committed)
        assert outbound.read_bytes() == file.read_bytes()


def test_there_is_feedback_on_every_exercise_and_the_student_receives_it(cycle):
    (received,) = cycle.notebook(".home/mistaken").parent.glob(f"feedback/*/{cycle.lesson}.html")
    pages = [cycle.course / "feedback" / student / cycle.lesson / received.name for student in STUDENTS]
    for page in [received, *pages]:
        text = page.read_text(encoding="utf-8")
        assert [name for name in exercises()[cycle.lesson] if f"{name}_test" not in text] == []


@pytest.mark.parametrize(("student", "failed"), [("solver", False), ("blank", True)])
def test_validate_passes_the_solution_and_names_every_blank_exercise(cycle, student, failed):
    said = nbgrader(cycle.course, "validate", str(cycle.notebook(f".home/{student}")))
    blank = len(exercises()[cycle.lesson]) + len(written_points(cycle))
    expected = f"VALIDATION FAILED ON {blank} CELL(S)" if failed else "Success!"
    assert expected in said


def test_a_hidden_test_that_cannot_be_imported_stops_the_grading(cycle, tmp_path):
    course = shutil.copytree(cycle.course, tmp_path / "course")
    with (course / "autograde_tests" / "grading.py").open("a") as tests:
        tests.write("\nimport nowhere\n")
    said = nbgrader(course, "autograde", cycle.lesson, "--force", fails=True)
    assert "ModuleNotFoundError: No module named 'nowhere'" in said
    assert [name for name in exercises()[cycle.lesson] if f"canary-solution, {name}_test: 0 of" not in said] == []
