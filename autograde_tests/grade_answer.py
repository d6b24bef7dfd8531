"""`grade(answer)`, which the hidden tests call: evaluate an answer on new inputs and return its points."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from typing import Any

import numpy as np

from autograde_tests.registry import exercises, find
from rnn_helpers.cards import Card, show
from rnn_helpers.checks.evaluator import Report, Task, judge
from rnn_helpers.checks.keras_probes import MODEL_PROBES

SALT = "RNN_COURSE_SALT"
GRADED = "GRADED_NOTEBOOK"  # the lesson that is being graded, if any
DRAWS = 3  # cases for each challenge, so that the result does not depend on one size


def grade(answer: Any, name: str | None = None) -> float:
    """Evaluate `answer` on new inputs, show a card and return the points earned (nbgrader's partial credit).

    name: the exercise, when it is not the name of the answer
    Raises KeyError when no exercise has that name.
    """
    report = report_on(answer, name or str(getattr(answer, "__name__", type(answer).__name__)))
    show(Card(report))
    return float(report.points)


def report_on(answer: Any, name: str) -> Report:
    """Evaluate `answer` to the exercise `name` on inputs drawn from the course's salt and return the Report."""
    salt = os.environ.get(SALT)
    return judge(answer, _salted_task(name, salt) if salt else _task(name))


def prepare(lesson: str) -> None:
    """Compute the inputs, expected outputs and outcomes of known mistakes of a lesson in advance.

    Exercises about Keras objects are skipped, because a process that has trained a model must not be forked.
    """
    salt = os.environ.get(SALT)
    for name, exercise in exercises().get(lesson, {}).items():
        if salt and exercise.probe not in MODEL_PROBES:
            for case in _salted_task(name, salt).cases:
                list(case.mistakes)


@cache
def _salted_task(name: str, _salt: str) -> Task:
    return _task(name)


def _task(name: str) -> Task:
    return find(name).task(generator(name), hidden=True, draws=DRAWS)


def generator(name: str) -> np.random.Generator:
    """Return the exercise's random generator, seeded with the course's secret salt if there is one."""
    salt = os.environ.get(SALT)
    if not salt:
        return np.random.default_rng()
    digest = hashlib.sha256(f"{salt}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


# The grader imports this module once, in a process that it then forks for each submission.
if GRADED in os.environ:
    prepare(os.environ[GRADED])
