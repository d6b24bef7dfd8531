"""Write the start page, work/start.md: `python -m tools.start_page`.

It lists the lessons with what each builds, its minutes and what is solved. JupyterLab shows it as a preview, without a
kernel; every `make lab` writes it again. tools/lab.py runs this file in a process of its own, because it imports the
course's helpers.
"""

import sys
from datetime import datetime
from pathlib import Path

from rnn_helpers.checks.fixtures import FixtureError
from rnn_helpers.checks.progress import MARKS, ProgressMap, current_progress
from rnn_helpers.checks.syllabus import LESSONS, short_title
from tools.workspace import START_PAGE, lesson_names, write_generated

ROOT = Path(__file__).resolve().parent.parent
TITLE = "# Recurrent neural networks, step by step"
HEAD = ["| lesson | you build | minutes | solved |", "|:---|:---|---:|:---|"]
ADVICE = """\
Run the cells of a lesson from top to bottom with Shift+Enter. `check(...)` answers as often as you like, and
`hint("rnn_step")` helps in three steps. `progress()` shows in any lesson what is solved at that moment; this page is
brought up to date when JupyterLab starts.

The notebooks in this folder are yours: nothing overwrites them. `make fresh LESSON=01_recurrence` gives you a new copy
of a lesson and keeps the old one beside it."""


def main() -> int:
    """Write the page and return the exit code."""
    try:
        text = start_page(lesson_names(ROOT), current_progress())
        backup = write_generated(ROOT, START_PAGE, text, datetime.now())
    except (FixtureError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if backup:
        name = backup.relative_to(ROOT).as_posix()
        print(f"work/{START_PAGE} was not the course's: it is kept as {name}, and the start page has its place.")
    return 0


def start_page(names: list[str], progress: ProgressMap) -> str:
    """Return the page in Markdown.

    names: the lessons that are in work/, in course order
    """
    rows = [_row(name, progress.lessons.get(name, {})) for name in names]
    legend = "  ".join(f"{mark} {state}" for state, mark in MARKS.items())
    return "\n\n".join([TITLE, _where_to_go(names, progress), "\n".join([*HEAD, *rows]), legend, ADVICE]) + "\n"


def _where_to_go(names: list[str], progress: ProgressMap) -> str:
    states = [state for row in progress.lessons.values() for state in row.values()]
    solved = f"{states.count('solved')} of {len(states)} exercises are solved."
    if progress.note:
        solved += f" ({progress.note})"
    name = lesson_to_continue(names, progress)
    if not name:
        return f"**You have reached the end.** {solved}"
    verb = "Begin" if set(states) <= {"to come"} else "Continue"
    return f"**{verb} with {_link(name)}.** {solved}"


def lesson_to_continue(names: list[str], progress: ProgressMap) -> str:
    """Return the last lesson that was begun, the one after it if nothing is left to solve, or "" after the last."""
    begun = [name for name in names if set(progress.lessons.get(name, {}).values()) - {"to come"}]
    if not begun:
        return names[0] if names else ""
    last = begun[-1]
    if set(progress.lessons[last].values()) != {"solved"}:
        return last
    return next(iter(names[names.index(last) + 1 :]), "")


def _row(name: str, states: dict[str, str]) -> str:
    lesson = LESSONS.get(name)
    description = [lesson.builds, str(lesson.minutes)] if lesson else ["", ""]
    marks, solved = "".join(MARKS[state] for state in states.values()), list(states.values()).count("solved")
    unbroken = f"{marks} {solved} of {len(states)}".replace(" ", "\N{NO-BREAK SPACE}")
    cells = [_link(name), *description, unbroken if states else ""]
    return f"| {' | '.join(cells)} |"


def _link(name: str) -> str:
    return f"[{short_title(name) if name in LESSONS else name}]({name}/{name}.ipynb)"


if __name__ == "__main__":
    sys.exit(main())
