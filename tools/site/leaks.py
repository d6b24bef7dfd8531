"""Search a built site for solutions and hidden tests."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tools.lint import HOLD_SECRETS, Lesson, answers

SHORTEST = 10  # characters: a shorter line, such as `return -1`, occurs in any code
# Other people's code on the site: there, as in any code, short lines occur by chance.
THIRD_PARTY = ("browser/build/", "browser/extensions/", "browser/pypi/", "browser/static/ipywidgets")
SHORTEST_THERE = 24
ARCHIVES = {".whl", ".zip"}
TEXTS = {".css", ".html", ".inv", ".ipynb", ".js", ".json", ".md", ".py", ".txt", ".xml"}
HELPERS = Path(__file__).resolve().parents[2] / "rnn_helpers"
HIDDEN_TESTS = ("autograde_tests import grade", *HOLD_SECRETS[1:], "BEGIN HIDDEN TESTS", "BEGIN SOLUTION")

_TAG = re.compile(r"<[^<>]*>")


class LeakError(Exception):
    """Raised when the site contains a solution or a hidden test; the message names the file and the line."""


def require_no_leak(site: Path, secrets: Mapping[str, str]) -> None:
    """Search every file of a site, and those in its archives, for lines that must not be there.

    secrets: what `secret_lines` returns
    Raises LeakError.
    """
    for name, text in _texts(site):
        shortest = SHORTEST_THERE if name.startswith(THIRD_PARTY) else SHORTEST
        for line, location in secrets.items():
            if len(line) >= shortest and line in text:
                raise LeakError(f"{name} contains {line!r}, which belongs to {location}. Nothing was published.")


def secret_lines(lessons: Iterable[Lesson]) -> dict[str, str]:
    """Return each line that only solutions contain, without its white space, and the cell that it belongs to.

    A line that students can read in a lesson or in the course's helpers, such as one that a hint quotes, is no secret;
    that the helpers contain no whole solution is what tools/student_edition.py requires.
    """
    lessons = list(lessons)
    cells = [cell.source for lesson in lessons for cell in lesson.released.cells]
    cells += [text.replace("`", "") for text in cells]  # as a page shows it
    public = "\n".join([*map(squeezed, cells), *(text for _, text in _texts(HELPERS))])
    lines = dict(_solution_lines(lessons))
    return {line: location for line, location in lines.items() if line not in public} | dict.fromkeys(
        map(squeezed, HIDDEN_TESTS), "the hidden tests"
    )


def _solution_lines(lessons: list[Lesson]) -> Iterator[tuple[str, str]]:
    for lesson in lessons:
        for cell in lesson.solution.cells:
            for region in answers(cell):
                for line in map(squeezed, region.splitlines()):
                    if len(line) >= SHORTEST:
                        yield line, f"{lesson.name}, cell {cell.id}"


def squeezed(text: str) -> str:
    """Return a text without white space."""
    return "".join(text.split())


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file below a folder: as it is, and without the markup of pages."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from _readable_texts(path.relative_to(folder).as_posix(), path.read_bytes())


def _readable_texts(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    suffix = Path(name).suffix
    if suffix in ARCHIVES:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _readable_texts(f"{name}/{member}", archive.read(member))
    if suffix not in TEXTS:
        return
    text = content.decode("utf-8", errors="ignore")
    yield name, squeezed(text)
    if suffix == ".html":
        yield name, squeezed(html.unescape(_TAG.sub("", text)))
    if suffix in {".ipynb", ".json", ".js"}:
        yield name, squeezed(text.replace("\\n", "").replace('\\"', '"').replace('",', "").replace("\\\\", "\\"))
