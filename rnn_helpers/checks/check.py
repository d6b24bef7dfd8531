"""`check(answer)`: run the visible checks of an exercise and show the result as a card."""

from __future__ import annotations

import os
import textwrap
from typing import Any

from rnn_helpers import cards
from rnn_helpers.checks import fixtures, hints, progress
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.evaluator import Report, judge
from rnn_helpers.checks.training_notice import announce_training
from rnn_helpers.environment import newer_lesson


class CheckFailed(AssertionError):  # noqa: N818 (public: students read it, and it reads as a sentence)
    """Raised after the card is shown, so that nbgrader's Validate counts it; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook for how an exception is shown
        return textwrap.wrap(f"CheckFailed: {self}", cards.WIDTH)


def check(answer: Any = None, name: str | None = None) -> None:
    """Check the answer to an exercise and show a card.

    answer: the function, class or value you wrote
    name: the exercise, when it is not the answer's own name, as in check(my_step, "rnn_step")
    Raises CheckFailed when something is still wrong; for a stub that is still empty, the card alone says so, except to
    nbgrader's Validate, which counts exceptions. Under `nbgrader autograde` it does nothing: the marks and the
    card come from the hidden tests, which look at all that is looked at here, and an exception would end the cell
    before them.
    """
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return
    name = name or _exercise_name(answer)
    try:
        lesson, data = fixtures.find(name)
        task = fixtures.decode_task(name, data)
    except fixtures.UnknownExerciseError as error:
        advice = f'If {name} is your own name for an exercise, add its name, as in check({name}, "rnn_step").'
        raise CheckFailed(f"{error.args[0]} {advice} {newer_lesson(name)}") from None
    except (KeyError, fixtures.FixtureError) as error:
        raise CheckFailed(str(error.args[0])) from None
    hints.remember_checked(name)
    with announce_training(task.seconds):
        report = judge(answer, task)
    cards.show(cards.Card(report, hint=_hint_call(name), note=progress.record(lesson, name, report)))
    if not report.passed and not (report.unsolved and _is_interactive()):
        raise CheckFailed(_summary(report))


def _exercise_name(answer: Any) -> str:
    name = getattr(answer, "__name__", "")
    if not name or name == "<lambda>":
        raise CheckFailed(
            f"check(...) takes the function or class you wrote, as in check(rnn_step), not {name or describe(answer)}. "
            'When yours has another name, say which exercise it is: check(my_step, "rnn_step").'
        )
    return name


def _is_interactive() -> bool:
    """Return whether a person is at the notebook, rather than nbgrader or a script."""
    return cards.running_shell() is not None and not os.environ.get("NBGRADER_EXECUTION")


def _hint_call(name: str) -> str:
    return f'hint("{name}")'


def _summary(report: Report) -> str:
    if report.unsolved:
        return f"{report.name} is not solved yet"
    return f"{report.name}: {cards.score_text(*report.score)} (see the card above)"
