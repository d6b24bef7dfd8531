"""nbgrader's server extensions (formgrader, assignment list, validate) answer over HTTP in a copy of the course."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbgrader_course import copy_course, nbgrader, surroundings

from autograde_tests import exercises

LESSON = "01_recurrence"
STARTS_WITHIN_S = 60  # far more than it needs, on a busy machine too

pytestmark = pytest.mark.nbgrader


@dataclass
class Server:
    """A JupyterLab server in a copy of the course."""

    course: Path
    url: str
    token: str

    def ask(self, where: str, **data: str) -> dict | list:
        """GET `where`, or POST `data` to it when there is any, and return the JSON that comes back."""
        body = urllib.parse.urlencode(data).encode() if data else None
        request = urllib.request.Request(self.url + where, body, {"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    course = copy_course(tmp_path_factory.mktemp("server") / "course")
    nbgrader(course, "generate_assignment", LESSON)
    nbgrader(course, "release_assignment", LESSON)
    shutil.copytree(course / "solutions" / LESSON, course / "submitted" / "solver" / LESSON)
    runtime = course / ".home" / "runtime"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1"]
    with (course / "server.log").open("w") as log:
        environment = surroundings(course, JUPYTER_RUNTIME_DIR=str(runtime))
        process = subprocess.Popen(command, cwd=course, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Server(course, *_address(runtime, process, course / "server.log"))
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(runtime: Path, process: subprocess.Popen, log: Path) -> tuple[str, str]:
    """Wait until the server listens where its file says, which it writes before that; return its URL and token."""
    for _ in range(STARTS_WITHIN_S * 10):
        for file in runtime.glob("jpserver-*.json"):
            known = json.loads(file.read_text())
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((known["hostname"], known["port"])).close()
                return known["url"], known["token"]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start within {STARTS_WITHIN_S} s:\n{log.read_text()}")


def test_instructors_see_nbgraders_tools(server):
    request = urllib.request.Request(f"{server.url}lab", headers={"Authorization": f"token {server.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        page = answer.read().decode()
    assert "@jupyter/nbgrader" in page.partition('"federated_extensions"')[2]
    assert "@jupyter/nbgrader" not in page.partition('"disabledExtensions"')[2].partition("]")[0]


def test_formgrader_lists_the_lessons(server):
    listed = {lesson["name"]: lesson for lesson in server.ask("formgrader/api/assignments")}
    assert listed[LESSON]["num_submissions"] == 1
    assert listed[LESSON]["max_score"] == sum(exercise.points for exercise in exercises()[LESSON].values())


def test_the_formgrader_button_grades_after_the_canaries(server):
    answer = server.ask(f"formgrader/api/submission/{LESSON}/solver/autograde", dummy="")
    assert answer["success"], answer
    assert f"canaries of {LESSON}" in answer["log"]
    graded = server.ask(f"formgrader/api/submission/{LESSON}/solver")
    assert graded["score"] == graded["max_score"]


def test_the_assignment_list_fetches_into_work_and_submits(server):
    released = server.ask("assignments?course_id=rnn")
    assert released["success"], released
    assert (LESSON, "released") in {(entry["assignment_id"], entry["status"]) for entry in released["value"]}
    fetched = server.ask("assignments/fetch", course_id="rnn", assignment_id=LESSON)
    assert (LESSON, "fetched") in {(entry["assignment_id"], entry["status"]) for entry in fetched["value"]}
    assert (server.course / "work" / LESSON / f"{LESSON}.ipynb").exists()
    submitted = server.ask("assignments/submit", course_id="rnn", assignment_id=LESSON)
    assert (LESSON, "submitted") in {(entry["assignment_id"], entry["status"]) for entry in submitted["value"]}


def test_the_validate_button_names_what_is_not_solved(server):
    answer = server.ask("assignments/validate", path=f"lessons/{LESSON}/{LESSON}.ipynb")
    assert answer["success"], answer
    failed = [cell["source"] for cell in answer["value"]["failed"]]
    assert failed == [f"check({name})" for name in exercises()[LESSON]]
