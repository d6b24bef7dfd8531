"""Search a built site for solutions and hidden tests."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.lint import HOLD_SECRETS, Lesson, answers

SHORTEST = 10  # characters: a shorter line, such as `return -1`, occurs in any code
ARCHIVES = {".whl", ".zip"}
TEXTS = {".css", ".html", ".inv", ".ipynb", ".js", ".json", ".md", ".py", ".txt", ".xml"}
HIDDEN_TEST = "autograde_tests import grade"

_TAG = re.compile(r"<[^<>]*>")


class LeakError(Exception):
    """Raised when the site contains a solution or a hidden test; the message names the file and the line."""


def require_no_leak(site: Path, lessons: Iterable[Lesson]) -> None:
    """Search every file of a site, and those in its archives, for each line of a solution and each hidden test.

    Raises LeakError.
    """
    secrets = dict(secret_lines(list(lessons)))
    for name, text in _texts(site):
        for line, place in secrets.items():
            if line in text:
                raise LeakError(f"{name} contains {line!r}, which belongs to {place}. Nothing was published.")


def secret_lines(lessons: list[Lesson]) -> Iterator[tuple[str, str]]:
    """Yield each line that only solutions contain, without its white space, and the cell that it belongs to.

    A line that students can read in a lesson, or in the course's helpers, is no secret.
    """
    texts = [cell.source for lesson in lessons for cell in lesson.released.cells]
    texts += [text.replace("`", "") for text in texts]  # as a page shows it
    texts += [path.read_text(encoding="utf-8") for path in _HELPERS.rglob("*.py")]
    public = "\n".join(map(squeezed, texts))
    for lesson in lessons:
        for cell in lesson.solution.cells:
            for region in answers(cell):
                for line in map(squeezed, region.splitlines()):
                    if len(line) >= SHORTEST and line not in public:
                        yield line, f"{lesson.name}, cell {cell.id}"
    for word in (HIDDEN_TEST, *HOLD_SECRETS[1:], "BEGIN HIDDEN TESTS", "BEGIN SOLUTION"):
        yield squeezed(word), "the hidden tests"


def squeezed(text: str) -> str:
    """Return a text without white space."""
    return "".join(text.split())


_HELPERS = Path(__file__).resolve().parents[2] / "rnn_helpers"


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file below a folder: as it is, and without the markup of pages."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from _readings(path.relative_to(folder).as_posix(), path.read_bytes())


def _readings(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    suffix = Path(name).suffix
    if suffix in ARCHIVES:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _readings(f"{name}/{member}", archive.read(member))
    if suffix not in TEXTS:
        return
    text = content.decode("utf-8", errors="ignore")
    yield name, squeezed(text)
    if suffix == ".html":
        yield name, squeezed(html.unescape(_TAG.sub("", text)))
    if suffix in {".ipynb", ".json", ".js"}:
        yield name, squeezed(text.replace("\\n", "").replace('\\"', '"').replace('",', "").replace("\\\\", "\\"))
