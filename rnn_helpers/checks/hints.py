"""`hint(name)`: print the next of an exercise's three hints: a question, the idea, the line in words."""

from __future__ import annotations

from typing import Any

from rnn_helpers.checks import fixtures, written

_hints_shown: dict[str, int] = {}  # exercise -> hints given since the kernel started
_last_checked = ""  # the exercise that `hint()` without a name is about


def hint(exercise: Any = "", *, answer: bool = False) -> None:
    """Print the next hint for an exercise; after the last one, all of them again.

    exercise: its name, or the function itself; without one, the exercise that was checked last
    answer: for a written question, show a model answer instead of the criteria
    """
    name = exercise if isinstance(exercise, str) else getattr(exercise, "__name__", str(exercise))
    name = name or _last_checked
    if not name:
        print('For which exercise? Write its name into the parentheses, as in hint("leaky_memory").')
        return
    if question := fixtures.find_written(name):
        written.show_criteria(*question, answer=answer)
        return
    try:
        _, data = fixtures.find(name)
    except KeyError as error:
        print(error.args[0])
        return
    _print_next(name, data["hints"])


def remember_checked(name: str) -> None:
    """Let `hint()` without a name be about this exercise."""
    global _last_checked  # noqa: PLW0603 (one kernel, one student)
    _last_checked = name


def _print_next(name: str, hints: list[str]) -> None:
    number = _hints_shown.get(name, 0)
    if number < len(hints):
        _hints_shown[name] = number + 1
        print(f"Hint {number + 1} of {len(hints)}: {hints[number]}")
    else:
        print(f"These are all the hints for {name}:")
        for position, text in enumerate(hints, start=1):
            print(f"  {position}. {text}")
