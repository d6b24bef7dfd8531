"""Inspect a submission as data before anything in it runs: repair what can be repaired, and refuse the rest.

A submission passes through in one direction: `survey` reads the folder, `find_notebook` parses its notebooks,
`repair` restores their cells, and `inspect` puts the results together. Only `clean_copy` writes, to a new folder.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from nbjudge.intake.expected_cells import Expected, ExpectedCell, expected_cells
from nbjudge.intake.file_survey import TIMESTAMP, Limits, survey
from nbjudge.intake.messages import Note, Refusal, sentences
from nbjudge.intake.notebook_reader import METADATA
from nbjudge.intake.notebook_search import find_notebook
from nbjudge.intake.repair import repair
from nbjudge.intake.safe_open import read_inside
from nbjudge.text import quote

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

INSTEAD = "The notebook of the lesson's name cannot be graded; another with the lesson's cells is, instead of {}."
RENAMED = "The lesson's notebook had another name; it was found by its cells: {}."
NOT_GRADED = "Notebooks that are not the lesson's are not graded; left out: {}."
BAD_TIMESTAMP = "The time of submission (`timestamp.txt`) was not a time; it was left out."
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
    limits = limits or Limits()
    try:
        surveyed = survey(folder, expected, limits, modules)
    except OSError as error:
        refusal = Refusal(
            "Your submission could not be read. Submit it again, as a plain folder with the lesson's notebook.",
            f"{quote(str(folder.name))} is not a folder that can be read: {error.strerror or error}.",
        )
        return Preflight(refusals=dict.fromkeys(("", *expected), refusal))
    result = Preflight(files=surveyed.files, timestamp=_parse_timestamp(surveyed.timestamp or b""))
    notes = list(surveyed.notes)
    if surveyed.timestamp is not None and result.timestamp is None:
        notes.append(Note(BAD_TIMESTAMP))
    used_paths = set(surveyed.named.values())
    notebook_notes: dict[str, list[Note]] = {}
    for name, cells in expected.items():
        found = find_notebook(name, cells, surveyed, limits, used_paths)
        if isinstance(found, Refusal):
            result.refusals[name] = found
            continue
        used_paths.add(found.path)
        named = surveyed.named.get(name, found.path)
        renamed = [Note(RENAMED, found.path)] if found.path != f"{name}.ipynb" else []
        instead = [Note(INSTEAD, named)] if found.path != named else []
        found.notebook.cells, repairs = repair(name, found.notebook.cells, cells)
        result.notebooks[name] = found.notebook
        notebook_notes[name] = [*renamed, *found.notes, *repairs, *instead]
    notes += [Note(NOT_GRADED, path) for path in surveyed.notebooks if path not in used_paths]
    result.repairs = sentences(notes)
    for name, notebook in result.notebooks.items():
        own = sentences(notebook_notes[name])
        notebook.metadata["grading"] = {"repairs": sentences(notes) + own}
        prefix = f"{quote(name)}: " if len(expected) > 1 else ""
        result.repairs += [prefix + sentence for sentence in own]
    return result


def _parse_timestamp(content: bytes) -> str | None:
    """Return the text of nbgrader's timestamp.txt if nbgrader can parse it."""
    from nbgrader.utils import parse_utc

    try:
        text = content.decode("ascii").strip()
        if TIME.fullmatch(text):
            parse_utc(text)
            return text
    except (ValueError, OverflowError):
        pass
    return None


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
    lost = []
    target.mkdir(parents=True, exist_ok=True)
    for path, size in preflight.files.items():
        try:
            content = read_inside(folder, path, size)
        except OSError:
            lost.append(Note(LOST, path))
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    if preflight.timestamp is not None:
        (target / TIMESTAMP).write_text(preflight.timestamp, encoding="utf-8")
    for name, notebook in preflight.notebooks.items():
        (target / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return sentences(lost)
