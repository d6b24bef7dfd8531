"""Withhold modules from a kernel: their files cannot be read, and an import raises ImportError with a reason.

An unused `import keras` does no harm; no answer can be computed with it.
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


@lru_cache(maxsize=64)
def withheld_files(modules: Sequence[str], roots: Sequence[str]) -> tuple[str, ...]:
    """Return the files and folders of modules such as "keras" or "my_helpers.solved", in folders of packages."""
    files = []
    for root in map(Path, roots):
        for module in modules:
            file = root.joinpath(*module.split("."))
            files += [file] if file.is_dir() else [file.with_suffix(".py"), *file.parent.glob(f"{file.name}.*.so")]
            files += (file.parent / "__pycache__").glob(f"{file.name}.*.pyc")
    return tuple(sorted({os.path.realpath(file) for file in files if file.exists()}))


@lru_cache(maxsize=64)
def readable_without(folders: Sequence[str], withheld: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the paths below `folders` that may be read, and the folders that may only be listed.

    Landlock can allow but not forbid: a folder with withheld content is replaced by the rest of its content.
    """
    readable: list[str] = []
    listed: list[str] = []
    for folder in folders:
        if _holds_any(os.path.realpath(folder), withheld):
            _split_folder(os.path.realpath(folder), withheld, readable, listed)
        else:
            readable.append(folder)  # unresolved: /proc/self differs for each process
    return readable, listed


def _split_folder(folder: str, withheld: Sequence[str], readable: list[str], listed: list[str]) -> None:
    if folder in listed:
        return
    listed.append(folder)
    for path in (os.path.realpath(os.path.join(folder, name)) for name in _names(folder)):
        if _holds_any(path, withheld):
            _split_folder(path, withheld, readable, listed)
        elif not any(path == hidden or path.startswith(hidden + os.sep) for hidden in withheld):
            readable.append(path)


def _holds_any(folder: str, withheld: Sequence[str]) -> bool:
    return any(hidden.startswith(folder.rstrip(os.sep) + os.sep) for hidden in withheld)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


class Withheld(ModuleType):
    """Placeholder for a withheld module: it can be imported, but not used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"{self.__name__}.{name} is not available here: this exercise is written from scratch, without it",
            name=self.__name__,
        )


class WithheldFinder(MetaPathFinder, Loader):
    """Finds a Withheld placeholder for each of these modules and their submodules."""

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
    """Withhold modules from this process; those already imported are removed."""
    finder = WithheldFinder(modules)
    for name in filter(finder.holds, list(sys.modules)):
        parent, _, child = name.rpartition(".")
        module = sys.modules.pop(name)
        if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
            delattr(sys.modules[parent], child)
    sys.meta_path.insert(0, finder)
