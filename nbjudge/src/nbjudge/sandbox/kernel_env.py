"""The command, environment variables and packages with which a sandboxed kernel is started."""

from __future__ import annotations

import site
import sysconfig
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from nbjudge.bytecode import compile_packages
from nbjudge.errors import CannotGrade
from nbjudge.sandbox.scratch import PrivateFolder, copy_font_lists

_LAUNCHER = ["-m", "ipykernel_launcher"]

# Programs store files between runs in these folders.
_HOME_VARIABLES: tuple[str, ...] = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "KERAS_HOME", "XDG_CACHE_HOME")
_HOME_VARIABLES += ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
# Read before the user database, which has no name for a dynamic user.
_USER_VARIABLES = ("USER", "LOGNAME")
# By name, never by prefix: Terraform stores passwords in TF_TOKEN_... and TF_VAR_..., and any program may invent names.
_LOCALE: tuple[str, ...] = ("LANG", "LANGUAGE", "TZ") + tuple(
    f"LC_{name}"
    for name in ("ALL", "ADDRESS", "COLLATE", "CTYPE", "IDENTIFICATION", "MEASUREMENT", "MESSAGES", "MONETARY")
    + ("NAME", "NUMERIC", "PAPER", "TELEPHONE", "TIME")
)
PYTHON: tuple[str, ...] = (
    "PATH",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "NBGRADER_EXECUTION",
    "PYTHONHASHSEED",
)
PYTHON += ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS")
_OPENBLAS: tuple[str, ...] = (
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_DEFAULT_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_VERBOSE",
)
_OPENBLAS += ("OPENBLAS_BLOCK_FACTOR", "OPENBLAS_L2_SIZE", "OPENBLAS_THREAD_TIMEOUT", "GOTO_NUM_THREADS")
_OPENMP: tuple[str, ...] = (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OMP_DYNAMIC",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_SCHEDULE",
)
_OPENMP += ("OMP_STACKSIZE", "OMP_WAIT_POLICY", "OMP_MAX_ACTIVE_LEVELS", "OMP_NESTED", "OMP_CANCELLATION")
_MKL: tuple[str, ...] = ("MKL_NUM_THREADS", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC", "MKL_CBWR", "MKL_THREADING_LAYER")
_MKL += ("MKL_INTERFACE_LAYER", "MKL_ENABLE_INSTRUCTIONS", "MKL_VERBOSE")
_TENSORFLOW: tuple[str, ...] = (
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_VMODULE",
    "TF_ENABLE_ONEDNN_OPTS",
)
_TENSORFLOW += ("TF_SET_ONEDNN_FPMATH_MODE", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_USE_LEGACY_KERAS")
_TENSORFLOW += ("TF_DETERMINISTIC_OPS", "TF_DETERMINISTIC_ORDER", "TF_CUDNN_DETERMINISTIC", "TF_CUDNN_USE_AUTOTUNE")
_TENSORFLOW += ("TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_GPU_THREAD_MODE", "TF_GPU_THREAD_COUNT")
_TENSORFLOW += ("TF_XLA_FLAGS", "XLA_FLAGS", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "KERAS_BACKEND")
_USUAL_VARIABLES: tuple[str, ...] = (*_LOCALE, *PYTHON, *_OPENBLAS, *_OPENMP, *_MKL, *_TENSORFLOW)


def kernel_environment(
    environment: Mapping[str, str], kept_patterns: Iterable[str], home: Path, packages: Path
) -> dict[str, str]:
    """Return the environment of a kernel: without paths of the gradebook, and without secrets except those named.

    kept_patterns: names or patterns of more variables to keep
    """
    patterns = [*kept_patterns]
    child = {
        name: text
        for name, text in environment.items()
        if name in _USUAL_VARIABLES or any(fnmatch(name, pattern) for pattern in patterns)
    }
    child.update(dict.fromkeys(_HOME_VARIABLES, str(home)))
    child.update(dict.fromkeys(_USER_VARIABLES, "student"))
    return {**child, "PYTHONPATH": str(packages), "PYTHONUSERBASE": site.getuserbase()}


def zygote_environment(kernel_env: Mapping[str, str], packages: list[Path]) -> dict[str, str]:
    """Return the environment of the process that kernels are forked from: a kernel's without its private folder."""
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # otherwise NumPy starts threads, and a process with threads cannot fork
    return {**one_thread, **kernel_env, **dict.fromkeys(_HOME_VARIABLES, str(shared_folder(packages).home))}


def shared_folder(packages: list[Path]) -> PrivateFolder:
    """Return a folder of this process with links to the packages, so that kernels need not list the course folder.

    The first of two packages with the same name wins. They are compiled here, because kernels cannot write there.
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


def find_exposed_package(names: list[str]) -> str:
    """Return the path of the first of these packages that every kernel can read, "" if there is none."""
    for folder in map(Path, {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}):
        for name in names:
            if (folder / name).exists():
                return str(folder / name)
    return ""


def user_packages() -> list[str]:
    """Return the user's site-packages folder, if Python uses it."""
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []


def sandboxed_command(command: list[str], sandbox: Path) -> list[str]:
    """Return the command of a kernel with the sandbox's launcher in place of ipykernel's."""
    for start in range(len(command) - 1):
        if command[start : start + 2] == _LAUNCHER:
            return [
                *command[:start],
                "-P",
                "-m",
                "nbjudge.sandbox.kernel_launcher",
                str(sandbox),
                *command[start + 2 :],
            ]
    raise CannotGrade(
        f"The kernel starts with {' '.join(command)}; expected {' '.join(_LAUNCHER)} in it, which the sandbox "
        "replaces. Release the lesson with the kernel python3."
    )
