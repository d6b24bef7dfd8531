"""Build JupyterLite with the lessons that run in a browser and the packages that they import."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

from tools.environment import clean_environ
from tools.lint import Lesson
from tools.next_lesson import change_link
from tools.site.browser_packages import helpers_wheel, package_list
from tools.sources import notebook_bytes

SETTINGS = ("jupyter-lite.json", "overrides.json")
FROM_PYODIDE = {"rnn_helpers": ["numpy", "matplotlib", "ipywidgets"]}  # what is loaded with rnn_helpers
KERNEL_PACKAGE = "comm"  # the kernel installs it by itself, from the list that JupyterLite keeps
OPTIONS = "--no-sourcemaps --no-unused-shared-packages --no-libarchive --apps lab --apps notebooks"


class BrowserLessonsError(Exception):
    """Raised when JupyterLite cannot be installed or built; the message says what to do."""


def build_browser_lessons(root: Path, lessons: list[Lesson], build: Path, target: Path) -> None:
    """Write JupyterLite with these lessons to the folder `target`; `build` keeps its environment and wheels.

    Raises BrowserLessonsError.
    """
    settings = root / "website" / "browser"
    python, wheels = _prepare(settings, build)
    project = build / "project"
    _write_project(root, lessons, settings, project)
    (kernel_wheel,) = wheels.glob(f"{KERNEL_PACKAGE}-*.whl")
    if target.exists():
        shutil.rmtree(target)
    print(f"Building JupyterLite with {len(lessons)} lessons.", flush=True)
    options = [*OPTIONS.split(), "--contents", "files", "--piplite-wheels", str(kernel_wheel)]
    command = [str(python), "-m", "jupyterlite_core", "build", *options, "--output-dir", str(target)]
    result = subprocess.run(command, cwd=project, env=clean_environ(), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BrowserLessonsError(f"JupyterLite could not be built:\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
    _write_packages(root, settings, wheels, target / "static")


def _write_project(root: Path, lessons: list[Lesson], settings: Path, project: Path) -> None:
    """Write what `jupyter lite build` reads: settings, and the files that JupyterLite offers."""
    if project.exists():
        shutil.rmtree(project)
    (project / "files").mkdir(parents=True)
    for name in SETTINGS:
        shutil.copy(settings / name, project)
    names = [lesson.name for lesson in lessons]
    for lesson in lessons:
        folder = shutil.copytree(root / "lessons" / lesson.name, project / "files" / lesson.name)
        notebook = deepcopy(lesson.released)
        for cell in notebook.cells:
            cell.source = change_link(cell.source, lambda name: f"../{name}/{name}.ipynb" if name in names else "")
        (folder / f"{lesson.name}.ipynb").write_bytes(notebook_bytes(notebook))


def _write_packages(root: Path, settings: Path, wheels: Path, folder: Path) -> None:
    """Write the packages that Pyodide loads when a lesson imports them, and what adds them to its list."""
    packages = dict([helpers_wheel(root)])
    packages |= {path.name: path.read_bytes() for path in wheels.glob("*.whl") if KERNEL_PACKAGE not in path.name}
    folder.mkdir(exist_ok=True)
    for name, content in packages.items():
        (folder / name).write_bytes(content)
    (folder / "packages.json").write_bytes(package_list(packages, FROM_PYODIDE))
    shutil.copy(settings / "pyodide.js", folder)


def _prepare(settings: Path, build: Path) -> tuple[Path, Path]:
    """Return the interpreter of an environment with JupyterLite, and a folder with wheels; made on first use."""
    needs = [settings / "requirements.txt", settings / "wheels.txt"]
    environment, wheels, stamp = build / "environment", build / "wheels", build / "installed"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    state = hashlib.sha256(b"\0".join(path.read_bytes() for path in needs)).hexdigest() + str(build)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state and python.exists():
        return python, wheels
    print("Installing JupyterLite into an environment of its own, which takes a minute the first time.", flush=True)
    shutil.rmtree(build, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(environment))
    _run(str(python), "-m", "pip", "install", "--quiet", "-r", str(needs[0]))
    _run(str(python), "-m", "pip", "download", "--quiet", "--no-deps", "-r", str(needs[1]), "-d", str(wheels))
    stamp.write_text(state, encoding="utf-8")
    return python, wheels


def _run(*command: str) -> None:
    environ = {**clean_environ(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BrowserLessonsError(
            f"{result.stderr[-2000:]}\nJupyterLite could not be installed, see above. Check the network and run the "
            "command again, or build the pages alone: python -m tools.site --book"
        )
