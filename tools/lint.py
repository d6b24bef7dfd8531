"""Rules for the course's notebooks. Each rule yields one sentence for each violation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import nbformat
from nbformat import NotebookNode

from rnn_helpers.checks import syllabus
from tools.next_lesson import pointer

POINTS = {"00_start_here": 2}  # every other lesson: 20
POINTS_OF_A_LESSON = 20
MARKS = ["BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS", "BEGIN MARK SCHEME"]
HOLD_SECRETS = ["autograde_tests", "RNN_COURSE_SALT"]

# lesson -> exercise -> points, from autograde_tests
Exercises = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Lesson:
    """The instructor's and the released notebook of a lesson; `path` is that of the released one, relative to root."""

    name: str
    path: str
    solution: NotebookNode
    released: NotebookNode


def read_lessons(root: Path) -> list[Lesson]:
    """Return every lesson that has both notebooks; `stale_files` reports a missing one."""
    lessons = []
    for solution in sorted((root / "solutions").glob("*/*.ipynb")):
        name = solution.stem
        path = f"lessons/{name}/{name}.ipynb"
        if (root / path).exists():
            lessons.append(Lesson(name, path, _read(solution), _read(root / path)))
    return lessons


def syllabus_is_one(root: Path) -> Iterator[str]:
    """Check that README, sources and syllabus agree about each lesson."""
    readme = (root / "README.md").read_text(encoding="utf-8").splitlines()
    for row in syllabus.table():
        if row not in readme:
            yield f"README.md: lacks the row {row!r} of rnn_helpers/checks/syllabus.py. Change one of them."
    for source in sorted((root / "source").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        if source.stem not in syllabus.LESSONS:
            yield f"rnn_helpers/checks/syllabus.py: has no {source.stem!r}. Add what it builds and its minutes."
        elif f"**Time** about {syllabus.LESSONS[source.stem].minutes} minutes" not in text.replace("\n# ", " "):
            yield f"source/{source.name}: states another time than rnn_helpers/checks/syllabus.py. Change one of them."
        if (line := pointer(source.stem)) and f"\n# {line}\n" not in text:
            yield f"source/{source.name}: has no line `# {line}`, which becomes the link to the next lesson."


def no_outputs(root: Path) -> Iterator[str]:
    """Check that no notebook in the repository holds outputs, which differ from run to run and hide real changes."""
    for folder in ("solutions", "lessons"):
        for path in sorted((root / folder).rglob("*.ipynb")):
            if ".ipynb_checkpoints" in path.parts:
                continue
            for cell in _read(path).cells:
                if cell.get("outputs") or cell.get("execution_count") is not None:
                    where = path.relative_to(root).as_posix()
                    yield f"{where}, cell {cell.id}: holds outputs or an execution count. Run `make build`."


def no_solutions(lesson: Lesson) -> Iterator[str]:
    """Check that a released notebook contains no solution, no hidden test and no path to either."""
    texts = {cell.id: cell.source for cell in lesson.released.cells}
    for cell_id, text in texts.items():
        for word in [*MARKS, *HOLD_SECRETS]:
            if word in text:
                yield f"{lesson.path}, cell {cell_id}: holds {word!r}. Put it between nbgrader's delimiters."
    everything = "\n".join(_one_margin(text) for text in texts.values())
    for cell in lesson.solution.cells:
        regions = answers(cell)
        outside = split_regions(cell.source)[1] if has_marks(cell) else []
        for region in regions:
            if _one_margin(region) in everything:
                yield f"{lesson.path}: shows the whole solution of {cell.id}. Change the cell that reveals it."
        lines = {line.strip() for region in regions for line in region.splitlines()} - {""}
        released_lines = {line.strip() for line in texts.get(cell.id, "").splitlines()} - {
            line.strip() for line in outside
        }
        for line in sorted(lines & released_lines):
            yield f"{lesson.path}, cell {cell.id}: shows a line of the solution, {line!r}. Run `make build`."


def grade_ids_are_unique(lessons: list[Lesson]) -> Iterator[str]:
    """Check that each grade_id names one cell of the course, because hints, progress and reports rely on it."""
    first: dict[str, str] = {}
    for lesson in lessons:
        for cell in _nbgrader_cells(lesson):
            grade_id = cell.metadata.nbgrader.grade_id
            if grade_id in first:
                yield f"source/{lesson.name}.py: the grade_id {grade_id!r} is taken by {first[grade_id]}. Rename one."
            first.setdefault(grade_id, f"source/{lesson.name}.py")


def tests_belong(lesson: Lesson, exercises: Exercises) -> Iterator[str]:
    """Check that each test cell X_test has a solution cell X and an Exercise X with the same points, and vice versa."""
    where = f"source/{lesson.name}.py"
    points = exercises.get(lesson.name, {})
    solutions = {cell.id for cell in _nbgrader_cells(lesson) if cell.metadata.nbgrader.solution}
    tested = set()
    for cell in _nbgrader_cells(lesson):
        meta = cell.metadata.nbgrader
        if cell.cell_type != "code" or not meta.grade:
            continue
        name = cell.id.removesuffix("_test")
        tested.add(name)
        if name == cell.id or name not in solutions:
            yield f"{where}, cell {cell.id}: it has no solution cell. Name the pair X and X_test."
        elif name not in points:
            yield f"{where}, cell {cell.id}: autograde_tests has no Exercise {name!r} in lesson {lesson.name}. Add it."
        elif meta.points != points[name]:
            yield f"{where}, cell {cell.id}: has {meta.points} points, the Exercise {points[name]:g}. Make them equal."
    for name in sorted(points.keys() - tested):
        yield f"{where}: the Exercise {name!r} has no cell {name}_test. Add the exercise's cells or drop the Exercise."


def points_add_up(lesson: Lesson) -> Iterator[str]:
    """Check that the points of a lesson sum to 20, those of lesson 00 to 2."""
    expected = POINTS.get(lesson.name, POINTS_OF_A_LESSON)
    points = sum(cell.metadata.nbgrader.get("points", 0) for cell in _nbgrader_cells(lesson))
    if points != expected:
        yield f"source/{lesson.name}.py: its points sum to {points}; expected {expected}. Change the points of a cell."


def answers(cell: NotebookNode) -> list[str]:
    """Return the parts of a cell that a student must not see: its regions, or all of a solution cell without any."""
    if cell.metadata.get("nbgrader", {}).get("solution") and not has_marks(cell):
        return [cell.source] if cell.source.strip() else []
    return split_regions(cell.source)[0]


def has_marks(cell: NotebookNode) -> bool:
    """Return whether the cell delimits its solution; if not, nbgrader replaces the whole cell."""
    return "BEGIN SOLUTION" in cell.source or "BEGIN HIDDEN TESTS" in cell.source


def split_regions(source: str) -> tuple[list[str], list[str]]:
    """Return the text of each solution or hidden region of a cell, and the lines outside."""
    regions: list[list[str]] = []
    outside: list[str] = []
    inside = False
    for line in source.splitlines():
        if "BEGIN SOLUTION" in line or "BEGIN HIDDEN TESTS" in line:
            inside = True
            regions.append([])
        elif "END SOLUTION" in line or "END HIDDEN TESTS" in line:
            inside = False
        else:
            (regions[-1] if inside else outside).append(line)
    return ["\n".join(region) for region in regions if "".join(region).strip()], outside


def _one_margin(text: str) -> str:
    return dedent(text).strip("\n")


def _nbgrader_cells(lesson: Lesson) -> list[NotebookNode]:
    return [cell for cell in lesson.solution.cells if "nbgrader" in cell.metadata]


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)
