"""One submission as plain data: it is run the same wherever it is unpacked, and what goes wrong travels back."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook
from nbgrader_course import surroundings
from tiny_course import cell

from nbjudge.autograde.class_run import is_machine_error
from nbjudge.cell_result import SKIPPED
from nbjudge.errors import CannotGrade
from nbjudge.execution import job as jobs
from nbjudge.execution import student_kernel
from nbjudge.execution.job import Job, run_job, run_packed_job, unpack_result
from nbjudge.execution.name_analysis import ANSWER, GIVEN, TEST, Source
from nbjudge.execution.settings import ExecutionSettings
from nbjudge.forkserver import preload
from nbjudge.sandbox.sandbox import missing_layers
from nbjudge.secrets import CourseSecret

whole_box = pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}")
GIVEN_CELL = "with open('data/factor.txt') as file:\n    factor = int(file.read())"
RIGHT = "def scaled(x):\n    return factor * x + int(open('own.txt').read())"
TEST_CELL = "print('asking')\nassert scaled(2) == factor * 2 + 1\n1.5"
SALT_VARIABLE = CourseSecret.variable
SHOW_SALT = f"import os\nprint('salt', os.environ.get('{SALT_VARIABLE}'), scaled(2))"
# Run where nobody has read nbgrader_config.py: all it knows is the packed job.
ELSEWHERE = (
    "import sys\nfrom nbjudge.execution.job import run_packed_job\n"
    "sys.stdout.buffer.write(run_packed_job(sys.stdin.buffer.read()))"
)


pytestmark = pytest.mark.slow  # kernels and judges of their own for each job


@pytest.fixture(autouse=True)
def _unprepared(monkeypatch: pytest.MonkeyPatch, kernels_as_before: None) -> None:
    """Doing a job is what prepares a process for it."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    for purpose in jobs.PURPOSES:
        monkeypatch.setitem(preload._lists, purpose, ())


@pytest.fixture
def course() -> Iterator[Path]:
    """A folder with a course's secrets that everybody may read: only the box is in the way."""
    with tempfile.TemporaryDirectory(prefix="course-") as folder:
        os.chmod(folder, 0o755)
        for name in ("gradebook.db", ".course_salt"):
            Path(folder, name).write_text("private")
        yield Path(folder)


def a_job(
    folder: Path, answer: str = RIGHT, test: str = TEST_CELL, more: str = "", course: str = "", salt: str = ""
) -> Job:
    """Return a notebook of three cells and, after them, one that only the student has."""
    files, given = folder / "files", folder / "given"
    for place, factor in ((files, "3"), (given, "3")):
        (place / "data").mkdir(parents=True)
        (place / "data" / "factor.txt").write_text(factor)
    (files / "own.txt").write_text("1")
    (given / "answers.txt").write_text("not for the judge")
    cells = [
        cell("given", GIVEN_CELL, locked=True),
        cell("scaled", answer, solution=True),
        # What a submission put in the place of the test; the text of `sources` is what has to run.
        cell("scaled_test", "assert True", grade=True, locked=True, points=2),
        cell("own", more),
    ]
    sources = (
        Source("given", GIVEN, GIVEN_CELL),
        Source("scaled", ANSWER, "def scaled(x):\n    return 3 * x + 1"),
        Source("scaled_test", TEST, test),
    )
    rules = ExecutionSettings(120, 30, 60, 1 << 20, 3, course=course)
    return Job("tiny", new_notebook(cells=cells), sources, rules, files, given, ("data/factor.txt",), salt)


def printed(done: jobs.JobResult, name: str) -> str:
    """Return what a cell printed, and the names and sentences of its errors."""
    (outputs,) = [one.outputs for one in done.notebook.cells if one.metadata.nbgrader.grade_id == name]
    return "".join(output.get("text", "") or f"{output.get('ename')}: {output.get('evalue')}" for output in outputs)


def all_outputs(done: jobs.JobResult) -> list[object]:
    return [(one.source, one.outputs) for one in done.notebook.cells]


def lines(done: jobs.JobResult, name: str) -> list[str]:
    return printed(done, name).splitlines()


# --- the same here and there


@pytest.mark.parametrize(
    ("answer", "more", "events"),
    [
        (RIGHT, "open('own.txt').read()", []),
        (RIGHT.replace("factor", "7"), "print(factor)\n1 / 0", []),
        ("raise ValueError('no')", "import sys; print('x', file=sys.stderr)", []),
        (RIGHT, "import os\nos._exit(5)", ["died"]),
    ],
    ids=["right", "wrong", "raises", "ends its kernel"],
)
def test_a_job_that_travelled_has_the_same_outputs_and_events(tmp_path, answer, more, events):
    job = a_job(tmp_path, answer, more=more)
    packed = job.pack()
    here, there = run_job(job), unpack_result(run_packed_job(packed))
    assert all_outputs(there) == all_outputs(here)
    assert there.events == here.events
    assert [event["what"] for event in here.events] == events
    assert there.in_force == here.in_force
    assert there.seconds > 0


def test_the_students_data_file_and_the_given_one_are_there_and_the_test_is_the_instructors(tmp_path):
    done = unpack_result(run_packed_job(a_job(tmp_path, more="print(open('own.txt').read(), factor)").pack()))
    assert lines(done, "own") == ["1 3"]
    (shown, result) = done.notebook.cells[2].outputs
    assert (shown.text, result.data["text/plain"]) == ("asking\n", "1.5")


def test_the_judge_has_the_instructors_file_though_the_students_copy_is_another(tmp_path):
    job = a_job(tmp_path, test="assert scaled(2) == 3 * 2 + 1, scaled(2)\nprint(factor)", more="print(factor)")
    (job.files / "data" / "factor.txt").write_text("4")
    done = unpack_result(run_packed_job(job.pack()))
    assert printed(done, "own") == "4\n"
    assert printed(done, "scaled_test") == "AssertionError: 9"


DEMONSTRATION = "losses = [1, 2]\nprint(losses)"


def demonstrated(folder: Path, more: str) -> jobs.JobResult:
    """Run a notebook that holds a demonstration before the cell that only the student has."""
    job = a_job(folder, more=more)
    job.notebook.cells.insert(3, cell("shown", DEMONSTRATION))
    return run_job(replace(job, sources=(*job.sources, Source("shown", GIVEN, DEMONSTRATION, demonstration=True))))


@pytest.mark.parametrize(
    ("more", "shown"),
    [("print(factor)", SKIPPED), ("print(losses)", "[1, 2]\n"), ("x = " + "-" * 10_000 + "losses", "[1, 2]\n")],
    ids=["nobody", "the student's cell", "perhaps"],
)
def test_a_demonstration_is_run_where_a_cell_may_read_what_it_binds(tmp_path, more, shown):
    done = demonstrated(tmp_path, more)
    assert printed(done, "shown") == shown
    assert done.scores == {"scaled_test": 1.5}  # of 2: the test returns it


@pytest.mark.parametrize("reader", ["__import__('os')._exit", "exit", "list", "lambda _: [[1]] * 2", "1 / "])
def test_a_kernel_that_cannot_say_what_cells_read_runs_them_all(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(student_kernel, "_FREE_NAMES", f"({reader})" if reader != "1 / " else reader)
    done = demonstrated(tmp_path, "print(factor)")
    assert printed(done, "shown") == "[1, 2]\n"
    assert printed(done, "own") == "3\n"
    assert done.scores == {"scaled_test": 1.5}  # of 2: the test returns it


def test_of_the_instructors_files_only_those_that_were_named_travel(tmp_path):
    packed = json.loads(a_job(tmp_path).pack())
    assert set(packed["given"]) == {"data/factor.txt"}
    assert set(packed["files"]) == {"data/factor.txt", "own.txt"}
    assert json.dumps(packed).find("not for the judge") == -1


def test_the_reference_tells_what_its_kernels_imported_and_nobody_else_does(tmp_path):
    job = a_job(tmp_path, more="import colorsys")
    done = unpack_result(run_packed_job(replace(job, reference=None).pack()))
    assert "colorsys" in done.modules["submission"]
    assert "colorsys" not in done.modules["judge"]
    assert run_job(job).modules == {}


def test_a_job_takes_along_what_its_kernels_are_to_find_imported(tmp_path):
    preload.preload("submission", ["colorsys"])
    asks = "import sys\nprint('colorsys' in sys.modules)"
    packed = a_job(tmp_path, more=asks).pack()
    preload.preload("submission", ["numpy"])
    done = unpack_result(run_packed_job(packed))
    assert preload.preloaded_modules("submission") == ("colorsys",)
    if sys.platform.startswith("linux"):
        assert printed(done, "own") == "True\n"


def test_all_outputs_of_a_notebook_have_a_limit_and_what_a_test_earns_is_kept(tmp_path):
    job = a_job(tmp_path, answer=f"print('x' * 800_000)\n{RIGHT}", more="print('y' * 800_000)")
    done = run_job(replace(job, rules=replace(job.rules, total_output_bytes=1_000_000)))
    assert len(printed(done, "scaled")) > 800_000
    assert len(printed(done, "own")) < 500
    assert [event["cell"] for event in done.events if event["what"] == "flood"] == ["own"]
    assert "NotGraded" not in printed(done, "scaled_test")


@pytest.mark.parametrize("text", ["'\\ud800'", "'\\udfff' * 3 + 'é'", "b'\\xff'.decode(errors='surrogateescape')"])
def test_what_cannot_be_encoded_is_replaced_here_and_there(tmp_path, text):
    job = a_job(tmp_path, answer=f"def scaled(x):\n    print({text})\n    return 3 * x + 1")
    for done in (run_job(job), unpack_result(run_packed_job(job.pack()))):
        assert "\ufffd" in printed(done, "scaled_test")
        assert nbformat.writes(done.notebook).encode()


def test_the_time_for_a_notebook_includes_its_preparation(tmp_path, monkeypatch):
    now = iter([1000.0])
    real = jobs.time.monotonic
    monkeypatch.setattr(jobs.time, "monotonic", lambda: next(now, None) or real() + 2000.0)
    job = a_job(tmp_path)
    done = run_job(replace(job, rules=replace(job.rules, total_seconds=60)))
    assert "The time for the whole notebook (60 s) was used up" in printed(done, "scaled_test")


# --- what goes wrong travels, too


def travelled(monkeypatch: pytest.MonkeyPatch, folder: Path, error: BaseException) -> bytes:
    """Return what a worker sends when running a submission raises this."""

    def fail(_: Job) -> None:
        raise error

    monkeypatch.setattr(jobs, "run_job", fail)
    return run_packed_job(a_job(folder).pack())


def test_a_sentence_for_the_instructor_arrives_as_it_is(monkeypatch, tmp_path):
    packed = travelled(monkeypatch, tmp_path, CannotGrade("The box has gaps. Mend it."))
    with pytest.raises(CannotGrade, match=r"^The box has gaps\. Mend it\.$"):
        unpack_result(packed)


def test_a_full_disk_is_still_a_full_disk(monkeypatch, tmp_path):
    packed = travelled(monkeypatch, tmp_path, OSError(errno.ENOSPC, "No space left", "/somewhere"))
    with pytest.raises(OSError, match="No space left") as caught:
        unpack_result(packed)
    assert caught.value.errno == errno.ENOSPC
    assert is_machine_error(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("by zero"),
        OSError("no number"),
        RuntimeError("kernel: é"),
        MemoryError("m"),
        RecursionError("r"),
    ],
)
def test_any_other_error_arrives_with_its_traceback(monkeypatch, tmp_path, error):
    packed = travelled(monkeypatch, tmp_path, error)
    with pytest.raises(RuntimeError) as caught:
        unpack_result(packed)
    assert f"{type(error).__name__}: {error}" in str(caught.value)
    assert "in fail" in str(caught.value)
    assert not is_machine_error(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), OSError("no number"), UnicodeError()])
def test_what_a_text_can_raise_is_not_the_machines(error):
    assert not is_machine_error(error)
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("of another") from error
    assert not is_machine_error(caught.value)


def test_bytes_that_are_no_job_are_an_answer_as_well():
    with pytest.raises(RuntimeError, match="JSONDecodeError"):
        unpack_result(run_packed_job(b"{"))


def test_a_package_that_the_worker_lacks_is_named_with_the_way_out(tmp_path):
    job = a_job(tmp_path)
    job = replace(job, rules=replace(job.rules, sandbox={"packages": ["/nowhere/no_such_helpers"]}))
    sentence = "The package no_such_helpers, which the lessons import, is not installed on this worker. Install there"
    with pytest.raises(CannotGrade, match=sentence):
        unpack_result(run_packed_job(job.pack()))


@pytest.mark.parametrize("place", ["own", "installed"])
def test_a_package_is_taken_from_its_place_or_from_where_it_is_installed(tmp_path, place, monkeypatch):
    (tmp_path / place / "no_such_helpers").mkdir(parents=True)
    (tmp_path / place / "no_such_helpers" / "__init__.py").write_text(f"place = {place!r}")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    job = a_job(tmp_path, more="import no_such_helpers\nprint(no_such_helpers.place)")
    job = replace(job, rules=replace(job.rules, sandbox={"packages": [str(tmp_path / "own" / "no_such_helpers")]}))
    assert printed(unpack_result(run_packed_job(job.pack())), "own") == f"{place}\n"


# --- where it is run

SPY = textwrap.dedent("""
    import os
    def look(what):
        try:
            return what()
        except Exception as error:
            return type(error).__name__
    print(repr(look(lambda: os.environ.get(SALT))))
    print(look(lambda: SECRET in open('/proc/self/environ').read()))
    print(look(lambda: SECRET in open(f'/proc/{os.getppid()}/environ').read()))
    print(look(lambda: open(f'{COURSE}/gradebook.db').read()))
    print(look(lambda: open(f'{COURSE}/.course_salt').read()))
    print(look(lambda: os.listdir(COURSE)))
""")


@pytest.mark.slow
@whole_box
@pytest.mark.parametrize("forked", [True, False])
def test_the_box_holds_in_a_process_that_never_read_the_settings(tmp_path, course, forked):
    secret = "the" + " salt"  # so that the spy itself does not hold it
    spy = f"SALT, COURSE, SECRET = {SALT_VARIABLE!r}, {str(course)!r}, 'the' + chr(32) + 'salt'\n{SPY}"
    job = a_job(tmp_path, test=SHOW_SALT, more=spy, course=str(course), salt=secret)
    job = replace(job, rules=replace(job.rules, sandbox={"forked": forked}))
    around = surroundings(tmp_path, **{SALT_VARIABLE: secret})  # of the worker, for once: it may not get through
    worker = subprocess.run([sys.executable, "-c", ELSEWHERE], input=job.pack(), env=around, capture_output=True)
    done = unpack_result(worker.stdout)
    assert done.in_force.startswith("sandbox: ")
    assert done.in_force.endswith("not in force: nothing")
    assert lines(done, "own") == ["None", "False", "PermissionError", *["PermissionError"] * 3]
    assert printed(done, "scaled_test") == f"salt {secret} 7\n"  # the judge has it


def work_in_thread(packed: bytes) -> bytes:
    try:
        return run_packed_job(packed)
    finally:
        asyncio.get_event_loop().close()  # it was made for this thread, which ends


@pytest.mark.slow
def test_jobs_done_at_once_in_one_process_each_have_their_own_salt(tmp_path):
    salts = [f"salt{number}" for number in range(3)] + [""]
    packed = [a_job(tmp_path / f"{n}", test=SHOW_SALT, salt=salt).pack() for n, salt in enumerate(salts)]
    with ThreadPoolExecutor(len(salts)) as threads:
        seen = [printed(unpack_result(done), "scaled_test") for done in threads.map(work_in_thread, packed)]
    assert seen == [f"salt {salt or None} 7\n" for salt in salts]


def test_nothing_of_a_job_is_left_behind(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        unpack_result(run_packed_job(a_job(tmp_path, more="open('mine', 'w').write('x')").pack()))
        left = [path.name for path in Path(folder).glob("box-*/*")]
    # What all preload share, and the folder around jobs, go with the process.
    assert "owner" in left
    assert set(left) <= {"home", "owner", "packages"}
    assert SALT_VARIABLE not in os.environ


@pytest.mark.slow
def test_a_job_can_be_done_inside_a_running_loop(tmp_path):
    """Dask's workers and JupyterLab's server have one."""

    async def served() -> bytes:
        return run_packed_job(packed)

    packed = a_job(tmp_path).pack()
    assert printed(unpack_result(asyncio.run(served())), "scaled_test").startswith("asking")


def test_what_stands_for_withheld_modules_is_not_imported_for_the_kernels_after_it(tmp_path):
    """Or the process that they are forked from would import the real ones."""
    job = a_job(tmp_path, answer=f"import colorsys\n{RIGHT}")
    sources = tuple(replace(source, from_scratch=source.kind == TEST) for source in job.sources)
    job = replace(job, sources=sources, rules=replace(job.rules, withheld=("colorsys",)), reference=None)
    modules = run_job(job).modules["submission from scratch"]
    assert "numpy" in modules
    assert "colorsys" not in modules
