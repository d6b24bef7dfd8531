"""Find the sentence that describes what is wrong with an answer.

In this order: a hand-written mistake with the same outputs; one that fails the same checks with the same outputs; a
generated mistake with the same fingerprints. Outputs say what an answer does, so each sentence describes every answer
with these outputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rnn_helpers.checks import fixtures
from rnn_helpers.checks.comparison import find_problem, same_output
from rnn_helpers.checks.execution import Outcome, execute
from rnn_helpers.checks.fingerprints import Fingerprint, fingerprint, same_fingerprint

if TYPE_CHECKING:
    from rnn_helpers.checks.evaluator import Task

Entry = int | str | Fingerprint  # what came out in one case, see `describe_outcomes`


def identify_mistake(answer: Callable, task: Task, outcomes: Sequence[Outcome]) -> str:
    """Return the sentence of the mistake with these outcomes, or "".

    outcomes: those of the answer in each case of the task, which may be the hidden ones
    """
    if task.together:
        return outcomes[0].finding
    return (
        _known_everywhere(task, outcomes) or _known_where_it_fails(task, outcomes) or _generated(answer, task, outcomes)
    )


def _known_everywhere(task: Task, outcomes: Sequence[Outcome]) -> str:
    for number, sentence in enumerate(task.sentences):
        pairs = zip(task.cases, outcomes, strict=True)
        if all(_same_outcome(case.mistakes[number], outcome, task.tolerance) for case, outcome in pairs):
            return sentence
    return ""


def _known_where_it_fails(task: Task, outcomes: Sequence[Outcome]) -> str:
    """Return the sentence of a mistake that fails where the answer fails, with the same values, or "".

    Unlike in `_known_everywhere`, it may have changed other inputs than the answer.
    """
    pairs = list(zip(task.cases, outcomes, strict=True))
    failing = [_fails(task, case.expected, outcome) for case, outcome in pairs]
    if all(outcome.error or not fails for (_, outcome), fails in zip(pairs, failing, strict=True)):
        return ""
    for number, sentence in enumerate(task.sentences):
        if all(
            _same_values(case.mistakes[number], outcome, task.tolerance)
            if fails
            else not _fails(task, case.expected, case.mistakes[number])
            for (case, outcome), fails in zip(pairs, failing, strict=True)
        ):
            return sentence
    return ""


def _fails(task: Task, expected: object, outcome: Outcome) -> bool:
    return bool(outcome.error) or find_problem(expected, outcome.value, task.tolerance, lists=task.lists) is not None


def _same_outcome(mistake: Outcome, outcome: Outcome, tolerance: float) -> bool:
    unchanged_alike = mistake.changed == outcome.changed or bool(mistake.error)
    return unchanged_alike and _same_values(mistake, outcome, tolerance)


def _same_values(mistake: Outcome, outcome: Outcome, tolerance: float) -> bool:
    if mistake.error or outcome.error:
        return mistake.error == outcome.error
    return same_output(mistake.value, outcome.value, tolerance)


# --- generated mistakes


def _generated(answer: Callable, task: Task, outcomes: Sequence[Outcome]) -> str:
    """Return the sentence of a generated mistake with the same fingerprints on the visible cases, or ""."""
    data = fixtures.find_generated(task.name)
    if not data.keys() >= {"cases", "texts", "sentences", "versions"}:
        return ""  # there are none, or the file is damaged
    if not task.visible:
        task = fixtures.decode_task(task.name, fixtures.find(task.name)[1])
        outcomes = [execute(answer, case.args, task.probe, task.not_allowed) for case in task.cases]
    if data["cases"] != cases_digest(task):
        return ""  # of another version of the course
    entries = describe_outcomes(task, outcomes)
    if not any(isinstance(entry, tuple) for entry in entries):
        return ""
    for sentence, *versions in data["versions"]:
        if all(
            _same_entry(stored, entry, data["texts"], task.tolerance)
            for stored, entry in zip(versions, entries, strict=True)
        ):
            return data["sentences"][sentence]
    return ""


def describe_outcomes(task: Task, outcomes: Sequence[Outcome]) -> list[Entry]:
    """Return for each case 0 where the output is right, the name of an error, or the fingerprint of the output."""
    return [
        0 if not _fails(task, case.expected, outcome) else outcome.error or fingerprint(outcome.value)
        for case, outcome in zip(task.cases, outcomes, strict=True)
    ]


def _same_entry(stored: object, entry: Entry, texts: list[str], tolerance: float) -> bool:
    if isinstance(stored, list) and isinstance(entry, tuple):
        return same_fingerprint(entry, (texts[stored[0]], tuple(stored[1:])), tolerance)
    return stored == entry


def cases_digest(task: Task) -> str:
    """Return a hash of the inputs and expected outputs, as the fixture file holds them."""
    cases = [[case.title, fixtures.encode(case.args), fixtures.encode(case.expected)] for case in task.cases]
    return hashlib.sha256(json.dumps(cases, sort_keys=True).encode()).hexdigest()[:12]
