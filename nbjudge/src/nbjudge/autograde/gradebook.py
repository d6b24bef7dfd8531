"""Check the gradebook before anything is graded, and write the scores of a submission in one transaction.

nbgrader creates a missing gradebook, adds its tables to unrelated databases, and waits five seconds for a lock before
it stops with advice to upgrade the database. It writes cell by cell while it processes a notebook, so a missing cell
keeps the score of an earlier submission. Here every cell of the gradebook gets a score.
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

_PREFIX = "sqlite:///"
_MAGIC = b"SQLite format 3\0"
UNCHANGED = "The file was not modified. Restore a backup"
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_RETRY_INTERVAL_S = 0.2


def gradebook_file(url: str) -> Path:
    """Return the gradebook's file. Raises CannotGrade when there is none or it is another kind of database."""
    if not url.startswith(_PREFIX):
        raise CannotGrade(f"The gradebook is {url}; expected {_PREFIX}FILE, which the canaries copy.")
    file = Path(make_url(url).database or "")
    if not file.exists():
        raise CannotGrade(
            f"There is no gradebook at {file}. Run `nbgrader generate_assignment` for each assignment first."
        )
    if not file.is_file():
        raise CannotGrade(f"The gradebook {file} is not a file; expected an SQLite database. Move it out of the way.")
    return file


def with_busy_timeout(url: str, seconds: float) -> str:
    """Return the gradebook's URL with an SQLite busy timeout."""
    return url if "?" in url or not url.startswith(_PREFIX) else f"{url}?timeout={seconds:g}"


def require_gradebook(url: str, patience_s: float, log: Log) -> None:
    """Raise CannotGrade when the gradebook is missing, damaged, in use for longer than patience_s, or read-only."""
    file = gradebook_file(url)
    try:
        with file.open("rb") as stream:
            beginning = stream.read(len(_MAGIC))
    except OSError as error:
        advice = "Check that you have read and write permission."
        raise CannotGrade(f"The gradebook {file} cannot be read ({error.strerror}). {advice}") from error
    if beginning != _MAGIC:
        description = "is empty" if not beginning else "does not begin like an SQLite database"
        raise CannotGrade(
            f"The gradebook {file} {description}, so it is damaged or something else. {_restore_advice(file)}"
        )
    await_gradebook(url, patience_s, log)
    try:
        with closing(_connect(file)) as database:
            problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            missing = _missing_schema(database)
    except sqlite3.DatabaseError as error:
        problem, missing = str(error), []
    if problem != "ok":
        raise CannotGrade(
            f"The gradebook {file} is damaged: {problem.strip().splitlines()[-1]}. {_restore_advice(file)}"
        )
    if missing:
        raise CannotGrade(
            f"The gradebook {file} lacks {', '.join(missing[:3])}. {UNCHANGED} or, if an older nbgrader created "
            "it, make a copy and run `nbgrader db upgrade`."
        )


def await_gradebook(url: str, patience_s: float, log: Log) -> None:
    """Wait until the gradebook can be written, with a warning if it is in use.

    Raises CannotGrade after patience_s, or immediately when waiting cannot help.
    """
    file = gradebook_file(url)
    deadline, has_warned = time.monotonic() + patience_s, False
    while True:
        try:
            with closing(_connect(file)) as database:
                database.execute("BEGIN IMMEDIATE")
                version = database.execute("PRAGMA user_version").fetchone()[0]
                database.execute(f"PRAGMA user_version = {int(version)}")  # only a write shows whether it may
                database.execute("ROLLBACK")
            return
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _IN_USE:
                raise CannotGrade(_write_problem(file, error)) from error
        if time.monotonic() > deadline:
            raise CannotGrade(
                f"The gradebook {file} has been in use by another program for {patience_s:g} s. "
                "Close the program that has it open (formgrader, another nbgrader command, a database browser), then "
                "run the command again."
            )
        if not has_warned:
            log.warning("The gradebook %s is in use by another program; waiting up to %g s.", file, patience_s)
            has_warned = True
        time.sleep(_RETRY_INTERVAL_S)


def write_scores(
    url: str, assignment: str, student: str, scores: Iterable[NotebookScore], settings: Any = None
) -> None:
    """Write the scores of a submission's notebooks in one transaction, and then the late penalties.

    settings: the parent whose settings AssignLatePenalties inherits
    Scores and comments given by an instructor are kept; a score is flagged for review when its answer changed.
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
    has_changed = points != grade.auto_score or score.has_changed(grade.name)
    grade.auto_score = points
    if score.needs_review:
        grade.needs_manual_grade = True
    elif grade.manual_score is None:
        grade.needs_manual_grade = points is None
    elif has_changed:
        grade.needs_manual_grade = True


def _write_problem(file: Path, error: sqlite3.DatabaseError) -> str:
    code = error.sqlite_errorcode & 0xFF
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"The gradebook {file} cannot be written ({error}). Check that you may write the file and its folder."
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"The gradebook {file} cannot be written ({error}). Make room on its disk."
    return f"The gradebook {file} is damaged: {error}. {_restore_advice(file)}"


def _restore_advice(file: Path) -> str:
    return f"{UNCHANGED}, or move {file.name} away and run `nbgrader generate_assignment` for each assignment."


def _connect(file: Path) -> sqlite3.Connection:
    # Mode rw does not create a missing file, and rolls back an interrupted transaction.
    return sqlite3.connect(
        f"file:{quote(str(file))}?mode=rw", uri=True, timeout=_RETRY_INTERVAL_S, isolation_level=None
    )


def _missing_schema(database: sqlite3.Connection) -> list[str]:
    """Return the missing parts of nbgrader's schema, such as "the table x" or "the column x.y"."""
    missing = []
    for name, table in Base.metadata.tables.items():
        columns = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
        if not columns:
            missing.append(f"the table {name}")
        else:
            missing += [f"the column {name}.{column.name}" for column in table.columns if column.name not in columns]
    return missing
