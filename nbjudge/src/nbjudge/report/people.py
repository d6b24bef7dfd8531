"""Name students on the page: by id, with the name from the gradebook and a link to their feedback."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from nbjudge.report import formatting
from nbjudge.report.model import Classroom, Student

_MOST_NAMED = 12  # students named in one line


class People:
    """The students of a class.

    folder: where the page will be, which links to feedback start from; None for a page without links
    """

    def __init__(self, classroom: Classroom, folder: Path | None = None) -> None:
        self._names: Mapping[str, str] = classroom.names
        self._links = {student: _link(page, folder) for student, page in classroom.feedback.items()} if folder else {}

    def who(self, student: str | Student) -> Markup:
        """Return a student as HTML: the id, which links to the feedback if there is any, and the name."""
        identifier = student if isinstance(student, str) else student.id
        label = Markup('<span class="who">{}</span>').format(breakable(identifier))
        if link := self._links.get(identifier):
            label = Markup('<a href="{}">{}</a>').format(link, label)
        name = self._names.get(identifier)
        return label + Markup(' <span class="name">{}</span>').format(formatting.name(name)) if name else label

    def names(self, students: Iterable[str | Student], most: int = _MOST_NAMED) -> Markup:
        """Return the first `most` students as HTML, and the number of the others."""
        them = list(students)
        pieces = Markup(", ").join(map(self.who, them[:most]))
        others_count = len(them) - most
        return pieces + Markup(" and {} more").format(f"{others_count:,}") if others_count > 0 else pieces


def breakable(text: object) -> Markup:
    """Return a name as HTML that allows line breaks after each underscore."""
    return Markup(str(escape(formatting.name(text))).replace("_", "_<wbr>"))


def _link(page: Path, folder: Path) -> str:
    """Return the relative address of a page, "" if there is none, as between two drives of Windows."""
    try:
        path = os.path.relpath(page, folder)
    except ValueError:
        return ""
    return f"./{quote(Path(path).as_posix(), errors='surrogateescape')}"
