"""A course of one module and one package, with an environment that pip makes in seconds and without the network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE_PYTHON = sys._base_executable  # type: ignore[attr-defined]  # not that of an environment
PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "rnn-course"
version = "0.1.0"
dependencies = ["packaging", "setuptools>=77", "tinypack"]

[project.optional-dependencies]
dev = []

[tool.setuptools]
packages = ["rnn_helpers"]
"""
TINYPACK = {
    "tinypack/__init__.py": "def main():\n    import rnn_helpers, sys\n    print(rnn_helpers.__file__, sys.prefix)\n",
    "tinypack/inner.py": "WHOLE = True\n" * 100,
    "tinypack/library.so": "not really a library",
    "tinypack-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinypack\nVersion: 1.0\n",
    "tinypack-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tinypack-1.0.dist-info/entry_points.txt": "[console_scripts]\ntinyprogram = tinypack:main\n",
}

OF_INSTALLERS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}  # in no wheel


def make_wheels(folder: Path) -> None:
    """Write what the tiny course needs into a folder that pip takes for an index."""
    folder.mkdir()
    write_wheel(folder / "tinypack-1.0-py3-none-any.whl", {name: text.encode() for name, text in TINYPACK.items()})
    for name in ("packaging", "setuptools"):
        package = distribution(name)
        paths = [path for path in package.files or [] if path.suffix != ".pyc" and ".." not in path.parts]
        files = {str(path): Path(path.locate()).read_bytes() for path in paths if path.name not in OF_INSTALLERS}
        write_wheel(folder / f"{name}-{package.version}-py3-none-any.whl", files)


def write_wheel(path: Path, files: dict[str, bytes]) -> None:
    info = next(name.partition("/")[0] for name in files if ".dist-info/" in name)
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


def make_course(root: Path) -> Path:
    """Write the tiny course, without its environment."""
    (root / "rnn_helpers").mkdir(parents=True)
    (root / "rnn_helpers/__init__.py").touch()
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "constraints.txt").write_text("# pins\ntinypack==1.0\n")
    (root / "tools").mkdir()
    for name in ("__init__.py", "environment.py", "installation.py", "installer.py", "progress_line.py", "student.mk"):
        shutil.copy(ROOT / "tools" / name, root / "tools")
    return root


def set_up(course: Path, wheels: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python3 -m tools.environment`, or another command, in a course; only the wheels are to be had.

    By pip, which every machine has, unless RNN_COURSE_INSTALLER says otherwise.
    """
    left_out = ("PIP_", "PYTHON", "VIRTUAL_ENV", "MAKE", "RNN_COURSE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    environ |= {"RNN_COURSE_INSTALLER": "pip", **variables}
    return subprocess.run(
        command or [BASE_PYTHON, "-m", "tools.environment"],
        cwd=course,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def site(course: Path) -> Path:
    return next((course / ".venv/lib").glob("python*/site-packages"))


def program(course: Path) -> Path:
    return course / ".venv/bin/tinyprogram"


def works(course: Path) -> str:
    """Return "" when a program in the environment starts its Python and finds this course; else what happens."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run([program(course)], cwd="/", env=environ, capture_output=True, encoding="utf-8", check=False)
    expected = f"{course / 'rnn_helpers/__init__.py'} {course / '.venv'}\n"
    if ended.stdout != expected:
        return f"{ended.stdout}{ended.stderr}; expected {expected}"
    inner = (site(course) / "tinypack/inner.py").read_text()
    return "" if inner == TINYPACK["tinypack/inner.py"] else f"tinypack/inner.py has {len(inner)} characters"


def borrow_packages(environment: Path) -> None:
    """Create an environment that finds the packages of this one, but not the course, which is not among its files."""
    venv.create(environment, with_pip=False)
    (site,) = [*environment.glob("lib/python*/site-packages"), *environment.glob("Lib/site-packages")]
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
