"""Compare the speed of grading with that of stock nbgrader: `python -m benchmarks.grading`.

The same simulated submissions are graded alternately by stock `nbgrader autograde` and by `rnn-course grade`, and the
scores are compared cell by cell. The output is the median over the rounds, with the minimum and the maximum.
Then comes a profile: what each stage of grading costs. benchmarks/README.md has the results.

floor: processor time of the same notebooks' cells, each in a fork of a process that has imported everything
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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook

from benchmarks.stages import table
from nbjudge.execution.demonstrations import TAG
from tools.demo.cycle import copy_course
from tools.demo.simulated import simulate

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ("04_bptt", "08_keras")
PROFILED = "01_recurrence"
SALT = "the salt of the benchmark"
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
    scores: dict[str, dict[str, float]]


def main() -> None:
    """Run the benchmarks that the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--submissions", type=int, default=60, help="Submissions of each lesson over all rounds; 0: none"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--lesson", action="append", choices=(PROFILED, *LESSONS))
    parser.add_argument(
        "--plain", action="store_true", help="Also grade with `nbgrader autograde` and the course's settings"
    )
    parser.add_argument("--profile", type=int, default=20, help="Submissions of the profile by stage; 0: none")
    parser.add_argument("--many", type=int, default=0, help="Also grade a class of this size, and measure the memory")
    parser.add_argument(
        "--share", type=float, default=0.0, help="Share of a processor for each Dask worker; 0: no limit"
    )
    parser.add_argument(
        "--cluster", type=int, default=0, help="Also grade a class of this size with one and with two Dask workers"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for lesson in args.lesson or LESSONS:
            if args.submissions:
                side_by_side(Path(folder), lesson, args)
        for lesson in (args.lesson or [PROFILED]) if args.profile else []:
            print_profile(Path(folder), lesson, args.profile)
        if args.many:
            grade_large_class(Path(folder), (args.lesson or LESSONS)[0], args.many, args.jobs)
        if args.cluster:
            grade_on_cluster(Path(folder), (args.lesson or LESSONS)[0], args.cluster, args.share)


def side_by_side(folder: Path, lesson: str, args: argparse.Namespace) -> None:
    """Grade the same classes with both programs, and print the ratios."""
    each = args.submissions // args.rounds
    stock_runs, nbjudge_runs, plain_runs, wrong = [], [], [], 0
    for number in range(args.rounds):
        course = new_class(folder / f"{lesson}-{number}", lesson, each, seed=number)
        without = shutil.copytree(course, folder / f"{lesson}-{number}-stock")
        (without / "nbgrader_config.py").write_text(STOCK)
        stock_runs.append(measure_run(without, lesson, "-m", "nbgrader", "autograde", lesson))
        if args.plain:
            plain = shutil.copytree(course, folder / f"{lesson}-{number}-plain")
            plain_runs.append(measure_run(plain, lesson, "-m", "nbgrader", "autograde", lesson))
            wrong += differences(stock_runs[-1].scores, plain_runs[-1].scores)
        nbjudge_runs.append(measure_run(course, lesson, "-m", "nbjudge", "grade", lesson, "--jobs", str(args.jobs)))
        wrong += differences(stock_runs[-1].scores, nbjudge_runs[-1].scores)
    floors = [floor(folder / f"{lesson}-0", lesson, demonstrations) for demonstrations in (True, False)]
    print(f"\n{lesson}: {args.rounds} rounds of {each} submissions, {args.jobs} at once, canaries included")
    print_row("stock, s a submission", (run.wall_s / each for run in stock_runs))
    print_row("ours, s a submission", (run.wall_s / each for run in nbjudge_runs))
    print_row("throughput over stock", (a.wall_s / b.wall_s for a, b in zip(stock_runs, nbjudge_runs, strict=True)))
    print_row("stock, CPU s a submission", (run.cpu_s / each for run in stock_runs))
    print_row("ours, CPU s a submission", (run.cpu_s / each for run in nbjudge_runs))
    if plain_runs:
        print_row("nbgrader autograde, ours, s", (run.wall_s / each for run in plain_runs))
        print_row("nbgrader autograde, ours, CPU s", (run.cpu_s / each for run in plain_runs))
        print_row(
            "its CPU s over stock's", ((a.cpu_s - b.cpu_s) / each for a, b in zip(plain_runs, stock_runs, strict=True))
        )
    print(f"  {'floor, CPU s a submission':<40} {floors[0]:8.2f}   without demonstrations {floors[1]:.2f}")
    print_row("ours over the floor", (run.cpu_s / each / floors[0] for run in nbjudge_runs))
    print(f"  {'scores that differ':<40} {wrong:8}")


def new_class(course: Path, lesson: str, students: int, seed: int) -> Path:
    """Copy the course, release the lesson and write the submissions of simulated students."""
    copy_course(ROOT, course, lesson)
    command(course, "-m", "nbgrader", "generate_assignment", lesson)
    simulate(course, lesson, students, seed)
    return course


def environment_of(course: Path) -> dict[str, str]:
    """Return the environment in which a copy of the course is graded: with its packages, and then this folder's."""
    paths = [str(course), str(ROOT), str(ROOT / "nbjudge" / "src")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "RNN_COURSE_SALT": SALT,
        "PYTHONDONTWRITEBYTECODE": "",
    }


def command(course: Path, *arguments: str) -> str:
    """Run Python in the course and return its output. Raises SystemExit with the output when it fails."""
    completed = subprocess.run(
        [sys.executable, *arguments],
        cwd=course,
        env=environment_of(course),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise SystemExit(
            f"{' '.join(arguments)} ended with {completed.returncode}:\n{completed.stdout}\n{completed.stderr}"
        )
    return completed.stdout


def measure_run(course: Path, lesson: str, *arguments: str) -> Run:
    """Run a command and return its times, including those of its workers and kernels."""
    command(course, "-c", "import rnn_helpers.plots, autograde_tests.registry as r; r.exercises()")  # .pyc files
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command(course, *arguments)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, scores(course, lesson))


def scores(course: Path, lesson: str) -> dict[str, dict[str, float]]:
    """Return {student: {cell: score}} from the gradebook."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {g.name: g.auto_score for notebook in submission.notebooks for g in notebook.grades}
            for submission in gradebook.assignment_submissions(lesson)
        }


def differences(first: dict[str, dict[str, float]], second: dict[str, dict[str, float]]) -> int:
    """Print the cells with different scores and return their number."""
    count = 0
    for student in sorted(first.keys() | second.keys()):
        first_cells, second_cells = first.get(student, {}), second.get(student, {})
        for name in sorted(first_cells.keys() | second_cells.keys()):
            if first_cells.get(name) != second_cells.get(name):
                print(f"  differs: {student} {name}: stock {first_cells.get(name)}, ours {second_cells.get(name)}")
                count += 1
    return count


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
    course = new_class(folder / f"{lesson}-profile", lesson, students, seed=9)
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


def grade_large_class(folder: Path, lesson: str, students: int, jobs: int) -> None:
    """Grade a large class; print the time of each tenth and the grader's memory."""
    course = new_class(folder / "many", lesson, students, seed=7)
    arguments = ["-m", "nbjudge", "grade", lesson, "--jobs", str(jobs), "--json"]
    grader = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=course,
        env=environment_of(course),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watched, marks = psutil.Process(grader.pid), []
    assert grader.stdout is not None
    for _ in grader.stdout:
        with_memory = watched.memory_info().rss / 1e6 if grader.poll() is None else marks[-1][1]
        marks.append((time.monotonic(), with_memory))
    tenth = students // 10
    parts = [marks[i + tenth][0] - marks[i][0] for i in range(tenth, students - tenth, tenth)]
    memory = [mark[1] for mark in marks[tenth:students]]
    print(f"\n{lesson}: {students} submissions, {jobs} at once")
    print_row(f"s for each {tenth} of them", parts)
    print(f"  {'last tenth over first':<40} {parts[-1] / parts[0]:8.2f}")
    print(f"  {'memory of the grader, MB':<40} {memory[0]:8.0f}   most {max(memory):.0f}, last {memory[-1]:.0f}")


def grade_on_cluster(folder: Path, lesson: str, students: int, share: float) -> None:
    """Grade the same class with one and with two Dask workers of one thread each.

    share: of a processor, for each worker and its children; with only two processors, a whole one for each worker would
        measure the load of the machine and not the scaling
    """
    walls = []
    for workers in (1, 2):
        course = new_class(folder / f"cluster-{workers}", lesson, students, seed=8)
        scheduler_file = folder / f"scheduler-{workers}.json"
        quiet = {
            "env": environment_of(course),
            "cwd": course,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        dask, options = [sys.executable, "-m", "dask"], ["--no-dashboard", "--scheduler-file", scheduler_file]
        groups = [create_cgroup(share, f"worker-{number}") for number in range(workers)] if share else []
        started = [subprocess.Popen([*dask, "scheduler", "--port", "0", *options], **quiet)]
        for number in range(workers):
            started.append(subprocess.Popen([*dask, "worker", "--nthreads", "1", "--no-nanny", *options], **quiet))
            if share:
                (groups[number] / "cgroup.procs").write_text(str(started[-1].pid))
        try:
            from distributed import Client

            with Client(scheduler_file=str(scheduler_file), timeout=60, set_as_default=False) as client:
                client.wait_for_workers(workers)
                address = client.scheduler.address
            walls.append(measure_run(course, lesson, "-m", "nbjudge", "grade", lesson, "--scheduler", address).wall_s)
        finally:
            for process in started:
                process.terminate()
                process.wait()
            for group in groups:
                remove_cgroup(group)
    print(f"\n{lesson}: {students} submissions on a Dask cluster, {share or 'as much as there is'} of a processor each")
    print(f"  {'s with one worker':<40} {walls[0]:8.1f}")
    print(f"  {'s with two workers':<40} {walls[1]:8.1f}")
    print(f"  {'two workers over one':<40} {walls[0] / walls[1]:8.2f}")


def create_cgroup(share: float, name: str) -> Path:
    """Return a new control group of Linux, whose processes together have a share of one processor."""
    period = 100_000  # microseconds
    first = Path("/sys/fs/cgroup/cpu")
    group = (first if first.is_dir() else first.parent) / f"benchmark-{os.getpid()}-{name}"
    try:
        group.mkdir()
        if first.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(period))
            (group / "cpu.cfs_quota_us").write_text(str(int(share * period)))
        else:
            (group / "cpu.max").write_text(f"{int(share * period)} {period}")
    except OSError as error:
        raise SystemExit(
            f"{group} cannot be set up ({error.strerror}); run this as root, or without --share."
        ) from error
    return group


def remove_cgroup(group: Path) -> None:
    """Wait until the last process of a control group has ended, and remove the group."""
    while (group / "cgroup.procs").read_text():
        time.sleep(0.1)
    group.rmdir()


def print_row(label: str, numbers: Iterable[float]) -> None:
    """Print the median, minimum and maximum of a measurement."""
    values = sorted(numbers)
    print(f"  {label:<40} {statistics.median(values):8.2f}   {values[0]:.2f} to {values[-1]:.2f}")


if __name__ == "__main__":
    main()
