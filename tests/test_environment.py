"""An environment that is damaged, unfinished, moved or without pip is repaired; one that is whole is left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiers import NIGHT
from tiny_environment import BASE_PYTHON, make_course, make_wheels, set_up, site, works

from tools import environment, installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="environments on Windows have other names for their files"),
]
STAMP = ".venv/installed"


@pytest.fixture(scope="module", autouse=True)
def _no_other_course() -> Iterator[None]:
    """Settings of a course that a test before has read leave its folder in the environment."""
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv("PYTHONPATH", raising=False)
        yield


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "wheels"
    make_wheels(folder)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """A course that was set up, which no test changes."""
    course = make_course(tmp_path_factory.mktemp("installed") / "course")
    ended = set_up(course, wheels)
    assert ended.returncode == 0, ended
    assert works(course) == ""
    return course


@pytest.fixture
def copy(installed: Path, tmp_path: Path) -> Path:
    """A copy of it: its environment names the course that it was copied from, which is still there."""
    return Path(shutil.copytree(installed, tmp_path / "copy", symlinks=True))


def repaired(course: Path, wheels: Path, **variables: str) -> str:
    """Set the course up, require that it works, and return what was printed."""
    ended = set_up(course, wheels, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert works(course) == ""
    assert json.loads((course / STAMP).read_text())["root"] == str(course)
    return ended.stdout


# --- whole


def test_a_whole_environment_is_left_alone(installed: Path, wheels: Path) -> None:
    before = (installed / STAMP).stat().st_mtime_ns
    ended = set_up(installed, wheels)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (installed / STAMP).stat().st_mtime_ns == before


def test_what_another_program_installed_is_used_without_pip(copy: Path, wheels: Path) -> None:
    repaired(copy, wheels)
    (copy / STAMP).unlink()  # as after `uv pip install`
    for path in [*site(copy).glob("pip"), *site(copy).glob("pip-*")]:
        shutil.rmtree(path)
    assert "pip" not in repaired(copy, wheels)
    assert not (site(copy) / "pip").exists()


def test_packages_that_were_changed_by_hand_stay_until_the_pins_change(copy: Path, wheels: Path) -> None:
    repaired(copy, wheels)
    (copy / "constraints.txt").write_text("tinypack==0.9\n")
    ended = set_up(copy, wheels)
    assert ended.returncode == 1
    assert "The installation did not finish; see the end of its log above." in ended.stderr
    assert f"The end of {copy / '.venv/install.log'}:" in ended.stderr
    assert "tinypack==0.9" in ended.stderr
    assert not (copy / STAMP).exists()


# --- without pip


def _remove_pip(folder: Path) -> None:
    shutil.rmtree(folder / "pip")
    shutil.rmtree(next(folder.glob("pip-*.dist-info")))


def _remove_half_of_pip(folder: Path) -> None:
    shutil.rmtree(folder / "pip/_internal")


def _remove_pips_code(folder: Path) -> None:
    shutil.rmtree(folder / "pip")


def _cut_pip_off(folder: Path) -> None:
    (folder / "pip/_internal/main.py").write_text("def main(")


@pytest.mark.parametrize(
    "damage", [_remove_pip, _cut_pip_off, *([_remove_half_of_pip, _remove_pips_code] if NIGHT else [])]
)
def test_pip_comes_back(copy: Path, wheels: Path, damage) -> None:
    damage(site(copy))
    (site(copy) / "tinypack/inner.py").unlink()  # something that only pip can bring back
    (copy / STAMP).unlink()
    repaired(copy, wheels)


def test_an_empty_environment_without_pip_is_filled(tmp_path: Path, wheels: Path) -> None:
    course = make_course(tmp_path / "course")
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", course / ".venv"], check=True)
    assert "no working pip; installing it" in repaired(course, wheels)


# --- damaged


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _cut_off_compiled(folder: Path) -> None:
    _cut_off(next((folder / "tinypack/__pycache__").glob("inner.*.pyc")))


DAMAGE = {
    "a file is missing": lambda folder: (folder / "tinypack/inner.py").unlink(),
    "a file is cut off": lambda folder: _cut_off(folder / "tinypack/inner.py"),
    "a library is empty": lambda folder: (folder / "tinypack/library.so").write_bytes(b""),
    "the package is missing": lambda folder: shutil.rmtree(folder / "tinypack"),
    "the list of files is missing": lambda folder: (folder / "tinypack-1.0.dist-info/RECORD").unlink(),
    "the list of files is cut off": lambda folder: _cut_off(folder / "tinypack-1.0.dist-info/RECORD"),
    "the metadata is empty": lambda folder: (folder / "tinypack-1.0.dist-info/METADATA").write_bytes(b""),
    "the metadata is missing": lambda folder: shutil.rmtree(folder / "tinypack-1.0.dist-info"),
    "an uninstallation stopped": lambda folder: (folder / "tinypack").rename(folder / "~inypack"),
    "a compiled file is cut off": _cut_off_compiled,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_an_interruption_leaves_is_found(copy: Path, name: str) -> None:
    DAMAGE[name](site(copy))
    (copy / STAMP).unlink()
    assert not ready(copy)
    (copy / STAMP).write_text("")
    assert not ready(copy)
    script = [copy / ".venv/bin/python", "-I", copy / "tools/installation.py"]
    found = json.loads(subprocess.run([*script, "verify"], capture_output=True, check=True).stdout)
    assert found["damaged"] or found["leftovers"] or found["unmet"], f"{name}: {found}"
    subprocess.run([*script, "clean"], check=True)
    cleaned = json.loads(subprocess.run([*script, "verify"], capture_output=True, check=True).stdout)
    assert (cleaned["damaged"], cleaned["leftovers"]) == ({}, [])


@pytest.mark.parametrize("name", ["a file is cut off", "the list of files is missing", "an uninstallation stopped"])
def test_what_an_interruption_leaves_is_repaired(copy: Path, wheels: Path, name: str) -> None:
    (copy / STAMP).unlink()
    DAMAGE[name](site(copy))
    repaired(copy, wheels)
    assert not list(site(copy).glob("~*"))


@pytest.mark.parametrize("name", ["a library is empty", "the package is missing", "the metadata is missing"])
def test_what_is_lost_later_is_seen_without_reading_all_lists(copy: Path, wheels: Path, name: str) -> None:
    repaired(copy, wheels)
    assert ready(copy)
    DAMAGE[name](site(copy))
    assert not ready(copy)


def ready(course: Path) -> bool:
    code = "import sys; from tools import environment; sys.exit(not environment.is_ready())"
    return subprocess.run([BASE_PYTHON, "-c", code], cwd=course, check=False).returncode == 0


def _dangle(venv: Path) -> None:
    for name in os.listdir(venv / "bin"):
        if name.startswith("python"):
            (venv / "bin" / name).unlink()
            (venv / "bin" / name).symlink_to("/no/such/python")


@pytest.mark.parametrize(
    "damage",
    [_dangle, lambda venv: (venv / "pyvenv.cfg").unlink(), lambda venv: shutil.rmtree(venv / "bin")],
    ids=["its Python is gone", "its settings are gone", "its programs are gone"],
)
def test_an_environment_that_is_none_is_made_anew(copy: Path, wheels: Path, damage) -> None:
    damage(copy / ".venv")
    assert "Creating the environment .venv with Python" in repaired(copy, wheels)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_in_its_place_is_left_alone_and_said(tmp_path: Path, wheels: Path, kind: str) -> None:
    course = make_course(tmp_path / "course")
    if kind == "file":
        (course / ".venv").write_text("mine")
    else:
        (course / ".venv").symlink_to("/no/such/folder")
    ended = set_up(course, wheels)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended
    assert "run the same command again" in ended.stderr
    assert kind == "link" or (course / ".venv").read_text() == "mine"


# --- moved


NAMES = ["other", "with space", "x [1]", 'it\'s "mine"', "100%", "ünï", "$HOME", "a*b?"]


@pytest.mark.parametrize("name", [" ".join(NAMES), *(NAMES if NIGHT else [])])
def test_a_course_in_another_folder_is_repaired_without_the_network(copy: Path, tmp_path: Path, name: str) -> None:
    course = copy.rename(tmp_path / name)
    said = repaired(course, tmp_path / "no wheels")
    assert "The course has moved" in said
    assert "/installed0/course" not in (course / ".venv/bin/activate").read_text()
    assert ready(course)


def test_a_linked_folder_is_the_same_folder(copy: Path, wheels: Path, tmp_path: Path) -> None:
    repaired(copy, wheels)
    (tmp_path / "link").symlink_to(copy)
    assert set_up(tmp_path / "link", wheels).stdout == ""


def test_a_course_that_may_only_be_read_is_used_when_it_is_whole(installed: Path, monkeypatch) -> None:
    monkeypatch.setattr(environment, "ROOT", installed)
    monkeypatch.setattr(environment, "VENV", installed / ".venv")
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    assert environment.main([]) == 0


@pytest.mark.parametrize(
    "head",
    [
        b"#!/old/course/.venv/bin/python3\n",
        b"#!/bin/sh\n'''exec' \"/old [x]/it's/.venv/bin/python3\" \"$0\" \"$@\"\n' '''\n",
        b"#!/bin/sh\n'''exec' /old/course/.venv/bin/python3 \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_each_form_of_a_programs_first_lines_is_changed(head: bytes) -> None:
    assert installation.relocate_program(head + b"rest\n", "/new/.venv") == b"#!/new/.venv/bin/python3\nrest\n"


@pytest.mark.parametrize(
    "content",
    [
        b"#!/usr/bin/python3\nrest",
        b"#!/usr/bin/env python\nrest",
        b"#!/bin/sh\nexec true\n",
        b"\x7fELF",
        b"",
        b"MZ\x90no archive",
        b"#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\nrest",
    ],
)
def test_other_programs_are_left_alone(content: bytes) -> None:
    assert installation.relocate_program(content, "/new/.venv") == content


def test_a_launcher_for_windows_starts_the_other_python_and_keeps_its_program(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", "print(1)")
    archived = (tmp_path / "program.zip").read_bytes()
    changed = installation.relocate_program(
        b'MZ launcher #!"C:\\old\\.venv\\Scripts\\python.exe"\r\n' + archived, "D:\\new"
    )
    (tmp_path / "changed.exe").write_bytes(changed)
    assert changed.startswith(b'MZ launcher #!"D:\\new\\Scripts\\python.exe"\r\nPK')
    with zipfile.ZipFile(tmp_path / "changed.exe") as archive:
        assert archive.read("__main__.py") == b"print(1)"


# --- variables of other programs


@pytest.mark.parametrize(
    "variables",
    [
        {"PIP_TARGET": "/no/such/target", "PIP_NO_DEPS": "1"},
        {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "VIRTUAL_ENV": "/another"},
        {"PIP_DRY_RUN": "1", "PIP_CONSTRAINT": "/no/such/file", "PYTHONPATH": "/no/such", "PYTHONOPTIMIZE": "2"},
        {"TMPDIR": "/no/such/folder", "HOME": "/proc/none", "SLURM_JOB_ID": "1", "CONDA_PREFIX": "/conda"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_pip_works_on_this_environment_whatever_is_set(copy: Path, wheels: Path, variables: dict) -> None:
    (copy / STAMP).unlink()
    (site(copy) / "tinypack/inner.py").unlink()
    repaired(copy, wheels, **variables)
    assert not Path("/no/such/target").exists()


def test_pips_files_say_where_packages_are_and_not_where_they_go(copy: Path, wheels: Path, tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nfind-links = {wheels}\nno-index = true\n[install]\ntarget = {tmp_path / 'else'}\n")
    (copy / STAMP).unlink()
    (site(copy) / "tinypack/inner.py").unlink()
    repaired(copy, tmp_path, PIP_CONFIG_FILE=str(settings), PIP_FIND_LINKS=str(wheels))
    assert not (tmp_path / "else").exists()


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH"])
@pytest.mark.skipif(not shutil.which("make"), reason="make is not on this machine; it is only a convenience")
def test_make_starts_python_without_the_variables_that_break_its_start(
    installed: Path, wheels: Path, name: str
) -> None:
    broken = {"PYTHONHOME": "/no/such", "PYTHONPATH": str(installed / "shadow"), "PYTHONSAFEPATH": "1"}[name]
    make = ("make", "-s", "-f", "tools/student.mk", STAMP, f"PYTHON={BASE_PYTHON}")
    ended = set_up(installed, wheels, *make, **{name: broken})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_make_uses_the_environments_python_where_there_is_no_other(installed: Path, wheels: Path) -> None:
    ended = set_up(installed, wheels, "make", "-s", "-f", "tools/student.mk", STAMP, "PYTHON=no-such-python")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
