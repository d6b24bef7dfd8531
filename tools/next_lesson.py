"""The link from each lesson to the next, whose address depends on where the lessons are."""

import re
from collections.abc import Callable

from nbformat import NotebookNode

from rnn_helpers.checks.syllabus import next_lesson, short_title

_LINK = re.compile(r"^\*Next: \[(?P<title>[^\]]+)\]\(\.\./(?P<name>\w+)/(?P=name)\.ipynb\)\.\*$", re.MULTILINE)


def pointer(lesson: str) -> str:
    """Return the line at the end of a lesson's source that names the next one; "" for the last lesson."""
    name = next_lesson(lesson)
    return f"*Next: {short_title(name)}.*" if name else ""


def add_link(notebook: NotebookNode, lesson: str) -> None:
    """Turn the pointer of a lesson into a link to the next lesson, in the folder beside this one's."""
    line, name = pointer(lesson), next_lesson(lesson)
    for cell in notebook.cells:
        if line and cell.cell_type == "markdown":
            link = f"*Next: [{short_title(name)}](../{name}/{name}.ipynb).*"
            cell.source = "\n".join(link if each == line else each for each in cell.source.split("\n"))


def change_link(source: str, address: Callable[[str], str]) -> str:
    """Return the text of a cell whose link leads to `address(name)`, or is plain text where that is ""."""

    def changed(link: re.Match[str]) -> str:
        target = address(link["name"])
        return f"*Next: [{link['title']}]({target}).*" if target else f"*Next: {link['title']}.*"

    return _LINK.sub(changed, source)
