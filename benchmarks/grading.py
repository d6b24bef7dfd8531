"""How fast a class is graded, side by side with stock nbgrader: `python -m benchmarks.grading`.

The same simulated submissions are graded by stock `nbgrader autograde` and by `rnn-course grade`, in turns, and the
scores are compared cell by cell. What is printed are medians over the rounds, with the least and the most.

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

from nbjudge.execution.demonstrations import TAG
from tools.demo.cycle import copy_course
from tools.demo.simulated import simulate

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ("04_bptt", "08_keras")
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
    """One class graded: seconds by the clock and of the processors, and {student: {cell: score}}."""

    wall_s: float
    cpu_s: float
    scores: dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=60, help="of each lesson, over all rounds; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--lesson", action="append", choices=LESSONS)
    parser.add_argument(
        "--plain", action="store_true", help="also grade with `nbgrader autograde` as the course sets it up"
    )
    parser.add_argument("--many", type=int, default=0, help="also grade a class of this many, and watch the memory")
    parser.add_argument(
        "--share", type=float, default=0.0, help="of a processor that each Dask worker has; 0: no limit"
    )
    parser.add_argument(
        "--cluster", type=int, default=0, help="also grade this many with one and with two Dask workers"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for lesson in args.lesson or LESSONS:
            if args.submissions:
                side_by_side(Path(folder), lesson, args)
        if args.many:
            many(Path(folder), (args.lesson or LESSONS)[0], args.many, args.jobs)
        if args.cluster:
            cluster(Path(folder), (args.lesson or LESSONS)[0], args.cluster, args.share)


def side_by_side(folder: Path, lesson: str, args: argparse.Namespace) -> None:
    """Grade the same classes with both, and print the ratios."""
    each = args.submissions // args.rounds
    stock, ours, plainly, wrong = [], [], [], 0
    for number in range(args.rounds):
        course = new_class(folder / f"{lesson}-{number}", lesson, each, seed=number)
        without = shutil.copytree(course, folder / f"{lesson}-{number}-stock")
        (without / "nbgrader_config.py").write_text(STOCK)
        stock.append(timed(without, lesson, "-m", "nbgrader", "autograde", lesson))
        if args.plain:
            plain = shutil.copytree(course, folder / f"{lesson}-{number}-plain")
            plainly.append(timed(plain, lesson, "-m", "nbgrader", "autograde", lesson))
            wrong += differences(stock[-1].scores, plainly[-1].scores)
        ours.append(timed(course, lesson, "-m", "nbjudge", "grade", lesson, "--jobs", str(args.jobs)))
        wrong += differences(stock[-1].scores, ours[-1].scores)
    floors = [floor(folder / f"{lesson}-0", lesson, demonstrations) for demonstrations in (True, False)]
    print(f"\n{lesson}: {args.rounds} rounds of {each} submissions, {args.jobs} at once, canaries included")
    say("stock, s a submission", (run.wall_s / each for run in stock))
    say("ours, s a submission", (run.wall_s / each for run in ours))
    say("throughput over stock", (a.wall_s / b.wall_s for a, b in zip(stock, ours, strict=True)))
    say("stock, CPU s a submission", (run.cpu_s / each for run in stock))
    say("ours, CPU s a submission", (run.cpu_s / each for run in ours))
    if plainly:
        say("nbgrader autograde, ours, s", (run.wall_s / each for run in plainly))
        say("nbgrader autograde, ours, CPU s", (run.cpu_s / each for run in plainly))
        say("its CPU s over stock's", ((a.cpu_s - b.cpu_s) / each for a, b in zip(plainly, stock, strict=True)))
    print(f"  {'floor, CPU s a submission':<40} {floors[0]:8.2f}   without demonstrations {floors[1]:.2f}")
    say("ours over the floor", (run.cpu_s / each / floors[0] for run in ours))
    print(f"  {'scores that differ':<40} {wrong:8}")


def new_class(course: Path, lesson: str, students: int, seed: int) -> Path:
    """Copy what is needed of the course, release the lesson and let simulated students hand in."""
    copy_course(ROOT, course, lesson)
    command(course, "-m", "nbgrader", "generate_assignment", lesson)
    simulate(course, lesson, students, seed)
    return course


def command(course: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(course), "RNN_COURSE_SALT": SALT, "PYTHONDONTWRITEBYTECODE": ""}
    ended = subprocess.run([sys.executable, *arguments], cwd=course, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")


def timed(course: Path, lesson: str, *arguments: str) -> Run:
    """Run a command and return what it took; its workers and kernels, which it waits for, are counted."""
    command(course, "-c", "import rnn_helpers.plots, autograde_tests.registry as r; r.exercises()")  # .pyc files
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command(course, *arguments)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, scores(course, lesson))


def scores(course: Path, lesson: str) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {g.name: g.auto_score for notebook in submission.notebooks for g in notebook.grades}
            for submission in gradebook.assignment_submissions(lesson)
        }


def differences(first: dict[str, dict[str, float]], second: dict[str, dict[str, float]]) -> int:
    """Return how many cells have another score, and say which."""
    found = 0
    for student in sorted(first.keys() | second.keys()):
        one, two = first.get(student, {}), second.get(student, {})
        for name in sorted(one.keys() | two.keys()):
            if one.get(name) != two.get(name):
                print(f"  differs: {student} {name}: stock {one.get(name)}, ours {two.get(name)}")
                found += 1
    return found


def floor(course: Path, lesson: str, demonstrations: bool) -> float:
    """Return the processor seconds of a submission's cells in a fork of a process that has imported everything."""
    code = f"import benchmarks.grading as b; b.run_cells({str(course)!r}, {lesson!r}, {demonstrations})"
    environment = {**os.environ, "PYTHONPATH": f"{course}{os.pathsep}{ROOT}", "RNN_COURSE_SALT": SALT}
    environment |= {"NBGRADER_EXECUTION": "autograde", "MPLBACKEND": "agg"}
    environment["TMPDIR"] = str(course)  # a fork's end removes no temporary folder
    ended = subprocess.run([sys.executable, "-c", code], cwd=course, env=environment, capture_output=True, text=True)
    return json.loads(ended.stdout.splitlines()[-1])


def run_cells(course: str, lesson: str, demonstrations: bool) -> None:
    """Run each submission's cells in a fork and print the mean processor time; runs in a process of its own."""
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


def many(folder: Path, lesson: str, students: int, jobs: int) -> None:
    """Grade a large class; print whether time grows with it and the grader's memory does not."""
    course = new_class(folder / "many", lesson, students, seed=7)
    environment = {**os.environ, "PYTHONPATH": str(course), "RNN_COURSE_SALT": SALT}
    arguments = ["-m", "nbjudge", "grade", lesson, "--jobs", str(jobs), "--json"]
    grader = subprocess.Popen(
        [sys.executable, *arguments], cwd=course, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
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
    say(f"s for each {tenth} of them", parts)
    print(f"  {'last tenth over first':<40} {parts[-1] / parts[0]:8.2f}")
    print(f"  {'memory of the grader, MB':<40} {memory[0]:8.0f}   most {max(memory):.0f}, last {memory[-1]:.0f}")


def cluster(folder: Path, lesson: str, students: int, share: float) -> None:
    """Grade the same class with one and with two Dask workers of one thread each.

    share: of a processor, that each worker has with all that it starts; where they and the grader share two processors,
        a whole one for each would show how full this machine is, not how grading spreads over several
    """
    walls = []
    for workers in (1, 2):
        course = new_class(folder / f"cluster-{workers}", lesson, students, seed=8)
        place = folder / f"scheduler-{workers}.json"
        environment = {**os.environ, "PYTHONPATH": str(course), "RNN_COURSE_SALT": SALT}
        quiet = {"env": environment, "cwd": course, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        dask, told = [sys.executable, "-m", "dask"], ["--no-dashboard", "--scheduler-file", place]
        groups = [held_to(share, f"worker-{number}") for number in range(workers)] if share else []
        started = [subprocess.Popen([*dask, "scheduler", "--port", "0", *told], **quiet)]
        for number in range(workers):
            started.append(subprocess.Popen([*dask, "worker", "--nthreads", "1", "--no-nanny", *told], **quiet))
            if share:
                (groups[number] / "cgroup.procs").write_text(str(started[-1].pid))
        try:
            from distributed import Client

            with Client(scheduler_file=str(place), timeout=60, set_as_default=False) as client:
                client.wait_for_workers(workers)
                address = client.scheduler.address
            walls.append(timed(course, lesson, "-m", "nbjudge", "grade", lesson, "--scheduler", address).wall_s)
        finally:
            for process in started:
                process.terminate()
                process.wait()
            for group in groups:
                until_it_is_empty(group)
    print(f"\n{lesson}: {students} submissions on a Dask cluster, {share or 'as much as there is'} of a processor each")
    print(f"  {'s with one worker':<40} {walls[0]:8.1f}")
    print(f"  {'s with two workers':<40} {walls[1]:8.1f}")
    print(f"  {'two workers over one':<40} {walls[0] / walls[1]:8.2f}")


def held_to(share: float, name: str) -> Path:
    """Return a new control group of Linux, whose processes have a share of one processor between them."""
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


def until_it_is_empty(group: Path) -> None:
    """Remove a control group when its last process has ended."""
    while (group / "cgroup.procs").read_text():
        time.sleep(0.1)
    group.rmdir()


def say(what: str, numbers: Iterable[float]) -> None:
    values = sorted(numbers)
    print(f"  {what:<40} {statistics.median(values):8.2f}   {values[0]:.2f} to {values[-1]:.2f}")


if __name__ == "__main__":
    main()
