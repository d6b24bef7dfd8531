"""Withhold modules from a kernel: their files cannot be read, and an import raises ImportError with a reason.

An unused `import keras` costs nobody anything; what counts is that no answer can be worked out with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


def withheld_files(modules: Iterable[str], places: Iterable[str]) -> list[str]:
    """Return the files and folders of modules such as "keras" or "rnn_helpers.cells", in folders of packages."""
    found = []
    for place in map(Path, places):
        for module in modules:
            file = place.joinpath(*module.split("."))
            found += [file] if file.is_dir() else [file.with_suffix(".py"), *file.parent.glob(f"{file.name}.*.so")]
            found += (file.parent / "__pycache__").glob(f"{file.name}.*.pyc")
    return sorted({os.path.realpath(file) for file in found if file.exists()})


@lru_cache(maxsize=64)
def readable_without(folders: Sequence[str], withheld: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the paths below `folders` that may be read, and the folders that may only be listed.

    Landlock allows, and cannot forbid: a folder that holds something withheld is replaced by all else that is in it.
    """
    readable: list[str] = []
    listed: list[str] = []
    for folder in folders:
        if _holds_any(os.path.realpath(folder), withheld):
            _divide(os.path.realpath(folder), withheld, readable, listed)
        else:
            readable.append(folder)  # as it is: /proc/self is another folder for each process
    return readable, listed


def _divide(folder: str, withheld: Sequence[str], readable: list[str], listed: list[str]) -> None:
    if folder in listed:
        return
    listed.append(folder)
    for path in (os.path.realpath(os.path.join(folder, name)) for name in _names(folder)):
        if _holds_any(path, withheld):
            _divide(path, withheld, readable, listed)
        elif not any(path == one or path.startswith(one + os.sep) for one in withheld):
            readable.append(path)


def _holds_any(folder: str, withheld: Sequence[str]) -> bool:
    return any(one.startswith(folder.rstrip(os.sep) + os.sep) for one in withheld)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


class Withheld(ModuleType):
    """Stands for a module that is kept from this kernel: it can be imported, and nothing can be done with it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"{self.__name__}.{name} is not available here: this exercise is written from scratch, without it",
            name=self.__name__,
        )


class WithheldFinder(MetaPathFinder, Loader):
    """Finds a Withheld in the place of each of these modules and of all that is in them."""

    def __init__(self, modules: Iterable[str]) -> None:
        self.modules = tuple(modules)

    def holds(self, name: str) -> bool:
        return any(f"{name}.".startswith(f"{module}.") for module in self.modules)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if self.holds(name) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Withheld(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was created."""


def withhold(modules: Iterable[str]) -> None:
    """Keep modules from what this process imports from now on; those that it has imported are forgotten."""
    finder = WithheldFinder(modules)
    for name in filter(finder.holds, list(sys.modules)):
        parent, _, own = name.rpartition(".")
        module = sys.modules.pop(name)
        if parent in sys.modules and vars(sys.modules[parent]).get(own) is module:
            delattr(sys.modules[parent], own)
    sys.meta_path.insert(0, finder)
