"""A machine with JupyterHub as docs/jupyterhub.md sets it up: environments, accounts, folders and the running hub.

Its code blocks are used as they stand there, with other names for the folders and accounts. Needs root, PyPI and npm.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from nbgrader_course import ROOT, copy_course

from nbjudge.sandbox.uid_pool import first_private_ancestor
from tools.environment import SUPPORTED_PYTHONS, clean_environ
from tools.student_edition import student_files, write_archive

FOLDERS = ("/opt/rnn-course", "/srv/nbgrader", "/srv/jupyterhub")  # of the page; here below one temporary folder
INSTRUCTOR, STUDENTS = "teacher", ("ada", "ben", "eva")
GROUP, PREFIX = "rnn-users", "rnnhub-"  # in front of the page's accounts and group
STARTS_WITHIN_S = 60  # far more than it needs, on a busy machine too


def give_up(reason: str) -> None:
    """Skip the test; in CI, which installs what is needed, fail."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no JupyterHub: {reason}")


def _page() -> str:
    return (ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")


def code_block(first_line: str) -> str:
    """Return the code block of the page that begins with this comment."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", _page(), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(f"# {first_line}\n")]
    return block


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Account:
    """An account of the machine; name: as in the page."""

    name: str
    password: str = ""

    @property
    def login(self) -> str:
        return PREFIX + self.name

    @property
    def home(self) -> Path:
        return Path(pwd.getpwnam(self.login).pw_dir)

    def run(self, *command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as this account would in a terminal; its exit code is the caller's to check."""
        known = pwd.getpwnam(self.login)
        environment = {"HOME": known.pw_dir, "USER": self.login, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run(
            list(map(str, command)),
            cwd=folder or known.pw_dir,
            env=environment,
            user=known.pw_uid,
            group=known.pw_gid,
            extra_groups=os.getgrouplist(self.login, known.pw_gid),
            umask=0o022,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def end_processes(self) -> None:
        """Kill what runs under this account, which belongs to the test."""
        for process in psutil.process_iter(["uids"]):
            if process.info["uids"] and process.info["uids"].real == pwd.getpwnam(self.login).pw_uid:
                process.kill()


@dataclass
class Site:
    """The machine of the page. root: what is "/" there for the page's own folders."""

    root: Path
    url: str = ""

    def here(self, text: str) -> str:
        """Return text of the page with the folders, accounts and the group of this test."""
        for folder in FOLDERS:
            text = text.replace(folder, str(self.path(folder)))
        names = "|".join((INSTRUCTOR, *STUDENTS, GROUP))
        return re.sub(rf"(?<![\w./-])({names})(?![\w-])|(?<=/home/)({names})\b", rf"{PREFIX}\g<0>", text)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def python(self) -> Path:
        return self.path("/opt/rnn-course/bin/python")

    @property
    def exchange(self) -> Path:
        return self.path("/srv/nbgrader/exchange")

    @property
    def course(self) -> Path:
        return Account(INSTRUCTOR).home / "rnn-course"


@contextmanager
def running_site() -> Iterator[Site]:
    """Yield the machine with a running hub, and remove all of it afterwards."""
    _require_root()
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o022))  # whatever the tests were started with
        site = Site(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-"))))
        site.root.chmod(0o755)
        if closed := first_private_ancestor([str(site.root)]):
            give_up(f"temporary files are below {closed}, which is closed to other accounts")
        _install_students_environment(site)
        _install_proxy(site)
        stack.callback(_remove_accounts)
        _run(["bash", "-e", "-c", site.here(code_block("as root"))])
        _install_course(site)
        stack.enter_context(_running_hub(site))
        yield site


def _require_root() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        give_up("creating accounts needs root on Linux")
    if missing := [program for program in ("npm", "node", "useradd") if not shutil.which(program)]:
        give_up(f"{', '.join(missing)} missing")


def _run(command: list[str | Path], **options: object) -> str:
    ended = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        **{"env": clean_environ(), **options},
    )
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def _pip(python: Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    try:
        _run([*pip, "-c", ROOT / "constraints.txt", *arguments], cwd=ROOT)
    except AssertionError as error:
        give_up(str(error)[-1000:])


# --- the environments


def _install_students_environment(site: Site) -> None:
    """Do step 1 of the page, with the pip of the tests, since a Python without ensurepip will do."""
    _run([_readable_python(), "-m", "venv", "--without-pip", site.python.parents[1]])
    archive = site.root / "dist/rnn-course-student.zip"
    write_archive(archive, student_files(ROOT))
    (options,) = re.findall(r"/bin/pip install -c constraints.txt 'dist/rnn-course-student.zip(\[.*?\])'", _page())
    _pip(site.python, f"{archive}{options}")
    for command in re.findall(r"^ +(/opt/rnn-course/bin/jupyter labextension .*)$", _page(), re.MULTILINE):
        _run(site.here(command).split(), env={"PATH": f"{site.python.parent}:/usr/bin:/bin", "HOME": str(site.root)})
    _write(site, "/opt/rnn-course/etc/jupyter/nbgrader_config.py")


def _readable_python() -> Path:
    """Return a supported Python that other accounts can run."""
    candidates = [Path(sys._base_executable), *(Path(f"/usr/bin/python{version}") for version in SUPPORTED_PYTHONS)]
    for python in candidates:
        if python.exists() and not first_private_ancestor([str(python)]):
            return python
    give_up(f"no Python {', '.join(SUPPORTED_PYTHONS)} that all accounts can run; looked at {candidates}")
    raise AssertionError


def _install_proxy(site: Site) -> None:
    package = re.search(r"npm install --global (\S+)", _page()).group(1)
    npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", site.root / "node", package]
    try:
        _run(npm)
    except AssertionError as error:
        give_up(str(error)[-1000:])


def _write(site: Site, path: str) -> Path:
    """Write the file that the page shows under its path."""
    file = site.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(site.here(code_block(path)), encoding="utf-8")
    return file


def _install_course(site: Site) -> None:
    """Do step 3 of the page: a closed folder with its own environment, in which course and engine are editable.

    The environment starts as a copy of the students': the same packages at the same versions, without downloading them.
    """
    course, account = site.course, Account(INSTRUCTOR)
    copy_course(course)
    settings = course / "nbgrader_config.py"
    changed = site.here(code_block("rnn-course/nbgrader_config.py")).splitlines()[-1]
    text, count = re.subn(r"^c\.Exchange\.root = .*$", lambda _: changed, settings.read_text(), flags=re.MULTILINE)
    assert count == 1
    settings.write_text(text)
    shutil.copytree(site.python.parents[1], course / ".venv", symlinks=True)
    (course / ".venv/etc/jupyter/nbgrader_config.py").unlink()
    shutil.rmtree(course / ".venv/etc/jupyter/labconfig")
    python = course / ".venv/bin/python"
    for program in (course / ".venv/bin").iterdir():
        if not program.is_symlink() and program.read_bytes().startswith(b"#!"):
            program.write_text(program.read_text().replace(str(site.python.parent), str(python.parent), 1))
    _pip(python, "-e", str(course / "nbjudge"))
    _pip(python, "--no-deps", "-e", str(course))
    _run(["chown", "-R", f"{account.login}:", course])
    course.chmod(0o700)


# --- accounts and the hub


def _remove_accounts() -> None:
    for account in map(Account, (INSTRUCTOR, *STUDENTS)):
        if subprocess.run(["id", account.login], capture_output=True, check=False).returncode == 0:
            account.end_processes()
            subprocess.run(["userdel", "--force", "--remove", account.login], capture_output=True, check=True)
    subprocess.run(["groupdel", PREFIX + GROUP], capture_output=True, check=False)


def set_password(account: Account) -> None:
    _run(["chpasswd"], input=f"{account.login}:{account.password}")


@contextmanager
def _running_hub(site: Site) -> Iterator[None]:
    config = _write(site, "/srv/jupyterhub/jupyterhub_config.py")
    site.url = f"http://127.0.0.1:{free_port()}"
    command = [site.python, "-m", "jupyterhub", "-f", config, f"--JupyterHub.bind_url={site.url}"]
    command += [f"--JupyterHub.hub_port={free_port()}"]
    command += [f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}"]
    path = os.pathsep.join([str(site.root / "node/node_modules/.bin"), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
    log = site.root / "hub.log"
    with log.open("w") as stream:
        hub = subprocess.Popen(
            list(map(str, command)), cwd=config.parent, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            _wait_for_hub(site, hub, log)
            yield
        finally:
            hub.send_signal(signal.SIGTERM)  # ends the proxy and the servers of all users, too
            hub.wait(timeout=60)


def _wait_for_hub(site: Site, hub: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(STARTS_WITHIN_S * 10):
        assert hub.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{site.url}/hub/api/", timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"JupyterHub did not start within {STARTS_WITHIN_S} s:\n{log.read_text()}")
