"""The course uses nothing of nbjudge but its public face, as another course would."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader_course import ROOT

import nbjudge

FOLDERS = ("rnn_course", "rnn_helpers", "autograde_tests", "tools", "source")
FILES = [ROOT / "nbgrader_config.py", *(file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")))]


def internal_names(program: str) -> Iterator[str]:
    """Yield each name of nbjudge that a program uses and that is not public, in imports, attributes and strings."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and node.module == "nbjudge":
            used = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            used = [node.module or ""]
        elif isinstance(node, ast.Import):
            used = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nbjudge":
            used = [node.attr]
        elif isinstance(node, ast.Constant) and str(node.value).startswith("nbjudge."):
            used = [str(node.value)]
        else:
            continue
        is_relative = isinstance(node, ast.Attribute) or (isinstance(node, ast.ImportFrom) and node.module == "nbjudge")
        for name in used:
            path = f"nbjudge.{name}" if is_relative else name
            if path.startswith("nbjudge.") and path.removeprefix("nbjudge.") not in nbjudge.__all__:
                yield path


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_course_uses_only_public_names_of_nbjudge(file: Path) -> None:
    assert list(internal_names(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "program",
    [
        "from nbjudge.text import quote",
        "from nbjudge import cli",
        "import nbjudge.cli",
        "import nbjudge; nbjudge.cli.main()",
        "import importlib; importlib.import_module('nbjudge.report')",
    ],
)
def test_an_internal_name_would_be_found(program: str) -> None:
    assert list(internal_names(program))
