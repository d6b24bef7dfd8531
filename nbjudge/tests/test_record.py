"""What a cell earns by what is in the graded notebook, and how a run is summed up; without a gradebook."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nbjudge.autograde.scoring import NotebookScore
from nbjudge.autograde.summary import Outcome, table

FLAGS = {"grade": True, "solution": False, "locked": True, "task": False}
LABEL = {"schema_version": 3, "grade_id": "t", "points": 4, **FLAGS}


def earned(outputs: list | None = None, ran: int | None = 1, source: str = "check()") -> float | None:
    cell = new_code_cell(source, metadata={"nbgrader": LABEL}, outputs=outputs or [], execution_count=ran)
    return NotebookScore("lesson", new_notebook(cells=[cell])).score("t")


def result(text: str):
    return [new_output("execute_result", {"text/plain": text})]


def test_a_test_that_ran_without_an_error_is_full():
    assert earned() == 4


def test_a_test_that_did_not_run_is_zero_unless_there_is_nothing_in_it():
    assert earned(ran=None) == 0
    assert earned(ran=None, source=" \n") == 4


def test_a_test_that_is_not_there_is_zero():
    assert NotebookScore("lesson", new_notebook()).score("t") == 0


def test_partial_credit_counts_and_what_is_no_credit_is_zero():
    assert earned(result("2.5")) == 2.5
    assert [earned(result(text)) for text in ("5", "-1", "nan", "inf")] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["NotGraded", "AssertionError"])
def test_an_error_is_zero(name):
    assert earned([*result("4"), new_output("error", ename=name, evalue="", traceback=[])][::-1]) == 0


def test_the_summary_names_who_is_not_plain_and_counts_all():
    died = {"cell": "double", "what": "died", "sentence": "It crashed."}
    lines = table(
        [
            Outcome("01", "ada"),
            Outcome("01", "bob", "refused", ["It is not a notebook."]),
            Outcome("01", "cleo", repairs=["A cell was put back."], events=[died, died]),
            Outcome("01", "d\n\x1b[2J", "error", ["ValueError: \x1b]0;odd\x07"]),
            Outcome("01", "eve", "skipped"),
        ],
        5,
    )
    assert lines == [
        "bob  refused  It is not a notebook.",
        "cleo  graded  repaired: A cell was put back.; double died: It crashed.; double died: It crashed.",
        "d ?[2J  failed  ValueError: ?]0;odd?",
        "graded 2, refused 1, graded before 1, failed 1, repaired 1, died 1",
    ]


def test_the_summary_of_a_run_that_was_stopped_says_how_many_wait_and_not_that_nothing_was_new():
    before = [Outcome("01", "ada", "skipped"), Outcome("01", "bob", "skipped")]
    assert table(before, 2) == ["graded 0, graded before 2, nothing new to grade (use --force to regrade)"]
    assert table(before, 5) == ["graded 0, graded before 2, still to do 3"]


def test_what_all_submissions_have_in_common_is_told_once():
    outcomes = [
        Outcome("a", name, repairs=["The text was changed.", *extra])
        for name, extra in [("ada", ["A cell was missing."]), ("bob", []), ("cy", [])]
    ]
    lines = table(outcomes, 3)
    assert lines[:-1] == [
        "ada  graded  repaired: A cell was missing.",
        "all submissions  repaired: The text was changed. Was the assignment changed after its release?",
    ]
    assert "repaired 1" in lines[-1]
