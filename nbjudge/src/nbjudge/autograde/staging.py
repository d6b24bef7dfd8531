"""The folder in which a submission is graded: its clean copy goes in, the graded one comes out."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from nbjudge.autograde.discovery import Submission
from nbjudge.autograde.summary import Outcome
from nbjudge.execution.session import NOT_GRADED
from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.intake import blank_notebook
from nbjudge.intake.messages import Refusal
from nbjudge.nbgrader_cells import CellLabel


@dataclass(frozen=True)
class Staging:
    """The private folder of one submission while it is graded.

    top: an empty folder on the disk of the course
    """

    top: Path

    def submitted(self, student: str, assignment: str) -> Path:
        return self.top / "submitted" / student / assignment

    def autograded(self, student: str, assignment: str) -> Path:
        return self.top / "autograded" / student / assignment

    def remove(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    def take_over(self, target: Path, student: str, assignment: str, notebooks: set[str]) -> None:
        """Begin with what is in `target` of notebooks that are not to be graded this time."""
        folder = self.autograded(student, assignment)
        folder.mkdir(parents=True)
        for name in sorted(notebooks):
            if (target / f"{name}.ipynb").is_file():
                shutil.copy(target / f"{name}.ipynb", folder)

    def publish(self, student: str, assignment: str, target: Path) -> None:
        """Put what was graded in the place of `target`, which is there at every moment, as it was or as it is now."""
        new, old = self.autograded(student, assignment), _earlier(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            os.rename(target, old)
        try:
            _move(new, target)
        except BaseException:
            restore(target)
            raise
        shutil.rmtree(old, ignore_errors=True)


@dataclass
class Pending:
    """A submission that is being graded.

    names: of the notebooks to grade; refused: those that are not run; needs_look: an instructor has to
    sent, running: {name: what the workers were given, and what will come of it}; attempts: at running it
    """

    submission: Submission
    outcome: Outcome
    staging: Staging
    names: list[str]
    refused: set[str]
    needs_look: bool
    sent: dict[str, list[str]] = field(default_factory=dict)
    running: dict[str, Future[bytes]] = field(default_factory=dict)
    attempts: int = 1

    @property
    def folder(self) -> Path:
        """Return where its notebooks are, clean and then graded."""
        return self.staging.autograded(self.submission.student, self.submission.assignment)

    @property
    def has_run(self) -> bool:
        return all(job.done() for job in self.running.values())

    @property
    def was_lost(self) -> bool:
        """Return whether the worker ended before the submission did."""
        return any(isinstance(job.exception(), BrokenExecutor) for job in self.running.values())


def restore(target: Path) -> None:
    """Put back what was in `target` when a grader was stopped while it put something else there."""
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


def is_to_be_graded_again(notebook: NotebookNode | None) -> bool:
    """Return whether a notebook of autograded/ is one that an error kept from being graded, or cannot be read."""
    if notebook is None:
        return True
    about = notebook.metadata.get("grading")
    refused = about.get("refused") if isinstance(about, dict) else None
    return isinstance(refused, dict) and refused.get("again") is True


def write_notebook(notebook: NotebookNode, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


class NotRun(NbGraderPreprocessor):
    """Stands where the notebook would be run: each test says that it was not."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if cell.cell_type == "code" and CellLabel.of(cell).is_test:
            sentence = "This was not run, because the notebook could not be graded."
            cell.outputs = [new_output("error", ename=NOT_GRADED, evalue=sentence, traceback=[sentence])]
        return cell, resources
