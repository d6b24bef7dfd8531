"""Packages are installed by uv with the settings of pip, by pip where uv fails, and one line shows how far they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_environment import make_course, make_wheels, set_up, site, works

from tools import installer
from tools.progress_line import Progress

STAMP = ".venv/installed"
UV_PRINTS = """\
Resolved 135 packages in 751ms
   Building rnn-course @ file:///course
Downloading grpcio (7.0MiB)
Downloading tensorflow (545.9MiB)
 Downloaded grpcio
"""
PIP_PRINTS = """\
Obtaining file:///course
  Installing build dependencies: started
Collecting jupyterlab<5,>=4.2 (from rnn-course==0.1.0)
  Downloading jupyterlab-4.6.6-py3-none-any.whl (17.3 MB)
Requirement already satisfied: setuptools in ./lib (from rnn-course==0.1.0)
Collecting latex2mathml>=3.78 (from rnn-course==0.1.0)
  Downloading latex2mathml-3.81.1-py3-none-any.whl (79 kB)
"""


def progress_after(text: str) -> Progress:
    progress = Progress()
    for line in text.splitlines():
        progress.read(line)
    return progress


def test_the_line_follows_uv():
    assert progress_after("").sentence(0, 1.2) == "Looking for packages, 1 s"
    assert progress_after(UV_PRINTS).sentence(3, 12.0) == "Downloading: 135 packages, 7 of 580 MB, 12 s"
    prepared = UV_PRINTS + "Prepared 135 packages in 26.37s\n"
    assert progress_after(prepared).sentence(60, 30.0) == "Installing: 60 of 135 packages, 580 MB, 30 s"
    installed = prepared + "Installed 135 packages in 1.28s\n"
    assert progress_after(installed).sentence(133, 40.0) == "Compiling: 135 packages, 580 MB, 40 s"


def test_the_line_follows_pip():
    assert progress_after(PIP_PRINTS).sentence(2, 9.0) == "Looking for packages: 4 packages, 17 MB, 9 s"
    installing = PIP_PRINTS + "Installing collected packages: latex2mathml, jupyterlab, rnn-course\n"
    assert progress_after(installing).sentence(2, 9.0) == "Installing: 2 of 3 packages, 17 MB, 9 s"


# Settings


def test_uv_gets_what_the_machine_sets_for_pip(tmp_path):
    settings = {
        "index_url": "https://mirror/simple",
        "extra_index_url": "https://a/simple\nhttps://b/simple",
        "find_links": "/wheels https://c/wheels",
        "proxy": "http://proxy:3128",
        "cert": "/certificates.pem",
        "trusted_host": "mirror b:8080",
        "default_timeout": "180",
    }
    proxies = dict.fromkeys(["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"], "http://proxy:3128")
    assert installer.uv_settings(settings) == proxies | {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_INDEX": "https://a/simple https://b/simple",
        "UV_FIND_LINKS": "/wheels,https://c/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "mirror b:8080",
        "UV_HTTP_TIMEOUT": "180",
        "SSL_CERT_FILE": "/certificates.pem",
    }
    assert installer.uv_settings({"cert": str(tmp_path)}) == {"SSL_CERT_DIR": str(tmp_path)}
    assert installer.uv_settings({}) == {}


@pytest.mark.parametrize(("text", "options"), [("1", ["--no-index"]), ("true", ["--no-index"]), ("0", []), ("", [])])
def test_no_index_is_an_option_of_uv(text, options):
    assert installer.uv_options({"PIP_NO_INDEX": text}) == options


def test_uvs_own_settings_say_where_packages_come_from_and_not_where_they_go(tmp_path):
    kept = {"PATH": "/bin", "UV_INDEX_MIRROR_PASSWORD": "secret", "UV_HTTP_TIMEOUT": "9"}
    environ = installer.uv_environ(kept | {"UV_SYSTEM_PYTHON": "1", "UV_CACHE_DIR": "/shared"}, tmp_path)
    assert kept.items() <= environ.items()
    assert "UV_SYSTEM_PYTHON" not in environ
    assert environ["UV_CACHE_DIR"] == str(tmp_path)


def test_an_index_that_is_set_for_uv_replaces_that_of_pip(tmp_path):
    pip = {"PIP_INDEX_URL": "https://for-pip", "PIP_PROXY": "http://proxy:3128"}
    assert installer.uv_environ(pip, tmp_path)["UV_DEFAULT_INDEX"] == "https://for-pip"
    environ = installer.uv_environ(pip | {"UV_DEFAULT_INDEX": "https://for-uv"}, tmp_path)
    assert (environ["UV_DEFAULT_INDEX"], environ["HTTPS_PROXY"]) == ("https://for-uv", "http://proxy:3128")


# In a tiny course


posix = pytest.mark.skipif(os.name != "posix", reason="environments on Windows have other names for their files")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    make_wheels(tmp_path / "wheels")
    return tmp_path / "wheels"


def log(course: Path) -> str:
    return (course / ".venv/install.log").read_text()


@posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ('echo "uv 0.13.9"; [ "$1" = --version ]', "uv could not install the course; trying pip.\n"),
        ("echo uv 0.4.30", ""),  # too old to be used
        ("exit 1", ""),
    ],
    ids=["fails", "old", "broken"],
)
def test_pip_installs_where_uv_cannot(tmp_path: Path, wheels: Path, script: str, printed: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin/uv").chmod(0o755)
    course = make_course(tmp_path / "course")
    ended = set_up(course, wheels, RNN_COURSE_INSTALLER="", PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert ended.returncode == 0, ended
    assert works(course) == ""
    assert ("trying pip" in ended.stdout) is bool(printed)
    assert printed in ended.stdout
    assert "Successfully installed" in log(course)
    assert "Successfully installed" not in ended.stdout


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The search path with a uv in front of it, which pip installs from this machine's index."""
    folder = tmp_path_factory.mktemp("uv")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder, installer.UV], check=True)
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


@posix
@pytest.mark.slow
@pytest.mark.install
def test_uv_installs_compiles_and_repairs(tmp_path: Path, wheels: Path, uv: str) -> None:
    course = make_course(tmp_path / "course")
    unrelated = {"UV_SYSTEM_PYTHON": "1", "UV_PYTHON": "/no/such", "UV_TARGET": "/no/such", "HOME": "/proc/none"}
    ended = set_up(course, wheels, RNN_COURSE_INSTALLER="", PATH=uv, **unrelated)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert works(course) == ""
    assert "+ tinypack==1.0" in log(course), ended.stdout
    assert list((site(course) / "tinypack/__pycache__").glob("inner.*.pyc"))
    assert set_up(course, wheels, RNN_COURSE_INSTALLER="", PATH=uv).stdout == ""

    (course / STAMP).unlink()
    with (site(course) / "tinypack/inner.py").open("r+b") as file:  # in place, as a full disk does
        file.truncate(20)
    assert set_up(course, wheels, RNN_COURSE_INSTALLER="", PATH=uv).returncode == 0
    assert works(course) == ""
    assert "+ tinypack==1.0" in log(course)


@posix
@pytest.mark.slow
@pytest.mark.install
def test_what_neither_can_install_is_said_with_the_end_of_the_log(tmp_path: Path, wheels: Path, uv: str) -> None:
    course = make_course(tmp_path / "course")
    (course / "constraints.txt").write_text("tinypack==0.9\n")
    ended = set_up(course, wheels, RNN_COURSE_INSTALLER="", PATH=uv)
    assert ended.returncode == 1
    assert "uv could not install the course; trying pip." in ended.stdout
    assert f"The end of {course / '.venv/install.log'}:" in ended.stderr
    assert ended.stderr.endswith("run the same command again to continue.\n")
    assert ended.stderr.count("\n") <= installer.LAST_LINES + 2
