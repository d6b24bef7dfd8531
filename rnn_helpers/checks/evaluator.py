"""Evaluate an answer on a list of cases: which checks pass, what fails first, and which known mistake it matches.

`check` (cases from the fixture file) and the hidden `grade` (freshly drawn cases) share this evaluator.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from rnn_helpers.checks.comparison import Problem, describe, find_problem, same_output
from rnn_helpers.checks.execution import NOT_REACHED, Outcome, execute, execute_claims, function_arguments
from rnn_helpers.checks.properties import UngradableAnswerError

BEFORE = "before the checks"
FROM_SCRATCH = "this exercise is written from scratch with NumPy"
UNCHANGED = "its inputs stay as they were"
LATER = Problem("later", "skipped until one of the other checks passes")
LONGEST_LINE = 240  # characters of an error message's line


class LazyOutcomes(Sequence[Outcome]):
    """Outcomes computed on first access: a correct answer is never compared with a mistake."""

    def __init__(self, makers: Sequence[Callable[[], Outcome]]):
        self._makers = list(makers)
        self._computed: dict[int, Outcome] = {}

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, number: int) -> Outcome: ...
    @overload
    def __getitem__(self, number: slice) -> list[Outcome]: ...
    def __getitem__(self, number: int | slice) -> Outcome | list[Outcome]:
        if isinstance(number, slice):
            return [self[index] for index in range(len(self))[number]]
        index = range(len(self))[number]
        if index not in self._computed:
            self._computed[index] = self._makers[index]()
        return self._computed[index]


@dataclass
class Case:
    """One call: the title of its check, the inputs, the expected output, and the outcome of each known mistake."""

    title: str
    args: tuple
    expected: Any
    mistakes: Sequence[Outcome] = field(default_factory=list)


@dataclass
class Task:
    """The specification of an exercise as plain data, as far as a student's machine needs it.

    points: check title -> points, in the order shown; UNCHANGED among them where the inputs may not be changed
    sentences: one for each mistake, which says what such an answer does
    parameters: the parameter names of the signature, for messages
    lists: whether a list of numbers may stand for an array
    edges: titles of checks whose outputs can be guessed: they count only if others pass
    least: how many of the other checks must pass before any counts; more than 1 if outputs are words, and then a check
        whose word is also a wrong answer elsewhere does not count towards them
    together: whether all cases, with claims as {claim: True}, evaluate one call of the answer
    seconds: about how long that call trains a model; 0 if it does not
    visible: whether the cases are those of the fixture file
    """

    name: str
    points: dict[str, float]
    cases: list[Case]
    sentences: list[str]
    parameters: list[str]
    tolerance: float
    probe: str = "call"
    not_allowed: tuple[str, ...] = ()
    lists: bool = False
    edges: tuple[str, ...] = ()
    least: int = 1
    together: bool = False
    seconds: int = 0
    visible: bool = False


@dataclass
class Report:
    """The evaluation of one answer.

    results: check title -> whether it passed
    problems: check title -> what is wrong first
    wrong_cases: check title -> the position of the first of its cases that fails
    points: earned; possible: all there are
    mistake: the sentence of the known mistake it equals, or of what a probe has measured, or ""
    relation: how the answer's results relate to the right ones, if it equals no known mistake, or ""
    unsolved: the stub was never filled in
    """

    name: str
    results: dict[str, bool] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    points: float = 0.0
    possible: float = 0.0
    mistake: str = ""
    relation: str = ""
    unsolved: bool = False
    printed: str = ""
    wrong_cases: dict[str, int] = field(default_factory=dict)

    @property
    def first_wrong(self) -> str:
        """Return the title of the first check that fails, or ""; checks are ordered from simple to complete."""
        titles = [title for title in (BEFORE, *self.results) if title in self.problems]
        return next((title for title in titles if self.problems[title].kind != LATER.kind), titles[0] if titles else "")

    @property
    def score(self) -> tuple[int, int]:
        """Return the number of checks that pass, and the number of checks."""
        return sum(self.results.values()), len(self.results)

    @property
    def passed(self) -> bool:
        """Return whether every check passed."""
        return bool(self.results) and all(self.results.values())


def judge(answer: Any, task: Task, *, show_inputs: bool = True) -> Report:
    """Evaluate `answer` on every case of `task` and return the Report. Exceptions of the answer are caught.

    show_inputs: whether the report may contain the inputs of the check that fails, and not only their shapes
    """
    report = Report(task.name, possible=sum(task.points.values()))
    wrong_kind = _signature_problem(answer, task)
    if wrong_kind:
        return _fail_all(report, task, wrong_kind)
    outcomes = _execute_cases(answer, task)
    report.printed = next((o.printed for o in outcomes if o.printed), "")
    report.unsolved = all(o.error == "NotImplementedError" for o in outcomes)
    used = next((o.used for o in outcomes if o.used), "")
    if report.unsolved:
        return _fail_all(report, task, Problem("stub", "not solved yet"))
    if used:
        return _fail_all(report, task, Problem("not allowed", f"{FROM_SCRATCH}: it may not use {used}"))
    names = _parameter_names(answer, task)
    _score_checks(report, task, outcomes, names)
    report.points = sum(task.points[title] for title, passed in report.results.items() if passed)
    if not report.passed:
        from rnn_helpers.checks.diagnosis import identify_mistake  # only a wrong answer needs it

        report.mistake = identify_mistake(answer, task, outcomes)
        report.relation = "" if report.mistake else _find_relation(task, outcomes, names)
        _describe_first_inputs(report, task, names, values=show_inputs)
    return report


def _find_relation(task: Task, outcomes: list[Outcome], names: list[str]) -> str:
    """Return how the answer's results relate to the right ones, or ""."""
    from rnn_helpers.checks.relations import describe_relation  # only a wrong answer needs it

    if task.together:
        return ""
    skipped = len(task.cases[0].args) - len(function_arguments(task.probe, task.cases[0].args))
    return describe_relation(task.cases, outcomes, task.tolerance, [""] * skipped + names)


def _describe_first_inputs(report: Report, task: Task, names: list[str], *, values: bool) -> None:
    """Add the inputs to the problem of the first check that fails, the only one that a card explains."""
    from rnn_helpers.checks.inputs import describe_inputs, describe_network_inputs

    title = report.first_wrong
    number = report.wrong_cases.get(title)
    if number is None or task.together:
        return
    args = task.cases[number].args
    if task.probe == "use_network":
        text = describe_network_inputs(*args)
    else:
        shapes = report.problems[title].kind in ("error", "shape")
        text = describe_inputs(function_arguments(task.probe, args), names, values=values, shapes=shapes)
    report.problems[title] = replace(report.problems[title], inputs=text)


def _execute_cases(answer: Any, task: Task) -> list[Outcome]:
    if not task.together:
        return [execute(answer, case.args, task.probe, task.not_allowed) for case in task.cases]
    claims = {case.title: list(case.expected) for case in task.cases}
    return execute_claims(answer, task.cases[0].args, task.probe, claims, task.not_allowed)


def _score_checks(report: Report, task: Task, outcomes: list[Outcome], names: list[str]) -> None:
    wrong = []
    for number, (case, outcome) in enumerate(zip(task.cases, outcomes, strict=True)):
        problem = _case_problem(case, outcome, task)
        if problem:
            report.problems.setdefault(case.title, problem)
            report.wrong_cases.setdefault(case.title, number)
            wrong.append(outcome.value)
    if UNCHANGED in task.points:
        changed = next((o.changed for o in outcomes if o.changed), ())
        if changed:
            report.problems[UNCHANGED] = Problem("mutation", _mutation_sentence(names, changed))
    passed = [title for title in task.points if title not in report.problems]
    proven = set(passed).difference(task.edges, [UNCHANGED])
    if task.least > 1:  # a constant answer is correct for some case
        proven -= {case.title for case in task.cases if any(same_output(case.expected, v, 0) for v in wrong)}
    if len(proven) < task.least:
        report.problems |= dict.fromkeys(passed, _too_few_passed(task.least))
    report.results = {title: title not in report.problems for title in task.points}


def _too_few_passed(least: int) -> Problem:
    """Return the problem of a check that passed but may have been guessed."""
    return (
        LATER
        if least == 1
        else Problem("later", f"skipped until {least} checks pass whose answers occur in no check that fails")
    )


def _case_problem(  # noqa: PLR0911 (one return for each kind of problem)
    case: Case, outcome: Outcome, task: Task
) -> Problem | None:
    if outcome.error == "NotImplementedError":
        return Problem("stub", "this part is not solved yet: replace its line `raise NotImplementedError()`")
    if outcome.error == UngradableAnswerError.__name__:
        return Problem("type", outcome.message)
    if missing := _missing_module(outcome, task.not_allowed):
        return Problem("not allowed", f"{FROM_SCRATCH}: {missing} is not available here")
    if outcome.error:
        return Problem("error", _error_sentence(outcome))
    for claim, instead in outcome.observed.items():
        if instead and instead != NOT_REACHED:
            return Problem("value", f"{claim}: {instead}")
    if NOT_REACHED in outcome.observed.values():
        return LATER
    return find_problem(case.expected, outcome.value, task.tolerance, lists=task.lists)


def _missing_module(outcome: Outcome, not_allowed: tuple[str, ...]) -> str:
    """Return the module in `not_allowed` whose absence made an answer fail, or "".

    Such an exercise is graded where they cannot be imported, and names that are imported from them are missing.
    """
    if outcome.error not in ("ImportError", "ModuleNotFoundError", "NameError", "AttributeError"):
        return ""
    words = set(re.findall(r"\w+", outcome.message))
    modules = [name for name in not_allowed if name.count(".") <= 1]  # and not the methods of a class
    return next((name for name in modules if name.rpartition(".")[2] in words), "")


def _error_sentence(outcome: Outcome) -> str:
    """Return an exception as text: its explanation first, then Python's own words and the student's line."""
    where = f", in {outcome.line}" if outcome.line else ""
    own_words = f"{outcome.error}: {_condense(outcome.message)}{where}."
    return f"{outcome.explanation}\n{own_words}" if outcome.explanation else own_words


def _condense(message: str) -> str:
    """Return an error message as one line; of a long one, the first and the last lines."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) > 4:
        lines = [*lines[:2], "…", lines[-1]]
    return " ".join(line[:LONGEST_LINE] for line in lines).rstrip(".") or "no message"


def _parameter_names(answer: Callable, task: Task) -> list[str]:
    """Return the student's parameter names, or those of the exercise where there are none."""
    arguments = function_arguments(task.probe, task.cases[0].args)
    signature = _signature(answer) if arguments else None
    names = list(signature.parameters) if signature else []
    return names if len(names) >= len(arguments) else task.parameters


def _signature(answer: Callable) -> inspect.Signature | None:
    """Return the answer's signature, or None for a built-in without one: then the call itself shows any mismatch."""
    try:
        return inspect.signature(answer)
    except ValueError:
        return None


def _signature_problem(answer: Any, task: Task) -> Problem | None:
    if not callable(answer):
        return Problem("type", f"expected the function itself, as in check({task.name}), got {describe(answer)}")
    arguments = function_arguments(task.probe, task.cases[0].args)
    signature = _signature(answer) if arguments else None
    if signature is None:
        return None
    names, expected = list(signature.parameters), [name.partition("=")[0] for name in task.parameters]
    if sorted(names) == sorted(expected) and names != expected:
        return Problem("type", f"the order is {task.name}({', '.join(expected)}); yours is ({', '.join(names)})")
    try:
        signature.bind(*arguments)
    except TypeError:
        return Problem("type", f"{task.name} is called with ({', '.join(task.parameters)}); yours takes {signature}")
    return None


def _mutation_sentence(names: list[str], changed: tuple[int, ...]) -> str:
    which = [names[i] if i < len(names) else f"input {i + 1}" for i in changed]
    return f"your code changes {' and '.join(which)} in place; work on a new array or a copy"


def _fail_all(report: Report, task: Task, problem: Problem) -> Report:
    report.results = dict.fromkeys(task.points, False)
    report.problems = {BEFORE: problem}
    return report
