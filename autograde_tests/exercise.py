"""What an exercise is held to: challenges drawn from a generator, an independent oracle, known mistakes, honest styles.

One definition serves `check` (through the fixture file), the hidden `grade`, the reports and pytest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from rnn_helpers.checks.comparison import same_output
from rnn_helpers.checks.evaluator import UNCHANGED, Case, LazyOutcomes, Task
from rnn_helpers.checks.execution import Outcome, execute
from rnn_helpers.checks.properties import PROPERTIES

VISIBLE_SEED = 2  # any; the visible inputs are the same for everybody
REDRAWS = 1000  # of hidden inputs that the visible ones give away; a draw has far more possible outputs than that
COPIED = 1e-6  # outputs that are closer than this are one output: the fixture files round to 1e-9

Draw = Callable[[np.random.Generator], tuple]
FROM_SCRATCH = ("keras", "tensorflow", "torch", "rnn_helpers.cells")


@dataclass(frozen=True)
class Challenge:
    """One check of the rubric: its title for the student, its points, how its inputs are drawn.

    hidden: only the hidden tests use it
    fresh: how the hidden tests draw its inputs, where the visible ones are chosen for a reader
    edge: its output can be guessed (a zero, the input itself), so it earns points only where other checks pass
    """

    title: str
    points: float
    draw: Draw
    hidden: bool = False
    fresh: Draw | None = None
    edge: bool = False


@dataclass(frozen=True)
class Tolerance:
    """The largest accepted |got - expected| / (1 + |expected|), and why it is that large."""

    value: float
    reason: str


@dataclass(frozen=True)
class Mistake:
    """A known wrong version. sentence completes: This is exactly what comes out when ...

    fails: in a ClaimsExercise, the claims that do not hold for it, by which it is recognised
    """

    sentence: str
    solve: Callable
    fails: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise: what it is called, what it is worth and how an answer is judged.

    challenges: the rubric; their points and `unchanged` sum to `points`
    oracle: the right answer worked out another way, never with rnn_helpers; its parameters are the exercise's signature
    mistakes: known wrong versions, each with its sentence
    styles: honest solutions of other kinds, all of which must pass
    hints: a question, the idea, the line in words
    unchanged: points for leaving the inputs as they were (0: not asked)
    least: how many checks must pass before any earns points: more than one where all outputs are among a few words
    lists: whether a list may stand for an array, because nothing in the lesson breaks on it
    probe: how the answer is called, a name in rnn_helpers.checks.execution.PROBES
    """

    name: str
    challenges: tuple[Challenge, ...]
    oracle: Callable
    tolerance: Tolerance
    mistakes: tuple[Mistake, ...]
    styles: tuple[Callable, ...]
    hints: tuple[str, str, str]
    unchanged: float = 0.5
    least: int = 1
    lists: bool = False
    probe: str = "call"
    not_allowed: tuple[str, ...] = FROM_SCRATCH

    @property
    def points(self) -> float:
        """Return what the exercise is worth."""
        return sum(challenge.points for challenge in self.challenges) + self.unchanged

    def task(self, rng: np.random.Generator, *, hidden: bool, draws: int = 1) -> Task:
        """Return the Task with inputs drawn from `rng`: the visible challenges, and with `hidden` all of them.

        draws: how many cases each challenge gets
        """
        chosen = [challenge for challenge in self.challenges if hidden or not challenge.hidden]
        points = {challenge.title: challenge.points for challenge in chosen}
        if self.unchanged:
            points[UNCHANGED] = self.unchanged
        return Task(
            name=self.name,
            points=points,
            cases=self._hidden_cases(chosen, rng, draws) if hidden else [self._case(c, c.draw(rng)) for c in chosen],
            sentences=[mistake.sentence for mistake in self.mistakes],
            parameters=_parameters(self.oracle),
            tolerance=self.tolerance.value,
            probe=self.probe,
            not_allowed=self.not_allowed,
            lists=self.lists,
            edges=tuple(challenge.title for challenge in chosen if challenge.edge),
            least=self.least if hidden else 1,  # `check` gives no points and shows what is right
        )

    def _hidden_cases(self, chosen: list[Challenge], rng: np.random.Generator, draws: int) -> list[Case]:
        """Return cases that cannot be looked up: no output is one that the fixture file shows."""
        if self.probe in PROPERTIES:  # which show no output, only what must hold for any
            return [self._case(challenge, challenge.draw(rng)) for challenge in chosen for _ in range(draws)]
        visible = _visible_cases(self)
        cases: list[Case] = []
        for challenge in chosen:
            drawn: list[Case] = []
            while len(drawn) < draws:
                drawn.append(self._unseen_case(challenge, rng, visible, drawn if len(drawn) == draws - 1 else []))
            cases += drawn
        return cases

    def _unseen_case(
        self, challenge: Challenge, rng: np.random.Generator, visible: tuple[Case, ...], siblings: list[Case]
    ) -> Case:
        """Draw until the output is no visible one, and not the same as in all of its siblings."""
        draw = challenge.fresh or challenge.draw
        for _ in range(REDRAWS):
            case = self._case(challenge, draw(rng))
            given_away = any(self._gives_away(shown_case, case) for shown_case in visible)
            if challenge.edge or not (given_away or self._constant(case, siblings)):
                return case
        raise RuntimeError(
            f"{self.name}, {challenge.title!r}: none of {REDRAWS} draws has an output that the visible checks do not "
            "show; give it `fresh`, or make it an `edge`"
        )

    def _gives_away(self, visible: Case, case: Case) -> bool:
        """Tell whether a visible case shows the output of `case`; where outputs are a few words, whether it is one."""
        if self.least > 1:
            return same_output(visible.args, case.args, COPIED)
        return same_output(visible.expected, case.expected, COPIED)

    def _constant(self, case: Case, siblings: list[Case]) -> bool:
        """Tell whether `case` and the others of its challenge have one output, so that a constant would pass."""
        if not siblings or self.least > 1:
            return False
        return all(same_output(case.expected, sibling.expected, COPIED) for sibling in siblings)

    def _case(self, challenge: Challenge, args: tuple) -> Case:
        expected: Any = execute(self.oracle, args, self.probe)
        if expected.error:
            raise RuntimeError(
                f"the oracle of {self.name} failed on {challenge.title!r}: {expected.error}: {expected.message}"
            )
        return Case(challenge.title, args, expected.value, self._mistake_outcomes(args))

    def _mistake_outcomes(self, args: tuple) -> LazyOutcomes:
        """Return what each known mistake does with these inputs; nobody asks when the answer is right."""
        return LazyOutcomes([partial(execute, mistake.solve, args, self.probe) for mistake in self.mistakes])


@dataclass(frozen=True)
class Claims:
    """One check of a ClaimsExercise: its title, its points and what must hold for a right answer.

    hidden: only the hidden tests look at it
    """

    title: str
    points: float
    claims: tuple[str, ...]
    hidden: bool = False


@dataclass(frozen=True)
class ClaimsExercise:
    """An exercise with many right answers, such as a trained model: called once, and held to many claims.

    challenges: the rubric; their points sum to `points`
    draw: the inputs of that one call
    oracle: a right answer; its parameters are the exercise's signature
    threshold: the numbers in the claims, and how they were set
    mistakes: each says which claims it fails; that must be the same on every draw, and another set for each
    probe: how the answer is called and what is seen, a name in rnn_helpers.checks.keras_probes.MODEL_PROBES
    trains: whether one call takes seconds, so that tests call it seldom
    """

    name: str
    challenges: tuple[Claims, ...]
    draw: Draw
    oracle: Callable
    threshold: str
    mistakes: tuple[Mistake, ...]
    styles: tuple[Callable, ...]
    hints: tuple[str, str, str]
    probe: str
    trains: bool = False
    not_allowed: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """Return what the exercise is worth."""
        return sum(challenge.points for challenge in self.challenges)

    def task(self, rng: np.random.Generator, *, hidden: bool, draws: int = 1) -> Task:
        """Return the Task with inputs drawn from `rng`: one draw, since every check looks at the same call."""
        chosen = [challenge for challenge in self.challenges if hidden or not challenge.hidden]
        args = self.draw(rng)
        return Task(
            name=self.name,
            points={challenge.title: challenge.points for challenge in chosen},
            cases=[self._case(challenge, args) for challenge in chosen],
            sentences=[mistake.sentence for mistake in self.mistakes],
            parameters=_parameters(self.oracle),
            tolerance=0.0,
            probe=self.probe,
            not_allowed=self.not_allowed,
            together=True,
        )

    def _case(self, challenge: Claims, args: tuple) -> Case:
        outcomes = [Outcome({claim: claim not in m.fails for claim in challenge.claims}) for m in self.mistakes]
        return Case(challenge.title, args, dict.fromkeys(challenge.claims, True), outcomes)


@cache
def _visible_cases(exercise: Exercise) -> tuple[Case, ...]:
    return tuple(exercise.task(np.random.default_rng(VISIBLE_SEED), hidden=False).cases)


def _parameters(function: Callable) -> list[str]:
    return [format_parameter(parameter) for parameter in inspect.signature(function).parameters.values()]


def format_parameter(parameter: inspect.Parameter) -> str:
    """Return a parameter as a signature shows it, `activation=np.tanh` for example."""
    default = parameter.default
    if default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={f'np.{default.__name__}' if isinstance(default, np.ufunc) else repr(default)}"
