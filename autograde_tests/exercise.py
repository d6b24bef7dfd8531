"""What an exercise is held to: challenges drawn from a generator, an independent oracle, known mistakes, honest styles.

One definition serves `check` (through the fixture file), the hidden `grade`, the reports and pytest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rnn_helpers.judging import UNCHANGED, Case, Lazily, Task
from rnn_helpers.observing import Outcome, observe

Draw = Callable[[np.random.Generator], tuple]
FROM_SCRATCH = ("keras", "tensorflow", "torch", "rnn_helpers.cells")


@dataclass(frozen=True)
class Challenge:
    """One check of the rubric: its title for the student, its points, how its inputs are drawn.

    hidden: only the hidden tests use it
    """

    title: str
    points: float
    draw: Draw
    hidden: bool = False


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
    lists: whether a list may stand for an array, because nothing in the lesson breaks on it
    probe: how the answer is called, a name in rnn_helpers.observing.PROBES
    """

    name: str
    challenges: tuple[Challenge, ...]
    oracle: Callable
    tolerance: Tolerance
    mistakes: tuple[Mistake, ...]
    styles: tuple[Callable, ...]
    hints: tuple[str, str, str]
    unchanged: float = 0.5
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
        cases = [self._case(challenge, rng) for challenge in chosen for _ in range(draws)]
        return Task(
            name=self.name,
            points=points,
            cases=cases,
            sentences=[mistake.sentence for mistake in self.mistakes],
            parameters=_parameters(self.oracle),
            tolerance=self.tolerance.value,
            probe=self.probe,
            not_allowed=self.not_allowed,
            lists=self.lists,
        )

    def _case(self, challenge: Challenge, rng: np.random.Generator) -> Case:
        args = challenge.draw(rng)
        expected: Any = observe(self.oracle, args, self.probe)
        if expected.error:
            raise RuntimeError(
                f"the oracle of {self.name} failed on {challenge.title!r}: {expected.error}: {expected.message}"
            )
        return Case(challenge.title, args, expected.value, self._known(args))

    def _known(self, args: tuple) -> Lazily:
        """Return what each known mistake does with these inputs; nobody asks when the answer is right."""
        return Lazily([partial(observe, mistake.solve, args, self.probe) for mistake in self.mistakes])


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
    probe: how the answer is called and what is seen, a name in rnn_helpers.models.MODEL_PROBES
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
        known = [Outcome({claim: claim not in m.fails for claim in challenge.claims}) for m in self.mistakes]
        return Case(challenge.title, args, dict.fromkeys(challenge.claims, True), known)


def _parameters(function: Callable) -> list[str]:
    return [shown(parameter) for parameter in inspect.signature(function).parameters.values()]


def shown(parameter: inspect.Parameter) -> str:
    """Return a parameter as a signature shows it, `activation=np.tanh` for example."""
    default = parameter.default
    if default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={f'np.{default.__name__}' if isinstance(default, np.ufunc) else repr(default)}"
