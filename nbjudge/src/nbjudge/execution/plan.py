"""Build the plan of a notebook for the judge from the gradebook and the instructor's notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from nbjudge.execution.demonstrations import TAG
from nbjudge.execution.name_analysis import ANSWER, BY_HAND, GIVEN, INSIDE, OUTSIDE, TEST, Plan, Source
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.settings import resolved

# Tags of a test cell in the instructor's notebook.
FROM_SCRATCH = "from-scratch"
JUDGING = {"judge-outside": OUTSIDE, "judge-inside": INSIDE, "judge-by-hand": BY_HAND}


def plan_for(course: CourseDirectory, settings: Config, assignment: str, notebook: str) -> Plan:
    """Return the plan of a notebook.

    The gradebook defines the test cells; the other cells come from the instructor's own notebook or, if that is not on
    this machine, from the released one. How a test is judged, its setting says, else its tag, else the assignment's.

    settings: the course's; nbgrader's commands make `course` before they have read them
    """
    cells = _gradebook_cells(course, assignment, notebook)
    sources: Iterable[Source] = cells.values()
    for step in (course.source_directory, course.release_directory):
        file = Path(course.format_path(step, ".", assignment), f"{notebook}.ipynb")
        if file.is_file():
            sources = _merge_cells(file, cells)
            break
    judging = resolved(settings.Run.get("judging", {}), {})
    return Plan.of(tuple(_with_judging(source, assignment, judging) for source in sources))


def _with_judging(source: Source, assignment: str, judging: Mapping[str, str]) -> Source:
    """Return a cell with the way in which it is judged, if it is a test and the instructor has chosen one."""
    if source.kind != TEST:
        return source
    general = judging.get(assignment, judging.get("*", ""))
    return replace(source, judging=judging.get(f"{assignment}/{source.name}", source.judging or general))


def _gradebook_cells(course: CourseDirectory, assignment: str, notebook: str) -> dict[str, Source]:
    with Gradebook(course.db_url, course.course_id) as gradebook:
        entry = gradebook.find_notebook(notebook, assignment)
        by_hand = {cell.name for cell in (*entry.solution_cells, *entry.task_cells)}
        tests = {cell.name for cell in entry.grade_cells} - by_hand
        code = [cell for cell in entry.source_cells if cell.cell_type == "code"]
        kinds = dict.fromkeys(by_hand, ANSWER) | dict.fromkeys(tests, TEST)
        return {cell.name: Source(cell.name, kinds.get(cell.name, GIVEN), cell.source) for cell in code}


def _merge_cells(file: Path, cells: dict[str, Source]) -> Iterator[Source]:
    """Yield the code cells of a notebook file; tests have the gradebook's text, answers the file's solution."""
    for cell in nbformat.read(file, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        name = CellLabel.of(cell).grade_id
        entry: Any = cells.get(name)
        tags = cell.metadata.get("tags", [])
        if entry is None:
            yield Source("", GIVEN, cell.source, TAG in tags)
        elif entry.kind == TEST:
            judging = next((JUDGING[tag] for tag in tags if tag in JUDGING), "")
            yield Source(name, TEST, entry.text, from_scratch=FROM_SCRATCH in tags, judging=judging)
        else:
            yield Source(name, entry.kind, cell.source)
