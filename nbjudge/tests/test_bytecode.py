"""Bytecode that was cut off, as on a full disk, is noticed and made again."""

from __future__ import annotations

import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graded_here import points
from nbgrader_course import surroundings
from tiny_course import LESSON, POINTS, make_course, submit

from nbjudge.bytecode import compile_packages, remove_damaged

RIGHT = {"double": "def double(x):\n    return 2 * x", "triple": "def triple(x):\n    return 3 * x"}


def cut_off(source: Path, kept: int | None = None) -> Path:
    """Compile a module, and leave the first bytes of its bytecode only."""
    file = Path(py_compile.compile(str(source), doraise=True))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 if kept is None else kept])
    return file


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "made" / "inner").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "inner/two.py"):
        (tmp_path / "made" / name).write_text("def f(x):\n    return [x, 'a text of some length']\n")
    return tmp_path / "made"


@pytest.mark.parametrize("kept", [17, 40, None])
def test_what_is_cut_off_is_removed_and_only_that(package, kept):
    whole, cut = Path(py_compile.compile(str(package / "one.py"))), cut_off(package / "inner" / "two.py", kept)
    assert remove_damaged(package) == [cut]
    assert whole.exists()
    assert not cut.exists()


def test_random_bytes_are_removed_too(package):
    file = cut_off(package / "one.py")
    file.write_bytes(file.read_bytes()[:16] + bytes(range(256)))
    assert remove_damaged(package) == [file]


def test_compiling_makes_what_was_cut_off_again(package):
    cut = cut_off(package / "one.py")
    compile_packages([package])
    assert remove_damaged(package) == []
    assert cut.exists()


def test_a_file_that_is_no_bytecode_at_all_is_left_to_python(package):
    file = cut_off(package / "one.py", 5)
    assert remove_damaged(package) == []
    assert file.exists()


@pytest.mark.nbgrader
@pytest.mark.parametrize(
    "module", ["nbjudge/execution/session.py", "nbjudge/autograde/converter.py", "nbjudge/judge/shell.py"]
)
def test_a_later_run_recovers_by_itself(tmp_path, root, module):
    course = make_course(tmp_path / "course")
    shutil.copytree(root / "nbjudge/src/nbjudge", course / "nbjudge")
    submit(course, "ada", **RIGHT)
    cut_off(course / module)
    cut_off(course / "tiny_tests" / "__init__.py")
    run = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    ended = subprocess.run(
        run, cwd=course, env=surroundings(course, PYTHONPATH=str(course)), capture_output=True, encoding="utf-8"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert points(course, "ada") == {f"{name}_test": worth for name, worth in POINTS.items()}
