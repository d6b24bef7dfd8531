"""Create the environment .venv, install the course into it, and repair both.

    python3 -m tools.environment        what a student needs
    python3 -m tools.environment dev    what a maintainer or an instructor needs on top

`make` runs it before each target. When the environment is up to date it changes nothing. It writes a stamp only after
it has finished, so an environment that was interrupted, moved or damaged is detected and repaired on the next run.

This file runs before anything is installed, on any Python 3, to explain which version is needed. It therefore imports
only the standard library and uses the syntax of Python 3.6.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from tools.installer import INSTALLER, install

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SUPPORTED_PYTHONS = ["3.13", "3.12", "3.11"]
VERSION_IF_COMPLETE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
# That Python compares the folders: two interpreters may decode a non-ASCII file name differently.
VERSION_IF_OWN = "import os, sys; print('%d.%d' % sys.version_info[:2]); "
VERSION_IF_OWN += "sys.exit(not os.path.samefile(sys.prefix, sys.argv[1]))"
HAS_THE_COURSE = (
    "import os, sys, importlib.util as u; specs = [u.find_spec(os.path.basename(p)) for p in sys.argv[1:]]; "
)
HAS_THE_COURSE += "folders = [os.path.dirname(spec.origin) if spec else '' for spec in specs]; "
HAS_THE_COURSE += "sys.exit(not all(folders) or not all(map(os.path.samefile, folders, sys.argv[1:])))"
INPUTS = ["pyproject.toml", "constraints.txt", "nbjudge/pyproject.toml"]
EXTRAS = {False: "keras,lab", True: "dev"}  # of pyproject.toml
ENGINE = "nbjudge"  # a separate package that the student edition does not include
# The machine's pip settings decide where packages come from and how they are downloaded; this program decides what is
# installed and where.
KEPT_PIP_OPTIONS = [
    "index_url",
    "extra_index_url",
    "find_links",
    "no_index",
    "proxy",
    "cert",
    "client_cert",
    "trusted_host",
]
KEPT_PIP_OPTIONS += [
    "cache_dir",
    "no_cache_dir",
    "timeout",
    "default_timeout",
    "retries",
    "resume_retries",
    "keyring_provider",
]
KEPT_PIP_OPTIONS += ["progress_bar", "no_color", "no_input", "quiet", "verbose", "log", "use_feature", "use_deprecated"]
KEPT_PYTHON_VARIABLES = ["PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS"]


class EnvironmentSetupError(Exception):
    """Raised when the environment cannot be created; the message states the reason and what to do."""


def main(arguments: List[str]) -> int:
    """Run the command line and return the exit code."""
    if arguments not in ([], ["dev"]):
        print("usage: python3 -m tools.environment [dev]", file=sys.stderr)
        return 2
    try:
        set_up("dev" in arguments)
    except EnvironmentSetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C. Run the same command again to continue.", file=sys.stderr)
        return 130
    return 0


def set_up(dev: bool) -> None:
    """Bring .venv up to date in as few steps as possible; do nothing when it already is.

    Raises EnvironmentSetupError.
    """
    if is_ready(dev):
        return
    _require_write_permission()
    _require_folder()
    stamp = _stamp(dev)
    pins_changed = stamp.get("inputs") != _inputs()  # if not, packages that were changed by hand since then may stay
    complete_stamps = [each for each in (False, True) if _is_intact(_stamp(each))]
    forget_stamps()
    if dev in complete_stamps and _move_in():
        _write_stamps(complete_stamps)
        return
    if not _runs():
        _create()
    _finish(dev, pins_changed)
    _write_stamps([False, dev])


def is_ready(dev: bool = False) -> bool:
    """Return whether the environment is unchanged since the last installation; a quick check."""
    stamp = _stamp(dev)
    return stamp.get("root") == str(ROOT) and _is_intact(stamp) and _has_the_course()


def venv_python() -> Path:
    """Return the path of the environment's interpreter on this system."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version_of(command: List[str]) -> Optional[str]:
    """Return the version, such as "3.12", of a Python that runs and can create environments, else None."""
    return _output_of([*command, "-c", VERSION_IF_COMPLETE])


def find_python() -> List[str]:
    """Return the command of a supported Python: the current interpreter, else the newest on the PATH.

    Raises EnvironmentSetupError when there is none; the message names the current version and the remedy.
    """
    for command in _candidates():
        # Run it instead of only looking it up: a pyenv shim can be on the PATH and still fail.
        if version_of(command) in SUPPORTED_PYTHONS:
            return command
    version = "%d.%d.%d" % sys.version_info[:3]
    if version.rsplit(".", 1)[0] in SUPPORTED_PYTHONS:
        raise EnvironmentSetupError(
            f"Python {version} ({sys.executable}) comes without venv or ensurepip, so it cannot create an environment. "
            "Install them (Debian and Ubuntu: apt install python3-venv) and run the same command again."
        )
    raise EnvironmentSetupError(
        f"Python {version} ({sys.executable}) is not supported: this course needs Python 3.11, 3.12 or 3.13, "
        "and none of them is on the PATH. Install one from python.org and run the same command again, "
        "or name it: make lab PYTHON=/path/to/python3.12"
    )


def clean_environ() -> Dict[str, str]:
    """Return the environment variables, without those that make Python or pip use another environment."""
    environ = {}
    for name, text in os.environ.items():
        if name.startswith("PIP_"):
            keep = name[4:].lower() in KEPT_PIP_OPTIONS
        else:
            keep = name in KEPT_PYTHON_VARIABLES or not name.startswith(
                ("PYTHON", "__PYVENV", "VIRTUAL_ENV", "CONDA_PREFIX")
            )
        if keep:
            environ[name] = text
    return environ


def _candidates() -> Iterator[List[str]]:
    yield [sys.executable]
    for version in SUPPORTED_PYTHONS:
        yield ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]


def _output_of(command: List[str]) -> Optional[str]:
    """Return the output of a command, or None when it does not run or fails."""
    environ = clean_environ()
    try:
        completed = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, cwd=str(ROOT), check=False
        )
    except OSError:
        return None
    return completed.stdout.decode(errors="surrogateescape").strip() if completed.returncode == 0 else None


# --- inspect the environment


def _runs() -> bool:
    """Return whether the environment's Python runs, is supported and belongs to this environment.

    Without pyvenv.cfg it is the base Python, into which nothing must be installed.
    """
    return _output_of([str(venv_python()), "-I", "-c", VERSION_IF_OWN, str(VENV)]) in SUPPORTED_PYTHONS


def _is_present(path: Path, size: int) -> bool:
    try:
        return size in (-1, path.stat().st_size)
    except OSError:
        return False


def _stamp_file(dev: bool) -> Path:
    return VENV / ("installed-dev" if dev else "installed")


def _stamp(dev: bool) -> Dict[str, Any]:
    """Return the record that the last installation wrote when it finished; {} when it did not finish."""
    try:
        stamp = json.loads(_stamp_file(dev).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _inputs() -> str:
    """Return a hash of the files that list the requirements."""
    files = [ROOT / name for name in INPUTS if (ROOT / name).is_file()]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _is_intact(stamp: Dict[str, Any]) -> bool:
    """Return whether everything recorded in the stamp is present, even if the folder was moved."""
    if stamp.get("inputs") != _inputs():
        return False
    return all(_is_present(VENV / name, size) for name, size in stamp["landmarks"].items()) and _runs()


def _has_the_course() -> bool:
    """Return whether the environment imports this course, not one in another folder."""
    packages = [ROOT / "rnn_helpers", *([ROOT / ENGINE / "src" / ENGINE] if _has_engine() else [])]
    return _output_of([str(venv_python()), "-I", "-c", HAS_THE_COURSE, *map(str, packages)]) is not None


def _has_engine() -> bool:
    return (ROOT / ENGINE / "pyproject.toml").is_file()


def _editable(course: str) -> List[str]:
    """Return pip's options for the course, "." or ".[EXTRAS]", and for its engine if that is included."""
    return ["-e", course, *(["-e", "./" + ENGINE] if _has_engine() else [])]


def _require_write_permission() -> None:
    for folder in (ROOT, VENV):
        if folder.exists() and not os.access(str(folder), os.W_OK):
            raise EnvironmentSetupError(
                f"No permission to write in {folder}, where the course keeps its environment and your work. "
                "Copy the course to a folder of your own, or ask for write permission there."
            )


def _require_folder() -> None:
    if VENV.is_symlink() and not VENV.exists():
        raise EnvironmentSetupError(
            f"{VENV} is a link to {os.readlink(str(VENV))}, which does not exist. Remove the link, or create that "
            "folder, and run the same command again."
        )
    if VENV.exists() and not VENV.is_dir():
        raise EnvironmentSetupError(
            f"{VENV} is a file; the course keeps its environment in a folder of that name. "
            "Move the file away and run the same command again."
        )


# --- repair the environment


def _finish(dev: bool, pins_changed: bool) -> None:
    """Repair what is damaged or missing; if that fails, create the environment again."""
    for attempt in ("repair", "recreate"):
        report = _verify(dev)
        if report and not _is_well(report, pins_changed):
            _clean(report)
            _install(dev, report, pins_changed)
            report = _verify(dev)
        if report and _is_well(report, pins_changed=False):
            return _relocate()
        if attempt == "repair":
            print(f"The environment is still damaged: {_damage(report)}.", flush=True)
            os.environ[INSTALLER] = "pip"  # whatever uv installed, the result is not whole
            _create()
    raise EnvironmentSetupError(
        f"The course was installed but is still damaged: {_damage(report)}. "
        "Check the free disk space, then run the same command again."
    )


def _move_in() -> bool:
    """Relocate an intact environment to this folder; return whether it now imports this course."""
    print("The course has moved; updating the paths in .venv.", flush=True)
    _relocate()
    _require_pip()
    return _install_course() and _has_the_course()


def _is_well(report: Dict[str, Any], pins_changed: bool) -> bool:
    wrong = [report[part] for part in ("damaged", "leftovers", "unmet", "course")]
    return not any(wrong) and not (pins_changed and report["unpinned"])


def _damage(report: Optional[Dict[str, Any]]) -> str:
    if not report:
        return "its Python does not run"
    named = [f"{name} ({reason})" for name, reason in report["damaged"].items()]
    return _summarise([*named, *report["leftovers"], *report["unmet"], *filter(None, [report["course"]])])


def _summarise(sentences: List[str], most: int = 5) -> str:
    more = [f"and {len(sentences) - most} more"] if len(sentences) > most else []
    return "; ".join([*sentences[:most], *more])


def _verify(dev: bool) -> Optional[Dict[str, Any]]:
    """Return the report of tools/installation.py about the environment, or None when its Python cannot run it."""
    output = _output_of([*_script(), "verify", *EXTRAS[dev].split(",")])
    return json.loads(output) if output else None


def _script() -> List[str]:
    return [str(venv_python()), "-I", str(ROOT / "tools" / "installation.py")]


def _clean(report: Dict[str, Any]) -> None:
    if report["damaged"] or report["leftovers"]:
        damaged = [f"{name} ({reason})" for name, reason in report["damaged"].items()]
        print(f"Removing damaged packages and files: {_summarise([*damaged, *report['leftovers']])}.", flush=True)
        _call([*_script(), "clean"])


def _relocate() -> None:
    """Update the folder named in the environment's programs and activate scripts."""
    if _call([*_script(), "relocate"]) != 0:
        raise EnvironmentSetupError(
            f"The programs in {venv_python().parent} cannot be changed; see the messages above."
        )
    activate = VENV / "bin" / "activate"
    if activate.is_file() and str(VENV) not in activate.read_text(encoding="utf-8", errors="replace"):
        base = _output_of([str(venv_python()), "-I", "-c", "import sys; print(sys._base_executable)"]) or ""
        options = ["--system-site-packages"] if _sees_system_packages() else []
        if _call([base, "-m", "venv", "--without-pip", *options, str(VENV)]) != 0:
            print(f"{activate} names another folder. Start programs by their path: {VENV}/bin/nbgrader", flush=True)


def _sees_system_packages() -> bool:
    file = VENV / "pyvenv.cfg"
    lines = file.read_text(encoding="utf-8").lower().splitlines() if file.is_file() else []
    return any(line.replace(" ", "") == "include-system-site-packages=true" for line in lines)


def _create() -> None:
    python = find_python()
    if VENV.exists():
        print("The environment in .venv does not run or has an unsupported Python; creating it again.", flush=True)
    print(f"Creating the environment .venv with Python {version_of(python)}.", flush=True)
    if _call([*python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise EnvironmentSetupError("The environment .venv could not be created; see the messages above.")


def _install(dev: bool, report: Dict[str, Any], pins_changed: bool) -> None:
    """Install what is missing; if only the course itself is missing, do it without the network."""
    _require_pip()
    complete = not (report["damaged"] or report["unmet"] or (pins_changed and report["unpinned"]))
    if complete and _install_course():
        return
    print("Installing the course; the first time this downloads about 1 GB and takes a few minutes.", flush=True)
    # Always compile: without .pyc files each import of TensorFlow takes seconds longer.
    if _pip(["--compile", "-c", "constraints.txt", *_editable(f".[{EXTRAS[dev]}]")]) != 0:
        raise EnvironmentSetupError(
            "The installation did not finish; see the end of its log above. "
            "Check the network and the free disk space, then run the same command again to continue."
        )


def _install_course() -> bool:
    """Install only the course, without the network; return whether that succeeded."""
    options = ["--no-index", "--no-deps", "--no-build-isolation", *_editable(".")]
    # Hide the output: if this fails, the full installation follows and explains more.
    return _output_of([str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", *options]) is not None


def _require_pip() -> None:
    """Install pip if it is missing or broken; if that fails, create the environment again."""
    if _output_of([str(venv_python()), "-I", "-m", "pip", "--version"]):
        return
    print("The environment in .venv has no working pip; installing it.", flush=True)
    _call([*_script(), "remove", "pip"])
    if _call([str(venv_python()), "-I", "-m", "ensurepip", "--default-pip"]) != 0:
        _create()


def _pip(options: List[str]) -> int:
    """Install with uv, which understands these options too, or with pip."""
    try:
        return install(VENV, venv_python(), options, {**clean_environ(), **_pip_settings()}, ROOT)
    except OSError as error:
        raise EnvironmentSetupError(
            f"{error.filename or VENV} cannot be used: {error.strerror or error}. "
            "Check the free disk space, then run the same command again to continue."
        ) from error


def _pip_settings() -> Dict[str, str]:
    """Return the machine's pip settings that are kept, including those of its files, as environment variables."""
    settings = {"PIP_CONFIG_FILE": os.devnull}
    output = _output_of([str(venv_python()), "-m", "pip", "config", "list"]) or ""
    for line in output.splitlines():
        name, _, text = line.partition("=")
        option = name.rpartition(".")[2].lower().replace("-", "_")
        if option in KEPT_PIP_OPTIONS and not name.startswith(":env:"):
            settings[f"PIP_{option.upper()}"] = str(ast.literal_eval(text)).replace("\n", " ")
    return {name: text for name, text in settings.items() if name not in clean_environ()}


def _call(command: List[str], environ: Optional[Dict[str, str]] = None) -> int:
    try:
        return subprocess.call(command, cwd=str(ROOT), env=environ or clean_environ())
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


def forget_stamps() -> None:
    """Remove the stamps, so that the next set-up verifies every installed file."""
    for dev in (False, True):
        if _stamp_file(dev).exists():
            _stamp_file(dev).unlink()


def _write_stamps(extras: List[bool]) -> None:
    """Record the state of the completed installation."""
    output = _output_of([*_script(), "landmarks"])
    if not output:
        raise EnvironmentSetupError("The environment in .venv changed during the set-up. Run the same command again.")
    stamp = {"root": str(ROOT), "inputs": _inputs(), "landmarks": json.loads(output)}
    for dev in extras:
        _stamp_file(dev).write_text(json.dumps(stamp), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
