"""`hint(name)`: print the next of an exercise's three hints: a question, the idea, the line in words."""

from __future__ import annotations

from typing import Any

from rnn_helpers.checks import fixtures

_hints_shown: dict[str, int] = {}  # exercise -> hints given since the kernel started


def hint(exercise: Any = "") -> None:
    """Print the next hint for an exercise; after the last one, all of them again.

    exercise: its name, or the function itself
    """
    name = exercise if isinstance(exercise, str) else getattr(exercise, "__name__", str(exercise))
    try:
        _, data = fixtures.find(name)
    except KeyError as error:
        print(error.args[0])
        return
    hints = data["hints"]
    number = _hints_shown.get(name, 0)
    if number < len(hints):
        _hints_shown[name] = number + 1
        print(f"Hint {number + 1} of {len(hints)}: {hints[number]}")
    else:
        print(f"These are all the hints for {name}:")
        for position, text in enumerate(hints, start=1):
            print(f"  {position}. {text}")
