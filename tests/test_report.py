"""The class report: its numbers are right, it names who and what it should, and no student's text steers it."""

from __future__ import annotations

import csv
import datetime
import json
import os
import re
import shutil
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import graded_here
import numpy as np
import pytest
from feedback_pages import ALWAYS, HOSTILE_HTML, RUN
from nbgrader.coursedir import CourseDirectory
from nbgrader_course import ROOT, nbgrader
from nbgrader_students import SALT, answers, chosen_mistakes, course_for_them, due, written_points
from tiny_course import LESSON, make_course, submit

from autograde_tests import exercises
from nbjudge.cli.report import finality
from nbjudge.errors import CannotGrade
from nbjudge.feedback.results import RESULT_MIME_TYPE
from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.report import exports, formatting, item_analysis, mistakes, notebooks, plots, similarity, write_report
from nbjudge.report.loader import read_class
from nbjudge.report.model import Answer, Classroom, Event, Exercise, Finding, Result, Student
from nbjudge.report.page import page
from rnn_helpers.cards import Card, complete_sentence
from rnn_helpers.checks.evaluator import Problem, Report

# nbgrader's own add_submission; it says so whenever a student is new.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")

RIGHT = {"double": "def double(x):\n    return 2 * x", "triple": "def triple(x):\n    return 3 * x"}
HALF = {**RIGHT, "double": "def double(x):\n    return x"}
ODD = ["=HYPERLINK('http://127.0.0.1:9/x')", "o'neil <b>x", "müller ß", "学生 7", "$x_1$", "@sum", "-1+2"]


# --- classes to report on


def an_exercise(name: str, points: float = 4.0, kind: Any = "test") -> Exercise:
    return Exercise("lesson", name, points, kind)


def a_class(points: list[list[float]], *worth: float) -> Classroom:
    """Return a class: a row of points for each student, in as many exercises."""
    columns = [an_exercise(f"task_{number}_test", most) for number, most in enumerate(worth, start=1)]
    students = [
        Student(f"s{number:03d}", {it: Result(got, auto=got) for it, got in zip(columns, row, strict=True)})
        for number, row in enumerate(points, start=1)
    ]
    return Classroom("01_tiny", columns, students)


def random_class(number: int, seed: int = 0) -> Classroom:
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=(number, 1))
    shares = np.clip(0.5 + 0.3 * ability + rng.normal(scale=0.2, size=(number, 6)), 0, 1).round(2)
    return a_class((4 * shares).tolist(), *[4.0] * 6)


def hostile_class() -> Classroom:
    """Return a class in which every text that a submission or a name can hold attacks whoever opens the page."""
    room = random_class(12)
    odd = ["x" * 1_000_000, "\x1b[31m\x00\u202etxt\ud800", f"`{ALWAYS}`", "$\\frac{", ALWAYS]
    attacks = [*odd, *HOSTILE_HTML]
    room.missing, room.ungraded = list(attacks), list(attacks)
    room.assignment = f"</title><script>{RUN}</script>"
    room.exercises = [Exercise(ALWAYS, f"{ALWAYS}{number}_test", it.points) for number, it in enumerate(room.exercises)]
    for number, student in enumerate(room.students):
        student.id = f"{number}{attacks[number]}"
        student.results = dict(zip(room.exercises, student.results.values(), strict=True))
        student.repairs, student.refused = list(attacks), list(attacks[: number % 3])
        student.events = [Event(text, text, text) for text in attacks]
        student.findings = {room.exercises[0]: Finding(attacks[number], is_named=number % 2 == 0)}
        student.answers = {("lesson", attacks[number % 2]): Answer("same", 99)}
        student.seconds, student.isolation = float(number), [attacks[number]]
        student.names = (ALWAYS, "=1+1", "@x", "+7")
        room.names[student.id] = f"{ALWAYS} =1+1"
    return room


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which a class was graded in this process: full marks, half of one exercise, blank, odd names."""
    course = make_course(tmp_path_factory.mktemp("graded") / "course")
    for student, code in {"s001": RIGHT, "s002": HALF, "s003": {}, **dict.fromkeys(ODD[1:4], RIGHT)}.items():
        submit(course, student, **code)
    run = graded_here.grade(course)
    assert run.well, run.text
    with graded_here.gradebook(course) as book:
        book.update_or_create_student("s999")
    return course


def the_course(course: Path) -> CourseDirectory:
    return CourseDirectory(root=str(course), course_id="rnn", source_directory="solutions", release_directory="lessons")


def a_copy(graded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graded, tmp_path / "course"))


def tell(course: Path, student: str, **told: Any) -> None:
    """Change what the grader noted in a graded notebook."""
    file = course / "autograded" / student / LESSON / f"{LESSON}.ipynb"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["metadata"].setdefault("grading", {}).update(told)
    file.chmod(0o644)
    file.write_text(json.dumps(content), encoding="utf-8")


def in_another_process(here: int) -> Callable[..., tuple[Student, dict[str, str]]]:
    """Return NotebookReader.read_student, with the claim that it runs in another process."""
    original = notebooks.NotebookReader.read_student

    def read_student(reader: notebooks.NotebookReader, student: Student) -> tuple[Student, dict[str, str]]:
        assert os.getpid() != here
        return original(reader, student)

    return read_student


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def text_of(html: str) -> str:
    """Return what a reader sees of the page."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", "")).split())


@pytest.mark.slow
class TestAGradedClass:
    def test_the_page_and_the_tables_are_written_and_stand_alone(self, graded, tmp_path):
        report = write_report(the_course(graded), LESSON, tmp_path / "new" / "folder")
        assert sorted(file.name for file in report.page.parent.iterdir()) == [
            "canvas.csv",
            "moodle.csv",
            "report.html",
            "scores.csv",
        ]
        html = report.page.read_text(encoding="utf-8")
        assert (report.students, report.exported) == (6, 6)
        assert "students graded 6" in text_of(html)
        assert "mean 4.67 / 6 median 6 highest 6 lowest 0" in text_of(html)
        assert "1 student of the gradebook handed in nothing" in text_of(html)
        links = re.findall(r'(?:href|src)="([^"]*)"', html)
        assert links
        assert [link for link in links if not link.startswith(("#", "data:image/png;base64,"))] == []

    def test_the_same_class_gives_the_same_files(self, graded, tmp_path):
        first = write_report(the_course(graded), LESSON, tmp_path / "a")
        again = write_report(the_course(graded), LESSON, tmp_path / "b")
        for name in ("page", "scores", "canvas", "moodle"):
            assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems read in one process")
    def test_a_large_class_is_read_in_several_processes_with_the_same_result(self, graded, monkeypatch):
        alone = read_class(the_course(graded), LESSON)
        monkeypatch.setattr(notebooks, "LARGE_CLASS", 1)
        monkeypatch.setattr(notebooks.NotebookReader, "read_student", in_another_process(os.getpid()))
        assert read_class(the_course(graded), LESSON) == alone

    def test_scores_csv_has_a_line_for_each_student_and_exercise(self, graded, tmp_path):
        header, *lines = rows(write_report(the_course(graded), LESSON, tmp_path).scores)
        got = {(line[0], line[2]): line[header.index("points")] for line in lines}
        assert len(lines) == 12
        assert (got["s001", "double"], got["s002", "double"], got["s003", "triple"]) == ("4.0", "2.0", "0.0")
        assert {line[header.index("total")] for line in lines if line[0] == "s002"} == {"4.0"}

    def test_a_grade_by_hand_and_extra_credit_count_as_nbgrader_counts_them(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        graded_here.by_hand(course, "s003", "double_test", manual_score=1.5, extra_credit=0.25)
        graded_here.by_hand(course, "s001", "triple_test", extra_credit=1.0)
        lines = rows(write_report(the_course(course), LESSON, tmp_path).moodle)
        with graded_here.gradebook(course) as book:
            theirs = {it.student.id: it.score for it in book.assignment_submissions(LESSON)}
        ours = {line[2]: float(line[4]) for line in lines[1:]}
        assert ours == {student.replace("=", "'="): score for student, score in theirs.items()}
        assert (ours["s003"], ours["s001"]) == (1.75, 7.0)

    def test_whose_answer_waits_for_a_human_is_named_and_not_exported(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        graded_here.by_hand(course, "s001", "double_test", needs_manual_grade=True)
        report = write_report(the_course(course), LESSON, tmp_path)
        said = text_of(report.page.read_text(encoding="utf-8"))
        assert report.exported == 5
        assert "5 of 6 totals are final" in said
        assert "double : 1 answer ( s001 )" in said
        for file, column in ((report.canvas, 3), (report.moodle, 2)):
            assert "s001" not in [line[column] for line in rows(file)]
            assert "s002" in [line[column] for line in rows(file)]

    def test_students_have_their_names_and_a_link_to_their_feedback(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        with graded_here.gradebook(course) as book:
            book.update_or_create_student("s001", first_name="Ada", last_name="King <Lovelace>")
            book.update_or_create_student("s999", last_name="Noether")
        for student in ("s001", ODD[1]):
            feedback = course / "feedback" / student / LESSON / f"{LESSON}.html"
            feedback.parent.mkdir(parents=True)
            feedback.write_text("feedback")
        report = write_report(the_course(course), LESSON, course / "report" / LESSON)
        html = report.page.read_text(encoding="utf-8")
        assert "s001 Ada King <Lovelace>" in unescape(text_of(html))
        assert "1 student handed in nothing s999 Noether" in text_of(html)
        addresses = {unquote(address) for address in re.findall(r'<a href="([^#"]*)"', html)}
        assert addresses == {f"./../../feedback/{student}/{LESSON}/{LESSON}.html" for student in ("s001", ODD[1])}
        assert all((report.page.parent / address).is_file() for address in addresses)

    def test_what_the_grader_noted_is_shown(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        tell(
            course,
            "s001",
            repairs=["The cell `a` was there twice."],
            events=[{"cell": "double_test", "what": "died", "sentence": "While this was tested: it ended."}],
            seconds=12.5,
            isolation="sandbox: landlock v4; not in force: nothing",
        )
        tell(course, "s002", seconds=75.0)
        tell(course, "s003", refused={"student": "x", "instructor": "Not JSON in line 7.", "again": False})
        report = write_report(the_course(course), LESSON, tmp_path)
        said = text_of(report.page.read_text(encoding="utf-8"))
        for sentence in (
            "Not graded: 1 submission that could not be run s003 Not JSON in line 7.",
            "The process ended (crash or exit): 1 student s001 double_test : While this was tested: it ended.",
            "Repaired before grading: 1 submission",
            "s001 The cell a was there twice.",
            "2 submissions took 1 min 27 s of grading together",
            "1 submission: sandbox: landlock v4; not in force: nothing",
            "5 submissions: not noted when it was graded.",
            "Left out here: 1 submission that could not be run.",
        ):
            assert sentence in said, said
        header, *lines = rows(report.scores)
        (line,) = [line for line in lines if line[0] == "s001" and line[2] == "double"]
        assert line[header.index("events")] == "died: While this was tested: it ended."
        assert line[header.index("seconds")] == "12.5"

    def test_without_times_and_isolation_the_page_says_that_they_are_not_known(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        for student in ("s001", "s002", "s003", *ODD[1:4]):
            tell(course, student, seconds=None, isolation=None)
        said = text_of(write_report(the_course(course), LESSON, tmp_path).page.read_text(encoding="utf-8"))
        assert "How long each submission took was not noted" in said
        assert "6 submissions: not noted when it was graded." in said

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": [7, {"metadata": 3}], "metadata": []}'])
    def test_a_damaged_notebook_costs_nobody_the_report(self, graded, tmp_path, content):
        course = a_copy(graded, tmp_path)
        file = course / "autograded" / "s001" / LESSON / f"{LESSON}.ipynb"
        file.chmod(0o644)
        file.write_bytes(content)
        report = write_report(the_course(course), LESSON, tmp_path)
        assert report.students == 6
        if content != b'{"cells": [7, {"metadata": 3}], "metadata": []}':
            assert "No graded notebook: 1 student" in text_of(report.page.read_text(encoding="utf-8"))

    def test_an_unknown_lesson_is_one_sentence_that_names_the_others(self, graded, tmp_path):
        with pytest.raises(CannotGrade, match=f"has no assignment `99_none`; it has `{LESSON}`"):
            write_report(the_course(graded), "99_none", tmp_path)

    def test_who_handed_in_and_is_not_graded_yet_is_named(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        submit(course, "s777", **RIGHT)
        said = text_of(write_report(the_course(course), LESSON, tmp_path).page.read_text(encoding="utf-8"))
        assert "1 submission is not graded yet and not on this page: s777 . nbjudge grade 01_tiny goes on" in said
        assert "1 student of the gradebook handed in nothing" in said

    def test_nobody_graded_is_one_sentence(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        shutil.rmtree(course / "autograded")
        with graded_here.gradebook(course) as book:
            for submission in book.assignment_submissions(LESSON):
                book.remove_submission(LESSON, submission.student.id)
            book.update_or_create_submission(LESSON, "s001")  # known, and not graded
        with pytest.raises(CannotGrade, match="No submission of `01_tiny` was graded yet"):
            write_report(the_course(course), LESSON, tmp_path)

    def test_a_damaged_gradebook_is_one_sentence(self, graded, tmp_path):
        course = a_copy(graded, tmp_path)
        (course / "gradebook.db").write_bytes(b"no database at all" * 100)
        with pytest.raises(CannotGrade, match="cannot be read"):
            write_report(the_course(course), LESSON, tmp_path)

    def test_a_folder_that_cannot_be_written_is_one_sentence(self, graded, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(CannotGrade, match="cannot be written to .*file"):
            write_report(the_course(graded), LESSON, tmp_path / "file")

    def test_a_course_without_autograde_tests_gets_its_report(self, graded, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "autograde_tests", None)  # as if it were not installed
        said = text_of(write_report(the_course(graded), LESSON, tmp_path).page.read_text(encoding="utf-8"))
        assert "The course names no mistakes for this assignment" in said


@pytest.mark.nbgrader
def test_a_class_that_nbgrader_graded_is_told_its_mistakes_by_name(tmp_path):
    lesson = "01_recurrence"
    course = course_for_them(tmp_path / "course")
    nbgrader(course, "generate_assignment", lesson)
    for student, cells in answers(lesson).items():
        folder = course / "submitted" / student / lesson
        shutil.copytree(course / "lessons" / lesson, folder)
        file = folder / f"{lesson}.ipynb"
        content = json.loads(file.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = cells.get(name, cell["source"])
        file.write_text(json.dumps(content), encoding="utf-8")
    nbgrader(course, "autograde", lesson, "--create", RNN_COURSE_SALT=SALT)
    report = write_report(the_course(course), lesson, tmp_path / "report")
    header, *lines = rows(report.scores)
    named = {(line[0], line[2]): line[header.index("mistake_named")] for line in lines}
    for exercise, number in chosen_mistakes(lesson).items():
        sentence = " ".join(exercises()[lesson][exercise].mistakes[number].sentence.split())
        assert named["mistaken", exercise] == sentence
        assert named["solver", exercise] == named["blank", exercise] == ""
        page = text_of(report.page.read_text(encoding="utf-8")).replace("&#39;", "'")
        assert all(part.strip() in page for part in sentence.split("`"))  # code is set as code there
    totals = {line[0]: float(line[header.index("total")]) for line in lines}
    assert totals == pytest.approx(due(lesson))
    assert not written_points(lesson)  # so that all totals are final
    assert report.exported == 3


class TestFinality:
    @pytest.mark.parametrize(
        ("waiting", "on_the_page", "printed"),
        [
            (
                3,
                "None of 3 totals is final",
                "0 of 3 totals are final, so canvas.csv and moodle.csv have headings only",
            ),
            (2, "1 of 3 totals is final", "1 of 3 totals are final; canvas.csv and moodle.csv contain only these"),
            (0, "", "3 of 3 totals are final and in canvas.csv and moodle.csv"),
        ],
    )
    def test_page_and_command_say_how_many_totals_are_final(self, waiting, on_the_page, printed):
        room = a_class([[1.0], [2.0], [0.0]], 4)
        for student in room.students[:waiting]:
            student.results = {room.exercises[0]: Result(0.0, waiting=True)}
        text = text_of(page(room))
        assert on_the_page in text
        assert ("final" in text) == bool(on_the_page)
        assert len(exports.canvas(room)) == 2 + 3 - waiting
        assert finality(3 - waiting, 3).startswith(printed)


def test_the_page_about_learning_platforms_names_the_columns_of_the_files():
    text = (ROOT / "docs" / "lms.md").read_text(encoding="utf-8")
    room = a_class([[1.0]], 4)
    for heading in {*exports.canvas(room)[0], *exports.moodle(room)[0]} - {room.assignment}:
        assert f"`{heading}`" in text


class TestMeasures:
    def test_difficulty_is_the_mean_share_of_the_points(self):
        first, second = item_analysis.items(a_class([[4, 0], [2, 1], [0, 1]], 4, 2))
        assert (first.difficulty, second.difficulty) == (pytest.approx(0.5), pytest.approx(1 / 3))

    def test_discrimination_is_the_correlation_with_the_points_of_the_others(self):
        points = [
            [4, 2, 1],
            [3, 2, 1],
            [4, 1, 0],
            [1, 0, 1],
            [0, 0, 0],
            [2, 1, 1],
            [4, 2, 0],
            [0, 1, 0],
            [1, 2, 1],
            [3, 0, 1],
        ]
        got = [item.discrimination for item in item_analysis.items(a_class(points, 4, 2, 1))]
        columns = list(zip(*points, strict=True))
        for place, value in enumerate(got):
            mine = columns[place]
            rest = [sum(row) - row[place] for row in points]
            assert value == pytest.approx(_correlation(mine, rest)), place

    def test_the_interval_is_fishers(self):
        assert item_analysis.correlation_interval(0.5, 28) == pytest.approx((0.156, 0.736), abs=0.001)
        assert item_analysis.correlation_interval(1.0, 10) == pytest.approx((1.0, 1.0))

    @pytest.mark.parametrize(
        ("correlation", "students", "words"),
        [
            (-0.02, 12, "too few students to say"),
            (0.26, 12, "too few students to say"),
            (0.26, 300, "; tells stronger"),
            (0.6, 300, "; clearly tells"),
            (0.05, 300, "; hardly tells"),
            (-0.02, 300, "; hardly tells"),
            (-0.3, 300, "look at its text"),
        ],
    )
    def test_the_advice_is_what_the_whole_interval_supports(self, correlation, students, words):
        (exercise,) = a_class([[1.0]], 4).exercises
        interval = item_analysis.correlation_interval(correlation, students)
        assert words in item_analysis.ItemMeasure(exercise, 0, 0.5, correlation, interval=interval).interpretation

    def test_below_ten_students_no_discrimination_is_claimed(self):
        few, enough = random_class(9), random_class(10)
        assert {item.discrimination for item in item_analysis.items(few)} == {None}
        assert "needs at least 10 students" in text_of(page(few))
        assert None not in {item.discrimination for item in item_analysis.items(enough)}

    def test_where_all_have_the_same_points_no_discrimination_is_claimed(self):
        items = item_analysis.items(a_class([[4, number % 3] for number in range(12)], 4, 2))
        assert [item.why_not for item in items] == ["everyone has the same points"] * 2

    def test_an_exercise_that_waits_for_a_human_has_no_difficulty_and_is_in_no_rest(self):
        room = random_class(12)
        waits = room.exercises[2]
        before = [item.discrimination for item in item_analysis.items(room)]
        room.students[0].results[waits] = Result(0.0, waiting=True)
        items = item_analysis.items(room)
        assert (items[2].difficulty, items[2].discrimination) == (None, None)
        assert items[2].interpretation == "1 of 12 wait to be graded by hand"
        others = a_class(
            [[it.score for key, it in student.results.items() if key != waits] for student in room.students], *[4.0] * 5
        )
        assert [item.discrimination for item in items if item.exercise != waits] == [
            pytest.approx(item.discrimination) for item in item_analysis.items(others)
        ]
        assert items[0].discrimination != pytest.approx(before[0])

    def test_who_was_refused_does_not_make_the_exercises_hard(self):
        room = a_class([[4.0], [4.0], [0.0]], 4)
        room.students[2].refused = ["Not JSON."]
        assert item_analysis.items(room)[0].difficulty == 1.0

    @pytest.mark.parametrize(
        ("number", "rows_shown"),
        [(1, 1), (5, 5), (200, 200), (201, 40), pytest.param(5000, 40, marks=pytest.mark.slow)],
    )
    def test_the_map_has_a_row_for_each_student_until_they_are_put_together(self, number, rows_shown):
        room = random_class(number)
        shown = item_analysis.score_map(room)
        assert shown.shares.shape == (rows_shown, 6)
        assert sum(shown.sizes) == number
        means = np.average(shown.shares, axis=0, weights=shown.sizes)
        assert means == pytest.approx([item.difficulty for item in item_analysis.items(room)])
        totals = shown.shares.sum(axis=1)
        assert (np.diff(totals) < 1e-9).all()  # the best on top
        assert ("put together by rank" in text_of(page(room))) == (number > 200)

    def test_the_histogram_counts_everyone_once_with_round_edges(self):
        counts, edges = item_analysis.histogram([0, 0.4, 5, 19.99, 20], 0, 20)
        assert counts.sum() == 5
        assert (edges[0], edges[-1], edges[1]) == (0, 20, 1)
        assert (counts[0], counts[5], counts[19]) == (2, 1, 2)

    @pytest.mark.parametrize("high", [1e-9, 0.5, 3, 7, 1000, 12345.6])
    def test_every_value_has_a_bar(self, high):
        counts, edges = item_analysis.histogram([0.0, high / 3, high], 0.0, high)
        assert counts.sum() == 3
        assert edges[0] <= 0 <= high <= edges[-1] + 1e-12
        assert len(counts) <= 21

    def test_mistakes_are_counted_by_exercise_the_frequent_first(self):
        room = a_class([[0, 0]] * 4, 4, 2)
        one, two = room.exercises
        for student, sentence in zip(room.students, ["a", "b", "b", "b"], strict=True):
            student.findings = {one: Finding(sentence, is_named=True), two: Finding("a", is_named=True)}
        counted = [(it.exercise, it.sentence, it.students) for it in item_analysis.mistakes(room)]
        assert counted == [
            (one, "b", ("s002", "s003", "s004")),
            (one, "a", ("s001",)),
            (two, "a", ("s001", "s002", "s003", "s004")),
        ]


def _correlation(first: Any, second: Any) -> float:
    """Work a correlation out by its definition."""
    number = len(first)
    a, b = sum(first) / number, sum(second) / number
    both = sum((x - a) * (y - b) for x, y in zip(first, second, strict=True))
    return both / (sum((x - a) ** 2 for x in first) * sum((y - b) ** 2 for y in second)) ** 0.5


class TestMistakes:
    KNOWN = mistakes.catalogue("01_recurrence", "autograde_tests:exercises", Path("."))

    def output(self, report: Report) -> dict[str, Any]:
        return {"output_type": "display_data", "data": Card(report)._repr_mimebundle_()}

    def test_every_known_mistake_is_found_on_its_card(self):
        for name, sentences in self.KNOWN.items():
            for sentence in sentences:
                problems = {"values": Problem("values", "expected 1, got 2")}
                report = Report(name, {"values": False}, problems, mistake=sentence)
                assert mistakes.finding(name, [self.output(report)], self.KNOWN) == Finding(sentence, is_named=True)

    def test_what_a_student_prints_names_no_mistake(self):
        sentence = self.KNOWN["rnn_step"][0]
        text = complete_sentence(sentence)
        data = {RESULT_MIME_TYPE: {"mistake": sentence}}
        printed = {"output_type": "stream", "name": "stdout", "text": text, "data": data}
        assert mistakes.finding("rnn_step", [printed], self.KNOWN) is None

    def test_without_a_known_mistake_the_first_wrong_check_is_told_without_its_numbers(self):
        problem = Problem("values", "expected -0.6604 at [4, 1], got -1.87e-3 (largest difference 1.2)")
        report = Report("rnn_step", {"shapes": True, "values": False}, {"values": problem})
        found = mistakes.finding("rnn_step", [self.output(report)], None)
        assert found == Finding("expected # at [...], got # (largest difference #)")

    def test_a_mistake_that_the_catalogue_does_not_have_counts_as_a_problem(self):
        data = {RESULT_MIME_TYPE: {"mistake": "made up", "problem": "expected 1", "solved": True}}
        output = {"output_type": "display_data", "data": data}
        assert mistakes.finding("rnn_step", [output], self.KNOWN) == Finding("expected #")
        assert mistakes.finding("rnn_step", [output], None) == Finding("made up", is_named=True)

    @pytest.mark.parametrize("data", [None, "x", {"mistake": 1}, {"mistake": ["a"], "problem": {}}, []])
    def test_a_result_that_is_none_says_nothing(self, data):
        output = {"output_type": "display_data", "data": {RESULT_MIME_TYPE: data}}
        assert mistakes.finding("rnn_step", [output], self.KNOWN) is None

    def test_an_error_is_told_in_one_line(self):
        output = {"output_type": "error", "ename": "KeyError", "evalue": "'x'\nmore", "traceback": []}
        assert mistakes.finding("x", [output], None) == Finding("KeyError: 'x'")
        told = {"output_type": "error", "ename": "NotGraded", "evalue": "It took longer than 120 s.", "traceback": []}
        assert mistakes.finding("x", [told], None) == Finding("It took longer than 120 s.")

    def test_a_lesson_that_the_course_names_no_mistakes_for_has_no_catalogue(self):
        assert mistakes.catalogue("99_none", "autograde_tests:exercises", Path(".")) is None
        assert mistakes.catalogue("01_recurrence", "", Path(".")) is None
        assert self.KNOWN


COPIED = """def double(x):
    out = []
    for k, part in enumerate(x):
        out.append(part * (1 + k) - sum(x) / len(x))
    total = sum(out) / len(out)
    return [it + total for it in out] + [max(out) - min(out)]
"""
DISGUISED = '''# all mine
def double(values):
    """Return twice as much."""
    mine = []
    for place, value in enumerate(values):

        mine.append(value * (1 + place) - sum(values) / len(values))  # step by step
    mean = sum(mine) / len(mine)
    return [one + mean for one in mine] + [max(mine) - min(mine)]
'''


class TestLikeness:
    PLACE = ("lesson", "double")
    BLANK = ExpectedCell("double", "solution", "code", 0.0, "def double(x):\n    raise NotImplementedError()", False)
    WHY = ExpectedCell("why", "manual", "markdown", 2.0, "YOUR ANSWER HERE", False)

    def comparison(self, reference: str = "def double(x):\n    return 2 * x") -> similarity.Comparison:
        blank = {self.PLACE: self.BLANK, ("lesson", "why"): self.WHY}
        return similarity.Comparison(blank, {self.PLACE: reference})

    def test_other_names_comments_and_layout_make_no_other_answer(self):
        comparison = self.comparison()
        one, two = (comparison.answer(*self.PLACE, source) for source in (COPIED, DISGUISED))
        assert one is not None
        assert one == two

    @pytest.mark.parametrize(
        ("old", "new"),
        [("1 + k", "2 + k"), ("max(out)", "min(out)"), ("sum(x)", "sum(out)"), ("part * (", "part / (")],
    )
    def test_another_number_function_variable_or_operation_does(self, old, new):
        comparison = self.comparison()
        changed = COPIED.replace(old, new)
        assert changed != COPIED
        assert comparison.answer(*self.PLACE, changed) != comparison.answer(*self.PLACE, COPIED)

    @pytest.mark.parametrize(
        "source",
        [
            "def double(y):\n    raise NotImplementedError()  # later",
            "def double(x):\n    return x + x",
            "def double(",
            "x" * 30_000,
            "-" * 19_000 + "1",
            "[0]" * 6000,
            "\0",
            "\ud800",
        ],
        ids=["blank", "short", "no syntax", "long", "deep", "deeper", "a zero byte", "half a character"],
    )
    def test_what_is_no_answer_of_ones_own_or_cannot_be_read_is_left_out(self, source):
        assert self.comparison().answer(*self.PLACE, source) is None

    def test_the_reference_solution_in_other_names_is_left_out(self):
        assert self.comparison(reference=COPIED).answer(*self.PLACE, DISGUISED) is None

    def test_a_wrong_escape_in_an_answer_warns_nobody(self):
        assert self.comparison().answer(*self.PLACE, COPIED + '\ntext = "\\d"') is not None

    def test_written_answers_are_compared_by_their_words(self):
        comparison, said = (
            self.comparison(),
            "Each step sends its own share back, and so the slope is a sum over all later steps.",
        )
        one, two = (comparison.answer("lesson", "why", text) for text in (said, f"**{said.upper()}**\n"))
        assert one is not None
        assert one == two
        assert comparison.answer("lesson", "why", "Because.") is None

    def of(self, *held: dict[str, str]) -> tuple[list[similarity.Group], int]:
        students = [
            Student(f"s{n:03d}", answers={("l", cell): Answer(key, 80) for cell, key in them.items()})
            for n, them in enumerate(held, start=1)
        ]
        return similarity.groups(students)

    def test_two_who_share_more_stand_first(self):
        found, common = self.of(
            {"a": "1"}, {"a": "1"}, {"a": "2", "b": "3"}, {"a": "2", "b": "3"}, {"a": "9", "b": "8"}
        )
        assert found == [
            similarity.Group(("s003", "s004"), ("a", "b")),
            similarity.Group(("s001", "s002"), ("a",)),
        ]
        assert common == 0

    def test_two_who_share_several_answers_each_with_others_are_found(self):
        found, _ = self.of({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, {"a": "1"}, {"b": "2"})
        assert found[0] == similarity.Group(("s001", "s002"), ("a", "b"))

    def test_an_answer_that_many_share_is_counted_and_not_listed(self):
        assert self.of(*[{"a": "1"}] * 4, *[{}] * 10) == ([], 1)

    def test_equal_keys_in_other_questions_are_no_equal_answers(self):
        assert self.of({"a": "1"}, {"b": "1"}) == ([], 0)


class TestPlots:
    @pytest.mark.parametrize("number", [1, 5, 41, 61, 200, pytest.param(5000, marks=pytest.mark.slow)])
    def test_each_plot_is_well_formed_says_its_numbers_and_has_ids_of_its_own(self, number):
        room = random_class(number)
        html = page(room)
        found = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
        assert len(found) == 3
        ids = [name for svg in found for name in re.findall(r'\bid="([^"]+)"', svg)]
        assert len(ids) == len(set(ids))
        for svg in found:
            root = ElementTree.fromstring(svg)
            assert root.get("role") == "img"
            title, about = (root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
            assert root.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
            assert title.text
            assert re.search(r"\d", about.text)
            used = re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg)
            assert {one or two for one, two in used} <= set(ids)

    def test_the_histogram_says_how_many_are_in_each_bar(self):
        svg = plots.scores([0.0, 1.2, 1.4, 9.9], 10.0)
        assert "Points and students: 0 to 0.5: 1; 1 to 1.5: 2; 9.5 to 10: 1." in svg

    def test_the_map_says_its_thirds(self):
        shown = item_analysis.score_map(a_class([[4.0], [2.0], [0.0]], 4))
        assert "task_1: best third 100 %, middle third 50 %, last third 0 %" in plots.class_map(shown, ["task_1"])

    def test_colours_are_the_page_s_own(self):
        html = page(random_class(20))
        used = {"currentColor", "var(--bar)", "var(--mark)", "var(--grid)"}
        for colour in used:
            assert f": {colour}" in "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL)), colour
        for stand_in in plots.COLOURS:
            assert stand_in not in html

    def test_plots_leave_the_settings_of_matplotlib_as_they_were(self):
        import matplotlib

        before = dict(matplotlib.rcParams)
        page(random_class(5))
        assert dict(matplotlib.rcParams) == before


OUR_TAGS = """
    html head meta title style body header h1 h2 h3 p dl div dt dd nav ul li a main section figure b code span details
    summary table colgroup col thead tbody tr th td wbr svg desc defs g path text use clipPath rect image
"""


class TestHostileText:
    def test_no_tag_of_theirs_is_on_the_page(self):
        html = page(hostile_class())
        assert set(re.findall(r"<([a-zA-Z][^\s>/]*)", html)) <= set(OUR_TAGS.split())
        inside = re.findall(r"<[a-zA-Z][^>]*>", html)
        assert [tag for tag in inside if re.search(r"\son\w+\s*=|javascript:|127\.0\.0\.1", tag)] == []

    def test_it_has_an_end_and_no_unseen_characters(self):
        html = page(hostile_class())
        assert len(html) < 600_000
        assert "x" * 1000 not in html
        unseen = {character for character in html if unicodedata.category(character) in ("Cc", "Cf", "Cs")}
        assert unseen <= {"\n"}
        html.encode("utf-8")

    def test_the_page_forbids_what_it_does_not_need(self):
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'" in page(
            random_class(3)
        )

    @pytest.mark.slow
    def test_thousands_of_events_repairs_and_kinds_stay_a_page(self):
        room = random_class(3000)
        for number, student in enumerate(room.students):
            student.events = [Event("c", f"kind {number}-{n}", f"{number}-{n}") for n in range(20)]
            student.repairs = [f"{number}-{n}" for n in range(20)]
            student.findings = {room.exercises[0]: Finding(f"{number}")}
        assert len(page(room)) < 500_000


class TestTables:
    def test_canvas_gets_its_five_columns_and_the_points_possible(self, tmp_path):
        room = random_class(3)
        room.students[0].names = ("Ada", "L", "", "4711")
        room.students[1].penalty = 1.0
        exports.write_tables(room, tmp_path)
        header, possible, first, second, _ = rows(tmp_path / "canvas.csv")
        assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_tiny"]
        assert possible == ["    Points Possible", "", "", "", "", "24.0"]
        assert first[:5] == ["L, Ada", "4711", "", "s001", ""]
        assert float(second[5]) == pytest.approx(room.students[1].earned - 1.0)

    def test_moodle_gets_what_it_finds_students_by(self, tmp_path):
        room = random_class(2)
        room.students[0].names = ("A", "B", "a@example.org", "")
        exports.write_tables(room, tmp_path)
        header, first, _ = rows(tmp_path / "moodle.csv")
        assert header == ["First name", "Last name", "ID number", "Email address", "01_tiny"]
        assert first[:4] == ["A", "B", "s001", "a@example.org"]

    def test_a_penalty_takes_no_more_than_there_is(self):
        room = a_class([[1.0]], 4)
        room.students[0].penalty = 9.0
        assert exports.moodle(room)[1][4] == 0.0

    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n@x", "\uff1d1", "\0=1", *ODD[:1]]
    )
    def test_no_cell_begins_like_a_formula(self, text):
        safe = formatting.cell(text)
        assert safe.startswith("'") or safe[0] == "?"
        assert formatting.cell(-1.5) == -1.5

    @pytest.mark.parametrize(
        "text", ["x;=1+1", "x; -1", ";@x", 'a";+1', "a;'=1", "=1;=2", "x;\t=1", "x;;=1", "x;\uff1d1"]
    )
    def test_no_column_begins_like_a_formula_where_a_semicolon_separates(self, text):
        columns = [column.strip("\"' \t") for column in formatting.cell(text).split(";")]
        assert [
            column for column in formatting.cell(text).split(";") if column.strip('" ').startswith(formatting.FORMULA)
        ] == []
        assert columns == [column.strip("\"' \t") for column in text.split(";")]  # nothing is lost

    def test_a_semicolon_before_a_word_stays(self):
        assert formatting.cell("a; b;c") == "a; b;c"

    def test_no_text_of_a_hostile_class_is_a_formula_in_any_table(self, tmp_path):
        room = hostile_class()
        for student, name in zip(room.students, ODD, strict=False):
            student.id = name
        exports.write_tables(room, tmp_path)
        for name in ("scores.csv", "canvas.csv", "moodle.csv"):
            cells = [cell for row in rows(tmp_path / name) for cell in row]
            assert len(cells) > 30
            assert [cell for cell in cells if cell[:1] in "=+@\t\r" and cell] == []
            assert [cell for cell in cells if cell.startswith("-") and not re.fullmatch(r"-[\d.]+", cell)] == []
            assert max(map(len, cells)) <= 2003


class TestWords:
    def test_names_are_short_and_seen(self):
        assert formatting.name("a\tb\x07\u202e") == "a b??"
        assert len(formatting.name("x" * 500)) == 40
        assert formatting.name("") == "(no name)"

    @pytest.mark.parametrize(
        ("seconds", "said"), [(0.424, "0.42 s"), (12.34, "12.3 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min")]
    )
    def test_times_are_read_easily(self, seconds, said):
        assert formatting.duration(seconds) == said

    @pytest.mark.parametrize(("value", "said"), [(3.0, "3"), (3.5, "3.5"), (1 / 3, "0.33"), (-0.0, "0"), (20.0, "20")])
    def test_numbers_have_no_zeros_at_their_end(self, value, said):
        assert formatting.number(value) == said

    def test_the_date_of_the_newest_grade_stands_in_the_head(self):
        room = random_class(3)
        for day, student in enumerate(room.students, start=1):
            student.graded_at = datetime.datetime(2026, 5, day, 10, 30, tzinfo=datetime.UTC)
        assert "Newest graded notebook: 2026-05-03 10:30 UTC." in text_of(page(room))
