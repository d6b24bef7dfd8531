"""The specification of an exercise: random challenges, an independent oracle, known mistakes and accepted variants.

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

VISIBLE_SEED = 2  # arbitrary; the visible inputs are the same for all students
REDRAWS = 1000  # attempts to draw hidden inputs with outputs that differ from the visible ones
COPIED = 1e-6  # outputs closer than this count as equal: the fixture files round to 1e-9

# Fixture files round to 1e-9, and an honest answer may add 1e-9 to a divisor; float32 is off by more than that.
LEAST_TOLERANCE = 1e-8

Draw = Callable[[np.random.Generator], tuple]
FROM_SCRATCH = ("keras", "tensorflow", "torch", "rnn_helpers.cells")


@dataclass(frozen=True)
class Challenge:
    """One check of the rubric: its title for the student, its points and the generator of its inputs.

    hidden: only the hidden tests use it
    fresh: the generator for the hidden tests, if the visible inputs were chosen for readability
    edge: its output can be guessed (a zero, the input itself), so it earns points only if other checks pass
    """

    title: str
    points: float
    draw: Draw
    hidden: bool = False
    fresh: Draw | None = None
    edge: bool = False


@dataclass(frozen=True)
class Tolerance:
    """The largest accepted |got - expected| / (1 + |expected|), in `check` and `grade` alike, and the reason.

    Raises ValueError for a value below LEAST_TOLERANCE.
    """

    value: float
    reason: str

    def __post_init__(self) -> None:
        if self.value < LEAST_TOLERANCE:
            raise ValueError(f"invalid tolerance {self.value}: expected at least {LEAST_TOLERANCE}")


ROUNDING = Tolerance(LEAST_TOLERANCE, "float64, with room for the rounding of the fixture files")


@dataclass(frozen=True)
class Mistake:
    """A known wrong version and the sentence that describes it.

    fails: in a ClaimsExercise, the claims that it violates, which identify it
    """

    sentence: str
    solve: Callable
    fails: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise: its name, its points and the evaluation of an answer.

    challenges: the rubric; their points and `unchanged` sum to `points`
    oracle: an independent solution, never with rnn_helpers; its parameters are the signature of the exercise
    mistakes: known wrong versions, each with its sentence
    styles: accepted variants of the solution, all of which must pass
    hints: a question, the idea, the line in words
    unchanged: points for leaving the inputs unchanged (0: not checked)
    least: how many checks must pass before any earns points: more than one if all outputs are among a few words
    lists: whether a list is accepted in place of an array
    probe: how the answer is called, a name in rnn_helpers.checks.execution.PROBES
    not_allowed: what the answer may not use, which the task text states; FROM_SCRATCH where that is what is written
    promised: what all inputs have in common, and why an answer may rely on it; tests/test_unbiased_inputs.py finds it
    """

    name: str
    challenges: tuple[Challenge, ...]
    oracle: Callable
    mistakes: tuple[Mistake, ...]
    styles: tuple[Callable, ...]
    hints: tuple[str, str, str]
    tolerance: Tolerance = ROUNDING
    unchanged: float = 0.5
    least: int = 1
    lists: bool = False
    probe: str = "call"
    not_allowed: tuple[str, ...] = ()
    promised: tuple[tuple[str, str], ...] = ()

    @property
    def points(self) -> float:
        """Return the points of the exercise."""
        return sum(challenge.points for challenge in self.challenges) + self.unchanged

    @property
    def parameters(self) -> list[str]:
        """Return the parameters of the signature."""
        return _parameters(self.oracle)

    def task(self, rng: np.random.Generator, *, hidden: bool, draws: int = 1) -> Task:
        """Return the Task with inputs drawn from `rng`: the visible challenges, or all of them with `hidden`.

        draws: the number of cases of each challenge
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
            parameters=self.parameters,
            tolerance=self.tolerance.value,
            probe=self.probe,
            not_allowed=self.not_allowed,
            lists=self.lists,
            edges=tuple(challenge.title for challenge in chosen if challenge.edge),
            least=self.least if hidden else 1,  # `check` gives no points and shows which checks pass
        )

    def _hidden_cases(self, chosen: list[Challenge], rng: np.random.Generator, draws: int) -> list[Case]:
        """Return cases whose outputs do not occur in the fixture file."""
        if self.probe in PROPERTIES:  # their cases contain claims and no output
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
        """Draw a case whose output is not visible and not equal to those of all its siblings."""
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
        """Return whether a visible case has the output of `case`, or its inputs if outputs are a few words."""
        if self.least > 1:
            return same_output(visible.args, case.args, COPIED)
        return same_output(visible.expected, case.expected, COPIED)

    def _constant(self, case: Case, siblings: list[Case]) -> bool:
        """Return whether `case` and its siblings have the same output, so that a constant would pass."""
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
        """Return the outcomes of the known mistakes on these inputs; a correct answer never computes them."""
        return LazyOutcomes([partial(execute, mistake.solve, args, self.probe) for mistake in self.mistakes])


@dataclass(frozen=True)
class Claims:
    """One check of a ClaimsExercise: its title, its points and the claims about a correct answer.

    hidden: only the hidden tests use it
    """

    title: str
    points: float
    claims: tuple[str, ...]
    hidden: bool = False


@dataclass(frozen=True)
class ClaimsExercise:
    """An exercise with many correct answers, such as a trained model: one call is evaluated by many claims.

    challenges: the rubric; their points sum to `points`
    draw: the inputs of that one call
    oracle: a correct answer; its parameters are the signature of the exercise
    threshold: the numbers in the claims, and how they were chosen
    mistakes: each names the claims that it violates: the same on every draw, and a different set for each mistake
    probe: how the answer is called and inspected, a name in rnn_helpers.checks.keras_probes.MODEL_PROBES
    trains: whether one call takes seconds, so that tests rarely call it
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
        """Return the points of the exercise."""
        return sum(challenge.points for challenge in self.challenges)

    def task(self, rng: np.random.Generator, *, hidden: bool, draws: int = 1) -> Task:
        """Return the Task with inputs drawn from `rng`: one draw, since every check uses the same call."""
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
    """Format a parameter as in a signature, `activation=np.tanh` for example."""
    default = parameter.default
    if default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={f'np.{default.__name__}' if isinstance(default, np.ufunc) else repr(default)}"
