"""Compile bytecode and remove truncated files: a full disk leaves some, at which every import would fail.

Python does not check that a module's bytecode was written completely, and later raises EOFError when it loads the file.
This module uses the standard library only, so that it can be imported when little else can.
"""

from __future__ import annotations

import compileall
import marshal
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

HEADER = 16  # bytes: a magic number, flags, and the source's time and size


def compile_packages(packages: Iterable[Path]) -> None:
    """Compile the uncompiled modules of packages, and remove bytecode that cannot be loaded."""
    for package in packages:
        remove_damaged(package)
        if package.is_dir():
            compileall.compile_dir(package, quiet=2)
        else:
            compileall.compile_file(package, quiet=2)
        remove_damaged(package)  # the disk may be full now


@cache
def remove_own_damaged() -> None:
    """Remove nbjudge's own bytecode that cannot be loaded, once per process: before other modules are imported."""
    remove_damaged(Path(__file__).parent)


def remove_damaged(folder: Path) -> list[Path]:
    """Remove bytecode below a folder that cannot be loaded, and return the files."""
    damaged = [file for file in sorted(folder.rglob("__pycache__/*.pyc")) if not _loads(file)]
    for file in damaged:
        with suppress(OSError):  # owned by another user
            file.unlink()
    return damaged


def _loads(file: Path) -> bool:
    try:
        content = file.read_bytes()
        if len(content) > HEADER:  # Python itself detects shorter files
            marshal.loads(content[HEADER:])
    except OSError:
        return True  # unreadable, so unknown
    except (EOFError, ValueError, TypeError):
        return False
    return True
