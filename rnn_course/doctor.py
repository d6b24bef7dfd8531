"""Health checks of this course, which `nbjudge doctor` finds through the entry point `nbjudge.doctor`."""

from __future__ import annotations

import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nbjudge.cli.doctor import Check, Finding, check_python, check_requirements
from nbjudge.errors import CannotGrade
from rnn_course import installation

NAME = "rnn-course"
COMPILED = ("tensorflow", "keras")  # they take seconds to import, and some installers do not compile them
MOSTLY = 0.95  # of a package's modules: some are templates that no Python can compile


def checks(course: Path) -> Mapping[str, Check]:
    """Return the checks of a folder that holds this course, none for the folder of another one."""
    if read_project(course).get("name") != NAME and not (course / "rnn_helpers").is_dir():
        return {}
    return {
        "Python": partial(check_course_python, course),
        "installation": partial(check_installation, course),
        "packages": partial(check_packages, course),
        "compiled files": check_compiled_files,
    }


def read_project(course: Path) -> dict[str, Any]:
    """Return the table `project` of the course's pyproject.toml; {} when there is none."""
    file = course / "pyproject.toml"
    return dict(tomllib.loads(file.read_text(encoding="utf-8"))["project"]) if file.is_file() else {}


def require_project(course: Path) -> dict[str, Any]:
    """Return the same. Raises CannotGrade when there is no such file."""
    project = read_project(course)
    if not project:
        raise CannotGrade(f"{course / 'pyproject.toml'} is missing; restore it from the course's repository.")
    return project


def check_course_python(course: Path) -> Finding:
    """Compare this Python with the versions that the course supports."""
    way_out = "Make the environment with a Python that fits: python3.12 -m tools.environment dev"
    return check_python(str(require_project(course)["requires-python"]), way_out)


def check_installation(course: Path) -> Finding:
    """Check that lessons and programs use this course and this Python, also after the folder was moved or copied."""
    mark, sentence = installation.state(course)
    way_out = "" if mark == "ok" else f"Repair it, in {course}: {installation.repair_command(course)}"
    return Finding("installation", mark, sentence, way_out)


def check_packages(course: Path) -> Finding:
    """Compare the installed packages with the course's list."""
    way_out = "Install what fits: python3 -m tools.environment dev"
    return check_requirements(require_project(course)["dependencies"], way_out)


def check_compiled_files() -> Finding:
    """Check that the large packages have .pyc files, without which each start compiles them again."""
    name = "compiled files"
    for package in COMPILED:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue  # the check of packages reports it
        folder = spec.submodule_search_locations[0]
        modules, compiled = _count_compiled(folder)
        if compiled < MOSTLY * modules:
            sentence = (
                f"{modules - compiled} of {modules} files of {package} are not compiled; each start takes seconds more."
            )
            return Finding(name, "warn", sentence, f"Compile them once: {sys.executable} -m compileall -q {folder}")
    return Finding(name, "ok", f"{' and '.join(COMPILED)} are compiled.")


def _count_compiled(folder: str) -> tuple[int, int]:
    """Return the number of modules in a folder, and the number of those that have a .pyc file."""
    total = compiled = 0
    for place, _, files in os.walk(folder):
        modules = [file for file in files if file.endswith(".py")]
        total += len(modules)
        compiled += sum(os.path.exists(importlib.util.cache_from_source(os.path.join(place, file))) for file in modules)
    return total, compiled
