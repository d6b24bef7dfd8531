"""A whole class from the release of a lesson to its feedback, in a folder of its own and with simulated students."""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbjudge.environment import temporary_env
from nbjudge.errors import CannotGrade
from nbjudge.text import join_names, quote
from rnn_course.environment import SECRET
from tools.demo.answers import BLANK
from tools.demo.expected_scores import due
from tools.demo.simulated import SimulatedClass, require_sensible, simulate

NEEDED = ("nbgrader_config.py", "autograde_tests", "rnn_helpers")
LAST_LINES = 8  # of what a command printed before it failed
NOT_PASSED_ON = (
    SECRET.variable,
    "JUPYTER_CONFIG_PATH",
)  # of the course that is copied

Say = Callable[[str, str], None]  # (what is done now, the command that does the same in a real class)


@dataclass
class Held:
    """A class that was held: where it is, who handed in what, and what each student scored and should have scored."""

    folder: Path
    lesson: str
    drawn: SimulatedClass
    scores: dict[str, float]
    due: dict[str, float]
    report: Path | None = None

    @property
    def wrong(self) -> list[str]:
        """Return the students whose score is not what their answers are worth."""
        return [name for name, points in self.due.items() if abs(self.scores.get(name, -1.0) - points) > 1e-6]

    @property
    def by_hand(self) -> int:
        """Return how many answers wait for a human."""
        names = [name for name, cell in self.drawn.lesson.cells.items() if cell.by_hand]
        return sum(student.answers[name].kind != BLANK for student in self.drawn.students for name in names)


def hold(course: Path, folder: Path, lesson: str, students: int, seed: int, say: Say) -> Held:
    """Hold a class in `folder`, which must be empty or not there yet.

    course: the folder to copy what is needed from
    say: called before each step
    Raises CannotGrade when a step cannot be done, and says why.
    """
    folder = folder.resolve()
    require_sensible(students, seed)
    copy_course(course, folder, lesson)
    say(f"What lesson {lesson} needs was copied into {folder}.", "")
    say("Generate the version for students; the lesson enters the gradebook.", f"nbgrader generate_assignment {lesson}")
    nbgrader(folder, "generate_assignment", lesson)
    if os.name != "nt":  # nbgrader's exchange does not work on Windows
        say("Release it: students can fetch it from exchange/.", f"nbgrader release_assignment {lesson}")
        nbgrader(folder, "release_assignment", lesson)
    say(f"{students} simulated students hand in, into submitted/.", f"nbgrader collect {lesson}")
    drawn = simulate(folder, lesson, students, seed)
    say("Grade: first the canaries, then each submission in its box.", f"rnn-course grade {lesson}")
    grade(folder, lesson)
    say("Write a page of feedback for each student.", f"nbgrader generate_feedback {lesson}")
    nbgrader(folder, "generate_feedback", lesson)
    say("Export the scores to grades.csv.", "nbgrader export")
    nbgrader(folder, "export")
    say("Judge every answer once more without any notebook, and compare the scores.", "")
    salt = course_salt_of(folder)
    worth = {name: sum(points.values()) for name, points in due(drawn, salt).items()}
    held = Held(folder, lesson, drawn, scores(folder), worth)
    held.report = _report(folder, lesson, say)
    return held


def copy_course(course: Path, folder: Path, lesson: str) -> None:
    """Copy one lesson and what grades it. Raises CannotGrade when something is missing or in the way."""
    wanted = [course / name for name in NEEDED]
    known = sorted(path.name for path in (course / "solutions").glob("*") if path.is_dir())
    if lesson not in known:
        raise CannotGrade(
            f"There is no lesson {quote(lesson)} in {course / 'solutions'}; there is {join_names(known) or 'none'}."
        )
    if missing := [path.name for path in wanted if not path.exists()]:
        raise CannotGrade(
            f"{course} has no {join_names(missing)}; expected a whole course. Say where it is, or clone it."
        )
    _make_empty(folder)
    pattern = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for path in [*wanted, course / "solutions" / lesson]:
        target = folder / path.relative_to(course)
        if path.is_dir():
            shutil.copytree(path, target, ignore=pattern)
        else:
            shutil.copy(path, target)


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if found := sorted(path.name for path in folder.iterdir()):
            what = f"{join_names(found)}"
            raise CannotGrade(f"{folder} is not empty: it holds {what}. Name a new folder with --folder.")
        (folder / ".gitignore").write_text("*\n", encoding="ascii")  # it may stand inside somebody's repository
    except OSError as error:
        way_out = "Name a folder that you can write with --folder."
        raise CannotGrade(f"The folder {folder} cannot be used ({error.strerror}). {way_out}") from error


def nbgrader(course: Path, *arguments: str) -> str:
    """Run one of nbgrader's commands in the course and return what it printed. Raises CannotGrade when it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    ended = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if ended.returncode:
        said = "\n".join(f"    {line}" for line in ended.stdout.strip().splitlines()[-LAST_LINES:])
        raise CannotGrade(f"`nbgrader {' '.join(arguments)}` failed in {course}. It printed:\n{said}")
    return ended.stdout


def grade(course: Path, lesson: str) -> None:
    """Grade all submissions of a lesson."""
    nbgrader(course, "autograde", lesson)


def scores(course: Path) -> dict[str, float]:
    """Return {student: score} from the file that `nbgrader export` wrote."""
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: float(row["score"] or 0) for row in csv.DictReader(file)}


def course_salt_of(course: Path) -> str:
    """Return the salt that the course was graded with, whatever another course has in the environment."""
    with temporary_env(**{SECRET.variable: None}):
        return SECRET.load(course)


def _report(course: Path, lesson: str, say: Say) -> Path | None:
    """Write the class report where this version of the course can."""
    if importlib.util.find_spec("nbjudge.report") is None:
        return None
    from nbgrader.coursedir import CourseDirectory

    from nbjudge.autograde.canary_run import settings_without_hooks

    say("Write the class report: what the class did not understand.", f"rnn-course report {lesson}")
    module = importlib.import_module("nbjudge.report")
    folder = course / "report" / lesson
    module.write_report(CourseDirectory(config=settings_without_hooks(course)), lesson, folder)
    return folder / "report.html"
