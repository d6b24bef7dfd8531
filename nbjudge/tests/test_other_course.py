"""A course with delimiters and packages of its own is graded by its own settings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbgrader_course import ROOT, nbgrader, scores, surroundings
from tiny_course import LESSON, cell, release, submit
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from nbjudge.errors import CannotGrade
from nbjudge.execution.dask_workers import LIBRARIES, ClusterWorkers, course_packages, installed
from nbjudge.intake.expected_cells import ExpectedCell, expected_cells, hidden_delimiters

DELIMITERS = """
c.ClearHiddenTests.begin_test_delimeter = "VVVV SECRET"
c.ClearHiddenTests.end_test_delimeter = "^^^^ SECRET"
c.ClearMarkScheme.begin_mark_scheme_delimeter = "VVVV SCHEME"
c.ClearMarkScheme.end_mark_scheme_delimeter = "^^^^ SCHEME"
"""
SETTINGS = (ROOT / "nbgrader_config.py").read_text() + DELIMITERS
SECRET = "assert double(7) == 14  # only the gradebook has this line"
RIGHT = {"double": "def double(x):\n    return 2 * x"}


def config(**settings: object) -> Config:
    return Config(settings)


def test_without_settings_the_delimiters_are_nbgraders():
    assert hidden_delimiters(Config()) == ExpectedCell("", "test", "code", 1, "", True).hidden


def test_each_delimiter_may_be_set_alone():
    found = hidden_delimiters(config(ClearHiddenTests={"begin_test_delimeter": "A"}, ClearMarkScheme={}))
    assert found == (("A", "END HIDDEN TESTS"), ("BEGIN MARK SCHEME", "END MARK SCHEME"))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade an honest student of a course that hides its tests between delimiters of its own."""
    test = f"assert double(2) == 4\n### VVVV SECRET\n{SECRET}\n### ^^^^ SECRET\nassert double(3) == 6"
    task = cell(
        "question",
        "Explain it.\n\n### VVVV SCHEME\nTwo points for why.\n### ^^^^ SCHEME",
        task=True,
        locked=True,
        points=2,
    )
    task.cell_type = "markdown"
    del task["outputs"], task["execution_count"]
    cells = [
        cell("double", "### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION", solution=True),
        cell("double_test", test, grade=True, locked=True, points=4),
        task,
    ]
    folder = tmp_path_factory.mktemp("other") / "course"
    release(folder, cells, settings=SETTINGS)
    submit(folder, "ada", **RIGHT)
    submit(folder, "blank")
    return folder


@pytest.mark.nbgrader
def test_an_honest_student_is_not_told_that_locked_cells_were_changed(course):
    said = nbgrader(course, "autograde", LESSON)
    assert "repaired" not in said, said
    assert scores(course) == {"ada": 4, "blank": 0}


@pytest.mark.nbgrader
def test_what_is_released_is_what_nbgrader_released(course):
    settings = config(**settings_of(course))
    expected = expected_cells(f"sqlite:///{course}/gradebook.db", LESSON, settings)[LESSON]
    notebook = json.loads((course / "lessons" / LESSON / f"{LESSON}.ipynb").read_text())
    released = {one["metadata"]["nbgrader"]["grade_id"]: "".join(one["source"]) for one in notebook["cells"]}
    assert {one.name: one.released for one in expected if one.locked or one.kind == "task"} == {
        name: text for name, text in released.items() if name != "double"
    }
    assert SECRET not in released["double_test"]


def settings_of(course: Path) -> dict[str, dict[str, str]]:
    names = ("ClearHiddenTests", "ClearMarkScheme")
    program = (
        "import json; from traitlets.config import PyFileConfigLoader; "
        "c = PyFileConfigLoader('nbgrader_config.py').load_config(); "
        f"print(json.dumps({{name: c[name] for name in {names}}}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=course, env=surroundings(course), capture_output=True, encoding="utf-8"
    )
    return json.loads(ended.stdout)


@pytest.mark.nbgrader
def test_no_feedback_shows_what_stands_between_its_delimiters(course):
    nbgrader(course, "generate_feedback", LESSON, "--force")
    page = (course / "feedback" / "ada" / LESSON / f"{LESSON}.html").read_text()
    assert "only the gradebook" not in page


# --- the packages that all machines of a cluster must have


def test_the_packages_are_those_that_the_settings_name():
    added = LazyConfigValue()
    added.append("their_tests")
    settings = config(SandboxProvisioner={"packages": ["/course/helpers"], "hidden": added})
    assert course_packages(settings) == ["/course/helpers", "their_tests"]
    assert course_packages(Config()) == []


def test_a_package_counts_by_what_is_in_it_wherever_it_is(tmp_path, monkeypatch):
    for place in ("here", "there"):
        (tmp_path / place / "helpers").mkdir(parents=True)
        (tmp_path / place / "helpers" / "__init__.py").write_text("x = 1\n")
    here = installed([str(tmp_path / "here" / "helpers")])
    monkeypatch.syspath_prepend(tmp_path / "there")
    assert installed(["/nowhere/helpers"]) == here
    (tmp_path / "there" / "helpers" / "__init__.py").write_text("x = 2\n")
    assert installed(["/nowhere/helpers"])["helpers"] != here["helpers"]


def test_libraries_and_packages_that_are_not_here_are_not_asked_for():
    libraries = ("numpy", "no-such-library")
    assert sorted(installed(["no_such_package", "nbjudge"], libraries)) == ["nbjudge", "numpy", "python"]


def workers(found: dict[str, str]) -> ClusterWorkers:
    """Return what asks a cluster of one worker, without the cluster."""
    made = ClusterWorkers.__new__(ClusterWorkers)
    made._client = SimpleNamespace(run=lambda function, packages, libraries: {"tcp://worker": found})
    return made


@pytest.mark.parametrize("changed", [{"numpy": "0.1"}, {"numpy": None}, {"nbjudge": "other"}])
def test_a_worker_that_differs_is_named(changed):
    here = installed(["nbjudge"])
    there = {name: version for name, version in {**here, **changed}.items() if version}
    with pytest.raises(CannotGrade, match=f"The worker tcp://worker has {next(iter(changed))} "):
        workers(there)._require_same(["nbjudge"], LIBRARIES)


def test_a_worker_may_have_more():
    here = installed(["nbjudge"])
    workers({**here, "another-library": "9", "rnn_helpers": "x"})._require_same(["nbjudge"], LIBRARIES)
