"""Render a Report as a compact card: HTML in Jupyter, the same text elsewhere."""

from __future__ import annotations

import html
import re
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

from rnn_helpers.checks.evaluator import BEFORE, LATER, Report

WIDTH = 88
RESULT = "application/vnd.nbjudge.result+json"  # the same result as data, for reports about a class
_GREEN, _RED = "var(--jp-success-color1, #1b7837)", "var(--jp-error-color1, #b2182b)"  # JupyterLab's own, both themes
_GREY = "var(--jp-ui-font-color2, #666)"
MARKS = {"right": ("✓", _GREEN), "wrong": ("✗", _RED), "later": ("–", _GREY)}


@dataclass
class Card:
    """A displayable Report. hint: the call that gives a hint; note: an extra line, such as about a full disk."""

    report: Report
    hint: str = ""
    note: str = ""

    def headline(self) -> tuple[str, str]:
        """Return the exercise's name and its result in words."""
        report = self.report
        if report.unsolved:
            return report.name, "not solved yet"
        passed, total = report.score
        return report.name, "all right" if report.passed else f"{passed} of {total} checks are right"

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (title, key of MARKS, problem) for each check; only the first failure is explained."""
        report = self.report
        if report.unsolved:
            return []
        first = report.first_wrong
        if first == BEFORE:
            return [(first, "wrong", report.problems[first].sentence)]
        return [(title, self._word(title), self._explanation(title, first)) for title in report.results]

    def _word(self, title: str) -> str:
        if self.report.results[title]:
            return "right"
        return "later" if self.report.problems[title].kind == LATER.kind else "wrong"

    def _explanation(self, title: str, first: str) -> str:
        problem = self.report.problems.get(title)
        return problem.sentence if problem and (title == first or problem.kind == LATER.kind) else ""

    def verdict(self) -> str:
        """Return the sentence about a known mistake, or ""; it goes first because it helps most."""
        if not self.report.mistake:
            return ""
        return (
            f"This is exactly what comes out when {self.report.mistake}."
            if self.report.certain
            else self.report.mistake
        )

    def footer(self) -> list[str]:
        """Return the lines below the checks."""
        report, lines = self.report, []
        start = f"Where to begin? {self.hint}" if self.hint else ""
        if report.printed and not report.unsolved:
            lines.append(f"Your code printed, or NumPy warned: {report.printed.strip()}")
        if report.unsolved:
            lines.append(
                f"Put your code in place of `raise NotImplementedError()`, run that cell, then this one. {start}"
            )
        elif not report.passed and self.hint:
            lines.append(f"Stuck? {self.hint}")
        return lines + ([self.note] if self.note else [])

    def __repr__(self) -> str:
        name, state = self.headline()
        rows = self.rows()
        wide = max((len(title) for title, _, _ in rows), default=0)
        lines = [f"{name:<{wide + 2}}  {state}", *textwrap.wrap(self.verdict(), WIDTH)]
        for title, word, problem in rows:
            text = f"  {title:<{wide}}  {word}{': ' + problem if problem else ''}"
            lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * (wide + 4))
        for sentence in self.footer():
            lines += textwrap.wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        name, state = self.headline()
        colour = _GREY if self.report.unsolved else _GREEN if self.report.passed else _RED
        rows = "".join(self._html_row(*row) for row in self.rows())
        footer = "".join(f"<div style='margin-top:4px'>{_marked_up(line)}</div>" for line in self.footer())
        verdict = f"<div style='margin:4px 0'><b>{_marked_up(self.verdict())}</b></div>" if self.verdict() else ""
        return (
            f"<div role='group' aria-label='{_escape(name)}: {_escape(state)}' class='rnn-card' "
            f"style='border-left:5px solid {colour};padding:6px 12px;margin:4px 0;max-width:52em'>"
            f"<div><b><code>{_escape(name)}</code></b> &nbsp; {_escape(state)}</div>"
            f"{verdict}<table style='border-collapse:collapse;margin:4px 0'>{rows}</table>{footer}</div>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the result as data; IPython adds the text and the HTML."""
        first = self.report.first_wrong
        data = {
            "exercise": self.report.name,
            "solved": not self.report.unsolved,
            "passed": self.report.passed,
            "mistake": self.report.mistake,
            "problem": self.report.problems[first].sentence if first else "",
        }
        return {RESULT: data}

    def _html_row(self, title: str, word: str, problem: str) -> str:
        mark, colour = MARKS[word]
        row = "style='background:none'"  # JupyterLab's stripes would separate a check from its explanation
        cell = "style='text-align:left;padding:2px 14px 2px 0;vertical-align:top;white-space:nowrap'"
        wide_cell = cell.replace("nowrap", "normal")
        explained = f"<tr {row}><td></td><td {wide_cell}>{_marked_up(problem)}</td></tr>" if problem else ""
        state = f"<span style='color:{colour}'>{mark}</span> {word}"
        return f"<tr {row}><td {cell}>{state}</td><td {cell}>{_escape(title)}</td></tr>{explained}"


def show(thing: Any) -> None:
    """Display `thing` in a notebook; print it anywhere else."""
    if running_shell() is not None:
        from IPython.display import display

        display(thing)
    else:
        print(repr(thing))


def running_shell() -> Any:
    """Return the running IPython shell, or None; never imports IPython."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def _marked_up(text: str) -> str:
    """Escape the text and format `code` and hint("...") calls as code."""
    return re.sub(r"`([^`]+)`|(hint\(&quot;\w+&quot;\))", r"<code>\1\2</code>", _escape(text))


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


class Screen:
    """A live display: output that is replaced in place, such as a learning curve during training."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, thing: Any) -> None:
        """Show `thing` in place of the previous content; outside a notebook, print it."""
        if self._handle is not None:
            self._handle.update(thing)
            return
        if running_shell() is not None:
            from IPython.display import display

            self._handle = display(thing, display_id=True)
        else:
            show(thing)
