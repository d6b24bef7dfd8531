"""One notebook of a submission to execute, with its files and settings, as plain data.

A job runs in the grader's own process, or is sent to another one as bytes and answered with JSON. The other process may
be on another machine, which is trusted: it sees hidden tests and the course's secret.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from nbformat import NotebookNode

from nbjudge.environment import MEMORY_VARIABLE, NOTEBOOK_VARIABLE
from nbjudge.errors import CannotGrade
from nbjudge.execution.name_analysis import Plan, Source
from nbjudge.execution.session import Session
from nbjudge.execution.settings import ExecutionSettings, ReferenceRun
from nbjudge.execution.student_kernel import files_in
from nbjudge.forkserver.preload import preload, preloaded_modules
from nbjudge.judge import process
from nbjudge.sandbox import provisioner
from nbjudge.sandbox.scratch import scratch
from nbjudge.secrets import CourseSecret

PURPOSES = (process.PURPOSE, provisioner.PURPOSE, provisioner.PURPOSE_FROM_SCRATCH)


@dataclass(frozen=True)
class Job:
    """One notebook to execute and judge.

    name: of the notebook
    sources: the code cells of the instructor's notebook
    files: the submission's folder; instructor_files: the instructor's; overwriting: those of them that the judge gets
    salt: the course's secret; salt_variable: the environment variable in which tests read it
    reference: the run of the instructor's own solution; None if this is that solution
    """

    name: str
    notebook: NotebookNode
    sources: tuple[Source, ...]
    rules: ExecutionSettings
    files: Path
    instructor_files: Path
    overwriting: tuple[str, ...] = ()
    salt: str = ""
    salt_variable: str = CourseSecret.variable
    reference: ReferenceRun | None = ReferenceRun()

    def pack(self) -> bytes:
        """Return the job as bytes, including its files."""
        data = {
            "name": self.name,
            "notebook": self.notebook,
            "sources": [asdict(source) for source in self.sources],
            "rules": asdict(self.rules),
            "salt": self.salt,
            "salt_variable": self.salt_variable,
            "reference": asdict(self.reference) if self.reference else None,
            "modules": {purpose: list(preloaded_modules(purpose)) for purpose in PURPOSES},
            "files": _pack_files(self.files, files_in(self.files)),
            "given": _pack_files(self.instructor_files, map(Path, self.overwriting)),
        }
        return json.dumps(data).encode()


@dataclass(frozen=True)
class JobResult:
    """An executed notebook with its outputs and scores.

    scores: {test cell: points, None for a person to decide}
    events: incidents of the run, as {"cell", "what", "sentence"}
    seconds: duration of the run; in_force: the sandbox layers in force
    modules: {purpose: names of the modules imported by the end}, for the reference only
    reference: the run of the instructor's own solution, if this was it
    """

    notebook: NotebookNode
    scores: Mapping[str, float | None]
    events: list[dict[str, str]]
    seconds: float
    in_force: str
    modules: Mapping[str, list[str]] = field(default_factory=dict)
    reference: ReferenceRun | None = None


def cell_texts(notebook: NotebookNode) -> list[str]:
    """Return the type and source of each cell; two notebooks with equal texts run alike."""
    return [f"{cell.cell_type} {cell.source}" for cell in notebook.cells]


def run_job(job: Job) -> JobResult:
    """Execute and judge a notebook in kernels of this process. Raises CannotGrade if no submission can run here."""
    provisioner.use_sandbox()  # a worker does not read nbgrader_config.py
    start = time.monotonic()
    notebook = nbformat.from_dict(job.notebook)
    modules: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="submission-", dir=scratch(), ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # the submission's own user may reach its copy, and list nothing else
        instructor_files = Path(folder, "given")
        instructor_files.mkdir(mode=0o700)
        for file in map(Path, job.overwriting):
            (instructor_files / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(job.instructor_files / file, instructor_files / file)
        secret = {job.salt_variable: job.salt} if job.salt else {}
        memory = {MEMORY_VARIABLE: str(job.rules.judge_memory_mb)} if job.rules.judge_memory_mb else {}
        variables = {NOTEBOOK_VARIABLE: job.name, **secret, **memory}
        inputs = (job.rules, notebook, Plan.of(job.sources), job.files, instructor_files, variables, job.reference)
        reference = None
        for use_one_kernel in (True, False):  # as few as the reference gets by with
            session = Session(*inputs, use_one_kernel)
            session.deadline = start + job.rules.total_seconds  # preparation counts
            try:
                run_sync(session.run)()
                if job.reference is not None:
                    break
                if not session.lacks_modules:
                    modules = run_sync(session.modules)()
                    reference = session.reference_run()
                    break
            finally:
                run_sync(session.stop)()
    seconds = time.monotonic() - start
    return JobResult(notebook, session.scores, session.events, seconds, session.in_force, modules, reference)


def run_packed_job(packed: bytes) -> bytes:
    """Run a packed job and return its result as JSON, in bytes."""
    try:
        data = json.loads(packed)
        for purpose, names in data["modules"].items():
            if tuple(names) != preloaded_modules(purpose):
                preload(purpose, names)
        with tempfile.TemporaryDirectory(prefix="job-", dir=scratch()) as folder:
            files, instructor_files = Path(folder, "files"), Path(folder, "given")
            _unpack(data["files"], files)
            _unpack(data["given"], instructor_files)
            rules = ExecutionSettings(**{**data["rules"], "withheld": tuple(data["rules"]["withheld"])})
            rules = replace(
                rules,
                sandbox={**rules.sandbox, "packages": [_require_package(p) for p in rules.sandbox.get("packages", [])]},
            )
            job = Job(
                name=data["name"],
                notebook=nbformat.from_dict(data["notebook"]),
                sources=tuple(Source(**source) for source in data["sources"]),
                rules=rules,
                files=files,
                instructor_files=instructor_files,
                overwriting=tuple(data["given"]),
                salt=data["salt"],
                salt_variable=data["salt_variable"],
                reference=ReferenceRun.from_data(data["reference"]) if data["reference"] else None,
            )
            return json.dumps(asdict(run_job(job))).encode()
    except CannotGrade as error:
        return json.dumps({"cannot": str(error)}).encode()
    except Exception as error:  # as data: not every exception can be pickled
        number = error.errno if isinstance(error, OSError) else None
        return json.dumps({"error": traceback.format_exc(), "errno": number}).encode()


def unpack_result(packed: bytes) -> JobResult:
    """Decode the return value of `run_packed_job`. Raises the CannotGrade, OSError or RuntimeError in it."""
    data: dict[str, Any] = json.loads(packed)
    if "cannot" in data:
        raise CannotGrade(data["cannot"])
    if "error" in data:
        raise OSError(data["errno"], data["error"]) if data["errno"] else RuntimeError(data["error"])
    reference = ReferenceRun.from_data(data["reference"]) if data["reference"] else None
    return JobResult(**{**data, "notebook": nbformat.from_dict(data["notebook"]), "reference": reference})


def find_package(package: str) -> Path | None:
    """Return the folder of a course package on this machine: its own path if it exists, else where it is installed."""
    if Path(package).is_dir():
        return Path(package)
    spec = importlib.util.find_spec(Path(package).name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _require_package(package: str) -> str:
    folder = find_package(package)
    if folder is None:
        raise CannotGrade(
            f"The package {Path(package).name}, which the lessons import, is not installed on this worker. Install "
            "there what is installed where you grade: the same packages, in the same versions."
        )
    return str(folder)


def _pack_files(folder: Path, names: Iterable[Path]) -> dict[str, str]:
    return {str(name): base64.b64encode((folder / name).read_bytes()).decode() for name in names}


def _unpack(packed: Mapping[str, str], folder: Path) -> None:
    folder.mkdir()
    for name, text in packed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(base64.b64decode(text))
