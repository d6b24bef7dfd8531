"""What doctor says of the permissions on a machine that students use, too."""

from __future__ import annotations

import grp
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config

from nbjudge.cli.shared_machine import check_exchange, check_privacy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="has no permission bits")


@pytest.fixture
def machine() -> Iterator[Path]:
    """A folder that every account can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def settings(course: Path, exchange: Path | None = None) -> Config:
    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.source_directory = "solutions"
    config.SandboxProvisioner.hidden = ["hidden_tests"]
    if exchange:
        config.Exchange.root = str(exchange)
    return config


def make_folder(path: Path, mode: int) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


# --- the course


@pytest.fixture
def course(machine: Path) -> Path:
    """An open course with readable answers."""
    course = make_folder(machine / "course", 0o755)
    for name in ("solutions", "hidden_tests"):
        make_folder(course / name, 0o755)
    return course


def test_readable_answers_are_warned_of_and_fail_once_there_is_a_gradebook(course: Path) -> None:
    finding = check_privacy(settings(course))
    assert (finding.mark, "can read solutions, hidden_tests in" in finding.sentence) == ("warn", True)
    gradebook = course / "gradebook.db"
    sqlite3.connect(gradebook).close()
    gradebook.chmod(0o600)
    assert check_privacy(settings(course)).mark == "fail"
    course.chmod(0o700)
    assert check_privacy(settings(course)).mark == "ok"


def test_records_that_others_can_read_fail_without_a_gradebook(course: Path) -> None:
    for name in ("solutions", "hidden_tests"):
        (course / name).chmod(0o700)
    assert check_privacy(settings(course)).mark == "ok"
    make_folder(course / "submitted", 0o755)
    finding = check_privacy(settings(course))
    assert (finding.mark, "can read submitted in" in finding.sentence) == ("fail", True)


# --- the exchange


@pytest.mark.parametrize(
    ("mode", "mark", "sentence"),
    [
        (0o1777, "ok", "All users of this machine can write to {exchange}."),
        (
            0o777,
            "warn",
            "Students can remove or rename what others put into {exchange} (its mode is 777, expected 1777).",
        ),
        (0o755, "fail", "Students cannot write to {exchange} (its mode is 755, expected 1777)."),
        (0o700, "fail", "Students cannot write to {exchange} (its mode is 700, expected 1777)."),
        (0o2770, "warn", "Only members of the group `{group}` can use {exchange}."),
    ],
)
def test_an_exchange_that_students_cannot_use_or_spoil_is_told(
    machine: Path, mode: int, mark: str, sentence: str
) -> None:
    exchange = make_folder(machine / "exchange", mode)
    finding = check_exchange(settings(machine / "course", exchange))
    group = grp.getgrgid(exchange.stat().st_gid).gr_name
    assert (finding.mark, finding.sentence) == (mark, sentence.format(exchange=exchange, group=group))


def test_an_exchange_in_a_closed_folder_is_told(machine: Path) -> None:
    closed = make_folder(machine / "closed", 0o700)
    exchange = make_folder(closed / "exchange", 0o1777)
    finding = check_exchange(settings(machine / "course", exchange))
    assert finding.mark == "fail"
    assert finding.sentence == f"Students cannot reach {exchange}, because {closed} is closed to them."


def test_a_missing_exchange_is_told_with_the_command_that_creates_it(machine: Path) -> None:
    finding = check_exchange(settings(machine / "course", machine / "exchange"))
    assert (finding.mark, f"There is no folder {machine / 'exchange'}" in finding.sentence) == ("fail", True)
    assert finding.way_out.endswith(f"install -d -m 1777 {machine / 'exchange'}")


def test_an_exchange_in_the_course_is_the_instructors_own(machine: Path) -> None:
    finding = check_exchange(settings(machine, machine / "exchange"))
    assert (finding.mark, "students with accounts on this machine cannot use it" in finding.sentence) == ("ok", True)
    assert check_exchange(settings(machine)).mark == "warn"  # none is named
