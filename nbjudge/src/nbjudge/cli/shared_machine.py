"""Checks for a machine that students use, too: they cannot read the course, and they can use the exchange."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from sqlalchemy.engine import make_url
from traitlets.config import Config

from nbjudge.cli.finding import Finding, Mark
from nbjudge.text import join_names

_ENTER, _ENTER_READ_WRITE = stat.S_IXOTH, stat.S_IRWXO


def check_privacy(settings: Config) -> Finding:
    """Check that other users of this machine cannot read the gradebook, submissions, feedback and solutions.

    Solutions alone are no failure before there is a gradebook: a clone is readable on a machine with the usual umask.
    """
    if os.name != "posix":
        return Finding("privacy", "ok", "Windows gives a new folder the permissions of the folder it is in.")
    course = CourseDirectory(config=settings)
    gradebook = Path(make_url(course.db_url).database or "")
    folders = (course.submitted_directory, course.autograded_directory, course.feedback_directory)
    records = _exposed([gradebook, *(Path(course.root) / folder for folder in folders)], course.groupshared)
    names = (course.source_directory, *settings.SandboxProvisioner.get("hidden", ()))
    answers = _exposed([Path(course.root) / name for name in names], course.groupshared)
    if not records and not answers:
        return Finding("privacy", "ok", "No other user can read the gradebook, submissions, feedback and solutions.")
    exposed = ", ".join(path.name for path in [*records, *answers])
    which = "o-rwx" if course.groupshared else "go-rwx"
    way_out = f"Close the course's folder to them: chmod {which} {course.root}"
    mark: Mark = "fail" if records or gradebook.exists() else "warn"
    return Finding("privacy", mark, f"Other users of this machine can read {exposed} in {course.root}.", way_out)


def _exposed(paths: list[Path], groupshared: bool) -> list[Path]:
    return [path for path in paths if _is_readable_by_others(path, groupshared)]


def _is_readable_by_others(path: Path, groupshared: bool) -> bool:
    """Return whether a file or folder exists that another user may read: its group, if not shared, or anyone."""
    whose = (stat.S_IROTH, stat.S_IXOTH), *([] if groupshared else [(stat.S_IRGRP, stat.S_IXGRP)])
    if not path.exists():
        return False
    mode = path.resolve().stat().st_mode
    parents = [parent.stat().st_mode for parent in path.resolve().parents]
    return any(mode & read and all(parent & enter for parent in parents) for read, enter in whose)


def check_exchange(settings: Config) -> Finding:
    """Check that students with accounts on this machine can use the exchange, unless it is in the course's folder."""
    if os.name != "posix":
        return Finding("exchange", "ok", "nbgrader has no exchange on Windows; put submissions into submitted/.")
    if "root" not in settings.Exchange:
        way_out = (
            "No action needed if no one uses an exchange; else set c.Exchange.root to a folder that all can write."
        )
        return Finding("exchange", "warn", "nbgrader_config.py names no exchange.", way_out)
    course, exchange = Path(CourseDirectory(config=settings).root).resolve(), Path(settings.Exchange.root).resolve()
    if course in exchange.parents:
        sentence = f"{exchange} is in the course's folder, so students with accounts on this machine cannot use it."
        return Finding("exchange", "ok", f"{sentence} If you have such students, set c.Exchange.root.")
    if not exchange.is_dir():
        way_out = f"Create it so that all can write: install -d -m 1777 {exchange}"
        return Finding("exchange", "fail", f"There is no folder {exchange} to exchange files with students.", way_out)
    return _check_exchange_folder(exchange)


def _check_exchange_folder(exchange: Path) -> Finding:
    needed = dict.fromkeys(reversed(exchange.parents), _ENTER) | {exchange: _ENTER_READ_WRITE}
    closed = [path for path, bits in needed.items() if not _has_bits(path, bits)]
    if not closed:
        return _check_sticky_bit(exchange)
    if all(_has_bits(path, needed[path] << 3) for path in closed):  # the bits of the group
        groups = join_names(sorted({path.group() for path in closed}))
        way_out = "No action needed if all students are members and c.CourseDirectory.groupshared is set."
        return Finding("exchange", "warn", f"Only members of the group {groups} can use {exchange}.", way_out)
    if closed != [exchange]:
        sentence = f"Students cannot reach {exchange}, because {closed[0]} is closed to them."
        return Finding("exchange", "fail", sentence, "Move the exchange to a folder that all can enter.")
    sentence = f"Students cannot write to {exchange} (its mode is {_mode(exchange):o}, expected 1777)."
    return Finding("exchange", "fail", sentence, f"Let them: chmod 1777 {exchange}")


def _check_sticky_bit(exchange: Path) -> Finding:
    if _mode(exchange) & stat.S_ISVTX:
        return Finding("exchange", "ok", f"All users of this machine can write to {exchange}.")
    sentence = f"Students can remove or rename what others put into {exchange}"
    reason = f"its mode is {_mode(exchange):o}, expected 1777"
    return Finding("exchange", "warn", f"{sentence} ({reason}).", f"Prevent that: chmod 1777 {exchange}")


def _has_bits(path: Path, bits: int) -> bool:
    return _mode(path) & bits == bits


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
