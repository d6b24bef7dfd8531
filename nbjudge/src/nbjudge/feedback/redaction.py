"""Take the hidden tests out of an autograded notebook: their lines, and what an error or a warning says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from nbjudge.nbgrader_cells import CellLabel

# Shorter lines, such as `x = 1` or `else:`, stand in everyone's code.
TELLING = 12
LONGEST_ERROR = 500
WITHHELD = "[a line of the hidden tests]"
REMOVED = "# The hidden tests of this cell are not shown."
NOT_GRADED = "NotGraded"
# What a test may display, beside anything else, for reports: {"exercise", "solved", "passed", "mistake", "problem"}.
RESULT = "application/vnd.nbjudge.result+json"
# How unittest begins what it says of two values; the message of whoever wrote the test comes after " : ".
COMPARED = re.compile(
    r" != | == | is not (true|false|none|an instance)| is not | is none|unexpectedly|not found in| not (greater|less) "
    r"|not almost|differ\b|are not equal|(does not|didn't|unexpectedly) match",
    re.IGNORECASE,
)


class HiddenTests:
    """The hidden lines of one notebook.

    begin, end: what a line holds that opens and that closes hidden tests, as nbgrader's ClearHiddenTests has them
    """

    def __init__(self, begin: str, end: str) -> None:
        self.begin, self.end = begin, end
        self.lines: set[str] = set()

    def remove_from(self, notebook: NotebookNode) -> None:
        """Remove the hidden lines from the cells, then all traces of them from the outputs."""
        hiding = [cell for cell in notebook.cells if self._cut(cell)]
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if output.output_type == "error" and CellLabel.of(cell).is_test:
                    sentence = error_sentence(output, hidden=any(cell is other for other in hiding))
                    output.traceback = [sentence]
                self._scrub(output)

    def _cut(self, cell: NotebookNode) -> bool:
        """Remove the hidden lines of one cell; what begins and never ends reaches to the end of the cell."""
        shown: list[str] = []
        hidden: list[str] = []
        inside = False
        for line in cell.source.split("\n"):
            if self.begin in line:
                inside = True
                shown.append(REMOVED)
            elif self.end in line:
                inside = False
            else:
                (hidden if inside else shown).append(line)
        if REMOVED not in shown:
            return False
        cell.source = "\n".join(shown)
        self.lines.update(line.strip() for line in hidden if len(line.strip()) >= TELLING)
        return True

    def _scrub(self, output: NotebookNode) -> None:
        if output.output_type == "stream":
            output.text = self.without(output.text)
        elif output.output_type == "error":
            output.traceback = self.without("\n".join(output.traceback)).split("\n")
        else:
            output.data.pop(RESULT, None)  # for the instructor's report
            for kind, content in output.data.items():
                output.data[kind] = self.without(content) if isinstance(content, str) else content

    def without(self, text: str) -> str:
        """Return the text with each hidden line in it replaced, coloured or escaped for HTML or not."""
        for form in (text, strip_ansi(text)):
            for line in self._found(form):
                text = form = form.replace(line, WITHHELD)
        return text

    def _found(self, text: str) -> Iterable[str]:
        forms = {form for line in self.lines for form in (line, escape(line), escape(line, quote=False))}
        return sorted((form for form in forms if form in text), key=len, reverse=True)


def error_sentence(error: NotebookNode, hidden: bool) -> str:
    """Return one line (in a cell of visible tests: a few) for an error, without the source that raised it.

    hidden: the cell holds hidden tests. Then only the message of whoever wrote the test is given, never two values
        that were compared: numpy.testing has them after its first line, unittest before " : ".
    """
    name, message = strip_ansi(str(error.ename)), strip_ansi(str(error.evalue)).strip()
    if name == NOT_GRADED:
        return message[:LONGEST_ERROR]
    if hidden:
        message = message.partition("\n")[0].strip()
        if name == "AssertionError" and COMPARED.search(message) and not message.startswith(_NUMPY):
            message = message.partition(" : ")[2] or "A value is not the expected one."
    line = f"{name[:100]}: {message}" if message else f"{name[:100]}: A hidden check failed." if hidden else name[:100]
    return line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]} ..."


# The first lines of numpy.testing name no value, but they hold words of COMPARED.
_NUMPY = ("Arrays are not ", "Items are not equal", "Not equal to tolerance", "Mismatch")
