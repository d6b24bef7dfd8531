"""Check that this kernel has the Python version and the packages that the course needs."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "rnn-course"
REQUIRED = ("numpy", "matplotlib", "ipywidgets")
LESSONS_WITH_KERAS = "08 to 14"
OLDEST_PYTHON = (3, 11)
INSTALL_KERAS = "`pip install 'rnn-course[keras]'`"
BROWSER_FILES = Path("/drive")  # where JupyterLite mounts the files that it keeps in the browser's storage
KEPT = "Your work is kept in this browser, on this device, until you delete the data of this site."
NOT_KEPT = (
    "This browser stores nothing for this site, so your work is lost when you leave the page. "
    "Allow the site to store data, or leave private browsing, and load the page again."
)


class UnavailableHereError(ModuleNotFoundError):
    """Raised by an import that cannot succeed in a browser or without TensorFlow; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook for how an exception is shown
        return textwrap.wrap(str(self), 88)


def in_browser() -> bool:
    """Return whether this Python runs inside a browser."""
    return sys.platform == "emscripten"


def on_hub() -> bool:
    """Return whether this kernel belongs to a server of JupyterHub, whose packages students cannot change."""
    return "JUPYTERHUB_USER" in os.environ


def newer_lesson(exercise: str) -> str:
    """Return a sentence for a lesson that asks for an exercise which the installed course does not have."""
    if in_browser():
        way_out = "reload the page"
    else:
        way_out = "ask your instructor to update it" if on_hub() else "get the new version and run `make lab`"
    release = _installed_version(DISTRIBUTION)
    return f"If the lesson asks for {exercise}, it is newer than the installed {DISTRIBUTION} {release}: {way_out}."


def check_environment() -> bool:
    """Print the versions of Python and the packages, and what to do if one is missing. Return whether all fit."""
    return _check_browser() if in_browser() else _check_installation()


def _check_installation() -> bool:
    current = sys.version_info[:2]
    well = current >= OLDEST_PYTHON
    remark = "" if well else f"   the course needs {'.'.join(map(str, OLDEST_PYTHON))} or later"
    print(f"{'Python':<12}{current[0]}.{current[1]}{remark}")
    well = _print_versions(REQUIRED) and well
    _print_versions(["tensorflow"])
    if not well and on_hub():
        print("Ask your instructor to install what is missing for the kernels of this JupyterHub.")
    elif not well:
        print("Run `make lab` in the course folder, or `pip install rnn-course`: it installs what is missing.")
    elif not _installed_version("tensorflow"):
        print(f"All is well, except for lessons {LESSONS_WITH_KERAS}. They need TensorFlow: {INSTALL_KERAS}")
    else:
        print("All is well.")
    return well


def _check_browser() -> bool:
    print(f"{'Python':<12}{sys.version_info[0]}.{sys.version_info[1]}, in your browser")
    if not _print_versions(REQUIRED):
        print("Reload the page: it loads what is missing.")
        return False
    print("All is well.", KEPT if BROWSER_FILES.exists() else NOT_KEPT)
    return True


def _print_versions(packages: Iterable[str]) -> bool:
    """Print the version of each package; return whether all are installed."""
    installed = {package: _installed_version(package) for package in packages}
    for package, release in installed.items():
        print(f"{package:<12}{release or 'missing'}")
    return all(installed.values())


@contextlib.contextmanager
def recheck_installation_on_error() -> Iterator[None]:
    """If an import in this block fails, make the next `make lab` verify the files of all packages."""
    try:
        yield
    except Exception:
        for stamp in Path(sys.prefix).glob("installed*"):  # left by tools/environment.py
            with contextlib.suppress(OSError):
                stamp.unlink()
        raise


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
