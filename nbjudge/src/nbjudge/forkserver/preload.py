"""Choose the modules that a fork server imports for each purpose, and fork kernels from it."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import traitlets.log

from nbjudge.forkserver import client

# Imported by ipykernel until its first cell has run.
KERNEL_MODULES = ["ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger"]
KERNEL_MODULES += ["IPython.core.completerlib", "IPython.core.logger", "IPython.extensions.storemagic", "psutil"]
KERNEL_MODULES += ["tornado.platform.asyncio", "tornado.queues"]
_LAST = "nbjudge.forkserver.first_traceback"  # it goes through all modules that are imported before it
USUAL = ("numpy", "matplotlib.pyplot")  # by default
# These look for the shell when they are imported; without one, plots and widgets would be missing.
_LOOK_FOR_THE_SHELL = ("matplotlib_inline.backend_inline", "ipywidgets")

_lists: defaultdict[str, tuple[str, ...]] = defaultdict(lambda: USUAL)


def preload(purpose: str, modules: Iterable[str]) -> None:
    """Replace the list of modules to preload for later kernels of a purpose; running kernels are not affected.

    modules: their names, such as `sorted(sys.modules)` of a kernel that has run the reference notebook. Modules that
    fail to import, have side effects, or are part of the course rather than installed, are skipped.
    """
    _lists[purpose] = tuple(name for name in dict.fromkeys(modules) if not name.startswith(_LOOK_FOR_THE_SHELL))


def preloaded_modules(purpose: str) -> tuple[str, ...]:
    """Return the modules that kernels of a purpose find imported."""
    return _lists[purpose]


def fork_kernel(
    purpose: str,
    first: Iterable[str],
    environment: Mapping[str, str],
    program: client.Program,
    with_local_packages: bool = False,
) -> client.Child | None:
    """Return the forked process of a kernel or a judge; None, with one warning, if it must be started normally.

    first: modules to import before those of the purpose's list
    environment: of the process that it is forked from; a change starts another process
    with_local_packages: also import packages on its PYTHONPATH; a change of their files starts another process
    """
    try:
        if not sys.platform.startswith("linux"):
            raise client.ForkError(f"{sys.platform} cannot fork a process that has imported libraries")
        modules = [*first, *_lists[purpose], _LAST]
        local_packages = _local_packages(modules, environment) if with_local_packages else {}
        return client.fork(purpose, modules, environment, program, local_packages)
    except client.ForkError as error:
        _warn_once(str(error))
        return None


def _local_packages(modules: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return {package on the PYTHONPATH: fingerprint of its files}."""
    states = {}
    folders = [Path(root) for root in environment.get("PYTHONPATH", "").split(os.pathsep) if root]
    for name in sorted({name.partition(".")[0] for name in modules}):
        folder = next((root / name for root in folders if (root / name / "__init__.py").is_file()), None)
        if folder:
            files = [(str(file), file.stat()) for file in sorted(folder.rglob("*.py"))]
            states[name] = repr([(file, status.st_mtime_ns, status.st_size) for file, status in files])
    return states


@cache
def _warn_once(reason: str) -> None:
    """Log once per run why kernels are not forked."""
    traitlets.log.get_logger().warning(
        "Kernels are started one by one, which is slower but grades the same: %s.", reason
    )
