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
    """Set everything that nbgrader has to know about nbjudge, and leave what the course has set already.

    config: what get_config() returns; call this last, so that the course's own settings are there
    packages: packages beside nbgrader_config.py, or installed ones, that lessons and tests import
    hidden: packages of hidden tests, which no submission may read
    withheld: modules that answers cannot use where a test cell is tagged `from-scratch`
    libraries: more installed distributions that can decide a score: all machines of a cluster must have the same
    catalogue: "module:function" that returns {assignment: {exercise: it}}, where `it.mistakes` have a `sentence` each:
        the named mistakes that `nbjudge report` counts
    secret: (variable, file) in which hidden tests read the course's secret, and which keeps it in the course's folder;
        it is there for tests that draw inputs nobody can know, and made on first use
    course: the course's folder (default: that of the file that calls this)
    Raises ValueError for a package that is not there.
    """
    # This module is imported in every kernel: it stays small, and what a full disk has cut off goes before it is used.
    from nbjudge.bytecode import remove_damaged

    remove_damaged(Path(__file__).parent)
    from nbjudge.config import Settings, apply_settings

    if course is None:
        caller = sys._getframe(1).f_globals.get("__file__")
        course = Path(caller).resolve().parent if caller else Path.cwd()
    apply_settings(
        config, Settings(course, tuple(packages), tuple(hidden), tuple(withheld), tuple(libraries), catalogue, secret)
    )
