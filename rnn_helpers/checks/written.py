"""Show the criteria of a written question, and a model answer, to a student who has written an answer."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnn_helpers import cards

PLACEHOLDER = "YOUR ANSWER HERE"  # what nbgrader puts into a cell for a written answer
FEWEST_WORDS = 5  # of an answer; less is not an attempt
GRADING = "autograde"  # the value of NBGRADER_EXECUTION while a submission is graded


@dataclass(frozen=True)
class Text:
    """Text to display: Markdown in a notebook, plain elsewhere."""

    markdown: str

    def __repr__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown


def show_criteria(lesson: str, name: str, question: dict[str, Any], *, answer: bool) -> None:
    """Show what a good answer says or, with `answer`, a model answer; first ask for one if none is written.

    Nothing is shown while a submission is graded, so that no graded notebook contains a model answer.
    """
    if os.environ.get("NBGRADER_EXECUTION") == GRADING:
        return
    written = saved_answer(lesson, name)
    if written is not None and len(written.split()) < FEWEST_WORDS:
        cards.show(Text(_request(name)))
    elif answer:
        cards.show(Text(f"**One possible answer** (yours may differ):\n\n{decode_answer(question['answer'])}"))
    else:
        criteria = "\n".join(f"- {criterion}" for criterion in question["criteria"])
        more = f'`hint("{name}", answer=True)` shows one possible answer.'
        cards.show(Text(f"**What a good answer says.** Compare it with yours.\n\n{criteria}\n\n{more}"))


def _request(name: str) -> str:
    return (
        f"The saved notebook has no answer to {name} yet. Write a few sentences of your own first, even if you are not "
        f'sure: comparing is how you learn from the criteria. Then save the notebook and run `hint("{name}")` again.'
    )


def encode_answer(text: str) -> str:
    """Return a model answer so that no one reads it by accident."""
    return base64.b64encode(text.encode()).decode()


def decode_answer(text: str) -> str:
    """Return the model answer that `encode_answer` turned into `text`."""
    return base64.b64decode(text).decode()


def saved_answer(lesson: str, name: str) -> str | None:
    """Return what stands in a written answer's cell of the saved notebook, or None if the notebook is not found."""
    for path in _notebooks(lesson):
        for cell in _cells(path):
            if cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") == name:
                source = cell.get("source", "")
                text = source if isinstance(source, str) else "".join(source)
                return text.replace(PLACEHOLDER, "").strip()
    return None


def _notebooks(lesson: str) -> Iterator[Path]:
    """Yield the files that may be the notebook of the running kernel."""
    if path := os.environ.get("JPY_SESSION_NAME"):  # Jupyter's servers tell their kernels
        yield Path(path)
    shell = cards.running_shell()
    if shell is not None and isinstance(path := shell.user_ns.get("__vsc_ipynb_file__"), str):  # and so does VS Code
        yield Path(path)
    yield Path(f"{lesson}.ipynb")


def _cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook file, or an empty list if it is no such file."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [cell for cell in cells if isinstance(cell, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
