"""Inspect a submission as data before anything in it runs: repair what can be repaired, and refuse the rest.

`inspect` only reads the folder; `clean_copy` writes what can be graded to a new folder.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from nbjudge.intake.expected_cells import Expected, ExpectedCell, expected_cells
from nbjudge.intake.file_survey import TIMESTAMP, Limits, Survey, survey
from nbjudge.intake.messages import Notes, Refusal, RefusedError
from nbjudge.intake.notebook_reader import METADATA, read_notebook
from nbjudge.intake.repair import count_matches, repair
from nbjudge.intake.safe_open import read_inside
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.text import join_names, quote

__all__ = [
    "Expected",
    "ExpectedCell",
    "Limits",
    "Preflight",
    "Refusal",
    "blank_notebook",
    "clean_copy",
    "expected_cells",
    "inspect",
]

# As nbgrader writes it: 2026-05-04 10:20:30.123456 UTC. A time zone must not be a path, which dateutil would open.
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d|[A-Za-z][A-Za-z0-9_+/-]{0,40}))?"
)

_Read = tuple[NotebookNode, Notes]

CANDIDATES_MB = 200  # of notebooks with other names that are searched for a missing one
TIMESTAMP_BYTES = 200

INSTEAD = "The notebook of the lesson's name cannot be graded; another with the lesson's cells is, instead of {}."
RENAMED = "The lesson's notebook had another name; it was found by its cells: {}."
NOT_GRADED = "Notebooks that are not the lesson's are not graded; left out: {}."
BAD_TIMESTAMP = "The time of submission (`timestamp.txt`) was not a time; it was left out."
ANOTHER = "Most of the cells with a label are none of this lesson's, so this may be the notebook of another one: {}."
LOST = "What changed or could not be read while it was copied is left out: {}."


@dataclass
class Preflight:
    """The gradable parts of a submission.

    notebooks: {name: repaired, valid notebook of format 4.5 without outputs}; metadata.grading.repairs lists repairs
    files: {relative path: bytes} of the other files that are safe to copy
    repairs: one sentence for each kind of repair; usually empty
    refusals: {name: why this notebook is not graded}; the name "" when the whole submission could not be read
    timestamp: the text of nbgrader's timestamp.txt, if it is a valid time
    Each expected notebook is in either notebooks or refusals.
    """

    notebooks: dict[str, NotebookNode] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    timestamp: str | None = None


def inspect(folder: Path, expected: Expected, limits: Limits | None = None, modules: Collection[str] = ()) -> Preflight:
    """Inspect a submission's folder; no content of it can raise an error.

    modules: reserved module names, in addition to those of installed packages
    """
    limits, file_notes, result = limits or Limits(), Notes(), Preflight()
    try:
        surveyed = survey(folder, limits, modules, file_notes)
    except OSError as error:
        refusal = Refusal(
            "Your submission could not be read. Submit it again, as a plain folder with the lesson's notebook.",
            f"{quote(str(folder.name))} is not a folder that can be read: {error.strerror or error}.",
        )
        return Preflight(refusals=dict.fromkeys(("", *expected), refusal))
    result.files = surveyed.files
    result.timestamp = _timestamp(folder, file_notes) if surveyed.timestamp else None
    used_paths = {path for name in expected if (path := _path_of(surveyed.notebooks, name))}
    notebook_notes: dict[str, Notes] = {}
    for name, cells in expected.items():
        read = _find_notebook(folder, surveyed, name, cells, used_paths)
        if isinstance(read, Refusal):
            result.refusals[name] = read
        else:
            result.notebooks[name], notebook_notes[name] = read
    for path in surveyed.notebooks:
        if path not in used_paths:
            file_notes.add(NOT_GRADED, path)
    result.repairs = file_notes.sentences()
    for name, notes in notebook_notes.items():
        result.notebooks[name].metadata["grading"] = {"repairs": file_notes.sentences() + notes.sentences()}
        prefix = f"{quote(name)}: " if len(expected) > 1 else ""
        result.repairs += [prefix + sentence for sentence in notes.sentences()]
    return result


def blank_notebook(expected: list[ExpectedCell]) -> NotebookNode:
    """Return the assignment's labelled cells without answers, in place of a refused notebook."""
    cells = [cell_spec.cell(cell_spec.source if cell_spec.locked else cell_spec.released) for cell_spec in expected]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    notebook: NotebookNode = new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))
    return notebook


def clean_copy(folder: Path, preflight: Preflight, target: Path) -> list[str]:
    """Write the gradable parts to the new folder `target`; return a sentence about files that could not be copied.

    Raises OSError when `target` cannot be written.
    """
    notes = Notes()
    target.mkdir(parents=True, exist_ok=True)
    for path, size in preflight.files.items():
        try:
            content = read_inside(folder, path, size)
        except OSError:
            notes.add(LOST, path)
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    if preflight.timestamp is not None:
        (target / TIMESTAMP).write_text(preflight.timestamp, encoding="utf-8")
    for name, notebook in preflight.notebooks.items():
        (target / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return notes.sentences()


def _path_of(paths: list[str], name: str) -> str | None:
    """Return the path of the top-level notebook of this name, ignoring case if there is no exact match."""
    top_level = [path for path in paths if "/" not in path]
    matches = [path for path in top_level if path.casefold() == f"{name}.ipynb".casefold()]
    return f"{name}.ipynb" if f"{name}.ipynb" in top_level else matches[0] if matches else None


def _find_notebook(
    folder: Path, surveyed: Survey, name: str, expected: list[ExpectedCell], used_paths: set[str]
) -> _Read | Refusal:
    """Read one expected notebook, found by its name or else by the labels of its cells."""
    exact_path = _path_of(surveyed.notebooks, name)
    refusal = None
    if exact_path:
        try:
            return _read(folder, exact_path, name, expected, surveyed.limits)
        except RefusedError as error:
            refusal = error.refusal
    candidates = [path for path in surveyed.notebooks if path not in used_paths]
    candidates.sort(key=lambda path: _dissimilarity(path, name))
    for path in _rank(folder, candidates, expected, surveyed.limits):
        try:
            notebook, notes = _read(folder, path, name, expected, surveyed.limits)
        except RefusedError:
            continue
        if exact_path:
            notes.add(INSTEAD, exact_path)
        used_paths.add(path)
        return notebook, notes
    return refusal or _missing_refusal(name, surveyed)


def _missing_refusal(name: str, surveyed: Survey) -> Refusal:
    file = f"{name}.ipynb"
    reason = surveyed.left_out.get(file, "").split(";")[0]
    contents = (
        f"The submission holds {join_names(surveyed.notebooks)}."
        if surveyed.notebooks
        else "It holds no other notebook."
    )
    return Refusal(
        f"Your submission has no notebook {quote(file)} that can be graded. Put the lesson's notebook under this name "
        "into the folder of the lesson, as a plain file, and submit it again.",
        f"{reason or 'There is no such file'}: {quote(file)}. {contents}",
    )


def _dissimilarity(path: str, name: str) -> tuple[bool, bool, int, str]:
    """Return a sort key for paths by similarity to `name`: the same name first, then names such as 'name (1)'."""
    stem, notebook = PurePosixPath(path).stem.casefold(), name.casefold()
    return stem != notebook, notebook not in stem, path.count("/"), path


def _rank(folder: Path, paths: list[str], expected: list[ExpectedCell], limits: Limits) -> list[str]:
    """Return the notebooks that have most of the expected cells, the one with the most answers first.

    paths: the most likely first; at most CANDIDATES_MB are read
    """
    scores = {}
    bytes_left = CANDIDATES_MB << 20
    for path in paths:
        try:
            content = _read_bytes(folder, path, limits)
            bytes_left -= len(content) + 1000
            if bytes_left < 0:
                break
            cells = read_notebook(content, limits, Notes()).cells
        except RefusedError:
            continue
        expected_count, answer_count = count_matches(cells, expected)
        if 2 * expected_count > len(expected):
            scores[path] = (-expected_count, -answer_count, path.count("/"), path)
    return sorted(scores, key=lambda path: scores[path])


def _read(folder: Path, path: str, name: str, expected: list[ExpectedCell], limits: Limits) -> _Read:
    """Return a repaired notebook and notes on its repairs. Raises RefusedError when it cannot be graded."""
    notes = Notes()
    if path != f"{name}.ipynb":
        notes.add(RENAMED, path)
    notebook = read_notebook(_read_bytes(folder, path, limits), limits, notes)
    if _is_other_assignment(notebook.cells, expected):
        notes.add(ANOTHER, name)
    notebook.cells = repair(notebook.cells, expected, notes)
    return notebook, notes


def _is_other_assignment(cells: list[NotebookNode], expected: list[ExpectedCell]) -> bool:
    """Return whether fewer than half of the expected cells are present, and more cells of another assignment."""
    names = {CellLabel.of(cell).fields.get("grade_id") for cell in cells} - {None}
    expected_count = len(names & {cell.name for cell in expected})
    return 2 * expected_count < len(expected) and len(names) > 2 * expected_count


def _read_bytes(folder: Path, path: str, limits: Limits) -> bytes:
    try:
        return read_inside(folder, path, limits.notebook_mb << 20)
    except OSError as error:
        raise RefusedError(
            f"{quote(path)} could not be read: it must be a plain file of at most {limits.notebook_mb} MB. Clear all "
            "outputs, save it and submit it again.",
            f"{quote(path)} could not be read: {error.strerror or error}.",
        ) from None


def _timestamp(folder: Path, notes: Notes) -> str | None:
    """Return the text of nbgrader's timestamp.txt if nbgrader can parse it."""
    from nbgrader.utils import parse_utc

    try:
        text = read_inside(folder, TIMESTAMP, TIMESTAMP_BYTES).decode("ascii").strip()
        if TIME.fullmatch(text):
            parse_utc(text)
            return text
    except (OSError, ValueError, OverflowError):
        pass
    notes.add(BAD_TIMESTAMP)
    return None
