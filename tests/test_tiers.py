"""The tiers of tests: `make test` leaves out nothing, by night all is longer, and `make test-fast` is most of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest
from expensive import PREFIX
from lesson_code import ROOT

pytestmark = [
    pytest.mark.slow,  # collecting takes about ten seconds, three times
    pytest.mark.skipif(not shutil.which("make"), reason="make is not on this machine; it is only a convenience"),
]


@dataclass(frozen=True)
class Tier:
    """The tests that a target of the Makefile runs: their ids, pytest's closing line, and which are expensive."""

    ids: frozenset[str]
    summary: str
    expensive: frozenset[str]


# Without what an outer `make test` hands down to its children.
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
ENVIRON["PYTHONPATH"] = str(ROOT / "tests")  # where the plugin is


def command_of(target: str) -> str:
    make = ["make", "--dry-run", "-o", ".venv/installed-dev", target, f"VENV={sys.executable}"]  # -o: installs nothing
    return subprocess.run(make, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=True).stdout.strip()


def collect(target: str) -> Tier:
    """Return what a target would run."""
    command = f"{command_of(target)} --collect-only -q -p expensive"
    collected = subprocess.run(command, shell=True, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=True)
    lines = collected.stdout.splitlines()
    expensive = frozenset(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))
    ids = frozenset(line for line in lines if "::" in line and not line.startswith(PREFIX))
    return Tier(ids, lines[-1], expensive)


@pytest.fixture(scope="module")
def full() -> Tier:
    return collect("test")


@pytest.fixture(scope="module")
def fast() -> Tier:
    return collect("test-fast")


def test_the_full_tier_has_every_file_and_deselects_nothing(full: Tier) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("nbjudge/tests/**/test_*.py")]
    }
    assert files - {test.split("::")[0] for test in full.ids} == set()
    assert "tests collected" in full.summary
    assert "deselected" not in full.summary


def test_by_night_the_same_tests_run_and_only_longer() -> None:
    assert command_of("test-night") == f"TEST_TIER=night {command_of('test')}"


def test_the_fast_tier_is_more_than_three_quarters_of_the_full_one(fast: Tier, full: Tier) -> None:
    assert fast.ids < full.ids
    assert len(fast.ids) / len(full.ids) > 0.75, f"{len(fast.ids)} of {len(full.ids)}"


def test_the_fast_tier_grades_one_submission_and_needs_no_class_no_browser_and_no_installation(
    fast: Tier, full: Tier
) -> None:
    assert full.expensive
    assert fast.expensive == set()
    assert [test for test in fast.ids if test.startswith("nbjudge/tests/test_end_to_end.py::")]
