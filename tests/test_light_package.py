"""The wheel of the course in empty environments, with the oldest releases that it allows and with the newest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from lesson_code import ROOT, notebook
from packaging.requirements import Requirement
from tiers import NIGHT
from tiny_environment import borrow_packages

from tools.environment import SUPPORTED_PYTHONS, clean_environ
from tools.lint import read_lessons
from tools.site import colab, leaks

pytestmark = pytest.mark.install
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LESSONS = ["00_start_here", "01_recurrence", "02_unrolling", "03_loss"]
# Runs the cells in an IPython without a notebook, which is not part of the light package.
RUN_CELLS = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for source in json.load(sys.stdin):
    shell.run_cell(source).raise_error()
"""
NO_INDEX = ("No matching distribution found", "Could not find a version", "Network is unreachable", "Max retries")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since setuptools would add what an earlier build left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("rnn_helpers", "rnn_course"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*command, "--wheel-dir", str(folder)], cwd=source, check=True)
    return next(folder.glob("*.whl"))


def oldest(requirement: Requirement) -> str:
    """Return the requirement of the oldest release that pyproject.toml promises, with its newest corrections."""
    ((operator, version),) = [(each.operator, each.version) for each in requirement.specifier]
    assert operator == ">=", f"{requirement} has no oldest release"
    return f"{requirement.name}=={version}.*"


def install(python: Path, *requirements: str, folder: Path) -> None:
    """Run pip in a folder; skip the test where pip reaches no index."""
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    done = subprocess.run(command, cwd=folder, env=clean_environ(), capture_output=True, text=True, check=False)
    if any(sentence in done.stderr for sentence in NO_INDEX):
        pytest.skip(f"pip finds no index here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module", params=["oldest", "newest"])
def python(request, tmp_path_factory, wheel) -> Path:
    """The Python of a new environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder, with_pip=True)
    requirements = [str(wheel)]
    if request.param == "oldest":
        requirements += [oldest(Requirement(text)) for text in PROJECT["dependencies"]]
    install(folder / "bin" / "python", *requirements, folder=folder)
    return folder / "bin" / "python"


def run_cells(python: Path, home: Path, cells: list[str], **environ: str) -> subprocess.CompletedProcess:
    """Run code cells one after the other in an empty folder; the process fails with the first that raises."""
    return subprocess.run(
        [str(python), "-c", RUN_CELLS],
        cwd=home,
        env={**clean_environ(), "HOME": str(home), "MPLBACKEND": "agg", **environ},
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
    )


def solved(lesson: str) -> list[str]:
    """Return the code cells of the solution, without the hidden tests."""
    cells = [cell for cell in notebook("solutions", lesson).cells if cell.cell_type == "code"]
    return [cell.source for cell in cells if not cell.id.endswith("_test")]


def test_it_is_small_and_holds_no_test_no_answer_and_no_engine(wheel: Path, tmp_path: Path) -> None:
    assert wheel.stat().st_size < 5_000_000
    with zipfile.ZipFile(wheel) as archive:
        packages = {name.partition("/")[0] for name in archive.namelist()}
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("rnn_helpers/")])
    assert {name for name in packages if not name.endswith(".dist-info")} == {"rnn_helpers", "rnn_course"}
    leaks.require_no_leak(tmp_path, leaks.secret_lines(read_lessons(ROOT)))


def test_it_brings_neither_jupyterlab_nor_nbgrader_nor_tensorflow(wheel: Path) -> None:
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert names == {"ipython", "ipywidgets", "matplotlib", "numpy"}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_solved_lesson_runs_and_every_check_passes(lesson, python, tmp_path) -> None:
    done = run_cells(python, tmp_path, solved(lesson))
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]


def test_a_mistake_is_named(python, tmp_path) -> None:
    without_bias = "def rnn_step(x, h, W_xh, W_hh, b_h):\n    return np.tanh(x @ W_xh + h @ W_hh)\ncheck(rnn_step)"
    done = run_cells(python, tmp_path, [*solved("01_recurrence")[:1], without_bias])
    assert "CheckFailed" in done.stdout + done.stderr
    assert "bias" in done.stdout
    assert done.returncode != 0


def test_a_lesson_with_keras_says_what_to_install(python, tmp_path) -> None:
    done = run_cells(python, tmp_path, ["from rnn_helpers.quietly import keras"])
    assert done.returncode != 0
    assert "pip install 'rnn-course[keras]'" in " ".join((done.stdout + done.stderr).split())


def test_the_first_lesson_says_which_lessons_need_more(python, tmp_path) -> None:
    cells = ["from rnn_helpers.environment import check_environment\ncheck_environment();"]
    printed = run_cells(python, tmp_path, cells).stdout
    assert "All is well, except for lessons 08 to 14" in printed


def test_the_instructors_command_says_what_it_needs(python, tmp_path) -> None:
    command = [str(python.parent / "rnn-course"), "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rnn-course is for instructors and needs nbjudge" in done.stderr


def test_a_notebook_for_colab_installs_the_course_and_runs(python, wheel, tmp_path) -> None:
    """The oldest releases are Colab's, where everything is there but the course's own package."""
    remove = [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "rnn-course"]
    subprocess.run(remove, cwd=tmp_path, env=clean_environ(), check=True)
    (lesson,) = [lesson for lesson in read_lessons(ROOT) if lesson.name == "01_recurrence"]
    code = [
        cell for cell in colab.colab_notebook(lesson, colab.own_requirement(ROOT)).cells if cell.cell_type == "code"
    ]
    assert code[0].id == colab.INSTALL_ID
    cells = [code[0].source, *solved("01_recurrence")]
    assert run_cells(python, tmp_path, cells[1:]).returncode != 0
    done = run_cells(python, tmp_path, cells, PIP_FIND_LINKS=str(wheel.parent), PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    assert code[1].source == solved("01_recurrence")[0]


def test_binder_gets_the_lessons_with_keras_from_its_own_list(tmp_path) -> None:
    """By day the packages of this environment stand in for the downloads; pip still checks every requirement."""
    course = tmp_path / "course"
    for name in (".binder", "rnn_helpers", "rnn_course"):
        shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, course)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    if not NIGHT:
        borrow_packages(environment)
    python = environment / "bin" / "python"
    install(python, "--requirement", ".binder/requirements.txt", folder=course)
    done = run_cells(
        python, tmp_path, [*solved("08_keras")[:3], "import jupyterlab, rnn_helpers; print(rnn_helpers.__file__)"]
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    assert str(course / "rnn_helpers") in done.stdout
    version = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert version in SUPPORTED_PYTHONS
