"""The folders in which a submission is graded, and autograded/, which holds what was graded before."""

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
    """The private folders in which submissions are graded: for each, one for its clean copy and one for the graded one.

    top: an empty folder on the disk of the course
    course: where what was graded is published
    """

    top: Path
    course: CourseDirectory

    def submitted(self, student: str, assignment: str) -> Path:
        """Return the folder of the clean copy."""
        return self.top / "submitted" / student / assignment

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the folder of what is being graded."""
        return self.top / "autograded" / student / assignment

    def published(self, student: str, assignment: str) -> Path:
        """Return the folder in the course of what was graded."""
        return Path(self.course.format_path(self.course.autograded_directory, student, assignment))

    def restore(self, student: str, assignment: str) -> None:
        """Put back what was published when a grader was stopped while it put something else there."""
        _restore(self.published(student, assignment))

    def is_due(self, student: str, assignment: str, names: list[str], submitted_at: str | None) -> bool:
        """Return whether there is something to do: nothing graded yet, something newer, or a failure the last time."""
        target = self.published(student, assignment)
        graded = [target / f"{name}.ipynb" for name in names]
        if not all(file.exists() for file in graded):
            return True
        if any(_must_be_graded_again(read_graded(file)) for file in graded):
            return True
        try:
            earlier = self.course.get_existing_timestamp(str(target))
        except Exception:
            return submitted_at is not None  # nbgrader ends with AttributeError at a time it cannot read
        return submitted_at is not None and (earlier is None or parse_utc(submitted_at) > earlier)

    def begin(self, student: str, assignment: str, kept: set[str]) -> tuple[Path, Path]:
        """Return the folders for a submission's clean copy and its graded notebooks.

        kept: the notebooks that are not to be graded this time, which stay as they were published
        """
        self.remove(student, assignment)
        folder, target = self.autograded(student, assignment), self.published(student, assignment)
        folder.mkdir(parents=True)
        for name in sorted(kept):
            if (target / f"{name}.ipynb").is_file():
                shutil.copy(target / f"{name}.ipynb", folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        return self.submitted(student, assignment), folder

    def publish(self, student: str, assignment: str) -> None:
        """Replace what was published, which is there at every moment, as it was or as it is now."""
        new, target = self.autograded(student, assignment), self.published(student, assignment)
        old = _earlier(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            os.rename(target, old)
        try:
            _move(new, target)
        except BaseException:
            _restore(target)
            raise
        shutil.rmtree(old, ignore_errors=True)

    def remove(self, student: str, assignment: str) -> None:
        """Remove the private folders of a submission."""
        for folder in (self.submitted(student, assignment), self.autograded(student, assignment)):
            shutil.rmtree(folder, ignore_errors=True)


def _restore(target: Path) -> None:
    if not target.exists() and _earlier(target).exists():
        os.rename(_earlier(target), target)


def _earlier(target: Path) -> Path:
    return target.with_name(f".{target.name}.earlier")


def _move(source: Path, target: Path) -> None:
    """Rename a folder; where that is not possible, because of another disk, copy it first to beside the target."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(source, beside, symlinks=True)
        os.rename(beside, target)
        shutil.rmtree(source)


def refused_notebook(cells: list[ExpectedCell], refusal: Refusal, again: bool = False) -> NotebookNode:
    """Return the lesson without answers, for a notebook that is not run; its first cell says why.

    again: whether it is to be graded at the next run, as after an error that is not the student's
    """
    notebook = blank_notebook(cells)
    notebook.cells.insert(0, new_markdown_cell(f"**Not graded.** {refusal.student}"))
    notebook.metadata["grading"] = {
        "repairs": [],
        "refused": {"student": refusal.student, "instructor": refusal.instructor, "again": again},
    }
    return notebook


def read_graded(file: Path) -> NotebookNode | None:
    """Return a notebook of autograded/, None when there is none that can be read."""
    try:
        notebook = nbformat.read(file, as_version=4)
        plain = all(isinstance(cell.metadata.get("nbgrader", {}), dict) for cell in notebook.cells)
        return notebook if plain else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None


def _must_be_graded_again(notebook: NotebookNode | None) -> bool:
    """Return whether a notebook of autograded/ is one that an error kept from being graded, or cannot be read."""
    if notebook is None:
        return True
    about = notebook.metadata.get("grading")
    refused = about.get("refused") if isinstance(about, dict) else None
    return isinstance(refused, dict) and refused.get("again") is True
