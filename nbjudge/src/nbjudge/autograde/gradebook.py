"""Check the gradebook's file before anything is graded, and write scores into it: everything or nothing.

nbgrader makes a new gradebook where there is none, adds tables to a file that has others, and gives a lock five
seconds before it stops with advice to upgrade the database. It writes cell by cell as it goes through a notebook, so
that a cell which is not there keeps the score of an earlier submission. Here the gradebook says which cells there
are, and each gets a score.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbformat import NotebookNode
from nbgrader.api import Base, Grade, Gradebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.engine import make_url

from nbjudge.autograde.scoring import NotebookScore
from nbjudge.errors import CannotGrade

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

PREFIX = "sqlite:///"
FIRST_BYTES = b"SQLite format 3\0"
UNTOUCHED = "It was left as it is. Put a copy of before in its place"
IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TRY_EVERY_S = 0.2


def gradebook_file(url: str) -> Path:
    """Return the gradebook's file. Raises CannotGrade when there is none or it is another kind of database."""
    if not url.startswith(PREFIX):
        raise CannotGrade(f"The gradebook is {url}; expected {PREFIX}FILE, of which the canaries take a copy.")
    file = Path(make_url(url).database or "")
    if not file.exists():
        raise CannotGrade(f"There is no gradebook at {file}. Run `nbgrader generate_assignment` for each lesson first.")
    if not file.is_file():
        raise CannotGrade(f"The gradebook {file} is not a file; expected an SQLite database. Move it out of the way.")
    return file


def patient(url: str, seconds: float) -> str:
    """Return the gradebook's address, with which nbgrader waits longer for another program that is writing."""
    return url if "?" in url or not url.startswith(PREFIX) else f"{url}?timeout={seconds:g}"


def require_gradebook(url: str, patience_s: float, log: Log) -> None:
    """Raise CannotGrade when the gradebook is missing, damaged, in use for longer than patience_s, or read-only."""
    file = gradebook_file(url)
    try:
        with file.open("rb") as stream:
            begins = stream.read(len(FIRST_BYTES))
    except OSError as error:
        advice = "See to it that you may read and write it."
        raise CannotGrade(f"The gradebook {file} cannot be read ({error.strerror}). {advice}") from error
    if begins != FIRST_BYTES:
        what = "is empty" if not begins else "does not begin like an SQLite database"
        raise CannotGrade(f"The gradebook {file} {what}, so it is damaged or something else. {_way_out(file)}")
    await_gradebook(url, patience_s, log)
    try:
        with closing(_connect(file)) as database:
            told = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            missing = _missing(database)
    except sqlite3.DatabaseError as error:
        told, missing = str(error), []
    if told != "ok":
        raise CannotGrade(f"The gradebook {file} is damaged: {told.strip().splitlines()[-1]}. {_way_out(file)}")
    if missing:
        raise CannotGrade(
            f"The gradebook {file} lacks {', '.join(missing[:3])}. {UNTOUCHED}; or, when it was made by an older "
            "nbgrader, make a copy of it and run `nbgrader db upgrade`."
        )


def await_gradebook(url: str, patience_s: float, log: Log) -> None:
    """Return when the gradebook can be written; say so when that takes a while.

    Raises CannotGrade after patience_s, and at once when it can never be written.
    """
    file = gradebook_file(url)
    ends, said = time.monotonic() + patience_s, False
    while True:
        try:
            with closing(_connect(file)) as database:
                database.execute("BEGIN IMMEDIATE")
                version = database.execute("PRAGMA user_version").fetchone()[0]
                database.execute(f"PRAGMA user_version = {int(version)}")  # the first write shows whether one may
                database.execute("ROLLBACK")
            return
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in IN_USE:
                raise CannotGrade(_cannot_write(file, error)) from error
        if time.monotonic() > ends:
            raise CannotGrade(
                f"The gradebook {file} has been in use by another program for {patience_s:g} s. Close what has it open "
                "(formgrader, another nbgrader command, a database browser), then run the command again."
            )
        if not said:
            log.warning("The gradebook %s is in use by another program; waiting up to %g s.", file, patience_s)
            said = True
        time.sleep(TRY_EVERY_S)


def write_scores(
    url: str, assignment: str, student: str, scores: Iterable[NotebookScore], settings: Any = None
) -> None:
    """Write what the notebooks of a submission earned, in one transaction, and then the penalties for lateness.

    settings: whose settings AssignLatePenalties gets
    A score and a comment that an instructor gave are kept, and the score is put up for review when the answer changed.
    """
    scores = list(scores)
    with Gradebook(url) as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
            for score in scores:
                (notebook,) = [notebook for notebook in submission.notebooks if notebook.name == score.name]
                for grade in notebook.grades:
                    _update_grade(grade, score)
                for comment in notebook.comments:
                    comment.auto_comment = score.comment(comment.name)
            gradebook.db.commit()
        except BaseException:
            gradebook.db.rollback()
            raise
    for score in scores:
        ids = {"notebook": score.name, "assignment": assignment, "student": student, "db_url": url}
        AssignLatePenalties(parent=settings).preprocess(NotebookNode(cells=[]), {"nbgrader": ids})


def _update_grade(grade: Grade, score: NotebookScore) -> None:
    points = score.score(grade.name)
    differs = points != grade.auto_score or score.changed(grade.name)
    grade.auto_score = points
    if score.needs_look:
        grade.needs_manual_grade = True
    elif grade.manual_score is None:
        grade.needs_manual_grade = points is None
    elif differs:
        grade.needs_manual_grade = True


def _cannot_write(file: Path, error: sqlite3.DatabaseError) -> str:
    code = error.sqlite_errorcode & 0xFF
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return (
            f"The gradebook {file} cannot be written ({error}). See to it that you may write the file and its folder."
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"The gradebook {file} cannot be written ({error}). Make room on its disk."
    return f"The gradebook {file} is damaged: {error}. {_way_out(file)}"


def _way_out(file: Path) -> str:
    return f"{UNTOUCHED}, or move {file.name} away and run `nbgrader generate_assignment` for each lesson."


def _connect(file: Path) -> sqlite3.Connection:
    # Not to be made when it is not there; a change that was interrupted is rolled back.
    return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=TRY_EVERY_S, isolation_level=None)


def _missing(database: sqlite3.Connection) -> list[str]:
    """Return what nbgrader expects and the database lacks: "the table x" and "the column x.y"."""
    lacks = []
    for name, table in Base.metadata.tables.items():
        columns = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
        if not columns:
            lacks.append(f"the table {name}")
        else:
            lacks += [f"the column {name}.{column.name}" for column in table.columns if column.name not in columns]
    return lacks
