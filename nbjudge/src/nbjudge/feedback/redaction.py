"""Remove hidden tests from an autograded notebook: their lines, and their traces in errors and warnings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from nbjudge.cell_result import NOT_GRADED
from nbjudge.nbgrader_cells import CellLabel

# Shorter lines, such as `x = 1` or `else:`, occur in everyone's code.
_SHORTEST_LINE = 12
_LONGEST_ERROR = 500
WITHHELD = "[a line of the hidden tests]"
_REMOVED = "# The hidden tests of this cell are not shown."
# How unittest describes a comparison of two values; the test author's own message follows " : ".
_COMPARED = re.compile(
    r" != | == | is not (true|false|none|an instance)| is not | is none|unexpectedly|not found in| not (greater|less) "
    r"|not almost|differ\b|are not equal|(does not|didn't|unexpectedly) match",
    re.IGNORECASE,
)


class HiddenTests:
    """The hidden lines of one notebook.

    begin, end: the delimiters of hidden tests, as in nbgrader's ClearHiddenTests
    """

    def __init__(self, begin: str, end: str) -> None:
        self.begin, self.end = begin, end
        self.lines: set[str] = set()

    def remove_from(self, notebook: NotebookNode) -> None:
        """Remove the hidden lines from all cells, then their traces from all outputs."""
        cells_with_hidden_tests = [cell for cell in notebook.cells if self._remove_lines(cell)]
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if output.output_type == "error" and CellLabel.of(cell).is_test:
                    sentence = error_sentence(output, hidden=any(cell is other for other in cells_with_hidden_tests))
                    output.traceback = [sentence]
                self._scrub(output)

    def _remove_lines(self, cell: NotebookNode) -> bool:
        """Remove the hidden lines of one cell, return whether there were any; an unclosed block ends with the cell."""
        visible: list[str] = []
        hidden: list[str] = []
        is_hidden = False
        for line in cell.source.split("\n"):
            if self.begin in line:
                is_hidden = True
                visible.append(_REMOVED)
            elif self.end in line:
                is_hidden = False
            else:
                (hidden if is_hidden else visible).append(line)
        if _REMOVED not in visible:
            return False
        cell.source = "\n".join(visible)
        self.lines.update(line.strip() for line in hidden if len(line.strip()) >= _SHORTEST_LINE)
        return True

    def _scrub(self, output: NotebookNode) -> None:
        if output.output_type == "stream":
            output.text = self.redact(output.text)
        elif output.output_type == "error":
            output.traceback = self.redact("\n".join(output.traceback)).split("\n")
        else:
            for kind, content in output.data.items():
                output.data[kind] = self._redacted(content)

    def _redacted(self, content: Any) -> Any:
        """Return the data of an output with their texts redacted; those of a result are in a mapping."""
        if isinstance(content, dict):
            return NotebookNode({name: self._redacted(value) for name, value in content.items()})
        return self.redact(content) if isinstance(content, str) else content

    def redact(self, text: str) -> str:
        """Return the text with each hidden line replaced, even if it is ANSI-coloured or HTML-escaped."""
        for variant in (text, strip_ansi(text)):
            redacted = variant
            for line in self._hidden_lines(variant):
                text = redacted = redacted.replace(line, WITHHELD)
        return text

    def _hidden_lines(self, text: str) -> Iterable[str]:
        forms = {form for line in self.lines for form in (line, escape(line), escape(line, quote=False))}
        return sorted((form for form in forms if form in text), key=len, reverse=True)


def error_sentence(error: NotebookNode, hidden: bool) -> str:
    """Return a short message for an error, without the source that raised it: one line if the test is hidden.

    hidden: whether the cell holds hidden tests. Then only the test author's message is shown, never the compared
        values: numpy.testing prints them after its first line, unittest before " : ".
    """
    name: str = strip_ansi(str(error.ename))
    message: str = strip_ansi(str(error.evalue)).strip()
    if name == NOT_GRADED:
        return message[:_LONGEST_ERROR]
    if hidden:
        message = message.partition("\n")[0].strip()
        if name == "AssertionError" and _COMPARED.search(message) and not message.startswith(_NUMPY):
            message = message.partition(" : ")[2] or "A value is not the expected one."
    line = f"{name[:100]}: {message}" if message else f"{name[:100]}: A hidden check failed." if hidden else name[:100]
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]} ..."


# The first lines of numpy.testing's messages contain no values, but they match _COMPARED.
_NUMPY = ("Arrays are not ", "Items are not equal", "Not equal to tolerance", "Mismatch")
