"""`rnn-course grade`: the same marks as nbgrader's own command, whatever happens on the way."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from class_fixtures import *  # noqa: F403  (pytest finds fixtures by their names here)
from graded_class import CLASS, LATE, everything, kill, lines, make_class, rnn_course, said
from nbformat.v4 import new_markdown_cell
from nbgrader_course import surroundings
from tiers import NIGHT
from tiny_course import LESSON, TESTS, cell, exercise, release, submit

pytestmark = pytest.mark.nbgrader
KILLS = 20 if NIGHT else 3
SWALLOWING = """
import os, signal, sys, time
from nbjudge.autograde import pipeline
from nbjudge.autograde.cheat import CHEATS
from nbjudge.cli import main
real, canaries = pipeline.inspect, 2 + len(CHEATS)
def inspect(*arguments):
    global canaries
    canaries -= 1
    try:
        if canaries < 0:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
    except BaseException:
        pass
    return real(*arguments)
pipeline.inspect = inspect
if __name__ == "__main__":
    sys.exit(main(["grade", sys.argv[1], "--jobs", "2"]))
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_class(tmp_path_factory.mktemp("commanded") / "course")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder with a name that is short enough for sockets, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def processes_of(course: Path) -> list[psutil.Process]:
    """Return the processes that work for this course: its graders, their workers, zygotes and kernels."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RNN_COURSE_PROGRESS", "").startswith(str(course)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_the_marks_are_those_of_nbgraders_own_command(course, by_nbgrader):
    told = lines(said(rnn_course(course, "grade", LESSON, "--jobs", "3", "--json")))
    assert everything(course) == by_nbgrader
    assert all(about[0] + " UTC" == LATE for about in by_nbgrader["gradebook"].values())
    assert {one["student"] for one in told[:-1]} == {*CLASS, "s09"}
    assert told[-1]["graded"] == len(CLASS)
    assert told[-1]["refused"] == 1
    events = {one["student"]: [event["what"] for event in one["events"]] for one in told[:-1]}
    assert "died" in events["s04"]
    assert "timeout" in events["s05"]
    assert events["s01"] == []
    assert all(one["isolation"].startswith("sandbox: ") for one in told[:-1] if one["how"] == "graded")


def test_what_was_graded_is_left_alone_and_a_newer_submission_is_graded(course):
    said(rnn_course(course, "grade", LESSON, "--student", "s0[13]"))
    solution = course / "submitted" / "s01" / LESSON
    shutil.copy(solution / f"{LESSON}.ipynb", course / "submitted" / "s03" / LESSON)
    (course / "submitted" / "s03" / LESSON / "timestamp.txt").write_text("2026-01-03 12:00:00 UTC")
    told = lines(said(rnn_course(course, "grade", LESSON, "--student", "s0[13]", "--json")))
    assert {one["student"]: one["how"] for one in told[:-1]} == {"s01": "skipped", "s03": "graded"}
    assert everything(course)["gradebook"]["s03"][1] == 6


def test_it_says_how_many_answers_wait_for_a_human(tmp_path):
    course = tmp_path / "course"
    (course / "tiny_tests").mkdir(parents=True)
    (course / "tiny_tests" / "__init__.py").write_text(TESTS)
    written = cell("words", "### BEGIN SOLUTION\nSo.\n### END SOLUTION", grade=True, solution=True, points=1)
    written = new_markdown_cell(written.source, id="words", metadata=written.metadata)
    release(course, [*exercise("double", 2), written])
    for student, answers in {"s1": {"words": "Because."}, "s2": {"words": "Why not?"}, "s3": {}}.items():
        submit(course, student, double="def double(x):\n    return 2 * x", **answers)
    assert "The answers of 2 students wait for you to read" in said(rnn_course(course, "grade", LESSON))


def test_killed_at_random_moments_it_ends_with_the_same_marks(released, by_nbgrader, tmp_path):
    chance = random.Random(int(os.environ.get("KILL_SEED", "0")) or time.time_ns())
    whole = shutil.copytree(released, tmp_path / "whole")
    started = time.monotonic()
    said(rnn_course(whole, "grade", LESSON, "--jobs", "2"))
    # One in each part of the time that a run takes, so that few kills, too, come early and late.
    duration = time.monotonic() - started
    moments = [duration * (number + chance.random()) / KILLS for number in range(KILLS)]
    courses = math.ceil(KILLS / 5)
    for first in range(courses):
        course = shutil.copytree(released, tmp_path / f"course{first}")
        interrupted = 0
        # Early kills come first: what they leave undone is left for the later ones to interrupt.
        for moment in moments[first::courses]:
            grader = rnn_course(course, "grade", LESSON, "--jobs", "2")
            time.sleep(moment)
            interrupted += grader.poll() is None
            kill(grader)
        assert interrupted, "every run had ended before it was killed"
        said(rnn_course(course, "grade", LESSON, "--jobs", "2"))
        assert everything(course) == by_nbgrader
        shutil.rmtree(course)


def test_a_killed_grader_leaves_no_process_and_no_submission_behind(course, temporary):
    grader = rnn_course(course, "grade", LESSON, "--jobs", "2", TMPDIR=str(temporary))
    seen = 0
    while grader.poll() is None and seen < 5:  # the grader, two workers, and what they have forked kernels from
        seen = len(processes_of(course))
        time.sleep(0.1)
    assert seen >= 5
    kill(grader)
    for _ in range(100):
        if not (rest := processes_of(course)):
            break
        time.sleep(0.1)
    assert rest == []
    assert list(temporary.glob("box-*/submission-*")) == []


def test_what_a_killed_grader_left_in_the_temporary_folder_goes_with_the_next_run(course, temporary):
    grader = rnn_course(course, "grade", LESSON, "--jobs", "2", TMPDIR=str(temporary))
    while grader.poll() is None and not list(temporary.glob("box-*/submission-*")):
        time.sleep(0.02)
    for process in [*psutil.Process(grader.pid).children(recursive=True), grader]:
        process.kill()
    grader.communicate()
    assert list(temporary.glob("box-*/submission-*"))
    said(rnn_course(course, "grade", LESSON, TMPDIR=str(temporary)))
    assert list(temporary.iterdir()) == []


def test_a_worker_that_is_killed_costs_nobody_anything(course, by_nbgrader):
    grader = rnn_course(course, "grade", LESSON, "--jobs", "2")
    graded = course / "autograded"
    while grader.poll() is None and not graded.is_dir():
        time.sleep(0.05)
    workers = [
        one for one in psutil.Process(grader.pid).children() if any("spawn_main" in part for part in one.cmdline())
    ]
    assert workers
    workers[0].kill()
    said(grader)
    assert everything(course) == by_nbgrader


def test_ctrl_c_keeps_what_was_graded_leaves_nothing_lying_and_says_how_to_go_on(course, by_nbgrader, temporary):
    grader = rnn_course(course, "grade", LESSON, "--jobs", "2", TMPDIR=str(temporary))
    while grader.poll() is None and not (course / "autograded").is_dir():
        time.sleep(0.05)
    os.killpg(grader.pid, signal.SIGINT)
    told = said(grader, code=1)
    assert "Ctrl-C. Graded submissions are kept" in told
    assert "Next: nbjudge report" not in told
    assert list(temporary.iterdir()) == []
    graded = {path.parent.name for path in (course / "autograded").glob(f"*/{LESSON}")}
    known = set(everything(course)["gradebook"])
    assert graded <= known
    assert len(known - graded) <= 1  # the one that was being written down
    said(rnn_course(course, "grade", LESSON))
    assert everything(course) == by_nbgrader


def test_ctrl_c_that_a_library_catches_is_not_forgotten(course):
    (course / "swallowing.py").write_text(SWALLOWING)
    with subprocess.Popen(
        [sys.executable, "swallowing.py", LESSON],
        cwd=course,
        env=surroundings(course),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as grader:
        assert "Ctrl-C. Graded submissions are kept" in said(grader, code=1)
    assert len(list((course / "autograded").iterdir())) < len(list((course / "submitted").iterdir()))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["grade", "02_tinier"], "There is no assignment `02_tinier`"),
        (["grade", LESSON, "--scheduler", "http://127.0.0.1:8787"], "expected an address such as"),
        (["grade", LESSON, "--student", "nobody"], "No student"),
        (["grade", LESSON, "--scheduler", "tcp://127.0.0.1:9"], "No scheduler answers at tcp://127.0.0.1:9"),
        (["grade", LESSON, "--scheduler", "nonsense"], "expected an address such as"),
        (["--course", "/nowhere", "grade", LESSON], "There is no nbgrader_config.py in /nowhere"),
        (["report", LESSON], "No submission of"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(course, arguments, sentence):
    text = said(rnn_course(course, *arguments), code=1)
    assert sentence.lower() in text.lower()
    assert "Traceback" not in text


def test_without_a_command_it_names_those_there_are(course):
    assert "missing COMMAND (choose from doctor, grade, report)" in said(rnn_course(course), code=2)


def test_jobs_must_be_a_number(course):
    assert "invalid value '0': expected a positive integer" in said(
        rnn_course(course, "grade", LESSON, "--jobs", "0"), code=2
    )


def test_a_gradebook_that_another_program_holds_is_waited_for(course):
    settings = course / "nbgrader_config.py"
    settings.write_text(settings.read_text() + "\nc.Grading.gradebook_patience = 1.0\n")
    before = everything(course)
    holder = sqlite3.connect(course / "gradebook.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        text = said(rnn_course(course, "grade", LESSON, "--student", "s01"), code=1)
    finally:
        holder.close()
    assert "Traceback" not in text
    assert "gradebook" in text
    assert everything(course) == before


def test_a_class_can_have_ten_thousand_files(course):
    folder = course / "submitted" / "s01" / LESSON
    for number in range(10_000):
        (folder / f"note{number}.txt").write_text("x")
    told = lines(said(rnn_course(course, "grade", LESSON, "--student", "s0[12]", "--json")))
    hows = {one["student"]: one["how"] for one in told[:-1]}
    assert hows["s02"] == "graded"
    assert hows["s01"] in ("graded", "refused")
    assert json.dumps(told)  # and nothing else is said
