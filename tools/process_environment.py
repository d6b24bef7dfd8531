"""Repair the process environment of JupyterLab: the home folder, and variables that were set for other programs."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

# They change the interpreter, disable assertions, turn warnings into errors or run another file first.
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
    """Remove variables that affect the interpreter; return (whether it must restart, sentences for the user)."""
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
    """Return the names of Python's, the environment's and the course's modules that PYTHONPATH would shadow."""
    installed = set(map(_module, os.listdir(sysconfig.get_path("purelib"))))
    modules = (installed | COURSE_PACKAGES | set(sys.stdlib_module_names)) - {""}
    entries = (Path(entry) for entry in path.split(os.pathsep) if entry)
    folders = [entry for entry in entries if os.access(entry, os.R_OK) and entry.is_dir()]
    folders = [entry for entry in folders if entry.resolve() != root.resolve()]
    return {name for folder in folders for name in map(_module, os.listdir(folder)) if name in modules}


def _module(name: str) -> str:
    """Return the module name of an importable file or folder, else ""."""
    stem = name.partition(".")[0]
    importable = name == stem or name.endswith((".py", ".so", ".pyd"))
    return stem if importable and stem.isidentifier() and stem != "__pycache__" else ""


def provide_folders(environ: MutableMapping[str, str], home: Path) -> Iterator[str]:
    """Replace folders that are not writable, the home folder by `home`; yield a sentence for each."""
    description, reason = home_folder(environ)
    if reason:
        home.mkdir(parents=True, exist_ok=True)
        environ["HOME"] = environ["USERPROFILE"] = str(home)
        yield f"{description} ({reason}), so your settings and progress() are kept in {home}."
    for name in FOLDERS:
        if environ.get(name) and (reason := why_not_writable(Path(environ[name]))):
            yield f"${name} is {environ[name]}, which cannot be used ({reason}); JupyterLab runs without it."
            del environ[name]


def home_folder(environ: MutableMapping[str, str]) -> tuple[str, str]:
    """Return a description of the home folder, and why it cannot be used ("" when it can)."""
    try:
        home = Path.home()
    except RuntimeError:
        return "There is no home folder", "HOME is not set, and this user has none"
    if not home.is_absolute() or home == Path(home.anchor):
        return f"Your home folder is {str(home)!r}", "expected a folder of your own"
    return f"Your home folder {home} cannot be used", why_not_writable(home)


def why_not_writable(folder: Path) -> str:
    """Create the folder if needed; return why it is not writable, or ""."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(
            dir=folder
        ) as file:  # permissions are not enough: the disk can be full or read-only
            file.write(b"1")
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def put_first(environ: MutableMapping[str, str], name: str, folder: Path) -> None:
    """Put `folder` first in the search path `name`."""
    remaining = [entry for entry in environ.get(name, "").split(os.pathsep) if entry and entry != str(folder)]
    environ[name] = os.pathsep.join([str(folder), *remaining])
