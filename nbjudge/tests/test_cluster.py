"""`rnn-course grade --scheduler`: a Dask cluster gives the marks that one machine gives, also with a worker lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from class_fixtures import *  # noqa: F403  (pytest finds fixtures by their names here)
from graded_class import (
    CLASS,
    HALF,
    LATE,
    RIGHT,
    everything,
    kill,
    lines,
    make_class,
    rnn_course,
    said,
)
from nbgrader_course import ROOT, surroundings
from tiny_course import LESSON, TESTS, submit

pytest.importorskip("distributed", reason="dask is an extra: rnn-course[cluster]")
pytestmark = pytest.mark.nbgrader

WIRE = (ROOT / "nbjudge/src/nbjudge/judge/codec.py").read_text()
T = TypeVar("T")
ADDRESSES = """
import json, sys
from distributed import Client
with Client(sys.argv[1], set_as_default=False) as client:
    client.wait_for_workers(int(sys.argv[2]), timeout=60)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    print(json.dumps({workers[address]["name"]: address for address in workers}))
"""
MORE = {f"t{number:02}": [RIGHT, HALF, {}, {"triple": RIGHT["triple"]}][number % 4] for number in range(12)}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = make_class(tmp_path_factory.mktemp("clustered") / "course")
    for student, answers in MORE.items():
        submit(course, student, **answers)
        (course / "submitted" / student / LESSON / "timestamp.txt").write_text(LATE)
    return course


class Cluster:
    """A scheduler and workers, processes of their own in folders of their own, that find each other through a file."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder, self.running, self.workers = folder, running, list[psutil.Process]()
        self.file = folder / "scheduler.json"
        (folder / "installed" / "tiny_tests").mkdir(parents=True)
        (folder / "installed" / "tiny_tests" / "__init__.py").write_text(TESTS)  # the tests of the course are, too
        self.scheduler = self._start("scheduler", "scheduler", "--port", "0", "--host", "127.0.0.1")
        await_(lambda: self.file.is_file() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self, *packages: Path) -> str:
        """Start a worker and return its name.

        packages: folders in which it finds what others have installed, before the packages under test
        """
        name = f"worker{len(self.workers)}"
        path = os.pathsep.join(map(str, [*packages, ROOT, self.folder / "installed"]))
        options = ("--nthreads", "1", "--no-nanny", "--name", name, "--host", "127.0.0.1")
        self.workers.append(self._start(name, "worker", *options, PYTHONPATH=path))
        return name

    def addresses(self) -> dict[str, str]:
        """Return {name: address} of the workers, as soon as the scheduler knows them all."""
        command = [sys.executable, "-c", ADDRESSES, self.address, str(len(self.workers))]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def busy(self) -> psutil.Process | None:
        """Return a worker in which a submission runs at this moment: one that has forked kernels."""
        for worker in self.workers:
            with suppress(psutil.NoSuchProcess):  # a kernel may end while this looks
                if any(zygote.children() for zygote in worker.children()):
                    return worker
        return None

    def _start(self, name: str, *command: str, **variables: str) -> psutil.Process:
        place = self.folder / name
        place.mkdir()
        with (place / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--no-dashboard", "--scheduler-file", str(self.file)],
                cwd=place,
                env=surroundings(place, **variables),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.running.callback(process.wait)
        self.running.callback(process.kill)
        return psutil.Process(process.pid)


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    with ExitStack() as running:
        one = Cluster(folder, running)
        for _ in range(workers):
            one.add_worker()
        yield one


def await_(claim: Callable[[], T]) -> T:
    """Return what a claim returns as soon as it holds."""
    for _ in range(1200):
        if found := claim():
            return found
        time.sleep(0.05)
    raise TimeoutError("nothing of the kind in a minute")


def another_version(packages: Path, change: Callable[[Path], object]) -> Path:
    """Copy the course's packages, change the copy, and return where it is."""
    for folder in ("nbjudge/src/nbjudge", "rnn_helpers", "autograde_tests"):
        shutil.copytree(ROOT / folder, packages / Path(folder).name, ignore=shutil.ignore_patterns("__pycache__"))
    change(packages)
    return packages


def test_a_killed_worker_costs_nobody_anything_and_the_marks_are_those_of_one_machine(course, by_nbgrader, tmp_path):
    with cluster(tmp_path / "cluster", 3) as machines:
        assert len(machines.addresses()) == 3
        grader = rnn_course(course, "grade", LESSON, "--scheduler", machines.address, "--json")
        machines.running.callback(kill, grader)
        await_(lambda: any((course / "autograded").glob("*/*/*.ipynb")))
        lost = await_(machines.busy)
        below = lost.children(recursive=True)
        lost.kill()
        assert grader.poll() is None, "the class was graded before a worker could be killed"
        told = lines(said(grader))
        psutil.wait_procs(below, timeout=60)
        assert [process for process in below if process.is_running()] == []
    assert everything(course) == by_nbgrader
    hows = {one["student"]: one["how"] for one in told[:-1]}
    assert hows == {**dict.fromkeys([*CLASS, *MORE], "graded"), "s09": "refused"}
    assert all(one["isolation"].startswith("sandbox: ") for one in told[:-1] if one["how"] == "graded")


def test_a_lost_scheduler_is_a_sentence_and_what_was_graded_is_kept(course, by_nbgrader, tmp_path):
    with cluster(tmp_path / "cluster", 2) as machines:
        machines.addresses()
        grader = rnn_course(course, "grade", LESSON, "--scheduler", machines.address)
        machines.running.callback(kill, grader)
        await_(lambda: any((course / "autograded").glob("*/*/*.ipynb")))
        machines.scheduler.kill()
        text = said(grader, code=1)
    assert "The cluster's scheduler was lost" in text
    assert "graded and kept" in text
    assert "Traceback" not in text
    graded = {name: found for name, found in everything(course)["gradebook"].items() if found[1]}
    assert graded
    assert graded.items() <= by_nbgrader["gradebook"].items()


def test_a_worker_with_another_version_is_named_with_what_differs(course, tmp_path):
    before = everything(course)
    changed = another_version(
        tmp_path / "other", lambda at: (at / "nbjudge/judge/codec.py").write_text(WIRE + "# mended\n")
    )
    with cluster(tmp_path / "cluster", 1) as machines:
        other = machines.add_worker(changed)
        address = machines.addresses()[other]
        text = said(rnn_course(course, "grade", LESSON, "--scheduler", machines.address), code=1)
    assert f"The worker {address} has nbjudge " in text
    assert "Install the same on all machines" in text
    assert "Traceback" not in text
    assert everything(course) == before


def test_a_worker_that_cannot_load_the_course_is_a_sentence(course, tmp_path):
    broken = another_version(
        tmp_path / "other", lambda at: (at / "nbjudge/execution/job.py").write_text("import no_such_module")
    )
    with cluster(tmp_path / "cluster", 0) as machines:
        machines.add_worker(broken)
        machines.addresses()
        text = said(rnn_course(course, "grade", LESSON, "--scheduler", machines.address), code=1)
    assert "The cluster's workers cannot load this course" in text
    assert "no_such_module" in text
    assert "Install there what is installed here" in text
    assert "Traceback" not in text


def test_a_cluster_without_workers_is_a_sentence(course, tmp_path):
    with cluster(tmp_path / "cluster", 0) as machines:
        text = said(rnn_course(course, "grade", LESSON, "--scheduler", machines.address), code=1)
    assert "The cluster has no workers. Start some with `dask worker ADDRESS`" in text
    assert "Traceback" not in text
