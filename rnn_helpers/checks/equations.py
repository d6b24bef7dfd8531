"""`equations()`: show all equations and shapes of the course on one page, with the lesson that derives each."""

from __future__ import annotations

from pathlib import Path

from rnn_helpers import cards

PAGE = Path(__file__).with_suffix(".md")


class Page:
    """A Markdown page: rendered in a notebook, plain text elsewhere."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def equations() -> None:
    """Show the page of equations."""
    cards.show(Page(PAGE.read_text(encoding="utf-8")))
