"""Canaries that passed are remembered until anything that can change their scores changes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from graded_class import RIGHT, rnn_course, said
from nbgrader_course import nbgrader
from tiny_course import LESSON, make_course, submit

from nbjudge.autograde import canaries, canary_fingerprint
from nbjudge.autograde.canary_cache import FILE, CanaryCache, PassedCanaries
from nbjudge.autograde.canary_policy import DEFAULT, CanaryPolicy
from nbjudge.autograde.canary_run import BLANK, SOLUTION, Score
from nbjudge.errors import CannotGrade
from nbjudge.execution.preprocessor import Run
from nbjudge.execution.settings import ReferenceRun
from nbjudge.forkserver.preload import preload, preloaded_modules

JUDGE = "judge"
PASSED = [Score(SOLUTION, "double_test", 4.0, 4.0, ""), Score(BLANK, "double_test", 0.0, 4.0, "")]


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch):
    """Reading nbgrader_config.py changes the environment of the process; no other test should see that."""
    before, modules = dict(os.environ), preloaded_modules(JUDGE)
    monkeypatch.setattr(canaries, "_healthy", set())
    monkeypatch.setattr(Run, "references", {})
    yield
    preload(JUDGE, modules)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("remembered") / "course")


@pytest.fixture
def course(pristine, tmp_path):
    folder = shutil.copytree(pristine, tmp_path / "course")
    (folder / ".grading").mkdir(mode=0o700)
    return folder


class Canaries:
    """Canaries that take no time, in a process that has just been started each time; `runs` counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.runs, self.scores = 0, PASSED
        monkeypatch.setattr(canaries, "run_canaries", self.run)

    def run(self, settings, assignment, grade) -> list[Score]:
        self.runs += 1
        (sources,) = canaries._sources(settings, assignment).values()
        Run.references[sources] = ReferenceRun({"double_test": [("double", 0)]}, ("triple_test",), False)
        preload(JUDGE, ["numpy", "neighbour"])
        return self.scores

    def require(self, course: Path, policy: CanaryPolicy = DEFAULT, cached: bool = True) -> list[str]:
        """Return what is said to the instructor."""
        messages: list[str] = []
        log = logging.Logger("canaries")
        log.addHandler(handler := logging.Handler())
        handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
        canaries._healthy.clear()
        Run.references.clear()
        preload(JUDGE, [])
        cache = CanaryCache(course / ".grading", log.warning) if cached else None
        canaries.require_canaries(course, LESSON, log, lambda *_: None, policy, cache)
        return messages


@pytest.fixture
def birds(monkeypatch):
    return Canaries(monkeypatch)


def change_file(name: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def change(course: Path, _: pytest.MonkeyPatch) -> None:
        (course / name).parent.mkdir(exist_ok=True)
        with (course / name).open("a") as file:
            file.write("\n")

    return change


def change_gradebook(course: Path, _: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(course / "gradebook.db") as database:
        assert database.execute("UPDATE grade_cells SET max_score = max_score + 1").rowcount


def set_variable(name: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda _, monkeypatch: monkeypatch.setenv(name, "another")


def set_fact(name: str, value: object) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda _, monkeypatch: monkeypatch.setattr(canary_fingerprint, name, lambda *_: value)


CHANGES = {
    "the solution": change_file(f"solutions/{LESSON}/{LESSON}.ipynb"),
    "the blank notebook": change_file(f"lessons/{LESSON}/{LESSON}.ipynb"),
    "a new file of the lesson": change_file(f"solutions/{LESSON}/data.csv"),
    "the tests": change_file("tiny_tests/__init__.py"),
    "data of the tests": change_file("tiny_tests/numbers.txt"),
    "the settings": change_file("nbgrader_config.py"),
    "a module beside the settings": change_file("helpers.py"),
    "a new package": change_file("more_helpers/__init__.py"),
    "the points of a cell": change_gradebook,
    "the secret": set_variable("RNN_COURSE_SALT"),
    "an environment variable": set_variable("SOME_LIBRARY_SETTING"),
    "an installed version": set_fact("_distributions", [("numpy-9.9.9.dist-info", 1)]),
    "the protection of the sandbox": set_fact("_protection", ["none"]),
}


def test_canaries_that_passed_are_not_run_again_and_the_log_says_since_when(course, birds):
    (first,) = birds.require(course)
    (second,) = birds.require(course)
    assert birds.runs == 1
    assert first == f"canaries of {LESSON}: solution 4/4, blank 0/4"
    since = json.loads((course / ".grading" / FILE).read_text())["assignments"][LESSON]["since"]
    assert second == f"{first}, unchanged since {since}"


def test_a_class_is_judged_as_after_a_run_of_the_solution(course, birds):
    birds.require(course)
    fresh = dict(Run.references), preloaded_modules(JUDGE)
    birds.require(course)
    assert birds.runs == 1
    assert (Run.references, preloaded_modules(JUDGE)) == fresh
    assert fresh[1] == ("numpy", "neighbour")


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_anything_that_counts_runs_them_again(course, birds, monkeypatch, what):
    birds.require(course)
    CHANGES[what](course, monkeypatch)
    birds.require(course)
    assert birds.runs == 2
    birds.require(course)
    assert birds.runs == 2


def test_a_change_of_a_package_that_only_the_tests_import_runs_them_again(course, birds, monkeypatch, tmp_path):
    package = tmp_path / "elsewhere" / "neighbour"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(package.parent)
    birds.require(course)
    birds.require(course)
    assert birds.runs == 1
    (package / "__init__.py").write_text("# changed")
    birds.require(course)
    assert birds.runs == 2


def test_another_choice_of_the_instructor_runs_them_again(course, birds):
    birds.require(course)
    birds.require(course, CanaryPolicy(strict=True))
    birds.require(course, CanaryPolicy(strict=True, accepted={f"{LESSON}/double_test": "for taking part"}))
    assert birds.runs == 3


@pytest.mark.parametrize("name", ["SSH_TTY", "WINDOWID", "JPY_PARENT_PID"])
def test_another_terminal_is_no_change(course, birds, monkeypatch, name):
    birds.require(course)
    monkeypatch.setenv(name, "another")
    birds.require(course)
    assert birds.runs == 1


def test_a_compiled_module_is_no_change(course, birds):
    birds.require(course)
    (course / "tiny_tests" / "__pycache__").mkdir()
    (course / "tiny_tests" / "__pycache__" / "x.pyc").write_text("")
    birds.require(course)
    assert birds.runs == 1


def test_without_the_cache_they_run_each_time(course, birds):
    for _ in range(2):
        birds.require(course, cached=False)
    assert birds.runs == 2
    assert not (course / ".grading" / FILE).exists()


def test_canaries_that_fail_are_not_remembered_nor_those_that_passed_before(course, birds):
    birds.require(course)
    change_file("helpers.py")(course, pytest.MonkeyPatch())
    birds.scores = [Score(SOLUTION, "double_test", 3.0, 4.0, "")]
    for _ in range(2):
        with pytest.raises(CannotGrade, match="double_test"):
            birds.require(course)
    (course / "helpers.py").unlink()
    birds.scores = PASSED
    birds.require(course)
    assert birds.runs == 4


def test_a_weak_test_is_reported_each_time(course, birds):
    birds.scores = [*PASSED, Score("canary-cheat", "double_test", 1.0, 4.0, "")]
    for _ in range(2):
        assert "is weak" in birds.require(course)[0]
    assert birds.runs == 2


# --- the file


def test_only_the_instructor_reads_the_file(course, birds):
    birds.require(course)
    assert stat.S_IMODE((course / ".grading" / FILE).stat().st_mode) == 0o600
    assert os.listdir(course / ".grading") == [FILE]  # without drafts


def damage(file: Path, text: str) -> None:
    file.write_text(text)


def tamper(file: Path, **entries: object) -> None:
    data = json.loads(file.read_text())
    data["assignments"][LESSON] |= entries
    file.write_text(json.dumps(data))


def replace_by_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def replace_by_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: damage(file, ""),
        lambda file: damage(file, "{"),
        lambda file: damage(file, "[" * 100_000),
        lambda file: damage(file, "[]"),
        lambda file: damage(file, '{"format": 1, "assignments": []}'),
        lambda file: damage(file, file.read_text().replace('"format": 1', '"format": 0')),
        lambda file: damage(file, file.read_text()[:-20]),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: tamper(file, totals=3),
        lambda file: tamper(file, modules=["numpy"]),
        lambda file: tamper(file, modules={JUDGE: [3]}),
        lambda file: tamper(file, references={LESSON: {}}),
        lambda file: tamper(file, references={"another": {"changes": {}, "empty_arrays": [], "needs_withheld": True}}),
        lambda file: file.chmod(0o640),
        lambda file: file.chmod(0o602),
        replace_by_link,
        replace_by_fifo,
    ],
)
def test_a_file_that_cannot_be_trusted_means_that_the_canaries_run(course, birds, spoil):
    birds.require(course)
    spoil(course / ".grading" / FILE)
    birds.require(course)
    birds.require(course)
    assert birds.runs == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_trusted(course, birds):
    birds.require(course)
    os.chown(course / ".grading" / FILE, 65534, 65534)
    birds.require(course)
    assert birds.runs == 2


def test_a_file_that_cannot_be_written_is_said_and_the_class_is_graded(course, birds):
    (course / ".grading").rmdir()
    messages = birds.require(course)
    assert messages[0] == f"canaries of {LESSON}: solution 4/4, blank 0/4"
    assert "could not be written" in messages[1]


def test_what_is_stored_is_what_is_found_and_assignments_are_apart(tmp_path):
    passed = PassedCanaries("f", "c", "t", ("r",), "now", {"n": ReferenceRun({"a": [("b", 1)]})}, {"judge": ("m",)})
    cache = CanaryCache(tmp_path, pytest.fail)
    cache.store("first", passed)
    cache.store("second", passed)
    cache.forget("first")
    assert cache.find("first", "f") is None
    assert cache.find("second", "f") == passed
    assert cache.find("second", "another") is None


# --- through the commands


@pytest.mark.nbgrader
def test_commands_share_the_canaries_and_no_cache_and_doctor_run_them_again(pristine, tmp_path):
    course = shutil.copytree(pristine, tmp_path / "commanded")
    submit(course, "ada", **RIGHT)
    said(rnn_course(course, "grade", LESSON))

    def stored() -> int:
        return (course / ".grading" / FILE).stat().st_mtime_ns

    first = stored()
    assert "solution 6/6, blank 0/6, cheat 0/6, empty 0/6, unchanged since 2" in nbgrader(
        course, "autograde", LESSON, "--force"
    )
    said(rnn_course(course, "grade", LESSON, "--force"))
    assert stored() == first
    said(rnn_course(course, "grade", LESSON, "--force", "--no-cache"))
    assert stored() != first
    before = stored()
    printed, _ = rnn_course(course, "doctor", LESSON).communicate(timeout=600)
    assert "solution 6/6" in printed
    assert "unchanged" not in printed
    assert stored() != before
