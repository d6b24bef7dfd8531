"""Check that this kernel has the Python version and the packages that the course needs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIRED = ("numpy", "matplotlib", "ipywidgets", "jupyterlab", "nbgrader", "tensorflow")
PYTHON_RANGE = ((3, 11), (3, 13))


def check_environment() -> bool:
    """Print the versions of Python and the packages, and what to do if one is missing. Return whether all fit."""
    version = sys.version_info[:2]
    lowest, highest = PYTHON_RANGE
    well = lowest <= version <= highest
    span = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
    print(f"{'Python':<12}{version[0]}.{version[1]}{'' if well else f'   the course needs {span}'}")
    for package in REQUIRED:
        installed = _installed_version(package)
        well = well and bool(installed)
        print(f"{package:<12}{installed or 'missing'}")
    print(
        "All is well."
        if well
        else "Run `make lab` in the course folder: it installs what is missing. README shows the way by hand."
    )
    return well


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
