"""The wheel, installed in an empty environment, grades a plain nbgrader course that has delimiters of its own."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import Distribution, distribution
from pathlib import Path
from time import sleep

import pytest
from packaging.requirements import Requirement
from plain_course import ANSWERS, ASSIGNMENT, hand_in, make_course, run
from tiers import NIGHT

pytestmark = [pytest.mark.slow, pytest.mark.install]
PROJECT = Path(__file__).resolve().parent.parent
DUE = {student: points for student, (_, points) in ANSWERS.items()}
ADDRESSES = """\
from distributed import Client
client = Client({address!r}, timeout=60)
client.wait_for_workers(2, timeout=120)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it in a new environment, and return that environment's interpreter.

    By night pip installs what it depends on, by day that is copied from where these tests run.
    """
    wheels, environment = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("environment")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    source = shutil.copytree(PROJECT, wheels / "source")  # setuptools leaves a folder build/ beside what it builds
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, source], check=True)
    venv.create(environment, with_pip=False)
    interpreter = environment / "bin" / "python"
    (wheel,) = wheels.glob("*.whl")
    into = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", interpreter, "install", "--quiet"]
    if NIGHT:
        subprocess.run([*into, "-c", PROJECT.parent / "constraints.txt", f"{wheel}[cluster]"], check=True)
    else:
        subprocess.run([*into, "--no-deps", wheel], check=True)
        (installed,) = Distribution.discover(
            name="nbgrader-judge", path=[next(environment.glob("lib/*/site-packages"))]
        )
        copy_distributions(required_by(installed, {"", "cluster"}, {}), environment)
    return interpreter


Found = dict[tuple[str, ...], Distribution]


def required_by(one: Distribution, extras: set[str], found: Found) -> Found:
    """Return what a distribution requires, and what that requires, as it is where these tests run."""
    for requirement in map(Requirement, one.requires or []):
        needed = not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        key = (requirement.name, *sorted(requirement.extras))
        if needed and key not in found:
            found[key] = distribution(requirement.name)
            required_by(found[key], {"", *requirement.extras}, found)
    return found


def copy_distributions(found: Found, environment: Path) -> None:
    for source in {Path(os.path.normpath(file.locate())) for one in found.values() for file in one.files or []}:
        if source.is_file():
            target = environment / source.relative_to(sys.prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            if target.parent.name == "bin" and target.read_bytes().startswith(b"#!"):  # its first line names its Python
                program = target.read_bytes().partition(b"\n")[2]
                target.write_bytes(f"#!{environment}/bin/python\n".encode() + program)


@pytest.fixture(scope="module")
def course(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released assignment with its submissions."""
    folder = tmp_path_factory.mktemp("plain") / "course"
    make_course(folder)
    run(folder, python, "nbgrader", "generate_assignment", ASSIGNMENT)
    released = (folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text()
    assert "sum(xs)" not in released
    assert "my_tests" not in released
    hand_in(folder)
    return folder


def scores(course: Path, python: Path) -> dict[str, float]:
    run(course, python, "nbgrader", "export")
    with (course / "grades.csv").open(encoding="utf-8") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def test_nothing_of_another_course_is_installed(python: Path) -> None:
    names = ("tensorflow", "keras", "rnn_helpers", "autograde_tests", "rnn_course", "tools")
    code = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    assert subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_grades_in_parallel_in_the_sandbox_and_points_are_what_answers_are_worth(course, python) -> None:
    printed = run(course, python, "nbjudge", "grade", ASSIGNMENT, "--jobs", "2")
    assert f"{len(DUE)} submissions" in printed
    assert scores(course, python) == DUE
    graded = (course / "autograded" / "cy" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text()
    assert "LEAK" not in graded.replace("print('LEAK'", "")


def test_nbgraders_own_command_gives_the_same(course, python) -> None:
    run(course, python, "nbgrader", "autograde", ASSIGNMENT, "--force")
    assert scores(course, python) == DUE


def test_feedback_and_report_are_written_and_show_no_hidden_test(course, python) -> None:
    run(course, python, "nbgrader", "generate_feedback", ASSIGNMENT)
    pages = [course / "feedback" / name / ASSIGNMENT / f"{ASSIGNMENT}.html" for name in DUE]
    assert not [page for page in pages if "my_tests import" in page.read_text(encoding="utf-8")]
    run(course, python, "nbjudge", "report", ASSIGNMENT)
    report = (course / "report" / ASSIGNMENT / "report.html").read_text(encoding="utf-8")
    assert "AssertionError" in report
    assert all(name in report for name in DUE)


def test_the_doctor_finds_nothing_wrong(course, python) -> None:
    printed = run(course, python, "nbjudge", "doctor", ASSIGNMENT)
    assert "fail" not in printed.split()


def test_two_workers_of_a_dask_cluster_give_the_same(course, python, tmp_path) -> None:
    with dask_cluster(python, tmp_path, course) as address:
        run(course, python, "nbjudge", "grade", ASSIGNMENT, "--force", "--scheduler", address)
    assert scores(course, python) == DUE


@contextmanager
def dask_cluster(python: Path, folder: Path, course: Path) -> Iterator[str]:
    """Start a scheduler and two workers, which find the course's packages as the graders' machines would."""
    file = folder / "scheduler.json"
    dask = [python, "-m", "dask"]
    with ExitStack() as running:

        def start(*command: str) -> None:
            process = subprocess.Popen(
                [*dask, *command, "--no-dashboard", "--scheduler-file", file],
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(course), "HOME": str(folder)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            running.callback(process.wait)
            running.callback(process.kill)

        start("scheduler", "--port", "0", "--host", "127.0.0.1")
        while not file.is_file() or not file.read_text().endswith("}"):
            sleep(0.05)
        for number in range(2):
            start("worker", "--nthreads", "1", "--no-nanny", "--name", f"worker{number}", "--host", "127.0.0.1")
        address = subprocess.run(
            [python, "-c", f"import json; print(json.load(open({str(file)!r}))['address'])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        subprocess.run([python, "-c", ADDRESSES.format(address=address)], check=True)
        yield address
