"""Find each expected notebook among the submitted ones, by its name or else by the labels of its cells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nbformat import NotebookNode

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.intake.file_survey import Limits, Survey
from nbjudge.intake.messages import Note, Refusal, RefusedError
from nbjudge.intake.notebook_reader import read_notebook
from nbjudge.intake.repair import count_matches
from nbjudge.text import join_names, quote


@dataclass(frozen=True)
class ParsedNotebook:
    """A submitted notebook as it was read, with notes on what was left out or changed."""

    path: str
    notebook: NotebookNode
    notes: list[Note]


def find_notebook(
    name: str, expected: list[ExpectedCell], surveyed: Survey, limits: Limits, used_paths: Collection[str]
) -> ParsedNotebook | Refusal:
    """Return the notebook of this name or, if it cannot be read, the one that has most of the expected cells.

    used_paths: notebooks that belong to other expected ones
    """
    refusal = None
    if name in surveyed.named:
        named = _parse(surveyed.named[name], surveyed, limits)
        if isinstance(named, ParsedNotebook):
            return named
        refusal = named
    best, best_score = None, (0, 0, 0, "")
    for path in surveyed.contents:
        parsed = _parse(path, surveyed, limits) if path not in used_paths else None
        if not isinstance(parsed, ParsedNotebook):
            continue
        expected_count, answer_count = count_matches(parsed.notebook.cells, expected)
        score = (-expected_count, -answer_count, path.count("/"), path)  # the smallest is the best
        if 2 * expected_count > len(expected) and (best is None or score < best_score):
            best, best_score = parsed, score
    return best or refusal or _missing_refusal(name, surveyed)


def _parse(path: str, surveyed: Survey, limits: Limits) -> ParsedNotebook | Refusal:
    content = surveyed.contents[path]
    if isinstance(content, Refusal):
        return content
    try:
        return ParsedNotebook(path, *read_notebook(content, limits))
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
