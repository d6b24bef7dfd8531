"""Grade a large class on a Dask cluster of local workers: `python -m benchmarks.scale`.

Scheduler and workers are processes of this machine. With --kill-every, a random worker is killed again and again, and
another takes its place. The output is the time of each tenth of the class, the memory of the grader, the scores that
differ from the expected ones, and the time of the report. Speed per core: --workers 1, then 2, with --share.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.graded_class import SALT, differences, environment_of, new_class, scores
from tools.demo.expected_scores import expected_scores

LESSON = "01_recurrence"
SEED = 7


class Mark(NamedTuple):
    """The state when a submission was graded: seconds, processor seconds of the machine, megabytes of the grader."""

    wall: float
    cpu: float
    memory: float


class Cluster:
    """A scheduler, and workers with one thread each, in a folder of their own."""

    def __init__(self, folder: Path, course: Path, workers: int, share: float, running: ExitStack) -> None:
        self.folder, self.course, self.running = folder, course, running
        self.groups = [_create_cgroup(share, f"worker-{number}") for number in range(workers)] if share else []
        for group in self.groups:
            running.callback(_remove_cgroup, group)
        self.file = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        self.workers = [self._start_worker(number) for number in range(workers)]
        self.address = self._wait_for(workers)
        self.killed = 0

    def kill_one(self, rng: random.Random) -> None:
        """Kill a random worker as the kernel does without memory, and start another."""
        number = rng.randrange(len(self.workers))
        self.workers[number].send_signal(signal.SIGKILL)
        self.workers[number].wait()
        self.killed += 1
        self.workers[number] = self._start_worker(number)

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        worker = self._start("worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        if self.groups:
            (self.groups[number] / "cgroup.procs").write_text(str(worker.pid))
        return worker

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        options = ("--no-dashboard", "--scheduler-file", str(self.file))
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, *options],
            cwd=self.folder,
            env=environment_of(self.course),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.callback(process.wait)
        self.running.callback(process.terminate)
        return process

    def _wait_for(self, workers: int) -> str:
        from distributed import Client

        while not (self.file.is_file() and self.file.read_text().endswith("}")):
            time.sleep(0.1)
        with Client(scheduler_file=str(self.file), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers)
            return client.scheduler.address  # type: ignore[no-any-return]


def main() -> None:
    """Grade a class, compare its scores, and write its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=5000)
    parser.add_argument("--lesson", default=LESSON)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="SECONDS", help="0: kill none")
    parser.add_argument("--share", type=float, default=0.0, help="Share of a processor for each worker; 0: no limit")
    parser.add_argument("--folder", type=Path, help="New folder in which the graded course stays")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        course = args.folder or Path(temporary, "course")
        drawn = new_class(course, args.lesson, args.submissions, SEED)
        marks, killed = grade(course, args, Path(temporary))
        print_marks(args, marks, killed)
        found = {student: _tests(cells) for student, cells in scores(course, args.lesson).items()}
        print(f"  {'scores that differ':<40} {differences(_named_tests(expected_scores(drawn, SALT)), found):8}")
        print_report(course, args.lesson)


def grade(course: Path, args: argparse.Namespace, temporary: Path) -> tuple[list[Mark], int]:
    """Grade the class; return a mark for the start and each submission, and the number of workers killed."""
    folder = temporary / "cluster"
    folder.mkdir()
    finished = threading.Event()
    with ExitStack() as running:
        cluster = Cluster(folder, course, args.workers, args.share, running)
        arguments = ["-m", "nbjudge", "grade", args.lesson, "--json", "--scheduler", cluster.address]
        began = _mark(psutil.Process())
        grader = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=course,
            env=environment_of(course),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        running.callback(grader.kill)
        if args.kill_every:
            rng = random.Random(SEED)

            def kill_workers() -> None:
                while not finished.wait(args.kill_every):
                    cluster.kill_one(rng)

            killer = threading.Thread(target=kill_workers)
            running.callback(killer.join)
            running.callback(finished.set)
            killer.start()
        watched, marks = psutil.Process(grader.pid), [began]
        assert grader.stdout is not None
        for _ in grader.stdout:
            marks.append(_mark(watched))
        return marks, cluster.killed


def _mark(process: psutil.Process) -> Mark:
    times = psutil.cpu_times()
    return Mark(time.monotonic(), times.user + times.system, process.memory_info().rss / 1e6)


def print_marks(args: argparse.Namespace, marks: list[Mark], killed: int) -> None:
    """Print the time of each tenth, and the memory of the grader."""
    tenth = args.submissions // 10
    at = [marks[number] for number in range(0, 10 * tenth + 1, tenth)]
    pairs = list(zip(at, at[1:], strict=False))
    wall, cpu = [b.wall - a.wall for a, b in pairs], [b.cpu - a.cpu for a, b in pairs]
    share = f", {args.share} of a processor each" if args.share else ""
    print(f"\n{args.lesson}: {args.submissions} submissions, {args.workers} workers{share}, {killed} killed on the way")
    print(f"  {'s':<40} {marks[-1].wall - marks[0].wall:8.1f}")
    for label, values in (("s", wall), ("CPU s", cpu)):
        print(f"  {f'{label} for each tenth':<40} {' '.join(f'{value:.1f}' for value in values)}")
        print(f"  {f'{label} of tenths 6 to 10 over 1 to 5':<40} {sum(values[5:]) / sum(values[:5]):8.2f}")
    memory = [mark.memory for mark in marks[tenth:]]
    label = "MB of the grader after the first tenth"
    print(f"  {label:<40} {memory[0]:8.0f}   most {max(memory):.0f}, last {memory[-1]:.0f}")


def print_report(course: Path, lesson: str) -> None:
    """Print the time of the report of the class, and the size of its page."""
    before = psutil.cpu_times()
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "nbjudge", "report", lesson, "--folder", "report"],
        cwd=course,
        env=environment_of(course),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.monotonic() - began, psutil.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    size = (course / "report" / "report.html").stat().st_size / 1e6
    print(f"  {'s for the report':<40} {wall:8.1f}   CPU {cpu:.1f}, page {size:.2f} MB")


def _tests(cells: dict[str, float]) -> dict[str, float]:
    return {name: points for name, points in cells.items() if name.endswith("_test")}


def _named_tests(expected: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {student: {f"{name}_test": points for name, points in cells.items()} for student, cells in expected.items()}


def _create_cgroup(share: float, name: str) -> Path:
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


def _remove_cgroup(group: Path) -> None:
    """Wait until the last process of a control group has ended, and remove the group."""
    while (group / "cgroup.procs").read_text():
        time.sleep(0.1)
    group.rmdir()


if __name__ == "__main__":
    main()
