"""Install packages into an environment: with uv, which is fast, or with pip where uv is missing or fails.

Like tools/environment.py, which uses it, this file imports only the standard library and has the syntax of Python 3.6.
"""

# ruff: noqa: UP006, UP035, UP045 (names of types that Python 3.6 knows)
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

from tools.progress_line import run_with_progress

INSTALLER = "RNN_COURSE_INSTALLER"  # a variable; "pip" rules out uv
UV = "uv>=0.5,<1"
OLDEST_UV = (0, 5)  # the first release with the names of settings that uv_settings() returns
LAST_LINES = 15  # of the log, shown when neither succeeds
# The beginnings of uv's settings that say where packages come from; others could change what is installed and where.
INDEXES = "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"
KEPT_UV_SETTINGS = (
    *INDEXES,
    *("UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_KEYRING_PROVIDER", "UV_OFFLINE"),
    *("UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS"),
)


def install(venv: Path, python: Path, options: List[str], environ: Dict[str, str], folder: Path) -> int:
    """Run `pip install` with these options, by uv if possible, and return the exit code; 0 is success.

    venv, python: the environment and its interpreter; folder: where the command runs
    environ: the environment variables, with the settings of pip as PIP_ variables
    Everything that uv and pip print is kept in install.log in the environment; a failure shows its end.
    """
    log, cache = venv / "install.log", folder / "build" / "uv-cache"
    log.write_bytes(b"")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    uv = None if environ.get(INSTALLER) == "pip" else find_uv(pip, python, environ, folder, log)
    status = 1
    if uv:
        command = [uv, "pip", "install", "--python", str(python), *uv_options(environ), *options]
        status = run_with_progress(command, folder, uv_environ(environ, cache), log, python)
        if status != 0:
            print("uv could not install the course; trying pip.", flush=True)
    if status != 0:
        status = run_with_progress([*pip, *options], folder, environ, log, python)
    if status == 0:
        _remove_in_background(cache, python)
    else:  # the cache stays: what was downloaded need not be downloaded again
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join([f"The end of {log}:", *lines[-LAST_LINES:]]), file=sys.stderr, flush=True)
    return status


def _remove_in_background(folder: Path, python: Path) -> None:
    """Remove a folder without waiting for it: tens of thousands of files keep a slow disk busy for a while.

    It is not inside the environment, where a removal at the same time would interrupt the creation of a new one.
    """
    if folder.is_dir():
        old = folder.with_name(f"{folder.name}-old-{os.getpid()}")
        folder.rename(old)
        nothing = subprocess.DEVNULL
        command = [str(python), "-I", "-c", "import shutil, sys; shutil.rmtree(sys.argv[1], True)", str(old)]
        subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def find_uv(pip: List[str], python: Path, environ: Dict[str, str], folder: Path, log: Path) -> Optional[str]:
    """Return the path of uv: on the PATH, or in the environment, where pip puts it if needed; None if that fails."""
    environment_uv = str(python.with_name("uv" + python.suffix))
    for path in (shutil.which("uv"), environment_uv):
        if path and _is_recent(path):
            return path
    with log.open("ab") as stream:
        command = [*pip, "--retries", "1", "--only-binary", "uv", UV]
        status = subprocess.call(command, cwd=str(folder), env=environ, stdout=stream, stderr=stream)
    return environment_uv if status == 0 and _is_recent(environment_uv) else None


def _is_recent(uv: str) -> bool:
    """Return whether this uv runs and knows the names of the settings that it is given."""
    try:
        result = subprocess.run([uv, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    version = re.match(rb"uv (\d+)\.(\d+)", result.stdout)
    return version is not None and tuple(map(int, version.groups())) >= OLDEST_UV


# --- pip's settings for uv


def uv_environ(environ: Dict[str, str], cache: Path) -> Dict[str, str]:
    """Return the environment variables for uv: without its settings that redirect it, and with those of pip.

    Files are linked from a cache of this environment alone. In a cache that environments share, a file that was
    damaged in one of them would be damaged for all.
    """
    fixed_settings = {
        "UV_CACHE_DIR": str(cache),
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    inherited = {
        name: text for name, text in environ.items() if not name.startswith("UV_") or name.startswith(KEPT_UV_SETTINGS)
    }
    settings = uv_settings(_pip_settings(environ))
    if any(name.startswith(INDEXES) for name in inherited):  # what this machine sets for uv itself counts
        settings = {name: text for name, text in settings.items() if not name.startswith(INDEXES)}
    return {**inherited, **settings, **fixed_settings}


def uv_options(environ: Dict[str, str]) -> List[str]:
    """Return those settings of pip that uv knows only as options."""
    no_index = _pip_settings(environ).get("no_index", "").lower()
    return ["--no-index"] if no_index in ("1", "true", "yes", "on") else []


def _pip_settings(environ: Dict[str, str]) -> Dict[str, str]:
    return {name[4:].lower(): text for name, text in environ.items() if name.startswith("PIP_")}


def uv_settings(pip: Dict[str, str]) -> Dict[str, str]:
    """Return the environment variables that mean to uv what these settings mean to pip.

    pip: name, such as "extra_index_url" -> text; several addresses in a text are separated by white space
    """
    settings = {
        "UV_DEFAULT_INDEX": pip.get("index_url", ""),
        "UV_INDEX": " ".join(pip.get("extra_index_url", "").split()),
        "UV_FIND_LINKS": ",".join(pip.get("find_links", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted_host", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("timeout", pip.get("default_timeout", "")).partition(".")[0],
        "UV_HTTP_RETRIES": pip.get("retries", ""),
        "SSL_CLIENT_CERT": pip.get("client_cert", ""),
    }
    if settings["UV_INDEX"] or settings["UV_FIND_LINKS"]:  # pip takes the best version of all, uv that of the first
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("cert"):
        settings["SSL_CERT_DIR" if os.path.isdir(pip["cert"]) else "SSL_CERT_FILE"] = pip["cert"]
    if pip.get("proxy"):
        settings.update(dict.fromkeys(["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"], pip["proxy"]))
    if pip.get("keyring_provider") == "subprocess":
        settings["UV_KEYRING_PROVIDER"] = "subprocess"
    return {name: text for name, text in settings.items() if text}
