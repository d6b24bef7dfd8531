"""Bytecode that can be loaded: a disk that was full leaves files that are cut off, at which every import would fail.

Python writes a module's bytecode without looking whether all of it arrived, and later raises EOFError at what is there.
Only the standard library is used here, so that this can be imported when little else can.
"""

from __future__ import annotations

import compileall
import marshal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

HEADER = 16  # bytes: a magic number, flags, and the source's time and size


def compile_packages(packages: Iterable[Path]) -> None:
    """Compile all modules of some packages that are not compiled; what cannot be loaded afterwards is removed."""
    for package in packages:
        remove_damaged(package)
        if package.is_dir():
            compileall.compile_dir(package, quiet=2)
        else:
            compileall.compile_file(package, quiet=2)
        remove_damaged(package)  # the disk may be full now


def remove_damaged(folder: Path) -> list[Path]:
    """Remove the bytecode below a folder that cannot be loaded, and return its files."""
    damaged = [file for file in sorted(folder.rglob("__pycache__/*.pyc")) if not _loads(file)]
    for file in damaged:
        with suppress(OSError):  # of somebody else, who has to do it
            file.unlink()
    return damaged


def _loads(file: Path) -> bool:
    try:
        content = file.read_bytes()
        if len(content) > HEADER:  # of less, Python itself sees that it is none
            marshal.loads(content[HEADER:])
    except OSError:
        return True  # nobody can say
    except (EOFError, ValueError, TypeError):
        return False
    return True
