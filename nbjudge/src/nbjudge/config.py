"""Configure nbgrader to grade with this package: converters, preprocessors, kernels, feedback and the environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbjudge.autograde.converter import Grading, install_converter
from nbjudge.environment import prepend, usable_folder
from nbjudge.patches import take_path_literally
from nbjudge.sandbox.provisioner import use_sandbox

REQUIRE_ISOLATION = "NBJUDGE_REQUIRE_ISOLATION"
PREPROCESSORS = [
    "nbjudge.Run",
    "nbjudge.StderrAsStdout",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbjudge.Record",  # replaces SaveAutoGrades and AssignLatePenalties
]
RENAMED = (
    "The package grading is now nbjudge. Remove every setting that names grading.* and end nbgrader_config.py with:\n"
    'import nbjudge; nbjudge.configure(get_config(), packages=["my_helpers"], hidden=["my_tests"])'
)
EXCHANGE = {"root": "release, fetch, submit and collect", "assignment_dir": "fetch and submit"}


@dataclass(frozen=True)
class Settings:
    """The arguments of nbjudge.configure."""

    course: Path
    packages: tuple[str, ...]
    hidden: tuple[str, ...]
    withheld: tuple[str, ...]
    libraries: tuple[str, ...]
    catalogue: str
    secret: tuple[str, str] | None


def apply_settings(config: Any, settings: Settings) -> None:
    """Configure nbgrader, replace its autograder and start its kernels in the sandbox, in this process.

    After an error nothing is graded: nbgrader only logs errors in a settings file, and would go on without a sandbox.
    """
    install_converter()
    use_sandbox()
    try:
        _require_current_names(config)
        _apply(config, settings)
    except Exception as error:
        refuse(f"nbgrader_config.py could not be applied: {error}")
        raise


def refuse(reason: str) -> None:
    """Make every autograde command of this process stop with this sentence."""
    install_converter()
    Grading.refusal = reason


def _apply(config: Any, settings: Settings) -> None:
    keep_private(bool(config.CourseDirectory.get("groupshared", False)))
    prepare_environment(settings.course)
    _set_default(config.CourseDirectory, "root", str(settings.course))
    course = Path(config.CourseDirectory.root)
    for name, purpose in EXCHANGE.items():
        if name in config.Exchange:
            usable_folder(Path(config.Exchange[name]), purpose)
    _set_default(config.Autograde, "autograde_preprocessors", list(PREPROCESSORS))
    _set_default(config.Run, "withheld", list(settings.withheld))
    _set_default(config.Grading, "libraries", list(settings.libraries))
    _set_default(config.Grading, "catalogue", settings.catalogue)
    if settings.secret:
        _set_default(config.Grading, "secret_variable", settings.secret[0])
        _set_default(config.Grading, "secret_file", settings.secret[1])
    _set_default(config.SandboxProvisioner, "packages", [str(find_package(name, course)) for name in settings.packages])
    _set_default(config.SandboxProvisioner, "hidden", list(settings.hidden))
    _set_default(config.SandboxProvisioner, "required", os.environ.get(REQUIRE_ISOLATION, "0") not in ("", "0"))
    # Feedback: a self-contained page without scripts and hidden tests.
    _set_default(config.GenerateFeedback, "preprocessors", ["nbjudge.GetScores"])
    _set_default(config.GenerateFeedback, "exporter_class", "nbjudge.FeedbackExporter")
    _set_default(config.ExchangeFactory, "release_feedback", "nbjudge.ReleaseFeedback")
    # Formgrader's pages show sanitized outputs and text of submissions.
    _set_default(config.HTMLExporter, "sanitize_html", True)
    _set_default(config.HTMLExporter, "preprocessors", ["nbjudge.ShowRubric"])
    _set_default(config.TemplateExporter, "filters", {"clean_html": "nbjudge.clean_for_formgrader"})
    take_path_literally(course)


def keep_private(groupshared: bool) -> None:
    """Let this process create files and folders that other users of the machine cannot read, whatever its umask was.

    groupshared: whether the group of the course's files may read them, as `c.CourseDirectory.groupshared` says.
    What students fetch gets its permissions from nbgrader, which sets them explicitly.
    """
    mask = 0o007 if groupshared else 0o077
    os.umask(os.umask(mask) | mask)


def _require_current_names(config: Any) -> None:
    """Raise ValueError if a setting has a former name, which nbgrader would ignore without a word."""
    if "BoxedProvisioner" in config:
        raise ValueError("c.BoxedProvisioner is now c.SandboxProvisioner. Rename it; its settings are the same.")
    for section, values in config.items():
        for name, value in values.items():
            listed = value if isinstance(value, list | tuple) else [value]
            for old in (each for each in listed if isinstance(each, str) and each.startswith("grading.")):
                raise ValueError(f"c.{section}.{name} names {old!r}. {RENAMED}")


def prepare_environment(course: Path) -> None:
    """Set the search paths that nbgrader and its kernels need, and one thread for linear algebra."""
    prepend("PATH", Path(sys.executable).parent)  # a new gradebook runs the program `alembic`
    prepend("PYTHONPATH", course)  # kernels prefer packages next to the settings over installed ones
    prepend("JUPYTER_CONFIG_PATH", course)  # the assignment list extension reads the settings from another folder
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for small matrices, two threads are slower than one


def _set_default(section: Any, name: str, value: Any) -> None:
    """Set a setting, unless the course has set it."""
    if name not in section:
        section[name] = value


def find_package(name: str, course: Path) -> Path:
    """Return the folder of a package or the file of a module: next to the settings, else where it is installed.

    Raises ValueError if it is in neither place.
    """
    for path in (Path(name), course / name, course / f"{name}.py"):
        if path.is_absolute() and path.exists():
            return path
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.origin:
        raise ValueError(
            f"packages names {name!r}, which is neither in {course} nor installed. Name a package or module that is, "
            "or leave it out."
        )
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
