"""Grade nbgrader courses in parallel, in a sandbox, with points for proven success only.

A course's nbgrader_config.py needs two lines:

    import nbjudge
    nbjudge.configure(get_config(), packages=["my_helpers"], hidden=["my_tests"])
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "configure"]


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
