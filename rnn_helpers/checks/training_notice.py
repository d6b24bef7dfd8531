"""Say that a check trains a model, and show how much of the time has passed."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rnn_helpers import cards

TICK = 0.5  # seconds between two updates


@dataclass
class Notice:
    """What is displayed while a check trains: about how many seconds it takes, and how many have passed."""

    seconds: int
    elapsed: float = 0.0

    def __repr__(self) -> str:
        return f"This check trains a model, which takes about {self.seconds} seconds ..."

    def _repr_html_(self) -> str:
        bar = f"<progress max='{self.seconds}' value='{min(self.elapsed, self.seconds):.1f}'></progress>"
        return f"<div role='status'>{self!r} {bar}</div>"


class Blank:
    """What stands in place of the notice when the card is there."""

    def __repr__(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        return ""


@contextlib.contextmanager
def announce_training(seconds: int) -> Iterator[None]:
    """Show a notice with a progress bar during the block; outside a notebook, print one line. Nothing if 0 seconds."""
    if not seconds:
        yield
        return
    if getattr(cards.running_shell(), "kernel", None) is None:  # no notebook: what is printed stays
        print(repr(Notice(seconds)), flush=True)
        yield
        return
    screen, stop = cards.Screen(), threading.Event()
    screen.show(Notice(seconds))
    context = contextvars.copy_context()  # in which Jupyter keeps the cell that the display belongs to
    ticker = threading.Thread(target=context.run, args=(_tick, screen, seconds, stop), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        stop.set()
        ticker.join()
        screen.show(Blank())


def _tick(screen: cards.Screen, seconds: int, stop: threading.Event) -> None:
    start = time.monotonic()
    while not stop.wait(TICK):
        screen.show(Notice(seconds, time.monotonic() - start))
