"""Start every kernel that grades a submission inside the sandbox; any other kernel starts as usual.

jupyter_client lets a provisioner decide how a kernel is started. nbgrader_config.py names this one, for nbgrader's
own commands and for formgrader inside JupyterLab's server, where students' notebooks run too. The variable that
nbgrader sets while it grades distinguishes them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import traitlets.log
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, Integer, List, Unicode

from nbjudge.environment import EXECUTION_VARIABLE
from nbjudge.errors import CannotGrade
from nbjudge.forkserver import ENDS_WITH_PARENT
from nbjudge.forkserver.client import Program
from nbjudge.forkserver.preload import KERNEL_MODULES, fork_kernel, preloaded_modules
from nbjudge.sandbox import uid_pool
from nbjudge.sandbox.kernel_env import (
    find_exposed_package,
    kernel_environment,
    sandboxed_command,
    shared_folder,
    user_packages,
    zygote_environment,
)
from nbjudge.sandbox.resource_monitor import ResourceLimits, Watcher, describe_exit
from nbjudge.sandbox.rlimits import LIMITS
from nbjudge.sandbox.sandbox import SYSTEM, Sandbox, announcement, missing_layers, python_folders
from nbjudge.sandbox.scratch import PrivateFolder, chown_tree, copy_font_lists
from nbjudge.sandbox.withheld import WithheldFinder, readable_without, withheld_files

NAME = "nbjudge"  # as in pyproject.toml
PURPOSE, PURPOSE_FROM_SCRATCH = "submission", "submission from scratch"
_OUTPUT = "output"  # in a kernel's folder: its output until the sandbox is in force
_LAYERS = ("user", "limits", "landlock", "seccomp")
_PROCESSES_OF_THE_GRADER = 4096  # Linux counts per user, and a desktop session has many of its own


def use_sandbox() -> None:
    """Start all kernels of this process with the provisioner that this package registers as an entry point."""
    KernelProvisionerFactory.instance().default_provisioner_name = NAME


def zygote_purpose(withheld: Sequence[str]) -> str:
    """Return the purpose of the process to fork a kernel from.

    A kernel from scratch has a process of its own only if the common one may have imported a withheld module, which
    would stay in the memory of its children.
    """
    is_withheld = WithheldFinder(withheld).holds
    return PURPOSE_FROM_SCRATCH if any(map(is_withheld, preloaded_modules(PURPOSE))) else PURPOSE


class SandboxProvisioner(LocalProvisioner):
    """Starts a kernel in a sandbox while nbgrader grades; nbgrader_config.py configures the sandbox."""

    required = Bool(False, help="Refuse to grade where a layer of the sandbox is missing.").tag(config=True)
    packages = List(Unicode(), help="Folders of the packages that tests import.").tag(config=True)
    hidden = List(Unicode(), help="Packages that kernels may not see: those of hidden tests.").tag(config=True)
    withheld = List(Unicode(), help="Modules that this kernel cannot import; set for each kernel.").tag(config=True)
    forked = Bool(True, help="Fork kernels from a process that has imported what the lesson imports.").tag(config=True)
    readable = List(Unicode(), help="More files and folders that kernels may read.").tag(config=True)
    variables = List(Unicode(), help="More environment variables that kernels keep.").tag(config=True)
    memory_mb = Integer(4096, help="Memory of one kernel.").tag(config=True)
    cpu_seconds = Integer(1800, help="Processor time of one submission, restarts included.").tag(config=True)
    file_mb = Integer(256, help="Size of the largest file that a kernel may write.").tag(config=True)
    open_files = Integer(512, help="Files that a kernel may have open at once.").tag(config=True)
    processes = Integer(512, help="Threads of a kernel.").tag(config=True)
    disk_mb = Integer(500, help="Size of all that a kernel may leave in its folders at once.").tag(config=True)
    files = Integer(10_000, help="Files and folders that a kernel may leave at once.").tag(config=True)

    in_force = ""  # summary of the sandbox layers, in one line, after pre_launch
    _folder: PrivateFolder | None = None
    _work: Path | None = None
    _user = 0
    _watcher: Watcher | None = None
    _cpu_seconds_before = 0.0
    _exit_code: int | None = None
    _stopped = False

    @property
    def reason(self) -> str:
        """Return why the watcher ended the kernel, to be read after "The kernel"; empty if it did not."""
        return self._watcher.reason if self._watcher else ""

    @property
    def cpu_seconds_used(self) -> float:
        """Return the processor time so far, restarts included; up to half a second too low."""
        return self._cpu_seconds_before + (self._watcher.cpu_seconds if self._watcher else 0.0)

    @property
    def home(self) -> Path | None:
        """Return the folder in which the kernel may create sockets; None without a sandbox."""
        return self._folder.home if self._folder else None

    def exit_reason(self) -> str:
        """Return how the kernel ended, to be read after "The kernel"; empty while it runs. Call before a restart."""
        if self.reason:
            return self.reason
        code = self.process.poll() if self.process else self._exit_code
        if code is None:
            return ""
        return "was stopped by the grader" if self._stopped else describe_exit(code, self.cpu_seconds)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if kwargs.get("env", os.environ).get(EXECUTION_VARIABLE) != "autograde":
            return await super().pre_launch(**kwargs)
        visible = {Path(package).name for package in self.packages}
        if exposed := find_exposed_package([name for name in self.hidden if name not in visible]):
            raise CannotGrade(
                f"Every submission may read {exposed}, which holds hidden tests. Install the course so that its "
                "packages stay in its own folder: pip install -e FOLDER_OF_THE_COURSE"
            )
        missing = self._missing(kwargs.get("cwd"))
        self.in_force = announcement(self._limits(), missing)
        _log_once(self.in_force, bool(missing))
        if missing and self.required:
            raise CannotGrade(_refusal(missing))
        if not sys.platform.startswith("linux"):
            return await super().pre_launch(**kwargs)
        try:
            return await self._pre_launch_boxed(missing, kwargs)
        except BaseException:
            await self.cleanup()  # jupyter_client does not, for a kernel that never started
            raise

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        if not (self._folder and self.forked and await self._fork(cmd, kwargs)):
            await super().launch_kernel(cmd, **kwargs)
        if self._folder and self._work:
            assert self.process is not None  # just started
            self._folder.belongs_to(self.process.pid)
            allowed = ResourceLimits(self.memory_mb, self.file_mb, self.disk_mb, self.files, self.processes)
            self._watcher = Watcher(self.process, sorted({self._folder.home, self._work}), allowed)
        return self.connection_info

    async def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> bool:
        """Fork the kernel from a process with a kernel's environment and nothing of a submission."""
        assert self._folder is not None  # set by pre_launch
        argv = [*cmd[cmd.index("-m") + 1 :], ENDS_WITH_PARENT]
        program = Program(argv, env=kwargs["env"], cwd=kwargs["cwd"], output=str(self._folder.path / _OUTPUT))
        environment = zygote_environment(kwargs["env"], self._packages())
        # In a thread: the first fork waits for all imports.
        purpose = zygote_purpose(self.withheld)
        child: Any = await asyncio.to_thread(fork_kernel, purpose, KERNEL_MODULES, environment, program)
        if child:
            self.process, self.pid, self.pgid = child, child.pid, None  # a Child signals its own process group
        return child is not None

    async def poll(self) -> int | None:
        code = await super().poll()
        if self.process is not None and code is not None:
            self._exit_code = code
        return code

    async def send_signal(self, signum: int) -> None:
        if self._folder and signum in (signal.SIGKILL, signal.SIGTERM) and await self.poll() is None:
            self._stopped = True
        await super().send_signal(signum)

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart)
        if self._watcher:
            self._watcher.stop()
        if self._folder and not restart:
            self._folder.remove()
            self._folder = None
            self._return_resources()

    async def _pre_launch_boxed(self, missing: dict[str, str], kwargs: dict[str, Any]) -> dict[str, Any]:
        self._reset_kernel_state()
        if self._folder is None:
            self._folder = PrivateFolder.make()
            copy_font_lists(self._folder.home)
        folder, shared = self._folder, shared_folder(self._packages())
        self._use_ipc_transport(folder.home)
        kwargs = await super().pre_launch(**kwargs)
        self._work = Path(kwargs.get("cwd") or folder.home).resolve()
        parents = (str(self._work.parent),)
        packages = [str(shared.packages), *(str(package.resolve()) for package in self._packages())]
        readable = [*packages, *user_packages(), *self.readable]
        if not self._user and uid_pool.runs_as_root() and "user" not in missing:
            self._user = uid_pool.take_user()
            for path in (folder.home, self._work):
                chown_tree(path, self._user)
        folders = (*SYSTEM, *python_folders(), *readable)
        roots = (*python_folders(), *user_packages(), *self._package_parents())
        withheld = withheld_files(tuple(self.withheld), roots)
        allowed, listed = readable_without(folders, withheld) if withheld else (list(folders), [])
        sandbox = Sandbox(
            home=str(folder.home),
            work=str(self._work),
            layers=[layer for layer in _LAYERS if layer not in missing],
            readable=allowed,
            listed=listed,
            withheld=list(self.withheld),
            limits=self._rlimits(),
            user=self._user,
            read_anything=bool(
                self._user and uid_pool.first_private_ancestor([*python_folders(), *readable, *parents])
            ),
        )
        sandbox.save(folder.path / "sandbox.json")
        environment = kernel_environment(kwargs["env"], self.variables, folder.home, shared.packages)
        command = sandboxed_command(kwargs["cmd"], folder.path / "sandbox.json")
        return {**kwargs, "cmd": command, "cwd": sandbox.work, "env": environment}

    def _reset_kernel_state(self) -> None:
        """Reset the state of the previous kernel; its processor time counts towards the limit."""
        self._cpu_seconds_before = self.cpu_seconds_used
        self._watcher, self._exit_code, self._stopped = None, None, False

    def _return_resources(self) -> None:
        """Return the working folder to the grader with usable permissions, and the user to the pool."""
        if self._work and self._work.is_dir():
            chown_tree(self._work, 0 if self._user else None)
        uid_pool.return_user(self._user)
        self._user = 0

    def _missing(self, work: str | None = None) -> dict[str, str]:
        """Return {layer: why it is not in force} for this machine and this course."""
        missing = missing_layers()
        course = str(self.parent.config.CourseDirectory.get("root", "")) if self.parent else ""
        for folder in [*SYSTEM, *python_folders(), *self.readable]:
            if course and Path(course).resolve().is_relative_to(Path(folder).resolve()):
                missing["landlock"] = f"the course is inside {folder}, which kernels must read; move the course"
        if "user" not in missing:
            parents = [str(Path(work).parent)] if work else []
            readable = [*map(str, self._packages()), *user_packages(), *self.readable]
            if reason := uid_pool.missing([*python_folders(), *readable, *parents], caged=not missing):
                missing["user"] = f"kernels stay root, without capabilities: {reason}"
        return missing

    def _limits(self) -> dict[str, int]:
        names = ("memory_mb", "cpu_seconds", "file_mb", "open_files", "processes", "disk_mb", "files")
        return {**{name: getattr(self, name) for name in names}, "core_mb": 0}

    def _rlimits(self) -> dict[str, int]:
        """Return the limits that Linux enforces; the watcher enforces the others."""
        limits = {name: value for name, value in self._limits().items() if name in LIMITS}
        limits["cpu_seconds"] = max(1, round(self.cpu_seconds - self._cpu_seconds_before))
        limits["signals"] = self.processes  # one per thread
        if not self._user:
            limits["processes"] = max(self.processes, _PROCESSES_OF_THE_GRADER)
        return limits

    def _packages(self) -> list[Path]:
        return [*map(Path, self.packages), Path(__file__).parents[1]]  # the kernel itself imports nbjudge

    def _package_parents(self) -> list[str]:
        return sorted({str(package.resolve().parent) for package in self._packages()})

    def _use_ipc_transport(self, home: Path) -> None:
        """Connect the grader and the kernel through Unix sockets in the private folder, without a network."""
        manager = self.parent
        assert manager is not None  # jupyter_client sets it
        manager.transport, manager.cache_ports = "ipc", False
        manager.connection_file, manager.ip = str(home / "kernel.json"), str(home / "socket")


@cache
def _log_once(line: str, alarming: bool) -> None:
    """Log the layers in force once per run, not once per submission."""
    log = traitlets.log.get_logger()
    log.log(logging.WARNING if alarming else logging.INFO, line)


def _refusal(missing: dict[str, str]) -> str:
    gaps = "; ".join(f"{layer}: {reason}" for layer, reason in missing.items())
    return (
        f"The sandbox around submissions has gaps ({gaps}), and this course requires a whole one. Grade on Linux 5.13 "
        "or later with Landlock and seccomp, or set c.SandboxProvisioner.required = False in nbgrader_config.py."
    )
