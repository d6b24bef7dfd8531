"""Put right what around JupyterLab would break it: a home folder, and variables that were set for other programs."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

# They let Python start as another one, without assertions, with warnings as errors, or run somebody's file first.
INTERPRETER = ("PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONSAFEPATH")
FOLDERS: tuple[str, ...] = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "MPLCONFIGDIR",
)
FOLDERS += ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TMPDIR")
COURSE_PACKAGES = {"rnn_helpers", "autograde_tests", "nbjudge"}


def drop_interpreter_settings(environ: MutableMapping[str, str], root: Path) -> tuple[bool, list[str]]:
    """Remove what this Python should not have been started with; return whether it must start again, and why."""
    sentences = []
    before = dict(environ)
    for name in INTERPRETER:
        environ.pop(name, None)
    if shadowed := sorted(shadowed_names(environ.get("PYTHONPATH", ""), root)):
        some = ", ".join(shadowed[:3]) + (" and more" if len(shadowed) > 3 else "")
        sentences.append(f"PYTHONPATH would replace packages of the course ({some}); JupyterLab runs without it.")
        del environ["PYTHONPATH"]
    return dict(environ) != before, sentences


def shadowed_names(path: str, root: Path) -> set[str]:
    """Return the modules of Python, of this environment and of the course that PYTHONPATH would replace."""
    installed = set(map(_module, os.listdir(sysconfig.get_path("purelib"))))
    known = (installed | COURSE_PACKAGES | set(sys.stdlib_module_names)) - {""}
    entries = (Path(entry) for entry in path.split(os.pathsep) if entry)
    folders = [entry for entry in entries if os.access(entry, os.R_OK) and entry.is_dir()]
    folders = [entry for entry in folders if entry.resolve() != root.resolve()]
    return {name for folder in folders for name in map(_module, os.listdir(folder)) if name in known}


def _module(name: str) -> str:
    """Return the module that a file or folder can be imported as; "" for others."""
    stem = name.partition(".")[0]
    importable = name == stem or name.endswith((".py", ".so", ".pyd"))
    return stem if importable and stem.isidentifier() and stem != "__pycache__" else ""


def provide_folders(environ: MutableMapping[str, str], home: Path) -> Iterator[str]:
    """Replace folders that cannot be written, first of all the home folder by `home`; yield what was replaced."""
    place, reason = home_folder(environ)
    if reason:
        home.mkdir(parents=True, exist_ok=True)
        environ["HOME"] = environ["USERPROFILE"] = str(home)
        yield f"{place} ({reason}), so your settings and progress() are kept in {home}."
    for name in FOLDERS:
        if environ.get(name) and (reason := why_not_writable(Path(environ[name]))):
            yield f"${name} is {environ[name]}, which cannot be used ({reason}); JupyterLab runs without it."
            del environ[name]


def home_folder(environ: MutableMapping[str, str]) -> tuple[str, str]:
    """Return what to call the home folder, and why it cannot be used; "" when it can."""
    try:
        home = Path.home()
    except RuntimeError:
        return "There is no home folder", "HOME is not set, and this user has none"
    if not home.is_absolute() or home == Path(home.anchor):
        return f"Your home folder is {str(home)!r}", "expected a folder of your own"
    return f"Your home folder {home} cannot be used", why_not_writable(home)


def why_not_writable(folder: Path) -> str:
    """Return why nothing can be written in a folder, which is made when it is missing; "" when something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:  # permissions do not tell: a disk can be full or read-only
            file.write(b"1")
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def put_first(environ: MutableMapping[str, str], name: str, folder: Path) -> None:
    """Put `folder` first in a search path."""
    rest = [entry for entry in environ.get(name, "").split(os.pathsep) if entry and entry != str(folder)]
    environ[name] = os.pathsep.join([str(folder), *rest])
