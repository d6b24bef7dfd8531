"""Render a Report as a compact card: HTML in Jupyter, the same text elsewhere."""

from __future__ import annotations

import html
import re
import sys
import textwrap
from dataclasses import dataclass
from typing import Any, NamedTuple

from rnn_helpers.checks.evaluator import BEFORE, LATER, Report

WIDTH = 88
CODE_WORDS = ("xs ", "hs ", "ys ", "dhs ", "dx ", "dh ", "np ", "tanh ", "inf ", "nan ")  # never capitalised
RESULT = "application/vnd.nbjudge.result+json"  # the same result as data, for reports about a class
_GREEN, _RED = "var(--jp-success-color1, #1b7837)", "var(--jp-error-color1, #b2182b)"  # JupyterLab's own, both themes
_GREY = "var(--jp-ui-font-color2, #666)"
MARKS = {
    "passed": ("✓", _GREEN),
    "failed": ("✗", _RED),
    "skipped": ("–", _GREY),
    "right": ("✓", _GREEN),
    "excluded": ("✗", _RED),
    "no entry": ("–", _GREY),
}


class Row(NamedTuple):
    """One line of a card: a check, how it went (a key of MARKS), what is wrong and with which inputs."""

    title: str
    word: str
    problem: str = ""
    inputs: str = ""


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
        return report.name, "passed" if report.passed else score_text(*report.score)

    def rows(self) -> list[Row]:
        """Return one row for each check; only the first failure is explained."""
        report = self.report
        if report.unsolved:
            return []
        first = report.first_wrong
        if first == BEFORE:
            return [Row(first, "failed", complete_sentence(report.problems[first].sentence))]
        return [Row(title, self._word(title), *self._explanation(title, first)) for title in report.results]

    def _word(self, title: str) -> str:
        if self.report.results[title]:
            return "passed"
        return "skipped" if self.report.problems[title].kind == LATER.kind else "failed"

    def _explanation(self, title: str, first: str) -> tuple[str, str]:
        """Return the sentence about a check and the line about its inputs, each of which may be ""."""
        problem = self.report.problems.get(title)
        if problem is None or (title != first and problem.kind != LATER.kind):
            return "", ""
        return complete_sentence(problem.sentence), f"Inputs: {problem.inputs}" if problem.inputs else ""

    def verdict(self) -> str:
        """Return the sentence about a known mistake or about how the results relate to the right ones, or "".

        It goes first because it helps most.
        """
        return complete_sentence(self.report.mistake or self.report.relation)

    def footer(self) -> list[str]:
        """Return the lines below the checks."""
        report, lines = self.report, []
        start = f"Where to begin? {self.hint}" if self.hint else ""
        if report.printed and not report.unsolved:
            lines.append(f"Printed output and warnings: {report.printed.strip()}")
        if report.unsolved:
            lines.append(
                f"Replace the line `raise NotImplementedError()` by your code, run that cell, then this one. {start}"
            )
        elif report.passed:
            lines.append(f"Well done! {praise(report.score[1])}")
        elif not report.passed and self.hint:
            lines.append(f"Stuck? {self.hint}")
        return lines + ([self.note] if self.note else [])

    def __repr__(self) -> str:
        name, state = self.headline()
        rows = self.rows()
        wide = max((len(row.title) for row in rows), default=0)
        lines = [f"{name:<{wide + 2}}  {state}", *textwrap.wrap(self.verdict(), WIDTH)]
        for row in rows:
            words = row.problem.lower() if row.word == "skipped" else ": ".join(filter(None, (row.word, row.problem)))
            first, *continuation = f"  {row.title:<{wide}}  {words}\n{row.inputs}".splitlines()
            for part in [first, *(" " * (wide + 4) + line for line in continuation if line)]:
                lines += textwrap.wrap(part, WIDTH, subsequent_indent=" " * (wide + 4))
        for line in "\n".join(self.footer()).splitlines():
            lines += textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="  ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        name, state = self.headline()
        colour = _GREY if self.report.unsolved else _GREEN if self.report.passed else _RED
        footer = "".join(
            f"<div style='margin-top:4px;white-space:pre-wrap'>{_marked_up(line)}</div>" for line in self.footer()
        )
        verdict = f"<div style='margin:4px 0'><b>{_marked_up(self.verdict())}</b></div>" if self.verdict() else ""
        return _framed(name, state, colour, f"{verdict}{_html_table(self.rows())}{footer}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the result as data; IPython adds the text and the HTML."""
        first = self.report.first_wrong
        data = {
            "exercise": self.report.name,
            "solved": not self.report.unsolved,
            "passed": self.report.passed,
            "mistake": self.report.mistake,
            "problem": self.report.problems[first].sentence if first else "",
            "sentence": self.verdict() or next((row.problem for row in self.rows() if row.problem), ""),
        }
        return {RESULT: data}


class Checklist:
    """A displayable list of verdicts outside the exercises: a name, the result in words, one row for each item."""

    def __init__(self, name: str, state: str, rows: list[Row], *, complete: bool) -> None:
        self.name, self.state, self.rows, self.complete = name, state, rows, complete

    def __repr__(self) -> str:
        wide = max((len(row.title) for row in self.rows), default=0)
        lines = [f"{self.name}  {self.state}"]
        for row in self.rows:
            words = f"  {row.title:<{wide}}  {row.word}{f': {row.problem}' if row.problem else ''}"
            lines += textwrap.wrap(words, WIDTH, subsequent_indent=" " * (wide + 4))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return _framed(self.name, self.state, _GREEN if self.complete else _RED, _html_table(self.rows))


def score_text(passed: int, total: int) -> str:
    """Return how many checks pass, in words."""
    return f"{passed} of {total} checks {'passes' if passed == 1 else 'pass'}"


def praise(total: int) -> str:
    """Return the sentence for an answer all of whose checks pass."""
    return "The check passes." if total == 1 else f"{'Both' if total == 2 else f'All {total}'} checks pass."


def complete_sentence(text: str) -> str:
    """Return a text with a capital letter and a period; one that begins with a name from the code keeps its letter."""
    if not text:
        return ""
    if re.match(r"(a|[a-z][a-z']+)[ ,:]", text) and not text.startswith(CODE_WORDS):
        text = f"{text[0].upper()}{text[1:]}"
    return text if text.rstrip("\"'`)").endswith((".", "!", "?", "…")) else f"{text}."


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


def _framed(name: str, state: str, colour: str, content: str) -> str:
    """Return a card as HTML: a coloured edge, the name, the result in words, the content."""
    return (
        f"<div role='group' aria-label='{_escape(name)}: {_escape(state)}' class='rnn-card' "
        f"style='border-left:5px solid {colour};padding:6px 12px;margin:4px 0;max-width:52em'>"
        f"<div><b><code>{_escape(name)}</code></b> &nbsp; {_escape(state)}</div>{content}</div>"
    )


def _html_table(rows: list[Row]) -> str:
    return f"<table style='border-collapse:collapse;margin:4px 0'>{''.join(map(_html_row, rows))}</table>"


def _html_row(row: Row) -> str:
    mark, colour = MARKS[row.word]
    plain = "style='background:none'"  # JupyterLab's stripes would separate a check from its explanation
    cell = "text-align:left;padding:2px 14px 2px 0;vertical-align:top;overflow-wrap:anywhere"
    lines = "".join(f"<div>{_marked_up(line)}</div>" for line in f"{row.problem}\n{row.inputs}".splitlines() if line)
    explained = f"<tr {plain}><td></td><td style='{cell}'>{lines}</td></tr>" if lines else ""
    state = f"<span style='color:{colour}'>{mark}</span> {row.word}"
    return (
        f"<tr {plain}><td style='{cell};white-space:nowrap'>{state}</td>"
        f"<td style='{cell}'>{_escape(row.title)}</td></tr>{explained}"
    )


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
