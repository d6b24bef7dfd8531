"""Three students, for the tests of every lesson: what each hands in, and what it should earn.

One hands in the solution, one the blank lesson, one a known mistake in every exercise.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lesson_code import notebook
from nbgrader.api import Gradebook
from nbgrader_course import ROOT, copy_course

from autograde_tests import exercises
from autograde_tests.grade_answer import report_on
from tools.demo.answers import KNOWN
from tools.demo.cycle import READABLE

LESSONS = sorted(folder.name for folder in (ROOT / "solutions").glob("*") if folder.is_dir())
SALT = "the salt of these tests"  # the same here and in nbgrader's kernels, so that both draw the same inputs
STUDENTS = ("solver", "blank", "mistaken")


# --- what they hand in


def answers(lesson: str) -> dict[str, dict[str, str]]:
    """Return {student: {grade_id: source}}; what is not named there stays as the lesson has it."""
    return {"solver": solution_cells(lesson), "blank": {}, "mistaken": mistaken_cells(lesson)}


def solution_cells(lesson: str) -> dict[str, str]:
    known = [(cell.metadata.get("nbgrader", {}), cell.source) for cell in notebook("solutions", lesson).cells]
    return {settings["grade_id"]: source for settings, source in known if settings.get("solution")}


def chosen_mistakes(lesson: str) -> dict[str, int]:
    """Return {exercise: number of its mistake}, another number for each, so that many kinds are tried."""
    return {name: i % len(exercise.mistakes) for i, (name, exercise) in enumerate(exercises()[lesson].items())}


def mistaken_cells(lesson: str) -> dict[str, str]:
    """Return cells that fetch a known mistake; what its code looks like does not matter to the grading."""
    chosen = chosen_mistakes(lesson).items()
    return {name: KNOWN.format(name=name, answer=f"mistakes[{number}].solve") for name, number in chosen}


def course_for_them(target: Path) -> Path:
    """Copy this course; there, kernels of submissions may read what the mistaken student imports."""
    course = copy_course(target)
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as settings:
        settings.write(READABLE)
    return course


# --- what they earn


def due(lesson: str) -> dict[str, float]:
    """Return {student: score} before a human has read anything."""
    return {"solver": possible(lesson), "blank": 0, "mistaken": points_left(lesson)}


def possible(lesson: str) -> float:
    return sum(exercise.points for exercise in exercises()[lesson].values())


def points_left(lesson: str) -> float:
    """Return what the chosen mistakes earn when they are judged without any notebook."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_COURSE_SALT", SALT)
        chosen = chosen_mistakes(lesson).items()
        return sum(report_on(exercises()[lesson][name].mistakes[number].solve, name).points for name, number in chosen)


def healthy_canaries(lesson: str) -> str:
    """Return what autograde says before it grades anyone."""
    points = f"{possible(lesson):g}"
    return f"canaries of {lesson}: solution {points}/{points}, blank 0/{points}"


def written_points(lesson: str) -> dict[str, float]:
    """Return {grade_id: points} of the answers that a human reads."""
    cells = [cell.metadata.get("nbgrader", {}) for cell in notebook("solutions", lesson).cells]
    return {cell["grade_id"]: cell["points"] for cell in cells if cell.get("grade") and cell.get("solution")}


def read_written_answers(gradebook: Gradebook, lesson: str) -> float:
    """Give each of the solver's written answers half its points, as formgrader does; return their sum.

    Each must have been waiting for it.
    """
    halves = {name: points / 2 for name, points in written_points(lesson).items()}
    for name, half in halves.items():
        grade = gradebook.find_grade(name, lesson, lesson, "solver")
        assert grade.needs_manual_grade, f"{name} does not wait for a human"
        grade.manual_score, grade.needs_manual_grade = half, False
    gradebook.db.commit()
    return sum(halves.values())


# --- which lesson goes through every command, and what nbgrader makes of each


def loads_keras(lesson: str) -> bool:
    code = [cell.source for cell in notebook("solutions", lesson).cells if cell.cell_type == "code"]
    return any("import keras" in source for source in code)


def cycle_lesson() -> str:
    """Return the last lesson that loads Keras, slow to start and loud on stderr, and has an answer for a human."""
    return [lesson for lesson in LESSONS if loads_keras(lesson) and written_points(lesson)][-1]


def unlike_the_committed(lesson: str, folder: Path) -> list[str]:
    """Return the files of the committed lesson that differ in `folder` or are missing there."""
    committed = ROOT / "lessons" / lesson
    names = [path.relative_to(committed) for path in committed.rglob("*") if path.is_file()]
    assert names, f"{committed} is empty: run `make build`"
    made = [name for name in names if (folder / name).is_file()]
    same = [name for name in made if (folder / name).read_bytes() == (committed / name).read_bytes()]
    return [str(name) for name in names if name not in same]
