"""Measure what a student waits for in each solved lesson: `python -m benchmarks.lessons [--cells N] [LESSON ...]`.

Every lesson runs once from top to bottom in a kernel of its own, with the tests that students see. The goals hold on
two idle cores: Run All within 45 s, the first figure within 5 s of the start of the kernel, a check within 50 ms.
Other programs on the machine make every figure longer; the processor seconds beside the first one tell how much.
--cells prints the slowest cells, too.
"""

from __future__ import annotations

import argparse
import heapq
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode

from tools.lint import Lesson, read_lessons

ROOT = Path(__file__).resolve().parents[1]
RUN_ALL_S, FIRST_FIGURE_S, CHECK_MS = 45, 5, 50
LINE = 120  # characters
HEADINGS = ["lesson", "Run All, s", "CPU, s", "first figure, s", "median check, ms", "slowest check, ms", "misses"]


class Measured(NamedTuple):
    """The times of one lesson, in seconds; `checks` holds (exercise, time) of each test cell, `cells` of each cell."""

    run_all: float
    cpu: float
    first_figure: float
    checks: list[tuple[str, float]]
    cells: list[tuple[str, float]]


def solved_with_visible_tests(lesson: Lesson) -> NotebookNode:
    """Return the solution with the test cells of the released lesson."""
    visible = {cell.id: cell for cell in lesson.released.cells}
    notebook = nbformat.v4.new_notebook(metadata=lesson.solution.metadata)
    notebook.cells = [visible[cell.id] if cell.id.endswith("_test") else cell for cell in lesson.solution.cells]
    return notebook


def run(lesson: Lesson) -> Measured:
    """Run a lesson once. Raises nbclient's CellExecutionError when a cell fails."""
    notebook = solved_with_visible_tests(lesson)
    ended: dict[str, tuple[float, float]] = {}  # cell id -> (when it began, when it ended)
    began = 0.0

    def on_start(cell: NotebookNode, cell_index: int) -> None:
        nonlocal began
        began = time.perf_counter()

    def on_end(cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
        ended[cell.id] = began, time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=600,
            on_cell_execute=on_start,
            on_cell_executed=on_end,
            resources={"metadata": {"path": folder}},
        )
        start = time.perf_counter()
        with client.setup_kernel(env=_environ(folder)):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            run_all = time.perf_counter() - start
            kernel = psutil.Process(client.km.provisioner.pid)
            times = [process.cpu_times() for process in (kernel, *kernel.children(recursive=True))]
    figures = [ended[cell.id][1] - start for cell in notebook.cells if cell.id in ended and _has_figure(cell)]
    taken = {name: end - begin for name, (begin, end) in ended.items()}
    checks = [(name, seconds) for name, seconds in taken.items() if name.endswith("_test")]
    cells = [(cell.source, taken[cell.id]) for cell in notebook.cells if cell.id in taken]
    return Measured(run_all, sum(each.user + each.system for each in times), min(figures), checks, cells)


def _environ(folder: str) -> dict[str, str]:
    return {**os.environ, "RNN_COURSE_PROGRESS": str(Path(folder, "progress.txt"))}


def _has_figure(cell: NotebookNode) -> bool:
    return any(
        "<img" in str(output.get("data", {})) or "image/png" in output.get("data", {}) for output in cell.outputs
    )


def row(name: str, measured: Measured) -> list[str]:
    """Return one line of the table."""
    times = [1000 * seconds for _, seconds in measured.checks]
    slowest, longest = max(measured.checks, key=lambda check: check[1])
    misses = [
        words
        for words, missed in (
            ("Run All", measured.run_all > RUN_ALL_S),
            ("first figure", measured.first_figure > FIRST_FIGURE_S),
            ("checks", statistics.median(times) > CHECK_MS),
        )
        if missed
    ]
    return [
        name,
        f"{measured.run_all:.1f}",
        f"{measured.cpu:.1f}",
        f"{measured.first_figure:.1f}",
        f"{statistics.median(times):.0f}",
        f"{1000 * longest:.0f} ({slowest.removesuffix('_test')})",
        ", ".join(misses) or "-",
    ]


def main() -> None:
    """Print one line for each lesson as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="All without one")
    parser.add_argument("--cells", type=int, default=0, metavar="N", help="Also print the slowest N cells")
    args = parser.parse_args()
    lessons = [lesson for lesson in read_lessons(ROOT) if not args.lessons or lesson.name in args.lessons]
    width = max(len(lesson.name) for lesson in lessons)
    print(f"goals: Run All {RUN_ALL_S} s, first figure {FIRST_FIGURE_S} s, median check {CHECK_MS} ms")
    print_row(HEADINGS, width)
    for lesson in lessons:
        measured = run(lesson)
        print_row(row(lesson.name, measured), width)
        slowest = heapq.nlargest(args.cells, measured.cells, key=lambda cell: cell[1])
        for source, seconds in slowest:
            print(f"    {seconds:6.2f} s  {source.splitlines()[0]} ... {source.splitlines()[-1]}"[:LINE])


def print_row(cells: list[str], width: int) -> None:
    """Print cells below their headings."""
    columns = (cell.rjust(len(heading)) for cell, heading in zip(cells[1:], HEADINGS[1:], strict=True))
    print(cells[0].ljust(width), *columns, sep="  ", flush=True)


if __name__ == "__main__":
    main()
