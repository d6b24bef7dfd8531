"""Select the files of a submission that are safe to copy, by their names, types and sizes alone."""

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
ENTRIES_FOR_A_FILE = 20  # entries examined per allowed file before the survey stops

# Leftovers of editors, operating systems and nbgrader, which are ignored silently.
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
    """Size limits of a submission."""

    notebook_mb: int = 20
    cells: int = 2000
    cell_kb: int = 1000
    files: int = 500
    folder_mb: int = 100
    depth: int = 10
    path_chars: int = 1000


@dataclass
class Survey:
    """Contents of a folder: {path: bytes} of the safe files, paths of all notebooks, {path: why it is left out}."""

    limits: Limits
    modules: Collection[str]
    notes: Notes
    files: dict[str, int] = field(default_factory=dict)
    notebooks: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    timestamp: bool = False
    used_names: set[str] = field(default_factory=lambda: {TIMESTAMP})
    entries_left: int = 0

    def leave_out(self, sentence: str, path: str) -> None:
        self.left_out[path] = sentence
        self.notes.add(sentence, path)


def survey(root: Path, limits: Limits, modules: Collection[str], notes: Notes) -> Survey:
    """Survey a submission's folder recursively. Raises OSError when the folder cannot be opened.

    modules: reserved module names, in addition to those of installed packages
    """
    result = Survey(limits, set(modules) | _installed_modules(), notes)
    result.entries_left = limits.files * ENTRIES_FOR_A_FILE
    with closing(OpenFolder(root)) as folder:
        _walk(folder, (), result)
    return result


@cache
def _installed_modules() -> frozenset[str]:
    """Return the names under which installed packages are imported.

    Lists the folders instead of calling importlib.metadata, which opens every package's record in half a second.
    """
    names = set(sys.stdlib_module_names)
    for folder in map(Path, {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}):
        for entry in folder.iterdir() if folder.is_dir() else ():
            names.add(entry.name if entry.is_dir() else entry.name.partition(".")[0])  # numpy/, six.py, _argon2.abi3.so
            top_level = entry / "top_level.txt"  # of an editable install
            if entry.suffix == ".dist-info" and top_level.is_file():
                names.update(top_level.read_text(encoding="utf-8").split())
    return frozenset(filter(str.isidentifier, names))


def _walk(folder: OpenFolder, parents: tuple[str, ...], survey: Survey) -> None:
    # Files first, so that a large data folder cannot exhaust the limit before the notebook is found.
    entries = sorted(folder.entries(survey.entries_left + 1), key=lambda entry: stat.S_ISDIR(entry[1].st_mode))
    for name, status in entries:
        path = "/".join((*parents, name))
        survey.entries_left -= 1
        if survey.entries_left < 0:
            limit = survey.limits.files * ENTRIES_FOR_A_FILE
            return survey.notes.add(
                f"The folder holds more than {limit} files and folders; the rest was not looked at."
            )
        if name in LITTER or name.startswith("._"):
            continue
        if reason := _entry_problem(name, status):
            survey.leave_out(reason, path)
        elif stat.S_ISDIR(status.st_mode):
            _enter(folder, name, parents, survey)
        elif name.lower().endswith(".ipynb"):
            survey.notebooks.append(path)
        elif path == TIMESTAMP:
            survey.timestamp = True
        elif reason := _file_problem(path, status, survey) or _read_problem(folder, name, status):
            survey.leave_out(reason, path)
        else:
            survey.used_names.add(_fold(path))
            survey.files[path] = status.st_size


def _entry_problem(name: str, status: stat_result) -> str | None:
    """Return why an entry is left out wherever it is, or None."""
    is_folder, lower = stat.S_ISDIR(status.st_mode), name.lower()
    reasons = (
        (ODD_NAME, not is_plain(name)),
        (LINK, stat.S_ISLNK(status.st_mode)),
        (FOLDER_NOTEBOOK, is_folder and lower.endswith(".ipynb")),
        (SPECIAL, not is_folder and not stat.S_ISREG(status.st_mode)),
        (HARD_LINK, not is_folder and status.st_nlink > 1),
        (HIDDEN_FILE, name.startswith(".")),
        (COMPILED, not is_folder and (lower.endswith(BINARY) or ".so." in name)),
    )
    return next((sentence for sentence, applies in reasons if applies), None)


def _enter(parent: OpenFolder, name: str, parents: tuple[str, ...], survey: Survey) -> None:
    path = "/".join((*parents, name))
    if path == TIMESTAMP:
        return survey.leave_out(FOLDER_TIMESTAMP, path)
    if len(parents) + 1 > survey.limits.depth:
        return survey.leave_out(f"Folders are taken along {survey.limits.depth} levels deep; left out: {{}}.", path)
    try:
        with closing(parent.folder(name)) as folder:
            if not parents and name in survey.modules and _is_package(folder):
                return survey.leave_out(SHADOW, path)
            _walk(folder, (*parents, name), survey)
    except OSError:
        survey.leave_out(UNREADABLE, path)


def _is_package(folder: OpenFolder) -> bool:
    """Return whether Python would import this folder instead of an installed package of the same name."""
    return any(name.startswith("__init__.") for name, _ in folder.entries(10_000))


def _file_problem(path: str, status: stat_result, survey: Survey) -> str | None:
    """Return why a plain file is left out for its path, its size or a limit that is reached, or None."""
    limits = survey.limits
    stem, _, suffix = path.partition(".")
    is_top, size = "/" not in path, sum(survey.files.values()) + status.st_size
    reasons = (
        (CONFIGURATION, is_top and suffix in ("py", "json") and stem in START_UP),
        (SHADOW, is_top and suffix == "py" and stem in survey.modules),
        (TWINS, _fold(path) in survey.used_names),
        (
            f"The path of a file may have {limits.path_chars} characters; left out: {{}}.",
            len(path) > limits.path_chars,
        ),
        (f"At most {limits.files} files are taken along; left out: {{}}.", len(survey.files) >= limits.files),
        (f"At most {limits.folder_mb} MB of files are taken along; left out: {{}}.", size > limits.folder_mb << 20),
    )
    return next((sentence for sentence, applies in reasons if applies), None)


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _read_problem(folder: OpenFolder, name: str, status: stat_result) -> str | None:
    """Return why a file cannot be read, or None."""
    try:
        folder.open(name, status.st_size).close()
    except OSError:
        return UNREADABLE
    return None
