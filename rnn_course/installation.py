"""Compare the course installed in this Python with the course in a folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Literal

COURSE_PACKAGES = ("rnn_helpers", "autograde_tests")
PROGRAMS = ("rnn-course", "nbgrader", "jupyter", "jupyter-lab")


def state(course: Path) -> tuple[Literal["ok", "warn", "fail"], str]:
    """Return (ok, warn or fail, a sentence) about the installation."""
    for package in COURSE_PACKAGES:
        if not (course / package / "__init__.py").is_file():
            continue
        location = _installed_from(package)
        if location is None or not location.is_dir():
            reason = f", which is no longer in {location}." if location else "."
            return "fail", f"Lessons cannot import {package}{reason}"
        if not _is_same(location, course / package):
            # Grading uses the packages next to the settings; lessons use the installed ones.
            return "fail" if _is_own(course) else "warn", f"Lessons use the {package} of {location.parent}."
    if strangers := [program for program in PROGRAMS if _starts_another_python(program)]:
        return "fail", f"{', '.join(strangers)} in {_programs()} would start a Python of another folder."
    if _is_own(course) and not (course / ".venv" / "installed").is_file():
        return "warn", "The last set-up of .venv did not finish, or a file in it is damaged."
    return "ok", "Lessons and programs use this course and this Python."


def repair_command(course: Path) -> str:
    """Return the command that installs the course again, to be run in its folder."""
    if _is_own(course):
        return "python3 -m tools.environment dev"
    return f"{sys.executable} -m pip install -c constraints.txt -e '.[instructor]' -e ./nbjudge"


def _is_own(course: Path) -> bool:
    """Return whether this Python is that of the course's .venv."""
    return _is_same(course / ".venv", Path(sys.prefix))


def _is_same(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def _installed_from(package: str) -> Path | None:
    """Return the folder from which a Python started elsewhere imports a package, or None."""
    code = f"import importlib.util as u; spec = u.find_spec({package!r}); print(spec.origin if spec else '')"
    command = [sys.executable, "-I", "-X", "utf8", "-c", code]
    output = subprocess.run(command, capture_output=True, encoding="utf-8", check=False).stdout.strip()
    return Path(output).parent if output else None


def _programs() -> Path:
    return Path(sysconfig.get_path("scripts"))


def _starts_another_python(program: str) -> bool:
    """Return whether a program starts a Python that does not exist or belongs to another environment."""
    file = _programs() / program
    if os.name != "posix" or not file.is_file():
        return False
    head = file.read_text(encoding="utf-8", errors="replace").splitlines()[:2]
    line = head[0].removeprefix("#!") if head else ""
    python = line if not line.startswith("/bin/sh") else next(iter(shlex.split(head[1].removeprefix("'''exec'"))), "")
    named = os.path.isabs(python) and os.path.basename(python).startswith("python")
    return named and not _is_same(Path(python).parent, _programs())
