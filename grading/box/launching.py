"""What a kernel in the box is started with: its command, its few environment variables, the packages it finds."""

from __future__ import annotations

import site
import sysconfig
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from grading.box.folders import PrivateFolder, copy_font_lists
from grading.bytecode import compile_packages
from grading.errors import CannotGrade

LAUNCHER = ["-m", "ipykernel_launcher"]

# Programs look here for what they keep between runs.
HOME_VARIABLES: tuple[str, ...] = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "KERAS_HOME", "XDG_CACHE_HOME")
HOME_VARIABLES += ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
# Asked before the list of users, which has no name for one that comes and goes.
USER_VARIABLES = ("USER", "LOGNAME")
USUAL_VARIABLES: tuple[str, ...] = ("PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
USUAL_VARIABLES += ("CONDA_PREFIX", "NBGRADER_EXECUTION", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING")
USUAL_VARIABLES += ("PYTHONWARNINGS", "OPENBLAS_*", "OMP_*", "MKL_*", "TF_*", "XLA_*", "CUDA_*", "KERAS_BACKEND")


def small_environment(whole: Mapping[str, str], more: Iterable[str], home: Path, packages: Path) -> dict[str, str]:
    """Return what is left of the grader's environment: no paths of the gradebook, no secrets but those named.

    more: names, or patterns of names, that the course keeps
    """
    kept = (*USUAL_VARIABLES, *more)
    child = {name: text for name, text in whole.items() if any(fnmatch(name, known) for known in kept)}
    child.update(dict.fromkeys(HOME_VARIABLES, str(home)))
    child.update(dict.fromkeys(USER_VARIABLES, "student"))
    return {**child, "PYTHONPATH": str(packages), "PYTHONUSERBASE": site.getuserbase()}


def zygotes_environment(kernels: Mapping[str, str], packages: list[Path]) -> dict[str, str]:
    """Return the environment of the process that kernels are forked from: a kernel's, less its private folder."""
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # or NumPy starts more, and a process with threads cannot be copied
    return {**one_thread, **kernels, **dict.fromkeys(HOME_VARIABLES, str(shared_folder(packages).home))}


def shared_folder(packages: list[Path]) -> PrivateFolder:
    """Return a folder that goes with this process, with links to the packages: kernels need not list the course.

    The first of two packages with the same name wins. They are compiled, because inside the box nothing can be.
    """
    with _one_at_a_time:
        return _shared_folder(tuple(packages))


_one_at_a_time = threading.Lock()


@cache
def _shared_folder(packages: tuple[Path, ...]) -> PrivateFolder:
    folder = PrivateFolder.make()
    copy_font_lists(folder.home)
    for name, package in {package.name: package.resolve() for package in reversed(packages)}.items():
        (folder.packages / name).symlink_to(package, target_is_directory=True)
        compile_packages([package])
    return folder


def installed_in_reach(names: list[str]) -> str:
    """Return the first of these packages that is installed where every kernel may read; "" when none is."""
    for place in map(Path, {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}):
        for name in names:
            if (place / name).exists():
                return str(place / name)
    return ""


def user_packages() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []


def boxed_command(command: list[str], box: Path) -> list[str]:
    """Return the command of a kernel with ours in the place of ipykernel's launcher."""
    for start in range(len(command) - 1):
        if command[start : start + 2] == LAUNCHER:
            return [*command[:start], "-P", "-m", "grading.box.boxed_kernel", str(box), *command[start + 2 :]]
    raise CannotGrade(
        f"The kernel starts with {' '.join(command)}; expected {' '.join(LAUNCHER)} in it, which the box replaces. "
        "Release the lesson with the kernel python3."
    )
