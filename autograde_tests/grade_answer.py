"""`grade(answer)`: what the hidden tests call. Fresh inputs, all challenges, the points earned."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from typing import Any

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH
from autograde_tests.registry import exercises, find
from rnn_helpers.cards import Card, show
from rnn_helpers.checks.evaluator import Report, Task, judge

SALT = "RNN_COURSE_SALT"
GRADED = "GRADED_NOTEBOOK"  # the lesson, where one is being graded
DRAWS = 3  # cases for each challenge: enough that no size is special


def grade(answer: Any, name: str | None = None) -> float:
    """Judge `answer` on fresh inputs, show a card and return the points earned (nbgrader's partial credit).

    name: the exercise, when it is not the answer's own name
    Raises KeyError when no exercise has that name.
    """
    report = report_on(answer, name or str(getattr(answer, "__name__", type(answer).__name__)))
    show(Card(report))
    return float(report.points)


def report_on(answer: Any, name: str) -> Report:
    """Judge `answer` to the exercise `name` on inputs drawn from the course's salt and return the Report."""
    salt = os.environ.get(SALT)
    return judge(answer, _salted_task(name, salt) if salt else _task(name))


def prepare(lesson: str) -> None:
    """Draw the inputs of a lesson, and work out what is right and what known mistakes give, before there is an answer.

    Exercises that may use Keras are left out: a process that has trained cannot be forked any more.
    """
    salt = os.environ.get(SALT)
    for name, exercise in exercises().get(lesson, {}).items():
        if salt and exercise.not_allowed == FROM_SCRATCH:
            for case in _salted_task(name, salt).cases:
                list(case.mistakes)


@cache
def _salted_task(name: str, _salt: str) -> Task:
    return _task(name)


def _task(name: str) -> Task:
    return find(name).task(generator(name), hidden=True, draws=DRAWS)


def generator(name: str) -> np.random.Generator:
    """Return the exercise's generator: from the course's secret salt, the same for all; without one, new each time."""
    salt = os.environ.get(SALT)
    if not salt:
        return np.random.default_rng()
    digest = hashlib.sha256(f"{salt}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


# The grader imports this once for many submissions, in a process that it then copies for each.
if GRADED in os.environ:
    prepare(os.environ[GRADED])
