"""A home folder that cannot be used and variables of other programs are put right, or said in one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nbjudge import patches
from nbjudge.environment import TEMPORARY_HOME, provide_home
from nbjudge.judge.process import _judge_environment
from rnn_helpers import environment
from rnn_helpers.checks.progress import progress, record
from tools import lab, process_environment


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder, as a container makes one from a number."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("RNN_COURSE_PROGRESS", raising=False)


def closed_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a home folder in which nobody can write, root neither."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "file" / "home")
    return tmp_path / "file" / "home"


# --- home


def test_without_a_home_the_lab_keeps_everything_in_work(tmp_path: Path, no_home: None) -> None:
    environ: dict[str, str] = {}
    (sentence,) = process_environment.provide_folders(environ, tmp_path / "work/.home")
    assert sentence.startswith("There is no home folder")
    assert environ["HOME"] == str(tmp_path / "work/.home")
    assert (tmp_path / "work/.home").is_dir()


def test_a_closed_home_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = closed_home(monkeypatch, tmp_path)
    (sentence,) = process_environment.provide_folders({}, tmp_path / "work/.home")
    assert f"{home} cannot be used (Not a directory)" in sentence


def test_a_home_is_left_alone_and_folders_that_cannot_be_used_are_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    environ = {"JUPYTER_DATA_DIR": "/proc/none", "IPYTHONDIR": str(tmp_path / "ipython"), "TMPDIR": "/proc/none"}
    sentences = list(process_environment.provide_folders(environ, tmp_path / "other"))
    assert [sentence.split()[0] for sentence in sentences] == ["$JUPYTER_DATA_DIR", "$TMPDIR"]
    assert environ == {"IPYTHONDIR": str(tmp_path / "ipython")}


def test_without_a_home_an_answer_counts_and_progress_says_what_to_set(no_home: None, capsys) -> None:
    class Solved:
        unsolved, score = False, (7, 7)

    sentence = record("01_recurrence", "rnn_step", Solved())  # type: ignore[arg-type]
    assert sentence.startswith(
        "Your answer counts, but progress() cannot keep it in ~/rnn_course_progress.txt: there is"
    )
    assert "Set RNN_COURSE_PROGRESS" in sentence
    progress()
    assert "there is no home folder" in capsys.readouterr().out


def test_a_grader_without_a_home_gets_one_for_itself(tmp_path: Path, no_home: None) -> None:
    environ: dict[str, str] = {}
    provide_home(environ, lambda: tmp_path)
    assert environ["HOME"] == str(tmp_path)
    assert environ[TEMPORARY_HOME].startswith("There is no home folder")


def test_a_grader_with_a_home_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    environ = {"HOME": str(tmp_path)}
    provide_home(environ, lambda: tmp_path / "other")
    assert environ == {"HOME": str(tmp_path)}


# --- variables


@pytest.mark.parametrize("name", ["numpy", "enum.py", "rnn_helpers", "tornado.py"])
def test_a_search_path_that_replaces_modules_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    environ = {"PYTHONPATH": str(tmp_path)}
    again, (sentence,) = process_environment.drop_interpreter_settings(environ, tmp_path / "course")
    assert (again, environ) == (True, {})
    assert name.removesuffix(".py") in sentence


def test_a_search_path_that_replaces_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "my_own_module.py").touch()
    environ = {"PYTHONPATH": os.pathsep.join([str(tmp_path), "/no/such/folder", ""])}
    assert process_environment.drop_interpreter_settings(environ, tmp_path / "course") == (False, [])
    assert "PYTHONPATH" in environ


@pytest.mark.parametrize("name", process_environment.INTERPRETER)
def test_what_changes_how_python_starts_is_left_out(tmp_path: Path, name: str) -> None:
    environ = {name: "1", "PATH": "/bin"}
    assert process_environment.drop_interpreter_settings(environ, tmp_path)[0]
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["PYTHONOPTIMIZE", "PYTHONSTARTUP", "JPY_PARENT_PID"])
def test_a_judge_starts_without_what_leaves_out_assertions_or_runs_somebodys_file(name: str) -> None:
    environ = _judge_environment({name: "1", "PATH": "/bin"})
    assert (name in environ, environ["PATH"]) == (False, "/bin")


@pytest.mark.parametrize("text", ["abc", "-1", "8888.5", "70000"])
def test_a_port_that_is_none_is_said_with_what_is_expected(text: str) -> None:
    with pytest.raises(lab.InvalidPortError, match="expected a number up to 65535"):
        lab.requested_port({"JUPYTER_PORT": text})


@pytest.mark.parametrize(("environ", "port"), [({}, 8888), ({"JUPYTER_PORT": ""}, 8888), ({"JUPYTER_PORT": "0"}, 0)])
def test_a_port_is_what_is_set_or_the_usual_one(environ: dict[str, str], port: int) -> None:
    assert lab.requested_port(environ) == port


# --- the installation


def test_an_import_that_fails_makes_the_next_set_up_look_at_everything(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for name in ("installed", "installed-dev", "pyvenv.cfg"):
        (tmp_path / name).touch()
    with environment.recheck_installation_on_error():
        pass
    assert len(os.listdir(tmp_path)) == 3
    with pytest.raises(ImportError), environment.recheck_installation_on_error():
        raise ImportError("cut off")
    assert os.listdir(tmp_path) == ["pyvenv.cfg"]


# --- a path with characters that patterns use


@pytest.mark.parametrize("name", ["plain", "course [2026]", "a*b", "[!x]?"])
def test_the_path_of_a_course_is_taken_literally_and_the_rest_as_a_pattern(tmp_path: Path, name) -> None:
    for student in ("ada", "bob"):
        (tmp_path / name / student).mkdir(parents=True)
    found = patches.LiteralGlob().glob(f"{tmp_path / name}/*")
    assert sorted(found) == [str(tmp_path / name / who) for who in ("ada", "bob")]
    assert patches.escape_existing("/another/*") == "/another/*"
