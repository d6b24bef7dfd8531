"""Execute the solved lessons once and keep their outputs, by a hash of everything that the outputs depend on."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from nbjudge import temporary_env
from tools.lint import Lesson

LIBRARIES = ("numpy", "matplotlib", "ipywidgets", "tensorflow", "keras")
CELL_TIMEOUT_S = 1800  # the longest training takes a minute or two on an idle machine
GENERATED = {"__pycache__"}


class ExecutionError(Exception):
    """Raised when a cell of a solved lesson fails; the message names the lesson, the cell and the error."""


class OutputCache:
    """Outputs of solved lessons, one file for each content: `LESSON-HASH.json` in `folder`."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self._helpers = _hash_of_folder(root / "rnn_helpers")

    def is_cached(self, lesson: Lesson) -> bool:
        """Return whether the outputs of this lesson are stored."""
        return self._path(lesson).exists()

    def outputs(self, lesson: Lesson) -> dict[str, list[NotebookNode]]:
        """Return {cell id: outputs} of the solved lesson; execute it when its content is new.

        Raises ExecutionError.
        """
        path = self._path(lesson)
        if not path.exists():
            outputs = execute(solved(lesson), self.root, lesson.name)
            for outdated in self.folder.glob(f"{lesson.name}-*.json"):
                outdated.unlink()
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_text(json.dumps(outputs), encoding="utf-8")
            unfinished.replace(path)  # an interrupted build leaves no half-written outputs
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {cell: [nbformat.from_dict(output) for output in outputs] for cell, outputs in stored.items()}

    def _path(self, lesson: Lesson) -> Path:
        sources = json.dumps([cell.source for cell in solved(lesson).cells if cell.cell_type == "code"])
        data = _hash_of_folder(self.root / "lessons" / lesson.name)
        libraries = " ".join(f"{name}=={version(name)}" for name in LIBRARIES)
        key = hashlib.sha256("\0".join([sources, data, self._helpers, libraries]).encode()).hexdigest()
        return self.folder / f"{lesson.name}-{key[:16]}.json"


def solved(lesson: Lesson) -> NotebookNode:
    """Return the student's notebook with the solutions filled in: no hidden test is executed."""
    solutions = {cell.id: cell.source for cell in lesson.solution.cells}
    notebook = copy.deepcopy(lesson.released)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = solutions[cell.id]
    return notebook


def execute(notebook: NotebookNode, root: Path, name: str) -> dict[str, list[NotebookNode]]:
    """Run a notebook in a new kernel, in a copy of its lesson's folder; return {cell id: outputs} of its code cells.

    Raises ExecutionError.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    with tempfile.TemporaryDirectory() as folder, _student_environment(root, Path(folder)):
        work = Path(folder) / name
        lesson = root / "lessons" / name
        if lesson.is_dir():
            shutil.copytree(lesson, work)
        work.mkdir(exist_ok=True)
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(work)}},
            extra_arguments=["--log-level=ERROR"],  # the kernel's own log, such as advice about its transport
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise ExecutionError(f"{_failed_cell(notebook, name)} raises {error.ename}: {error.evalue}") from error
        except (CellTimeoutError, DeadKernelError, AssertionError) as error:
            if client.km is None:  # nbclient's answer to Ctrl-C, in place of KeyboardInterrupt
                raise KeyboardInterrupt from error
            raise ExecutionError(f"{_failed_cell(notebook, name)} did not finish: {error}") from error
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def _failed_cell(notebook: NotebookNode, name: str) -> str:
    """Return a description of the last cell that was started."""
    started = [cell for cell in notebook.cells if cell.get("execution_count") or cell.get("outputs")]
    return f"source/{name}.py, cell {started[-1].id if started else notebook.cells[0].id} of the solved lesson"


def _student_environment(root: Path, folder: Path) -> AbstractContextManager[None]:
    """Give kernels a student's settings: no grading, progress and IPython's files in `folder`, one thread a library."""
    return temporary_env(
        PYTHONPATH=str(root),
        IPYTHONDIR=str(folder / "ipython"),
        RNN_COURSE_PROGRESS=str(folder / "progress.txt"),
        MPLBACKEND="agg",
        NO_COLOR="1",
        NBGRADER_EXECUTION=None,
        KERAS_BACKEND=None,
    )


def _hash_of_folder(folder: Path) -> str:
    """Return a hash of the names and contents of all files below a folder."""
    total = hashlib.sha256()
    for path in _files(folder.rglob("*")):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file() and GENERATED.isdisjoint(path.parts))
