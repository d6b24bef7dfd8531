"""Private folders in which submissions are graded, and their publication in autograded/."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.intake import blank_notebook
from nbjudge.intake.messages import Refusal


@dataclass(frozen=True)
class Staging:
    """Private folders of each submission: one for its clean copy and one for its graded notebooks.

    top: an empty folder on the disk of the course
    course: the course in which graded notebooks are published
    """

    top: Path
    course: CourseDirectory

    def submitted(self, student: str, assignment: str) -> Path:
        """Return the folder of the clean copy."""
        return self.top / "submitted" / student / assignment

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the folder of the notebooks that are being graded."""
        return self.top / "autograded" / student / assignment

    def published(self, student: str, assignment: str) -> Path:
        """Return the course's folder for the graded submission."""
        return Path(self.course.format_path(self.course.autograded_directory, student, assignment))

    def restore(self, student: str, assignment: str) -> None:
        """Restore the published submission if a grader was stopped while replacing it."""
        _restore(self.published(student, assignment))

    def is_due(self, student: str, assignment: str, names: list[str], submitted_at: str | None) -> bool:
        """Return whether a submission must be graded: it is new, newer than the graded one, or failed the last time."""
        target = self.published(student, assignment)
        graded = [target / f"{name}.ipynb" for name in names]
        if not all(file.exists() for file in graded):
            return True
        if any(_must_regrade(read_graded(file)) for file in graded):
            return True
        try:
            previous = self.course.get_existing_timestamp(str(target))
        except Exception:
            return submitted_at is not None  # nbgrader raises AttributeError for an unreadable time
        return submitted_at is not None and (previous is None or parse_utc(submitted_at) > previous)

    def begin(self, student: str, assignment: str, unchanged: set[str]) -> tuple[Path, Path]:
        """Return the folders for a submission's clean copy and its graded notebooks.

        unchanged: names of the notebooks that are not graded this time and stay as published
        """
        self.remove(student, assignment)
        folder, target = self.autograded(student, assignment), self.published(student, assignment)
        folder.mkdir(parents=True)
        for name in sorted(unchanged):
            if (target / f"{name}.ipynb").is_file():
                shutil.copy(target / f"{name}.ipynb", folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        return self.submitted(student, assignment), folder

    def publish(self, student: str, assignment: str) -> None:
        """Replace the published submission; the old or the new version exists at any time."""
        graded, target = self.autograded(student, assignment), self.published(student, assignment)
        backup = _backup(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(backup, ignore_errors=True)
        if target.exists():
            os.rename(target, backup)
        try:
            _move(graded, target)
        except BaseException:
            _restore(target)
            raise
        shutil.rmtree(backup, ignore_errors=True)

    def remove(self, student: str, assignment: str) -> None:
        """Remove the private folders of a submission."""
        for folder in (self.submitted(student, assignment), self.autograded(student, assignment)):
            shutil.rmtree(folder, ignore_errors=True)


def _restore(target: Path) -> None:
    if not target.exists() and _backup(target).exists():
        os.rename(_backup(target), target)


def _backup(target: Path) -> Path:
    return target.with_name(f".{target.name}.earlier")


def _move(source: Path, target: Path) -> None:
    """Rename a folder; if it is on another disk, first copy it next to the target."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied = target.with_name(f".{target.name}.new")
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(source, copied, symlinks=True)
        os.rename(copied, target)
        shutil.rmtree(source)


def refused_notebook(cells: list[ExpectedCell], refusal: Refusal, is_retryable: bool = False) -> NotebookNode:
    """Return the assignment without answers in place of a refused notebook; its first cell states the reason.

    is_retryable: whether to grade it again in the next run, as after an error that is not the student's
    """
    notebook = blank_notebook(cells)
    notebook.cells.insert(0, new_markdown_cell(f"**Not graded.** {refusal.student}"))
    notebook.metadata["grading"] = {
        "repairs": [],
        "refused": {"student": refusal.student, "instructor": refusal.instructor, "again": is_retryable},
    }
    return notebook


def read_graded(file: Path) -> NotebookNode | None:
    """Return a notebook of autograded/, None when it is missing or unreadable."""
    try:
        notebook = nbformat.read(file, as_version=4)
        is_valid = all(isinstance(cell.metadata.get("nbgrader", {}), dict) for cell in notebook.cells)
        return notebook if is_valid else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None


def _must_regrade(notebook: NotebookNode | None) -> bool:
    """Return whether a notebook of autograded/ is unreadable, or could not be graded because of an error."""
    if notebook is None:
        return True
    record = notebook.metadata.get("grading")
    refusal = record.get("refused") if isinstance(record, dict) else None
    return isinstance(refusal, dict) and refusal.get("again") is True
