"""Verify and repair what is installed in the environment whose Python runs this file.

    python -I tools/installation.py verify EXTRAS   print a report as JSON; see report()
    python -I tools/installation.py landmarks       print files for a quick check; see landmarks()
    python -I tools/installation.py clean           remove damaged packages, so that pip installs them again
    python -I tools/installation.py remove NAME     remove one package in any state
    python -I tools/installation.py relocate        update the folder named in the environment's programs

pip trusts the metadata of a package, which may be wrong after an interruption, on a full disk or in a moved folder.
This module compares the metadata with the files. tools/environment.py runs it as a file, because only the standard
library is certain to work.
"""

import csv
import io
import json
import marshal
import os
import shlex
import shutil
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COURSE_PACKAGES = {  # name -> folder; the student edition includes only the first
    "rnn_helpers": "rnn_helpers",
    "autograde_tests": "autograde_tests",
    "rnn_course": "rnn_course",
    "nbjudge": "nbjudge/src/nbjudge",
}
COURSE = "rnn-course"  # the name of the first of these projects
PROJECTS = ("pyproject.toml", "nbjudge/pyproject.toml")
DISTRIBUTIONS = ("rnn_course-", "nbgrader_judge-")
PYC_HEADER = 16  # bytes before the code
LONGEST_SHEBANG = 127  # bytes of a first line that every Linux reads


class File(NamedTuple):
    """A file in the RECORD of its package; size is None where RECORD does not give it."""

    path: Path
    size: int | None


def main(arguments: list[str]) -> int:
    """Run the command and return the exit code."""
    site = Path(sysconfig.get_path("purelib"))
    match arguments:
        case ["verify", *extras]:
            print(json.dumps(report(ROOT, site, extras)))
        case ["landmarks"]:
            print(json.dumps(landmarks(site)))
        case ["clean"]:
            clean(site)
        case ["remove", name]:
            remove(site, name)
        case ["relocate"]:
            relocate(Path(sysconfig.get_path("scripts")), sys.prefix)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def report(root: Path, site: Path, extras: Iterable[str] = ()) -> dict[str, object]:
    """Return the state of the installation.

    damaged: {package: reason}; leftovers: files of an interrupted pip; unmet: unsatisfied requirements; unpinned:
    versions other than those of constraints.txt; course: "" or why the installed course is not this one.
    """
    unmet, unpinned = unmet_requirements(root, extras)
    return {
        "damaged": dict(find_damaged(site)),
        "leftovers": [path.name for path in find_leftovers(site)],
        "unmet": unmet,
        "unpinned": unpinned,
        "course": misplaced_course(root),
    }


# --- compare packages with their RECORD


def find_damaged(site: Path) -> Iterator[tuple[str, str]]:
    """Yield (package, reason) for each package whose files differ from its RECORD."""
    for info in sorted(site.glob("*.dist-info")):
        if reason := _damage(info):
            yield info.name.removesuffix(".dist-info").rpartition("-")[0], reason


def _damage(info: Path) -> str:
    if not _has_name(info / "METADATA"):
        return "its metadata is missing or cut off"
    try:
        files = list(_files(info))
    except (OSError, ValueError, csv.Error):
        files = []
    if not files:
        return "its list of files is missing or damaged"
    for file in files:
        if reason := _difference(file, info.parent):
            return f"{file.path.name} {reason}"
    return ""


def _has_name(metadata: Path) -> bool:
    try:
        lines = metadata.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].splitlines()
    except OSError:
        return False
    return {"Name", "Version"} <= {line.partition(":")[0] for line in lines}


def _files(info: Path) -> Iterator[File]:
    """Yield the files of a package, except compiled files, which Python can create again."""
    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        for name, _, size in csv.reader(stream):
            if not name.endswith(".pyc"):
                yield File(Path(os.path.normpath(info.parent / name)), int(size) if size else None)


def _difference(file: File, site: Path) -> str:
    try:
        size = file.path.stat().st_size
    except OSError:
        return "is missing"
    # A program contains the path of its environment, which may have been renamed.
    if file.size is not None and size != file.size and site in file.path.parents and not _is_of_the_course(file.path):
        return f"has {size} bytes, expected {file.size}"
    return ""


def _is_of_the_course(path: Path) -> bool:
    return path.name.startswith("__editable__") or path.parent.name.startswith(DISTRIBUTIONS)


def find_leftovers(site: Path) -> Iterator[Path]:
    """Yield the leftovers of an interrupted pip: packages it renamed (~umpy) and truncated compiled files."""
    yield from sorted(site.glob("~*"))
    for folder, _, names in os.walk(site):
        if os.path.basename(folder) == "__pycache__":
            yield from (path for name in names if (path := Path(folder, name)).suffix == ".pyc" and _is_cut_off(path))


def _is_cut_off(path: Path) -> bool:
    try:
        marshal.loads(memoryview(path.read_bytes())[PYC_HEADER:])
    except (EOFError, ValueError, TypeError):
        # A file of another Python version cannot be checked, and this one never loads it.
        return f".{sys.implementation.cache_tag}." in path.name
    except OSError:
        return True
    return False


def landmarks(site: Path) -> dict[str, int]:
    """Return {path below the environment: size} for a quick check on each start; -1 stands for any size.

    These are the RECORD, top folders, modules and libraries of each package, and the programs.
    """
    marks: dict[str, int] = {}
    for info in site.glob("*.dist-info"):
        for file in _files(info):
            inside = site in file.path.parents
            parts = file.path.relative_to(site).parts if inside else ()
            if inside and (len(parts) == 1 or _is_telling(file.path, parts)):
                marks[_below_environment(file.path)] = file.path.stat().st_size
            elif not inside:
                marks[_below_environment(file.path)] = -1
            if len(parts) > 1:
                marks[_below_environment(site / parts[0])] = -1
    return marks


def _is_telling(path: Path, parts: tuple[str, ...]) -> bool:
    at_the_top = len(parts) == 2 and path.name in ("__init__.py", "RECORD", "METADATA")
    return at_the_top or path.suffix in (".so", ".pyd", ".dylib", ".dll")


def _below_environment(path: Path) -> str:
    return os.path.relpath(path, sys.prefix)


def clean(site: Path) -> None:
    """Remove damaged packages and leftovers."""
    for name, _ in list(find_damaged(site)):
        remove(site, name)
    for path in list(find_leftovers(site)):
        _remove_file_or_folder(path)


def remove(site: Path, name: str) -> None:
    """Remove all files known to belong to a package, even if its RECORD is damaged or missing."""
    package = _normalised(name)
    for info in list(site.glob("*.dist-info")):
        if _normalised(info.name.removesuffix(".dist-info").rpartition("-")[0]) == package:
            try:
                files = list(_files(info))
            except (OSError, ValueError, csv.Error):
                files = []
            for file in files:
                if site in file.path.parents:
                    _remove_file_or_folder(file.path)
            _remove_file_or_folder(info)
    if (site / package / "__init__.py").exists():  # files missing from RECORD would mix with the new ones
        _remove_file_or_folder(site / package)


def _normalised(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _remove_file_or_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


# --- requirements of the course


def unmet_requirements(root: Path, extras: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Return the unmet requirements of the course and its dependencies, and the packages that differ from the pins."""
    try:
        from packaging.requirements import Requirement
        from packaging.specifiers import SpecifierSet
    except ImportError:
        return ["packaging is missing"], []
    projects = project_tables(root)
    texts = [text for name in projects for text in listed_requirements(projects, name, extras)]
    pins = _pins(root / "constraints.txt")
    unmet, unpinned, visited = [], [], set()
    waiting = [(Requirement(text), "") for text in texts]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = _normalised(requirement.name)
        version, needs = _installed(requirement.name)
        if not version or not requirement.specifier.contains(version, prereleases=True):
            unmet.append(f"{requirement} ({version or 'missing'})")
        elif name in pins and not SpecifierSet(f"=={pins[name]}").contains(version, prereleases=True):
            unpinned.append(f"{requirement.name} is {version}, tested with {pins[name]}")
        for extra in {"", *requirement.extras}:
            if (name, extra) not in visited:
                visited.add((name, extra))
                waiting += [(Requirement(text), extra) for text in needs]
    return sorted(set(unmet)), sorted(set(unpinned))


def listed_requirements(projects: Mapping[str, dict[str, Any]], name: str, extras: Iterable[str] = ()) -> list[str]:
    """Return the requirements of a project and of these extras, those on other extras of `projects` written out.

    projects: name -> the table `project` of its pyproject.toml; an extra that a project does not have adds nothing
    """
    optional = projects[name].get("optional-dependencies", {})
    texts = list(projects[name]["dependencies"])
    for text in [text for extra in extras for text in optional.get(extra, ())]:
        other, _, more = text.rstrip("]").partition("[")
        texts += listed_requirements(projects, other, more.split(",")) if other in projects else [text]
    return list(dict.fromkeys(texts))


def _installed(name: str) -> tuple[str, list[str]]:
    try:
        package = distribution(name)
        return package.version or "", package.requires or []
    except (PackageNotFoundError, KeyError):
        return "", []


def _pins(file: Path) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return {_normalised(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def misplaced_course(root: Path) -> str:
    """Return "" when programs outside the course's folder import this course, else what they import."""
    for package, folder in COURSE_PACKAGES.items():
        if not (root / folder / "__init__.py").is_file():
            continue
        spec = find_spec(package)
        if spec is None or not spec.origin:
            return f"{package} is not installed"
        location = Path(spec.origin).parent
        if not location.is_dir():
            return f"{package} is installed from {location}, which does not exist"
        if not os.path.samefile(location, root / folder):
            return f"{package} is installed from {location}"
    return next(filter(None, map(_outdated_reason, project_tables(root).values())), "")


def project_tables(root: Path) -> dict[str, dict[str, Any]]:
    """Return {name: table `project`} of the folder's pyproject.toml files, the course's first."""
    files = [root / name for name in PROJECTS if (root / name).is_file()]
    tables = [tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files]
    return {table["name"]: table for table in tables}


def _outdated_reason(project: dict[str, Any]) -> str:
    """Return "" when a project is installed as its pyproject.toml describes it, else the difference."""
    try:
        installed = distribution(project["name"])
    except PackageNotFoundError:
        return f"{project['name']} is not installed"
    expected = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    present = {
        group: {entry.name: entry.value for entry in installed.entry_points if entry.group == group}
        for group in expected
    }
    if (installed.version, present) != (project["version"], expected):
        return f"{project['name']} {installed.version} was installed from an older pyproject.toml"
    return ""


# --- moved or renamed environments


def relocate(programs: Path, prefix: str) -> None:
    """Make each program in the environment start the Python of this environment."""
    for path in sorted(programs.iterdir()):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            changed = relocate_program(content, prefix)
            if changed != content:
                _replace(path, changed)


def relocate_program(content: bytes, prefix: str) -> bytes:
    """Return the program, changed to start the Python of `prefix`; leave other files unchanged."""
    if content.startswith(b"MZ"):
        return _relocate_launcher(content, prefix)
    head, program = _split_shebang(content)
    python = _python_of(head, os.path.basename(prefix))
    return _shebang(prefix, python) + program if python else content


def _relocate_launcher(content: bytes, prefix: str) -> bytes:
    """Relocate a program of Windows: a launcher, a line with the path of Python and a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            start = min(entry.header_offset for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError):
        return content
    line = content.rfind(b"#!", 0, start)
    python = content[line + 2 : start].strip().strip(b'"').decode(errors="replace")
    name = python.replace("\\", "/").rpartition("/")[2]
    if line < 0 or not name.startswith("python"):
        return content
    return content[:line] + f'#!"{prefix}\\Scripts\\{name}"\r\n'.encode() + content[start:]


def _split_shebang(content: bytes) -> tuple[bytes, bytes]:
    """Return (shebang lines, program), for both forms that pip and uv write."""
    lines = content.splitlines(keepends=True)
    if not lines or not lines[0].startswith(b"#!"):
        return b"", content
    count = 3 if lines[0].rstrip() == b"#!/bin/sh" and len(lines) > 2 and lines[1].startswith(b"'''exec'") else 1
    return b"".join(lines[:count]), b"".join(lines[count:])


def _python_of(head: bytes, environment: str) -> str:
    """Return the file name of a program's interpreter if that is in an environment of that name, else ""."""
    text = head.decode(errors="replace").removeprefix("#!")
    try:
        words = shlex.split(text.splitlines()[1].removeprefix("'''exec'")) if text.startswith("/bin/sh\n'") else [text]
    except ValueError:  # an unbalanced quote in a folder's name
        words = [text.partition(' "$0"')[0]]
    path = words[0].strip() if words else ""
    folder, name = os.path.split(path)
    in_environment = os.path.isabs(path) and folder.endswith(os.path.join(os.sep, environment, "bin"))
    return name if in_environment and name.startswith("python") else ""


def _shebang(prefix: str, name: str) -> bytes:
    python = os.path.join(prefix, "bin", name)
    line = f"#!{python}\n".encode()
    if len(line) <= LONGEST_SHEBANG and not any(character.isspace() for character in python):
        return line
    # The shell starts Python; Python reads the same lines as a string.
    return f"#!/bin/sh\n'''exec' {shlex.quote(python)} \"$0\" \"$@\"\n' '''\n".encode()


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(content)
    shutil.copymode(path, draft)
    os.replace(draft, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
