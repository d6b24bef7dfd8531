"""A folder of any name costs nobody else anything: it is graded, or listed with what to do, by nbgrader's commands."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbgrader_course import nbgrader
from tiny_course import LESSON, POINTS, make_course, submit

from nbjudge.autograde.discovery import id_problem
from nbjudge.patches import LiteralGlob

RIGHT = {"double": "def double(x):\n    return 2 * x", "triple": "def triple(x):\n    return 3 * x"}
FULL = sum(POINTS.values())

USABLE = [
    "ada",
    "[abc]",
    "a?c",
    "[!a]",
    "-x",
    "--force",
    "x;=1+1",
    "=1+1",
    "{0}",
    "%d",
    "a+b",
    "(a|b)",
    "$HOME",
    "a'b\"c",
]
USABLE += ["\\d", "\N{CYRILLIC SMALL LETTER A}da", "e\u0301va", "\xe9va", "y" * 255, "x y", "&amp;<b>", "~", "**"]
REFUSED = [
    "*",
    "a\nb",
    "a\x1b[2Jb",
    "tab\there",
    ".hidden",
    "end ",
    " start",
    "half\udcff",
    "turned\u202earound",
    "\u2028",
]


@pytest.mark.parametrize("student", USABLE)
def test_a_name_without_a_meaning_to_nbgrader_is_used(student):
    assert id_problem(student) == ""


@pytest.mark.parametrize("student", REFUSED)
def test_a_name_that_cannot_be_used_is_said_with_what_to_do(student):
    sentence = id_problem(student)
    assert "Rename it" in sentence
    assert sentence.isprintable(), sentence


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Grade a class of odd names in a folder of an odd name; return where, and what was said."""
    course = make_course(tmp_path_factory.mktemp("odd") / "course [2026] a")
    for student in [*USABLE, *REFUSED]:
        submit(course, student, **RIGHT)
    said = nbgrader(course, "autograde", LESSON, fails=True)
    nbgrader(course, "generate_feedback", LESSON)
    nbgrader(course, "export")
    return course, said


@pytest.mark.nbgrader
@pytest.mark.parametrize("student", USABLE)
def test_who_can_be_graded_is_with_the_notebook_that_was_run_and_feedback(graded, student):
    course, _ = graded
    notebook = nbformat.read(course / "autograded" / student / LESSON / f"{LESSON}.ipynb", as_version=4)
    tests = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [output.data["text/plain"] for cell in tests for output in cell.outputs] == ["4", "2"]
    page = (course / "feedback" / student / LESSON / f"{LESSON}.html").read_text()
    assert re.search(rf"\b{FULL}\b", page), page[:2000]


@pytest.mark.nbgrader
@pytest.mark.parametrize("student", REFUSED)
def test_who_cannot_is_listed_and_leaves_no_file(graded, student):
    course, said = graded
    assert not (course / "autograded" / student).exists()
    assert not (course / "feedback" / student).exists()
    assert id_problem(student) in said


@pytest.mark.nbgrader
def test_the_log_and_the_table_hold_no_control_character(graded):
    _, said = graded
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", said)  # nbgrader's own colours of its log
    assert [character for character in coloured if not character.isprintable() and character != "\n"] == []
    assert f"graded {len(USABLE)}, not recorded {len(REFUSED)}" in said


@pytest.mark.nbgrader
def test_an_exact_name_wins_over_a_pattern_and_a_pattern_works(graded):
    course, _ = graded
    assert "graded 1\n" in nbgrader(course, "autograde", LESSON, "--student=[abc]", "--force")
    assert "graded 2\n" in nbgrader(course, "autograde", LESSON, "--student=?da", "--force")


def test_a_pattern_holds_where_no_folder_has_that_name(tmp_path):
    for name in ("a[1]", "a1", "ab"):
        (tmp_path / "top [x]" / name).mkdir(parents=True)
        (tmp_path / "top [x]" / name / "file.txt").touch()
    found = {name: LiteralGlob().glob(str(tmp_path / "top [x]" / name / "*.txt")) for name in ("a[1]", "a?", "*", "c")}
    assert found["a[1]"] == [str(tmp_path / "top [x]" / "a[1]" / "file.txt")]
    assert sorted(Path(file).parent.name for file in found["a?"]) == ["a1", "ab"]
    assert len(found["*"]) == 3
    assert found["c"] == []
