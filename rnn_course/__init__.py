"""`rnn-course`: the commands of nbjudge, and `demo`, which runs a class with simulated students."""

from __future__ import annotations

import sys
from pathlib import Path

NEEDS_ENGINE = "rnn-course is for instructors and needs nbjudge. Set it up in the course's folder: docs/first_class.md."
DEMO = "Run a class with simulated students, from release to feedback, in a separate folder"


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        import nbjudge  # late, because the settings import this package, too
    except ModuleNotFoundError:
        print(NEEDS_ENGINE, file=sys.stderr)
        return 1
    has_demo = (Path(__file__).parents[1] / "tools" / "demo").is_dir()  # in the course's folder, not in a wheel
    commands = {"demo": (DEMO, "tools.demo.command")} if has_demo else {}
    return nbjudge.main(arguments, program="rnn-course", course_commands=commands)
