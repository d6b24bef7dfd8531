"""Run a class with simulated students, from the release of a lesson to its feedback, in a separate folder."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbjudge import CannotGrade, CourseSecret, join_names, load_settings, quote, temporary_env
from rnn_course.environment import SECRET
from tools.demo.answers import BLANK
from tools.demo.expected_scores import expected_scores
from tools.demo.simulated import SimulatedClass, require_sensible, simulate

NEEDED = ("nbgrader_config.py", "autograde_tests", "rnn_helpers")
LAST_LINES = 8  # of the output of a command that failed
# Kernels of submissions may read the known answers of the simulated students; in a real class the tests stay hidden.
READABLE = '\nc.SandboxProvisioner.packages.append(str(HERE / "autograde_tests"))\n'
NOT_PASSED_ON = (SECRET[0], "JUPYTER_CONFIG_PATH")  # they belong to the course that is copied

PrintStep = Callable[[str, str], None]  # (description, the equivalent command in a real class)


@dataclass
class DemoResult:
    """The outcome of a demo: its folder, the submissions, and the actual and expected score of each student."""

    folder: Path
    lesson: str
    drawn: SimulatedClass
    scores: dict[str, float]
    expected_scores: dict[str, float]
    report: Path | None = None

    @property
    def wrong(self) -> list[str]:
        """Return the students whose score differs from the expected one."""
        return [
            name for name, points in self.expected_scores.items() if abs(self.scores.get(name, -1.0) - points) > 1e-6
        ]

    @property
    def by_hand(self) -> int:
        """Return the number of answers that need manual grading."""
        names = [name for name, cell in self.drawn.lesson.cells.items() if cell.by_hand]
        return sum(student.answers[name].kind != BLANK for student in self.drawn.students for name in names)


def run_demo(course: Path, folder: Path, lesson: str, students: int, seed: int, print_step: PrintStep) -> DemoResult:
    """Run a class in `folder`, which must be new or empty.

    course: the folder to copy the course from
    print_step: called before each step
    Raises CannotGrade, with the reason, when a step fails.
    """
    folder = folder.resolve()
    require_sensible(students, seed)
    copy_course(course, folder, lesson)
    print_step(f"Copied lesson {lesson} and its tests to {folder}.", "")
    print_step(
        "Generate the version for students and add the lesson to the gradebook.",
        f"nbgrader generate_assignment {lesson}",
    )
    nbgrader(folder, "generate_assignment", lesson)
    if os.name != "nt":  # nbgrader's exchange does not work on Windows
        print_step("Release it, so that students can fetch it from exchange/.", f"nbgrader release_assignment {lesson}")
        nbgrader(folder, "release_assignment", lesson)
    print_step(f"Write the submissions of {students} simulated students to submitted/.", f"nbgrader collect {lesson}")
    drawn = simulate(folder, lesson, students, seed)
    print_step("Grade: first the canaries, then each submission in its sandbox.", f"rnn-course grade {lesson}")
    grade(folder, lesson)
    print_step("Write a page of feedback for each student.", f"nbgrader generate_feedback {lesson}")
    nbgrader(folder, "generate_feedback", lesson)
    print_step("Export the scores to grades.csv.", "nbgrader export")
    nbgrader(folder, "export")
    print_step("Evaluate every answer again without a notebook, and compare the scores.", "")
    salt = course_salt_of(folder)
    worth = {name: sum(points.values()) for name, points in expected_scores(drawn, salt).items()}
    result = DemoResult(folder, lesson, drawn, scores(folder), worth)
    result.report = _report(folder, lesson, print_step)
    return result


def copy_course(course: Path, folder: Path, lesson: str) -> None:
    """Copy one lesson and its tests. Raises CannotGrade when a file is missing or the folder is not empty."""
    sources = [course / name for name in NEEDED]
    lessons = sorted(path.name for path in (course / "solutions").glob("*") if path.is_dir())
    if lesson not in lessons:
        raise CannotGrade(
            f"There is no lesson {quote(lesson)} in {course / 'solutions'}; there is {join_names(lessons) or 'none'}."
        )
    if missing := [path.name for path in sources if not path.exists()]:
        raise CannotGrade(
            f"{course} has no {join_names(missing)}; expected a complete course. Name its folder, or clone it."
        )
    _make_empty(folder)
    pattern = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for path in [*sources, course / "solutions" / lesson]:
        target = folder / path.relative_to(course)
        if path.is_dir():
            shutil.copytree(path, target, ignore=pattern)
        else:
            shutil.copy(path, target)
    with (folder / NEEDED[0]).open("a", encoding="utf-8", newline="\n") as config:
        config.write(READABLE)


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if entries := sorted(path.name for path in folder.iterdir()):
            raise CannotGrade(
                f"{folder} is not empty: it holds {join_names(entries)}. Name a new folder with --folder."
            )
        (folder / ".gitignore").write_text("*\n", encoding="ascii")  # the folder may be inside a repository
    except OSError as error:
        way_out = "Name a folder that you can write with --folder."
        raise CannotGrade(f"The folder {folder} cannot be used ({error.strerror}). {way_out}") from error


def nbgrader(course: Path, *arguments: str) -> str:
    """Run a command of nbgrader in the course and return its output. Raises CannotGrade when it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    completed = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if completed.returncode:
        output = "\n".join(f"    {line}" for line in completed.stdout.strip().splitlines()[-LAST_LINES:])
        raise CannotGrade(f"`nbgrader {' '.join(arguments)}` failed in {course}. It printed:\n{output}")
    return completed.stdout


def grade(course: Path, lesson: str) -> None:
    """Grade all submissions of a lesson."""
    nbgrader(course, "autograde", lesson)


def scores(course: Path) -> dict[str, float]:
    """Return {student: score} from the file written by `nbgrader export`."""
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: float(row["score"] or 0) for row in csv.DictReader(file)}


def course_salt_of(course: Path) -> str:
    """Return the salt of the course, ignoring that of another course in the environment."""
    secret = CourseSecret(*SECRET)
    with temporary_env(**{secret.variable: None}):
        return secret.load(course)


def _report(course: Path, lesson: str, print_step: PrintStep) -> Path:
    """Write the class report and return its page."""
    from nbgrader.coursedir import CourseDirectory

    from nbjudge import write_report  # late: it imports Matplotlib

    print_step("Write the class report, which shows what the class did not understand.", f"rnn-course report {lesson}")
    folder = course / "report" / lesson
    write_report(CourseDirectory(config=load_settings(course)), lesson, folder)
    return folder / "report.html"
