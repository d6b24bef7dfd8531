"""Students' copies are made and never overwritten; JupyterLab starts and says where it is."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tools import lab
from tools.workspace import UnknownLessonError, copy_missing, fresh_copy

LESSON = "01_recurrence"
NOTEBOOK = f"{LESSON}/{LESSON}.ipynb"
NOON = datetime(2030, 1, 2, 12, 0, 0)
EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'


@pytest.fixture
def course(tmp_path) -> Path:
    """A folder with one released lesson and its data."""
    (tmp_path / "lessons" / LESSON).mkdir(parents=True)
    (tmp_path / "lessons" / NOTEBOOK).write_text(EMPTY, encoding="utf-8")
    (tmp_path / "lessons" / LESSON / "table.csv").write_text("1,2\n", encoding="utf-8")
    return tmp_path


def work(course: Path) -> Path:
    return course / "work" / NOTEBOOK


def new_version(course: Path) -> None:
    (course / "lessons" / NOTEBOOK).write_text(EMPTY.replace("{}", '{"new": 1}'), encoding="utf-8")


# Copies


def test_the_first_start_copies_lessons_with_their_data(course):
    assert copy_missing(course) == []
    assert work(course).read_text(encoding="utf-8") == EMPTY
    assert (course / "work" / LESSON / "table.csv").exists()


def test_a_start_never_overwrites(course):
    copy_missing(course)
    work(course).write_text("my answers", encoding="utf-8")
    (course / "work" / LESSON / "table.csv").write_text("my data", encoding="utf-8")
    new_version(course)
    copy_missing(course)
    assert work(course).read_text(encoding="utf-8") == "my answers"
    assert (course / "work" / LESSON / "table.csv").read_text(encoding="utf-8") == "my data"


def test_a_new_version_is_told_until_it_is_taken(course):
    copy_missing(course)
    new_version(course)
    assert copy_missing(course) == [LESSON]
    assert copy_missing(course) == [LESSON]
    fresh_copy(course, LESSON, NOON)
    assert copy_missing(course) == []


def test_a_fresh_copy_keeps_the_old_one(course):
    copy_missing(course)
    work(course).write_text("my answers", encoding="utf-8")
    kept = fresh_copy(course, LESSON, NOON)
    assert kept == course / "work" / LESSON / f"{LESSON}.2030-01-02-120000.ipynb"
    assert kept.read_text(encoding="utf-8") == "my answers"
    assert work(course).read_text(encoding="utf-8") == EMPTY


def test_two_fresh_copies_in_one_second_keep_both(course):
    copy_missing(course)
    work(course).write_text("first", encoding="utf-8")
    first = fresh_copy(course, LESSON, NOON)
    work(course).write_text("second", encoding="utf-8")
    second = fresh_copy(course, LESSON, NOON)
    assert [path.read_text(encoding="utf-8") for path in (first, second)] == ["first", "second"]


def test_a_fresh_copy_of_a_lesson_never_opened_keeps_nothing(course):
    assert fresh_copy(course, LESSON, NOON) is None
    assert work(course).exists()


def test_an_unknown_lesson_is_answered_with_the_names(course):
    with pytest.raises(UnknownLessonError, match=f"No lesson is called 'recurence'. The lessons are: {LESSON}"):
        fresh_copy(course, "recurence", NOON)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00"])
def test_a_damaged_list_of_origins_is_made_anew_and_said(course, capsys, text):
    copy_missing(course)
    (course / "work/.origins.json").write_text(text, encoding="utf-8")
    work(course).write_text("my answers", encoding="utf-8")
    assert copy_missing(course) == []
    assert "is damaged and will be created again; your notebooks are untouched" in capsys.readouterr().err
    assert work(course).read_text(encoding="utf-8") == "my answers"
    new_version(course)
    assert copy_missing(course) == [LESSON]


def test_a_lost_list_of_origins_hurts_nothing(course, capsys):
    copy_missing(course)
    (course / "work/.origins.json").unlink()
    assert copy_missing(course) == []
    assert capsys.readouterr().err == ""


def test_a_deleted_copy_comes_back(course):
    copy_missing(course)
    work(course).unlink()
    copy_missing(course)
    assert work(course).exists()


# The command line


def test_the_first_start_opens_the_start_page_and_later_ones_the_tabs_left_open(tmp_path):
    assert lab.start_url(tmp_path, None) == "/lab/tree/work/00_start_here/00_start_here.ipynb"
    (tmp_path / "work").mkdir()
    (tmp_path / "work/start.md").touch()
    assert lab.start_url(tmp_path, None) == "/lab/tree/work/start.md"
    lab.workspaces(tmp_path).mkdir()
    (lab.workspaces(tmp_path) / "default.jupyterlab-workspace").touch()
    assert lab.start_url(tmp_path, None) == "/lab"
    assert lab.start_url(tmp_path, "02_unrolling") == "/lab/tree/work/02_unrolling/02_unrolling.ipynb"


@pytest.mark.parametrize(
    ("environ", "platform", "opens"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":0", "BROWSER": "none"}, "linux", False),
        ({"BROWSER": "w3m"}, "linux", True),
        ({}, "darwin", True),
        ({"BROWSER": "none"}, "win32", False),
    ],
)
def test_a_browser_is_opened_where_there_is_one(environ, platform, opens):
    assert lab.can_open_browser(environ, platform) is opens


@pytest.mark.parametrize("is_root", [True, False])
def test_only_root_needs_to_be_allowed(tmp_path, monkeypatch, is_root):
    monkeypatch.setattr(lab, "is_root", lambda: is_root)
    assert ("--allow-root" in lab.server_options(tmp_path, "/lab", {})) is is_root


# The server


@contextmanager
def served(course: Path, environ: dict[str, str], port: int):
    """Run `python -m tools.lab` in a course without a browser; yield the process, its lines and its address."""
    for name in ("tools", "rnn_helpers"):
        shutil.copytree(lab.ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    home = {"HOME": str(course / "home"), "BROWSER": "none", "JUPYTER_PORT": str(port)}
    command = [sys.executable, "-m", "tools.lab"]
    process = subprocess.Popen(command, cwd=course, env=environ | home, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("http"):
                break
        yield process, lines
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetched(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as page:
        assert page.status == 200
        return page.read().decode()


NEWS = "/lab/api/settings/@jupyterlab/apputils-extension:notification"


@pytest.mark.slow
def test_jupyterlab_serves_the_lesson_asks_nothing_and_stops_cleanly(course, clean_environ):
    with served(course, clean_environ, free_port()) as (process, lines):
        address = lines[-1]
        assert re.fullmatch(r"http://localhost:\d+/lab/tree/work/start\.md\?token=\w+", address)
        page = fetched(address)
        assert "jupyter-config-data" in page
        assert '"@jupyter/nbgrader:formgrader"' in page.partition('"disabledExtensions"')[2].partition("]")[0]
        settings = json.loads(fetched(re.sub("/lab/tree.*md", NEWS, address)))
        assert settings["schema"]["properties"]["fetchNews"]["default"] == "false", (
            "JupyterLab asks about news otherwise"
        )
        listing = json.loads(fetched(re.sub("/lab/tree/.*md", f"/api/contents/work/{LESSON}", address)))
        assert f"{LESSON}.ipynb" in [entry["name"] for entry in listing["content"]]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    settings = [path.name for path in (course / "home/.jupyter").rglob("*") if path.is_file()]
    assert settings in ([], ["migrated"]), (
        "a student's own settings are left alone; Jupyter makes the empty mark itself"
    )


@pytest.mark.slow
def test_a_port_in_use_is_said_and_the_next_one_taken(course, clean_environ):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with served(course, clean_environ, port) as (_, lines):
            other = int(re.search(r":(\d+)/", lines[-1])[1])
            assert f"Port {port} is in use; using {other}." in lines
            assert fetched(lines[-1])


def test_an_unknown_lesson_starts_nothing(root):
    done = subprocess.run(
        [sys.executable, "-m", "tools.fresh", "99_nothing"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "No lesson is called '99_nothing'" in done.stderr
