"""Open JupyterLab on your own copies of the lessons, in work/.

    python -m tools.lab                  open the start page the first time, later your last tabs
    python -m tools.lab 02_unrolling     open that lesson

Without a browser (BROWSER=none, or no display) it prints the address of the server.
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
from tools.workspace import START_PAGE, UnknownLessonError, copy_missing, require_lesson

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ROOT = Path(__file__).resolve().parent.parent
FIRST_LESSON = "00_start_here"
PORT = 8888
REPAIRED = "RNN_COURSE_REPAIRED"  # set before the second start, which is the last


class InvalidPortError(ValueError):
    """Raised when JUPYTER_PORT is not a port; the message states what is expected."""


def main(arguments: list[str]) -> int:
    """Prepare the environment and the copies, run JupyterLab and return the exit code."""
    must_restart, sentences = drop_interpreter_settings(os.environ, ROOT)
    print_notes(sentences)
    if must_restart:
        restart(arguments)
    if in_own_environment() and (status := environment.main([])):
        return status
    if problem := installation_problem():
        print_notes([problem])
    try:
        print_notes(provide_folders(os.environ, ROOT / "work" / ".home"))
        requested_port(os.environ)
        for lesson in arguments:
            require_lesson(ROOT, lesson)
        changed = copy_missing(ROOT)
        write_start_page()
    except (UnknownLessonError, InvalidPortError, OSError) as error:
        print(_error_text(error), file=sys.stderr)
        return 1
    for lesson in changed:
        print(f"{lesson} has a new version. Your copy is untouched; to start on the new one and keep yours beside it:")
        print(f"    make fresh LESSON={lesson}        (or: python -m tools.fresh {lesson})")
    serve(start_url(ROOT, arguments[0] if arguments else None), arguments)
    return 0


def print_notes(sentences: Iterable[str]) -> None:
    """Print sentences for the user to stderr, separate from output that a program may read."""
    for sentence in sentences:
        print(sentence, file=sys.stderr, flush=True)


def restart(arguments: list[str]) -> NoReturn:
    """Run this program again with the current variables, replacing this process where possible."""
    command = [sys.executable, "-m", "tools.lab", *arguments]
    if os.name == "posix":
        os.chdir(ROOT)
        os.execve(sys.executable, command, os.environ)
    sys.exit(subprocess.call(command, cwd=ROOT))


def in_own_environment() -> bool:
    """Return whether this Python is that of .venv, which this course maintains."""
    return environment.VENV.is_dir() and os.path.samefile(sys.prefix, environment.VENV)


def installation_problem() -> str:
    """Return why this Python cannot import the course's helpers, or ""."""
    helpers = ROOT / "rnn_helpers"
    command = [sys.executable, "-c", environment.HAS_THE_COURSE, str(helpers)]
    if (
        not helpers.is_dir()
        or subprocess.run(command, cwd=Path(sys.prefix), stderr=subprocess.DEVNULL, check=False).returncode == 0
    ):
        return ""
    return (
        f"Lessons cannot import this course's helpers: this Python ({sys.executable}) lacks them, or has "
        f"those of another folder. In {ROOT}, run: {sys.executable} -m pip install -c constraints.txt -e ."
    )


def write_start_page() -> None:
    """Write work/start.md in a process of its own, which imports the course's helpers; print why if that fails."""
    command = [sys.executable, "-m", "tools.start_page"]
    result = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False)
    if result.returncode != 0:
        print_notes(["The start page could not be written: " + "".join(result.stderr.strip().splitlines()[-1:])])


def start_url(root: Path, lesson: str | None) -> str:
    """Return the URL that JupyterLab opens: the requested lesson, else the last tabs, else the start page."""
    if lesson is None and any(workspaces(root).glob("*.jupyterlab-workspace")):
        return "/lab"
    if lesson is None and (root / "work" / START_PAGE).exists():
        return f"/lab/tree/work/{START_PAGE}"
    lesson = lesson or FIRST_LESSON
    return f"/lab/tree/work/{lesson}/{lesson}.ipynb"


def workspaces(root: Path) -> Path:
    """Return the folder for JupyterLab's open tabs, separate from those of other projects."""
    return root / "work" / ".jupyterlab"


def server_options(root: Path, url: str, environ: Mapping[str, str]) -> list[str]:
    """Return JupyterLab's command-line options for this run; no settings file is written."""
    options = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={url}",
        f"--LabApp.workspaces_dir={workspaces(root)}",
        f"--ServerApp.port={requested_port(environ)}",
        # Defaults that the student's settings override: no news, no tools for instructors, Markdown as a preview.
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
    """Return whether this session can open a browser; BROWSER=none disables it."""
    if browser := environ.get("BROWSER"):
        return browser.lower() != "none"
    return platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    """Return whether the user is root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def serve(url: str, arguments: list[str]) -> None:
    """Run JupyterLab until Ctrl-C; print its address on a separate line."""
    try:
        from jupyterlab.labapp import LabApp
    except Exception as error:  # whatever a damaged package raises
        if in_own_environment() and REPAIRED not in os.environ:
            repair_and_restart(error, arguments)
        sys.exit(
            f"JupyterLab cannot be imported in this Python ({sys.executable}): {type(error).__name__}: {error}. "
            "Use `make lab`, or see README.md."
        )
    if is_root():
        print("You are root, so JupyterLab runs with --allow-root; an ordinary user is safer.")
    # With a given token, Jupyter does not print its own long notice and a second address.
    os.environ["JUPYTER_TOKEN"] = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    # Lessons use the kernel python3: it must be this Python, not a kernel of that name installed elsewhere.
    put_first(os.environ, "JUPYTER_PATH", Path(sys.prefix, "share", "jupyter"))
    app = LabApp.initialize_server(argv=server_options(ROOT, url, os.environ))
    # Ctrl-C stops at once, with all kernels: JupyterLab saves notebooks by itself. Jupyter's own handler asks for
    # confirmation, and without a terminal it raises KeyboardInterrupt at any point.
    signal.signal(signal.SIGINT, lambda *_: app.stop(from_signal=True))
    app.io_loop.add_callback(_announce, app, url)
    app.start()


def repair_and_restart(error: Exception, arguments: list[str]) -> NoReturn:
    """Verify every installed file, repair what is damaged and start again."""
    print_notes([f"JupyterLab cannot be imported ({type(error).__name__}: {error}); checking the installation."])
    environment.forget_stamps()
    if status := environment.main([]):
        sys.exit(status)
    os.environ[REPAIRED] = "1"
    restart(arguments)


def _announce(app: "ServerApp", url: str) -> None:
    """Print the address of JupyterLab; called once the server listens."""
    requested = requested_port(os.environ)
    if app.port != requested:
        print(f"Port {requested} is in use; using {app.port}.")
    print("JupyterLab is ready; Ctrl-C stops it. Its address:")
    print(f"{app.connection_url.rstrip('/')}{url}?token={app.identity_provider.token}", flush=True)


def requested_port(environ: Mapping[str, str]) -> int:
    """Return the port in JUPYTER_PORT or the default. Raises InvalidPortError."""
    text = environ.get("JUPYTER_PORT") or str(PORT)
    if not text.isdecimal() or int(text) > 65535:
        raise InvalidPortError(
            f"JUPYTER_PORT is {text!r}; expected a number up to 65535. Set another port, or unset it."
        )
    return int(text)


def _error_text(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            f"No permission to write {error.filename}. Your copies are kept there: put the course in a folder of yours."
        )
    if isinstance(error, OSError):
        return f"{error.filename or ROOT} cannot be used: {error.strerror or error}. Your copies are kept in work/."
    return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
