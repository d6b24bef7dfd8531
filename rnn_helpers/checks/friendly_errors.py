"""In a notebook, replace the traceback of two errors that every learner meets by one friendly sentence.

A stub that is still empty raises NotImplementedError; a cell that was deleted, or run too early, leaves a NameError.
IPython shows every other error as usual.
"""

from __future__ import annotations

import textwrap
from types import TracebackType
from typing import Any

from rnn_helpers.cards import WIDTH, running_shell
from rnn_helpers.checks import fixtures


def install_friendly_errors() -> None:
    """Install the handler in the running IPython; outside of IPython, do nothing."""
    shell = running_shell()
    if shell is not None:
        shell.set_custom_exc((NotImplementedError, NameError), _show_error)


def _show_error(
    shell: Any, kind: type, error: Exception, trace: TracebackType, tb_offset: int | None = None
) -> list[str]:
    sentence = _friendly_message(error)
    if sentence:
        lines = textwrap.wrap(f"{kind.__name__}: {sentence}", WIDTH)
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, lines)
    return lines


def _friendly_message(error: Exception) -> str:
    """Return the friendly sentence, or "" when IPython should show the error as usual."""
    if isinstance(error, NotImplementedError):
        stub = "A cell above is still waiting for your code: replace its line `raise NotImplementedError()`."
        return "" if error.args else stub
    name = getattr(error, "name", "")
    if not any(name in exercises for exercises in fixtures.lessons().values()):
        return ""
    return (
        f"{name} is not defined yet. Run the cell in which you write it. "
        "If that cell is gone, `make fresh LESSON=...` gives a new copy of the lesson and keeps yours."
    )
