"""Make untrusted text harmless in sentences, terminals, logs and HTML pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

_LONGEST_LINE = 10_000  # characters of one line in a terminal
_LONGEST_RECORD = 50_000  # characters of one record of a log
_LONGEST_NAME = 60  # characters of a quoted name
_LONGEST_SENTENCE = 300  # characters of a line on a page
_MOST_NAMED = 5  # names in one sentence; the rest are counted
# Marks that change the direction of the text around them.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Unicode categories: controls, surrogates, separators of lines and paragraphs.
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
# Those and format characters, private and unassigned code points: all invisible characters.
_UNSEEN = (*_CONTROLS, "Cf", "Co", "Cn")


def is_plain(text: str) -> bool:
    """Return whether a text has no control characters or direction marks, and can be encoded as UTF-8."""
    if text.isascii() and text.isprintable():
        return True
    return _DIRECTIONS.isdisjoint(text) and not any(unicodedata.category(character) in _CONTROLS for character in text)


def quote(name: str) -> str:
    """Return a student's name for something in backticks, short and safe in terminals, Markdown and HTML."""
    cut = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
    safe = "".join("?" if character in "`<>&" or not is_plain(character) else character for character in cut)
    return f"`{safe}`"


def join_names(names: Sequence[str]) -> str:
    """Return quoted names as an enumeration for a sentence: `a`, `b` and 3 more."""
    pieces = [quote(name) for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        pieces.append(f"{len(names) - _MOST_NAMED} more")
    return " and ".join([", ".join(pieces[:-1]), pieces[-1]] if len(pieces) > 1 else pieces)


def terminal_safe(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return a text on one line of at most `longest` characters, without control sequences for a terminal."""
    line = " ".join(text[: 2 * longest].split())[:longest]
    return line if is_plain(line) else "".join(character if is_plain(character) else "?" for character in line)


def terminal_safe_lines(text: str) -> str:
    """Return a text with line breaks and tabs but no other control characters, truncated to a readable length."""
    cut = text if len(text) <= _LONGEST_RECORD else f"{text[:_LONGEST_RECORD]} ..."
    return "".join(character if character in "\n\t" or is_plain(character) else "?" for character in cut)


def single_line(text: Any, longest: int = _LONGEST_SENTENCE) -> str:
    """Return a text on one line without invisible characters, truncated to `longest` characters."""
    start = str(text)[: 4 * longest]  # megabytes of text are not processed
    line = re.sub(r"[ \t\r\n\f\v]+", " ", start).strip()
    visible = "".join("?" if unicodedata.category(character) in _UNSEEN else character for character in line)
    return visible if len(visible) <= longest else f"{visible[: longest - 3].rstrip()}..."


def with_code(sentence: str) -> Markup:
    """Return a sentence as HTML, with text in backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))
