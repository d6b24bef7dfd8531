"""Hints for exercises, and criteria and model answers for written questions: when they show, and when they do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lesson_code import LESSONS, ROOT, notebook

from rnn_helpers import CheckFailed, check, hint
from rnn_helpers.checks import fixtures, hints, written
from tools.sources import SourceError, read_source
from tools.written import written_questions

ANSWER = "The short lags carry the norm, so it says nothing about lag 30."


@pytest.fixture(autouse=True)
def _fresh_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNN_COURSE_PROGRESS", str(tmp_path / "progress.txt"))
    for name in ("NBGRADER_EXECUTION", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hints, "_last_checked", "")
    hints._hints_shown.clear()


def save_notebook(path: Path, answer: str) -> None:
    """Write lesson 04 as a student's notebook with this written answer."""
    copy = notebook("lessons", "04_bptt")
    (cell,) = [cell for cell in copy.cells if cell.get("id") == "bptt_in_words"]
    cell.source = answer
    path.write_text(json.dumps(copy), encoding="utf-8")


def shown(capsys: pytest.CaptureFixture, **options: bool) -> str:
    hint("bptt_in_words", **options)
    return capsys.readouterr().out


def written_cells(lesson: str) -> list[str]:
    cells = [cell.metadata.get("nbgrader", {}) for cell in notebook("lessons", lesson).cells]
    return [cell["grade_id"] for cell in cells if cell.get("grade") and cell.get("solution")]


def test_every_written_question_has_criteria_and_a_model_answer() -> None:
    names = [name for lesson in LESSONS for name in written_cells(lesson)]
    assert len(names) >= 4
    for name in names:
        _, _, question = fixtures.find_written(name)
        assert 2 <= len(question["criteria"]) <= 4
        assert all(len(criterion) <= 160 for criterion in question["criteria"]), question["criteria"]
        assert len(written.decode_answer(question["answer"]).split()) >= 30


def test_the_points_of_the_criteria_are_the_points_of_the_cell() -> None:
    for lesson in LESSONS:
        for cell in notebook("lessons", lesson).cells:
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("grade") and meta.get("solution"):
                _, _, question = fixtures.find_written(meta["grade_id"])
                assert sum(float(text.split()[0]) for text in question["criteria"]) == meta["points"]


def test_no_model_answer_can_be_read_in_what_students_get() -> None:
    files = [*(ROOT / "lessons").rglob("*.ipynb"), *(ROOT / "rnn_helpers").rglob("*.json")]
    texts = [" ".join(file.read_text(encoding="utf-8").split()) for file in files]
    for lesson in LESSONS:
        for name in written_cells(lesson):
            _, _, question = fixtures.find_written(name)
            beginning = written.decode_answer(question["answer"])[:60]
            assert [text for text in texts if beginning in text] == []


@pytest.mark.parametrize("answer", ["", "YOUR ANSWER HERE", "  \n", "lag 30"])
def test_without_an_answer_the_student_is_asked_for_one_first(answer: str, capsys) -> None:
    save_notebook(Path("04_bptt.ipynb"), answer)
    for options in ({}, {"answer": True}):
        text = shown(capsys, **options)
        assert "The saved notebook has no answer to bptt_in_words yet." in text
        assert "short lags" not in text


@pytest.mark.parametrize("answer", [ANSWER, f"YOUR ANSWER HERE\n\n{ANSWER}"])
def test_with_an_answer_the_criteria_show_and_on_request_a_model_answer(answer: str, capsys) -> None:
    save_notebook(Path("04_bptt.ipynb"), answer)
    criteria = shown(capsys)
    assert "What a good answer says" in criteria
    assert "- 1 point: the norm of the whole gradient is dominated by the short lags." in criteria
    assert 'hint("bptt_in_words", answer=True)' in criteria
    assert "thirty factors" not in criteria
    assert "thirty factors" in shown(capsys, answer=True)


def test_a_renamed_notebook_is_found_where_the_server_says(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    save_notebook(folder / "mine.ipynb", "YOUR ANSWER HERE")
    save_notebook(Path("04_bptt.ipynb"), ANSWER)
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "mine.ipynb"))
    assert "has no answer" in shown(capsys)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"cells": 3}', '{"cells": [3, {}]}'])
def test_where_no_notebook_can_be_read_the_student_is_trusted(content: str | None, capsys) -> None:
    if content is not None:
        Path("04_bptt.ipynb").write_text(content)
    assert "What a good answer says" in shown(capsys)


def test_while_a_submission_is_graded_nothing_is_shown(monkeypatch, capsys) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert shown(capsys) + shown(capsys, answer=True) == ""


def test_without_a_name_the_hint_is_for_what_was_checked_last(capsys) -> None:
    hint()
    assert "For which exercise?" in capsys.readouterr().out
    with pytest.raises(CheckFailed):
        check(lambda xs, decay: np.zeros(3), "leaky_memory")
    capsys.readouterr()
    hint()
    assert capsys.readouterr().out == f"Hint 1 of 3: {fixtures.find('leaky_memory')[1]['hints'][0]}\n"


def test_a_name_that_is_misspelt_gets_the_right_one(capsys) -> None:
    hint("rnn_stp")
    text = capsys.readouterr().out
    assert text.startswith("There is no exercise called 'rnn_stp'. Did you mean rnn_step")
    assert "check(" not in text


def test_a_name_that_is_like_no_other_gets_one_sentence(capsys) -> None:
    hint("xyzzy")
    assert capsys.readouterr().out == (
        "There is no exercise called 'xyzzy'. progress() lists the exercises of every lesson.\n"
    )


def test_a_written_question_without_criteria_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "01_tiny.py"
    source.write_text(
        '# %% [markdown] nbgrader={"grade_id": "in_words", "grade": true, "solution": true, "points": 1}\n'
        "# ### BEGIN SOLUTION\n# Because.\n# ### END SOLUTION\n"
    )
    with pytest.raises(SourceError, match=r"cell in_words: expected a model answer, then \*Marks\.\* and a list"):
        written_questions(read_source(source), "01_tiny")
