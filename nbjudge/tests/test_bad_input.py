"""What may be wrong with a course when grading begins, and while it goes on: a sentence, and nothing lost."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy.exc
from graded_here import by_hand, grade, gradebook, graded_notebook, points
from nbgrader_course import ROOT, nbgrader, surroundings
from tiny_course import LESSON, make_course, submit
from traitlets.config import Config

from nbjudge.autograde import class_run, converter, pipeline, staging
from nbjudge.autograde import gradebook as gradebooks
from nbjudge.autograde.canary_run import run_canaries, settings_without_hooks
from nbjudge.autograde.discovery import require_run
from nbjudge.autograde.lock import only_grader
from nbjudge.errors import CannotGrade

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")]

RIGHT = {"double": "def double(x):\n    return x + x", "triple": "def triple(x):\n    return 3 * x"}
FULL = {"double_test": 4.0, "triple_test": 2.0}
NOTHING = dict.fromkeys(FULL, 0.0)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    course = make_course(tmp_path_factory.mktemp("bad") / "course")
    for student in ("ada", "bob"):
        submit(course, student, **RIGHT)
    return course


@pytest.fixture
def course(pristine, tmp_path) -> Path:
    return shutil.copytree(pristine, tmp_path / "course")


def fails_with(course: Path, pattern: str, **settings: object) -> str:
    """Assert that grading ends badly with a sentence that matches, and the gradebook is byte for byte as before."""
    before = digest(course / "gradebook.db")
    run = grade(course, **settings)
    assert not run.well
    assert re.search(pattern, run.said[-1]), run.said
    assert digest(course / "gradebook.db") == before
    return run.text


def left_in(course: Path) -> list[str]:
    return sorted(path.name for path in (course / ".grading").iterdir())


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "none"


# --- what is asked for


def test_an_unknown_lesson_is_told_with_what_may_have_been_meant(course):
    fails_with(course, r"^Nothing was graded\. .*`02_tiny`, .*\. Did you mean `01_tiny`\?", assignment_id="02_tiny")


def test_a_lesson_like_no_other_is_told_with_those_there_are(course):
    fails_with(course, r"There is no assignment `zebra`, .*\. Available: `01_tiny`", assignment_id="zebra")


def test_a_lesson_that_is_written_and_not_in_the_gradebook_is_told_how_it_gets_there(course):
    shutil.copytree(course / "solutions" / LESSON, course / "solutions" / "02_new")
    fails_with(
        course,
        r"has no assignment `02_new`\. .*`nbgrader generate_assignment 02_new`",
        **{"assignment_id": "02_new"},
    )


def test_a_notebook_that_lies_elsewhere_is_named(course):
    for place in ("carl.ipynb", f"dora/{LESSON}.ipynb"):
        (course / "submitted" / place).parent.mkdir(exist_ok=True)
        shutil.copy(course / "submitted" / "ada" / LESSON / f"{LESSON}.ipynb", course / "submitted" / place)
    run = grade(course)
    for place in ("carl.ipynb", f"dora/{LESSON}.ipynb"):
        assert f"submitted/{place} is ignored: a notebook belongs at submitted/STUDENT/ASSIGNMENT/." in run.text
    assert points(course, "ada") == FULL
    shutil.rmtree(course / "submitted" / "ada")
    shutil.rmtree(course / "submitted" / "bob")
    fails_with(
        course, r"`nbgrader collect 01_tiny`, or copy each notebook to submitted/STUDENT/01_tiny/01_tiny\.ipynb\."
    )


def test_a_notebook_that_is_refused_costs_one_line(course):
    (course / "submitted" / "ada" / LESSON / f"{LESSON}.ipynb").write_text("{")
    assert "has changed" not in grade(course).text
    assert points(course, "ada") == NOTHING


def test_an_unknown_student_is_told_with_who_may_have_been_meant(course):
    fails_with(course, r"No student `adda` submitted `01_tiny`\. Did you mean `ada`\?", student_id="adda")


def test_an_unknown_notebook_is_told_with_those_there_are(course):
    fails_with(course, r"no notebook `x\*`; it has `01_tiny`", notebook_id="x*")


def test_a_lesson_without_submissions_is_told_with_the_way_to_bring_them_in(course):
    shutil.rmtree(course / "submitted")
    fails_with(course, "There is no folder .*nbgrader collect")
    (course / "submitted" / "ada" / "01_tini").mkdir(parents=True)
    fails_with(course, "no submissions of `01_tiny`.* Did you mean `01_tini`.*nbgrader collect 01_tiny")


def test_grading_what_students_saved_is_refused():
    with pytest.raises(CannotGrade, match="With --no-execute"):
        require_run(Config(Execute={"enabled": False}))


# --- what cannot be read or written


OVERRIDE_AND_SEARCH = 0b110  # the capabilities by which root opens what is closed
CAPABILITIES = 0x20080522  # the version of the kernel's interface


@contextmanager
def without_privileges():
    """Let permissions hold for root too, to whom everything is open otherwise."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, now = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, now) == 0
    fewer = (ctypes.c_uint32 * 6)(*now)
    fewer[0] &= ~OVERRIDE_AND_SEARCH
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, now) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the test takes root's privileges away as Linux does")
def test_a_folder_that_cannot_be_read_is_its_students_zero_and_nobody_elses(course):
    for folder in (course / "submitted" / "ada" / LESSON, course / "submitted" / "bob"):
        folder.chmod(0)
    submit(course, "cleo", **RIGHT)
    with without_privileges():
        run = grade(course)
        assert run.well, run.text
        assert run.said[-1] == "graded 1, refused 2"
        assert [points(course, name) for name in ("ada", "bob", "cleo")] == [NOTHING, NOTHING, FULL]
        assert "could not be read" in graded_notebook(course, "bob").cells[0].source
        for folder in (course / "submitted" / "ada" / LESSON, course / "submitted" / "bob"):
            folder.chmod(0o700)
        assert grade(course).well
        assert points(course, "bob") == FULL


@pytest.mark.skipif(sys.platform != "linux", reason="the test takes root's privileges away as Linux does")
def test_submissions_that_cannot_be_read_at_all_are_said(course):
    (course / "submitted").chmod(0)
    with without_privileges():
        fails_with(course, "submitted cannot be read")
    (course / "submitted").chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="the test takes root's privileges away as Linux does")
def test_a_gradebook_that_cannot_be_written_is_said(course):
    (course / "gradebook.db").chmod(0o444)
    with without_privileges():
        fails_with(course, "gradebook.db cannot be written .*readonly.* write the file and its folder")


# --- the gradebook


def test_a_gradebook_that_is_not_there_is_not_made(course):
    (course / "gradebook.db").unlink()
    fails_with(course, "There is no gradebook at .*nbgrader generate_assignment")
    assert not (course / "gradebook.db").exists()


@pytest.mark.parametrize("content", [b"", b"not a database, whatever its name says", b"SQLite format 3\0" + b"x" * 500])
def test_what_is_not_a_gradebook_is_left_as_it_is(course, content):
    (course / "gradebook.db").write_bytes(content)
    fails_with(course, r"^Nothing was graded\. The gradebook .* The file was not modified.*generate_assignment")


def test_a_gradebook_that_was_cut_short_is_left_as_it_is(course):
    file = course / "gradebook.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    fails_with(course, "is damaged: .*The file was not modified")


@pytest.mark.parametrize(
    ("change", "lack"),
    [("DROP TABLE comment", "the table comment"), ("ALTER TABLE grade DROP extra_credit", "column grade.extra_credit")],
)
def test_a_gradebook_without_a_table_or_column_gets_none(course, change, lack):
    with closing(sqlite3.connect(course / "gradebook.db")) as database:
        database.execute(change)
    fails_with(course, f"lacks .*{lack}.*nbgrader db upgrade")


@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_gradebook_in_use_is_waited_for_and_then_given_up(course, kind):
    with closing(sqlite3.connect(course / "gradebook.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        said = fails_with(
            course, "in use by another program for 0.5 s. Close the program that has it open", gradebook_patience=0.5
        )
        assert "waiting up to 0.5 s" in said
        other.execute("ROLLBACK")
    assert grade(course).well


def test_a_gradebook_that_comes_free_while_it_is_waited_for_is_used(course, monkeypatch):
    other = sqlite3.connect(course / "gradebook.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("nbjudge.autograde.gradebook.time.sleep", lambda _: other.close())
    run = grade(course)
    assert run.well
    assert any("waiting up to 30 s" in sentence for sentence in run.said)


# --- two graders


def test_a_second_grader_is_told_who_is_at_work(course):
    with only_grader(course):
        fails_with(course, rf"already running in .*: process {os.getpid()}, since \d{{4}}-\d\d-\d\d")
    assert grade(course).well


def test_a_grader_that_was_killed_blocks_nobody_and_its_work_is_cleared(course):
    holds = (
        "import sys, time; from pathlib import Path; from nbjudge.autograde.lock import only_grader\n"
        "with only_grader(Path(sys.argv[1])) as work:\n"
        "    (work / 'left').write_text('x'); print('there', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holds, course], cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        fails_with(course, f"already running in .*: process {other.pid}, since")
        other.kill()
    assert list((course / ".grading").glob("*/left"))
    assert grade(course).well
    assert left_in(course) == [".gitignore", "lock"]


def test_a_process_that_a_grader_left_running_blocks_nobody(course):
    leaves = (
        "import os, signal, sys; from pathlib import Path; from nbjudge.autograde.lock import only_grader\n"
        "with only_grader(Path(sys.argv[1])):\n"
        "    child = os.fork() or signal.pause()\n"
        "print(child, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", leaves, course], cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        try:
            with only_grader(course):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_lock_is_no_way_to_a_file_elsewhere(course, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (course / ".grading").mkdir()
    (course / ".grading" / "lock").symlink_to(elsewhere)
    with pytest.raises(CannotGrade, match="symbolic links"), only_grader(course):
        pass
    assert elsewhere.read_text() == "mine"


def test_where_a_group_grades_the_lock_is_the_groups_and_the_work_is_not(course):
    with only_grader(course, shared=True) as work:
        places = (course / ".grading", course / ".grading" / "lock", work)
        assert [stat.S_IMODE(place.stat().st_mode) & 0o777 for place in places] == [0o770, 0o660, 0o700]


def test_a_course_in_which_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / ".grading").write_text("a file in the way")
    with pytest.raises(CannotGrade, match="Grading needs the folder"), only_grader(tmp_path):
        pass


# --- while grading goes on


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["clean_copy", "write_scores"])
def test_a_full_disk_leaves_marks_and_notebooks_as_they_were(course, monkeypatch, where):
    assert grade(course, student_id="ada").well
    before = (course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb").read_bytes()
    monkeypatch.setattr(pipeline, where, full_disk)
    run = grade(course, force=True)
    assert not run.well
    assert "graded 0, not recorded 2" in run.said
    assert "No space left on device" in run.text
    assert (course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb").read_bytes() == before
    assert points(course, "ada") == FULL
    assert not (course / "autograded" / "bob" / LESSON).exists()
    monkeypatch.undo()
    assert grade(course).well
    assert points(course, "bob") == FULL


def test_a_disk_that_is_full_for_a_moment_is_not_held_against_a_student(course, monkeypatch):
    assert grade(course, student_id="ada").well
    calls = iter([full_disk])
    proper = pipeline.clean_copy
    monkeypatch.setattr(pipeline, "clean_copy", lambda *arguments: next(calls, proper)(*arguments))
    assert not grade(course, student_id="ada", force=True).well
    assert points(course, "ada") == FULL


def test_a_disk_that_is_full_for_three_in_a_row_stops_the_rest(course, monkeypatch):
    for student in ("cleo", "dora"):
        submit(course, student)
    monkeypatch.setattr(pipeline, "clean_copy", full_disk)
    run = grade(course)
    assert not run.well
    assert "graded 0, not recorded 3, still to do 1" in run.said
    assert re.search("3 times in a row.*Make room on the disk", run.said[-1])


def test_what_cannot_be_put_into_place_leaves_the_earlier_result(course, monkeypatch):
    assert grade(course).well
    moves = []

    def move_fails(source, target):
        moves.append(target)
        full_disk()

    monkeypatch.setattr(staging, "_move", move_fails)
    assert not grade(course, student_id="ada", force=True).well
    assert moves  # or nothing was tried
    assert graded_notebook(course, "ada").cells


def test_another_disk_is_written_by_copying(course, monkeypatch):
    rename = os.rename

    def other_disk(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    assert grade(course).well
    monkeypatch.setattr(staging.os, "rename", other_disk)
    assert grade(course, force=True).well
    assert graded_notebook(course, "ada").cells
    assert [path.name for path in (course / "autograded" / "ada").iterdir()] == [LESSON]


def test_marks_are_written_all_or_none(course, monkeypatch):
    assert grade(course, student_id="ada").well
    by_hand(course, "ada", "double_test", auto_score=3.0)
    grades = []

    def second_fails(grade_row, earned):
        grades.append(grade_row)
        grade_row.auto_score = 0.0
        if len(grades) == 2:
            raise sqlalchemy.exc.OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(gradebooks, "_update_grade", second_fails)
    assert not grade(course, student_id="ada", force=True).well
    assert points(course, "ada") == {**FULL, "double_test": 3.0}


def test_ctrl_c_keeps_what_was_graded_and_clears_up(course):
    submit(course, "c", **{**RIGHT, "double": "stop KeyboardInterrupt()"})
    submit(course, "d", **RIGHT)
    run = grade(course)
    assert not run.well
    assert "Stopped by Ctrl-C. Graded submissions are kept; run the same command again" in run.said[-1]
    assert "graded 2, still to do 2" in run.said
    assert points(course, "bob") == FULL
    assert not (course / "autograded" / "c").exists() or not list((course / "autograded" / "c").iterdir())
    assert left_in(course) == [".gitignore", "lock"]
    with gradebook(course) as book:
        assert sorted(one.student.id for one in book.assignment_submissions(LESSON)) == ["ada", "bob"]


def test_ctrl_c_while_the_canaries_run_is_told_in_one_line(course, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(class_run.ClassRun, "_start", stopped)
    settings = settings_without_hooks(course)
    with pytest.raises(KeyboardInterrupt):
        run_canaries(settings, LESSON, converter.grade_canaries)


# --- through nbgrader itself


@pytest.mark.nbgrader
def test_nbgraders_command_ends_with_1_and_the_sentence(course):
    said = nbgrader(course, "autograde", "01_tinny", fails=True)
    assert "Did you mean `01_tiny`?" in said.splitlines()[-1]
    assert "Traceback" not in said
    said = nbgrader(course, "autograde", LESSON, "--no-execute", fails=True)
    assert "Remove the option" in said.splitlines()[-1]


@pytest.mark.nbgrader
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_ctrl_c_at_nbgraders_command_leaves_no_kernel_and_no_folder(course):
    submit(course, "a", double="import time\nprint('slow', flush=True)\ntime.sleep(600)")
    with subprocess.Popen(
        [sys.executable, "-m", "nbgrader", "autograde", LESSON, "--student=a"],
        cwd=course,
        env=surroundings(course, TMPDIR=str(course)),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as grader:
        assert grader.stderr is not None
        said = []
        for line in grader.stderr:
            said.append(line)
            if "Autograding" in line:
                os.killpg(grader.pid, signal.SIGINT)
    assert grader.returncode == 1, said
    assert "Stopped by Ctrl-C" in said[-1]
    assert left_in(course) == [".gitignore", "canaries.json", "lock"]
    with pytest.raises(ProcessLookupError):
        os.killpg(grader.pid, 0)
