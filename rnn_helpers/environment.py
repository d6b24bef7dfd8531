"""Check that this kernel has the Python version and the packages that the course needs."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIRED = ("numpy", "matplotlib", "ipywidgets", "jupyterlab", "nbgrader", "tensorflow")
REQUIRED_IN_BROWSER = REQUIRED[:3]
PYTHON_RANGE = ((3, 11), (3, 13))
BROWSER_FILES = Path("/drive")  # where JupyterLite mounts the files that it keeps in the browser's storage
KEPT = "Your work is kept in this browser, on this device, until you delete the data of this site."
NOT_KEPT = (
    "This browser stores nothing for this site, so your work is lost when you leave the page. "
    "Allow the site to store data, or leave private browsing, and load the page again."
)


class UnavailableInBrowserError(ModuleNotFoundError):
    """Raised by an import that no browser can satisfy; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook for how an exception is shown
        return textwrap.wrap(str(self), 88)


def in_browser() -> bool:
    """Return whether this Python runs inside a browser."""
    return sys.platform == "emscripten"


def check_environment() -> bool:
    """Print the versions of Python and the packages, and what to do if one is missing. Return whether all fit."""
    return _check_browser() if in_browser() else _check_installation()


def _check_installation() -> bool:
    version = sys.version_info[:2]
    lowest, highest = PYTHON_RANGE
    well = lowest <= version <= highest
    span = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
    print(f"{'Python':<12}{version[0]}.{version[1]}{'' if well else f'   the course needs {span}'}")
    well = _print_versions(REQUIRED) and well
    print(
        "All is well."
        if well
        else "Run `make lab` in the course folder: it installs what is missing. README shows the way by hand."
    )
    return well


def _check_browser() -> bool:
    print(f"{'Python':<12}{sys.version_info[0]}.{sys.version_info[1]}, in your browser")
    if not _print_versions(REQUIRED_IN_BROWSER):
        print("Reload the page: it loads what is missing.")
        return False
    print("All is well.", KEPT if BROWSER_FILES.exists() else NOT_KEPT)
    return True


def _print_versions(packages: tuple[str, ...]) -> bool:
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
