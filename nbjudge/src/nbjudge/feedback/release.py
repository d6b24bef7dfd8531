"""Release feedback to the students who can fetch it, and name those who cannot."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from nbgrader.exchange.default.release_feedback import ExchangeReleaseFeedback

from nbjudge.patches import LiteralGlob
from nbjudge.text import quote

# nbgrader copies these from a submission that came through the exchange, and makes the released page's name of them.
_NEEDED = ("timestamp.txt", "submission_secret.txt")


class ReleaseFeedback(ExchangeReleaseFeedback):  # type: ignore[misc]  # nbgrader is untyped
    """Replaces nbgrader's release_feedback, which stops at the first student who submitted without the exchange."""

    src_path: str  # the pattern of the folders to release

    def copy_files(self) -> None:
        every, excluded = self.src_path, self.coursedir.student_id_exclude.split(",")
        without_exchange: list[str] = []
        for folder in sorted(map(Path, LiteralGlob().glob(every))):
            if all((folder / name).is_file() for name in _NEEDED):
                self.src_path = glob.escape(str(folder))
                super().copy_files()
            elif any(folder.glob("*.html")) and self._student(folder) not in excluded:
                without_exchange.append(self._student(folder))
        self.src_path = every
        if without_exchange:
            self.log.warning(
                "The feedback of students who submitted without the exchange is not released, because they could not "
                "fetch it: %s. Hand it out yourself; it is in %s.",
                ", ".join(map(quote, without_exchange)),
                self.coursedir.format_path(self.coursedir.feedback_directory, "STUDENT", self.coursedir.assignment_id),
            )

    def _student(self, folder: Path) -> str:
        """Return the student to whom a folder of feedback belongs."""
        names = (self.coursedir.feedback_directory, "(.*)", self.coursedir.assignment_id)
        match = re.fullmatch(self.coursedir.format_path(*names, escape=True), str(folder))
        return match[1] if match else str(folder)
