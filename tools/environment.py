"""Make the environment .venv and install the course into it.

    python3 -m tools.environment        what a student needs
    python3 -m tools.environment dev    what a maintainer or an instructor needs on top

This file runs before anything is installed, on whatever Python 3 there is, to say kindly that it is the
wrong one: so it imports the standard library only, and its syntax is that of Python 3.6.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Optional

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
FITTING = ["3.13", "3.12", "3.11"]
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


class EnvironmentProblem(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main(arguments: List[str]) -> int:
    if arguments not in ([], ["dev"]):
        print("usage: python3 -m tools.environment [dev]", file=sys.stderr)
        return 2
    try:
        _require_write_permission()
        if version_of([str(venv_python())]) not in FITTING:
            _create()
        _install("dev" in arguments)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def venv_python() -> Path:
    """Return where the environment's interpreter is, on this system."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version_of(command: List[str]) -> Optional[str]:
    """Return the version, such as "3.12", of a Python that runs and can make environments; None otherwise."""
    try:
        done = subprocess.run([*command, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return done.stdout.decode().strip() if done.returncode == 0 else None


def find_python() -> List[str]:
    """Return the command of a fitting Python: the one that runs this, else the newest on the PATH.

    Raises EnvironmentProblem when there is none, naming the version found and the way out.
    """
    for command in _candidates():
        # Asked for its version rather than looked up: a pyenv shim can be on the PATH and still not run.
        if version_of(command) in FITTING:
            return command
    found = "%d.%d.%d" % sys.version_info[:3]
    if found.rsplit(".", 1)[0] in FITTING:
        raise EnvironmentProblem(
            f"Python {found} ({sys.executable}) comes without venv or ensurepip, so it cannot make an environment. "
            "Install them (Debian and Ubuntu: apt install python3-venv) and run the same command again."
        )
    raise EnvironmentProblem(
        f"Python {found} ({sys.executable}) does not fit: this course needs Python 3.11, 3.12 or 3.13, "
        "and found none of them on the PATH. Install one from python.org and run the same command again, "
        "or name it: make lab PYTHON=/path/to/python3.12"
    )


def _candidates() -> Iterator[List[str]]:
    yield [sys.executable]
    for version in FITTING:
        yield ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]


def _require_write_permission() -> None:
    for folder in (ROOT, VENV):
        if folder.exists() and not os.access(str(folder), os.W_OK):
            raise EnvironmentProblem(
                f"No permission to write in {folder}, where the course keeps its environment and your work. "
                "Copy the course to a folder of your own, or ask for write permission there."
            )


def _create() -> None:
    python = find_python()
    if VENV.exists():
        print("The environment in .venv does not run or has an unfitting Python; making it anew.", flush=True)
    print(f"Making the environment .venv with Python {version_of(python)}.", flush=True)
    if subprocess.call([*python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise EnvironmentProblem("The environment .venv could not be made; the lines above say why.")


def _install(dev: bool) -> None:
    """Install the course, then leave the stamps by which make knows that it is done."""
    print("Installing the course; the first time this loads about 1 GB and takes some minutes.", flush=True)
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check"]
    # Compiled now, whatever pip's settings say: without .pyc files each import of TensorFlow costs seconds more.
    command += ["--compile", "-c", "constraints.txt", "-e", ".[dev]" if dev else "."]
    if subprocess.call(command, cwd=str(ROOT)) != 0:
        raise EnvironmentProblem(
            "The installation did not finish; pip's lines above say why. "
            "Check the network and the space on the disk, then run the same command again: what is done is kept."
        )
    for stamp in ["installed", "installed-dev"] if dev else ["installed"]:
        (VENV / stamp).touch()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
