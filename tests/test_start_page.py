"""The start page lists the lessons with what is solved, and every lesson has a link to the next."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from lesson_code import LESSONS, ROOT, notebook

from rnn_helpers.checks import syllabus
from rnn_helpers.checks.progress import ProgressMap
from tools.next_lesson import add_link, change_link
from tools.site.browser_lessons import _write_project
from tools.site.colab import colab_notebook
from tools.start_page import lesson_to_continue, start_page
from tools.workspace import write_generated

NAMES = list(syllabus.LESSONS)
NOON = datetime(2030, 1, 2, 12, 0, 0)


def progress_of(**states: str) -> ProgressMap:
    """Return the progress in lessons 00 to 02; a letter for each exercise: solved, begun or to come."""
    words = {"s": "solved", "b": "begun", "t": "to come"}
    lessons = {name: states.get(f"_{name[:2]}", "tt") for name in NAMES[:3]}
    return ProgressMap({name: dict(zip("ab", map(words.get, row), strict=True)) for name, row in lessons.items()})


# The page


def test_the_page_has_every_lesson_with_its_minutes_and_what_is_solved():
    page = start_page(NAMES[:3], progress_of(_00="ss", _01="sb"))
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    for row, name, solved in zip(rows, NAMES, ("●● 2 of 2", "●◐ 1 of 2", "○○ 0 of 2"), strict=False):
        lesson = syllabus.LESSONS[name]
        title = f"[{syllabus.short_title(name)}]({name}/{name}.ipynb)"
        assert row == f"| {title} | {lesson.builds} | {lesson.minutes} | {solved.replace(' ', chr(0xA0))} |"
    assert len(rows) == 3
    assert "3 of 6 exercises are solved." in page


@pytest.mark.parametrize(
    ("states", "number", "sentence"),
    [
        ({}, 0, "**Begin with [00"),
        ({"_00": "bt"}, 0, "**Continue with [00"),
        ({"_00": "ss"}, 1, "**Continue with [01"),
        ({"_00": "st", "_01": "st"}, 1, "**Continue with [01"),
        ({"_01": "ss"}, 2, "**Continue with [02"),
        ({"_02": "ss"}, None, "**You have reached the end.**"),
    ],
)
def test_the_page_says_where_to_go_on(states, number, sentence):
    progress = progress_of(**states)
    assert lesson_to_continue(NAMES[:3], progress) == ("" if number is None else NAMES[number])
    assert sentence in start_page(NAMES[:3], progress)


def test_what_cannot_be_read_is_said():
    progress = ProgressMap(progress_of().lessons, "/home/progress.txt cannot be read: Permission denied")
    assert "(/home/progress.txt cannot be read: Permission denied)" in start_page(NAMES[:3], progress)


def test_the_page_replaces_itself_and_never_a_file_of_the_students(tmp_path):
    page = tmp_path / "work/start.md"
    assert write_generated(tmp_path, "start.md", "first", NOON) is None
    assert write_generated(tmp_path, "start.md", "second", NOON) is None
    assert page.read_text() == "second"
    page.write_text("my notes")
    assert write_generated(tmp_path, "start.md", "third", NOON) == tmp_path / "work/start.2030-01-02-120000.md"
    assert (tmp_path / "work/start.2030-01-02-120000.md").read_text() == "my notes"
    assert page.read_text() == "third"
    assert write_generated(tmp_path, "start.md", "fourth", NOON) is None


# Links from lesson to lesson


def last_cell(lesson: str) -> str:
    return notebook("lessons", lesson).cells[-1].source


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_lesson_but_the_last_links_to_the_next_beside_it(lesson: str):
    following = syllabus.next_lesson(lesson)
    if following:
        assert f"*Next: [{syllabus.short_title(following)}](../{following}/{following}.ipynb).*" in last_cell(lesson)
        assert (ROOT / "lessons" / lesson / f"../{following}/{following}.ipynb").is_file()
    else:
        assert lesson == LESSONS[-1]
        assert "This was the last lesson" in last_cell(lesson)


def test_a_link_is_changed_where_lessons_lie_elsewhere():
    cell = nbformat.v4.new_markdown_cell("The end.\n\n*Next: 02 · Unrolling.*")
    add_link(nbformat.v4.new_notebook(cells=[cell]), "01_recurrence")
    assert change_link(cell.source, "{}.html".format) == "The end.\n\n*Next: [02 · Unrolling](02_unrolling.html).*"
    assert change_link(cell.source, lambda name: "") == "The end.\n\n*Next: 02 · Unrolling.*"


@pytest.fixture(scope="module")
def lessons() -> dict:
    from tools.lint import read_lessons

    return {lesson.name: lesson for lesson in read_lessons(ROOT)}


def test_in_the_browser_only_lessons_that_run_there_are_linked(tmp_path: Path, lessons: dict):
    chosen = [lessons["06_gradient_bound"], lessons["07_remedies"]]
    _write_project(ROOT, chosen, ROOT / "website/browser", tmp_path / "project")
    files = [tmp_path / f"project/files/{lesson.name}/{lesson.name}.ipynb" for lesson in chosen]
    ends = [nbformat.read(file, as_version=4).cells[-1].source for file in files]
    assert "(../07_remedies/07_remedies.ipynb).*" in ends[0]
    assert "*Next: 08 · Keras.*" in ends[1]


def test_a_notebook_for_colab_links_to_no_file_beside_it(lessons: dict):
    cells = colab_notebook(lessons["01_recurrence"], "rnn-course").cells
    assert "*Next: 02 · Unrolling.*" in cells[-1].source
    assert not any("](../" in cell.source for cell in cells)
