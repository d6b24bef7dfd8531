"""Pack the course without its answers into dist/rnn-course-student.zip: `python -m tools.student_edition`.

The same files give the same archive, byte for byte.
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
DATE = (2000, 1, 1, 0, 0, 0)  # any fixed one: an archive of the same files is the same archive

# What a student gets, named one by one, so that nothing new slips in: archive name -> file or folder here.
CONTENTS = {
    "README.md": "docs/student_readme.md",
    "LICENSE": "LICENSE",
    "Makefile": "tools/student.mk",
    "pyproject.toml": "pyproject.toml",
    "constraints.txt": "constraints.txt",
    "environment.yml": "environment.yml",
    "tools/__init__.py": "tools/__init__.py",
    "tools/environment.py": "tools/environment.py",
    "tools/fresh.py": "tools/fresh.py",
    "tools/installation.py": "tools/installation.py",
    "tools/jupyterlab": "tools/jupyterlab",
    "tools/lab.py": "tools/lab.py",
    "tools/process_environment.py": "tools/process_environment.py",
    "tools/workspace.py": "tools/workspace.py",
    "lessons": "lessons",
    "rnn_helpers": "rnn_helpers",
}
LEFT_BEHIND = {".ipynb_checkpoints", "__pycache__"}


class AnswerLeakError(Exception):
    """A file for students holds the text of a solution; the message names both."""


def main() -> int:
    try:
        files = student_files(ROOT)
        require_no_answers(ROOT, files)
    except (FileNotFoundError, AnswerLeakError) as error:
        print(f"No student edition was made. {error}", file=sys.stderr)
        return 1
    write_archive(ROOT / ARCHIVE, files)
    print(f"wrote {ARCHIVE}: {len(files)} files, {(ROOT / ARCHIVE).stat().st_size / 1024:.0f} kB")
    return 0


def student_files(root: Path) -> dict[str, bytes]:
    """Return what goes into the archive: name inside the course's folder -> bytes.

    Raises FileNotFoundError naming what is missing.
    """
    return dict(sorted(_contents(root)))


def require_no_answers(root: Path, files: dict[str, bytes]) -> None:
    """Raise AnswerLeakError when a file holds the answer to an exercise or a hidden test, however indented or quoted.

    A faded example has no points and no test; a later lesson may use its line.
    """
    texts = {name: _squeezed(content.decode("utf-8", errors="ignore")) for name, content in files.items()}
    for lesson in read_lessons(root):
        for cell in _graded(lesson):
            for answer in answers(cell):
                for name, text in texts.items():
                    if _squeezed(answer) in text:
                        raise AnswerLeakError(f"{name} holds the solution of {cell.id} ({lesson.name}). Take it out.")


def _graded(lesson: Lesson) -> list[NotebookNode]:
    """Return the cells that earn points: exercises, their tests, written answers."""
    cells = [cell for cell in lesson.solution.cells if "nbgrader" in cell.metadata]
    ids = {cell.id for cell in cells}
    return [cell for cell in cells if cell.metadata.nbgrader.grade or f"{cell.id}_test" in ids]


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """Write the files into a zip archive whose bytes depend on nothing else."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", DATE)
            entry.create_system = 3  # Unix, wherever it is made: the mode below is read as its file mode
            entry.external_attr = MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _contents(root: Path) -> Iterator[tuple[str, bytes]]:
    for name, source in CONTENTS.items():
        path = root / source
        if not path.exists():
            raise FileNotFoundError(f"{source} is missing; CONTENTS in tools/student_edition.py asks for it.")
        if path.is_file():
            yield name, path.read_bytes()
        for file in path.rglob("*"):
            if file.is_file() and LEFT_BEHIND.isdisjoint(file.parts):
                yield f"{name}/{file.relative_to(path).as_posix()}", file.read_bytes()


def _squeezed(text: str) -> str:
    """Return the text without white space, and without what JSON puts around a notebook's lines."""
    return "".join(text.replace("\\n", "").replace('",', "").replace('"', "").replace("\\", "").split())


if __name__ == "__main__":
    sys.exit(main())
