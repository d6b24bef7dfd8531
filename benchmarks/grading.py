"""Compare the speed of grading with that of stock nbgrader: `python -m benchmarks.grading`.

The same simulated submissions are graded alternately by stock `nbgrader autograde` and by `rnn-course grade`, and the
scores are compared cell by cell: two lessons, and the assignment of a plain course. The output is the median over the
rounds, with the quartiles. Then comes a profile: what each stage of grading costs. benchmarks/README.md has the
results.

With --floor: the processor time of the same notebooks' cells, each in a fork of a process that has imported everything.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

from benchmarks.chart import Ratio, draw
from benchmarks.graded_class import (
    ROOT,
    SALT,
    Scores,
    command,
    differences,
    environment_of,
    new_class,
    print_row,
    quartiles,
    scores,
)
from benchmarks.plain_course import ASSIGNMENT as PLAIN
from benchmarks.plain_course import STOCK as PLAIN_STOCK
from benchmarks.plain_course import new_plain_class
from benchmarks.stages import table
from nbjudge.execution.demonstrations import TAG

GOALS = {"04_bptt": 14, "08_keras": 12, PLAIN: 14}  # times the throughput of stock nbgrader
PROFILED = "01_recurrence"
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.Execute.timeout = 600
"""


@dataclass
class Run:
    """One graded class: wall time and processor time in seconds, and {student: {cell: score}}."""

    wall_s: float
    cpu_s: float
    scores: Scores


def main() -> None:
    """Run the benchmarks that the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--submissions", type=int, default=60, help="Submissions of each assignment over all rounds; 0: none"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--lesson", action="append", choices=(PROFILED, *GOALS), help=f"{PLAIN}: the plain course's")
    parser.add_argument(
        "--plugin", action="store_true", help="Also grade with `nbgrader autograde` and the course's settings"
    )
    parser.add_argument("--floor", action="store_true", help="Also measure the floor, which takes as long as stock")
    parser.add_argument("--profile", type=int, default=20, help="Submissions of the profile by stage; 0: none")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        assignments = (args.lesson or GOALS) if args.submissions else []
        ratios = [side_by_side(Path(folder), assignment, args) for assignment in assignments]
        if ratios:
            print(draw("grading", "throughput over stock nbgrader", ratios))
        for lesson in (args.lesson or [PROFILED]) if args.profile else []:
            print_profile(Path(folder), lesson, args.profile)


def side_by_side(folder: Path, assignment: str, args: argparse.Namespace) -> Ratio:
    """Grade the same classes with both programs, print the ratios, and return that of the throughputs."""
    each = args.submissions // args.rounds
    stock_runs, nbjudge_runs, plugin_runs, wrong = [], [], [], 0
    for number in range(args.rounds):
        course = folder / f"{assignment}-{number}"
        write_class(course, assignment, each, seed=number)
        without = shutil.copytree(course, folder / f"{assignment}-{number}-stock")
        (without / "nbgrader_config.py").write_text(PLAIN_STOCK if assignment == PLAIN else STOCK)
        stock_runs.append(measure_run(without, assignment, "-m", "nbgrader", "autograde", assignment))
        if args.plugin:
            plugin = shutil.copytree(course, folder / f"{assignment}-{number}-plugin")
            plugin_runs.append(measure_run(plugin, assignment, "-m", "nbgrader", "autograde", assignment))
            wrong += differences(stock_runs[-1].scores, plugin_runs[-1].scores)
        ours = ("-m", "nbjudge", "grade", assignment, "--jobs", str(args.jobs))
        nbjudge_runs.append(measure_run(course, assignment, *ours))
        wrong += differences(stock_runs[-1].scores, nbjudge_runs[-1].scores)
    pairs = list(zip(stock_runs, nbjudge_runs, strict=True))
    print(f"\n{assignment}: {args.rounds} rounds of {each} submissions, {args.jobs} at once, canaries included")
    print_row("stock, s a submission", (run.wall_s / each for run in stock_runs))
    print_row("ours, s a submission", (run.wall_s / each for run in nbjudge_runs))
    print_row("throughput over stock", (stock.wall_s / ours.wall_s for stock, ours in pairs))
    print_row("stock, CPU s a submission", (run.cpu_s / each for run in stock_runs))
    print_row("ours, CPU s a submission", (run.cpu_s / each for run in nbjudge_runs))
    if plugin_runs:
        print_row("nbgrader autograde, ours, s", (run.wall_s / each for run in plugin_runs))
        print_row("nbgrader autograde, ours, CPU s", (run.cpu_s / each for run in plugin_runs))
        both = zip(plugin_runs, stock_runs, strict=True)
        print_row("its CPU s over stock's", ((plugin.cpu_s - stock.cpu_s) / each for plugin, stock in both))
    if args.floor and assignment != PLAIN:
        floors = [floor(folder / f"{assignment}-0", assignment, demonstrations) for demonstrations in (True, False)]
        print(f"  {'floor, CPU s a submission':<48} {floors[0]:8.2f}   without demonstrations {floors[1]:.2f}")
    print(f"  {'scores that differ':<48} {wrong:8}", flush=True)
    return Ratio(assignment, *quartiles(stock.wall_s / ours.wall_s for stock, ours in pairs), GOALS.get(assignment))


def write_class(course: Path, assignment: str, students: int, seed: int) -> None:
    """Write the course that has the assignment, with the submissions of simulated students."""
    if assignment == PLAIN:
        new_plain_class(course, students, seed)
    else:
        new_class(course, assignment, students, seed)


def measure_run(course: Path, lesson: str, *arguments: str) -> Run:
    """Run a command and return its times, including those of its workers and kernels."""
    command(course, "-c", "import rnn_helpers.plots, autograde_tests.registry as r; r.exercises()")  # .pyc files
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command(course, *arguments)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, scores(course, lesson))


def floor(course: Path, lesson: str, demonstrations: bool) -> float:
    """Return the processor seconds of a submission's cells in a fork of a process that has imported everything."""
    code = f"import benchmarks.grading as b; b.run_cells({str(course)!r}, {lesson!r}, {demonstrations})"
    environment = {**os.environ, "PYTHONPATH": f"{course}{os.pathsep}{ROOT}", "RNN_COURSE_SALT": SALT}
    environment |= {"NBGRADER_EXECUTION": "autograde", "MPLBACKEND": "agg"}
    environment["TMPDIR"] = str(course)  # a fork that ends does not remove its temporary folder
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    return json.loads(completed.stdout.splitlines()[-1])


def run_cells(course: str, lesson: str, demonstrations: bool) -> None:
    """Run each submission's cells in a fork and print the mean processor time; needs a separate process."""
    import ipykernel.zmqshell  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    from IPython.core.interactiveshell import InteractiveShell

    if "keras" in lesson:
        import tensorflow  # noqa: F401
    solution = _cells(Path(course, "solutions", lesson))
    left_out = {cell.source for cell in solution if TAG in cell.metadata.get("tags", []) and not demonstrations}
    tests = {cell.metadata.nbgrader.grade_id: cell.source for cell in solution if cell.metadata.get("nbgrader")}
    used = []
    for folder in sorted(Path(course, "submitted").glob(f"*/{lesson}")):
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            shell = InteractiveShell.instance()
            for cell in _cells(folder):
                name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
                text = tests[name] if name.endswith("_test") else cell.source
                if text not in left_out:
                    shell.run_cell(text)
            os._exit(0)
        _, _, usage = os.wait4(pid, 0)
        used.append(usage.ru_utime + usage.ru_stime)
    print(json.dumps(statistics.mean(used)))


def _cells(folder: Path) -> list[nbformat.NotebookNode]:
    (file,) = folder.glob("*.ipynb")
    return [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]


def print_profile(folder: Path, lesson: str, students: int) -> None:
    """Grade a class with `rnn-course grade` twice, then stage by stage, and print the times and the costs."""
    course = folder / f"{lesson}-profile"
    write_class(course, lesson, students, seed=9)
    print(f"\n{lesson}: {students} submissions")
    for label in ("first", "second"):
        first_s, last_s = first_and_last(course, lesson)
        print(f"  {f'{label} run, s until the first and the last result':<60} {first_s:6.2f} {last_s:6.2f}")
    output = command(course, "-m", "benchmarks.stages", lesson)
    print("\n".join(["", *table(json.loads(output.splitlines()[-1]), students)]))


def first_and_last(course: Path, lesson: str) -> tuple[float, float]:
    """Grade a class again, and return the seconds until the first and the last submission were graded."""
    arguments = ["-m", "nbjudge", "grade", lesson, "--force", "--json"]
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=course, env=environment_of(course), stdout=subprocess.PIPE
    ) as grader:
        assert grader.stdout is not None
        marks = [time.monotonic() - began for _ in grader.stdout]
    return marks[0], marks[-1]


if __name__ == "__main__":
    main()
