"""Each package is declared by the project whose code imports it, and not only brought along by another one."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from lesson_code import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.installation import listed_requirements

PROJECTS = {
    project["name"]: project
    for project in (
        tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["project"]
        for name in ("pyproject.toml", "nbjudge/pyproject.toml")
    )
}
OWN = {"rnn_helpers", "autograde_tests", "nbjudge", "rnn_course", "tools", "tests", "benchmarks"}
# Imported only where they are there: by answers of students who use TensorFlow, and to compare with what is installed.
IF_INSTALLED = {"nbjudge": {"ml_dtypes"}, "benchmarks": {"jax", "torch"}}


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (top-level package, file) of each absolute import."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names.append(node.module or "")
            yield from ((name.partition(".")[0], path.relative_to(ROOT).as_posix()) for name in names)


@pytest.mark.parametrize(
    ("folder", "project", "extras"),
    [
        ("rnn_helpers", "rnn-course", ["keras"]),
        ("autograde_tests", "rnn-course", []),
        ("source", "rnn-course", ["keras"]),
        ("nbjudge/src/nbjudge", "nbgrader-judge", ["cluster"]),
        ("rnn_course", "rnn-course", ["instructor"]),
        ("tools", "rnn-course", ["dev"]),
        ("benchmarks", "rnn-course", ["dev"]),
        ("tests", "rnn-course", ["dev"]),
        ("nbjudge/tests", "rnn-course", ["dev"]),
    ],
)
def test_every_import_is_declared(folder: str, project: str, extras: list[str]) -> None:
    requirements = map(Requirement, listed_requirements(PROJECTS, project, extras))
    declared = {canonicalize_name(requirement.name) for requirement in requirements}
    of_package = packages_distributions()
    here = {path.stem for path in (ROOT / folder).iterdir()} | OWN | set(sys.stdlib_module_names)
    here |= IF_INSTALLED.get(Path(folder).name, set()) | {path.stem for path in (ROOT / "nbjudge/tests").iterdir()}
    undeclared = {
        f"{package} ({file})"
        for package, file in imported(ROOT / folder)
        if package not in here and declared.isdisjoint(map(canonicalize_name, of_package.get(package, [package])))
    }
    assert undeclared == set()
