"""`nbjudge doctor`: check that this machine is ready to grade a class, with one line per check."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, entry_points, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.table import Table
from rich.text import Text
from traitlets.config import Config

from nbjudge.cli.finding import Check, Finding, Mark
from nbjudge.cli.shared_machine import check_exchange, check_privacy
from nbjudge.environment import TEMPORARY_HOME, temporary_env
from nbjudge.errors import CannotGrade
from nbjudge.secrets import CourseSecret

COLOURS: dict[Mark, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_DISTRIBUTION, _ENTRY_POINTS = "nbgrader-judge", "nbjudge.doctor"
GB = 1e9
_PLENTY_DISK_GB, _LEAST_DISK_GB = 5, 0.5
_PATIENCE_S = 1.0  # for a gradebook that another program uses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbjudge doctor`."""
    parser.add_argument("assignment", nargs="?", metavar="ASSIGNMENT", help="Also grade this assignment's canaries")
    parser.add_argument("--json", action="store_true", help="Print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Run all checks and print their findings; return 1 when a check failed, else 0."""
    findings = list(examine(args.course, args.assignment))
    has_failed = any(finding.mark == "fail" for finding in findings)
    if args.json:
        result = {
            "course": str(args.course),
            "well": not has_failed,
            "checks": [asdict(finding) for finding in findings],
        }
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        Console(highlight=False).print(_table(findings))
    return 1 if has_failed else 0


def _table(findings: list[Finding]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("check", "", "what was found"):
        table.add_column(heading, no_wrap=heading != "what was found")
    for finding in findings:
        text = Text(finding.sentence)
        if finding.way_out:
            text.append(f"\n{finding.way_out}", style="italic")
        table.add_row(Text(finding.check), Text(finding.mark, style=COLOURS[finding.mark]), text)
    return table


def examine(course: Path, assignment: str | None = None) -> Iterator[Finding]:
    """Yield the finding of each check of a course; if an assignment is given, include its canaries."""
    checks: dict[str, Check] = {
        "Python": partial(check_python, str(metadata(_DISTRIBUTION)["Requires-Python"])),
        "packages": _check_own_requirements,
        **_course_checks(course),
        "home": check_home,
        "path": partial(check_path, course),
        "disk": partial(check_disk, course),
    }
    settings, finding = read_settings(course)
    if settings is not None:
        checks |= {
            "memory": partial(check_memory, settings),
            "folders": partial(check_folders, course, settings),
            "gradebook": partial(check_gradebook, settings),
            "secret": partial(check_secret, course, settings),
            "privacy": partial(check_privacy, settings),
            "exchange": partial(check_exchange, settings),
            "isolation": partial(check_isolation, course, settings),
            "forked kernels": check_forking,
        }
        if assignment:
            checks["canaries"] = partial(_check_canaries, course, settings, assignment)
    yield finding
    for name, check in checks.items():
        yield _run_check(name, check)


def _course_checks(course: Path) -> dict[str, Check]:
    """Return {name: check} of installed courses for this folder, which replace default checks of the same name.

    An entry point of the group `nbjudge.doctor` names a function that takes the course's folder and returns them.
    """
    checks: dict[str, Check] = {}
    for entry in entry_points(group=_ENTRY_POINTS):
        try:
            checks |= entry.load()(course)
        except Exception as error:
            sentence = f"{entry.value} cannot be used: {type(error).__name__}: {error}."
            checks[entry.name] = partial(Finding, entry.name, "fail", sentence)
    return checks


def _run_check(name: str, check: Check) -> Finding:
    try:
        return check()
    except CannotGrade as error:
        return Finding(name, "fail", str(error))
    except Exception as error:  # a check that raises is a finding, too
        way_out = "This check itself failed; the lines above may show the reason."
        return Finding(name, "fail", f"{type(error).__name__}: {error}", way_out)


def read_settings(course: Path) -> tuple[Config | None, Finding]:
    """Return the settings of nbgrader_config.py, or None when it cannot be read, and a finding about it."""
    from nbjudge.autograde.canary_run import settings_without_hooks
    from nbjudge.settings import SETTINGS

    file, name = course / SETTINGS, "settings"
    if not file.is_file():
        way_out = "Run this in the folder of the course, or name that folder: --course FOLDER."
        return None, Finding(name, "fail", f"There is no {file}.", way_out)
    try:
        settings = settings_without_hooks(course)
    except Exception as error:  # it is a program and can raise anything
        way_out = "Fix it, or restore the original file of the course."
        return None, Finding(name, "fail", f"{file} cannot be read: {type(error).__name__}: {error}.", way_out)
    return settings, Finding(name, "ok", f"{file} was read.")


# --- the installation


def check_python(specifier: str, way_out: str = "") -> Finding:
    """Compare this Python with a specifier such as ">=3.11"."""
    current = ".".join(map(str, sys.version_info[:3]))
    if SpecifierSet(specifier).contains(current):
        return Finding("Python", "ok", f"Python {current} in {sys.prefix}.")
    return Finding("Python", "fail", f"This is Python {current}; expected {specifier}.", way_out)


def check_requirements(requirements: Iterable[str], way_out: str) -> Finding:
    """Compare the installed packages with requirements such as "numpy>=2.0"."""
    applicable = [requirement for text in requirements if _is_applicable(requirement := Requirement(text))]
    problems = [sentence for requirement in applicable if (sentence := _requirement_problem(requirement))]
    if not problems:
        return Finding("packages", "ok", f"{len(applicable)} packages, in supported versions.")
    return Finding("packages", "fail", f"{'; '.join(problems)}.", way_out)


def _check_own_requirements() -> Finding:
    """Compare the installed packages with what nbjudge requires."""
    way_out = f"Install the required versions: {sys.executable} -m pip install --upgrade {_DISTRIBUTION}"
    return check_requirements(requires(_DISTRIBUTION) or [], way_out)


def _is_applicable(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _requirement_problem(requirement: Requirement) -> str:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} is {installed}, expected {requirement.specifier}"


def check_home() -> Finding:
    """Check that there is a home folder, where Jupyter keeps its settings."""
    if home := os.environ.get(TEMPORARY_HOME):
        return Finding("home", "warn", home, "nbjudge works without one, but nbgrader does not: set HOME to a folder.")
    return Finding("home", "ok", f"{Path.home()} can be written.")


def check_path(course: Path) -> Finding:
    """Check that the course's path has no characters with a special meaning to a library."""
    if "?" in str(course):
        sentence = f"The path of the course has a question mark, which ends the path in a database URL: {course}"
        return Finding("path", "fail", sentence, "Rename the folder.")
    if os.pathsep in str(course):
        sentence = f"The path of the course has a {os.pathsep!r}, which separates folders in search paths: {course}"
        return Finding("path", "fail", sentence, "Rename the folder.")
    return Finding("path", "ok", "The path of the course has no special characters.")


def check_disk(course: Path) -> Finding:
    """Check the free disk space where grading writes."""
    free = min(shutil.disk_usage(folder).free for folder in (course, tempfile.gettempdir())) / GB
    sentence = f"{free:.1f} GB are free in the course's folder and for temporary files."
    mark: Mark = "ok" if free >= _PLENTY_DISK_GB else "warn" if free >= _LEAST_DISK_GB else "fail"
    way_out = "" if mark == "ok" else f"Free some space: {_PLENTY_DISK_GB} GB are plenty."
    return Finding("disk", mark, sentence, way_out)


def check_memory(settings: Config) -> Finding:
    """Check that the free memory suffices for one submission at its limit, and report the number of cores."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = psutil.virtual_memory().available / GB
    needed = float(settings.SandboxProvisioner.get("memory_mb", 4096)) / 1000
    sentence = f"{cores} cores, {free:.1f} GB of memory are free; one submission may take {needed:.1f} GB."
    if free >= needed:
        return Finding("memory", "ok", sentence)
    way_out = "Close other programs, or lower c.SandboxProvisioner.memory_mb in nbgrader_config.py."
    return Finding("memory", "warn", sentence, way_out)


def check_forking() -> Finding:
    """Fork a process that has imported NumPy, as grading does for each kernel."""
    from nbjudge.forkserver.client import ForkError, Program, Zygote

    name, way_out = (
        "forked kernels",
        "No action needed: kernels start one by one, which is slower but gives the same scores.",
    )
    if not sys.platform.startswith("linux"):
        return Finding(name, "warn", f"{sys.platform} cannot fork a process that has imported libraries.", way_out)
    zygote = None
    try:
        with tempfile.TemporaryDirectory() as folder:
            zygote = Zygote(["numpy"], {**os.environ, "OPENBLAS_NUM_THREADS": "1"})
            ended = zygote.fork(Program(["platform"], {}, folder, str(Path(folder, "said")))).wait(30)
    except (ForkError, OSError) as error:
        return Finding(name, "warn", f"Kernels cannot be forked: {error}.", way_out)
    finally:
        if zygote:
            zygote.close()
    if ended != 0:
        return Finding(name, "warn", f"A forked process ended with {ended}; expected 0.", way_out)
    return Finding(name, "ok", "A process with imported libraries can be forked.")


# --- the course


def check_folders(course: Path, settings: Config) -> Finding:
    """Check that the folders of nbgrader's commands are writable."""
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(config=settings)
    steps = (directory.submitted_directory, directory.autograded_directory, directory.feedback_directory)
    folders = [course, *(Path(directory.root, step) for step in steps)]
    folders += [Path(settings.Exchange.root)] if "root" in settings.Exchange else []
    unwritable = [f"{folder} ({reason})" for folder in folders if (reason := _why_not_writable(folder))]
    names = ", ".join(folder.name for folder in folders[1:])
    if not unwritable:
        return Finding("folders", "ok", f"{names} can be written.")
    way_out = "Check that you have write permission, or copy the course to a folder where you have it."
    return Finding("folders", "fail", f"Cannot be written: {', '.join(unwritable)}.", way_out)


def _why_not_writable(folder: Path) -> str:
    """Return why a folder is not writable or cannot be created, or ""."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        # Permission bits are not enough: root ignores them, and a disk can be full or read-only.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def check_gradebook(settings: Config) -> Finding:
    """Check that the gradebook exists, is intact, is not in use and can be written."""
    from nbgrader.coursedir import CourseDirectory
    from sqlalchemy.engine import make_url

    from nbjudge.autograde.gradebook import gradebook_file, require_gradebook

    url = CourseDirectory(config=settings).db_url
    file = Path(make_url(url).database or "")
    if not file.exists():
        way_out = "No action needed: `nbgrader generate_assignment ASSIGNMENT` creates it."
        return Finding("gradebook", "warn", f"There is no gradebook at {file} yet.", way_out)
    require_gradebook(url, _PATIENCE_S, _LogRecorder().log)
    return Finding("gradebook", "ok", f"{gradebook_file(url)} is intact and can be written.")


def check_secret(course: Path, settings: Config) -> Finding:
    """Check that the secret of the hidden tests is set, and that other users cannot read it."""
    secret = CourseSecret.of(settings)
    file = course / secret.file
    if secret.value:
        return Finding("secret", "ok", f"The secret of the hidden tests comes from ${secret.variable}.")
    if not file.exists():
        way_out = "No action needed: the first grading creates it. Keep it with the gradebook."
        return Finding("secret", "warn", f"There is no {file} yet, the secret of the hidden tests.", way_out)
    secret.load(course)
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077 and os.name == "posix":
        sentence = f"Others on this machine may read or change {file} (its mode is {mode:o}, expected 600)."
        return Finding("secret", "fail", sentence, f"Restrict it: chmod 600 {file}")
    return Finding("secret", "ok", f"{file} exists, and only its owner can read it.")


def check_isolation(course: Path, settings: Config) -> Finding:
    """Check which layers of the sandbox are in force on this machine for this course."""
    from jupyter_client.manager import KernelManager

    from nbjudge.sandbox.provisioner import SandboxProvisioner
    from nbjudge.sandbox.sandbox import announcement

    provisioner = SandboxProvisioner(parent=KernelManager(config=settings), config=settings)
    missing = provisioner._missing(str(course / "work"))
    sentence = f"{announcement(provisioner._limits(), missing)}."
    if not missing:
        return Finding("isolation", "ok", sentence)
    if not provisioner.required and set(missing) == {"user"}:
        return Finding(
            "isolation", "warn", sentence, "Grade as an ordinary user; the other layers confine submissions."
        )
    way_out = "Grade on Linux 5.13 or later with Landlock and seccomp; docs/threat_model.md describes the risks."
    return Finding("isolation", "fail", sentence, way_out)


def _check_canaries(course: Path, settings: Config, assignment: str) -> Finding:
    """Grade the assignment's solution, blank notebook and cheats, even if nothing has changed since they passed."""
    from nbjudge.autograde.canaries import require_canaries
    from nbjudge.autograde.canary_cache import CanaryCache
    from nbjudge.autograde.converter import grade_canaries
    from nbjudge.autograde.lock import FOLDER

    recorder = _LogRecorder()
    cache = CanaryCache(course / FOLDER, recorder.log.warning) if (course / FOLDER).is_dir() else None
    if cache:
        cache.forget(assignment)
    with _temporary_secret(course, CourseSecret.of(settings)):
        require_canaries(course, assignment, recorder.log, grade_canaries, cache=cache)
    if weak := [line for line in recorder.messages if " is weak: " in line]:
        return Finding("canaries", "warn", " ".join(weak))
    return Finding(
        "canaries", "ok", f"{recorder.messages[-1] if recorder.messages else f'canaries of {assignment}: passed'}."
    )


def _temporary_secret(course: Path, secret: CourseSecret) -> AbstractContextManager[None]:
    """Set the course's secret temporarily, or a random one if there is none yet."""
    from nbjudge.secrets import new_secret

    if secret.value:
        return nullcontext()
    return temporary_env(**{secret.variable: secret.load(course) if (course / secret.file).exists() else new_secret()})


class _LogRecorder(logging.Handler):
    """Records log messages instead of printing them."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.log = logging.Logger("doctor", logging.INFO)
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
