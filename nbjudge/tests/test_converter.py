"""Grading a class: what is graded, what is recorded, what a second time changes."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import nbformat
import pytest
from graded_here import by_hand, grade, gradebook, graded_notebook, points, rows
from nbformat.v4 import new_markdown_cell
from nbgrader.apps import NbGraderAPI, api, autogradeapp
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from nbgrader_course import nbgrader, scores, solve
from tiny_course import LESSON, cell, exercise, make_course, release, submit

from nbjudge.autograde import cheat
from nbjudge.autograde.class_run import OUR_ERROR
from nbjudge.autograde.converter import Grading, install_converter

# nbgrader builds a submission's rows while its session writes what is there so far, and SQLAlchemy mentions it.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

RIGHT = {"double": "def double(x):\n    return x + x", "triple": "def triple(x):\n    return 3 * x"}
WRONG = {"double": "def double(x):\n    return x", "triple": "def triple(x):\n    return x"}
FULL = {"double_test": 4.0, "triple_test": 2.0}
HALF = {name: points / 2 for name, points in FULL.items()}
NOTHING = dict.fromkeys(FULL, 0.0)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return make_course(tmp_path_factory.mktemp("converter") / "course")


@pytest.fixture
def course(pristine, tmp_path) -> Path:
    return shutil.copytree(pristine, tmp_path / "course")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A course with an answer that a human reads, and a task."""
    why = cell("why", "YOUR ANSWER HERE", solution=True, grade=True, points=3)
    task = new_markdown_cell("Explore.", id="explore", metadata={"nbgrader": {**why.metadata.nbgrader}})
    task.metadata.nbgrader.update(grade_id="explore", grade=False, solution=False, task=True, locked=True, points=5)
    return release(tmp_path_factory.mktemp("written") / "course", [*exercise("double", 2), why, task])


@pytest.fixture
def by_human(written, tmp_path) -> Path:
    return shutil.copytree(written, tmp_path / "course")


def resubmit(course: Path, student: str, time: str = "", **answers: str) -> Path:
    folder = course / "submitted" / student / LESSON
    shutil.rmtree(folder, ignore_errors=True)
    submit(course, student, **answers)
    if time:
        (folder / "timestamp.txt").write_text(time)
    return folder


# --- which class nbgrader uses


def test_nbgraders_command_and_its_programming_interface_use_grading(monkeypatch):
    for module in (autogradeapp, api):
        monkeypatch.setattr(module, "Autograde", Autograde)
    for _ in range(2):
        install_converter()
    assert autogradeapp.Autograde is api.Autograde is Grading
    assert issubclass(Grading, Autograde)


# --- a class


def test_each_gets_the_own_score_and_the_result_is_as_nbgrader_leaves_it(course):
    submit(course, "ada", **RIGHT)
    submit(course, "bob", **WRONG)
    submit(course, "cleo")
    run = grade(course)
    assert run.well
    assert run.said[-1] == "graded 3"
    assert [points(course, student) for student in ("ada", "bob", "cleo")] == [FULL, HALF, NOTHING]
    graded = course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb"
    assert stat.S_IMODE(graded.stat().st_mode) == 0o444
    assert graded_notebook(course, "ada").cells[1].outputs
    assert sorted(path.name for path in (course / ".grading").iterdir()) == [".gitignore", "lock"]


def test_a_refused_submission_is_recorded_with_a_sentence_and_the_next_is_graded(course):
    (course / "submitted" / "ada" / LESSON).mkdir(parents=True)
    resubmit(course, "bob", **RIGHT).joinpath(f"{LESSON}.ipynb").write_text("{")
    submit(course, "cleo", **RIGHT)
    run = grade(course)
    assert run.well
    assert run.said[-1] == "graded 1, refused 2"
    assert points(course, "ada") == points(course, "bob") == NOTHING
    assert not any(row["needs_manual_grade"] for row in rows(course, "bob").values())
    assert points(course, "cleo") == FULL
    notebook = graded_notebook(course, "bob")
    assert notebook.metadata.grading.refused.student in notebook.cells[0].source
    tests = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [cell.outputs[0].ename for cell in tests] == ["NotGraded"] * 2


@pytest.mark.parametrize(
    "error",
    [
        "ValueError('<odd>')",
        "RuntimeError('\\x1b[2J')",
        "asyncio.CancelledError()",
        "MemoryError()",
        "RecursionError()",
    ],
)
def test_an_error_of_ours_is_zero_with_a_sentence_and_a_look_and_the_class_goes_on(course, error):
    error = error.replace("asyncio", "__import__('asyncio')")
    submit(course, "ada", **{**RIGHT, "double": f"stop {error}"})
    submit(course, "bob", **RIGHT)
    run = grade(course)
    assert not run.well
    assert points(course, "ada") == NOTHING
    assert all(row["needs_manual_grade"] for row in rows(course, "ada").values())
    assert OUR_ERROR in graded_notebook(course, "ada").cells[0].source
    assert points(course, "bob") == FULL
    assert "graded 1, failed 1" in run.said
    assert "Could not grade: ada." in run.said[-1]
    assert "\x1b" not in "".join(run.said[-4:])
    assert "NBGRADER_EXECUTION" not in os.environ  # or all that this process starts later would be graded, too


@pytest.mark.slow
@pytest.mark.parametrize("error", ["MemoryError()", "RecursionError()", "UnicodeEncodeError('utf-8', 'x', 0, 1, 'x')"])
def test_any_number_of_texts_that_raise_an_error_stop_nobody(course, error):
    for number in range(5):
        submit(course, f"ada{number}", **{**RIGHT, "double": f"stop {error}"})
    submit(course, "bob", **RIGHT)
    run = grade(course)
    assert points(course, "bob") == FULL
    assert "graded 1, failed 5" in run.said
    assert points(course, "ada4") == NOTHING
    assert OUR_ERROR in graded_notebook(course, "ada4").cells[0].source


def test_what_failed_for_an_error_of_ours_is_graded_again_without_being_asked(course):
    submit(course, "ada", **{**RIGHT, "double": "stop ValueError()"})
    assert not grade(course).well
    resubmit(course, "ada", **RIGHT)
    assert grade(course).well
    assert points(course, "ada") == FULL


@pytest.mark.parametrize("student", ["a b", "-rf", "[a]*", "über", "a'b\"c", "{x}", "%s", "x" * 200])
def test_a_strange_name_is_a_name(course, student):
    submit(course, student, **RIGHT)
    run = grade(course)
    assert run.well, run.text
    assert points(course, student) == FULL
    assert graded_notebook(course, student).cells


def test_a_name_that_cannot_be_written_down_costs_nobody_else_anything(course):
    submit(course, "ada", **RIGHT)
    submit(course, "z\udcff", **RIGHT)
    run = grade(course)
    assert not run.well
    assert "graded 1, not recorded 1" in run.said
    assert points(course, "ada") == FULL


# --- nbgrader's own settings


def test_only_who_is_asked_for_is_graded(course):
    for student in ("ada", "adam", "bob"):
        submit(course, student, **RIGHT)
    assert grade(course, student_id="ada*", student_id_exclude="adam").said[-1] == "graded 1"
    with gradebook(course) as book:
        assert [student.id for student in book.students] == ["ada"]


def test_who_is_not_in_the_gradebook_is_not_made_when_that_is_the_wish(course):
    submit(course, "ada", **RIGHT)
    run = grade(course, create_student=False)
    assert not run.well
    assert "No student with ID 'ada' exists" in run.text
    with gradebook(course) as book:
        assert not book.students


def test_files_of_the_source_replace_the_students_unless_they_are_left_out(course):
    for name in ("data.txt", "own.txt"):
        (course / "solutions" / LESSON / name).write_text("source")
    folder = resubmit(course, "ada", **RIGHT)
    for name in ("data.txt", "own.txt"):
        (folder / name).write_text("student")
    grade(course, exclude_overwriting={LESSON: ["own.txt"]})
    graded = course / "autograded" / "ada" / LESSON
    assert [(graded / name).read_text() for name in ("data.txt", "own.txt")] == ["source", "student"]


def test_lateness_is_recorded_and_costs_what_the_course_says(course):
    import datetime

    from nbgrader.plugins import LateSubmissionPlugin

    class Fine(LateSubmissionPlugin):
        def late_submission_penalty(self, student_id, score, total_seconds_late):
            return score / 2

    with gradebook(course) as book:
        book.update_or_create_assignment(LESSON, duedate=datetime.datetime(2026, 5, 1))
    resubmit(course, "ada", "2026-05-01 01:00:00 UTC", **RIGHT)
    resubmit(course, "bob", "2026-04-01 01:00:00 UTC", **RIGHT)
    grade(course, penalty=Fine)
    with gradebook(course) as book:
        late, early = (book.find_submission_notebook(LESSON, LESSON, student) for student in ("ada", "bob"))
        assert (late.score, late.late_submission_penalty) == (6, 3)
        assert (early.score, early.late_submission_penalty) == (6, None)
        assert book.find_submission(LESSON, "ada").total_seconds_late == 3600


# --- a second time


def test_what_was_graded_is_skipped_until_something_newer_comes(course):
    resubmit(course, "ada", "2026-05-01 10:00:00 UTC", **WRONG)
    grade(course)
    resubmit(course, "ada", "2026-05-01 10:00:00 UTC", **RIGHT)
    assert "graded before 1" in grade(course).said[-1]
    assert points(course, "ada") == HALF
    resubmit(course, "ada", "2026-05-01 10:00:01 UTC", **RIGHT)
    assert grade(course).said[-1] == "graded 1"
    assert points(course, "ada") == FULL


def test_force_grades_again(course):
    submit(course, "ada", **WRONG)
    grade(course)
    resubmit(course, "ada", **RIGHT)
    grade(course, force=True)
    assert points(course, "ada") == FULL


@pytest.mark.parametrize("how", ["refused", "empty", "broken"])
def test_no_score_of_an_earlier_submission_outlives_a_later_one(course, how):
    submit(course, "ada", **RIGHT)
    grade(course)
    assert points(course, "ada") == FULL
    folder = resubmit(course, "ada", **dict.fromkeys(RIGHT, "1 / 0") if how == "broken" else RIGHT)
    if how == "refused":
        (folder / f"{LESSON}.ipynb").write_bytes(b"\0")
    elif how == "empty":
        (folder / f"{LESSON}.ipynb").unlink()
    grade(course, force=True)
    assert points(course, "ada") == NOTHING


def test_an_error_of_ours_does_not_leave_the_marks_of_before(course):
    submit(course, "ada", **RIGHT)
    grade(course)
    resubmit(course, "ada", **{**RIGHT, "double": "stop ValueError()"})
    grade(course, force=True)
    assert points(course, "ada") == NOTHING


def test_extra_credit_and_comments_of_an_instructor_stay(course):
    submit(course, "ada", **RIGHT)
    grade(course)
    by_hand(course, "ada", "double_test", extra_credit=1.5)
    with gradebook(course) as book:
        book.find_comment("double", LESSON, LESSON, "ada").manual_comment = "Fine."
        book.db.commit()
    resubmit(course, "ada", **WRONG)
    grade(course, force=True)
    assert points(course, "ada") == {**HALF, "double_test": 2 + 1.5}
    with gradebook(course) as book:
        assert book.find_comment("double", LESSON, LESSON, "ada").comment == "Fine."


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "review"), [("'Because.'", False), ("'No idea.'", True)])
def test_points_given_by_hand_stay_and_are_reviewed_when_the_answer_changed(by_human, answer, review):
    resubmit(by_human, "ada", double=RIGHT["double"], why="'Because.'")
    grade(by_human)
    assert rows(by_human, "ada")["why"]["needs_manual_grade"]
    assert rows(by_human, "ada")["explore"]["needs_manual_grade"]
    for name in ("why", "explore"):
        by_hand(by_human, "ada", name, manual_score=2.5)
    resubmit(by_human, "ada", double=RIGHT["double"], why=answer)
    grade(by_human, force=True)
    after = rows(by_human, "ada")
    assert [after[name]["score"] for name in ("why", "explore")] == [2.5, 2.5]
    assert [after[name]["needs_manual_grade"] for name in ("why", "explore")] == [review, review]


@pytest.mark.slow
def test_no_answer_is_zero_and_said(by_human):
    submit(by_human, "ada")
    grade(by_human)
    assert rows(by_human, "ada")["why"]["auto_score"] == 0
    assert not rows(by_human, "ada")["why"]["needs_manual_grade"]
    with gradebook(by_human) as book:
        assert book.find_comment("why", LESSON, LESSON, "ada").comment == "No response."


@pytest.mark.slow
def test_a_task_waits_for_a_human_again_after_a_refusal(by_human):
    resubmit(by_human, "ada").joinpath(f"{LESSON}.ipynb").unlink()
    grade(by_human)
    assert not rows(by_human, "ada")["explore"]["needs_manual_grade"]
    resubmit(by_human, "ada")
    grade(by_human, force=True)
    assert rows(by_human, "ada")["explore"]["needs_manual_grade"]


@pytest.mark.nbgrader
def test_a_notebook_that_is_asked_for_alone_leaves_the_other_as_it_was(course):
    both = nbformat.read(course / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    nbformat.write(both, course / "solutions" / LESSON / "second.ipynb")
    nbgrader(course, "generate_assignment", LESSON)
    resubmit(course, "ada", **RIGHT)
    grade(course)
    folder = resubmit(course, "ada", **WRONG)
    solve(folder / "second.ipynb", RIGHT)
    assert grade(course, notebook_id="second", force=True).said[-1] == "graded 1"
    assert sorted(path.name for path in (course / "autograded" / "ada" / LESSON).iterdir()) == [
        f"{LESSON}.ipynb",
        "second.ipynb",
    ]
    with gradebook(course) as book:
        scores = {notebook.name: notebook.score for notebook in book.find_submission(LESSON, "ada").notebooks}
    assert scores == {LESSON: 6, "second": 6}


def test_what_an_earlier_grader_left_in_autograded_is_no_reason_to_fail(course):
    resubmit(course, "ada", "2026-05-01 10:00:00 UTC", **RIGHT)
    grade(course)
    file = course / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb"
    left = nbformat.read(file, as_version=4)
    left.metadata["grading"], left.cells[0].metadata["nbgrader"] = {"refused": "odd"}, ["odd"]
    file.chmod(0o644)
    file.write_text(nbformat.writes(left))
    (file.parent / "timestamp.txt").chmod(0o644)
    (file.parent / "timestamp.txt").write_text("never")
    assert grade(course).said[-1] == "graded 1"


# --- through nbgrader itself


@pytest.mark.nbgrader
def test_nbgraders_command_grades_a_class_and_a_later_submission(course):
    submit(course, "ada", **RIGHT)
    submit(course, "bob", **WRONG)
    (course / "submitted" / "cleo" / LESSON).mkdir(parents=True)
    said = nbgrader(course, "autograde", LESSON)
    assert f"canaries of {LESSON}: solution 6/6, blank 0/6, cheat 0/6, empty 0/6" in said
    assert "graded 2, refused 1" in said
    assert scores(course) == {"ada": 6, "bob": 3, "cleo": 0}


@pytest.mark.nbgrader
def test_formgraders_button_grades_and_shows_the_refused(course, monkeypatch):
    monkeypatch.setattr("nbjudge.autograde.converter.prepare_assignment", lambda *_: None)
    monkeypatch.setattr(api, "Autograde", Grading)
    (course / "submitted" / "ada" / LESSON).mkdir(parents=True)
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(
        root=str(course), course_id="rnn", source_directory="solutions", release_directory="lessons"
    )
    button = NbGraderAPI(coursedir=directory)
    result = button.autograde(LESSON, "ada")
    assert result["success"], result
    assert "refused 1" in result["log"]
    (shown,) = button.get_submissions(LESSON)
    assert (shown["id"] is not None, shown["autograded"], shown["score"]) == (True, True, 0)


def test_the_cheat_scores_where_tests_run_beside_the_answers(course, tmp_path):
    folder = shutil.copytree(course / "solutions" / LESSON, tmp_path / "cheat")
    shutil.copy(course / "lessons" / LESSON / f"{LESSON}.ipynb", folder)
    cheat.inject_cheat(folder, cheat.CHEATS["canary-cheat"])
    notebook = nbformat.read(folder / f"{LESSON}.ipynb", as_version=4)
    Execute(timeout=60).preprocess(notebook, {"metadata": {"path": str(course)}})
    outputs = [cell.outputs for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert not any(output.output_type == "error" for several in outputs for output in several)
