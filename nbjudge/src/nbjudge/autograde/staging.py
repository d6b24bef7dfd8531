"""Private folders in which submissions are graded, and their publication in autograded/."""

from __future__ import annotations

import copy
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.file_survey import TIMESTAMP
from nbjudge.intake.intake import Preflight
from nbjudge.intake.messages import Note, Refusal, sentences
from nbjudge.intake.notebook_reader import METADATA
from nbjudge.intake.safe_open import read_inside

_LOST = "What changed or could not be read while it was copied is left out: {}."


@dataclass(frozen=True)
class Staging:
    """Private folders of each submission: one for its clean copy and one for its graded notebooks.

    top: an empty folder on the disk of the course
    course: the course in which graded notebooks are published
    """

    top: Path
    course: CourseDirectory

    def folders(self, student: str, assignment: str) -> SubmissionFolders:
        """Return the folders of a submission, whether they exist or not."""
        return SubmissionFolders(
            submitted=self.top / "submitted" / student / assignment,
            autograded=self.top / "autograded" / student / assignment,
            published=Path(self.course.format_path(self.course.autograded_directory, student, assignment)),
        )


@dataclass(frozen=True)
class SubmissionFolders:
    """The folders of one submission.

    submitted: of its clean copy; autograded: of its notebooks while they are graded; both private
    published: the course's folder for the graded submission
    """

    submitted: Path
    autograded: Path
    published: Path

    def restore(self) -> None:
        """Restore the published submission if a grader was stopped while replacing it."""
        _restore(self.published)

    def is_due(self, names: list[str], submitted_at: str | None, course: CourseDirectory) -> bool:
        """Return whether a submission must be graded: it is new, newer than the graded one, or failed the last time."""
        graded = [self.published / f"{name}.ipynb" for name in names]
        if not all(file.exists() for file in graded):
            return True
        if any(_must_regrade(read_graded(file)) for file in graded):
            return True
        try:
            previous = course.get_existing_timestamp(str(self.published))
        except Exception:
            return submitted_at is not None  # nbgrader raises AttributeError for an unreadable time
        return submitted_at is not None and (previous is None or parse_utc(submitted_at) > previous)

    def begin(self, unchanged: set[str]) -> None:
        """Make the folder for the graded notebooks.

        unchanged: names of the notebooks that are not graded this time and stay as published
        """
        self.remove()
        self.autograded.mkdir(parents=True)
        for name in sorted(unchanged):
            if (self.published / f"{name}.ipynb").is_file():
                shutil.copy(self.published / f"{name}.ipynb", self.autograded)
        self.published.parent.mkdir(parents=True, exist_ok=True)

    def publish(self) -> None:
        """Replace the published submission; the old or the new version exists at any time."""
        target, backup = self.published, _backup(self.published)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(backup, ignore_errors=True)
        if target.exists():
            os.rename(target, backup)
        try:
            _move(self.autograded, target)
        except BaseException:
            _restore(target)
            raise
        shutil.rmtree(backup, ignore_errors=True)

    def remove(self) -> None:
        """Remove the private folders of a submission."""
        for folder in (self.submitted, self.autograded):
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


def clean_copy(folder: Path, preflight: Preflight, target: Path) -> list[str]:
    """Write the gradable parts to the new folder `target`; return a sentence about files that could not be copied.

    Raises OSError when `target` cannot be written.
    """
    lost = []
    target.mkdir(parents=True, exist_ok=True)
    for path, size in preflight.files.items():
        try:
            content = read_inside(folder, path, size)
        except OSError:
            lost.append(Note(_LOST, path))
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    if preflight.timestamp is not None:
        (target / TIMESTAMP).write_text(preflight.timestamp, encoding="utf-8")
    for name, notebook in preflight.notebooks.items():
        (target / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return sentences(lost)


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


def blank_notebook(expected: list[ExpectedCell]) -> NotebookNode:
    """Return the assignment's labelled cells without answers, in place of a refused notebook."""
    cells = [cell_spec.cell(cell_spec.source if cell_spec.locked else cell_spec.released) for cell_spec in expected]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    notebook: NotebookNode = new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))
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
