"""The judge's kernel, in which the tests run: trusted, unboxed, forked from a process that has imported what it needs.

`JudgeManager` goes where nbclient and nbgrader take a `kernel_manager_class`. Which kernel it starts is decided here:
neither the notebook's metadata nor a kernelspec on disk has a say.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from grading.box.folders import place_for_sockets
from grading.forking import ENDS_WITH_PARENT
from grading.forking.kernels import fork_kernel
from grading.forking.zygote import Program
from grading.judge.client import SwiftManager
from grading.surroundings import EXECUTION_VARIABLE

NAME = "forked"
PURPOSE = "judge"
OUTPUT = "output"  # in a kernel's folder: what it prints where no cell shows it
COMMAND = [sys.executable, "-P", "-m", "ipykernel", "-f", "{connection_file}"]
# Nothing of the working directory is importable, and nothing of a session is kept.
COMMAND += ["--InteractiveShellApp.ignore_cwd=True", "--HistoryManager.enabled=False"]

_JUDGES_VARIABLES = {
    EXECUTION_VARIABLE: "autograde",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",  # threads on small matrices are slower than none, and forbid the fork
}
_STARTED_IN = os.getcwd()  # nbgrader changes its folder; what is relative in the environment is relative to this one


class JudgeManager(SwiftManager):
    """Starts the judge's kernel, whatever `kernel_name` it is given."""

    @property
    def kernel_spec(self) -> KernelSpec:
        provisioner = {"provisioner_name": NAME, "config": {}}
        return KernelSpec(
            argv=COMMAND, display_name="Judge", language="python", metadata={"kernel_provisioner": provisioner}
        )

    @property
    def ipykernel(self) -> bool:
        return False  # or nbclient would add settings for the history, which this kernel does not keep


class ForkedProvisioner(LocalProvisioner):
    """Forks a kernel from a zygote, or starts an ordinary one where that cannot be."""

    process: Any = None  # a Popen, or the Child that stands for one
    _started: Any = None  # the same, when `process` is forgotten because it has ended
    _folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the kernel a private folder and the judge's environment; without `cwd` it works in that folder."""
        folder = self._folder = self._folder or _private_folder()
        self._speak_through(folder)
        environment = _judges_environment(kwargs.pop("env", None) or os.environ)
        kwargs = await super().pre_launch(**{**kwargs, "env": environment})
        return {**kwargs, "cwd": os.path.abspath(kwargs.get("cwd") or folder)}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        assert self._folder is not None  # pre_launch made it
        own = {
            "IPYTHONDIR": str(self._folder / "ipython"),  # no settings, start-up files or history of the grader's
            "TMPDIR": str(self._folder / "tmp"),  # goes with the folder, whatever the tests left behind
        }
        program = Program(
            argv=[*cmd[cmd.index("-m") + 1 :], ENDS_WITH_PARENT],
            env=own,
            cwd=kwargs["cwd"],
            output=str(self._folder / OUTPUT),
        )
        # In a thread: the first one has to wait until everything is imported.
        self.process = await asyncio.to_thread(fork_kernel, PURPOSE, kwargs["env"], program, with_own=True)
        if self.process:
            self.pid, self.pgid, self.cwd = self.process.pid, None, program.cwd  # a Child sees to its own group
        else:
            with open(program.output, "ab") as output:
                streams = {"stdout": output, "stderr": output}
                await super().launch_kernel(cmd, **{**kwargs, **streams, "env": {**kwargs["env"], **own}})
        self._started = self.process
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart)
        self._report_a_crash()
        if self._folder and not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _report_a_crash(self) -> None:
        """Log what a kernel that ended by itself, and badly, printed where no cell shows it."""
        status = self._started.poll() if self._started else None
        if status not in (None, 0, -signal.SIGKILL, -signal.SIGTERM) and self._folder:
            printed = (self._folder / OUTPUT).read_bytes()[-2000:].decode(errors="replace").strip()
            self.log.warning(
                "A kernel for the tests ended with status %s. It printed: %s", status, printed or "nothing"
            )
        self._started = None

    def _speak_through(self, folder: Path) -> None:
        """Let the grader and the kernel talk through files in the private folder, where the system has such sockets."""
        manager = self.parent
        assert manager is not None  # jupyter_client's managers name themselves
        manager.connection_file = str(folder / "kernel.json")
        if os.name == "posix":
            manager.transport, manager.cache_ports, manager.ip = "ipc", False, str(folder / "socket")


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="judge-", dir=place_for_sockets())).resolve()
    (folder / "tmp").mkdir()
    return folder


def _judges_environment(graders: Any) -> dict[str, str]:
    """Return the grader's environment without what belongs to one process; its paths do not depend on the folder."""
    dropped = ("JPY_", "PYTHONSTARTUP")
    child = {name: text for name, text in graders.items() if not name.startswith(dropped)}
    entries = [entry for entry in child.get("PYTHONPATH", "").split(os.pathsep) if entry]  # an empty one means "here"
    entries = [os.path.join(_STARTED_IN, entry) for entry in entries]
    this_package = str(Path(__file__).resolve().parents[2])
    return {**child, **_JUDGES_VARIABLES, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*entries, this_package]))}


KernelProvisionerFactory.provisioners[NAME] = EntryPoint(
    NAME, f"{__name__}:{ForkedProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME
)
