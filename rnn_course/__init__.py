"""`rnn-course`: the commands of nbjudge, and `demo`, which runs a class with simulated students."""

from __future__ import annotations

import sys
from pathlib import Path

DEMO = "Run a class with simulated students, from release to feedback, in a separate folder"


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    sys.path.append(str(Path(__file__).parents[1]))  # tools/ belongs to the course and is not installed
    import nbjudge  # late, because the settings import this package, too

    return nbjudge.main(arguments, program="rnn-course", course_commands={"demo": (DEMO, "tools.demo.command")})
