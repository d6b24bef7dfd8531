"""One list of dependencies, and an environment that is made or refused in clear words."""

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rnn_helpers.environment import OLDEST_PYTHON
from tools import environment, installation, pins

PYTHONS_OF_TENSORFLOW = ">=3.11,<3.14"


@pytest.fixture(scope="module")
def project(request):
    return tomllib.loads((request.config.rootpath / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def pinned(request):
    lines = (request.config.rootpath / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def requirements(project):
    extras = project["optional-dependencies"].values()
    texts = [*project["dependencies"], *(text for extra in extras for text in extra)]
    own = ("rnn-course[", "nbgrader-judge")
    return [Requirement(text) for text in texts if not text.startswith(own)]


# One list


def test_conda_installs_python_pip_and_this_package_and_nothing_else(root, project):
    conda = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    python, pip, through_pip = conda["dependencies"]
    assert SpecifierSet(python.removeprefix("python ")) == SpecifierSet(PYTHONS_OF_TENSORFLOW)
    assert pip == "pip"
    assert through_pip == {"pip": ["--constraint constraints.txt", "--editable .[instructor]", "--editable ./nbjudge"]}
    assert conda["name"] == project["name"]
    student = yaml.safe_load((root / "tools/student_environment.yml").read_text(encoding="utf-8"))
    assert student["dependencies"][:2] == [python, pip]
    assert student["dependencies"][2] == {"pip": ["--constraint constraints.txt", "--editable .[keras,lab]"]}


def test_the_versions_of_python_are_the_same_everywhere(project):
    assert SpecifierSet(project["requires-python"]) == SpecifierSet(">={}.{}".format(*OLDEST_PYTHON))
    fits = SpecifierSet(PYTHONS_OF_TENSORFLOW)
    assert [f"3.{minor}" for minor in range(20) if f"3.{minor}.5" in fits] == sorted(
        environment.SUPPORTED_PYTHONS, key=len
    )[::-1]


def test_every_dependency_is_pinned_within_its_bounds(project, pinned):
    names = {canonicalize_name(name): version for name, version in pinned.items()}
    for requirement in requirements(project):
        assert requirement.specifier.contains(names[canonicalize_name(requirement.name)]), requirement


def test_pins_are_exact_and_hold_no_address(pinned):
    for name, version in pinned.items():
        assert re.fullmatch(r"[a-z0-9._-]+", name), name
        assert re.fullmatch(r"[0-9][0-9a-z.!]*", version), f"{name}: {version}"


def test_every_package_and_its_data_is_listed(root):
    setuptools = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]}
    assert packages == {"rnn_helpers", "rnn_course"}
    listed = {
        path for pattern in setuptools["package-data"]["rnn_helpers"] for path in (root / "rnn_helpers").glob(pattern)
    }
    there = {path for path in (root / "rnn_helpers").rglob("*.*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in there if path.suffix != ".py"} == listed


def test_pips_report_becomes_sorted_pins():
    report = {
        "install": [
            {"metadata": {"name": name, "version": version}} for name, version in [("Zeta", "2"), ("alpha", "1.0")]
        ]
    }
    assert pins.read_pins(report) == ["alpha==1.0", "zeta==2"]


def test_no_pin_leaves_out_an_older_patch_release_of_python(pinned):
    # A release that asks for 3.11.5 cannot be installed on Debian 12, which has 3.11.2.
    # What only a JupyterHub needs is not in this environment; test_jupyterhub.py installs it.
    installed = {canonicalize_name(package.metadata["Name"]) for package in distributions()}
    looked_at = {name: version for name, version in pinned.items() if canonicalize_name(name) in installed}
    assert "numpy" in looked_at
    for name, version in looked_at.items():
        asks_for = metadata(name).get("Requires-Python")
        assert asks_for is None or SpecifierSet(asks_for).contains(pins.OLDEST_PYTHON), f"{name} {version}: {asks_for}"


def test_installed_packages_are_byte_compiled():
    # Without .pyc files importing TensorFlow costs seconds more, at every start of a kernel.
    import numpy

    assert list((environment.Path(numpy.__file__).parent / "__pycache__").glob("*.pyc"))


# Making the environment


def test_the_file_that_refuses_an_old_python_can_be_read_by_one(root):
    for name in ("__init__", "environment", "installer", "progress_line"):
        ast.parse((root / f"tools/{name}.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_python_that_does_not_run_is_passed_over(monkeypatch):
    commands = [["no-such-python"], [sys.executable]]
    monkeypatch.setattr(environment, "_candidates", lambda: iter(commands))
    assert environment.find_python() == [sys.executable]


def test_this_python_is_preferred_when_it_fits():
    assert environment.find_python() == [sys.executable]


def test_no_fitting_python_names_the_version_found_and_the_way_out(monkeypatch):
    monkeypatch.setattr(environment, "version_of", lambda command: None)
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 18))
    with pytest.raises(environment.EnvironmentSetupError) as problem:
        environment.find_python()
    assert "Python 3.9.18" in str(problem.value)
    assert "needs Python 3.11, 3.12 or 3.13" in str(problem.value)
    assert "make lab PYTHON=" in str(problem.value)


def test_a_python_without_venv_is_told_apart_from_an_old_one(monkeypatch):
    monkeypatch.setattr(environment, "version_of", lambda command: None)
    monkeypatch.setattr(environment.sys, "version_info", (3, 12, 1))
    with pytest.raises(
        environment.EnvironmentSetupError, match="comes without venv or ensurepip.*apt install python3-venv"
    ):
        environment.find_python()


def test_a_folder_that_cannot_be_written_is_said(monkeypatch, capsys):
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    monkeypatch.setattr(environment, "is_ready", lambda dev: False)
    assert environment.main([]) == 1
    assert "No permission to write in" in capsys.readouterr().err


@pytest.mark.parametrize(("extra", "stamps"), [([], ["installed"]), (["dev"], ["installed", "installed-dev"])])
def test_an_installation_leaves_the_stamps_that_make_looks_for(monkeypatch, tmp_path, root, extra, stamps):
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "_runs", lambda: True)
    monkeypatch.setattr(environment, "_finish", lambda dev, pins_changed: None)
    monkeypatch.setattr(environment, "_output_of", lambda command: "{}")
    assert environment.main(extra) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == stamps
    makefile = (root / "tools/student.mk").read_text(encoding="utf-8")
    assert all(f".venv/{stamp}\n" in makefile for stamp in stamps)


def test_packages_are_compiled_when_they_are_installed(monkeypatch):
    options = []
    monkeypatch.setattr(environment, "_require_pip", lambda: None)
    monkeypatch.setattr(environment, "_pip", lambda given: options.extend(given) or 0)
    environment._install(True, {"damaged": {}, "unmet": ["numpy"], "unpinned": []}, pins_changed=False)
    assert options == ["--compile", "-c", "constraints.txt", "-e", ".[dev]", "-e", "./nbjudge"]


def test_an_extra_of_the_course_is_written_out():
    course = {
        "dependencies": ["numpy"],
        "optional-dependencies": {"lab": ["jupyterlab>=4"], "keras": ["tensorflow"], "dev": ["rnn-course[lab,keras]"]},
    }
    engine = {"dependencies": ["rich"], "optional-dependencies": {"cluster": ["distributed"]}}
    course["optional-dependencies"]["dev"].append("nbgrader-judge[cluster]")
    projects = {"rnn-course": course, "nbgrader-judge": engine}
    assert installation.listed_requirements(projects, "rnn-course", ["lab"]) == ["numpy", "jupyterlab>=4"]
    assert installation.listed_requirements(projects, "rnn-course", ["dev"]) == [
        "numpy",
        "jupyterlab>=4",
        "tensorflow",
        "rich",
        "distributed",
    ]


def test_a_full_disk_is_said_in_one_sentence(monkeypatch):
    def install(*arguments):
        raise OSError(28, "No space left on device", "/course/.venv/install.log")

    monkeypatch.setattr(environment, "install", install)
    with pytest.raises(
        environment.EnvironmentSetupError, match=r"^/course/.venv/install.log cannot be used: No space left on device\."
    ):
        environment._pip([])


# make


def run_make(root, *arguments):
    # Without what an outer `make test` hands down to its children.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=root, env=environ, capture_output=True, text=True, check=False)


needs_make = pytest.mark.skipif(
    not shutil.which("make"), reason="make is not on this machine; it is only a convenience"
)


@needs_make
def test_make_alone_lists_every_target(root):
    shown = run_make(root).stdout
    makefiles = [(root / name).read_text(encoding="utf-8") for name in ("Makefile", "tools/student.mk")]
    targets = re.findall(r"^([a-z-]+):", "\n".join(makefiles), re.MULTILINE)
    assert {"help", "lab", "test", "test-fast"} <= set(targets)
    assert all(re.search(rf"make {target}\s+\w", shown) for target in targets)


@needs_make
def test_make_without_python_says_so(tmp_path, root):
    for name in ("pyproject.toml", "constraints.txt", "tools/student.mk"):
        shutil.copy(root / name, tmp_path)
    done = run_make(tmp_path, "-f", "student.mk", "lab", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no-such-python is not on this machine. Install Python 3.11" in done.stdout


@needs_make
def test_make_looks_at_the_environment_before_it_starts_the_lab(root):
    first, second = run_make(root, "-n", "lab", "PYTHON=py").stdout.splitlines()
    assert "py -m tools.environment" in first
    assert second.split() == [".venv/bin/python", "-m", "tools.lab"]


@needs_make
def test_make_clean_keeps_students_work_and_the_environment(root):
    commands = run_make(root, "-n", "clean").stdout
    assert "rm -rf" in commands
    assert not re.search(r"\bwork\b|\.venv|submitted|gradebook|exchange", commands)


def test_ci_ends_with_the_tests(root):
    script = root / ".ci/run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text(encoding="utf-8").splitlines()[-1].startswith("make test")
