"""Format names, numbers, counts and durations for pages and plots, and any value for a CSV file."""

from __future__ import annotations

import re
from typing import Any

from nbjudge.text import single_line

_LONGEST_NAME = 40
# Characters with which a spreadsheet formula can begin, including their full-width forms.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where semicolons separate columns, as in much of Europe, a formula may follow one; quotes do not help there.
_AFTER_SEMICOLON = re.compile(rf"(;[\"' ]*)(?=[{re.escape(''.join(FORMULA))}])")


def name(text: Any, longest: int = _LONGEST_NAME) -> str:
    """Return the name of a student or a cell for display, shortened to one line of `longest` characters."""
    return single_line(text, longest) or "(no name)"


def cell(value: Any, longest: int = 2000) -> str | float | int:
    """Return a value for a CSV file: numbers unchanged, text escaped so that no spreadsheet reads it as a formula.

    Source: OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    safe = "" if value is None else single_line(value, longest)  # without leading whitespace
    safe = _AFTER_SEMICOLON.sub(r"\1'", safe)
    return f"'{safe}" if safe.startswith(FORMULA) else safe


def number(value: float, digits: int = 2) -> str:
    """Return a number without trailing zeros: 3, 3.5, 0.33."""
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: "1 student", "1,234 students"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def duration(seconds: float) -> str:
    """Return a duration with its units: 0.42 s, 12.3 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
