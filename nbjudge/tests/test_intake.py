"""A submission is read as data: the honest one passes without a word, the rest is repaired or refused."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tiny_course
from nbgrader_course import ROOT
from submissions import CELLS, EXPECTED, NAME, PLACES, lesson, names, problem, sources, submit

from nbjudge.autograde.staging import blank_notebook, clean_copy
from nbjudge.errors import CannotGrade
from nbjudge.intake import file_survey, notebook_reader, repair, safe_open
from nbjudge.intake.expected_cells import ExpectedCell, expected_cells
from nbjudge.intake.intake import Limits, Preflight, inspect

ORDER = [None, *(cell.name for cell in CELLS)]


def cell(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    return notebook["cells"][PLACES[name]]


def label(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    return cell(notebook, name)["metadata"]["nbgrader"]


def said(result: Preflight, sentence: str, *named: str) -> bool:
    """Return whether the only repair is this sentence with these names; a refusal or damage fails the test."""
    assert problem(result) is None
    assert not result.refusals
    assert result.repairs == [sentence.replace("{}", " and ".join(f"`{name}`" for name in named))]
    return True


# Honest submissions.


def lessons_cells(lesson_name: str) -> list[ExpectedCell]:
    """Return what the gradebook has of one of this course's lessons: the solution's labels and hidden tests."""
    given = nbformat.read(ROOT / "lessons" / lesson_name / f"{lesson_name}.ipynb", as_version=4)
    stubs = {cell.metadata.nbgrader.grade_id: cell.source for cell in given.cells if "nbgrader" in cell.metadata}
    found = []
    for cell in nbformat.read(ROOT / "solutions" / lesson_name / f"{lesson_name}.ipynb", as_version=4).cells:
        settings = cell.metadata.get("nbgrader")
        if settings:
            name, grade, solution = settings.grade_id, settings.grade, settings.solution
            kind = "manual" if grade and solution else "test" if grade else "solution" if solution else "given"
            source = stubs[name] if solution else cell.source
            found.append(ExpectedCell(name, kind, cell.cell_type, settings.get("points", 0.0), source, not solution))
    return found


@pytest.mark.parametrize("folder", sorted((ROOT / "lessons").iterdir()), ids=lambda folder: folder.name)
def test_every_lesson_as_released_passes_without_a_word(folder: Path) -> None:
    expected = {folder.name: lessons_cells(folder.name)}
    result = inspect(folder, expected)
    assert problem(result, expected) is None
    assert (result.repairs, result.refusals) == ([], {})
    before = nbformat.read(folder / f"{folder.name}.ipynb", as_version=4)
    assert len(result.notebooks[folder.name].cells) == len(before.cells)


def test_an_honest_submission_keeps_every_text_and_loses_its_outputs(tmp_path: Path) -> None:
    result = submit(tmp_path, lesson())
    assert problem(result) is None
    assert (result.repairs, result.refusals, names(result)) == ([], {}, ORDER)
    assert sources(result)[PLACES["double"]] == "def double(x):\n    return 2 * x"


def editors() -> dict[str, Any]:
    """Return the lesson as other editors save it: no ids, lines as a list, Windows' line ends, other metadata."""
    notebook = {**lesson(), "nbformat_minor": 2}
    notebook["metadata"]["widgets"] = {"state": {}}
    for one in notebook["cells"]:
        del one["id"]
        one["source"] = [line + " \r\n" for line in one["source"].split("\n")]
        one["metadata"] |= {"collapsed": True, "tags": ["hide-input"], "colab": {"base_uri": "x"}}
    return notebook


def test_what_an_editor_changes_is_not_mentioned(tmp_path: Path) -> None:
    result = submit(tmp_path, editors())
    assert problem(result) is None
    assert result.repairs == []
    assert "\r" not in "".join(sources(result))


def test_labels_without_any_meaning_are_not_mentioned(tmp_path: Path) -> None:
    notebook = lesson()
    settings = {"grade": False, "solution": False, "locked": False, "grade_id": "cell-1a2b", "schema_version": 3}
    notebook["cells"][0]["metadata"]["nbgrader"] = settings
    result = submit(tmp_path, notebook)
    assert (result.repairs, names(result)[0]) == ([], None)


@pytest.mark.nbgrader
def test_the_gradebooks_cells_are_what_was_released(tmp_path: Path) -> None:
    cells = [wanted.cell(wanted.source) for wanted in CELLS]
    for wanted, one in zip(CELLS, cells, strict=True):
        one["id"] = wanted.name
        del one.metadata.nbgrader["cell_type"]
    course = tiny_course.release(tmp_path, cells)
    url = f"sqlite:///{course / 'gradebook.db'}"
    expected = expected_cells(url, tiny_course.LESSON)
    found = [replace(cell, source=cell.source if cell.locked else "") for cell in expected[tiny_course.LESSON]]
    assert found == [replace(cell, source=cell.source if cell.locked else "") for cell in CELLS]
    result = inspect(course / "lessons" / tiny_course.LESSON, expected)
    assert problem(result, expected) is None
    assert (result.repairs, result.refusals) == ([], {})
    with pytest.raises(CannotGrade, match="no assignment 02_none"):
        expected_cells(url, "02_none")


def test_what_is_hidden_ends_where_it_says() -> None:
    hidden = "a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc"
    assert ExpectedCell("t", "test", "code", 1.0, hidden, True).released == "a\nc"


def test_a_blank_notebook_is_an_honest_submission(tmp_path: Path) -> None:
    assert not said_anything(submit(tmp_path, nbformat.writes(blank_notebook(CELLS))))


def said_anything(result: Preflight) -> bool:
    assert problem(result) is None
    return bool(result.repairs or result.refusals)


# The file.


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "empty"),
        (b"\0" * 100, "empty"),
        (b"not json", "Not JSON: Expecting value in line 1, column 1"),
        (b'{"nbformat": 4, "cells": [', "Not JSON"),
        (b"\xff\xfe\xff", "Not JSON"),
        (b"[]", "The JSON is a list"),
        (b"null", "NoneType"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 50_000, "nested too deeply"),
        (b"[]," * 1_100_000, "1100000 brackets"),
        (b'{"nbformat": 4}', "cells is a NoneType"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "cells is a dict"),
        (b'{"nbformat": 4, "cells": "none"}', "cells is a str"),
        (b'{"nbformat": 2, "worksheets": []}', "nbformat is 2"),
        (b'{"nbformat": 5, "cells": []}', "nbformat is 5"),
        (b'{"nbformat": 4, "cells": [' + b"{}," * 2000 + b"{}]}", "2001 cells"),
        (json.dumps({"nbformat": 4, "cells": [{"source": "x" * 1_000_001}]}).encode(), "1000001 characters"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes, fact: str) -> None:
    result = submit(tmp_path, content)
    assert result.notebooks == {}
    assert fact in result.refusals[NAME].instructor
    assert "submit it again" in result.refusals[NAME].student


def test_a_notebook_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    submit(tmp_path, json.dumps(lesson()) + " " * (1 << 20))
    result = inspect(tmp_path, EXPECTED, Limits(notebook_mb=1))
    assert "expected at most 1048576" in result.refusals[NAME].instructor


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    assert said(submit(tmp_path, json.dumps(lesson()).encode("utf-8-sig")), notebook_reader.BYTE_ORDER_MARK)


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("latin-1", "cp1252")]
)
def test_another_encoding_is_read(tmp_path: Path, encoding: str, name: str) -> None:
    notebook = lesson()
    notebook["cells"][0]["source"] = "size = 'größer'"
    result = submit(tmp_path, json.dumps(notebook, ensure_ascii=False).encode(encoding))
    assert said(result, notebook_reader.ENCODING, name)
    assert sources(result)[0] == "size = 'größer'"


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 5000])
def test_numbers_that_json_cannot_hold_are_left_out(tmp_path: Path, number: str) -> None:
    text = json.dumps(lesson()).replace('"execution_count": 1', f'"execution_count": {number}')
    assert said(submit(tmp_path, text), notebook_reader.NO_NUMBERS)


def test_of_a_field_given_twice_the_last_counts(tmp_path: Path) -> None:
    text = json.dumps(lesson()).replace('"id": "own"', '"source": "first", "id": "own"')
    result = submit(tmp_path, text)
    assert said(result, notebook_reader.TWICE)
    assert sources(result)[0] == "import math"


def test_format_3_is_brought_to_format_4(tmp_path: Path) -> None:
    cells = lesson()["cells"]
    for one in cells:
        if one["cell_type"] == "code":
            one["input"] = one.pop("source")
    heading = {"cell_type": "heading", "level": 2, "source": "Title", "metadata": {}}
    notebook = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [heading, *cells]}]}
    result = submit(tmp_path, notebook)
    assert said(result, notebook_reader.OLD_FORMAT)
    assert sources(result)[:2] == ["## Title", "import math"]


@pytest.mark.parametrize(
    "version", [{"nbformat": "4"}, {"nbformat": True}, {"nbformat_minor": -1}, {"nbformat_minor": "5"}]
)
def test_strange_format_numbers_are_repaired(tmp_path: Path, version: dict[str, Any]) -> None:
    assert notebook_reader.FORMAT_NUMBERS in submit(tmp_path, {**lesson(), **version}).repairs


def test_missing_format_numbers_are_repaired(tmp_path: Path) -> None:
    result = submit(tmp_path, {"cells": lesson()["cells"]})
    assert said(result, notebook_reader.FORMAT_NUMBERS)


def test_wrong_types_in_cells_cost_only_what_they_are_in(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"] += [7, None, ["x"], {"cell_type": "magic", "source": "kept", "metadata": [1], "id": {"a": 1}}]
    notebook["cells"] += [{"cell_type": "code", "source": ["a\n", 3, "b"], "metadata": {"nbgrader": "x"}, "id": "q"}]
    notebook["metadata"] = [1]
    result = submit(tmp_path, notebook)
    assert problem(result) is None
    assert sources(result)[-2:] == ["kept", "a\nb"]
    assert result.repairs == [
        getattr(notebook_reader, name) for name in ("NOT_A_CELL", "CELL_TYPE", "SOURCE", "LABEL", "CELL_IDS")
    ]


def test_characters_that_no_file_can_hold_are_replaced(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"][0]["source"] = "a\0b\ud800c\U0001f600"
    result = submit(tmp_path, notebook)
    assert said(result, notebook_reader.CHARACTERS)
    assert sources(result)[0] == "ab\ufffdc\U0001f600"


def test_cell_ids_are_made_valid_and_single(tmp_path: Path) -> None:
    notebook = lesson()
    for one, cell_id in zip(notebook["cells"], ["a b", "same", "same", "", "x" * 65, 3], strict=False):
        one["id"] = cell_id
    assert said(submit(tmp_path, notebook), notebook_reader.CELL_IDS)


def test_another_language_is_said_and_not_run(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["metadata"]["kernelspec"] = {"name": "ir", "language": "R"}
    result = submit(tmp_path, notebook)
    assert said(result, notebook_reader.LANGUAGE, "R")
    assert result.notebooks[NAME].metadata.kernelspec.name == "python3"


def test_a_tag_that_keeps_a_cell_from_running_is_taken_off(tmp_path: Path) -> None:
    notebook = lesson()
    cell(notebook, "double_test")["metadata"]["tags"] = ["skip-execution", "hide-input"]
    notebook["cells"][0]["metadata"]["tags"] = ["raises-exception"]
    assert said(submit(tmp_path, notebook), notebook_reader.TAGS, "raises-exception", "skip-execution")


def test_only_pictures_stay_attached(tmp_path: Path) -> None:
    notebook = lesson()
    attached = {"a.png": {"image/png": ["aGk=", "aGk="], "text/html": "<script>"}, "b": {"image/png": 3}, "c": 7}
    cell(notebook, "why")["attachments"] = attached
    cell(notebook, "double")["attachments"] = attached
    result = submit(tmp_path, notebook)
    assert problem(result) is None
    cells = result.notebooks[NAME].cells
    assert [one.get("attachments") for one in cells if "attachments" in one] == [{"a.png": {"image/png": "aGk=aGk="}}]
    assert cells[PLACES["why"]].attachments


def test_a_notebook_cannot_say_itself_what_the_grading_did(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["metadata"]["grading"] = {"refused": {"student": "no"}, "events": []}
    assert submit(tmp_path, notebook).notebooks[NAME].metadata.grading == {"repairs": []}


# Labels and cells.


@pytest.mark.parametrize("change", [{"points": 99}, {"solution": True}, {"grade": 0}, {"points": "4"}, {"task": 1.5}])
def test_the_gradebooks_settings_hold(tmp_path: Path, change: dict[str, Any]) -> None:
    notebook = lesson()
    label(notebook, "double_test").update(change)
    result = submit(tmp_path, notebook)
    if change == {"grade": 0}:
        change = {"grade": False}
    assert said(result, repair.FLAG, "double_test")


def test_a_test_whose_label_does_not_lock_it_is_locked_without_a_word(tmp_path: Path) -> None:
    notebook = lesson()
    label(notebook, "double_test")["locked"] = False
    result = submit(tmp_path, notebook)
    assert result.repairs == []
    assert next(
        one for one in result.notebooks[NAME].cells if "double_test" in str(one.metadata)
    ).metadata.nbgrader.locked


@pytest.mark.parametrize("version", [1, 2, 4, 99, "3"])
def test_another_schema_is_the_present_one(tmp_path: Path, version: Any) -> None:
    notebook = lesson()
    label(notebook, "double")["schema_version"] = version
    assert said(submit(tmp_path, notebook), repair.SCHEMA, "double")


def test_a_label_of_wrong_types_is_repaired_as_far_as_it_goes(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"][0]["metadata"]["nbgrader"] = {"grade_id": ["double"], "grade": True}
    label(notebook, "double").update(grade=[], points={"a": 1}, schema_version=None)
    assert said(submit(tmp_path, notebook), repair.UNKNOWN, "None")


def test_a_changed_test_is_the_instructors_again(tmp_path: Path) -> None:
    notebook = lesson()
    cell(notebook, "double_test")["source"] = "pass"
    cell(notebook, "intro")["source"] = "No work today."
    assert said(submit(tmp_path, notebook), repair.TEXT, "intro", "double_test")


def test_a_changed_cell_type_is_restored_with_the_answer(tmp_path: Path) -> None:
    notebook = lesson()
    cell(notebook, "double")["cell_type"] = "markdown"
    cell(notebook, "why")["cell_type"] = "raw"
    result = submit(tmp_path, notebook)
    assert said(result, repair.TYPE, "double", "why")
    assert "Because." in sources(result)


def test_missing_cells_come_back_where_they_were(tmp_path: Path) -> None:
    notebook = lesson()
    gone = {PLACES[name] for name in ("intro", "double_test", "why", "explore")}
    notebook["cells"] = [one for place, one in enumerate(notebook["cells"]) if place not in gone]
    result = submit(tmp_path, notebook)
    assert problem(result) is None
    assert names(result) == ORDER
    assert result.repairs == [repair.MISSING.replace("{}", "`intro`, `double_test`, `why` and `explore`")]
    assert sources(result)[PLACES["why"]] == "YOUR ANSWER HERE"


def test_a_notebook_without_labels_gets_every_test_back_below_the_code(tmp_path: Path) -> None:
    notebook = lesson()
    for one in notebook["cells"]:
        one["metadata"] = {}
    result = submit(tmp_path, notebook)
    assert problem(result) is None
    assert "def double(x):\n    return 2 * x" in sources(result)
    assert len(result.notebooks[NAME].cells) == len(ORDER) + 5  # the two answers to be tested cannot be put back


def test_a_missing_answer_is_said(tmp_path: Path) -> None:
    notebook = lesson()
    del notebook["cells"][PLACES["double"]]
    assert said(submit(tmp_path, notebook), repair.NO_ANSWER, "double")


def test_a_copied_answer_stays_as_an_ordinary_cell(tmp_path: Path) -> None:
    notebook = lesson()
    copied = {**json.loads(json.dumps(cell(notebook, "double"))), "id": "copied", "source": "def double(x): ..."}
    notebook["cells"].insert(PLACES["double"] + 1, copied)
    result = submit(tmp_path, notebook)
    assert said(result, repair.SECOND_COPY, "double")
    assert names(result) == [*ORDER[:3], None, *ORDER[3:]]
    assert sources(result)[3] == "def double(x): ..."


def test_an_answer_written_into_a_copy_is_the_one_that_is_graded(tmp_path: Path) -> None:
    notebook = lesson()
    copied = {**json.loads(json.dumps(cell(notebook, "why"))), "id": "copied"}
    cell(notebook, "why")["source"] = "YOUR ANSWER HERE"
    notebook["cells"].append(copied)
    result = submit(tmp_path, notebook)
    assert said(result, repair.SECOND_COPY, "why")
    assert sources(result)[names(result).index("why")] == "Because."


def test_a_label_of_another_lesson_is_taken_off(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"][0]["metadata"]["nbgrader"] = {"grade_id": "quadruple_test", "grade": True, "points": 100}
    assert said(submit(tmp_path, notebook), repair.UNKNOWN, "quadruple_test")


def test_the_notebook_of_another_lesson_is_told(tmp_path: Path) -> None:
    notebook = lesson()
    labels = [cell["metadata"]["nbgrader"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
    for one in labels[1:]:
        one["grade_id"] = f"other_{one['grade_id']}"
    told = repair.ANOTHER.replace("{}", f"`{NAME}`")
    assert told in submit(tmp_path / "other", notebook).repairs
    for one in labels[1 : 1 + len(labels) // 2]:
        one["grade_id"] = one["grade_id"].removeprefix("other_")
    assert told not in submit(tmp_path / "half", notebook).repairs


def test_a_test_above_its_answer_goes_below_it(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"].insert(0, notebook["cells"].pop(PLACES["double_test"]))
    result = submit(tmp_path, notebook)
    assert said(result, repair.MOVED, "double_test")
    assert names(result) == ORDER


def test_a_put_back_test_goes_below_the_students_own_code(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"][PLACES["double_test"]] = {**notebook["cells"][0], "id": "helper", "source": "help = 1"}
    result = submit(tmp_path, notebook)
    assert said(result, repair.MISSING, "double_test")
    assert sources(result)[PLACES["double"] + 1 : PLACES["why"]] == ["help = 1"]
    assert names(result)[PLACES["why"]] == "double_test"


def test_repairs_of_many_cells_are_one_sentence(tmp_path: Path) -> None:
    notebook = lesson()
    for number in range(50):
        settings = {"grade_id": f"x{number}", "grade": True}
        notebook["cells"].append(
            {"cell_type": "code", "id": f"n{number}", "source": "", "metadata": {"nbgrader": settings}}
        )
    [sentence] = submit(tmp_path, notebook).repairs
    assert sentence.endswith("`x0`, `x1`, `x2`, `x3`, `x4` and 45 more.")


# Names of notebooks.


@pytest.mark.parametrize(
    "name", ["lesson (1).ipynb", "lesson-Copy1.ipynb", "my_lesson.ipynb", "LESSON.ipynb", "x.IPYNB", "sub/lesson.ipynb"]
)
def test_a_renamed_notebook_is_known_by_its_cells(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    result = submit(tmp_path, lesson(), name)
    assert problem(result) is None
    assert result.repairs == [f"The lesson's notebook had another name; it was found by its cells: `{name}`."]
    assert list(result.notebooks) == [NAME]


def test_the_right_name_wins_and_the_other_is_named(tmp_path: Path) -> None:
    submit(tmp_path, {**lesson(), "cells": []}, "lesson-Copy1.ipynb")
    result = submit(tmp_path, lesson())
    assert result.repairs == ["Notebooks that are not the lesson's are not graded; left out: `lesson-Copy1.ipynb`."]
    assert "def double(x):\n    return 2 * x" in sources(result)


def test_a_damaged_notebook_of_the_right_name_gives_way_to_a_good_copy(tmp_path: Path) -> None:
    submit(tmp_path, lesson(), "lesson-Copy1.ipynb")
    result = submit(tmp_path, b"")
    assert problem(result) is None
    assert result.repairs[-1].endswith("instead of `lesson.ipynb`.")
    assert list(result.notebooks) == [NAME]


def blank_lesson() -> dict[str, Any]:
    """Return the lesson without answers."""
    notebook = lesson()
    for expected in CELLS:
        cell(notebook, expected.name)["source"] = expected.released
    return notebook


def test_a_solved_copy_of_a_blank_notebook_is_graded_and_has_to_be_looked_at(tmp_path: Path) -> None:
    blank = blank_lesson()
    submit(tmp_path, lesson(), "lesson-Copy1.ipynb")
    result = submit(tmp_path, blank)
    assert result.needs_review
    assert "def double(x):\n    return 2 * x" in sources(result)
    assert "holds no answer; a copy beside it that does is graded instead: `lesson-Copy1.ipynb`." in result.repairs[0]


def test_a_blank_notebook_beside_another_blank_one_is_graded_as_it_is(tmp_path: Path) -> None:
    blank = blank_lesson()
    submit(tmp_path, blank, "lesson-Copy1.ipynb")
    result = submit(tmp_path, blank)
    assert not result.needs_review
    assert result.repairs == ["Notebooks that are not the lesson's are not graded; left out: `lesson-Copy1.ipynb`."]


def test_of_two_renamed_notebooks_the_one_with_more_answers_is_taken(tmp_path: Path) -> None:
    blank = lesson()
    cell(blank, "double")["source"] = CELLS[1].source
    submit(tmp_path, blank, "a.ipynb")
    result = submit(tmp_path, lesson(), "b.ipynb")
    assert "left out: `a.ipynb`." in result.repairs[0]
    assert "def double(x):\n    return 2 * x" in sources(result)


@pytest.mark.parametrize("name", ["inner/lesson.ipynb", "inner/LESSON (1).ipynb", "zzz.ipynb", "inner/deep/zzz.ipynb"])
@pytest.mark.parametrize("others", ["{:02}.ipynb", "lesson-Copy{:02}.ipynb", "inner/a{:02}.ipynb"])
def test_the_lesson_is_found_beside_any_number_of_other_notebooks(tmp_path: Path, name: str, others: str) -> None:
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    for number in range(60):
        submit(
            tmp_path,
            [b"no notebook", b"{}", json.dumps({**lesson(), "cells": []}).encode()][number % 3],
            others.format(number),
        )
    result = submit(tmp_path, lesson(), name)
    assert result.refusals == {}
    assert f"found by its cells: `{name}`" in " ".join(result.repairs)


def test_the_likeliest_notebook_is_read_first_and_not_everything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_survey, "CANDIDATES_MB", 1)
    (tmp_path / "inner").mkdir()
    for number in range(10):
        submit(tmp_path, b"x" * 200_000, f"{number}.ipynb")
    assert submit(tmp_path, lesson(), "inner/lesson.ipynb").refusals == {}
    (tmp_path / "inner" / "lesson.ipynb").unlink()
    assert list(submit(tmp_path, lesson(), "zzz.ipynb").refusals) == [NAME]


def test_a_name_of_megabytes_is_shown_cut_off(tmp_path: Path) -> None:
    notebook = lesson()
    cell(notebook, "double")["metadata"]["nbgrader"]["grade_id"] = "\x1b" * 1_000_000
    assert max(map(len, submit(tmp_path, notebook).repairs)) < 500


def test_a_notebook_of_something_else_is_not_taken(tmp_path: Path) -> None:
    result = submit(tmp_path, {**lesson(), "cells": []}, "scratch.ipynb")
    assert "`scratch.ipynb`" in result.refusals[NAME].instructor


@pytest.mark.parametrize("folder", ["missing", "empty", "file", "link"])
@pytest.mark.parametrize("held", [True, False])
def test_a_folder_without_a_notebook_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, held: bool
) -> None:
    monkeypatch.setattr(safe_open, "HAS_DIR_FD", held)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    submit(tmp_path / "elsewhere", lesson())
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    result = inspect(tmp_path / folder, EXPECTED)
    assert problem(result) is None
    assert ("" in result.refusals) == (folder != "empty")
    assert result.notebooks == {}


def test_of_two_expected_notebooks_one_may_be_missing(tmp_path: Path) -> None:
    submit(tmp_path, b"\xef\xbb\xbf" + json.dumps(lesson()).encode())
    expected = {**EXPECTED, "second": CELLS[:1]}
    result = inspect(tmp_path, expected)
    assert problem(result, expected) is None
    assert (list(result.notebooks), list(result.refusals)) == ([NAME], ["second"])
    assert result.repairs == [f"`{NAME}`: {notebook_reader.BYTE_ORDER_MARK}"]


# Other files.


def put(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("own")


def test_helpers_and_data_are_taken_along_and_litter_is_not_mentioned(tmp_path: Path) -> None:
    kept = ["data.csv", "my_helpers.py", "data/more.csv", "numpy/notes.txt", "größe.txt", "-rf", "n" * 255, "[a]*?.txt"]
    put(tmp_path, *kept, "__pycache__/a.pyc", ".ipynb_checkpoints/a-checkpoint.ipynb", ".git/config", ".DS_Store")
    result = submit(tmp_path, lesson())
    assert result.repairs == []
    assert result.files == dict.fromkeys(sorted(kept), 3)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("numpy.py", file_survey.SHADOW),
        ("json.py", file_survey.SHADOW),
        ("numpy/__init__.py", file_survey.SHADOW),
        ("lesson_tests.py", file_survey.SHADOW),
        ("sitecustomize.py", file_survey.CONFIGURATION),
        ("conftest.py", file_survey.CONFIGURATION),
        ("nbgrader_config.py", file_survey.CONFIGURATION),
        ("fast.cpython-311-x86_64-linux-gnu.so", file_survey.COMPILED),
        ("numpy.pyc", file_survey.COMPILED),
        ("x.pth", file_survey.COMPILED),
        (".ipython/profile_default/startup/00.py", file_survey.HIDDEN_FILE),
        (".env", file_survey.HIDDEN_FILE),
        ("two\nlines", file_survey.ODD_NAME),
        ("x.ipynb/a.txt", file_survey.FOLDER_NOTEBOOK),
    ],
)
def test_a_file_that_is_not_safe_is_left_out_and_named(tmp_path: Path, path: str, sentence: str) -> None:
    put(tmp_path, path)
    submit(tmp_path, lesson())
    result = inspect(tmp_path, EXPECTED, modules=["lesson_tests"])
    top = path if sentence == file_survey.ODD_NAME else path.split("/")[0]
    assert result.repairs == [sentence.replace("{}", f"`{top}`".replace("\n", "?"))]
    assert result.files == {}
    assert NAME in result.notebooks


@pytest.mark.parametrize("held", [True, False])
def test_nothing_is_read_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool) -> None:
    monkeypatch.setattr(safe_open, "HAS_DIR_FD", held)  # a system that cannot hold a folder open looks at each name
    secret = tmp_path / "secret"
    put(secret, "answers.csv")
    (secret / "lesson.ipynb").write_text(json.dumps(lesson()))
    folder = tmp_path / "submitted"
    folder.mkdir()
    (folder / "lesson.ipynb").symlink_to(secret / "lesson.ipynb")
    (folder / "answers.csv").symlink_to(secret / "answers.csv")
    (folder / "all").symlink_to(secret)
    os.link(secret / "answers.csv", folder / "hard.csv")
    result = inspect(folder, EXPECTED)
    assert (result.files, result.notebooks) == ({}, {})
    assert "Links are not followed: `lesson.ipynb`" in result.refusals[NAME].instructor
    assert result.repairs == [
        file_survey.LINK.replace("{}", "`all`, `answers.csv` and `lesson.ipynb`"),
        file_survey.HARD_LINK.replace("{}", "`hard.csv`"),
    ]


def test_a_notebook_that_is_a_hard_link_is_refused(tmp_path: Path) -> None:
    submit(tmp_path / "elsewhere", lesson())
    (tmp_path / "submitted").mkdir()
    os.link(tmp_path / "elsewhere" / "lesson.ipynb", tmp_path / "submitted" / "lesson.ipynb")
    result = inspect(tmp_path / "submitted", EXPECTED)
    assert "hard links" in result.refusals[NAME].instructor


def test_pipes_and_sockets_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(tmp_path, lesson())
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        result = inspect(tmp_path, EXPECTED)
    assert result.repairs == [file_survey.SPECIAL.replace("{}", "`pipe` and `socket`")]


def test_a_pipe_in_the_notebooks_place_does_not_make_the_grading_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lesson.ipynb")
    assert "Only plain files" in inspect(tmp_path, EXPECTED).refusals[NAME].instructor


def test_names_that_are_not_utf8_are_left_out(tmp_path: Path) -> None:
    submit(tmp_path, lesson())
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.csv", "w"):
        pass
    assert inspect(tmp_path, EXPECTED).repairs == [file_survey.ODD_NAME.replace("{}", "`??.csv`")]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "closed.csv", "shut/a.csv")
    (tmp_path / "closed.csv").chmod(0)
    (tmp_path / "shut").chmod(0)
    result = submit(tmp_path, lesson())
    (tmp_path / "shut").chmod(0o700)
    assert result.repairs == [file_survey.UNREADABLE.replace("{}", "`closed.csv` and `shut`")]


def test_what_cannot_be_opened_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(name: Any, *arguments: Any, **named: Any) -> int:
        if str(name) in ("closed.csv", "shut", "lesson.ipynb"):
            raise PermissionError(13, "Permission denied")
        return opens(name, *arguments, **named)

    opens = os.open
    put(tmp_path, "closed.csv", "shut/a.csv")
    submit(tmp_path, lesson())
    monkeypatch.setattr(os, "open", closed)
    result = inspect(tmp_path, EXPECTED)
    assert result.repairs == [file_survey.UNREADABLE.replace("{}", "`closed.csv` and `shut`")]
    assert "Permission denied" in result.refusals[NAME].instructor


def test_too_much_is_left_out_and_the_notebook_is_still_graded(tmp_path: Path) -> None:
    put(tmp_path, "a", "b", "c", "d1/d2/d3/e", "f" * 40)
    (tmp_path / "large").write_bytes(b"0" * (1 << 20))
    submit(tmp_path, lesson())
    limits = Limits(files=2, depth=2, folder_mb=1, path_chars=30)
    result = inspect(tmp_path, EXPECTED, limits)
    assert list(result.files) == ["a", "b"]
    assert len(result.repairs) == 3
    assert set(inspect(tmp_path, EXPECTED, Limits(folder_mb=1)).files) == {"a", "b", "c", "d1/d2/d3/e", "f" * 40}
    assert NAME in result.notebooks


def test_a_flood_of_files_is_not_looked_at_to_its_end(tmp_path: Path) -> None:
    put(tmp_path, *(f"many/{number}" for number in range(50)))
    result = inspect(tmp_path, EXPECTED, Limits(files=1))
    assert "more than 20 files and folders; the rest was not looked at" in " ".join(result.repairs)


def test_names_that_differ_in_capitals_do_not_overwrite_each_other(tmp_path: Path) -> None:
    put(tmp_path, "Data.csv", "data.csv")
    result = submit(tmp_path, lesson())
    assert result.files == {"Data.csv": 3}
    assert result.repairs == [file_survey.TWINS.replace("{}", "`data.csv`")]


def test_a_name_cannot_carry_markup_into_a_sentence(tmp_path: Path) -> None:
    put(tmp_path, "`<script>\x1b[31m.so")
    [sentence] = submit(tmp_path, lesson()).repairs
    assert "`??script??[31m.so`" in sentence


def test_a_large_folder_does_not_keep_the_notebook_from_being_found(tmp_path: Path) -> None:
    put(tmp_path, *(f"data/{number}" for number in range(50)))
    submit(tmp_path, lesson())
    assert NAME in inspect(tmp_path, EXPECTED, Limits(files=1)).notebooks


def test_a_folder_cannot_be_the_time_of_submission(tmp_path: Path) -> None:
    put(tmp_path, "timestamp.txt/a")
    result = submit(tmp_path, lesson())
    assert (result.files, result.timestamp) == ({}, None)
    assert result.repairs == [file_survey.FOLDER_TIMESTAMP.replace("{}", "`timestamp.txt`")]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-05-04 10:20:30.123456 UTC", True),
        ("2026-05-04 10:20:30 America/Los_Angeles", True),
        ("2026-05-04 10:20:30 +0200", True),
        ("2026-05-04T10:20:30Z\n", True),
        ("", False),
        ("yesterday", False),
        ("2026-99-04 10:20:30 UTC", False),
        ("0001-01-01 00:00:00 +2359", False),
        ("2026-05-04 10:20:30 /dev/tty", False),
        ("2026-05-04 10:20:30 a/../../tty", False),
        ("2026-05-04 10:20:30 " + "U" * 300, False),
    ],
)
def test_only_a_time_is_kept_as_the_time_of_submission(tmp_path: Path, text: str, kept: bool) -> None:
    (tmp_path / "timestamp.txt").write_text(text)
    result = submit(tmp_path, lesson())
    assert (result.timestamp, bool(result.repairs)) == (text.strip() if kept else None, not kept)


# The clean copy.


def test_the_clean_copy_holds_what_is_safe_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "submitted", "data/a.csv", "numpy.py", "-rf")
    (tmp_path / "submitted" / "timestamp.txt").write_text("2026-05-04 10:20:30 UTC\n")
    (tmp_path / "submitted" / "link").symlink_to("/etc/passwd")
    result = submit(tmp_path / "submitted", lesson(), "lesson (1).ipynb")
    assert clean_copy(tmp_path / "submitted", result, tmp_path / "staging") == []
    copied = sorted(str(path.relative_to(tmp_path / "staging")) for path in (tmp_path / "staging").rglob("*"))
    assert copied == ["-rf", "data", "data/a.csv", "lesson.ipynb", "timestamp.txt"]
    notebook = nbformat.read(tmp_path / "staging" / "lesson.ipynb", as_version=4)
    assert notebook == result.notebooks[NAME]


@pytest.mark.parametrize("held", [True, False])
def test_a_file_that_turns_into_a_link_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    monkeypatch.setattr(safe_open, "HAS_DIR_FD", held)
    put(
        tmp_path,
        "secret.csv",
        "submitted/a.csv",
        "submitted/hard.csv",
        "submitted/pipe",
        "submitted/data/a.csv",
        "submitted/grown.csv",
        "elsewhere/a.csv",
    )
    result = submit(tmp_path / "submitted", lesson())
    (tmp_path / "submitted" / "a.csv").unlink()
    (tmp_path / "submitted" / "a.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "submitted" / "data").rename(tmp_path / "moved")
    (tmp_path / "submitted" / "data").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "submitted" / "grown.csv").write_text("larger than before")
    (tmp_path / "submitted" / "hard.csv").unlink()
    os.link(tmp_path / "secret.csv", tmp_path / "submitted" / "hard.csv")
    (tmp_path / "submitted" / "pipe").unlink()
    os.mkfifo(tmp_path / "submitted" / "pipe")
    [sentence] = clean_copy(tmp_path / "submitted", result, tmp_path / "staging")
    assert "`a.csv`, `grown.csv`, `hard.csv`, `pipe` and `data/a.csv`" in sentence
    assert [path.name for path in (tmp_path / "staging").iterdir()] == ["lesson.ipynb"]
