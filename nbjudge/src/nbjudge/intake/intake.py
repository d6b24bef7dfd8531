"""Read a submission as data, before anything in it runs: repair what is safe to repair, and refuse the rest.

`inspect` reads the folder and writes nothing; `clean_copy` writes what may be graded to a new one.
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
from nbjudge.intake.messages import Notes, Refusal, Refused
from nbjudge.intake.notebook_reader import METADATA, read_notebook
from nbjudge.intake.repair import answered, repair
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

# As nbgrader writes it: 2026-05-04 10:20:30.123456 UTC. A zone may not be a path, which dateutil would open.
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d|[A-Za-z][A-Za-z0-9_+/-]{0,40}))?"
)

_Read = tuple[NotebookNode, Notes]

CANDIDATES_MB = 200  # of notebooks of other names that are looked into for the one that is missing
TIMESTAMP_BYTES = 200

INSTEAD = "The notebook of the lesson's name cannot be graded; another with the lesson's cells is, instead of {}."
RENAMED = "The lesson's notebook had another name; it was found by its cells: {}."
NOT_GRADED = "Notebooks that are not the lesson's are not graded; left out: {}."
BAD_TIMESTAMP = "The time of submission (`timestamp.txt`) was not a time; it was left out."
ANOTHER = "Most of the cells with a label are none of this lesson's, so this may be the notebook of another one: {}."
LOST = "What changed or could not be read while it was copied is left out: {}."


@dataclass
class Preflight:
    """What can be graded of a submission.

    notebooks: {name: valid notebook of format 4.5 without outputs, repaired}; metadata.grading.repairs says how
    files: {relative path: bytes} of the other files that are safe to take along
    repairs: one sentence for each kind of repair; empty for a plain honest submission
    refusals: {name: why this notebook is not graded}; the name "" when the whole submission could not be read
    timestamp: the text of nbgrader's timestamp.txt, if it is a time
    Each expected notebook is either in notebooks or in refusals.
    """

    notebooks: dict[str, NotebookNode] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    timestamp: str | None = None


def inspect(folder: Path, expected: Expected, limits: Limits | None = None, modules: Collection[str] = ()) -> Preflight:
    """Read a submission's folder; nothing that is in it raises an error.

    modules: names of modules that no file may take, besides those of installed packages
    """
    limits, about_files, found = limits or Limits(), Notes(), Preflight()
    try:
        surveyed = survey(folder, limits, modules, about_files)
    except OSError as error:
        refusal = Refusal(
            "Your submission could not be read. Submit it again, as a plain folder with the lesson's notebook.",
            f"{quote(str(folder.name))} is not a folder that can be read: {error.strerror or error}.",
        )
        return Preflight(refusals=dict.fromkeys(("", *expected), refusal))
    found.files = surveyed.files
    found.timestamp = _timestamp(folder, about_files) if surveyed.timestamp else None
    taken = {path for name in expected if (path := _exact(surveyed.notebooks, name))}
    abouts: dict[str, Notes] = {}
    for name, cells in expected.items():
        read = _find(folder, surveyed, name, cells, taken)
        if isinstance(read, Refusal):
            found.refusals[name] = read
        else:
            found.notebooks[name], abouts[name] = read
    for path in surveyed.notebooks:
        if path not in taken:
            about_files.add(NOT_GRADED, path)
    found.repairs = about_files.sentences()
    for name, notes in abouts.items():
        found.notebooks[name].metadata["grading"] = {"repairs": about_files.sentences() + notes.sentences()}
        prefix = f"{quote(name)}: " if len(expected) > 1 else ""
        found.repairs += [prefix + sentence for sentence in notes.sentences()]
    return found


def blank_notebook(expected: list[ExpectedCell]) -> NotebookNode:
    """Return the lesson's labelled cells without answers; it stands in for a notebook that was refused."""
    cells = [wanted.cell(wanted.source if wanted.locked else wanted.released) for wanted in expected]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))


def clean_copy(folder: Path, preflight: Preflight, target: Path) -> list[str]:
    """Write what may be graded to the folder `target`, which is made; return a sentence for what was lost on the way.

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


def _exact(paths: list[str], name: str) -> str | None:
    """Return the path of the notebook of this very name, or of this name in other capitals."""
    top = [path for path in paths if "/" not in path]
    same = [path for path in top if path.casefold() == f"{name}.ipynb".casefold()]
    return f"{name}.ipynb" if f"{name}.ipynb" in top else same[0] if same else None


def _find(folder: Path, found: Survey, name: str, expected: list[ExpectedCell], taken: set[str]) -> _Read | Refusal:
    """Read one expected notebook: by its name or, failing that, by the labels of its cells."""
    exact = _exact(found.notebooks, name)
    refusal = None
    if exact:
        try:
            return _read(folder, exact, name, expected, found.limits)
        except Refused as refused:
            refusal = refused.refusal
    others = [path for path in found.notebooks if path not in taken]
    others.sort(key=lambda path: _unlikeness(path, name))
    for path in _ranked(folder, others, expected, found.limits):
        try:
            notebook, notes = _read(folder, path, name, expected, found.limits)
        except Refused:
            continue
        if exact:
            notes.add(INSTEAD, exact)
        taken.add(path)
        return notebook, notes
    return refusal or _missing(name, found)


def _missing(name: str, found: Survey) -> Refusal:
    file = f"{name}.ipynb"
    reason = found.left_out.get(file, "").split(";")[0]
    there = f"The submission holds {join_names(found.notebooks)}." if found.notebooks else "It holds no other notebook."
    return Refusal(
        f"Your submission has no notebook {quote(file)} that can be graded. Put the lesson's notebook under this name "
        "into the folder of the lesson, as a plain file, and submit it again.",
        f"{reason or 'There is no such file'}: {quote(file)}. {there}",
    )


def _unlikeness(path: str, name: str) -> tuple[bool, bool, int, str]:
    """Return how little a path looks like that of the notebook `name`: the same name first, then 'name (1)'."""
    file, wanted = PurePosixPath(path).stem.casefold(), name.casefold()
    return file != wanted, wanted not in file, path.count("/"), path


def _ranked(folder: Path, paths: list[str], expected: list[ExpectedCell], limits: Limits) -> list[str]:
    """Return the notebooks with most of the expected cells, the one with the most answers first.

    paths: the likeliest first; there is a limit to how much is read
    """
    scores = {}
    left = CANDIDATES_MB << 20
    for path in paths:
        try:
            content = _content(folder, path, limits)
            left -= len(content) + 1000
            if left < 0:
                break
            cells = read_notebook(content, limits, Notes()).cells
        except Refused:
            continue
        known, answers = answered(cells, expected)
        if 2 * known > len(expected):
            scores[path] = (-known, -answers, path.count("/"), path)
    return sorted(scores, key=lambda path: scores[path])


def _read(folder: Path, path: str, name: str, expected: list[ExpectedCell], limits: Limits) -> _Read:
    """Return a notebook, repaired, and the repairs. Raises Refused when it cannot be graded."""
    notes = Notes()
    if path != f"{name}.ipynb":
        notes.add(RENAMED, path)
    notebook = read_notebook(_content(folder, path, limits), limits, notes)
    if _is_another(notebook.cells, expected):
        notes.add(ANOTHER, name)
    notebook.cells = repair(notebook.cells, expected, notes)
    return notebook, notes


def _is_another(cells: list[NotebookNode], expected: list[ExpectedCell]) -> bool:
    """Return whether fewer than half of the expected cells are there, and more of some other lesson."""
    names = {CellLabel.of(cell).fields.get("grade_id") for cell in cells} - {None}
    known = len(names & {cell.name for cell in expected})
    return 2 * known < len(expected) and len(names) > 2 * known


def _content(folder: Path, path: str, limits: Limits) -> bytes:
    try:
        return read_inside(folder, path, limits.notebook_mb << 20)
    except OSError as error:
        raise Refused(
            f"{quote(path)} could not be read: it must be a plain file of at most {limits.notebook_mb} MB. Clear all "
            "outputs, save it and submit it again.",
            f"{quote(path)} could not be read: {error.strerror or error}.",
        ) from None


def _timestamp(folder: Path, notes: Notes) -> str | None:
    """Return the text of nbgrader's timestamp.txt if nbgrader can read a time in it."""
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
