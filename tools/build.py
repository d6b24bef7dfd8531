"""Build what students and instructors open: source/ -> solutions/ -> lessons/, and the fixtures of the visible checks.

    python -m tools.build                  every lesson
    python -m tools.build 01_recurrence    one lesson

Everything is rendered in memory and only files that differ are written, so no stale file survives.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.next_lesson import add_link
from tools.release import ReleaseError, release_files, release_settings
from tools.sources import SourceError, notebook_bytes, read_source
from tools.written import written_questions

ROOT = Path(__file__).resolve().parent.parent
# Files of a notebook server or of Python, never part of a lesson.
NOT_DATA = {".ipynb_checkpoints", "__pycache__"}

Fixture = Callable[[str], dict[str, str]]


def main(arguments: list[str]) -> int:
    """Build the lessons and return the exit code."""
    lessons = lesson_names(ROOT)
    if unknown := sorted(set(arguments) - set(lessons)):
        print(f"No lesson is called {', '.join(unknown)}; source/ has {', '.join(lessons)}.", file=sys.stderr)
        return 1
    try:
        for lesson in arguments or lessons:
            changed = build(ROOT, lesson, course_fixture)
            print("\n".join(f"wrote      {path}" for path in changed) or f"unchanged  {lesson}")
    except (SourceError, ReleaseError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build(root: Path, lesson: str, fixture: Fixture) -> list[str]:
    """Write the files of a lesson that have changed; return their paths relative to root."""
    changed = []
    for name, content in render(root, lesson, fixture).items():
        path = root / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(name)
    return changed


def render(root: Path, lesson: str, fixture: Fixture) -> dict[str, bytes]:
    """Return every file built from the source of one lesson: path relative to root -> bytes.

    fixture: returns the files of a lesson's checks, {name: JSON text}; {} for a lesson without exercises
    Raises SourceError or ReleaseError, with one sentence that names the file and the cell.
    """
    notebook = read_source(root / "source" / f"{lesson}.py")
    add_link(notebook, lesson)
    solution = {f"{lesson}.ipynb": notebook_bytes(notebook)}
    solution |= dict(_data(root / "source" / lesson))
    released = release_files(lesson, solution, release_settings(root))
    files = {f"solutions/{lesson}/{name}": content for name, content in solution.items()}
    files |= {f"lessons/{lesson}/{name}": content for name, content in released.items()}
    files |= {f"rnn_helpers/fixtures/{name}": text.encode() for name, text in fixture(lesson).items()}
    return files


def lesson_names(root: Path) -> list[str]:
    """Return the names of all lessons in source/, in course order."""
    return sorted(path.stem for path in (root / "source").glob("[0-9][0-9]_*.py"))


def course_fixture(lesson: str) -> dict[str, str]:
    """Return the files of a lesson's checks, {name: JSON text}: visible checks, generated mistakes."""
    from autograde_tests import exercises
    from autograde_tests.build_fixtures import lesson_fixture
    from autograde_tests.generated_mistakes import GENERATED, lesson_file

    if lesson not in exercises():
        return {}
    solution = read_source(ROOT / "source" / f"{lesson}.py")
    code = "\n\n".join(cell.source for cell in solution.cells if cell.cell_type == "code")
    generated = f"{GENERATED}/{lesson}.json"
    previous = ROOT / "rnn_helpers" / "fixtures" / generated
    text = previous.read_text(encoding="utf-8") if previous.exists() else ""
    files = {
        f"{lesson}.json": lesson_fixture(lesson, written_questions(solution, lesson)),
        generated: lesson_file(lesson, exercises()[lesson], code, text),
    }
    return {name: text for name, text in files.items() if text}


def _data(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the data files of a lesson, such as a picture or a small table."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and NOT_DATA.isdisjoint(path.relative_to(folder).parts):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
