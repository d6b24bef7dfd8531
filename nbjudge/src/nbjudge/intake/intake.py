"""Inspect a submission as data before anything in it runs: repair what can be repaired, and refuse the rest.

A submission passes through in one direction: `survey` reads the folder, `_find_notebook` parses its notebooks,
`repair` restores their cells, and `inspect` puts the results together. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbformat import NotebookNode

from nbjudge.intake.expected_cells import Expected, ExpectedCell, expected_cells
from nbjudge.intake.file_survey import Limits, Survey, survey
from nbjudge.intake.messages import Note, Refusal, RefusedError, sentences
from nbjudge.intake.notebook_reader import read_notebook
from nbjudge.intake.repair import count_matches, repair
from nbjudge.intake.safe_open import OpenFolder
from nbjudge.text import join_names, quote

__all__ = ["Expected", "ExpectedCell", "Limits", "Preflight", "Refusal", "expected_cells", "inspect"]

_INSTEAD = "The notebook of the lesson's name cannot be graded; another with the lesson's cells is, instead of {}."
_COPY = (
    "The notebook of the lesson's name holds no answer; a copy beside it that does is graded instead: {}. Look at both."
)
RENAMED = "The lesson's notebook had another name; it was found by its cells: {}."
NOT_GRADED = "Notebooks that are not the lesson's are not graded; left out: {}."


@dataclass
class Preflight:
    """The gradable parts of a submission.

    notebooks: {name: repaired, valid notebook of format 4.5 without outputs}; metadata.grading.repairs lists repairs
    files: {relative path: bytes} of the other files that are safe to copy
    repairs: one sentence for each kind of repair; usually empty
    refusals: {name: why this notebook is not graded}; the name "" when the whole submission could not be read
    timestamp: the text of nbgrader's timestamp.txt, if it is a valid time
    needs_review: whether an instructor has to decide which notebook counts
    Each expected notebook is in either notebooks or refusals.
    """

    notebooks: dict[str, NotebookNode] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    timestamp: str | None = None
    needs_review: bool = False


def inspect(folder: Path, expected: Expected, limits: Limits | None = None, modules: Collection[str] = ()) -> Preflight:
    """Inspect a submission's folder; no content of it can raise an error.

    modules: reserved module names, in addition to those of installed packages
    """
    limits = limits or Limits()
    try:
        with closing(OpenFolder(folder)) as opened:
            surveyed = survey(opened, expected, limits, modules)
    except OSError as error:
        refusal = Refusal(
            "Your submission could not be read. Submit it again, as a plain folder with the lesson's notebook.",
            f"{quote(str(folder.name))} is not a folder that can be read: {error.strerror or error}.",
        )
        return Preflight(refusals=dict.fromkeys(("", *expected), refusal))
    result = Preflight(files=surveyed.files, timestamp=surveyed.timestamp)
    used_paths = set(surveyed.named.values())
    notebook_notes: dict[str, list[Note]] = {}
    for name, cells in expected.items():
        match = _find_notebook(name, cells, surveyed, limits, used_paths)
        if isinstance(match, Refusal):
            result.refusals[name] = match
            continue
        used_paths.add(match.path)
        named = surveyed.named.get(name, match.path)
        renamed = [Note(_COPY if match.is_copy else RENAMED, match.path)] if match.path != f"{name}.ipynb" else []
        instead = [Note(_INSTEAD, named)] if match.path != named and not match.is_copy else []
        result.needs_review |= match.is_copy
        match.notebook.cells, repairs = repair(name, match.notebook.cells, cells)
        result.notebooks[name] = match.notebook
        notebook_notes[name] = [*renamed, *match.notes, *repairs, *instead]
    notes = surveyed.notes + [Note(NOT_GRADED, path) for path in surveyed.notebooks if path not in used_paths]
    result.repairs = sentences(notes)
    for name, notebook in result.notebooks.items():
        own_sentences = sentences(notebook_notes[name])
        notebook.metadata["grading"] = {"repairs": sentences(notes) + own_sentences}
        prefix = f"{quote(name)}: " if len(expected) > 1 else ""
        result.repairs += [prefix + sentence for sentence in own_sentences]
    return result


@dataclass(frozen=True)
class _ParsedNotebook:
    """A submitted notebook as it was read, with notes on what was left out or changed.

    is_copy: whether it is graded in place of one that holds no answer
    """

    path: str
    notebook: NotebookNode
    notes: list[Note]
    is_copy: bool = False


def _find_notebook(
    name: str, expected: list[ExpectedCell], surveyed: Survey, limits: Limits, used_paths: Collection[str]
) -> _ParsedNotebook | Refusal:
    """Return the notebook of this name or, if it cannot be read, the one that has most of the expected cells.

    If it holds no answer, and another does, that one is returned: JupyterLab's copies have the name with "-Copy1".

    used_paths: notebooks that were found already, or have the name of an expected one
    """
    named = surveyed.named.get(name)
    candidates = [path for path in surveyed.contents if path not in used_paths]
    original: _ParsedNotebook | Refusal = _missing_refusal(name, surveyed)
    best, best_score = None, (0, 0, 0, "")
    for path in [named, *candidates] if named else candidates:
        parsed = _parse(path, surveyed.contents[path], limits)
        if path == named:
            original = parsed
        if isinstance(parsed, Refusal):
            continue
        expected_count, answer_count = count_matches(parsed.notebook.cells, expected)
        if path == named:
            if answer_count or not candidates:
                return parsed
            continue
        has_original = isinstance(original, _ParsedNotebook)
        score = (-expected_count, -answer_count, path.count("/"), path)  # the lowest is the best
        is_candidate = 2 * expected_count > len(expected) and (answer_count or not has_original)
        if is_candidate and (best is None or score < best_score):
            best, best_score = replace(parsed, is_copy=has_original), score
    return best or original


def _parse(path: str, content: bytes | Refusal, limits: Limits) -> _ParsedNotebook | Refusal:
    if isinstance(content, Refusal):
        return content
    try:
        return _ParsedNotebook(path, *read_notebook(content, limits))
    except RefusedError as error:
        return error.refusal


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
