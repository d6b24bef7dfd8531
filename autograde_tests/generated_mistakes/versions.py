"""Collect the wrong versions of an exercise, run them, and keep one fingerprint for each that can be told apart."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections import Counter
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
from rnn_helpers.checks.diagnosis import Entry, cases_digest, describe_outcomes
from rnn_helpers.checks.evaluator import Task
from rnn_helpers.checks.execution import Outcome, execute, function_arguments
from rnn_helpers.checks.fingerprints import Fingerprint, fingerprint, same_fingerprint
from rnn_helpers.checks.keras_probes import MODEL_PROBES
from rnn_helpers.checks.properties import PROPERTIES

GENERATED = fixtures.GENERATED
PAIRED = 12  # common mistakes that are also combined with one another
CAUSES = 3  # sentences that one output may have
FEWEST_WORDS = 3  # wrong words from which a mistake can be told, where each output is one of a few
ZERO = 1e-9  # projections below this are those of zeros
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

    is_solution: whether it comes from the solution itself, and not from an accepted variant
    entries: what came out in each case
    """

    sentence: str
    rank: int
    call: runner.Call
    is_solution: bool = True
    entries: list[Entry] = field(default_factory=list)

    @property
    def order(self) -> tuple:
        """Return what is preferred if outputs are equal: common, close to the solution, and quoting quantities."""
        return (self.rank, not self.is_solution, "`" not in self.sentence)


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
    lines = ",\n".join(f"{_json(name)}:{_json(exercise_data)}" for name, exercise_data in data.items())
    return f'{{"lesson":{_json(lesson)},"exercises":{{\n{lines}\n}}}}\n'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
    texts = sorted({entry[0] for version in versions for entry in version.entries if isinstance(entry, tuple)})
    sentences = sorted({version.sentence for version in versions})
    rows = [
        [sentences.index(version.sentence), *(_stored(entry, texts) for entry in version.entries)]
        for version in versions
    ]
    return {"cases": cases_digest(task), "texts": texts, "sentences": sentences, "versions": rows}


def _stored(entry: Entry, texts: list[str]) -> Any:
    return [texts.index(entry[0]), *entry[1]] if isinstance(entry, tuple) else entry


# --- the versions


def _versions(exercise: Exercise, task: Task, solved: SolvedLesson) -> Iterator[Version]:
    parameters = [parameter.partition("=")[0] for parameter in task.parameters]
    examples = [function_arguments(task.probe, case.args) for case in task.cases]
    for change in arguments.changes(parameters, examples) if task.probe == "call" else ():
        yield Version(change.sentence, change.rank, _with_changed_arguments(exercise.oracle, change))
    for tree, names in _right_answers(exercise, solved):
        words = wording.Wording(tree, parameters)
        singles = [edit for operator in OPERATORS for edit in operator(tree, words)]
        is_solution = tree.name == exercise.name
        for version in _compiled(singles, names, task.probe):
            yield replace(version, is_solution=is_solution)
        if is_solution:
            yield from _compiled(_pairs(singles, words), names, task.probe)
            yield from _with_changed_helpers(tree, solved, task.probe)


def _with_changed_helpers(tree: Answer, solved: SolvedLesson, probe: str) -> Iterator[Version]:
    """Yield versions of a solution that call another function of the lesson, with a common mistake in that one."""
    called = _called(tree, solved) | set().union(*(_called(helper, solved) for helper in _called(tree, solved)))
    helpers = called - {tree}
    for helper in sorted(helpers, key=lambda node: node.name):
        if not isinstance(helper, ast.FunctionDef):
            continue
        words = wording.Wording(helper, [argument.arg for argument in helper.args.args])
        for edit in (edit for operator in OPERATORS for edit in operator(helper, words) if edit.rank == COMMON):
            nodes = [
                edit.tree if node is helper else node for node in solved.answers.values() if node in called | {tree}
            ]
            yield from _compiled([replace(edit, rank=RARE)], solved.names, probe, nodes, tree.name)


def _called(tree: Answer, solved: SolvedLesson) -> set[Answer]:
    """Return the lesson's own functions and classes that are named in an answer."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {solved.answers[name] for name in names & solved.answers.keys()}


def _pairs(singles: list[Edit], words: wording.Wording) -> list[Edit]:
    """Return combinations of two common mistakes: the second operator is applied to the result of the first."""
    chosen: dict[str, Edit] = {}
    for edit in singles:
        if edit.rank == COMMON and "one of the" not in edit.sentence:
            chosen.setdefault(edit.sentence, edit)
    common_edits = list(chosen.values())[:PAIRED]
    pairs = []
    for earlier, later in combinations(common_edits, 2):
        combined = [e for operator in OPERATORS for e in operator(earlier.tree, words) if e.sentence == later.sentence]
        pairs += [Edit(edit.tree, f"{earlier.sentence} {later.sentence}", RARE + 1) for edit in combined[:1]]
    return pairs


def _compiled(
    candidates: list[Edit], names: dict[str, Any], probe: str, nodes: Sequence[ast.stmt] | None = None, answer: str = ""
) -> Iterator[Version]:
    """Yield a version for each edit that is Python. nodes: all definitions, if not the edited one alone."""
    for edit in candidates:
        space = dict(names)
        try:
            exec(compile(ast.Module(list(nodes or [edit.tree]), []), "<generated>", "exec"), space)
        except (SyntaxError, TypeError, ValueError):
            continue  # not every combination of nodes is Python
        yield Version(edit.sentence, edit.rank, runner.calling(space[answer or edit.tree.name], probe))


def _with_changed_arguments(oracle: Callable, change: arguments.Change) -> runner.Call:
    return lambda args: execute(oracle, change.apply(args))


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
    """Run the versions; yield those whose outputs say what is wrong, and print how many misbehave."""
    candidates = list(versions)
    skipped: Counter[str] = Counter()
    for number, outcomes in runner.run([version.call for version in candidates], task):
        entries = [] if isinstance(outcomes, str) else describe_outcomes(task, outcomes)
        reason = outcomes if isinstance(outcomes, str) else _misbehaviour(outcomes)
        if reason:
            skipped[reason] += 1
        elif _is_telling(task, entries):
            yield replace(candidates[number], entries=entries)
    for reason, count in skipped.items():
        print(f"{name}: skipped {count} of {len(candidates)} generated mistakes: {reason}")


def _misbehaviour(outcomes: list[Outcome]) -> str:
    if any(outcome.error == "MemoryError" for outcome in outcomes):
        return "it exhausts the memory"
    return "it changes its inputs" if any(outcome.changed for outcome in outcomes) else ""


def _is_telling(task: Task, entries: list[Entry]) -> bool:
    """Return whether some output is wrong in more than its type, as 1 from True, and not all are zeros.

    Errors and zeros have many causes, and so has one of a few words.
    """
    wrong = [
        (case.expected, entry) for case, entry in zip(task.cases, entries, strict=True) if isinstance(entry, tuple)
    ]
    other_numbers = [entry for expected, entry in wrong if not same_fingerprint(fingerprint(expected), entry, 0.0)]
    if all(isinstance(case.expected, str) for case in task.cases) and len(wrong) < FEWEST_WORDS:
        return False
    return bool(other_numbers) and not all(_is_zero(entry) for _, entry in wrong)


def _is_zero(entry: Fingerprint) -> bool:
    structure, projections = entry
    return structure.endswith(")") and max(map(abs, projections)) < ZERO


def _distinct(versions: list[Version], exercise: Exercise, task: Task) -> list[Version]:
    """Return one version for each set of outputs, without those of the hand-written mistakes.

    Of several sentences for one set, the preferred ones are kept; more than CAUSES say too little.
    """
    listed = ([case.mistakes[number] for case in task.cases] for number in range(len(task.sentences)))
    hand_written = {_key(describe_outcomes(task, outcomes)) for outcomes in listed}
    groups: dict[str, list[Version]] = {}
    for version in versions:
        groups.setdefault(_key(version.entries), []).append(version)
    distinct = []
    for key, group in groups.items():
        best = min(group, key=lambda version: version.order)
        sentences = list(dict.fromkeys(version.sentence for version in group if version.order == best.order))
        if key not in hand_written and len(sentences) <= CAUSES:
            distinct.append(replace(best, sentence=_joined(sentences)))
    return distinct


def _joined(sentences: list[str]) -> str:
    if len(sentences) == 1:
        return sentences[0]
    numbered = " ".join(f"({number}) {sentence}" for number, sentence in enumerate(sentences, start=1))
    return f"One of these is likely: {numbered}"


def _key(entries: list[Entry]) -> str:
    """Return a text that is equal for equal outputs, up to rounding."""
    return json.dumps([[e[0], *(f"{p:.6g}" for p in e[1])] if isinstance(e, tuple) else e for e in entries])
