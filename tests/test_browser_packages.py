"""What a browser loads for a lesson: a small wheel of the helpers, and entries for Pyodide's list of packages."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile

import pytest
from lesson_code import LESSONS, ROOT

from tools.lint import read_lessons
from tools.site import leaks, pages
from tools.site.browser_lessons import FROM_PYODIDE
from tools.site.browser_packages import helpers_wheel, package_list


@pytest.fixture(scope="module")
def wheel() -> tuple[str, bytes]:
    return helpers_wheel(ROOT)


def test_the_wheel_has_the_helpers_and_the_checks_of_every_lesson_and_is_small(wheel):
    name, content = wheel
    assert re.fullmatch(r"rnn_helpers-[\d.]+-py3-none-any\.whl", name)
    assert len(content) < 4_000_000
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = set(archive.namelist())
        (record,) = [file for file in files if file.endswith("/RECORD")]
        listed = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
    assert listed == files
    for lesson in LESSONS:
        assert f"rnn_helpers/fixtures/{lesson}.json" in files
    assert "rnn_helpers/texts/python_manual.txt" in files
    assert [file for file in files if not file.startswith("rnn_helpers")] == []
    assert [file for file in files if "__pycache__" in file or "ward.npz" in file] == []


def test_what_the_wheel_leaves_out_is_used_by_no_lesson_in_a_browser():
    for lesson in read_lessons(ROOT):
        if pages.runs_in_browser(lesson):
            code = "\n".join(cell.source for cell in lesson.released.cells if cell.cell_type == "code")
            assert "clinic" not in code, lesson.name


def test_the_wheel_holds_no_solution_and_no_hidden_test(tmp_path, wheel):
    name, content = wheel
    (tmp_path / name).write_bytes(content)
    leaks.require_no_leak(tmp_path, leaks.secret_lines(read_lessons(ROOT)))


def test_the_same_files_give_the_same_wheel(wheel):
    assert helpers_wheel(ROOT) == wheel


def test_pyodide_loads_the_helpers_with_what_they_import(wheel):
    name, content = wheel
    entries = json.loads(package_list({name: content}, FROM_PYODIDE))
    entry = entries["rnn-helpers"]
    assert entry["imports"] == ["rnn_helpers"]
    assert entry["depends"] == ["numpy", "matplotlib", "ipywidgets"]
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["file_name"] == name


def test_the_numbers_of_lessons_are_put_into_words():
    everything = {lesson.name[:2]: lesson for lesson in read_lessons(ROOT)}
    for numbers, words in (
        (["00", "01", "02", "15"], "00 to 02 and 15"),
        (["03"], "03"),
        (["00", "02", "03", "05"], "00, 02 to 03 and 05"),
        ([], ""),
    ):
        assert pages.number_ranges([everything[number] for number in numbers]) == words
