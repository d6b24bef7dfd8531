"""Start every kernel that grades a submission inside the box; any other kernel starts as ever.

jupyter_client lets a provisioner decide how a kernel is started. nbgrader_config.py names this one, for nbgrader's
own commands and for formgrader inside JupyterLab's server, where students' notebooks run too. What tells them apart
is the variable that nbgrader sets while it grades.
"""

from __future__ import annotations

import compileall
import logging
import os
import shutil
import site
import sys
import tempfile
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import traitlets.log
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Bool, Integer, List, Unicode

from grading.box import SYSTEM, Box, announcement, missing_layers, python_folders
from grading.errors import CannotGrade

NAME = "boxed-for-grading"
LAYERS = ("limits", "landlock", "seccomp")
LAUNCHER = ["-m", "ipykernel_launcher"]
LONGEST_SOCKET_FOLDER = 70  # Linux allows 107 characters for the path of a socket

# Programs look here for what they keep between runs.
HOME_VARIABLES: tuple[str, ...] = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "KERAS_HOME", "XDG_CACHE_HOME")
HOME_VARIABLES += ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
USUAL_VARIABLES: tuple[str, ...] = ("PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
USUAL_VARIABLES += ("CONDA_PREFIX", "NBGRADER_EXECUTION", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING")
USUAL_VARIABLES += ("PYTHONWARNINGS", "OPENBLAS_*", "OMP_*", "MKL_*", "TF_*", "XLA_*", "CUDA_*", "KERAS_BACKEND")


def plug_in() -> None:
    """Make the box the way in which kernels start, in this process; as often as the settings are read."""
    factory = KernelProvisionerFactory.instance()
    entry = f"{BoxedProvisioner.__module__}:{BoxedProvisioner.__name__}"
    factory.provisioners[NAME] = EntryPoint(NAME, entry, KernelProvisionerFactory.GROUP_NAME)
    factory.default_provisioner_name = NAME


class BoxedProvisioner(LocalProvisioner):
    """Starts a kernel in a box while nbgrader grades; nbgrader_config.py sets what is in the box."""

    required = Bool(False, help="Refuse to grade where a layer of the box is missing.").tag(config=True)
    packages = List(Unicode(), help="Folders of the packages that tests import.").tag(config=True)
    readable = List(Unicode(), help="More files and folders that kernels may read.").tag(config=True)
    variables = List(Unicode(), help="More environment variables that kernels keep.").tag(config=True)
    memory_mb = Integer(4096, help="Memory of one kernel.").tag(config=True)
    cpu_seconds = Integer(1800, help="Processor time of one kernel, over all its cells.").tag(config=True)
    file_mb = Integer(256, help="Size of the largest file that a kernel may write.").tag(config=True)
    open_files = Integer(512, help="Files that a kernel may have open at once.").tag(config=True)
    processes = Integer(4096, help="Processes and threads of the user; root is not limited.").tag(config=True)

    _folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if os.environ.get("NBGRADER_EXECUTION") != "autograde":
            return await super().pre_launch(**kwargs)
        missing = self._missing()
        _say(announcement(self._limits(), missing), bool(missing))
        if missing and self.required:
            raise CannotGrade(_refusal(missing))
        if not sys.platform.startswith("linux"):
            return await super().pre_launch(**kwargs)
        try:
            return await self._pre_launch_boxed(missing, kwargs)
        except BaseException:
            await self.cleanup()  # nobody else does, for a kernel that never started
            raise

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart)
        if self._folder and not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _pre_launch_boxed(self, missing: dict[str, str], kwargs: dict[str, Any]) -> dict[str, Any]:
        folder = self._folder = self._folder or _private_folder()
        packages = _link_packages(folder / "packages", self._packages())
        self._speak_through(folder / "home")
        kwargs = await super().pre_launch(**kwargs)
        box = Box(
            home=str(folder / "home"),
            work=os.path.abspath(kwargs.get("cwd") or folder / "home"),
            layers=[layer for layer in LAYERS if layer not in missing],
            readable=[str(folder / "packages"), *packages, *_user_packages(), *self.readable],
            limits=self._limits(),
        )
        box.save(folder / "box.json")
        command = _boxed_command(kwargs["cmd"], folder / "box.json")
        return {**kwargs, "cmd": command, "cwd": box.work, "env": self._environment(kwargs["env"], folder)}

    def _missing(self) -> dict[str, str]:
        """Return {layer: why it is not in force}, here and for this course."""
        missing = missing_layers()
        course = str(self.parent.config.CourseDirectory.get("root", "")) if self.parent else ""
        for folder in [*SYSTEM, *python_folders(), *self.readable]:
            if course and Path(course).resolve().is_relative_to(Path(folder).resolve()):
                missing["landlock"] = f"the course is inside {folder}, which kernels must read; move the course"
        return missing

    def _limits(self) -> dict[str, int]:
        names = ("memory_mb", "cpu_seconds", "file_mb", "open_files", "processes")
        return {**{name: getattr(self, name) for name in names}, "core_mb": 0}

    def _packages(self) -> list[Path]:
        return [*map(Path, self.packages), Path(__file__).parent]  # the kernel itself imports grading/

    def _speak_through(self, home: Path) -> None:
        """Let the grader and the kernel talk through files in the private folder: no network is needed."""
        manager = self.parent
        assert manager is not None  # jupyter_client's managers name themselves
        manager.transport, manager.cache_ports = "ipc", False
        manager.connection_file, manager.ip = str(home / "kernel.json"), str(home / "socket")

    def _environment(self, environment: dict[str, str], folder: Path) -> dict[str, str]:
        """Return what is left of the grader's environment: no paths of the gradebook, no secrets but those named."""
        kept = (*USUAL_VARIABLES, *self.variables)
        child = {name: text for name, text in environment.items() if any(fnmatch(name, known) for known in kept)}
        child.update(dict.fromkeys(HOME_VARIABLES, str(folder / "home")))
        return {**child, "PYTHONPATH": str(folder / "packages"), "PYTHONUSERBASE": site.getuserbase()}


@cache
def _say(line: str, alarming: bool) -> None:
    """Log what is in force once in each run, not once for each submission."""
    log = traitlets.log.get_logger()
    log.log(logging.WARNING if alarming else logging.INFO, line)


def _refusal(missing: dict[str, str]) -> str:
    gaps = "; ".join(f"{layer}: {reason}" for layer, reason in missing.items())
    return (
        f"The box around submissions has gaps ({gaps}), and this course requires a whole one. Grade on Linux 5.13 or "
        "later with Landlock and seccomp, or set c.BoxedProvisioner.required = False in nbgrader_config.py."
    )


def _private_folder() -> Path:
    """Make the folder of one kernel: `home` is its own, `packages` it may read."""
    anywhere = tempfile.gettempdir()
    short = anywhere if len(anywhere) <= LONGEST_SOCKET_FOLDER else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="box-", dir=short)).resolve()
    (folder / "packages").mkdir()
    (folder / "home").mkdir()
    for fonts in _font_lists():
        shutil.copy(fonts, folder / "home")
    return folder


def _font_lists() -> list[Path]:
    """Return matplotlib's lists of the fonts there are, or each kernel would make its own."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matplotlib")
    return sorted(Path(os.environ.get("MPLCONFIGDIR") or cached).glob("fontlist-*.json"))


def _link_packages(target: Path, packages: list[Path]) -> list[str]:
    """Link packages into one folder, so that a kernel finds them without listing the course; return what they are.

    The first of two with the same name wins. They are compiled, because inside the box nothing can be.
    """
    linked = {package.name: package.resolve() for package in reversed(packages)}
    for name, package in linked.items():
        if not (target / name).is_symlink():
            (target / name).symlink_to(package, target_is_directory=True)
        compileall.compile_dir(package, quiet=2)
    return [str(package) for package in linked.values()]


def _user_packages() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []


def _boxed_command(command: list[str], box: Path) -> list[str]:
    """Return the command of a kernel with ours in the place of ipykernel's launcher."""
    for start in range(len(command) - 1):
        if command[start : start + 2] == LAUNCHER:
            return [*command[:start], "-P", "-m", "grading.boxed_kernel", str(box), *command[start + 2 :]]
    raise CannotGrade(
        f"The kernel starts with {' '.join(command)}; expected {' '.join(LAUNCHER)} in it, which the box replaces. "
        "Release the lesson with the kernel python3."
    )
