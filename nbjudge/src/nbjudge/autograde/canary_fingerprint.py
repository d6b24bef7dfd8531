"""Hash everything that can change the scores of an assignment's canaries.

Content is hashed where instructors edit: notebooks and files of the assignment, the gradebook's cells, settings, Python
files beside the settings, and every package outside of the installation that grading imports, nbjudge included. Of what
is installed, versions and times of installation count; of the machine, its Python, environment and sandbox.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.autograde.canary_policy import CanaryPolicy
from nbjudge.autograde.discovery import unknown_assignment_error
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.sandbox.provisioner import SandboxProvisioner
from nbjudge.sandbox.sandbox import announcement
from nbjudge.settings import resolved

_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth", ".py", ".so", ".pyd")  # at the top of site-packages
# Of a terminal or a login: they differ from one window to the next, and no library reads them to compute.
_SESSION: tuple[str, ...] = ("_", "COLORTERM", "COLUMNS", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "INVOCATION_ID")
_SESSION += ("JOURNAL_STREAM", "LINES", "LS_COLORS", "OLDPWD", "PWD", "SHLVL", "SSH_AGENT_PID", "SSH_AUTH_SOCK")
_SESSION += ("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TERM", "TERM_PROGRAM", "TERM_SESSION_ID", "TMUX")
_SESSION += ("TMUX_PANE", "WAYLAND_DISPLAY", "WINDOWID", "XAUTHORITY", "XDG_SESSION_ID")


def fingerprint(course: Path, settings: Config, assignment: str, policy: CanaryPolicy) -> str:
    """Return a hash of everything that can change the scores, except packages that only the tests name.

    course: the folder that holds nbgrader_config.py; settings: its settings
    `local_code` hashes the other packages, which are known after the tests have imported them.
    Raises CannotGrade when the gradebook has no such assignment.
    """
    directory = CourseDirectory(config=settings)
    facts = {
        "assignment": assignment,
        "cells": _cells(directory, assignment),
        "settings": settings,
        "policy": [policy.strict, sorted(policy.accepted.items())],
        "python": [sys.version, sys.executable, sys.prefix, platform.platform(), platform.node()],
        "environment": sorted(filter(_can_matter, os.environ.items())),
        "sandbox": _protection(settings),
        "installed": list(_distributions()),
    }
    digest = hashlib.sha256(repr(facts).encode(errors="surrogateescape"))
    steps = (directory.source_directory, directory.release_directory)
    _add_files(digest, (Path(directory.format_path(step, ".", assignment)) for step in steps))
    _add_files(digest, _course_code(course, settings))
    return digest.hexdigest()


def local_code(course: Path, modules: Iterable[str]) -> str:
    """Return a hash of the packages among these modules that are neither installed nor part of Python.

    modules: names of all modules that the processes of a submission had imported
    """
    digest = hashlib.sha256()
    folders = [str(course), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
    names = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    for name in sorted(names - {"__main__", "__mp_main__"}):  # these are this program's own
        spec = None
        with suppress(ImportError, ValueError):
            spec = PathFinder.find_spec(name, folders) or importlib.util.find_spec(name)
        if spec is None:
            continue
        paths = list(spec.submodule_search_locations or []) or [spec.origin or ""]
        _add_files(digest, (Path(path) for path in paths if os.path.exists(path) and not _is_installed(path)))
    return digest.hexdigest()


def _cells(directory: CourseDirectory, assignment: str) -> list[Any]:
    """Return the cells that grading expects in each submission, with their texts, kinds and points."""
    gradebook_file(directory.db_url)  # opening a missing gradebook would create one
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry as error:
            names = [entry.name for entry in gradebook.assignments]
            raise unknown_assignment_error(directory, assignment, names) from error
        return [
            [
                notebook.name,
                sorted((cell.name, str(cell.cell_type), cell.locked, cell.source) for cell in notebook.source_cells),
                sorted((cell.name, str(cell.cell_type), cell.max_score) for cell in notebook.grade_cells),
                sorted(cell.name for cell in (*notebook.solution_cells, *notebook.task_cells)),
            ]
            for notebook in notebooks
        ]


def _can_matter(variable: tuple[str, str]) -> bool:
    """Return whether a variable of the environment can change a score; no process of a submission gets JPY_..."""
    name, _ = variable
    return name not in _SESSION and not name.startswith("JPY_")


def _protection(settings: Config) -> list[Any]:
    """Return what the sandbox enforces here: its layers, their limits, and whose user a submission has."""
    provisioner = SandboxProvisioner(parent=KernelManager(config=settings), config=settings)
    return [announcement(provisioner._limits(), provisioner._missing()), os.geteuid() if os.name == "posix" else ""]


def _course_code(course: Path, settings: Config) -> Iterator[Path]:
    """Yield nbjudge itself, the packages and modules beside the settings, and the packages that they name."""
    yield Path(__file__).parents[1]
    yield from sorted(init.parent for init in course.glob("*/__init__.py"))
    yield from sorted(course.glob("*.py"))
    named = [name for key in ("packages", "hidden") for name in _setting(settings.SandboxProvisioner, key)]
    for name in sorted(map(str, named)):
        if (path := Path(name)).is_absolute():
            yield path


def _setting(section: Mapping[str, Any], name: str) -> list[str]:
    return list(resolved(section.get(name, []), []))


def _distributions() -> Iterator[tuple[str, int]]:
    """Yield the name and time of each installed distribution, and of single files beside them."""
    for folder in _installation():
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(_INSTALLED):
                    yield entry.path, entry.stat().st_mtime_ns


@cache
def _installation() -> tuple[str, ...]:
    """Return the folders of Python's own modules and of installed ones."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(sorted(set(map(os.path.realpath, folders))))


def _is_installed(path: str) -> bool:
    return f"{os.path.realpath(path)}{os.sep}".startswith(tuple(folder + os.sep for folder in _installation()))


def _add_files(digest: Any, paths: Iterable[Path]) -> None:
    """Add files and the content of folders, without compiled bytecode, to a hash."""
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                content = file.read_bytes()
                digest.update(f"{file} {len(content)}\n".encode(errors="surrogateescape") + content)
