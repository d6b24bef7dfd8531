"""`progress()`: show an index of the course with what is solved, kept in one append-only text file.

Each line is one event: date, time, lesson, exercise, checks right, "of", checks. Appending a short line is atomic on
local disks, so two notebooks may write at once; a damaged line is skipped; deleting the file only resets the index.
"""

from __future__ import annotations

import errno
import html
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rnn_helpers import cards
from rnn_helpers.checks import fixtures
from rnn_helpers.checks.evaluator import Report
from rnn_helpers.checks.syllabus import LESSONS
from rnn_helpers.environment import BROWSER_FILES, in_browser

NAME = "rnn_course_progress.txt"
WAY_OUT = (
    "Set RNN_COURSE_PROGRESS to a file that you can write: `%env RNN_COURSE_PROGRESS=../progress.txt` "
    "in a cell of its own."
)
WAY_OUT_IN_BROWSER = "Allow the site to store data, or leave private browsing."
MARKS = {"solved": "●", "begun": "◐", "to come": "○"}
START_PAGE = "../start.md"  # from a notebook in work/; tools/start_page.py writes it
LEFT = "<td style='text-align:left; vertical-align:top'>"

_LINE = re.compile(r"^\S+ \S+ (?P<lesson>\w+) (?P<name>\w+) (?P<right>\d+) of (?P<all>\d+)$")


def progress_file() -> Path:
    """Return the file that stores progress: $RNN_COURSE_PROGRESS, or rnn_course_progress.txt in the home folder.

    In a browser it is among the files of JupyterLite, which survive a reload.
    Raises OSError when there is no home folder, as for a user of a container who has no name, or no storage.
    """
    if path := os.environ.get("RNN_COURSE_PROGRESS"):
        return Path(path)
    if in_browser():
        if not BROWSER_FILES.exists():
            raise OSError(errno.ENOENT, "it stores nothing for this site", "this browser")
        return BROWSER_FILES / NAME
    try:
        return Path.home() / NAME
    except RuntimeError:
        raise OSError(errno.ENOENT, "there is no home folder", f"~/{NAME}") from None


def record(lesson: str, name: str, report: Report) -> str:
    """Append the result if it is the best so far. Return "", or one sentence why it could not be saved."""
    if report.unsolved:
        return ""
    state = report.score
    try:
        path = progress_file()
        if _share(read_states(path).get((lesson, name))) >= _share(state):
            return ""
        path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now().strftime("%Y-%m-%d %H:%M")
        _append(path, f"{now} {lesson} {name} {state[0]} of {state[1]}\n")
    except OSError as error:
        return (
            f"Your answer counts, but progress() cannot keep it in {_path_of(error)}: {error.strerror or error}. "
            f"{WAY_OUT_IN_BROWSER if in_browser() else WAY_OUT}"
        )
    return ""


def _path_of(error: OSError) -> str:
    """Return the file that an error is about."""
    try:
        return str(progress_file())
    except OSError:
        return str(error.filename)


def _share(state: tuple[int, int] | None) -> float:
    """Return the fraction of checks that pass, or -1 when there is no result yet."""
    return state[0] / max(state[1], 1) if state else -1.0


def _append(path: Path, line: str) -> None:
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line  # a crash may have cut the last line short
        file.write(line.encode())  # one small append is atomic, even if another notebook writes


def read_states(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Return {(lesson, exercise): (checks right, checks)}, the latest result of each; unreadable lines are skipped."""
    if not path.exists():
        return {}
    states = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if match:
            states[match["lesson"], match["name"]] = (int(match["right"]), int(match["all"]))
    return states


@dataclass
class ProgressMap:
    """A table of lessons with the state of each exercise: solved, begun or to come."""

    lessons: dict[str, dict[str, str]]  # lesson -> exercise -> "solved", "begun" or "to come"
    note: str = ""

    def __repr__(self) -> str:
        lines = []
        for lesson, row in self.lessons.items():
            lines.append(f"{lesson:<22} " + "  ".join(f"{MARKS[state]} {name}" for name, state in row.items()))
        return "\n".join([*lines, self._summary()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr>{LEFT}{self._description(lesson)}</td>{LEFT}{self._marks_of(row)}</td></tr>"
            for lesson, row in self.lessons.items()
        )
        start = f" <a href='{START_PAGE}'>All lessons</a>" if Path(START_PAGE).exists() else ""
        summary = f"<div>{html.escape(self._summary())}{start}</div>"
        return f"<table aria-label='The course, and your progress'>{rows}</table>{summary}"

    def _description(self, lesson: str) -> str:
        """Return a lesson's title, linked if the notebook is next to this one, its duration and its content."""
        if lesson not in LESSONS:
            return f"<b>{html.escape(lesson)}</b>"
        info = LESSONS[lesson]
        name = html.escape(f"{lesson[:2]} {info.title}")
        path = f"../{lesson}/{lesson}.ipynb"
        title = f"<a href='{path}'>{name}</a>" if Path(path).exists() else name
        return f"<b>{title}</b>, {info.minutes} minutes<br><small>{html.escape(info.builds.replace('`', ''))}</small>"

    def _marks_of(self, row: dict[str, str]) -> str:
        return "&emsp; ".join(map(self._mark, row.items()))

    def _mark(self, item: tuple[str, str]) -> str:
        name, state = item
        style = "white-space:nowrap"  # the mark stays with its name
        return f"<span title='{state}' style='{style}'>{MARKS[state]} <code>{html.escape(name)}</code></span>"

    def _summary(self) -> str:
        states_ = [state for row in self.lessons.values() for state in row.values()]
        text = f"{states_.count('solved')} of {len(states_)} exercises solved. ● solved  ◐ begun  ○ to come"
        return text + (f"  ({self.note})" if self.note else "")


def progress() -> None:
    """Show which exercises are solved, begun or still to come."""
    cards.show(current_progress())


def current_progress() -> ProgressMap:
    """Return the state of every exercise of the course, as the progress file has it."""
    states: dict[tuple[str, str], tuple[int, int]] = {}
    note = ""
    try:
        states = read_states(progress_file())
    except OSError as error:
        note = f"{_path_of(error)} cannot be read: {error.strerror or error}"
    lessons = {
        lesson: {name: _word(states.get((lesson, name))) for name in exercises}
        for lesson, exercises in fixtures.lessons().items()
    }
    return ProgressMap(lessons, note)


def _word(state: tuple[int, int] | None) -> str:
    if state is None:
        return "to come"
    return "solved" if state[0] == state[1] else "begun"
