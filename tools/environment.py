"""Make the environment .venv, install the course into it, and repair both.

    python3 -m tools.environment        what a student needs
    python3 -m tools.environment dev    what a maintainer or an instructor needs on top

`make` runs it before each target: where all is well, it looks and does nothing. It leaves a stamp only after it has
finished, so what was interrupted, moved or damaged is noticed and put right the next time.

This file runs before anything is installed, on whatever Python 3 there is, to say kindly that it is the
wrong one: so it imports the standard library only, and its syntax is that of Python 3.6.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
FITTING = ["3.13", "3.12", "3.11"]
MAKES_ENVIRONMENTS = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
# Folders are compared by that Python: two of them need not agree on how to read a name that is not ASCII.
IS_THE_ENVIRONMENT = "import os, sys; print('%d.%d' % sys.version_info[:2]); "
IS_THE_ENVIRONMENT += "sys.exit(not os.path.samefile(sys.prefix, sys.argv[1]))"
HAS_THE_COURSE = (
    "import os, sys, importlib.util as u; specs = [u.find_spec(os.path.basename(p)) for p in sys.argv[1:]]; "
)
HAS_THE_COURSE += "folders = [os.path.dirname(spec.origin) if spec else '' for spec in specs]; "
HAS_THE_COURSE += "sys.exit(not all(folders) or not all(map(os.path.samefile, folders, sys.argv[1:])))"
INPUTS = ["pyproject.toml", "constraints.txt", "nbjudge/pyproject.toml"]
ENGINE = "nbjudge"  # a package of its own, which the student edition comes without
# pip's settings say where packages come from and how they are fetched, which is the machine's to say, and what is
# installed where, which is ours.
PIPS_OWN = ["index_url", "extra_index_url", "find_links", "no_index", "proxy", "cert", "client_cert", "trusted_host"]
PIPS_OWN += ["cache_dir", "no_cache_dir", "timeout", "default_timeout", "retries", "resume_retries", "keyring_provider"]
PIPS_OWN += ["progress_bar", "no_color", "no_input", "quiet", "verbose", "log", "use_feature", "use_deprecated"]
PYTHONS_OWN = ["PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS"]


class EnvironmentSetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main(arguments: List[str]) -> int:
    if arguments not in ([], ["dev"]):
        print("usage: python3 -m tools.environment [dev]", file=sys.stderr)
        return 2
    try:
        set_up("dev" in arguments)
    except EnvironmentSetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C. Run the same command again: what is done is kept.", file=sys.stderr)
        return 130
    return 0


def set_up(dev: bool) -> None:
    """Make .venv what the course needs, in the fewest steps that lead there; none where all is well.

    Raises EnvironmentSetupError.
    """
    if is_ready(dev):
        return
    _require_write_permission()
    _require_folder()
    stamp = _stamp(dev)
    pins_changed = stamp.get("inputs") != _inputs()  # if not, packages that were changed by hand since may stay
    whole = [each for each in (False, True) if _is_whole(_stamp(each))]
    forget_stamps()
    if dev in whole and _move_in():
        _write_stamps(whole)
        return
    if not _runs():
        _create()
    _finish(dev, pins_changed)
    _write_stamps([False, dev])


def is_ready(dev: bool = False) -> bool:
    """Return whether the environment is as the last installation left it; a look that takes a moment."""
    stamp = _stamp(dev)
    return stamp.get("root") == str(ROOT) and _is_whole(stamp) and _has_the_course()


def venv_python() -> Path:
    """Return where the environment's interpreter is, on this system."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version_of(command: List[str]) -> Optional[str]:
    """Return the version, such as "3.12", of a Python that runs and can make environments; None otherwise."""
    return _said_by([*command, "-c", MAKES_ENVIRONMENTS])


def find_python() -> List[str]:
    """Return the command of a fitting Python: the one that runs this, else the newest on the PATH.

    Raises EnvironmentSetupError when there is none, naming the version found and the way out.
    """
    for command in _candidates():
        # Asked for its version rather than looked up: a pyenv shim can be on the PATH and still not run.
        if version_of(command) in FITTING:
            return command
    found = "%d.%d.%d" % sys.version_info[:3]
    if found.rsplit(".", 1)[0] in FITTING:
        raise EnvironmentSetupError(
            f"Python {found} ({sys.executable}) comes without venv or ensurepip, so it cannot make an environment. "
            "Install them (Debian and Ubuntu: apt install python3-venv) and run the same command again."
        )
    raise EnvironmentSetupError(
        f"Python {found} ({sys.executable}) does not fit: this course needs Python 3.11, 3.12 or 3.13, "
        "and found none of them on the PATH. Install one from python.org and run the same command again, "
        "or name it: make lab PYTHON=/path/to/python3.12"
    )


def clean_environ() -> Dict[str, str]:
    """Return this process's variables, without those that make a Python or pip work on another environment."""
    kept = {}
    for name, text in os.environ.items():
        if name.startswith("PIP_"):
            keep = name[4:].lower() in PIPS_OWN
        else:
            keep = name in PYTHONS_OWN or not name.startswith(("PYTHON", "__PYVENV", "VIRTUAL_ENV", "CONDA_PREFIX"))
        if keep:
            kept[name] = text
    return kept


def _candidates() -> Iterator[List[str]]:
    yield [sys.executable]
    for version in FITTING:
        yield ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]


def _said_by(command: List[str]) -> Optional[str]:
    """Return what a command prints; None when it does not run or fails."""
    environ = clean_environ()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, cwd=str(ROOT))
    except OSError:
        return None
    return done.stdout.decode(errors="surrogateescape").strip() if done.returncode == 0 else None


# --- what there is


def _runs() -> bool:
    """Return whether the environment's Python runs, fits, and is this environment's.

    Without its pyvenv.cfg it is the Python that it was made from, into which nothing must be installed.
    """
    return _said_by([str(venv_python()), "-I", "-c", IS_THE_ENVIRONMENT, str(VENV)]) in FITTING


def _is_there(path: Path, size: int) -> bool:
    try:
        return size in (-1, path.stat().st_size)
    except OSError:
        return False


def _stamp_file(dev: bool) -> Path:
    return VENV / ("installed-dev" if dev else "installed")


def _stamp(dev: bool) -> Dict[str, Any]:
    """Return what the last installation wrote down when it had finished; nothing when it had not."""
    try:
        stamp = json.loads(_stamp_file(dev).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _inputs() -> str:
    """Return what tells one state of the list of requirements from another."""
    files = [ROOT / name for name in INPUTS if (ROOT / name).is_file()]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _is_whole(stamp: Dict[str, Any]) -> bool:
    """Return whether all is there that this stamp was left for, be it in another folder."""
    if stamp.get("inputs") != _inputs():
        return False
    return all(_is_there(VENV / name, size) for name, size in stamp["landmarks"].items()) and _runs()


def _has_the_course() -> bool:
    """Return whether the environment imports this course, not one in another folder."""
    packages = [ROOT / "rnn_helpers", *([ROOT / ENGINE / "src" / ENGINE] if _has_engine() else [])]
    return _said_by([str(venv_python()), "-I", "-c", HAS_THE_COURSE, *map(str, packages)]) is not None


def _has_engine() -> bool:
    return (ROOT / ENGINE / "pyproject.toml").is_file()


def _editable(course: str) -> List[str]:
    """Return pip's options for the course, "." or ".[dev]", and for its engine where that is beside it."""
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
            f"{VENV} is a link to {os.readlink(str(VENV))}, which is not there. Remove the link, or make the folder "
            "that it leads to, and run the same command again."
        )
    if VENV.exists() and not VENV.is_dir():
        raise EnvironmentSetupError(
            f"{VENV} is a file; the course keeps its environment in a folder of that name. "
            "Move the file away and run the same command again."
        )


# --- what is done about it


def _finish(dev: bool, pins_changed: bool) -> None:
    """Put right what is damaged or missing, twice if need be, the second time from nothing."""
    for attempt in ("repair", "make anew"):
        report = _verify(dev)
        if report and not _is_well(report, pins_changed):
            _clean(report)
            _install(dev, report, pins_changed)
            report = _verify(dev)
        if report and _is_well(report, pins_changed=False):
            return _relocate()
        if attempt == "repair":
            print("The environment is still damaged.", flush=True)
            _create()
    raise EnvironmentSetupError(
        f"The course was installed and is damaged all the same: {_damage(report)}. "
        "Look at the space on the disk, then run the same command again."
    )


def _move_in() -> bool:
    """Let an environment that is whole serve the course in this folder; return whether it does."""
    print("The course has moved; the environment in .venv learns where it is now.", flush=True)
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
    return _listed([*named, *report["leftovers"], *report["unmet"], *filter(None, [report["course"]])])


def _listed(sentences: List[str], most: int = 5) -> str:
    more = [f"and {len(sentences) - most} more"] if len(sentences) > most else []
    return "; ".join([*sentences[:most], *more])


def _verify(dev: bool) -> Optional[Dict[str, Any]]:
    """Return what tools/installation.py finds in the environment; None when its Python cannot even do that."""
    said = _said_by([*_script(), "verify", *(["dev"] if dev else [])])
    return json.loads(said) if said else None


def _script() -> List[str]:
    return [str(venv_python()), "-I", str(ROOT / "tools" / "installation.py")]


def _clean(report: Dict[str, Any]) -> None:
    if report["damaged"] or report["leftovers"]:
        damaged = [f"{name} ({reason})" for name, reason in report["damaged"].items()]
        print(f"Removing what is damaged: {_listed([*damaged, *report['leftovers']])}.", flush=True)
        _call([*_script(), "clean"])


def _relocate() -> None:
    """Let the environment's programs and its activate scripts name the folder in which it is now."""
    if _call([*_script(), "relocate"]) != 0:
        raise EnvironmentSetupError(
            f"The programs in {venv_python().parent} cannot be changed; the lines above say why."
        )
    activate = VENV / "bin" / "activate"
    if activate.is_file() and str(VENV) not in activate.read_text(encoding="utf-8", errors="replace"):
        base = _said_by([str(venv_python()), "-I", "-c", "import sys; print(sys._base_executable)"]) or ""
        options = ["--system-site-packages"] if _sees_system_packages() else []
        if _call([base, "-m", "venv", "--without-pip", *options, str(VENV)]) != 0:
            print(f"{activate} is of another folder. Programs work by their path: {VENV}/bin/nbgrader", flush=True)


def _sees_system_packages() -> bool:
    file = VENV / "pyvenv.cfg"
    lines = file.read_text(encoding="utf-8").lower().splitlines() if file.is_file() else []
    return any(line.replace(" ", "") == "include-system-site-packages=true" for line in lines)


def _create() -> None:
    python = find_python()
    if VENV.exists():
        print("The environment in .venv does not run or has an unfitting Python; making it anew.", flush=True)
    print(f"Making the environment .venv with Python {version_of(python)}.", flush=True)
    if _call([*python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise EnvironmentSetupError("The environment .venv could not be made; the lines above say why.")


def _install(dev: bool, report: Dict[str, Any], pins_changed: bool) -> None:
    """Install what is missing; where that is the course alone, without the network."""
    _require_pip()
    complete = not (report["damaged"] or report["unmet"] or (pins_changed and report["unpinned"]))
    if complete and _install_course():
        return
    print("Installing the course; the first time this loads about 1 GB and takes some minutes.", flush=True)
    # Compiled now, whatever pip's settings say: without .pyc files each import of TensorFlow costs seconds more.
    if _pip(["--compile", "-c", "constraints.txt", *_editable(".[dev]" if dev else ".")]) != 0:
        raise EnvironmentSetupError(
            "The installation did not finish; pip's lines above say why. "
            "Check the network and the space on the disk, then run the same command again: what is done is kept."
        )


def _install_course() -> bool:
    """Install the course into an environment that has all else, without the network; return whether that went well."""
    options = ["--no-index", "--no-deps", "--no-build-isolation", *_editable(".")]
    # Not shown: where it fails, there is another way, whose lines say more.
    return _said_by([str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", *options]) is not None


def _require_pip() -> None:
    """Put pip into an environment that has none or a broken one; where that cannot be, make another environment."""
    if _said_by([str(venv_python()), "-I", "-m", "pip", "--version"]):
        return
    print("The environment in .venv has no pip that runs; putting it there.", flush=True)
    _call([*_script(), "remove", "pip"])
    if _call([str(venv_python()), "-I", "-m", "ensurepip", "--default-pip"]) != 0:
        _create()


def _pip(options: List[str]) -> int:
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", *options]
    return _call(command, {**clean_environ(), **_pip_settings()})


def _pip_settings() -> Dict[str, str]:
    """Return pip's settings of this machine as variables: those of its files, too, and of them only what we keep."""
    settings = {"PIP_CONFIG_FILE": os.devnull}
    said = _said_by([str(venv_python()), "-m", "pip", "config", "list"]) or ""
    for line in said.splitlines():
        name, _, text = line.partition("=")
        option = name.rpartition(".")[2].lower().replace("-", "_")
        if option in PIPS_OWN and not name.startswith(":env:"):
            settings[f"PIP_{option.upper()}"] = str(ast.literal_eval(text)).replace("\n", " ")
    return {name: text for name, text in settings.items() if name not in clean_environ()}


def _call(command: List[str], environ: Optional[Dict[str, str]] = None) -> int:
    try:
        return subprocess.call(command, cwd=str(ROOT), env=environ or clean_environ())
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


def forget_stamps() -> None:
    """Let the next set-up compare all that is installed with its lists of files."""
    for dev in (False, True):
        if _stamp_file(dev).exists():
            _stamp_file(dev).unlink()


def _write_stamps(which: List[bool]) -> None:
    """Write down how things are, now that the installation is complete."""
    said = _said_by([*_script(), "landmarks"])
    if not said:
        raise EnvironmentSetupError("The environment in .venv changed while it was set up. Run the same command again.")
    stamp = {"root": str(ROOT), "inputs": _inputs(), "landmarks": json.loads(said)}
    for dev in which:
        _stamp_file(dev).write_text(json.dumps(stamp), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
