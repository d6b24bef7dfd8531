"""Show in the notebook that a check takes its time, and for how long it has been running."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rnn_helpers import cards

TICK_S = 1.0  # between two updates
CLOCK = "rnn_helpers clock"  # the name of the thread that counts


@dataclass(frozen=True)
class Waiting:
    """A line of text with a number of seconds."""

    text: str
    seconds: int

    def __repr__(self) -> str:
        return f"{self.text} ({self.seconds} s)"

    def _repr_html_(self) -> str:
        return f"<div role='status'>{html.escape(repr(self))}</div>"


@contextmanager
def show_while_running(text: str) -> Iterator[cards.Screen]:
    """Show `text` with the seconds that have passed, and yield the Screen on which the result can replace it.

    Outside of a notebook nothing is shown.
    """
    screen = cards.Screen()
    if cards.running_shell() is None:
        yield screen
        return
    begin, finished = time.monotonic(), threading.Event()

    def tick() -> None:
        while not finished.wait(TICK_S):
            screen.show(Waiting(text, int(time.monotonic() - begin)))

    screen.show(Waiting(text, 0))
    clock = threading.Thread(target=tick, name=CLOCK, daemon=True)
    clock.start()
    try:
        yield screen
    finally:
        finished.set()
        clock.join()
