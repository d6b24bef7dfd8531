"""Manage the students' copies of the lessons in work/: created once, never overwritten."""

import hashlib
import json
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

# For each copied lesson, the hash of the lesson it was copied from; for a page that is written, the hash of the page.
ORIGINS = ".origins.json"
START_PAGE = "start.md"  # in work/, written by tools/start_page.py


class UnknownLessonError(Exception):
    """Raised when no lesson has this name; the message lists the lessons."""


def lesson_names(root: Path) -> list[str]:
    """Return the names of the released lessons, in course order."""
    return sorted(path.stem for path in (root / "lessons").glob("*/*.ipynb") if path.stem == path.parent.name)


def require_lesson(root: Path, lesson: str) -> None:
    """Raise UnknownLessonError when the course has no lesson of that name."""
    names = lesson_names(root)
    if lesson not in names:
        raise UnknownLessonError(f"No lesson is called {lesson!r}. The lessons are: {', '.join(names)}.")


def copy_missing(root: Path) -> list[str]:
    """Copy each lesson that has no copy yet; return the lessons that changed after they were copied."""
    origins = _read_origins(root)
    changed = []
    for lesson in lesson_names(root):
        new = _copy_missing_files(root, lesson)
        current = _hash(root, lesson)
        # A copy of unknown origin (a lost list, a notebook from nbgrader's fetch) counts as up to date from now on.
        if new or origins.setdefault(lesson, current) == current:
            origins[lesson] = current
        else:
            changed.append(lesson)
    _write_origins(root, origins)
    return changed


def fresh_copy(root: Path, lesson: str, now: datetime) -> Path | None:
    """Put a new copy of the lesson into work/; return the path of the backup of the old one, or None."""
    require_lesson(root, lesson)
    notebook = root / "work" / lesson / f"{lesson}.ipynb"
    backup = None
    if notebook.exists():
        backup = _free_name(notebook, now)
        notebook.rename(backup)
    _copy_missing_files(root, lesson)
    _write_origins(root, _read_origins(root) | {lesson: _hash(root, lesson)})
    return backup


def write_generated(root: Path, name: str, text: str, now: datetime) -> Path | None:
    """Write a page of the course into work/; return the path under which a student's file of that name is kept."""
    origins, page, content = _read_origins(root), root / "work" / name, text.encode()
    backup = None
    if page.exists() and hashlib.sha256(page.read_bytes()).hexdigest() != origins.get(name):
        backup = _free_name(page, now)
        page.rename(backup)
    _write_origins(root, origins | {name: hashlib.sha256(content).hexdigest()})
    part = page.with_name(f"{name}.part")
    part.write_bytes(content)
    os.replace(part, page)
    return backup


def _copy_missing_files(root: Path, lesson: str) -> bool:
    """Copy the files of the lesson that work/ lacks; return whether its notebook was one of them."""
    source, target = root / "lessons" / lesson, root / "work" / lesson
    notebook_is_new = not (target / f"{lesson}.ipynb").exists()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_file() and ".ipynb_checkpoints" not in path.parts and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Copy and rename, so that an interruption never leaves a truncated notebook.
            part = copy.with_name(f"{copy.name}.part")
            shutil.copyfile(path, part)
            os.replace(part, copy)
    return notebook_is_new


def _free_name(file: Path, now: datetime) -> Path:
    """Return an unused path next to the file with the time of the backup."""
    name = file.with_name(f"{file.stem}.{now:%Y-%m-%d-%H%M%S}{file.suffix}")
    number = 2
    while name.exists():
        name = file.with_name(f"{file.stem}.{now:%Y-%m-%d-%H%M%S}-{number}{file.suffix}")
        number += 1
    return name


def _hash(root: Path, lesson: str) -> str:
    return hashlib.sha256((root / "lessons" / lesson / f"{lesson}.ipynb").read_bytes()).hexdigest()


def _read_origins(root: Path) -> dict[str, str]:
    """Return the origins of the copies; print a message and return {} when the file is damaged."""
    path = root / "work" / ORIGINS
    if not path.exists():
        return {}
    try:
        origins = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        origins = None
    if not isinstance(origins, dict):
        print(f"work/{ORIGINS} is damaged and will be created again; your notebooks are untouched.", file=sys.stderr)
        return {}
    return origins


def _write_origins(root: Path, origins: dict[str, str]) -> None:
    path = root / "work" / ORIGINS
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(origins, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)
