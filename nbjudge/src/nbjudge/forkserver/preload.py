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

# What ipykernel imports until its first cell has run, and for its first traceback.
KERNEL_MODULES = ["ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger"]
KERNEL_MODULES += ["IPython.core.completerlib", "IPython.core.logger", "IPython.extensions.storemagic", "psutil"]
KERNEL_MODULES += ["stack_data", "pygments.formatters.terminal256", "tornado.platform.asyncio", "tornado.queues"]
USUAL = ("numpy", "matplotlib.pyplot")  # where nobody has said more
# These look for the shell at their import; where there is none yet, plots and widgets would stay away.
LOOK_FOR_THE_SHELL = ("matplotlib_inline.backend_inline", "ipywidgets")

_lists: defaultdict[str, tuple[str, ...]] = defaultdict(lambda: USUAL)


def preload(purpose: str, modules: Iterable[str]) -> None:
    """Replace the list of modules that later kernels of a purpose find imported; those that run are left alone.

    modules: their names, such as `sorted(sys.modules)` of a kernel that has run the reference notebook. What cannot
    be imported, would do something at its import, or is not installed but part of the course, is skipped.
    """
    _lists[purpose] = tuple(name for name in dict.fromkeys(modules) if not name.startswith(LOOK_FOR_THE_SHELL))


def preloaded(purpose: str) -> tuple[str, ...]:
    return _lists[purpose]


def fork_kernel(
    purpose: str,
    first: Iterable[str],
    environment: Mapping[str, str],
    program: client.Program,
    with_own: bool = False,
) -> client.Child | None:
    """Return the process of a kernel or a judge; None where it has to start in the ordinary way, which is said once.

    first: modules that it finds imported, before those of the purpose's list
    environment: of the process that it is forked from; a change of it starts another one
    with_own: import packages that lie on its PYTHONPATH, too; a change of their files starts another one
    """
    try:
        if not sys.platform.startswith("linux"):
            raise client.CannotFork(f"{sys.platform} cannot fork a process that has imported libraries")
        modules = [*first, *_lists[purpose]]
        own = _own_packages(modules, environment) if with_own else {}
        return client.fork(purpose, modules, environment, program, own)
    except client.CannotFork as error:
        _warn(str(error))
        return None


def _own_packages(modules: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return {package on the PYTHONPATH: the state of its files}."""
    own = {}
    places = [Path(place) for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    for name in sorted({name.partition(".")[0] for name in modules}):
        folder = next((place / name for place in places if (place / name / "__init__.py").is_file()), None)
        if folder:
            files = [(str(file), file.stat()) for file in sorted(folder.rglob("*.py"))]
            own[name] = repr([(file, status.st_mtime_ns, status.st_size) for file, status in files])
    return own


@cache
def _warn(reason: str) -> None:
    """Say once in each run why kernels are not forked."""
    traitlets.log.get_logger().warning(
        "Kernels are started one by one, which is slower but grades the same: %s.", reason
    )
