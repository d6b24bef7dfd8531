"""Whatever a submission holds, reading it raises nothing and gives a notebook that can be graded, or a refusal."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from submissions import CELLS, EXPECTED, NAME, lesson, problem

from nbjudge.autograde.staging import clean_copy
from nbjudge.intake.intake import Limits, Preflight, inspect

FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
SECRET = "the instructor's solution"

# Half of the texts and numbers are ones that a notebook's reader looks for.
WORDS = [
    "cells",
    "source",
    "nbgrader",
    "metadata",
    "code",
    "markdown",
    "raw",
    "",
    "3",
    "\0",
    "\ud83d",
    "`<b>",
    "x" * 300,
]
NUMBERS = [0, 1, 3, 4, 5, -1, 10**30, 1.5, float("nan"), float("inf"), True, False, None]
leaves = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from([*WORDS, *(cell.name for cell in CELLS)]),
    st.text(st.characters(), max_size=20),
    st.integers(),
    st.floats(),
)
keys = st.one_of(
    st.sampled_from([*WORDS[:7], "cell_type", "outputs", "id", "nbformat", "grade_id", "points"]), st.text()
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


def places(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every node of a JSON tree."""
    yield above
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(inner, (*above, key))


@st.composite
def mutated_lessons(draw: st.DrawFn) -> Any:
    """Draw the lesson with some of its nodes deleted, replaced, copied to another place, or swapped."""
    tree = lesson()
    for _ in range(draw(st.integers(1, 5))):
        *above, key = draw(st.sampled_from([place for place in places(tree) if place]))
        parent = tree
        for step in above:
            parent = parent[step]
        action = draw(st.sampled_from(["delete", "replace", "copy", "swap"]))
        if action == "delete":
            del parent[key]
        elif action == "replace":
            parent[key] = draw(trees)
        elif isinstance(parent, list):
            other = draw(st.integers(0, len(parent) - 1))
            if action == "copy":
                parent.insert(other, json.loads(json.dumps(parent[key])))
            else:
                parent[key], parent[other] = parent[other], parent[key]
        if not tree:
            break
    return tree


@contextmanager
def inspected(content: bytes, name: str = f"{NAME}.ipynb") -> Iterator[Preflight]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        yield inspect(Path(folder), EXPECTED)


def written(tree: Any) -> bytes:
    return json.dumps(tree).encode()


@FAST
@given(st.binary(max_size=200))
def test_random_bytes(content: bytes) -> None:
    with inspected(content) as result:
        assert problem(result) is None
        assert NAME in result.refusals


@FAST
@given(trees)
def test_random_json(tree: Any) -> None:
    with inspected(written(tree)) as result:
        assert problem(result) is None


@FAST
@given(st.lists(trees, max_size=5), st.fixed_dictionaries({}, optional={"nbformat": leaves, "metadata": trees}))
def test_random_cells(cells: list[Any], fields: dict[str, Any]) -> None:
    with inspected(written({"cells": cells, **fields})) as result:
        assert problem(result) is None


@pytest.mark.slow
@settings(FAST, max_examples=300)
@given(mutated_lessons(), st.sampled_from([f"{NAME}.ipynb", "other.ipynb"]))
def test_a_mutated_lesson(tree: Any, name: str) -> None:
    with inspected(written(tree), name) as result:
        assert problem(result) is None


@FAST
@given(st.integers(0, 4000), st.binary(max_size=6), st.integers(0, 20))
def test_a_lesson_with_bytes_replaced(place: int, content: bytes, length: int) -> None:
    whole = written(lesson())
    with inspected(whole[:place] + content + whole[place + length :]) as result:
        assert problem(result) is None


@FAST
@given(st.permutations(lesson()["cells"]))
def test_a_lesson_in_any_order_keeps_every_text(cells: list[Any]) -> None:
    with inspected(written({**lesson(), "cells": cells})) as result:
        assert problem(result) is None
        found = [cell.source for cell in result.notebooks[NAME].cells]
        assert len(found) == len(cells)
        assert {"import math", "Because.", "def double(x):\n    return 2 * x"} <= set(found)


ENTRIES = ["file", "large", "folder", "up", "link", "link to folder", "hard link", "pipe", "notebook"]
NAMES = [
    f"{NAME}.ipynb",
    f"{NAME.upper()}.ipynb",
    "a.ipynb",
    "data.csv",
    "DATA.csv",
    "numpy",
    "numpy.py",
    "__init__.py",
]
NAMES += ["timestamp.txt", "-rf", "two\nlines", ".hidden", "x.so", "conftest.py", "é", "é", "\udcff", "n" * 250]
entry_names = st.one_of(st.sampled_from(NAMES), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))


@settings(FAST, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(ENTRIES), entry_names), max_size=15))
def test_a_random_folder_gives_nothing_from_outside(entries: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        outside, folder, target = Path(place, "outside"), Path(place, "in"), Path(place, "out")
        outside.mkdir()
        folder.mkdir()
        (outside / "data.csv").write_text(SECRET)
        (outside / f"{NAME}.ipynb").write_bytes(written(lesson()).replace(b"Because.", SECRET.encode()))
        fill(folder, outside, entries)
        result = inspect(folder, EXPECTED, Limits(files=5, depth=2))
        assert problem(result) is None
        clean_copy(folder, result, target)
        check_copy(result, target)


def fill(folder: Path, outside: Path, entries: list[tuple[str, str]]) -> None:
    """Make what can be made of these entries; "folder" goes into it and "up" out of it again."""
    here = folder
    for kind, name in entries:
        path = here / name
        try:
            if kind == "up":
                here = here.parent if here != folder else here
            elif kind == "folder":
                path.mkdir()
                here = path
            elif os.path.lexists(path) or path.parent != here:
                continue
            else:
                make(kind, path, outside)
        except (OSError, ValueError):  # no system takes every name
            continue


def make(kind: str, path: Path, outside: Path) -> None:
    secret = outside / (f"{NAME}.ipynb" if path.name.lower().endswith(".ipynb") else "data.csv")
    if kind == "notebook":
        path.write_bytes(written(lesson()))
    elif kind == "link":
        path.symlink_to(secret)
    elif kind == "link to folder":
        path.symlink_to(outside)
    elif kind == "hard link":
        os.link(secret, path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("own" * (1 if kind == "file" else 10_000))


def check_copy(result: Preflight, target: Path) -> None:
    copied = [path for path in target.rglob("*") if not path.is_dir()]
    wanted = {*result.files, *(f"{name}.ipynb" for name in result.notebooks)}
    wanted |= {"timestamp.txt"} if result.timestamp else set()
    assert {str(path.relative_to(target)) for path in copied} == wanted
    for path in copied:
        assert not path.is_symlink()
        assert SECRET not in path.read_text(encoding="utf-8")


def test_the_check_itself_finds_a_leak(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(SECRET)
    with pytest.raises(AssertionError):
        check_copy(Preflight(files={"data.csv": 1}), tmp_path)
