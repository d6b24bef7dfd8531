"""`rnn-course doctor`: is this machine ready to grade a class? One line for each thing that can be amiss."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, entry_points, metadata, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.table import Table
from rich.text import Text
from traitlets.config import Config

from nbjudge.environment import TEMPORARY_HOME, temporary_env
from nbjudge.errors import CannotGrade
from nbjudge.secrets import CourseSecret

Mark = Literal["ok", "warn", "fail"]
COLOURS: dict[Mark, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
DISTRIBUTION, ENTRY_POINTS = "nbgrader-judge", "nbjudge.doctor"
GB = 1e9
LITTLE_DISK_GB, TOO_LITTLE_DISK_GB = 5, 0.5
PATIENCE_S = 1.0  # for a gradebook that another program uses


@dataclass(frozen=True)
class Finding:
    """What one check found; way_out is empty when there is nothing to do."""

    check: str
    mark: Mark
    sentence: str
    way_out: str = ""


Check = Callable[[], Finding]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rnn-course doctor` takes."""
    parser.add_argument("lesson", nargs="?", metavar="LESSON", help="grade this lesson's canaries too")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, for scripts")


def run(args: argparse.Namespace) -> int:
    """Print what was found; return 0 when nothing is wrong, else 1."""
    findings = list(examine(args.course, args.lesson))
    wrong = any(finding.mark == "fail" for finding in findings)
    if args.json:
        told = {"course": str(args.course), "well": not wrong, "checks": [asdict(finding) for finding in findings]}
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        Console(highlight=False).print(_table(findings))
    return 1 if wrong else 0


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


def examine(course: Path, lesson: str | None = None) -> Iterator[Finding]:
    """Yield what each check of a course finds, with a lesson also how its canaries do."""
    checks: dict[str, Check] = {
        "Python": partial(check_python, str(metadata(DISTRIBUTION)["Requires-Python"])),
        "packages": check_own_requirements,
        **course_checks(course),
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
            "secret": partial(check_salt, course, settings),
            "isolation": partial(check_isolation, course, settings),
            "forked kernels": check_forking,
        }
        if lesson:
            checks["canaries"] = partial(check_canaries, course, settings, lesson)
    yield finding
    for name, check in checks.items():
        yield _found(name, check)


def course_checks(course: Path) -> dict[str, Check]:
    """Return the checks that installed courses add for this folder, {name: check}; one replaces ours of its name.

    An entry point of the group `nbjudge.doctor` names a function that takes the course's folder and returns them.
    """
    checks: dict[str, Check] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            checks |= entry.load()(course)
        except Exception as error:
            sentence = f"{entry.value} cannot be used: {type(error).__name__}: {error}."
            checks[entry.name] = partial(Finding, entry.name, "fail", sentence)
    return checks


def _found(name: str, check: Check) -> Finding:
    try:
        return check()
    except CannotGrade as error:
        return Finding(name, "fail", str(error))
    except Exception as error:  # a check that fails in its own way is a finding too
        way_out = "This check itself failed; see whether the lines above say why."
        return Finding(name, "fail", f"{type(error).__name__}: {error}", way_out)


def read_settings(course: Path) -> tuple[Config | None, Finding]:
    """Return the settings of nbgrader_config.py, None when it cannot be read, and what is to be said about it."""
    from nbjudge.autograde.canary_run import settings_without_hooks
    from nbjudge.settings import SETTINGS

    file, name = course / SETTINGS, "settings"
    if not file.is_file():
        way_out = "Run this from the folder of the course, or name that folder."
        return None, Finding(name, "fail", f"There is no {file}.", way_out)
    try:
        settings = settings_without_hooks(course)
    except Exception as error:  # it is a program, and may fail in any way
        way_out = "Mend it, or take the file as the course came with it."
        return None, Finding(name, "fail", f"{file} cannot be read: {type(error).__name__}: {error}.", way_out)
    return settings, Finding(name, "ok", f"{file} was read.")


# --- what is installed


def check_python(wanted: str, way_out: str = "") -> Finding:
    """Compare this Python with a specifier such as ">=3.11"."""
    current = ".".join(map(str, sys.version_info[:3]))
    if SpecifierSet(wanted).contains(current):
        return Finding("Python", "ok", f"Python {current} in {sys.prefix}.")
    return Finding("Python", "fail", f"This is Python {current}; expected {wanted}.", way_out)


def check_requirements(requirements: Iterable[str], way_out: str) -> Finding:
    """Compare the installed packages with requirements such as "numpy>=2.0"."""
    needed = [wanted for text in requirements if _applies(wanted := Requirement(text))]
    problems = [sentence for wanted in needed if (sentence := _unmet(wanted))]
    if not problems:
        return Finding("packages", "ok", f"{len(needed)} packages, in supported versions.")
    return Finding("packages", "fail", f"{'; '.join(problems)}.", way_out)


def check_own_requirements() -> Finding:
    """Compare the installed packages with what nbjudge requires."""
    way_out = f"Install what fits: {sys.executable} -m pip install --upgrade {DISTRIBUTION}"
    return check_requirements(requires(DISTRIBUTION) or [], way_out)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _unmet(wanted: Requirement) -> str:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing"
    if wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} is {found}, expected {wanted.specifier}"


def check_home() -> Finding:
    """Look whether there is a home folder, where Jupyter keeps its settings."""
    if home := os.environ.get(TEMPORARY_HOME):
        return Finding("home", "warn", home, "rnn-course works without one. nbgrader does not: set HOME to a folder.")
    return Finding("home", "ok", f"{Path.home()} can be written.")


def check_path(course: Path) -> Finding:
    """Look whether the course's path has characters that a library takes for something else."""
    if "?" in str(course):
        sentence = f"The path of the course has a question mark, where the address of a gradebook ends: {course}"
        return Finding("path", "fail", sentence, "Rename the folder.")
    if os.pathsep in str(course):
        sentence = f"The path of the course has a {os.pathsep!r}, which separates folders in search paths: {course}"
        return Finding("path", "fail", sentence, "Rename the folder.")
    return Finding("path", "ok", "The path of the course has no character that nbgrader cannot bear.")


def check_disk(course: Path) -> Finding:
    """Look how much room there is where grading writes."""
    free = min(shutil.disk_usage(place).free for place in (course, tempfile.gettempdir())) / GB
    sentence = f"{free:.1f} GB are free in the course's folder and for temporary files."
    mark: Mark = "ok" if free >= LITTLE_DISK_GB else "warn" if free >= TOO_LITTLE_DISK_GB else "fail"
    way_out = "" if mark == "ok" else f"Make room: {LITTLE_DISK_GB} GB are plenty."
    return Finding("disk", mark, sentence, way_out)


def check_memory(settings: Config) -> Finding:
    """Look whether the memory is enough for one submission that takes all it may, and how many cores there are."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = psutil.virtual_memory().available / GB
    needed = float(settings.BoxedProvisioner.get("memory_mb", 4096)) / 1000
    sentence = f"{cores} cores, {free:.1f} GB of memory are free; one submission may take {needed:.1f} GB."
    if free >= needed:
        return Finding("memory", "ok", sentence)
    way_out = "Close other programs, or lower c.BoxedProvisioner.memory_mb in nbgrader_config.py."
    return Finding("memory", "warn", sentence, way_out)


def check_forking() -> Finding:
    """Fork one process that has NumPy imported, as grading does for each kernel."""
    from nbjudge.forkserver.client import ForkError, Program, Zygote

    name, way_out = "forked kernels", "Nothing is wrong: kernels start one by one, which is slower and grades the same."
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
    return Finding(name, "ok", "A process with its libraries imported can be copied.")


# --- the course


def check_folders(course: Path, settings: Config) -> Finding:
    """Try to write where nbgrader's commands write."""
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(config=settings)
    steps = (directory.submitted_directory, directory.autograded_directory, directory.feedback_directory)
    folders = [course, *(Path(directory.root, step) for step in steps)]
    folders += [Path(settings.Exchange.root)] if "root" in settings.Exchange else []
    closed = [f"{folder} ({reason})" for folder in folders if (reason := _why_not_writable(folder))]
    names = ", ".join(folder.name for folder in folders[1:])
    if not closed:
        return Finding("folders", "ok", f"{names} can be written.")
    way_out = "See to it that you may write there, or copy the course to a place where you can."
    return Finding("folders", "fail", f"Cannot be written: {', '.join(closed)}.", way_out)


def _why_not_writable(folder: Path) -> str:
    """Return why nothing can be written in a folder, or, where it is not there yet, why it cannot be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        # Permissions do not tell: root may write what it may not, and a disk can be full or read-only.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def check_gradebook(settings: Config) -> Finding:
    """Look at the gradebook as grading does: there, whole, not in use, open to writing."""
    from nbgrader.coursedir import CourseDirectory
    from sqlalchemy.engine import make_url

    from nbjudge.autograde.gradebook import gradebook_file, require_gradebook

    url = CourseDirectory(config=settings).db_url
    place = Path(make_url(url).database or "")
    if not place.exists():
        way_out = "Nothing is wrong: `nbgrader generate_assignment LESSON` makes it."
        return Finding("gradebook", "warn", f"There is no gradebook at {place} yet.", way_out)
    require_gradebook(url, PATIENCE_S, _Ear().log)
    return Finding("gradebook", "ok", f"{gradebook_file(url)} is whole and can be written.")


def check_salt(course: Path, settings: Config) -> Finding:
    """Look whether the secret of the hidden tests is set and nobody else can read it."""
    secret = CourseSecret.of(settings)
    file = course / secret.file
    if secret.value:
        return Finding("secret", "ok", f"The secret of the hidden tests comes from ${secret.variable}.")
    if not file.exists():
        way_out = "Nothing is wrong: the first grading makes it. Keep it with the gradebook."
        return Finding("secret", "warn", f"There is no {file} yet, the secret of the hidden tests.", way_out)
    secret.load(course)
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077 and os.name == "posix":
        sentence = f"Others on this machine may read or change {file} (its mode is {mode:o}, expected 600)."
        return Finding("secret", "fail", sentence, f"Close it: chmod 600 {file}")
    return Finding("secret", "ok", f"{file} is there, and only its owner can read it.")


def check_isolation(course: Path, settings: Config) -> Finding:
    """Ask which layers of the box around submissions are in force, here and for this course."""
    from jupyter_client import KernelManager

    from nbjudge.sandbox.provisioner import BoxedProvisioner
    from nbjudge.sandbox.sandbox import announcement

    provisioner = BoxedProvisioner(parent=KernelManager(config=settings), config=settings)
    missing = provisioner._missing(str(course / "work"))
    sentence = f"{announcement(provisioner._limits(), missing)}."
    if not missing:
        return Finding("isolation", "ok", sentence)
    if not provisioner.required and set(missing) == {"user"}:
        return Finding("isolation", "warn", sentence, "Grade as an ordinary user; the other layers hold submissions.")
    way_out = "Grade on Linux 5.13 or later with Landlock and seccomp; docs/threat_model.md says what is at stake."
    return Finding("isolation", "fail", sentence, way_out)


def check_canaries(course: Path, settings: Config, lesson: str) -> Finding:
    """Grade the lesson's solution, blank version and cheats, as autograde does before a class."""
    from nbjudge.autograde.canaries import require_canaries
    from nbjudge.autograde.converter import grade_canaries

    ear = _Ear()
    with _with_secret(course, CourseSecret.of(settings)):
        require_canaries(course, lesson, ear.log, grade_canaries)
    if weak := [line for line in ear.heard if " is weak: " in line]:
        return Finding("canaries", "warn", " ".join(weak))
    return Finding("canaries", "ok", f"{ear.heard[-1] if ear.heard else f'canaries of {lesson}: as they should be'}.")


def _with_secret(course: Path, secret: CourseSecret) -> AbstractContextManager[None]:
    """Set the course's secret for the duration; where there is none yet, a random one."""
    from nbjudge.secrets import new_secret

    if secret.value:
        return nullcontext()
    return temporary_env(**{secret.variable: secret.load(course) if (course / secret.file).exists() else new_secret()})


class _Ear(logging.Handler):
    """Keeps what a log is told, off the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.log = logging.Logger("doctor", logging.INFO)
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())
