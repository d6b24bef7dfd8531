"""What doctor says of a machine and a course in which one thing is amiss, and that it says it for the right reason."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from nbgrader.api import Gradebook
from nbgrader_course import ROOT, nbgrader, surroundings
from tiny_course import LESSON, make_course

import nbjudge.sandbox.provisioner
from nbjudge.cli import doctor
from nbjudge.cli.doctor import Finding, examine, read_settings
from nbjudge.errors import CannotGrade
from rnn_course import doctor as course_doctor
from rnn_course import installation

LINUX = sys.platform.startswith("linux")
PROJECT = '[project]\nrequires-python = "{}"\ndependencies = {}\n'


@pytest.fixture(autouse=True)
def _environment():
    """Put back what reading the settings changes around this process."""
    before = dict(os.environ)
    os.environ.pop("RNN_COURSE_SALT", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _umask():
    """Put back the umask, which reading the settings restricts."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    course = tmp_path / "course"
    course.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    return course


def project(course: Path, python: str = ">=3.11", packages: str = "[]") -> None:
    (course / "pyproject.toml").write_text(PROJECT.format(python, packages))


def settings_of(course: Path):
    settings, finding = read_settings(course)
    assert settings is not None, finding
    return settings


# --- what others can read


@pytest.fixture
def open_course() -> Iterator[Path]:
    """Return a course that every user of this machine can reach."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        course.mkdir()
        shutil.copy(ROOT / "nbgrader_config.py", course)
        for path in (course.parent, course):
            path.chmod(0o755)
        yield course


@pytest.mark.skipif(os.name != "posix", reason="has no permission bits")
def test_grades_and_submissions_that_others_can_read_are_told_until_the_folder_is_closed(open_course: Path) -> None:
    settings = settings_of(open_course)
    assert doctor.check_privacy(settings).mark == "ok"
    for name in ("submitted", "feedback"):
        (open_course / name).mkdir()
        (open_course / name).chmod(0o755)
    (open_course / "autograded").mkdir(mode=0o700)
    finding = doctor.check_privacy(settings)
    assert finding.mark == "fail"
    assert "read submitted, feedback in" in finding.sentence
    subprocess.run(finding.way_out.partition(": ")[2].split(), check=True)
    assert doctor.check_privacy(settings).mark == "ok"


@pytest.mark.skipif(os.name != "posix", reason="has no permission bits")
@pytest.mark.parametrize(("shared", "mark"), [(False, "fail"), (True, "ok")])
def test_the_group_may_read_only_what_is_shared_with_it(open_course: Path, shared: bool, mark: str) -> None:
    settings = settings_of(open_course)
    settings.CourseDirectory.groupshared = shared
    (open_course / "submitted").mkdir()
    (open_course / "submitted").chmod(0o750)
    assert doctor.check_privacy(settings).mark == mark


@pytest.mark.skipif(os.name != "posix", reason="has no permission bits")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_grading_creates_is_private_whatever_the_umask(open_course: Path, umask: int) -> None:
    os.umask(umask)
    settings = settings_of(open_course)
    (open_course / "submitted" / "ada").mkdir(parents=True)
    with Gradebook(f"sqlite:///{open_course / 'gradebook.db'}"):
        pass
    modes = [stat.S_IMODE((open_course / name).stat().st_mode) & 0o077 for name in ("submitted", "gradebook.db")]
    assert modes == [0, 0]
    assert doctor.check_privacy(settings).mark == "ok"


# --- what is installed


def test_this_environment_is_what_the_course_asks_for() -> None:
    assert (course_doctor.check_course_python(ROOT).mark, course_doctor.check_packages(ROOT).mark) == ("ok", "ok")


def test_another_python_is_named_with_what_is_expected(course: Path) -> None:
    project(course, python=">=3.99")
    finding = course_doctor.check_course_python(course)
    assert finding.mark == "fail"
    assert finding.sentence == f"This is Python {sys.version.split()[0]}; expected >=3.99."


def test_missing_and_unfitting_packages_are_named_and_others_are_not(course: Path) -> None:
    markers = "\"tomli; python_version < '3'\""
    project(course, packages=f'["numpy>=99", "no-such-package", "matplotlib", {markers}]')
    finding = course_doctor.check_packages(course)
    assert finding.mark == "fail"
    assert finding.sentence.startswith("numpy is ")
    assert finding.sentence.endswith("expected >=99; no-such-package is missing.")


def test_a_package_without_compiled_files_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "heavy_package"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(course_doctor, "COMPILED", ("heavy_package",))
    finding = course_doctor.check_compiled_files()
    assert (finding.mark, finding.sentence[:46]) == ("warn", "1 of 1 files of heavy_package are not compiled")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(package)], check=True)  # the way out that it names
    assert course_doctor.check_compiled_files().mark == "ok"


def make_package(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    return folder


def test_lessons_that_use_another_course_are_told(course: Path, tmp_path: Path, monkeypatch) -> None:
    make_package(course / "rnn_helpers")
    monkeypatch.setattr(installation, "_installed_from", lambda package: make_package(tmp_path / "other" / package))
    monkeypatch.setattr(installation, "_is_own", lambda course: True)
    finding = course_doctor.check_installation(course)
    assert (finding.mark, finding.sentence) == ("fail", f"Lessons use the rnn_helpers of {tmp_path / 'other'}.")
    assert finding.way_out.endswith("python3 -m tools.environment dev")


@pytest.mark.parametrize("place", [None, Path("/no/such/course/rnn_helpers")])
def test_a_course_that_was_moved_is_told(course: Path, monkeypatch: pytest.MonkeyPatch, place: Path | None) -> None:
    make_package(course / "rnn_helpers")
    monkeypatch.setattr(installation, "_installed_from", lambda package: place)
    finding = course_doctor.check_installation(course)
    assert (finding.mark, finding.sentence[:33]) == ("fail", "Lessons cannot import rnn_helpers")


@pytest.mark.skipif(os.name != "posix", reason="programs of another kind")
@pytest.mark.parametrize(
    ("head", "mark"),
    [
        ("#!/old/.venv/bin/python\n", "fail"),
        ("#!/bin/sh\n'''exec' '/old [x]/.venv/bin/python' \"$0\" \"$@\"\n", "fail"),
        (f"#!{sys.executable}\n", "ok"),
        ("#!/usr/bin/env python\n", "ok"),
    ],
)
def test_programs_that_start_the_python_of_another_folder_are_told(course, tmp_path, monkeypatch, head, mark) -> None:
    (tmp_path / "nbgrader").write_text(head)
    programs = Path(sys.executable).parent
    monkeypatch.setattr(installation, "_programs", lambda: tmp_path)
    monkeypatch.setattr(installation, "_is_same", lambda one, other: one == programs)
    finding = course_doctor.check_installation(course)
    assert (finding.mark, "nbgrader in" in finding.sentence) == (mark, mark == "fail")


def test_a_set_up_that_did_not_finish_is_told(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_is_own", lambda course: True)
    assert course_doctor.check_installation(course).mark == "warn"
    (course / ".venv").mkdir()
    (course / ".venv/installed").touch()
    assert course_doctor.check_installation(course).mark == "ok"


# --- the machine


@pytest.mark.parametrize(("name", "mark"), [("what?", "fail"), ("a:b", "fail"), ("course [1] 100% it's", "ok")])
def test_a_path_that_a_library_misreads_is_told(name: str, mark: str) -> None:
    assert doctor.check_path(Path("/home", name)).mark == mark


def test_a_home_that_is_a_temporary_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_home().mark == "ok"
    monkeypatch.setenv("NBJUDGE_HOME", "There is no home folder; a temporary one takes its place.")
    assert (doctor.check_home().mark, doctor.check_home().sentence[:23]) == ("warn", "There is no home folder")


@pytest.mark.parametrize(("free_gb", "mark"), [(100, "ok"), (2, "warn"), (0.1, "fail")])
def test_a_full_disk_is_told(course: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, mark: str) -> None:
    usage = shutil.disk_usage(course)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(free_gb * 1e9)))
    assert doctor.check_disk(course).mark == mark
    assert doctor.check_disk(course).sentence.startswith(f"{free_gb:.1f} GB are free")


@pytest.mark.parametrize(("free_gb", "mark"), [(5.0, "ok"), (1.0, "warn")])
def test_memory_for_one_submission_is_asked_for(course: Path, monkeypatch, free_gb: float, mark: str) -> None:
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=int(free_gb * 1e9)))
    assert doctor.check_memory(settings_of(course)).mark == mark
    assert f" {free_gb:.1f} GB of memory are free" in doctor.check_memory(settings_of(course)).sentence


@pytest.mark.skipif(not LINUX, reason="elsewhere kernels are not forked")
def test_a_fork_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_forking().mark == "ok"
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    finding = doctor.check_forking()
    assert (finding.mark, "Kernels cannot be forked" in finding.sentence) == ("warn", True)


# --- the course


def test_a_course_without_readable_settings_is_told_and_the_rest_is_still_checked(course: Path) -> None:
    project(course)
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.Exchange.root = undefined\n")
    findings = {finding.check: finding for finding in examine(course)}
    assert findings["settings"].mark == "fail"
    assert "NameError: name 'undefined' is not defined" in findings["settings"].sentence
    assert findings["Python"].mark == "ok"
    assert "gradebook" not in findings
    (course / "nbgrader_config.py").unlink()
    assert "There is no " in next(examine(course)).sentence


def test_folders_that_can_be_made_are_well_and_a_file_in_their_place_is_not(course: Path) -> None:
    settings = settings_of(course)
    assert doctor.check_folders(course, settings).mark == "ok"
    (course / "submitted").write_text("a file")
    finding = doctor.check_folders(course, settings)
    assert finding.mark == "fail"
    assert f"{course / 'submitted'} (" in finding.sentence
    assert "autograded" not in finding.sentence


@pytest.mark.slow
def test_a_gradebook_is_missing_then_whole_then_in_use_then_damaged(course: Path) -> None:
    settings, file = settings_of(course), course / "gradebook.db"
    assert doctor.check_gradebook(settings).mark == "warn"
    assert not file.exists()  # looking makes none
    Gradebook(f"sqlite:///{file}", "rnn").close()
    assert doctor.check_gradebook(settings).mark == "ok"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CannotGrade, match="in use by another program"):
            doctor.check_gradebook(settings)
    file.write_bytes(b"grades")
    with pytest.raises(CannotGrade, match="does not begin like an SQLite database"):
        doctor.check_gradebook(settings)


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
def test_a_salt_that_others_can_read_is_wrong(course: Path) -> None:
    file = course / ".course_salt"
    assert doctor.check_secret(course, settings_of(course)).mark == "warn"
    assert not file.exists()
    file.write_text("secret\n")
    file.chmod(0o600)
    assert doctor.check_secret(course, settings_of(course)).mark == "ok"
    file.chmod(0o640)
    finding = doctor.check_secret(course, settings_of(course))
    assert (finding.mark, "its mode is 640, expected 600" in finding.sentence) == ("fail", True)
    assert "secret" not in finding.sentence
    file.write_text("")
    with pytest.raises(CannotGrade, match="is empty"):
        doctor.check_secret(course, settings_of(course))
    os.environ["RNN_COURSE_SALT"] = "another"
    assert (
        doctor.check_secret(course, settings_of(course)).sentence
        == "The secret of the hidden tests comes from $RNN_COURSE_SALT."
    )


@pytest.mark.parametrize(
    ("missing", "required", "mark"),
    [({}, False, "ok"), ({"user": "no users"}, False, "warn"), ({"user": "no users"}, True, "fail")]
    + [({"landlock": "switched off"}, False, "fail")],
)
def test_a_box_with_gaps_is_told(course: Path, monkeypatch, missing: dict, required: bool, mark: str) -> None:
    settings = settings_of(course)
    settings.SandboxProvisioner.required = required
    monkeypatch.setattr(nbjudge.sandbox.provisioner, "missing_layers", lambda: dict(missing))
    monkeypatch.setattr(nbjudge.sandbox.provisioner.uid_pool, "missing", lambda *_, **__: "")
    finding = doctor.check_isolation(course, settings)
    assert finding.mark == mark
    for layer, reason in missing.items():
        assert f"not in force: {layer} ({reason})" in finding.sentence


def test_a_course_inside_a_folder_that_kernels_read_is_told(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(course)
    settings.SandboxProvisioner.readable = [str(course.parent)]
    monkeypatch.setattr(nbjudge.sandbox.provisioner, "missing_layers", dict)
    finding = doctor.check_isolation(course, settings)
    assert (finding.mark, "move the course" in finding.sentence) == ("fail", True)


# --- the command


def run(course: Path, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *given: str) -> int:
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(findings))
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    args = parser.parse_args(given)
    args.course = course
    return doctor.run(args)


WELL, LOOK = Finding("disk", "ok", "[1] GB is free."), Finding("salt", "warn", "There is none.", "Wait.")
WRONG = Finding("gradebook", "fail", "It is damaged.", "Mend it.")


def test_the_exit_code_is_1_only_when_something_is_wrong(course: Path, monkeypatch, capsys) -> None:
    assert run(course, monkeypatch, [WELL, LOOK]) == 0
    assert run(course, monkeypatch, [WELL, LOOK, WRONG]) == 1
    said = capsys.readouterr().out
    for text in ("[1] GB is free.", "warn", "Wait.", "fail", "It is damaged.", "Mend it."):
        assert text in said


def test_json_says_the_same(course: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert run(course, monkeypatch, [WELL, WRONG], "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["course"], told["well"]) == (str(course), False)
    wrong = {"check": "gradebook", "mark": "fail", "sentence": "It is damaged.", "way_out": "Mend it."}
    assert told["checks"][1] == wrong


def test_a_check_that_fails_itself_is_a_finding(course: Path) -> None:
    (course / "pyproject.toml").write_text("[project")
    finding = next(finding for finding in examine(course) if finding.check == "rnn-course")
    assert finding.mark == "fail"
    assert "cannot be used: TOMLDecodeError" in finding.sentence


SCRIPT = """
import argparse, sys
from pathlib import Path
from nbjudge.cli import doctor
parser = argparse.ArgumentParser()
doctor.add_arguments(parser)
args = parser.parse_args()
args.course = Path.cwd()
sys.exit(doctor.run(args))
"""


def told_by_doctor(course: Path, lesson: str) -> dict[str, Finding]:
    """Run doctor as a program of its own and return {check: Finding}."""
    command = [sys.executable, "-c", SCRIPT, lesson, "--json"]
    ended = subprocess.run(command, cwd=course, env=surroundings(course), capture_output=True, encoding="utf-8")
    told = json.loads(ended.stdout)
    findings = {one["check"]: Finding(**one) for one in told["checks"]}
    wrong = any(finding.mark == "fail" for finding in findings.values())
    assert (ended.returncode, told["well"]) == (int(wrong), not wrong), ended.stderr
    return findings


@pytest.mark.nbgrader
def test_with_a_lesson_the_canaries_are_graded(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    project(course)
    healthy = told_by_doctor(course, LESSON)
    assert healthy["canaries"].mark == "ok", healthy
    assert "solution 6/6, blank 0/6" in healthy["canaries"].sentence
    assert healthy["gradebook"].mark == "ok"
    assert not (course / ".course_salt").exists()
    tests = course / "tiny_tests" / "__init__.py"
    tests.write_text(tests.read_text().replace("return points if", "return 1.0 if"))
    sick = told_by_doctor(course, LESSON)["canaries"]
    assert sick.mark == "fail"
    assert "canary-solution, double_test: 1 of 4 points, expected 4" in sick.sentence
    unknown = told_by_doctor(course, "99_none")["canaries"]
    assert (unknown.mark, "99_none" in unknown.sentence) == ("fail", True)
    nbgrader(course, "db", "assignment", "list")  # the gradebook is as it was
