"""Grade nbgrader courses in parallel, in a sandbox, with points for proven success only.

A course's nbgrader_config.py needs two lines:

    import nbjudge
    nbjudge.configure(get_config(), packages=["my_helpers"], hidden=["my_tests"])

The names in `__all__` are the public face, and each has a docstring. Every other name of this package is internal and
may change without notice. They are imported on first use: the settings run before any other module of the package.

- Settings: `configure`, `load_settings`, `CourseSecret`.
- Classes whose settings nbgrader_config.py may set, as in `c.Run.total_seconds`: `Grading`, `Run`,
  `SandboxProvisioner`. In lists of nbgrader and nbconvert they are named by strings such as "nbjudge.Run", and so are
  `StderrAsStdout`, `Record`, `GetScores`, `FeedbackExporter`, `ReleaseFeedback`, `ShowRubric` and
  `clean_for_formgrader`.
- Health checks of a course, for the entry point `nbjudge.doctor`: `Check`, a function without arguments that returns a
  `Finding`; `check_python` and `check_requirements` make two common ones.
- Programs: `main` runs the command line, with commands of the course if there are any; `write_report` writes the class
  report; `CannotGrade` is the error to catch; `__version__` is a string such as "1.0.0".
- Helpers: `CellLabel`, `join_names`, `quote`, `temporary_env`. Tests display results for the report as data of the type
  `RESULT_MIME_TYPE`: {"exercise", "solved", "passed", "mistake", "problem"}, and "sentence", which students read first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbjudge.autograde.converter import Grading
    from nbjudge.autograde.preprocessors import Record, StderrAsStdout
    from nbjudge.cli import main
    from nbjudge.cli.doctor import check_python, check_requirements
    from nbjudge.cli.finding import Check, Finding
    from nbjudge.environment import temporary_env
    from nbjudge.errors import CannotGrade
    from nbjudge.execution.preprocessor import Run
    from nbjudge.feedback.exporter import FeedbackExporter
    from nbjudge.feedback.grades import GetScores
    from nbjudge.feedback.release import ReleaseFeedback
    from nbjudge.feedback.results import RESULT_MIME_TYPE
    from nbjudge.feedback.rubric import ShowRubric
    from nbjudge.feedback.sanitize import clean_for_formgrader
    from nbjudge.nbgrader_cells import CellLabel
    from nbjudge.report import write_report
    from nbjudge.sandbox.provisioner import SandboxProvisioner
    from nbjudge.secrets import CourseSecret
    from nbjudge.settings import load_settings
    from nbjudge.text import join_names, quote

__version__ = "1.0.0"
__all__ = [
    "RESULT_MIME_TYPE",
    "CannotGrade",
    "CellLabel",
    "Check",
    "CourseSecret",
    "FeedbackExporter",
    "Finding",
    "GetScores",
    "Grading",
    "Record",
    "ReleaseFeedback",
    "Run",
    "SandboxProvisioner",
    "ShowRubric",
    "StderrAsStdout",
    "__version__",
    "check_python",
    "check_requirements",
    "clean_for_formgrader",
    "configure",
    "join_names",
    "load_settings",
    "main",
    "quote",
    "temporary_env",
    "write_report",
]

_MODULES = {
    "autograde.converter": ("Grading",),
    "autograde.preprocessors": ("Record", "StderrAsStdout"),
    "cli": ("main",),
    "cli.doctor": ("check_python", "check_requirements"),
    "cli.finding": ("Check", "Finding"),
    "environment": ("temporary_env",),
    "errors": ("CannotGrade",),
    "execution.preprocessor": ("Run",),
    "feedback.exporter": ("FeedbackExporter",),
    "feedback.grades": ("GetScores",),
    "feedback.release": ("ReleaseFeedback",),
    "feedback.results": ("RESULT_MIME_TYPE",),
    "feedback.rubric": ("ShowRubric",),
    "feedback.sanitize": ("clean_for_formgrader",),
    "nbgrader_cells": ("CellLabel",),
    "report": ("write_report",),
    "sandbox.provisioner": ("SandboxProvisioner",),
    "secrets": ("CourseSecret",),
    "settings": ("load_settings",),
    "text": ("join_names", "quote"),
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; expected a name in its __all__")


def __dir__() -> list[str]:
    return sorted(__all__)


def configure(
    config: Any,
    packages: Sequence[str] = (),
    hidden: Sequence[str] = (),
    *,
    withheld: Sequence[str] = (),
    libraries: Sequence[str] = (),
    catalogue: str = "",
    secret: tuple[str, str] | None = None,
    course: Path | None = None,
) -> None:
    """Set up nbgrader for nbjudge, without changing settings of the course.

    config: the result of get_config(); call this function last, after the course's own settings
    packages: packages beside nbgrader_config.py, or installed ones, that lessons and tests import
    hidden: packages of hidden tests, which submissions may not read
    withheld: modules that answers cannot use if the test cell is tagged `from-scratch`
    libraries: more installed distributions that can affect a score: all machines of a cluster must have the same
    catalogue: "module:function" that returns {assignment: {exercise: entry}}, where each of `entry.mistakes` has a
        `sentence`: the named mistakes that `nbjudge report` counts
    secret: (environment variable in which hidden tests read the course's secret, file in the course's folder that
        stores it); tests draw unpredictable inputs from it; it is created on first use
    course: the course's folder (default: that of the calling file)
    Raises ValueError for a package that does not exist.
    """
    # This module is imported in every kernel, so it stays small.
    from nbjudge.bytecode import remove_own_damaged

    remove_own_damaged()
    from nbjudge.config import Settings, apply_settings

    if course is None:
        caller = sys._getframe(1).f_globals.get("__file__")
        course = Path(caller).resolve().parent if caller else Path.cwd()
    apply_settings(
        config, Settings(course, tuple(packages), tuple(hidden), tuple(withheld), tuple(libraries), catalogue, secret)
    )
