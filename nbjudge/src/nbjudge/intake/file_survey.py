"""Which files of a submission are safe to take along, judged by their names, kinds and sizes alone."""

from __future__ import annotations

import site
import stat
import sys
import sysconfig
import unicodedata
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from os import stat_result
from pathlib import Path

from nbjudge.intake.messages import Notes
from nbjudge.intake.safe_open import OpenFolder
from nbjudge.text import is_plain

TIMESTAMP = "timestamp.txt"  # nbgrader's
ENTRIES_FOR_A_FILE = 20  # of so many names for each file that is allowed, no more are looked at

# What editors, systems and nbgrader leave behind; nobody needs to hear about it.
LITTER = {
    ".ipynb_checkpoints",
    "__pycache__",
    "__MACOSX",
    "feedback",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".DS_Store",
}
LITTER |= {".vscode", ".idea", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".virtual_documents", ".Trash"}
LITTER |= {"Thumbs.db", "desktop.ini"}
BINARY = (".so", ".pyd", ".dll", ".dylib", ".pyc", ".pth")
START_UP = {"sitecustomize", "usercustomize", "conftest", "ipython_config", "ipython_kernel_config"}
START_UP |= {"nbgrader_config", "jupyter_config", "jupyter_server_config", "jupyter_nbconvert_config"}

LINK = "Links are not followed; left out: {}."
SPECIAL = "Only plain files and folders are taken along; left out: {}."
HARD_LINK = "Files that have a second name somewhere else (hard links) are not taken along; left out: {}."
ODD_NAME = "File names with control characters are not taken along; left out: {}."
HIDDEN_FILE = "Files and folders whose name begins with a dot are not taken along; left out: {}."
COMPILED = "Compiled code is not taken along; left out: {}. Hand in the source instead."
SHADOW = "A file of a module's name would be imported in its place; left out: {}. Give it another name."
CONFIGURATION = "Files that change how Python or Jupyter start are not taken along; left out: {}."
FOLDER_NOTEBOOK = "A folder cannot be a notebook; left out: {}."
FOLDER_TIMESTAMP = "A folder cannot be the time of submission; left out: {}."
TWINS = "Names that differ only in capitals are one name on some computers; left out: {}. Give them other names."
UNREADABLE = "What could not be read is left out: {}."


@dataclass(frozen=True)
class Limits:
    """How large a submission may be."""

    notebook_mb: int = 20
    cells: int = 2000
    cell_kb: int = 1000
    files: int = 500
    folder_mb: int = 100
    depth: int = 10
    path_chars: int = 1000


@dataclass
class Survey:
    """What a folder holds: {path: bytes} of the safe files, the paths of all notebooks, {path: why it is left out}."""

    limits: Limits
    modules: Collection[str]
    notes: Notes
    files: dict[str, int] = field(default_factory=dict)
    notebooks: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    timestamp: bool = False
    taken: set[str] = field(default_factory=lambda: {TIMESTAMP})
    entries_left: int = 0

    def leave_out(self, sentence: str, path: str) -> None:
        self.left_out[path] = sentence
        self.notes.add(sentence, path)


def survey(root: Path, limits: Limits, modules: Collection[str], notes: Notes) -> Survey:
    """Look at everything in a submission's folder. Raises OSError when that folder cannot be opened.

    modules: names that no file may have, besides those of installed packages
    """
    found = Survey(limits, set(modules) | _installed_modules(), notes)
    found.entries_left = limits.files * ENTRIES_FOR_A_FILE
    with closing(OpenFolder(root)) as folder:
        _walk(folder, (), found)
    return found


@cache
def _installed_modules() -> frozenset[str]:
    """Return the names that installed packages are imported by.

    Read from the folders' lists: importlib.metadata opens the record of every package, which takes half a second.
    """
    names = set(sys.stdlib_module_names)
    for place in map(Path, {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}):
        for entry in place.iterdir() if place.is_dir() else ():
            names.add(entry.name if entry.is_dir() else entry.name.partition(".")[0])  # numpy/, six.py, _argon2.abi3.so
            told = entry / "top_level.txt"  # of a package that is installed from where it is edited
            if entry.suffix == ".dist-info" and told.is_file():
                names.update(told.read_text(encoding="utf-8").split())
    return frozenset(filter(str.isidentifier, names))


def _walk(folder: OpenFolder, place: tuple[str, ...], found: Survey) -> None:
    # Files first: the notebook must not be what is not looked at because a folder of data is so large.
    entries = sorted(folder.entries(found.entries_left + 1), key=lambda entry: stat.S_ISDIR(entry[1].st_mode))
    for name, status in entries:
        path = "/".join((*place, name))
        found.entries_left -= 1
        if found.entries_left < 0:
            most = found.limits.files * ENTRIES_FOR_A_FILE
            return found.notes.add(f"The folder holds more than {most} files and folders; the rest was not looked at.")
        if name in LITTER or name.startswith("._"):
            continue
        if objection := _objection(name, status):
            found.leave_out(objection, path)
        elif stat.S_ISDIR(status.st_mode):
            _enter(folder, name, place, found)
        elif name.lower().endswith(".ipynb"):
            found.notebooks.append(path)
        elif path == TIMESTAMP:
            found.timestamp = True
        elif objection := _clash(path, status, found) or _closed(folder, name, status):
            found.leave_out(objection, path)
        else:
            found.taken.add(_folded(path))
            found.files[path] = status.st_size


def _objection(name: str, status: stat_result) -> str | None:
    """Return the sentence why an entry is left out wherever it is, or None."""
    if not is_plain(name):
        return ODD_NAME
    if stat.S_ISLNK(status.st_mode):
        return LINK
    if stat.S_ISDIR(status.st_mode):
        return FOLDER_NOTEBOOK if name.lower().endswith(".ipynb") else HIDDEN_FILE if name.startswith(".") else None
    if not stat.S_ISREG(status.st_mode):
        return SPECIAL
    if status.st_nlink > 1:
        return HARD_LINK
    if name.startswith("."):
        return HIDDEN_FILE
    if name.lower().endswith(BINARY) or ".so." in name:
        return COMPILED
    return None


def _enter(parent: OpenFolder, name: str, place: tuple[str, ...], found: Survey) -> None:
    path = "/".join((*place, name))
    if path == TIMESTAMP:
        return found.leave_out(FOLDER_TIMESTAMP, path)
    if len(place) + 1 > found.limits.depth:
        return found.leave_out(f"Folders are taken along {found.limits.depth} levels deep; left out: {{}}.", path)
    try:
        with closing(parent.folder(name)) as folder:
            if not place and name in found.modules and _is_package(folder):
                return found.leave_out(SHADOW, path)
            _walk(folder, (*place, name), found)
    except OSError:
        found.leave_out(UNREADABLE, path)


def _is_package(folder: OpenFolder) -> bool:
    """Return whether Python would import this folder before an installed package of its name."""
    return any(name.startswith("__init__.") for name, _ in folder.entries(10_000))


def _clash(path: str, status: stat_result, found: Survey) -> str | None:
    """Return the sentence why a plain file is left out for its place, its size or what came before it, or None."""
    limits = found.limits
    stem, _, suffix = path.partition(".")
    if "/" not in path and suffix in ("py", "json") and stem in START_UP:
        return CONFIGURATION
    if "/" not in path and suffix == "py" and stem in found.modules:
        return SHADOW
    if _folded(path) in found.taken:
        return TWINS
    if len(path) > limits.path_chars:
        return f"The path of a file may have {limits.path_chars} characters; left out: {{}}."
    if len(found.files) >= limits.files:
        return f"At most {limits.files} files are taken along; left out: {{}}."
    if sum(found.files.values()) + status.st_size > limits.folder_mb << 20:
        return f"At most {limits.folder_mb} MB of files are taken along; left out: {{}}."
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _closed(folder: OpenFolder, name: str, status: stat_result) -> str | None:
    """Return the sentence that a file cannot be read, or None."""
    try:
        folder.open(name, status.st_size).close()
    except OSError:
        return UNREADABLE
    return None
