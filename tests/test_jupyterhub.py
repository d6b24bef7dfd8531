"""An instructor and three students on a JupyterHub that is set up as docs/jupyterhub.md says.

hub_site.py builds it from the code blocks of that page, with accounts of this machine; hub_user.py is what people do
in the browser.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hub_site import INSTRUCTOR, STUDENTS, Account, Site, running_site, set_password
from hub_user import HubUser
from nbgrader_course import scores_in
from nbgrader_students import possible, solution_cells

from autograde_tests import exercises
from rnn_helpers.cards import RESULT

LESSON = "01_recurrence"
MISTAKE = "You leave out the bias b_h."  # ben's
NOTEBOOK = f"{LESSON}/{LESSON}.ipynb"
TEACHER = Account(INSTRUCTOR)
ADA, BEN, EVA = map(Account, STUDENTS)
PRIVATE = [
    "gradebook.db",
    "submitted",
    "autograded",
    "feedback",
    "solutions",
    "source",
    "autograde_tests",
    ".course_salt",
]
# Prints those of its arguments that can be read or listed.
READABLE = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()
        print(path)
    except OSError:
        pass
"""

pytestmark = pytest.mark.hub


def answers(account: Account) -> dict[str, str]:
    """Return {grade_id: source}: ada is right, ben leaves out a bias, and eva hands in the lesson as it is."""
    solution = solution_cells(LESSON)
    without_bias = solution["rnn_step"].replace(" + b_h)", ")")
    assert without_bias != solution["rnn_step"]
    return {ADA.name: solution, BEN.name: solution | {"rnn_step": without_bias}, EVA.name: {}}[account.name]


@dataclass
class Class:
    """One lesson on the hub: who is logged in, and what was shown to whom at each step."""

    site: Site
    users: dict[str, HubUser] = field(default_factory=dict)
    lists: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    outputs: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def log_in(self, account: Account) -> None:
        account.password = f"{account.name}, on this machine only"
        set_password(account)
        user = self.users[account.name] = HubUser(self.site.url, account.login)
        user.log_in(account.password)
        user.start_server()

    def click(self, account: Account, action: str) -> None:
        self.lists[account.name, action] = self.users[account.name].click(action, LESSON)

    def solve(self, account: Account) -> None:
        """Fill in the fetched notebook, save it, and run its imports, its answers and their checks."""
        user, given = self.users[account.name], answers(account)
        notebook = user.read_notebook(NOTEBOOK)
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        ids = [cell["metadata"].get("nbgrader", {}).get("grade_id", "") for cell in code]
        for cell, grade_id in zip(code, ids, strict=True):
            cell["source"] = given.get(grade_id, cell["source"])
        user.save_notebook(NOTEBOOK, notebook)
        to_run = {"imports": code[0]["source"]}
        to_run |= {name: cell["source"] for name, cell in zip(ids, code, strict=True) if name}
        outputs = user.run(NOTEBOOK, list(to_run.values()))
        self.outputs[account.name] = dict(zip(to_run, outputs, strict=True))

    def results(self, account: Account) -> dict[str, dict[str, Any]]:
        """Return {exercise: the result that its card carries} of the checks that this student ran."""
        cards = [
            output["data"][RESULT]
            for outputs in self.outputs[account.name].values()
            for output in outputs
            if RESULT in output.get("data", {})
        ]
        return {card["exercise"]: card for card in cards}

    def teach(self, program: str, *arguments: str) -> str:
        """Run a program of the course's environment as the instructor, in the course's folder."""
        course = self.site.course
        ended = TEACHER.run(course / ".venv/bin" / program, *arguments, folder=course)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def doctor(self) -> dict[str, dict[str, str]]:
        course = self.site.course
        printed = TEACHER.run(course / ".venv/bin/rnn-course", "doctor", "--json", folder=course).stdout
        findings = json.loads(printed[printed.index("{") :])  # after warnings about the settings
        return {check["check"]: check for check in findings["checks"]}


@pytest.fixture(scope="module")
def taught() -> Iterator[Class]:
    with running_site() as site:
        taught = Class(site)
        taught.teach("nbgrader", "generate_assignment", LESSON)
        taught.teach("nbgrader", "release_assignment", LESSON)
        for student in (ADA, BEN, EVA):
            taught.log_in(student)
            taught.click(student, "fetch")
            taught.solve(student)
            taught.click(student, "submit")
        taught.teach("nbgrader", "collect", LESSON)
        taught.printed["grade"] = taught.teach("rnn-course", "grade", LESSON)
        taught.teach("nbgrader", "generate_feedback", LESSON)
        taught.teach("nbgrader", "release_feedback", LESSON)
        for student in (ADA, BEN, EVA):
            taught.click(student, "fetch_feedback")
        yield taught


# --- a lesson, from release to feedback


def test_each_student_sees_the_lesson_fetched_then_submitted(taught: Class) -> None:
    for student in STUDENTS:
        for action, status in (("fetch", "fetched"), ("submit", "submitted")):
            shown = {(entry["assignment_id"], entry["status"]) for entry in taught.lists[student, action]}
            assert (LESSON, status) in shown, student


def test_check_passes_names_the_mistake_or_says_that_nothing_is_solved_yet(taught: Class) -> None:
    results = {account.name: taught.results(account) for account in (ADA, BEN, EVA)}
    assert {name: set(cards) for name, cards in results.items()} == dict.fromkeys(STUDENTS, set(exercises()[LESSON]))
    assert {card["passed"] for card in results[ADA.name].values()} == {True}
    step = results[BEN.name]["rnn_step"]
    assert (step["passed"], step["mistake"]) == (False, MISTAKE)
    assert {card["solved"] for card in results[EVA.name].values()} == {False}


def test_scores_are_full_less_and_zero(taught: Class) -> None:
    taught.teach("nbgrader", "export")
    scores = scores_in(taught.site.course / "grades.csv")
    assert scores[ADA.login] == possible(LESSON)
    assert 0 < scores[BEN.login] < possible(LESSON)
    assert scores[EVA.login] == 0


def test_submissions_are_graded_in_the_whole_sandbox(taught: Class) -> None:
    assert "not in force: nothing" in taught.printed["grade"]


def test_each_student_receives_the_own_feedback(taught: Class) -> None:
    for account in (ADA, BEN, EVA):
        (received,) = account.home.glob(f"{LESSON}/feedback/*/{LESSON}.html")
        written = taught.site.course / "feedback" / account.login / LESSON / f"{LESSON}.html"
        assert received.read_bytes() == written.read_bytes()


def test_formgrader_opens_from_the_hub_for_the_instructor(taught: Class) -> None:
    taught.log_in(TEACHER)
    listed = {lesson["name"]: lesson for lesson in taught.users[INSTRUCTOR].server("formgrader/api/assignments")}
    assert listed[LESSON]["num_submissions"] == len(STUDENTS)


# --- what a student's account cannot read


def readable(taught: Class, account: Account, paths: list[Path]) -> list[Path]:
    ended = account.run(taught.site.python, "-c", READABLE, *paths)
    assert ended.returncode == 0, ended.stdout
    return list(map(Path, ended.stdout.splitlines()))


def test_students_cannot_read_the_course_and_its_owner_can(taught: Class) -> None:
    paths = [taught.site.course / name for name in PRIVATE]
    assert readable(taught, TEACHER, paths) == paths
    assert readable(taught, ADA, paths) == []


def test_students_cannot_read_what_others_keep_at_home(taught: Class) -> None:
    paths = [BEN.home, BEN.home / NOTEBOOK, *BEN.home.glob(f"{LESSON}/feedback/*/*.html")]
    assert len(paths) == 3
    assert readable(taught, BEN, paths) == paths
    assert readable(taught, ADA, paths) == []


def test_students_cannot_find_what_others_hand_in_and_get_back(taught: Class) -> None:
    folders = [taught.site.exchange / "rnn" / name for name in ("inbound", "feedback")]
    assert [len(list(folder.iterdir())) for folder in folders] == [len(STUDENTS)] * 2
    assert readable(taught, TEACHER, folders) == folders
    assert readable(taught, ADA, folders) == []


def test_students_cannot_read_the_secrets_of_the_hub(taught: Class) -> None:
    hub = taught.site.path("/srv/jupyterhub")
    paths = [hub / "jupyterhub.sqlite", hub / "jupyterhub_cookie_secret"]
    assert all(path.is_file() for path in paths)
    assert readable(taught, ADA, paths) == []


def test_students_cannot_open_the_servers_of_others(taught: Class) -> None:
    ada = taught.users[ADA.name]
    assert ada.server(f"api/contents/{NOTEBOOK}")["name"] == f"{LESSON}.ipynb"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ada.ask(f"/user/{BEN.login}/api/contents/{NOTEBOOK}")


@pytest.mark.parametrize("name", ["nbjudge", "autograde_tests", "rnn_course"])
def test_the_students_environment_is_without_tests_and_engine(taught: Class, name: str) -> None:
    assert ADA.run(taught.site.python, "-c", "import rnn_helpers").returncode == 0
    assert f"No module named '{name}'" in ADA.run(taught.site.python, "-c", f"import {name}").stdout


# --- what can be wrong with it


@contextmanager
def changed_mode(*changes: tuple[Path, int]) -> Iterator[None]:
    before = [(path, path.stat().st_mode & 0o7777) for path, _ in changes]
    for path, mode in changes:
        path.chmod(mode)
    try:
        yield
    finally:
        for path, mode in before:
            path.chmod(mode)


def test_doctor_fails_when_the_course_is_open_to_students(taught: Class) -> None:
    assert taught.doctor()["privacy"]["mark"] == "ok"
    with changed_mode((TEACHER.home, 0o711), (taught.site.course, 0o755)):
        assert readable(taught, ADA, [taught.site.course / "solutions"]) != []
        finding = taught.doctor()["privacy"]
    assert finding["mark"] == "fail"
    assert "solutions" in finding["sentence"]


def test_doctor_and_students_are_told_that_the_exchange_cannot_be_written(taught: Class) -> None:
    assert taught.doctor()["exchange"]["mark"] == "ok"
    with changed_mode((taught.site.exchange, 0o755)):
        finding = taught.doctor()["exchange"]
        refused = ADA.run(taught.site.python, "-m", "nbgrader", "list")
    assert finding["mark"] == "fail"
    assert f"Students cannot write to {taught.site.exchange}" in finding["sentence"]
    assert "Unwritable directory, please contact your instructor" in refused.stdout


def test_who_hands_in_under_the_name_of_another_is_named(taught: Class) -> None:
    inbound = taught.site.exchange / "rnn" / "inbound"
    forged = inbound / f"{ADA.login}+{LESSON}+2999-01-01 00:00:00 UTC+forged"
    copied = EVA.run("cp", "-r", EVA.home / LESSON, forged)
    assert copied.returncode == 0, copied.stdout
    try:
        printed = taught.teach("nbgrader", "collect", LESSON)
    finally:
        shutil.rmtree(forged)
    assert f"claims to be submitted by {ADA.login} but is owned by {EVA.login}" in printed
