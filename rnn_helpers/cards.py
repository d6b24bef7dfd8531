"""Show a Report as a compact card: HTML in Jupyter, the same words as text elsewhere."""

from __future__ import annotations

import html
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

from rnn_helpers.judging import Report

WIDTH = 88
_COLOUR = {True: "var(--jp-success-color1, #1b7837)", False: "var(--jp-error-color1, #b2182b)"}


@dataclass
class Card:
    """A Report ready to be shown. hint: the call that gives a hint; note: one more line, such as a full disk."""

    report: Report
    hint: str = ""
    note: str = ""

    def headline(self) -> tuple[str, str]:
        """Return the exercise's name and its state in words."""
        report = self.report
        if report.unsolved:
            return report.name, "not solved yet"
        right = sum(report.right.values())
        return report.name, "all right" if report.passed else f"{right} of {len(report.right)} checks"

    def rows(self) -> list[tuple[str, bool, str]]:
        """Return (title, right, what is wrong) for each check; only the first to mend is explained."""
        report = self.report
        if report.unsolved:
            return []
        first = report.first_wrong
        if first and first not in report.right:
            return [(first, False, report.problems[first].sentence)]
        told = {first: report.problems[first].sentence} if first else {}
        return [(title, right, told.get(title, "")) for title, right in report.right.items()]

    def footer(self) -> list[str]:
        """Return the sentences under the checks."""
        report, lines = self.report, []
        if report.mistake:
            lines.append(f"This is exactly what comes out when {report.mistake}.")
        if report.printed and not report.unsolved:
            lines.append(f"Your code printed: {report.printed.strip()}")
        if report.unsolved:
            lines.append(f"Write your code in the cell above, run it, then run this one. Where to begin? {self.hint}")
        elif not report.passed and self.hint:
            lines.append(f"Stuck? {self.hint}")
        return lines + ([self.note] if self.note else [])

    def __repr__(self) -> str:
        name, state = self.headline()
        rows = self.rows()
        wide = max((len(title) for title, _, _ in rows), default=0)
        lines = [f"{name:<{wide + 2}}  {state}"]
        for title, right, problem in rows:
            text = f"  {title:<{wide}}  {'right' if right else 'wrong'}{': ' + problem if problem else ''}"
            lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * (wide + 4)) or [text]
        for sentence in self.footer():
            lines += textwrap.wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        name, state = self.headline()
        colour = "var(--jp-border-color1, #888)" if self.report.unsolved else _COLOUR[self.report.passed]
        rows = "".join(self._html_row(*row) for row in self.rows())
        footer = "".join(f"<div style='margin-top:4px'>{_escape(line)}</div>" for line in self.footer())
        return (
            f"<div role='group' aria-label='{_escape(name)}: {_escape(state)}' class='rnn-card' "
            f"style='border-left:5px solid {colour};padding:6px 12px;margin:4px 0;max-width:52em'>"
            f"<div><b><code>{_escape(name)}</code></b> &nbsp; {_escape(state)}</div>"
            f"<table style='border-collapse:collapse;margin:4px 0'>{rows}</table>{footer}</div>"
        )

    def _html_row(self, title: str, right: bool, problem: str) -> str:
        mark = f"<span style='color:{_COLOUR[right]}'>{'✓ right' if right else '✗ wrong'}</span>"
        cell = "style='text-align:left;padding:2px 14px 2px 0;vertical-align:top'"
        mark_cell = cell.replace("vertical-align", "white-space:nowrap;vertical-align")
        return f"<tr><td {mark_cell}>{mark}</td><td {cell}>{_escape(title)}</td><td {cell}>{_escape(problem)}</td></tr>"


def show(thing: Any) -> None:
    """Display `thing` in a notebook; print it anywhere else."""
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(thing)
            return
    print(repr(thing))


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
