"""Pack the course without its answers into dist/rnn-course-student.zip: `python -m tools.student_edition`.

The archive is reproducible byte for byte.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.lint import Lesson, answers, read_lessons

ROOT = Path(__file__).resolve().parent.parent
ARCHIVE = "dist/rnn-course-student.zip"
FOLDER = "rnn-course"  # everything unpacks into this one folder
MODE = 0o644
DATE = (2000, 1, 1, 0, 0, 0)  # an arbitrary constant, which keeps the archive reproducible

# An explicit list, so that nothing is included by accident: name in the archive -> file or folder here.
CONTENTS = {
    "README.md": "docs/student_readme.md",
    "LICENSE": "LICENSE",
    "Makefile": "tools/student.mk",
    "pyproject.toml": "pyproject.toml",
    "constraints.txt": "constraints.txt",
    "environment.yml": "tools/student_environment.yml",
    "tools/__init__.py": "tools/__init__.py",
    "tools/environment.py": "tools/environment.py",
    "tools/fresh.py": "tools/fresh.py",
    "tools/installation.py": "tools/installation.py",
    "tools/installer.py": "tools/installer.py",
    "tools/jupyterlab": "tools/jupyterlab",
    "tools/lab.py": "tools/lab.py",
    "tools/process_environment.py": "tools/process_environment.py",
    "tools/progress_line.py": "tools/progress_line.py",
    "tools/start_page.py": "tools/start_page.py",
    "tools/workspace.py": "tools/workspace.py",
    "lessons": "lessons",
    "rnn_helpers": "rnn_helpers",
}
LEFT_BEHIND = {".ipynb_checkpoints", "__pycache__"}


class AnswerLeakError(Exception):
    """Raised when a file for students contains the text of a solution; the message names both."""


def main() -> int:
    """Write the archive and return the exit code."""
    try:
        files = student_files(ROOT)
        require_no_answers(ROOT, files)
    except (FileNotFoundError, AnswerLeakError) as error:
        print(f"The student edition was not written. {error}", file=sys.stderr)
        return 1
    write_archive(ROOT / ARCHIVE, files)
    print(f"wrote {ARCHIVE}: {len(files)} files, {(ROOT / ARCHIVE).stat().st_size / 1024:.0f} kB")
    return 0


def student_files(root: Path) -> dict[str, bytes]:
    """Return the files of the archive: name inside the course's folder -> bytes.

    Raises FileNotFoundError, which names the missing file.
    """
    return dict(sorted(_contents(root)))


def require_no_answers(root: Path, files: dict[str, bytes]) -> None:
    """Raise AnswerLeakError when a file contains an answer or a hidden test, however indented or quoted.

    A faded example has no points and no test, so a later lesson may use its line.
    """
    texts = {name: _squeezed(content.decode("utf-8", errors="ignore")) for name, content in files.items()}
    for lesson in read_lessons(root):
        for cell in _graded(lesson):
            for answer in answers(cell):
                for name, text in texts.items():
                    if _squeezed(answer) in text:
                        raise AnswerLeakError(f"{name} holds the solution of {cell.id} ({lesson.name}). Remove it.")


def _graded(lesson: Lesson) -> list[NotebookNode]:
    """Return the cells with points: exercises, their tests and written answers."""
    cells = [cell for cell in lesson.solution.cells if "nbgrader" in cell.metadata]
    ids = {cell.id for cell in cells}
    return [cell for cell in cells if cell.metadata.nbgrader.grade or f"{cell.id}_test" in ids]


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """Write the files to a reproducible zip archive."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", DATE)
            entry.create_system = 3  # Unix on every system, so that the mode below is used as a file mode
            entry.external_attr = MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _contents(root: Path) -> Iterator[tuple[str, bytes]]:
    for name, source in CONTENTS.items():
        path = root / source
        if not path.exists():
            raise FileNotFoundError(f"{source} is missing; CONTENTS in tools/student_edition.py lists it.")
        if path.is_file():
            yield name, path.read_bytes()
        for file in path.rglob("*"):
            if file.is_file() and LEFT_BEHIND.isdisjoint(file.parts):
                yield f"{name}/{file.relative_to(path).as_posix()}", file.read_bytes()


def _squeezed(text: str) -> str:
    """Return the text without white space and without the JSON syntax around a notebook's lines."""
    return "".join(text.replace("\\n", "").replace('",', "").replace('"', "").replace("\\", "").split())


if __name__ == "__main__":
    sys.exit(main())
