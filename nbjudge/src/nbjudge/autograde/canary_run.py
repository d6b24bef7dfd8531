"""Grade the solution, the blank notebook and two cheats like a class, in a temporary folder.

The gradebook is a copy of the class's, so the same cells are expected, and no student's marks can be affected.
"""

from __future__ import annotations

import copy
import io
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert.filters import strip_ansi
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from nbjudge.autograde.cheat import CHEATS, inject_cheat
from nbjudge.autograde.gradebook import gradebook_file
from nbjudge.errors import CannotGrade
from nbjudge.execution.name_analysis import OUTSIDE
from nbjudge.execution.preprocessor import Run
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.sandbox.scratch import scratch
from nbjudge.settings import load_settings

SOLUTION, BLANK = "canary-solution", "canary-blank"
Grade = Callable[[CourseDirectory, Config, logging.Logger], None]
_SHOWN_LINES = 8  # of a cell's output: enough for an error and its cause


@dataclass(frozen=True)
class Score:
    """The points of one canary in one test cell; `earned` is None when the cell was not graded.

    judging: how the cell is judged, as in nbjudge.execution.name_analysis.Source
    """

    canary: str
    cell: str
    earned: float | None
    points: float
    printed: str
    judging: str = OUTSIDE

    @property
    def expected(self) -> float:
        """Return the score that the canary must have."""
        return self.points if self.canary == SOLUTION else 0.0


def settings_without_hooks(course: Path) -> Config:
    """Return the settings of nbgrader_config.py without hooks: grading a canary must not start canaries."""
    settings = copy.deepcopy(load_settings(course))
    for converter in (settings.BaseConverter, settings.Autograde):
        for hook in ("pre_convert_hook", "post_convert_hook"):
            converter.pop(hook, None)
    return settings


def canary_names(settings: Config) -> tuple[str, ...]:
    """Return the canaries; cheats only where tests run outside the kernel, since they would always score inside."""
    steps = [
        import_item(step) if isinstance(step, str) else step for step in settings.Autograde.autograde_preprocessors
    ]
    return (SOLUTION, BLANK, *CHEATS) if any(issubclass(step, Run) for step in steps) else (SOLUTION, BLANK)


def run_canaries(settings: Config, assignment: str, grade: Grade) -> list[Score]:
    """Autograde the canaries of an assignment and return their scores.

    grade: the function that grades a course directory
    """
    course = CourseDirectory(config=settings)
    with tempfile.TemporaryDirectory(prefix="canaries-", dir=scratch()) as folder:
        for canary in canary_names(settings):
            step = course.source_directory if canary == SOLUTION else course.release_directory
            submitted = Path(folder, "submitted", canary, assignment)
            shutil.copytree(course.format_path(step, ".", assignment), submitted)
            if canary in CHEATS:
                inject_cheat(submitted, CHEATS[canary])
        gradebook = Path(folder, "gradebook.db")
        _copy_database(gradebook_file(course.db_url), gradebook)
        copied_course = CourseDirectory(
            config=settings,
            root=folder,
            db_url=f"sqlite:///{gradebook}",
            source_directory=str(Path(course.root, course.source_directory)),  # for the assignment's data files
            assignment_id=assignment,
        )
        _autograde(copied_course, settings, grade)
        return list(_scores(copied_course, canary_names(settings)))


def _copy_database(file: Path, duplicate: Path) -> None:
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(duplicate)) as target:
        original.backup(target)  # consistent even while formgrader writes


def _autograde(copied_course: CourseDirectory, settings: Config, grade: Grade) -> None:
    """Grade with a captured log. Raises CannotGrade with that log when grading fails."""
    log_text = io.StringIO()
    log = logging.Logger("canaries")
    log.addHandler(logging.StreamHandler(log_text))
    try:
        grade(copied_course, settings, log)
    except NbGraderException as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise CannotGrade(f"nbgrader could not grade the canaries:\n{log_text.getvalue()}") from error


def _scores(copied_course: CourseDirectory, names: tuple[str, ...]) -> Iterator[Score]:
    """Yield the score of every cell that is graded automatically."""
    assignment = copied_course.assignment_id
    with Gradebook(copied_course.db_url, copied_course.course_id) as gradebook:
        for canary in names:
            graded = Path(copied_course.format_path(copied_course.autograded_directory, canary, assignment))
            for notebook in gradebook.find_submission(assignment, canary).notebooks:
                content = nbformat.read(graded / f"{notebook.name}.ipynb", as_version=4)
                printed, judging = _printed(content), content.metadata.get("grading", {}).get("judging", {})
                by_hand = {cell.name for cell in (*notebook.notebook.solution_cells, *notebook.notebook.task_cells)}
                for grade in notebook.grades:
                    if grade.name not in by_hand:
                        text = printed.get(grade.name, "(the notebook has no such cell)")
                        how = judging.get(grade.name, OUTSIDE)
                        yield Score(canary, grade.name, grade.auto_score, grade.max_score, text, how)


def _printed(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return {grade_id: the last lines of the cell's output or error}."""
    return {CellLabel.of(cell).grade_id: _last_lines(cell.get("outputs", [])) for cell in notebook.cells}


def _last_lines(outputs: list[nbformat.NotebookNode]) -> str:
    texts = []
    for output in outputs:
        texts += output.get("traceback", [])
        texts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(strip_ansi("\n".join(texts)).strip().splitlines()[-_SHOWN_LINES:])
