"""Open JupyterLab on your own copies of the lessons, in work/.

    python -m tools.lab                  the first time on lesson 01, later where you left off
    python -m tools.lab 02_unrolling     on that lesson

Without a browser (BROWSER=none, or no display) it prints the address and serves.
"""

import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tools.work import UnknownLesson, copy_missing, require_lesson

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ROOT = Path(__file__).resolve().parent.parent
FIRST_LESSON = "01_recurrence"
PORT = 8888


def main(arguments: list[str]) -> int:
    try:
        for lesson in arguments:
            require_lesson(ROOT, lesson)
        changed = copy_missing(ROOT)
    except (UnknownLesson, PermissionError) as error:
        print(_explained(error), file=sys.stderr)
        return 1
    for lesson in changed:
        print(f"{lesson} has a new version. Your copy is untouched; to start on the new one and keep yours beside it:")
        print(f"    make fresh LESSON={lesson}        (or: python -m tools.fresh {lesson})")
    serve(start_url(ROOT, arguments[0] if arguments else None))
    return 0


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
        f"--ServerApp.port={_port(environ)}",
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


def serve(url: str) -> None:
    """Run JupyterLab until Ctrl-C; print its address on a line of its own."""
    try:
        from jupyterlab.labapp import LabApp
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed in this Python ({sys.executable}): use `make lab`, or see README.md.")
    if is_root():
        print("You are root, so JupyterLab runs with --allow-root; an ordinary user is safer.")
    # A token that Jupyter did not make itself keeps its own long notice, and a second address, off the screen.
    os.environ.setdefault("JUPYTER_TOKEN", secrets.token_hex(24))
    app = LabApp.initialize_server(argv=server_options(ROOT, url, os.environ))
    # Ctrl-C stops at once, kernels too: JupyterLab saves notebooks by itself. Jupyter's own answer asks back, and where
    # there is no terminal it is a KeyboardInterrupt wherever the program stands.
    signal.signal(signal.SIGINT, lambda *_: app.stop(from_signal=True))
    app.io_loop.add_callback(_announce, app, url)
    app.start()


def _announce(app: "ServerApp", url: str) -> None:
    """Print where JupyterLab is; called when the server listens, so the address answers at once."""
    wanted = _port(os.environ)
    if app.port != wanted:
        print(f"Port {wanted} is in use; taking {app.port}.")
    print("JupyterLab is ready; Ctrl-C stops it. Its address:")
    print(f"{app.connection_url.rstrip('/')}{url}?token={app.identity_provider.token}", flush=True)


def _port(environ: Mapping[str, str]) -> int:
    return int(environ.get("JUPYTER_PORT", PORT))


def _explained(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            f"No permission to write {error.filename}. Your copies are kept there: put the course in a folder of yours."
        )
    return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
