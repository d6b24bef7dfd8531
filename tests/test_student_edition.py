"""The archive for students: nothing of the answers is inside, and lesson 01 can be solved with what is."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from tiers import NIGHT
from tiny_environment import borrow_packages

from tools import student_edition
from tools.lint import read_lessons
from tools.student_edition import AnswerLeakError, require_no_answers, student_files, write_archive

LESSON = "01_recurrence"
FORBIDDEN_FOLDERS = {"solutions", "autograde_tests", "nbjudge", "source", "tests", "benchmarks", ".git"}


@pytest.fixture(scope="module")
def files(request) -> dict[str, bytes]:
    return student_files(request.config.rootpath)


def test_lessons_helpers_and_what_starts_them_are_inside(files):
    for name in ("README.md", "Makefile", "environment.yml", "constraints.txt", f"lessons/{LESSON}/{LESSON}.ipynb"):
        assert name in files
    assert f"rnn_helpers/fixtures/{LESSON}.json" in files


def test_nothing_of_answers_or_grading_is_inside(files, root):
    for name in files:
        assert FORBIDDEN_FOLDERS.isdisjoint(Path(name).parts), name
    require_no_answers(root, files)


def test_an_answer_inside_is_found_however_it_is_written(root, files):
    lesson = next(lesson for lesson in read_lessons(root) if lesson.name == LESSON)
    notebook = (root / "solutions" / LESSON / f"{LESSON}.ipynb").read_bytes()
    source = "\n".join(cell.source for cell in lesson.solution.cells).encode()
    for leak in (notebook, source, source.replace(b"    ", b"\t")):
        with pytest.raises(AnswerLeakError, match="rnn_helpers/leak holds the solution of"):
            require_no_answers(root, {"rnn_helpers/leak": leak})


def test_two_archives_of_the_same_files_are_the_same_bytes(tmp_path, files):
    write_archive(tmp_path / "one/a.zip", files)
    write_archive(tmp_path / "two/b.zip", files)
    assert (tmp_path / "one/a.zip").read_bytes() == (tmp_path / "two/b.zip").read_bytes()


def test_everything_unpacks_into_one_folder(tmp_path, files):
    write_archive(tmp_path / "dist/a.zip", files)
    with zipfile.ZipFile(tmp_path / "dist/a.zip") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {student_edition.FOLDER}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"docs/student_readme.md is missing; CONTENTS"):
        student_files(tmp_path)


@pytest.mark.install
def test_a_student_installs_it_in_an_empty_folder_and_solves_lesson_01(tmp_path, files, root, clean_environ):
    write_archive(tmp_path / "dist/student.zip", files)
    with zipfile.ZipFile(tmp_path / "dist/student.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    course = tmp_path / "unpacked" / student_edition.FOLDER
    if not NIGHT:  # pip's index and TensorFlow's gigabyte are for the night
        borrow_packages(course / ".venv")

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=course, env=clean_environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    set_up = "python3 -m tools.environment"
    assert set_up in files["README.md"].decode()
    run(sys.executable, *set_up.split()[1:])
    python = str(course / (".venv/Scripts/python.exe" if os.name == "nt" else ".venv/bin/python"))

    home = run(python, "-c", "import rnn_helpers; print(rnn_helpers.__file__)").strip()
    assert Path(home).is_relative_to(course), "the helpers are those of the archive"
    answers = "import importlib.util as u; print([u.find_spec(n) for n in ('autograde_tests', 'nbjudge')])"
    assert run(python, "-c", answers).strip() == "[None, None]"

    run(python, "-c", "from pathlib import Path; from tools.workspace import copy_missing; copy_missing(Path.cwd())")
    notebook = course / "work" / LESSON / f"{LESSON}.ipynb"
    solve(notebook, root / "solutions" / LESSON / f"{LESSON}.ipynb")
    run(python, "-m", "nbconvert", "--to", "notebook", "--inplace", "--execute", str(notebook))

    done = json.loads(notebook.read_text(encoding="utf-8"))
    tests = [cell for cell in done["cells"] if cell["id"].endswith("_test")]
    assert tests
    for cell in tests:
        assert cell["outputs"], f"{cell['id']} shows its card"


def solve(notebook: Path, solution: Path) -> None:
    """Paste each solution into the student's cell of the same name; leave every other cell as it is."""
    answers = {cell.id: cell for cell in nbformat.read(solution, as_version=4).cells}
    copy = nbformat.read(notebook, as_version=4)
    for cell in copy.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[cell.id].source
    nbformat.write(copy, notebook)
