"""Health checks of this course, which `nbjudge doctor` loads through the entry point `nbjudge.doctor`."""

from __future__ import annotations

import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nbjudge import CannotGrade, Check, Finding, check_python, check_requirements
from rnn_course import installation

NAME = "rnn-course"
COMPILED = ("tensorflow", "keras")  # slow to import, and some installers do not compile them
COMPILED_SHARE = 0.95  # share of a package's modules; some are templates that cannot be compiled


def checks(course: Path) -> Mapping[str, Check]:
    """Return the checks if the folder contains this course, else none."""
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
    """Return the table `project`. Raises CannotGrade when there is no pyproject.toml."""
    project = read_project(course)
    if not project:
        raise CannotGrade(f"{course / 'pyproject.toml'} is missing; restore it from the course's repository.")
    return project


def check_course_python(course: Path) -> Finding:
    """Compare this Python with the versions that the course supports."""
    way_out = "Create the environment with a supported Python: python3.12 -m tools.environment dev"
    return check_python(str(require_project(course)["requires-python"]), way_out)


def check_installation(course: Path) -> Finding:
    """Check that lessons and programs use this course and this Python, even after the folder was moved or copied."""
    mark, sentence = installation.state(course)
    way_out = "" if mark == "ok" else f"Repair it, in {course}: {installation.repair_command(course)}"
    return Finding("installation", mark, sentence, way_out)


def check_packages(course: Path) -> Finding:
    """Compare the installed packages with the course's list."""
    way_out = "Install the right versions: python3 -m tools.environment dev"
    project = require_project(course)
    extras = project.get("optional-dependencies", {})
    optional = [text for extra in ("keras", "lab") for text in extras.get(extra, [])]
    return check_requirements([*project["dependencies"], *optional], way_out)


def check_compiled_files() -> Finding:
    """Check that the large packages have .pyc files, without which each start compiles them again."""
    name = "compiled files"
    for package in COMPILED:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue  # reported by the check of packages
        folder = spec.submodule_search_locations[0]
        modules, compiled = _count_compiled(folder)
        if compiled < COMPILED_SHARE * modules:
            sentence = (
                f"{modules - compiled} of {modules} files of {package} are not compiled, which slows down each start."
            )
            return Finding(name, "warn", sentence, f"Compile them once: {sys.executable} -m compileall -q {folder}")
    return Finding(name, "ok", f"{' and '.join(COMPILED)} are compiled.")


def _count_compiled(folder: str) -> tuple[int, int]:
    """Return (number of modules, number of those with a .pyc file) of a folder."""
    total = compiled = 0
    for path, _, files in os.walk(folder):
        modules = [file for file in files if file.endswith(".py")]
        total += len(modules)
        compiled += sum(os.path.exists(importlib.util.cache_from_source(os.path.join(path, file))) for file in modules)
    return total, compiled
