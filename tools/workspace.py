"""The copies of the lessons in work/, where students write: made once, never overwritten."""

import hashlib
import json
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

# For each copied lesson, the hash of the lesson it was copied from.
ORIGINS = ".origins.json"


class UnknownLessonError(Exception):
    """No lesson has this name; the message lists those there are."""


def lesson_names(root: Path) -> list[str]:
    """Return the names of the released lessons, in course order."""
    return sorted(path.stem for path in (root / "lessons").glob("*/*.ipynb") if path.stem == path.parent.name)


def require_lesson(root: Path, lesson: str) -> None:
    """Raise UnknownLessonError when the course has no lesson of that name."""
    names = lesson_names(root)
    if lesson not in names:
        raise UnknownLessonError(f"No lesson is called {lesson!r}. The lessons are: {', '.join(names)}.")


def copy_missing(root: Path) -> list[str]:
    """Put a copy of each lesson where there is none; return the lessons that have changed since they were copied."""
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
    """Put a new copy of the lesson into work/; return where the old one is kept, None when there was none."""
    require_lesson(root, lesson)
    notebook = root / "work" / lesson / f"{lesson}.ipynb"
    kept = None
    if notebook.exists():
        kept = _free_name(notebook, now)
        notebook.rename(kept)
    _copy_missing_files(root, lesson)
    _write_origins(root, _read_origins(root) | {lesson: _hash(root, lesson)})
    return kept


def _copy_missing_files(root: Path, lesson: str) -> bool:
    """Copy the lesson's files that work/ lacks; return whether its notebook was among them."""
    source, target = root / "lessons" / lesson, root / "work" / lesson
    notebook_is_new = not (target / f"{lesson}.ipynb").exists()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_file() and ".ipynb_checkpoints" not in path.parts and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            # In two steps, so that an interruption never leaves half a notebook that looks like a whole one.
            part = copy.with_name(f"{copy.name}.part")
            shutil.copyfile(path, part)
            os.replace(part, copy)
    return notebook_is_new


def _free_name(notebook: Path, now: datetime) -> Path:
    """Return a name beside the notebook that says when it was put aside and is not taken."""
    name = notebook.with_name(f"{notebook.stem}.{now:%Y-%m-%d-%H%M%S}.ipynb")
    number = 2
    while name.exists():
        name = notebook.with_name(f"{notebook.stem}.{now:%Y-%m-%d-%H%M%S}-{number}.ipynb")
        number += 1
    return name


def _hash(root: Path, lesson: str) -> str:
    return hashlib.sha256((root / "lessons" / lesson / f"{lesson}.ipynb").read_bytes()).hexdigest()


def _read_origins(root: Path) -> dict[str, str]:
    """Return the list of origins; an absent list is empty, and so is a damaged one, which is said."""
    path = root / "work" / ORIGINS
    if not path.exists():
        return {}
    try:
        origins = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        origins = None
    if not isinstance(origins, dict):
        print(f"work/{ORIGINS} is damaged and is made anew; your notebooks are untouched.", file=sys.stderr)
        return {}
    return origins


def _write_origins(root: Path, origins: dict[str, str]) -> None:
    path = root / "work" / ORIGINS
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(origins, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)
