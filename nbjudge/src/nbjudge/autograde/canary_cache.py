"""Remember the canaries that passed, so that a class whose tests have not changed is graded without delay.

The file is private to the instructor: no one else may write it, and submissions, in the sandbox, cannot reach it. It
holds only successes. A file that is missing, damaged, or readable by others is no error: the canaries run.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbjudge.execution.settings import ReferenceRun

FILE = "canaries.json"
_FORMAT = 1
_LARGEST = 16 << 20  # bytes


@dataclass(frozen=True)
class PassedCanaries:
    """Canaries that passed without a warning, and what the run of the solution has shown about the class.

    fingerprint: of everything that can change their scores; code: of the other packages that the tests imported
    totals: their scores, in words; remarks: sentences for the instructor; since: when they passed
    references: {notebook: how the solution ran}; modules: {purpose: modules that were imported by the end}
    """

    fingerprint: str
    code: str
    totals: str
    remarks: tuple[str, ...]
    since: str
    references: Mapping[str, ReferenceRun]
    modules: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PassedCanaries:
        """Restore an instance from the result of `dataclasses.asdict` after a round trip through JSON."""
        texts = {name: data[name] for name in ("fingerprint", "code", "totals", "since")}
        lists = [data["remarks"], *data["modules"].values()]
        if not all(isinstance(text, str) for text in (*texts.values(), *(text for texts in lists for text in texts))):
            raise TypeError("expected texts")
        return cls(
            **texts,
            remarks=tuple(data["remarks"]),
            references={name: ReferenceRun.from_data(run) for name, run in data["references"].items()},
            modules={purpose: tuple(names) for purpose, names in data["modules"].items()},
        )


def now() -> str:
    """Return the local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M")


class CanaryCache:
    """The file of passed canaries in a private folder of a course.

    folder: exists while a class is graded
    warn: takes a sentence
    """

    def __init__(self, folder: Path, warn: Callable[[str], object]) -> None:
        self.file, self.warn = folder / FILE, warn

    def find(self, assignment: str, fingerprint: str) -> PassedCanaries | None:
        """Return the canaries of an assignment that passed with this fingerprint; None if there are none."""
        try:
            passed = PassedCanaries.from_data(self._read()[assignment])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None
        return passed if passed.fingerprint == fingerprint else None

    def store(self, assignment: str, passed: PassedCanaries) -> None:
        """Replace the canaries of an assignment."""
        self._write({**self._read(), assignment: asdict(passed)})

    def forget(self, assignment: str) -> None:
        """Remove the canaries of an assignment."""
        entries = self._read()
        if entries.pop(assignment, None) is not None:
            self._write(entries)

    def _read(self) -> dict[str, Any]:
        """Return the entries of the file, none if it is not usable."""
        try:
            descriptor = os.open(self.file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            with open(descriptor, "rb") as stream:
                if not _is_private(os.fstat(descriptor)):
                    return {}
                data = json.loads(stream.read(_LARGEST))
            entries = data["assignments"] if data["format"] == _FORMAT else {}
            return entries if isinstance(entries, dict) else {}
        except (OSError, KeyError, TypeError, ValueError, RecursionError):
            return {}

    def _write(self, entries: Mapping[str, Any]) -> None:
        try:
            # mkstemp: mode 600 from the beginning; a rename replaces whatever is there, complete or not at all
            descriptor, draft = tempfile.mkstemp(dir=self.file.parent, prefix=FILE)
            try:
                with open(descriptor, "w", encoding="utf-8") as stream:
                    json.dump({"format": _FORMAT, "assignments": dict(entries)}, stream)
                os.replace(draft, self.file)
            except BaseException:
                os.unlink(draft)
                raise
        except OSError as error:
            with suppress(OSError):
                self.file.unlink(missing_ok=True)  # it may hold what should have been removed
            self.warn(f"{self.file} could not be written ({error.strerror}); the canaries will run again next time.")


def _is_private(status: os.stat_result) -> bool:
    """Return whether a file is regular, not too large, and of this user alone."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        return False
    return os.name != "posix" or (status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077)
