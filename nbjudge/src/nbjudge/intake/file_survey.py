"""Survey a submitted folder in one pass that only reads: the files that are safe to copy, and the notebooks' bytes.

Files are selected by their names, types and sizes alone.
"""

from __future__ import annotations

import re
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
from pathlib import Path, PurePosixPath

from nbjudge.intake.messages import Note, Refusal
from nbjudge.intake.safe_open import OpenFolder
from nbjudge.text import is_plain, quote

TIMESTAMP = "timestamp.txt"  # nbgrader's
_TIMESTAMP_BYTES = 200
# As nbgrader writes it: 2026-05-04 10:20:30.123456 UTC. A time zone must not be a path, which dateutil would open.
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d|[A-Za-z][A-Za-z0-9_+/-]{0,40}))?"
)
CANDIDATES_MB = 200  # of notebooks with other names that are searched for a missing one
_ENTRIES_FOR_A_FILE = 20  # entries examined per allowed file before the survey stops

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
_BINARY = (".so", ".pyd", ".dll", ".dylib", ".pyc", ".pth")
_START_UP = {"sitecustomize", "usercustomize", "conftest", "ipython_config", "ipython_kernel_config"}
_START_UP |= {"nbgrader_config", "jupyter_config", "jupyter_server_config", "jupyter_nbconvert_config"}

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
_BAD_TIMESTAMP = "The time of submission (`timestamp.txt`) was not a time; it was left out."
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
    """The contents of a folder.

    files: {path: bytes} of the other files that are safe to copy
    notebooks: paths of all notebooks; named: {name: path} of the top-level ones with the name of an expected one
    contents: {path: bytes of the notebook, or why it could not be read}; of all the named ones, and of the others,
        the likeliest first, as far as CANDIDATES_MB go
    left_out: {path: why it is left out}
    timestamp: the text of nbgrader's timestamp.txt, if it is a time
    """

    files: dict[str, int] = field(default_factory=dict)
    notebooks: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes | Refusal] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    timestamp: str | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass
class _Walk:
    """The state of a walk through a folder; modules: reserved module names."""

    limits: Limits
    modules: Collection[str]
    entries_left: int
    survey: Survey = field(default_factory=Survey)
    used_names: set[str] = field(default_factory=lambda: {TIMESTAMP})

    def leave_out(self, sentence: str, path: str) -> None:
        self.survey.left_out[path] = sentence
        self.survey.notes.append(Note(sentence, path))


def survey(folder: OpenFolder, names: Collection[str], limits: Limits, modules: Collection[str]) -> Survey:
    """Survey a submission's folder recursively. Raises OSError when it cannot be listed.

    names: of the expected notebooks
    modules: reserved module names, in addition to those of installed packages
    """
    walk = _Walk(limits, set(modules) | _installed_modules(), limits.files * _ENTRIES_FOR_A_FILE)
    _list_folder(folder, (), walk)
    paths = walk.survey.notebooks
    walk.survey.named = {name: path for name in names if (path := _path_of(paths, name))}
    walk.survey.contents = _read_notebooks(folder, walk.survey, names, limits)
    return walk.survey


def _path_of(paths: list[str], name: str) -> str | None:
    """Return the path of the top-level notebook of this name, ignoring case if there is no exact match."""
    top_level = [path for path in paths if "/" not in path]
    matches = [path for path in top_level if path.casefold() == f"{name}.ipynb".casefold()]
    return f"{name}.ipynb" if f"{name}.ipynb" in top_level else matches[0] if matches else None


def _dissimilarity(path: str, names: Collection[str]) -> tuple[bool, bool, int, str]:
    """Return a sort key for paths by similarity to a name: the same name first, then names such as 'name (1)'."""
    stem, folded_names = PurePosixPath(path).stem.casefold(), [name.casefold() for name in names]
    return stem not in folded_names, not any(name in stem for name in folded_names), path.count("/"), path


def _read_notebooks(
    folder: OpenFolder, survey: Survey, names: Collection[str], limits: Limits
) -> dict[str, bytes | Refusal]:
    """Return the contents of the named notebooks and, the likeliest first, of as many others as CANDIDATES_MB hold."""
    named = set(survey.named.values())
    contents: dict[str, bytes | Refusal] = {}
    bytes_left = CANDIDATES_MB << 20
    for path in [*named, *sorted({*survey.notebooks} - named, key=lambda path: _dissimilarity(path, names))]:
        try:
            content = folder.read_file(path, limits.notebook_mb << 20)
        except OSError as error:
            contents[path] = Refusal(
                f"{quote(path)} could not be read: it must be a plain file of at most {limits.notebook_mb} MB. Clear "
                "all outputs, save it and submit it again.",
                f"{quote(path)} could not be read: {error.strerror or error}.",
            )
            continue
        bytes_left -= 0 if path in named else len(content) + 1000
        if bytes_left < 0:
            break
        contents[path] = content
    return contents


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


def _list_folder(folder: OpenFolder, parents: tuple[str, ...], walk: _Walk) -> None:
    # Files first, so that a large data folder cannot exhaust the limit before the notebook is found.
    entries = sorted(folder.entries(walk.entries_left + 1), key=lambda entry: stat.S_ISDIR(entry[1].st_mode))
    for name, status in entries:
        path = "/".join((*parents, name))
        walk.entries_left -= 1
        if walk.entries_left < 0:
            limit = walk.limits.files * _ENTRIES_FOR_A_FILE
            sentence = f"The folder holds more than {limit} files and folders; the rest was not looked at."
            return walk.survey.notes.append(Note(sentence))
        if name in LITTER or name.startswith("._"):
            continue
        if reason := _entry_problem(name, status):
            walk.leave_out(reason, path)
        elif stat.S_ISDIR(status.st_mode):
            _enter(folder, name, parents, walk)
        elif name.lower().endswith(".ipynb"):
            walk.survey.notebooks.append(path)
        elif path == TIMESTAMP:
            walk.survey.timestamp = _read_timestamp(folder)
            walk.survey.notes += [] if walk.survey.timestamp else [Note(_BAD_TIMESTAMP)]
        elif reason := _file_problem(path, status, walk) or _read_problem(folder, name, status):
            walk.leave_out(reason, path)
        else:
            walk.used_names.add(_fold(path))
            walk.survey.files[path] = status.st_size


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
        (COMPILED, not is_folder and (lower.endswith(_BINARY) or ".so." in name)),
    )
    return next((sentence for sentence, applies in reasons if applies), None)


def _enter(parent: OpenFolder, name: str, parents: tuple[str, ...], walk: _Walk) -> None:
    path = "/".join((*parents, name))
    if path == TIMESTAMP:
        return walk.leave_out(FOLDER_TIMESTAMP, path)
    if len(parents) + 1 > walk.limits.depth:
        return walk.leave_out(f"Folders are taken along {walk.limits.depth} levels deep; left out: {{}}.", path)
    try:
        with closing(parent.folder(name)) as folder:
            if not parents and name in walk.modules and _is_package(folder):
                return walk.leave_out(SHADOW, path)
            _list_folder(folder, (*parents, name), walk)
    except OSError:
        walk.leave_out(UNREADABLE, path)


def _is_package(folder: OpenFolder) -> bool:
    """Return whether Python would import this folder instead of an installed package of the same name."""
    return any(name.startswith("__init__.") for name, _ in folder.entries(10_000))


def _file_problem(path: str, status: stat_result, walk: _Walk) -> str | None:
    """Return why a plain file is left out for its path, its size or a limit that is reached, or None."""
    limits = walk.limits
    stem, _, suffix = path.partition(".")
    is_top, size = "/" not in path, sum(walk.survey.files.values()) + status.st_size
    reasons = (
        (CONFIGURATION, is_top and suffix in ("py", "json") and stem in _START_UP),
        (SHADOW, is_top and suffix == "py" and stem in walk.modules),
        (TWINS, _fold(path) in walk.used_names),
        (
            f"The path of a file may have {limits.path_chars} characters; left out: {{}}.",
            len(path) > limits.path_chars,
        ),
        (f"At most {limits.files} files are taken along; left out: {{}}.", len(walk.survey.files) >= limits.files),
        (f"At most {limits.folder_mb} MB of files are taken along; left out: {{}}.", size > limits.folder_mb << 20),
    )
    return next((sentence for sentence, applies in reasons if applies), None)


def _read_timestamp(folder: OpenFolder) -> str | None:
    """Return the text of nbgrader's timestamp.txt if nbgrader can parse it."""
    from nbgrader.utils import parse_utc

    try:
        text = folder.read_file(TIMESTAMP, _TIMESTAMP_BYTES).decode("ascii").strip()
        if TIME.fullmatch(text):
            parse_utc(text)
            return text
    except (OSError, ValueError, OverflowError):
        pass
    return None


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _read_problem(folder: OpenFolder, name: str, status: stat_result) -> str | None:
    """Return why a file cannot be read, or None."""
    try:
        folder.open(name, status.st_size).close()
    except OSError:
        return UNREADABLE
    return None
