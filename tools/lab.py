"""Open JupyterLab on your own copies of the lessons, in work/.

    python -m tools.lab                  the first time on lesson 01, later where you left off
    python -m tools.lab 02_unrolling     on that lesson

Without a browser (BROWSER=none, or no display) it prints the address and serves.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tools import environment
from tools.process_environment import drop_interpreter_settings, provide_folders, put_first
from tools.workspace import UnknownLessonError, copy_missing, require_lesson

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ROOT = Path(__file__).resolve().parent.parent
FIRST_LESSON = "01_recurrence"
PORT = 8888
REPAIRED = "RNN_COURSE_REPAIRED"  # set for a second start, which is the last


class InvalidPortError(ValueError):
    """JUPYTER_PORT is no port; the message says what is expected."""


def main(arguments: list[str]) -> int:
    again, sentences = drop_interpreter_settings(os.environ, ROOT)
    say(sentences)
    if again:
        start_again(arguments)
    if in_own_environment() and (status := environment.main([])):
        return status
    if problem := problem_of_kernels():
        say([problem])
    try:
        say(provide_folders(os.environ, ROOT / "work" / ".home"))
        port_of(os.environ)
        for lesson in arguments:
            require_lesson(ROOT, lesson)
        changed = copy_missing(ROOT)
    except (UnknownLessonError, InvalidPortError, OSError) as error:
        print(_explained(error), file=sys.stderr)
        return 1
    for lesson in changed:
        print(f"{lesson} has a new version. Your copy is untouched; to start on the new one and keep yours beside it:")
        print(f"    make fresh LESSON={lesson}        (or: python -m tools.fresh {lesson})")
    serve(start_url(ROOT, arguments[0] if arguments else None), arguments)
    return 0


def say(sentences: Iterable[str]) -> None:
    """Print sentences for the person at the terminal, apart from what a program may read."""
    for sentence in sentences:
        print(sentence, file=sys.stderr, flush=True)


def start_again(arguments: list[str]) -> NoReturn:
    """Start this program with the variables that are set now, in the place of this process where that can be."""
    command = [sys.executable, "-m", "tools.lab", *arguments]
    if os.name == "posix":
        os.chdir(ROOT)
        os.execve(sys.executable, command, os.environ)
    sys.exit(subprocess.call(command, cwd=ROOT))


def in_own_environment() -> bool:
    """Return whether this Python is that of .venv, which this course looks after."""
    return environment.VENV.is_dir() and os.path.samefile(sys.prefix, environment.VENV)


def problem_of_kernels() -> str:
    """Return why lessons would not find this course's helpers in this Python; "" when they do."""
    helpers = ROOT / "rnn_helpers"
    command = [sys.executable, "-c", environment.HAS_THE_COURSE, str(helpers)]
    if not helpers.is_dir() or subprocess.run(command, cwd=Path(sys.prefix), stderr=subprocess.DEVNULL).returncode == 0:
        return ""
    return (
        f"Lessons will not find this course's helpers: they are not installed in this Python ({sys.executable}), or "
        f"from another folder. In {ROOT}, run: {sys.executable} -m pip install -c constraints.txt -e ."
    )


def start_url(root: Path, lesson: str | None) -> str:
    """Return what JupyterLab opens: the lesson asked for, else lesson 01, else the tabs of the last time."""
    if lesson is None and any(workspaces(root).glob("*.jupyterlab-workspace")):
        return "/lab"
    lesson = lesson or FIRST_LESSON
    return f"/lab/tree/work/{lesson}/{lesson}.ipynb"


def workspaces(root: Path) -> Path:
    """Return where JupyterLab remembers this course's open tabs, apart from those of other projects."""
    return root / "work" / ".jupyterlab"


def server_options(root: Path, url: str, environ: Mapping[str, str]) -> list[str]:
    """Return JupyterLab's command line: everything here is for this run, no settings file is written."""
    options = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={url}",
        f"--LabApp.workspaces_dir={workspaces(root)}",
        f"--ServerApp.port={port_of(environ)}",
        # Defaults that a student's own settings outrank: no question about news, no look for updates.
        f"--LabApp.app_settings_dir={root / 'tools' / 'jupyterlab'}",
        "--KernelManager.transport_encryption=auto",  # or each kernel prints a warning into the student's terminal
        "--Application.log_level=ERROR",
    ]
    if not can_open_browser(environ, sys.platform):
        options.append("--no-browser")
    if is_root():
        options.append("--allow-root")
    return options


def can_open_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Tell whether this session has a browser to open; BROWSER=none says no."""
    if browser := environ.get("BROWSER"):
        return browser.lower() != "none"
    return platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def serve(url: str, arguments: list[str]) -> None:
    """Run JupyterLab until Ctrl-C; print its address on a line of its own."""
    try:
        from jupyterlab.labapp import LabApp
    except Exception as error:  # whatever a damaged package raises
        if in_own_environment() and REPAIRED not in os.environ:
            repair_and_start_again(error, arguments)
        sys.exit(
            f"JupyterLab cannot be imported in this Python ({sys.executable}): {type(error).__name__}: {error}. "
            "Use `make lab`, or see README.md."
        )
    if is_root():
        print("You are root, so JupyterLab runs with --allow-root; an ordinary user is safer.")
    # A token that Jupyter did not make itself keeps its own long notice, and a second address, off the screen.
    os.environ["JUPYTER_TOKEN"] = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    # Lessons ask for the kernel python3: this Python, not one of that name that somebody installed elsewhere.
    put_first(os.environ, "JUPYTER_PATH", Path(sys.prefix, "share", "jupyter"))
    app = LabApp.initialize_server(argv=server_options(ROOT, url, os.environ))
    # Ctrl-C stops at once, kernels too: JupyterLab saves notebooks by itself. Jupyter's own answer asks back, and where
    # there is no terminal it is a KeyboardInterrupt wherever the program stands.
    signal.signal(signal.SIGINT, lambda *_: app.stop(from_signal=True))
    app.io_loop.add_callback(_announce, app, url)
    app.start()


def repair_and_start_again(error: Exception, arguments: list[str]) -> NoReturn:
    """Compare all that is installed with its lists of files, install what is damaged, and start once more."""
    say([f"JupyterLab cannot be imported ({type(error).__name__}: {error}); looking at what is installed."])
    environment.forget_stamps()
    if status := environment.main([]):
        sys.exit(status)
    os.environ[REPAIRED] = "1"
    start_again(arguments)


def _announce(app: "ServerApp", url: str) -> None:
    """Print where JupyterLab is; called when the server listens, so the address answers at once."""
    wanted = port_of(os.environ)
    if app.port != wanted:
        print(f"Port {wanted} is in use; taking {app.port}.")
    print("JupyterLab is ready; Ctrl-C stops it. Its address:")
    print(f"{app.connection_url.rstrip('/')}{url}?token={app.identity_provider.token}", flush=True)


def port_of(environ: Mapping[str, str]) -> int:
    """Return the port that is asked for. Raises InvalidPortError."""
    text = environ.get("JUPYTER_PORT") or str(PORT)
    if not text.isdecimal() or int(text) > 65535:
        raise InvalidPortError(f"JUPYTER_PORT is {text!r}; expected a number up to 65535. Set another one, or none.")
    return int(text)


def _explained(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            f"No permission to write {error.filename}. Your copies are kept there: put the course in a folder of yours."
        )
    if isinstance(error, OSError):
        return f"{error.filename or ROOT} cannot be used: {error.strerror or error}. Your copies are kept in work/."
    return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
