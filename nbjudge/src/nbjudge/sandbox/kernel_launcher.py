"""Start ipykernel inside the sandbox, in place of `ipykernel_launcher`.

It is started as `python -P -m nbjudge.sandbox.kernel_launcher SANDBOX -f CONNECTION`.

-P keeps the submission's folder off the path during the start: otherwise a student's file named json.py would run
before the sandbox is in force. Afterwards the folder is inserted where IPython has it without -P.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from nbjudge.forkserver import ENDS_WITH_PARENT
from nbjudge.linux import DIE_WITH_PARENT, prctl
from nbjudge.patches import disable_system_commands, ignore_subprocesses
from nbjudge.sandbox.sandbox import Sandbox, enter, seal
from nbjudge.sandbox.withheld import withhold
from nbjudge.transport import reserve

_RESERVED = "reserved"  # in the private home: the socket on which the kernel will listen for the judge


def main() -> None:
    """Enter the sandbox, start ipykernel in it, and seal it before the first cell."""
    sandbox, parent = Sandbox.load(Path(sys.argv.pop(1))), os.getppid()
    enter(sandbox)
    if ENDS_WITH_PARENT in sys.argv:
        prctl(DIE_WITH_PARENT, signal.SIGKILL)  # after the change of user, which resets it
        if os.getppid() != parent:  # the parent has ended in the meantime
            return
    withhold(sandbox.withheld)
    from ipykernel.kernelapp import IPKernelApp  # only now: its libraries start threads

    terminal = {_identity(stream) for stream in (1, 2)}
    app = IPKernelApp.instance()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Couldn't bind IOPub Pipe")  # for subprocesses, of which there are none
        app.initialize()
    disable_system_commands(app.shell)
    reserve(os.path.join(sandbox.home, _RESERVED))
    seal(sandbox)
    _close_inherited(terminal)
    sys.path.insert(_submission_path_index(sys.path), "")
    ignore_subprocesses(app.kernel)
    app.start()


def _identity(stream: int) -> tuple[int, int]:
    status = os.fstat(stream)
    return status.st_dev, status.st_ino


def _close_inherited(terminal: set[tuple[int, int]]) -> None:
    """Close all inherited copies of the grader's standard streams; ipykernel keeps copies of both."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        with suppress(OSError):
            if _identity(stream) in terminal:
                os.dup2(devnull, stream)
    os.close(devnull)


def _submission_path_index(path: list[str]) -> int:
    """Return the index in sys.path of the working directory: after the standard library, before packages."""
    indices = (index for index, folder in enumerate(path) if Path(folder).name in ("site-packages", "dist-packages"))
    return next(indices, len(path))


if __name__ == "__main__":
    main()
