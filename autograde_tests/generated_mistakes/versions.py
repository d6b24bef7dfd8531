"""Collect the wrong versions of an exercise, run them, and keep one fingerprint for each that can be told apart."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autograde_tests.exercise import VISIBLE_SEED, Exercise
from autograde_tests.generated_mistakes import arguments, edits, loops, operators, runner, wording
from autograde_tests.generated_mistakes.edits import COMMON, RARE, Answer, Edit
from rnn_helpers.checks import fingerprints, fixtures
from rnn_helpers.checks.comparison import find_problem
from rnn_helpers.checks.diagnosis import cases_digest
from rnn_helpers.checks.evaluator import Task
from rnn_helpers.checks.execution import Outcome, execute, function_arguments
from rnn_helpers.checks.fingerprints import fingerprint, same_fingerprint
from rnn_helpers.checks.keras_probes import MODEL_PROBES
from rnn_helpers.checks.properties import PROPERTIES

GENERATED = fixtures.GENERATED
PAIRED = 12  # common mistakes that are also combined with one another
CAUSES = 3  # sentences that one output may have
OPERATORS = (*operators.EXPRESSIONS, *loops.LOOPS)
_SOURCES = (arguments, edits, loops, operators, runner, wording, fingerprints)

DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Try)


class SolvedLesson:
    """The definitions of a solved lesson: imports, functions and classes; nothing else of it is run.

    code: the source of its code cells
    """

    def __init__(self, code: str):
        self.nodes: list[ast.stmt] = [node for node in ast.parse(code).body if isinstance(node, DEFINES)]
        self.text = "\n".join(ast.get_source_segment(code, node) or "" for node in self.nodes)
        self.answers = {node.name: node for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}

    @cached_property
    def names(self) -> dict[str, Any]:
        """Return what the lesson defines; it is run on demand, because some lessons import TensorFlow."""
        names: dict[str, Any] = {"__name__": "__solved_lesson__"}
        exec(compile(ast.Module(self.nodes, []), "<solved lesson>", "exec"), names)
        return names


@dataclass
class Version:
    """A wrong answer: its sentence, how common it is, how it is called.

    own: whether it comes from the solution itself, and not from an accepted variant
    entries: what came out in each case, see `_evaluated`
    """

    sentence: str
    rank: int
    call: runner.Version
    own: bool = True
    entries: list[Any] = field(default_factory=list)

    @property
    def order(self) -> tuple:
        """Return what is preferred if outputs are equal: common, close to the solution, and quoting quantities."""
        return (self.rank, not self.own, "`" not in self.sentence)


def lesson_file(lesson: str, exercises: Mapping[str, Any], code: str, previous: str = "") -> str:
    """Return the JSON text of a lesson's generated mistakes.

    code: the source of the solved lesson's code cells
    previous: the text of the existing file; exercises of which nothing has changed are taken from it
    """
    old, solved, data = json.loads(previous)["exercises"] if previous else {}, SolvedLesson(code), {}
    for name, exercise in exercises.items():
        if not _can_be_varied(exercise):
            continue
        digest = _digest(exercise, solved)
        same = old.get(name, {}).get("digest") == digest
        data[name] = old[name] if same else {"digest": digest, **_exercise_data(exercise, solved)}
    if not data:
        return ""
    # One line for each exercise, so that git shows which of them has changed.
    lines = [
        f"{json.dumps(name)}:{json.dumps(one, ensure_ascii=False, separators=(',', ':'))}" for name, one in data.items()
    ]
    return f'{{"lesson":{json.dumps(lesson)},"exercises":{{\n' + ",\n".join(lines) + "\n}}\n"


def _can_be_varied(exercise: Any) -> bool:
    return isinstance(exercise, Exercise) and exercise.probe not in (*PROPERTIES, *MODEL_PROBES)


def _digest(exercise: Exercise, solved: SolvedLesson) -> str:
    """Hash everything that determines the generated mistakes of an exercise."""
    module = inspect.getmodule(exercise.oracle)
    assert module is not None
    parts = [solved.text, *(inspect.getsource(source) for source in (*_SOURCES, module))]
    parts.append(Path(__file__).read_text(encoding="utf-8"))
    parts.append(json.dumps(fixtures.encode_task(_task(exercise)), sort_keys=True))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _task(exercise: Exercise) -> Task:
    return exercise.task(np.random.default_rng(VISIBLE_SEED), hidden=False)


def _exercise_data(exercise: Exercise, solved: SolvedLesson) -> dict[str, Any]:
    task = _task(exercise)
    versions = _distinct(list(_evaluated(exercise.name, _versions(exercise, task, solved), task)), exercise, task)
    texts = sorted({entry[0] for version in versions for entry in version.entries if isinstance(entry, list)})
    sentences = sorted({version.sentence for version in versions})
    rows = [
        [sentences.index(version.sentence), *(_stored(entry, texts) for entry in version.entries)]
        for version in versions
    ]
    return {"cases": cases_digest(task), "texts": texts, "sentences": sentences, "versions": rows}


def _stored(entry: Any, texts: list[str]) -> Any:
    return [texts.index(entry[0]), *entry[1:]] if isinstance(entry, list) else entry


# --- the versions


def _versions(exercise: Exercise, task: Task, solved: SolvedLesson) -> Iterator[Version]:
    parameters = [parameter.partition("=")[0] for parameter in task.parameters]
    examples = [function_arguments(task.probe, case.args) for case in task.cases]
    for change in arguments.changes(parameters, examples) if task.probe == "call" else ():
        yield Version(change.sentence, change.rank, _with_changed_arguments(exercise.oracle, change, task.probe))
    for tree, names in _right_answers(exercise, solved):
        words = wording.Wording(tree, parameters)
        singles = [edit for operator in OPERATORS for edit in operator(tree, words)]
        own = tree.name == exercise.name
        for version in _compiled(singles, names, task.probe):
            yield replace(version, own=own)
        if own:
            yield from _compiled(_pairs(singles, words), names, task.probe)
            yield from _with_changed_helpers(tree, solved, task.probe)


def _with_changed_helpers(tree: Answer, solved: SolvedLesson, probe: str) -> Iterator[Version]:
    """Yield versions of a solution that call another function of the lesson, with a common mistake in that one."""
    defined = solved.answers
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & defined.keys() - {tree.name}
    called |= {n.id for name in called for n in ast.walk(defined[name]) if isinstance(n, ast.Name)} & defined.keys() - {
        tree.name
    }
    for name in sorted(called):
        helper = defined[name]
        if not isinstance(helper, ast.FunctionDef):
            continue
        words = wording.Wording(helper, [argument.arg for argument in helper.args.args])
        for edit in (edit for operator in OPERATORS for edit in operator(helper, words) if edit.rank == COMMON):
            nodes = [
                edit.tree if node is helper else node for node in defined.values() if node.name in called | {tree.name}
            ]
            yield from _compiled([Edit(edit.tree, edit.sentence, RARE)], dict(solved.names), probe, nodes, tree.name)


def _pairs(singles: list[Edit], words: wording.Wording) -> list[Edit]:
    """Return combinations of two common mistakes: the second operator is applied to the result of the first."""
    chosen: dict[str, Edit] = {}
    for edit in singles:
        if edit.rank == COMMON and "one of the" not in edit.sentence:
            chosen.setdefault(edit.sentence, edit)
    first = list(chosen.values())[:PAIRED]
    pairs = []
    for one, other in combinations(first, 2):
        again = [e for operator in OPERATORS for e in operator(one.tree, words) if e.sentence == other.sentence]
        pairs += [Edit(edit.tree, f"{one.sentence} {other.sentence}", RARE + 1) for edit in again[:1]]
    return pairs


def _compiled(
    found: list[Edit], names: dict[str, Any], probe: str, nodes: Sequence[ast.stmt] | None = None, answer: str = ""
) -> Iterator[Version]:
    """Yield a version for each edit that is Python. nodes: all definitions, if not the edited one alone."""
    for edit in found:
        space = dict(names)
        try:
            exec(compile(ast.Module(list(nodes or [edit.tree]), []), "<generated>", "exec"), space)
        except (SyntaxError, TypeError, ValueError):
            continue  # not every combination of nodes is Python
        yield Version(edit.sentence, edit.rank, runner.calling(space[answer or edit.tree.name], probe))


def _with_changed_arguments(oracle: Callable, change: arguments.Change, probe: str) -> runner.Version:
    def call(args: tuple) -> Outcome:
        changed = change.apply(args)
        return Outcome(error="NotApplicable") if changed is None else execute(oracle, changed, probe)

    return call


def _right_answers(exercise: Exercise, solved: SolvedLesson) -> Iterator[tuple[Answer, dict[str, Any]]]:
    """Yield the syntax trees of right answers with the names that they use: the lesson's own solution first."""
    if exercise.name in solved.answers:
        yield solved.answers[exercise.name], dict(solved.names)
    styles = [
        base
        for style in exercise.styles
        for base in (inspect.getmro(style)[:-1] if inspect.isclass(style) else (style,))
    ]
    for style in dict.fromkeys(styles):
        if inspect.isclass(style) or (
            inspect.isfunction(style) and style.__name__ != "<lambda>" and not style.__closure__
        ):
            tree = ast.parse(textwrap.dedent(inspect.getsource(style))).body[0]
            if isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
                yield tree, dict(vars(inspect.getmodule(style)))


# --- what comes out


def _evaluated(name: str, versions: Iterator[Version], task: Task) -> Iterator[Version]:
    """Run the versions; yield those that are wrong somewhere, with an entry for each case.

    An entry is 0 where the output is right, an error's name, or [structure, projections].
    """
    candidates = list(versions)
    skipped: dict[str, int] = {}
    for number, outcomes in runner.run([version.call for version in candidates], task):
        reason = outcomes if isinstance(outcomes, str) else _reason_to_skip(outcomes, task)
        if isinstance(outcomes, str) or reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            continue
        version = candidates[number]
        version.entries = [_entry(case.expected, o, task) for case, o in zip(task.cases, outcomes, strict=True)]
        yield version
    loud = {reason: count for reason, count in skipped.items() if reason not in _ORDINARY}
    for reason, count in loud.items():
        print(f"{name}: skipped {count} of {len(candidates)} generated mistakes: {reason}")


RIGHT, ERRORS_ONLY, ZEROS, TYPES = "it is right", "it only raises errors", "it gives zeros", "only its type is wrong"
_ORDINARY = (RIGHT, ERRORS_ONLY, ZEROS, TYPES)


def _reason_to_skip(outcomes: list[Outcome], task: Task) -> str:
    if any(outcome.error == "MemoryError" for outcome in outcomes):
        return "it exhausts the memory"
    if any(outcome.changed for outcome in outcomes):
        return "it changes its inputs"
    if any(outcome.error == "NotApplicable" for outcome in outcomes):
        return ERRORS_ONLY
    entries = [_entry(case.expected, outcome, task) for case, outcome in zip(task.cases, outcomes, strict=True)]
    return _reason_by_entries([case.expected for case in task.cases], entries)


def _reason_by_entries(expected: list[Any], entries: list[Any]) -> str:
    wrong = [(want, entry) for want, entry in zip(expected, entries, strict=True) if isinstance(entry, list)]
    if not wrong:
        return ERRORS_ONLY if any(entries) else RIGHT
    if all(_same_numbers(want, entry) for want, entry in wrong):
        return TYPES
    # Many mistakes give zeros, which say nothing about the mistake.
    return ZEROS if all(_is_zero(entry) for _, entry in wrong) else ""


def _same_numbers(expected: Any, entry: list[Any]) -> bool:
    """Return whether an output differs from the right one in its type alone, as 1 from True."""
    return same_fingerprint(fingerprint(expected), (entry[0], tuple(entry[1:])), 0.0)


def _is_zero(entry: list[Any]) -> bool:
    structure, *projections = entry
    return structure.endswith(")") and max(map(abs, projections)) < 1e-9


def _entry(expected: Any, outcome: Outcome, task: Task) -> Any:
    if outcome.error:
        return outcome.error
    if find_problem(expected, outcome.value, task.tolerance, lists=task.lists) is None:
        return 0
    structure, projections = fingerprint(outcome.value)
    return [structure, *projections]


def _distinct(versions: list[Version], exercise: Exercise, task: Task) -> list[Version]:
    """Return one version for each set of outputs, without those of the hand-written mistakes.

    Of several sentences for one set, the preferred ones are kept; more than CAUSES say too little.
    """
    known = {_key([_entry(c.expected, c.mistakes[n], task) for c in task.cases]) for n in range(len(task.sentences))}
    groups: dict[str, list[Version]] = {}
    for version in versions:
        groups.setdefault(_key(version.entries), []).append(version)
    kept = []
    for key, group in groups.items():
        best = min(group, key=lambda version: version.order)
        sentences = list(dict.fromkeys(version.sentence for version in group if version.order == best.order))
        if key not in known and len(sentences) <= CAUSES:
            kept.append(replace(best, sentence=_joined(sentences)))
    return kept


def _joined(sentences: list[str]) -> str:
    if len(sentences) == 1:
        return sentences[0]
    numbered = " ".join(f"({number}) {sentence}" for number, sentence in enumerate(sentences, start=1))
    return f"One of these is likely: {numbered}"


def _key(entries: list[Any]) -> str:
    """Return a text that is equal for equal outputs, up to rounding."""
    return json.dumps([[e[0], *(f"{p:.6g}" for p in e[1:])] if isinstance(e, list) else e for e in entries])
